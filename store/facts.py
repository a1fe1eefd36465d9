"""Facts that a person changes while it runs (kill switches), and what residents asked of us (contact rules)."""

from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, select

from store import audit
from store.tables import ContactRuleRow, SettingRow
from store.types import now

RESTORED = "restored"


def kill_switch(session: Session, *, platform: str, account: str) -> str | None:
    """The scope of a switch that stops this account now; read inside the transaction that begins to send."""
    scopes = ("all", f"platform:{platform}", f"account:{account}")
    asked = select(SettingRow).where(col(SettingRow.key).in_([f"kill_switch.{scope}" for scope in scopes]))
    on = {row.key for row in session.exec(asked) if row.value.get("on")}
    return next((scope for scope in scopes if f"kill_switch.{scope}" in on), None)


def set_kill_switch(session: Session, *, scope: str, on: bool, reason: str, by: str) -> None:
    """Stop sends at once, or let them go on."""
    remember(session, f"kill_switch.{scope}", {"on": on, "reason": reason[:300]}, by=by)
    audit.append(session, by=by, action="kill_switch.on" if on else "kill_switch.off", subject=f"scope:{scope}")


def switches(session: Session) -> dict[str, SettingRow]:
    """All kill switches that were ever touched, by scope."""
    rows = session.exec(select(SettingRow).where(col(SettingRow.key).startswith("kill_switch.")))
    return {row.key.removeprefix("kill_switch."): row for row in rows}


def remember(session: Session, key: str, value: dict[str, object], *, by: str) -> None:
    """Keep a small fact."""
    row = session.get(SettingRow, key) or SettingRow(key=key, by=by)
    row.value, row.by, row.changed_at = value, by, now()
    session.add(row)


def recall(session: Session, key: str) -> dict[str, object] | None:
    """A small fact, if it was ever kept."""
    row = session.get(SettingRow, key)
    return None if row is None else row.value


def restored_at(session: Session) -> datetime | None:
    """When the store was last restored: what it holds from before may have been done since the backup."""
    kept = recall(session, RESTORED)
    return None if kept is None else datetime.fromisoformat(str(kept["at"]))


def hear_again(session: Session, since: datetime) -> None:
    """Let the next poll of the CRM reach back to a moment, if it would begin later."""
    kept = recall(session, "crm_polled")
    if kept is not None and datetime.fromisoformat(str(kept["at"])) > since:
        remember(session, "crm_polled", {"at": since.isoformat()}, by="system")


def contact_rule(
    session: Session, identity_id: int | None, *, follow_up: bool, at: datetime | None = None
) -> str | None:
    """Why this identity may not be written to; None: it may."""
    if identity_id is None:
        return None
    scopes = ("all", "follow_ups" if follow_up else "replies")
    rule = session.exec(
        select(ContactRuleRow).where(
            ContactRuleRow.identity_id == identity_id,
            col(ContactRuleRow.scope).in_(scopes),
            or_(col(ContactRuleRow.until).is_(None), col(ContactRuleRow.until) > (at or now())),
        )
    ).first()
    return None if rule is None else rule.reason


def no_more(session: Session, identity_id: int, *, scope: str, reason: str, by: str) -> None:
    """A resident asked for no more of something."""
    if contact_rule(session, identity_id, follow_up=scope == "follow_ups") is None:
        session.add(ContactRuleRow(identity_id=identity_id, scope=scope, reason=reason, by=by))
        audit.append(session, by=by, action=f"contact_rule.{scope}", subject=f"identity:{identity_id}")
