"""The breaker of a source: where much of what a platform serves can't be read, it changed, and listening stops there.

One unreadable post is set aside and its source goes on. But a platform that changed its answers makes all of them
unreadable, and whoever then goes on moves the mark over posts that nobody has seen. So each source counts what is new
in it; as soon as more than ``SHARE`` of the last ``WINDOW`` posts could not be read (a thousand in a row are far beyond
that), its range stays open where it is, and a person is told. It goes on when a person has it tried again, or when
another version of Harken reads it.
"""

from sqlmodel import Session

from store import attention
from store.tables import AccountRow, BreakerRow
from store.types import now

KIND = "source"
SHARE = 0.01
WINDOW = 2_000  #: posts; the counts fall to half of it when they reach it, so what is long past counts less and less


def note(session: Session, account: AccountRow, source: str, *, read: int, unreadable: int, version: str) -> bool:
    """Count what a page brought that was not there before; gives whether the source stops."""
    row = session.get(BreakerRow, (account.id, source)) or BreakerRow(account_id=account.id, source=source)
    row.heard, row.unreadable = row.heard + read + unreadable, row.unreadable + unreadable
    if unreadable and row.unreadable > SHARE * max(row.heard, WINDOW):
        row.stopped_at, row.stopped_version = now(), version
    elif row.heard >= WINDOW:
        row.heard, row.unreadable = WINDOW // 2, row.unreadable * WINDOW // 2 // row.heard
    session.add(row)
    if row.stopped_at is not None:
        _tell(session, account, row)
    return row.stopped_at is not None


def stopped(session: Session, account: AccountRow, source: str, *, version: str) -> bool:
    """Whether the source is not to be walked. Another version than the one that stopped it tries it anew."""
    row = session.get(BreakerRow, (account.id, source))
    if row is None or row.stopped_at is None:
        return False
    if row.stopped_version != version:
        go_on(session, account.id, source)
        attention.settle(session, KIND, ref(account, source))
        return False
    _tell(session, account, row)  # it may have been discarded, and nobody would hear of it any more
    return True


def go_on(session: Session, account_id: int, source: str) -> None:
    """Walk the source again, and count from the beginning."""
    row = session.get(BreakerRow, (account_id, source))
    if row is not None:
        row.heard, row.unreadable, row.stopped_at, row.stopped_version = 0, 0, None, None
        session.add(row)


def ref(account: AccountRow, source: str) -> str:
    """What the attention row of a stopped source is about."""
    return f"{account.name}:{source}"


def source_of(ref: str) -> str:
    """The source, out of the ``ref`` of its attention row."""
    return ref.rpartition(":")[2]


def _tell(session: Session, account: AccountRow, row: BreakerRow) -> None:
    attention.raise_(
        session,
        kind=KIND,
        ref=ref(account, row.source),
        account_id=account.id,
        summary=(
            f"{account.name}: listening to {row.source} has stopped: {row.unreadable} of its last {row.heard} posts"
            " could not be read, so the platform has probably changed its answers"
        ),
        remedy=(
            "install the version of Harken that reads them, and it goes on by itself; or try again, which reads once"
            " more what was set aside, and goes on where it stopped. What the platform still serves then is not lost"
        ),
    )
