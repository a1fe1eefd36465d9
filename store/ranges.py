"""The range ledger: a newest-first listing is walked through completely before its mark moves."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from store.tables import GapRow, SourceRangeRow
from store.types import now
from vocabulary import Page, Range

#: Platforms list posts late; so much of what was already walked is walked again. Source: reliability notes, b3.1.
OVERLAP = timedelta(minutes=2)
#: A platform's clock is not ours; it is never further off than this.
CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRange:
    """A stretch that is being walked, and its row."""

    range_id: int
    wanted: Range


def open_range(session: Session, account_id: int, source: str, *, backfill: timedelta) -> OpenRange:
    """The stretch to walk now: the one left open by a crash, else from the last complete walk on.

    The very first reaches back by ``backfill``; what lies before becomes a visible gap. ``since`` goes by the
    platform's clock where a post has told us its time, since ours may be ahead of it.
    """
    row = _newest(session, account_id, source, is_open=True)
    if row is None:
        last = _newest(session, account_id, source, is_open=False)
        started = now()
        since = started - backfill if last is None else _since(last)
        row = SourceRangeRow(account_id=account_id, source=source, since=since, started_at=started)
        if last is not None:
            row.since_id, row.newest_id, row.newest_at = last.newest_id, last.newest_id, last.newest_at
        session.add(row)
        session.flush()
        if last is None:
            note_gap(session, account_id, source, row.since, reason="before the first round (backfill)")
    wanted = Range(source=source, since=row.since, since_id=row.since_id, resume_at=row.resume_at)
    return OpenRange(range_id=row.id, wanted=wanted)


def _since(last: SourceRangeRow) -> datetime:
    """From the newest post on, by the platform's clock; on a quiet source from the last walk on, a day earlier."""
    return max(min(last.started_at, last.newest_at or last.started_at), last.started_at - CLOCKS_DIFFER) - OVERLAP


def _newest(session: Session, account_id: int, source: str, *, is_open: bool) -> SourceRangeRow | None:
    query = (
        select(SourceRangeRow)
        .where(SourceRangeRow.account_id == account_id, SourceRangeRow.source == source, SourceRangeRow.open == is_open)
        .order_by(col(SourceRangeRow.id).desc())
        .limit(1)
    )
    return session.exec(query).first()


def advance(session: Session, range_id: int, page: Page) -> None:
    """Note that a page is stored, in the transaction that stores it; the last page closes the stretch.

    Another process may have walked the same stretch to its end meanwhile: then there is nothing to note.
    """
    row = session.get(SourceRangeRow, range_id)
    if row is None or not row.open:
        return
    row.resume_at = page.next
    if page.newest_id is not None:
        row.newest_id = later_of(page.newest_id, row.newest_id or page.newest_id)
    times = [mention.posted_at for mention in page.mentions] + [post.posted_at for post in page.own_posts]
    row.newest_at = max([*times, row.newest_at] if row.newest_at else times, default=None)
    if page.next is None:
        row.open, row.finished_at = False, now()
        _forget_older(session, row)
    if page.gap_before is not None:
        why = "the platform serves no more"
        note_gap(session, row.account_id, row.source, page.gap_before, since=row.since, reason=why)
    session.add(row)


def later_of(one: str, other: str) -> str:
    """Platform ids rise with time; numbers are compared by value, since '99' > '100' as text."""
    if one.isdigit() and other.isdigit():
        return max(one, other, key=int)
    return max(one, other)


def _forget_older(session: Session, done: SourceRangeRow) -> None:
    """Closed stretches but the newest say nothing any more."""
    older = select(SourceRangeRow).where(
        SourceRangeRow.account_id == done.account_id,
        SourceRangeRow.source == done.source,
        col(SourceRangeRow.open).is_(False),
        col(SourceRangeRow.id) < done.id,
    )
    for row in session.exec(older):
        session.delete(row)


def restart(session: Session, range_id: int) -> None:
    """Walk the stretch again from its newest end, for a page mark that the platform no longer takes."""
    row = session.get(SourceRangeRow, range_id)
    if row is not None:
        row.resume_at = None
        session.add(row)


def note_gap(
    session: Session, account_id: int, source: str, before: datetime, *, since: datetime | None = None, reason: str
) -> None:
    """Make a stretch that we will not see visible; noticed once."""
    same = select(GapRow).where(GapRow.account_id == account_id, GapRow.source == source, GapRow.to_at == before)
    if session.exec(same).first() is None:
        session.add(GapRow(account_id=account_id, source=source, from_at=since, to_at=before, reason=reason))


def gaps(session: Session, account_id: int) -> list[GapRow]:
    """What we did not see of an account, newest first."""
    return list(session.exec(select(GapRow).where(GapRow.account_id == account_id).order_by(col(GapRow.to_at).desc())))
