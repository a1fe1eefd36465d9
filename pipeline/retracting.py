"""Taking our own replies back from their platform; the record of them stays."""

from __future__ import annotations

from sqlmodel import Session

from errors import AdapterError, RateLimited, Refused, Unauthorized
from pipeline import outcomes
from pipeline.deployment import Deployment
from pipeline.taking import take_each
from store import audit, work
from store.tables import AccountRow, ReplyRow
from store.work import Claim
from vocabulary import DraftState

KIND = "retract"


def retract_due(deployment: Deployment, *, worker: str) -> int:
    """Delete what was retracted from its platform; gives how many."""
    return take_each(deployment, KIND, _retract, worker=worker, limit=4)


def _retract(deployment: Deployment, claim: Claim) -> None:
    with deployment.store.reading() as session:
        reply = session.get_one(ReplyRow, int(claim.ref))
        account = session.get_one(AccountRow, reply.account_id)
    try:
        deployment.responder(account.name).retract(reply.post_id or "")
    except AdapterError as err:
        with deployment.store.writing() as session:
            _not_retracted(session, claim, reply, err)
        return
    with deployment.store.writing() as session:
        reply = session.get_one(ReplyRow, reply.id)
        outcomes.is_in(session, reply, DraftState.RETRACTED)
        audit.append(session, by="system", action="reply.retracted", subject=f"reply:{reply.id}")
        work.finish(session, [claim])


def _not_retracted(session: Session, claim: Claim, reply: ReplyRow, err: AdapterError) -> None:
    if isinstance(err, (Refused, Unauthorized)) or claim.attempt >= work.MAX_ATTEMPTS:
        work.finish(session, [claim])
        summary = f"a reply could not be retracted: {err}"
        outcomes.attend(session, reply, summary, "delete it by hand on the platform")
        return
    work.later(session, claim, at=err.retry_at if isinstance(err, RateLimited) else None, error=str(err)[:300])
