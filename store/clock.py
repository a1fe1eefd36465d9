"""Whose clock counts: the database's, which all who share a store see; SQLite has none but its process's."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, DateTime, func, select
from sqlmodel import Session

from store.types import UtcDateTime, now


def moment(session: Session, at: datetime | None = None) -> ColumnElement[datetime] | datetime:
    """Now, to compare with and to add a ``timedelta`` to inside a statement; ``at`` where it is given.

    The statement's own time: the transaction's would be as old as its wait for a lock.
    """
    if at is not None:
        return at
    if session.get_bind().dialect.name == "sqlite":
        return now()
    return func.statement_timestamp(type_=DateTime(timezone=True))


def read(session: Session) -> datetime:
    """Now, aware UTC."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    told: datetime = session.execute(select(func.statement_timestamp(type_=UtcDateTime()))).scalar_one()
    return told


class Watch:
    """Notices that the store's clock was set back, by the clock of this process that nobody can set."""

    def __init__(self) -> None:
        self._last: tuple[datetime, float] | None = None

    def set_back(self, told: datetime, since_start: float) -> timedelta:
        """By how much since the last look; zero, or less where it was set forward or this machine slept.

        Args:
            told: by the store's clock.
            since_start: seconds, by ``time.monotonic``.
        """
        before, self._last = self._last, (told, since_start)
        if before is None:
            return timedelta(0)
        return timedelta(seconds=since_start - before[1]) - (told - before[0])
