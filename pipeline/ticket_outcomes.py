"""What becomes of a ticket's row: the CRM has it, or a person must look."""

from __future__ import annotations

import logging

from sqlmodel import Session, col, select

from store import attention, audit, clock, facts, requests, work
from store.tables import DraftRow, MentionRow, ReplyRow, RequestMentionRow, ServiceRequestRow, TicketRow
from store.work import Claim
from vocabulary import DraftState, Ticket, TicketStatus

log = logging.getLogger(__name__)


def opened(session: Session, row: TicketRow, ticket: Ticket) -> None:
    """The CRM has it. Not fenced on purpose: a late truth is still the truth."""
    if row.state in {"open", "closed"}:  # adopted meanwhile
        _tell_if_doubled(session, row, ticket)
        return
    row.state = "closed" if ticket.status is TicketStatus.CLOSED else "open"
    row.service_request_id, row.token = ticket.service_request_id or row.service_request_id, ticket.token
    row.opened_at, row.error = clock.read(session), None
    session.add(row)
    request = session.get_one(ServiceRequestRow, row.request_id)
    if ticket.expected_at is not None:
        request.expected_at, request.expected_basis = ticket.expected_at, "the CRM's own date"
        session.add(request)
    requests.event(session, row.request_id, "ticket_opened", by=f"crm:{row.crm}", detail=row.service_request_id or "")
    hashes = {"key": row.key, "number": row.service_request_id or row.token or ""}
    audit.append(session, by="system", action="ticket.opened", subject=f"ticket:{row.id}", hashes=hashes)
    attention.settle(session, "ticket", str(row.id))
    decided = select(DraftRow).where(
        DraftRow.request_id == row.request_id, DraftRow.kind == "request_only", DraftRow.state == DraftState.APPROVED
    )
    for draft in session.exec(decided).all():
        draft.state = DraftState.SENT
        session.add(draft)
    _mentions_filed(session, row.request_id)
    _wake_replies(session, row.request_id)


def _wake_replies(session: Session, request_id: int) -> None:
    """What waits for the ticket need wait no longer: it looks by itself only now and then."""
    waiting = (
        select(ReplyRow)
        .join(DraftRow, col(DraftRow.id) == col(ReplyRow.draft_id))
        .where(DraftRow.request_id == request_id, ReplyRow.state == "approved")
    )
    for reply in session.exec(waiting).all():
        work.put(session, "reply", reply.id, lane=f"account:{reply.account_id}")


def _tell_if_doubled(session: Session, row: TicketRow, ticket: Ticket) -> None:
    numbers = (row.service_request_id, ticket.service_request_id)
    if None in numbers or len(set(numbers)) == 1:
        return
    request = session.get_one(ServiceRequestRow, row.request_id)
    log.error("ticket %d was opened twice", row.id, extra={"ticket": row.id})
    attention.raise_(
        session,
        kind="double",
        ref=f"ticket {row.id}",
        summary=f"{request.reference} has two tickets: {', '.join(map(str, numbers))}",
        remedy="close the second one in the CRM; nothing is closed by itself",
    )
    hashes = {"key": row.key, "numbers": " ".join(map(str, numbers))}
    audit.append(session, by="system", action="ticket.doubled", subject=f"ticket:{row.id}", hashes=hashes)


def _mentions_filed(session: Session, request_id: int) -> None:
    """A mention whose reply was not wanted is done when its request is filed."""
    mentions = (
        select(MentionRow)
        .join(RequestMentionRow, col(RequestMentionRow.mention_id) == col(MentionRow.id))
        .where(RequestMentionRow.request_id == request_id, col(MentionRow.state).in_(("assessed", "drafted")))
    )
    for mention in session.exec(mentions):
        undecided = select(DraftRow.id).where(
            DraftRow.mention_id == mention.id, col(DraftRow.state).in_(("pending", "held", "approved", "sending"))
        )
        if session.exec(undecided).first() is None:
            mention.state = "filed"
            session.add(mention)


def adopt(session: Session, claim: Claim, row: TicketRow, found: Ticket) -> None:
    """The CRM shows it: it was opened, whatever we were told."""
    opened(session, row, found)
    if found.status is TicketStatus.CLOSED:  # while nobody knew its number, so its change was let pass
        facts.hear_again(session, found.updated_at or session.get_one(ServiceRequestRow, row.request_id).requested_at)
    work.finish(session, [claim])


def fail(session: Session, claim: Claim, row: TicketRow) -> None:
    """Nothing more is tried; a person must look."""
    row.state = "failed"
    session.add(row)
    work.finish(session, [claim])
    requests.event(session, row.request_id, "ticket_failed", by="system", detail=row.error or "")
    audit.append(session, by="system", action="ticket.failed", subject=f"ticket:{row.id}")
    _wake_replies(session, row.request_id)
    request = session.get_one(ServiceRequestRow, row.request_id)
    attention.raise_(
        session,
        kind="ticket",
        ref=str(row.id),
        summary=f"{request.reference}: the CRM has no ticket: {row.error}",
        remedy="mend the cause, then replay; the CRM is read before anything is opened again",
    )
