"""``/api/v1/kill-switch``: stops sending at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field
from sqlmodel import col, select

from pipeline import decide
from pipeline.deployment import Deployment
from store import facts
from store.people import Principal
from store.refusals import Forbidden
from store.tables import AccountRow
from web import deps, shapes, shown
from web.asked import Asked, Name, Paged, Reason
from web.deps import Deployed, ResponderOrAdmin, Viewer

router = deps.noun("kill-switch")


class SwitchAsked(Asked):
    """What is stopped, or goes on."""

    scope: Name = Field(examples=["all", "platform:x", "account:city_hall_x"])
    on: bool = Field(strict=True)
    reason: Reason


@router.get("")
def list_switches(d: Deployed, _who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.KillSwitch]:
    """Every switch that was ever touched, the last touched first."""
    with d.store.reading() as session:
        rows = sorted(facts.switches(session).items(), key=lambda one: one[1].changed_at, reverse=True)
        return shapes.Listed(items=[shown.kill_switch(scope, row) for scope, row in rows[: asked.limit]])


@router.put("")
def set_switch(d: Deployed, who: ResponderOrAdmin, asked: SwitchAsked) -> shapes.KillSwitch:
    """Stop sending at once (responder), or let it go on (approver or admin)."""
    if not asked.on and not (who.may("approver") or who.may("admin")):
        raise Forbidden("to let it go on takes the role approver or admin")
    if not _may_switch(d, who, asked.scope):
        raise Forbidden("this switch concerns accounts that you were not granted")
    decide.set_kill_switch(d, who, scope=asked.scope, on=asked.on, reason=asked.reason)
    with d.store.reading() as session:
        return shown.kill_switch(asked.scope, facts.switches(session)[asked.scope])


def _may_switch(d: Deployment, who: Principal, scope: str) -> bool:
    """Who was granted one account may stop that one."""
    grants = (*who.granted("responder"), *who.granted("admin"))
    if any(one.account_id is None and one.department_id is None for one in grants):
        return True
    with d.store.reading() as session:
        query = select(AccountRow.name).where(col(AccountRow.id).in_([one.account_id for one in grants]))
        return scope in {f"account:{name}" for name in session.exec(query)}
