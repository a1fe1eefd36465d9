"""What changed: a range beside the same stretch before it, both up to the same hour of their last day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from analytics.calendar import QUARTER_S, Buckets, earlier, quarter, quarter_start
from analytics.trends import Seen, Tally, in_order, tallies

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A range of days up to now, and as many days before it."""

    since: datetime
    until: datetime  #: the end of the range, or now where it reaches beyond
    before: tuple[datetime, datetime]
    days: int
    is_current: bool  #: reaches up to now


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One group, then and now."""

    group: str
    before: int
    now: int
    mean_sentiment: float | None

    @property
    def by(self) -> int:
        """How many more."""
        return self.now - self.before


@dataclass(frozen=True, kw_only=True, slots=True)
class Reports:
    """How the number of reports changed, and which service has the largest part in it."""

    before: int
    now: int
    service_code: str | None = None  #: changed most in the same direction; ``none``: those about no service
    is_most: bool = False  #: it is at least half of the change


def stretch(over: Buckets, now: datetime, zone: ZoneInfo) -> Stretch:
    """The buckets as one stretch. The quarter of an hour that runs now is in it."""
    since, days = over.starts[0], max(1, round((over.end - over.starts[0]) / DAY))
    reached = quarter_start(quarter(now + timedelta(seconds=QUARTER_S)))
    until = max(since, min(over.end, reached))
    return Stretch(
        since=since,
        until=until,
        before=(earlier(since, days, zone), earlier(until, days, zone)),
        days=days,
        is_current=since < reached <= over.end,
    )


def changes(session: Session, wanted: Stretch, dimension: str, seen: Seen) -> list[Change]:
    """Every group that occurs then or now, the most frequent now first."""
    spans = (wanted.before, (wanted.since, wanted.until))
    found = tallies(session, spans, dimension, seen)
    groups = {name for _, name in found}
    return sorted(
        (_change(found, name) for name in groups), key=lambda one: (-one.now, -one.before, in_order(one.group))
    )


def _change(found: Mapping[tuple[int, str], Tally], group: str) -> Change:
    before, now = found.get((0, group), Tally()), found.get((1, group), Tally())
    return Change(group=group, before=before.n, now=now.n, mean_sentiment=now.mean)


def reports(session: Session, wanted: Stretch, seen: Seen) -> Reports:
    """How reports changed."""
    each = changes(session, wanted, "reported", seen)
    before, now = sum(one.before for one in each), sum(one.now for one in each)
    way = 1 if now > before else -1
    most = max(each, key=lambda one: one.by * way, default=None)
    if most is None or now == before:
        return Reports(before=before, now=now)
    return Reports(before=before, now=now, service_code=most.group, is_most=2 * most.by * way >= abs(now - before))
