"""Wake-ups on PostgreSQL: Procrastinate's jobs, enqueued in the transaction that writes the work rows they are about.

A job is a hint and nothing else: the work rows are looked at without it, and whoever runs it twice or late finds in
them what there is to do. So no job is ever retried, one that hangs is deleted, and none is kept when it is over.
docs/decisions/0010 says which of Procrastinate's ways this keeps clear of.
"""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlmodel import Session

from errors import ConfigError

if TYPE_CHECKING:
    from store.engine import Store

QUEUE = "harken"
TASK = "harken.wake"
#: The session's note of the kinds for which something was asked that is due now; ``Store.writing`` wakes for them.
ASKED = "asked_for"
#: Seconds without a sign of life after which a process's part in the queue is taken for dead; it gives one every 10.
STALE = 40.0
DELETED_AT_ONCE = 5_000

_WAITING = text("SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(:locks)")
_SCHEMA = text(
    "SELECT to_regclass('procrastinate_jobs'), obj_description(to_regclass('procrastinate_jobs'), 'pg_class')"
)
_PRUNE_WORKERS = text("SELECT count(*) FROM procrastinate_prune_stalled_workers_v1(:seconds)")
#: Those of a process that is gone, and those that are over: nothing deletes them else.
_DELETE = text(
    """DELETE FROM procrastinate_jobs WHERE id IN (
        SELECT id FROM procrastinate_jobs
        WHERE queue_name = :queue AND (
            (status = 'doing' AND worker_id IS NULL) OR status IN ('succeeded', 'failed', 'cancelled', 'aborted'))
        ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED)"""
)


def ask(session: Session, kinds: Iterable[str]) -> None:
    """Enqueue a wake-up for each kind for which none waits; it is seen when the transaction commits, or never."""
    from procrastinate import exceptions

    locks = {f"{QUEUE}:{kind}": kind for kind in sorted(kinds)}
    waiting = set(session.execute(_WAITING, {"locks": list(locks)}).scalars())
    missing = {lock: kind for lock, kind in locks.items() if lock not in waiting}
    if not missing:
        return
    try:
        with session.begin_nested():
            _enqueue(session, missing)
    except exceptions.AlreadyEnqueued:
        return  # somebody was quicker, and asked the same


def _enqueue(session: Session, missing: dict[str, str]) -> None:
    from procrastinate.jobs import Job
    from procrastinate.manager import JobManager
    from procrastinate.sync_psycopg_connector import SyncPsycopgConnector

    jobs = [
        Job(queue=QUEUE, lock=None, queueing_lock=lock, task_name=TASK, task_kwargs={"kind": kind})
        for lock, kind in missing.items()
    ]
    ours: Any = session.connection().connection.driver_connection
    JobManager(SyncPsycopgConnector()).batch_defer_jobs(jobs, connection=ours)


def tidy(session: Session) -> int:
    """Delete what a process that is gone left behind, and what is over; gives how many jobs, a page at most.

    Done by the leader's clock, outside of the queue: Procrastinate's own way is a job, and stalls like any other.
    """
    session.execute(_PRUNE_WORKERS, {"seconds": STALE})
    deleted: Any = session.execute(_DELETE, {"queue": QUEUE, "most": DELETED_AT_ONCE})
    return int(deleted.rowcount)


def lay(store: "Store") -> None:
    """Make Procrastinate's tables, or bring them to the version that is installed.

    It keeps no record of how far its own migrations went, so that is noted on its table.

    Raises:
        ConfigError: it is not installed.
    """
    known = scripts()
    with store.engine.begin() as connection:
        there, noted = connection.execute(_SCHEMA).one()
        if there is None:
            from procrastinate.schema import SchemaManager

            _execute(connection, SchemaManager.get_schema())
            _note(connection, known[-1])
            return
    for script in known:
        if script.stem > (noted or ""):
            with store.engine.begin() as connection:
                run(connection, script)


def check(store: "Store") -> None:
    """Refuse tables of another version than is installed.

    Raises:
        ConfigError: with the command to run.
    """
    newest = scripts()[-1].stem
    with store.engine.connect() as connection:
        noted = connection.execute(_SCHEMA).one()[1]
    if noted is None or noted < newest:  # a newer one serves an older library: its tables only ever gain
        raise ConfigError(
            f"the database has the queue's tables of {noted or 'no version'}, Procrastinate {version('procrastinate')} "
            f"needs {newest}: run `harken db upgrade`"
        )


def scripts() -> list[Path]:
    """Procrastinate's own migrations, the oldest first.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from procrastinate.schema import SchemaManager
    except ModuleNotFoundError as err:
        raise ConfigError(
            f"PostgreSQL needs the package {err.name!r} to wake the workers: pip install 'harken[scale]'"
        ) from err
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def run(connection: Connection, script: Path) -> None:
    """Run one of them, and note that."""
    _execute(connection, script.read_text(encoding="utf-8"))
    _note(connection, script)


def _execute(connection: Connection, script: str) -> None:
    connection.execution_options(no_parameters=True).exec_driver_sql(script)


def _note(connection: Connection, script: Path) -> None:
    connection.exec_driver_sql(f"COMMENT ON TABLE procrastinate_jobs IS '{script.stem}'")
