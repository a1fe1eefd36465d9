"""How fast work rows go through a worker on PostgreSQL, beside Procrastinate doing jobs that do nothing.

Both on one server without ``fsync``, which is the same for both and flatters both. The table holds 200,000 finished
rows already. A row is claimed with its page and finished with its page, in a transaction each, as a worker does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from multiprocessing import get_context

import procrastinate
import psycopg

from store import migrate, work
from store.engine import Store, open_store
from store.tables import WorkRow
from tests.bench.figures import Figure, figure
from tests.fixtures import postgres_server

DONE = 200_000
ROWS = 10_000  #: in each run
PAGE = 100
RUNS = 5
JOBS = 1_000
SIDE_BY_SIDE = 2


def queueing() -> list[Figure]:
    """Rows a second from claim to finish, in one process and in two, and no-op jobs a second."""
    with postgres_server.running() as server:
        with psycopg.connect(host=str(server.folder), user="harken", dbname="postgres", autocommit=True) as asking:
            asking.execute("CREATE DATABASE queueing TEMPLATE template0")
        url = server.url("queueing")
        store = open_store(url)
        migrate.upgrade(store)
        _fill(store)
        alone = [_together(store, url, 1) for _ in range(RUNS)]
        together = [_together(store, url, SIDE_BY_SIDE) for _ in range(RUNS)]
        jobs = list(_jobs(store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)))
        store.close()
    note = f"pages of {PAGE}, {DONE:,} finished rows in the table, PostgreSQL without fsync"
    return [
        figure("claim to finish, one worker process", "work rows/s", alone, note),
        figure(f"claim to finish, {SIDE_BY_SIDE} worker processes together", "work rows/s", together, note),
        figure("Procrastinate alone, one worker process", "no-op jobs/s", jobs, "same server"),
    ]


def _fill(store: Store) -> None:
    columns = "kind, ref, state, attempt, fence, not_before, created_at"
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            f"INSERT INTO {WorkRow.__tablename__} ({columns})"
            f" SELECT 'old', g, 'done', 1, 1, now(), now() FROM generate_series(1, {DONE}) AS g"
        )
        connection.exec_driver_sql("VACUUM ANALYZE work")


def _together(store: Store, url: str, processes: int) -> float:
    """Rows a second that so many processes do, from when the first begins to when the last ends."""
    with store.writing() as session:
        work.put_all(session, "bench", range(ROWS))
    spawned = get_context("spawn")
    ready = spawned.Barrier(processes)
    with spawned.Pool(processes, initializer=_be_ready, initargs=(ready, url)) as pool:
        spans = pool.map(_work, range(processes), chunksize=1)
    done = sum(rows for _, _, rows in spans)
    assert done == ROWS, f"{done} of {ROWS} rows were done"
    return ROWS / (max(end for _, end, _ in spans) - min(began for began, _, _ in spans))


_ready: list[object] = []


def _be_ready(*given: object) -> None:
    _ready[:] = given


def _work(number: int) -> tuple[float, float, int]:
    """One worker process until nothing is due: when it began and ended, on the machine's clock, and how much it did."""
    barrier, url = _ready
    store = open_store(str(url))
    with store.claiming() as session:  # connected, and its statements compiled
        work.finish(session, work.claim(session, "nothing", worker=f"bench {number}", limit=PAGE))
    barrier.wait()  # type: ignore[attr-defined]
    began, done = time.monotonic(), 0
    while True:
        with store.claiming() as session:
            page = work.claim(session, "bench", worker=f"bench {number}", limit=PAGE)
        if not page:
            break
        with store.claiming() as session:
            done += work.finish(session, page)
    ended = time.monotonic()
    store.close()
    return began, ended, done


def _jobs(conninfo: str) -> Iterator[float]:
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    for _ in range(RUNS):
        yield JOBS / asyncio.run(_do_nothing(conninfo))


async def _do_nothing(conninfo: str) -> float:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4))

    @app.task(name="bench.nothing", queue="bench")
    async def nothing() -> None:
        return

    async with app.open_async():
        await nothing.batch_defer_async(*({} for _ in range(JOBS)))
        began = time.monotonic()
        await app.run_worker_async(
            queues=["bench"], wait=False, install_signal_handlers=False, listen_notify=False, delete_jobs="always"
        )
        return time.monotonic() - began
