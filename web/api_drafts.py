"""``/api/v1/drafts``: read, edit, approve or reject each."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from errors import ConfigError
from pipeline import decide
from store import inbox, loaded, sight
from store.inbox import Slice
from store.refusals import Invalid
from vocabulary import DraftState
from web import answers, deps, shapes, shown
from web.asked import Asked, Because, Id, Name, Paged, Reason, ReplyText, Version, Words
from web.deps import Approver, Deployed, Responder, Viewer
from web.errors import paging
from web.reach import DraftToApprove, DraftToChange, SeenDraft

router = deps.noun("drafts")
QUICKER: dict[int | str, dict[str, Any]] = {409: {"model": shapes.DraftConflict}}


class DraftsAsked(Paged):
    """Filters of the list."""

    state: DraftState | None = None
    kind: shapes.DraftKind | None = None
    mention_id: Id | None = None


class RequestAsked(Asked):
    """Changes to what the CRM would get; what is left out stays."""

    service_code: Name | None = None
    description: Annotated[Words, Field(max_length=4000)] | None = None
    public_description: Annotated[Words, Field(max_length=4000)] | None = None
    address: Annotated[Words, Field(max_length=300)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    long: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None
    attach_to: Id | None = Field(default=None, description="an open request that this is about, too")


class ApprovalAsked(Asked):
    """Yes to exactly this text, and to exactly this request."""

    version: Version
    text: ReplyText | None = Field(default=None, description="the reply; left out: as drafted")
    request: RequestAsked | None = None
    parts: list[shapes.Part] | None = Field(default=None, description="left out: all that the draft has")


class RejectionAsked(Asked):
    """No, and why."""

    version: Version
    reason: Reason
    parts: list[shapes.Part] | None = Field(default=None, description="left out: all that the draft has")


class EditAsked(Asked):
    """Changes; each raises the version."""

    version: Version
    text: ReplyText | None = None
    template: Name | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    request: RequestAsked | None = None


def _changes(asked: RequestAsked | None) -> dict[str, Any] | None:
    return None if asked is None else asked.model_dump(exclude_unset=True)


@router.get("")
def list_drafts(d: Deployed, who: Viewer, asked: Annotated[DraftsAsked, Query()]) -> shapes.Listed[shapes.Draft]:
    """Drafts, the newest first."""
    page = Slice(limit=asked.limit, cursor=asked.cursor)
    mention_id = int(asked.mention_id) if asked.mention_id is not None else None
    with d.store.reading() as session, paging():
        seen = sight.sight(who, d.services)
        found = inbox.drafts(session, seen, page, state=asked.state, kind=asked.kind, mention_id=mention_id)
        items = [shown.draft(d, one) for one in loaded.drafts(session, found.rows)]
    return shapes.Listed(items=items, next=found.next)


@router.get("/{draft_id}")
def one_draft(d: Deployed, _who: Viewer, draft_id: SeenDraft) -> shapes.Draft:
    """One draft."""
    return answers.draft(d, draft_id)


@router.post("/{draft_id}/approve", responses=QUICKER)
def approve(d: Deployed, who: Approver, draft_id: DraftToApprove, asked: ApprovalAsked) -> shapes.Draft:
    """Approve the reply, the request, or both, byte for byte. Nothing leaves before `send_after`."""
    if asked.text is not None and not asked.text.strip() and asked.parts != ["request"]:
        raise Invalid("the reply is empty: write one, or approve the request alone", field="text")
    decide.approve(
        d, who, draft_id, version=asked.version, text=asked.text, request=_changes(asked.request), parts=asked.parts
    )
    return answers.draft(d, draft_id)


@router.post("/{draft_id}/reject", responses=QUICKER)
def reject(d: Deployed, who: Responder, draft_id: DraftToChange, asked: RejectionAsked) -> shapes.Draft:
    """Reject the reply, the request, or both."""
    decide.reject(d, who, draft_id, version=asked.version, reason=asked.reason, parts=asked.parts)
    return answers.draft(d, draft_id)


@router.patch("/{draft_id}", responses=QUICKER)
def edit(d: Deployed, who: Responder, draft_id: DraftToChange, asked: EditAsked) -> shapes.Draft:
    """Change the text, the template, the language, or the request."""
    if len(asked.model_fields_set) == 1:
        raise Invalid("say what to change: text, template, language or request", field="text")
    changes = {"text": asked.text, "template": asked.template, "language": asked.language}
    try:
        decide.edit(d, who, draft_id, version=asked.version, request=_changes(asked.request), **changes)
    except ConfigError as err:
        raise Invalid(str(err), field="template") from err
    return answers.draft(d, draft_id)


@router.post("/{draft_id}/cancel", responses=QUICKER)
def cancel(d: Deployed, who: Approver, draft_id: DraftToApprove) -> shapes.Draft:
    """Undo an approval before anything left. `superseded_by` names the fresh copy, pending again."""
    decide.cancel(d, who, draft_id)
    return answers.draft(d, draft_id)


@router.post("/{draft_id}/retry", responses=QUICKER)
def retry(d: Deployed, who: Approver, draft_id: DraftToApprove) -> shapes.Draft:
    """Send what failed once more, the same bytes."""
    decide.retry(d, who, draft_id)
    return answers.draft(d, draft_id)


@router.post("/{draft_id}/retract", responses=QUICKER)
def retract(d: Deployed, who: Approver, draft_id: DraftToApprove, asked: Because) -> shapes.Draft:
    """Delete our reply from its platform."""
    decide.retract(d, who, draft_id, reason=asked.reason)
    return answers.draft(d, draft_id)


@router.post("/{draft_id}/hold", responses=QUICKER)
def hold(d: Deployed, who: Responder, draft_id: DraftToChange, asked: Because) -> shapes.Draft:
    """Keep it back."""
    decide.hold(d, who, draft_id, reason=asked.reason)
    return answers.draft(d, draft_id)


@router.post("/{draft_id}/release", responses=QUICKER)
def release(d: Deployed, who: Responder, draft_id: DraftToChange) -> shapes.Draft:
    """Put it back before people."""
    decide.release(d, who, draft_id)
    return answers.draft(d, draft_id)
