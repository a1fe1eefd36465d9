"""Pages, posts and comments as Graph shows them, and its lists with cursors."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sandbox.clock import milliseconds
from sandbox.graph_errors import bad_parameter, no_such_field
from sandbox.graph_fields import DEFAULTS, EDGES, FIELDS, Selected
from sandbox.people import Person
from sandbox.posts import Media, Post
from sandbox.world import World

FEED_EDGES = EDGES["page"]
MOST = 100
USUAL = 25
NO_END = (1 << 63) - 1


def graph_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def moment_of(given: str, name: str) -> datetime:
    """A ``since`` or ``until``: seconds since 1970, or a date and time."""
    try:
        if given.lstrip("-").isdecimal():
            return datetime.fromtimestamp(int(given), UTC)
        read = datetime.fromisoformat(given.replace("+0000", "+00:00"))
    except (ValueError, OverflowError):
        raise bad_parameter(f"Param {name} must be a valid date/time") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def kind_of(thing: Post | Person) -> str:
    if isinstance(thing, Person):
        return "page"
    return "post" if thing.in_reply_to is None else "comment"


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """How one caller sees the network: as a Page, at an address (for ``paging.next``)."""

    world: World
    page: Person
    base: str  #: ``http://host/v25.0``
    token: str

    def show(self, thing: Post | Person, selected: Sequence[Selected]) -> dict[str, Any]:
        """The object with the fields asked for, its defaults if none are, and always its id."""
        kind = kind_of(thing)
        chosen = list(selected) or [Selected(name) for name in DEFAULTS[kind]]
        shown: dict[str, Any] = {}
        for one in chosen:
            if one.name == "attachments" and isinstance(thing, Post):
                shown |= _attachments(thing, one)
                continue
            if one.name in EDGES[kind]:
                shown[one.name] = self.edge(thing, one.name, one.modifiers, one.inner)
                continue
            if one.name not in FIELDS[kind]:
                raise no_such_field(one.name, kind)
            value = self._page_field(thing, one.name) if isinstance(thing, Person) else self._field(thing, one)
            if value is not None:
                shown[one.name] = value
        return {**shown, "id": thing.id}

    def _page_field(self, page: Person, name: str) -> Any:
        return {
            "name": page.name,
            "username": page.handle,
            "link": f"https://www.facebook.com/{page.handle}",
            "access_token": self.token if page.id == self.page.id else None,
            "can_post": True,
            "category": "City Hall",
            "fan_count": 0,
            "followers_count": 0,
            "is_published": True,
        }.get(name)

    def _field(self, post: Post, one: Selected) -> Any:
        if one.name == "from":
            return self._from(post)
        if one.name in ("parent", "object"):
            return self._above(post, one)
        plain: dict[str, Any] = {
            "message": post.text or None,  # Graph leaves it out where a post is only a picture
            "attachment": _attached(post, post.media[0], one.inner) if post.media else None,
            "created_time": graph_time(post.posted_at),
            "updated_time": graph_time(post.updated_at),
            "permalink_url": self._link(post),
            "is_hidden": False,
            "can_reply_privately": not self._by_page(post) and not self.world.messages.about([post.id])
            if one.name == "can_reply_privately"
            else None,
            "can_comment": True,
            "can_hide": not self._by_page(post),
            "can_like": True,
            "can_remove": True,
            "user_likes": False,
            "like_count": 0,
            "is_private": False,
            "is_published": True,
            "status_type": "mobile_status_update",
            "comment_count": len(self.world.posts.where("parent = ?", (post.id,)))
            if one.name == "comment_count"
            else None,
        }
        return plain.get(one.name)

    def _by_page(self, post: Post) -> bool:
        return post.author_id == self.page.id

    def _from(self, post: Post) -> dict[str, str] | None:
        """Who wrote it; Graph hides people who did not let it, and who tagged the Page from their own profile."""
        author = self.world.people.find("facebook", post.author_id)
        if (author.hidden or post.tagged) and not author.city:
            return None
        return {"name": author.name, "id": author.id}

    def _above(self, post: Post, one: Selected) -> dict[str, Any] | None:
        """``parent``: the comment answered, none for a first-level comment; ``object``: the post."""
        id = post.root if one.name == "object" else post.parent if post.parent != post.root else None
        found = self.world.posts.by_ids([id], "facebook").get(id) if id else None
        return None if found is None else self.show(found, one.inner)

    def _link(self, post: Post) -> str:
        root = post.root.replace("_", "/posts/", 1)
        tail = "" if post.in_reply_to is None else f"?comment_id={post.id.rpartition('_')[2]}"
        return f"https://www.facebook.com/{root}{tail}"

    # lists

    def edge(
        self, thing: Post | Person, name: str, query: Mapping[str, str], selected: Sequence[Selected], address: str = ""
    ) -> dict[str, Any]:
        """One of the object's lists, a page of it."""
        condition, values = self._members(thing, name, query)
        order = query.get("order", "")
        newest_first = name in FEED_EDGES or order == "reverse_chronological"
        limit = _limit(query)
        after, before = _cursor(query, "after"), _cursor(query, "before")
        since, until = _bounds(query)
        low, high = -1, NO_END
        if before is not None:
            newest_first = not newest_first
            after = before
        if after is not None:
            low, high = (low, min(high, after)) if newest_first else (max(low, after), high)
        found = self.world.posts.where(
            f"number > ? AND number < ? AND posted_at >= ? AND posted_at < ? AND {condition}",
            (low, high, since, until, *values),
            limit=limit + 1,
            newest_first=newest_first,
        )
        shown, more = found[:limit], len(found) > limit
        if before is not None:
            shown.reverse()
        answer: dict[str, Any] = {"data": [self.show(post, selected) for post in shown]}
        if shown:
            where = address or f"{self.base}/{thing.id}/{name}"
            answer["paging"] = self._paging(shown, more or before is not None, after is not None, where, query)
        if query.get("summary", "").lower() in ("true", "1", "total_count"):
            total = len(self.world.posts.where(condition, values))
            answer["summary"] = {"order": order or "chronological", "total_count": total, "can_comment": True}
        return answer

    def _members(self, thing: Post | Person, name: str, query: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
        if isinstance(thing, Person):
            extra, values = {
                "feed": ("", ()),
                "tagged": (" AND tagged = 1", ()),
                "visitor_posts": (" AND tagged = 0 AND author_id <> ?", (thing.id,)),
            }.get(name, (" AND author_id = ?", (thing.id,)))
            return f"platform = 'facebook' AND in_reply_to IS NULL AND page_id = ?{extra}", (thing.id, *values)
        if name != "comments":
            return "0 = 1", ()
        if query.get("filter", "toplevel") not in ("toplevel", "stream"):
            raise bad_parameter("Param filter must be one of {TOPLEVEL, STREAM}")
        if query.get("filter") == "stream" and thing.in_reply_to is None:
            return "root = ? AND in_reply_to IS NOT NULL", (thing.id,)
        return "parent = ?", (thing.id,)

    def _paging(
        self, shown: Sequence[Post], more: bool, later: bool, where: str, query: Mapping[str, str]
    ) -> dict[str, Any]:
        first, last = _written(shown[0].number), _written(shown[-1].number)
        paging: dict[str, Any] = {"cursors": {"before": first, "after": last}}
        kept = {name: value for name, value in query.items() if name not in ("after", "before", "access_token")}
        kept = {"access_token": self.token, **kept}
        if more:
            paging["next"] = f"{where}?{urlencode({**kept, 'after': last})}"
        if later:
            paging["previous"] = f"{where}?{urlencode({**kept, 'before': first})}"
        return paging


def _attachments(post: Post, one: Selected) -> dict[str, Any]:
    """``attachments``: nothing, one, or an album that holds the several."""
    if len(post.media) <= 1:
        listed = [_attached(post, media, one.inner) for media in post.media]
        return {"attachments": {"data": listed}} if listed else {}
    inner = next((part.inner for part in one.inner if part.name == "subattachments"), ())
    album: dict[str, Any] = {"type": "album", "url": post.media[0].url, "title": "Photos"}
    album = {name: value for name, value in album.items() if name in {part.name for part in one.inner} or not one.inner}
    if any(part.name == "subattachments" for part in one.inner):
        album["subattachments"] = {"data": [_attached(post, media, inner) for media in post.media]}
    return {"attachments": {"data": [album]}}


def _attached(post: Post, media: Media, selected: Sequence[Selected]) -> dict[str, Any]:
    """One picture or film. ``description`` is what stands below it."""
    kind = media.kind if media.kind == "photo" else "video_inline"
    full: dict[str, Any] = {"type": kind, "url": media.url, "description": media.alt, "target": {"id": post.id}}
    wanted = {part.name for part in selected} or {"type", "url"}
    return {name: value for name, value in full.items() if name in wanted and value}


def _limit(query: Mapping[str, str]) -> int:
    given = query.get("limit", str(USUAL))
    if not given.isdecimal():
        raise bad_parameter("Param limit must be a number")
    return min(max(int(given), 1), MOST)


def _bounds(query: Mapping[str, str]) -> tuple[int, int]:
    """``since`` and ``until`` in milliseconds: they go by created_time and take both ends in."""
    since, until = query.get("since"), query.get("until")
    low = milliseconds(moment_of(since, "since")) if since else -1
    high = milliseconds(moment_of(until, "until")) + 1000 if until else NO_END
    return low, high


def _written(number: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"n": number}).encode()).decode().rstrip("=")


def _cursor(query: Mapping[str, str], name: str) -> int | None:
    given = query.get(name)
    if not given:
        return None
    try:
        return int(json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))["n"])
    except (ValueError, KeyError, TypeError):
        raise bad_parameter("Invalid cursors values") from None
