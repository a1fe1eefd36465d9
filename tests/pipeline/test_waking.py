"""What wakes a worker: in its process, and over PostgreSQL by Procrastinate, whose traps catch nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from pipeline import waking
from store import work
from store.engine import Store, open_store
from tests.pipeline.city import wait_for


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Store]:
    store = open_store(postgres_url)
    yield store
    store.close()


@pytest.fixture
def queue(shared: Store) -> Iterator[waking.Queue]:
    url = shared.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    listening = waking.Queue(url)
    listening.start()
    wait_for(lambda: rows(shared, "SELECT id FROM procrastinate_workers"))
    yield listening
    listening.stop()


def rows(store: Store, query: str) -> list[object]:
    with store.engine.connect() as connection:
        return list(connection.execute(text(query)).scalars())


def execute(store: Store, statement: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(statement))


def ask(store: Store, ref: int) -> None:
    with store.writing() as session:
        work.put(session, "assess", ref)


@contextmanager
def woken(waker: waking.Waker) -> Iterator[threading.Event]:
    """Set as soon as somebody who rests is woken."""
    waker.wait(0)
    up = threading.Event()

    def rest() -> None:
        waker.wait(120)
        up.set()

    resting = threading.Thread(target=rest)
    resting.start()
    yield up
    waker.wake()
    resting.join()


def test_a_call_before_the_rest_is_not_lost_and_each_thread_hears_it() -> None:
    waker = waking.InProcess()
    waker.wake()

    with woken(waker) as first, woken(waker) as second:
        waker.wake()
        wait_for(first.is_set)
        wait_for(second.is_set)


def test_who_asks_for_work_wakes_a_worker_and_no_job_stays(shared: Store, queue: waking.Queue) -> None:
    with woken(queue) as up:
        ask(shared, 1)
        wait_for(up.is_set)

    wait_for(lambda: rows(shared, "SELECT id FROM procrastinate_jobs") == [])
    assert rows(shared, "SELECT id FROM procrastinate_events") == []


def test_a_job_that_fails_is_not_tried_again_by_the_queue(shared: Store, queue: waking.Queue) -> None:
    """Trap: its pauses are 0 by default, so it would be tried at once, and for ever."""
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
    execute(
        shared, f"""{insert} VALUES ('harken', 'harken.wake', '{{"nonsense": 1}}'), ('harken', 'no.such', '{{}}')"""
    )

    wait_for(lambda: rows(shared, "SELECT id FROM procrastinate_jobs") == [])
    with woken(queue) as up:
        ask(shared, 1)
        wait_for(up.is_set)


def test_a_worker_that_was_taken_for_dead_is_woken_again(shared: Store, queue: waking.Queue) -> None:
    """Trap: a process that stood still is deleted, and would never hear of anything again."""
    before = rows(shared, "SELECT id FROM procrastinate_workers")
    execute(shared, "DELETE FROM procrastinate_workers")
    ask(shared, 1)

    wait_for(lambda: rows(shared, "SELECT id FROM procrastinate_workers") not in ([], before))
    with woken(queue) as up:
        ask(shared, 2)
        wait_for(up.is_set)


def test_a_broken_connection_is_made_anew(shared: Store, queue: waking.Queue) -> None:
    broken = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'harken wake-ups'"
    assert rows(shared, broken)

    def woken_again() -> bool:
        with woken(queue) as up:
            ask(shared, 1)
            return up.wait(2)

    wait_for(woken_again)


def test_a_worker_that_stops_is_forgotten(shared: Store, queue: waking.Queue) -> None:
    queue.stop()

    assert rows(shared, "SELECT id FROM procrastinate_workers") == []
