"""What the trends page shows: a section for each group, with its lines and tables, and the sentence on what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from sqlmodel import Session

from analytics.calendar import Buckets, By
from analytics.changes import Change, Reports, Stretch, changes
from analytics.rollup import NONE
from analytics.trends import Group, Seen, Tally, tallies
from pipeline.deployment import Deployment
from vocabulary import Intent, Sentiment
from web import words

LINES = 5  #: of a chart; the others are one line more
TITLES: Mapping[Group, str] = {
    "sentiment": "Sentiment",
    "service_code": "Posts by service",
    "platform": "Posts by platform",
    "neighborhood": "Posts by neighborhood",
    "intent": "Posts by what people want",
}
NOUNS: Mapping[Group, str] = {
    "sentiment": "Sentiment",
    "service_code": "Service",
    "platform": "Platform",
    "neighborhood": "Neighborhood",
    "intent": "What people want",
}
NOTHING: Mapping[Group, str] = {
    "sentiment": "Not assessed",
    "service_code": "No service",
    "platform": "No platform",
    "neighborhood": "Place not known",
    "intent": "Not assessed",
}
USUAL_LINES: Mapping[Group, tuple[str, ...]] = {"sentiment": tuple(Sentiment), "intent": tuple(Intent)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One bucket of the table that the chart draws."""

    start: datetime
    label: str
    counts: tuple[int, ...]
    mean: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One group: a chart and its tables."""

    group: Group
    title: str
    noun: str
    columns: tuple[str, ...]  #: names of the lines
    rows: tuple[Row, ...]
    totals: tuple[tuple[str, Change], ...]  #: every group with its name, the most frequent first
    folded: int  #: how many groups are in the last line


def name_of(d: Deployment, group: Group) -> Callable[[str], str]:
    """What people read for a group's value."""
    services = {one.service_code: one.service_name for one in d.services}

    def name(value: str) -> str:
        if value == NONE:
            return NOTHING[group]
        if group == "service_code":
            return services.get(value, value)
        return value if group == "neighborhood" else words.word(value)

    return name


def section(
    session: Session, d: Deployment, over: Buckets, by: By, wanted: Stretch, group: Group, seen: Seen
) -> Section:
    """One group over the range, and beside the stretch before."""
    totals = changes(session, wanted, group, seen)
    found = tallies(session, over.spans(), group, seen)
    name, lines = name_of(d, group), _lines(group, totals)
    others = {one.group for one in totals if one.now} - set(lines)
    rows = [_row(found, place, start, by, d.settings.zone, lines, others) for place, start in enumerate(over.starts)]
    return Section(
        group=group,
        title=TITLES[group],
        noun=NOUNS[group],
        columns=(*map(name, lines), *(("All others",) if others else ())),
        rows=tuple(rows),
        totals=tuple((name(one.group), one) for one in totals),
        folded=len(others),
    )


def _lines(group: Group, totals: Sequence[Change]) -> tuple[str, ...]:
    """Which values get a line of their own: the usual ones, or the most frequent."""
    occur = [one.group for one in totals if one.now]
    usual = USUAL_LINES.get(group)
    if usual is not None:
        return (*usual, *(one for one in occur if one == NONE))
    return tuple(occur if len(occur) <= LINES + 1 else occur[:LINES])


def _row(
    found: Mapping[tuple[int, str], Tally],
    place: int,
    start: datetime,
    by: By,
    zone: ZoneInfo,
    lines: Sequence[str],
    others: set[str],
) -> Row:
    counts = [found.get((place, one), Tally()).n for one in lines]
    if others:
        counts.append(sum(found.get((place, one), Tally()).n for one in others))
    all_ = [tally for (of, _), tally in found.items() if of == place]
    felt, total = sum(one.felt for one in all_), sum(one.total for one in all_)
    mean = Tally(felt=felt, total=total).mean
    return Row(start=start, label=bucket_label(start, by, zone), counts=tuple(counts), mean=mean)


def bucket_label(start: datetime, by: By, zone: ZoneInfo) -> str:
    """A bucket as people call it; the hour that comes twice is told by its zone."""
    local = start.astimezone(zone)
    if by == "hour":
        return format_datetime(local, "MMM d, h a zzz" if local.minute == 0 else "MMM d, h:mm a zzz", locale="en")
    day = format_date(local.date(), "EEE, MMM d" if by == "day" else "MMM d, y", locale="en")
    return day if by == "day" else f"Week of {day}"


def sentence(found: Reports, wanted: Stretch, name: Callable[[str], str], zone: ZoneInfo) -> str:
    """What changed, in plain words."""
    when, than = _when(wanted, zone)
    if found.now == found.before == 0:
        return f"There were no reports {when}, and none in the same time before it."
    if found.now == found.before:
        return f"Reports stayed at {found.now:,} {when}, compared with {than}."
    way = "rose" if found.now > found.before else "fell"
    most = ""
    if found.service_code is not None:
        most = f", {'mostly' if found.is_most else 'most of all'} {name(found.service_code)}"
    return f"Reports {way} from {found.before:,} to {found.now:,} {when}, compared with {than}{most}."


def _when(wanted: Stretch, zone: ZoneInfo) -> tuple[str, str]:
    if wanted.days == 1:
        return (
            ("today", "yesterday up to this time")
            if wanted.is_current
            else (f"on {_day(wanted.since, zone)}", "the day before")
        )
    than = f"the {wanted.days} days before"
    if wanted.is_current:
        return f"in the last {wanted.days} days", than
    last = wanted.until - timedelta(seconds=1)
    return f"from {_day(wanted.since, zone)} to {_day(last, zone)}", than


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return format_date(moment.astimezone(zone).date(), "MMMM d, y", locale="en")


def ranges(today: date) -> list[tuple[str, str, str, By]]:
    """Ranges that are asked for often: a name, the ends, and how they are cut."""
    made: list[tuple[str, str, str, By]] = []
    often: tuple[tuple[str, int, By], ...] = (
        ("Today", 1, "hour"),
        ("7 days", 7, "day"),
        ("30 days", 30, "day"),
        ("90 days", 90, "week"),
        ("12 months", 364, "week"),
    )
    for name, days, by in often:
        made.append((name, (today - timedelta(days=days - 1)).isoformat(), today.isoformat(), by))
    return made
