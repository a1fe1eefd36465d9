"""A write with an ``Idempotency-Key`` is done once; a repeat is answered as the first was."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from store import content
from store.tables import AnswerOnceRow, ContentRow
from store.types import now

#: A first try that has not answered for so long died; all our writes check versions, so the next may do it again.
GIVEN_UP_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What the first try was answered. ``body`` is None once the words in it were disposed of."""

    status: int
    body: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """This is the first try: do it, then ``answer``, or ``forget``."""

    row_id: int


class Reused(Exception):
    """The key came before with another request."""


class Busy(Exception):
    """The first try is still being answered."""


def begin(
    session: Session, *, principal: str, key: str, request_sha: str, at: datetime | None = None
) -> Begun | Answered:
    """Claim a key, or find what it was answered.

    Raises:
        Reused: the key came before with another request.
        Busy: the first try is still being answered.
    """
    moment = at or now()
    query = select(AnswerOnceRow).where(AnswerOnceRow.principal == principal, AnswerOnceRow.key == key)
    row = session.exec(query.with_for_update()).first()
    if row is None:
        row = AnswerOnceRow(principal=principal, key=key, request_sha=request_sha, made_at=moment)
        session.add(row)
        session.flush()
        return Begun(row_id=row.id)
    if row.request_sha != request_sha:
        raise Reused
    if row.status is not None:
        kept = session.get_one(ContentRow, row.content_id) if row.content_id is not None else None
        return Answered(status=row.status, body=kept.text if kept else None)
    if row.made_at + GIVEN_UP_AFTER > moment:
        raise Busy
    row.made_at = moment
    session.add(row)
    return Begun(row_id=row.id)


def answer(session: Session, begun: Begun, *, status: int, body: str, derived_from: int | None) -> None:
    """Keep an answer. ``derived_from``: the words it may repeat; it is disposed of together with them."""
    row = session.get_one(AnswerOnceRow, begun.row_id)
    row.status = status
    row.content_id = content.keep(session, "api", body, derived_from=derived_from)
    session.add(row)


def forget(session: Session, begun: Begun) -> None:
    """Nothing came of it; the key may be tried again."""
    row = session.get(AnswerOnceRow, begun.row_id)
    if row is not None:
        session.delete(row)


def prune(session: Session, *, before: datetime) -> int:
    """Drop answers that nobody will ask for again; gives how many. They repeat what stands elsewhere."""
    old = list(session.exec(select(AnswerOnceRow).where(AnswerOnceRow.made_at < before).limit(1000)))
    kept = [row.content_id for row in old if row.content_id is not None]
    for row in old:
        session.delete(row)
    session.flush()
    session.execute(delete(ContentRow).where(col(ContentRow.id).in_(kept), col(ContentRow.legal_hold).is_(False)))
    return len(old)
