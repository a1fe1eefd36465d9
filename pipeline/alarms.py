"""The emergency lane: an alarm is raised at once, reminded until somebody acknowledges, and then escalated."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import apprise
from pydantic import SecretStr
from sqlmodel import Session, col, select

from pipeline.deployment import Deployment
from store import attention, audit
from store.tables import AlarmRow, MentionRevisionRow, MentionRow
from store.types import now

log = logging.getLogger(__name__)


def raise_alarm(session: Session, mention: MentionRow, *, reason: str, self_harm: bool) -> AlarmRow:
    """Raise the alarm of a conversation; repeats fold into the one that is open."""
    row = session.exec(
        select(AlarmRow).where(AlarmRow.conversation_id == mention.conversation_id, col(AlarmRow.outcome).is_(None))
    ).first()
    if row is None:
        if _settled(session, mention):
            return _last(session, mention)
        row = AlarmRow(mention_id=mention.id, conversation_id=mention.conversation_id, reason=reason)
        session.add(row)
        session.flush()
        audit.append(session, by="system", action="alarm.raised", subject=f"alarm:{row.id}")
    elif row.mention_id != mention.id:
        row.repeats += 1
        if (
            mention.identity_id is None
            or session.get_one(MentionRow, row.mention_id).identity_id != mention.identity_id
        ):
            row.last_notified_at = None  # somebody else cries: that is told at once, not with the next reminder
    row.self_harm = row.self_harm or self_harm
    session.add(row)
    return row


def _settled(session: Session, mention: MentionRow) -> bool:
    """This very wording was looked at already: a second assessment of it rings no second alarm."""
    worded = select(MentionRevisionRow.seen_at).where(
        MentionRevisionRow.mention_id == mention.id, MentionRevisionRow.rev == mention.rev
    )
    since = session.exec(worded).first()
    rung = select(AlarmRow.id).where(AlarmRow.mention_id == mention.id)
    if since is not None:
        rung = rung.where(AlarmRow.raised_at >= since)
    return session.exec(rung).first() is not None


def _last(session: Session, mention: MentionRow) -> AlarmRow:
    query = select(AlarmRow).where(AlarmRow.mention_id == mention.id).order_by(col(AlarmRow.id).desc())
    return session.exec(query.limit(1)).one()


def of_conversation(session: Session, conversation_id: int) -> AlarmRow | None:
    """The open alarm of a thread."""
    return session.exec(
        select(AlarmRow).where(AlarmRow.conversation_id == conversation_id, col(AlarmRow.outcome).is_(None))
    ).first()


def acknowledge(session: Session, row: AlarmRow, *, by: str, emergency: bool) -> None:
    """A person has seen it and owns it; the reminders stop."""
    row.acknowledged_by, row.acknowledged_at = by, now()
    row.outcome = "acknowledged" if emergency else "not_an_emergency"
    session.add(row)
    audit.append(session, by=by, action=f"alarm.{row.outcome}", subject=f"alarm:{row.id}")
    attention.settle(session, "alarm", str(row.id), by=by)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ring:
    alarm_id: int
    escalating: bool
    title: str
    body: str
    doors: tuple[SecretStr, ...]


def ring(deployment: Deployment, *, at: datetime | None = None) -> int:
    """Notify, remind and escalate what nobody acknowledged; gives how many alarms rang."""
    moment = at or now()
    with deployment.store.writing() as session:
        rings = [_claim(session, deployment, row, moment) for row in due(session, deployment, moment)]
    for one in rings:
        delivered = sum(notify(door, title=one.title, body=one.body) for door in one.doors)
        with deployment.store.writing() as session:
            _note(session, deployment, one, delivered)
    return len(rings)


def due(session: Session, deployment: Deployment, moment: datetime) -> list[AlarmRow]:
    """The open alarms that are to ring at a moment, the oldest first."""
    query = select(AlarmRow).where(col(AlarmRow.outcome).is_(None)).order_by(col(AlarmRow.id))
    remind = deployment.settings.alarms.remind_every
    return [
        row for row in session.exec(query) if row.last_notified_at is None or row.last_notified_at + remind <= moment
    ]


def _claim(session: Session, deployment: Deployment, row: AlarmRow, moment: datetime) -> _Ring:
    """Note the try before it is made, so that a crash in between costs one reminder and never a flood."""
    alarms = deployment.settings.alarms
    escalating = bool(alarms.escalate_to) and row.raised_at + alarms.escalate_after <= moment
    if escalating and row.escalated_at is None:
        row.escalated_at = moment
        audit.append(session, by="system", action="alarm.escalated", subject=f"alarm:{row.id}")
    doors = alarms.to + (alarms.escalate_to if escalating else ())
    row.last_notified_at = moment
    row.recipients = [kind_of(door) for door in doors]
    session.add(row)
    mention = session.get_one(MentionRow, row.mention_id)
    city = deployment.settings.city.name
    title = f"{'ESCALATED: ' if escalating else ''}Possible emergency on {mention.platform}, {city}"
    age = hours_and_minutes(moment - mention.posted_at)
    link = f"{deployment.settings.web.public_url}/console/conversations/{row.conversation_id}"
    body = (
        f"{row.reason}. Posted {age} ago, {row.repeats + 1} post(s) on this thread. "
        f"Nobody has acknowledged it yet. Open {link} and press Acknowledge."
    )
    return _Ring(alarm_id=row.id, escalating=escalating, title=title, body=body, doors=doors)


def hours_and_minutes(span: timedelta) -> str:
    """How long, as somebody in a hurry reads it: ``10 h 55 min``."""
    minutes = max(0, int(span.total_seconds() // 60))
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def kind_of(door: SecretStr) -> str:
    """The kind of a recipient (``mailto``, ``slack``); the rest of its URL is a secret."""
    return door.get_secret_value().partition(":")[0]


def notify(door: SecretStr, *, title: str, body: str) -> bool:
    """Send one notification; gives whether the other end took it. Never raises: an alarm must try the next door."""
    target = apprise.Apprise()
    try:
        return bool(target.add(door.get_secret_value()) and target.notify(title=title, body=body))
    except Exception:  # noqa: BLE001  a hundred plugins, each with libraries of its own
        log.error("a %s recipient broke", kind_of(door))  # no trace: it may hold the secret URL
        return False


def _note(session: Session, deployment: Deployment, one: _Ring, delivered: int) -> None:
    row = session.get_one(AlarmRow, one.alarm_id)
    row.notified += delivered
    row.failed += len(one.doors) - delivered
    row.last_error = None
    if not one.doors:
        row.last_error = "nobody is named in [alarms] to"
    elif delivered < len(one.doors):
        row.last_error = f"{len(one.doors) - delivered} of {len(one.doors)} notifications were not taken"
    session.add(row)
    if row.last_error is not None:
        log.error("alarm %d: %s", row.id, row.last_error, extra={"alarm": row.id})
        attention.raise_(
            session,
            kind="alarm",
            ref=str(row.id),
            mention_id=row.mention_id,
            summary=f"alarm {row.id}: {row.last_error}",
            remedy=f"mend [alarms] in {deployment.settings.file.name}; acknowledge the alarm in the console",
        )
