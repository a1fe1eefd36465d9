"""A city that moves to another database goes on where it was, and sends nothing twice."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from store import audit, copying
from store.tables import ReplyRow, TicketRow, WorkRow
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened


@pytest.fixture
def elsewhere(store_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database with nothing in it, of the other kind."""
    if store_url.startswith("sqlite"):
        url: str = request.getfixturevalue("fresh_postgres")("template0")
        return url
    return f"sqlite:///{tmp_path / 'copy.db'}"


def copied(city: City, to: str, *more: str) -> Result:
    return CliRunner().invoke(app, ["store", "copy", "--to", to, "--config", str(city.deployment.settings.file), *more])


def test_a_city_that_moves_loses_nothing_and_sends_nothing_twice(open_city: Opened, elsewhere: str) -> None:
    city = open_city()
    unconfirmed = city.report("There is a pothole at 520 Elm Street", author="ann_oak")
    city.approve(unconfirmed, parts=["reply"])
    city.work_until(lambda: city.get(unconfirmed).state == "sent")
    undecided = city.report("The streetlight at 12 Oak Street is out", author="bob_elm")
    waiting = city.report("There is a pothole at 120 Oak Street", author="cy_ash")
    city.execute("UPDATE reply SET state = 'sending', post_id = NULL, sent_at = NULL, not_before = :past")
    city.execute("UPDATE draft SET state = 'sending' WHERE state = 'sent'")
    city.execute("UPDATE work SET state = 'leased', lease_until = :past WHERE kind = 'reply'")
    city.approve(waiting, parts=["reply", "request"])
    with city.reading() as session:
        before = copying.sums(session)

    answer = copied(city, elsewhere, "--json")

    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert {name: one["checksum"] for name, one in told["tables"].items()} == {
        name: one.checksum for name, one in before.items()
    }
    assert told["tables"]["mention"]["rows"] == 3
    moved = open_city(store={"url": elsewhere})
    assert {row.state for row in moved.all(ReplyRow)} == {"in_doubt"}
    assert {row.state for row in moved.all(TicketRow)} == {"in_doubt"}
    assert told["in_doubt"] == 3
    assert {row.state for row in moved.all(WorkRow, WorkRow.kind == "reply")} == {"ready"}
    assert len(moved.replies()) == 1, "nothing goes out before it was read back"
    moved.work_until(lambda: moved.get(unconfirmed).state == moved.get(waiting).state == "sent")
    assert len(moved.replies()) == 2
    assert len(moved.tickets()) == 1
    moved.approve(undecided, parts=["reply"])
    moved.work_until(lambda: moved.get(undecided).state == "sent")
    with moved.reading() as session:
        assert audit.verify(session).holds


def test_the_store_that_was_copied_sends_nothing_more(city: City, elsewhere: str) -> None:
    draft = city.report()
    city.approve(draft, parts=["reply"])

    answer = copied(city, elsewhere)

    assert answer.exit_code == 0, answer.output
    assert "the same on both sides" in answer.output
    city.execute("UPDATE work SET not_before = :past")
    city.work()
    assert city.replies() == []
    assert city.get(draft).state == "approved"


@pytest.mark.only_on("sqlite")
def test_a_store_with_a_worker_is_not_copied(city: City, elsewhere: str) -> None:
    with open(f"{city.deployment.store.engine.url.database}.worker", "w") as role:
        fcntl.flock(role, fcntl.LOCK_EX)

        answer = copied(city, elsewhere)

    assert "stop that one first" in str(answer.exception)
