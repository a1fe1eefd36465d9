"""From a backup to a store in use, of either kind.

What went out after the backup was taken is unknown to it. So before the target has any of it, every reply and ticket
that was under way is put in doubt, and read back before anything is sent; all sign-ins are ended; and the log says so.
The target gets all of that in one transaction, or stays as it was.
"""

import contextlib
import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, inspect, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col

from errors import ConfigError
from store import audit, backup, clock, copying, facts, migrate
from store.audit import Mark
from store.backup import BadBackup, Manifest
from store.checkpoints import BadCheckpoints, BrokenLog, Checkpoints
from store.doubts import doubt_unfinished
from store.engine import BUSY_TIMEOUT_MS, Store, open_store
from store.tables import WebSessionRow

log = logging.getLogger(__name__)

#: Tables that are filled as soon as a config is opened: rows there are nobody's work.
LAID_OUT = frozenset({"account", "department", "leader", "rollup_due"})
GONE_WITHIN = 5.0  #: seconds that a connection may take to be gone
#: On PostgreSQL everything of ours that is connected, but ourselves.
CONNECTED = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND application_name = 'harken' AND pid <> pg_backend_pid()"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What became of a restore."""

    manifest: Manifest
    in_doubt: int  #: replies and tickets that are read back before anything is sent


def restore(
    target: Store, path: Path, own: Checkpoints, *, folder: Path, settle: timedelta, by: str, replace: bool = False
) -> Restored:
    """Make the backup the store; the caller has the worker's role of a target that is a file.

    Args:
        target: the store of the config.
        path: the backup.
        own: the deployment's checkpoints: what they saw before the backup must be in it.
        folder: where there is room for another copy, which others may not read.
        settle: how long what is in doubt rests before it is read back.
        by: who did it, for the log.
        replace: whether what the target holds may go.

    Raises:
        BadBackup: the file is not what was written, or its log does not hold.
        BadCheckpoints: the file of checkpoints was tampered with.
        ConfigError: the target is in use or holds data, or something can't be read or written.
    """
    manifest = backup.check(path, own)
    _refuse_if_connected(target)
    if not replace:
        _refuse_data(target)
    elif own.is_begun:
        _see_once_more(target, own)
    with _prepared(path, folder) as made:
        _check_log(made, path, manifest, own)
        with made.writing() as session:
            in_doubt = doubt_unfinished(session, until=clock.read(session) + settle)
            _begin_again(session, manifest, in_doubt, by=by)
        _install(made, target)
    own.write(target, restored=manifest.hash)
    log.info("restored %d rows from %s, %d effects in doubt", manifest.rows, path, in_doubt)
    return Restored(manifest=manifest, in_doubt=in_doubt)


def _refuse_if_connected(target: Store) -> None:
    if target.is_sqlite:
        return
    target.engine.dispose()  # our own idle connections, which the server may still show for a moment
    until = time.monotonic() + GONE_WITHIN
    with target.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        while others := connection.execute(text(CONNECTED)).scalar_one():
            if time.monotonic() > until:
                raise ConfigError(
                    f"{_place(target)}: {others} connections of Harken are open there; "
                    "stop every `harken run`, `harken web` and `harken worker` first"
                )
            time.sleep(0.1)


def _refuse_data(target: Store) -> None:
    with target.engine.connect() as connection:
        there = set(inspect(connection).get_table_names())
        for one in SQLModel.metadata.sorted_tables:
            if one.name not in there or one.name in LAID_OUT:
                continue
            if rows := connection.execute(select(func.count()).select_from(one)).scalar_one():
                raise ConfigError(
                    f"{_place(target)}: holds data ({one.name}: {rows} rows); restore into an empty database, or say "
                    "--replace to give up what is there"
                )


def _see_once_more(target: Store, own: Checkpoints) -> None:
    """A last checkpoint of what is given up, if its log holds, so that it can be told how much that was."""
    with contextlib.suppress(BrokenLog, DBAPIError):
        own.write(target)


def _place(target: Store) -> str:
    return target.engine.url.render_as_string(hide_password=True)


@contextmanager
def _prepared(path: Path, folder: Path) -> Iterator[Store]:
    """A copy of the backup as a store of today's schema; gone afterwards."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as place:
        file = Path(place) / "harken.db"
        with backup.written_whole(folder / path.name):
            shutil.copyfile(path, file)
            file.chmod(0o600)
            with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute(f"DROP TABLE {backup.TABLE}")
            made = open_store(f"sqlite:///{file}")
            migrate.upgrade(made)
        try:
            yield made
        finally:
            made.close()


def _check_log(made: Store, path: Path, manifest: Manifest, own: Checkpoints) -> None:
    """The log must hold, and be the one that was seen: a backup could have been written anew as a whole."""
    marks: list[Mark] = []
    if own.is_begun:
        seen = own.read(own.public_key())
        if seen.bad_line is not None:
            raise BadCheckpoints(f"{own.file}, line {seen.bad_line}: {seen.why}")
        marks = [mark for mark in seen.marks if mark.seq <= manifest.entries]
    with made.reading() as session:
        verdict = audit.verify(session, marks=marks)
    if not verdict.holds:
        raise BadBackup(f"{path}: entry {verdict.first_bad} of the audit log in it is bad: {verdict.why}")


def _begin_again(session: Session, manifest: Manifest, in_doubt: int, *, by: str) -> None:
    moment = clock.read(session)
    session.execute(update(WebSessionRow).where(col(WebSessionRow.ended_at).is_(None)).values(ended_at=moment))
    facts.remember(session, facts.RESTORED, {"at": moment.isoformat(), "backup_of": manifest.made_at}, by=by)
    audit.append(
        session,
        by=by,
        action="store.restored",
        subject=f"entry:{manifest.entries}",
        hashes={"backup": manifest.hash, "head": manifest.head, "in_doubt": str(in_doubt)},
    )


def _install(made: Store, target: Store) -> None:
    if target.is_sqlite:
        with backup.written_whole(Path(target.engine.url.database or "")):
            _over_the_file(made, target)
        return
    migrate.upgrade(target)
    names = ", ".join(f'"{one.name}"' for one in SQLModel.metadata.sorted_tables)
    with target.writing() as session:
        target.take_time(session)
        # Who owns the database may empty the log, and must say so: the entry of this restore and its checkpoint do.
        session.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        session.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        session.execute(text("ALTER TABLE audit ENABLE TRIGGER USER"))
        with made.reading() as source:
            copying.transfer(source, session)


def _over_the_file(made: Store, target: Store) -> None:
    """Every page, in one transaction of the target: whoever has it open goes on with what it holds now."""
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000

    def give_up(_status: int, _remaining: int, _total: int) -> None:
        if time.monotonic() > until:
            raise ConfigError(f"{_place(target)}: is in use; stop what works on it first")

    with made.engine.connect() as told, target.engine.connect() as written:
        source, file = told.connection.dbapi_connection, written.connection.dbapi_connection
        assert isinstance(source, sqlite3.Connection)
        assert isinstance(file, sqlite3.Connection)
        source.backup(file, progress=give_up)
    target.engine.dispose()
    target.forget_freed_pages()
