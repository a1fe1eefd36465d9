"""What the inbox is filtered by, and how it follows the reader to the desk and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Depends, Request

from store.desk.inbox import VIEWS, Wanted
from store.people import Principal

NAMES = ("view", "platform", "service", "urgency", "mine", "q")


def cleaned(given: Mapping[str, str]) -> dict[str, str]:
    """The filters of a query, whatever else it says."""
    found = {name: given.get(name, "").strip()[:200] for name in NAMES}
    view = found["view"] if found["view"] in VIEWS else "needs"
    return found | {"view": view, "mine": "yes" if found["mine"] else ""}


def filters_of(request: Request) -> dict[str, str]:
    """The filters that a request names, or else those of the page that sent it."""
    query = dict(request.query_params)
    if not query.keys() & set(NAMES) and (sender := request.headers.get("HX-Current-URL")):
        query = dict(parse_qsl(urlsplit(sender).query))
    return cleaned(query)


Filters = Annotated[dict[str, str], Depends(filters_of)]


def wanted_of(filters: Mapping[str, str], who: Principal) -> Wanted:
    """The filters as the store knows them."""
    return Wanted(
        view=filters["view"],
        platform=filters["platform"],
        service=filters["service"],
        urgency=filters["urgency"],
        owner_id=(who.staff_id or 0) if filters["mine"] else None,
        q=filters["q"],
    )


def query_of(filters: Mapping[str, str]) -> str:
    """The filters as a query; empty for the usual view."""
    return urlencode({name: value for name, value in filters.items() if value and (name, value) != ("view", "needs")})
