"""The city's days, weeks and hours as stretches of time, right across every change of its clocks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from errors import HarkenError

By = Literal["day", "week", "hour"]

MOST_BUCKETS = 2_000
USUAL_DAYS = 30
YEARS = range(1970, 2200)  #: before, zones were off by odd minutes; and nobody posted
QUARTER_S = 900
STEP = {"day": timedelta(days=1), "week": timedelta(weeks=1), "hour": timedelta(hours=1)}


class BadRange(HarkenError):
    """No such range can be shown; the message says what to ask for instead."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True, slots=True)
class Buckets:
    """Stretches that follow each other without a gap."""

    starts: tuple[datetime, ...]  #: aware, UTC
    end: datetime  #: where the last one ends

    def spans(self) -> Iterator[tuple[datetime, datetime]]:
        """Start and end of each."""
        yield from zip(self.starts, (*self.starts[1:], self.end), strict=True)


def quarter(moment: datetime) -> int:
    """The quarter of an hour that a moment lies in, counted from 1970 in UTC."""
    return int(moment.timestamp() // QUARTER_S)


def quarter_start(number: int) -> datetime:
    """When a quarter of an hour begins."""
    return datetime.fromtimestamp(number * QUARTER_S, UTC)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day of the city begins, in UTC. Where the clocks skip midnight, it begins after the gap."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The city's date at a moment."""
    return moment.astimezone(zone).date()


def usual(
    since: date | datetime | None, until: date | datetime | None, *, today: date, days: int = USUAL_DAYS
) -> tuple[date | datetime, date | datetime]:
    """The range that is meant where an end is left out: up to today, and the last 30 days of it."""
    end = today if until is None else until
    if since is not None:
        return since, end
    if end.year not in YEARS:
        raise BadRange(f"to = {end}: outside {YEARS.start} to {YEARS.stop - 1}", field="to")
    return end - timedelta(days=days if isinstance(end, datetime) else days - 1), end


def earlier(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same time by the city's clocks, so many days before."""
    return (moment.astimezone(zone) - timedelta(days=days)).astimezone(UTC)


def buckets(
    zone: ZoneInfo, since: date | datetime, until: date | datetime, by: By, *, at_most: int = MOST_BUCKETS
) -> Buckets:
    """Every bucket that the range touches, whole. A date as ``until`` is the last day; a moment is not in it.

    Raises:
        BadRange: the range is empty, too long, or beyond the calendar.
    """
    first, end = _moment(since, zone, "from"), _end(until, zone)
    if end <= first:
        raise BadRange(f"the range is empty: from {since} to {until}; `to` must be later than `from`", field="to")
    starts: list[datetime] = []
    if (end - first) / STEP[by] < 2 * at_most:
        starts = list(_starts(zone, first, end, by))
    if not 1 < len(starts) <= at_most + 1:
        longer = " or a longer `by`" if by != "week" else ""
        raise BadRange(f"that is more than {at_most:,} buckets; ask for a shorter range{longer}", field="from")
    last = starts.pop()
    return Buckets(starts=tuple(starts), end=last)


def _moment(given: date | datetime, zone: ZoneInfo, field: str) -> datetime:
    if given.year not in YEARS:
        raise BadRange(f"{field} = {given}: outside {YEARS.start} to {YEARS.stop - 1}", field=field)
    if not isinstance(given, datetime):
        return midnight(given, zone)
    if given.tzinfo is None:
        raise BadRange(f"{field} = {given}: a time needs a zone", field=field)
    return given.astimezone(UTC)


def _end(until: date | datetime, zone: ZoneInfo) -> datetime:
    end = _moment(until, zone, "to")
    return end if isinstance(until, datetime) else midnight(until + timedelta(days=1), zone)


def _starts(zone: ZoneInfo, first: datetime, end: datetime, by: By) -> Iterator[datetime]:
    """The starts of the buckets from the one that ``first`` lies in, and the end of the last."""
    step = _hours(zone, first) if by == "hour" else _days(zone, first, by)
    for start in step:
        yield start
        if start >= end:
            return


def _days(zone: ZoneInfo, first: datetime, by: By) -> Iterator[datetime]:
    day = day_of(first, zone)
    if by == "week":
        day -= timedelta(days=day.weekday())
    before = None
    while True:
        start = midnight(day, zone)
        if start != before:  # some islands once left a day out
            yield start
        before, day = start, day + STEP[by]


def _hours(zone: ZoneInfo, first: datetime) -> Iterator[datetime]:
    """Hours by the clock on the wall; where it is moved by half an hour, one of them is half as long."""
    start = midnight(day_of(first, zone), zone)
    todays = [start]
    while todays[-1] <= first:
        todays.append(_next_hour(zone, todays[-1]))
    start = todays[bisect_right(todays, first) - 1]
    while True:
        yield start
        start = _next_hour(zone, start)


def _next_hour(zone: ZoneInfo, start: datetime) -> datetime:
    local = start.astimezone(zone)
    return start + timedelta(hours=1) - timedelta(minutes=local.minute, seconds=local.second)
