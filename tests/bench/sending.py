"""From the end of the undo to the reply on its thread, at a steady rate of approvals, and the pages meanwhile.

A whole `harken run` beside a sandbox in a process of its own, its rate limits off. Each approval is of a reply and a
ticket, and the reply waits for the ticket.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlmodel import col, func, select

from pipeline import rounds
from pipeline.deployment import Deployment, open_deployment
from sandbox.running import Control
from store import people, sign_in
from store.engine import Store, open_store
from store.tables import DraftRow, ReplyRow
from tests.bench.figures import Figure, spread
from tests.bench.served import free_port, running, until
from tests.deployments import DEMO, X, written
from tests.fakes import SCRIPT, ScriptedClassifier
from tests.fixtures import postgres_server

RATE = 20  #: approvals a second
APPROVALS = 300
HANDS = 8  #: connections that approve
PAGES_EVERY = 0.25  #: seconds
PATIENCE = 300.0  #: seconds for all to be posted


def sending(folder: Path) -> list[Figure]:
    """SQLite, then PostgreSQL, each with a sandbox and a deployment of its own."""
    found = _measured(folder / "sqlite", "SQLite", None)
    with postgres_server.running() as server:
        with psycopg.connect(host=str(server.folder), user="harken", dbname="postgres", autocommit=True) as asking:
            asking.execute("CREATE DATABASE sending TEMPLATE template0")
        return found + _measured(folder / "postgresql", "PostgreSQL", server.url("sending"))


def _measured(home: Path, store: str, url: str | None) -> list[Figure]:
    home.mkdir(parents=True)
    port = free_port()
    with sandbox(home) as network:
        config = written(home / "city", network, **_changes(port, url))
        city = open_deployment(config, migrating=True)
        try:
            token, secret, drafts = _prepared(city, Control(network))
            database = str(city.store.engine.url.render_as_string(hide_password=False))
        finally:
            city.close()
        with running(config):
            until(lambda: _status(port, "/readyz") == 200, within=120)
            with loading(port, secret, [conversation for _, _, conversation in drafts]) as pages:
                _approve_all(port, token, drafts)
                lags = _posted(open_store(database))
        replies = Control(network).effects(platform="x", kind="reply")
    assert len(replies) == APPROVALS, f"{len(replies)} replies for {APPROVALS} approvals"
    note = f"{APPROVALS} approvals, {RATE} a second, a ticket each"
    return [
        *spread(f"undo's end to posted, {store}", "s", lags, note),
        *spread(f"pages meanwhile, {store}", "ms", pages, f"{len(pages)} loads of inbox and desks"),
    ]


def _changes(port: int, url: str | None) -> dict[str, Any]:
    return {
        "web": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "approval": {"undo_for": "PT1S"},
        "sending": {"settle": "PT90S"},
        "alarms": {"to": []},
        "classifier": {"kind": "keywords"},  # nothing is read meanwhile
        "accounts": {X: {"poll_every": "PT1M"}},
        **({"store": {"url": url}} if url else {}),
    }


@contextmanager
def sandbox(home: Path) -> Iterator[str]:
    """A sandbox in a process of its own until the block ends; its address."""
    port = free_port()
    command = [sys.executable, "-m", "cli", "sandbox", "run", "--port", str(port), "--with-parent"]
    command += ["--state", str(home / "sandbox.db"), "--seed", str(DEMO / "seed.json")]
    with (home / "sandbox.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: _status(port, "/_ctl/health") == 200, within=120)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _prepared(city: Deployment, ctl: Control) -> tuple[str, str, list[tuple[int, int, int]]]:
    """An approver's key and session, and as many drafts as are to be approved: id, version, conversation."""
    told = [
        {"platform": "x", "author": f"bench{n}", "text": f"@alderfalls there is a pothole at {100 + 9 * n} Oak Street"}
        for n in range(APPROVALS)
    ]
    ctl.load(told)
    city.classifier = ScriptedClassifier(script={"": SCRIPT["pothole"]})
    rounds.poll(city, [X])
    rounds.process_all(city)
    with city.store.writing() as session:
        row = people.add_staff(session, "bench@alderfalls.example", by="bench")
        people.grant(session, row, "approver", by="bench")
        session.flush()
        token = people.create_token(session, "bench", "approver", by="bench", owner=row)
        secret = sign_in.finish(session, row.id, right=True) or ""
        pending = select(DraftRow.id, DraftRow.version, DraftRow.conversation_id).where(DraftRow.state == "pending")
        drafts = [(one, version, thread) for one, version, thread in session.exec(pending.order_by(col(DraftRow.id)))]
    assert len(drafts) == APPROVALS, f"{len(drafts)} drafts"
    return token, secret, drafts


@contextmanager
def loading(port: int, secret: str, conversations: list[int]) -> Iterator[list[float]]:
    """Open pages one after the other as a person would; how long each took, in milliseconds."""
    over, took = threading.Event(), list[float]()

    def load() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in range(10_000):
            path = f"/console/conversations/{conversations[number % len(conversations)]}" if number % 2 else "/console/"
            began = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": f"harken_session={secret}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, f"{path}: {answer.status}"
            took.append((time.perf_counter() - began) * 1000)
            if over.wait(PAGES_EVERY):
                return

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def _approve_all(port: int, token: str, drafts: list[tuple[int, int, int]]) -> None:
    """At the rate, however long each takes."""
    own = threading.local()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def approve(draft: tuple[int, int, int]) -> None:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps({"version": draft[1]})
        own.connection.request("POST", f"/api/v1/drafts/{draft[0]}/approve", body, headers)
        answer = own.connection.getresponse()
        said = answer.read()
        assert answer.status == 200, f"draft {draft[0]}: {answer.status} {said[:200]!r}"

    began = time.monotonic()
    with ThreadPoolExecutor(HANDS) as hands:
        asked = []
        for number, draft in enumerate(drafts):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            asked.append(hands.submit(approve, draft))
    for one in asked:
        one.result()


def _posted(store: Store) -> list[float]:
    """Seconds from the end of the undo until we knew of the reply that it stands, once all do."""

    def count(*where: Any) -> int:
        with store.reading() as session:
            return int(session.exec(select(func.count()).select_from(ReplyRow).where(*where)).one())

    try:
        until(_all_sent(count), within=PATIENCE, every=0.5)
        with store.reading() as session:
            both = select(ReplyRow.sent_at, DraftRow.send_after).join(DraftRow, col(DraftRow.id) == ReplyRow.draft_id)
            return [(sent - due).total_seconds() for sent, due in session.exec(both) if sent and due]
    finally:
        store.close()


def _all_sent(count: Callable[..., int]) -> Callable[[], bool]:
    def all_sent() -> bool:
        failed = count(col(ReplyRow.state).in_(("failed", "cancelled", "manual")))
        assert not failed, f"{failed} replies were not sent"
        return count(ReplyRow.state == "sent") == APPROVALS

    return all_sent
