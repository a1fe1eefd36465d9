"""Business time: when the city is open, and until when a service's SLA runs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays as holiday_lists
import isodate

from errors import ConfigError
from places.files import text_of

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: A calendar without an open day in a year has none.
_LONGEST_REST = 366
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """The city's open hours on its own clock. Made by ``load_calendar``."""

    zone: ZoneInfo
    hours: tuple[tuple[tuple[time, time], ...], ...]  #: per weekday from Monday: opening and closing, local
    dates: frozenset[date] = frozenset()  #: holidays of a file
    country: str = ""  #: holidays of a country of the ``holidays`` library: ``US``
    subdivision: str = ""  #: ``WI``

    def holiday(self, day: date) -> bool:
        """Whether the city rests on this day."""
        return day in self.dates or (bool(self.country) and day in _public(self.country, self.subdivision, day.year))

    def open_between(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """When the city is open on a local day, aware UTC; empty on days of rest."""
        if self.holiday(day):
            return ()
        return tuple(
            (_utc(day, opens, self.zone), _utc(day, closes, self.zone)) for opens, closes in self.hours[day.weekday()]
        )


def load_calendar(hours: Mapping[str, str], holidays: str | Path | None = None, *, time_zone: str) -> Calendar:
    """The calendar that ``[calendar]`` of harken.toml describes.

    ``hours``: ``{"mon-fri": "08:00-17:00", "sat": "09:00-12:00"}``, two spans of a day parted by a comma. ``holidays``:
    a country (``US``, ``US-WI``), or a file of dates (2026-12-25, one a line, the rest of the line is a note), or
    nothing.

    Raises:
        ConfigError: names the key and value at fault, and the remedy.
    """
    week: list[tuple[tuple[time, time], ...]] = [()] * 7
    for days, spans in hours.items():
        for day in _weekdays(days):
            if week[day]:
                raise ConfigError(f"[calendar] hours: {days!r}: {_DAYS[day]} is there already: name each day once")
            week[day] = _spans(days, spans)
    if not any(week):
        raise ConfigError('[calendar] hours: no open day: write for example { mon-fri = "08:00-17:00" }')
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as err:
        remedy = "write an IANA name such as America/Chicago"
        raise ConfigError(f"[city] time_zone: {time_zone!r}: unknown: {remedy}") from err
    country, dates = _holidays(holidays)
    name, _, subdivision = country.partition("-")
    return Calendar(zone=zone, hours=tuple(week), dates=dates, country=name, subdivision=subdivision)


def is_open(moment: datetime, calendar: Calendar) -> bool:
    """Whether the city is open at an aware moment; at closing time it no longer is."""
    day = moment.astimezone(calendar.zone).date()
    return any(opens <= moment < closes for opens, closes in calendar.open_between(day))


def add_sla(start: datetime, sla: str, calendar: Calendar) -> datetime:
    """Until when a service is promised that was asked for at ``start``.

    Days are business days: a request of Monday with P1D is due at the same time on Tuesday; one that comes after hours
    counts from the next opening. Hours are open hours. With both, the days come first.

    Units: ``start`` aware; ``sla`` ISO 8601, weeks as five business days; answers in aware UTC.

    Raises:
        ValueError: the start is naive, the duration is none, negative, or has months or years.
    """
    if start.tzinfo is None:
        raise ValueError("the start of an SLA needs a zone")
    days, hours = _business(sla)
    due = _first_open(start.astimezone(UTC), calendar)
    if days:
        due = _after_days(due, days, calendar)
    return _after_hours(due, hours, calendar) if hours else due


def _business(sla: str) -> tuple[int, timedelta]:
    """Business days and open hours of a duration."""
    try:
        duration = isodate.parse_duration(sla)
    except (isodate.ISO8601Error, TypeError, OverflowError) as err:
        raise ValueError(f"{sla!r} is no ISO 8601 duration of days and hours, such as P3D or PT4H") from err
    if not isinstance(duration, timedelta) or not timedelta(0) <= duration <= timedelta(days=3650):
        raise ValueError(f"{sla!r} is no ISO 8601 duration of days and hours, such as P3D or PT4H")
    written = re.fullmatch(r"P(?:(\d+)W|(?:(\d+)D)?(?:T.*)?)", sla.strip().upper())
    if written is None:
        raise ValueError(f"{sla!r}: write whole days, such as P3D or P1DT4H")
    days, calendar_days = int(written[2] or 0), int(written[2] or 0)
    if written[1]:
        days, calendar_days = int(written[1]) * 5, int(written[1]) * 7
    return days, duration - timedelta(days=calendar_days)


def _spells(start: datetime, calendar: Calendar) -> Iterator[tuple[datetime, datetime]]:
    """The open spells from a moment on, the first from that moment.

    Raises:
        ValueError: a year of rest.
    """
    day = start.astimezone(calendar.zone).date()
    rest = 0
    while rest <= _LONGEST_REST:
        rest += 1
        for opens, closes in calendar.open_between(day):
            if closes > start:
                rest = 0
                yield max(opens, start), closes
        day += timedelta(days=1)
    raise ValueError("the calendar has no open day within a year")


def _first_open(start: datetime, calendar: Calendar) -> datetime:
    return next(_spells(start, calendar))[0]


def _after_days(start: datetime, days: int, calendar: Calendar) -> datetime:
    """The same local time so many business days later, or when that day's last hours end, if sooner."""
    local = start.astimezone(calendar.zone)
    day = local.date()
    spells = calendar.open_between(day)
    while days:
        day += timedelta(days=1)
        spells = calendar.open_between(day)
        if spells:
            days -= 1
        elif (day - local.date()).days > 20_000:
            raise ValueError("the calendar has no open day within reach")
    same_time = _utc(day, local.time(), calendar.zone)
    after = bisect_right([closes for _, closes in spells], same_time)
    return min(max(same_time, spells[min(after, len(spells) - 1)][0]), spells[-1][1])


def _after_hours(start: datetime, hours: timedelta, calendar: Calendar) -> datetime:
    for opens, closes in _spells(start, calendar):
        if closes - opens >= hours:
            return opens + hours
        hours -= closes - opens
    raise ValueError("the calendar has no open day within a year")


def _utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A local time in UTC; midnight at the end of a day is ``time.max``. Of a time that comes twice, the first."""
    if clock == time.max:
        day, clock = day + timedelta(days=1), time.min
    return datetime.combine(day, clock.replace(fold=0), tzinfo=zone).astimezone(UTC)


def _weekdays(text: str) -> range | list[int]:
    """The days that "mon-fri" or "sat" names, from Monday, 0."""
    first, _, last = text.strip().lower().partition("-")
    if first not in _DAYS or (last or first) not in _DAYS:
        raise ConfigError(f"[calendar] hours: {text!r}: write a day or a span of days, such as mon-fri or sat")
    start, stop = _DAYS.index(first), _DAYS.index(last or first)
    return range(start, stop + 1) if start <= stop else [*range(start, 7), *range(stop + 1)]


def _spans(days: str, text: str) -> tuple[tuple[time, time], ...]:
    spans = []
    for part in text.split(","):
        match = _HOURS.fullmatch(part.strip())
        if match is None or (match[3] == "24" and match[4] != "00"):
            raise ConfigError(f"[calendar] hours, {days}: {text!r}: write opening and closing, such as 08:00-17:00")
        closes = time.max if match[3] == "24" else time(int(match[3]), int(match[4]))
        spans.append((time(int(match[1]), int(match[2])), closes))
    flat = [clock for span in spans for clock in span]
    if any(later <= earlier for earlier, later in pairwise(flat)):
        raise ConfigError(f"[calendar] hours, {days}: {text!r}: each time must be later than the one before")
    return tuple(spans)


def _holidays(wanted: str | Path | None) -> tuple[str, frozenset[date]]:
    """A country, or the dates of a file."""
    text = str(wanted or "")
    if not text:
        return "", frozenset()
    if re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", text):
        country, _, subdivision = text.partition("-")
        try:
            _public(country, subdivision, 2026)
        except NotImplementedError as err:
            raise ConfigError(f"[calendar] holidays: {text!r}: {err}: name a file of dates instead") from err
        return text, frozenset()
    if not Path(text).is_file():
        remedy = "write a country such as US, with its state US-WI, or the name of a file of dates"
        raise ConfigError(f"[calendar] holidays: {text!r}: neither a country nor a file: {remedy}")
    return "", _dates(Path(text))


def _dates(path: Path) -> frozenset[date]:
    found = set()
    for number, line in enumerate(text_of(path).splitlines(), 1):
        words = line.split("#")[0].split(maxsplit=1)
        if not words:
            continue
        try:
            found.add(date.fromisoformat(words[0].rstrip(",;")))
        except ValueError as err:
            raise ConfigError(f"{path}, line {number}: {line!r}: begin with a date such as 2026-12-25") from err
    return frozenset(found)


@lru_cache(maxsize=64)
def _public(country: str, subdivision: str, year: int) -> frozenset[date]:
    """A country's public holidays.

    Source: the ``holidays`` library.
    """
    return frozenset(holiday_lists.country_holidays(country, subdiv=subdivision or None, years=year))
