"""The inbox: conversations that need a person, those in danger first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select, union
from sqlmodel import Session, col

from store import sight
from store.desk.assessed import Assessed, as_it_stands, corrections_of, latest, lay_over
from store.sight import Sight
from store.tables import (
    AlarmRow,
    AssessmentRow,
    ContentRow,
    ConversationRow,
    DraftRow,
    IdentityRow,
    MentionRevisionRow,
    MentionRow,
    PlaceRow,
    StaffRow,
)

VIEWS = ("needs", "held", "waiting", "all")
#: Draft states that wait for a person.
WAITING_FOR_STAFF = ("pending", "manual", "failed")
_SHOWN: tuple[Any, ...] = (
    MentionRow,
    ConversationRow,
    ContentRow,
    IdentityRow,
    AssessmentRow,
    DraftRow,
    AlarmRow,
    PlaceRow,
    StaffRow,
)
#: Longest excerpt, characters.
EXCERPT = 240


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the reader filters for; empty means any."""

    view: str = "needs"
    platform: str = ""
    service: str = ""
    urgency: str = ""
    owner_id: int | None = None
    q: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmLine:
    """An alarm as the inbox shows it."""

    id: int
    mention_id: int
    reason: str
    self_harm: bool
    repeats: int
    raised_at: datetime
    notified: int
    failed: int
    last_error: str | None
    escalated_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One conversation: its most urgent mention speaks for it."""

    conversation_id: int
    mention_id: int
    platform: str
    author: str | None  #: handle
    excerpt: str
    language: str
    assessed: Assessed | None
    place: str
    posted_at: datetime
    due_at: datetime | None
    state: str  #: of the mention
    draft_purpose: str | None
    draft_state: str | None
    needs_review: bool
    owner: str | None
    held_reason: str | None
    alarm: AlarmLine | None
    mentions: int  #: how many of the conversation are in this view


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How many conversations each view holds."""

    alarms: int
    needs: int
    held: int
    waiting: int


def lines(session: Session, wanted: Wanted, seen: Sight, *, limit: int = 100) -> list[Line]:
    """The conversations of a view: emergencies, then urgency, then what is due soonest, then age."""
    rows = session.execute(_query(wanted, seen).limit(limit * 3)).all()
    corrections = corrections_of(session, [row.MentionRow.id for row in rows])
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.ConversationRow.id, []).append(row)
    return [_line(group, corrections) for group in list(found.values())[:limit]]


def counts(session: Session, seen: Sight) -> Counts:
    """All counts in one query."""
    parts = [
        select(func.count(func.distinct(MentionRow.conversation_id)))
        .where(col(MentionRow.id).in_(_of_view(view)), sight.mentions(seen))
        .scalar_subquery()
        for view in ("alarms", "needs", "held", "waiting")
    ]
    alarms, needs, held, waiting = session.execute(select(*parts)).one()
    return Counts(alarms=alarms, needs=needs, held=held, waiting=waiting)


def neighbours(ids: Iterable[int], conversation_id: int) -> tuple[int | None, int | None]:
    """The conversations before and after one in an order of the inbox."""
    order = list(ids)
    if conversation_id not in order:
        return None, order[0] if order else None
    place = order.index(conversation_id)
    return (order[place - 1] if place else None), (order[place + 1] if place + 1 < len(order) else None)


def _of_view(view: str) -> Any:
    """Ids of the mentions that belong to a view."""
    drafts = select(col(DraftRow.mention_id))
    alarms = select(col(AlarmRow.mention_id)).where(col(AlarmRow.outcome).is_(None))
    held = union(
        drafts.where(col(DraftRow.state) == "held"),
        select(col(MentionRow.id))
        .join(ConversationRow, col(ConversationRow.id) == col(MentionRow.conversation_id))
        .where(col(ConversationRow.held_reason).is_not(None), col(MentionRow.state).in_(("drafted", "assessed"))),
    )
    views: dict[str, Any] = {
        "alarms": alarms,
        "held": held,
        "waiting": select(col(MentionRow.id)).where(col(MentionRow.state) == "waiting_for_resident"),
        "all": select(col(MentionRow.id)),
        "needs": union(
            alarms,
            drafts.where(col(DraftRow.state).in_(WAITING_FOR_STAFF)),
        ),
    }
    return views[view]


def _query(wanted: Wanted, seen: Sight) -> Select[*tuple[Any, ...]]:
    urgency = as_it_stands("urgency")
    live = select(func.max(DraftRow.id)).where(
        col(DraftRow.mention_id) == col(MentionRow.id),
        col(DraftRow.state).in_((*WAITING_FOR_STAFF, "held", "approved", "sending", "in_doubt")),
    )
    rank = case((urgency == "emergency", 0), (urgency == "high", 1), else_=2)
    newest_first = col(MentionRow.posted_at).desc() if wanted.view == "all" else col(MentionRow.posted_at)
    return (
        select(*_SHOWN)
        .join(ConversationRow, col(ConversationRow.id) == col(MentionRow.conversation_id))
        .join(
            MentionRevisionRow,
            and_(
                col(MentionRevisionRow.mention_id) == col(MentionRow.id),
                col(MentionRevisionRow.rev) == col(MentionRow.rev),
            ),
        )
        .join(ContentRow, col(ContentRow.id) == col(MentionRevisionRow.content_id))
        .outerjoin(IdentityRow, col(IdentityRow.id) == col(MentionRow.identity_id))
        .outerjoin(AssessmentRow, col(AssessmentRow.id) == latest(MentionRow.id))
        .outerjoin(DraftRow, col(DraftRow.id) == live.correlate(MentionRow).scalar_subquery())
        .outerjoin(AlarmRow, and_(col(AlarmRow.mention_id) == col(MentionRow.id), col(AlarmRow.outcome).is_(None)))
        .outerjoin(PlaceRow, col(PlaceRow.id) == col(MentionRow.place_id))
        .outerjoin(StaffRow, col(StaffRow.id) == col(ConversationRow.owner_id))
        .where(col(MentionRow.id).in_(_of_view(wanted.view)), sight.mentions(seen), *_asked(wanted, urgency))
        .order_by(
            case((col(AlarmRow.id).is_not(None), 0), else_=1) if wanted.view != "all" else col(MentionRow.historic),
            rank if wanted.view != "all" else newest_first,
            case((col(ConversationRow.due_at).is_(None), 1), else_=0),
            col(ConversationRow.due_at),
            newest_first,
            col(MentionRow.id),
        )
    )


def _asked(wanted: Wanted, urgency: Any) -> list[Any]:
    asked: list[Any] = []
    if wanted.platform:
        asked.append(col(MentionRow.platform) == wanted.platform)
    if wanted.service:
        asked.append(as_it_stands("service_code") == wanted.service)
    if wanted.urgency:
        asked.append(urgency == wanted.urgency)
    if wanted.owner_id is not None:
        asked.append(col(ConversationRow.owner_id) == wanted.owner_id)
    if wanted.q:
        asked.append(
            or_(
                col(ContentRow.text).icontains(wanted.q, autoescape=True),
                col(IdentityRow.handle).icontains(wanted.q.removeprefix("@"), autoescape=True),
                col(PlaceRow.address).icontains(wanted.q, autoescape=True),
            )
        )
    return asked


def _line(group: list[Any], corrections: dict[int, dict[str, Any]]) -> Line:
    row = group[0]
    mention, thread, draft, place = row.MentionRow, row.ConversationRow, row.DraftRow, row.PlaceRow
    assessed = lay_over(row.AssessmentRow, corrections.get(mention.id, {}))
    return Line(
        conversation_id=thread.id,
        mention_id=mention.id,
        platform=thread.platform,
        author=row.IdentityRow.handle if row.IdentityRow else None,
        excerpt=_excerpt(row.ContentRow.text or ""),
        language=(assessed.language if assessed else mention.language) or "",
        assessed=assessed,
        place=place.address if place else "",
        posted_at=mention.posted_at,
        due_at=thread.due_at,
        state=mention.state,
        draft_purpose=draft.purpose if draft else None,
        draft_state=draft.state if draft else None,
        needs_review=bool(draft and draft.needs_review),
        owner=(row.StaffRow.name or row.StaffRow.email) if row.StaffRow else None,
        held_reason=(draft.held_reason if draft else None) or thread.held_reason,
        alarm=alarm_line(row.AlarmRow) if row.AlarmRow else None,
        mentions=len(group),
    )


def alarm_line(row: AlarmRow) -> AlarmLine:
    """An alarm as a value."""
    return AlarmLine(**{name: getattr(row, name) for name in AlarmLine.__dataclass_fields__})


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= EXCERPT else flat[:EXCERPT].rsplit(" ", 1)[0] + " …"
