"""``/api/v1/attention``: what was given up on, until a person has dealt with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from sqlmodel import Session, select

from pipeline import decide
from pipeline.deployment import Deployment
from store import inbox, sight
from store.inbox import Slice
from store.refusals import Missing
from store.tables import AccountRow, AttentionRow
from web import deps, shapes, shown
from web.asked import Because, Paged
from web.deps import Deployed, ResponderOrAdmin, Viewer
from web.errors import paging
from web.reach import AttentionToSettle

router = deps.noun("attention")


@router.get("")
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


@router.post("/{attention_id}/ack")
def acknowledge(d: Deployed, who: ResponderOrAdmin, attention_id: AttentionToSettle) -> shapes.Attention:
    """Own it."""
    decide.attention_ack(d, who, attention_id)
    return _one_attention(d, attention_id)


@router.post("/{attention_id}/replay")
def replay(d: Deployed, who: ResponderOrAdmin, attention_id: AttentionToSettle) -> shapes.Attention:
    """Try it again."""
    decide.attention_replay(d, who, attention_id)
    return _one_attention(d, attention_id)


@router.post("/{attention_id}/discard")
def discard(d: Deployed, who: ResponderOrAdmin, attention_id: AttentionToSettle, asked: Because) -> shapes.Attention:
    """Let it be, with a name and a reason on it; nothing is deleted."""
    decide.attention_discard(d, who, attention_id, reason=asked.reason)
    return _one_attention(d, attention_id)
