"""Reading back what is in doubt: only the thread can say whether a reply stands."""

from __future__ import annotations

from sqlmodel import Session, select

import crashing
from errors import AdapterError, RateLimited, Refused
from pipeline import outcomes
from pipeline.deployment import Deployment
from pipeline.outcomes import Step
from pipeline.promises import BETWEEN_READINGS
from store import clock, work
from store.tables import ReplyRow
from store.work import Claim
from vocabulary import DraftState, SentReply


def read_back(deployment: Deployment, claim: Claim, step: Step) -> None:
    """Adopt what stands there. Only what was not there each time that it was looked for is sent again."""
    try:
        found = deployment.responder(step.account).find_sent(step.reply)
    except AdapterError as err:
        with deployment.store.writing() as session:
            _not_read(session, deployment, claim, step, err)
        return
    crashing.here("reply.read_back")
    with deployment.store.writing() as session:
        reply = session.get_one(ReplyRow, step.reply_id)
        if reply.state != "in_doubt":
            work.finish(session, [claim])
        elif found is not None and not is_anothers(session, reply, found):
            outcomes.stands(session, reply.id, found)
            work.finish(session, [claim])
        else:
            _not_there(session, deployment, claim, step, reply)


def _not_read(session: Session, deployment: Deployment, claim: Claim, step: Step, err: AdapterError) -> None:
    """While it can't be read back, nothing is sent."""
    reply = session.get_one(ReplyRow, step.reply_id)
    reply.error = f"could not be read back: {err}"[:500]
    session.add(reply)
    if isinstance(err, Refused):  # it stays in doubt: sending again could be a second reply
        outcomes.attend(session, reply, f"a reply {reply.error}", "look on the platform whether it stands")
    at = clock.read(session) + deployment.settings.sending.settle
    if isinstance(err, RateLimited):
        at = max(at, err.retry_at)
    work.later(session, claim, at=at, error=reply.error, free=True)


def _not_there(session: Session, deployment: Deployment, claim: Claim, step: Step, reply: ReplyRow) -> None:
    """Platforms list late: one reading that shows nothing proves little, a second one after a while more."""
    moment = clock.read(session)
    reply.not_found += 1
    if reply.not_found < step.promised.readings:
        reply.not_before = moment + deployment.settings.sending.settle * BETWEEN_READINGS
        session.add(reply)
        work.later(session, claim, at=reply.not_before, free=True)
    elif reply.attempt >= step.promised.tries:
        reply.error = reply.error or "its outcome is unknown, and the thread does not show it"
        outcomes.fail(session, reply)
        work.finish(session, [claim])
    else:
        outcomes.is_in(session, reply, DraftState.APPROVED)
        work.later(session, claim, at=moment, free=True)


def is_anothers(session: Session, reply: ReplyRow, found: SentReply) -> bool:
    """Another reply of ours that says the like, as an answer and its follow-up quote one reference."""
    other = select(ReplyRow.id).where(
        ReplyRow.account_id == reply.account_id, ReplyRow.post_id == found.post_id, ReplyRow.id != reply.id
    )
    return session.exec(other).first() is not None
