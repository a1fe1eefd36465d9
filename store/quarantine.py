"""What a platform served and we could not read: kept whole with its bytes, shown, and counted once."""

from sqlmodel import Session, col, select

from store import attention, audit, content
from store.tables import AccountRow, AttentionRow
from vocabulary import Unreadable

KIND = "unreadable"


def keep(session: Session, account: AccountRow, source: str, item: Unreadable) -> int:
    """Set an item aside; gives 0 if it was before, whatever became of it: platforms serve the same item many times."""
    ref = f"{account.name}:{source}:{audit.sha(item.raw.decode('utf-8', 'replace'))[:24]}"
    before = select(AttentionRow.id).where(AttentionRow.kind == KIND, AttentionRow.ref == ref)
    if session.exec(before).first() is not None:
        return 0
    attention.raise_(
        session,
        kind=KIND,
        ref=ref,
        account_id=account.id,
        content_id=content.keep(session, "raw", raw=item.raw),
        summary=f"{account.name}: an item of {source} could not be read: {item.why}",
        remedy="replay it after an upgrade that reads it, or discard it",
    )
    return 1


def source_of(row: AttentionRow) -> str:
    """The source that served an item, as its listener calls it."""
    return row.ref.split(":")[-2]


def waiting(session: Session, account_id: int, source: str) -> list[AttentionRow]:
    """The items of a source that nobody has dealt with, the oldest first."""
    query = (
        select(AttentionRow)
        .where(AttentionRow.kind == KIND, AttentionRow.account_id == account_id, col(AttentionRow.closed_at).is_(None))
        .order_by(col(AttentionRow.id))
    )
    return [row for row in session.exec(query) if source_of(row) == source]
