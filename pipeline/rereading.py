"""Reading once more what a platform served and we could not read, from the bytes that were set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from errors import AdapterError
from pipeline import storing
from pipeline.deployment import Deployment
from store import attention, breaker, quarantine
from store.refusals import Conflict
from store.tables import AccountRow, AttentionRow, ContentRow
from vocabulary import Page


@dataclass(frozen=True, kw_only=True, slots=True)
class Aside:
    """An item that was set aside, and the row that tells of it."""

    attention_id: int
    account: str
    source: str
    raw: bytes


def set_aside(session: Session, row: AttentionRow) -> list[Aside]:
    """What is to be read again for this row: the item it is about, or all that its stopped source left unread."""
    account = session.get(AccountRow, row.account_id) if row.account_id else None
    if account is None:
        return []
    if row.kind == breaker.KIND:
        rows = quarantine.waiting(session, account.id, breaker.source_of(row.ref))
    else:
        rows = [row] if row.kind == quarantine.KIND else []
    return [
        Aside(
            attention_id=one.id,
            account=account.name,
            source=quarantine.source_of(one),
            raw=session.get_one(ContentRow, one.content_id).raw or b"",
        )
        for one in rows
    ]


def read(deployment: Deployment, aside: Sequence[Aside]) -> Mapping[Aside, Page]:
    """Each item as it reads now. No transaction is open: a listener may have to ask its platform who we are.

    Raises:
        Conflict: the platform can't be asked, or nobody listens to the source any more.
    """
    found = {}
    for one in aside:
        listener = deployment.listener(one.account) if one.account in deployment.accounts() else None
        if listener is None or one.source not in listener.sources:
            raise Conflict(f"nobody listens to {one.source} of {one.account}: discard it", code="not_replayable")
        try:
            found[one] = listener.reread(one.source, one.raw)
        except AdapterError as err:
            raise Conflict(f"it can't be read now: {err}", code="not_replayable") from err
    return found


def store(deployment: Deployment, session: Session, pages: Mapping[Aside, Page], *, by: str) -> None:
    """Store what can be read now, and be done with it; the rest stays set aside."""
    for one, page in pages.items():
        row = session.get_one(AttentionRow, one.attention_id)
        if page.unreadable or row.closed_at is not None:
            continue
        if storing.store_page(deployment, session, one.account, one.source, page).refused == 0:
            attention.close(session, row, outcome="replayed", by=by)
