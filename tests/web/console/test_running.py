"""Needs attention, requests, accounts, the audit, and the residents' pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from store import facts
from store.tables import ServiceRequestRow
from tests.web.console.conftest import City, Desk, button
from tests.web.console.seeds import Day, a_day


@pytest.fixture
def day(city: City) -> Day:
    return a_day(city)


def request_row(city: City, day: Day) -> ServiceRequestRow:
    with city.deployment.store.reading() as session:
        return session.get_one(ServiceRequestRow, day.request_id)


def concern(page: BeautifulSoup) -> str:
    return str(page.select("[id^=concern-]")[0]["id"]).removeprefix("concern-")


@pytest.mark.usefixtures("day")
def test_attention_shows_all_that_was_given_up_on(desk: Desk) -> None:
    words = desk.get("/console/attention").get_text(" ", strip=True)

    for expected in ("gas leak", "could not be read: no author_id", "What helps", "first round", "no owner"):
        assert expected in words


@pytest.mark.usefixtures("day")
def test_a_concern_is_taken_and_discarded_with_a_reason(desk: Desk) -> None:
    number = concern(desk.get("/console/attention"))

    taken = desk.post(f"/console/attention/{number}/ack")
    assert "owned by approver@alderfalls.example" in taken.get_text()
    desk.post(f"/console/attention/{number}/discard", {"reason": ""}, expect=422)
    gone = desk.post(f"/console/attention/{number}/discard", {"reason": "known fault"})

    assert gone.select("[id^=concern-]") == []
    assert desk.post(f"/console/attention/{number}/ack").select("[id^=concern-]") == []


@pytest.mark.usefixtures("day")
def test_a_concern_of_another_account_is_not_mine(desk: Desk, as_role: Callable[..., TestClient]) -> None:
    number, stranger = concern(desk.get("/console/attention")), as_role("responder", account="parks_x")

    stranger.post(f"/console/attention/{number}/ack")

    assert "could not be read" not in stranger.get("/console/attention").text
    assert "no owner" in desk.get("/console/attention").get_text()


def test_a_request_is_closed_with_an_outcome(city: City, desk: Desk, day: Day) -> None:
    assert request_row(city, day).reference in desk.get("/console/requests").get_text()
    path = f"/console/requests/{day.request_id}"

    wrong = desk.post(f"{path}/close", {"outcome": "", "status_notes": "filled"}, expect=422)
    assert "filled" in wrong.get_text()
    closed = desk.post(f"{path}/close", {"outcome": "fixed", "status_notes": "filled"})

    assert "Fixed" in closed.get_text()
    assert request_row(city, day).status == "closed"
    follow_up = desk.get(f"/console/conversations/{city.mention(day.sent).conversation_id}")
    assert "Follow-up" in follow_up.get_text()
    assert button(follow_up, "Approve")


def test_sending_is_stopped_and_let_go_on_with_reasons(city: City, desk: Desk) -> None:
    desk.post("/console/kill-switch", {"scope": "platform:x", "on": "yes", "reason": ""}, expect=422)
    page = desk.post("/console/kill-switch", {"scope": "platform:x", "on": "yes", "reason": "odd replies"})

    assert "All of X (odd replies" in page.get_text(" ", strip=True)
    with city.deployment.store.reading() as session:
        assert facts.kill_switch(session, platform="x", account="city_hall_x") == "platform:x"
    desk.post("/console/kill-switch", {"scope": "platform:x", "on": "no", "reason": "mended"})
    with city.deployment.store.reading() as session:
        assert facts.kill_switch(session, platform="x", account="city_hall_x") is None


@pytest.mark.usefixtures("city")
def test_arming_is_for_admins_and_says_what_is_missing(as_role: Callable[..., TestClient]) -> None:
    refused = as_role("approver").post("/console/accounts/parks_x/sending", data={"mode": "armed"})
    admin = as_role("admin").post("/console/accounts/parks_x/sending", data={"mode": "armed"})

    assert refused.status_code == 403
    assert admin.status_code == 409
    assert "Nobody would hear of an emergency" in admin.text


@pytest.mark.usefixtures("day")
def test_the_audit_holds_no_words(desk: Desk) -> None:
    words = desk.get("/console/audit").get_text(" ", strip=True)

    assert "draft.approved" in words
    assert "Oak Street" not in words


@pytest.mark.parametrize(("language", "status"), [("en-US,en;q=0.9", "Open"), ("es-MX,es;q=0.9,en;q=0.5", "Abierta")])
def test_a_receipt_tells_its_status_and_nothing_personal(
    city: City, desk: Desk, day: Day, language: str, status: str
) -> None:
    desk.client.cookies.clear()

    answer = desk.client.get(f"/r/{request_row(city, day).token}", headers={"Accept-Language": language})

    assert answer.status_code == 200
    assert status in answer.text
    assert "500 block of Oak Street" in answer.text
    for hidden in ("first", "@", "Pothole at 500", "44.28", "approver", "<form", "777"):
        assert hidden not in BeautifulSoup(answer.text, "html.parser").get_text()
    assert "<form" not in answer.text


@pytest.mark.parametrize("token", ["nothing", "%00", "x" * 500])
def test_an_unknown_receipt_is_a_friendly_page(desk: Desk, token: str) -> None:
    answer = desk.client.get(f"/r/{token}")

    assert answer.status_code == 404
    assert "We can't find this request" in BeautifulSoup(answer.text, "html.parser").get_text()


def test_a_proposed_request_has_no_receipt_yet(city: City, desk: Desk) -> None:
    draft = city.draft_of(city.hears("Pothole at 500 Oak Street"))
    with city.deployment.store.reading() as session:
        token = session.get_one(ServiceRequestRow, draft.request_id).token

    assert desk.client.get(f"/r/{token}").status_code == 404


def test_the_front_page_says_what_this_is(desk: Desk) -> None:
    assert "social media" in desk.get("/").get_text()
    assert "redes sociales" in desk.get("/?lang=es").get_text()


def test_a_page_that_is_not_there_is_answered_for_people(desk: Desk) -> None:
    whole = desk.client.get("/console/conversations/999")
    piece = desk.client.post("/console/drafts/999/approve", headers={"HX-Request": "true"})

    assert (whole.status_code, piece.status_code) == (404, 404)
    assert "<html" in whole.text
    assert piece.headers["HX-Retarget"] == "#main"
    assert "<html" not in piece.text
