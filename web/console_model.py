"""The Model pages: what answers and how well, how it drifts, what it may answer by itself, what to teach it next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from analytics import drift
from pipeline import decide, learning
from pipeline.deployment import Deployment
from store.desk import thread
from store.people import Principal
from store.refusals import Missing
from store.sight import sight
from vocabulary import Intent, Sentiment, Urgency
from web import model_shown, words
from web.asked import number
from web.console_context import Trouble, tried
from web.deps import Deployed, StaffAdmin, StaffDep, StaffResponder
from web.pages import is_htmx, page

router = APIRouter()
HERE = "/console/model"
VERSIONS_SHOWN = 5  #: the others are behind a click
MOST_SKIPPED = 50
Said = Annotated[str, Form(max_length=300)]


@router.get(HERE)
def model_page(request: Request, d: Deployed, who: StaffDep) -> Response:
    """What answers now, how good it is, and its answers one by one."""
    return _shown(request, d, who)


@router.get(HERE + "/drift")
def drift_page(request: Request, d: Deployed, who: StaffDep) -> Response:
    """How posts and answers change over the weeks."""
    with d.store.reading() as session:
        found = model_shown.drifted(session, d)
    told = {"first_weeks": drift.FIRST_WEEKS, "fewest": drift.FEWEST_POSTS, "weeks": model_shown.WEEKS}
    return page(request, "console/model/drift.html", who=who, drift=found, **told)


@router.post(HERE + "/switches/{head}/{label}")
def set_switch(
    request: Request, d: Deployed, who: StaffAdmin, head: str, label: str, on: Said = "", confirmation: Said = ""
) -> Response:
    """Let the model give an answer by itself, or have it checked every time."""
    is_on = on == "yes"
    name = f"{words.HEADS.get(head, head)}, {model_shown.label_name(d, head)(label)}"
    message = f"{name} is {'filled in by itself again' if is_on else 'always to be checked'}, from the next post on."

    def act() -> object:
        return decide.set_label(d, who, head, label, on=is_on, confirmation=confirmation)

    return _done(request, d, who, act, message, piece="emergency" if label == "emergency" else head, opened=head)


@router.post(HERE + "/versions/{version}/promote")
def promote(request: Request, d: Deployed, who: StaffAdmin, version: str) -> Response:
    """Let a version answer."""
    message = f"Version {version} answers from the next posts on. To undo it, roll it back below."
    return _done(request, d, who, lambda: learning.promote(d, who, _version(version)), message)


@router.post(HERE + "/versions/{version}/shadow")
def shadow(request: Request, d: Deployed, who: StaffAdmin, version: str) -> Response:
    """Let a version answer beside the live one, without effect."""
    message = f"Version {version} answers in the shadow from the next posts on."
    return _done(request, d, who, lambda: learning.shadow(d, who, _version(version)), message)


@router.post(HERE + "/versions/{version}/rollback")
def roll_back(request: Request, d: Deployed, who: StaffAdmin, version: str) -> Response:
    """Let what answered before a version answer again."""
    message = f"Version {version} was rolled back: what answered before it answers from the next posts on."
    return _done(request, d, who, lambda: learning.rollback(d, who, _version(version)), message)


@router.get(HERE + "/label")
def label_page(request: Request, d: Deployed, who: StaffDep) -> Response:
    """The post that the model would learn the most from."""
    return page(request, "console/model/label.html", **_to_label(d, who, []))


@router.post(HERE + "/label/{mention_id}")
def label(
    request: Request,
    d: Deployed,
    who: StaffResponder,
    mention_id: int,
    intent: Said = "",
    urgency: Said = "",
    sentiment: Said = "",
    service_code: Said = "",
    skip: Said = "",
    skipped: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Say what a post is, or pass it over; the next one comes by itself."""
    passed = [one for text in skipped.split(",") if (one := number(text)) is not None][-MOST_SKIPPED:]
    trouble, said = None, None
    if skip:
        passed.append(mention_id)
    else:
        given = {"intent": intent, "urgency": urgency, "sentiment": sentiment}
        answer: dict[str, str | None] = {**given, "service_code": service_code or None}
        trouble = tried(lambda: decide.label(d, who, mention_id, said=answer), mention_id=mention_id)
        if trouble is None:
            with d.store.reading() as session:
                conversation_id, _ = thread.conversation_of(session, mention_id=mention_id)
            said = {"message": "Saved.", "conversation_id": conversation_id}
            passed.append(mention_id)
    if trouble is None and not is_htmx(request):
        return RedirectResponse(HERE + "/label", status_code=303)
    piece = "console/model/_label.html" if is_htmx(request) else "console/model/label.html"
    context = _to_label(d, who, passed, stay=mention_id if trouble else None) | {"trouble": trouble, "said": said}
    return page(request, piece, status=trouble.status if trouble else 200, **context)


def _to_label(d: Deployment, who: Principal, passed: list[int], *, stay: int | None = None) -> dict[str, Any]:
    seen = sight(who, d.services)
    with d.store.reading() as session:
        found = None
        if stay is None:
            useful = learning.most_useful(session, d, seen, limit=1, but=passed)
            found = useful[0] if useful else None
        mention_id = stay if stay is not None else found.mention_id if found else None
        card = None
        if mention_id is not None:
            conversation_id, _ = thread.conversation_of(session, mention_id=mention_id)
            card = thread.thread(session, conversation_id, seen).card(mention_id)
    return {
        "who": who,
        "card": card,
        "why_useful": found.reason if found else "",
        "intents": list(Intent),
        "urgencies": list(Urgency),
        "sentiments": list(Sentiment),
        "services": d.services,
        "skipped": passed,
        "trouble": None,
        "said": None,
    }


def _version(text: str) -> int:
    found = number(text)
    if found is None:
        raise Missing(f"there is no version {text!r}")
    return found


def _done(
    request: Request,
    d: Deployment,
    who: Principal,
    act: Callable[[], object],
    said: str,
    *,
    piece: str = "",
    opened: str = "",
) -> Response:
    trouble = tried(act, piece=piece)
    if trouble is None and not is_htmx(request):
        return RedirectResponse(HERE, status_code=303)
    return _shown(request, d, who, trouble=trouble, said="" if trouble else said, opened=opened)


def _shown(
    request: Request,
    d: Deployment,
    who: Principal,
    *,
    trouble: Trouble | None = None,
    said: str = "",
    opened: str = "",
) -> Response:
    with d.store.reading() as session:
        found = model_shown.overview(session, d)
    template = "console/model/_all.html" if is_htmx(request) else "console/model/page.html"
    context = {"model": found, "agreement": found.agreement, "versions_shown": VERSIONS_SHOWN}
    told = {"who": who, "trouble": trouble, "said": said, "opened": opened, "heads_named": words.HEADS}
    return page(request, template, status=trouble.status if trouble else 200, **context, **told)
