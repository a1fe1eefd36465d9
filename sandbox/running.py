"""A sandbox for tests: served in a thread on a free loopback port, with a small client for its control."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import uvicorn
from fastapi import FastAPI

from sandbox.app import create_app, settings


class Refused(Exception):
    """The control did not do it; the message says why."""


class Control:
    """``/_ctl`` of one sandbox."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_ctl"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            with problem:
                raise Refused(f"{method} {path}: {problem.code} {problem.read().decode()}") from problem

    def post(self, text: str, *, author: str = "jane_elm", platform: str = "x", **more: Any) -> str:
        """Writes as a resident (``as_="city"``: as staff by hand); the post's id."""
        if "as_" in more:
            more["as"] = more.pop("as_")
        return str(self.call("POST", "/posts", {"platform": platform, "author": author, "text": text, **more})["id"])

    def load(self, posts: list[dict[str, Any]]) -> list[str]:
        return [row["id"] for row in self.call("POST", "/posts", posts)]

    def posts(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"/posts?{urlencode(filters)}")
        return found

    def edit(self, id: str, text: str) -> str:
        return str(self.call("PATCH", f"/posts/{quote(id)}", {"text": text})["id"])

    def delete(self, id: str) -> None:
        self.call("DELETE", f"/posts/{quote(id)}")

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/requests")
        return found

    def close_request(self, id: str, status_notes: str = "") -> None:
        self.call("POST", f"/requests/{quote(id)}/close", {"status_notes": status_notes})

    def effects(self, **filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"/effects?{urlencode(filters)}")
        return found

    def alarms(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/alarms")
        return found

    def faults(self, target: str, kind: str, count: int = 1, **more: Any) -> None:
        """Plans one more fault: ``after_effect``, ``seconds``, ``with_reset``, ``skip``."""
        self.call("PUT", "/faults", {"target": target, "kind": kind, "count": count, **more})

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def limits(self, on: bool, **limits: int) -> None:
        """``limits(True, **{"x.mentions": 2})``."""
        self.call("PUT", "/limits", {"on": on, "limits": limits})

    def tier(self, access: str = "standard", repeats: str = "any") -> None:
        self.call("PUT", "/tier", {"access": access, "repeats": repeats})

    def open311(self, mode: str, polls: int = 2) -> None:
        self.call("PUT", "/open311", {"mode": mode, "polls": polls})

    def clock(self, **wanted: Any) -> None:
        self.call("POST", "/clock", wanted)

    def reset(self) -> None:
        self.call("POST", "/reset")


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    url: str
    port: int
    ctl: Control
    app: FastAPI


@contextmanager
def running(state: Path | None = None, port: int = 0, **options: Any) -> Iterator[Running]:
    """A sandbox on 127.0.0.1 (port 0: any free one) until the block ends; ``options`` as for ``create_app``."""
    app = create_app(state, **options)
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    plug.bind(("127.0.0.1", port))
    port = plug.getsockname()[1]
    server = uvicorn.Server(settings(app, "127.0.0.1", port))
    thread = threading.Thread(target=server.run, args=([plug],), name="sandbox", daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_started(server, thread)
        yield Running(url=url, port=port, ctl=Control(url), app=app)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        plug.close()
        app.state.world.database.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + 20
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the sandbox did not start")
        time.sleep(0.01)
