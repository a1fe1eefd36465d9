"""Taking in a page: each post once, by whatever door; edits as revisions; threads in the order of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from pipeline.listen import LOOK_RHYTHM
from store import intake
from store.engine import Store
from store.intake import Taken
from store.tables import (
    AccountRow,
    ContentRow,
    ConversationRow,
    IdentityRow,
    MentionRevisionRow,
    MentionRow,
    MentionSourceRow,
    OwnPostRow,
    ReplyRow,
    WorkRow,
)
from store.types import now
from vocabulary import Author, Edit, HeardHow, Mention, OwnPost, Page, Unreadable

JANE = Author(platform_user_id="7", handle="jane", name="Jane")


def a_mention(**given: Any) -> Mention:
    usual: dict[str, Any] = {
        "platform": "x",
        "post_id": "100",
        "conversation_key": "100",
        "text": "a pothole",
        "posted_at": now() - timedelta(minutes=5),
        "heard_how": HeardHow.MENTION,
        "author": JANE,
        "raw": b'{"id": "100"}',
    }
    return Mention(**{**usual, **given})


def an_own_post(**given: Any) -> OwnPost:
    usual: dict[str, Any] = {
        "platform": "x",
        "post_id": "500",
        "conversation_key": "100",
        "text": "We are on it.",
        "posted_at": now(),
        "in_reply_to": "100",
    }
    return OwnPost(**{**usual, **given})


def take(session: Session, *mentions: Mention, account: str = "city_hall_x", **page: Any) -> Taken:
    row = session.exec(select(AccountRow).where(AccountRow.name == account)).one()
    return intake.take_page(session, row, "mentions", Page(mentions=mentions, **page), reply_within=timedelta(days=2))


def the(session: Session) -> MentionRow:
    return session.exec(select(MentionRow)).one()


def test_a_post_heard_by_two_accounts_and_two_doors_is_one_mention_with_three_sources(city_store: Store) -> None:
    with city_store.writing() as session:
        taken = [
            take(session, a_mention()),
            take(session, a_mention(heard_how=HeardHow.SEARCH)),
            take(session, a_mention(), account="parks_x"),
        ]

        assert [one.new for one in taken] == [1, 0, 0]
        assert the(session).rev == 1
        assert len(session.exec(select(MentionSourceRow)).all()) == 3
        assert len(session.exec(select(WorkRow)).all()) == 1


def test_a_post_twice_on_one_page_is_one_mention(city_store: Store) -> None:
    with city_store.writing() as session:
        taken = take(session, a_mention(), a_mention())

        assert (taken.collected, taken.new) == (2, 1)


def test_an_edit_that_keeps_its_id_is_a_revision(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention())
        taken = take(session, a_mention(text="two potholes"))

        row = the(session)
        assert (taken.edited, row.rev, row.current_post_id) == (1, 2, "100")
        assert intake.current_words(session, row).text == "two potholes"
        assert session.exec(select(ConversationRow)).one().last_seq == row.seq == 2


def test_an_edit_with_a_new_id_is_the_same_mention(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention())
        take(session, a_mention(post_id="101", text="two potholes", edited_from=("100",)))

        row = the(session)
        assert (row.post_id, row.current_post_id, row.rev) == ("100", "101", 2)
        assert intake.known(session, "x", "101") == intake.known(session, "x", "100") == row


def test_a_reply_by_hand_to_a_middle_version_settles_the_mention(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention())
        take(session, a_mention(post_id="101", text="two potholes", edited_from=("100",)))
        take(session, a_mention(post_id="102", text="three potholes", edited_from=("100", "101")))
        take(session, own_posts=(an_own_post(in_reply_to="101"),))

        assert the(session).state == "answered"


def test_an_older_wording_served_once_more_changes_nothing_back(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention())
        take(session, a_mention(post_id="101", text="two potholes", edited_from=("100",)))
        taken = take(session, a_mention())

        assert (taken.edited, taken.new) == (0, 0)
        assert intake.current_words(session, the(session)).text == "two potholes"


def test_every_wording_is_kept_with_its_hash(city_store: Store) -> None:
    with city_store.writing() as session:
        for text in ("one", "two", "three", "three"):
            take(session, a_mention(text=text))

        rows = session.exec(select(MentionRevisionRow).order_by(col(MentionRevisionRow.rev))).all()
        assert [row.rev for row in rows] == [1, 2, 3]
        assert len({row.rev_hash for row in rows}) == 3


def test_the_order_within_a_thread_is_that_of_time_not_of_the_listing(city_store: Store) -> None:
    moment = datetime(2026, 11, 21, 12, tzinfo=UTC)
    with city_store.writing() as session:
        take(
            session,
            a_mention(post_id="103", posted_at=moment + timedelta(minutes=3)),
            a_mention(post_id="100", posted_at=moment),
            own_posts=(an_own_post(posted_at=moment + timedelta(minutes=1)),),
        )

        seqs = {row.post_id: row.seq for row in session.exec(select(MentionRow))}
        assert (seqs["100"], session.exec(select(OwnPostRow)).one().seq, seqs["103"]) == (1, 2, 3)


def test_a_handle_that_changed_hands_is_two_people_and_one_that_was_renamed_is_one(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention())
        take(session, a_mention(post_id="101", author=Author(platform_user_id="7", handle="jane_new")))
        take(session, a_mention(post_id="102", author=Author(platform_user_id="8", handle="jane")))

        rows = session.exec(select(IdentityRow).order_by(col(IdentityRow.id))).all()
        assert [(row.platform_user_id, row.handle) for row in rows] == [("7", "jane_new"), ("8", "jane")]


def test_an_old_post_counts_only(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention(posted_at=now() - timedelta(days=3)))

        assert the(session).historic


def test_a_reply_by_hand_settles_its_mention_once(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention())
        first = take(session, own_posts=(an_own_post(),))
        again = take(session, own_posts=(an_own_post(),))

        reply = session.exec(select(ReplyRow)).one()
        assert (first.own, again.own) == (1, 0)
        assert the(session).state == "answered"
        assert (reply.origin, reply.state, reply.turn, reply.post_id) == ("native", "sent", 1, "500")


def test_a_deletion_empties_the_words_at_once_and_once(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention())
        first = take(session, deletions=("100", "unheard of"))
        again = take(session, deletions=("100",))

        assert (first.deleted, again.deleted) == (1, 0)
        assert the(session).state == "deleted"
        assert all(row.text is None and row.raw is None for row in session.exec(select(ContentRow)))


def test_an_edit_of_what_is_deleted_brings_no_words_back(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention())
        take(session, deletions=("100",))
        taken = take(session, a_mention(text="here again"), edits=(Edit(post_id="100", mention=a_mention(text="x")),))

        assert (taken.edited, taken.new) == (0, 0)
        assert all(row.text is None for row in session.exec(select(ContentRow)))


def test_an_edit_of_what_we_never_heard_is_nothing(city_store: Store) -> None:
    with city_store.writing() as session:
        taken = take(session, edits=(Edit(post_id="999", mention=a_mention(post_id="999")),))

        assert taken.edited == 0
        assert session.exec(select(MentionRow)).all() == []


def test_what_cannot_be_read_is_kept_once_with_its_bytes(city_store: Store) -> None:
    lost = Unreadable(raw=b'{"id": 1, \xff', why="text: missing")
    with city_store.writing() as session:
        first = take(session, a_mention(), unreadable=(lost,))
        again = take(session, unreadable=(lost,))

        kept = session.exec(select(ContentRow).where(ContentRow.raw == lost.raw)).all()
        assert (first.new, first.unreadable, again.unreadable) == (1, 1, 0)
        assert len(kept) == 1


@pytest.mark.parametrize(
    "text", ["", "nul \x00", "half \ud83d", "😀" * 9, "x" * 100_001, "\u202eetirw ot"], ids=lambda text: repr(text[:8])
)
def test_any_text_is_taken_in(city_store: Store, text: str) -> None:
    author = Author(platform_user_id="7", handle="j\x00\ud83d" * 90, name=text)
    with city_store.writing() as session:
        taken = take(session, a_mention(text=text, author=author, raw=text.encode("utf-8", "replace")))
        again = take(session, a_mention(text=text, author=author))

    assert (taken.new, again.edited) == (1, 0)


def test_two_authors_unknown_are_not_one_person(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, a_mention(author=None), a_mention(post_id="101", author=None))

        assert [row.identity_id for row in session.exec(select(MentionRow))] == [None, None]
        assert session.exec(select(IdentityRow)).all() == []


def test_the_longest_unseen_are_looked_at_first_and_the_fresh_not_at_all(city_store: Store) -> None:
    with city_store.writing() as session:
        take(session, *(a_mention(post_id=str(number), conversation_key=str(number)) for number in range(100, 104)))
        rows = {row.post_id: row for row in session.exec(select(MentionRow))}
        for row in rows.values():
            row.collected_at = now() - timedelta(hours=2)
        rows["100"].checked_at = now() - timedelta(minutes=40)
        rows["101"].checked_at = now() - timedelta(minutes=50)
        rows["102"].checked_at = now()
        rows["103"].collected_at = now()
        session.add_all(rows.values())
        session.flush()
        account = session.exec(select(AccountRow).where(AccountRow.name == "city_hall_x")).one()

        due = intake.due_for_a_look(session, account, rhythm=LOOK_RHYTHM, limit=9)

        assert [row.post_id for row in due] == ["101", "100"]
        assert intake.due_for_a_look(session, account, rhythm=LOOK_RHYTHM, limit=1) == due[:1]
        intake.mark_looked_at(session, [row.id for row in due], now())
        assert intake.due_for_a_look(session, account, rhythm=LOOK_RHYTHM, limit=9) == []


@pytest.mark.parametrize(
    ("age", "unseen_for", "due"),
    [
        (timedelta(hours=1), timedelta(minutes=14), False),
        (timedelta(hours=1), timedelta(minutes=16), True),
        (timedelta(hours=47), timedelta(minutes=16), True),
        (timedelta(hours=49), timedelta(hours=19), False),
        (timedelta(hours=49), timedelta(hours=21), True),
        (timedelta(days=29), timedelta(hours=21), True),
        (timedelta(days=31), timedelta(days=31), False),
    ],
    ids=str,
)
def test_a_young_post_is_looked_at_often_and_an_old_one_about_once_a_day(
    city_store: Store, age: timedelta, unseen_for: timedelta, due: bool
) -> None:
    with city_store.writing() as session:
        take(session, a_mention(post_id="100", conversation_key="100"))
        row = session.exec(select(MentionRow)).one()
        row.posted_at, row.collected_at = now() - age, now() - max(age, unseen_for)
        row.checked_at = now() - unseen_for
        session.add(row)
        session.flush()
        account = session.exec(select(AccountRow).where(AccountRow.name == "city_hall_x")).one()

        assert bool(intake.due_for_a_look(session, account, rhythm=LOOK_RHYTHM, limit=9)) is due
