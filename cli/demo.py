"""``harken demo``: our made-up city on the real thing, against the sandbox. ``make demo`` calls it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from cli.options import log_to_stderr, opened
from errors import ConfigError

DATA = Path(__file__).parent.parent / "demo"
EMAIL = "clerk@alderfalls.example"
SECOND = "approver@alderfalls.example"
FILLED = "filled"  #: stands in the home once the city's posts are in
FILES = ("services.csv", "streets.csv", "neighborhoods.geojson")

CONFIG = """# The demo's config. harken.example.toml explains every key.
[city]
name = "Alder Falls"
reference_prefix = "AF"
time_zone = "America/Chicago"
languages = ["en", "es"]
services = "services.csv"
neighborhoods = "neighborhoods.geojson"
streets = "streets.csv"

[calendar]
hours = {{ mon-fri = "08:00-17:00" }}
holidays = "US"

[store]
url = "sqlite:///harken.db"

[web]
host = "127.0.0.1"
port = {port}
public_url = "http://127.0.0.1:{port}"

[api]
service_approvals = true    # so that a token can approve: for trying the API; never in a city

[sending]
settle = "PT5S"             # the sandbox answers or fails within a second; a city keeps PT90S

[alarms]
to = ["json://127.0.0.1:{sandbox}/_ctl/alarms"]

[accounts.city_hall_x]
platform = "x"
handle = "alderfalls"
base_url = "http://127.0.0.1:{sandbox}"
poll_every = "PT2S"
backfill = "P2D"
sending = "armed"

[accounts.city_hall_facebook]
platform = "facebook"
handle = "alderfallscityhall"
page_id = "102030405060708"
base_url = "http://127.0.0.1:{sandbox}"
poll_every = "PT3S"
backfill = "P2D"
sending = "armed"

[crm]
kind = "open311"
base_url = "http://127.0.0.1:{sandbox}/open311/v2"
sending = "armed"
wait = "PT1M"
"""

#: The sandbox's own keys: they open nothing but the sandbox.
SECRETS = """HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN=sandbox-bearer-token
HARKEN_ACCOUNTS__CITY_HALL_X__CONSUMER_KEY=sandbox-consumer-key
HARKEN_ACCOUNTS__CITY_HALL_X__CONSUMER_SECRET=sandbox-consumer-secret
HARKEN_ACCOUNTS__CITY_HALL_X__ACCESS_TOKEN=sandbox-access-token
HARKEN_ACCOUNTS__CITY_HALL_X__ACCESS_TOKEN_SECRET=sandbox-access-token-secret
HARKEN_ACCOUNTS__CITY_HALL_FACEBOOK__PAGE_ACCESS_TOKEN=sandbox-page-token
HARKEN_CRM__API_KEY=sandbox-api-key
"""


def add_to(app: typer.Typer) -> None:
    """Put the command on the app."""
    app.command(hidden=True)(demo)


def demo(
    home: Annotated[Path, typer.Option("--home")] = Path("var/demo"),
    port: Annotated[int, typer.Option("--port")] = 8311,
    reset: Annotated[bool, typer.Option("--reset")] = False,
) -> None:
    """Set up the demo, then run the sandbox and Harken until told to stop."""
    log_to_stderr()
    if home.exists() and (reset or not (home / FILLED).exists()):
        _clear(home)  # a first start that was cut short would leave half a city
    for wanted in (port, port + 1):
        _check_free(wanted)
    fresh = not (home / FILLED).exists()
    password = _write(home, port)
    sandbox = _start_sandbox(home, port + 1)
    try:
        _wait_for(f"http://127.0.0.1:{port + 1}/_ctl/health", sandbox)
        if fresh:
            _fill(home, port + 1)
            (home / FILLED).touch()
        _run(home, port, password)
    finally:
        sandbox.send_signal(signal.SIGTERM)
        try:
            sandbox.wait(timeout=5)
        except subprocess.TimeoutExpired:
            sandbox.kill()


def _clear(home: Path) -> None:
    """Only what the demo wrote: a wrong --home must not empty somebody's folder."""
    if not (home / "harken.toml").exists() and any(home.iterdir()):
        raise ConfigError(f"{home} was not made by the demo; empty it yourself")
    for entry in home.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as err:
            raise ConfigError(f"port {port} is taken: stop what runs there, or choose another with PORT=") from err


def _write(home: Path, port: int) -> str:
    home.mkdir(parents=True, exist_ok=True)
    (home / "harken.toml").write_text(CONFIG.format(port=port, sandbox=port + 1), encoding="utf-8")
    for name in FILES:
        shutil.copyfile(DATA / name, home / name)
    _secret(home / "secrets.env", SECRETS)
    kept = home / "password"
    if not kept.exists():
        _secret(kept, secrets.token_urlsafe(12))
    return kept.read_text(encoding="utf-8").strip()


def _secret(path: Path, text: str) -> None:
    """Mode 0600 from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _start_sandbox(home: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli", "sandbox", "run", "--port", str(port)]
    command += ["--state", str(home / "sandbox.db"), "--seed", str(DATA / "seed.json"), "--with-parent"]
    # A session of its own: Ctrl-C must reach it after Harken has said goodbye to it.
    return subprocess.Popen(command, cwd=DATA.parent, start_new_session=True)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, timeout=1).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise ConfigError(f"the sandbox did not start: {url} does not answer")


def _fill(home: Path, port: int) -> None:
    """What was said in the last day goes to the sandbox; what was said before is imported for the trends."""
    from pipeline.importing import import_file

    moment = datetime.now(UTC)
    ids: dict[str, str] = {}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        for line in (DATA / "posts.jsonl").read_text(encoding="utf-8").splitlines():
            post: dict[str, Any] = json.loads(line)
            row: dict[str, Any] = {key: post[key] for key in post.keys() & {"platform", "author", "text", "hidden"}}
            row["posted_at"] = (moment - timedelta(minutes=post["minutes_ago"])).isoformat()
            if post.get("in_reply_to"):
                row["in_reply_to"] = ids[post["in_reply_to"]]
            ids[post["id"]] = client.post("/_ctl/posts", json=row).raise_for_status().json()["id"]
    with opened(home / "harken.toml", migrating=True) as deployment:
        for platform, account in (("x", "city_hall_x"), ("facebook", "city_hall_facebook")):
            lines = (DATA / "history.jsonl").read_text(encoding="utf-8").splitlines()
            part = home / f"history.{platform}.jsonl"
            part.write_text(
                "\n".join(line for line in lines if json.loads(line)["platform"] == platform), encoding="utf-8"
            )
            import_file(deployment, part, platform=platform, account=account)
            part.unlink()


def _know_people(home: Path, password: str) -> None:
    from cli.people import known_or_new
    from store import passwords, people, sign_in

    with opened(home / "harken.toml", migrating=True) as deployment, deployment.store.writing() as session:
        for email, roles in ((EMAIL, ("approver", "admin")), (SECOND, ("approver",))):
            row = known_or_new(session, email, by="demo")
            for role in roles:
                people.grant(session, row, role, by="demo")
            if row.password_hash is None:
                sign_in.set_password(session, row, passwords.hashed(password), by="demo")


def _run(home: Path, port: int, password: str) -> None:
    from cli.running import serve_all

    _know_people(home, password)
    ready = threading.Event()
    threading.Thread(target=_announce, args=(ready, port, password), daemon=True).start()
    serve_all(home / "harken.toml", ready=ready)


def _announce(ready: threading.Event, port: int, password: str) -> None:
    ready.wait()
    told = {
        "console": f"http://127.0.0.1:{port}/console/",
        "sandbox": f"http://127.0.0.1:{port + 1}/",
        "email": EMAIL,
        "password": password,
    }
    sys.stdout.write(f"READY {json.dumps(told)}\n")
    sys.stdout.flush()
