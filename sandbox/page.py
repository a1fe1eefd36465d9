"""The page for people: read the threads, post as a resident, close a request. Works without JavaScript."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from sandbox.messages import Message
from sandbox.people import NotThere, Person
from sandbox.posts import Post
from sandbox.world import NewPost, World, WorldDep

router = APIRouter(include_in_schema=False)
pages = Environment(loader=PackageLoader("sandbox", "templates"), autoescape=True, undefined=StrictUndefined)

STATIC = Path(__file__).parent / "static"
SHOWN = 20  #: threads
SHOWN_OF_A_POST = 2000  #: characters; the form for an edit takes no more either
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)


def _ago(moment: datetime, now: datetime) -> str:
    seconds = max(int((now - moment).total_seconds()), 0)
    for length, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = seconds // length
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def _entry(
    post: Post, people: dict[tuple[str, str], Person], now: datetime, told: Message | None = None
) -> dict[str, Any]:
    return {
        "post": post,
        "author": people[post.platform, post.author_id],
        "platform": "X" if post.platform == "x" else "Facebook",
        "ago": _ago(post.posted_at, now),
        "edited": post.updated_at > post.posted_at or post.chain != post.id,
        "text": post.shown if len(post.shown) <= SHOWN_OF_A_POST else f"{post.shown[:SHOWN_OF_A_POST]}…",
        "cut": max(len(post.shown) - SHOWN_OF_A_POST, 0),
        "private": told and {"text": told.text, "ago": _ago(told.at, now)},
        "replies": [],  # of the same shape
    }


def threads(world: World, before: int | None = None) -> list[dict[str, Any]]:
    """The conversations with the newest posts, each as a tree."""
    now = world.clock.now()
    roots = world.posts.newest_roots(SHOWN, before)
    found = [post for root in roots for post in world.posts.where("root = ?", (root,), newest_first=False)]
    people = {
        (platform, person.id): person
        for platform in ("x", "facebook")
        for person in world.people.several(platform, [post.author_id for post in found]).values()
    }
    told = world.messages.about(post.id for post in found)
    entries = {post.chain: _entry(post, people, now, told.get(post.id)) for post in found}
    by_root: dict[str, list[dict[str, Any]]] = {root: [] for root in roots}
    for post in found:
        entry = entries[post.chain]
        above = _version_holding(entries, post.parent, world)
        (by_root[post.root] if above is None else above["replies"]).append(entry)
    return [{"id": root, "entries": entries_of} for root, entries_of in by_root.items() if entries_of]


def _version_holding(entries: dict[str, dict[str, Any]], id: str | None, world: World) -> dict[str, Any] | None:
    """The entry a reply hangs from, though it was edited since; None: it is gone."""
    if id is None or id in entries:
        return entries.get(id or "")
    answered = world.posts.by_ids([id], "x").get(id)
    return None if answered is None else entries.get(answered.chain)


def _respond(template: str, **values: Any) -> HTMLResponse:
    """The page; half a surrogate pair and NUL, which no page can hold, show as the sign for what can't be shown."""
    whole = pages.get_template(template).render(**values)
    shown = whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    return HTMLResponse(shown, headers=headers)


@router.get("/")
def front(
    request: Request, world: WorldDep, before: Annotated[int | None, Query()] = None, error: str = ""
) -> Response:
    shown = threads(world, before)
    piece = "_threads.html" if "part" in request.query_params else "front.html"
    return _respond(
        piece,
        threads=shown,
        city=world.people.city("x"),
        tickets=[ticket for ticket in world.tickets.all() if ticket.status == "open"],
        closed=sum(ticket.status == "closed" for ticket in world.tickets.all()),
        services={service.service_code: service.service_name for service in world.seed.services},
        error=error,
        before=before,
        older=min((entry["post"].number for thread in shown for entry in thread["entries"]), default=None)
        if len(shown) == SHOWN
        else None,
    )


@router.get("/static/{name}")
def static(name: str) -> Response:
    kinds = {"sandbox.css": "text/css", "sandbox.js": "text/javascript", "sandbox.svg": "image/svg+xml"}
    if name not in kinds:
        raise HTTPException(404)
    return Response((STATIC / name).read_bytes(), media_type=kinds[name])


def _same_origin(request: Request) -> None:
    """A form of another site must not post here."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "this form came from another site")


def _back(fragment: str = "threads", error: str = "") -> RedirectResponse:
    return RedirectResponse(f"/?error={error}#problem" if error else f"/#{fragment}", status_code=303)


@router.post("/posts")
def post_as_resident(
    request: Request,
    world: WorldDep,
    name: Annotated[str, Form()] = "",
    platform: Annotated[str, Form()] = "x",
    text: Annotated[str, Form()] = "",
    in_reply_to: Annotated[str, Form()] = "",
) -> Response:
    _same_origin(request)
    if not name.strip() or not text.strip() or platform not in ("x", "facebook"):
        return _back(error="empty")
    wanted = NewPost(
        platform=platform, author=name, text=text.strip().replace("\r\n", "\n"), in_reply_to=in_reply_to or None
    )
    try:
        return _back(f"post-{world.write(wanted).id}")
    except NotThere:
        return _back(error="gone")


@router.post("/posts/{id}/edit")
def edit(id: str, request: Request, world: WorldDep, text: Annotated[str, Form()] = "") -> Response:
    _same_origin(request)
    if not text.strip():
        return _back(error="empty")
    return _change(world, id, text.strip().replace("\r\n", "\n"))


@router.post("/posts/{id}/delete")
def delete(id: str, request: Request, world: WorldDep) -> Response:
    _same_origin(request)
    return _change(world, id, None)


def _change(world: World, id: str, text: str | None) -> Response:
    try:
        post = world.posts.newest(id)
        if world.people.find(post.platform, post.author_id).city:
            raise HTTPException(403, "this page speaks for residents only")
        if text is None:
            world.posts.delete(id)
            return _back()
        return _back(f"post-{world.posts.edit(id, text).id}")
    except NotThere:
        return _back(error="gone")


@router.post("/requests/{number}/close")
def close(number: str, request: Request, world: WorldDep, status_notes: Annotated[str, Form()] = "") -> Response:
    _same_origin(request)
    try:
        world.tickets.close(number, status_notes)
    except LookupError:
        return _back(error="gone")
    return _back("requests")
