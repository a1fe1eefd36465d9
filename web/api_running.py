"""``/api/v1/accounts``, ``/kill-switch``, ``/attention``, ``/alarms``, ``/audit``: how it runs, and who said so."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field
from sqlmodel import Session, col, select

from errors import ConfigError
from pipeline import decide
from pipeline.deployment import Deployment
from store import facts, inbox, sight
from store.inbox import Slice
from store.people import Principal
from store.refusals import Conflict, Forbidden, Missing
from store.tables import AccountRow, AttentionRow, GapRow
from web import deps, shapes, shown
from web.asked import Asked, Because, Name, Paged, Reason
from web.deps import Admin, Deployed, ResponderOrAdmin, Viewer
from web.errors import paging
from web.reach import AttentionToSettle

accounts = deps.noun("accounts")
kill_switch = deps.noun("kill-switch")
attention = deps.noun("attention")
alarms = deps.noun("alarms")
audit = deps.noun("audit")


class SendingAsked(Asked):
    """Whether approved replies leave."""

    mode: Literal["armed", "dry_run"]


class SwitchAsked(Asked):
    """What is stopped, or goes on."""

    scope: Name = Field(examples=["all", "platform:x", "account:city_hall_x"])
    on: bool = Field(strict=True)
    reason: Reason


@accounts.get("")
def list_accounts(d: Deployed, who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.Account]:
    """The city's accounts, by name; all on one page unless `limit` says less."""
    with d.store.reading() as session:
        rows = [row for row in _accounts(session, d) if _seen(who, row)]
        start = next((i for i, row in enumerate(rows) if asked.cursor is not None and row.name > asked.cursor), 0)
        page = rows[start : start + asked.limit] if asked.cursor is None or start else []
        more = bool(page) and page[-1] is not rows[-1]
        return shapes.Listed(items=_shown(session, d, page), next=page[-1].name if more else None)


def _accounts(session: Session, d: Deployment) -> list[AccountRow]:
    query = select(AccountRow).where(col(AccountRow.name).in_(list(d.accounts()))).order_by(col(AccountRow.name))
    return list(session.exec(query))


def _seen(who: Principal, row: AccountRow) -> bool:
    return any(one.account_id in (None, row.id) for one in who.granted("viewer"))


def _shown(session: Session, d: Deployment, rows: list[AccountRow]) -> list[shapes.Account]:
    query = (
        select(GapRow).where(col(GapRow.account_id).in_([row.id for row in rows])).order_by(col(GapRow.to_at).desc())
    )
    gaps = list(session.exec(query))
    return [shown.account(d, row, (gap for gap in gaps if gap.account_id == row.id)) for row in rows]


@accounts.put("/{name}/sending")
def set_sending(d: Deployed, who: Admin, name: str, asked: SendingAsked) -> shapes.Account:
    """Arm an account, or put it back to dry run. 409 says what is still missing."""
    try:
        decide.set_sending(d, who, name, asked.mode)
    except ConfigError as err:
        raise Conflict(str(err), code="config") from err
    with d.store.reading() as session:
        return _shown(session, d, [row for row in _accounts(session, d) if row.name == name])[0]


@kill_switch.get("")
def list_switches(d: Deployed, _who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.KillSwitch]:
    """Every switch that was ever touched, the last touched first."""
    with d.store.reading() as session:
        rows = sorted(facts.switches(session).items(), key=lambda one: one[1].changed_at, reverse=True)
        return shapes.Listed(items=[shown.kill_switch(scope, row) for scope, row in rows[: asked.limit]])


@kill_switch.put("")
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
        mine = {f"account:{row.name}" for row in _accounts(session, d) if row.id in {one.account_id for one in grants}}
    return scope in mine


@attention.get("")
def list_attention(d: Deployed, who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.Attention]:
    """What was given up on and nobody has dealt with, the newest first."""
    page = Slice(limit=asked.limit, cursor=asked.cursor)
    with d.store.reading() as session, paging():
        found = inbox.attention(session, sight.sight(who, d.services), page)
        names = _account_names(session)
        return shapes.Listed(items=[shown.attention(row, names) for row in found.rows], next=found.next)


def _account_names(session: Session) -> dict[int, str]:
    return {row.id: row.name for row in session.exec(select(AccountRow))}


def _one_attention(d: Deployment, attention_id: int) -> shapes.Attention:
    with d.store.reading() as session:
        row = session.get(AttentionRow, attention_id)
        if row is None:
            raise Missing(f"nothing has the number {attention_id}")
        return shown.attention(row, _account_names(session))


@attention.post("/{attention_id}/ack")
def acknowledge(d: Deployed, who: ResponderOrAdmin, attention_id: AttentionToSettle) -> shapes.Attention:
    """Own it."""
    decide.attention_ack(d, who, attention_id)
    return _one_attention(d, attention_id)


@attention.post("/{attention_id}/replay")
def replay(d: Deployed, who: ResponderOrAdmin, attention_id: AttentionToSettle) -> shapes.Attention:
    """Try it again."""
    decide.attention_replay(d, who, attention_id)
    return _one_attention(d, attention_id)


@attention.post("/{attention_id}/discard")
def discard(d: Deployed, who: ResponderOrAdmin, attention_id: AttentionToSettle, asked: Because) -> shapes.Attention:
    """Let it be, with a name and a reason on it; nothing is deleted."""
    decide.attention_discard(d, who, attention_id, reason=asked.reason)
    return _one_attention(d, attention_id)


@alarms.get("")
def list_alarms(d: Deployed, who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.Alarm]:
    """Alarms, the newest first; open are those without an outcome."""
    page = Slice(limit=asked.limit, cursor=asked.cursor)
    with d.store.reading() as session, paging():
        found = inbox.alarms(session, sight.sight(who, d.services), page)
        return shapes.Listed(items=[shown.alarm(row) for row in found.rows], next=found.next)


@audit.get("")
def list_audit(d: Deployed, _who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.AuditEntry]:
    """The append-only log, the newest entry first: ids and hashes, never words. `harken verify-audit` checks it."""
    with d.store.reading() as session, paging():
        found = inbox.audit(session, Slice(limit=asked.limit, cursor=asked.cursor))
        return shapes.Listed(items=[shown.audit(row) for row in found.rows], next=found.next)
