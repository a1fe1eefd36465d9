"""What becomes of a reply's row: it stands, it is in doubt, it waits, it is a person's."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from errors import AdapterError, RateLimited
from pipeline.deployment import Deployment
from pipeline.promises import Promise
from responders.base import offered
from store import attention, audit, clock, outbound, work
from store.tables import AccountRow, DraftRow, ReplyRow
from store.work import Claim
from vocabulary import ApprovedReply, DraftState, SentReply


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What is to be done about a reply outside of the transaction."""

    reply_id: int
    account: str
    what: str = "nothing"  #: send, again, read_back, nothing
    value: ApprovedReply | None = None
    key: str = ""
    promise: Promise | None = None

    @property
    def reply(self) -> ApprovedReply:
        """What is to be sent, or was."""
        assert self.value is not None
        return self.value

    @property
    def promised(self) -> Promise:
        """What may be promised of its target."""
        assert self.promise is not None
        return self.promise


def reads_back(deployment: Deployment, step: Step) -> bool:
    """Whether the target shows what stands there."""
    return offered(deployment.responder(step.account), step.reply.draft.visibility).read_back


def stands(session: Session, reply_id: int, sent: SentReply) -> None:
    """The platform has it, and its keys are good."""
    reply = session.get_one(ReplyRow, reply_id)
    outbound.confirm(session, reply, post_id=sent.post_id, url=sent.url, sent_at=clock.read(session))
    release_account(session, session.get_one(AccountRow, reply.account_id))


def is_in(session: Session, reply: ReplyRow, state: DraftState) -> None:
    """The reply and its draft share their state."""
    if state is DraftState.IN_DOUBT and reply.state != state:
        audit.append(session, by="system", action="reply.in_doubt", subject=f"reply:{reply.id}")
    draft = session.get_one(DraftRow, reply.draft_id)
    reply.state = draft.state = state
    session.add_all([reply, draft])


def rests(session: Session, deployment: Deployment, claim: Claim, step: Step, reply: ReplyRow) -> None:
    """It may stand: the call has ended this moment, and it rests before anything else happens."""
    is_in(session, reply, DraftState.IN_DOUBT)
    reply.not_before = clock.read(session) + step.promised.rest(deployment.settings.sending.settle)
    work.later(session, claim, at=reply.not_before, free=True)


def waits(session: Session, claim: Claim, reply: ReplyRow, err: AdapterError) -> None:
    """It surely does not stand: again when the target may be asked; after the last try a person looks."""
    if claim.attempt >= work.MAX_ATTEMPTS:
        fail(session, reply)
        work.finish(session, [claim])
        return
    at = err.retry_at if isinstance(err, RateLimited) else None
    work.later(session, claim, at=at, error=reply.error)


def fail(session: Session, reply: ReplyRow) -> None:
    """Nothing more is tried; a person must look."""
    is_in(session, reply, DraftState.FAILED)
    draft = session.get_one(DraftRow, reply.draft_id)
    draft.error, draft.version = reply.error, draft.version + 1
    session.add(draft)
    audit.append(session, by="system", action="reply.failed", subject=f"reply:{reply.id}")
    attend(session, reply, f"a reply was not sent: {reply.error}", "mend the cause, then press Retry on the draft")


def by_hand(session: Session, reply: ReplyRow) -> None:
    """The platform takes it from a person alone."""
    is_in(session, reply, DraftState.MANUAL)
    audit.append(session, by="system", action="reply.by_hand", subject=f"reply:{reply.id}")
    attend(session, reply, "the platform allows no reply by program: answer by hand", "copy the text to the thread")


def hold_account(session: Session, reply: ReplyRow, err: AdapterError) -> None:
    """Its keys are refused: what else waits for the account need not fail one by one. People hear of it."""
    account = session.get_one(AccountRow, reply.account_id)
    attention.raise_(
        session,
        kind="account",
        ref=_sending(account),
        account_id=account.id,
        summary=f"{account.name} can't send: {err}"[:500],
        remedy="renew its keys in secrets.env and restart, then press Retry on the draft that failed",
    )


def is_held(session: Session, account: AccountRow) -> bool:
    """Whether its keys were refused, and nobody has dealt with that yet."""
    return attention.still_open(session, "account", _sending(account)) is not None


def release_account(session: Session, account: AccountRow) -> None:
    """Its keys are good, or a person says so."""
    attention.settle(session, "account", _sending(account))


def _sending(account: AccountRow) -> str:
    return f"{account.name} sending"


def attend(session: Session, reply: ReplyRow, summary: str, remedy: str) -> None:
    """Put it before people."""
    attention.raise_(
        session, kind="draft", ref=str(reply.draft_id), mention_id=reply.mention_id, summary=summary, remedy=remedy
    )
