"""What staff must see of the running of it: what needs attention, the accounts, the audit."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from store import facts, inbox, sight
from store.desk.inbox import AlarmLine, alarm_line
from store.desk.rows import by_id
from store.sight import Sight
from store.tables import AccountRow, AlarmRow, AttentionRow, GapRow, MentionRow, ReplyRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Concern:
    """Something that was given up on, until a person has dealt with it."""

    id: int
    kind: str
    summary: str
    remedy: str
    account: str
    conversation_id: int | None
    raised_at: datetime
    owner: str | None
    acked_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAlarm:
    """An alarm that nobody has acknowledged."""

    conversation_id: int
    alarm: AlarmLine


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A stretch that a platform no longer serves."""

    account: str
    source: str
    from_at: datetime | None
    to_at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """A kill switch."""

    scope: str
    on: bool
    reason: str
    by: str
    changed_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountCard:
    """An account as it runs."""

    id: int
    name: str
    platform: str
    state: str
    armed: bool
    last_success_at: datetime | None
    last_try_at: datetime | None
    not_before: datetime | None
    error: str | None
    gaps: int
    unsent: int  #: replies approved or on their way


def concerns(session: Session, seen: Sight) -> list[Concern]:
    """What is open, newest first, within the grants."""
    query = select(AttentionRow).where(col(AttentionRow.closed_at).is_(None), inbox.needs_attention(seen))
    rows = list(session.exec(query.order_by(col(AttentionRow.id).desc()).limit(200)))
    accounts = by_id(session, AccountRow, (row.account_id for row in rows))
    mentions = by_id(session, MentionRow, (row.mention_id for row in rows))
    return [
        Concern(
            id=row.id,
            kind=row.kind,
            summary=row.summary,
            remedy=row.remedy,
            account=accounts[row.account_id].name if row.account_id in accounts else "",
            conversation_id=mentions[row.mention_id].conversation_id if row.mention_id in mentions else None,
            raised_at=row.raised_at,
            owner=row.owner,
            acked_at=row.acked_at,
        )
        for row in rows
    ]


def open_alarms(session: Session, seen: Sight) -> list[OpenAlarm]:
    """Alarms that nobody has acknowledged, oldest first, within the grants."""
    within = sight.about_mention(seen, col(AlarmRow.mention_id))
    rows = session.exec(select(AlarmRow).where(col(AlarmRow.outcome).is_(None), within).order_by(col(AlarmRow.id)))
    return [OpenAlarm(conversation_id=row.conversation_id, alarm=alarm_line(row)) for row in rows]


def gaps(session: Session, seen: Sight, *, limit: int = 50) -> list[Gap]:
    """The newest gaps of the accounts within the grants."""
    query = select(GapRow).where(sight.accounts(seen, col(GapRow.account_id)))
    rows = list(session.exec(query.order_by(col(GapRow.id).desc()).limit(limit)))
    names = by_id(session, AccountRow, (row.account_id for row in rows))
    return [
        Gap(
            account=names[row.account_id].name,
            source=row.source,
            from_at=row.from_at,
            to_at=row.to_at,
            reason=row.reason,
        )
        for row in rows
    ]


def accounts(session: Session, names: Iterable[str], seen: Sight) -> list[AccountCard]:
    """The accounts of the file, within the grants."""
    query = select(AccountRow).where(col(AccountRow.name).in_(list(names)), sight.accounts(seen, col(AccountRow.id)))
    rows = list(session.exec(query.order_by(AccountRow.name)))
    gaps_of = dict(session.exec(select(GapRow.account_id, func.count()).group_by(col(GapRow.account_id))).all())
    unsent = select(ReplyRow.account_id, func.count()).where(
        col(ReplyRow.state).in_(("approved", "sending", "in_doubt"))
    )
    unsent_of = dict(session.exec(unsent.group_by(col(ReplyRow.account_id))).all())
    return [
        AccountCard(
            id=row.id,
            name=row.name,
            platform=row.platform,
            state=row.state,
            armed=row.armed,
            last_success_at=row.last_success_at,
            last_try_at=row.last_try_at,
            not_before=row.not_before,
            error=row.error,
            gaps=gaps_of.get(row.id, 0),
            unsent=unsent_of.get(row.id, 0),
        )
        for row in rows
    ]


def switches(session: Session, scopes: Iterable[str]) -> list[Switch]:
    """Every kill switch there is, also those that were never touched."""
    touched = facts.switches(session)
    return [
        Switch(
            scope=scope,
            on=bool(row and row.value.get("on")),
            reason=str(row.value.get("reason", "")) if row else "",
            by=row.by if row else "",
            changed_at=row.changed_at if row else None,
        )
        for scope in scopes
        for row in (touched.get(scope),)
    ]
