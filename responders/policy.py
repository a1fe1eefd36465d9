"""Whether, how and until when a mention may be answered on its platform.

Staff see the answer before they write, and it is asked again before sending. A platform's rules stand in one table,
first match first, each with its source and the month it was read. What no table knows is answered by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from vocabulary import HeardHow, Policy, Visibility


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What the rules may look at."""

    access: str  #: x: standard, exempt
    addresses_us: bool
    heard_how: HeardHow
    visibility: Visibility
    author_known: bool
    private: bool
    age: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One line of a table: what it is about, and what follows."""

    when: Callable[[_Asked], bool]
    how: str  #: public_reply, private_reply, manual, none
    reason: str  #: for staff
    source: str  #: where the platform says so, and the month it was read
    open_for: timedelta | None = None  #: after the post; None: only the city's own ``reply_within`` ends it


_OURS = "Harken's own rule, design.md 6"
_NARROW = "Harken's own rule, design.md 2: a reply may only narrow who can read"
_X_REPLIES = (
    "X, POST /2/tweets since 2026-02-23 (press of 2026-02-24; refusal quoted in gptme-contrib #1302), read 2026-08"
)
_X_AUTOMATION = "X, developer-guidelines.mdx and restricted-use-cases.mdx in xdevplatform/docs@0bfed9f, read 2026-08"
_META_COMMENTS = "Meta, Graph API: comments of a Page, replied to with pages_manage_engagement, read 2026-04"
_META_PRIVATE = "Meta, Messenger Platform: private replies, one per comment within 7 days, read 2026-04"
_META_WINDOW = "Meta, Messenger Platform: 24-hour window, HUMAN_AGENT to 7 days, read 2026-04"

_BEFORE_ALL: tuple[Rule, ...] = (
    Rule(
        when=lambda asked: asked.heard_how is HeardHow.DESK,
        how="manual",
        reason="written down at the desk: there is no post to reply to",
        source=_OURS,
    ),
)

_RULES: dict[str, tuple[Rule, ...]] = {
    "x": (
        Rule(
            when=lambda asked: asked.visibility is Visibility.DIRECT,
            how="manual",
            reason="a direct message: answer it in X's own inbox",
            source=_OURS,
        ),
        Rule(
            when=lambda asked: asked.visibility is not Visibility.PUBLIC,
            how="manual",
            reason="the author shows this post to followers only; a reply on X would be public",
            source=_NARROW,
        ),
        Rule(
            when=lambda asked: asked.heard_how is HeardHow.SEARCH,
            how="manual",
            reason="found by search: X does not allow reaching out by program to people who did not write to us",
            source=_X_AUTOMATION,
        ),
        Rule(
            when=lambda asked: asked.access != "exempt" and not asked.addresses_us,
            how="manual",
            reason="the author neither mentioned nor quoted our account, so X refuses a reply by program",
            source=_X_REPLIES,
        ),
        Rule(
            when=lambda asked: not asked.author_known,
            how="manual",
            reason="we do not know whose post this is, and an approval names whom it answers",
            source=_OURS,
        ),
        Rule(
            when=lambda asked: asked.access == "exempt" and not asked.addresses_us,
            how="public_reply",
            reason="our access is exempt from X's reply rule",
            source=_X_REPLIES,
        ),
        Rule(
            when=lambda _: True,
            how="public_reply",
            reason="the author wrote to our account; X allows one reply",
            source=_X_AUTOMATION,
        ),
    ),
    "facebook": (
        Rule(
            when=lambda asked: asked.visibility is Visibility.DIRECT,
            how="manual",
            reason="a message to the Page: answer it in the Page's inbox, where Meta allows a person seven days",
            source=_META_WINDOW,
            open_for=timedelta(days=7),
        ),
        Rule(
            when=lambda asked: asked.visibility is not Visibility.PUBLIC,
            how="manual",
            reason="not everyone can see this post; a comment of ours might be seen by more",
            source=_NARROW,
        ),
        Rule(
            when=lambda asked: asked.heard_how in {HeardHow.TAGGED, HeardHow.SEARCH} or not asked.addresses_us,
            how="manual",
            reason="not on our Page: Meta lets a program comment on our own Page only",
            source=_META_COMMENTS,
        ),
        Rule(
            when=lambda asked: asked.private and asked.age <= timedelta(days=7),
            how="private_reply",
            reason="Meta allows one private reply to a comment, within seven days",
            source=_META_PRIVATE,
            open_for=timedelta(days=7),
        ),
        Rule(
            when=lambda _: True,
            how="public_reply",
            reason="written on our Page: we may comment in reply",
            source=_META_COMMENTS,
        ),
    ),
}

_UNKNOWN: tuple[Rule, ...] = (
    Rule(
        when=lambda _: True,
        how="manual",
        reason="we do not know this platform's rules: answer by hand",
        source=_OURS,
    ),
)


def policy_for(
    *,
    platform: str,
    access: str,
    addresses_us: bool,
    heard_how: HeardHow,
    visibility: Visibility,
    author_known: bool,
    posted_at: datetime,
    now: datetime,
    reply_within: timedelta,
    already_answered: bool,
    private: bool = False,
) -> Policy:
    """Whether, how and until when a mention may be answered.

    Args:
        platform: the adapter's name.
        access: of our account; X: ``standard`` or ``exempt``.
        addresses_us: the author named or quoted us, or wrote on our page.
        heard_how: by which door it came; the most inviting one, where it came by several.
        visibility: of the post.
        author_known: the platform says who wrote it.
        posted_at: aware.
        now: aware.
        reply_within: how old a post the city still answers.
        already_answered: there is a reply of ours to this post, by whatever hand, that this one would repeat. A
            follow-up that the same request brought is no repetition.
        private: a private reply is wanted, as for self-harm; without one the platform's usual way is named.
    """
    if already_answered:
        return _none("already answered: one reply per interaction")
    if now - posted_at > reply_within:
        return _none("older than the city answers: counts for trends only")
    asked = _Asked(
        access=access,
        addresses_us=addresses_us,
        heard_how=heard_how,
        visibility=visibility,
        author_known=author_known,
        private=private,
        age=now - posted_at,
    )
    rule = next(rule for rule in (*_BEFORE_ALL, *_RULES.get(platform, _UNKNOWN)) if rule.when(asked))
    window = min(reply_within, rule.open_for or reply_within)
    if asked.age > window:
        return _none("the platform's time for a reply has run out")
    by_program = rule.how in {"public_reply", "private_reply"}
    return Policy(may_reply=by_program, how=rule.how, reason=rule.reason, until=posted_at + window)


def kept_private(policy: Policy) -> Policy:
    """The policy of a reply that is for the author alone: where only a public one is left, there is none."""
    if policy.how != "public_reply":
        return policy
    return _none("written for the author alone, and the platform takes no private reply now: draft it anew")


def narrowed(visibility: Visibility) -> Visibility:
    """The visibility of a reply to a post of this visibility: the same or narrower, never wider."""
    if visibility is Visibility.FOLLOWERS:
        return Visibility.DIRECT  # "followers" of our reply would be our followers, not the author's
    return visibility


def _none(reason: str) -> Policy:
    return Policy(may_reply=False, how="none", reason=reason, until=None)
