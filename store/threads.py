"""What goes on in a conversation: who wrote last, and whether a draft still answers it."""

from sqlmodel import Session, col, select

from store.tables import DraftRow, MentionRow, OwnPostRow, ReplyRow
from vocabulary import DraftState

UNDECIDED = (DraftState.PENDING, DraftState.HELD)


def moved_on(session: Session, draft: DraftRow) -> str | None:
    """How the conversation moved on since the draft was written: by its author, or by us by hand. None: it did not.

    Other residents in the same thread, and replies of ours to them, do not make a draft stale.
    """
    mention = session.get_one(MentionRow, draft.mention_id)
    if mention.identity_id is not None:
        later = select(MentionRow.id).where(
            MentionRow.conversation_id == draft.conversation_id,
            MentionRow.identity_id == mention.identity_id,
            MentionRow.id != mention.id,
            MentionRow.seq > draft.conversation_seq,
            MentionRow.state != "deleted",
        )
        if session.exec(later).first() is not None:
            return "its author wrote again on this thread"
    if mention.rev_hash != draft.rev_hash:
        return "the post was edited"
    by_hand = (
        select(OwnPostRow.id)
        .where(OwnPostRow.conversation_id == draft.conversation_id, OwnPostRow.seq > draft.conversation_seq)
        .where(col(OwnPostRow.in_reply_to).in_((mention.post_id, mention.current_post_id)))
        .where(
            col(OwnPostRow.post_id).not_in(
                select(ReplyRow.post_id).where(ReplyRow.origin == "harken", col(ReplyRow.post_id).is_not(None))
            )
        )
    )
    if session.exec(by_hand).first() is not None:
        return "somebody answered by hand on the platform"
    return None


def live_draft(session: Session, mention_id: int, *, but: str = "") -> DraftRow | None:
    """The draft of a mention that is not decided yet, of any kind ``but`` one."""
    query = (
        select(DraftRow)
        .where(DraftRow.mention_id == mention_id, col(DraftRow.state).in_(UNDECIDED), DraftRow.kind != but)
        .order_by(col(DraftRow.id).desc())
    )
    return session.exec(query).first()


def failed_drafts(session: Session, mention_id: int) -> list[DraftRow]:
    """Drafts that could not be sent and that nobody has dealt with."""
    query = select(DraftRow).where(DraftRow.mention_id == mention_id, DraftRow.state == DraftState.FAILED)
    return list(session.exec(query))


def undecided_of_author(session: Session, mention: MentionRow) -> list[tuple[DraftRow, MentionRow]]:
    """Undecided and approved-but-unsent drafts to the same author on the same thread, for other posts than this."""
    if mention.identity_id is None:
        return []
    query = (
        select(DraftRow, MentionRow)
        .join(MentionRow, col(MentionRow.id) == col(DraftRow.mention_id))
        .where(DraftRow.conversation_id == mention.conversation_id)
        .where(MentionRow.identity_id == mention.identity_id, MentionRow.id != mention.id)
        .where(col(DraftRow.state).in_((*UNDECIDED, DraftState.APPROVED)))
        .order_by(col(DraftRow.id).desc())
    )
    return list(session.exec(query))


def earlier_of_author(session: Session, mention: MentionRow, *, states: tuple[str, ...]) -> list[MentionRow]:
    """Earlier posts of the same author on the same thread, the newest first."""
    if mention.identity_id is None:
        return []
    query = (
        select(MentionRow)
        .where(MentionRow.conversation_id == mention.conversation_id, MentionRow.identity_id == mention.identity_id)
        .where(col(MentionRow.id) != mention.id, col(MentionRow.state).in_(states))
        .order_by(col(MentionRow.seq).desc())
    )
    return list(session.exec(query))
