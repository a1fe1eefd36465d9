"""What a hostile reading of the pipeline found: each of these once went wrong."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from classifiers.signals import find_signal
from errors import Refused
from pipeline import act_replies, act_tickets, assess, decide, follow_up, listen
from scheduler import Runner
from store import audit, facts, intake, migrate
from store.engine import open_store
from store.refusals import Conflict
from store.tables import (
    AccountRow,
    AlarmRow,
    DraftRow,
    MentionRow,
    ReplyRow,
    TicketRow,
    WorkRow,
)
from store.types import now
from tests.deployments import FACEBOOK, X
from tests.pipeline.city import City, wait_for
from tests.pipeline.conftest import Opened
from vocabulary import Author, HeardHow, Mention, OwnPost, Page

POSTGRES = os.environ.get("TEST_POSTGRES", "")  #: the URL of an empty database
CRY = "Somebody is trapped in a burning car at 120 Oak Street"


def a_mention(post_id: str = "900", **given: Any) -> Mention:
    usual: dict[str, Any] = {
        "platform": "x",
        "post_id": post_id,
        "conversation_key": "900",
        "text": "There is a pothole at 120 Oak Street",
        "posted_at": now() - timedelta(minutes=5),
        "heard_how": HeardHow.MENTION,
        "author": Author(platform_user_id="7", handle="jane", name="Jane"),
    }
    return Mention(**{**usual, **given})


def an_own_post(**given: Any) -> OwnPost:
    usual: dict[str, Any] = {
        "platform": "x",
        "post_id": "950",
        "conversation_key": "900",
        "text": "A crew is on its way.",
        "posted_at": now() - timedelta(minutes=4),
        "in_reply_to": "900",
    }
    return OwnPost(**{**usual, **given})


def take(city: City, *mentions: Mention, account: str = X, **page: Any) -> intake.Taken:
    with city.writing() as session:
        row = session.exec(select(AccountRow).where(AccountRow.name == account)).one()
        whole = Page(mentions=mentions, **page)
        return intake.take_page(session, row, "mentions", whole, reply_within=timedelta(days=2))


def of(city: City, draft: DraftRow) -> MentionRow:
    """The mention of a draft."""
    return city.one(MentionRow, MentionRow.id == draft.mention_id)


def wake(city: City, kind: str) -> None:
    """The back-off is over."""
    city.execute("UPDATE work SET not_before = :past WHERE kind = :kind AND state = 'ready'", kind=kind)


# what was approved


def test_small_talk_after_the_approval_is_read_before_the_reply_goes(open_city: Opened) -> None:
    """The thread went on: showing the approved draft anew must not make it current."""
    city = open_city(approval={"undo_for": "PT1H"})
    draft = city.report()
    city.approve(draft, parts=["reply"])
    city.said("you are useless", in_reply_to=of(city, draft).post_id)
    city.execute("UPDATE draft SET send_after = :past")
    wake(city, "reply")

    city.work()

    assert city.replies() == []
    assert city.get(draft).state == "cancelled"
    assert city.heir_of(draft).needs_review


def test_an_account_put_back_to_dry_run_sends_nothing_that_was_approved_before(open_city: Opened) -> None:
    city = open_city(approval={"undo_for": "PT1H"})
    draft = city.report()
    city.approve(draft)
    city.execute("UPDATE draft SET send_after = :past")
    city = open_city(accounts={X: {"sending": "dry_run"}}, crm={"sending": "dry_run"})
    wake(city, "reply")
    wake(city, "ticket")

    city.work()

    assert (city.replies(), city.tickets()) == ([], [])
    assert city.heir_of(draft).state == "pending"


# nobody twice


def test_an_answer_by_hand_that_is_heard_before_its_post_settles_it(city: City) -> None:
    take(city, own_posts=(an_own_post(),))

    take(city, a_mention())
    city.work()

    assert city.mention("900").state == "answered"
    assert city.drafts_of("900") == []


def test_an_answer_by_hand_to_a_wording_that_is_heard_later_settles_the_post(city: City) -> None:
    take(city, a_mention())
    take(city, own_posts=(an_own_post(in_reply_to="901"),))

    take(city, a_mention("901", text="There are two potholes at 120 Oak Street", edited_from=("900",)))
    city.work()

    assert city.mention("900").state == "answered"
    assert city.drafts_of("900") == []


def test_a_follow_up_in_doubt_is_not_taken_for_the_answer_that_quotes_the_same_reference(city: City) -> None:
    draft = city.report()
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")
    city.work_until(lambda: city.one(TicketRow).state == "open")
    city.ctl.close_request(city.one(TicketRow).service_request_id or "", status_notes="Filled.")
    follow_up.poll_crm(city.deployment)
    second = city.one(DraftRow, DraftRow.kind == "follow_up")
    city.ctl.faults("x.create", kind="500")

    city.approve(second)
    city.work_until(lambda: city.get(second).state == "sent")

    assert len(city.replies()) == 2
    assert len({reply.post_id for reply in city.all(ReplyRow)}) == 2


def test_an_answer_to_an_answer_heard_while_in_doubt_is_ours_and_settles_nobody_elses_post(city: City) -> None:
    """Facebook hangs it under the first comment, which is another resident's."""
    root = city.post("What can we do better?", platform="facebook", as_="city")
    first = city.post("There is a pothole at 520 Oak Street", platform="facebook", author="bob", in_reply_to=root)
    below = city.post("And a pothole at 120 Oak Street", platform="facebook", author="eve", in_reply_to=first)
    city.round()
    theirs, draft = city.draft_of(first), city.draft_of(below)
    city.ctl.faults("facebook.create", kind="500", after_effect=True)
    city.approve(draft, parts=["reply"])
    city.work()

    city.hear()

    assert city.get(theirs).state == "pending"
    assert city.mention(first).state == "drafted"
    assert city.get(draft).state == "sent"


def test_a_retry_after_the_last_try_is_a_retry(city: City) -> None:
    """What used up its tries is given up on; its row must not be too worn out for the next."""
    draft = city.report()
    city.approve(draft, parts=["reply"])
    city.execute("UPDATE work SET attempt = 7 WHERE kind = 'reply'")
    city.ctl.faults("x.create", kind="429")
    city.work()
    assert city.get(draft).state == "failed"

    decide.retry(city.deployment, city.who, draft.id)

    city.work_until(lambda: city.get(draft).state == "sent")
    assert len(city.replies()) == 1
    assert city.attention("work") == []


def test_a_failed_reply_whose_turn_another_took_is_refused_not_broken(city: City) -> None:
    draft = city.report()
    city.approve(draft, parts=["reply"])
    city.ctl.faults("x.create", kind="401")
    city.work()
    assert city.get(draft).state == "failed"
    again = decide.redraft(city.deployment, city.who, draft.mention_id)
    city.approve(city.one(DraftRow, DraftRow.id == again), parts=["reply"])

    with pytest.raises(Conflict):
        decide.retry(city.deployment, city.who, draft.id)


# no mention lost or stuck


def test_an_older_wording_that_is_served_late_does_not_take_the_newer_ones_place(city: City) -> None:
    take(city, a_mention("901", text="Newer words about a pothole", edited_from=("900",)))

    take(city, a_mention("900", text="Older words about a pothole", edited_from=("901",)))

    row = city.one(MentionRow)
    assert (row.current_post_id, row.rev) == ("901", 1)


def test_posts_imported_under_numbers_of_their_own_are_not_taken_for_deleted(city: City) -> None:
    take(city, a_mention("archive-17"))
    take(city, a_mention("archive-18", platform="facebook", conversation_key="archive-18"), account=FACEBOOK)
    city.age(timedelta(hours=1))

    city.hear()

    assert {row.state for row in city.all(MentionRow)} == {"new"}


def test_one_post_that_breaks_the_reading_takes_no_emergency_along(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> Any:
        if "pothole" in text:
            raise KeyError("a bug of ours")
        return find_signal(text)

    monkeypatch.setattr(assess, "find_signal", broken)
    city.post("There is a pothole at 120 Oak Street")
    city.post(CRY, author="sam")

    city.round()

    assert city.one(AlarmRow).outcome is None


def test_a_model_that_is_broken_hides_no_emergency_that_the_words_show(city: City) -> None:
    city.classifier.poison = "trapped"
    city.post(CRY)

    city.round()

    assert city.one(AlarmRow).outcome is None


def test_a_post_that_the_model_never_read_can_be_read_by_a_person(city: City) -> None:
    city.classifier.poison = "pothole"
    post_id = city.post("There is a pothole at 120 Oak Street")
    city.hear()
    for _ in range(3):
        city.work()
        wake(city, "assess")
    mention = city.mention(post_id)
    assert mention.state == "quarantined"

    decide.correct(city.deployment, city.who, mention.id, changes={"intent": "report", "service_code": "pothole"})

    assert city.draft_of(post_id).state == "pending"
    assert city.attention("mention") == []


def test_a_post_that_no_database_takes_is_set_aside_and_the_others_of_its_page_go_on(city: City) -> None:
    broken = a_mention("903", url="https://x.com/\ud800/status/903", raw=b"{}")

    taken = take(city, broken, a_mention("904", conversation_key="904"))

    assert (taken.new, taken.unreadable) == (1, 1)
    assert city.mention("904").state == "new"
    assert len(city.attention("unreadable")) == 1


def test_a_source_that_is_refused_keeps_no_other_from_being_heard(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = city.deployment.listener(X)
    walked: list[str] = []
    pages = listener.pages

    def refusing(wanted: Any) -> Any:
        walked.append(wanted.source)
        if wanted.source == "quotes":
            raise Refused("X: this tier has no search")
        return pages(wanted)

    monkeypatch.setattr(listener, "pages", refusing)

    heard = listen.listen(city.deployment, X)

    assert "own" in walked
    assert heard.error is not None


def test_a_listener_that_breaks_is_told_on_its_account(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise OverflowError("date value out of range")

    monkeypatch.setattr(city.deployment.listener(X), "pages", broken)

    heard = listen.listen(city.deployment, X)

    assert heard.error is not None
    assert "OverflowError" in (city.one(AccountRow, AccountRow.name == X).error or "")


def test_a_ticket_that_was_closed_before_we_found_it_is_followed_up(city: City) -> None:
    draft = city.report()
    city.ctl.faults("open311.create", kind="500", after_effect=True)
    city.approve(draft, parts=["request"])
    city.work()
    city.ctl.close_request(city.tickets()[0]["id"], status_notes="Filled.")
    follow_up.poll_crm(city.deployment)
    with city.writing() as session:
        facts.remember(session, "crm_polled", {"at": (now() + timedelta(hours=2)).isoformat()}, by="system")

    city.work_until(lambda: city.one(TicketRow).state == "closed")
    follow_up.poll_crm(city.deployment)

    assert city.request(draft).status == "closed"
    assert city.all(DraftRow, DraftRow.kind == "follow_up")


def test_a_worker_that_breaks_gives_back_what_it_had_not_begun(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts = [city.report(f"There is a pothole at {number} Oak Street", author=f"a{number}") for number in (120, 520)]
    for draft in drafts:
        city.approve(draft)
    city.deployment.side_by_side = 1

    def broken(*_: Any) -> Any:
        raise KeyError("a bug of ours")

    for module, step in ((act_replies, "_one_step"), (act_tickets, "_prepare")):
        monkeypatch.setattr(module, step, broken)
    with pytest.raises(KeyError):
        act_tickets.file_due(city.deployment, worker="w")
    with pytest.raises(KeyError):
        act_replies.send_due(city.deployment, worker="w")

    for kind in ("ticket", "reply"):
        rows = city.all(WorkRow, WorkRow.kind == kind)
        assert sorted((row.state, row.attempt) for row in rows) == [("leased", 1), ("ready", 0)]


# a person in danger


def below_one_post(city: City) -> tuple[str, str]:
    """Two residents cry for help below the same post of the Page."""
    root = city.post("Storm tonight", platform="facebook", as_="city")
    cries = [city.post(CRY, platform="facebook", author=author, in_reply_to=root) for author in ("bob", "eve")]
    city.round()
    return cries[0], cries[1]


def test_not_an_emergency_is_said_of_one_resident_and_the_others_cry_rings_on(city: City) -> None:
    first, second = below_one_post(city)

    decide.acknowledge(city.deployment, city.who, city.mention(first).id, emergency=False)

    ringing = city.one(AlarmRow, col(AlarmRow.outcome).is_(None))
    assert ringing.mention_id == city.mention(second).id
    assert city.draft_of(second).purpose == "emergency"
    assert city.draft_of(first).purpose != "emergency"


def test_a_correction_of_the_mood_acknowledges_no_alarm(city: City) -> None:
    post_id = city.said(CRY, platform="facebook")
    city.ctl.edit(post_id, "A pothole at 120 Oak Street")
    city.age(timedelta(hours=1))
    city.round()

    decide.correct(city.deployment, city.who, city.mention(post_id).id, changes={"sentiment": "neutral"})

    assert city.one(AlarmRow).outcome is None


def test_a_post_that_becomes_a_cry_for_help_by_an_edit_rings_anew(city: City) -> None:
    post_id = city.said("There is a fire at the barbecue, somebody is trapped in a bad party", platform="facebook")
    assert city.one(AlarmRow).outcome is None
    decide.acknowledge(city.deployment, city.who, city.mention(post_id).id, emergency=False)
    city.ctl.edit(post_id, CRY)
    city.age(timedelta(hours=1))

    city.round()

    assert len(city.all(AlarmRow, col(AlarmRow.outcome).is_(None))) == 1


def test_an_alarm_does_not_wait_for_a_crm_that_hangs(city: City) -> None:
    draft = city.report()
    city.ctl.faults("open311.create", kind="timeout", seconds=30)
    city.approve(draft, parts=["request"])
    runner = Runner(city.deployment, polling=False)
    runner.start()
    try:
        wait_for(lambda: city.all(TicketRow, TicketRow.state == "sending"))
        take(city, a_mention(text=CRY))
        wait_for(lambda: city.all(AlarmRow))
        assert city.one(TicketRow).state == "sending"
    finally:
        city.ctl.clear_faults()
        runner.stop()


def test_another_residents_cry_on_the_same_thread_is_told_at_once(city: City) -> None:
    root = city.post("Storm tonight", platform="facebook", as_="city")
    city.said(CRY, platform="facebook", author="bob", in_reply_to=root)
    told = city.one(AlarmRow).last_notified_at

    city.said(CRY, platform="facebook", author="eve", in_reply_to=root)

    again = city.one(AlarmRow).last_notified_at
    assert told is not None
    assert again is not None
    assert again > told


@pytest.mark.skipif(not POSTGRES, reason="TEST_POSTGRES names no empty database")
def test_on_postgresql_too_writers_wait_for_each_other() -> None:
    store = open_store(POSTGRES)
    migrate.upgrade(store)
    refused: list[Exception] = []

    def write() -> None:
        for _ in range(20):
            try:
                with store.writing() as session:
                    audit.append(session, by="test", action="test.written", subject="test:1")
            except Exception as err:  # noqa: BLE001  a thread's failure must reach the test
                refused.append(err)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    with store.reading() as session:
        assert audit.verify(session).holds
    store.close()
    assert refused == []
