"""Days of 23 and 25 hours, zones off the hour, and ranges that nobody can show."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from analytics.calendar import BadRange, Buckets, By, buckets

CHICAGO = ZoneInfo("America/Chicago")


def starts(found: Buckets, zone: ZoneInfo) -> list[str]:
    return [one.astimezone(zone).strftime("%a %d %H:%M%z") for one in found.starts]


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 6, 1), 24)],
    ids=["clocks go forward", "clocks go back", "ordinary"],
)
def test_a_day_is_as_long_as_it_is(day: date, hours: int) -> None:
    whole = buckets(CHICAGO, day, day, "day")
    by_hour = buckets(CHICAGO, day, day, "hour")

    assert [b - a for a, b in whole.spans()] == [timedelta(hours=hours)]
    assert len(by_hour.starts) == hours
    assert (by_hour.starts[0], by_hour.end) == (whole.starts[0], whole.end)


def test_the_hour_that_comes_twice_is_two_buckets() -> None:
    found = buckets(CHICAGO, date(2026, 11, 1), date(2026, 11, 1), "hour")

    assert starts(found, CHICAGO)[:4] == [
        "Sun 01 00:00-0500",
        "Sun 01 01:00-0500",
        "Sun 01 01:00-0600",
        "Sun 01 02:00-0600",
    ]


def test_a_week_starts_on_monday_at_the_citys_midnight() -> None:
    found = buckets(CHICAGO, date(2026, 3, 5), date(2026, 3, 16), "week")

    assert starts(found, CHICAGO) == ["Mon 02 00:00-0600", "Mon 09 00:00-0500", "Mon 16 00:00-0500"]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Asia/Kathmandu", "2026-05-31T18:15:00+00:00"),
        ("America/St_Johns", "2026-06-01T02:30:00+00:00"),
        ("Australia/Eucla", "2026-05-31T15:15:00+00:00"),
    ],
)
@pytest.mark.parametrize("by", ["day", "hour", "week"])
def test_zones_off_the_hour_start_at_their_own_midnight(name: str, first: str, by: By) -> None:
    found = buckets(ZoneInfo(name), date(2026, 6, 1), date(2026, 6, 1), by)

    assert found.starts[0].isoformat() == first
    assert all(one.minute % 15 == 0 and one.second == 0 for one in found.starts)


def test_where_the_clock_moves_half_an_hour_one_hour_is_half_as_long() -> None:
    found = buckets(ZoneInfo("Australia/Lord_Howe"), date(2026, 4, 5), date(2026, 4, 5), "hour")

    lengths = [(b - a).total_seconds() / 3600 for a, b in found.spans()]
    assert sorted(lengths)[:2] == [0.5, 1]
    assert sum(lengths) == 24.5


def test_a_day_without_midnight_starts_after_the_gap() -> None:
    found = buckets(ZoneInfo("America/Havana"), date(2026, 3, 8), date(2026, 3, 8), "day")

    assert found.starts[0].isoformat() == "2026-03-08T05:00:00+00:00"


def test_a_day_that_never_was_is_no_bucket() -> None:
    found = buckets(ZoneInfo("Pacific/Apia"), date(2011, 12, 29), date(2011, 12, 31), "day")

    assert len(found.starts) == 2


def test_the_buckets_at_the_ends_are_whole() -> None:
    since, until = datetime(2026, 6, 1, 17, tzinfo=UTC), datetime(2026, 6, 2, 5, 0, 1, tzinfo=UTC)

    found = buckets(CHICAGO, since, until, "day")

    assert starts(found, CHICAGO) == ["Mon 01 00:00-0500", "Tue 02 00:00-0500"]


def test_a_moment_as_the_end_is_not_in_the_range() -> None:
    found = buckets(CHICAGO, date(2026, 6, 1), datetime(2026, 6, 2, 5, tzinfo=UTC), "day")

    assert len(found.starts) == 1


@pytest.mark.parametrize("by", ["day", "week", "hour"])
@pytest.mark.parametrize(
    "name", ["America/Chicago", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut"]
)
def test_buckets_follow_each_other_through_a_year(name: str, by: By) -> None:
    found = buckets(ZoneInfo(name), date(2026, 1, 1), date(2026, 12, 31), by, at_most=10_000)

    lengths = {b - a for a, b in found.spans()}
    assert min(lengths) > timedelta(0)
    assert (
        max(lengths) <= {"day": timedelta(hours=25), "week": timedelta(days=7, hours=1), "hour": timedelta(hours=1)}[by]
    )


@pytest.mark.parametrize(
    ("since", "until", "by", "says"),
    [
        (date(2026, 6, 2), date(2026, 6, 1), "day", "later than"),
        (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), "hour", "later than"),
        (date(2020, 1, 1), date(2026, 1, 1), "hour", "more than 2,000"),
        (date(1969, 1, 1), date(1970, 1, 1), "day", "outside 1970"),
        (date(2026, 1, 1), date(9999, 12, 31), "week", "outside 1970"),
        (date(1, 1, 1), date(1, 1, 2), "day", "outside 1970"),
        (datetime(2026, 6, 1), date(2026, 6, 2), "day", "needs a zone"),  # noqa: DTZ001  that is the point
    ],
    ids=["backwards", "empty", "too many", "before", "after", "year one", "naive"],
)
def test_a_range_that_cannot_be_shown_is_refused_with_the_remedy(since: date, until: date, by: By, says: str) -> None:
    with pytest.raises(BadRange, match=says):
        buckets(CHICAGO, since, until, by)


def test_the_most_buckets_are_allowed_and_one_more_is_not() -> None:
    last = date(2026, 1, 1) + timedelta(days=1999)

    assert len(buckets(CHICAGO, date(2026, 1, 1), last, "day").starts) == 2000
    with pytest.raises(BadRange):
        buckets(CHICAGO, date(2026, 1, 1), last + timedelta(days=1), "day")
