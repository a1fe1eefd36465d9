"""Decisions over the running of it: requests of the built-in CRM, arming, kill switches, attention."""

from __future__ import annotations

from urllib.parse import urlsplit

from sqlmodel import Session, select

from pipeline import doctor, follow_up, replay, rereading
from pipeline.deployment import Deployment, account_row
from store import attention, audit, facts, requests
from store.people import Principal
from store.refusals import Conflict, Invalid, Missing
from store.tables import AccountRow, AttentionRow, ServiceRequestRow
from vocabulary import Outcome


def close_request(
    deployment: Deployment, who: Principal, request_id: int, *, outcome: str, status_notes: str = ""
) -> int:
    """Close a request of the built-in CRM; the residents' follow-ups are drafted.

    Raises:
        Missing, Conflict, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        request = session.get(ServiceRequestRow, request_id)
        if request is None or request.status not in {"open", "closed"}:
            raise Missing(f"there is no request {request_id}")
        if deployment.settings.crm.kind != "builtin":
            raise Conflict(f"requests are closed in the {deployment.settings.crm.kind} CRM", code="not_ours")
        if outcome not in {one.value for one in Outcome}:
            raise Invalid(f"outcome = {outcome!r}: one of {', '.join(Outcome)}", field="outcome")
        if len(status_notes) > 4000:
            raise Invalid("status_notes: 4,000 characters are the most", field="status_notes")
        if not requests.close(session, request, outcome=outcome, by=who.by, notes=status_notes):
            raise Conflict("this request is closed already", code="decided")
        follow_up.draft_follow_ups(session, deployment, request)
    return request_id


def set_sending(deployment: Deployment, who: Principal, account: str, mode: str) -> None:
    """Arm an account, or put it back to dry run.

    Raises:
        Missing, Conflict, Invalid: as they say.
    """
    if account not in deployment.settings.accounts:
        raise Missing(f"there is no account {account!r}")
    if mode not in {"armed", "dry_run"}:
        raise Invalid(f"mode = {mode!r}: armed or dry_run", field="mode")
    if mode == "armed":
        _may_arm(deployment, account)
    with deployment.store.writing() as session:
        row = account_row(session, account)
        row.armed = mode == "armed"
        session.add(row)
        audit.append(session, by=who.by, action=f"account.{mode}", subject=f"account:{account}")


def _may_arm(deployment: Deployment, account: str) -> None:
    table = deployment.settings.accounts[account]
    if table.sending != "armed":
        raise Conflict(
            f'{deployment.settings.file.name} keeps {account} in dry run: set sending = "armed" there first',
            code="ceiling",
        )
    if table.is_loopback:
        return
    if not deployment.settings.alarms.to:
        raise Conflict("nobody would hear of an emergency: name recipients in [alarms] to first", code="no_alarms")
    if urlsplit(deployment.settings.web.public_url).scheme != "https":
        raise Conflict("web.public_url is not https: residents would be sent to an unsafe page", code="not_https")
    failed = [finding for finding in doctor.of_deployment(deployment) if finding.mark == "FAIL"]
    if failed:
        raise Conflict(f"`harken doctor` finds: {failed[0].what}: {failed[0].told}", code="doctor")
    hindrance = deployment.responder(account).hindrance
    if hindrance is not None:
        raise Conflict(f"{account}: {hindrance}", code="no_keys")


def set_kill_switch(deployment: Deployment, who: Principal, *, scope: str, on: bool, reason: str) -> None:
    """Stop all sends of a scope at once, or let them go on.

    Raises:
        Invalid: there is no such scope, or no reason.
    """
    kind, _, name = scope.partition(":")
    platforms = {account.platform for account in deployment.settings.accounts.values()}
    known = {"all": {""}, "platform": platforms, "account": set(deployment.settings.accounts)}
    if name not in known.get(kind, set()):
        raise Invalid(f"scope = {scope!r}: all, platform:NAME or account:NAME", field="scope")
    if not reason.strip():
        raise Invalid("say why: others will read it", field="reason")
    with deployment.store.writing() as session:
        facts.set_kill_switch(session, scope=scope, on=on, reason=reason, by=who.by)


def attention_ack(deployment: Deployment, who: Principal, attention_id: int) -> None:
    """Own something that needs attention."""
    with deployment.store.writing() as session:
        attention.acknowledge(session, _open(session, attention_id), by=who.by)


def attention_replay(deployment: Deployment, who: Principal, attention_id: int) -> None:
    """Try it again. What was set aside unread is read before the transaction, since that may ask a platform.

    Raises:
        Missing, Conflict: as they say.
    """
    with deployment.store.reading() as session:
        aside = rereading.set_aside(session, _open(session, attention_id))
    read = rereading.read(deployment, aside)
    with deployment.store.writing() as session:
        row = _open(session, attention_id)
        rereading.store(deployment, session, read, by=who.by)
        if row.closed_at is None:
            account = session.get(AccountRow, row.account_id) if row.account_id else None
            replay.replay(session, row, account)
            attention.close(session, row, outcome="replayed", by=who.by)


def attention_discard(deployment: Deployment, who: Principal, attention_id: int, *, reason: str) -> None:
    """Let it be, with a name and a reason on it; nothing is deleted.

    Raises:
        Missing, Invalid: as they say.
    """
    if not reason.strip():
        raise Invalid("say why: the record needs it", field="reason")
    with deployment.store.writing() as session:
        row = _open(session, attention_id)
        row.remedy = f"discarded: {reason[:300]}"
        attention.close(session, row, outcome="discarded", by=who.by)


def _open(session: Session, attention_id: int) -> AttentionRow:
    row = session.exec(select(AttentionRow).where(AttentionRow.id == attention_id)).first()
    if row is None or row.closed_at is not None:
        raise Missing(f"nothing open has the number {attention_id}")
    return row
