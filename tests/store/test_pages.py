"""Taking in a page at once is what taking in its posts one by one would be, only sooner."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from store import intake
from store.engine import Store
from store.tables import (
    AccountRow,
    AttentionRow,
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
from tests.store.test_intake import a_mention, an_own_post, take
from vocabulary import Author, HeardHow, Mention, OwnPost, Page

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_heard_post(chance: random.Random, platform: str) -> Mention | OwnPost:
    """A post out of few ids, threads and authors, so that they meet again and again, in other versions too."""
    number = chance.randrange(1, 18)
    key = str(chance.randrange(1, 4))
    at = NOON + timedelta(minutes=chance.randrange(40))
    if chance.random() < 0.2:
        return an_own_post(
            platform=platform,
            post_id=str(500 + number),
            conversation_key=key,
            text=f"answer {number}",
            posted_at=at,
            in_reply_to=str(chance.randrange(1, 18)),
        )
    who = chance.randrange(4)
    return a_mention(
        platform=platform,
        post_id=str(number),
        conversation_key=key,
        text=f"wording {chance.randrange(2)}",
        posted_at=at,
        heard_how=chance.choice([HeardHow.MENTION, HeardHow.SEARCH]),
        author=Author(platform_user_id=str(who), handle=f"h{chance.randrange(2)}", name="") if who else None,
        edited_from=tuple(str(one) for one in sorted(chance.sample(range(1, number), 1))) if number > 9 else (),
        raw=chance.choice([b"", b"{}"]),
    )


def took(session: Session, account: AccountRow, items: list[Mention | OwnPost]) -> tuple[int, int, int]:
    mentions = tuple(item for item in items if isinstance(item, Mention))
    own = tuple(item for item in items if isinstance(item, OwnPost))
    page = Page(mentions=mentions, own_posts=own)
    taken = intake.take_page(session, account, "mentions", page, reply_within=timedelta(days=36500))
    return taken.new, taken.edited, taken.own


def story(session: Session, platform: str) -> dict[str, Any]:
    """All that the store knows of a platform, without its own numbers."""
    session.flush()
    session.expire_all()
    threads = session.exec(select(ConversationRow).where(ConversationRow.platform == platform)).all()
    people = session.exec(select(IdentityRow).where(IdentityRow.platform == platform)).all()
    mentions = session.exec(select(MentionRow).where(MentionRow.platform == platform)).all()
    own = session.exec(select(OwnPostRow).where(OwnPostRow.platform == platform)).all()
    keys = {row.id: row.conversation_key for row in threads}
    users = {row.id: row.platform_user_id for row in people}

    def text(content_id: int | None) -> Any:
        row = session.get(ContentRow, content_id) if content_id else None
        return (row.record_class, row.text, row.raw, bool(row.derived_from)) if row else None

    def of(row: MentionRow) -> dict[str, Any]:
        wordings = session.exec(
            select(MentionRevisionRow)
            .where(MentionRevisionRow.mention_id == row.id)
            .order_by(col(MentionRevisionRow.rev))
        )
        sources = session.exec(select(MentionSourceRow.heard_how).where(MentionSourceRow.mention_id == row.id))
        replies = session.exec(select(ReplyRow.post_id).where(ReplyRow.mention_id == row.id))
        asked = session.exec(select(WorkRow.state).where(WorkRow.kind == "assess", WorkRow.ref == str(row.id)))
        told = row.model_dump(include={"current_post_id", "url", "in_reply_to", "language", "posted_at", "historic"})
        told |= row.model_dump(include={"state", "seq", "rev", "rev_hash", "visibility", "addresses_us"})
        return told | {
            "thread": keys[row.conversation_id],
            "author": users.get(row.identity_id or 0),
            "words": text(row.content_id),
            "raw": text(row.raw_id),
            "wordings": [(one.rev, one.post_id, one.rev_hash, text(one.content_id)) for one in wordings],
            "sources": sorted(sources),
            "replies": sorted(filter(None, replies)),
            "asked": list(asked),
        }

    return {
        "threads": {row.conversation_key: row.last_seq for row in threads},
        "people": {row.platform_user_id: (row.handle, row.name) for row in people},
        "mentions": {row.post_id: of(row) for row in mentions},
        "own": {row.post_id: (row.seq, row.in_reply_to, keys[row.conversation_id]) for row in own},
    }


@pytest.mark.parametrize("seed", range(8))
def test_a_page_at_once_is_its_posts_one_by_one(city_store: Store, seed: int) -> None:
    chance = random.Random(seed)
    with city_store.writing() as session:
        one, other = session.exec(select(AccountRow).order_by(col(AccountRow.id))).all()
        for _ in range(4):
            items = [a_heard_post(chance, "x") for _ in range(12)]
            in_time = sorted(items, key=lambda post: (post.posted_at, post.post_id))
            own = {post.post_id: post for post in items if isinstance(post, OwnPost)}
            alone = [post for post in in_time if isinstance(post, Mention) or own[post.post_id] is post]

            at_once = took(session, one, items)
            one_by_one = [took(session, other, [replace(post, platform="y")]) for post in alone]

            assert at_once == tuple(map(sum, zip(*one_by_one, strict=True)))
            assert story(session, "x") == story(session, "y")


def test_a_post_that_no_row_takes_is_set_aside_alone(city_store: Store) -> None:
    half = "\ud83d"
    posts = [a_mention(post_id=str(number), conversation_key=str(number)) for number in range(100, 120)]
    posts[7] = replace(posts[7], url=half, raw=b"the seventh")
    posts[13] = replace(posts[13], author=Author(platform_user_id=half, handle="j"), raw=b"the thirteenth")

    with city_store.writing() as session:
        taken = take(
            session, *posts, own_posts=(an_own_post(url=half, conversation_key="9"), an_own_post(post_id="501"))
        )
        again = take(session, *posts)

        kept = session.exec(select(AttentionRow).where(AttentionRow.kind == "unreadable")).all()
        raw = {session.get_one(ContentRow, row.content_id).raw for row in kept}
    assert (taken.new, taken.own, taken.unreadable, again.new, again.unreadable) == (18, 1, 3, 0, 0)
    assert raw == {b"the seventh", b"the thirteenth", b"500"}


def test_numbers_go_on_after_a_page_that_was_undone(city_store: Store) -> None:
    with suppress(InterruptedError), city_store.writing() as session:
        take(session, a_mention())
        raise InterruptedError
    with city_store.writing() as session:
        take(session, a_mention(post_id="101"))
        take(session, a_mention(post_id="102"), own_posts=(an_own_post(in_reply_to="102"),))

        rows = {row.post_id: row.state for row in session.exec(select(MentionRow))}
    assert rows == {"101": "new", "102": "answered"}


def test_a_hundred_posts_need_no_more_statements_than_one(city_store: Store) -> None:
    said: list[str] = []
    with city_store.writing() as session:
        take(session, a_mention(post_id="1", conversation_key="1"))
        event.listen(city_store.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
        take(session, a_mention(post_id="2", conversation_key="1"))
        for_one = len(said)

        take(session, *(a_mention(post_id=str(number), conversation_key="1") for number in range(100, 200)))
        for_hundred = len(said) - for_one

    assert for_hundred == for_one < 25
