"""Wake-ups on PostgreSQL: part of the transaction that asks, one a kind, and Procrastinate's traps kept clear of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Thread

import procrastinate
import pytest
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from errors import ConfigError
from store import migrate, wakeups, work
from store.engine import Store, open_store
from store.tables import AccountRow
from store.types import now


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Store]:
    """A store that many processes may share."""
    store = open_store(postgres_url)
    yield store
    store.close()


def jobs(store: Store) -> list[tuple[str, str]]:
    """The queueing lock and the status of each."""
    with store.engine.connect() as connection:
        found = connection.execute(text("SELECT queueing_lock, status FROM procrastinate_jobs ORDER BY id"))
        return [(lock, status) for lock, status in found]


def count(store: Store, table: str) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def execute(store: Store, *statements: str) -> None:
    with store.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def fetched(store: Store) -> Job | None:
    """What Procrastinate gives a worker of its that registers, takes a job, and is never heard of again."""

    async def take() -> Job | None:
        url = store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=1)
        app = procrastinate.App(connector=connector)
        async with app.open_async():
            manager: JobManager = app.job_manager
            return await manager.fetch_job(queues=[wakeups.QUEUE], worker_id=await manager.register_worker())

    return asyncio.run(take())


def ask(store: Store, kind: str = "assess", ref: int = 1) -> None:
    with store.writing() as session:
        work.put(session, kind, ref)


def test_a_wakeup_is_of_the_transaction_that_asks(shared: Store) -> None:
    def undone() -> None:
        with shared.writing() as session:
            work.put(session, "assess", 1)
            session.add_all([AccountRow(name="twice", platform="x"), AccountRow(name="twice", platform="x")])

    with pytest.raises(IntegrityError):
        undone()
    assert jobs(shared) == []

    ask(shared)

    assert jobs(shared) == [("harken:assess", "todo")]


def test_one_wakeup_a_kind_waits_however_much_is_asked_for(shared: Store) -> None:
    with shared.writing() as session:
        work.put_all(session, "assess", range(200))
        work.put(session, "draft", 1)
    ask(shared, ref=999)

    assert jobs(shared) == [("harken:assess", "todo"), ("harken:draft", "todo")]


def test_what_is_due_later_wakes_nobody_now(shared: Store) -> None:
    with shared.writing() as session:
        work.put(session, "reply", 1, not_before=now() + timedelta(minutes=5))

    assert jobs(shared) == []


def test_a_job_that_was_taken_by_a_dead_worker_keeps_no_other_from_being_asked_for(shared: Store) -> None:
    """Trap: after kill -9 a job stays `doing`, with living workers beside it."""
    ask(shared)
    assert fetched(shared) is not None

    ask(shared, ref=2)

    assert jobs(shared) == [("harken:assess", "doing"), ("harken:assess", "todo")]


def test_what_dead_workers_left_is_deleted_outside_of_the_queue(shared: Store) -> None:
    """Trap: the queue's own reaper is a job, and stalls as others do. Nothing of the queue runs here."""
    ask(shared)
    fetched(shared)
    with shared.writing() as session:
        assert wakeups.tidy(session) == 0, "it may still be alive"
    execute(shared, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '2 minutes'")

    with shared.writing() as session:
        assert wakeups.tidy(session) == 1

    assert jobs(shared) == []
    assert count(shared, "procrastinate_workers") == 0
    with shared.claiming() as session:
        assert len(work.claim(session, "assess", worker="heir", limit=9)) == 1


def test_what_is_over_is_deleted_by_the_page_with_its_events(shared: Store) -> None:
    """Traps: finished rows grow without end, and a start among millions of them is slow."""
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name)"
    execute(
        shared,
        f"{insert} SELECT 'harken', 'harken.wake' FROM generate_series(1, 6000)",
        f"{insert} VALUES ('another program', 'its own')",
        "UPDATE procrastinate_jobs SET status = 'failed'",
    )
    deleted = list[int]()

    while not deleted or deleted[-1]:
        with shared.writing() as session:
            deleted.append(wakeups.tidy(session))

    assert deleted == [5_000, 1_000, 0]
    assert count(shared, "procrastinate_jobs") == 1
    assert count(shared, "procrastinate_events") == 2


def test_two_that_ask_at_once_do_no_harm(shared: Store) -> None:
    """The one that is later by a moment neither fails nor waits for ever: the lock of writers keeps them apart."""
    threads = [Thread(target=ask, args=(shared, "assess", ref)) for ref in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert jobs(shared) == [("harken:assess", "todo")]
    with shared.claiming() as session:
        assert len(work.claim(session, "assess", worker="one", limit=9)) == 6


def test_the_queues_tables_are_laid_with_ours_and_checked(fresh_postgres: Callable[..., str]) -> None:
    store = open_store(fresh_postgres("template0"))
    migrate.upgrade(store)
    migrate.upgrade(store)
    migrate.check(store)

    execute(store, "COMMENT ON TABLE procrastinate_jobs IS '03.02.00_50_post_batch_defer_jobs'")
    with pytest.raises(ConfigError, match="harken db upgrade"):
        migrate.check(store)
    store.close()


def test_the_queues_tables_of_an_older_version_are_brought_up(fresh_postgres: Callable[..., str]) -> None:
    """Laid by Procrastinate's own first migrations, as an older version would have left them."""
    store = open_store(fresh_postgres("template0"))
    older = [script for script in wakeups.scripts() if script.stem < "03.04"]
    for script in older:
        with store.engine.begin() as connection:
            wakeups.run(connection, script)
    migrate.upgrade(store)

    migrate.check(store)
    ask(store)
    assert fetched(store) is not None
    store.close()
