"""Trends: what people write to the city about, and how it changes. For everybody on the staff, within their grants."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlmodel import Session

from analytics import changes, rollup
from analytics.calendar import MOST_BUCKETS, BadRange, Buckets, By, buckets, day_of, usual
from analytics.trends import GROUPS, Group, Seen, points, rfc3339, seen_by
from pipeline.deployment import Deployment
from store.types import now
from web import trends_shown
from web.deps import Deployed, StaffDep
from web.pages import page

router = APIRouter()
MOST_ROWS = 800  #: of a table on the page; the API and the download have more
USUAL_GROUPS: tuple[Group, ...] = ("sentiment", "service_code", "platform", "neighborhood")
#: A spreadsheet would take a cell that begins like this for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the form says, as it was typed."""

    since: str = ""
    until: str = ""
    by: str = ""
    group: str = ""


def _wanted(request: Request) -> Wanted:
    """Longer than any right value is wrong anyway."""
    since, until, by, group = (request.query_params.get(name, "")[:20] for name in ("from", "to", "by", "group"))
    return Wanted(since=since, until=until, by=by, group=group)


Form = Annotated[Wanted, Depends(_wanted)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """What is shown."""

    since: date
    until: date
    by: By
    over: Buckets
    groups: tuple[Group, ...]


@router.get("/console/trends")
def trends_page(request: Request, d: Deployed, who: StaffDep, form: Form, format: str = "") -> Response:
    """Charts and tables, or one of the tables as a file."""
    seen = seen_by(who, d.services)
    trouble = None
    try:
        asked = _range(d, form, at_most=MOST_BUCKETS if format == "csv" else MOST_ROWS)
    except BadRange as err:
        trouble, asked = err, _range(d, Wanted(), at_most=MOST_ROWS)
    if format == "csv" and trouble is None:
        return _download(d, asked, seen)
    with d.store.reading() as session:
        context = _context(session, d, asked, seen)
    context |= {"who": who, "form": form, "trouble": trouble, "query": _query(asked)}
    return page(request, "console/trends/page.html", status=400 if trouble else 200, **context)


def _range(d: Deployment, form: Wanted, *, at_most: int) -> Range:
    zone = d.settings.zone
    since, until = usual(_date(form.since, "from"), _date(form.until, "to"), today=day_of(now(), zone))
    by: Any = form.by or "day"
    group: Any = form.group
    if by not in get_args(By):
        raise BadRange(f"{by!r} is not known; choose day, week or hour", field="by")
    if group and group not in GROUPS:
        raise BadRange(f"{group!r} is not known; choose from the list", field="group")
    over = buckets(zone, since, until, by, at_most=at_most)
    return Range(since=since, until=until, by=by, over=over, groups=(group,) if group else USUAL_GROUPS)


def _date(text: str, field: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as err:
        raise BadRange(f"{text!r} is no date, like 2026-11-21", field=field) from err


def _context(session: Session, d: Deployment, asked: Range, seen: Seen) -> dict[str, Any]:
    zone = d.settings.zone
    wanted = changes.stretch(asked.over, now(), zone)
    name = trends_shown.name_of(d, "service_code")
    return {
        "asked": asked,
        "sentence": trends_shown.sentence(changes.reports(session, wanted, seen), wanted, name, zone),
        "sections": [
            trends_shown.section(session, d, asked.over, asked.by, wanted, group, seen) for group in asked.groups
        ],
        "stretch": wanted,
        "titles": trends_shown.TITLES,
        "often": trends_shown.ranges(day_of(now(), zone)),
        "sees_all": seen.accounts is None,
        "up_to_date": rollup.is_up_to_date(session),
    }


def _query(asked: Range) -> str:
    return f"from={asked.since.isoformat()}&to={asked.until.isoformat()}&by={asked.by}"


def _download(d: Deployment, asked: Range, seen: Seen) -> Response:
    with d.store.reading() as session:
        lines = [line for group in asked.groups for line in _lines(session, d, asked, group, seen)]
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(("bucket", "bucket_local", "grouped_by", "group", "name", "count", "mean_sentiment"))
    out.writerows(lines)
    what = asked.groups[0] if len(asked.groups) == 1 else "all"
    file = f"trends-{what}-{asked.since.isoformat()}-{asked.until.isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _lines(session: Session, d: Deployment, asked: Range, group: Group, seen: Seen) -> Iterator[tuple[object, ...]]:
    name = trends_shown.name_of(d, group)
    local = {rfc3339(start): start.astimezone(d.settings.zone).isoformat() for start in asked.over.starts}
    for one in points(session, asked.over, group, seen):
        words = (harmless(one.group), harmless(name(one.group)))
        yield one.bucket, local[one.bucket], group, *words, one.count, one.mean_sentiment


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
