"""From rows to the value that may be sent: the frozen bytes, and the approval that binds to them."""

from __future__ import annotations

from sqlmodel import Session, col, select

from errors import HarkenError
from responders.policy import narrowed
from store import audit, content
from store.tables import AccountRow, ApprovalRow, ConversationRow, DraftRow, MentionRow, ReplyRow
from vocabulary import ApprovedReply, ReplyDraft, Visibility


class NotAsApproved(HarkenError):
    """The bytes that wait are not the bytes that were approved: nothing is sent."""


def reply_draft(session: Session, draft: DraftRow, reply: ReplyRow, text: str) -> ReplyDraft:
    """The draft as the value that can be approved."""
    mention = session.get_one(MentionRow, draft.mention_id)
    thread = session.get_one(ConversationRow, draft.conversation_id)
    account = session.get_one(AccountRow, reply.account_id)
    return ReplyDraft(
        draft_id=str(draft.id),
        account=account.name,
        platform=account.platform,
        in_reply_to=reply.in_reply_to,
        conversation_key=thread.conversation_key,
        addressee=reply.addressee,
        text=text,
        visibility=max(
            Visibility(draft.visibility), narrowed(Visibility(mention.visibility)), key=list(Visibility).index
        ),  # the narrower
    )


def approved(session: Session, reply: ReplyRow) -> ApprovedReply:
    """The approved reply of a row, byte for byte.

    Raises:
        NotAsApproved: the stored bytes differ from what was approved.
    """
    draft = session.get_one(DraftRow, reply.draft_id)
    approval = session.exec(
        select(ApprovalRow)
        .where(ApprovalRow.draft_id == draft.id, col(ApprovalRow.undone_at).is_(None), ApprovalRow.text_sha != "")
        .order_by(col(ApprovalRow.id).desc())
        .limit(1)
    ).one()
    text = content.words(session, reply.content_id)
    if not audit.sha(text) == approval.text_sha == reply.text_sha:
        raise NotAsApproved(f"reply {reply.id}: its text is not the one that {approval.by} approved")
    return reply_draft(session, draft, reply, text).approve(by=approval.by, at=approval.approved_at)
