"""A token that died: its account says so, every other account goes on, and nothing said meanwhile is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from pipeline import rounds
from pipeline.deployment import Deployment, account_row
from sandbox.running import Running
from store.tables import AccountRow, AttentionRow, MentionRow
from tests.deployments import FACEBOOK, X, deployment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def city(network: Running, tmp_path: Path, store_url: str) -> Iterator[Deployment]:
    network.ctl.reset()
    held = deployment(tmp_path, network, store_url=store_url)
    rounds.poll(held)
    yield held
    held.store.close()


def account(city: Deployment, name: str) -> AccountRow:
    with city.store.reading() as session:
        return account_row(session, name)


def heard(city: Deployment) -> set[str]:
    with city.store.reading() as session:
        return set(session.exec(select(MentionRow.post_id)))


def concerns(city: Deployment) -> list[AttentionRow]:
    with city.store.reading() as session:
        return list(session.exec(select(AttentionRow)))


@pytest.mark.parametrize(
    ("target", "dead", "alive", "platform", "other"),
    [("x", X, FACEBOOK, "x", "facebook"), ("facebook", FACEBOOK, X, "facebook", "x")],
    ids=["x", "facebook"],
)
def test_one_dead_token_stops_no_other_account_and_loses_nothing(
    network: Running, city: Deployment, target: str, dead: str, alive: str, platform: str, other: str
) -> None:
    network.ctl.faults(target, "dead_token", count=-1)
    meanwhile = {network.ctl.post(f"Pothole {n}", platform=platform) for n in range(3)}
    elsewhere = {network.ctl.post(f"Pothole {n}", platform=other) for n in range(3)}

    told = {one.account: one for one in rounds.poll(city)}

    assert (told[dead].error or "").startswith("Unauthorized")
    assert told[alive].error is None
    assert heard(city) == elsewhere
    assert (account(city, dead).state, account(city, alive).state) == ("unauthorized", "ok")
    (concern,) = concerns(city)
    assert (concern.kind, concern.ref) == ("account", dead)
    assert "token" not in concern.summary.replace("access token", "")
    assert "secrets.env" in concern.remedy

    network.ctl.clear_faults()
    rounds.poll(city)

    assert heard(city) == elsewhere | meanwhile
    assert account(city, dead).state == "ok"
    (concern,) = concerns(city)
    assert concern.outcome == "resolved"


@pytest.mark.slow
def test_poll_by_hand_tells_it_in_a_line_and_exits_1(network: Running, city: Deployment) -> None:
    network.ctl.faults("facebook", "dead_token", count=-1)
    post = network.ctl.post("Pothole on Elm")

    done = subprocess.run(
        [sys.executable, "-m", "cli", "poll", "--config", str(city.settings.file)],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    lines = {line.split(":")[0]: line for line in done.stdout.splitlines()}
    assert "failed: Unauthorized" in lines[FACEBOOK]
    assert "1 new" in lines[X]
    assert "sandbox-page-token" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert post in heard(city)
