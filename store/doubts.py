"""After a copy or a restore, whatever was under way may have been done since: it is read back before it is done.

A backup is older than the world, and who copied a store may have stopped a worker in the middle of a call. So each
reply and each ticket that was to go out becomes one whose outcome is unknown, and the thread or the CRM is read first.
"""

from datetime import datetime

from sqlalchemy import CursorResult, String, Update, cast, update
from sqlmodel import Session, col, select

from store.tables import DraftRow, ReplyRow, TicketRow, WorkRow

UNFINISHED_REPLY = ("approved", "sending", "in_doubt")
UNFINISHED_TICKET = ("pending", "sending", "in_doubt")
#: Its tickets are rows of ours and nothing else: there is nothing outside to read back.
OUR_OWN_CRM = "builtin"


def doubt_unfinished(session: Session, *, until: datetime) -> int:
    """Put every unfinished reply and ticket in doubt; gives how many.

    Args:
        session: of a store that no worker has.
        until: before this nothing is read back: what was called last may still take effect.
    """
    doubt = {"state": "in_doubt", "not_before": until, "not_found": 0}
    replies = _count(session, update(ReplyRow).where(col(ReplyRow.state).in_(UNFINISHED_REPLY)).values(**doubt))
    unfinished = col(TicketRow.state).in_(UNFINISHED_TICKET) & (col(TicketRow.crm) != OUR_OWN_CRM)
    tickets = _count(session, update(TicketRow).where(unfinished).values(**doubt))
    in_doubt = {
        "reply": select(cast(ReplyRow.id, String)).where(ReplyRow.state == "in_doubt"),
        "ticket": select(cast(TicketRow.id, String)).where(TicketRow.state == "in_doubt"),
    }
    of_replies = select(ReplyRow.draft_id).where(ReplyRow.state == "in_doubt")
    session.execute(update(DraftRow).where(col(DraftRow.id).in_(of_replies)).values(state="in_doubt"))
    for kind, ids in in_doubt.items():
        waiting = (col(WorkRow.kind) == kind) & col(WorkRow.state).in_(("ready", "leased")) & col(WorkRow.ref).in_(ids)
        fenced = {"state": "ready", "fence": col(WorkRow.fence) + 1, "lease_until": None, "not_before": until}
        session.execute(update(WorkRow).where(waiting).values(**fenced))
    return replies + tickets


def _count(session: Session, statement: Update) -> int:
    changed = session.execute(statement)
    assert isinstance(changed, CursorResult)
    return changed.rowcount
