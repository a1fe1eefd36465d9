"""What staff say of a mention or of a conversation, drafts apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from classifiers.base import Busy, PostsFailed
from pipeline import decide
from store.desk import thread
from store.people import Principal
from store.refusals import Conflict
from store.sight import sight
from web.console_context import bar, show_desk, tried, undone
from web.console_filters import Filters
from web.console_inbox import LIST, context
from web.deps import Deployed, StaffDep, StaffResponder
from web.pages import is_htmx, page
from web.reach import PageOfMention
from web.why import Asking, Explained, Why, explained

router = APIRouter()
Said = Annotated[str, Form(max_length=300)]


@router.get("/console/mentions/{mention_id}/why")
def why(request: Request, d: Deployed, who: StaffDep, mention_id: PageOfMention, asking: Asking) -> Response:
    """The words that mattered to the model; beside the post, or as a page of its own without JavaScript."""
    found: Why | None = None
    answers: list[Explained] = []
    trouble = ""
    try:
        found = asking.why(mention_id)
        answers = explained(d, found.found)
    except (Busy, Conflict, PostsFailed) as error:
        trouble = str(error)
    with d.store.reading() as session:
        conversation_id, _ = thread.conversation_of(session, mention_id=mention_id)
    piece = "console/conversations/_why.html" if is_htmx(request) else "console/conversations/why.html"
    told: dict[str, Any] = {"who": who, "mention_id": mention_id, "conversation_id": conversation_id}
    status = 409 if trouble else 200
    return page(request, piece, status=status, why=found, answers=answers, trouble=trouble, **told)


@router.post("/console/mentions/{mention_id}/acknowledge")
def acknowledge(
    request: Request,
    d: Deployed,
    who: StaffResponder,
    mention_id: int,
    filters: Filters,
    emergency: Said = "",
    back: Said = "",
) -> Response:
    """Somebody has seen the alarm."""
    real = emergency != "no"
    message = "Acknowledged, in your name." if real else "Noted: not an emergency."

    def act() -> object:
        return decide.acknowledge(d, who, mention_id, emergency=real)

    if back == "/console/":
        tried(act)
        return page(request, LIST, **context(d, who, filters, request)) if is_htmx(request) else _back(back)
    return said_of(request, d, who, mention_id, act, message)


@router.post("/console/mentions/{mention_id}/correct")
def correct(
    request: Request,
    d: Deployed,
    who: StaffResponder,
    mention_id: int,
    intent: Said = "",
    urgency: Said = "",
    sentiment: Said = "",
    service_code: Said = "",
) -> Response:
    """Say what a mention is."""
    given = {"intent": intent, "urgency": urgency, "sentiment": sentiment, "service_code": service_code or None}

    def act() -> object:
        with d.store.reading() as session:
            conversation_id, _ = thread.conversation_of(session, mention_id=mention_id)
            stands = thread.thread(session, conversation_id, sight(who, d.services)).card(mention_id).assessed
        changes = {name: value for name, value in given.items() if stands and getattr(stands, name).value != value}
        return decide.correct(d, who, mention_id, changes=changes) if changes else None

    return said_of(request, d, who, mention_id, act, "Corrected.")


@router.post("/console/mentions/{mention_id}/dismiss")
def dismiss(
    request: Request,
    d: Deployed,
    who: StaffResponder,
    mention_id: int,
    filters: Filters,
    reason: Said = "",
    back: Said = "",
) -> Response:
    """Nothing is to be done."""

    def act() -> object:
        return decide.dismiss(d, who, mention_id, reason=reason)

    if back.startswith("/console/?"):
        trouble = tried(act, mention_id=mention_id)
        if not is_htmx(request):
            return _back(back)
        told: dict[str, Any] = {"trouble": trouble, "back_to": None, "oob": True}
        return page(
            request, "console/inbox/_list_moved.html", **context(d, who, filters, request), **told, **bar(d, who)
        )
    return said_of(request, d, who, mention_id, act, "Dismissed.", done=True)


@router.post("/console/mentions/{mention_id}/undismiss")
def undismiss(request: Request, d: Deployed, who: StaffResponder, mention_id: int, elsewhere: str = "") -> Response:
    """Take a dismissal back, on its desk or from another page."""
    if elsewhere and is_htmx(request):
        with d.store.reading() as session:
            conversation_id, _ = thread.conversation_of(session, mention_id=mention_id)
        return undone(request, d, who, conversation_id, lambda: decide.undismiss(d, who, mention_id))
    return said_of(
        request,
        d,
        who,
        mention_id,
        lambda: decide.undismiss(d, who, mention_id),
        "The dismissal was taken back.",
    )


@router.post("/console/mentions/{mention_id}/redraft")
def redraft(
    request: Request, d: Deployed, who: StaffResponder, mention_id: int, purpose: Said = "", language: Said = ""
) -> Response:
    """Write a draft anew."""

    def act() -> object:
        return decide.redraft(d, who, mention_id, language=language or None, purpose=purpose or None)

    return said_of(request, d, who, mention_id, act, "A new draft is below.")


@router.post("/console/conversations/{conversation_id}/assign")
def assign(request: Request, d: Deployed, who: StaffResponder, conversation_id: int, to: Said = "") -> Response:
    """Give a conversation to a colleague."""
    return _about(request, d, who, conversation_id, lambda: decide.assign(d, who, conversation_id, to=to or None))


@router.post("/console/conversations/{conversation_id}/note")
def note(
    request: Request,
    d: Deployed,
    who: StaffResponder,
    conversation_id: int,
    text: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    """Write a remark for colleagues."""

    def act() -> None:
        decide.note(d, who, conversation_id, text=text.replace("\r\n", "\n"))

    return _about(request, d, who, conversation_id, act, typed={"text": text})


def said_of(
    request: Request, d: Deployed, who: Principal, mention_id: int, act: Callable[[], object], message: str, **more: Any
) -> Response:
    """Do it, then show the mention as it stands."""
    with d.store.reading() as session:
        conversation_id, _ = thread.conversation_of(session, mention_id=mention_id)
    trouble = tried(act, mention_id=mention_id)
    if trouble is None and not is_htmx(request):
        return _back(f"/console/conversations/{conversation_id}#mention-{mention_id}")
    said = None if trouble else {"mention_id": mention_id, "message": message}
    where: dict[str, Any] = {"piece": "_mention_moved.html", "mention_id": mention_id}
    return show_desk(request, d, who, conversation_id, **where, trouble=trouble, said=said, **more)


def _about(
    request: Request,
    d: Deployed,
    who: Principal,
    conversation_id: int,
    act: Callable[[], object],
    typed: dict[str, Any] | None = None,
) -> Response:
    trouble = tried(act, piece="about", typed=typed or {})
    if trouble is None and not is_htmx(request):
        return _back(f"/console/conversations/{conversation_id}#about")
    return show_desk(request, d, who, conversation_id, piece="_about.html", trouble=trouble)


def _back(to: str) -> Response:
    return RedirectResponse(to, status_code=303)
