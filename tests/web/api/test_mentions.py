from __future__ import annotations

from datetime import timedelta

import pytest

from store import intake
from store.tables import AlarmRow, MentionRow
from store.types import now
from tests.web.api.conftest import City

pytestmark = pytest.mark.both_stores

NAMES = {
    "id", "platform", "accounts", "heard_how", "visibility", "post_id", "url", "author", "text", "media", "posted_at",
    "collected_at", "in_reply_to", "quoted_post_id", "conversation_id", "resident_id", "historic", "state",
    "assessment", "place", "draft_id", "request_id", "request_ids", "alarm",
}  # fmt: skip


def ids(answer: object) -> list[str]:
    return [item["id"] for item in answer.json()["items"]]  # type: ignore[attr-defined]


def test_a_mention_has_the_names_of_the_contract(city: City) -> None:
    mention_id, draft_id = city.drafted()

    shown = city.ask("GET", f"/mentions/{mention_id}", token=city.token("viewer")).json()

    assert set(shown) == NAMES
    assert shown["draft_id"] == draft_id
    assert shown["accounts"] == ["city_hall_x"]
    assert shown["heard_how"] == ["mention"]
    assert shown["posted_at"].endswith("Z")
    assert set(shown["author"]) == {"handle", "name", "platform_user_id"}
    assert shown["place"]["address"] == "120 5th Ave"
    assert set(shown["assessment"]) == {
        "intent", "service_code", "sentiment", "urgency", "language", "scores", "model", "please_check", "corrected_by",
    }  # fmt: skip


def test_a_mention_nobody_assessed_has_no_assessment_and_no_draft(city: City) -> None:
    mention_id = city.hear()

    shown = city.ask("GET", f"/mentions/{mention_id}", token=city.token("viewer")).json()

    assert (shown["state"], shown["assessment"], shown["draft_id"], shown["place"]) == ("new", None, None, None)


def test_the_last_posted_comes_first(city: City) -> None:
    older = city.hear(ago=timedelta(hours=3))
    newest = city.hear(ago=timedelta(minutes=1))
    middle = city.hear(ago=timedelta(hours=1))

    assert ids(city.ask("GET", "/mentions", token=city.token("viewer"))) == [newest, middle, older]


def test_pages_hold_each_mention_once_though_new_ones_come_in(city: City) -> None:
    expected = [city.hear(ago=timedelta(minutes=10 + n)) for n in range(7)]
    token = city.token("viewer")

    found, cursor = [], ""
    while True:
        page = city.ask("GET", f"/mentions?limit=3{cursor}", token=token).json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
        city.hear(ago=timedelta(minutes=1))

    assert found == expected


@pytest.mark.parametrize(
    ("parameter", "first", "second"),
    [
        ("intent=question", {"intent": "report"}, {"intent": "question"}),
        ("service_code=graffiti", {"service_code": "pothole"}, {"service_code": "graffiti"}),
        ("sentiment=positive", {"sentiment": "negative"}, {"sentiment": "positive"}),
        ("urgency=high", {"urgency": "normal"}, {"urgency": "high"}),
    ],
)
def test_what_is_assessed_can_be_filtered(
    city: City, parameter: str, first: dict[str, str], second: dict[str, str]
) -> None:
    city.assess(city.hear(), **first)
    wanted = city.hear()
    city.assess(wanted, **second)

    assert ids(city.ask("GET", f"/mentions?{parameter}", token=city.token("viewer"))) == [wanted]


def test_a_filter_goes_by_what_staff_said(city: City) -> None:
    mention_id = city.hear()
    city.assess(mention_id)
    token = city.token("responder")

    city.ask("PATCH", f"/mentions/{mention_id}", token=token, json={"intent": "complaint", "service_code": None})

    assert ids(city.ask("GET", "/mentions?intent=complaint", token=token)) == [mention_id]
    assert ids(city.ask("GET", "/mentions?intent=report", token=token)) == []
    assert ids(city.ask("GET", "/mentions?service_code=pothole", token=token)) == []


def test_account_state_platform_and_since_can_be_filtered(city: City) -> None:
    at_parks = city.hear(account="parks_x", ago=timedelta(minutes=1))
    at_city = city.hear(ago=timedelta(hours=5))
    token = city.token("viewer")
    since = (now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert ids(city.ask("GET", "/mentions?account=parks_x", token=token)) == [at_parks]
    assert ids(city.ask("GET", f"/mentions?since={since}", token=token)) == [at_parks]
    assert ids(city.ask("GET", "/mentions?platform=x&state=new", token=token)) == [at_parks, at_city]
    assert ids(city.ask("GET", "/mentions?platform=facebook", token=token)) == []


@pytest.mark.parametrize("q", ["MAPLE", "light maple", "100%25", "under_score"])
def test_words_are_searched(city: City, q: str) -> None:
    wanted = city.hear("The light on Maple is out 100% of the time, under_score")
    city.hear("Underscore is the light of my 100 lives")

    assert ids(city.ask("GET", f"/mentions?q={q}", token=city.token("viewer"))) == [wanted]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("color=red", "color"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("intent=rant", "intent"),
        ("state=open", "state"),
        ("since=yesterday", "since"),
        ("since=2026-01-01T00:00:00", "since"),
        ("since=9999-12-31T23:59:59-14:00", "since"),
        ("since=2026-02-31T00:00:00Z", "since"),
        ("platform=X!", "platform"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WyJkcmFmdHMiLDFd", "cursor"),
        ("q=%00", "q"),
        ("intent=report&intent=praise", "intent"),
    ],
)
def test_a_bad_parameter_is_named(city: City, query: str, field: str) -> None:
    answer = city.ask("GET", f"/mentions?{query}", token=city.token("viewer"))

    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field


@pytest.mark.parametrize("mention_id", ["999", "abc", "-1", "1e3", "9" * 30, "٣"])
def test_a_mention_that_is_none_is_404(city: City, mention_id: str) -> None:
    answer = city.ask("GET", f"/mentions/{mention_id}", token=city.token("viewer"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_correction_is_laid_over_the_assessment_and_named(city: City) -> None:
    mention_id, draft_id = city.drafted()
    token = city.token("responder", name="desk")

    answer = city.ask("PATCH", f"/mentions/{mention_id}", token=token, json={"service_code": "graffiti_removal"})

    assert answer.status_code == 200
    held = answer.json()["assessment"]
    assert (held["service_code"], held["corrected_by"], held["please_check"]) == ("graffiti_removal", "token:desk", [])
    assert held["intent"] == "report"
    assert answer.json()["draft_id"] != draft_id
    old = city.ask("GET", f"/drafts/{draft_id}", token=token).json()
    assert (old["state"], old["superseded_by"]) == ("superseded", answer.json()["draft_id"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "intent"),
        ({"intent": "rant"}, "intent"),
        ({"intent": None}, "intent"),
        ({"service_code": "no_such_code"}, "service_code"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_correction_is_422(city: City, body: dict[str, object], field: str) -> None:
    mention_id, _ = city.drafted()

    answer = city.ask("PATCH", f"/mentions/{mention_id}", token=city.token("responder"), json=body)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


def test_a_mention_is_dismissed_and_taken_up_again(city: City) -> None:
    mention_id, _ = city.drafted()
    token = city.token("responder")

    dismissed = city.ask("POST", f"/mentions/{mention_id}/dismiss", token=token, json={"reason": "spam"})
    again = city.ask("POST", f"/mentions/{mention_id}/undismiss", token=token)

    assert (dismissed.status_code, dismissed.json()["state"]) == (200, "dismissed")
    assert again.status_code == 200
    assert again.json()["state"] != "dismissed"


def test_a_draft_is_written_on_request(city: City) -> None:
    mention_id, draft_id = city.drafted()
    token = city.token("responder")

    answer = city.ask("POST", f"/mentions/{mention_id}/draft", token=token, json={"language": "es"})

    assert answer.status_code == 200
    assert answer.json()["language"] == "es"
    assert answer.json()["id"] != draft_id


def test_a_template_that_is_none_is_422(city: City) -> None:
    mention_id, _ = city.drafted()

    answer = city.ask(
        "POST", f"/mentions/{mention_id}/draft", token=city.token("responder"), json={"template": "no_such"}
    )

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "template")


def test_an_alarm_shows_on_its_mention_and_is_acknowledged(city: City) -> None:
    mention_id, _ = city.drafted(urgency="emergency")
    with city.deployment.store.writing() as session:
        row = session.get_one(MentionRow, int(mention_id))
        session.add(AlarmRow(mention_id=row.id, conversation_id=row.conversation_id, reason="gas"))
    token = city.token("responder", name="desk")

    before = city.ask("GET", f"/mentions/{mention_id}", token=token).json()["alarm"]
    answer = city.ask("POST", f"/mentions/{mention_id}/acknowledge", token=token)

    assert (before["reason"], before["acknowledged_by"], before["outcome"]) == ("gas", None, None)
    assert answer.json()["alarm"]["acknowledged_by"] == "token:desk"
    assert city.ask("GET", "/alarms", token=token).json()["items"][0]["outcome"] == "acknowledged"


def test_a_deleted_post_keeps_no_words(city: City) -> None:
    mention_id, _ = city.drafted("My name and my trouble")
    with city.deployment.store.writing() as session:
        row = session.get_one(MentionRow, int(mention_id))
        intake.forget(session, row.platform, row.post_id)
    token = city.token("viewer")

    shown = city.ask("GET", f"/mentions/{mention_id}", token=token)

    assert (shown.json()["state"], shown.json()["text"]) == ("deleted", "")
    assert "my trouble" not in city.ask("GET", "/drafts", token=token).text
    assert ids(city.ask("GET", "/mentions?q=trouble", token=token)) == []
