"""The tables of what platforms allow."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responders import policy
from responders.policy import narrowed, policy_for
from vocabulary import HeardHow, Policy, Visibility

NOON = datetime(2026, 8, 14, 12, tzinfo=UTC)
A_MENTION: dict[str, Any] = {
    "platform": "x",
    "access": "standard",
    "addresses_us": True,
    "heard_how": HeardHow.MENTION,
    "visibility": Visibility.PUBLIC,
    "author_known": True,
    "posted_at": NOON - timedelta(hours=1),
    "now": NOON,
    "reply_within": timedelta(days=2),
    "already_answered": False,
}
A_COMMENT = A_MENTION | {"platform": "facebook", "heard_how": HeardHow.PAGE_COMMENT, "author_known": False}
NOT_TO_US = {"addresses_us": False, "heard_how": HeardHow.REPLY}
BY_SEARCH = {"addresses_us": False, "heard_how": HeardHow.SEARCH}


@pytest.mark.parametrize(
    ("mention", "changes", "how", "reason"),
    [
        (A_MENTION, {}, "public_reply", "wrote to our account"),
        (A_MENTION, {"heard_how": HeardHow.QUOTE}, "public_reply", "wrote to our account"),
        (A_MENTION, NOT_TO_US, "manual", "neither mentioned nor quoted"),
        (A_MENTION, NOT_TO_US | {"access": "exempt"}, "public_reply", "exempt"),
        (A_MENTION, NOT_TO_US | {"access": ""}, "manual", "neither mentioned nor quoted"),
        (A_MENTION, BY_SEARCH, "manual", "found by search"),
        (A_MENTION, BY_SEARCH | {"access": "exempt"}, "manual", "found by search"),
        (A_MENTION, BY_SEARCH | {"addresses_us": True}, "manual", "found by search"),
        (A_MENTION, {"visibility": Visibility.FOLLOWERS}, "manual", "followers only"),
        (A_MENTION, {"visibility": Visibility.DIRECT}, "manual", "direct message"),
        (A_MENTION, {"author_known": False}, "manual", "whose post"),
        (A_MENTION, {"heard_how": HeardHow.DESK}, "manual", "desk"),
        (A_MENTION, {"private": True}, "public_reply", "wrote to our account"),
        (A_COMMENT, {}, "public_reply", "on our Page"),
        (A_COMMENT, {"author_known": True}, "public_reply", "on our Page"),
        (A_COMMENT, {"heard_how": HeardHow.WEBHOOK}, "public_reply", "on our Page"),
        (A_COMMENT, {"private": True}, "private_reply", "one private reply"),
        (A_COMMENT, {"heard_how": HeardHow.TAGGED}, "manual", "not on our Page"),
        (A_COMMENT, {"heard_how": HeardHow.TAGGED, "private": True}, "manual", "not on our Page"),
        (A_COMMENT, {"addresses_us": False}, "manual", "not on our Page"),
        (A_COMMENT, {"visibility": Visibility.DIRECT}, "manual", "inbox"),
        (A_COMMENT, {"visibility": Visibility.FOLLOWERS}, "manual", "not everyone"),
        (A_MENTION, {"platform": "agora"}, "manual", "do not know this platform"),
        (A_MENTION, {"already_answered": True}, "none", "already answered"),
        (A_COMMENT, {"already_answered": True}, "none", "already answered"),
        (A_MENTION, {"platform": "agora", "already_answered": True}, "none", "already answered"),
        (A_MENTION, {"posted_at": NOON - timedelta(days=2, seconds=1)}, "none", "older"),
        (A_MENTION, {"posted_at": NOON - timedelta(days=2)}, "public_reply", "wrote to our account"),
        (A_MENTION, {"posted_at": NOON + timedelta(minutes=5)}, "public_reply", "wrote to our account"),
    ],
)
def test_how_a_mention_may_be_answered(mention: dict[str, Any], changes: dict[str, Any], how: str, reason: str) -> None:
    answer = policy_for(**mention | changes)

    assert answer.how == how
    assert reason in answer.reason
    assert answer.may_reply == (how in {"public_reply", "private_reply"})
    assert (answer.until is None) == (how == "none")


def test_the_citys_own_time_ends_a_reply() -> None:
    assert policy_for(**A_MENTION).until == NOON - timedelta(hours=1) + timedelta(days=2)


def test_a_private_reply_ends_with_metas_seven_days() -> None:
    posted_at = NOON - timedelta(days=6)

    answer = policy_for(**A_COMMENT | {"private": True, "reply_within": timedelta(days=30), "posted_at": posted_at})

    assert answer.until == posted_at + timedelta(days=7)


def test_after_seven_days_a_private_wish_falls_back_to_the_public_reply() -> None:
    old = {"private": True, "reply_within": timedelta(days=30), "posted_at": NOON - timedelta(days=8)}

    assert policy_for(**A_COMMENT | old).how == "public_reply"


def test_a_message_to_the_page_is_closed_after_seven_days() -> None:
    old = {"visibility": Visibility.DIRECT, "reply_within": timedelta(days=30), "posted_at": NOON - timedelta(days=8)}

    assert policy_for(**A_COMMENT | old) == Policy(
        may_reply=False, how="none", reason="the platform's time for a reply has run out"
    )


def test_every_combination_has_an_answer_and_none_replies_to_the_uninvited_on_standard_access() -> None:
    every = itertools.product(["x", "facebook", "mastodon"], [True, False], HeardHow, Visibility, [True, False])

    for platform, addresses_us, heard_how, visibility, private in every:
        asked = {"platform": platform, "addresses_us": addresses_us, "heard_how": heard_how, "private": private}
        answer = policy_for(**A_MENTION | asked | {"visibility": visibility})
        assert answer.reason
        assert answer.may_reply <= (addresses_us and visibility is Visibility.PUBLIC and platform != "mastodon")


@pytest.mark.parametrize(
    ("post", "reply"),
    [
        (Visibility.PUBLIC, Visibility.PUBLIC),
        (Visibility.UNLISTED, Visibility.UNLISTED),
        (Visibility.FOLLOWERS, Visibility.DIRECT),
        (Visibility.DIRECT, Visibility.DIRECT),
    ],
)
def test_a_reply_is_never_seen_by_more_than_the_post(post: Visibility, reply: Visibility) -> None:
    assert narrowed(post) is reply


@pytest.mark.parametrize("platform", sorted(policy._RULES))
def test_every_rule_of_a_platform_says_where_it_comes_from_and_when_it_was_read(platform: str) -> None:
    for rule in policy._RULES[platform]:
        assert re.search(r"read 20\d\d-\d\d|design\.md", rule.source), rule.reason
