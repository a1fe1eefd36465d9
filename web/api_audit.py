"""``/api/v1/audit``: who decided what and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from store import inbox
from store.inbox import Slice
from web import deps, shapes, shown
from web.asked import Paged
from web.deps import Deployed, Viewer
from web.errors import paging

router = deps.noun("audit")


@router.get("")
def list_audit(d: Deployed, _who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.AuditEntry]:
    """The append-only log, the newest entry first: ids and hashes, never words. `harken verify-audit` checks it."""
    with d.store.reading() as session, paging():
        found = inbox.audit(session, Slice(limit=asked.limit, cursor=asked.cursor))
        return shapes.Listed(items=[shown.audit(row) for row in found.rows], next=found.next)
