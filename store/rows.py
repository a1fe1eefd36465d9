"""Writing many rows at once, by the driver's own ``executemany``.

SQLAlchemy's ways of inserting cost several times what the insert itself does. Where posts come by the page that is most
of the time; so here a row is a plain dictionary, all rows of a call have the same keys in the same order, and only the
columns whose type asks for it are converted.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy import Table, TextClause, func, select, text
from sqlalchemy.engine import Connection, Dialect
from sqlmodel import Session, SQLModel

Row = Mapping[str, Any]
Convert = Callable[[Any], Any]


def allot(session: Session, model: type[SQLModel], count: int) -> list[int]:
    """Numbers for so many new rows, ascending, so that rows that point at each other need not be read back.

    To be asked for in ``Store.writing`` alone: on SQLite only the one writer knows that nobody else takes them.
    """
    if not count:
        return []
    table, connection = table_of(model), session.connection()
    if connection.dialect.name == "sqlite":
        last = connection.execute(select(func.max(table.c.id))).scalar() or 0
        return list(range(last + 1, last + 1 + count))
    drawn = text(f"SELECT nextval(pg_get_serial_sequence('{table.name}', 'id')) FROM generate_series(1, :count)")
    return sorted(connection.execute(drawn, {"count": count}).scalars())


def insert(session: Session, model: type[SQLModel], rows: Sequence[Row], *, unless_there: bool = False) -> int:
    """Insert rows; gives how many. Columns that they don't name get the database's own defaults, not the model's.

    ``unless_there``: a row that a unique constraint refuses is passed over.
    """
    if not rows:
        return 0
    table, connection, columns = table_of(model), session.connection(), tuple(rows[0])
    sql = _insert(table, columns, connection.dialect)
    return _run(connection, f"{sql} ON CONFLICT DO NOTHING" if unless_there else sql, table, rows)


def update(session: Session, model: type[SQLModel], rows: Sequence[Row]) -> None:
    """Set columns of rows by their ``id``, which each of the dictionaries names last."""
    if rows:
        table, connection, columns = table_of(model), session.connection(), tuple(rows[0])
        _run(connection, _update(table, columns[:-1], connection.dialect), table, rows)
        for loaded in list(session.identity_map.values()):
            if isinstance(loaded, model):
                session.expire(loaded)  # it was changed behind the session's back


def among(session: Session, sql: str, values: Iterable[str], **given: Any) -> Sequence[sqlalchemy.Row[Any]]:
    """What a ``SELECT`` finds; ``{wanted}`` in it stands for "is one of the values", which are a single parameter.

    A statement with a parameter for each of hundreds of values is put together anew each time, and costs more than what
    it finds. Columns come as the database gives them: for numbers and texts.
    """
    connection, wanted = session.connection(), list(values)
    on_sqlite = connection.dialect.name == "sqlite"
    listed = json.dumps(wanted) if on_sqlite else wanted
    return connection.execute(_among(sql, on_sqlite), {"wanted": listed, **given}).all()


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model."""
    found: Table = model.__table__  # type: ignore[attr-defined]  # set by SQLAlchemy, not declared by SQLModel
    return found


def _run(connection: Connection, sql: str, table: Table, rows: Sequence[Row]) -> int:
    by_column = list(zip(*[row.values() for row in rows], strict=True))
    for place, convert in enumerate(_converts(table, tuple(rows[0]), connection.dialect)):
        if convert is not None:
            by_column[place] = _converted(by_column[place], convert)
    return connection.exec_driver_sql(sql, list(zip(*by_column, strict=True))).rowcount


def _converted(values: Sequence[Any], convert: Convert) -> tuple[Any, ...]:
    """As the driver takes them. The rows of a page share most of their times: each is converted once."""
    met = dict(zip(map(id, values), values, strict=True))
    done = {place: convert(value) for place, value in met.items()}
    return tuple(map(done.__getitem__, map(id, values)))


@lru_cache(maxsize=256)
def _among(sql: str, on_sqlite: bool) -> TextClause:
    said = "IN (SELECT value FROM json_each(:wanted))" if on_sqlite else "= ANY(:wanted)"
    return text(sql.format(wanted=said))


@lru_cache(maxsize=256)
def _insert(table: Table, columns: tuple[str, ...], dialect: Dialect) -> str:
    marks = ", ".join([_mark(dialect)] * len(columns))
    return f"INSERT INTO {_quoted(table, dialect)} ({', '.join(_names(columns, dialect))}) VALUES ({marks})"


@lru_cache(maxsize=256)
def _update(table: Table, columns: tuple[str, ...], dialect: Dialect) -> str:
    changes = ", ".join(f"{name} = {_mark(dialect)}" for name in _names(columns, dialect))
    return f"UPDATE {_quoted(table, dialect)} SET {changes} WHERE id = {_mark(dialect)}"


@lru_cache(maxsize=256)
def _converts(table: Table, columns: tuple[str, ...], dialect: Dialect) -> tuple[Convert | None, ...]:
    return tuple(table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in columns)


def _mark(dialect: Dialect) -> str:
    return "?" if dialect.name == "sqlite" else "%s"


def _quoted(table: Table, dialect: Dialect) -> str:
    return dialect.identifier_preparer.format_table(table)


def _names(columns: Sequence[str], dialect: Dialect) -> list[str]:
    return [dialect.identifier_preparer.quote(name) for name in columns]
