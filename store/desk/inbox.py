"""The inbox: conversations that need a person, those in danger first."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select, union
from sqlmodel import Session, col

from store import sight
from store.desk.assessed import Assessed, as_it_stands, corrections_of, latest, lay_over
from store.desk.drafts import NO_REPLY
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
    RequestProposalRow,
    StaffRow,
)

VIEWS = ("needs", "quiet", "held", "waiting", "all")
#: Draft states that wait for a person.
WAITING_FOR_STAFF = ("pending", "manual", "failed")
#: Draft states whose reply is done with, though the request beside it may wait.
REPLY_DECIDED = ("sent", "dry_run", "retracted")
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
    also: int | None = None  #: a conversation that keeps its place in the order though it left the view


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
    """One conversation: the newest of its most urgent mentions speaks for it."""

    conversation_id: int
    mention_id: int
    platform: str
    author: str | None  #: handle
    name: str
    others: tuple[tuple[str | None, str], ...]  #: handle and name of who else wrote, in this view
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
    quiet: int
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
        for view in ("alarms", "needs", "quiet", "held", "waiting")
    ]
    alarms, needs, quiet, held, waiting = session.execute(select(*parts)).one()
    return Counts(alarms=alarms, needs=needs, quiet=quiet, held=held, waiting=waiting)


def beside(session: Session, wanted: Wanted, seen: Sight, conversation_id: int, *, back: bool = False) -> int | None:
    """The next conversation of a view, or the one before; after the last comes the first. None: there is no other."""
    query = _query(replace(wanted, also=conversation_id), seen).with_only_columns(
        col(MentionRow.conversation_id), maintain_column_froms=True
    )
    order = list(dict.fromkeys(session.execute(query).scalars()))
    if back:
        order.reverse()
    place = order.index(conversation_id) if conversation_id in order else -1
    around = order[place + 1 :] + order[: max(place, 0)]
    return around[0] if around else None


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
            drafts.where(col(DraftRow.state).in_(WAITING_FOR_STAFF), col(DraftRow.id).not_in(_quiet())),
            _left_over(),
        ),
        "quiet": drafts.where(col(DraftRow.id).in_(_quiet()), col(DraftRow.mention_id).not_in(alarms)),
    }
    return views[view]


def _left_over() -> Any:
    """Ids of the mentions whose reply is done with, and whose request waits."""
    return (
        select(col(DraftRow.mention_id))
        .join(MentionRow, col(MentionRow.id) == col(DraftRow.mention_id))
        .where(col(DraftRow.state).in_(REPLY_DECIDED), col(DraftRow.id).in_(_proposing()))
        .where(col(MentionRow.state).not_in(("dismissed", "deleted")))
    )


def _proposing() -> Any:
    """Ids of the drafts whose request nobody has decided."""
    return select(col(RequestProposalRow.draft_id)).where(col(RequestProposalRow.state) == "pending")


def _quiet() -> Any:
    """Ids of the drafts that suggest no reply: nothing written, nothing proposed, nobody took it up, no haste."""
    return (
        select(col(DraftRow.id))
        .join(MentionRow, col(MentionRow.id) == col(DraftRow.mention_id))
        .outerjoin(AssessmentRow, col(AssessmentRow.id) == latest(MentionRow.id))
        .where(
            col(DraftRow.state) == "pending",
            col(DraftRow.no_text_reason) == NO_REPLY,
            col(DraftRow.edited_by).is_(None),
            col(DraftRow.needs_review).is_(False),
            col(DraftRow.id).not_in(_proposing()),
            func.coalesce(as_it_stands("urgency"), "normal") == "normal",
        )
        .correlate(None)
    )


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
        .where(
            sight.mentions(seen),
            _also(wanted, and_(col(MentionRow.id).in_(_of_view(wanted.view)), *_asked(wanted, urgency))),
        )
        .order_by(
            case((col(AlarmRow.id).is_not(None), 0), else_=1) if wanted.view != "all" else col(MentionRow.historic),
            rank if wanted.view != "all" else newest_first,
            case((col(ConversationRow.due_at).is_(None), 1), else_=0),
            col(ConversationRow.due_at),
            newest_first,
            col(MentionRow.id),
        )
    )


def _also(wanted: Wanted, fits: Any) -> Any:
    return fits if wanted.also is None else or_(fits, col(MentionRow.conversation_id) == wanted.also)


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
    row = min(group, key=lambda one: _speaks_first(one, corrections))
    mention, thread, draft, place = row.MentionRow, row.ConversationRow, row.DraftRow, row.PlaceRow
    assessed = lay_over(row.AssessmentRow, corrections.get(mention.id, {}))
    writers = dict.fromkeys(
        _writer(one) for one in sorted(group, key=lambda one: -one.MentionRow.posted_at.timestamp())
    )
    return Line(
        conversation_id=thread.id,
        mention_id=mention.id,
        platform=thread.platform,
        author=_writer(row)[0],
        name=_writer(row)[1],
        others=tuple(one for one in writers if one != _writer(row)),
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


def _speaks_first(row: Any, corrections: dict[int, dict[str, Any]]) -> tuple[bool, int, float]:
    """Where a mention stands among those of its conversation: in danger first, then urgent, then new."""
    assessed = lay_over(row.AssessmentRow, corrections.get(row.MentionRow.id, {}))
    rank = {"emergency": 0, "high": 1}.get((assessed.urgency.value if assessed else None) or "", 2)
    return row.AlarmRow is None, rank, -row.MentionRow.posted_at.timestamp()


def _writer(row: Any) -> tuple[str | None, str]:
    return (row.IdentityRow.handle, row.IdentityRow.name) if row.IdentityRow else (None, "")


def alarm_line(row: AlarmRow) -> AlarmLine:
    """An alarm as a value."""
    return AlarmLine(**{name: getattr(row, name) for name in AlarmLine.__dataclass_fields__})


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= EXCERPT else flat[:EXCERPT].rsplit(" ", 1)[0] + " …"
