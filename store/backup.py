"""A backup: the whole store at one moment, as one SQLite file that says what must be in it.

Of a SQLite store it is the database's own online copy, of PostgreSQL every table out of one snapshot: neither stops
whoever writes meanwhile. The file appears under its name when it is whole and on the disk, or not at all. In it stands
its manifest: schema, where the log ends, rows and checksum of each table; signed with the key of the checkpoints.
"""

import contextlib
import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import DBAPIError

from errors import ConfigError, HarkenError
from store import audit, checkpoints, copying, migrate
from store.checkpoints import Checkpoints
from store.engine import Store, open_store
from store.types import now

FORMAT = 1
#: Beside our own tables; dropped when the file becomes a store again.
TABLE = "harken_backup"
#: Before what is signed, so that the signature can never pass for one over a checkpoint.
PURPOSE = b"harken backup\n"
#: What SQLite and a migration put beside a database while it is written.
BESIDE = ("", "-wal", "-shm", "-journal", ".migrating")


class BadBackup(HarkenError):
    """The file is not the backup that was written, or not one that this store can be restored from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """What a table holds, whatever the order of its rows."""

    rows: int
    checksum: str  #: hex; of its columns' names and the sum of the SHA-256 of each row, modulo 2^256


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What must be in a backup."""

    format: int
    made_at: str  #: ISO 8601, UTC
    schema: str
    entries: int  #: up to which the log holds
    head: str
    log_fault: str  #: what is wrong with the log that was backed up; empty where it holds
    tables: dict[str, Sum]

    @property
    def hash(self) -> str:
        """A name for this very backup: the SHA-256 of its manifest."""
        return hashlib.sha256(_written(self)).hexdigest()

    @property
    def rows(self) -> int:
        """All rows of all tables."""
        return sum(one.rows for one in self.tables.values())


def make(store: Store, path: Path, own: Checkpoints) -> Manifest:
    """Write the backup of a store that may be in use.

    Raises:
        ConfigError: there is such a file already, or it can't be written; nothing is left of it then.
    """
    if path.exists():
        raise ConfigError(f"{path}: is there already; a backup never replaces a file: name another")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with written_whole(partial):
            _copy(store, partial)
            manifest = _sign(partial, own)
            _to_disk(partial)
            partial.rename(path)
            _to_disk(path.parent)
    finally:
        _discard(partial)
    return manifest


@contextmanager
def written_whole(file: Path) -> Iterator[None]:
    """Say plainly why a file could not be written, whichever layer found out.

    Raises:
        ConfigError: with the file, the cause and the remedy.
    """
    try:
        yield
    except (OSError, sqlite3.Error, DBAPIError) as err:
        cause = err.orig if isinstance(err, DBAPIError) else err
        full = getattr(cause, "errno", None) in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} or "full" in str(cause)
        why = "the disk is full" if full else getattr(cause, "strerror", None) or str(cause)
        raise ConfigError(f"{file.parent}: nothing was written: {why}; make room there, or name another place") from err


def _copy(store: Store, file: Path) -> None:
    """All of the store as it is at one moment, into a file that only we may read."""
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if store.is_sqlite:
        with contextlib.closing(sqlite3.connect(file)) as target, store.engine.connect() as held:
            raw = held.connection.dbapi_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.backup(target)  # in one step, so within one transaction: it is one moment
        return
    made = open_store(f"sqlite:///{file}")
    try:
        migrate.upgrade(made)
        with store.reading() as source, made.writing() as target:
            store.take_time(source)
            copying.transfer(source, target)
    finally:
        made.close()


def _sign(file: Path, own: Checkpoints) -> Manifest:
    made = open_store(f"sqlite:///{file}")
    try:
        with made.reading() as session:
            verdict = audit.verify(session)
    finally:
        made.close()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
        manifest = Manifest(
            format=FORMAT,
            made_at=now().isoformat(timespec="seconds"),
            schema=connection.execute("SELECT version_num FROM alembic_version").fetchone()[0],
            entries=verdict.entries,
            head=verdict.head,
            log_fault="" if verdict.holds else f"entry {verdict.first_bad} is bad: {verdict.why}",
            tables=_sums(connection),
        )
        connection.execute(f"CREATE TABLE {TABLE} (manifest TEXT NOT NULL, signature BLOB NOT NULL, key TEXT NOT NULL)")
        signed = (_written(manifest).decode(), own.sign(PURPOSE + _written(manifest)), own.fingerprint())
        connection.execute(f"INSERT INTO {TABLE} VALUES (?, ?, ?)", signed)
    return manifest


def check(path: Path, own: Checkpoints) -> Manifest:
    """What must be in a backup, after looking that it is.

    Raises:
        BadBackup: it is damaged, was changed, is signed by another's key, or is of a newer Harken.
        ConfigError: it can't be read.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    url = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(url, uri=True)) as connection:
            manifest, signature, key = _manifest(connection, path)
            _check_key(path, manifest, signature, key, own)
            if manifest.schema not in migrate.known():
                raise BadBackup(f"{path}: has schema {manifest.schema}, of a newer Harken: install that one first")
            if (found := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise BadBackup(f"{path}: is damaged: {found}")
            _compare(path, manifest.tables, _sums(connection))
    except sqlite3.Error as err:
        raise BadBackup(f"{path}: is damaged, or no backup of Harken: {err}") from err
    if manifest.log_fault:
        raise BadBackup(f"{path}: the audit log in it does not hold: {manifest.log_fault}")
    return manifest


def _manifest(connection: sqlite3.Connection, path: Path) -> tuple[Manifest, bytes, str]:
    try:
        said, signature, key = connection.execute(f"SELECT manifest, signature, key FROM {TABLE}").fetchone()
        fields = json.loads(said)
        if fields["format"] != FORMAT:
            raise BadBackup(f"{path}: is of format {fields['format']}; this Harken reads {FORMAT}")
        tables = {name: Sum(**one) for name, one in fields.pop("tables").items()}
        return Manifest(**fields, tables=tables), signature, key
    except (sqlite3.Error, TypeError, ValueError, KeyError, AttributeError) as err:
        raise BadBackup(f"{path}: is no backup of Harken: it has no manifest that can be read") from err


def _check_key(path: Path, manifest: Manifest, signature: bytes, key: str, own: Checkpoints) -> None:
    """A machine that has no key yet can't tell; it is the one that is set up after a fire."""
    if not own.is_begun:
        return
    if not checkpoints.is_signed(own.public_key(), signature, PURPOSE + _written(manifest)):
        whose = own.fingerprint()
        why = "its manifest was changed" if key == whose else f"it is signed by the key {key}, not by ours, {whose}"
        raise BadBackup(f"{path}: {why}; if that key is yours, put its audit.key and audit.pub beside the config")


def _compare(path: Path, said: dict[str, Sum], found: dict[str, Sum]) -> None:
    for name in sorted(said.keys() | found.keys()):
        if said.get(name) != found.get(name):
            told, have = _rows(said.get(name)), _rows(found.get(name))
            rows = f"{told} by its manifest, {have} in it" if told != have else "the same rows, not the same values"
            raise BadBackup(f"{path}: was damaged or changed: {name}: {rows}")


def _rows(one: Sum | None) -> str:
    return "no such table" if one is None else f"{one.rows} rows"


def _sums(connection: sqlite3.Connection) -> dict[str, Sum]:
    """The sum of every table, whatever the schema: a backup is checked before it is brought up to date."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> ?"
    names = [name for (name,) in connection.execute(named, (TABLE,))]
    return {name: _sum(connection.execute(f'SELECT * FROM "{name}"')) for name in names}


def _sum(rows: sqlite3.Cursor) -> Sum:
    count, total = 0, int(_hash(sorted(column[0] for column in rows.description)), 16)
    for count, row in enumerate(rows, start=1):  # noqa: B007  counted for the last one
        total += int(_hash(row), 16)
    return Sum(rows=count, checksum=f"{total % 2**256:064x}")


def _hash(said: Any) -> str:
    return hashlib.sha256(repr(said).encode("utf-8", "surrogateescape")).hexdigest()


def _written(manifest: Manifest) -> bytes:
    return json.dumps(asdict(manifest), sort_keys=True, separators=(",", ":")).encode()


def _to_disk(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _discard(file: Path) -> None:
    """Remove a database that nobody wants, and what was put beside it; what became the backup has another name now."""
    for beside in BESIDE:
        file.with_name(f"{file.name}{beside}").unlink(missing_ok=True)
