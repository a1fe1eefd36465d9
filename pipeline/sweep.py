"""Looking for doubles: some while after a reply was sent, and a day after, what we wrote on its thread is listed.

The one window that remains on a target without a key (``docs/decisions/0006-safe-sends.md``) is shown by this, not
closed: two replies that say the same go on *Needs attention*. Nothing is deleted by itself; a deletion is a public act
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import Session, col, select

from errors import AdapterError, ConfigError, RateLimited
from pipeline.deployment import Deployment
from pipeline.sendable import NotAsApproved, approved
from pipeline.taking import take_each
from store import clock, outbound, work
from store.tables import AccountRow, ReplyRow
from store.work import Claim
from vocabulary import ApprovedReply, OwnPost, Visibility

KIND = outbound.SWEEP
AGAIN_AFTER = timedelta(hours=24)


def sweep_due(deployment: Deployment, *, worker: str) -> int:
    """Look below the replies whose time has come; gives how many."""
    return take_each(deployment, KIND, _sweep, worker=worker, limit=16)


def _sweep(deployment: Deployment, claim: Claim) -> None:
    with deployment.store.reading() as session:
        reply = session.get_one(ReplyRow, int(claim.ref))
        account = session.get_one(AccountRow, reply.account_id)
        value = _to_look_for(session, reply)
    try:
        found = deployment.responder(account.name).answers(value) if value is not None else ()
    except ConfigError:  # the account is no longer in the file
        found = ()
    except AdapterError as err:
        with deployment.store.writing() as session:
            at = err.retry_at if isinstance(err, RateLimited) else None
            work.later(session, claim, at=at, error=f"{type(err).__name__}: {err}"[:300])
        return
    with deployment.store.writing() as session:
        if value is not None:
            _tell(session, reply, _doubles(session, reply, value, found))
        again_at = (reply.sent_at or clock.read(session)) + AGAIN_AFTER
        if value is None or clock.read(session) >= again_at:
            work.finish(session, [claim])
        else:
            work.later(session, claim, at=again_at, free=True)


def _to_look_for(session: Session, reply: ReplyRow) -> ApprovedReply | None:
    """The reply as it was approved; None where it stands no longer, is private, or its words were disposed of."""
    if reply.state != "sent" or reply.draft_id is None:
        return None
    try:
        value = approved(session, reply)
    except NotAsApproved:
        return None
    return None if value.draft.visibility is Visibility.DIRECT else value


def _doubles(session: Session, reply: ReplyRow, value: ApprovedReply, found: Sequence[OwnPost]) -> list[OwnPost]:
    """All that say what the reply says in the same place, itself among them, without those that are other replies."""
    ids = [one.post_id for one in found]
    others = select(ReplyRow.post_id).where(
        ReplyRow.account_id == reply.account_id, ReplyRow.id != reply.id, col(ReplyRow.post_id).in_(ids)
    )
    known = set(session.exec(others))
    place = next((one.in_reply_to for one in found if one.post_id == reply.post_id), reply.in_reply_to)
    return [
        one
        for one in found
        if one.in_reply_to == place and one.post_id not in known and outbound.same_words(value.text, one.text)
    ]


def _tell(session: Session, reply: ReplyRow, doubles: Sequence[OwnPost]) -> None:
    by_id = {one.post_id: one for one in sorted(doubles, key=lambda one: one.posted_at)}
    if len(by_id) > 1:
        outbound.doubled(session, reply, list(by_id), told=[one.url or one.post_id for one in by_id.values()])
