"""Lists for the JSON API: filtered, within one's grants, newest first, a page at a time; ``loaded.py`` fills them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, and_, false, or_
from sqlmodel import Session, SQLModel, col, select

from store import cursors, sight
from store.desk.assessed import as_it_stands, latest
from store.sight import Sight
from store.tables import (
    AccountRow,
    AlarmRow,
    AssessmentRow,
    AttentionRow,
    AuditRow,
    ContentRow,
    DraftRow,
    MentionRevisionRow,
    MentionRow,
    MentionSourceRow,
    RequestMentionRow,
    ServiceRequestRow,
)

Row = TypeVar("Row", bound=SQLModel)
Item = TypeVar("Item")

#: What a request of the API is: a proposal is part of its draft until it is approved, and nothing once it is dropped.
FILED = ("open", "closed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """Which page is wanted."""

    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found(Generic[Item]):
    """A page, and where the next begins."""

    rows: list[Item]
    next: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MentionsWanted:
    """Filters; None: all."""

    platform: str | None = None
    account: str | None = None
    intent: str | None = None
    service_code: str | None = None
    sentiment: str | None = None
    urgency: str | None = None
    state: str | None = None
    since: datetime | None = None
    q: str | None = None


def mentions(session: Session, seen: Sight, wanted: MentionsWanted, page: Slice) -> Found[MentionRow]:
    """Mentions by when they were posted.

    Raises:
        ValueError: the cursor is none of this list.
    """
    query = select(MentionRow).where(sight.mentions(seen), *_plain(wanted))
    assessed = {
        name: value for name in ("intent", "service_code", "sentiment", "urgency") if (value := getattr(wanted, name))
    }
    if assessed:
        query = query.join(AssessmentRow, col(AssessmentRow.id) == latest(col(MentionRow.id)))
        query = query.where(*(as_it_stands(name) == value for name, value in assessed.items()))
    if wanted.q is not None:
        query = query.join(
            MentionRevisionRow,
            and_(
                col(MentionRevisionRow.mention_id) == col(MentionRow.id),
                col(MentionRevisionRow.rev) == col(MentionRow.rev),
            ),
        ).join(ContentRow, col(ContentRow.id) == col(MentionRevisionRow.content_id))
        query = query.where(*(_says(word) for word in wanted.q.split()))
    if page.cursor is not None:
        at, row_id = cursors.decode("mentions", page.cursor, (datetime, int))
        posted = col(MentionRow.posted_at)
        query = query.where(or_(posted < at, and_(posted == at, col(MentionRow.id) < row_id)))
    query = query.order_by(col(MentionRow.posted_at).desc(), col(MentionRow.id).desc()).limit(page.limit + 1)
    rows = list(session.exec(query))
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    return Found(rows=rows, next=cursors.encode("mentions", rows[-1].posted_at, rows[-1].id) if more else None)


def _plain(wanted: MentionsWanted) -> list[ColumnElement[bool]]:
    tests: list[ColumnElement[bool]] = []
    if wanted.platform is not None:
        tests.append(col(MentionRow.platform) == wanted.platform)
    if wanted.state is not None:
        tests.append(col(MentionRow.state) == wanted.state)
    if wanted.since is not None:
        tests.append(col(MentionRow.posted_at) >= wanted.since)
    if wanted.account is not None:
        heard = (
            select(MentionSourceRow.mention_id)
            .join(AccountRow, col(AccountRow.id) == col(MentionSourceRow.account_id))
            .where(AccountRow.name == wanted.account)
        )
        tests.append(col(MentionRow.id).in_(heard))
    return tests


def _says(word: str) -> ColumnElement[bool]:
    """Whether the words contain a word, whatever its case."""
    escaped = word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return col(ContentRow.text).ilike(f"%{escaped}%", escape="\\")


def drafts(
    session: Session,
    seen: Sight,
    page: Slice,
    *,
    state: str | None = None,
    kind: str | None = None,
    mention_id: int | None = None,
) -> Found[DraftRow]:
    """Drafts, the newest first."""
    tests = [sight.drafts(seen)]
    for column, value in ((DraftRow.state, state), (DraftRow.kind, kind), (DraftRow.mention_id, mention_id)):
        if value is not None:
            tests.append(col(column) == value)
    return _by_id(session, "drafts", DraftRow, page, *tests)


def requests(
    session: Session,
    seen: Sight,
    page: Slice,
    *,
    status: str | None = None,
    service_code: str | None = None,
    mention_id: int | None = None,
) -> Found[ServiceRequestRow]:
    """Filed requests, the newest first."""
    states = FILED if status is None else (status,)
    tests = [sight.requests(seen), col(ServiceRequestRow.status).in_(states)]
    if service_code is not None:
        tests.append(col(ServiceRequestRow.service_code) == service_code)
    if mention_id is not None:
        of_mention = select(RequestMentionRow.request_id).where(RequestMentionRow.mention_id == mention_id)
        tests.append(col(ServiceRequestRow.id).in_(of_mention))
    return _by_id(session, "requests", ServiceRequestRow, page, *tests)


def alarms(session: Session, seen: Sight, page: Slice) -> Found[AlarmRow]:
    """Alarms, the newest first."""
    return _by_id(session, "alarms", AlarmRow, page, sight.about_mention(seen, col(AlarmRow.mention_id)))


def attention(session: Session, seen: Sight, page: Slice) -> Found[AttentionRow]:
    """What needs attention and nobody has dealt with, the newest first."""
    return _by_id(
        session, "attention", AttentionRow, page, needs_attention(seen), col(AttentionRow.closed_at).is_(None)
    )


def needs_attention(seen: Sight, role: str = "viewer") -> ColumnElement[bool]:
    """A condition on ``AttentionRow``: whoever sees everything, or the account or mention concerned; an admin too."""
    granted = (*seen.who.granted(role), *seen.who.granted("admin"))
    if any(one.account_id is None and one.department_id is None for one in granted):
        return col(AttentionRow.id).is_not(None)
    accounts = [one.account_id for one in granted if one.account_id is not None]
    return or_(
        false(),
        col(AttentionRow.account_id).in_(accounts),
        sight.about_mention(seen, col(AttentionRow.mention_id), role),
    )


def audit(session: Session, page: Slice) -> Found[AuditRow]:
    """The log, the newest entry first."""
    query = select(AuditRow).order_by(col(AuditRow.seq).desc()).limit(page.limit + 1)
    if page.cursor is not None:
        query = query.where(col(AuditRow.seq) < cursors.decode("audit", page.cursor, (int,))[0])
    rows = list(session.exec(query))
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    return Found(rows=rows, next=cursors.encode("audit", rows[-1].seq) if more else None)


def _by_id(session: Session, noun: str, table: type[Row], page: Slice, *tests: ColumnElement[bool]) -> Found[Row]:
    key: Any = col(table.id)  # type: ignore[attr-defined]  # every table but audit and setting has it
    query = select(table).where(*tests).order_by(key.desc()).limit(page.limit + 1)
    if page.cursor is not None:
        query = query.where(key < cursors.decode(noun, page.cursor, (int,))[0])
    rows = list(session.exec(query))
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    last: Any = rows[-1] if rows else None
    return Found(rows=rows, next=cursors.encode(noun, last.id) if more else None)
