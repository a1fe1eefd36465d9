"""Opening tickets: intent row, claim, call, confirm; what is in doubt is read back before anything else.

Protocol: claim in one transaction (the attempt counts before the call), call outside of any, confirm in another. After
the first byte is out, a time-out or 5xx is no failure but doubt: the CRM is searched for our key, after a pause that
exceeds the time in which the call could still take effect.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, select

import crashing
from errors import AdapterError, InDoubt, RateLimited, Refused, Unauthorized
from pipeline.deployment import Deployment
from pipeline.taking import take_each
from store import attention, audit, content, facts, requests, work
from store.tables import DraftRow, MentionRow, RequestMentionRow, ServiceRequestRow, TicketRow
from store.types import now
from store.work import Claim
from vocabulary import DraftState, ServiceRequest, Ticket, TicketStatus

log = logging.getLogger(__name__)

KIND = "ticket"
TRIES = 2  #: the weakest target has no key of ours: after one more try a person decides. Source: reliability notes, b5
PAUSE = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """What is to be done about a ticket outside of the transaction."""

    ticket_id: int
    what: str  #: open, read_back, nothing
    request: ServiceRequest | None = None
    key: str = ""
    fence: int = 0


def file_due(deployment: Deployment, *, worker: str) -> int:
    """Take the tickets that are due a step further; gives how many."""
    return take_each(deployment, KIND, _one_step, worker=worker, limit=8)


def _one_step(deployment: Deployment, claim: Claim) -> None:
    with deployment.store.writing() as session:
        step = _prepare(session, deployment, claim)
    if step.what == "open":
        _open(deployment, claim, step)
    elif step.what == "read_back":
        _read_back(deployment, claim, step)


def _prepare(session: Session, deployment: Deployment, claim: Claim) -> _Step:
    row = session.get_one(TicketRow, int(claim.ref))
    nothing = _Step(ticket_id=row.id, what="nothing")
    moment = now()
    if row.state in {"sending", "in_doubt"}:
        if row.not_before is not None and row.not_before > moment:
            work.later(session, claim, at=row.not_before, free=True)
            return nothing
        row.state = "in_doubt"
        session.add(row)
        return _step(session, row, "read_back")
    if row.state != "pending":
        work.finish(session, [claim])
        return nothing
    if facts.kill_switch(session, platform="crm", account="crm") is not None:
        work.later(session, claim, at=moment + PAUSE, free=True)
        return nothing
    if deployment.settings.crm.sending != "armed":  # put back to dry run since: it waits until it is armed again
        work.later(session, claim, at=moment + PAUSE, free=True)
        return nothing
    if deployment.crm is None:
        opened(session, row, Ticket(service_request_id=_own_number(session, row)))
        work.finish(session, [claim])
        return nothing
    row.state, row.attempt, row.fence = "sending", row.attempt + 1, row.fence + 1
    row.not_before = moment + deployment.settings.sending.settle
    session.add(row)
    return _step(session, row, "open")


def _own_number(session: Session, row: TicketRow) -> str:
    return session.get_one(ServiceRequestRow, row.request_id).reference


def _step(session: Session, row: TicketRow, what: str) -> _Step:
    request = session.get_one(ServiceRequestRow, row.request_id)
    value = ServiceRequest(
        reference=request.reference,
        service_code=request.service_code,
        description=content.words(session, request.description_id),
        address=request.address,
        lat=request.lat,
        long=request.long,
        requested_at=request.requested_at,
    )
    return _Step(ticket_id=row.id, what=what, request=value, key=row.key, fence=row.fence)


def _open(deployment: Deployment, claim: Claim, step: _Step) -> None:
    assert deployment.crm is not None
    assert step.request is not None
    try:
        crashing.here("ticket.calling")
        ticket = deployment.crm.open_ticket(step.request, key=step.key)
    except AdapterError as err:
        crashing.here("ticket.refused")
        with deployment.store.writing() as session:
            _not_opened(session, deployment, claim, step, err)
        return
    crashing.here("ticket.called")
    with deployment.store.writing() as session:
        opened(session, session.get_one(TicketRow, step.ticket_id), ticket)
        crashing.here("ticket.confirming")
        work.finish(session, [claim])
    crashing.here("ticket.confirmed")


def opened(session: Session, row: TicketRow, ticket: Ticket) -> None:
    """The CRM has it. Not fenced on purpose: a late truth is still the truth."""
    row.state = "closed" if ticket.status is TicketStatus.CLOSED else "open"
    row.service_request_id, row.token = ticket.service_request_id or row.service_request_id, ticket.token
    row.opened_at, row.error = now(), None
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


def _not_opened(session: Session, deployment: Deployment, claim: Claim, step: _Step, err: AdapterError) -> None:
    row = session.get_one(TicketRow, step.ticket_id)
    if row.state != "sending" or row.fence != step.fence:
        return
    row.error = f"{type(err).__name__}: {err}"[:500]
    moment = now()
    if isinstance(err, InDoubt):
        row.state, row.not_before = "in_doubt", moment + deployment.settings.sending.settle
        work.later(session, claim, at=row.not_before, free=True)
    elif isinstance(err, (Refused, Unauthorized)) or row.attempt >= work.MAX_ATTEMPTS:
        _fail(session, claim, row)
    else:
        row.state = "pending"
        at = err.retry_at if isinstance(err, RateLimited) else moment + work.wait_after(row.attempt)
        work.later(session, claim, at=at, error=row.error, free=True)
    session.add(row)


def _fail(session: Session, claim: Claim, row: TicketRow) -> None:
    row.state = "failed"
    session.add(row)
    work.finish(session, [claim])
    requests.event(session, row.request_id, "ticket_failed", by="system", detail=row.error or "")
    audit.append(session, by="system", action="ticket.failed", subject=f"ticket:{row.id}")
    request = session.get_one(ServiceRequestRow, row.request_id)
    attention.raise_(
        session,
        kind="ticket",
        ref=str(row.id),
        summary=f"{request.reference}: the CRM has no ticket: {row.error}",
        remedy="mend the cause, then replay; the CRM is read before anything is opened again",
    )


def _read_back(deployment: Deployment, claim: Claim, step: _Step) -> None:
    assert deployment.crm is not None
    assert step.request is not None
    try:
        found = deployment.crm.find(step.request, key=step.key)
    except AdapterError as err:
        with deployment.store.writing() as session:
            row = session.get_one(TicketRow, step.ticket_id)
            row.error = f"could not be read back: {err}"[:500]
            session.add(row)
            if isinstance(err, Refused):  # it never can be: a person decides, or there might be two tickets
                _fail(session, claim, row)
                return
            work.later(session, claim, at=now() + deployment.settings.sending.settle, error=row.error, free=True)
        return
    crashing.here("ticket.read_back")
    with deployment.store.writing() as session:
        row = session.get_one(TicketRow, step.ticket_id)
        if row.state != "in_doubt":
            work.finish(session, [claim])
        elif found is not None:
            opened(session, row, found)
            if found.status is TicketStatus.CLOSED:  # while nobody knew its number, so its change was let pass
                facts.hear_again(
                    session, found.updated_at or session.get_one(ServiceRequestRow, row.request_id).requested_at
                )
            work.finish(session, [claim])
        elif row.attempt >= TRIES:
            _fail(session, claim, row)
        else:
            row.state = "pending"
            session.add(row)
            work.later(session, claim, at=now(), free=True)


def as_ticket(row: TicketRow) -> Ticket:
    """A ticket's row as the value that a bridge takes."""
    return Ticket(service_request_id=row.service_request_id, token=row.token)
