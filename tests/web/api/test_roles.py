"""Who may do what, and where."""

from __future__ import annotations

import pytest

from store import people
from store.tables import MentionRow
from tests.web.api.conftest import City
from vocabulary import Visibility

LOWEST = {
    ("GET", "/mentions"): "viewer",
    ("GET", "/drafts"): "viewer",
    ("GET", "/requests"): "viewer",
    ("GET", "/audit"): "viewer",
    ("GET", "/accounts"): "viewer",
    ("PATCH", "/mentions/1"): "responder",
    ("POST", "/mentions/1/dismiss"): "responder",
    ("POST", "/mentions/1/acknowledge"): "responder",
    ("PATCH", "/drafts/1"): "responder",
    ("POST", "/drafts/1/reject"): "responder",
    ("POST", "/drafts/1/approve"): "approver",
    ("POST", "/drafts/1/cancel"): "approver",
    ("POST", "/drafts/1/retract"): "approver",
    ("POST", "/requests/1/close"): "responder",
    ("PUT", "/accounts/city_hall_x/sending"): "admin",
}
ORDER = ("viewer", "responder", "approver")


def opens(role: str, lowest: str) -> bool:
    """Admin stands apart: it manages and reads, and nothing between."""
    if "admin" in (role, lowest):
        return role == "admin" and lowest in ("admin", "viewer")
    return ORDER.index(role) >= ORDER.index(lowest)


@pytest.mark.parametrize("role", ["viewer", "responder", "approver", "admin"])
def test_a_role_opens_its_own_doors_alone(city: City, role: str) -> None:
    city.drafted()
    token = city.token(role)

    refused = {
        (method, path)
        for method, path in LOWEST
        if city.ask(method, path, token=token, json=None if method == "GET" else {}).status_code == 403
    }

    assert refused == {door for door, lowest in LOWEST.items() if not opens(role, lowest)}


def test_an_admin_does_not_see_direct_messages(city: City) -> None:
    mention_id, draft_id = city.drafted(visibility=Visibility.DIRECT)
    public, _ = city.drafted()
    admin, viewer = city.token("admin"), city.token("viewer")

    assert [one["id"] for one in city.ask("GET", "/mentions", token=admin).json()["items"]] == [public]
    assert city.ask("GET", f"/mentions/{mention_id}", token=admin).status_code == 404
    assert city.ask("GET", f"/drafts/{draft_id}", token=admin).status_code == 404
    assert city.ask("GET", f"/mentions/{mention_id}", token=viewer).status_code == 200


def test_who_has_one_account_sees_and_touches_that_alone(city: City) -> None:
    other, other_draft = city.drafted()
    own, own_draft = city.drafted(account="parks_x")
    city.person("pat@alderfalls.gov", "approver", account="parks_x")
    token = city.token("approver", owner="pat@alderfalls.gov")
    yes = {"version": 1}

    assert [one["id"] for one in city.ask("GET", "/mentions", token=token).json()["items"]] == [own]
    assert [one["id"] for one in city.ask("GET", "/drafts", token=token).json()["items"]] == [own_draft]
    assert [one["name"] for one in city.ask("GET", "/accounts", token=token).json()["items"]] == ["parks_x"]
    assert city.ask("GET", f"/mentions/{other}", token=token).status_code == 404
    assert city.ask("POST", f"/drafts/{other_draft}/approve", token=token, json=yes).status_code == 404
    assert city.ask("POST", f"/drafts/{own_draft}/approve", token=token, json=yes).status_code == 200


def test_a_role_on_one_account_is_none_on_another(city: City) -> None:
    _, seen = city.drafted()
    city.person("pat@alderfalls.gov", "approver", account="parks_x")
    with city.deployment.store.writing() as session:
        people.grant(session, people.staff(session, "pat@alderfalls.gov"), "viewer", by="test", account="city_hall_x")
    token = city.token("approver", owner="pat@alderfalls.gov")
    reader = city.token("viewer", owner="pat@alderfalls.gov")

    assert city.ask("GET", f"/drafts/{seen}", token=reader).status_code == 200
    assert city.ask("POST", f"/drafts/{seen}/approve", token=token, json={"version": 1}).status_code in (403, 404)


def test_who_has_one_department_sees_what_concerns_it(city: City) -> None:
    streets, streets_draft = city.drafted(service_code="pothole")
    city.drafted(service_code="animal_control")
    with city.deployment.store.reading() as session:
        department = city.deployment.service("pothole").department  # type: ignore[union-attr]
        assert department != city.deployment.service("animal_control").department  # type: ignore[union-attr]
        assert session.get(MentionRow, int(streets)) is not None
    city.person("sam@alderfalls.gov", "responder", department=department)
    token = city.token("responder", owner="sam@alderfalls.gov")

    assert [one["id"] for one in city.ask("GET", "/mentions", token=token).json()["items"]] == [streets]
    assert [one["id"] for one in city.ask("GET", "/drafts", token=token).json()["items"]] == [streets_draft]
    edited = city.ask("PATCH", f"/drafts/{streets_draft}", token=token, json={"version": 1, "text": "Soon."})
    assert edited.status_code == 200


def test_a_token_can_do_no_more_than_its_owner_may_now(city: City) -> None:
    mention_id, _ = city.drafted()
    city.person("ana@alderfalls.gov", "approver")
    token = city.token("approver", owner="ana@alderfalls.gov")
    with city.deployment.store.writing() as session:
        people.disable(session, people.staff(session, "ana@alderfalls.gov"), by="test")

    assert city.ask("GET", f"/mentions/{mention_id}", token=token).status_code == 401


def test_a_responder_pauses_and_only_an_approver_or_admin_lets_it_go_on(city: City) -> None:
    responder = city.token("responder")
    on = {"scope": "all", "on": True, "reason": "storm"}
    off = {"scope": "all", "on": False, "reason": "over"}

    assert city.ask("PUT", "/kill-switch", token=city.token("viewer"), json=on).status_code == 403
    paused = city.ask("PUT", "/kill-switch", token=responder, json=on)
    assert (paused.status_code, paused.json()["on"]) == (200, True)
    assert city.ask("PUT", "/kill-switch", token=responder, json=off).status_code == 403
    assert city.ask("PUT", "/kill-switch", token=city.token("approver"), json=off).json()["on"] is False
    assert city.ask("PUT", "/kill-switch", token=city.token("admin"), json=off).status_code == 200
