"""Posting replies: the only caller of ``Responder.send``.

Protocol (``docs/decisions`` has the why): the approved bytes are frozen in the reply's row; before the call the post
and what we wrote below it are looked at as they stand on the platform; the claim, the kill switch and every rule are
checked in one transaction; the call is made outside of any; the answer is written in another. After the first byte is
out a time-out, a reset, a 5xx or an unreadable answer is doubt, not failure: it rests, and then goes the way that its
target's offers allow (``pipeline/promises.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

import crashing
from errors import AdapterError, ConfigError, HarkenError, Refused, Unauthorized
from pipeline import hindrances, outcomes, promises
from pipeline.deployment import Deployment
from pipeline.hindrances import PAUSE, Hindrance
from pipeline.outcomes import Step
from pipeline.promises import BEGINS_WITHIN, Next, Then
from pipeline.read_back import is_anothers, read_back
from pipeline.sendable import NotAsApproved, approved
from pipeline.taking import take_each
from responders.base import Responder, offered
from store import audit, clock, outbound, work
from store.tables import AccountRow, DraftRow, MentionRow, ReplyRow
from store.work import Claim
from vocabulary import DraftState, OwnPost, PostNow, SentReply

log = logging.getLogger(__name__)

KIND = "reply"
AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claimed:
    """The reply is ours to call for, but not for long."""

    fence: int
    at: float  #: seconds of the monotonic clock


def send_due(deployment: Deployment, *, worker: str) -> int:
    """Take the replies that are due a step further; gives how many."""
    return take_each(deployment, KIND, _one_step, worker=worker, limit=AT_ONCE, in_lanes=True, apart=_conversations)


def _conversations(session: Session, claims: Sequence[Claim]) -> list[int]:
    """Where each reply goes: one conversation's go in order, others side by side."""
    wanted = (
        select(ReplyRow.id, MentionRow.conversation_id)
        .join(MentionRow, col(MentionRow.id) == col(ReplyRow.mention_id))
        .where(col(ReplyRow.id).in_([int(one.ref) for one in claims]))
    )
    found = dict(session.exec(wanted).all())
    return [found[int(one.ref)] for one in claims]


def _one_step(deployment: Deployment, claim: Claim) -> None:
    try:
        with deployment.store.writing() as session:
            step = _prepare(session, deployment, claim)
        if step.what in {"send", "again"}:
            _look_and_send(deployment, claim, step)
        elif step.what == "read_back":
            read_back(deployment, claim, step)
    except (ConfigError, NotAsApproved) as err:  # of this reply alone
        with deployment.store.writing() as session:
            _unsendable(session, claim, err)


def _unsendable(session: Session, claim: Claim, err: HarkenError) -> None:
    """Its account is no longer in the file, or its bytes are not the approved ones: nothing went out."""
    reply = session.get_one(ReplyRow, int(claim.ref))
    reply.error = str(err)[:500]
    outcomes.fail(session, reply)
    work.finish(session, [claim])


def _prepare(session: Session, deployment: Deployment, claim: Claim) -> Step:
    reply = session.get_one(ReplyRow, int(claim.ref))
    account = session.get_one(AccountRow, reply.account_id)
    nothing = Step(reply_id=reply.id, account=account.name)
    moment = clock.read(session)
    if reply.state in {"sending", "in_doubt"}:
        if reply.not_before is not None and reply.not_before > moment:
            work.later(session, claim, at=reply.not_before, free=True)
            return nothing
        outcomes.is_in(session, reply, DraftState.IN_DOUBT)
        return _rested(session, deployment, claim, account, reply)
    if reply.state != "approved":
        work.finish(session, [claim])
        return nothing
    hindrance = hindrances.found(session, deployment, reply, account, moment)
    if hindrance is not None:
        _obey(session, claim, reply, hindrance)
        return nothing
    return _step(session, deployment, account, reply, "send")


def _rested(session: Session, deployment: Deployment, claim: Claim, account: AccountRow, reply: ReplyRow) -> Step:
    """What is done about one whose outcome is unknown, by what its target offers."""
    step = _step(session, deployment, account, reply, "read_back")
    if step.promised.then is Then.AGAIN and reply.attempt < step.promised.tries:
        return _step(session, deployment, account, reply, "again")
    if outcomes.reads_back(deployment, step):
        return step
    _unknown(session, claim, reply, account)
    return Step(reply_id=reply.id, account=account.name)


def _unknown(session: Session, claim: Claim, reply: ReplyRow, account: AccountRow) -> None:
    reply.error = f"its outcome is unknown, and {account.platform} does not show what stands; {reply.error or ''}"[:500]
    outcomes.fail(session, reply)
    work.finish(session, [claim])


def _step(session: Session, deployment: Deployment, account: AccountRow, reply: ReplyRow, what: str) -> Step:
    value = approved(session, reply)
    offers = offered(deployment.responder(account.name), value.draft.visibility)
    made = promises.promise(offers, age=clock.read(session) - value.approved_at)
    return Step(reply_id=reply.id, account=account.name, what=what, value=value, key=reply.key, promise=made)


def _obey(session: Session, claim: Claim, reply: ReplyRow, hindrance: Hindrance) -> None:
    if hindrance.until is not None:
        work.later(session, claim, at=hindrance.until, free=True)
        return
    hindrances.send_back(session, reply, hindrance)
    work.finish(session, [claim])


def _look_and_send(deployment: Deployment, claim: Claim, step: Step) -> None:
    responder = deployment.responder(step.account)
    try:
        post = responder.look(step.reply.in_reply_to)
        answers = responder.answers(step.reply) if post.exists else ()
    except AdapterError as err:
        with deployment.store.writing() as session:
            _not_looked(session, claim, step, err)
        return
    with deployment.store.writing() as session:
        crashing.here("reply.looked")
        claimed = _claim_send(session, deployment, claim, step, post, answers)
        crashing.here("reply.claiming")
    if not post.exists:
        deployment.store.forget_freed_pages()
    if isinstance(claimed, Hindrance):
        _no_longer_again(deployment, claim, step)
    if not isinstance(claimed, _Claimed):
        return
    crashing.here("reply.claimed")
    if _may_still_call(deployment, step, claimed):
        _call(deployment, claim, step, claimed, responder)
        return
    with deployment.store.writing() as session:
        _not_begun(session, claim, step, claimed)


def _no_longer_again(deployment: Deployment, claim: Claim, step: Step) -> None:
    """In doubt, and may not be called for again: then it must be known whether it stands."""
    if outcomes.reads_back(deployment, step):
        read_back(deployment, claim, step)
        return
    with deployment.store.writing() as session:
        reply = session.get_one(ReplyRow, step.reply_id)
        _unknown(session, claim, reply, session.get_one(AccountRow, reply.account_id))


def _not_looked(session: Session, claim: Claim, step: Step, err: AdapterError) -> None:
    reply = session.get_one(ReplyRow, step.reply_id)
    reply.error = f"{type(err).__name__}: {err}"[:500]
    session.add(reply)
    if isinstance(err, (Refused, Unauthorized)) and step.what == "send":
        outcomes.fail(session, reply)
        if isinstance(err, Unauthorized):
            outcomes.hold_account(session, reply, err)
        work.finish(session, [claim])
        return
    outcomes.waits(session, claim, reply, err)


def _claim_send(
    session: Session,
    deployment: Deployment,
    claim: Claim,
    step: Step,
    post: PostNow,
    answers: Sequence[OwnPost],
) -> _Claimed | Hindrance | None:
    """The last check and the claim, in one transaction; None where the reply may not go, and all is done about it.

    A hindrance is given where one in doubt was to be called for again, and may not be.
    """
    reply = session.get_one(ReplyRow, step.reply_id)
    account = session.get_one(AccountRow, reply.account_id)
    began, moment = deployment.monotonic(), clock.read(session)
    expected = "approved" if step.what == "send" else "in_doubt"
    if reply.state != expected:
        _already_claimed(session, claim, reply, moment)
        return None
    for own in answers:  # as the next round of listening would: an answer by hand ends it, our own is adopted
        outbound.take(session, account, own)
    if reply.state != expected:
        work.finish(session, [claim])
        return None
    hindrance = hindrances.found(session, deployment, reply, account, moment) or hindrances.changed(
        session, reply, post
    )
    if hindrance is not None and hindrance.until is None and expected == "in_doubt":
        return hindrance
    if hindrance is not None:
        _obey(session, claim, reply, hindrance)
        return None
    outcomes.is_in(session, reply, DraftState.SENDING)
    reply.attempt, reply.fence, reply.not_found = reply.attempt + 1, reply.fence + 1, 0
    reply.not_before = moment + step.promised.rest_from_claim(deployment.settings.sending.settle)
    hashes = {"text": reply.text_sha, "key": reply.key, "to": reply.in_reply_to}
    audit.append(session, by="system", action="reply.sending", subject=f"reply:{reply.id}", hashes=hashes)
    return _Claimed(fence=reply.fence, at=began)


def _already_claimed(session: Session, claim: Claim, reply: ReplyRow, moment: datetime) -> None:
    """Another worker was quicker; should it die on the way, somebody must read the thread back."""
    if reply.state in {"sending", "in_doubt"}:
        work.later(session, claim, at=reply.not_before or moment, free=True)
    else:
        work.finish(session, [claim])


def _may_still_call(deployment: Deployment, step: Step, claimed: _Claimed) -> bool:
    """The last look before the first byte: nobody holds us for dead, and we did not stand still since the claim.

    By the time a late call arrived another worker may have read back, found nothing, and sent.
    """
    with deployment.store.reading() as session:
        reply = session.get_one(ReplyRow, step.reply_id)
        ours = reply.state == "sending" and reply.fence == claimed.fence
    age = deployment.monotonic() - claimed.at
    return ours and age <= deployment.settings.sending.settle.total_seconds() * BEGINS_WITHIN


def _not_begun(session: Session, claim: Claim, step: Step, claimed: _Claimed) -> None:
    """Take the claim back, unless somebody holds us for dead already: nothing went out, so it was no try."""
    reply = session.get_one(ReplyRow, step.reply_id)
    if reply.state != "sending" or reply.fence != claimed.fence:
        return
    outcomes.is_in(session, reply, DraftState.APPROVED if step.what == "send" else DraftState.IN_DOUBT)
    reply.attempt, reply.not_before = reply.attempt - 1, None
    work.later(session, claim, at=clock.read(session) + PAUSE, free=True)


def _call(deployment: Deployment, claim: Claim, step: Step, claimed: _Claimed, responder: Responder) -> None:
    try:
        crashing.here("reply.calling")
        sent = responder.send(step.reply, key=step.key)
    except AdapterError as err:
        crashing.here("reply.refused")
        log.warning("reply %d not sent: %s", step.reply_id, err, extra={"reply": step.reply_id})
        follows, found = _after(step, responder, err)
        with deployment.store.writing() as session:
            _not_sent(session, deployment, claim, step, claimed, err, follows, found)
        return
    crashing.here("reply.called")
    with deployment.store.writing() as session:
        outcomes.stands(session, step.reply_id, sent)
        crashing.here("reply.confirming")
        work.finish(session, [claim])
    crashing.here("reply.confirmed")


def _after(step: Step, responder: Responder, err: AdapterError) -> tuple[Next, SentReply | None]:
    """What follows a failed call, and our reply where it stands though it was refused: an error is no proof."""
    follows = promises.after(err)
    if follows not in {Next.LOOK_THEN_PERSON, Next.LOOK_THEN_BY_HAND}:
        return follows, None
    try:
        return follows, responder.find_sent(step.reply)
    except Refused:  # nothing shows it; the refusal is all there is to go by
        return follows, None
    except AdapterError:
        return Next.DOUBT, None


def _not_sent(
    session: Session,
    deployment: Deployment,
    claim: Claim,
    step: Step,
    claimed: _Claimed,
    err: AdapterError,
    follows: Next,
    found: SentReply | None,
) -> None:
    reply = session.get_one(ReplyRow, step.reply_id)
    if found is not None and not is_anothers(session, reply, found):
        outcomes.stands(session, reply.id, found)
        work.finish(session, [claim])
        return
    if reply.state != "sending" or reply.fence != claimed.fence:
        return
    draft = session.get_one(DraftRow, reply.draft_id)
    reply.error = draft.error = f"{type(err).__name__}: {err}"[:500]
    session.add_all([reply, draft])
    if follows is Next.DOUBT:
        outcomes.rests(session, deployment, claim, step, reply)
    elif follows in {Next.LATER, Next.ALLOWED}:
        outcomes.is_in(session, reply, DraftState.APPROVED)
        outcomes.waits(session, claim, reply, err)
    else:
        if follows is Next.LOOK_THEN_BY_HAND:
            outcomes.by_hand(session, reply)
        else:
            outcomes.fail(session, reply)
        if follows is Next.KEYS:
            outcomes.hold_account(session, reply, err)
        work.finish(session, [claim])
