"""The inbox page, and the piece of it that refreshes itself."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pipeline.deployment import Deployment
from store.audit import sha
from store.desk import inbox
from store.desk.inbox import VIEWS, Wanted
from store.people import Principal
from store.sight import sight
from web.console_context import service_names
from web.deps import Deployed, StaffDep
from web.pages import is_htmx, page, rendered

router = APIRouter()
LIMIT = 100
LIST = "console/inbox/_list.html"


def _filters(
    view: str = "needs", platform: str = "", service: str = "", urgency: str = "", mine: str = "", q: str = ""
) -> dict[str, str]:
    given = {"view": view if view in VIEWS else "needs", "platform": platform, "service": service}
    return given | {"urgency": urgency, "mine": "yes" if mine else "", "q": q.strip()[:200]}


Filters = Annotated[dict[str, str], Depends(_filters)]


@router.get("/console/")
def inbox_page(request: Request, d: Deployed, who: StaffDep, filters: Filters) -> Response:
    """Conversations that need a person; a changed filter asks for the list alone."""
    return page(request, LIST if is_htmx(request) else "console/inbox/page.html", **context(d, who, filters, request))


@router.get("/console/inbox")
def inbox_list(request: Request, d: Deployed, who: StaffDep, filters: Filters, seen: str = "") -> Response:
    """The list as it stands; 204 while it reads as the asker has it already."""
    found = context(d, who, filters, request)
    return Response(status_code=204) if found["seen"] == seen else page(request, LIST, **found)


def context(d: Deployment, who: Principal, filters: dict[str, str], request: Request) -> dict[str, Any]:
    """The list, and a mark of how it reads."""
    wanted = Wanted(
        **{name: filters[name] for name in ("view", "platform", "service", "urgency", "q")},
        owner_id=(who.staff_id or 0) if filters["mine"] else None,
    )
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
        "query": urlencode({name: value for name, value in filters.items() if value}),
        "limit": LIMIT,
        "seen": "",
    }
    made["seen"] = sha(rendered(request, LIST, **made))[:16]
    return made
