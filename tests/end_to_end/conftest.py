"""The demo as ``make demo`` runs it: a process of its own, the sandbox, the real model, a real browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What the READY line says, and how to reach both."""

    console: str
    sandbox: str
    email: str
    password: str
    home: Path

    def post(self, text: str, *, author: str, platform: str = "x", **more: Any) -> str:
        body = {"platform": platform, "author": author, "text": text, **more}
        answer = httpx.post(f"{self.sandbox}_ctl/posts", json=body, timeout=60)
        return str(answer.raise_for_status().json()["id"])

    def replies_to(self, post_id: str) -> list[dict[str, Any]]:
        """What the city wrote there, by Harken or by hand."""
        answer = httpx.get(f"{self.sandbox}_ctl/posts", params={"in_reply_to": post_id}, timeout=60)
        return [post for post in answer.raise_for_status().json() if post["by_city"]]


def _two_free_ports() -> int:
    """A port whose neighbour is free as well; each process begins elsewhere, lest two find the same."""
    for number in range(68):
        port = 18311 + (os.getpid() + number) % 68 * 10
        try:
            for one in (port, port + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", one))
        except OSError:
            continue
        return port
    raise AssertionError("no two free ports side by side")


def _drain(stream: IO[str]) -> None:
    for _line in stream:
        pass


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Harken and its sandbox, stopped by SIGTERM at the end, which ends it in order."""
    home = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "cli", "demo", "--home", str(home), "--port", str(_two_free_ports())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    log = home.parent / "demo.log"
    with log.open("w") as told:
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=told, text=True, start_new_session=True
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("READY "), f"{line!r}: {log.read_text()[-2000:]}"
        threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()

        yield Demo(**json.loads(line.removeprefix("READY ")), home=home)

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0, log.read_text()[-2000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture
def signed_in(demo: Demo, browser: Browser) -> Iterator[Page]:
    """A page of a clerk who is signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(demo.console)
    page.get_by_label("E-mail").fill(demo.email)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Inbox").wait_for()
    yield page
    context.close()
