"""The append-only, hash-chained log: who decided what and when, by ids and hashes, never by words."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlmodel import Session, col, select

from store.tables import AuditRow
from store.types import now

GENESIS = "0" * 64


def sha(text: str) -> str:
    """Hex SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def append(
    session: Session, *, by: str, action: str, subject: str, hashes: Mapping[str, str] | None = None
) -> AuditRow:
    """Add a link to the chain, in the transaction of the act itself.

    ``subject`` is ``kind:id``; ``hashes`` maps a word of ours to an id or a hex hash.
    """
    last = session.exec(select(AuditRow).order_by(col(AuditRow.seq).desc()).limit(1)).first()
    happened_at = now()
    row = AuditRow(
        seq=1 if last is None else last.seq + 1,
        happened_at=happened_at,
        by=by,
        action=action,
        subject=subject,
        hashes=dict(hashes or {}),
        prev=GENESIS if last is None else last.hash,
        hash="",
    )
    row.hash = link_hash(row)
    session.add(row)
    session.flush()
    return row


def link_hash(row: AuditRow) -> str:
    """What ties a link to all before it. Canonical JSON of every column but ``hash``, then SHA-256."""
    link: dict[str, Any] = {
        "seq": row.seq,
        "at": row.happened_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "by": row.by,
        "action": row.action,
        "subject": row.subject,
        "hashes": row.hashes,
        "prev": row.prev,
    }
    return sha(json.dumps(link, sort_keys=True, separators=(",", ":"), ensure_ascii=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the check of the chain found."""

    entries: int
    head: str
    first_bad: int | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether every link is in place."""
        return self.first_bad is None


def verify(session: Session) -> Verdict:
    """Walk the whole chain. A cut tail can only be found against a checkpoint kept elsewhere."""
    expected, prev = 1, GENESIS
    for row in session.exec(select(AuditRow).order_by(col(AuditRow.seq))).yield_per(1000):
        why = ""
        if row.seq != expected:
            why = f"entry {expected} is missing"
        elif row.prev != prev:
            why = "it does not follow the entry before it"
        elif link_hash(row) != row.hash:
            why = "it was changed"
        if why:
            return Verdict(entries=expected - 1, head=prev, first_bad=expected, why=why)
        expected, prev = expected + 1, row.hash
    return Verdict(entries=expected - 1, head=prev)


def entries(session: Session, *, before: int | None, limit: int) -> list[AuditRow]:
    """The newest entries first; ``before`` is a ``seq``."""
    query = select(AuditRow).order_by(col(AuditRow.seq).desc()).limit(limit)
    if before is not None:
        query = query.where(col(AuditRow.seq) < before)
    return list(session.exec(query))
