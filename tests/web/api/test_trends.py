"""``GET /api/v1/trends``: the contract's names, zeros, grants, and parameters nobody should send."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analytics import rollup
from store.tables import CorrectionRow
from store.types import now
from tests.web.api.conftest import City


def counted(city: City) -> None:
    while rollup.refresh(city.deployment.store):
        pass


def trends(city: City, query: str = "", *, token: str | None = None) -> list[dict[str, Any]]:
    counted(city)
    answer = city.ask("GET", f"/trends?{query}", token=token or city.token("viewer"))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["next"] is None
    items: list[dict[str, Any]] = body["items"]
    return items


def test_by_itself_it_is_the_last_30_days_by_day_and_sentiment_the_last_first(city: City) -> None:
    city.assess(city.hear(ago=timedelta(minutes=1)))

    items = trends(city)

    assert len(items) == 30
    assert {item["group"] for item in items} == {"negative"}
    assert [item["bucket"] for item in items] == sorted((item["bucket"] for item in items), reverse=True)
    assert set(items[0]) == {"bucket", "group", "count", "mean_sentiment"}
    assert sum(item["count"] for item in items) == 1
    assert {(item["count"], item["mean_sentiment"]) for item in items} == {(1, -1.0), (0, None)}


@pytest.mark.parametrize(
    ("group", "value"),
    [
        ("sentiment", "negative"),
        ("intent", "report"),
        ("service_code", "pothole"),
        ("platform", "x"),
        ("neighborhood", "Old Town"),
    ],
)
def test_each_group_has_its_values(city: City, group: str, value: str) -> None:
    city.assess(city.hear())

    assert {item["group"] for item in trends(city, f"group={group}")} == {value}


def test_a_correction_shows_in_the_next_answer(city: City) -> None:
    mention_id = city.hear()
    city.assess(mention_id)
    assert {item["group"] for item in trends(city)} == {"negative"}

    with city.deployment.store.writing() as session:
        session.add(CorrectionRow(mention_id=int(mention_id), field="sentiment", value="positive", by="ana"))

    assert {item["group"] for item in trends(city)} == {"positive"}


@pytest.mark.parametrize("by", ["day", "hour", "week"])
def test_a_range_by_dates_has_the_last_day_in_it(city: City, by: str) -> None:
    city.assess(city.hear(ago=timedelta(0)))
    today = now().astimezone(city.deployment.settings.zone).date()

    items = trends(city, f"from={today}&to={today}&by={by}")

    assert sum(item["count"] for item in items) == 1


def test_a_range_by_moments_ends_before_its_end(city: City) -> None:
    city.assess(city.hear(ago=timedelta(0)))
    since = now() - timedelta(hours=5)
    until = since + timedelta(hours=3)

    items = trends(city, f"from={since:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}&by=hour&group=platform")

    assert items == []


def test_it_counts_what_the_grants_let_one_see(city: City) -> None:
    city.assess(city.hear(account="city_hall_x"))
    city.assess(city.hear(account="parks_x"))
    city.person("parks@city.example", "viewer", account="parks_x")
    city.person("all@city.example", "viewer")

    def seen(owner: str) -> int:
        token = city.token("viewer", owner=owner)
        return sum(item["count"] for item in trends(city, "group=platform", token=token))

    assert seen("parks@city.example") == 1
    assert seen("all@city.example") == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("by=month", "by"),
        ("by=day&by=week", "by"),
        ("group=author", "group"),
        ("group=", "group"),
        ("limit=5", "limit"),
        ("since=2026-01-01", "since"),
        ("from=yesterday", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-13-01", "from"),
        ("from=20260101", "from"),
        ("from=2026-W01-1", "from"),
        ("from=2026-01-01T00:00:00", "from"),
        ("from=2026-01-01T25:00:00Z", "from"),
        ("from=%D9%A2%D9%A0%D9%A2%D9%A6-01-01", "from"),
        ("from=%00", "from"),
        ("from=0001-01-01", "from"),
        ("from=0001-01-01T00:00:00%2B14:00", "from"),
        ("to=9999-12-31", "to"),
        ("to=0001-01-01", "to"),
        ("to=9999-12-31T23:59:59Z&from=2026-01-01", "to"),
        ("from=2026-06-02&to=2026-06-01", "to"),
        ("from=2000-01-01&to=2026-06-01", "from"),
        ("from=2026-01-01&to=2026-06-01&by=hour", "from"),
        ("from=2026-01-01'%20OR%201=1--", "from"),
    ],
)
def test_what_it_does_not_take_is_400_and_named(city: City, query: str, field: str) -> None:
    answer = city.ask("GET", f"/trends?{query}", token=city.token("viewer"))

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["field"] == field


def test_too_many_buckets_come_with_the_remedy(city: City) -> None:
    answer = city.ask("GET", "/trends?from=2026-01-01&to=2026-06-01&by=hour", token=city.token("viewer"))

    assert "more than 2,000 buckets" in answer.json()["error"]["message"]
    assert "shorter range" in answer.json()["error"]["message"]


def test_it_takes_a_token(city: City) -> None:
    assert city.ask("GET", "/trends", token="wrong").status_code == 401


def test_the_document_names_its_parameters(city: City) -> None:
    document = city.client.get("/api/v1/openapi.json").json()

    parameters = document["paths"]["/api/v1/trends"]["get"]["parameters"]
    assert {one["name"] for one in parameters if one["in"] == "query"} == {"from", "to", "by", "group"}
