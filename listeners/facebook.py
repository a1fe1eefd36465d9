"""What people write to the city's Facebook Page: posts on it, comments below its posts, and posts that tag it.

Sources, each walked newest first to its end by ``after`` cursors (``paging.next`` holds the token and is never kept):

- ``feed``: the Page's feed: visitors' posts, and our own, so that what staff wrote by hand is known;
- ``tagged``: posts on other profiles that tag the Page; Graph often hides who wrote them. Graph's ``since`` goes by
  ``created_time``, so it would hide a post that is listed late: it is not asked for. The newest 100 are read each time,
  and the walk goes on while the older end of a page is younger than the mark: one call each while little is said;
- ``comments``: comments and answers to comments. New ones come also under old posts, and Graph has no list of a Page's
  new comments. So every round looks at the Page's latest posts, none older than 30 days, 100 of them and whatever was
  posted since the mark, and takes the comments since the mark along in the same call (field expansion, 25 posts a
  call): four calls a round, unless an outage left more posts than that, plus one for each hundred comments of a post
  that got more than 25. A comment under an older post is heard by webhook alone.

There is no keyword search of public Facebook. An edit keeps its id: the mention comes again and reads otherwise, in a
round if it is younger than the mark, else by ``look_again``.

Source: developers.facebook.com/docs/graph-api/reference (page/feed, page/tagged, object/comments: ``filter=stream``
gives answers to comments too), /guides/field-expansion and /results (cursors; read 2026-11).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from clients import facebook, facebook_posts, http
from clients.facebook_posts import Place, Written
from clients.keys import keys
from errors import Unavailable
from listeners.base import Listener
from vocabulary import Edit, HeardHow, Mention, OwnPost, Page, Range, Unreadable

LATE_AT_MOST = 25  #: of a page's posts may be listed late; where the last so many are all old, so is what follows
POSTS_AT_ONCE = 25  #: with their comments: Graph refuses answers that grow too large
COMMENTS_WITH_A_POST = 25
COMMENTS_AT_ONCE = 100
POSTS_LOOKED_AT = 100
POSTS_NO_OLDER = timedelta(days=30)
GRAPHS = re.compile(r"\d+(?:_\d+)*")  #: ids that Graph can have given


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where a walk stands: in the list of posts, and in the comments of those that had more than fitted."""

    after: str | None = None  #: cursor of the list of posts
    done: bool = False  #: the list of posts is walked through
    posts: int = 0  #: looked at so far
    more: tuple[tuple[str, str], ...] = ()  #: post id and the cursor of its comments

    def __str__(self) -> str:
        return json.dumps([self.after, self.done, self.posts, self.more], separators=(",", ":"))

    @classmethod
    def read(cls, kept: str | None) -> Position:
        """A position out of ``Page.next``."""
        if kept is None:
            return cls()
        after, done, posts, more = json.loads(kept)
        return cls(after=after, done=done, posts=posts, more=tuple((post, cursor) for post, cursor in more))

    @property
    def next(self) -> str | None:
        """For ``Page.next``."""
        return None if self.done and not self.more else str(self)


@dataclass
class Sorted:
    """The items of one answer, as they are sorted out."""

    page_id: str
    mentions: list[Mention] = field(default_factory=list)
    own: list[OwnPost] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    def add(self, item: object, heard_how: HeardHow, root: str | None = None) -> None:
        """One item: somebody's, ours, or one that can't be read."""
        written = facebook_posts.read(item)
        if isinstance(written, Unreadable):
            self.unreadable.append(written)
        elif written.author and written.author.id == self.page_id:
            self.own.append(facebook_posts.own_post(written, Place.of(written, root)))
        else:
            self.mentions.append(facebook_posts.mention(written, item, Place.of(written, root), heard_how))

    def page(self, position: Position) -> Page:
        """What was found, as a page."""
        written = sorted(
            [(m.posted_at, m.post_id) for m in self.mentions] + [(o.posted_at, o.post_id) for o in self.own]
        )
        return Page(
            mentions=tuple(self.mentions),
            own_posts=tuple(self.own),
            unreadable=tuple(self.unreadable),
            newest_id=written[-1][1] if written else None,
            next=position.next,
        )


class FacebookListener(Listener):
    """Reads one Page."""

    sources = ("feed", "tagged", "comments")

    def __init__(self, graph: facebook.Graph, page_id: str) -> None:
        self._graph = graph
        self._page_id = page_id

    def pages(self, wanted: Range) -> Iterator[Page]:
        """Every page of one source. A cursor that Graph no longer takes starts the walk again."""
        position = Position.read(wanted.resume_at)
        resumed = wanted.resume_at is not None
        while True:
            try:
                page, reached = self._page(wanted, position)
            except facebook.BadParameter:
                if not resumed:
                    raise
                position, resumed = Position(), False
                continue
            resumed = False
            yield page
            if page.next is None:
                return
            if stuck(position, reached):
                raise Unavailable("Facebook: the same cursor twice; the walk would never end")
            position = reached

    def look_again(self, post_ids: Sequence[str]) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
        """The posts and comments as they read now, and those that are gone."""
        known = [post_id for post_id in post_ids if GRAPHS.fullmatch(post_id)]  # imports may have numbers of their own
        now = facebook_posts.look_up(self._graph, self._page_id, known)
        edits = [
            Edit(post_id=i, mention=facebook_posts.mention(found, item, Place.of(found), self._heard_how(found)))
            for i, (found, item) in now.items()
            if isinstance(found, Written)
        ]
        return tuple(edits), tuple(i for i, (found, _) in now.items() if found is None)

    def reread(self, source: str, raw: bytes) -> Page:
        """One post or comment read by itself, or a post whose comments could not be read."""
        found, done = Sorted(self._page_id), Position(done=True)
        try:
            item = http.parsed(raw)
        except ValueError as err:
            found.unreadable.append(Unreadable(raw=raw, why=str(err)))
            return found.page(done)
        if source == "comments" and isinstance(item, dict) and "comments" in item:
            self._take_comments(found, item)
        else:
            found.add(item, HeardHow.PAGE_COMMENT if source == "comments" else self._door(source, item))
        return found.page(done)

    def _door(self, source: str, item: object) -> HeardHow:
        ours = str(item.get("id", "")).startswith(f"{self._page_id}_") if isinstance(item, dict) else False
        return HeardHow.MENTION if source == "feed" and ours else HeardHow.TAGGED

    def _heard_how(self, written: Written) -> HeardHow:
        if written.object is not None:
            return HeardHow.PAGE_COMMENT
        return HeardHow.MENTION if written.id.startswith(f"{self._page_id}_") else HeardHow.TAGGED

    def _page(self, wanted: Range, position: Position) -> tuple[Page, Position]:
        if position.more:
            return self._more_comments(wanted, position)
        return (
            self._posts_with_comments(wanted, position)
            if wanted.source == "comments"
            else self._posts(wanted, position)
        )

    def _posts(self, wanted: Range, position: Position) -> tuple[Page, Position]:
        """A page of ``feed`` or ``tagged``."""
        body = self._graph.read(
            self._page_id,
            wanted.source,
            fields=facebook_posts.POST_FIELDS,
            limit=COMMENTS_AT_ONCE,
            **_after(position.after),
        )
        found = Sorted(self._page_id)
        for item in body["data"]:
            found.add(item, self._door(wanted.source, item))
        cursor = facebook_posts.cursor_after(body) if may_go_on(body["data"], wanted.since) else None
        reached = replace(position, after=cursor, done=cursor is None, posts=position.posts + len(body["data"]))
        return found.page(reached), reached

    def _posts_with_comments(self, wanted: Range, position: Position) -> tuple[Page, Position]:
        """Some of the Page's latest posts, each with its comments since the mark."""
        comments = f"comments.filter(stream).order(reverse_chronological).since({seconds(wanted.since)})"
        body = self._graph.read(
            self._page_id,
            "feed",
            fields=f"id,created_time,{comments}.limit({COMMENTS_WITH_A_POST}){{{facebook_posts.COMMENT_FIELDS}}}",
            since=seconds(min(wanted.since, datetime.now(UTC) - POSTS_NO_OLDER)),
            limit=POSTS_AT_ONCE,
            **_after(position.after),
        )
        found = Sorted(self._page_id)
        more = [waiting for item in body["data"] if (waiting := self._take_comments(found, item))]
        looked_at = position.posts + len(body["data"])
        further = looked_at < POSTS_LOOKED_AT or may_go_on(body["data"], wanted.since)
        cursor = facebook_posts.cursor_after(body) if further else None
        reached = Position(after=cursor, done=cursor is None, posts=looked_at, more=tuple(dict.fromkeys(more)))
        return found.page(reached), reached

    def _take_comments(self, found: Sorted, post: object) -> tuple[str, str] | None:
        """The comments that came with a post; where more wait, the post's id and the cursor."""
        listed = post.get("comments") if isinstance(post, dict) else None
        post_id = post.get("id") if isinstance(post, dict) else None
        if not isinstance(post_id, str | int) or (listed is not None and not _is_list(listed)):
            found.unreadable.append(Unreadable(raw=http.packed(post), why="comments: not a list below a post"))
            return None
        for item in listed["data"] if listed else []:
            found.add(item, HeardHow.PAGE_COMMENT, str(post_id))
        cursor = facebook_posts.cursor_after(listed) if listed else None
        return (str(post_id), cursor) if cursor else None

    def _more_comments(self, wanted: Range, position: Position) -> tuple[Page, Position]:
        """The next page of the comments of a post that had more than came with it."""
        (post_id, cursor), *others = position.more
        found = Sorted(self._page_id)
        try:
            body = self._graph.read(
                post_id,
                "comments",
                fields=facebook_posts.COMMENT_FIELDS,
                filter="stream",
                order="reverse_chronological",
                since=seconds(wanted.since),
                limit=COMMENTS_AT_ONCE,
                after=cursor,
            )
        except facebook.Gone:  # deleted while we walked
            body = {"data": []}
        for item in body["data"]:
            found.add(item, HeardHow.PAGE_COMMENT, post_id)
        further = facebook_posts.cursor_after(body)
        reached = replace(position, more=tuple([(post_id, further), *others] if further else others))
        return found.page(reached), reached


def may_go_on(items: Sequence[object], since: datetime) -> bool:
    """Whether what follows a page may be younger than the mark: some of its last posts are, or can't be read."""
    tail = [facebook_posts.read(item) for item in items[-LATE_AT_MOST:]]
    return any(isinstance(written, Unreadable) or written.created_time >= since for written in tail)


def stuck(before: Position, after: Position) -> bool:
    """Whether the same page would be read once more."""
    if before.more:
        return after.more[:1] == before.more[:1]
    return after.after is not None and after.after == before.after


def _is_list(listed: object) -> bool:
    return isinstance(listed, dict) and isinstance(listed.get("data"), list)


def _after(cursor: str | None) -> dict[str, str]:
    return {"after": cursor} if cursor else {}


def seconds(moment: datetime) -> int:
    """A time as Graph's ``since`` takes it."""
    return int(moment.timestamp())


def connect(table: dict[str, Any]) -> Listener:
    """The listener of one Page.

    Raises:
        ConfigError: a key is wrong or missing.
    """
    account = keys(facebook.Account, table)
    return FacebookListener(facebook.Graph(account), account.page_id)
