"""A city for each test: one sandbox for all, a store of its own, real adapters between; intents come from a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.deployment import Deployment
from sandbox.running import Running, running
from tests.deployments import DEMO, FACEBOOK, X, deployment, laid_over, principal
from tests.fakes import ScriptedClassifier
from tests.pipeline.city import City

#: Far longer than a loaded machine needs for a call or a claim: no doubt ends by itself, only by ``City.settle``.
SETTLE = "PT5M"
#: Only a fault that holds a call back makes a test wait as long.
PATIENT = {"read_within": 60}
USUAL: dict[str, Any] = {
    "sending": {"settle": SETTLE},
    "alarms": {"to": []},
    "accounts": {X: PATIENT, FACEBOOK: PATIENT},
    "crm": PATIENT,
}

Opened = Callable[..., City]


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with running(seed=json.loads((DEMO / "seed.json").read_text(encoding="utf-8"))) as started:
        yield started


@pytest.fixture
def open_city(tmp_path: Path, server: Running, store_url: str) -> Iterator[Opened]:
    """Opens a city with other settings than the usual, or opens it again."""
    opened: list[Deployment] = []

    def make(**changes: Any) -> City:
        held = deployment(tmp_path, server, store_url=store_url, **laid_over(USUAL, changes))
        opened.append(held)
        held.classifier = scripted = ScriptedClassifier()
        who = principal(held, "approver")
        return City(deployment=held, ctl=server.ctl, classifier=scripted, who=who)

    server.ctl.reset()
    yield make
    for held in opened:
        held.store.close()


@pytest.fixture
def city(open_city: Opened) -> City:
    return open_city()
