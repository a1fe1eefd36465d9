"""The model through the API: what answers, its versions, its switches, and why."""

from __future__ import annotations

from pipeline.serving import base
from store import models
from tests.fakes import ScriptedClassifier
from tests.web.api.conftest import City

SWITCH = "/model/switches/service_code/parks"


def test_the_model_says_what_answers_and_an_admin_switches_an_answer_off_and_on(city: City) -> None:
    viewer, admin = city.token("viewer"), city.token("admin")

    before = city.ask("GET", "/model", token=viewer).json()
    assert city.ask("PUT", SWITCH, token=city.token("approver")).status_code == 403
    off = city.ask("PUT", SWITCH, token=admin, headers={"Idempotency-Key": "a"})
    again = city.ask("PUT", SWITCH, token=admin, headers={"Idempotency-Key": "a"})
    on = city.ask("DELETE", SWITCH, token=admin)

    assert before["model"] == f"{before['name']}-{before['version']}"
    assert before["learned_version"] is None
    assert {one["head"] for one in before["labels"]} == {"intent", "service_code", "sentiment", "urgency"}
    assert (off.status_code, off.json()["off"], again.json()) == (200, True, off.json())
    assert on.json()["off"] is False
    assert city.ask("PUT", "/model/switches/intent/parks", token=admin).status_code == 404
    refused = city.ask("PUT", "/model/switches/urgency/emergency", token=admin, json={"confirmation": "x"})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "confirmation")


def test_versions_are_listed_page_by_page_and_moved_by_an_admin(city: City) -> None:
    with city.deployment.store.writing() as session:
        for state in ("refused", "candidate", "candidate"):
            models.add(
                session,
                by="learning",
                base=base(),
                heads=b"heads",
                figures={"held_back": {"won": 3}},
                corrections=9,
                last_correction_id=0,
                state=state,
                reason="because",
            )
    viewer, admin = city.token("viewer"), city.token("admin")

    first = city.ask("GET", "/model/versions?limit=2", token=viewer).json()
    rest = city.ask("GET", f"/model/versions?limit=2&cursor={first['next']}", token=viewer).json()
    moved = [
        (answer.status_code, answer.json().get("state"))
        for step in ("3/shadow", "3/promote", "3/rollback", "3/rollback", "1/promote", "9/promote", "x/promote")
        for answer in (city.ask("POST", f"/model/versions/{step}", token=admin),)
    ]

    assert [one["number"] for one in (*first["items"], *rest["items"])] == [3, 2, 1]
    assert rest["next"] is None
    assert [state for _, state in moved[:3]] == ["shadow", "live", "retired"]
    assert [status for status, _ in moved[3:]] == [409, 409, 404, 404]
    assert city.ask("POST", "/model/versions/2/promote", token=city.token("approver")).status_code == 403


def test_why_a_mention_is_read_so(city: City) -> None:
    city.deployment.__dict__["classifier"] = ScriptedClassifier()
    mention_id, _ = city.drafted("Please fix this pothole")
    viewer = city.token("viewer")

    why = city.ask("GET", f"/mentions/{mention_id}/why", token=viewer).json()

    intent = why["answers"][0]
    assert (intent["head"], intent["label"], why["words_not_tried"], why["danger"]) == ("intent", "report", 0, None)
    word = intent["words"][0]
    assert why["text"][word["start"] : word["end"]] == word["text"] == "pothole"
    assert word["log_odds"] > 0
    assert city.ask("GET", "/mentions/99/why", token=viewer).status_code == 404
