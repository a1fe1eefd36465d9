"""X API v2 as tweepy calls it.

Source: X's OpenAPI 2.159; docs.x.com (read 2026-11). Not here: uploads of media, polls, places, direct messages,
streams, likes; the ``previous_token`` of timelines.
"""

import json
import re
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request

from sandbox import x_problems
from sandbox.effects import Effect
from sandbox.people import NotThere, Person
from sandbox.posts import Post
from sandbox.world import BodyDep, World, WorldDep
from sandbox.x_auth import (
    Caller,
    CreateCaller,
    DeleteCaller,
    LookupCaller,
    MeCaller,
    MentionsCaller,
    QuotesCaller,
    SearchCaller,
    TimelineCaller,
    UsersCaller,
)
from sandbox.x_objects import Shelf, Wanted
from sandbox.x_pages import Window, asked, page_of, parameter_names, window_of
from sandbox.x_query import BadQuery, Searchable, Test, compile_query
from sandbox.x_text import LONGEST, as_served, handles, links, tags, weighted_length

router = APIRouter(prefix="/2")

RECENT = timedelta(days=7)
SAME_WORDS_WITHIN = 24 * 3600  #: seconds; X keeps its own figure to itself
SEARCHED_AT_ONCE = 500
BODY_KEYS = frozenset(
    """
    text reply quote_tweet_id reply_settings geo media poll for_super_followers_only direct_message_deep_link
    nullcast card_uri community_id edit_options made_with_ai paid_partnership share_with_followers
    """.split()  # noqa: SIM905 (a list of 16 quoted names reads worse)
)


@router.get("/users/me")
def me(request: Request, world: WorldDep, caller: MeCaller) -> dict[str, Any]:
    return _user(request, world, caller.user)


@router.get("/users/by/username/{username}")
def user_by_name(username: str, request: Request, world: WorldDep, _caller: UsersCaller) -> dict[str, Any]:
    found = world.people.called("x", username)
    return _user(request, world, found) if found else {"errors": [x_problems.not_found("user", "username", username)]}


@router.get("/users/by")
def users_by_names(request: Request, world: WorldDep, _caller: UsersCaller) -> dict[str, Any]:
    names = [name for name in request.query_params.get("usernames", "").split(",") if name]
    found = world.people.by_handle(names)
    return _users(
        request, world, names, {name: found[name.lower()] for name in names if name.lower() in found}, "usernames"
    )


@router.get("/users")
def users_by_ids(request: Request, world: WorldDep, _caller: UsersCaller) -> dict[str, Any]:
    ids = [id for id in request.query_params.get("ids", "").split(",") if id]
    return _users(request, world, ids, world.people.several("x", ids), "ids")


@router.get("/users/{id}")
def user_by_id(id: str, request: Request, world: WorldDep, _caller: UsersCaller) -> dict[str, Any]:
    found = world.people.several("x", [id]).get(id)
    return _user(request, world, found) if found else {"errors": [x_problems.not_found("user", "id", id)]}


def _user(request: Request, world: World, person: Person) -> dict[str, Any]:
    wanted = asked(request, parameter_names())
    return {"data": Shelf(world, []).user(person, wanted)}


def _users(
    request: Request, world: World, names: list[str], found: dict[str, Person], parameter: str
) -> dict[str, Any]:
    wanted = asked(request, parameter_names(parameter))
    if not 1 <= len(names) <= 100:
        raise x_problems.invalid(
            f"The `{parameter}` query parameter must have 1 to 100 values", **{parameter: ",".join(names)}
        )
    shelf = Shelf(world, [])
    answer: dict[str, Any] = {
        "data": [shelf.user(found[name], wanted) for name in names if name in found],
        "errors": [x_problems.not_found("user", parameter, name) for name in names if name not in found],
    }
    return {part: value for part, value in answer.items() if value}


@router.get("/users/{id}/mentions")
def mentions(id: str, request: Request, world: WorldDep, _caller: MentionsCaller) -> dict[str, Any]:
    wanted = asked(request, parameter_names("page", "times"))
    window = window_of(request, world.clock.now(), lowest=5, default=10)
    if id not in world.people.several("x", [id]):
        return {"errors": [x_problems.not_found("user", "id", id)]}
    condition = "platform = 'x' AND author_id <> ? AND number IN (SELECT number FROM mention WHERE person_id = ?)"
    return _listing(world, wanted, window, condition, (id, id))


@router.get("/users/{id}/tweets")
def timeline(id: str, request: Request, world: WorldDep, _caller: TimelineCaller) -> dict[str, Any]:
    wanted = asked(request, parameter_names("page", "times", "exclude"))
    window = window_of(request, world.clock.now(), lowest=5, default=10)
    if id not in world.people.several("x", [id]):
        return {"errors": [x_problems.not_found("user", "id", id)]}
    replies = " AND in_reply_to IS NULL" if "replies" in request.query_params.get("exclude", "") else ""
    return _listing(world, wanted, window, f"platform = 'x' AND author_id = ?{replies}", (id,))


@router.get("/tweets/{id}/quote_tweets")
def quotes(id: str, request: Request, world: WorldDep, _caller: QuotesCaller) -> dict[str, Any]:
    wanted = asked(request, parameter_names("page", "exclude"))
    window = window_of(request, world.clock.now(), lowest=10, default=10)
    if id not in world.posts.by_ids([id], "x"):
        return {"errors": [x_problems.not_found("tweet", "id", id)]}
    return _listing(world, wanted, window, "platform = 'x' AND quoted = ?", (id,))


def _listing(
    world: World, wanted: Wanted, window: Window, condition: str, values: tuple[object, ...], test: Test | None = None
) -> dict[str, Any]:
    sql, bounds = window.condition()
    found: list[Post] = []
    below = window.below
    while len(found) <= window.size:
        batch = world.posts.where(
            f"number < ? AND {sql} AND {condition}",
            (below, *bounds, *values),
            limit=window.size + 1 if test is None else SEARCHED_AT_ONCE,
        )
        if not batch:
            break
        below = batch[-1].number
        found += batch if test is None else _that_fit(world, batch, test)
        if test is None:
            break
    return page_of(Shelf(world, found[: window.size]), found, window, wanted)


@router.get("/tweets/search/recent")
def search_recent(request: Request, world: WorldDep, _caller: SearchCaller) -> dict[str, Any]:
    wanted = asked(request, parameter_names("page", "times", "search"))
    now = world.clock.now()
    window = window_of(request, now, lowest=10, default=10, oldest=now - RECENT)
    query = request.query_params.get("query", "")
    try:
        test = compile_query(query)
    except BadQuery as problem:
        raise x_problems.invalid(f"There were errors processing your request: {problem}", query=query) from problem
    return _listing(world, wanted, window, "platform = 'x'", (), test)


def _that_fit(world: World, batch: list[Post], test: Test) -> list[Post]:
    shelf = Shelf(world, batch)
    return [post for post in batch if test(_searchable(shelf, post))]


def _searchable(shelf: Shelf, post: Post) -> Searchable:
    answered = shelf.posts.get(post.in_reply_to or "")
    return Searchable(
        text=post.shown,
        author=shelf.people[post.author_id].handle.lower(),
        to=shelf.people[answered.author_id].handle.lower() if answered else None,
        mentions=frozenset(name.lower() for name in handles(post.shown)),
        tags=frozenset(tag.lower() for tag in tags(post.text)),
        links=(*links(post.text), *_link_of_quoted(shelf, post)),  # X puts the quoted post's link into the text
        conversation_id=post.root,
        in_reply_to=post.in_reply_to,
        quoted=post.quoted,
        lang=shelf.tweet(
            post, Wanted(tweet_fields=frozenset({"lang"}), user_fields=frozenset(), expansions=frozenset())
        )["lang"],
        media=frozenset(one.kind for one in post.media),
    )


def _link_of_quoted(shelf: Shelf, post: Post) -> list[str]:
    quoted = shelf.posts.get(post.quoted or "")
    return [] if quoted is None else [f"https://x.com/{shelf.people[quoted.author_id].handle}/status/{quoted.id}"]


@router.get("/tweets")
def lookup(request: Request, world: WorldDep, _caller: LookupCaller) -> dict[str, Any]:
    wanted = asked(request, parameter_names("ids"))
    ids = [id for id in request.query_params.get("ids", "").split(",") if id]
    if not 1 <= len(ids) <= 100:
        raise x_problems.invalid(
            f"The number of values in the `ids` query parameter list [{len(ids)}] is not between 1 and 100"
        )
    for id in ids:
        if not re.fullmatch(r"[0-9]{1,19}", id):
            raise x_problems.invalid(f"The `ids` query parameter value [{id}] is not valid", ids=id)
    found = world.posts.by_ids(ids, "x")
    shown = [found[id] for id in dict.fromkeys(ids) if id in found]
    answer = _with_includes(Shelf(world, shown), shown, wanted)
    missing = [x_problems.not_found("tweet", "ids", id) for id in ids if id not in found]
    if errors := [*missing, *answer.get("errors", [])]:
        answer["errors"] = errors
    return answer


@router.get("/tweets/{id}")
def lookup_one(id: str, request: Request, world: WorldDep, _caller: LookupCaller) -> dict[str, Any]:
    wanted = asked(request, parameter_names())
    if not re.fullmatch(r"[0-9]{1,19}", id):
        raise x_problems.invalid(f"The `id` query parameter value [{id}] is not valid", id=id)
    found = list(world.posts.by_ids([id], "x").values())
    if not found:
        return {"errors": [x_problems.not_found("tweet", "id", id)]}
    answer = _with_includes(Shelf(world, found), found, wanted)
    return {**answer, "data": answer["data"][0]}


def _with_includes(shelf: Shelf, shown: list[Post], wanted: Wanted) -> dict[str, Any]:
    includes, errors = shelf.includes(shown, wanted)
    answer = {"data": [shelf.tweet(post, wanted) for post in shown], "includes": includes, "errors": errors}
    return {part: value for part, value in answer.items() if value}


@router.post("/tweets", status_code=201)
def create(world: WorldDep, caller: CreateCaller, body: BodyDep) -> dict[str, Any]:
    asked_for = _read(body)
    text: str = asked_for.get("text", "")
    reply = asked_for.get("reply") or {}
    answered, quoted = reply.get("in_reply_to_tweet_id"), asked_for.get("quote_tweet_id")
    with world.database.transaction():
        _refuse_what_x_refuses(world, caller, text, answered, quoted)
        post = world.posts.add(
            caller.user,
            text,
            in_reply_to=answered,
            quoted=quoted,
            without=frozenset(reply.get("exclude_reply_user_ids") or ()),
        )
        kind = "reply" if answered else "post"
        world.effects.note(
            Effect(platform="x", kind=kind, id=post.id, in_reply_to=answered, text=text, author=caller.user.id)
        )
    return {"data": {"id": post.id, "text": as_served(post.shown), "edit_history_tweet_ids": [post.id]}}


def _read(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        raise x_problems.invalid("The body is not valid JSON") from None
    if not isinstance(read, dict):
        raise x_problems.invalid("$: is not an object")
    for name in read:
        if name not in BODY_KEYS:
            raise x_problems.invalid(
                f"$.{name}: is not defined in the schema and the schema does not allow additional properties"
            )
    if unfit := {"media", "poll", "card_uri", "geo", "edit_options"} & set(read):
        raise x_problems.invalid(f"the sandbox has no {', '.join(sorted(unfit))}")
    if not isinstance(read.get("text", ""), str) or not isinstance(read.get("reply", {}), dict):
        raise x_problems.invalid("$.text: must be a string, $.reply an object")
    return read


def _refuse_what_x_refuses(world: World, caller: Caller, text: str, answered: str | None, quoted: str | None) -> None:
    if not text.strip():
        raise x_problems.invalid("One of the following is required: text, media, poll")
    if weighted_length(text) > LONGEST:
        raise x_problems.forbidden(x_problems.TOO_LONG)
    there = world.posts.by_ids([id for id in (answered, quoted) if id], "x")
    if (answered and answered not in there) or (quoted and quoted not in there):
        raise x_problems.forbidden(x_problems.GONE)
    if answered and world.access == "standard" and not world.posts.engaged(there[answered], caller.user):
        raise x_problems.forbidden(x_problems.NO_REPLY)
    if world.repeats != "none":
        _refuse_repeats(world, caller, text, there.get(answered or ""))


def _refuse_repeats(world: World, caller: Caller, text: str, answered: Post | None) -> None:
    to = answered.author_id if answered and world.repeats == "person" else None
    if world.effects.said_lately("x", caller.user.id, text, within_seconds=SAME_WORDS_WITHIN, to=to):
        raise x_problems.forbidden(x_problems.DUPLICATE)


@router.delete("/tweets/{id}")
def delete(id: str, world: WorldDep, caller: DeleteCaller) -> dict[str, Any]:
    with world.database.transaction():
        try:
            post = world.posts.living(id, "x")
        except NotThere:
            return {"data": {"deleted": False}}
        if post.author_id != caller.user.id:
            raise x_problems.forbidden("You are not allowed to delete this Tweet.")
        world.posts.delete(id)
        world.effects.note(Effect(platform="x", kind="delete", id=id, author=caller.user.id))
    return {"data": {"deleted": True}}
