"""Effects, counted at the sandbox: exactly one reply and one ticket, whatever breaks on the way."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from pipeline import act_replies, act_tickets, decide, rounds
from pipeline.promises import promise
from responders.x import OFFERS
from store import work
from store.refusals import Conflict
from store.tables import AuditRow, DraftRow, ReplyRow, TicketRow, WorkRow
from store.types import now
from tests.deployments import FACEBOOK, X
from tests.fixtures.stores import everything
from tests.pipeline.between import Between
from tests.pipeline.city import City, wait_for
from tests.pipeline.conftest import Opened

PLATFORMS = ("x", "facebook")
#: Who gives up soon, and only on the one whose answer is held back.
HASTY: dict[str, dict[str, Any]] = {
    "x": {"accounts": {X: {"read_within": 0.5}}},
    "facebook": {"accounts": {FACEBOOK: {"read_within": 0.5}}},
    "open311": {"crm": {"read_within": 0.5}},
}


def lands(city: City, draft: DraftRow) -> None:
    """The reply stands, the ticket is open, and there is one of each."""
    city.work_until(lambda: city.get(draft).state == "sent")
    city.work_until(lambda: city.one(TicketRow).state == "open")
    assert len(city.replies()) == 1
    assert len(city.tickets()) == 1


def wake(city: City, kind: str) -> None:
    """The back-off is over."""
    city.execute("UPDATE work SET not_before = :past WHERE kind = :kind AND state = 'ready'", kind=kind)


def woken(city: City, kind: str) -> bool:
    wake(city, kind)
    return True


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_approval_posts_one_reply_and_opens_one_ticket(city: City, platform: str) -> None:
    draft = city.report(platform=platform)

    city.approve(draft)
    lands(city, draft)

    reply, ticket = city.replies()[0], city.tickets()[0]
    assert reply["text"] == city.text(draft)
    assert reply["in_reply_to"] == city.mention(reply["in_reply_to"]).post_id
    assert city.request(draft).reference in reply["text"]
    assert city.request(draft).reference in ticket["text"]


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "500", "after_effect": True},
        {"kind": "html", "after_effect": True},
        {"kind": "cut_json"},
        {"kind": "reset", "after_effect": True},
        {"kind": "500"},
        {"kind": "503", "count": 2},
        {"kind": "429"},
        {"kind": "reset"},
    ],
    ids=lambda fault: f"{fault['kind']}{'-after' if fault.get('after_effect') else ''}",
)
def test_a_reply_stands_once_whatever_its_call_answered(city: City, platform: str, fault: dict[str, Any]) -> None:
    draft = city.report(platform=platform)
    city.ctl.faults(f"{platform}.create", **fault)

    city.approve(draft)
    city.work()
    wake(city, "reply")

    lands(city, draft)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "500", "after_effect": True},
        {"kind": "html", "after_effect": True},
        {"kind": "cut_json"},
        {"kind": "reset", "after_effect": True},
        {"kind": "503"},
        {"kind": "429"},
        {"kind": "reset"},
    ],
    ids=lambda fault: f"{fault['kind']}{'-after' if fault.get('after_effect') else ''}",
)
def test_a_ticket_is_opened_once_whatever_the_call_answered(city: City, fault: dict[str, Any]) -> None:
    draft = city.report()
    city.ctl.faults("open311.create", **fault)

    city.approve(draft, parts=["request"])
    city.work()
    wake(city, "ticket")
    city.work_until(lambda: city.one(TicketRow).state == "open")

    assert len(city.tickets()) == 1
    assert city.request(draft).status == "open"


@pytest.mark.parametrize("target", ["x.create", "facebook.create", "open311.create"])
def test_what_was_done_and_not_answered_in_time_is_done_once(open_city: Opened, target: str) -> None:
    city, platform = open_city(), target.partition(".")[0]
    draft = city.report(platform="facebook" if platform == "facebook" else "x")
    city.ctl.faults(target, "timeout", after_effect=True, seconds=30)
    city.approve(draft)

    hasty = open_city(**HASTY[platform])
    wait_for(lambda: (woken(city, "reply"), hasty.work(), city.ctl.effects(platform=platform))[2])

    doubtful: TicketRow | ReplyRow = city.one(TicketRow) if platform == "open311" else city.one(ReplyRow)
    assert doubtful.state == "in_doubt"
    lands(city, draft)


def test_a_worker_killed_after_the_post_was_made_posts_no_second_one(city: City) -> None:
    """The claim is committed, the platform has the reply, and nobody wrote that down."""
    draft = city.report()
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")
    forget_the_end(city)

    lands(city, draft)


def test_a_worker_killed_before_the_post_was_made_loses_no_reply(city: City) -> None:
    draft = city.report()
    city.approve(draft, parts=["reply", "request"])
    city.execute("UPDATE reply SET state = 'sending', fence = 1, attempt = 1, not_before = :past")
    city.execute("UPDATE draft SET state = 'sending'")
    city.execute("UPDATE work SET state = 'leased', fence = 1, lease_until = :past WHERE kind = 'reply'")

    lands(city, draft)


def forget_the_end(city: City) -> None:
    """As a ``kill -9`` between the platform's answer and our transaction leaves it."""
    city.execute("UPDATE reply SET state = 'sending', post_id = NULL, sent_at = NULL, not_before = :past")
    city.execute("UPDATE ticket SET state = 'sending', service_request_id = NULL, not_before = :past")
    city.execute("UPDATE draft SET state = 'sending'")
    city.execute("UPDATE work SET state = 'leased', lease_until = :past WHERE kind IN ('reply', 'ticket')")


def test_a_killed_workers_ticket_is_found_again_by_our_reference(city: City) -> None:
    draft = city.report()
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")
    number = city.one(TicketRow).service_request_id
    forget_the_end(city)

    lands(city, draft)
    assert city.one(TicketRow).service_request_id == number


@pytest.mark.slow
def test_two_workers_at_once_send_once(city: City) -> None:
    drafts = [city.report(f"There is a pothole at {number} Oak Street", author=f"a{number}") for number in (120, 520)]
    for draft in drafts:
        city.approve(draft)
    start, failures = threading.Barrier(3), list[Exception]()

    def worker(name: str) -> None:
        start.wait()
        try:
            for _ in range(5):
                rounds.process(city.deployment, worker=name)
        except Exception as err:  # noqa: BLE001  a thread's failure must reach the test
            failures.append(err)

    threads = [threading.Thread(target=worker, args=(f"worker-{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    city.work_until(lambda: all(city.get(draft).state == "sent" for draft in drafts))
    assert len(city.replies()) == 2
    assert len(city.tickets()) == 2


def test_work_that_is_handed_out_twice_sends_once(city: City) -> None:
    """A worker that lost its lease and one that got it both come to the claim."""
    draft = city.report()
    city.approve(draft, parts=["reply", "request"])
    city.work()
    city.execute("UPDATE work SET state = 'ready' WHERE kind IN ('reply', 'ticket')")

    city.work()

    lands(city, draft)


def test_a_second_approval_is_refused_and_sends_nothing_more(city: City) -> None:
    draft = city.report()
    version = draft.version
    city.approve(draft)

    with pytest.raises(Conflict) as refused:
        decide.approve(city.deployment, city.who, draft.id, version=version)

    assert refused.value.code == "decided"
    lands(city, draft)


@dataclass
class Clock:
    """A monotonic clock that stands still but for what a test lets pass."""

    seconds: float = 0.0
    each_reading: float = 0.0  #: seconds that pass whenever somebody looks

    def __call__(self) -> float:
        self.seconds += self.each_reading
        return self.seconds


def test_a_slow_look_at_the_post_does_not_use_up_the_tries(city: City) -> None:
    """Only the time since the claim may make a worker rest its reply; the look comes before it."""
    clock = Clock()
    city.deployment.monotonic = clock

    def slow(_: str) -> None:
        clock.seconds += 3600

    Between.put_into(city, looking=slow)
    city.approve(city.report(), parts=["reply"])

    city.work()

    reply = city.one(ReplyRow)
    assert (reply.state, reply.attempt) == ("sent", 1)


@pytest.mark.parametrize("part", ["reply", "request"])
def test_a_worker_that_was_paused_after_its_claim_calls_nobody(city: City, part: str) -> None:
    """By the time its call arrived another worker might have read back, and sent."""
    city.deployment.monotonic = Clock(each_reading=3600)
    city.approve(city.report(), parts=[part])

    city.work()

    row: ReplyRow | TicketRow = city.one(ReplyRow) if part == "reply" else city.one(TicketRow)
    assert (row.state, row.attempt) == ("approved" if part == "reply" else "pending", 0)
    assert city.ctl.effects() == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_post_deleted_before_the_send_gets_no_reply(city: City, platform: str) -> None:
    draft = city.report(platform=platform)
    city.approve(draft, parts=["reply"])
    city.ctl.delete(city.one(ReplyRow).in_reply_to)

    city.work()

    assert city.replies() == []
    assert city.get(draft).state == "cancelled"
    assert city.mention(city.one(ReplyRow).in_reply_to).state == "deleted"


def test_the_words_of_a_post_found_deleted_at_the_send_leave_the_file(city: City) -> None:
    draft = city.report("A pothole like a quagmire at 120 Oak Street")
    city.approve(draft, parts=["reply"])
    assert b"quagmire" in everything(city.deployment.store)
    city.ctl.delete(city.one(ReplyRow).in_reply_to)

    city.work()

    assert b"quagmire" not in everything(city.deployment.store)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_post_edited_before_the_send_goes_back_to_people(city: City, platform: str) -> None:
    draft = city.report(platform=platform)
    city.approve(draft, parts=["reply"])
    city.ctl.edit(city.one(ReplyRow).in_reply_to, "Sorry, the pothole is at 520 Oak Street")

    city.work()

    heir = city.heir_of(draft)
    assert city.replies() == []
    assert city.get(draft).state == "cancelled"
    assert (heir.state, heir.needs_review) == ("pending", True)


def test_a_refusal_by_xs_reply_rule_becomes_work_by_hand_and_the_hand_is_recognised(open_city: Opened) -> None:
    """We held the post for one that was addressed to us; X knows better."""
    city = open_city(accounts={X: {"track": ["pothole"]}})
    post_id = city.post("There is a pothole at 120 Oak Street", mention=False)
    city.hear()
    city.execute("UPDATE mention_source SET heard_how = 'mention'")
    city.execute("UPDATE mention SET addresses_us = true")
    city.work()
    draft = city.approve(city.draft_of(post_id), parts=["reply"])

    city.work()
    assert city.get(draft).state == "manual"
    assert [row.ref for row in city.attention("draft")] == [str(draft.id)]
    by_hand = city.ctl.post(city.text(draft), as_="city", author="", in_reply_to=post_id)
    city.hear()

    reply = city.one(ReplyRow)
    assert (reply.state, reply.post_id, reply.origin) == ("sent", by_hand, "harken")
    assert city.get(draft).state == "sent"
    assert city.attention("draft") == []


def test_a_ticket_that_fails_does_not_undo_the_reply(city: City) -> None:
    draft = city.report()
    city.ctl.faults("open311.create", "dead_token")

    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")

    assert city.one(TicketRow).state == "failed"
    assert city.tickets() == []
    assert len(city.attention("ticket")) == 1


def test_a_failed_ticket_that_is_replayed_is_opened_once(city: City) -> None:
    draft = city.report()
    city.ctl.faults("open311.create", "dead_token")
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")

    decide.attention_replay(city.deployment, city.who, city.attention("ticket")[0].id)

    lands(city, draft)
    assert city.attention("ticket") == []


def test_a_reply_that_fails_does_not_undo_the_ticket(city: City) -> None:
    draft = city.report()
    city.ctl.faults("x.create", "dead_token")

    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "failed")
    city.work_until(lambda: city.one(TicketRow).state == "open")

    assert city.replies() == []
    assert len(city.tickets()) == 1
    assert [row.ref for row in city.attention("draft")] == [str(draft.id)]


def test_a_reply_that_goes_stale_does_not_undo_the_ticket_that_still_waits(city: City) -> None:
    post = city.said("There is a pothole at 120 Oak Street")
    draft = city.draft_of(post)
    city.ctl.faults("open311.create", "429", count=1)
    city.approve(draft)
    city.work_until(lambda: city.one(TicketRow).error is not None)
    city.post("and another thing, it is deep", in_reply_to=post)
    city.round()

    city.execute("UPDATE work SET not_before = :past WHERE kind = 'ticket'")
    city.work_until(lambda: city.one(TicketRow).state == "open")

    assert city.replies() == []
    assert len(city.tickets()) == 1


def test_a_failed_reply_is_retried_with_the_same_bytes(city: City) -> None:
    draft = city.report()
    city.ctl.faults("x.create", "dead_token")
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "failed")

    decide.retry(city.deployment, city.who, draft.id)

    lands(city, draft)
    assert city.replies()[0]["text"] == city.text(draft)
    assert city.attention("draft") == []


def test_a_reply_waits_for_its_ticket_then_goes_with_our_reference(city: City) -> None:
    draft = city.report()
    city.ctl.faults("open311.create", "503", count=-1)

    city.approve(draft)
    city.work()
    assert city.get(draft).state == "approved"
    city.execute("UPDATE ticket SET give_up_reply_wait_at = :past")
    wake(city, "reply")
    city.work()

    assert city.get(draft).state == "sent"
    assert city.tickets() == []
    assert city.request(draft).reference in city.replies()[0]["text"]
    assert city.one(TicketRow).state == "in_doubt"


@pytest.mark.parametrize("scope", ["all", "platform:x", f"account:{X}"])
def test_a_kill_switch_stops_a_reply_and_lets_it_go_again(city: City, scope: str) -> None:
    draft = city.report()
    decide.set_kill_switch(city.deployment, city.who, scope=scope, on=True, reason="a siren in town")
    city.approve(draft)

    city.work()
    assert city.replies() == []
    assert city.get(draft).state == "approved"
    decide.set_kill_switch(city.deployment, city.who, scope=scope, on=False, reason="all clear")
    wake(city, "reply")
    wake(city, "ticket")

    lands(city, draft)


def test_a_kill_switch_for_all_stops_tickets_too(city: City) -> None:
    draft = city.report()
    decide.set_kill_switch(city.deployment, city.who, scope="all", on=True, reason="a siren in town")

    city.approve(draft)
    city.work()

    assert city.tickets() == []


def test_a_kill_switch_of_another_platform_stops_nothing(city: City) -> None:
    draft = city.report()
    decide.set_kill_switch(city.deployment, city.who, scope="platform:facebook", on=True, reason="a quarrel there")

    city.approve(draft)

    lands(city, draft)


def test_in_dry_run_nothing_leaves_the_house(open_city: Opened) -> None:
    city = open_city(accounts={X: {"sending": "dry_run"}})
    draft = city.report()

    shown = city.approve(draft)
    city.work()

    assert shown.state == "dry_run"
    assert shown.would_send is not None
    assert shown.would_send["text"] is None  # the words live in ``content``
    assert shown.would_send_text_id == city.get(draft).content_id
    assert shown.would_send["reply.in_reply_to_tweet_id"] == city.one(ReplyRow).in_reply_to
    assert city.ctl.effects() == []
    assert city.one(TicketRow).state == "dry_run"


def test_bytes_that_are_not_the_approved_ones_are_never_sent_and_stop_no_other(city: City) -> None:
    first = city.report(author="ann_oak")
    second = city.report("There is a pothole at 520 Elm Street", author="bob_elm")
    city.approve(first, parts=["reply"])
    city.approve(second, parts=["reply"])
    city.execute("UPDATE content SET text = 'free money' WHERE id = :id", id=city.get(first).content_id)

    city.work()

    assert [reply["text"] for reply in city.replies()] == [city.text(second)]
    assert city.get(first).state == "failed"
    assert len(city.attention("draft")) == 1


def test_a_worker_that_lost_the_race_leaves_the_row_to_be_read_back(city: City) -> None:
    """While one worker sends, another that comes to the claim must not mark the work as done."""
    draft = city.report()
    city.approve(draft, parts=["reply"])
    with city.writing() as session:
        late = work.claim(session, act_replies.KIND, worker="late", limit=1)[0]
        step = act_replies._prepare(session, city.deployment, late)
    post = city.deployment.responder(X).look(city.one(ReplyRow).in_reply_to)
    city.execute("UPDATE reply SET state = 'sending', fence = 1, attempt = 1, not_before = :past")

    with city.writing() as session:
        assert act_replies._claim_send(session, city.deployment, late, step, post, ()) is None

    assert city.one(WorkRow, WorkRow.kind == "reply").state != "done"
    city.work_until(lambda: city.get(draft).state == "sent")
    assert len(city.replies()) == 1


def test_a_reply_is_taken_back_from_the_platform_and_its_record_stays(city: City) -> None:
    draft = city.report()
    city.approve(draft, parts=["reply"])
    city.work_until(lambda: city.get(draft).state == "sent")

    decide.retract(city.deployment, city.who, draft.id, reason="wrong street")
    city.work()

    assert city.get(draft).state == "retracted"
    assert [one["kind"] for one in city.ctl.effects()] == ["reply", "delete"]
    assert city.text(draft) == city.ctl.effects()[0]["text"]


def test_a_retraction_is_tried_again_when_the_platform_is_away(city: City) -> None:
    draft = city.report()
    city.approve(draft, parts=["reply"])
    city.work_until(lambda: city.get(draft).state == "sent")
    city.ctl.faults("x.delete", "503")

    decide.retract(city.deployment, city.who, draft.id, reason="wrong street")
    city.work()
    wake(city, "retract")
    city.work()

    assert city.get(draft).state == "retracted"


def test_each_effect_has_its_entries_in_the_log(city: City) -> None:
    draft = city.report()
    city.approve(draft)
    lands(city, draft)

    with city.reading() as session:
        actions = [row.action for row in session.exec(select(AuditRow).order_by(col(AuditRow.seq)))]
    wanted = ["draft.made", "draft.approved", "ticket.sending", "ticket.opened", "reply.sending", "reply.sent"]
    assert [action for action in actions if action in wanted] == wanted


def test_the_builtin_crm_needs_no_call(open_city: Opened) -> None:
    city = open_city(crm={"kind": "builtin"})
    draft = city.report()

    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")

    ticket = city.one(TicketRow)
    assert (ticket.state, ticket.crm) == ("open", "builtin")
    assert ticket.service_request_id == city.request(draft).reference
    assert city.tickets() == []


def test_an_unreadable_thread_lets_a_doubt_rest(city: City) -> None:
    draft = city.report()
    city.ctl.faults("x.create", "500", after_effect=True)
    city.ctl.faults("x.timeline", "503", skip=1)  # the look before the call passes
    city.approve(draft, parts=["reply"])

    city.work_until(lambda: "could not be read back" in (city.one(ReplyRow).error or ""))
    assert city.get(draft).state == "in_doubt"
    city.work_until(lambda: city.get(draft).state == "sent")

    assert len(city.replies()) == 1


@pytest.mark.slow
def test_an_outcome_that_stays_unknown_ends_with_a_person(city: City) -> None:
    draft = city.report()
    city.ctl.faults("x.create", "500", count=-1)
    city.approve(draft, parts=["reply"])

    city.work_until(lambda: city.get(draft).state == "failed")

    assert city.one(ReplyRow).attempt == promise(OFFERS).tries == 3
    assert len(city.attention("draft")) == 1
    assert city.replies() == []


def test_an_expired_approval_goes_back_to_people(city: City) -> None:
    draft = city.approve(city.report(), parts=["reply"])
    city.execute("UPDATE approval SET approved_at = :at", at=now() - timedelta(days=2))

    city.work()

    assert city.get(draft).state == "expired"
    assert city.heir_of(draft).state == "pending"
    assert city.replies() == []


def test_tickets_are_counted_before_they_are_tried(city: City) -> None:
    """What kills a worker each time must not be tried for ever."""
    draft = city.report()
    city.approve(draft, parts=["request"])
    with city.writing() as session:
        claim = work.claim(session, act_tickets.KIND, worker="dies", limit=1)[0]
        act_tickets._prepare(session, city.deployment, claim)

    ticket = city.one(TicketRow)
    assert (ticket.state, ticket.attempt, ticket.fence) == ("sending", 1, 1)
    assert ticket.not_before is not None
    assert ticket.not_before > now()
