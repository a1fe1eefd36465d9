"""Accounts: how they run, whether they send, and the kill switches; and the audit of it all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from pipeline import decide
from pipeline.deployment import Deployment
from store import audit
from store.desk import running
from store.people import Principal
from store.sight import sight
from web import reach
from web.asked import number
from web.console_context import Trouble, tried
from web.deps import Deployed, StaffAdmin, StaffDep, StaffResponderOrAdmin
from web.pages import is_htmx, page

router = APIRouter()
HERE = "/console/accounts"
AUDIT_PAGE = 100


@router.get(HERE)
def accounts_page(request: Request, d: Deployed, who: StaffDep) -> Response:
    """Every account of the file, and every switch."""
    return page(request, "console/accounts/page.html", **_context(d, who))


@router.post(HERE + "/{name}/sending")
def set_sending(
    request: Request, d: Deployed, who: StaffAdmin, name: str, mode: Annotated[str, Form(max_length=20)] = ""
) -> Response:
    """Arm an account, or put it back to dry run."""
    return _done(request, d, who, f"account:{name}", lambda: decide.set_sending(d, who, name, mode))


@router.post("/console/kill-switch")
def set_kill_switch(
    request: Request,
    d: Deployed,
    who: StaffResponderOrAdmin,
    scope: Annotated[str, Form(max_length=100)] = "",
    on: Annotated[str, Form(max_length=5)] = "",
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Stop sends at once, or let them go on."""

    def act() -> None:
        reach.kill_switch(d, who, scope, on=on == "yes")
        decide.set_kill_switch(d, who, scope=scope, on=on == "yes", reason=reason)

    return _done(request, d, who, scope, act, typed={"reason": reason})


@router.get("/console/audit")
def audit_page(request: Request, d: Deployed, who: StaffDep, before: str = "") -> Response:
    """Who decided what, newest first."""
    with d.store.reading() as session:
        entries = audit.entries(session, before=number(before), limit=AUDIT_PAGE)
    older = entries[-1].seq if len(entries) == AUDIT_PAGE else None
    return page(request, "console/audit/list.html", who=who, entries=entries, older=older)


def _done(
    request: Request,
    d: Deployment,
    who: Principal,
    piece: str,
    act: Callable[[], None],
    typed: dict[str, Any] | None = None,
) -> Response:
    trouble = tried(act, piece=piece, typed=typed or {})
    if trouble is None and not is_htmx(request):
        return RedirectResponse(HERE, status_code=303)
    template = "console/accounts/_all.html" if is_htmx(request) else "console/accounts/page.html"
    return page(request, template, status=trouble.status if trouble else 200, **_context(d, who, trouble))


def _context(d: Deployment, who: Principal, trouble: Trouble | None = None) -> dict[str, Any]:
    files = d.settings.accounts
    platforms = sorted({account.platform for account in files.values()})
    scopes = ["all", *(f"platform:{one}" for one in platforms), *(f"account:{name}" for name in files)]
    with d.store.reading() as session:
        cards = running.accounts(session, files, sight(who, d.services))
        switches = running.switches(session, scopes)
    sends = {
        card.name: files[card.name].sending == "armed" and (files[card.name].is_loopback or card.armed)
        for card in cards
    }
    shared = {"who": who, "accounts": cards, "files": files, "switches": switches, "sends": sends, "trouble": trouble}
    return shared | {"stopped": [one for one in switches if one.on]}
