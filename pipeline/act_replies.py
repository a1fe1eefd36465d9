"""Posting replies: the only caller of ``Responder.send``.

Protocol (``docs/decisions`` has the why): the approved bytes are frozen in the reply's row; before the call the post
is looked at as it stands on its platform; the claim, the kill switch and every rule are checked in one transaction;
the call is made outside of any; the answer is written in another. After the first byte is out a time-out, a reset, a
5xx or an unreadable answer is doubt, not failure: after a pause the thread is read back, and what is found is adopted.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

import crashing
from errors import AdapterError, ConfigError, HarkenError, InDoubt, NotInvited, RateLimited, Refused, Unauthorized
from pipeline import review
from pipeline.deployment import Deployment, sends_for_real
from pipeline.policies import policy_of_draft
from pipeline.sendable import NotAsApproved, approved
from pipeline.taking import take_each
from store import attention, audit, facts, intake, outbound, threads, work
from store.tables import AccountRow, ApprovalRow, DraftRow, MentionRow, ReplyRow, TicketRow
from store.types import now
from store.work import Claim
from vocabulary import ApprovedReply, DraftState, PostNow, SentReply

log = logging.getLogger(__name__)

KIND = "reply"
RETRACT = "retract"
TRIES = 3
PAUSE = timedelta(seconds=2)
TICKET_PAUSE = timedelta(milliseconds=300)  #: a ticket is usually opened within a second


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    reply_id: int
    account: str
    what: str  #: look, read_back, nothing
    value: ApprovedReply | None = None
    key: str = ""


def send_due(deployment: Deployment, *, worker: str) -> int:
    """Take the replies that are due a step further; gives how many."""
    return take_each(deployment, KIND, _one_step, worker=worker, limit=4, in_lanes=True)


def _one_step(deployment: Deployment, claim: Claim) -> None:
    try:
        with deployment.store.writing() as session:
            step = _prepare(session, deployment, claim)
        if step.what == "look":
            _look_and_send(deployment, claim, step)
        elif step.what == "read_back":
            _read_back(deployment, claim, step)
    except (ConfigError, NotAsApproved) as err:  # of this reply alone
        with deployment.store.writing() as session:
            _unsendable(session, claim, err)


def _unsendable(session: Session, claim: Claim, err: HarkenError) -> None:
    """Its account is no longer in the file, or its bytes are not the approved ones: nothing went out."""
    reply = session.get_one(ReplyRow, int(claim.ref))
    reply.error = str(err)[:500]
    fail(session, reply)
    work.finish(session, [claim])


def _prepare(session: Session, deployment: Deployment, claim: Claim) -> _Step:
    reply = session.get_one(ReplyRow, int(claim.ref))
    account = session.get_one(AccountRow, reply.account_id)
    nothing = _Step(reply_id=reply.id, account=account.name, what="nothing")
    moment = now()
    if reply.state in {"sending", "in_doubt"}:
        if reply.not_before is not None and reply.not_before > moment:
            work.later(session, claim, at=reply.not_before, free=True)
            return nothing
        _doubt(session, reply)
        return _step(session, account, reply, "read_back")
    if reply.state != "approved":
        work.finish(session, [claim])
        return nothing
    wait = _hindered(session, deployment, reply, account, moment)
    if wait is not None:
        _obey(session, claim, wait)
        return nothing
    return _step(session, account, reply, "look")


def _step(session: Session, account: AccountRow, reply: ReplyRow, what: str) -> _Step:
    value = approved(session, reply)
    return _Step(reply_id=reply.id, account=account.name, what=what, value=value, key=reply.key)


def _obey(session: Session, claim: Claim, wait: datetime | str) -> None:
    if isinstance(wait, datetime):
        work.later(session, claim, at=wait, free=True)
    else:
        work.finish(session, [claim])


def _hindered(
    session: Session, deployment: Deployment, reply: ReplyRow, account: AccountRow, moment: datetime
) -> datetime | str | None:
    """Why the reply may not go now: a time to ask again, or the word for what was done instead. None: it may."""
    draft = session.get_one(DraftRow, reply.draft_id)
    mention = session.get_one(MentionRow, reply.mention_id)
    approval = _approval(session, draft)
    if approval.approved_at + deployment.settings.approval.expires_after <= moment:
        review.back_to_review(session, draft, why="the approval expired", by="system", state=DraftState.EXPIRED)
        return "expired"
    if account.name in deployment.accounts() and not sends_for_real(deployment, account):
        review.back_to_review(session, draft, why=f"{account.name} was put back to dry run", by="system")
        return "back to review"
    moved = threads.moved_on(session, draft)
    if mention.state == "deleted" or moved is not None:
        review.back_to_review(session, draft, why=moved or "the post was deleted", by="system")
        return "back to review"
    rule = facts.contact_rule(session, draft.addressee_id, follow_up=draft.kind == "follow_up")
    if rule is not None:
        copy = review.back_to_review(session, draft, why=f"the resident {rule}", by="system")
        review.hold(session, copy, reason=f"the resident {rule}", by="system")
        return "held"
    return _not_yet(session, deployment, draft, mention, account, moment)


def _not_yet(
    session: Session,
    deployment: Deployment,
    draft: DraftRow,
    mention: MentionRow,
    account: AccountRow,
    moment: datetime,
) -> datetime | str | None:
    if facts.kill_switch(session, platform=account.platform, account=account.name) is not None:
        return moment + PAUSE
    if account.not_before is not None and account.not_before > moment and account.state == "rate_limited":
        return account.not_before
    if draft.send_after is not None and draft.send_after > moment:
        return draft.send_after
    policy = policy_of_draft(session, deployment, draft, mention, account)
    if not policy.may_reply:
        review.back_to_review(session, draft, why=policy.reason, by="system")
        return "back to review"
    if draft.kind != "follow_up" and draft.request_id is not None and _ticket_awaited(session, draft, moment):
        return moment + TICKET_PAUSE
    return None


def _ticket_awaited(session: Session, draft: DraftRow, moment: datetime) -> bool:
    """A reply waits a while for its ticket, then goes with our own reference."""
    waiting = select(TicketRow).where(
        TicketRow.request_id == draft.request_id, col(TicketRow.state).in_(("pending", "sending", "in_doubt"))
    )
    return any(row.give_up_reply_wait_at is None or row.give_up_reply_wait_at > moment for row in session.exec(waiting))


def _approval(session: Session, draft: DraftRow) -> ApprovalRow:
    query = (
        select(ApprovalRow)
        .where(ApprovalRow.draft_id == draft.id, col(ApprovalRow.undone_at).is_(None), ApprovalRow.text_sha != "")
        .order_by(col(ApprovalRow.id).desc())
    )
    return session.exec(query.limit(1)).one()


def _look_and_send(deployment: Deployment, claim: Claim, step: _Step) -> None:
    assert step.value is not None
    responder = deployment.responder(step.account)
    try:
        post = responder.look(step.value.in_reply_to)
    except AdapterError as err:
        with deployment.store.writing() as session:
            _not_looked(session, claim, step, err)
        return
    began = time.monotonic()  # not before the look: a slow platform must not use up the tries
    with deployment.store.writing() as session:
        crashing.here("reply.looked")
        fence = _claim_send(session, deployment, claim, step, post)
        crashing.here("reply.claiming")
    if not post.exists:
        deployment.store.forget_freed_pages()
    too_slow = time.monotonic() - began > deployment.settings.sending.settle.total_seconds() / 4
    if fence is None:
        return
    crashing.here("reply.claimed")
    if too_slow:  # paused in between: by the time the call arrives another worker may have read back
        with deployment.store.writing() as session:
            _not_begun(session, claim, step, fence)
        return
    try:
        crashing.here("reply.calling")
        sent = responder.send(step.value, key=step.key)
    except AdapterError as err:
        crashing.here("reply.refused")
        with deployment.store.writing() as session:
            _not_sent(session, deployment, claim, step, fence, err)
        return
    crashing.here("reply.called")
    with deployment.store.writing() as session:
        _confirm(session, step.reply_id, sent)
        crashing.here("reply.confirming")
        work.finish(session, [claim])
    crashing.here("reply.confirmed")


def _not_looked(session: Session, claim: Claim, step: _Step, err: AdapterError) -> None:
    reply = session.get_one(ReplyRow, step.reply_id)
    reply.error = f"{type(err).__name__}: {err}"[:500]
    session.add(reply)
    if isinstance(err, (Refused, Unauthorized)) or claim.attempt >= work.MAX_ATTEMPTS:
        fail(session, reply)
        work.finish(session, [claim])
        return
    at = err.retry_at if isinstance(err, RateLimited) else now() + work.wait_after(claim.attempt)
    work.later(session, claim, at=at, error=reply.error)


def _claim_send(session: Session, deployment: Deployment, claim: Claim, step: _Step, post: PostNow) -> int | None:
    """The last check and the claim, in one transaction; gives the fence, or None where the reply may not go."""
    reply = session.get_one(ReplyRow, step.reply_id)
    account = session.get_one(AccountRow, reply.account_id)
    moment = now()
    if reply.state != "approved":
        _already_claimed(session, claim, reply)
        return None
    wait = _hindered(session, deployment, reply, account, moment)
    if wait is not None:
        _obey(session, claim, wait)
        return None
    if _changed(session, reply, post):
        work.finish(session, [claim])
        return None
    reply.state, reply.attempt, reply.fence = "sending", reply.attempt + 1, reply.fence + 1
    reply.not_before = moment + deployment.settings.sending.settle
    draft = session.get_one(DraftRow, reply.draft_id)
    draft.state = DraftState.SENDING
    session.add_all([reply, draft])
    hashes = {"text": reply.text_sha, "key": reply.key, "to": reply.in_reply_to}
    audit.append(session, by="system", action="reply.sending", subject=f"reply:{reply.id}", hashes=hashes)
    return reply.fence


def _not_begun(session: Session, claim: Claim, step: _Step, fence: int) -> None:
    """Take the claim back, unless somebody holds us for dead already: nothing went out, so it was no try."""
    reply = session.get_one(ReplyRow, step.reply_id)
    if reply.state != "sending" or reply.fence != fence:
        return
    draft = session.get_one(DraftRow, reply.draft_id)
    reply.state, draft.state = "approved", DraftState.APPROVED
    reply.attempt, reply.not_before = reply.attempt - 1, None
    session.add_all([reply, draft])
    work.later(session, claim, at=now() + PAUSE, free=True)


def _already_claimed(session: Session, claim: Claim, reply: ReplyRow) -> None:
    """Another worker was quicker; should it die on the way, somebody must read the thread back."""
    if reply.state in {"sending", "in_doubt"}:
        work.later(session, claim, at=reply.not_before or now(), free=True)
    else:
        work.finish(session, [claim])


def _changed(session: Session, reply: ReplyRow, post: PostNow) -> bool:
    """Whether the post is no longer the one that was approved for; then the draft goes back to people."""
    mention = session.get_one(MentionRow, reply.mention_id)
    draft = session.get_one(DraftRow, reply.draft_id)
    if not post.exists:
        intake.forget(session, mention.platform, mention.current_post_id)
        if draft.state == DraftState.APPROVED:
            outbound.stop(session, draft, state="cancelled", why="the post was deleted on its platform", by="system")
        return True
    if post.rev_hash is not None and post.rev_hash != mention.rev_hash:
        mention.checked_at = None  # the next round takes the new wording in
        session.add(mention)
        review.back_to_review(session, draft, why="the post was edited", by="system")
        return True
    if post.author_id is not None and reply.addressee is not None and post.author_id != reply.addressee:
        copy = review.back_to_review(session, draft, why="the post has another author now", by="system")
        review.hold(session, copy, reason="the post has another author now", by="system")
        return True
    return False


def _not_sent(
    session: Session, deployment: Deployment, claim: Claim, step: _Step, fence: int, err: AdapterError
) -> None:
    reply = session.get_one(ReplyRow, step.reply_id)
    if reply.state != "sending" or reply.fence != fence:
        return
    draft = session.get_one(DraftRow, reply.draft_id)
    reply.error = draft.error = f"{type(err).__name__}: {err}"[:500]
    log.warning("reply %d not sent: %s", reply.id, err, extra={"reply": reply.id})
    if isinstance(err, InDoubt):
        reply.not_before = now() + deployment.settings.sending.settle
        _doubt(session, reply)
        work.later(session, claim, at=reply.not_before, free=True)
    elif isinstance(err, NotInvited):
        reply.state = draft.state = DraftState.MANUAL
        work.finish(session, [claim])
        _attend(
            session, reply, "the platform allows no reply by program: answer by hand", "copy the text to the thread"
        )
    elif isinstance(err, (Refused, Unauthorized)):
        fail(session, reply)
        work.finish(session, [claim])
    else:
        reply.state, draft.state = "approved", DraftState.APPROVED
        at = err.retry_at if isinstance(err, RateLimited) else now() + work.wait_after(claim.attempt)
        if claim.attempt >= work.MAX_ATTEMPTS:
            fail(session, reply)
            work.finish(session, [claim])
        else:
            work.later(session, claim, at=at, error=reply.error)
    session.add_all([reply, draft])


def _doubt(session: Session, reply: ReplyRow) -> None:
    reply.state = "in_doubt"
    draft = session.get_one(DraftRow, reply.draft_id)
    draft.state = DraftState.IN_DOUBT
    session.add_all([reply, draft])


def fail(session: Session, reply: ReplyRow) -> None:
    """Nothing more is tried; a person must look."""
    reply.state = "failed"
    draft = session.get_one(DraftRow, reply.draft_id)
    draft.state, draft.error = DraftState.FAILED, reply.error
    draft.version += 1
    session.add_all([reply, draft])
    audit.append(session, by="system", action="reply.failed", subject=f"reply:{reply.id}")
    _attend(session, reply, f"a reply was not sent: {reply.error}", "mend the cause, then press Retry on the draft")


def _attend(session: Session, reply: ReplyRow, summary: str, remedy: str) -> None:
    attention.raise_(
        session, kind="draft", ref=str(reply.draft_id), mention_id=reply.mention_id, summary=summary, remedy=remedy
    )


def _confirm(session: Session, reply_id: int, sent: SentReply) -> None:
    reply = session.get_one(ReplyRow, reply_id)
    outbound.confirm(session, reply, post_id=sent.post_id, url=sent.url, sent_at=now())


def _read_back(deployment: Deployment, claim: Claim, step: _Step) -> None:
    """Only the thread can say whether a reply stands."""
    assert step.value is not None
    try:
        found = deployment.responder(step.account).find_sent(step.value)
    except AdapterError as err:
        with deployment.store.writing() as session:
            reply = session.get_one(ReplyRow, step.reply_id)
            reply.error = f"could not be read back: {err}"[:500]
            session.add(reply)
            if isinstance(err, Refused):  # it stays in doubt: sending again could be a second reply
                _attend(session, reply, f"a reply {reply.error}", "look on the platform whether it stands")
            at = max(
                now() + deployment.settings.sending.settle, err.retry_at if isinstance(err, RateLimited) else now()
            )
            work.later(session, claim, at=at, error=reply.error, free=True)
        return
    crashing.here("reply.read_back")
    with deployment.store.writing() as session:
        reply = session.get_one(ReplyRow, step.reply_id)
        if reply.state != "in_doubt":
            work.finish(session, [claim])
        elif found is not None and not _is_anothers(session, reply, found):
            _confirm(session, reply.id, found)
            work.finish(session, [claim])
        elif reply.attempt >= TRIES:
            reply.error = reply.error or "its outcome is unknown, and the thread does not show it"
            fail(session, reply)
            work.finish(session, [claim])
        else:
            draft = session.get_one(DraftRow, reply.draft_id)
            reply.state, draft.state = "approved", DraftState.APPROVED
            session.add_all([reply, draft])
            work.later(session, claim, at=now(), free=True)


def _is_anothers(session: Session, reply: ReplyRow, found: SentReply) -> bool:
    """Another reply of ours that says the like, as an answer and its follow-up quote one reference."""
    other = select(ReplyRow.id).where(
        ReplyRow.account_id == reply.account_id, ReplyRow.post_id == found.post_id, ReplyRow.id != reply.id
    )
    return session.exec(other).first() is not None


def retract_due(deployment: Deployment, *, worker: str) -> int:
    """Delete what was retracted from its platform; gives how many."""
    return take_each(deployment, RETRACT, _retract, worker=worker, limit=4)


def _retract(deployment: Deployment, claim: Claim) -> None:
    with deployment.store.reading() as session:
        reply = session.get_one(ReplyRow, int(claim.ref))
        account = session.get_one(AccountRow, reply.account_id)
    try:
        deployment.responder(account.name).retract(reply.post_id or "")
    except AdapterError as err:
        _not_retracted(deployment, claim, reply, err)
        return
    with deployment.store.writing() as session:
        reply = session.get_one(ReplyRow, reply.id)
        draft = session.get_one(DraftRow, reply.draft_id)
        reply.state = draft.state = DraftState.RETRACTED
        session.add_all([reply, draft])
        audit.append(session, by="system", action="reply.retracted", subject=f"reply:{reply.id}")
        work.finish(session, [claim])


def _not_retracted(deployment: Deployment, claim: Claim, reply: ReplyRow, err: AdapterError) -> None:
    with deployment.store.writing() as session:
        if isinstance(err, (Refused, Unauthorized)) or claim.attempt >= work.MAX_ATTEMPTS:
            work.finish(session, [claim])
            _attend(session, reply, f"a reply could not be retracted: {err}", "delete it by hand on the platform")
            return
        at = err.retry_at if isinstance(err, RateLimited) else now() + work.wait_after(claim.attempt)
        work.later(session, claim, at=at, error=str(err)[:300])
