"""Drafts as the desk shows them: the text, the request beside it, the decision and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from store.desk.rows import by_id, by_key, grouped
from store.tables import (
    AccountRow,
    ApprovalRow,
    ContentRow,
    DraftRow,
    ReplyRow,
    RequestProposalRow,
    ServiceRequestRow,
    TicketRow,
)

#: Why a draft has no text: the drafting stage's words for what suggests no reply.
NO_REPLY = "no reply needed"
#: Draft states that are history: something else stands in their place.
PAST = frozenset({"superseded", "cancelled", "expired"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What the CRM would get."""

    state: str
    service_code: str
    description: str
    public_description: str
    address: str
    lat: float | None
    long: float | None
    reference: str
    attach_to: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Approved:
    """A named person's yes."""

    by: str
    approved_at: datetime
    parts: tuple[str, ...]
    diff: str  #: what the approver changed in the text
    undone_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """The reply as it stands, or as it is on its way."""

    state: str
    post_id: str | None
    url: str
    sent_at: datetime | None
    error: str | None
    retract_reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Filed:
    """The request that came of a draft, and its ticket."""

    id: int
    reference: str
    status: str
    outcome: str | None
    ticket_state: str
    ticket_id: str | None
    ticket_error: str | None
    expected_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftCard:
    """A draft with everything that an approver needs to see."""

    id: int
    mention_id: int
    conversation_id: int
    state: str
    kind: str
    purpose: str
    turn: int
    language: str
    reply_as: str
    text: str
    staff_text: str
    template: str
    visibility: str  #: of the reply
    version: int
    needs_review: bool
    held_reason: str | None
    no_text_reason: str
    edited_by: str | None
    send_after: datetime | None
    error: str | None
    would_send: dict[str, Any] | None
    superseded_by: int | None
    created_at: datetime
    conversation_seq: int
    proposal: Proposal | None
    approvals: tuple[Approved, ...]
    reply: Sent | None
    filed: Filed | None

    @property
    def matters(self) -> bool:
        """Whether it is more than history."""
        return self.state not in PAST

    @property
    def suggests_no_reply(self) -> bool:
        """Whether nothing was written on purpose, and nobody took it up since."""
        written = self.text or self.edited_by or (self.proposal and self.proposal.state == "pending")
        return self.state == "pending" and self.no_text_reason == NO_REPLY and not written

    @property
    def open(self) -> bool:
        """Whether it can still be decided here."""
        return self.state in {"pending", "held"}

    @property
    def on_its_way(self) -> bool:
        """Whether it changes by itself."""
        return self.state in {"approved", "sending", "in_doubt"}


def drafts_of(session: Session, mention_ids: Iterable[int]) -> dict[int, list[DraftCard]]:
    """All drafts of some mentions, oldest first."""
    query = select(DraftRow).where(col(DraftRow.mention_id).in_(list(mention_ids)))
    rows = list(session.exec(query.order_by(col(DraftRow.turn), col(DraftRow.ordinal))))
    build = _Builder(session, rows)
    found: dict[int, list[DraftCard]] = {}
    for row in rows:
        found.setdefault(row.mention_id, []).append(build.card(row))
    return found


class _Builder:
    """Everything that hangs on some drafts, fetched a table at a time."""

    def __init__(self, session: Session, rows: list[DraftRow]) -> None:
        ids = [row.id for row in rows]
        approvals = select(ApprovalRow).where(col(ApprovalRow.draft_id).in_(ids)).order_by(col(ApprovalRow.id))
        self.approvals = grouped(session.exec(approvals), "draft_id")
        self.proposals = by_key(session, RequestProposalRow, "draft_id", ids)
        self.replies = by_key(session, ReplyRow, "draft_id", ids)
        self.requests = by_id(session, ServiceRequestRow, (row.request_id for row in rows))
        self.tickets = by_key(session, TicketRow, "request_id", self.requests)
        self.accounts = by_id(session, AccountRow, (row.reply_as_id for row in rows))
        words: list[int | None] = []
        for row in rows:
            words += [row.content_id, row.staff_content_id]
        words += [proposal.description_id for proposal in self.proposals.values()]
        words += [approval.diff_id for group in self.approvals.values() for approval in group]
        self.contents = by_id(session, ContentRow, words)

    def words(self, content_id: int | None) -> str:
        row = self.contents.get(content_id or 0)
        return (row.text or "") if row else ""

    def card(self, row: DraftRow) -> DraftCard:
        account = self.accounts.get(row.reply_as_id)
        same = {
            name: getattr(row, name)
            for name in DraftCard.__dataclass_fields__
            if name in DraftRow.model_fields and name != "superseded_by"
        }
        return DraftCard(
            **same,
            superseded_by=row.superseded_by,
            reply_as=account.name if account else "",
            text=self.words(row.content_id),
            staff_text=self.words(row.staff_content_id),
            proposal=self._proposal(row.id),
            approvals=tuple(self._approved(one) for one in self.approvals.get(row.id, [])),
            reply=self._sent(row.id),
            filed=self._filed(row.request_id),
        )

    def _proposal(self, draft_id: int) -> Proposal | None:
        row = self.proposals.get(draft_id)
        if row is None:
            return None
        return Proposal(
            state=row.state,
            service_code=row.service_code,
            description=self.words(row.description_id),
            public_description=row.public_description,
            address=row.address,
            lat=row.lat,
            long=row.long,
            reference=row.reference,
            attach_to=row.attach_to,
        )

    def _approved(self, row: ApprovalRow) -> Approved:
        return Approved(
            by=row.by,
            approved_at=row.approved_at,
            parts=tuple(row.parts),
            diff=self.words(row.diff_id),
            undone_at=row.undone_at,
        )

    def _sent(self, draft_id: int) -> Sent | None:
        row = self.replies.get(draft_id)
        return Sent(**{name: getattr(row, name) for name in Sent.__dataclass_fields__}) if row else None

    def _filed(self, request_id: int | None) -> Filed | None:
        row = self.requests.get(request_id or 0)
        if row is None or row.status == "proposed":
            return None
        ticket = self.tickets.get(row.id)
        return Filed(
            id=row.id,
            reference=row.reference,
            status=row.status,
            outcome=row.outcome,
            ticket_state=ticket.state if ticket else "none",
            ticket_id=ticket.service_request_id if ticket else None,
            ticket_error=ticket.error if ticket else None,
            expected_at=row.expected_at,
        )
