"""``/api/v1/alarms``: a person may be in danger."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from store import inbox, sight
from store.inbox import Slice
from web import deps, shapes, shown
from web.asked import Paged
from web.deps import Deployed, Viewer
from web.errors import paging

router = deps.noun("alarms")


@router.get("")
def list_alarms(d: Deployed, who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.Alarm]:
    """Alarms, the newest first; open are those without an outcome."""
    page = Slice(limit=asked.limit, cursor=asked.cursor)
    with d.store.reading() as session, paging():
        found = inbox.alarms(session, sight.sight(who, d.services), page)
        return shapes.Listed(items=[shown.alarm(row) for row in found.rows], next=found.next)
