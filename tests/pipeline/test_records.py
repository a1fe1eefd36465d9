"""Checkpoints in time: written when they are due, and what hinders them is put before people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from pipeline import records
from pipeline.deployment import Deployment, open_deployment
from store import audit
from store.tables import AttentionRow
from tests.deployments import written
from tests.fixtures.stores import execute
from tests.fixtures.stores import execute_unchecked as tamper


@pytest.fixture
def held(tmp_path: Path, store_url: str) -> Iterator[Deployment]:
    """A deployment for which a checkpoint is always due."""
    config = written(
        tmp_path / "city",
        "http://127.0.0.1:9",
        store={"url": store_url},
        audit={"checkpoints": "elsewhere/marks", "checkpoint_every": "PT0.001S"},
    )
    deployment = open_deployment(config)
    yield deployment
    deployment.close()


def decide(held: Deployment) -> None:
    with held.store.writing() as session:
        audit.append(session, by="ana", action="draft.approved", subject="draft:1")


def seen(held: Deployment) -> list[int]:
    own = records.checkpoints_of(held.settings)
    return [one.seq for one in own.read(own.public_key()).checkpoints]


def put_before_people(held: Deployment) -> list[str]:
    with held.store.reading() as session:
        open_rows = select(AttentionRow.summary).where(
            AttentionRow.kind == records.KIND, col(AttentionRow.closed_at).is_(None)
        )
        return list(session.exec(open_rows))


def test_a_checkpoint_is_written_when_it_is_due(held: Deployment) -> None:
    usual = held.settings
    hourly = usual.audit.model_copy(update={"checkpoint_every": timedelta(hours=1)})
    decide(held)
    records.checkpoint_if_due(held)
    decide(held)

    held.settings = usual.model_copy(update={"audit": hourly})
    records.checkpoint_if_due(held)
    assert seen(held) == [1]

    held.settings = usual
    records.checkpoint_if_due(held)
    assert seen(held) == [1, 2]


def test_a_log_that_does_not_hold_is_put_before_people(held: Deployment) -> None:
    decide(held)
    records.checkpoint_if_due(held)
    decide(held)
    decide(held)
    tamper(held.store, "UPDATE audit SET action = 'x' WHERE seq = 2")

    records.checkpoint_if_due(held)

    assert put_before_people(held) == ["entry 2 of the audit log is bad: it was changed"]
    tamper(held.store, "UPDATE audit SET action = 'draft.approved' WHERE seq = 2")
    records.checkpoint_if_due(held)
    assert put_before_people(held) == []


def test_a_log_that_nothing_guards_any_more_is_told_though_every_entry_holds(held: Deployment) -> None:
    decide(held)
    own = records.checkpoints_of(held.settings)
    assert records.prove(held.store, own).holds

    gone = "audit_no_delete" if held.store.is_sqlite else "audit_no_truncate"
    execute(held.store, f"DROP TRIGGER {gone}" if held.store.is_sqlite else f"ALTER TABLE audit DISABLE TRIGGER {gone}")

    proof = records.prove(held.store, own)
    assert proof.verdict.holds
    assert proof.guards_missing == (gone,)
    assert proof.faults[0].startswith(f"nothing keeps the log from being changed: its triggers {gone} were dropped")
