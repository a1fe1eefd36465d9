"""What a manager asks: how many of which kind, when."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from analytics.calendar import By
from analytics.trends import GROUPS, Group, Seen, TrendPoint, seen_by, trends
from store.people import Grant, Principal
from tests.analytics.conftest import Heard
from vocabulary import Service

CHICAGO = ZoneInfo("America/Chicago")


def asked(
    heard: Heard,
    since: str,
    until: str,
    *,
    by: By = "day",
    group: Group = "platform",
    zone: ZoneInfo = CHICAGO,
    seen: Seen = Seen(),  # noqa: B008  frozen
) -> list[TrendPoint]:
    heard.counted()
    with heard.store.reading() as session:
        return trends(
            session,
            zone=zone,
            since=date.fromisoformat(since),
            until=date.fromisoformat(until),
            by=by,
            group=group,
            accounts=seen.accounts,
            services=seen.services,
        )


def counts(points: list[TrendPoint]) -> list[tuple[str, str, int]]:
    return [(one.bucket, one.group, one.count) for one in points]


def test_a_day_of_23_hours_holds_its_own_posts(heard: Heard) -> None:
    heard.post("2026-03-08T05:59:59Z")  # the evening before
    heard.post("2026-03-08T06:00:00Z")
    heard.post("2026-03-09T04:59:59Z")  # in winter time it would be the next day's
    heard.post("2026-03-09T05:00:00Z")

    found = asked(heard, "2026-03-07", "2026-03-09")

    assert counts(found) == [
        ("2026-03-07T06:00:00Z", "x", 1),
        ("2026-03-08T06:00:00Z", "x", 2),
        ("2026-03-09T05:00:00Z", "x", 1),
    ]


def test_a_day_of_25_hours_holds_its_own_posts(heard: Heard) -> None:
    heard.post("2026-11-01T05:00:00Z")
    heard.post("2026-11-02T05:59:59Z")
    heard.post("2026-11-02T06:00:00Z")

    found = asked(heard, "2026-11-01", "2026-11-02")

    assert counts(found) == [("2026-11-01T05:00:00Z", "x", 2), ("2026-11-02T06:00:00Z", "x", 1)]


def test_the_hour_that_comes_twice_is_counted_apart(heard: Heard) -> None:
    heard.post("2026-11-01T06:30:00Z")
    heard.post("2026-11-01T07:30:00Z")
    heard.post("2026-11-01T07:45:00Z")

    found = {one.bucket: one.count for one in asked(heard, "2026-11-01", "2026-11-01", by="hour")}

    assert len(found) == 25
    assert found["2026-11-01T06:00:00Z"] == 1
    assert found["2026-11-01T07:00:00Z"] == 2


def test_a_zone_of_45_minutes_starts_its_day_at_its_own_midnight(heard: Heard) -> None:
    heard.post("2026-05-31T18:14:59Z")
    heard.post("2026-05-31T18:15:00Z")

    found = asked(heard, "2026-05-31", "2026-06-01", zone=ZoneInfo("Asia/Kathmandu"))

    assert counts(found) == [("2026-05-30T18:15:00Z", "x", 1), ("2026-05-31T18:15:00Z", "x", 1)]


def test_a_group_that_occurs_has_a_zero_in_every_other_bucket(heard: Heard) -> None:
    heard.post("2026-06-01T12:00:00Z")
    heard.post("2026-06-03T12:00:00Z", account="city_fb")

    found = asked(heard, "2026-06-01", "2026-06-03")

    assert [(one.group, one.count) for one in found] == [
        ("facebook", 0),
        ("x", 1),
        ("facebook", 0),
        ("x", 0),
        ("facebook", 1),
        ("x", 0),
    ]
    assert [one.mean_sentiment for one in found] == [None, -1, None, None, -1, None]


def test_a_range_without_a_post_has_no_group(heard: Heard) -> None:
    assert asked(heard, "2026-06-01", "2026-06-03") == []


def test_the_mean_is_over_those_that_have_a_sentiment(heard: Heard) -> None:
    for sentiment in ("negative", "neutral", "positive", "positive"):
        heard.post("2026-06-01T12:00:00Z", sentiment=sentiment)
    heard.post("2026-06-01T12:00:00Z", assess=False)

    (found,) = asked(heard, "2026-06-01", "2026-06-01")

    assert (found.count, found.mean_sentiment) == (5, 0.25)


def test_what_has_no_value_is_none_and_what_nobody_assessed_has_no_mood(heard: Heard) -> None:
    heard.post("2026-06-01T12:00:00Z", assess=False)

    for group in GROUPS[:3]:
        (found,) = asked(heard, "2026-06-01", "2026-06-01", group=group)
        assert (found.group, found.count, found.mean_sentiment) == ("none", 1, None)


@pytest.mark.parametrize(
    ("field", "value", "group"),
    [("sentiment", "positive", "positive"), ("intent", "question", "question"), ("service_code", None, "none")],
)
def test_a_correction_wins(heard: Heard, field: str, value: str | None, group: str) -> None:
    mention_id = heard.post("2026-06-01T12:00:00Z")
    heard.counted()

    heard.correct(mention_id, field, value)

    (found,) = asked(heard, "2026-06-01", "2026-06-01", group=field)  # type: ignore[arg-type]  # they are named alike
    assert (found.group, found.count) == (group, 1)


def test_a_deleted_post_counts(heard: Heard) -> None:
    heard.forget(heard.post("2026-06-01T12:00:00Z", neighborhood="Millside"))

    (found,) = asked(heard, "2026-06-01", "2026-06-01", group="neighborhood")

    assert (found.group, found.count) == ("Millside", 1)


def test_the_citys_own_post_does_not_count(heard: Heard) -> None:
    ours = heard.post("2026-06-01T12:00:00Z", account="parks_x")
    heard.post("2026-06-01T12:00:00Z")
    heard.counted()

    heard.own(ours)

    (found,) = asked(heard, "2026-06-01", "2026-06-01")
    assert found.count == 1


def test_a_post_that_two_accounts_heard_is_one(heard: Heard) -> None:
    heard.post("2026-06-01T12:00:00Z", account="city_x", post_id="same")
    heard.post("2026-06-01T12:00:00Z", account="parks_x", post_id="same", assess=False)
    both = frozenset({heard.account("city_x"), heard.account("parks_x")})

    for seen in (Seen(), Seen(accounts=both), Seen(accounts=frozenset({heard.account("parks_x")}))):
        (found,) = asked(heard, "2026-06-01", "2026-06-01", seen=seen)
        assert found.count == 1


def test_an_account_sees_its_own_posts_alone(heard: Heard) -> None:
    heard.post("2026-06-01T12:00:00Z", account="city_x")
    heard.post("2026-06-01T12:00:00Z", account="parks_x")

    (found,) = asked(heard, "2026-06-01", "2026-06-01", seen=Seen(accounts=frozenset({heard.account("parks_x")})))

    assert found.count == 1
    assert asked(heard, "2026-06-01", "2026-06-01", seen=Seen(accounts=frozenset())) == []


def test_a_department_sees_what_is_about_its_services_each_post_once(heard: Heard) -> None:
    heard.post("2026-06-01T12:00:00Z", account="city_x", service_code="graffiti")
    heard.post("2026-06-01T12:00:00Z", account="parks_x", service_code="graffiti")
    heard.post("2026-06-01T12:00:00Z", account="parks_x", service_code="pothole")
    heard.post("2026-06-01T12:00:00Z", account="city_x", service_code="pothole")
    parks = frozenset({heard.account("parks_x")})

    for group in ("platform", "sentiment", "intent"):
        (mine,) = asked(
            heard,
            "2026-06-01",
            "2026-06-01",
            group=group,
            seen=Seen(accounts=frozenset(), services=frozenset({"graffiti"})),
        )
        (both,) = asked(
            heard, "2026-06-01", "2026-06-01", group=group, seen=Seen(accounts=parks, services=frozenset({"graffiti"}))
        )
        assert (mine.count, both.count) == (2, 3)


def test_grants_become_what_may_be_counted() -> None:
    services = [Service(service_code="pothole", service_name="Pothole", department="Streets")]
    narrow = (Grant(role="viewer", account_id=3), Grant(role="viewer", department_id=1, department="Streets"))

    assert seen_by(Principal(by="a", roles=frozenset({"viewer"})), services) == Seen()
    assert seen_by(Principal(by="a", roles=frozenset({"admin"})), services) == Seen()
    assert seen_by(Principal(by="a", roles=frozenset({"viewer"}), grants=narrow), services) == Seen(
        accounts=frozenset({3}), services=frozenset({"pothole"})
    )
    assert seen_by(Principal(by="a", roles=frozenset()), services) == Seen(accounts=frozenset())


def test_names_keep_their_order_and_none_comes_last(heard: Heard) -> None:
    for sentiment in ("positive", "negative", "neutral"):
        heard.post("2026-06-01T12:00:00Z", sentiment=sentiment)
    heard.post("2026-06-01T12:00:00Z", assess=False)

    found = asked(heard, "2026-06-01", "2026-06-01", group="sentiment")

    assert [one.group for one in found] == ["negative", "neutral", "positive", "none"]
