"""What becomes of a draft that is not sent: held, shown anew, superseded, or put back before people."""

from __future__ import annotations

from sqlmodel import Session

from store import audit, content, outbound, requests
from store.tables import ConversationRow, DraftRow, MentionRow, ServiceRequestRow
from vocabulary import DraftState


def hold(session: Session, draft: DraftRow, *, reason: str, by: str) -> None:
    """Keep a draft back until a person releases it."""
    draft.state, draft.held_reason, draft.version = DraftState.HELD, reason, draft.version + 1
    session.add(draft)
    audit.append(session, by=by, action="draft.held", subject=f"draft:{draft.id}")


def refresh(session: Session, draft: DraftRow) -> DraftRow:
    """The thread went on: who approves must see it first."""
    thread = session.get_one(ConversationRow, draft.conversation_id)
    draft.conversation_seq, draft.needs_review, draft.version = thread.last_seq, True, draft.version + 1
    session.add(draft)
    return draft


def supersede(session: Session, old: DraftRow, new: DraftRow | None) -> None:
    """End a draft that another takes the place of; that one may not be made yet."""
    outbound.stop(session, old, state=DraftState.SUPERSEDED, why="a newer draft takes its place", by="system")
    old.superseded_by = None if new is None else new.id
    session.add(old)


def back_to_review(
    session: Session, draft: DraftRow, *, why: str, by: str, state: str = DraftState.CANCELLED, undone: bool = False
) -> DraftRow:
    """End an approval that was not carried out, and put the same words before people again.

    ``undone``: taken back, the request too. Otherwise only the reply is stale, and its ticket goes its way.
    """
    outbound.stop(session, draft, state=state, why=why, by=by, unfile=undone)
    thread = session.get_one(ConversationRow, draft.conversation_id)
    mention = session.get_one(MentionRow, draft.mention_id)
    copy = DraftRow(
        **draft.model_dump(include=_COPIED),
        ordinal=outbound.next_ordinal(session, draft.mention_id, draft.turn),
        conversation_seq=thread.last_seq,
        rev_hash=mention.rev_hash,
        content_id=content.keep(
            session, "draft", content.words(session, draft.content_id), derived_from=mention.content_id
        ),
        needs_review=True,
    )
    session.add(copy)
    session.flush()
    draft.superseded_by = copy.id
    session.add(draft)
    proposal = requests.proposal_of(session, draft.id)
    if proposal is not None and proposal.state != "rejected":
        proposal.draft_id, proposal.state = copy.id, "pending" if _unfiled(session, draft) else proposal.state
        session.add(proposal)
    if mention.state not in {"deleted", "dismissed"}:
        mention.state = "drafted"
        session.add(mention)
    session.flush()
    return copy


_COPIED = {
    "mention_id",
    "conversation_id",
    "kind",
    "purpose",
    "turn",
    "language",
    "reply_as_id",
    "addressee_id",
    "staff_content_id",
    "template",
    "visibility",
    "no_text_reason",
    "edited_by",
    "request_id",
}


def _unfiled(session: Session, draft: DraftRow) -> bool:
    request = session.get(ServiceRequestRow, draft.request_id) if draft.request_id else None
    return request is None or request.status == "proposed"
