"""One thing as the API shows it, read after it changed."""

from __future__ import annotations

from fastapi import Request

from pipeline.deployment import Deployment
from store import loaded
from store.refusals import Missing
from store.tables import DraftRow, MentionRow, ServiceRequestRow
from web import shapes, shown


def mention(d: Deployment, mention_id: int) -> shapes.Mention:
    """A mention."""
    with d.store.reading() as session:
        return shown.mention(loaded.mentions(session, [session.get_one(MentionRow, mention_id)])[0])


def draft(d: Deployment, draft_id: int) -> shapes.Draft:
    """A draft."""
    with d.store.reading() as session:
        row = session.get(DraftRow, draft_id)
        if row is None:
            raise Missing(f"there is no draft {draft_id}")
        return shown.draft(d, loaded.drafts(session, [row])[0])


def request(d: Deployment, request_id: int) -> shapes.Request:
    """A service request."""
    with d.store.reading() as session:
        return shown.request(d, loaded.requests(session, [session.get_one(ServiceRequestRow, request_id)])[0])


def draft_of_conflict(request: Request, draft_id: int) -> object:
    """The draft that stands now, for a 409."""
    return draft(request.app.state.deployment, draft_id).model_dump(mode="json")
