from __future__ import annotations

from datetime import timedelta

import pytest

from store.tables import DraftRow, ReplyRow
from store.types import now
from tests.web.api.conftest import City, Opened

NAMES = {
    "id", "mention_id", "conversation_id", "state", "kind", "purpose", "turn", "language", "reply_as", "text", "length",
    "max_length", "template", "version", "needs_review", "policy", "request", "reference", "approvals", "send_after",
    "reply", "would_send", "error", "superseded_by", "created_at",
}  # fmt: skip


def test_a_draft_has_the_names_of_the_contract(city: City) -> None:
    mention_id, draft_id = city.drafted()

    shown = city.ask("GET", f"/drafts/{draft_id}", token=city.token("viewer")).json()

    assert set(shown) >= NAMES
    assert (shown["mention_id"], shown["state"], shown["kind"]) == (mention_id, "pending", "reply")
    assert (shown["reply_as"], shown["max_length"]) == ("city_hall_x", 280)
    assert 0 < shown["length"] <= 280
    assert shown["policy"]["may_reply"] is True
    assert set(shown["policy"]) == {"may_reply", "how", "reason", "until"}
    assert set(shown["request"]) == {"service_code", "description", "public_description", "address", "lat", "long"}
    assert shown["reference"].startswith("AF-")
    assert shown["reference"] in shown["text"]


def test_drafts_are_filtered_by_state_kind_and_mention(city: City) -> None:
    mention_id, draft_id = city.drafted()
    city.drafted()
    token = city.token("viewer")

    def found(query: str) -> list[str]:
        return [one["id"] for one in city.ask("GET", f"/drafts?{query}", token=token).json()["items"]]

    assert found(f"mention_id={mention_id}") == [draft_id]
    assert len(found("state=pending&kind=reply")) == 2
    assert found("state=sent") == []
    assert found("kind=follow_up") == []


def test_an_approval_names_who_gave_it_and_files_the_request(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver", name="desk")

    answer = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 1})

    shown = answer.json()
    assert (answer.status_code, shown["state"], shown["version"]) == (200, "approved", 2)
    assert [(one["by"], one["parts"]) for one in shown["approvals"]] == [("token:desk", ["reply", "request"])]
    assert shown["send_after"] > shown["approvals"][0]["at"]
    request = city.ask("GET", f"/requests/{shown['request']['request_id']}", token=token).json()
    assert request["reference"] == shown["reference"]


def test_the_approved_text_is_the_text_that_was_sent_along(city: City) -> None:
    _, draft_id = city.drafted()
    body = {"version": 1, "text": "Thank you, we will look at it.", "parts": ["reply"]}

    answer = city.ask("POST", f"/drafts/{draft_id}/approve", token=city.token("approver"), json=body)

    assert answer.json()["text"] == "Thank you, we will look at it."
    assert "+Thank you, we will look at it." in answer.json()["approvals"][0]["diff"]


def test_a_stale_version_is_refused_with_the_draft_as_it_stands(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver")
    city.ask("PATCH", f"/drafts/{draft_id}", token=token, json={"version": 1, "text": "Edited."})

    answer = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 1})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale")
    assert (answer.json()["draft"]["text"], answer.json()["draft"]["version"]) == ("Edited.", 2)


def test_deciding_twice_is_refused(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver")
    city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 1})

    answer = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 2})

    assert (answer.status_code, answer.json()["draft"]["state"]) == (409, "approved")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"version": 1, "text": ""}, "text"),
        ({"version": 1, "text": "x" * 281}, "text"),
        ({"version": 1, "parts": ["all"]}, "parts.0"),
        ({"version": 1, "parts": []}, "parts"),
        ({"version": 1, "send_now": True}, "send_now"),
        ({"version": 1, "request": {"price": 1}}, "request.price"),
        ({"version": 1, "request": {"lat": 91}}, "request.lat"),
    ],
)
def test_a_bad_approval_is_422_and_names_the_field(city: City, body: dict[str, object], field: str) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver")

    answer = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json=body)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert city.ask("GET", f"/drafts/{draft_id}", token=token).json()["state"] == "pending"


def test_a_rejection_needs_a_reason(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("responder")

    without = city.ask("POST", f"/drafts/{draft_id}/reject", token=token, json={"version": 1, "reason": ""})
    given = city.ask("POST", f"/drafts/{draft_id}/reject", token=token, json={"version": 1, "reason": "not ours"})

    assert without.status_code == 422
    assert (given.status_code, given.json()["state"]) == (200, "rejected")


def test_an_edit_raises_the_version(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("responder")

    edited = city.ask("PATCH", f"/drafts/{draft_id}", token=token, json={"version": 1, "text": "Otherwise."})
    nothing = city.ask("PATCH", f"/drafts/{draft_id}", token=token, json={"version": 2})
    unknown = city.ask("PATCH", f"/drafts/{draft_id}", token=token, json={"version": 2, "template": "no_such"})

    assert (edited.json()["version"], edited.json()["text"]) == (2, "Otherwise.")
    assert nothing.status_code == 422
    assert (unknown.status_code, unknown.json()["error"]["field"]) == (422, "template")


def test_an_approval_is_undone_and_the_words_are_before_people_again(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver")
    city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 1})

    undone = city.ask("POST", f"/drafts/{draft_id}/cancel", token=token).json()

    copy = city.ask("GET", f"/drafts/{undone['superseded_by']}", token=token).json()
    assert (undone["state"], copy["state"], copy["text"]) == ("cancelled", "pending", undone["text"])
    assert undone["approvals"][0]["undone_at"] is not None


def test_a_sent_reply_is_shown_and_only_a_sent_one_is_retracted(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver")
    early = city.ask("POST", f"/drafts/{draft_id}/retract", token=token, json={"reason": "wrong street"})
    city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 1})
    with city.deployment.store.writing() as session:
        draft = session.get_one(DraftRow, int(draft_id))
        draft.state = "sent"
        reply = session.get_one(ReplyRow, 1)
        reply.state, reply.post_id, reply.url, reply.sent_at = "sent", "55", "https://x.com/a/status/55", now()

    shown = city.ask("GET", f"/drafts/{draft_id}", token=token).json()
    answer = city.ask("POST", f"/drafts/{draft_id}/retract", token=token, json={"reason": "wrong street"})

    assert early.status_code == 409
    assert (shown["reply"]["post_id"], shown["reply"]["origin"]) == ("55", "harken")
    assert answer.status_code == 200


def test_a_draft_is_held_and_released(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("responder")

    held = city.ask("POST", f"/drafts/{draft_id}/hold", token=token, json={"reason": "ask legal"}).json()
    released = city.ask("POST", f"/drafts/{draft_id}/release", token=token).json()

    assert (held["state"], held["held_reason"]) == ("held", "ask legal")
    assert (released["state"], released["held_reason"]) == ("pending", None)


def test_only_what_failed_is_tried_again(city: City) -> None:
    _, draft_id = city.drafted()

    assert city.ask("POST", f"/drafts/{draft_id}/retry", token=city.token("approver")).status_code == 409


def test_two_people_are_needed_where_the_city_says_so(open_city: Opened) -> None:
    city = open_city(two_person=True)
    _, draft_id = city.drafted()
    token = city.token("approver")
    city.ask("PATCH", f"/drafts/{draft_id}", token=token, json={"version": 1, "text": "Mine."})

    own = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 2})
    other = city.ask("POST", f"/drafts/{draft_id}/approve", token=city.token("approver"), json={"version": 2})

    assert (own.status_code, own.json()["error"]["code"]) == (403, "forbidden")
    assert other.status_code == 200


def test_a_token_without_a_person_may_not_approve_unless_the_city_says_so(open_city: Opened) -> None:
    city = open_city(service_approvals=False)
    city.person("ana@alderfalls.gov", "approver")
    _, draft_id = city.drafted()
    owned = city.token("approver", owner="ana@alderfalls.gov")

    alone = city.ask("POST", f"/drafts/{draft_id}/approve", token=city.token("approver"), json={"version": 1})
    named = city.ask("POST", f"/drafts/{draft_id}/approve", token=owned, json={"version": 1})

    assert alone.status_code == 403
    assert (named.status_code, named.json()["approvals"][0]["by"]) == (200, "ana@alderfalls.gov")


def test_a_post_too_old_for_the_platform_says_so_in_its_policy(city: City) -> None:
    mention_id = city.hear(ago=timedelta(days=3))
    city.assess(mention_id)
    token = city.token("responder")

    policy = city.ask("POST", f"/mentions/{mention_id}/draft", token=token).json()["policy"]

    assert (policy["may_reply"], policy["how"]) == (False, "none")
    assert policy["reason"]
