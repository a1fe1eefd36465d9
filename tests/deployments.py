"""A whole deployment against a sandbox: config, secrets, the demo's city, a migrated store of its own.

``deployment(tmp_path, sandbox, approval={"two_person": True}, accounts={"city_hall_x": {"track": ["#x"]}})``: what is
given is laid over the usual tables, however deep; ``None`` takes a key away.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Protocol

from pipeline.deployment import Deployment, open_deployment
from store import people
from store.people import Principal

DEMO = Path(__file__).parent.parent / "demo"
FILES = ("services.csv", "streets.csv", "neighborhoods.geojson")
X, FACEBOOK = "city_hall_x", "city_hall_facebook"

#: The sandbox's own keys: they open nothing but a sandbox.
SECRETS = {
    "HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN": "sandbox-bearer-token",
    "HARKEN_ACCOUNTS__CITY_HALL_X__CONSUMER_KEY": "sandbox-consumer-key",
    "HARKEN_ACCOUNTS__CITY_HALL_X__CONSUMER_SECRET": "sandbox-consumer-secret",
    "HARKEN_ACCOUNTS__CITY_HALL_X__ACCESS_TOKEN": "sandbox-access-token",
    "HARKEN_ACCOUNTS__CITY_HALL_X__ACCESS_TOKEN_SECRET": "sandbox-access-token-secret",
    "HARKEN_ACCOUNTS__CITY_HALL_FACEBOOK__PAGE_ACCESS_TOKEN": "sandbox-page-token",
    "HARKEN_CRM__API_KEY": "sandbox-api-key",
}


class Served(Protocol):
    """What is needed of a running sandbox."""

    @property
    def url(self) -> str: ...


def usual(url: str) -> dict[str, Any]:
    """The config of Alder Falls, its accounts and its CRM at one address; a slow machine is waited for."""
    return {
        "city": {
            "name": "Alder Falls",
            "reference_prefix": "AF",
            "time_zone": "America/Chicago",
            "languages": ["en", "es"],
            "services": "services.csv",
            "neighborhoods": "neighborhoods.geojson",
            "streets": "streets.csv",
        },
        "calendar": {"hours": {"mon-fri": "08:00-17:00"}, "holidays": "US"},
        "store": {"url": "sqlite:///harken.db"},
        "web": {"host": "127.0.0.1", "port": 8311, "public_url": "http://127.0.0.1:8311"},
        "api": {"service_approvals": True},
        "approval": {"undo_for": "PT0S"},
        "sending": {"settle": "PT1S"},
        "alarms": {"to": [f"{url.replace('http://', 'json://')}/_ctl/alarms"]},
        "accounts": {
            X: {
                "platform": "x",
                "handle": "alderfalls",
                "base_url": url,
                "poll_every": "PT2S",
                "backfill": "P2D",
                "read_within": 60,
                "sending": "armed",
            },
            FACEBOOK: {
                "platform": "facebook",
                "handle": "alderfallscityhall",
                "page_id": "102030405060708",
                "base_url": url,
                "poll_every": "PT3S",
                "backfill": "P2D",
                "read_within": 60,
                "sending": "armed",
            },
        },
        "crm": {"kind": "open311", "base_url": f"{url}/open311/v2", "sending": "armed", "wait": "PT1M"},
    }


def deployment(tmp_path: Path, sandbox: Served, *, store_url: str | None = None, **changes: Any) -> Deployment:
    """A deployment in ``tmp_path/city``; the caller closes its store, or lets the test's end do it.

    ``store_url``: its store; without one, an empty file is migrated.
    """
    if store_url is not None:
        changes = {"store": {"url": store_url}, **changes}
    return open_deployment(written(tmp_path / "city", sandbox.url, **changes), migrating=True)


def written(home: Path, url: str, **changes: Any) -> Path:
    """The config with everything it names beside it; gives its path."""
    home.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(DEMO / name, home / name)
    lines = "".join(f"{name}={value}\n" for name, value in SECRETS.items())
    with os.fdopen(os.open(home / "secrets.env", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(lines)
    config = home / "harken.toml"
    config.write_text(toml(laid_over(usual(url), changes)), encoding="utf-8")
    return config


def laid_over(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The table with the changes in it."""
    merged = dict(table)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = laid_over(merged.get(key, {}), value) if isinstance(value, dict) else value
    return merged


def toml(table: dict[str, Any]) -> str:
    """Tables of texts, numbers, lists and tables as TOML: JSON's texts and lists are TOML's too."""
    return "\n".join(f"{key} = {_inline(value)}" for key, value in table.items()) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)


def principal(held: Deployment, role: str, *, email: str | None = None, account: str | None = None) -> Principal:
    """A person with one role, on one account or everywhere; made once, found again by the e-mail."""
    email = email or f"{role}@alderfalls.example"
    with held.store.writing() as session:
        row = next((row for row, _ in people.everybody(session) if row.email == email), None)
        row = row or people.add_staff(session, email, by="test")
        people.grant(session, row, role, by="test", account=account)
        session.flush()
        return people.principal_of_staff(row, people.grants_of_one(session, row.id))
