"""Opening the store: SQLite as a careful single file, or PostgreSQL by its URL."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
)
from sqlmodel import Session

import crashing
from errors import ConfigError
from store import wakeups

#: The database's own trouble, and not of what it was given: it is away, busy, full, or a standby. It may work later.
TROUBLE = (OperationalError, InterfaceError, InternalError)
#: How long one waits for another's lock before the database counts as busy, on both stores.
BUSY_TIMEOUT_MS = 10_000
#: Of each connection to PostgreSQL, milliseconds, unless whoever runs it chose others. What hangs must end: a forgotten
#: transaction would keep the one lock of all writers, and old rows from being cleared away.
SESSION = {
    "lock_timeout": BUSY_TIMEOUT_MS,
    "statement_timeout": 30_000,
    "idle_in_transaction_session_timeout": 30_000,
}
#: libpq's own, seconds where not said: a server that is gone without a word is noticed, and does not hang us for hours.
CONNECT = {
    "application_name": "harken",
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
#: What ``BEGIN IMMEDIATE`` does on SQLite; the number is ours alone. Each statement after it sees what was committed.
ONE_WRITER = "SELECT pg_advisory_xact_lock(4826114073)"


class Store:
    """One deployment's database: sessions to read in, and sessions to write in."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._checked_first = ContextVar[Callable[[Session], None] | None]("checked_first", default=None)
        if self.is_sqlite:
            self._reader, self._writer = engine, engine.execution_options(begin="BEGIN IMMEDIATE")
        else:  # whatever the server's defaults are
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writer = engine.execution_options(isolation_level="READ COMMITTED")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment and changes nothing."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session
            session.expunge_all()  # or the rollback would empty rows that the caller still reads
            session.rollback()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, undone if it raises.

        It takes the write lock at once, so that it can't fail half-way for another writer's sake, and so that what it
        reads stays true until it is committed: claims and the chain of the log stand on that.
        """
        with self.claiming() as session:
            if not self.is_sqlite:
                session.execute(text(ONE_WRITER))
            if (check := self._checked_first.get()) is not None:
                check(session)
            yield session
            if not self.is_sqlite and (asked := session.info.get(wakeups.ASKED)):
                wakeups.ask(session, asked)

    @contextmanager
    def checking(self, check: Callable[[Session], None]) -> Iterator[None]:
        """Begin each transaction that this thread writes in meanwhile with a check, which may raise."""
        before = self._checked_first.set(check)
        try:
            yield
        finally:
            self._checked_first.reset(before)

    @contextmanager
    def claiming(self) -> Iterator[Session]:
        """A transaction that on PostgreSQL waits for no other writer: for claiming and finishing work rows alone.

        Only the locks of the rows themselves keep two workers apart there (``FOR UPDATE SKIP LOCKED``, and a fence in
        each condition), so whatever else it read may have changed meanwhile. On SQLite it is ``writing``.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session
            session.flush()
            crashing.here("store.committing")
        crashing.here("store.committed")

    def take_time(self, session: Session) -> None:
        """Let a transaction last as long as it takes: for what copies, checks or backs up everything."""
        if not self.is_sqlite:
            session.connection().exec_driver_sql(
                "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
            )

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
        ConfigError: the URL is no database's, its driver is missing, it can't be opened, or it may lose commits.
    """
    try:
        parsed = make_url(url)
        engine = _engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as err:
        why = _shown(str(err).partition("\n")[0])
        remedy = "use sqlite:///harken.db or postgresql+psycopg://…"
        if isinstance(err, ModuleNotFoundError) and err.name == "psycopg":
            remedy = "install its driver: pip install 'psycopg[binary]>=3.2'"
        raise ConfigError(f"store.url = {_shown(url)!r}: {why}; {remedy}") from err
    except OSError as err:
        raise ConfigError(f"store.url = {_shown(url)!r}: its folder can't be made: {err.strerror}") from err
    try:
        with engine.connect() as connection:
            _check_durability(connection)
    except ConfigError:
        engine.dispose()
        raise
    except DBAPIError as err:
        engine.dispose()
        why = " ".join(str(err.orig).split())
        raise ConfigError(f"store.url = {parsed.render_as_string(hide_password=True)}: can't be opened: {why}") from err
    return Store(engine)


def _engine(url: URL) -> Engine:
    # An error is logged, and a parameter may be a resident's words.
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, **options)
        event.listen(engine, "connect", _open_carefully)
        event.listen(engine, "begin", _begin)
        return engine
    if url.drivername not in {"postgresql", "postgresql+psycopg"}:
        raise ArgumentError(f"{url.drivername} is no store of ours")
    given = {name: value for name, value in CONNECT.items() if name not in url.query}
    # A connection that the server closed meanwhile is replaced before it is used: a restart costs nobody an error.
    engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=given, **options)
    event.listen(engine, "connect", _set_limits)
    return engine


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


def _set_limits(connection: Any, _record: Any) -> None:
    ours = ", ".join(f"('{name}', '{value}')" for name, value in SESSION.items())
    unlimited = "current_setting(name) = '0'"
    connection.execute(
        f"SELECT set_config(name, most, false) FROM (VALUES {ours}) AS ours (name, most) WHERE {unlimited}"
    )
    connection.commit()


def _check_durability(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        level = connection.execute(text("PRAGMA synchronous")).scalar()
        if level != 2:
            raise ConfigError(f"SQLite runs with synchronous={level}, not FULL (2): a power cut could lose approvals")
        return
    encoding, commit = (
        connection.execute(text(f"SHOW {name}")).scalar() for name in ("server_encoding", "synchronous_commit")
    )
    if encoding != "UTF8":
        raise ConfigError(f"the database's encoding is {encoding}, which can't hold every post: make one with UTF8")
    if commit == "off":
        raise ConfigError(
            "PostgreSQL runs with synchronous_commit=off: a power cut could lose approvals; "
            "ALTER ROLE … SET synchronous_commit = on"
        )
