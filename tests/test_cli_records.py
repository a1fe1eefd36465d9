"""``verify-audit``, ``backup`` and ``restore`` as they are called."""

from __future__ import annotations

import fcntl
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from errors import ConfigError

ROOT = Path(__file__).parents[1]
CONFIG = '[city]\nname = "Alder Falls"\nreference_prefix = "AF"\nservices = "services.csv"\n'

Harken = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, migrated: Path) -> Path:
    """The folder of a city with one member of staff."""
    home = tmp_path / "city"
    home.mkdir()
    (home / "harken.toml").write_text(CONFIG)
    shutil.copyfile(ROOT / "templates" / "starting" / "services.csv", home / "services.csv")
    shutil.copyfile(migrated, home / "harken.db")
    return home


@pytest.fixture
def harken(home: Path) -> Harken:
    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [*map(str, arguments), "--config", str(home / "harken.toml")])

    assert call("staff", "add", "ann@example.gov", "--role", "approver").exit_code == 0
    return call


def tamper(home: Path, statement: str) -> None:
    """As somebody could who owns the database, and covers the traces."""
    with sqlite3.connect(home / "harken.db") as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        for _, made in triggers:
            connection.execute(made)
    connection.close()


def told(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_verify_audit_signs_what_holds_and_finds_the_tail_that_is_cut_off_later(home: Path, harken: Harken) -> None:
    signed = harken("verify-audit", "--checkpoint")
    assert signed.exit_code == 0
    assert "1 checkpoints" in signed.stdout
    assert (home / "audit.key").stat().st_mode & 0o777 == 0o600

    tamper(home, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")

    found = harken("verify-audit")
    assert found.exit_code == 1
    assert found.stderr.count("\n") == 1
    assert "is missing, and all after it: a checkpoint saw" in found.stderr
    in_json = told(harken("verify-audit", "--json"))
    assert in_json["holds"] is False
    assert in_json["first_bad"] == in_json["entries"] + 1 == in_json["checkpoints"]["newest"]["seq"]


def test_what_does_not_hold_is_not_signed(home: Path, harken: Harken) -> None:
    tamper(home, "UPDATE audit SET action = 'x' WHERE seq = 1")

    assert harken("verify-audit", "--checkpoint").exit_code == 1

    assert not (home / "audit.checkpoints").exists()


def test_copies_kept_elsewhere_find_what_was_replaced_here(home: Path, harken: Harken, tmp_path: Path) -> None:
    harken("verify-audit", "--checkpoint")
    for name in ("audit.checkpoints", "audit.pub"):
        shutil.copyfile(home / name, tmp_path / name)
    for name in ("audit.checkpoints", "audit.key", "audit.pub"):
        (home / name).unlink()
    tamper(home, "DELETE FROM audit WHERE seq > 1")
    assert harken("verify-audit", "--checkpoint").exit_code == 0  # everything here was replaced

    copies = ("--against", tmp_path / "audit.checkpoints", "--public-key", tmp_path / "audit.pub")
    found = harken("verify-audit", *copies)

    assert found.exit_code == 1
    assert "entry 2 is bad" in found.stderr
    forged = harken("verify-audit", "--public-key", tmp_path / "audit.pub")
    assert "line 1 is bad: it is not signed by the key" in forged.stderr


@pytest.mark.parametrize("option", ["--against", "--public-key"])
def test_a_copy_that_is_not_there_is_told(harken: Harken, option: str, tmp_path: Path) -> None:
    assert isinstance(harken("verify-audit", option, tmp_path / "nowhere").exception, ConfigError)


def test_a_file_of_checkpoints_that_is_gone_is_told(home: Path, harken: Harken) -> None:
    harken("verify-audit", "--checkpoint")
    (home / "audit.checkpoints").unlink()

    found = harken("verify-audit")

    assert (found.exit_code, "is gone" in found.stderr) == (1, True)


def test_a_backup_is_restored_and_the_log_tells_of_both(home: Path, harken: Harken, tmp_path: Path) -> None:
    made = told(harken("backup", tmp_path / "one.backup", "--json"))
    assert harken("staff", "add", "bob@example.gov", "--role", "viewer").exit_code == 0
    assert "bob@" in harken("staff", "list").stdout

    refused = harken("restore", tmp_path / "one.backup")
    assert "--replace" in str(refused.exception)
    restored = harken("restore", tmp_path / "one.backup", "--replace")

    assert restored.exit_code == 0, restored.exception
    assert "bob@" not in harken("staff", "list").stdout
    proof = harken("verify-audit")
    assert proof.exit_code == 0
    assert f"entries {made['entries'] + 1} to " in proof.stdout
    assert not list(home.glob(".restore-*"))


def test_nothing_is_restored_while_a_worker_has_the_store(home: Path, harken: Harken, tmp_path: Path) -> None:
    harken("backup", tmp_path / "one.backup")

    with (home / "harken.db.worker").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = harken("restore", tmp_path / "one.backup", "--replace")

    assert "stop that one first" in str(refused.exception)


def test_a_backup_of_a_log_that_does_not_hold_says_so(home: Path, harken: Harken, tmp_path: Path) -> None:
    tamper(home, "UPDATE audit SET action = 'x' WHERE seq = 1")

    made = harken("backup", tmp_path / "one.backup")

    assert made.exit_code == 1
    assert "the backup was written, but entry 1 is bad" in made.stderr
    assert (tmp_path / "one.backup").exists()
