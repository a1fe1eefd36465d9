"""``/api/v1/accounts``: the city's logins, and whether what is approved leaves."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from sqlmodel import Session, col, select

from errors import ConfigError
from pipeline import decide
from pipeline.deployment import Deployment
from store import cursors
from store.people import Principal
from store.refusals import Conflict
from store.tables import AccountRow, GapRow
from web import deps, shapes, shown
from web.asked import Asked, Paged
from web.deps import Admin, Deployed, Viewer
from web.errors import paging

router = deps.noun("accounts")


class SendingAsked(Asked):
    """Whether approved replies leave."""

    mode: Literal["armed", "dry_run"]


@router.get("")
def list_accounts(d: Deployed, who: Viewer, asked: Annotated[Paged, Query()]) -> shapes.Listed[shapes.Account]:
    """The city's accounts, by name; all on one page unless `limit` says less."""
    with d.store.reading() as session, paging():
        rows = [row for row in _accounts(session, d) if _seen(who, row)]
        if asked.cursor is not None:
            after = cursors.decode("accounts", asked.cursor, (str,))[0]
            rows = [row for row in rows if row.name > after]
        page, more = rows[: asked.limit], len(rows) > asked.limit
        last = cursors.encode("accounts", page[-1].name) if more else None
        return shapes.Listed(items=_shown(session, d, page), next=last)


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


@router.put("/{name}/sending")
def set_sending(d: Deployed, who: Admin, name: str, asked: SendingAsked) -> shapes.Account:
    """Arm an account, or put it back to dry run. 409 says what is still missing."""
    try:
        decide.set_sending(d, who, name, asked.mode)
    except ConfigError as err:
        raise Conflict(str(err), code="config") from err
    with d.store.reading() as session:
        return _shown(session, d, [row for row in _accounts(session, d) if row.name == name])[0]
