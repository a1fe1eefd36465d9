"""``/api/v1/requests``: what the city is asked to do."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from pipeline import decide
from store import inbox, loaded, sight
from store.inbox import Slice
from web import answers, deps, shapes, shown
from web.asked import Asked, Id, Name, Paged, Words
from web.deps import Deployed, Responder, Viewer
from web.errors import paging
from web.reach import RequestToClose, SeenRequest

router = deps.noun("requests")


class RequestsAsked(Paged):
    """Filters of the list."""

    status: Literal["open", "closed"] | None = None
    service_code: Name | None = None
    mention_id: Id | None = None


class Closing(Asked):
    """How it ended. Closed is not fixed."""

    outcome: shapes.Outcome
    status_notes: Annotated[Words, Field(max_length=4000)] = ""


@router.get("")
def list_requests(d: Deployed, who: Viewer, asked: Annotated[RequestsAsked, Query()]) -> shapes.Listed[shapes.Request]:
    """Requests that were filed, the newest first."""
    page = Slice(limit=asked.limit, cursor=asked.cursor)
    mention_id = int(asked.mention_id) if asked.mention_id is not None else None
    with d.store.reading() as session, paging():
        seen = sight.sight(who, d.services)
        found = inbox.requests(
            session, seen, page, status=asked.status, service_code=asked.service_code, mention_id=mention_id
        )
        items = [shown.request(d, one) for one in loaded.requests(session, found.rows)]
    return shapes.Listed(items=items, next=found.next)


@router.get("/{request_id}")
def one_request(d: Deployed, _who: Viewer, request_id: SeenRequest) -> shapes.Request:
    """One request."""
    return answers.request(d, request_id)


@router.post("/{request_id}/close")
def close(d: Deployed, who: Responder, request_id: RequestToClose, asked: Closing) -> shapes.Request:
    """Close a request of the built-in CRM; the residents' follow-ups are drafted. 409 where another CRM keeps it."""
    decide.close_request(d, who, request_id, outcome=asked.outcome, status_notes=asked.status_notes)
    return answers.request(d, request_id)
