"""Replies on X.

X has no idempotency key. What stands against doubles is reading our own timeline back, and that X refuses the same
words twice (403, "duplicate content"), which therefore means "look for it", not "failed".

Source: docs.x.com/x-api/posts/create-post and /fundamentals/counting-characters (read 2026-11): 280 weighted
characters, every link counts 23; twitter-text configuration v3. On replies by program see clients/x.py.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import tweepy
import twitter_text

from clients import failures, http, x, x_posts
from clients.keys import keys
from clients.x_lookup import look_up, posts
from errors import Refused, Unauthorized, Unavailable
from responders.base import Responder
from vocabulary import ApprovedReply, Offers, OwnPost, PostNow, SentReply, Visibility

MAX_LENGTH = 280
CLOCKS_DIFFER = timedelta(minutes=5)  #: X's and ours, at most

#: To tell a reply by; no post that it refers to comes along, for which X would bill us.
OWN_FIELDS = ["conversation_id", "created_at", "note_tweet", "referenced_tweets"]

OFFERS = Offers(left="a post that X lists in our timeline later than both readings")

REFERENCE = re.compile(r"\b[A-Z]{1,4}-[A-Z0-9]{6,}\b")
LEADING_HANDLES = re.compile(r"^(?:@\w{1,15}\s+)+")


def length(text: str) -> int:
    """X's weighted count: most scripts 1, CJK and emoji 2, every link 23."""
    return int(twitter_text.parse_tweet(http.storable(text)).weightedLength)


class XResponder(Responder):
    """Posts for one account of the city on X."""

    offers = OFFERS
    max_length = MAX_LENGTH

    def __init__(self, client: tweepy.Client, account: x.Account) -> None:
        self._client = client
        self._account = account
        self._us: x_posts.Us | None = None
        self.hindrance = None if account.can_write else "no keys to write with: all four of OAuth 1.0a are needed"

    def length(self, text: str) -> int:
        """X's weighted count."""
        return length(text)

    def look(self, post_id: str) -> PostNow:
        """The post in its latest version, read as the listener reads it."""
        now = look_up(self._client, self._account, self._who(), [post_id])
        if post_id not in now:
            raise Unavailable(f"X shows post {post_id} in a shape that we can't read")
        mention = now[post_id]
        if mention is None:
            return PostNow(post_id=post_id, exists=False)
        author = mention.author.platform_user_id if mention.author else None
        return PostNow(post_id=mention.post_id, exists=True, rev_hash=mention.rev_hash, author_id=author)

    def would_send(self, reply: ApprovedReply) -> dict[str, str]:
        """The one call of ``send``."""
        return {
            "method": "POST",
            "path": "/2/tweets",
            "text": reply.text,
            "reply.in_reply_to_tweet_id": reply.in_reply_to,
        }

    def send(self, reply: ApprovedReply, *, key: str) -> SentReply:
        """Post the reply. X takes no key, so ``key`` goes nowhere."""
        self._check(reply)
        with x.translated(write=True):
            answer = x.body_of(self._client.create_tweet(text=reply.text, in_reply_to_tweet_id=reply.in_reply_to))
            made = answer.get("data")
            post_id = made.get("id") if isinstance(made, dict) else None
            if not isinstance(post_id, str | int) or not x_posts.is_id(str(post_id)):
                raise failures.NO_ID.error(f"X said yes but gave no id: {x.explanation(answer)}", write=True)
        return SentReply(post_id=str(post_id), url=self._url(str(post_id)))

    def answers(self, reply: ApprovedReply) -> tuple[OwnPost, ...]:
        """What our account wrote since the answered post and in answer to it."""
        us = self._who()
        return tuple(
            x_posts.own_post(own, us)
            for own in self._own_since(reply.in_reply_to)
            if own.refers_to("replied_to") == reply.in_reply_to
        )

    def find_sent(self, reply: ApprovedReply) -> SentReply | None:
        """Our reply among what our account wrote since the post that it answers."""
        for own in self._own_since(reply.in_reply_to):
            if matches(own, reply):
                return SentReply(post_id=own.id, url=self._url(own.id))
        return None

    def retract(self, post_id: str) -> None:
        """Delete our reply. Deleting twice does no harm, so an unclear answer is only ``Unavailable``."""
        self._must_write()
        try:
            with x.translated():
                self._client.delete_tweet(post_id)
        except Refused as err:
            if "HTTP 404" not in str(err):
                raise

    def _own_since(self, post_id: str) -> Iterator[x_posts.Post]:
        """What our account wrote after the post, all of it: a reply that we overlook would be sent again."""
        token: str | None = None
        while True:
            with x.translated():
                body = x.body_of(
                    self._client.get_users_tweets(
                        self._who().id,
                        since_id=post_id,
                        pagination_token=token,
                        max_results=100,
                        user_auth=self._account.reads_as_user,
                        tweet_fields=OWN_FIELDS,
                    )
                )
            if "data" not in body and "meta" not in body:
                raise Unavailable(f"X does not show our timeline: {x.explanation(body)}")
            for own, _ in posts(body):
                if not isinstance(own, x_posts.Post):
                    raise Unavailable("X shows one of our posts in a shape that we can't read")
                yield own
            before, token = token, x_posts.token_after(body)
            if token is None:
                return
            if token == before:
                raise Unavailable("X: the same page token twice")

    def _check(self, reply: ApprovedReply) -> None:
        self._must_write()
        if reply.draft.visibility is not Visibility.PUBLIC:
            raise Refused("X: a reply there is public, and this one may not be")
        if not x_posts.is_id(reply.in_reply_to):
            raise Refused(f"X: {reply.in_reply_to!r} is no id of a post")
        if (long := length(reply.text)) > MAX_LENGTH:
            raise Refused(f"X: the reply counts {long}, and X takes {MAX_LENGTH}")

    def _must_write(self) -> None:
        if not self._account.can_write:
            raise Unauthorized(
                f"X: @{self._account.handle} has no keys to write with: set CONSUMER_KEY, CONSUMER_SECRET, ACCESS_TOKEN"
                " and ACCESS_TOKEN_SECRET"
            )

    def _url(self, post_id: str) -> str:
        return f"https://x.com/{self._account.handle}/status/{post_id}"

    def _who(self) -> x_posts.Us:
        if self._us is None:
            self._us = x_posts.Us(id=x.account_id(self._client, self._account), handle=self._account.handle)
        return self._us


def matches(own: x_posts.Post, reply: ApprovedReply) -> bool:
    """Whether a post of ours is this reply.

    It answers the same post, and says the same. Failing that, it quotes the same reference *and* was posted after the
    approval: an earlier answer in the thread quotes that reference too, and is not this reply.
    """
    if own.refers_to("replied_to") != reply.in_reply_to:
        return False
    if folded(own.whole_text) == folded(reply.text):
        return True
    references = set(REFERENCE.findall(reply.text))
    return (
        bool(references & set(REFERENCE.findall(own.whole_text)))
        and own.created_at >= reply.approved_at - CLOCKS_DIFFER
    )


def folded(text: str) -> str:
    """A text without what X changes: entities, forms of letters, links (t.co), handles put in front, white space."""
    plain = unicodedata.normalize("NFKC", html.unescape(text))
    for link in reversed(twitter_text.extract_urls_with_indices(plain)):
        start, end = link["indices"]
        plain = f"{plain[:start]}∞{plain[end:]}"
    return " ".join(LEADING_HANDLES.sub("", plain).split())


def connect(table: dict[str, Any]) -> Responder:
    """The responder of one account. Without writing keys it can look and rehearse, not send.

    Raises:
        ConfigError: a key is wrong.
    """
    account = keys(x.Account, table)
    return XResponder(x.client(account), account)
