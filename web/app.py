"""The application: every router, the layers around them, and how errors are answered."""

from __future__ import annotations

from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from pipeline.deployment import Deployment
from web import (
    answers,
    api_accounts,
    api_alarms,
    api_attention,
    api_audit,
    api_drafts,
    api_kill_switch,
    api_mentions,
    api_model,
    api_requests,
    api_trends,
    console_accounts,
    console_attention,
    console_desk,
    console_inbox,
    console_mentions,
    console_model,
    console_requests,
    console_trends,
    errors,
    health,
    pages,
    portal,
    reach,
    signin,
    why,
)
from web.once import Once
from web.shield import Shield

STATIC = Path(__file__).parent / "static"

#: The JSON API: one router a noun. Everything in it is in the OpenAPI document.
API = (
    api_mentions.router,
    api_drafts.router,
    api_requests.router,
    api_trends.router,
    api_accounts.router,
    api_kill_switch.router,
    api_model.router,
    api_attention.router,
    api_alarms.router,
    api_audit.router,
    health.router,
)
#: Pages for people; not in the document.
PAGES = (
    signin.router,
    console_inbox.router,
    console_desk.router,
    console_mentions.router,
    console_attention.router,
    console_requests.router,
    console_trends.router,
    console_model.router,
    console_accounts.router,
    portal.router,
)


DESCRIPTION = """
Nothing is posted that a named person did not approve.

Lists answer `{"items": [...], "next": cursor or null}`, newest first, and take `limit` (200 at most) and `cursor`.
Times are RFC 3339 in UTC; ids are opaque strings. Errors are `{"error": {"code", "message", "field"}}`.
Writes take an `Idempotency-Key` header: a repeat is answered as the first was, and done once.

Roles: a viewer reads; a responder corrects, edits, dismisses, rejects and pauses; an approver approves; an admin
manages people, tokens and arming, and neither approves nor reads direct messages.
"""


def create_app(deployment: Deployment) -> FastAPI:
    """One city's application. The caller opens and closes the deployment."""
    app = FastAPI(
        title="Harken",
        summary=f"What residents of {deployment.settings.city.name} say on social media, and the city's answers.",
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.state.deployment = deployment
    app.state.error_page = pages.error_page
    app.state.asker = why.Asker(deployment)
    for router in API:
        app.include_router(router)
    for router in PAGES:
        app.include_router(router, include_in_schema=False, dependencies=[Depends(reach.console)])
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    errors.install(app, draft_of_conflict=answers.draft_of_conflict)
    app.add_middleware(Once, deployment=deployment)
    app.add_middleware(Shield, public_url=deployment.settings.web.public_url)  # last added is outermost
    return app
