"""What happens between an approval and its reply, at the worst moment; what is in doubt; and the look for doubles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from pipeline import act_replies, decide, sweep
from store import facts, work
from store.tables import AuditRow, DraftRow, ReplyRow, TicketRow, WorkRow
from store.types import now
from tests.deployments import FACEBOOK, X
from tests.pipeline.between import Between
from tests.pipeline.city import City
from vocabulary import Offers

ACCOUNTS = {"x": X, "facebook": FACEBOOK}
KEYED = Offers(idempotency_key=True)
BY_HAND = "Thanks, we have a crew on the way."


def answer_by_hand(city: City, post_id: str, platform: str = "x") -> str:
    return city.ctl.post(BY_HAND, as_="city", author="", in_reply_to=post_id, platform=platform)


# a colleague, and the resident, while a reply waits


@pytest.mark.parametrize("platform", ACCOUNTS)
def test_an_answer_by_hand_that_nobody_heard_yet_stops_the_approved_one(city: City, platform: str) -> None:
    draft = city.approve(city.report(platform=platform), parts=["reply"])
    by_hand = answer_by_hand(city, city.one(ReplyRow).in_reply_to, platform)

    city.work()
    city.round()

    assert city.replies() == []
    assert city.get(draft).state == "superseded"
    native = city.one(ReplyRow, ReplyRow.origin == "native")
    assert (native.state, native.post_id) == ("sent", by_hand)
    assert city.mention(native.in_reply_to).state == "answered"


def speaks_up(city: City, post_id: str) -> None:
    city.post("No, wait: the hole is at 520 Oak Street", in_reply_to=post_id)
    city.hear()


def edits(city: City, post_id: str) -> None:
    city.ctl.edit(post_id, "There is a pothole at 520 Oak Street")
    city.age(timedelta(minutes=5))
    city.hear()


def deletes(city: City, post_id: str) -> None:
    city.ctl.delete(post_id)
    city.age(timedelta(minutes=5))
    city.hear()


def answers(city: City, post_id: str) -> None:
    answer_by_hand(city, post_id)
    city.hear()


def says_stop(city: City, _: str) -> None:
    with city.writing() as session:
        addressee = session.exec(select(DraftRow.addressee_id)).first()
        assert addressee is not None
        facts.no_more(session, addressee, scope="replies", reason="asked us to stop", by="system")


def grows_old(city: City, _: str) -> None:
    city.execute("UPDATE approval SET approved_at = :at", at=now() - timedelta(days=2))


def puts_back_to_dry_run(city: City, _: str) -> None:
    table = city.deployment.settings.accounts[X].model_copy(update={"sending": "dry_run"})
    city.deployment.settings.accounts[X] = table


@pytest.mark.parametrize(
    ("meanwhile", "ends"),
    [
        (speaks_up, "cancelled"),
        (edits, "cancelled"),
        (deletes, "cancelled"),
        (answers, "superseded"),
        (says_stop, "cancelled"),
        (grows_old, "expired"),
        (puts_back_to_dry_run, "cancelled"),
    ],
)
def test_what_happens_after_the_look_still_stops_the_reply(
    city: City, meanwhile: Callable[[City, str], None], ends: str
) -> None:
    """Every rule is read once more in the transaction that begins to send."""
    Between.put_into(city, looked=lambda post_id: meanwhile(city, post_id))
    draft = city.approve(city.report(), parts=["reply"])

    city.work()

    assert city.replies() == []
    assert city.get(draft).state == ends
    assert city.one(ReplyRow, ReplyRow.origin == "harken").state == "cancelled"


def test_a_kill_switch_that_is_thrown_after_the_look_stops_the_reply(city: City) -> None:
    def siren(_: str) -> None:
        decide.set_kill_switch(city.deployment, city.who, scope="all", on=True, reason="a siren in town")

    Between.put_into(city, looked=siren)
    draft = city.approve(city.report(), parts=["reply"])

    city.work()

    assert city.replies() == []
    assert city.get(draft).state == "approved"
    assert city.one(ReplyRow).attempt == 0


@pytest.mark.parametrize("platform", ACCOUNTS)
def test_a_post_that_goes_between_the_claim_and_the_call_is_the_platforms_to_refuse(city: City, platform: str) -> None:
    Between.put_into(city, ACCOUNTS[platform], calling=city.ctl.delete)
    draft = city.approve(city.report(platform=platform), parts=["reply"])

    city.work()

    assert city.replies() == []
    assert city.get(draft).state == "failed"
    assert len(city.attention("draft")) == 1


def test_a_worker_that_is_held_for_dead_does_not_call(city: City) -> None:
    city.approve(city.report(), parts=["reply"])
    with city.writing() as session:
        held = work.claim(session, act_replies.KIND, worker="slow", limit=1)[0]
        step = act_replies._prepare(session, city.deployment, held)
    city.execute("UPDATE reply SET state = 'sending', fence = 2")
    overtaken = act_replies._Claimed(fence=1, at=city.deployment.monotonic())

    assert not act_replies._may_still_call(city.deployment, step, overtaken)


# errors are no proof


@pytest.mark.parametrize(
    ("platform", "kind"), [("x", "429"), ("x", "blocked"), ("facebook", "429"), ("facebook", "blocked")]
)
def test_a_reply_that_was_made_and_then_refused_is_found(city: City, platform: str, kind: str) -> None:
    draft = city.report(platform=platform)
    city.ctl.faults(f"{platform}.create", kind, after_effect=True)

    city.approve(draft, parts=["reply"])
    city.work()
    city.execute("UPDATE work SET not_before = :past WHERE kind = 'reply' AND state = 'ready'")
    city.work()

    assert city.get(draft).state == "sent"
    assert len(city.replies()) == 1


def test_a_ticket_that_was_opened_and_then_refused_is_found_before_the_next_try(city: City) -> None:
    city.ctl.faults("open311.create", "429", after_effect=True)

    city.approve(city.report(), parts=["request"])
    city.work()
    city.execute("UPDATE work SET not_before = :past WHERE kind = 'ticket'")
    city.work()

    assert (city.one(TicketRow).state, city.one(TicketRow).attempt) == ("open", 1)
    assert len(city.tickets()) == 1


def test_refused_keys_hold_what_else_waits_for_the_account(city: City) -> None:
    first = city.report(author="ann_oak")
    second = city.report("There is a pothole at 520 Elm Street", author="bob_elm")
    city.ctl.faults("x.create", "dead_token")
    city.deployment.side_by_side = 1
    city.approve(first, parts=["reply"])
    city.approve(second, parts=["reply"])

    city.work()

    assert [city.get(draft).state for draft in (first, second)] == ["failed", "approved"]
    assert [row.ref for row in city.attention("account")] == [f"{X} sending"]
    decide.retry(city.deployment, city.who, first.id)
    city.execute("UPDATE work SET not_before = :past WHERE kind = 'reply' AND state = 'ready'")
    city.work_until(lambda: city.get(first).state == city.get(second).state == "sent")
    assert len(city.replies()) == 2
    assert city.attention("account") == []


# in doubt


def doubtful(city: City, *, after_effect: bool, **more: Any) -> tuple[Between, DraftRow]:
    """A reply whose call got no whole answer."""
    between = Between.put_into(city, **more)
    draft = city.report()
    city.ctl.faults("x.create", "500", after_effect=after_effect)
    city.approve(draft, parts=["reply"])
    city.work()
    assert city.get(draft).state == "in_doubt"
    return between, draft


def rested(city: City) -> None:
    """What is in doubt has rested, and is taken one step further."""
    city.settle()
    city.work()


def test_a_reply_that_is_listed_late_is_read_twice_and_sent_once(city: City) -> None:
    between, draft = doubtful(city, after_effect=True)
    between.hidden = 1

    rested(city)
    reply = city.one(ReplyRow)
    assert (reply.state, reply.not_found) == ("in_doubt", 1)
    assert reply.not_before is not None
    pause = reply.not_before - now()
    assert timedelta(0) < pause <= city.deployment.settings.sending.settle / 3
    rested(city)

    assert city.get(draft).state == "sent"
    assert between.readings == 2
    assert len(city.replies()) == 1


def test_the_rest_is_counted_from_the_end_of_the_call(city: City) -> None:
    """A claim leaves room for a call that begins late; an answer that says nothing begins the rest anew."""
    settle, seen = city.deployment.settings.sending.settle, []

    def called(_: str) -> None:
        row = city.one(ReplyRow)
        assert row.not_before is not None
        seen.append(row.not_before - now())

    doubtful(city, after_effect=False, calling=called)

    assert seen[0] > settle
    doubt = city.one(ReplyRow).not_before
    assert doubt is not None
    assert settle / 2 < doubt - now() <= settle


def test_what_lists_late_rests_longer(city: City) -> None:
    city.ctl.faults("open311.create", "500")

    city.approve(city.report(), parts=["request"])
    city.work()

    ticket = city.one(TicketRow)
    assert ticket.state == "in_doubt"
    assert ticket.not_before is not None
    assert ticket.not_before - now() > 6 * city.deployment.settings.sending.settle


def test_a_target_with_a_key_is_called_again_at_once_with_the_same_key(city: City) -> None:
    between, draft = doubtful(city, after_effect=False, offers=KEYED)

    rested(city)

    assert city.get(draft).state == "sent"
    assert between.keys == [city.one(ReplyRow).key] * 2
    assert between.readings == 0


def test_a_key_that_the_target_has_forgotten_is_worth_nothing(city: City) -> None:
    forgetful = Offers(idempotency_key=True, key_kept=timedelta(0))
    between, draft = doubtful(city, after_effect=True, offers=forgetful)

    rested(city)

    assert city.get(draft).state == "sent"
    assert (len(between.keys), between.readings) == (1, 1)


def test_with_a_key_too_a_kill_switch_waits_and_a_stale_reply_is_only_looked_for(city: City) -> None:
    between, draft = doubtful(city, after_effect=False, offers=KEYED)
    decide.set_kill_switch(city.deployment, city.who, scope="all", on=True, reason="a siren in town")
    rested(city)
    assert city.get(draft).state == "in_doubt"

    decide.set_kill_switch(city.deployment, city.who, scope="all", on=False, reason="all clear")
    speaks_up(city, city.one(ReplyRow).in_reply_to)
    city.work_until(lambda: city.get(draft).state == "cancelled")

    assert len(between.keys) == 1
    assert between.readings == 2
    assert city.replies() == []


def test_where_nothing_shows_what_stands_a_person_decides(city: City) -> None:
    between, draft = doubtful(city, after_effect=False, offers=Offers(read_back=False))

    rested(city)

    assert city.get(draft).state == "failed"
    assert "does not show" in city.attention("draft")[0].summary
    assert (len(between.keys), between.readings) == (1, 0)


# doubles


def sweeps(city: City) -> None:
    city.execute("UPDATE work SET not_before = :past WHERE kind = 'sweep'")
    city.work()


def test_what_stands_once_is_looked_at_twice_and_troubles_nobody(city: City) -> None:
    draft = city.approve(city.report(), parts=["reply"])
    city.work()
    row = city.one(WorkRow, WorkRow.kind == sweep.KIND)
    assert timedelta(minutes=9) < row.not_before - now() <= timedelta(minutes=10)

    sweeps(city)
    row = city.get(row)
    assert row.state == "ready"
    assert row.not_before - now() > timedelta(hours=23)
    city.execute("UPDATE reply SET sent_at = :at", at=now() - timedelta(days=2))
    sweeps(city)

    assert city.get(row).state == "done"
    assert city.get(draft).state == "sent"
    assert city.attention("double") == []


@pytest.mark.parametrize("platform", ACCOUNTS)
def test_a_double_is_told_and_not_deleted(city: City, platform: str) -> None:
    """The window that remains: the platform shows the first one later than both readings."""
    city.ctl.tier(repeats="none")
    between = Between.put_into(city, ACCOUNTS[platform])
    between.hidden = 1_000
    draft = city.report(platform=platform)
    city.ctl.faults(f"{platform}.create", "500", after_effect=True)

    city.approve(draft, parts=["reply"])
    city.work_until(lambda: city.get(draft).state == "sent")
    assert between.readings == 2
    assert len(city.replies()) == 2
    between.hidden = 0

    sweeps(city)

    told = city.attention("double")[0]
    assert told.ref == str(city.one(ReplyRow).id)
    assert "2 times" in told.summary
    assert len(city.replies()) == 2
    assert "delete" not in {one["kind"] for one in city.ctl.effects()}
    with city.reading() as session:
        noted = session.exec(select(AuditRow.subject).where(AuditRow.action == "reply.doubled")).all()
    assert noted == [f"reply:{told.ref}"]
