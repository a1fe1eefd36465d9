"""What X says about the city: mentions, tracked searches, quotes of our posts, and our own posts.

Sources, each walked newest first to its end:

- ``mentions``: GET /2/users/:id/mentions, the newest 800 and nothing older;
- ``search``: GET /2/tweets/search/recent for the account's ``track`` terms, seven days back;
- ``quotes``: the same search for links to our posts, since a quote need not name us;
- ``own``: GET /2/users/:id/tweets, so that a reply that staff wrote by hand settles its mention.

Plain retweets say nothing of their own and are left out; quotes and replies are kept.

Source: docs.x.com/x-api/users/mentions ("up to the 800 most recent"; beyond it ``since_id`` "will be forced to the
oldest ID available"), /x-api/posts/search and /integrate/operators; X's OpenAPI document (read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import tweepy

from clients import http, x, x_posts
from clients.keys import keys
from clients.x_lookup import look_up, posts
from errors import ConfigError, Refused, Unavailable
from listeners.base import Listener
from vocabulary import Edit, HeardHow, Mention, OwnPost, Page, Range, Unreadable

A_PAGE = 100  #: posts, the most that X gives at once
MENTIONS_KEPT = 800  #: posts of the mentions timeline
SEARCH_REACHES = timedelta(days=7) - timedelta(minutes=2)  #: X refuses a start seven days back to the second
LISTED_LATE = timedelta(minutes=2)  #: X gives no figure; a post may be listed after a newer one
SEARCHED = ("search", "quotes")  #: the sources that are searches
EPOCH_MS = 1288834974657  #: 2010-11-04, from which X's ids count milliseconds in their upper bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where a walk stands. Its bound is fixed when it begins, or the page token would not fit the question."""

    bound: str  #: ``id:123``, ``at:2026-11-21T08:00:00+00:00`` or ``all:``
    pages: int = 0  #: walked so far
    token: str | None = None

    def __str__(self) -> str:
        return f"{self.bound} {self.pages} {self.token or ''}"

    @classmethod
    def read(cls, kept: str) -> Position:
        """A position out of ``Page.next``.

        Raises:
            ValueError: it is none of ours.
        """
        bound, pages, token = kept.split(" ", 2)
        return cls(bound=bound, pages=int(pages), token=token or None)

    @property
    def asked(self) -> dict[str, Any]:
        """The bound and the token as X's parameters."""
        kind, _, value = self.bound.partition(":")
        asked: dict[str, Any] = {"since_id": value} if kind == "id" else {}
        asked |= {"start_time": datetime.fromisoformat(value)} if kind == "at" else {}
        return asked | ({"pagination_token": self.token} if self.token else {})


class XListener(Listener):
    """Reads what concerns one account of the city on X."""

    def __init__(self, client: tweepy.Client, account: x.Account) -> None:
        self._client = client
        self._account = account
        self._us: x_posts.Us | None = None
        self.sources = ("mentions", *(["search"] if account.track else []), "quotes", "own")

    def pages(self, wanted: Range) -> Iterator[Page]:
        """Every page of one source. What X refuses to begin or go on with is begun again, differently, once."""
        position = Position.read(wanted.resume_at) if wanted.resume_at else first(wanted, now=datetime.now(UTC))
        begun_again = False
        while True:
            try:
                page = self._page(wanted, position)
            except Refused:
                if begun_again or (again := otherwise(wanted, position)) is None:
                    raise
                position, begun_again = again, True
                continue
            yield page
            if page.next is None:
                return
            reached = Position.read(page.next)
            if reached.token == position.token:
                raise Unavailable("X: the same page token twice; the walk would never end")
            position = reached

    def look_again(self, post_ids: Sequence[str]) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
        """The posts as they read now, in their latest version, and those that X no longer shows."""
        known = [post_id for post_id in post_ids if x_posts.is_id(post_id)]  # imports may have numbers of their own
        now = look_up(self._client, self._account, self._who(), known)
        edits = tuple(Edit(post_id=i, mention=mention) for i, mention in now.items() if mention is not None)
        return edits, tuple(i for i, mention in now.items() if mention is None)

    def reread(self, source: str, raw: bytes) -> Page:
        """One post of an answer, read by itself: its author's handle is not told, nor what it replies to."""
        try:
            item = http.parsed(raw)
        except ValueError as err:
            return Page(unreadable=(Unreadable(raw=raw, why=str(err)),))
        return sorted_out({"data": [item]}, self._who(), door(source))

    def _page(self, wanted: Range, position: Position) -> Page:
        with x.translated():
            body = x.body_of(self._asked(wanted.source, position))
        if "data" not in body and "meta" not in body:
            raise Refused(f"X serves no {wanted.source}: {x.explanation(body)}")
        walked = replace(position, pages=position.pages + 1, token=x_posts.token_after(body))
        page = sorted_out(body, self._who(), door(wanted.source))
        if walked.token:
            return replace(page, next=str(walked))
        return replace(page, gap_before=gap(wanted, walked, page))

    def _asked(self, source: str, position: Position) -> Any:
        more: dict[str, Any] = {"max_results": A_PAGE, "user_auth": self._account.reads_as_user, **x_posts.FIELDS}
        if source in SEARCHED:
            searched = self._client.search_recent_tweets
            asked = position.asked
            asked |= {"next_token": asked.pop("pagination_token")} if "pagination_token" in asked else {}
            return searched(query(self._account, source), **asked, **more)
        timeline = self._client.get_users_tweets if source == "own" else self._client.get_users_mentions
        return timeline(self._who().id, **position.asked, **more)

    def _who(self) -> x_posts.Us:
        if self._us is None:
            self._us = x_posts.Us(id=x.account_id(self._client, self._account), handle=self._account.handle)
        return self._us


def door(source: str) -> HeardHow:
    """By which door the posts of a source come, where they don't say better themselves."""
    return HeardHow.SEARCH if source == "search" else HeardHow.MENTION


def query(account: x.Account, source: str) -> str:
    """The search for one source: everybody's posts but our own, and no plain retweets."""
    if source == "quotes":
        wanted = f'url:"x.com/{account.handle}/status" OR url:"twitter.com/{account.handle}/status"'
    else:
        wanted = " OR ".join(map(_term, account.track))
    return f"({wanted}) -is:retweet -from:{account.handle}"


def _term(term: str) -> str:
    """A tracked phrase in quotes, a query of X's own as it is."""
    return f'"{term}"' if re.search(r"\s", term) and not re.search(r'["():]', term) else term


def first(wanted: Range, *, now: datetime) -> Position:
    """The start of a walk: from the newest id we have, less what X lists late, or from the time where that is later."""
    asked_from = wanted.since
    mark = earlier(wanted.since_id or "")
    # An id out of the future, that no platform gave, would hide all that comes until then.
    if mark and wanted.since < (heard := time_of(mark)) <= now:
        asked_from = heard
    if wanted.source in SEARCHED and asked_from < now - SEARCH_REACHES:
        return Position(bound=_at(now - SEARCH_REACHES))
    if asked_from > wanted.since:
        return Position(bound=f"id:{mark}")
    return Position(bound=_at(min(wanted.since, now - timedelta(minutes=1))))  # X refuses a start that is not past


def otherwise(wanted: Range, refused: Position) -> Position | None:
    """Where to begin again: an old page token is dropped; a search whose start X calls too old has none."""
    if refused.token:
        return first(wanted, now=datetime.now(UTC))
    return Position(bound="all:") if wanted.source in SEARCHED and refused.bound != "all:" else None


def _at(moment: datetime) -> str:
    return f"at:{moment.astimezone(UTC).replace(microsecond=0).isoformat()}"


def earlier(post_id: str) -> str | None:
    """An id ``LISTED_LATE`` before this one; None where it is not of X's kind."""
    if not x_posts.is_id(post_id):
        return None
    return str(max(0, int(post_id) - (int(LISTED_LATE.total_seconds() * 1000) << 22)))


def time_of(post_id: str) -> datetime:
    """When a post was made, out of its id."""
    return datetime.fromtimestamp(((int(post_id) >> 22) + EPOCH_MS) / 1000, UTC)


def gap(wanted: Range, walked: Position, page: Page) -> datetime | None:
    """Before when X served nothing although it was asked: search ends after a week, mentions after 800 posts."""
    oldest = min([m.posted_at for m in page.mentions] + [own.posted_at for own in page.own_posts], default=None)
    if wanted.source in SEARCHED and walked.bound == "all:":  # our clock and X's disagree about the week
        return oldest or datetime.now(UTC)
    if wanted.source in SEARCHED and walked.bound.startswith("at:"):
        reached = datetime.fromisoformat(walked.bound.removeprefix("at:"))
        return reached if reached > wanted.since else None
    if wanted.source != "mentions" or walked.pages * A_PAGE < MENTIONS_KEPT:
        return None
    return None if reached_the_mark(wanted, page) else oldest


def reached_the_mark(wanted: Range, page: Page) -> bool:
    """Whether the walk came down to what was heard before; what is walked twice for safety's sake is no loss."""
    if not x_posts.is_id(wanted.since_id or ""):
        return False
    served = [mention.post_id for mention in page.mentions] + [own.post_id for own in page.own_posts]
    return any(int(post_id) <= int(wanted.since_id or "") for post_id in served if x_posts.is_id(post_id))


def sorted_out(body: dict[str, Any], us: x_posts.Us, heard_how: HeardHow) -> Page:
    """The items of one answer: others' posts, our own, and those that can't be read."""
    reading = x_posts.Reading.of(body, us)
    mentions: list[Mention] = []
    own: list[OwnPost] = []
    unreadable: list[Unreadable] = []
    ids: list[str] = []
    for post, item in posts(body):
        if isinstance(post, Unreadable):
            unreadable.append(post)
            continue
        ids.append(post.id)
        if post.refers_to("retweeted"):
            continue
        if post.author_id == us.id:
            own.append(reading.own(post))
        else:
            mentions.append(reading.mention(post, item, heard_how))
    newest = max(filter(x_posts.is_id, ids), key=int, default=None)
    return Page(mentions=tuple(mentions), own_posts=tuple(own), unreadable=tuple(unreadable), newest_id=newest)


def connect(table: dict[str, Any]) -> Listener:
    """The listener of one account.

    Raises:
        ConfigError: a key is wrong, or there is none to read with.
    """
    account = keys(x.Account, table)
    if account.bearer_token is None and not account.can_write:
        raise ConfigError(f"x, @{account.handle}: no bearer_token to read with")
    longest = x.LONGEST_QUERY[account.access]
    if account.track and len(query(account, "search")) > longest:
        raise ConfigError(f"x, @{account.handle}: track: X takes no search longer than {longest} characters")
    return XListener(x.client(account), account)
