"""A copy of the store that is cut short leaves one store that sends at most, and can be made again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlmodel import Session, col, func, select

from crashing import AT
from store import facts
from store.engine import open_store
from store.tables import AccountRow
from tests.deployments import written

ROOT = Path(__file__).parents[2]


def copy(config: Path, to: Path, *, crash: str = "") -> int:
    """``harken store copy``; gives how it ended."""
    command = [sys.executable, "-m", "cli", "store", "copy", "--to", f"sqlite:///{to}", "--config", str(config)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, AT: crash}, capture_output=True, check=False).returncode


def accounts(session: Session) -> int:
    return session.exec(select(func.count(col(AccountRow.id)))).one()


@pytest.mark.slow
@pytest.mark.parametrize(("point", "stopped"), [("store_copy.copied", False), ("store_copy.source_stopped", True)])
def test_a_copy_that_was_cut_short_is_made_again(tmp_path: Path, migrated: Path, point: str, stopped: bool) -> None:
    config = written(tmp_path / "city", "http://127.0.0.1:9", store={"url": f"sqlite:///{tmp_path / 'harken.db'}"})
    (tmp_path / "harken.db").write_bytes(migrated.read_bytes())
    to = tmp_path / "copy.db"

    assert copy(config, to, crash=f"{point}:1") == -signal.SIGKILL

    source, target = open_store(f"sqlite:///{tmp_path / 'harken.db'}"), open_store(f"sqlite:///{to}")
    with source.reading() as session, target.reading() as other:
        assert (facts.kill_switch(session, platform="x", account="city_hall_x") is not None) == stopped
        assert accounts(other) == 0
    assert copy(config, to) == 0
    with target.reading() as session:
        assert accounts(session) == 2
    source.close()
    target.close()
