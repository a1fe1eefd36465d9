"""Posts and comments of Facebook as our values; the listener and the responder must read them the same.

Source: developers.facebook.com/docs/graph-api/reference (page-post, comment) and Meta's field lists in
facebook-business 25 (read 2026-11). There ``from`` is missing where a person has not let us know who they are,
``message`` where a post is only a picture, and ``created_time`` reads ``2026-11-21T08:00:00+0000``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from clients import facebook, http
from clients.shapes import Moment
from errors import Unavailable
from vocabulary import Author, HeardHow, Media, Mention, OwnPost, Unreadable

COMMON = "id,message,created_time,from,permalink_url"
ATTACHED = "type,url"
POST_FIELDS = f"{COMMON},attachments{{{ATTACHED},subattachments{{{ATTACHED}}}}}"
COMMENT_FIELDS = f"{COMMON},parent{{id}},object{{id}},attachment{{{ATTACHED}}}"
AT_ONCE = 50  #: ids of one ``?ids=`` call

Seen = tuple["Written | Unreadable | None", object]  #: what it reads, and the JSON it came from
Id = Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v), Field(min_length=1, max_length=128)]


class Person(BaseModel):
    """Who wrote it; ids are app- or Page-scoped and do not change."""

    id: Id
    name: str = ""


class Thing(BaseModel):
    """An object named by its id alone."""

    id: Id


class Attached(BaseModel):
    """A picture, film or link. Its ``url`` is the page it stands on; the file's own address changes with every call."""

    type: str = ""
    url: str = ""
    subattachments: Attachments | None = None


class Attachments(BaseModel):
    """A list of them."""

    data: list[Attached] = []


class Written(BaseModel):
    """A post or a comment as Graph serves it; fields that we don't know are let be."""

    id: Id
    created_time: Moment
    message: str = ""
    author: Person | None = Field(default=None, alias="from")
    permalink_url: str = ""
    parent: Thing | None = None
    object: Thing | None = None
    attachment: Attached | None = None
    attachments: Attachments | None = None

    @property
    def text(self) -> str:
        """What it says."""
        return http.storable(self.message)

    @property
    def media(self) -> tuple[Media, ...]:
        """What is attached, in Graph's order."""
        shown = ([self.attachment] if self.attachment else []) + (self.attachments.data if self.attachments else [])
        flat = [inner for one in shown for inner in (one.subattachments.data if one.subattachments else [one])]
        return tuple(Media(kind=_kind(one.type), url=one.url) for one in flat)

    @property
    def url(self) -> str:
        """Where people see it."""
        return (
            f"https://www.facebook.com{self.permalink_url}"
            if self.permalink_url.startswith("/")
            else self.permalink_url
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a post or comment stands: the post that its thread hangs on, and the one it answers."""

    root: str
    above: str | None = None

    @classmethod
    def of(cls, written: Written, root: str | None = None) -> Place:
        """A comment's place; for a post, itself."""
        root = root or (written.object.id if written.object else None)
        if root is None or root == written.id:
            return cls(root=written.id)
        return cls(root=root, above=written.parent.id if written.parent else root)


def read(item: object) -> Written | Unreadable:
    """One item of an answer."""
    try:
        return Written.model_validate(item)
    except ValidationError as err:
        first = err.errors(include_input=False, include_url=False)[0]
        why = f"{'.'.join(map(str, first['loc'])) or 'item'}: {first['msg']}"
        return Unreadable(raw=http.packed(item), why=why)


def mention(written: Written, raw: object, place: Place, heard_how: HeardHow) -> Mention:
    """What somebody wrote to the Page. On our own Page, and where we are tagged, a reply is invited."""
    author = written.author
    return Mention(
        platform="facebook",
        post_id=written.id,
        conversation_key=place.root,
        text=written.text,
        posted_at=written.created_time,
        heard_how=heard_how,
        author=None
        if author is None
        else Author(platform_user_id=author.id, handle=http.storable(author.name), name=http.storable(author.name)),
        url=written.url,
        in_reply_to=place.above,
        media=written.media,
        raw=http.packed(raw),
    )


def own_post(written: Written, place: Place) -> OwnPost:
    """What the Page wrote, by whatever hand."""
    return OwnPost(
        platform="facebook",
        post_id=written.id,
        conversation_key=place.root,
        text=written.text,
        posted_at=written.created_time,
        in_reply_to=place.above,
        url=written.url,
    )


def cursor_after(body: dict[str, Any]) -> str | None:
    """The cursor of the next page, or None at the end, which Graph tells by leaving out ``paging.next``.

    Raises:
        Unavailable: there is a next page, and no cursor to it; to stop here would lose what it holds.
    """
    paging = body.get("paging")
    following = paging.get("next") if isinstance(paging, dict) else paging
    if not following:
        return None
    cursors = paging.get("cursors") if isinstance(paging, dict) else None
    told = cursors.get("after") if isinstance(cursors, dict) else None
    after = told or parse_qs(urlsplit(str(following)).query).get("after", [""])[-1]
    if not isinstance(after, str | int) or not after:
        raise Unavailable("Facebook names a next page but no cursor to it")
    return str(after)


def look_up(graph: facebook.Graph, page_id: str, ids: Sequence[str]) -> dict[str, Seen]:
    """Each post or comment as it reads now, with the JSON it came from; None where it is gone.

    Graph says "gone" also when the Page's token lost its permission, so before anything is called gone the Page's own
    feed must be readable.

    Raises:
        AdapterError: of the kind that says what to do next.
    """
    found: dict[str, Seen] = {}
    posts = [i for i in dict.fromkeys(ids) if i.startswith(f"{page_id}_")]
    comments = [i for i in dict.fromkeys(ids) if not i.startswith(f"{page_id}_")]
    for group, fields in ((posts, POST_FIELDS), (comments, COMMENT_FIELDS)):
        for start in range(0, len(group), AT_ONCE):
            found |= _several(graph, group[start : start + AT_ONCE], fields)
    if any(written is None for written, _ in found.values()):
        graph.read(page_id, "feed", fields="id", limit=1)
    return found


def _several(graph: facebook.Graph, ids: list[str], fields: str) -> dict[str, Seen]:
    """One call if all is well; one object that is gone spoils a call, so the rest is asked again in halves."""
    try:
        got = graph.read_several(ids, fields)
    except (facebook.Gone, facebook.NoSuchField) as err:
        if len(ids) > 1:
            half = len(ids) // 2
            return _several(graph, ids[:half], fields) | _several(graph, ids[half:], fields)
        if isinstance(err, facebook.Gone):
            return {ids[0]: (None, None)}
        if fields == POST_FIELDS:
            raise
        return _several(graph, ids, POST_FIELDS)  # somebody's own post that tags us has an id like a comment's
    return {i: (read(got[i]), got[i]) for i in ids if i in got}


def _kind(name: str) -> str:
    if "photo" in name:
        return "photo"
    return "video" if "video" in name else "other"
