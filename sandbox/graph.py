"""Meta's Graph API for one Page, as facebook-sdk calls it.

Reads: the Page, its feed, tagged and visitor posts, posts, comments, ``?ids=``. Writes: a Page post, a comment, an
edit, a deletion. A post of a resident stands on the Page as ``PAGE_NUMBER``; comments have two levels, an answer to
an answer hangs under the first. ``since`` and ``until`` go by ``created_time``, lists of posts come newest first,
comments oldest first. The same words twice: refused for Page posts (506), not for comments, as far as Meta's
documents tell.

Source: developers.facebook.com/docs/graph-api/reference (page/feed, page/tagged, object/comments; read 2026-11).
Private replies are in ``graph_messages``. Not here: uploads of photos, reactions, hiding, webhooks, user tokens.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response

from sandbox.effects import Effect
from sandbox.graph_errors import GraphError, bad_parameter, bad_token, gone, no_such_field
from sandbox.graph_fields import EDGES, BadFields, Selected, parse_fields
from sandbox.graph_objects import View, kind_of
from sandbox.limits import FACEBOOK_CALLS, HOUR
from sandbox.people import NotThere, Person
from sandbox.posts import Post
from sandbox.seed import FacebookPage
from sandbox.world import BodyDep, World, WorldDep

router = APIRouter(prefix="/v{major:int}.{minor:int}")

OLDEST, NEWEST = 22, 26  #: versions Meta answers to; v26.0 is the newest in its documents (2026-11)
SAME_WORDS_WITHIN = 3600  #: seconds
LONGEST = 8000  #: characters of a comment
Values = dict[str, str]


def values_of(request: Request, body: BodyDep) -> Values:
    """Query and form together; the form wins."""
    form = {}
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return {**dict(request.query_params), **form}


ValuesDep = Annotated[Values, Depends(values_of)]


def view_of(request: Request, response: Response, world: WorldDep, values: ValuesDep) -> View:
    """The caller's Page, once version, token, proof and call limit are in order."""
    major, minor = request.path_params["major"], request.path_params["minor"]
    version = f"v{major}.{minor}"
    if major > NEWEST or minor != 0:
        raise GraphError(2500, f"Unknown path components: /{version}")
    if major < OLDEST:
        text = (
            f"(#2635) You are calling a deprecated version of the API ({version}). Please update to the latest version"
        )
        raise GraphError(2635, f"{text}: v{NEWEST}.0.", kind="OAuthException")
    token = values.get("access_token") or request.headers.get("authorization", "").removeprefix("Bearer ")
    page = _page_of(world, token)
    _check_proof(world, token, values)
    _count(request, response, world, token)
    response.headers["facebook-api-version"] = version
    person = world.people.find("facebook", page.id)
    return View(world=world, page=person, base=f"{str(request.base_url).rstrip('/')}/{version}", token=token)


def _page_of(world: World, token: str) -> FacebookPage:
    if not token:
        raise GraphError(2500, "An active access token must be used to query information about the current user.")
    page = next(
        (one for one in world.seed.pages if hmac.compare_digest(one.access_token.encode(), token.encode())), None
    )
    if page is None:
        raise bad_token()
    return page


def _check_proof(world: World, token: str, values: Mapping[str, str]) -> None:
    secret = world.seed.app_secret
    if secret is None:
        return
    given = values.get("appsecret_proof", "")
    if not given:
        raise GraphError(
            100, "API calls from the server require an appsecret_proof argument", kind="GraphMethodException"
        )
    wanted = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, given):
        raise GraphError(100, "Invalid appsecret_proof provided in the API argument", kind="GraphMethodException")


def _count(request: Request, response: Response, world: World, token: str) -> None:
    window = world.limits.count("facebook", token, FACEBOOK_CALLS, seconds=HOUR)
    used = 100 - window.remaining * 100 // max(window.limit, 1)
    headers = {"X-App-Usage": json.dumps({"call_count": used, "total_time": used // 4, "total_cputime": used // 4})}
    request.state.graph_headers = headers
    response.headers.update(headers)
    if window.exceeded:
        raise GraphError(4, "(#4) Application request limit reached", kind="OAuthException", status=403)


ViewDep = Annotated[View, Depends(view_of)]


def selected_of(values: Mapping[str, str]) -> tuple[Selected, ...]:
    try:
        return parse_fields(values.get("fields", ""))
    except BadFields as problem:
        raise GraphError(2500, str(problem)) from problem


def _found(view: View, id: str, verb: str = "get") -> Post | Person:
    """The object; only what stands on the caller's own Page is there for it."""
    if id in ("me", view.page.id, view.page.handle):
        return view.page
    try:
        post = view.world.posts.living(id, "facebook")
    except NotThere:
        raise gone(id, verb) from None
    if post.page_id != view.page.id:
        raise GraphError(10, "(#10) This endpoint requires the 'pages_read_engagement' permission.", status=403)
    return post


@router.get("")
@router.get("/")
def several(view: ViewDep, values: ValuesDep) -> dict[str, Any]:
    ids = [id for id in values.get("ids", "").split(",") if id]
    if not ids:
        raise GraphError(2500, "The parameter ids is required")
    if len(ids) > 50:
        raise bad_parameter("Too many ids: at most 50")
    selected = selected_of(values)
    return {id: view.show(_found(view, id), selected) for id in ids}


@router.get("/{id}")
def one(id: str, view: ViewDep, values: ValuesDep) -> dict[str, Any]:
    return view.show(_found(view, id), selected_of(values))


@router.get("/{id}/{edge}")
def listing(id: str, edge: str, view: ViewDep, values: ValuesDep, request: Request) -> dict[str, Any]:
    thing = _found(view, id)
    if edge not in EDGES[kind_of(thing)]:
        raise no_such_field(edge, kind_of(thing))
    address = str(request.url).partition("?")[0]
    return view.edge(thing, edge, values, selected_of(values), address)


@router.post("/{id}/{edge}")
def write(id: str, edge: str, view: ViewDep, values: ValuesDep) -> dict[str, str]:
    thing = _found(view, id, "post")
    message = values.get("message", "")
    if (edge, kind_of(thing)) not in {("feed", "page"), ("comments", "post"), ("comments", "comment")}:
        raise gone(id, "post")
    if not message.strip():
        raise bad_parameter(
            "Param message must be a non-empty string" if edge == "comments" else "Missing message or attachment"
        )
    if len(message) > LONGEST:
        raise bad_parameter("The message is too long")
    answered = None if isinstance(thing, Person) else thing.id
    world = view.world
    with world.database.transaction():
        if answered is None and world.effects.said_lately(
            "facebook", view.page.id, message, within_seconds=SAME_WORDS_WITHIN
        ):
            raise GraphError(506, "Duplicate status message")
        post = world.posts.add(view.page, message, in_reply_to=answered, page_id=view.page.id)
        kind = "reply" if answered else "post"
        world.effects.note(
            Effect(platform="facebook", kind=kind, id=post.id, in_reply_to=answered, text=message, author=view.page.id)
        )
    return {"id": post.id}


@router.post("/{id}")
def edit(id: str, view: ViewDep, values: ValuesDep) -> dict[str, bool]:
    post = _found(view, id, "post")
    message = values.get("message", "")
    if isinstance(post, Person) or not message.strip():
        raise bad_parameter("Param message must be a non-empty string")
    if post.author_id != view.page.id:
        raise GraphError(200, "(#200) Permissions error", status=403)
    with view.world.database.transaction():
        view.world.posts.edit(id, message)
        view.world.effects.note(Effect(platform="facebook", kind="edit", id=id, text=message, author=view.page.id))
    return {"success": True}


@router.delete("/{id}")
def delete(id: str, view: ViewDep) -> dict[str, bool]:
    """A Page may delete what it wrote and what others wrote on it."""
    post = _found(view, id, "delete")
    if isinstance(post, Person):
        raise GraphError(200, "(#200) Permissions error", status=403)
    with view.world.database.transaction():
        view.world.posts.delete(id)
        view.world.effects.note(Effect(platform="facebook", kind="delete", id=id, author=view.page.id))
    return {"success": True}
