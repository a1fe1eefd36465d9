"""The one place where words live, so that they can be sealed, held or disposed of."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from store import audit
from store.tables import ContentRow
from store.types import now
from vocabulary import Media

#: A post's words beyond this are cut in the working copy; the raw payload keeps all.
MAX_TEXT = 100_000


def storable(text: str) -> str:
    """A text that every database takes: no NUL, no lone surrogate, bounded. The raw bytes keep what was there."""
    return text[:MAX_TEXT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def shown(media: Sequence[Media]) -> list[dict[str, str]] | None:
    """Photos and films as they are kept; None for none."""
    return [{"kind": one.kind, "url": one.url, "alt": storable(one.alt)} for one in media] or None


def keep(
    session: Session,
    record_class: str,
    text: str | None = None,
    *,
    raw: bytes | None = None,
    media: list[dict[str, str]] | None = None,
    derived_from: int | None = None,
) -> int:
    """Keep words; gives the id that other tables point at."""
    row = ContentRow(
        record_class=record_class,
        text=None if text is None else storable(text),
        raw=raw,
        media=media,
        derived_from=derived_from,
    )
    session.add(row)
    session.flush()
    return row.id


def words(session: Session, content_id: int | None) -> str:
    """The words of a row; empty when they were disposed of."""
    if content_id is None:
        return ""
    row = session.get(ContentRow, content_id)
    return (row.text or "") if row else ""


def dispose(session: Session, content_id: int, *, by: str, why: str) -> int:
    """Empty a row and everything derived from it, and leave tombstones. Rows under legal hold stay.

    Returns how many rows were emptied. Afterwards the caller lets ``Store.forget_freed_pages`` run.
    """
    emptied, wave = 0, [content_id]
    seen: set[int] = set()
    while wave:
        seen.update(wave)
        rows = session.exec(select(ContentRow).where(col(ContentRow.id).in_(wave))).all()
        for row in rows:
            if row.legal_hold or row.disposed_at is not None:
                continue
            row.text = row.raw = row.media = None
            row.disposed_at = now()
            session.add(row)
            emptied += 1
            audit.append(
                session, by=by, action="content.disposed", subject=f"content:{row.id}", hashes={"why": audit.sha(why)}
            )
        children = select(ContentRow.id).where(col(ContentRow.derived_from).in_(wave))
        wave = [child for child in session.exec(children) if child not in seen]
    return emptied
