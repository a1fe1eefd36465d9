"""*Needs attention*: whatever was given up on, with an owner and an age, until a person has dealt with it."""

from sqlmodel import Session, col, select

from store import audit
from store.tables import AttentionRow
from store.types import now


def raise_(
    session: Session,
    *,
    kind: str,
    ref: str,
    summary: str,
    remedy: str = "",
    account_id: int | None = None,
    mention_id: int | None = None,
    content_id: int | None = None,
) -> AttentionRow:
    """Put something before people; while it is open, the same thing is not put twice."""
    row = still_open(session, kind, ref)
    if row is None:
        row = AttentionRow(
            kind=kind,
            ref=ref,
            summary=summary[:500],
            remedy=remedy,
            account_id=account_id,
            mention_id=mention_id,
            content_id=content_id,
        )
    else:
        row.summary = summary[:500]
    session.add(row)
    session.flush()
    return row


def still_open(session: Session, kind: str, ref: str) -> AttentionRow | None:
    """The open row of a thing."""
    query = select(AttentionRow).where(
        AttentionRow.kind == kind, AttentionRow.ref == ref, col(AttentionRow.closed_at).is_(None)
    )
    return session.exec(query).first()


def settle(session: Session, kind: str, ref: str, *, outcome: str = "resolved", by: str = "system") -> None:
    """The thing is well again."""
    row = still_open(session, kind, ref)
    if row is not None:
        close(session, row, outcome=outcome, by=by)


def close(session: Session, row: AttentionRow, *, outcome: str, by: str) -> None:
    """A person, or a later success, has dealt with it. Nothing is deleted."""
    row.closed_at, row.outcome, row.closed_by = now(), outcome, by
    session.add(row)
    audit.append(session, by=by, action=f"attention.{outcome}", subject=f"attention:{row.id}")


def acknowledge(session: Session, row: AttentionRow, *, by: str) -> None:
    """Somebody owns it now."""
    row.owner, row.acked_at = by, now()
    session.add(row)
    audit.append(session, by=by, action="attention.acknowledged", subject=f"attention:{row.id}")


def open_rows(session: Session, *, before: int | None = None, limit: int = 200) -> list[AttentionRow]:
    """What is open, newest first."""
    query = select(AttentionRow).where(col(AttentionRow.closed_at).is_(None))
    if before is not None:
        query = query.where(col(AttentionRow.id) < before)
    return list(session.exec(query.order_by(col(AttentionRow.id).desc()).limit(limit)))
