"""The application: every router, the layers around them, and how errors are answered."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from pipeline.deployment import Deployment
from web import errors, health, signin
from web.once import Once
from web.shield import Shield

STATIC = Path(__file__).parent / "static"

#: The JSON API: one router a noun. Everything in it is in the OpenAPI document.
API = (health.router,)
#: Pages for people; not in the document.
PAGES = (signin.router,)


def create_app(deployment: Deployment) -> FastAPI:
    """One city's application. The caller opens and closes the deployment."""
    app = FastAPI(title="Harken", openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None)
    app.state.deployment = deployment
    app.state.error_page = errors.plain_page  # the console puts its own page here
    for router in API:
        app.include_router(router)
    for router in PAGES:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    errors.install(app, draft_of_conflict=lambda request, draft_id: None)
    app.add_middleware(Once, deployment=deployment)
    app.add_middleware(Shield, public_url=deployment.settings.web.public_url)  # last added is outermost
    return app
