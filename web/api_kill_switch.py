"""``/api/v1/kill-switch``: stops sending at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field

from pipeline import decide
from store import cursors, facts
from web import deps, reach, shapes, shown
from web.asked import Asked, Name, Paged, Reason
from web.deps import Deployed, ResponderOrAdmin, Viewer
from web.errors import paging

router = deps.noun("kill-switch")


class SwitchAsked(Asked):
    """What is stopped, or goes on."""

    scope: Name = Field(examples=["all", "platform:x", "account:city_hall_x"])
    on: bool = Field(strict=True)
    reason: Reason


@router.get("")
def list_switches(d: Deployed, _who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.KillSwitch]:
    """Every switch that was ever touched, the last touched first."""
    with d.store.reading() as session, paging():
        rows = sorted(facts.switches(session).items(), key=lambda one: (one[1].changed_at, one[0]), reverse=True)
        if asked.cursor is not None:
            after = cursors.decode("kill-switch", asked.cursor, (datetime, str))
            rows = [one for one in rows if (one[1].changed_at, one[0]) < after]
        page, more = rows[: asked.limit], len(rows) > asked.limit
        last = cursors.encode("kill-switch", page[-1][1].changed_at, page[-1][0]) if more else None
        return shapes.Listed(items=[shown.kill_switch(scope, row) for scope, row in page], next=last)


@router.put("")
def set_switch(d: Deployed, who: ResponderOrAdmin, asked: SwitchAsked) -> shapes.KillSwitch:
    """Stop sending at once (responder), or let it go on (approver or admin)."""
    reach.kill_switch(d, who, asked.scope, on=asked.on)
    decide.set_kill_switch(d, who, scope=asked.scope, on=asked.on, reason=asked.reason)
    with d.store.reading() as session:
        return shown.kill_switch(asked.scope, facts.switches(session)[asked.scope])
