"""The append-only, hash-chained log: who decided what and when, by ids and hashes, never by words."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import text
from sqlmodel import Session, col, select

from store.tables import AuditRow
from store.types import now

GENESIS = "0" * 64


def sha(words: str) -> str:
    """Hex SHA-256 of a text."""
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


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
    at = row.happened_at.astimezone(UTC).isoformat(timespec="microseconds")
    return _digest(row.seq, at, (row.by, row.action, row.subject, row.prev), row.hashes)


def _digest(seq: int, at: str, texts: Sequence[str], hashes: object) -> str:
    by, action, subject, prev = texts
    link = {"seq": seq, "at": at, "by": by, "action": action, "subject": subject, "hashes": hashes, "prev": prev}
    return sha(json.dumps(link, sort_keys=True, separators=(",", ":"), ensure_ascii=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """The chain as somebody saw it: at which entry, and the hash of that entry."""

    seq: int  #: 0: before the first entry
    head: str


BEGINNING = Mark(seq=0, head=GENESIS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the check of the chain found."""

    entries: int  #: up to which every entry holds
    head: str
    first_bad: int | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether every link is in place."""
        return self.first_bad is None

    @property
    def mark(self) -> Mark:
        """The last entry that holds."""
        return Mark(seq=self.entries, head=self.head)


def verify(session: Session, *, since: Mark | None = None, marks: Iterable[Mark] = ()) -> Verdict:
    """Walk the chain: all of it, or what comes after a mark up to which it was found to hold.

    A tail that was cut off, and a chain that was written anew from some entry on, look whole by themselves: only
    ``marks`` that were kept elsewhere show them.
    """
    last = since or BEGINNING
    if since is not None and since.seq and _hash_of(session, since.seq) != since.head:
        return Verdict(entries=0, head=GENESIS, first_bad=since.seq, why="it is not the one that was seen before")
    seen = {mark.seq: mark.head for mark in marks}
    agreed = last.seq
    for seq, link in _links(session, after=None if since is None else since.seq):
        why = _fault(seq, link, last)
        if not why and seen.get(seq, link[HASH]) != link[HASH]:
            why = f"it is not the one that a checkpoint saw: the log was written anew somewhere after entry {agreed}"
        if why:
            return Verdict(entries=last.seq, head=last.head, first_bad=min(seq, last.seq + 1), why=why)
        last = Mark(seq=seq, head=str(link[HASH]))
        agreed = seq if seq in seen else agreed
    newest = max(seen, default=0)
    if newest > last.seq:
        why = f"it is missing, and all after it: a checkpoint saw {newest} entries"
        return Verdict(entries=last.seq, head=last.head, first_bad=last.seq + 1, why=why)
    return Verdict(entries=last.seq, head=last.head)


#: The columns of a link beside ``seq``, in the order in which they are read.
COLUMNS = ("happened_at", "by", "action", "subject", "prev", "hashes", "hash")
HASH = len(COLUMNS) - 1
#: As they stand in the database, nothing smoothed over on the way: what reads the same but is written otherwise was
#: changed too. On SQLite a text may be a number, a blob or no UTF-8.
_AS_IT_STANDS = {
    "sqlite": ", ".join(f"""CASE typeof("{name}") WHEN 'text' THEN CAST("{name}" AS BLOB) END""" for name in COLUMNS),
    "postgresql": ", ".join(
        {
            "happened_at": "to_char(happened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
            "hashes": "CAST(hashes AS TEXT)",
        }.get(name, f'"{name}"')
        for name in COLUMNS
    ),
}
_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{6})")


#: The triggers that let the log only grow, of the migrations; and where each database says which of them are on.
GUARDS = {
    "sqlite": {"audit_no_update", "audit_no_delete", "audit_only_at_the_end"},
    "postgresql": {"audit_no_change", "audit_no_truncate", "audit_only_at_the_end"},
}
_ON = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit'::regclass AND tgenabled IN ('O', 'A')",
}


def guards_missing(session: Session) -> list[str]:
    """The triggers of the log that somebody dropped or switched off: from then on nothing refused a change."""
    kind = session.get_bind().dialect.name
    return sorted(GUARDS[kind] - set(session.connection().scalars(text(_ON[kind]))))


def _links(session: Session, *, after: int | None) -> Iterator[tuple[int, list[str | None]]]:
    """The number of each entry, in order, and its columns; None stands for what is no text."""
    connection = session.connection()
    where = "" if after is None else "WHERE seq > :after"
    statement = text(f"SELECT seq, {_AS_IT_STANDS[connection.dialect.name]} FROM audit {where} ORDER BY seq")
    found = connection.execute(statement, {} if after is None else {"after": after})
    for seq, *columns in found.yield_per(1000):
        yield seq, [_text(value) for value in columns]


def _text(value: bytes | str | None) -> str | None:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return None


def _fault(seq: int, link: Sequence[str | None], last: Mark) -> str:
    """What is wrong with an entry that should follow another; empty where nothing is."""
    if seq != last.seq + 1:
        return "it is missing" if seq > last.seq else f"an entry numbered {seq} was put in"
    at, *texts, hashes, own = link
    time = _TIME.fullmatch(at or "")
    said = [one for one in texts if one is not None]
    if time is None or hashes is None or len(said) != len(texts):
        return "it was changed"
    try:
        read = json.loads(hashes)
    except (ValueError, RecursionError):
        return "it was changed"
    if said[-1] != last.head:
        return "it does not follow the entry before it"
    right = json.dumps(read) == hashes and _digest(seq, f"{time[1]}T{time[2]}+00:00", said, read) == own
    return "" if right else "it was changed"


def _hash_of(session: Session, seq: int) -> str | None:
    return session.exec(select(AuditRow.hash).where(AuditRow.seq == seq)).first()


def entries(session: Session, *, before: int | None, limit: int) -> list[AuditRow]:
    """The newest entries first; ``before`` is a ``seq``."""
    query = select(AuditRow).order_by(col(AuditRow.seq).desc()).limit(limit)
    if before is not None:
        query = query.where(col(AuditRow.seq) < before)
    return list(session.exec(query))
