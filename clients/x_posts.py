"""Posts of X as our values: what the listener hears and the responder looks at must read the same.

Source: docs.x.com/x-api/fundamentals/data-dictionary (post, user, media) and X's OpenAPI document (read 2026-11).
There the text is HTML-escaped, a text beyond 280 characters stands in ``note_tweet``, ``edit_history_tweet_ids``
ascends (the newest version last), and ids are strings.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from clients import http
from clients.shapes import Moment
from errors import Unavailable
from vocabulary import Author, HeardHow, Media, Mention, OwnPost, Unreadable

#: What is asked with every post. ``rev_hash`` hangs on text, media and quoted post: ask the same everywhere.
FIELDS: dict[str, list[str]] = {
    "tweet_fields": [
        "attachments", "author_id", "conversation_id", "created_at", "display_text_range", "edit_history_tweet_ids",
        "entities", "geo", "in_reply_to_user_id", "lang", "note_tweet", "referenced_tweets",
    ],
    "expansions": ["author_id", "attachments.media_keys", "referenced_tweets.id", "referenced_tweets.id.author_id"],
    "user_fields": ["id", "name", "username"],
    "media_fields": ["alt_text", "media_key", "preview_image_url", "type", "url"],
}  # fmt: skip

LEADING_HANDLES = re.compile(r"(?:@\w{1,15}\s+)*")
KINDS = {"photo": "photo", "video": "video", "animated_gif": "video"}
OLD_LANGUAGES = {"in": "id", "iw": "he", "ji": "yi"}  # X keeps codes that ISO 639-1 withdrew

Id = Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v), Field(min_length=1, max_length=64)]


class Handle(BaseModel):
    """A mention entity."""

    start: int
    username: str = ""
    id: Id | None = None


class Link(BaseModel):
    """A URL entity."""

    expanded_url: str = ""


class Entities(BaseModel):
    """What X recognised in a text."""

    mentions: list[Handle] = []
    urls: list[Link] = []


class Note(BaseModel):
    """The whole of a long text."""

    text: str
    entities: Entities | None = None


class Reference(BaseModel):
    """A post that this one replies to, quotes or repeats."""

    type: str
    id: Id


class Attachments(BaseModel):
    """Keys into ``includes.media``."""

    media_keys: list[str] = []


class Point(BaseModel):
    """GeoJSON: longitude first."""

    coordinates: tuple[float, float]


class Geo(BaseModel):
    """Where the author says the post is."""

    coordinates: Point | None = None


class Post(BaseModel):
    """A post as X serves it; fields that we don't know are let be."""

    id: Id
    text: str
    created_at: Moment
    author_id: Id | None = None
    conversation_id: Id | None = None
    in_reply_to_user_id: Id | None = None
    edit_history_tweet_ids: list[Id] = []
    referenced_tweets: list[Reference] = []
    entities: Entities | None = None
    note_tweet: Note | None = None
    display_text_range: tuple[int, int] | None = None
    attachments: Attachments | None = None
    geo: Geo | None = None
    lang: str | None = None

    def refers_to(self, kind: str) -> str | None:
        """The id of the post that this one has ``replied_to``, ``quoted`` or ``retweeted``."""
        return next((r.id for r in self.referenced_tweets if r.type == kind), None)

    @property
    def whole_text(self) -> str:
        """Plain text, all of it."""
        return http.storable(html.unescape(self.note_tweet.text if self.note_tweet else self.text))

    @property
    def handles(self) -> list[Handle]:
        """Every account named in the text."""
        found = (self.entities, self.note_tweet.entities if self.note_tweet else None)
        return [handle for entities in found if entities for handle in entities.mentions]

    @property
    def newest_id(self) -> str:
        """The id of this post's latest version."""
        return self.edit_history_tweet_ids[-1] if self.edit_history_tweet_ids else self.id


class Served(BaseModel):
    """Anything in ``includes``, read only as far as we need it."""

    id: Id | None = None
    author_id: Id | None = None
    username: str = ""
    name: str = ""
    media_key: str = ""
    type: str = ""
    url: str = ""
    preview_image_url: str = ""
    alt_text: str = ""
    entities: Entities | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Us:
    """Our own account."""

    id: str
    handle: str

    def named_by(self, handles: Iterable[Handle]) -> list[Handle]:
        """Those of the mention entities that are us; the id decides, since handles change hands."""
        return [h for h in handles if (h.id == self.id if h.id else h.username.lower() == self.handle.lower())]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One answer of X: its items read one by one, so that a bad one costs only itself."""

    us: Us
    users: dict[str, Served] = field(default_factory=dict)
    media: dict[str, Served] = field(default_factory=dict)
    posts: dict[str, Served] = field(default_factory=dict)

    @classmethod
    def of(cls, body: dict[str, Any], us: Us) -> Reading:
        """The ``includes`` of an answer; what can't be read of them is missed, not fatal."""
        includes = body.get("includes")
        named = includes if isinstance(includes, dict) else {}
        return cls(
            us=us,
            users={s.id: s for s in served(named.get("users")) if s.id},
            media={s.media_key: s for s in served(named.get("media")) if s.media_key},
            posts={s.id: s for s in served(named.get("tweets")) if s.id},
        )

    def mention(self, post: Post, raw: dict[str, Any], heard_how: HeardHow) -> Mention:
        """The post as a mention, heard by this door unless the post itself says better."""
        who = self.users.get(post.author_id or "")
        lat, long = _place(post)
        return Mention(
            platform="x",
            post_id=post.id,
            conversation_key=post.conversation_id or post.id,
            text=post.whole_text,
            posted_at=post.created_at,
            heard_how=self.heard_how(post, heard_how),
            author=_author(post, who),
            url=f"https://x.com/{who.username if who and who.username else 'i'}/status/{post.id}",
            in_reply_to=post.refers_to("replied_to"),
            quoted_post_id=post.refers_to("quoted"),
            language=_language(post.lang),
            media=tuple(self._media(post)),
            lat=lat,
            long=long,
            addresses_us=self.addresses_us(post),
            edited_from=tuple(i for i in post.edit_history_tweet_ids if i != post.id),
            raw=http.packed(raw),
        )

    def heard_how(self, post: Post, otherwise: HeardHow) -> HeardHow:
        """Quote and reply by what the post is; else by the door it came through."""
        if self.quotes_us(post):
            return HeardHow.QUOTE
        if post.in_reply_to_user_id == self.us.id:
            return HeardHow.REPLY
        return HeardHow.MENTION if self.us.named_by(post.handles) else otherwise

    def quotes_us(self, post: Post) -> bool:
        """Whether the quoted post is ours: by its author, or by its link where X did not include it."""
        quoted = post.refers_to("quoted")
        if quoted is None:
            return False
        if (known := self.posts.get(quoted)) and known.author_id:
            return known.author_id == self.us.id
        links = post.entities.urls if post.entities else []
        ours = re.compile(rf"https://(?:x|twitter)\.com/{re.escape(self.us.handle)}/status/{re.escape(quoted)}\b", re.I)
        return any(ours.match(link.expanded_url) for link in links)

    def addresses_us(self, post: Post) -> bool:
        """Whether the author turned to us, which is when X lets a program reply.

        X carries the @handles of a thread on into the start of every reply, so our handle there proves nothing: in a
        reply to somebody else it counts only behind that row of handles, or in it if the post replied to is known and
        neither ours nor names us (then the author typed it). Unknown is no: a person can still answer by hand.
        """
        if self.quotes_us(post) or post.in_reply_to_user_id == self.us.id:
            return True
        naming = self.us.named_by(post.handles)
        parent_id = post.refers_to("replied_to")
        if parent_id is None or not naming:
            return bool(naming)
        typed_from = post.display_text_range[0] if post.display_text_range else _end_of_handles(post.text)
        if any(handle.start >= typed_from for handle in naming):
            return True
        parent = self.posts.get(parent_id)
        if parent is None or parent.author_id in (None, self.us.id):
            return False
        return not self.us.named_by(parent.entities.mentions if parent.entities else [])

    def own(self, post: Post) -> OwnPost:
        """What our account wrote, by whatever hand."""
        return own_post(post, self.us)

    def _media(self, post: Post) -> Iterable[Media]:
        for key in post.attachments.media_keys if post.attachments else []:
            if item := self.media.get(key):
                kind = KINDS.get(item.type, "other")
                yield Media(kind=kind, url=item.url or item.preview_image_url, alt=http.storable(item.alt_text))


def own_post(post: Post, us: Us) -> OwnPost:
    """What our account wrote, by whatever hand."""
    return OwnPost(
        platform="x",
        post_id=post.id,
        conversation_key=post.conversation_id or post.id,
        text=post.whole_text,
        posted_at=post.created_at,
        in_reply_to=post.refers_to("replied_to"),
        url=f"https://x.com/{us.handle}/status/{post.id}",
    )


def is_id(text: str) -> bool:
    """Whether X could have given this id; it refuses a whole call for one that it could not."""
    return text.isascii() and text.isdecimal() and len(text) <= 19


def read(item: object) -> Post | Unreadable:
    """One item of an answer."""
    try:
        return Post.model_validate(item)
    except ValidationError as err:
        first = err.errors(include_input=False, include_url=False)[0]
        why = f"{'.'.join(map(str, first['loc'])) or 'item'}: {first['msg']}"
        return Unreadable(raw=http.packed(item), why=why)


def token_after(body: dict[str, Any]) -> str | None:
    """The token of the next page, or None at the end.

    Raises:
        Unavailable: it can't be read; to take that for the end would lose what follows.
    """
    meta = body.get("meta")
    token = meta.get("next_token") if isinstance(meta, dict) else meta
    if token and not isinstance(token, str | int):
        raise Unavailable("X: the token of the next page can't be read")
    return str(token) if token else None


def served(items: object) -> list[Served]:
    """The readable ones of a part of ``includes``."""
    found = []
    for item in items if isinstance(items, list) else []:
        try:
            found.append(Served.model_validate(item))
        except ValidationError:
            continue
    return found


def _author(post: Post, who: Served | None) -> Author | None:
    """The author by id; the handle is empty where X did not say it."""
    if post.author_id is None:
        return None
    if who is None:
        return Author(platform_user_id=post.author_id, handle="")
    return Author(platform_user_id=post.author_id, handle=who.username, name=http.storable(who.name))


def _place(post: Post) -> tuple[float | None, float | None]:
    if post.geo is None or post.geo.coordinates is None:
        return None, None
    long, lat = post.geo.coordinates.coordinates
    return lat, long


def _language(code: str | None) -> str | None:
    """ISO 639-1, or None for X's own codes (``und``, ``qme``, ``zxx`` …)."""
    short = (code or "").split("-")[0].lower()
    return OLD_LANGUAGES.get(short, short) if len(short) == 2 else None


def _end_of_handles(text: str) -> int:
    found = LEADING_HANDLES.match(text)
    return found.end() if found else 0
