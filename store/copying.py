"""Copying a whole store into an empty one, of the same kind or another, and proving that nothing was lost or changed.

Everything happens in one transaction of the target: it has all of it or nothing. The sum of each table is taken of what
was read and again of what the target then holds.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import JSON, Table, Text, cast, column, func, insert, select, table, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col

import crashing
from errors import ConfigError, HarkenError
from store import audit, clock, facts, migrate
from store.doubts import doubt_unfinished
from store.engine import Store
from store.tables import AuditRow, LeaderRow, RollupDueRow, WorkRow

log = logging.getLogger(__name__)

AT_ONCE = 1000  #: rows
#: Triggers of the target fill it as the others are copied; so it is emptied, and copied last.
LAST = RollupDueRow.__tablename__
#: Each of its entries has the hash of its bytes: it is copied as it is, or not at all.
LOG = AuditRow.__tablename__


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """What a table holds, whatever the order of its rows."""

    rows: int
    checksum: str  #: hex; the sum of the SHA-256 of each row, modulo 2^256


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """One table, the same on both sides."""

    table: str
    rows: int
    checksum: str
    mended: int = 0  #: texts with a NUL, which PostgreSQL doesn't hold: U+FFFD stands for it


class Differs(HarkenError):
    """What the target holds is not what was read; nothing was kept there."""


def copy(
    source: Store, target: Store, *, settle: timedelta, by: str, tell: Callable[[Copied], None] = lambda _: None
) -> int:
    """Copy everything, compare, and put whatever is unfinished in doubt; gives how many replies and tickets that were.

    The caller has the worker's role of a source that is a file. Afterwards the source sends nothing more: two stores
    that both hold an approved reply would send it twice, so its kill switch is on before the target is committed.

    Args:
        source: the store that was in use; nobody writes to it meanwhile.
        target: a store with nothing in it.
        settle: how long what is in doubt rests before it is read back.
        by: who did it, for the log of both.
        tell: is given each table once it is there.

    Raises:
        ConfigError: the source is in use, or the target is not empty.
        Differs: a table of the target is not the source's.
    """
    migrate.check(source)
    _make_ready(target)
    place = target.engine.url.render_as_string(hide_password=True)
    with target.writing() as written:
        target.take_time(written)
        _refuse_unless_empty(written, place)
        with source.writing() as held:  # whoever writes now would lose it
            source.take_time(held)
            with source.reading() as told:
                source.take_time(told)
                if not source.is_sqlite:
                    _refuse_if_at_work(told)
                transfer(told, written, tell=tell)
                crashing.here("store_copy.copied")
            moment = clock.read(written)
            in_doubt = doubt_unfinished(written, until=moment + settle)
            audit.append(written, by=by, action="store.copied", subject=f"store:{target.engine.dialect.name}")
            facts.set_kill_switch(held, scope="all", on=True, reason=f"this store was copied to {place}", by=by)
        crashing.here("store_copy.source_stopped")
    return in_doubt


def transfer(source: Session, target: Session, *, tell: Callable[[Copied], None] = lambda _: None) -> None:
    """Copy every table, as the source sees it at its one moment, into an empty target, and compare.

    Raises:
        Differs: a table of the target is not the source's.
    """
    for one in _tables():
        tell(_copy_table(one, source.connection(), target.connection()))
    _set_sequences(target.connection())


def sums(session: Session) -> dict[str, Sum]:
    """The sum of every table."""
    return {one.name: _sum(_rows(session.connection(), one)) for one in _tables()}


def _tables() -> list[Table]:
    """Each after those that it points at, but for the last."""
    return sorted(SQLModel.metadata.sorted_tables, key=lambda one: one.name == LAST)


def _make_ready(target: Store) -> None:
    have = migrate.current(target)
    if have is None:
        migrate.upgrade(target)
    elif have != migrate.newest():
        place = target.engine.url.render_as_string(hide_password=True)
        raise ConfigError(f"{place}: has schema {have}, not {migrate.newest()}; name a database with nothing in it")


def _refuse_unless_empty(session: Session, place: str) -> None:
    for one in _tables():
        rows = session.execute(select(func.count()).select_from(one)).scalar_one()
        if rows:
            raise ConfigError(f"{place}: {one.name} holds {rows} rows; name a database with nothing in it")


def _refuse_if_at_work(session: Session) -> None:
    """On PostgreSQL leases tell, which end within a minute; on SQLite a lock of the file, which the caller holds."""
    moment = clock.read(session)
    leading = select(col(LeaderRow.holder)).where(col(LeaderRow.lease_until) > moment)
    working = select(col(WorkRow.worker)).where(col(WorkRow.state) == "leased", col(WorkRow.lease_until) > moment)
    holder = session.execute(leading).scalars().first() or session.execute(working).scalars().first()
    if holder is not None:
        raise ConfigError(f"{holder} works on this store; stop every `harken run` and `harken worker`, wait a minute")


def _copy_table(one: Table, source: Connection, target: Connection) -> Copied:
    mending = _Mending(one, target)
    adding = _Adding(mending(_rows(source, one)))
    if one.name == LAST:
        target.execute(one.delete())
    try:
        _put(target, one, adding)
    except (DBAPIError, target.dialect.loaded_dbapi.Error) as err:  # its text may hold a resident's words
        log.debug("copying %s", one.name, exc_info=True)
        why = type(getattr(err, "orig", None) or err).__name__
        raise Differs(f"{one.name}: the target takes no row like one of the first {adding.rows} ({why})") from None
    found = _sum(_rows(target, one))
    if found != adding.sum:
        told = f"{adding.rows} rows were read, the target holds {found.rows}, and their sums differ"
        raise Differs(f"{one.name}: {told}; nothing was kept there: is there a trigger, or another writer?")
    return Copied(table=one.name, rows=found.rows, checksum=found.checksum, mended=mending.mended)


def _rows(connection: Connection, one: Table) -> Iterator[tuple[Any, ...]]:
    """Every row, by its key; JSON as the text that it is kept as."""
    shown = [cast(each, Text) if isinstance(each.type, JSON) else each for each in one.columns]
    query = select(*shown).order_by(*one.primary_key.columns)
    for row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
        yield tuple(row)


class _Mending:
    """Replaces what the target can't hold: PostgreSQL keeps no NUL in a text."""

    def __init__(self, one: Table, target: Connection) -> None:
        self.mended = 0
        self._idle = target.dialect.name == "sqlite" or one.name == LOG

    def __call__(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        if self._idle:
            return iter(rows)
        return (tuple(map(self._mend, row)) for row in rows)

    def _mend(self, value: object) -> object:
        if not isinstance(value, str) or "\x00" not in value:
            return value
        self.mended += 1
        return value.replace("\x00", "\ufffd")


class _Adding:
    """Sums rows up as they pass."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self.rows, self._total, self._passing = 0, 0, rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for row in self._passing:
            self.rows += 1
            self._total += int.from_bytes(hashlib.sha256(repr(row).encode("utf-8", "surrogatepass")).digest(), "big")
            yield row

    @property
    def sum(self) -> Sum:
        return Sum(rows=self.rows, checksum=f"{self._total % 2**256:064x}")


def _sum(rows: Iterable[tuple[Any, ...]]) -> Sum:
    adding = _Adding(rows)
    for _ in adding:
        pass
    return adding.sum


def _put(target: Connection, one: Table, rows: Iterable[Sequence[Any]]) -> None:
    """A row may point at a later one of its own table: foreign keys are looked at when all are there."""
    if target.dialect.name == "postgresql":
        quote = target.dialect.identifier_preparer.quote
        names = ", ".join(quote(each.name) for each in one.columns)
        driver: Any = target.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {quote(one.name)} ({names}) FROM STDIN") as lines:
            for row in rows:
                lines.write_row(row)
        return
    target.execute(text("PRAGMA defer_foreign_keys = ON"))
    plain = table(one.name, *(column(each.name, Text if isinstance(each.type, JSON) else each.type) for each in one.c))
    names_of = [each.name for each in one.columns]
    passing = iter(rows)
    while batch := [dict(zip(names_of, row, strict=True)) for row in islice(passing, AT_ONCE)]:
        target.execute(insert(plain), batch)


def _set_sequences(target: Connection) -> None:
    """The next row of each table gets a number that none has."""
    if target.dialect.name != "postgresql":
        return
    for one in _tables():
        for key in one.primary_key.columns:
            sequence = target.execute(select(func.pg_get_serial_sequence(one.name, key.name))).scalar_one()
            if sequence is not None:
                highest = target.execute(select(func.max(key))).scalar_one()
                target.execute(select(func.setval(sequence, highest or 1, highest is not None)))
