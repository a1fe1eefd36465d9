"""The desk: one conversation, and the decisions over its drafts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from pipeline import decide
from pipeline.deployment import Deployment
from store import content, requests
from store.desk import thread
from store.people import Principal
from store.sight import sight
from store.tables import DraftRow, RequestProposalRow
from web.console_context import desk_mark, measured, show_desk, tried, undone
from web.deps import Deployed, StaffApprover, StaffDep, StaffResponder
from web.pages import is_htmx, page

router = APIRouter()
MENTION = "_mention.html"
#: What a form may say of a request.
REQUEST_FIELDS = ("service_code", "address", "lat", "long", "description", "public_description", "attach_to")


async def _sent(request: Request) -> dict[str, str]:
    """The fields of a form. FastAPI's ``Form`` takes an emptied field for an absent one: a deletion would be undone."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


class DraftForm:
    """What the draft's form sends; absent fields are not changed. Browsers write line ends as CRLF."""

    def __init__(self, sent: Annotated[dict[str, str], Depends(_sent)]) -> None:
        self.version = int(sent["version"]) if sent.get("version", "").isdecimal() else 0
        self.reason, self.hold, self.how = sent.get("reason", ""), sent.get("hold", ""), sent.get("how", "")
        self.template, self.language = sent.get("template", ""), sent.get("language", "")
        self.text = sent["text"].replace("\r\n", "\n") if "text" in sent else None
        self.parts = [sent["parts"]] if sent.get("parts") else None
        self.request = {name: sent[name].replace("\r\n", "\n").strip() for name in REQUEST_FIELDS if name in sent}

    @property
    def typed(self) -> dict[str, Any]:
        """All of it, to be shown again."""
        return {"text": self.text, "reason": self.reason, "hold": self.hold} | self.request

    def changed(self, d: Deployment, draft_id: int) -> Changed:
        """What differs from the draft as it stands."""
        with d.store.reading() as session:
            draft = session.get(DraftRow, draft_id)
            proposal = requests.proposal_of(session, draft_id)
            stands = content.words(session, draft.content_id) if draft else ""
            request = _differs(
                self.request, proposal, content.words(session, proposal.description_id if proposal else None)
            )
        moves = bool(request.keys() - {"description", "public_description"})
        same = self.text is None or self.text == stands
        # Another place or service words the draft anew. What the approver read is what is approved.
        return Changed(text=None if same else self.text, request=request or None, read=self.text if moves else None)


class Changed:
    """What a form changes."""

    def __init__(self, *, text: str | None, request: dict[str, Any] | None, read: str | None) -> None:
        self.text = text
        self.request = request
        self.read = text if text is not None else read  #: the text as its approver read it, if it must be said


Filled = Annotated[DraftForm, Depends()]


def _differs(form: Mapping[str, str], row: RequestProposalRow | None, description: str) -> dict[str, Any]:
    stands: dict[str, Any] = {"description": description}
    for name in REQUEST_FIELDS:
        if name != "description":
            stands[name] = getattr(row, name) if row else None
    changed: dict[str, Any] = {
        name: value or None
        for name, value in form.items()
        if value != ("" if stands[name] is None else str(stands[name]))
    }
    if {"address", "lat", "long"} & changed.keys() and not {"lat", "long"} & changed.keys():
        return changed  # a new address: its point is looked up
    if {"lat", "long"} & changed.keys():
        changed |= {name: form[name] or None for name in ("address", "lat", "long") if name in form}
    return changed


@router.get("/console/conversations/{conversation_id}")
def desk(request: Request, d: Deployed, who: StaffDep, conversation_id: int) -> Response:
    """One conversation with everything on it."""
    return show_desk(request, d, who, conversation_id)


@router.get("/console/conversations/{conversation_id}/news")
def news(request: Request, d: Deployed, who: StaffDep, conversation_id: int, seen: str = "") -> Response:
    """The desk as it stands, piece by piece; 204 while it reads as the asker has it already."""
    with d.store.reading() as session:
        moved = desk_mark(thread.thread(session, conversation_id, sight(who, d.services))) != seen
    if not moved:
        return Response(status_code=204)
    return show_desk(request, d, who, conversation_id, piece="_live.html")


@router.post("/console/drafts/{draft_id}/length")
def length(
    request: Request, d: Deployed, who: StaffDep, draft_id: int, text: Annotated[str, Form(max_length=100_000)] = ""
) -> Response:
    """The length of a text by the platform's own count, while it is typed."""
    with d.store.reading() as session:
        conversation_id, _ = thread.conversation_of(session, draft_id=draft_id)
        platform = thread.thread(session, conversation_id, sight(who, d.services)).platform
    counted = measured(d, platform, text.replace("\r\n", "\n"))
    return page(request, "console/conversations/_length.html", measured=counted)


@router.post("/console/drafts/{draft_id}/approve")
def approve(request: Request, d: Deployed, who: StaffApprover, draft_id: int, form: Filled) -> Response:
    """A named person's yes."""
    changed = form.changed(d, draft_id)

    def act() -> object:
        version = form.version
        if form.parts == ["request"] and changed.text is not None:  # the reply is not decided, what was typed is kept
            decide.edit(d, who, draft_id, version=version, text=changed.text)
            version += 1
        return decide.approve(
            d, who, draft_id, version=version, text=changed.read, request=changed.request, parts=form.parts
        )

    return decided(request, d, who, draft_id, act, form=form, approved_now=draft_id)


@router.post("/console/drafts/{draft_id}/reject")
def reject(request: Request, d: Deployed, who: StaffResponder, draft_id: int, form: Filled) -> Response:
    """A person's no."""

    def act() -> object:
        return decide.reject(d, who, draft_id, version=form.version, reason=form.reason, parts=form.parts)

    return decided(request, d, who, draft_id, act, form=form, message="Rejected.")


@router.post("/console/drafts/{draft_id}/edit")
def edit(request: Request, d: Deployed, who: StaffResponder, draft_id: int, form: Filled) -> Response:
    """Save what was typed, or write it anew from another template."""
    changed = form.changed(d, draft_id)
    anew = {"template": form.template or None, "language": form.language or None}
    how: dict[str, Any] = anew if form.how == "template" else {"text": changed.text, "request": changed.request}

    def act() -> object:
        nothing = all(value is None for value in how.values())
        return None if nothing else decide.edit(d, who, draft_id, version=form.version, **how)

    return decided(request, d, who, draft_id, act, form=form, message="Saved.")


@router.post("/console/drafts/{draft_id}/hold")
def hold(request: Request, d: Deployed, who: StaffResponder, draft_id: int, form: Filled) -> Response:
    """Keep a draft back, with a note why."""

    def act() -> object:
        if form.hold.strip():
            _keep(d, who, draft_id, form)
        return decide.hold(d, who, draft_id, reason=form.hold)

    return decided(request, d, who, draft_id, act, form=form, message="On hold.")


@router.post("/console/drafts/{draft_id}/release")
def release(request: Request, d: Deployed, who: StaffResponder, draft_id: int, form: Filled) -> Response:
    """Put a held draft back before people."""

    def act() -> object:
        _keep(d, who, draft_id, form)
        return decide.release(d, who, draft_id)

    return decided(request, d, who, draft_id, act, form=form, message="Released.")


def _keep(d: Deployment, who: Principal, draft_id: int, form: DraftForm) -> None:
    """Save what was typed beside a button that decides something else."""
    changed = form.changed(d, draft_id)
    if changed.text is not None or changed.request is not None:
        decide.edit(d, who, draft_id, version=form.version, text=changed.text, request=changed.request)


@router.post("/console/drafts/{draft_id}/cancel")
def cancel(request: Request, d: Deployed, who: StaffApprover, draft_id: int, elsewhere: str = "") -> Response:
    """Undo an approval, from its desk or from another page."""
    message = "Undone: nothing was sent. The draft waits for approval again."
    if elsewhere and is_htmx(request):
        with d.store.reading() as session:
            conversation_id, _ = thread.conversation_of(session, draft_id=draft_id)
            thread.thread(session, conversation_id, sight(who, d.services))  # within the grants, or there is none
        return undone(request, d, who, conversation_id, lambda: decide.cancel(d, who, draft_id))
    return decided(request, d, who, draft_id, lambda: decide.cancel(d, who, draft_id), message=message)


@router.post("/console/drafts/{draft_id}/retry")
def retry(request: Request, d: Deployed, who: StaffApprover, draft_id: int) -> Response:
    """Try a failed reply once more."""
    message = "It is tried again; the thread is read back first."
    return decided(request, d, who, draft_id, lambda: decide.retry(d, who, draft_id), message=message)


@router.post("/console/drafts/{draft_id}/retract")
def retract(request: Request, d: Deployed, who: StaffApprover, draft_id: int, form: Filled) -> Response:
    """Take a sent reply back."""
    message = "The reply is being taken back."
    return decided(
        request,
        d,
        who,
        draft_id,
        lambda: decide.retract(d, who, draft_id, reason=form.reason),
        form=form,
        message=message,
    )


def decided(
    request: Request,
    d: Deployed,
    who: Principal,
    draft_id: int,
    act: Callable[[], object],
    *,
    form: DraftForm | None = None,
    message: str = "",
    **more: Any,
) -> Response:
    """Decide, then show the mention as it stands; what is refused keeps what was typed."""
    with d.store.reading() as session:
        conversation_id, mention_id = thread.conversation_of(session, draft_id=draft_id)
        thread.thread(session, conversation_id, sight(who, d.services))  # within the grants, or there is none
    trouble = tried(act, draft_id=draft_id, mention_id=mention_id, typed=form.typed if form else {})
    if trouble is None and not is_htmx(request):
        return RedirectResponse(f"/console/conversations/{conversation_id}#mention-{mention_id}", status_code=303)
    said = None if trouble or not message else {"mention_id": mention_id, "message": message}
    where: dict[str, Any] = {"piece": "_mention_moved.html", "mention_id": mention_id}
    return show_desk(request, d, who, conversation_id, **where, trouble=trouble, said=said, **more)
