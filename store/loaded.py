"""Rows with everything that is shown of them: a fixed number of queries, however long the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from store.desk.assessed import corrections_of
from store.desk.rows import by_id, by_key, grouped
from store.inbox import FILED
from store.tables import (
    AccountRow,
    AlarmRow,
    ApprovalRow,
    AssessmentRow,
    ContentRow,
    CorrectionRow,
    DepartmentRow,
    DraftRow,
    IdentityLinkRow,
    IdentityRow,
    MentionRevisionRow,
    MentionRow,
    MentionSourceRow,
    PlaceRow,
    ReplyRow,
    RequestEventRow,
    RequestMentionRow,
    RequestProposalRow,
    ServiceRequestRow,
    TicketRow,
)

#: A draft in one of these states is the one that counts.
LIVE = ("pending", "held", "approved", "sending", "in_doubt", "manual")
#: A reply that stands, or stood, on its thread.
POSTED = ("sent", "retracted")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedMention:
    """A mention as it stands."""

    row: MentionRow
    words: str
    media: tuple[Mapping[str, str], ...]
    author: IdentityRow | None
    resident_id: int | None
    accounts: tuple[str, ...]
    heard_how: tuple[str, ...]
    assessment: AssessmentRow | None
    corrections: Mapping[str, CorrectionRow]
    place: PlaceRow | None
    place_words: str
    draft_id: int | None
    request_ids: tuple[int, ...]
    alarm: AlarmRow | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedApproval:
    """A yes, and what it changed."""

    row: ApprovalRow
    diff: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedDraft:
    """A draft as it stands."""

    row: DraftRow
    words: str
    staff_words: str | None
    mention: MentionRow
    heard_how: frozenset[str]
    answered: bool  #: a reply of ours stands under the mention
    account: AccountRow
    proposal: RequestProposalRow | None
    proposal_words: str
    request: ServiceRequestRow | None
    approvals: tuple[LoadedApproval, ...]
    reply: ReplyRow | None
    would_send: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedRequest:
    """A service request as it stands."""

    row: ServiceRequestRow
    words: str
    notes: str
    department: str
    ticket: TicketRow | None
    mention_ids: tuple[int, ...]
    events: tuple[RequestEventRow, ...] = field(default=())


def mentions(session: Session, rows: Sequence[MentionRow]) -> list[LoadedMention]:
    """Mentions with all that is shown of them."""
    ids = [row.id for row in rows]
    words = _current_words(session, rows)
    authors = by_id(session, IdentityRow, (row.identity_id for row in rows))
    residents = _residents(session, authors)
    sources = grouped(_where(session, MentionSourceRow, "mention_id", ids), "mention_id")
    accounts = by_id(session, AccountRow, (one.account_id for many in sources.values() for one in many))
    assessments = by_key(session, AssessmentRow, "mention_id", ids)
    corrections = corrections_of(session, ids)
    places = by_id(session, PlaceRow, (row.place_id for row in rows))
    place_words = by_id(session, ContentRow, (place.content_id for place in places.values()))
    drafts = _draft_ids(session, ids)
    requests = _request_ids(session, ids)
    own_alarms = by_key(session, AlarmRow, "mention_id", ids)
    thread_alarms = by_key(session, AlarmRow, "conversation_id", (row.conversation_id for row in rows))
    found = []
    for row in rows:
        text = words.get(row.id)
        heard = sources.get(row.id, [])
        place = places.get(row.place_id) if row.place_id else None
        said = corrections.get(row.id, {})
        assessment = assessments.get(row.id)
        found.append(
            LoadedMention(
                row=row,
                words=(text.text or "") if text else "",
                media=tuple((text.media or ()) if text else ()),
                author=authors.get(row.identity_id) if row.identity_id else None,
                resident_id=residents.get(row.identity_id) if row.identity_id else None,
                accounts=tuple(dict.fromkeys(accounts[one.account_id].name for one in heard)),
                heard_how=tuple(dict.fromkeys(one.heard_how for one in heard)),
                assessment=assessment,
                corrections=said,
                place=place,
                place_words=_text(place_words, place.content_id if place else None),
                draft_id=drafts.get(row.id),
                request_ids=tuple(requests.get(row.id, ())),
                alarm=own_alarms.get(row.id) or _shared(thread_alarms, row, assessment, said),
            )
        )
    return found


def _shared(
    alarms: Mapping[int, AlarmRow],
    row: MentionRow,
    assessment: AssessmentRow | None,
    said: Mapping[str, CorrectionRow],
) -> AlarmRow | None:
    """The alarm of the thread, into which that of an emergency further down was folded."""
    urgency = said["urgency"].value if "urgency" in said else assessment.urgency if assessment else None
    return alarms.get(row.conversation_id) if urgency == "emergency" else None


def drafts(session: Session, rows: Sequence[DraftRow]) -> list[LoadedDraft]:
    """Drafts with all that is shown of them."""
    ids = [row.id for row in rows]
    of_mentions = by_id(session, MentionRow, (row.mention_id for row in rows))
    sources = grouped(_where(session, MentionSourceRow, "mention_id", of_mentions), "mention_id")
    accounts = by_id(session, AccountRow, (row.reply_as_id for row in rows))
    proposals = by_key(session, RequestProposalRow, "draft_id", ids)
    requests = by_id(
        session,
        ServiceRequestRow,
        [*(row.request_id for row in rows), *(one.attach_to for one in proposals.values())],
    )
    approvals = grouped(_where(session, ApprovalRow, "draft_id", ids), "draft_id")
    replies = by_key(session, ReplyRow, "draft_id", ids)
    answered = _answered(session, of_mentions)
    words = by_id(session, ContentRow, _draft_words(rows, proposals.values(), approvals.values()))
    found = []
    for row in rows:
        proposal = proposals.get(row.id)
        reply = replies.get(row.id)
        found.append(
            LoadedDraft(
                row=row,
                words=_text(words, row.content_id),
                staff_words=_text(words, row.staff_content_id) if row.staff_content_id else None,
                mention=of_mentions[row.mention_id],
                heard_how=frozenset(one.heard_how for one in sources.get(row.mention_id, ())),
                answered=row.mention_id in answered,
                account=accounts[row.reply_as_id],
                proposal=proposal,
                proposal_words=_text(words, proposal.description_id if proposal else None),
                request=_request_of(row, proposal, requests),
                approvals=tuple(
                    LoadedApproval(row=one, diff=_text(words, one.diff_id)) for one in approvals.get(row.id, ())
                ),
                reply=reply if reply is not None and reply.post_id and reply.state in POSTED else None,
                would_send=_would_send(row, words),
            )
        )
    return found


def _draft_words(
    rows: Iterable[DraftRow],
    proposals: Iterable[RequestProposalRow],
    approvals: Iterable[Sequence[ApprovalRow]],
) -> Iterable[int | None]:
    for row in rows:
        yield from (row.content_id, row.staff_content_id, row.would_send_text_id)
    yield from (one.description_id for one in proposals)
    yield from (one.diff_id for many in approvals for one in many)


def _request_of(
    row: DraftRow, proposal: RequestProposalRow | None, requests: Mapping[int, ServiceRequestRow]
) -> ServiceRequestRow | None:
    chosen = proposal.attach_to if proposal is not None and proposal.attach_to is not None else row.request_id
    return requests.get(chosen) if chosen is not None else None


def _would_send(row: DraftRow, words: Mapping[int, ContentRow]) -> Mapping[str, Any] | None:
    if row.would_send is None or row.would_send_text_id is None:
        return row.would_send
    said = _text(words, row.would_send_text_id)
    return {field: said if value is None else value for field, value in row.would_send.items()}


def requests(session: Session, rows: Sequence[ServiceRequestRow]) -> list[LoadedRequest]:
    """Requests with all that is shown of them."""
    ids = [row.id for row in rows]
    words = by_id(session, ContentRow, [one for row in rows for one in (row.description_id, row.status_notes_id)])
    departments = by_id(session, DepartmentRow, (row.department_id for row in rows))
    tickets = by_key(session, TicketRow, "request_id", ids)
    mention_ids = grouped(_where(session, RequestMentionRow, "request_id", ids, order="mention_id"), "request_id")
    events = grouped(_where(session, RequestEventRow, "request_id", ids), "request_id")
    return [
        LoadedRequest(
            row=row,
            words=_text(words, row.description_id),
            notes=_text(words, row.status_notes_id),
            department=departments[row.department_id].name if row.department_id in departments else "",
            ticket=tickets.get(row.id),
            mention_ids=tuple(one.mention_id for one in mention_ids.get(row.id, ())),
            events=tuple(events.get(row.id, ())),
        )
        for row in rows
    ]


def _where(session: Session, table: Any, key: str, values: Iterable[int], *, order: str | None = None) -> list[Any]:
    wanted = list(values)
    if not wanted:
        return []
    order = order or ("id" if hasattr(table, "id") else "heard_at")
    query = select(table).where(getattr(table, key).in_(wanted)).order_by(getattr(table, order))
    return list(session.exec(query))


def _text(words: Mapping[int, ContentRow], content_id: int | None) -> str:
    row = words.get(content_id) if content_id is not None else None
    return (row.text or "") if row is not None else ""


def _current_words(session: Session, rows: Sequence[MentionRow]) -> dict[int, ContentRow]:
    """The wording that stands now, by mention."""
    query = (
        select(MentionRow.id, ContentRow)
        .join(MentionRevisionRow, col(MentionRevisionRow.mention_id) == col(MentionRow.id))
        .join(ContentRow, col(ContentRow.id) == col(MentionRevisionRow.content_id))
        .where(col(MentionRow.id).in_([row.id for row in rows]), col(MentionRevisionRow.rev) == col(MentionRow.rev))
    )
    found: dict[int, ContentRow] = dict(session.exec(query).all())
    missing = [row for row in rows if row.id not in found]
    first = by_id(session, ContentRow, (row.content_id for row in missing))
    return found | {row.id: first[row.content_id] for row in missing}


def _residents(session: Session, authors: Mapping[int, IdentityRow]) -> dict[int, int]:
    query = select(IdentityLinkRow).where(
        col(IdentityLinkRow.identity_id).in_(list(authors)), col(IdentityLinkRow.parted_at).is_(None)
    )
    return {link.identity_id: link.resident_id for link in session.exec(query)} if authors else {}


def _draft_ids(session: Session, mention_ids: Sequence[int]) -> dict[int, int]:
    """The newest live draft of each mention, or the newest."""
    query = select(DraftRow.mention_id, DraftRow.id, DraftRow.state).where(col(DraftRow.mention_id).in_(mention_ids))
    newest: dict[int, tuple[bool, int]] = {}
    for mention_id, draft_id, state in session.exec(query):
        newest[mention_id] = max(newest.get(mention_id, (False, 0)), (state in LIVE, draft_id))
    return {mention_id: draft_id for mention_id, (_, draft_id) in newest.items()}


def _request_ids(session: Session, mention_ids: Sequence[int]) -> dict[int, list[int]]:
    """The filed requests of each mention, the newest first."""
    query = (
        select(RequestMentionRow.mention_id, RequestMentionRow.request_id)
        .join(ServiceRequestRow, col(ServiceRequestRow.id) == col(RequestMentionRow.request_id))
        .where(col(RequestMentionRow.mention_id).in_(mention_ids), col(ServiceRequestRow.status).in_(FILED))
        .order_by(col(RequestMentionRow.request_id).desc())
    )
    found: dict[int, list[int]] = {}
    for mention_id, request_id in session.exec(query):
        found.setdefault(mention_id, []).append(request_id)
    return found


def _answered(session: Session, mention_ids: Iterable[int]) -> set[int]:
    query = select(ReplyRow.mention_id).where(
        col(ReplyRow.mention_id).in_(list(mention_ids)), col(ReplyRow.state) == "sent"
    )
    return set(session.exec(query))
