"""Service requests: the list, one of them, and closing it in the built-in CRM."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from pipeline import decide
from pipeline.deployment import Deployment
from store.desk import requests
from store.people import Principal
from store.sight import sight
from vocabulary import Outcome
from web.asked import number
from web.console_context import Trouble, tried
from web.deps import Deployed, StaffDep, StaffResponder
from web.pages import is_htmx, page

router = APIRouter()
STATUSES = ("open", "closed", "proposed", "cancelled")


@router.get("/console/requests")
def requests_page(
    request: Request, d: Deployed, who: StaffDep, status: str = "open", service: str = "", q: str = "", before: str = ""
) -> Response:
    """The newest requests that fit."""
    with d.store.reading() as session:
        lines = requests.requests(
            session, sight(who, d.services), status=status, service=service, q=q.strip()[:100], before=number(before)
        )
    asked = {"status": status, "service": service, "q": q}
    return page(
        request, "console/requests/list.html", who=who, lines=lines, asked=asked, statuses=STATUSES, services=d.services
    )


@router.get("/console/requests/{request_id}")
def request_page(request: Request, d: Deployed, who: StaffDep, request_id: int) -> Response:
    """One request."""
    return page(request, "console/requests/get.html", **_context(d, who, request_id))


@router.post("/console/requests/{request_id}/close")
def close(
    request: Request,
    d: Deployed,
    who: StaffResponder,
    request_id: int,
    outcome: Annotated[str, Form(max_length=40)] = "",
    status_notes: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    """Close a request of the built-in CRM; follow-ups are drafted."""
    _context(d, who, request_id)  # within the grants, or there is none
    typed = {"outcome": outcome, "status_notes": status_notes}

    def act() -> object:
        return decide.close_request(d, who, request_id, outcome=outcome, status_notes=status_notes)

    trouble = tried(act, typed=typed)
    if trouble is None and not is_htmx(request):
        return RedirectResponse(f"/console/requests/{request_id}", status_code=303)
    context = _context(d, who, request_id, trouble)
    piece = "console/requests/_request.html" if is_htmx(request) else "console/requests/get.html"
    return page(request, piece, status=trouble.status if trouble else 200, **context)


def _context(d: Deployment, who: Principal, request_id: int, trouble: Trouble | None = None) -> dict[str, Any]:
    with d.store.reading() as session:
        found = requests.request(session, request_id, sight(who, d.services))
    builtin = d.settings.crm.kind == "builtin"
    return {"who": who, "one": found, "outcomes": list(Outcome), "builtin": builtin, "trouble": trouble}
