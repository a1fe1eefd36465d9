"""What our own accounts wrote: by Harken, or by hand on the platform, which settles a mention just as well."""

import logging
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from store import attention, audit, content, intake, work
from store.tables import (
    AccountRow,
    ConversationRow,
    DraftRow,
    MentionRow,
    OwnPostRow,
    ReplyRow,
    RequestProposalRow,
    ServiceRequestRow,
    TicketRow,
)
from store.types import now
from vocabulary import DraftState, OwnPost

log = logging.getLogger(__name__)

UNDECIDED = ("pending", "held", "manual")
LIVE = (*UNDECIDED, "approved", "sending", "in_doubt")
#: The work of looking for doubles, and how long after a reply is known to stand: ``pipeline/sweep.py``.
SWEEP, SWEEP_AFTER = "sweep", timedelta(minutes=10)


def take(session: Session, account: AccountRow, post: OwnPost) -> bool:
    """Store one of our own posts; gives whether it was new. A reply written by hand settles its mention."""
    seen = select(OwnPostRow).where(OwnPostRow.platform == post.platform, OwnPostRow.post_id == post.post_id)
    if session.exec(seen).first() is not None:
        return False
    thread = intake.conversation(session, post.platform, post.conversation_key)
    ours = _sent_by_us(session, account, thread, post)
    if ours is None:
        thread.last_seq += 1
    words_id = content.keep(session, "reply", post.text)
    session.add(
        OwnPostRow(
            platform=post.platform,
            post_id=post.post_id,
            account_id=account.id,
            conversation_id=thread.id,
            content_id=words_id,
            in_reply_to=post.in_reply_to,
            url=post.url,
            posted_at=post.posted_at,
            seq=thread.last_seq,
        )
    )
    session.add(thread)
    session.flush()
    mention = intake.known(session, post.platform, post.in_reply_to) if post.in_reply_to else None
    if ours is None and mention is not None:
        _settle_by_hand(session, account, mention, post, words_id)
    return True


def _sent_by_us(session: Session, account: AccountRow, thread: ConversationRow, post: OwnPost) -> ReplyRow | None:
    """Our own reply, also one whose answer we have not had yet: then the listing is the proof that it stands."""
    by_id = session.exec(
        select(ReplyRow).where(ReplyRow.post_id == post.post_id, ReplyRow.account_id == account.id)
    ).first()
    if by_id is not None:
        return by_id
    tried = col(ReplyRow.state).in_(("approved", "failed")) & (col(ReplyRow.attempt) > 0)
    answered = post.in_reply_to or ""
    # Facebook hangs an answer to an answer under the first, so ours may name what stands above the one it answers.
    below = select(MentionRow.id).where(MentionRow.conversation_id == thread.id, MentionRow.in_reply_to == answered)
    open_ = select(ReplyRow).where(
        ReplyRow.account_id == account.id,
        or_(col(ReplyRow.in_reply_to) == answered, col(ReplyRow.mention_id).in_(below)),
        or_(col(ReplyRow.state).in_(("sending", "in_doubt", "manual")), tried),
    )
    for reply in sorted(session.exec(open_), key=lambda one: one.in_reply_to != answered):
        if same_words(content.words(session, reply.content_id), post.text) and not _replaced(session, reply):
            confirm(session, reply, post_id=post.post_id, url=post.url, sent_at=post.posted_at)
            return reply
    return None


def _replaced(session: Session, reply: ReplyRow) -> bool:
    """Whether another reply has taken the turn of one that was given up."""
    if reply.state != "failed":
        return False
    live = select(ReplyRow.id).where(
        ReplyRow.mention_id == reply.mention_id, ReplyRow.turn == reply.turn, ReplyRow.id != reply.id
    )
    drafted = select(DraftRow.id).where(
        DraftRow.mention_id == reply.mention_id, DraftRow.turn == reply.turn, col(DraftRow.state).in_(LIVE)
    )
    standing = live.where(col(ReplyRow.state).in_((*LIVE, "sent")))
    return session.exec(standing).first() is not None or session.exec(drafted).first() is not None


def same_words(ours: str, theirs: str) -> bool:
    """Whether a platform's rendering of a text is ours: spaces, links and HTML entities aside."""
    return _folded(ours) == _folded(theirs)


def _folded(text: str) -> str:
    flat = unicodedata.normalize("NFKC", text).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    flat = re.sub(r"https?://\S+", "http", flat)
    return re.sub(r"^(@\w+\s+)+", "", " ".join(flat.split())).casefold()


def confirm(session: Session, reply: ReplyRow, *, post_id: str, url: str, sent_at: datetime) -> None:
    """The reply stands on its thread. Not fenced on purpose: a late truth is still the truth."""
    if reply.state == "sent" and reply.post_id is not None:  # adopted meanwhile
        if reply.post_id != post_id:
            doubled(session, reply, [reply.post_id, post_id], told=[reply.url or reply.post_id, url or post_id])
        return
    reply.state, reply.post_id, reply.url, reply.sent_at, reply.error = "sent", post_id, url, sent_at, None
    session.add(reply)
    audit.append(
        session,
        by="system",
        action="reply.sent",
        subject=f"reply:{reply.id}",
        hashes={"text": reply.text_sha, "post_id": post_id, "key": reply.key},
    )
    work.put(session, SWEEP, reply.id, not_before=now() + SWEEP_AFTER)
    draft = session.get(DraftRow, reply.draft_id) if reply.draft_id else None
    if draft is not None:
        draft.state, draft.error = DraftState.SENT, None
        session.add(draft)
        attention.settle(session, "draft", str(draft.id))
    mention = session.get_one(MentionRow, reply.mention_id)
    if mention.state != "deleted":
        asked = draft is not None and draft.purpose == "clarify"
        mention.state = "waiting_for_resident" if asked else "answered"
        session.add(mention)


def doubled(session: Session, reply: ReplyRow, posts: Sequence[str], *, told: Sequence[str]) -> None:
    """A reply stands more than once: people hear of it, and nothing is deleted by itself."""
    log.error("reply %d stands %d times", reply.id, len(posts), extra={"reply": reply.id})
    attention.raise_(
        session,
        kind="double",
        ref=str(reply.id),
        account_id=reply.account_id,
        mention_id=reply.mention_id,
        summary=f"a reply stands {len(posts)} times: {', '.join(told)}",
        remedy="keep the first and delete the others on the platform; nothing is deleted by itself",
    )
    hashes = {"text": reply.text_sha, "posts": " ".join(posts)[:500]}
    audit.append(session, by="system", action="reply.doubled", subject=f"reply:{reply.id}", hashes=hashes)


def live_reply(session: Session, mention_id: int, turn: int) -> ReplyRow | None:
    """The reply that stands, or may stand, in a turn."""
    query = select(ReplyRow).where(
        ReplyRow.mention_id == mention_id, ReplyRow.turn == turn, col(ReplyRow.state).in_((*LIVE, "sent"))
    )
    return session.exec(query).first()


def next_turn(session: Session, mention_id: int) -> int:
    """The number of the next reply to a mention."""
    last = session.exec(select(func.max(ReplyRow.turn)).where(ReplyRow.mention_id == mention_id)).one()
    drafted = session.exec(select(func.max(DraftRow.turn)).where(DraftRow.mention_id == mention_id)).one()
    return max(last or 0, drafted or 0) + 1


def next_ordinal(session: Session, mention_id: int, turn: int) -> int:
    """The number of the next draft of a turn."""
    last = select(func.max(DraftRow.ordinal)).where(DraftRow.mention_id == mention_id, DraftRow.turn == turn)
    return (session.exec(last).one() or 0) + 1


def _settle_by_hand(session: Session, account: AccountRow, mention: MentionRow, post: OwnPost, words_id: int) -> None:
    open_ = (*UNDECIDED, "approved", "failed")
    live = select(DraftRow).where(DraftRow.mention_id == mention.id, col(DraftRow.state).in_(open_))
    for draft in session.exec(live).all():
        stop(session, draft, state="superseded", why="answered by hand on the platform", by="system", keep_request=True)
    session.add(
        ReplyRow(
            mention_id=mention.id,
            turn=next_turn(session, mention.id),
            account_id=account.id,
            origin="native",
            state="sent",
            key=f"native:{post.platform}:{post.post_id}",
            content_id=words_id,
            text_sha=audit.sha(post.text),
            in_reply_to=mention.current_post_id,
            post_id=post.post_id,
            url=post.url,
            sent_at=post.posted_at,
        )
    )
    if mention.state != "deleted":
        mention.state = "answered"
        session.add(mention)
    audit.append(
        session,
        by="system",
        action="mention.answered_by_hand",
        subject=f"mention:{mention.id}",
        hashes={"text": audit.sha(post.text), "post_id": post.post_id},
    )


def settle_if_answered(session: Session, mention: MentionRow, post_id: str) -> None:
    """A reply by hand may be heard before the post, or the wording, that it answers."""
    heard = select(OwnPostRow).where(OwnPostRow.platform == mention.platform, OwnPostRow.in_reply_to == post_id)
    for own in session.exec(heard.order_by(col(OwnPostRow.id))).all():
        known = select(ReplyRow.id).where(ReplyRow.account_id == own.account_id, ReplyRow.post_id == own.post_id)
        if own.deleted_at is not None or session.exec(known).first() is not None:
            continue
        post = OwnPost(
            platform=own.platform,
            post_id=own.post_id,
            conversation_key="",
            text=content.words(session, own.content_id),
            posted_at=own.posted_at,
            in_reply_to=post_id,
            url=own.url,
        )
        _settle_by_hand(session, session.get_one(AccountRow, own.account_id), mention, post, own.content_id)


def stop(
    session: Session,
    draft: DraftRow,
    *,
    state: str,
    why: str,
    by: str,
    keep_request: bool = False,
    unfile: bool = True,
) -> DraftRow | None:
    """End a draft that has not begun to be sent; its reply and its ticket, if they wait, are cancelled.

    ``keep_request``: a proposal that nobody decided yet goes on in a draft of its own, which is given back.
    ``unfile=False``: a ticket that was approved is opened all the same; reply and request are decided apart.
    """
    was_approved = draft.state == DraftState.APPROVED
    draft.state, draft.error = state, why
    draft.version += 1
    session.add(draft)
    session.flush()
    attention.settle(session, "draft", str(draft.id))
    unsent = col(ReplyRow.state).in_(("approved", "manual"))
    for reply in session.exec(select(ReplyRow).where(ReplyRow.draft_id == draft.id, unsent)):
        reply.state, reply.error = "cancelled", why
        session.add(reply)
    proposal = session.exec(select(RequestProposalRow).where(RequestProposalRow.draft_id == draft.id)).first()
    carried = None
    if proposal is not None and proposal.state == "pending":
        if keep_request:
            carried = _carry_request(session, draft, proposal, why)
        else:
            proposal.state = "cancelled"
            session.add(proposal)
    filed_here = proposal is not None and proposal.state == "approved" and proposal.attach_to is None
    if was_approved and filed_here and unfile and not keep_request and draft.request_id is not None:
        _unfile(session, draft.request_id, why)
    audit.append(session, by=by, action=f"draft.{state}", subject=f"draft:{draft.id}")
    return carried


def _unfile(session: Session, request_id: int, why: str) -> None:
    """A ticket that waits is not opened any more; its request is a proposal again."""
    waiting = select(TicketRow).where(TicketRow.request_id == request_id, TicketRow.state == "pending")
    for ticket in session.exec(waiting).all():
        ticket.state, ticket.error = "cancelled", why
        request = session.get_one(ServiceRequestRow, request_id)
        request.status = "proposed"
        session.add_all([ticket, request])


def _carry_request(session: Session, draft: DraftRow, proposal: RequestProposalRow, why: str) -> DraftRow:
    heir = DraftRow(
        mention_id=draft.mention_id,
        conversation_id=draft.conversation_id,
        kind="request_only",
        purpose=draft.purpose,
        turn=draft.turn,
        ordinal=next_ordinal(session, draft.mention_id, draft.turn),
        language=draft.language,
        reply_as_id=draft.reply_as_id,
        addressee_id=draft.addressee_id,
        conversation_seq=session.get_one(ConversationRow, draft.conversation_id).last_seq,
        rev_hash=draft.rev_hash,
        content_id=content.keep(session, "draft", ""),
        no_text_reason=why,
        request_id=draft.request_id,
    )
    session.add(heir)
    session.flush()
    proposal.draft_id = heir.id
    draft.superseded_by = heir.id
    session.add_all([proposal, draft])
    session.flush()
    return heir
