"""Needs attention: alarms, and whatever was given up on, with an owner and an age."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from pipeline import decide
from store.desk import running
from store.people import Principal
from store.refusals import Missing
from store.sight import sight
from web.console_context import Trouble, tried
from web.deps import Deployed, StaffDep, StaffResponderOrAdmin
from web.pages import changed, page

router = APIRouter()
HERE = "/console/attention"


@router.get(HERE)
def attention_page(request: Request, d: Deployed, who: StaffDep) -> Response:
    """All that is open."""
    return page(request, "console/attention/page.html", **_context(d, who))


@router.post(HERE + "/{concern_id}/ack")
def ack(request: Request, d: Deployed, who: StaffResponderOrAdmin, concern_id: int) -> Response:
    """Own it."""
    return _done(request, d, who, concern_id, lambda: decide.attention_ack(d, who, concern_id), "It is yours.")


@router.post(HERE + "/{concern_id}/replay")
def replay(request: Request, d: Deployed, who: StaffResponderOrAdmin, concern_id: int) -> Response:
    """Try it again."""
    return _done(request, d, who, concern_id, lambda: decide.attention_replay(d, who, concern_id), "It is tried again.")


@router.post(HERE + "/{concern_id}/discard")
def discard(
    request: Request,
    d: Deployed,
    who: StaffResponderOrAdmin,
    concern_id: int,
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Let it be, with a name and a reason on it."""

    def act() -> None:
        decide.attention_discard(d, who, concern_id, reason=reason)

    return _done(request, d, who, concern_id, act, "Discarded.")


def _done(
    request: Request, d: Deployed, who: Principal, concern_id: int, act: Callable[[], None], said: str
) -> Response:
    try:
        _within_grants(d, who, concern_id)
        trouble = tried(act, mention_id=concern_id)
    except Missing:
        trouble = None  # a colleague was quicker; the list shows what is left
        said = "It was dealt with already."
    context = _context(d, who) | {"trouble": trouble, "said": None if trouble else said}
    if trouble is not None:
        piece = "console/attention/_list.html" if "HX-Request" in request.headers else "console/attention/page.html"
        return page(request, piece, status=trouble.status, **context)
    return changed(request, "console/attention/_list.html", HERE, **context)


def _within_grants(d: Deployed, who: Principal, concern_id: int) -> None:
    with d.store.reading() as session:
        if concern_id not in {one.id for one in running.concerns(session, sight(who, d.services))}:
            raise Missing("There is no such thing open.")


def _context(d: Deployed, who: Principal) -> dict[str, Any]:
    trouble: Trouble | None = None
    seen = sight(who, d.services)
    with d.store.reading() as session:
        return {
            "who": who,
            "alarms": running.open_alarms(session, seen),
            "concerns": running.concerns(session, seen),
            "gaps": running.gaps(session, seen),
            "trouble": trouble,
            "said": None,
        }
