"""Trying again what was given up on."""

from __future__ import annotations

from sqlmodel import Session

from store import breaker, quarantine, work
from store.refusals import Conflict
from store.tables import AccountRow, AttentionRow, DraftRow, MentionRow, TicketRow
from store.types import now


def replay(session: Session, row: AttentionRow, account: AccountRow | None) -> None:
    """Give what an attention row is about another try.

    Raises:
        Conflict: it is not something that can be tried again.
    """
    if row.kind == "work":
        kind, _, ref = row.ref.partition(":")
        work.replay(session, kind, ref)
    elif row.kind == "mention":
        mention = session.get_one(MentionRow, int(row.ref))
        mention.state = "new"
        session.add(mention)
        work.put(session, "assess", mention.id)
    elif row.kind == "ticket":
        ticket = session.get_one(TicketRow, int(row.ref))
        # A failure may have been a lie: the CRM is read before anything is opened again, once, since it has rested.
        ticket.state, ticket.attempt, ticket.not_before, ticket.error, ticket.not_found = "in_doubt", 0, now(), None, 1
        session.add(ticket)
        work.put(session, "ticket", ticket.id)
    elif row.kind == "account" and account is not None:
        account.state, account.not_before, account.failures = "ok", None, 0
        session.add(account)
    elif row.kind == breaker.KIND and account is not None:
        breaker.go_on(session, account.id, breaker.source_of(row.ref))
    else:
        raise Conflict(_what_to_do(session, row), code="not_replayable")


def _what_to_do(session: Session, row: AttentionRow) -> str:
    if row.kind == "draft":
        draft = session.get(DraftRow, int(row.ref))
        return f"open draft {row.ref} and decide there" if draft else "this draft is gone"
    if row.kind == quarantine.KIND:  # it was read once more before this: see ``pipeline.rereading``
        return "this version of Harken can't read it either; its bytes are kept for one that can"
    return f"{row.kind} can't be tried again by itself; {row.remedy or 'discard it when it is settled'}"
