"""A whole `harken run` beside a sandbox: start, memory, pages, and from the approval to the post on its thread."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from sqlalchemy import text
from sqlmodel import col, func, select

from pipeline.deployment import Deployment, open_deployment
from sandbox.running import Control, Running
from store import people, sign_in
from store.tables import DraftRow
from store.types import now
from tests.bench.figures import Figure, figure, resident, spread
from tests.bench.stages import assessing_and_drafting
from tests.deployments import X, written

MENTIONS = 5_000
APPROVALS = 20
STARTS = 3
LOADS = 40
PATIENCE = 40.0  #: seconds for anything to come true
UNDO = "PT1S"


def whole(folder: Path, network: Running) -> list[Figure]:
    """Everything that is measured from outside."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    changes: dict[str, Any] = {
        "web": {"port": port, "public_url": url},
        "approval": {"undo_for": UNDO},
        "alarms": {"to": []},
    }
    config = written(folder / "city", network.url, **changes)
    city = open_deployment(config, migrating=True)
    try:
        figures = assessing_and_drafting(city, X, MENTIONS)
        token, secret, desks = _prepared(city)
    finally:
        city.close()
    starts, memory = [], []
    for number in range(STARTS):
        with running(config) as process:
            starts.append(_ready(process, url))
            if number == STARTS - 1:
                figures += _pages(port, secret, desks)
                figures += _approvals(url, token, network.ctl)
            memory.append(resident(process.pid))
    return [
        *figures,
        figure("harken run, start to /readyz", "s", starts),
        figure("harken run, resident once ready", "MiB", memory[:-1]),
        figure("harken run, resident after this work", "MiB", memory[-1:]),
    ]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _prepared(city: Deployment) -> tuple[str, str, list[int]]:
    """An approver's key and session, and the desks to open. The posts are no platform's: none is looked at again."""
    with city.store.writing() as session:
        session.execute(text("UPDATE mention SET checked_at = '2999-01-01 00:00:00.000000'"))
        row = people.add_staff(session, "bench@alderfalls.example", by="bench")
        people.grant(session, row, "approver", by="bench")
        session.flush()
        token = people.create_token(session, "bench", "approver", by="bench", owner=row)
        secret = sign_in.finish(session, row.id, right=True) or ""
        drafts = session.exec(select(func.count()).select_from(DraftRow)).one()
        assert drafts > MENTIONS // 2, f"only {drafts} drafts"
        desks = session.exec(select(DraftRow.conversation_id).order_by(col(DraftRow.id).desc()).limit(LOADS))
        return token, secret, list(desks)


@contextmanager
def running(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`harken run` until the block ends."""
    command = [sys.executable, "-m", "cli", "run", "--config", str(config)]
    with (config.parent / "run.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _ready(process: subprocess.Popen[bytes], url: str) -> float:
    began = time.perf_counter()
    until(lambda: process.poll() is None and _answers(f"{url}/readyz"))
    return time.perf_counter() - began


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(condition: Callable[[], object], *, within: float = PATIENCE, every: float = 0.02) -> None:
    """Wait for it."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"did not come true within {within:g} s")
        time.sleep(every)


def _pages(port: int, secret: str, desks: list[int]) -> list[Figure]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def load(path: str) -> float:
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": f"harken_session={secret}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, f"{path}: {answer.status}"
        return (time.perf_counter() - began) * 1000

    load("/console/")
    note = f"{LOADS} loads, {MENTIONS:,} mentions"
    inbox = [load("/console/") for _ in range(LOADS)]
    desk = [load(f"/console/conversations/{one}") for one in desks]
    return [*spread("console inbox", "ms", inbox, note), *spread("console desk", "ms", desk, note)]


def _approvals(url: str, token: str, ctl: Control) -> list[Figure]:
    """From the end of the undo to the reply on its thread, the ticket between; approved faster than they go out."""

    def ask(method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with urlopen(Request(f"{url}/api/v1{path}", data, headers, method=method), timeout=30) as answer:
            return json.load(answer)

    told = [{"platform": "x", "author": f"bench{n}", "text": f"Pothole at {n}20 Oak Street"} for n in range(APPROVALS)]
    posts = set(ctl.load(told))
    drafts: dict[str, Any] = {}

    def drafted() -> bool:
        for mention in ask("GET", "/mentions?limit=100")["items"]:
            if mention["post_id"] in posts and mention["draft_id"] and mention["post_id"] not in drafts:
                drafts[mention["post_id"]] = ask("GET", f"/drafts/{mention['draft_id']}")
        return len(drafts) == APPROVALS

    until(drafted, every=0.5)
    due: dict[str, datetime] = {}
    for post_id, draft in drafts.items():
        approved = ask("POST", f"/drafts/{draft['id']}/approve", {"version": draft["version"]})
        due[post_id] = datetime.fromisoformat(approved["send_after"])

    seen: dict[str, datetime] = {}

    def posted() -> bool:
        replies = ctl.effects(platform="x", kind="reply")
        assert len(replies) <= APPROVALS, "somebody was answered twice"
        for one in replies:
            seen.setdefault(one["in_reply_to"], now())  # the sandbox tells whole seconds only
        return due.keys() <= seen.keys()

    until(posted, every=0.03)
    lags = [(seen[post_id] - when).total_seconds() for post_id, when in due.items()]
    return spread("undo's end to posted", "s", lags, f"{APPROVALS} at once, a ticket each")
