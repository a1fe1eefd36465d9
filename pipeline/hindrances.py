"""Why an approved reply may not go now: rules that are asked before the look, and once more with the claim to send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from pipeline import outcomes, review
from pipeline.deployment import Deployment, sends_for_real
from pipeline.policies import policy_of_draft
from store import facts, intake, outbound, threads
from store.tables import AccountRow, ApprovalRow, DraftRow, MentionRow, ReplyRow, TicketRow
from vocabulary import DraftState, PostNow

PAUSE = timedelta(seconds=2)
TICKET_PAUSE = timedelta(seconds=5)  #: a ticket that is opened wakes its reply, so this is only for what goes wrong
KEYS_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hindrance:
    """What stands against sending: too early, or no longer what was approved."""

    why: str
    until: datetime | None = None  #: then it is only too early, and asked again
    state: DraftState = DraftState.CANCELLED  #: of the draft that goes back to people
    held: bool = False  #: its copy waits until a person releases it
    gone: bool = False  #: there is nothing left to answer


def found(
    session: Session, deployment: Deployment, reply: ReplyRow, account: AccountRow, moment: datetime
) -> Hindrance | None:
    """What the rules say as they stand in this transaction; None: it may go."""
    draft = session.get_one(DraftRow, reply.draft_id)
    mention = session.get_one(MentionRow, reply.mention_id)
    if _approved_at(session, draft) + deployment.settings.approval.expires_after <= moment:
        return Hindrance(why="the approval expired", state=DraftState.EXPIRED)
    if account.name in deployment.accounts() and not sends_for_real(deployment, account):
        return Hindrance(why=f"{account.name} was put back to dry run")
    moved = threads.moved_on(session, draft)
    if mention.state == "deleted" or moved is not None:
        return Hindrance(why=moved or "the post was deleted")
    rule = facts.contact_rule(session, draft.addressee_id, follow_up=draft.kind == "follow_up")
    if rule is not None:
        return Hindrance(why=f"the resident {rule}", held=True)
    return _too_early(session, draft, account, moment) or _by_policy(
        session, deployment, draft, mention, account, moment
    )


def _too_early(session: Session, draft: DraftRow, account: AccountRow, moment: datetime) -> Hindrance | None:
    scope = facts.kill_switch(session, platform=account.platform, account=account.name)
    if scope is not None:
        return Hindrance(why=f"the kill switch for {scope} is on", until=moment + PAUSE)
    if account.state == "rate_limited" and account.not_before is not None and account.not_before > moment:
        return Hindrance(why=f"{account.name} asked too often", until=account.not_before)
    if outcomes.is_held(session, account):
        return Hindrance(why=f"the keys of {account.name} are refused", until=moment + KEYS_PAUSE)
    if draft.send_after is not None and draft.send_after > moment:
        return Hindrance(why="it can still be undone", until=draft.send_after)
    return None


def _by_policy(
    session: Session,
    deployment: Deployment,
    draft: DraftRow,
    mention: MentionRow,
    account: AccountRow,
    moment: datetime,
) -> Hindrance | None:
    policy = policy_of_draft(session, deployment, draft, mention, account)
    if not policy.may_reply:
        return Hindrance(why=policy.reason)
    return _awaiting_ticket(session, draft, moment)


def _awaiting_ticket(session: Session, draft: DraftRow, moment: datetime) -> Hindrance | None:
    """A reply waits a while for its ticket, then goes with our own reference."""
    if draft.kind == "follow_up" or draft.request_id is None:
        return None
    waiting = select(TicketRow).where(
        TicketRow.request_id == draft.request_id, col(TicketRow.state).in_(("pending", "sending", "in_doubt"))
    )
    gives_up = [row.give_up_reply_wait_at for row in session.exec(waiting)]
    if not any(at is None or at > moment for at in gives_up):
        return None
    until = min([moment + TICKET_PAUSE, *(at for at in gives_up if at is not None and at > moment)])
    return Hindrance(why="it waits for its ticket", until=until)


def _approved_at(session: Session, draft: DraftRow) -> datetime:
    query = (
        select(ApprovalRow.approved_at)
        .where(ApprovalRow.draft_id == draft.id, col(ApprovalRow.undone_at).is_(None), ApprovalRow.text_sha != "")
        .order_by(col(ApprovalRow.id).desc())
    )
    return session.exec(query.limit(1)).one()


def changed(session: Session, reply: ReplyRow, post: PostNow) -> Hindrance | None:
    """How the post, as its platform shows it now, is no longer the one that was approved for; None: it is."""
    mention = session.get_one(MentionRow, reply.mention_id)
    if not post.exists:
        return Hindrance(why="the post was deleted on its platform", gone=True)
    if post.rev_hash is not None and post.rev_hash != mention.rev_hash:
        return Hindrance(why="the post was edited")
    if post.author_id is not None and reply.addressee is not None and post.author_id != reply.addressee:
        return Hindrance(why="the post has another author now", held=True)
    return None


def send_back(session: Session, reply: ReplyRow, hindrance: Hindrance) -> None:
    """What is no longer as it was approved goes back to people, or ends where there is nothing left to answer."""
    draft = session.get_one(DraftRow, reply.draft_id)
    mention = session.get_one(MentionRow, reply.mention_id)
    if hindrance.gone:
        intake.forget(session, mention.platform, mention.current_post_id)
        if draft.state == DraftState.APPROVED:
            outbound.stop(session, draft, state=DraftState.CANCELLED, why=hindrance.why, by="system")
        return
    if hindrance.why == "the post was edited":
        mention.checked_at = None  # the next round takes the new wording in
        session.add(mention)
    copy = review.back_to_review(session, draft, why=hindrance.why, by="system", state=hindrance.state)
    if hindrance.held:
        review.hold(session, copy, reason=hindrance.why, by="system")
