"""What X's listings share: the query parameters, the window they ask for, and the page that answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request

from sandbox.clock import parsed, rfc3339
from sandbox.posts import Post, snowflake
from sandbox.x_objects import EXPANSIONS, MEDIA_FIELDS, TWEET_FIELDS, USER_FIELDS, Shelf, Wanted
from sandbox.x_problems import invalid

ALWAYS = frozenset({"tweet.fields", "user.fields", "media.fields", "poll.fields", "place.fields", "expansions"})
GROUPS: dict[str, frozenset[str]] = {
    "page": frozenset({"max_results", "pagination_token"}),
    "times": frozenset({"since_id", "until_id", "start_time", "end_time"}),
    "search": frozenset({"query", "next_token", "sort_order"}),
}
NO_END = (1 << 63) - 1  #: the largest number SQLite holds
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def parameter_names(*groups: str) -> frozenset[str]:
    return ALWAYS.union(*(GROUPS.get(group, frozenset({group})) for group in groups))


def asked(request: Request, known: frozenset[str]) -> Wanted:
    """The fields and expansions asked for; anything X does not know is refused."""
    for name in request.query_params:
        if name not in known:
            raise invalid(
                f"The query parameter [{name}] is not one of [{','.join(sorted(known))}]",
                **{name: request.query_params[name]},
            )
    return Wanted(
        tweet_fields=_chosen(request, "tweet.fields", TWEET_FIELDS),
        user_fields=_chosen(request, "user.fields", USER_FIELDS),
        expansions=_chosen(request, "expansions", EXPANSIONS),
        media_fields=_chosen(request, "media.fields", MEDIA_FIELDS),
    )


def _chosen(request: Request, parameter: str, known: frozenset[str]) -> frozenset[str]:
    names = {name for name in request.query_params.get(parameter, "").split(",") if name}
    for name in sorted(names - known):
        raise invalid(
            f"The `{parameter}` query parameter value [{name}] is not one of [{','.join(sorted(known))}]",
            **{parameter: name},
        )
    return frozenset(names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Which part of a listing is asked for, in post numbers."""

    above: int  #: numbers greater than this
    until: int  #: and smaller than this
    below: int  #: and, on later pages, smaller than this
    size: int

    def condition(self) -> tuple[str, tuple[int, int]]:
        return "number > ? AND number < ?", (self.above, self.until)


def window_of(request: Request, now: datetime, *, lowest: int, default: int, oldest: datetime | None = None) -> Window:
    """The window asked for.

    Raises:
        Problem: a value X would not take; with ``oldest``, anything before it.
    """
    query = request.query_params
    start, end = _moment(request, "start_time"), _moment(request, "end_time")
    since, until = _number(request, "since_id"), _number(request, "until_id")
    if oldest is not None:
        _refuse_too_old(request, oldest, start, since)
    if end is not None and end > now:
        raise invalid(
            f"Invalid 'end_time':'{query['end_time']}'. 'end_time' must be a minimum of 10 seconds prior to the request"
            " time.",
            end_time=query["end_time"],
        )
    if start is not None and end is not None and start >= end:
        raise invalid("Invalid time range: 'start_time' must be before 'end_time'.", start_time=query["start_time"])
    floor = snowflake(oldest) - 1 if oldest is not None else -1
    return Window(
        above=max(floor, -1 if since is None else since, -1 if start is None else snowflake(start) - 1),
        until=min(NO_END if until is None else until, NO_END if end is None else snowflake(end)),
        below=_token(request),
        size=_size(request, lowest, default),
    )


def _refuse_too_old(request: Request, oldest: datetime, start: datetime | None, since: int | None) -> None:
    if start is not None and start < oldest:
        given = request.query_params["start_time"]
        raise invalid(
            f"Invalid 'start_time':'{given}'. 'start_time' must be on or after {rfc3339(oldest)}.", start_time=given
        )
    if since is not None and since < snowflake(oldest):
        raise invalid(
            f"'since_id' must be a tweet id created after {rfc3339(oldest)}. Please use a 'since_id' that is larger"
            f" than {snowflake(oldest)}",
            since_id=str(since),
        )


def _moment(request: Request, name: str) -> datetime | None:
    given = request.query_params.get(name)
    if not given:
        return None
    try:
        return parsed(given)
    except ValueError:
        raise invalid(
            f"The `{name}` query parameter value [{given}] is not a valid RFC 3339 date-time", **{name: given}
        ) from None


def _number(request: Request, name: str) -> int | None:
    given = request.query_params.get(name)
    if not given:
        return None
    if not given.isdecimal() or len(given) > 19:
        raise invalid(f"The `{name}` query parameter value [{given}] does not match ^[0-9]{{1,19}}$", **{name: given})
    return int(given)


def _size(request: Request, lowest: int, default: int) -> int:
    given = request.query_params.get("max_results", str(default))
    if not given.isdecimal() or not lowest <= int(given) <= 100:
        raise invalid(
            f"The `max_results` query parameter value [{given}] is not between {lowest} and 100", max_results=given
        )
    return int(given)


def _token(request: Request) -> int:
    """Where the page begins; a token tells the last number of the page before, in base 36."""
    name = "next_token" if request.query_params.get("next_token") else "pagination_token"
    given = request.query_params.get(name)
    if not given:
        return NO_END
    try:
        return int(given, 36)
    except ValueError:
        raise invalid(f"Invalid '{name}':'{given}'", **{name: given}) from None


def token_for(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = ALPHABET[digit] + digits
    return digits or "0"


def page_of(shelf: Shelf, found: Sequence[Post], window: Window, wanted: Wanted) -> dict[str, Any]:
    """One page of a listing; ``found`` may hold one post more than fits, which tells that there is a next page."""
    shown = list(found[: window.size])
    includes, errors = shelf.includes(shown, wanted)
    meta: dict[str, Any] = {"result_count": len(shown)}
    if shown:
        meta |= {"newest_id": shown[0].id, "oldest_id": shown[-1].id}
    if len(found) > window.size:
        meta["next_token"] = token_for(shown[-1].number)
    answer = {"data": [shelf.tweet(post, wanted) for post in shown], "includes": includes, "errors": errors}
    return {**{part: value for part, value in answer.items() if value}, "meta": meta}
