"""Service requests: proposed with a draft, filed on approval, closed by the CRM or by staff."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from store import audit, content
from store.tables import (
    DepartmentRow,
    MentionRow,
    RequestEventRow,
    RequestMentionRow,
    RequestProposalRow,
    ServiceRequestRow,
    TicketRow,
)
from store.types import now
from vocabulary import RequestProposal, Service

#: No vowels and no look-alikes: nothing rude, nothing misread over the phone.
ALPHABET = "23456789BCDFGHJKMNPQRTVWXZ"
CODE_LENGTH = 6


def new_reference(session: Session, prefix: str) -> str:
    """A public reference that nobody can guess from another: ``AF-7QK2M9``."""
    while True:
        reference = f"{prefix}-{''.join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))}"
        taken = select(ServiceRequestRow.id).where(ServiceRequestRow.reference == reference)
        if session.exec(taken).first() is None:
            return reference


def propose(
    session: Session, service: Service, mention: MentionRow, *, prefix: str, public: bool = True
) -> ServiceRequestRow:
    """A request that a draft speaks of; it is nobody's until a person approves it."""
    department = session.exec(select(DepartmentRow).where(DepartmentRow.name == service.department)).first()
    row = ServiceRequestRow(
        reference=new_reference(session, prefix),
        token=secrets.token_urlsafe(16),
        service_code=service.service_code,
        service_name=service.service_name,
        department_id=department.id if department else None,
        description_id=content.keep(session, "description", "", derived_from=mention.content_id),
        requested_at=now(),
        clock_started_at=mention.posted_at,
        public=public and service.public,
    )
    session.add(row)
    session.flush()
    link(session, row, mention, role="reporter")
    return row


def link(session: Session, request: ServiceRequestRow, mention: MentionRow, *, role: str) -> None:
    """Tie a mention to a request; once."""
    if session.get(RequestMentionRow, (request.id, mention.id)) is None:
        session.add(RequestMentionRow(request_id=request.id, mention_id=mention.id, role=role))
        session.flush()


def unlink(session: Session, request: ServiceRequestRow, mention: MentionRow) -> None:
    """Part a mention from a request that was only proposed."""
    row = session.get(RequestMentionRow, (request.id, mention.id))
    if row is not None:
        session.delete(row)
        session.flush()


def keep_proposal(
    session: Session, draft_id: int, request: ServiceRequestRow, proposal: RequestProposal, mention: MentionRow
) -> RequestProposalRow:
    """What the CRM would get, for a draft."""
    row = RequestProposalRow(
        draft_id=draft_id,
        service_code=proposal.service_code,
        description_id=content.keep(session, "description", proposal.description, derived_from=mention.content_id),
        public_description=proposal.public_description,
        address=proposal.address,
        lat=proposal.lat,
        long=proposal.long,
        reference=request.reference,
    )
    session.add(row)
    session.flush()
    return row


def proposal_of(session: Session, draft_id: int) -> RequestProposalRow | None:
    """The proposal of a draft."""
    return session.exec(select(RequestProposalRow).where(RequestProposalRow.draft_id == draft_id)).first()


def event(session: Session, request_id: int, kind: str, *, by: str, detail: str = "") -> None:
    """Note what happened, in our words."""
    session.add(RequestEventRow(request_id=request_id, kind=kind, by=by, detail=detail))


def ticket_of(session: Session, request_id: int) -> TicketRow | None:
    """The newest ticket of a request."""
    query = select(TicketRow).where(TicketRow.request_id == request_id).order_by(col(TicketRow.id).desc())
    return session.exec(query).first()


def latest_of_author(session: Session, mention: MentionRow) -> ServiceRequestRow | None:
    """The request that this author's status question is about: the newest filed one of theirs on this platform.

    The same thread comes first; a hidden author has none outside the thread.
    """
    filed = select(ServiceRequestRow).where(col(ServiceRequestRow.status).in_(("open", "closed")))
    joined = filed.join(RequestMentionRow, col(RequestMentionRow.request_id) == col(ServiceRequestRow.id)).join(
        MentionRow, col(MentionRow.id) == col(RequestMentionRow.mention_id)
    )
    newest = col(ServiceRequestRow.id).desc()
    own = joined.where(MentionRow.identity_id == mention.identity_id, col(MentionRow.identity_id).is_not(None))
    here = session.exec(own.where(MentionRow.conversation_id == mention.conversation_id).order_by(newest)).first()
    return here or session.exec(own.where(MentionRow.id != mention.id).order_by(newest)).first()


def by_reference(session: Session, reference: str) -> ServiceRequestRow | None:
    """The request of a public reference."""
    return session.exec(select(ServiceRequestRow).where(ServiceRequestRow.reference == reference)).first()


def open_of_service(
    session: Session, service_code: str, *, but: int | None, within: timedelta
) -> list[ServiceRequestRow]:
    """Open requests of a service, the newest first."""
    query = (
        select(ServiceRequestRow)
        .where(ServiceRequestRow.service_code == service_code, ServiceRequestRow.status == "open")
        .where(ServiceRequestRow.requested_at > now() - within)
        .order_by(col(ServiceRequestRow.id).desc())
        .limit(500)
    )
    return [row for row in session.exec(query) if row.id != but]


def mentions_of(session: Session, request_id: int) -> list[tuple[MentionRow, str]]:
    """The mentions of a request with their roles, the oldest first."""
    query = (
        select(MentionRow, RequestMentionRow.role)
        .join(RequestMentionRow, col(RequestMentionRow.mention_id) == col(MentionRow.id))
        .where(RequestMentionRow.request_id == request_id)
        .order_by(col(MentionRow.posted_at))
    )
    return list(session.exec(query))


def cancel_if_unfiled(session: Session, request_id: int | None, *, by: str) -> None:
    """A proposed request whose last draft was given up is nobody's any more."""
    request = session.get(ServiceRequestRow, request_id) if request_id else None
    if request is not None and request.status == "proposed":
        request.status = "cancelled"
        session.add(request)
        event(session, request.id, "cancelled", by=by)


def close(
    session: Session, request: ServiceRequestRow, *, outcome: str, by: str, notes: str = "", at: datetime | None = None
) -> bool:
    """Close an open request; gives whether it was open."""
    if request.status != "open":
        return False
    request.status, request.outcome, request.closed_at, request.closed_by = "closed", outcome, at or now(), by
    if notes:
        request.status_notes_id = content.keep(session, "note", notes)
    ticket = ticket_of(session, request.id)
    if ticket is not None and ticket.state == "open":
        ticket.state, ticket.updated_at = "closed", now()
        session.add(ticket)
    session.add(request)
    event(session, request.id, "closed", by=by, detail=outcome)
    audit.append(
        session, by=by, action="request.closed", subject=f"request:{request.id}", hashes={"notes": audit.sha(notes)}
    )
    return True


def closed_lately(session: Session, *, within: timedelta) -> int:
    """How many requests were closed within a stretch."""
    query = select(func.count()).select_from(ServiceRequestRow).where(col(ServiceRequestRow.closed_at) > now() - within)
    return session.exec(query).one()


def of_mention(session: Session, mention_id: int) -> list[ServiceRequestRow]:
    """The requests of a mention, the newest first."""
    query = (
        select(ServiceRequestRow)
        .join(RequestMentionRow, col(RequestMentionRow.request_id) == col(ServiceRequestRow.id))
        .where(RequestMentionRow.mention_id == mention_id)
        .order_by(col(ServiceRequestRow.id).desc())
    )
    return list(session.exec(query))


def first_mention(session: Session, request_id: int) -> MentionRow | None:
    """The post that a request began with."""
    return next((mention for mention, _role in mentions_of(session, request_id)), None)
