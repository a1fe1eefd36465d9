"""Service requests for staff, and the little of them that residents may see."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from store import sight
from store.desk.rows import by_id, by_key
from store.refusals import Missing
from store.sight import Sight
from store.tables import (
    ContentRow,
    DepartmentRow,
    MentionRow,
    RequestEventRow,
    RequestMentionRow,
    ServiceRequestRow,
    TicketRow,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestLine:
    """A request in a list."""

    id: int
    reference: str
    token: str
    status: str  #: proposed, open, closed, cancelled
    outcome: str | None
    ticket_state: str
    ticket_id: str | None
    ticket_error: str | None
    crm: str
    service_code: str
    service_name: str
    address: str
    requested_at: datetime
    expected_at: datetime | None
    closed_at: datetime | None
    mentions: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What happened to a request."""

    happened_at: datetime
    kind: str
    by: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """A mention that a request is about."""

    mention_id: int
    conversation_id: int
    platform: str
    posted_at: datetime
    role: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestCard:
    """A request with everything that staff may see."""

    line: RequestLine
    department: str
    description: str
    public_description: str
    lat: float | None
    long: float | None
    neighborhood: str | None
    status_notes: str
    expected_basis: str | None
    closed_by: str | None
    public: bool
    events: tuple[Event, ...]
    mentions: tuple[Reported, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What anybody with the link may see of a request: nothing personal."""

    reference: str
    status: str
    outcome: str | None
    service_code: str
    service_name: str
    public_description: str
    requested_at: datetime
    expected_at: datetime | None
    closed_at: datetime | None
    ticket_id: str | None
    public: bool


def requests_of(session: Session, mention_ids: Iterable[int]) -> dict[int, list[RequestLine]]:
    """The requests of some mentions, oldest first."""
    links = list(
        session.exec(select(RequestMentionRow).where(col(RequestMentionRow.mention_id).in_(list(mention_ids))))
    )
    rows = by_id(session, ServiceRequestRow, (link.request_id for link in links))
    made = {line.id: line for line in _lines(session, list(rows.values()))}
    found: dict[int, list[RequestLine]] = {}
    for link in sorted(links, key=lambda link: link.request_id):
        if link.request_id in made:
            found.setdefault(link.mention_id, []).append(made[link.request_id])
    return found


def requests(
    session: Session, seen: Sight, *, status: str = "", service: str = "", q: str = "", before: int | None = None
) -> list[RequestLine]:
    """The newest fifty that fit."""
    query = select(ServiceRequestRow).where(sight.requests(seen)).order_by(col(ServiceRequestRow.id).desc()).limit(50)
    if status:
        query = query.where(ServiceRequestRow.status == status)
    if service:
        query = query.where(ServiceRequestRow.service_code == service)
    if q:
        query = query.where(
            col(ServiceRequestRow.reference).icontains(q, autoescape=True)
            | col(ServiceRequestRow.address).icontains(q, autoescape=True)
        )
    if before is not None:
        query = query.where(col(ServiceRequestRow.id) < before)
    return _lines(session, list(session.exec(query)))


def request(session: Session, request_id: int, seen: Sight) -> RequestCard:
    """One request.

    Raises:
        Missing: there is none, or none within the grants.
    """
    row = session.get(ServiceRequestRow, request_id)
    if row is None or not sight.may(session, sight.requests(seen), ServiceRequestRow, request_id):
        raise Missing("There is no such request.")
    words = by_id(session, ContentRow, (row.description_id, row.status_notes_id))
    department = session.get(DepartmentRow, row.department_id) if row.department_id else None
    notes = words.get(row.status_notes_id or 0)
    events = select(RequestEventRow).where(RequestEventRow.request_id == row.id).order_by(col(RequestEventRow.id))
    return RequestCard(
        line=_lines(session, [row])[0],
        department=department.name if department else "",
        description=words[row.description_id].text or "",
        public_description=row.public_description,
        lat=row.lat,
        long=row.long,
        neighborhood=row.neighborhood,
        status_notes=(notes.text or "") if notes else "",
        expected_basis=row.expected_basis,
        closed_by=row.closed_by,
        public=row.public,
        events=tuple(
            Event(happened_at=e.happened_at, kind=e.kind, by=e.by, detail=e.detail) for e in session.exec(events)
        ),
        mentions=_reported(session, row.id),
    )


def receipt(session: Session, token: str) -> Receipt:
    """The request behind a resident's link.

    Raises:
        Missing: the link leads nowhere (yet).
    """
    row = session.exec(select(ServiceRequestRow).where(ServiceRequestRow.token == token)).first()
    if row is None or row.status in {"proposed", "cancelled"}:
        raise Missing("There is no such request.")
    ticket = by_key(session, TicketRow, "request_id", [row.id]).get(row.id)
    return Receipt(
        reference=row.reference,
        status=row.status,
        outcome=row.outcome,
        service_code=row.service_code,
        service_name=row.service_name,
        public_description=row.public_description,
        requested_at=row.requested_at,
        expected_at=row.expected_at,
        closed_at=row.closed_at,
        ticket_id=ticket.service_request_id if ticket else None,
        public=row.public,
    )


def _lines(session: Session, rows: list[ServiceRequestRow]) -> list[RequestLine]:
    ids = [row.id for row in rows]
    tickets = by_key(session, TicketRow, "request_id", ids)
    linked = list(session.exec(select(RequestMentionRow.request_id).where(col(RequestMentionRow.request_id).in_(ids))))
    return [_line(row, tickets.get(row.id), linked.count(row.id)) for row in rows]


def _line(row: ServiceRequestRow, ticket: TicketRow | None, mentions: int) -> RequestLine:
    return RequestLine(
        id=row.id,
        reference=row.reference,
        token=row.token,
        status=row.status,
        outcome=row.outcome,
        ticket_state=ticket.state if ticket else "none",
        ticket_id=ticket.service_request_id if ticket else None,
        ticket_error=ticket.error if ticket else None,
        crm=ticket.crm if ticket else "",
        service_code=row.service_code,
        service_name=row.service_name,
        address=row.address,
        requested_at=row.requested_at,
        expected_at=row.expected_at,
        closed_at=row.closed_at,
        mentions=mentions,
    )


def _reported(session: Session, request_id: int) -> tuple[Reported, ...]:
    links = list(session.exec(select(RequestMentionRow).where(RequestMentionRow.request_id == request_id)))
    rows = by_id(session, MentionRow, (link.mention_id for link in links))
    return tuple(
        Reported(
            mention_id=link.mention_id,
            conversation_id=rows[link.mention_id].conversation_id,
            platform=rows[link.mention_id].platform,
            posted_at=rows[link.mention_id].posted_at,
            role=link.role,
        )
        for link in links
    )
