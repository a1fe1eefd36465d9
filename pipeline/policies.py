"""Whether, how and until when a mention may be answered, as its platform and its account stand now."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, col, select

from pipeline.deployment import Deployment
from responders.policy import kept_private, narrowed, policy_for
from store.tables import AccountRow, DraftRow, MentionRow, MentionSourceRow, ReplyRow
from store.types import now
from vocabulary import HeardHow, Policy, Visibility

#: For an account that is no longer in the file.
DEFAULT_WITHIN = timedelta(days=2)
#: A request may take its time to be closed.
FOLLOW_UP_WITHIN = timedelta(days=365)
#: Words that are for their author alone, where the platform has a private door: a crowd is no place for them.
FOR_THE_AUTHOR_ALONE = frozenset({"emergency_self_harm"})


def policy_of(
    session: Session,
    deployment: Deployment,
    mention: MentionRow,
    account: AccountRow,
    *,
    follow_up: bool = False,
    private: bool = False,
) -> Policy:
    """The policy of one mention; shown to staff before they write, and checked again when sending.

    A follow-up is news of the resident's own request: it comes after our answer, whenever the request closes.
    """
    table = deployment.settings.accounts.get(account.name)
    doors = set(session.exec(select(MentionSourceRow.heard_how).where(MentionSourceRow.mention_id == mention.id)))
    answered = select(ReplyRow.id).where(ReplyRow.mention_id == mention.id, col(ReplyRow.state) == "sent")
    return policy_for(
        platform=mention.platform,
        access=table.access if table else "standard",
        addresses_us=mention.addresses_us,
        heard_how=_best(doors),
        visibility=Visibility(mention.visibility),
        author_known=mention.identity_id is not None,
        posted_at=mention.posted_at,
        now=now(),
        reply_within=FOLLOW_UP_WITHIN if follow_up else table.reply_within if table else DEFAULT_WITHIN,
        already_answered=not follow_up and session.exec(answered).first() is not None,
        private=private,
    )


def policy_of_draft(
    session: Session, deployment: Deployment, draft: DraftRow, mention: MentionRow, account: AccountRow
) -> Policy:
    """The policy of a mention for this reply to it: one that is for the author alone never goes out in public."""
    private = draft.visibility == Visibility.DIRECT
    found = policy_of(session, deployment, mention, account, follow_up=draft.kind == "follow_up", private=private)
    return kept_private(found) if private else found


def visibility_for(
    session: Session, deployment: Deployment, mention: MentionRow, account: AccountRow, *, template: str
) -> Visibility:
    """Who shall read the reply: whoever reads the post, or its author alone where the words call for that."""
    as_the_post = narrowed(Visibility(mention.visibility))
    if template.partition(".")[0] not in FOR_THE_AUTHOR_ALONE:
        return as_the_post
    policy = policy_of(session, deployment, mention, account, private=True)
    return Visibility.DIRECT if policy.how == "private_reply" else as_the_post


def _best(doors: set[str]) -> HeardHow:
    """A post heard by several doors counts by the one through which it came to us most directly."""
    for door in HeardHow:
        if door.value in doors:
            return door
    return HeardHow.MENTION
