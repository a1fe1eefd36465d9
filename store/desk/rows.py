"""Rows by key, one query a table."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel, select

Row = TypeVar("Row", bound=SQLModel)


def by_id(session: Session, table: type[Row], ids: Iterable[int | None]) -> dict[int, Row]:
    """Rows by their ids."""
    return by_key(session, table, "id", ids)


def by_key(session: Session, table: type[Row], key: str, wanted: Iterable[int | None]) -> dict[int, Row]:
    """Rows by a column; where several share a value, the newest."""
    values = {one for one in wanted if one is not None}
    if not values:
        return {}
    column: Any = getattr(table, key)
    newest_last: Any = getattr(table, "id")  # noqa: B009  SQLModel itself has no id
    query = select(table).where(column.in_(values)).order_by(newest_last)
    return {getattr(row, key): row for row in session.exec(query)}


def grouped(rows: Iterable[Row], key: str) -> dict[int, list[Row]]:
    """Rows that share a value, in their order."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[getattr(row, key)].append(row)
    return found
