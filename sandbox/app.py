"""The application: X, Graph, Open311, the control and the page, over one network."""

import json
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from sandbox import control, graph, graph_errors, graph_messages, open311, open311_format, page, x, x_problems
from sandbox.faults import Faults
from sandbox.seed import build_seed
from sandbox.spoiling import Spoiling
from sandbox.world import build_world


class Ascii(JSONResponse):
    """JSON with everything beyond ASCII escaped, so that half a surrogate pair can be said too."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class Network(FastAPI):
    """The application with its faults in front, where they can reach the connection itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Spoiling(super().__call__, self._faults)(scope, receive, send)

    def _faults(self) -> Faults:
        faults: Faults = self.state.world.faults
        return faults


def create_app(
    state: Path | None,
    *,
    seed: Mapping[str, Any] | None = None,
    city_handle: str = "alderfalls",
    city_name: str = "City of Alder Falls",
) -> FastAPI:
    """A network of its own; ``state``: None keeps it in memory, a path in that SQLite file, to go on with next time."""
    app = Network(title="Harken sandbox", default_response_class=Ascii, docs_url=None, redoc_url=None)
    app.state.world = build_world(state, build_seed(seed, city_handle, city_name))
    app.add_exception_handler(x_problems.Problem, x_problems.answer)
    app.add_exception_handler(graph_errors.GraphError, graph_errors.answer)
    app.add_exception_handler(open311_format.Open311Error, open311_format.answer)
    for module in (control, page, x, graph_messages, graph, open311):
        app.include_router(module.router)
    return app


def serve(host: str, port: int, state: Path | None, **options: Any) -> None:
    """Runs until SIGTERM or SIGINT; ``options`` as for ``create_app``."""
    app = create_app(state, **options)
    if threading.current_thread() is threading.main_thread():
        for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when it has stopped
            signal.signal(ending, _stopped)
    try:
        uvicorn.Server(settings(app, host, port)).run()
    finally:
        app.state.world.database.close()


def _stopped(_signal: int, _frame: FrameType | None) -> None:
    """Nothing more to do: the server has already ended."""


def settings(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=3,
        timeout_keep_alive=30,
    )
