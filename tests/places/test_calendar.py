"""Business time in Alder Falls (America/Chicago), on days that are odd for a reason."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from errors import ConfigError
from places.calendar import Calendar, add_sla, is_open, load_calendar

HOURS = {"mon-fri": "08:00-17:00"}
CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture(scope="module")
def us() -> Calendar:
    return load_calendar(HOURS, "US", time_zone="America/Chicago")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "sla", "due"),
    [
        pytest.param("2026-09-14T10:00", "P1D", "2026-09-15T10:00", id="a day"),
        pytest.param("2026-09-14T10:00", "P3D", "2026-09-17T10:00", id="three days"),
        pytest.param("2026-09-18T10:00", "P1D", "2026-09-21T10:00", id="over a weekend"),
        pytest.param("2026-09-14T10:00", "P1W", "2026-09-21T10:00", id="a week is five business days"),
        pytest.param("2026-09-14T19:30", "P1D", "2026-09-16T08:00", id="after hours counts from the next opening"),
        pytest.param("2026-09-19T12:00", "P1D", "2026-09-22T08:00", id="Saturday counts from Monday"),
        pytest.param("2026-09-14T10:00", "PT4H", "2026-09-14T14:00", id="four open hours"),
        pytest.param("2026-09-14T15:00", "PT4H", "2026-09-15T10:00", id="hours run on next morning"),
        pytest.param("2026-09-14T08:00", "PT9H", "2026-09-14T17:00", id="a whole open day"),
        pytest.param("2026-09-18T16:00", "PT30M", "2026-09-18T16:30", id="half an hour"),
        pytest.param("2026-09-18T16:30", "P1DT1H", "2026-09-22T08:30", id="days first, then hours"),
        pytest.param("2026-09-14T10:00", "P0D", "2026-09-14T10:00", id="nothing"),
        pytest.param("2026-11-25T10:00", "P1D", "2026-11-27T10:00", id="over Thanksgiving"),
        pytest.param("2026-07-02T10:00", "P1D", "2026-07-06T10:00", id="July 4 on a Saturday is kept on Friday"),
        pytest.param("2026-12-31T10:00", "P1D", "2027-01-04T10:00", id="over New Year"),
        pytest.param("2026-03-06T10:00", "P1D", "2026-03-09T10:00", id="clocks go forward: the same local time"),
        pytest.param("2026-03-06T16:00", "PT2H", "2026-03-09T09:00", id="clocks go forward: open hours are whole"),
        pytest.param("2026-10-30T16:00", "PT2H", "2026-11-02T09:00", id="clocks go back: open hours are whole"),
    ],
)
def test_an_sla_runs_in_business_time(start: str, sla: str, due: str, us: Calendar) -> None:
    assert add_sla(local(start), sla, us) == local(due)


def test_a_due_time_is_utc(us: Calendar) -> None:
    assert add_sla(datetime(2026, 9, 14, 15, tzinfo=UTC), "P1D", us).tzinfo is UTC


def test_days_over_the_change_of_clocks_are_not_24_hours_each(us: Calendar) -> None:
    start = local("2026-10-30T10:00")

    assert (add_sla(start, "P1D", us) - start).total_seconds() == 73 * 3600


@pytest.mark.parametrize(
    ("hour", "opened"),
    [
        ("2026-09-14T07:59", False),
        ("2026-09-14T08:00", True),
        ("2026-09-14T16:59", True),
        ("2026-09-14T17:00", False),
        ("2026-09-13T12:00", False),
        ("2026-12-25T12:00", False),
        ("2026-09-07T12:00", False),
    ],
)
def test_open_hours_end_at_closing_and_rest_on_holidays(hour: str, opened: bool, us: Calendar) -> None:
    assert is_open(local(hour), us) is opened


def test_hours_that_span_the_lost_hour_are_an_hour_shorter() -> None:
    always = load_calendar({"mon-sun": "00:00-24:00"}, time_zone="America/Chicago")

    assert add_sla(local("2026-03-08T00:00"), "PT24H", always) == local("2026-03-09T01:00")
    assert is_open(local("2026-03-08T23:59"), always)


def test_a_lunch_break_is_not_open() -> None:
    halves = load_calendar({"mon-fri": "08:00-12:00, 13:00-17:00", "sat": "09:00-12:00"}, time_zone="America/Chicago")

    assert not is_open(local("2026-09-14T12:30"), halves)
    assert add_sla(local("2026-09-14T11:30"), "PT1H", halves) == local("2026-09-14T13:30")
    assert add_sla(local("2026-09-18T15:00"), "P1D", halves) == local("2026-09-19T12:00")
    assert add_sla(local("2026-09-18T12:30"), "P1D", halves) == local("2026-09-19T12:00")


def test_a_week_may_wrap_round() -> None:
    weekend = load_calendar({"sat-mon": "10:00-12:00"}, time_zone="America/Chicago")

    assert [is_open(local(f"2026-09-{day}T11:00"), weekend) for day in (18, 19, 20, 21, 22)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_holidays_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "holidays.txt"
    path.write_text("# ours\n2026-09-15 Founders' Day\n\n2026-09-16, and the day after\n", encoding="utf-8")
    ours = load_calendar(HOURS, path, time_zone="America/Chicago")

    assert add_sla(local("2026-09-14T10:00"), "P1D", ours) == local("2026-09-17T10:00")
    assert is_open(local("2026-12-25T12:00"), ours)


def test_a_states_holidays_are_known() -> None:
    texas = load_calendar(HOURS, "US-TX", time_zone="America/Chicago")

    assert not is_open(local("2026-11-27T12:00"), texas)


@pytest.mark.parametrize("sla", ["", "three days", "P1M", "P1Y", "-P1D", "P99999D", "P1.5D"])
def test_what_is_no_sla_is_refused(sla: str, us: Calendar) -> None:
    with pytest.raises(ValueError, match=r"ISO 8601|whole days"):
        add_sla(local("2026-09-14T10:00"), sla, us)


def test_a_naive_start_is_refused(us: Calendar) -> None:
    with pytest.raises(ValueError, match="zone"):
        add_sla(datetime(2026, 9, 14, 10), "P1D", us)  # noqa: DTZ001, it is the point of the test


def test_a_year_of_rest_is_no_calendar(tmp_path: Path) -> None:
    path = tmp_path / "holidays.txt"
    path.write_text("\n".join(f"20{year}-{month:02d}-{day:02d}" for year in (26, 27, 28) for month in range(1, 13)
                              for day in range(1, 29)), encoding="utf-8")  # fmt: skip
    nearly = load_calendar({"mon": "08:00-09:00"}, path, time_zone="America/Chicago")

    assert add_sla(local("2026-09-14T10:00"), "PT1H", nearly) == local("2026-11-30T09:00")


@pytest.mark.parametrize(
    ("hours", "holidays", "zone", "part"),
    [
        ({}, None, "America/Chicago", "no open day"),
        ({"mon-fry": "08:00-17:00"}, None, "America/Chicago", "'mon-fry'"),
        ({"mon": "8-17"}, None, "America/Chicago", "'8-17'"),
        ({"mon": "17:00-08:00"}, None, "America/Chicago", "later"),
        ({"mon": "08:00-24:30"}, None, "America/Chicago", "'08:00-24:30'"),
        ({"mon-fri": "08:00-17:00", "wed": "08:00-12:00"}, None, "America/Chicago", "wed is there already"),
        (HOURS, None, "America/Alder_Falls", "IANA"),
        (HOURS, "XX", "America/Chicago", "'XX'"),
        (HOURS, "nowhere.txt", "America/Chicago", "neither a country nor a file"),
    ],
)
def test_a_bad_calendar_is_named_with_its_remedy(
    hours: dict[str, str], holidays: str | None, zone: str, part: str
) -> None:
    with pytest.raises(ConfigError, match=part):
        load_calendar(hours, holidays, time_zone=zone)


def test_a_bad_holiday_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "holidays.txt"
    path.write_text("2026-01-01\n12/25/2026\n", encoding="utf-8")

    with pytest.raises(ConfigError, match="line 2: '12/25/2026'"):
        load_calendar(HOURS, path, time_zone="America/Chicago")
