"""How many posts of which kind, over time: sums of the roll-up over the city's days, weeks or hours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, and_, column, false, func, or_, select, values
from sqlmodel import Session, col

from analytics.calendar import Buckets, By, buckets, quarter
from analytics.rollup import NONE
from store.people import Principal
from store.tables import MentionRollupRow
from vocabulary import Intent, Sentiment, Service

Group = Literal["sentiment", "intent", "service_code", "platform", "neighborhood"]
GROUPS: tuple[Group, ...] = get_args(Group)
_USUAL_ORDER = {name: place for place, name in enumerate((*Sentiment, *Intent))}


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """Whose posts may be counted: those that an account heard, and those about a service. None: all."""

    accounts: frozenset[int] | None = None
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class TrendPoint:
    """One group in one bucket."""

    bucket: str  #: when it starts, RFC 3339 in UTC
    group: str  #: ``none``: not assessed, or about no service, or at no known place
    count: int
    mean_sentiment: float | None  #: -1 to 1 over those that have a sentiment; None where none has


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """A count, and what is needed for its mean."""

    n: int = 0
    felt: int = 0
    total: int = 0

    @property
    def mean(self) -> float | None:
        """Mean sentiment, -1 to 1."""
        return round(self.total / self.felt, 4) if self.felt else None


def seen_by(who: Principal, services: Sequence[Service]) -> Seen:
    """What a principal's grants let it count. An admin counts direct messages too; counting is not reading."""
    granted = who.granted("viewer")
    if any(one.account_id is None and one.department_id is None for one in granted):
        return Seen()
    departments = {one.department for one in granted if one.department_id is not None}
    return Seen(
        accounts=frozenset(one.account_id for one in granted if one.account_id is not None),
        services=frozenset(one.service_code for one in services if one.department in departments),
    )


def trends(
    session: Session,
    *,
    zone: ZoneInfo,
    since: date | datetime,
    until: date | datetime,
    by: By,
    group: Group,
    accounts: frozenset[int] | None = None,
    services: frozenset[str] = frozenset(),
) -> list[TrendPoint]:
    """Every group that occurs in the range, in every bucket, the first bucket first.

    Buckets start at the city's midnight, Monday or full hour, and are whole: those at the ends reach over the range.
    ``until`` as a date is the last day. The city's own posts never count; deleted and imported ones do.

    Raises:
        BadRange: the range is empty, or has too many buckets.
    """
    return points(session, buckets(zone, since, until, by), group, Seen(accounts=accounts, services=services))


def points(session: Session, over: Buckets, group: Group, seen: Seen) -> list[TrendPoint]:
    """The same for buckets that are known."""
    found = tallies(session, over.spans(), group, seen)
    groups = sorted({name for _, name in found}, key=in_order)
    return [
        TrendPoint(bucket=rfc3339(start), group=name, count=tally.n, mean_sentiment=tally.mean)
        for place, start in enumerate(over.starts)
        for name in groups
        for tally in (found.get((place, name), Tally()),)
    ]


def in_order(name: str) -> tuple[int, str]:
    """How groups stand beside each other: negative before positive, names by the alphabet, ``none`` last."""
    return (len(_USUAL_ORDER) + 1 if name == NONE else _USUAL_ORDER.get(name, len(_USUAL_ORDER)), name)


def rfc3339(moment: datetime) -> str:
    """A moment as the API writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tallies(
    session: Session, over: Iterable[tuple[datetime, datetime]], dimension: str, seen: Seen
) -> dict[tuple[int, str], Tally]:
    """The counts that are not zero, by the stretch's place in the row and the group."""
    cell = MentionRollupRow
    of_span = (column("place", Integer), column("since", Integer), column("until", Integer))
    spans = [(place, quarter(a), quarter(b)) for place, (a, b) in enumerate(over)]
    span = values(*of_span, name="spans").data(spans).cte("span")
    within = and_(col(cell.quarter) >= span.c.since, col(cell.quarter) < span.c.until)
    sums = (func.sum(col(cell.n)), func.sum(col(cell.felt)), func.sum(col(cell.sentiment_sum)))
    query = (
        select(span.c.place, col(cell.value), *sums)
        .select_from(span)
        .join(cell, within)
        .where(col(cell.dimension) == dimension, _visible(seen))
        .group_by(span.c.place, col(cell.value))
    )
    return {
        (place, name): Tally(n=int(n), felt=int(felt), total=int(total))
        for place, name, n, felt, total in session.execute(query)
    }


def _visible(seen: Seen) -> ColumnElement[bool]:
    """Which cells add up to what may be counted, each post once."""
    every = col(MentionRollupRow.about) == ""
    if seen.accounts is None:
        return every
    heard = or_(false(), *(col(MentionRollupRow.accounts).contains(f",{one},") for one in sorted(seen.accounts)))
    if not seen.services:
        return and_(every, heard)
    return or_(and_(every, heard), and_(col(MentionRollupRow.about).in_(sorted(seen.services)), ~heard))
