"""When a request closes, each who reported it hears of it on the same thread; a wave of closures waits for a look."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline import decide, follow_up, rounds
from pipeline.follow_up import WAVE
from store import requests
from store.refusals import Conflict, Invalid, Missing
from store.tables import DraftRow, MentionRow, ServiceRequestRow, TicketRow
from store.types import now
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened


def filed(city: City, text: str = "There is a pothole at 120 Oak Street", **more: str) -> DraftRow:
    """A report that was answered, its ticket open."""
    draft = city.report(text, **more)
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")
    return city.get(draft)


def close(city: City, what: DraftRow | str | None, notes: str) -> None:
    """Close the ticket of a draft, or of a number, in the CRM."""
    if isinstance(what, DraftRow):
        what = city.one(TicketRow, TicketRow.request_id == what.request_id).service_request_id
    assert what is not None
    city.ctl.close_request(what, notes)


@pytest.mark.parametrize(
    ("notes", "outcome"),
    [
        ("Pothole filled.", "fixed"),
        ("Crew could not find it: not found", "not_found"),
        ("Duplicate of 4711", "duplicate"),
        ("Private property", "not_ours"),
        ("Closed.", "unknown"),
    ],
)
def test_a_ticket_closed_in_the_crm_brings_a_follow_up_by_its_outcome(city: City, notes: str, outcome: str) -> None:
    draft = filed(city)
    close(city, draft, notes)

    rounds.poll_crm(city.deployment)

    request, follow = city.request(draft), city.all(DraftRow)[-1]
    assert (request.status, request.outcome) == ("closed", outcome)
    assert (follow.kind, follow.purpose, follow.state) == ("follow_up", "follow_up", "pending")
    assert follow.template.startswith(f"follow_up_{outcome}")
    assert notes not in city.text(follow)
    assert request.reference in city.text(follow)


@pytest.mark.parametrize("platform", ["x", "facebook"])
def test_an_approved_follow_up_goes_to_the_same_thread_once(city: City, platform: str) -> None:
    draft = filed(city, platform=platform)
    close(city, draft, "Pothole filled.")
    rounds.poll_crm(city.deployment)
    city.hear()
    follow = city.all(DraftRow)[-1]

    city.approve(follow)
    city.work_until(lambda: city.get(follow).state == "sent")

    first, second = city.replies()
    assert first["in_reply_to"] == second["in_reply_to"]
    assert second["text"] == city.text(follow)
    assert len(city.tickets()) == 1


def test_a_closure_heard_twice_is_followed_up_once(city: City) -> None:
    draft = filed(city)
    close(city, draft, "Pothole filled.")

    rounds.poll_crm(city.deployment)
    rounds.poll_crm(city.deployment)

    assert len([one for one in city.all(DraftRow) if one.kind == "follow_up"]) == 1


def test_everyone_who_reported_it_hears_of_it(city: City) -> None:
    first = filed(city, author="ann_oak")
    second = city.report("A pothole at 130 Oak Street", author="bob_elm")
    decide.edit(city.deployment, city.who, second.id, version=1, request={"attach_to": first.request_id})
    city.approve(second)
    city.work_until(lambda: city.get(second).state == "sent")
    close(city, first, "Pothole filled.")

    rounds.poll_crm(city.deployment)

    follows = [one for one in city.all(DraftRow) if one.kind == "follow_up"]
    assert {one.mention_id for one in follows} == {first.mention_id, second.mention_id}


def test_who_wrote_twice_on_the_thread_hears_once(city: City) -> None:
    asked = city.report("There is a pothole on my street")
    city.approve(asked)
    city.work_until(lambda: city.get(asked).state == "sent")
    answer = filed(city, "@alderfalls 120 Oak Street", in_reply_to=city.replies()[0]["id"])
    close(city, answer, "Pothole filled.")

    rounds.poll_crm(city.deployment)

    follows = [one for one in city.all(DraftRow) if one.kind == "follow_up"]
    assert [one.mention_id for one in follows] == [answer.mention_id]


def test_a_follow_up_to_somebody_who_said_stop_is_held(city: City) -> None:
    draft = filed(city)
    city.said("stop replying to me", in_reply_to=city.replies()[0]["id"])
    close(city, draft, "Pothole filled.")

    rounds.poll_crm(city.deployment)

    assert city.all(DraftRow)[-1].state == "held"


def test_a_wave_of_closures_is_held_as_one_batch(open_city: Opened) -> None:
    city = open_city(crm={"kind": "builtin"})
    draft = filed(city)
    waved(city, draft, WAVE)

    decide.close_request(city.deployment, city.who, city.request(draft).id, outcome="fixed")

    held = city.all(DraftRow)[-1]
    assert held.state == "held"
    assert "held batch" in (held.held_reason or "")


def waved(city: City, draft: DraftRow, count: int) -> None:
    """As many other requests, closed this minute."""
    with city.writing() as session:
        service = city.deployment.service("pothole")
        mention = session.get_one(MentionRow, draft.mention_id)
        assert service is not None
        for _ in range(count):
            row = requests.propose(session, service, mention, prefix="AF")
            row.status = "open"
            requests.unlink(session, row, mention)
            requests.close(session, row, outcome="fixed", by="test")


def test_a_follow_up_of_an_old_request_is_held(open_city: Opened) -> None:
    city = open_city(crm={"kind": "builtin"})
    draft = filed(city)
    city.execute("UPDATE service_request SET requested_at = :at", at=now() - timedelta(days=91))

    decide.close_request(city.deployment, city.who, city.request(draft).id, outcome="fixed")

    held = city.all(DraftRow)[-1]
    assert held.state == "held"
    assert "90 days" in (held.held_reason or "")


def test_the_builtin_crm_closes_once_with_an_outcome_that_is_known(open_city: Opened) -> None:
    city = open_city(crm={"kind": "builtin"})
    request_id = city.request(filed(city)).id

    with pytest.raises(Invalid):
        decide.close_request(city.deployment, city.who, request_id, outcome="done")
    decide.close_request(city.deployment, city.who, request_id, outcome="no_action", status_notes="none needed")
    with pytest.raises(Conflict):
        decide.close_request(city.deployment, city.who, request_id, outcome="fixed")

    assert city.one(ServiceRequestRow).outcome == "no_action"
    assert city.one(TicketRow).state == "closed"
    with pytest.raises(Missing):
        decide.close_request(city.deployment, city.who, 999, outcome="fixed")


def test_what_another_crm_keeps_is_not_closed_here(city: City) -> None:
    draft = filed(city)

    with pytest.raises(Conflict):
        decide.close_request(city.deployment, city.who, city.request(draft).id, outcome="fixed")


def test_a_crm_that_only_lists_a_number_later_is_followed_by_our_reference(city: City) -> None:
    """It took the request and gave neither number nor token."""
    draft = filed(city)
    number = city.one(TicketRow).service_request_id
    city.execute("UPDATE ticket SET service_request_id = NULL, token = NULL")

    close(city, number, "Pothole filled.")
    rounds.poll_crm(city.deployment)

    assert city.one(TicketRow).service_request_id == number
    assert city.request(draft).status == "closed"


def test_a_crm_that_gives_a_token_is_asked_for_the_number(city: City) -> None:
    city.ctl.open311("batch", polls=1)
    draft = filed(city)
    assert city.one(TicketRow).service_request_id is None
    for _ in range(3):
        rounds.poll_crm(city.deployment)
    number = city.ctl.requests()[0]["service_request_id"]

    city.ctl.close_request(number, "Pothole filled.")
    rounds.poll_crm(city.deployment)

    assert len(city.tickets()) == 1
    assert city.one(TicketRow).service_request_id == number
    assert city.request(draft).status == "closed"


def test_a_crm_that_is_away_is_told_on_attention_and_asked_from_the_same_moment_on(city: City) -> None:
    draft = filed(city)
    close(city, draft, "Pothole filled.")
    city.ctl.faults("open311", "503", count=-1)

    failed = rounds.poll_crm(city.deployment)
    assert failed.error is not None
    assert [row.ref for row in city.attention("account")] == ["crm"]
    city.ctl.clear_faults()
    rounds.poll_crm(city.deployment)

    assert city.attention("account") == []
    assert city.request(draft).status == "closed"


def test_without_a_crm_there_is_nothing_to_ask(open_city: Opened) -> None:
    city = open_city(crm={"kind": "builtin"})

    assert follow_up.poll_crm(city.deployment) == (0, 0)


def test_a_correction_leaves_the_follow_up_that_waits(city: City) -> None:
    draft = filed(city)
    close(city, draft, "Pothole filled.")
    rounds.poll_crm(city.deployment)
    waiting = city.one(DraftRow, DraftRow.kind == "follow_up")

    decide.correct(city.deployment, city.who, draft.mention_id, changes={"sentiment": "positive"})

    assert city.get(waiting).state == "pending"
