"""Signing in to the console: tries that slow down, and sessions that end.

Sessions last twelve hours, a long shift, and end after eight hours without a click: city staff keep the inbox open all
day on a guarded machine, and half an hour would only teach them to leave passwords in the browser. Disabling a person
ends them at once.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from store import audit, people
from store.people import Principal
from store.tables import StaffRow, WebSessionRow
from store.types import now

LASTS = timedelta(hours=12)
IDLE = timedelta(hours=8)
#: How exact ``seen_at`` is; a click need not be a write.
SEEN_EVERY = timedelta(minutes=1)
#: Failures before tries slow down, and the longest wait. Never a lock: a stranger could shut anybody out for a day.
FREE_TRIES = 5
LONGEST_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """A try to sign in that was counted before it is looked at."""

    staff_id: int | None  #: None: nobody has this e-mail, or nobody may try just now
    kept: str | None  #: the password's hash to compare with


def begin(session: Session, email: str, *, at: datetime | None = None) -> Try:
    """Count a try. It is counted first, so that a hundred at once are a hundred."""
    moment = at or now()
    row = session.exec(select(StaffRow).where(StaffRow.email == email.strip().lower())).first()
    if row is None or row.disabled_at is not None or (row.locked_until is not None and row.locked_until > moment):
        return Try(staff_id=None, kept=None)
    row.failures += 1
    if row.failures > FREE_TRIES:
        row.locked_until = moment + min(LONGEST_WAIT, timedelta(seconds=2 ** min(row.failures - FREE_TRIES, 10)))
    session.add(row)
    return Try(staff_id=row.id, kept=row.password_hash)


def finish(session: Session, staff_id: int, *, right: bool) -> str | None:
    """Put on record how a try ended, without the password; a right one gives a new session's secret.

    None also if the person was disabled meanwhile.
    """
    row = session.get_one(StaffRow, staff_id)
    if not right or row.disabled_at is not None:
        audit.append(session, by="system", action="staff.sign_in_failed", subject=f"staff:{staff_id}")
        return None
    row.failures, row.locked_until = 0, None
    session.add(row)
    audit.append(session, by=row.email, action="staff.signed_in", subject=f"staff:{row.id}")
    return _start(session, row)


def use_link(session: Session, secret: str, password_hash: str) -> str | None:
    """Set the password that a one-time link allows, end all other sign-ins, and start a session.

    None: the link is used or too old.
    """
    row = people.of_link(session, secret)
    if row is None:
        return None
    set_password(session, row, password_hash, by=row.email)
    return _start(session, row)


def set_password(session: Session, row: StaffRow, password_hash: str, *, by: str) -> None:
    """Set a password; the one-time link and every sign-in end."""
    row.password_hash, row.link_hash, row.link_until = password_hash, None, None
    row.failures, row.locked_until = 0, None
    session.add(row)
    session.execute(
        update(WebSessionRow)
        .where(col(WebSessionRow.staff_id) == row.id, col(WebSessionRow.ended_at).is_(None))
        .values(ended_at=now())
    )
    audit.append(session, by=by, action="staff.password_set", subject=f"staff:{row.id}")


def _start(session: Session, row: StaffRow) -> str:
    secret = secrets.token_urlsafe(32)
    session.add(WebSessionRow(token_hash=people.secret_sha(secret), staff_id=row.id, until=now() + LASTS))
    session.flush()
    return secret


def web_session(session: Session, secret: str, *, at: datetime | None = None) -> WebSessionRow | None:
    """The session of a secret, if it still holds."""
    moment = at or now()
    row = session.exec(select(WebSessionRow).where(WebSessionRow.token_hash == people.secret_sha(secret))).first()
    if row is None or row.ended_at is not None or row.until < moment or row.seen_at + IDLE < moment:
        return None
    return row


def principal_of_session(session: Session, secret: str, *, at: datetime | None = None) -> Principal | None:
    """Who is signed in; None when the session ended or the person was disabled."""
    row = web_session(session, secret, at=at)
    return None if row is None else principal_of_session_row(session, row)


def principal_of_session_row(session: Session, row: WebSessionRow) -> Principal | None:
    """The person of a session."""
    staff = session.get_one(StaffRow, row.staff_id)
    if staff.disabled_at is not None:
        return None
    return people.principal_of_staff(staff, people.grants_of_one(session, staff.id), credential=f"session:{row.id}")


def end(session: Session, secret: str) -> None:
    """Sign out."""
    row = web_session(session, secret)
    if row is not None:
        row.ended_at = now()
        session.add(row)
        audit.append(session, by="system", action="staff.signed_out", subject=f"staff:{row.staff_id}")
