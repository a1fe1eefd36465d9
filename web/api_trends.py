"""``/api/v1/trends``: how much of what, over time. Reads roll-ups, never scans mentions."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field, PlainValidator, TypeAdapter, WithJsonSchema

from analytics.calendar import MOST_BUCKETS, BadRange, By, buckets, day_of, usual
from analytics.trends import Group, points, seen_by
from store.types import now
from web import deps, shapes
from web.asked import Asked, Moment
from web.deps import Deployed, Viewer
from web.errors import BadRequest

router = deps.noun("trends")
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = TypeAdapter[datetime](Moment)


def _when(value: Any) -> date | datetime:
    if not isinstance(value, str) or not DATE.fullmatch(value):
        return _MOMENT.validate_python(value)
    try:
        return date.fromisoformat(value)
    except ValueError as err:
        raise ValueError(f"{value} is no day of the calendar") from err


When = Annotated[
    date | datetime,
    PlainValidator(_when),
    WithJsonSchema({"type": "string", "examples": ["2026-11-01", "2026-11-21T15:00:00Z"]}),
]


class TrendsAsked(Asked):
    """Which range, and how it is cut."""

    since: When | None = Field(
        default=None, alias="from", description="a date of the city, or RFC 3339; left out: 30 days up to `to`"
    )
    until: When | None = Field(
        default=None, alias="to", description="a date is the last day, a time is not in the range; left out: today"
    )
    by: By = Field(
        default="day", description="buckets start at the city's midnight, Monday or full hour, and are whole"
    )
    group: Group = "sentiment"


class TrendPoint(shapes.Shape):
    """One group in one bucket; zeros too, for every group that occurs in the range."""

    bucket: str = Field(description="when it starts, in UTC", examples=["2026-11-01T05:00:00Z"])
    group: str = Field(description="`none`: not assessed yet, about no service, or at no known place")
    count: int = Field(description="posts about the city; its own never count, deleted ones do")
    mean_sentiment: float | None = Field(description="-1 to 1 over those that have a sentiment; null where none has")


@router.get("")
def list_trends(d: Deployed, who: Viewer, asked: Annotated[TrendsAsked, Query()]) -> shapes.Listed[TrendPoint]:
    """How many posts of each group were heard, the last bucket first. All of it at once: 2,000 buckets are the most."""
    zone = d.settings.zone
    try:
        since, until = usual(asked.since, asked.until, today=day_of(now(), zone))
        over = buckets(zone, since, until, asked.by, at_most=MOST_BUCKETS)
    except BadRange as err:
        raise BadRequest(str(err), field=err.field) from err
    with d.store.reading() as session:
        found = points(session, over, asked.group, seen_by(who, d.services))
    newest_first = sorted(found, key=lambda one: one.bucket, reverse=True)
    items = [
        TrendPoint(bucket=one.bucket, group=one.group, count=one.count, mean_sentiment=one.mean_sentiment)
        for one in newest_first
    ]
    return shapes.Listed(items=items)
