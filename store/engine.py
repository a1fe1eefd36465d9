"""Opening the store: SQLite as a careful single file, or another database by its URL."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlmodel import Session

from errors import ConfigError

BUSY_TIMEOUT_MS = 10_000
#: What ``BEGIN IMMEDIATE`` does on SQLite; the number is ours alone. Each statement after it sees what was committed.
ONE_WRITER = "SELECT pg_advisory_xact_lock(4826114073)"


class Store:
    """One deployment's database: sessions to read in, and sessions to write in."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(begin="BEGIN IMMEDIATE")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment and changes nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            session.expunge_all()  # or the rollback would empty rows that the caller still reads
            session.rollback()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, undone if it raises.

        It takes the write lock at once, so that it can't fail half-way for another writer's sake, and so that what it
        reads stays true until it is committed: claims and the chain of the log stand on that.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            if not self.is_sqlite:
                session.execute(text(ONE_WRITER))
            yield session

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is one file."""
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def forget_freed_pages(self) -> None:
        """Leave no copy of disposed words behind: the write-ahead log still holds the old pages."""
        if self.is_sqlite:
            with self.engine.connect().execution_options(begin="BEGIN") as connection:
                raw = connection.connection.dbapi_connection
                if raw is not None:
                    raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def open_store(url: str) -> Store:
    """Open the database of a URL.

    Raises:
        ConfigError: the URL is no database's, its driver is missing, or the file can't be opened.
    """
    try:
        parsed = make_url(url)
        # An error is logged, and a parameter may be a resident's words.
        options: dict[str, Any] = {"hide_parameters": True}
        if parsed.get_backend_name() == "sqlite":
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_MS / 1000}
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, **options)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as err:
        why = _shown(str(err).partition("\n")[0])
        raise ConfigError(
            f"store.url = {_shown(url)!r}: {why}; use sqlite:///harken.db or postgresql+psycopg://…"
        ) from err
    except OSError as err:
        raise ConfigError(f"store.url = {_shown(url)!r}: its folder can't be made: {err.strerror}") from err
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _open_carefully)
        event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            _check_durability(connection)
    except OperationalError as err:
        raise ConfigError(
            f"store.url = {parsed.render_as_string(hide_password=True)}: can't be opened: {err.orig}"
        ) from err
    return Store(engine)


def _shown(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:…@", url)


def _open_carefully(connection: Any, _record: Any) -> None:
    """WAL and FULL: a commit outlives a power cut. secure_delete: disposed words leave the file."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _check_durability(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    level = connection.execute(text("PRAGMA synchronous")).scalar()
    if level != 2:
        raise ConfigError(f"SQLite runs with synchronous={level}, not FULL (2): a power cut could lose approvals")
