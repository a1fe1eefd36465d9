"""Is it alive, is it ready, and how much of what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from classifiers import model_folder
from errors import ConfigError
from pipeline.deployment import Deployment
from store import migrate
from web import metrics
from web.deps import Deployed

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """It answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """What it needs to work, each ``ok`` or what is wrong."""

    status: Literal["ok", "not ready"]
    database: str
    migrations: str
    model: str


@router.get("/healthz")
def healthz() -> Alive:
    """Whether the process is alive; asks nothing else."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
def readyz(d: Deployed) -> Response:
    """Whether it can work: database, migrations, model. 503 if not."""
    found = {
        "database": _verdict(lambda: _ask(d)),
        "migrations": _verdict(lambda: migrate.check(d.store)),
        "model": _verdict(_find_model),
    }
    ready = set(found.values()) == {"ok"}
    answer = Ready(status="ok" if ready else "not ready", **found)
    return JSONResponse(answer.model_dump(), status_code=200 if ready else 503)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def show_metrics(d: Deployed) -> Response:
    """Counts for Prometheus. No words, no names of people; let only your network reach it."""
    return Response(metrics.page(d), media_type=metrics.CONTENT_TYPE)


def _ask(d: Deployment) -> None:
    with d.store.reading() as session:
        session.execute(text("SELECT 1"))


def _find_model() -> None:
    """Only whether it is there: loading it takes seconds, and it is the worker that needs it."""
    try:
        model_folder.read_config(model_folder.SHIPPED)
        size = (model_folder.SHIPPED / model_folder.INT8_FILE).stat().st_size
    except (OSError, ValueError) as err:
        raise ConfigError(f"the model can't be read ({err}): check the installation, or run `harken train`") from err
    if size < 1_000_000:
        raise ConfigError("the model is a stub: fetch the file itself (git lfs pull), or run `harken train`")


def _verdict(check: Callable[[], None]) -> str:
    try:
        check()
    except ConfigError as err:
        return str(err)
    except SQLAlchemyError as err:
        return f"the database does not answer ({type(err).__name__})"
    return "ok"
