"""Whether, how and until when a mention may be answered, as its platform and its account stand now."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, col, select

from pipeline.deployment import Deployment
from responders.policy import policy_for
from store.tables import AccountRow, MentionRow, MentionSourceRow, ReplyRow
from store.types import now
from vocabulary import HeardHow, Policy, Visibility

#: For an account that is no longer in the file.
DEFAULT_WITHIN = timedelta(days=2)
#: A request may take its time to be closed.
FOLLOW_UP_WITHIN = timedelta(days=365)


def policy_of(
    session: Session, deployment: Deployment, mention: MentionRow, account: AccountRow, *, follow_up: bool = False
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
    )


def _best(doors: set[str]) -> HeardHow:
    """A post heard by several doors counts by the one through which it came to us most directly."""
    for door in HeardHow:
        if door.value in doors:
            return door
    return HeardHow.MENTION
