"""The inbox page, and the piece of it that refreshes itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.deployment import Deployment
from store.audit import sha
from store.desk import inbox
from store.people import Principal
from store.sight import sight
from web.console_context import bar, service_names
from web.console_filters import Filters, query_of, wanted_of
from web.deps import Deployed, StaffDep
from web.pages import is_htmx, page, rendered

router = APIRouter()
LIMIT = 100
LIST = "console/inbox/_list.html"


@router.get("/console/")
def inbox_page(request: Request, d: Deployed, who: StaffDep, filters: Filters) -> Response:
    """Conversations that need a person; a changed filter asks for the list alone."""
    found = context(d, who, filters, request)
    if is_htmx(request):
        return page(request, LIST, **found)
    return page(request, "console/inbox/page.html", **found | bar(d, who))


@router.get("/console/next")
def next_conversation(d: Deployed, who: StaffDep, filters: Filters, after: int = 0, back: str = "") -> Response:
    """On to the next conversation of the view, as the view stands now; to the inbox when there is no other."""
    with d.store.reading() as session:
        found = inbox.beside(session, wanted_of(filters, who), sight(who, d.services), after, back=bool(back))
    query = f"?{query_of(filters)}" if query_of(filters) else ""
    to = "/console/" if found is None else f"/console/conversations/{found}"
    return RedirectResponse(to + query, status_code=303)


@router.get("/console/inbox")
def inbox_list(request: Request, d: Deployed, who: StaffDep, filters: Filters, seen: str = "") -> Response:
    """The list as it stands; 204 while it reads as the asker has it already."""
    found = context(d, who, filters, request)
    return Response(status_code=204) if found["seen"] == seen else page(request, LIST, **found)


def context(d: Deployment, who: Principal, filters: dict[str, str], request: Request) -> dict[str, Any]:
    """The list, and a mark of how it reads."""
    wanted = wanted_of(filters, who)
    seen = sight(who, d.services)
    with d.store.reading() as session:
        found = {"lines": inbox.lines(session, wanted, seen, limit=LIMIT), "counts": inbox.counts(session, seen)}
    filtered = any(value for name, value in filters.items() if name != "view")
    made: dict[str, Any] = found | {
        "who": who,
        "wanted": wanted,
        "mine": filters["mine"],
        "filtered": filtered,
        "platforms": sorted({account.platform for account in d.settings.accounts.values()}),
        "services": d.services,
        "service_names": service_names(d),
        "query": query_of(filters),
        "limit": LIMIT,
        "seen": "",
    }
    made["seen"] = sha(rendered(request, LIST, **made))[:16]
    return made
