"""The door for tests and the demo: post as anybody, break things, see what was done. No token: it listens on loopback.

``POST /posts`` takes one post or a list of them. ``author`` is a name (X: a handle; made up on first use, always with
the same id), or with ``"as": "city"`` the handle of one of the city's own accounts, or nothing for the first.
Residents' first posts on X get the city's handle in front unless they name it; ``"mention": false`` leaves it out.
``"tagged": true`` (Facebook): on the author's own profile, tagging the Page, where Graph hides who wrote it.
``"hidden": true``: Facebook never tells who wrote. ``"media"``: pictures and films, which may stand alone.
A text may be anything that JSON can say, 200,000 characters at most: empty, with NUL or half a surrogate pair in it.
``posted_at``, in the past, is what a post says of its own time; the network lists it as newly come all the same.

``POST /alarms`` keeps any JSON it gets, as the recipient of a city's alarms would; ``GET /alarms`` shows it.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from sandbox import alarms
from sandbox.clock import parsed, rfc3339
from sandbox.faults import ALIASES, KINDS, TARGETS, Fault
from sandbox.people import NotThere
from sandbox.posts import Media, Post
from sandbox.tickets import Ticket
from sandbox.world import BodyDep, NewPost, World, WorldDep

router = APIRouter(prefix="/_ctl")

LONGEST_TEXT = 200_000  #: characters


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, coerce_numbers_to_str=True)


def _any_text(given: object) -> str:
    """Any text: pydantic's own check of a ``str`` refuses lone surrogates."""
    if not isinstance(given, str):
        raise ValueError("text must be a string")
    if len(given) > LONGEST_TEXT:
        raise ValueError(f"text must have {LONGEST_TEXT} characters at most")
    return given


AnyText = Annotated[str, PlainValidator(_any_text)]


class MediaIn(Strict):
    kind: Literal["photo", "video"] = "photo"
    url: str = Field(max_length=2000)
    alt: AnyText = ""


class PostIn(Strict):
    platform: Literal["x", "facebook"]
    author: AnyText = ""
    text: AnyText
    media: list[MediaIn] = Field(default_factory=list, max_length=10)
    in_reply_to: str | None = None
    quoted: str | None = None
    posted_at: str | None = None
    as_: Literal["city", "resident"] = Field(default="resident", alias="as")
    mention: bool | None = None
    tagged: bool = False
    hidden: bool = False
    page_id: str | None = None
    id: str | None = None  #: the caller's own; answered back as ``ref``


class EditIn(Strict):
    text: AnyText
    mention: bool | None = None  #: X: whether it names the city; None: if it did before


class CloseIn(Strict):
    status_notes: str = ""


class FaultIn(Strict):
    target: str = "*"
    kind: str
    count: int = 1
    after_effect: bool = False
    seconds: float = Field(default=30.0, ge=0, le=30)
    with_reset: bool = True
    skip: int = Field(default=0, ge=0)


class LimitsIn(Strict):
    on: bool
    limits: dict[str, int] = Field(default_factory=dict)


class TierIn(Strict):
    access: Literal["standard", "exempt"] = "standard"
    repeats: Literal["any", "person", "none"] = "any"


class Open311In(Strict):
    mode: Literal["realtime", "batch", "blackbox"]
    polls: int = Field(default=2, ge=1)


class ClockIn(Strict):
    shift: float | None = None
    now: str | None = None


@router.get("/health")
def health(world: WorldDep) -> dict[str, str]:
    return {"status": "ok", "now": rfc3339(world.clock.now())}


@router.get("/accounts")
def accounts(world: WorldDep) -> dict[str, Any]:
    """The city's own ids and handles, without tokens."""
    return {
        "x": [{"id": one.id, "handle": one.handle, "name": one.name} for one in world.seed.accounts],
        "facebook": [{"id": one.id, "username": one.username, "name": one.name} for one in world.seed.pages],
    }


@router.post("/posts", status_code=201)
def write(wanted: PostIn | list[PostIn], world: WorldDep) -> dict[str, str] | list[dict[str, str]]:
    try:
        if isinstance(wanted, PostIn):
            return _write(wanted, world)
        with world.database.transaction():
            return [_write(one, world) for one in wanted]
    except NotThere as problem:
        raise HTTPException(404, f"there is no post {problem}") from problem
    except ValueError as problem:
        raise HTTPException(400, str(problem)) from problem


def _write(wanted: PostIn, world: World) -> dict[str, str]:
    if wanted.as_ == "resident" and not wanted.author.strip():
        raise ValueError("author is needed unless as is city")
    with world.database.transaction():
        if wanted.hidden:
            world.people.hide(world.people.resident(wanted.platform, wanted.author))
        post = world.write(
            NewPost(
                platform=wanted.platform,
                author=wanted.author,
                text=wanted.text,
                in_reply_to=wanted.in_reply_to,
                quoted=wanted.quoted,
                posted_at=wanted.posted_at,
                as_city=wanted.as_ == "city",
                mention=wanted.mention,
                tagged=wanted.tagged,
                page_id=wanted.page_id,
                media=tuple(Media(kind=one.kind, url=one.url, alt=one.alt) for one in wanted.media),
            )
        )
    return {"id": post.id} if wanted.id is None else {"id": post.id, "ref": wanted.id}


@router.get("/posts")
def posts(
    world: WorldDep,
    platform: str | None = None,
    in_reply_to: str | None = None,
    author: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100_000)] = 1000,
) -> list[dict[str, Any]]:
    """Living posts and comments in their newest version, oldest first; with more than ``limit``, the newest ones."""
    found = world.posts.where(
        "(? IS NULL OR platform = ?) AND (? IS NULL OR in_reply_to = ?)",
        (platform, platform, in_reply_to, in_reply_to),
        limit=limit if author is None else -1,
    )
    shown = [shown_post(world, post) for post in reversed(found)]
    return [post for post in shown if author is None or post["author"].lower() == author.lstrip("@").lower()]


def shown_post(world: World, post: Post) -> dict[str, Any]:
    author = world.people.find(post.platform, post.author_id)
    return {
        "id": post.id,
        "platform": post.platform,
        "author": author.handle,
        "author_id": author.id,
        "name": author.name,
        "by_city": author.city,
        "text": post.text,
        "in_reply_to": post.in_reply_to,
        "quoted": post.quoted,
        "conversation_id": post.root,
        "posted_at": rfc3339(post.posted_at),
        "updated_at": rfc3339(post.updated_at),
        "edited": post.updated_at > post.posted_at or post.chain != post.id,
        "media": [one._asdict() for one in post.media],
    }


@router.patch("/posts/{id}")
def edit(id: str, wanted: EditIn, world: WorldDep) -> dict[str, str]:
    try:
        return {"id": world.edit(id, wanted.text, mention=wanted.mention).id}
    except NotThere as problem:
        raise HTTPException(404, f"there is no post {id}") from problem


@router.delete("/posts/{id}")
def delete(id: str, world: WorldDep) -> dict[str, bool]:
    try:
        world.posts.delete(id)
    except NotThere as problem:
        raise HTTPException(404, f"there is no post {id}") from problem
    return {"deleted": True}


@router.get("/requests")
def requests(world: WorldDep, status: str | None = None) -> list[dict[str, Any]]:
    """The CRM's service requests, oldest first, with everything that came with them."""
    return [shown_ticket(ticket) for ticket in reversed(world.tickets.all()) if status in (None, ticket.status)]


def shown_ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "service_request_id": ticket.service_request_id,
        "token": ticket.token,
        "status": ticket.status,
        "status_notes": ticket.status_notes,
        "service_code": ticket.service_code,
        "description": ticket.fields.get("description", ""),
        "fields": ticket.fields,
        "requested_at": rfc3339(ticket.requested_at),
        "updated_at": rfc3339(ticket.updated_at),
    }


@router.post("/requests/{id}/close")
def close(id: str, world: WorldDep, wanted: CloseIn | None = None) -> dict[str, Any]:
    try:
        return shown_ticket(world.tickets.close(id, wanted.status_notes if wanted else ""))
    except LookupError as problem:
        raise HTTPException(404, f"there is no request {id}") from problem


@router.put("/faults")
def plan_faults(wanted: FaultIn | list[FaultIn], world: WorldDep) -> list[dict[str, Any]]:
    """Adds to the plan; the answer is all of it."""
    for one in wanted if isinstance(wanted, list) else [wanted]:
        kind = ALIASES.get(one.kind, one.kind)
        if kind not in KINDS:
            raise HTTPException(422, f"kind must be one of {', '.join((*KINDS, *ALIASES))}")
        if one.target not in TARGETS:
            raise HTTPException(422, f"target must be one of {', '.join(TARGETS)}")
        world.faults.add(Fault(**{**one.model_dump(), "kind": kind}))
    return world.faults.planned()


@router.get("/faults")
def planned_faults(world: WorldDep) -> list[dict[str, Any]]:
    return world.faults.planned()


@router.delete("/faults")
def clear_faults(world: WorldDep) -> list[dict[str, Any]]:
    world.faults.clear()
    return []


@router.put("/limits")
def limits(wanted: LimitsIn, world: WorldDep) -> dict[str, Any]:
    """``limits``: other figures for some endpoints, as ``{"x.mentions": 5}``; every switch opens new windows."""
    world.limits.switch(wanted.on, wanted.limits)
    return {"on": world.limits.on, "limits": world.limits.overrides}


@router.put("/tier")
def tier(wanted: TierIn, world: WorldDep) -> dict[str, str]:
    """``access``: whom replies on X may reach; ``repeats``: the same words are refused to any, one person, or none."""
    world.database.keep("access", wanted.access)
    world.database.keep("repeats", wanted.repeats)
    return {"access": world.access, "repeats": world.repeats}


@router.put("/open311")
def open311_mode(wanted: Open311In, world: WorldDep) -> dict[str, Any]:
    world.tickets.switch(wanted.mode, wanted.polls)
    return {"mode": world.tickets.mode, "polls": wanted.polls}


@router.get("/effects")
def effects(world: WorldDep, platform: str | None = None, kind: str | None = None) -> list[dict[str, object]]:
    return world.effects.listed(platform, kind)


@router.post("/alarms", status_code=201)
def keep_alarm(body: BodyDep, world: WorldDep) -> dict[str, int]:
    try:
        return {"seq": alarms.keep(world.database, world.clock, body)}
    except ValueError as problem:
        raise HTTPException(400, str(problem)) from problem


@router.get("/alarms")
def kept_alarms(world: WorldDep) -> list[dict[str, Any]]:
    """The latest, oldest first."""
    return alarms.kept(world.database)


@router.post("/clock")
def clock(wanted: ClockIn, world: WorldDep) -> dict[str, Any]:
    """``shift``: seconds further than now it shows; ``now``: the moment it shall show, running on from there."""
    try:
        if wanted.now is not None:
            world.clock.set_to(parsed(wanted.now))
    except ValueError as problem:
        raise HTTPException(400, str(problem)) from problem
    if wanted.shift is not None:
        world.clock.move(wanted.shift)
    world.database.keep("clock_shift", world.clock.shift)
    return {"now": rfc3339(world.clock.now()), "shift": world.clock.shift}


@router.post("/reset")
def reset(world: WorldDep) -> dict[str, str]:
    """As on the first day: the seed and nothing else; faults, limits, clock, tier and mode too."""
    world.start_over()
    return {"status": "reset"}
