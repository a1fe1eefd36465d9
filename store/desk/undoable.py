"""What somebody decided a moment ago and can take back from any page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from store.tables import ApprovalRow, DismissalRow, DraftRow, IdentityRow, MentionRow

#: How long a dismissal is offered on every page. It can be taken back later too, on its desk.
OFFERED_FOR = timedelta(seconds=60)
#: The most that are offered at once.
MOST = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Undoable:
    """A decision of a moment ago."""

    kind: str  #: approval or dismissal
    id: int  #: of the draft, or of the mention
    conversation_id: int
    platform: str
    author: str | None
    name: str
    until: datetime
    decided_at: datetime


def undoable(session: Session, by: str, at: datetime) -> list[Undoable]:
    """What this person can still take back, the latest first."""
    approvals = (
        select(MentionRow, IdentityRow, DraftRow, ApprovalRow)
        .join(DraftRow, col(DraftRow.mention_id) == col(MentionRow.id))
        .join(ApprovalRow, col(ApprovalRow.draft_id) == col(DraftRow.id))
        .outerjoin(IdentityRow, col(IdentityRow.id) == col(MentionRow.identity_id))
        .where(
            col(DraftRow.state) == "approved",
            col(DraftRow.send_after) > at,
            col(ApprovalRow.by) == by,
            col(ApprovalRow.undone_at).is_(None),
        )
        .order_by(col(ApprovalRow.id).desc())
    )
    dismissals = (
        select(MentionRow, IdentityRow, DismissalRow)
        .join(DismissalRow, col(DismissalRow.mention_id) == col(MentionRow.id))
        .outerjoin(IdentityRow, col(IdentityRow.id) == col(MentionRow.identity_id))
        .where(
            col(DismissalRow.by) == by,
            col(DismissalRow.undone_at).is_(None),
            col(DismissalRow.made_at) > at - OFFERED_FOR,
            col(MentionRow.state) == "dismissed",
        )
        .order_by(col(DismissalRow.id).desc())
    )
    found = {
        draft.id: _of("approval", draft.id, mention, writer, draft.send_after or at, approval.approved_at)
        for mention, writer, draft, approval in session.exec(approvals).all()[:MOST]
    }
    others = [
        _of("dismissal", mention.id, mention, writer, dismissal.made_at + OFFERED_FOR, dismissal.made_at)
        for mention, writer, dismissal in session.exec(dismissals).all()[:MOST]
    ]
    return sorted([*found.values(), *others], key=lambda one: one.decided_at, reverse=True)[:MOST]


def _of(
    kind: str, of: int, mention: MentionRow, writer: IdentityRow | None, until: datetime, decided_at: datetime
) -> Undoable:
    return Undoable(
        kind=kind,
        id=of,
        conversation_id=mention.conversation_id,
        platform=mention.platform,
        author=writer.handle if writer else None,
        name=writer.name if writer else "",
        until=until,
        decided_at=decided_at,
    )
