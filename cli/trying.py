"""The sandbox by hand: ``sandbox run``, ``sandbox load``, ``sandbox reset``."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from errors import ConfigError

URL = "http://127.0.0.1:8312"
BATCH = 25  #: posts a call
#: Seconds a call, so 50 posts a second: a listener that looks every three seconds keeps up with Facebook's newest 100
#: and X's 800 mentions.
EACH = 0.5
Url = Annotated[str, typer.Option("--url", envvar="HARKEN_SANDBOX", help="Where the sandbox answers.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    sandbox = typer.Typer(help="A small social network and a CRM, to try Harken on.", no_args_is_help=True)
    sandbox.command("run")(run)
    sandbox.command("load")(load)
    sandbox.command("reset")(reset)
    app.add_typer(sandbox, name="sandbox")


def serve(host: str, port: int, state: Path | None, seed: dict[str, Any] | None) -> None:
    """Serve the sandbox until it is told to stop. The only place that knows it."""
    from sandbox.app import serve as begin

    begin(host, port, state, seed=seed)


def _end_with(parent: int) -> None:
    """Stop when the process that started us is gone, however it went."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def run(
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port")] = 8312,
    state: Annotated[Path | None, typer.Option("--state", help="Where to keep it; in memory without.")] = None,
    seed: Annotated[Path | None, typer.Option("--seed", help="Who is there before anybody posts (JSON).")] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Serve the sandbox alone."""
    if with_parent:
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    serve(host, port, state, json.loads(seed.read_text(encoding="utf-8")) if seed else None)


def load(
    file: Annotated[Path, typer.Argument(help="JSON Lines: id, platform, author, text, posted_at")],
    url: Url = URL,
    as_fast_as_it_goes: Annotated[bool, typer.Option("--fast", help="No pauses between calls.")] = False,
) -> None:
    """Post a file's posts as residents', 50 a second, their times shifted so that the last is now."""
    posts = list(_read(file))
    if not posts:
        raise ConfigError(f"{file}: no posts in it")
    shift = datetime.now(UTC) - max(_time(file, post) for post in posts)
    rows = iter(sorted(posts, key=lambda post: _time(file, post)))
    done, began = 0, time.monotonic()
    with httpx.Client(base_url=url, timeout=60) as client:
        while chunk := list(islice(rows, BATCH)):
            if not as_fast_as_it_goes:
                time.sleep(max(0.0, began + EACH * (done // BATCH) - time.monotonic()))
            _post(client, [_shifted(file, post, shift) for post in chunk])
            done += len(chunk)
            if done % 500 < BATCH:
                typer.echo(f"{done} of {len(posts)}", err=True)
    typer.echo(f"{done} posts in {time.monotonic() - began:.1f} s")


def _post(client: httpx.Client, rows: list[dict[str, Any]]) -> None:
    try:
        answer = client.post("/_ctl/posts", json=rows)
    except httpx.HTTPError as err:
        raise ConfigError(f"the sandbox at {client.base_url} does not answer: {err}; start it, or name --url") from err
    if answer.is_error:
        raise ConfigError(f"the sandbox took none of {len(rows)} posts: {answer.text[:300]}")


def _read(file: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"{file}: can't be read: {err}") from err
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            post = json.loads(line)
        except json.JSONDecodeError as err:
            raise ConfigError(f"{file}, line {number}: not JSON: {err}") from err
        if not isinstance(post, dict) or not {"platform", "author", "text", "posted_at"} <= set(post):
            raise ConfigError(f"{file}, line {number}: platform, author, text and posted_at are needed")
        yield post


def _time(file: Path, post: dict[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(str(post["posted_at"]))
    except ValueError as err:
        raise ConfigError(f"{file}: posted_at = {post['posted_at']!r}: not a time like 2026-10-05T06:03:16Z") from err
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shifted(file: Path, post: dict[str, Any], shift: timedelta) -> dict[str, Any]:
    row = {key: post[key] for key in ("platform", "author", "text")}
    return row | {"posted_at": (_time(file, post) + shift).isoformat(), "id": post.get("id")}


def reset(url: Url = URL) -> None:
    """Empty the sandbox, back to its seed."""
    try:
        answer = httpx.post(f"{url}/_ctl/reset", timeout=10)
        answer.raise_for_status()
    except httpx.HTTPError as err:
        raise ConfigError(f"the sandbox at {url} was not reset: {err}") from err
    typer.echo("the sandbox is back at its seed")
