from __future__ import annotations

from itertools import pairwise

from store import attention, audit, ranges
from store.tables import AccountRow
from store.types import now
from tests.web.api.conftest import City


def filed(city: City, token: str) -> dict[str, object]:
    _, draft_id = city.drafted()
    shown = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 1}).json()
    request: dict[str, object] = city.ask("GET", f"/requests/{shown['request']['request_id']}", token=token).json()
    return request


def test_a_request_has_the_names_of_the_contract(city: City) -> None:
    request = filed(city, city.token("approver"))

    assert set(request) == {
        "id", "reference", "status", "outcome", "ticket_state", "service_request_id", "crm", "service_code",
        "service_name", "department", "description", "public_description", "address", "lat", "long", "neighborhood",
        "requested_at", "expected_at", "closed_at", "status_notes", "mention_ids", "events",
    }  # fmt: skip
    assert (request["status"], request["outcome"], request["ticket_state"]) == ("open", None, "pending")
    assert (request["crm"], request["mention_ids"]) == ("builtin", ["1"])


def test_what_is_only_proposed_is_no_request_yet(city: City) -> None:
    city.drafted()
    token = city.token("viewer")

    assert city.ask("GET", "/requests", token=token).json() == {"items": [], "next": None}
    assert city.ask("GET", "/requests/1", token=token).status_code == 404


def test_requests_are_filtered_and_closed(city: City) -> None:
    token = city.token("approver")
    request = filed(city, token)

    closed = city.ask("POST", f"/requests/{request['id']}/close", token=token, json={"outcome": "fixed"})

    assert (closed.status_code, closed.json()["status"], closed.json()["outcome"]) == (200, "closed", "fixed")
    assert closed.json()["closed_at"] is not None
    for query, count in (("status=open", 0), ("status=closed", 1), ("service_code=pothole", 1), ("mention_id=1", 1)):
        assert len(city.ask("GET", f"/requests?{query}", token=token).json()["items"]) == count, query
    unknown = city.ask("POST", f"/requests/{request['id']}/close", token=token, json={"outcome": "done"})
    assert (unknown.status_code, unknown.json()["error"]["field"]) == (422, "outcome")


def test_an_account_says_how_long_ago_it_was_heard_and_what_was_missed(city: City) -> None:
    with city.deployment.store.writing() as session:
        row = session.get_one(AccountRow, 1)
        row.last_success_at = now()
        ranges.note_gap(session, row.id, "mentions", now(), reason="the platform serves no more")

    shown = city.ask("GET", "/accounts", token=city.token("viewer")).json()["items"][0]

    assert (shown["name"], shown["state"], shown["sending"], shown["gaps"]) == ("city_hall_x", "ok", "armed", 1)
    assert 0 <= shown["lag_s"] < 60
    assert shown["gap_list"][0]["reason"] == "the platform serves no more"


def test_an_admin_arms_and_the_log_says_so(city: City) -> None:
    admin = city.token("admin")

    answer = city.ask("PUT", "/accounts/city_hall_x/sending", token=admin, json={"mode": "armed"})
    unknown = city.ask("PUT", "/accounts/nobody/sending", token=admin, json={"mode": "armed"})
    bad = city.ask("PUT", "/accounts/city_hall_x/sending", token=admin, json={"mode": "on"})

    assert (answer.status_code, answer.json()["sending"]) == (200, "armed")
    assert (unknown.status_code, bad.status_code) == (404, 422)
    assert city.ask("GET", "/audit", token=admin).json()["items"][0]["action"] == "account.armed"


def test_the_log_is_whole_page_by_page_and_can_be_recomputed(city: City) -> None:
    token = city.token("approver")
    filed(city, token)

    page = city.ask("GET", "/audit?limit=2", token=token).json()
    entries = page["items"]
    while page["next"] is not None:
        page = city.ask("GET", f"/audit?limit=2&cursor={page['next']}", token=token).json()
        entries += page["items"]

    assert [one["seq"] for one in entries] == list(range(len(entries), 0, -1))
    assert all(newer["prev"] == older["hash"] for newer, older in pairwise(entries))
    assert entries[-1]["prev"] == audit.GENESIS
    assert set(entries[0]) == {"seq", "at", "by", "action", "subject", "hashes", "prev", "hash"}


def test_what_needs_attention_is_owned_then_dealt_with(city: City) -> None:
    with city.deployment.store.writing() as session:
        row = attention.raise_(session, kind="unreadable", ref="a:b:c", summary="odd", account_id=1)
        number = row.id
    token = city.token("responder", name="desk")

    listed = city.ask("GET", "/attention", token=token).json()["items"]
    owned = city.ask("POST", f"/attention/{number}/ack", token=token).json()
    without = city.ask("POST", f"/attention/{number}/discard", token=token, json={})
    gone = city.ask("POST", f"/attention/{number}/discard", token=token, json={"reason": "known oddity"}).json()

    assert (listed[0]["account"], listed[0]["owner"]) == ("city_hall_x", None)
    assert owned["owner"] == "token:desk"
    assert without.status_code == 422
    assert gone["outcome"] == "discarded"
    assert city.ask("GET", "/attention", token=token).json()["items"] == []
    assert city.ask("POST", f"/attention/{number}/ack", token=token).status_code == 404


def test_it_says_that_it_is_alive_and_ready(city: City) -> None:
    assert city.client.get("/healthz").json() == {"status": "ok"}
    ready = city.client.get("/readyz")
    assert (ready.status_code, ready.json()["database"], ready.json()["migrations"]) == (200, "ok", "ok")


def test_it_counts_for_prometheus(city: City) -> None:
    city.drafted()

    text = city.client.get("/metrics").text

    assert 'harken_mentions{state="drafted"} 1.0' in text
    assert 'harken_drafts{state="pending"} 1.0' in text
    assert "harken_alarms_open 0.0" in text
    assert "Huge pothole" not in text
