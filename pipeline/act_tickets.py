"""Opening tickets: intent row, claim, call, confirm; what is in doubt is read back before anything else.

Protocol: claim in one transaction (the attempt counts before the call), call outside of any, confirm in another. After
the first byte is out, a time-out or 5xx is no failure but doubt: it rests for longer than the call could still take
effect, and the CRM is searched for our key. It is searched before every further call, whatever the last one answered.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, select

import crashing
from crm_bridge.base import CrmBridge
from errors import AdapterError, RateLimited, Refused
from pipeline import promises
from pipeline.deployment import Deployment
from pipeline.promises import BEGINS_WITHIN, BETWEEN_READINGS, Next, Then
from pipeline.taking import take_each
from pipeline.ticket_outcomes import adopt, fail, opened
from store import audit, clock, content, facts, work
from store.tables import ServiceRequestRow, TicketRow
from store.work import Claim
from vocabulary import ServiceRequest, Ticket

log = logging.getLogger(__name__)

KIND = "ticket"
AT_ONCE = 16
PAUSE = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """What is to be done about a ticket outside of the transaction."""

    ticket_id: int
    what: str = "nothing"  #: open, search, read_back, nothing
    request: ServiceRequest | None = None
    key: str = ""
    fence: int = 0
    claimed_at: float = 0.0  #: seconds of the monotonic clock

    @property
    def asked(self) -> ServiceRequest:
        """What the CRM is asked for."""
        assert self.request is not None
        return self.request


def file_due(deployment: Deployment, *, worker: str) -> int:
    """Take the tickets that are due a step further; gives how many."""
    return take_each(deployment, KIND, _one_step, worker=worker, limit=AT_ONCE, apart=_requests)


def _requests(session: Session, claims: Sequence[Claim]) -> list[int]:
    """What each ticket is for: one request's go in order, others side by side."""
    wanted = select(TicketRow.id, TicketRow.request_id).where(col(TicketRow.id).in_([int(one.ref) for one in claims]))
    found = dict(session.exec(wanted).all())
    return [found[int(one.ref)] for one in claims]


def _one_step(deployment: Deployment, claim: Claim) -> None:
    with deployment.store.writing() as session:
        step = _prepare(session, deployment, claim)
    if step.what == "open":
        _open(deployment, claim, step)
    elif step.what == "search":
        _search(deployment, claim, step)
    elif step.what == "read_back":
        _read_back(deployment, claim, step)


def _prepare(session: Session, deployment: Deployment, claim: Claim) -> _Step:
    row = session.get_one(TicketRow, int(claim.ref))
    moment = clock.read(session)
    if row.state in {"sending", "in_doubt"}:
        if row.not_before is not None and row.not_before > moment:
            work.later(session, claim, at=row.not_before, free=True)
            return _Step(ticket_id=row.id)
        _doubt(session, row)
        return _rested(session, deployment, claim, row)
    if row.state != "pending":
        work.finish(session, [claim])
        return _Step(ticket_id=row.id)
    if _must_wait(session, deployment):
        work.later(session, claim, at=moment + PAUSE, free=True)
        return _Step(ticket_id=row.id)
    if deployment.crm is None:
        opened(session, row, Ticket(service_request_id=_own_number(session, row)))
        work.finish(session, [claim])
        return _Step(ticket_id=row.id)
    if promises.promise(deployment.crm.offers).then is Then.READ_BACK and _may_stand(session, row):
        return _step(session, row, "search")
    return _claimed(session, deployment, row)


def _may_stand(session: Session, row: TicketRow) -> bool:
    """Whether it may have been opened: by an earlier call, or before a restore to a moment when it was not approved."""
    restored = facts.restored_at(session)
    return row.attempt > 0 or (
        restored is not None and session.get_one(ServiceRequestRow, row.request_id).requested_at < restored
    )


def _must_wait(session: Session, deployment: Deployment) -> bool:
    """A kill switch is on, or the CRM was put back to dry run since: until it is armed again."""
    stopped = facts.kill_switch(session, platform="crm", account="crm") is not None
    return stopped or deployment.settings.crm.sending != "armed"


def _rested(session: Session, deployment: Deployment, claim: Claim, row: TicketRow) -> _Step:
    """What is done about one whose outcome is unknown, by what its target offers."""
    bridge = _bridge(deployment)
    made = promises.promise(bridge.offers)
    if made.then is Then.AGAIN and row.attempt < made.tries:
        if _must_wait(session, deployment):
            work.later(session, claim, at=clock.read(session) + PAUSE, free=True)
            return _Step(ticket_id=row.id)
        return _claimed(session, deployment, row)
    if bridge.offers.read_back:
        return _step(session, row, "read_back")
    row.error = f"its outcome is unknown, and the CRM does not show what stands; {row.error or ''}"[:500]
    fail(session, claim, row)
    return _Step(ticket_id=row.id)


def _claimed(session: Session, deployment: Deployment, row: TicketRow) -> _Step:
    began, made = deployment.monotonic(), promises.promise(_bridge(deployment).offers)
    row.state, row.attempt, row.fence, row.not_found = "sending", row.attempt + 1, row.fence + 1, 0
    row.not_before = clock.read(session) + made.rest_from_claim(deployment.settings.sending.settle)
    session.add(row)
    audit.append(session, by="system", action="ticket.sending", subject=f"ticket:{row.id}", hashes={"key": row.key})
    return _step(session, row, "open", claimed_at=began)


def _doubt(session: Session, row: TicketRow) -> None:
    if row.state != "in_doubt":
        audit.append(session, by="system", action="ticket.in_doubt", subject=f"ticket:{row.id}")
    row.state = "in_doubt"
    session.add(row)


def _bridge(deployment: Deployment) -> CrmBridge:
    bridge = deployment.crm
    assert bridge is not None
    return bridge


def _own_number(session: Session, row: TicketRow) -> str:
    return session.get_one(ServiceRequestRow, row.request_id).reference


def _step(session: Session, row: TicketRow, what: str, *, claimed_at: float = 0.0) -> _Step:
    request = session.get_one(ServiceRequestRow, row.request_id)
    value = ServiceRequest(
        reference=request.reference,
        service_code=request.service_code,
        description=content.words(session, request.description_id),
        address=request.address,
        lat=request.lat,
        long=request.long,
        requested_at=request.requested_at,
    )
    return _Step(ticket_id=row.id, what=what, request=value, key=row.key, fence=row.fence, claimed_at=claimed_at)


def _search(deployment: Deployment, claim: Claim, step: _Step) -> None:
    """Before a further call: an error is no proof that the last one did nothing."""
    try:
        found = _bridge(deployment).find(step.asked, key=step.key)
    except Refused:  # nothing can be told apart there; that the last call did nothing is all there is to go by
        found = None
    except AdapterError as err:
        with deployment.store.writing() as session:
            _not_read(session, deployment, claim, session.get_one(TicketRow, step.ticket_id), err)
        return
    with deployment.store.writing() as session:
        row = session.get_one(TicketRow, step.ticket_id)
        if row.state != "pending":
            work.finish(session, [claim])
            return
        if found is not None:
            adopt(session, claim, row, found)
            return
        if _must_wait(session, deployment):
            work.later(session, claim, at=clock.read(session) + PAUSE, free=True)
            return
        step = _claimed(session, deployment, row)
    _open(deployment, claim, step)


def _open(deployment: Deployment, claim: Claim, step: _Step) -> None:
    if not _may_still_call(deployment, step):
        with deployment.store.writing() as session:
            _not_begun(session, claim, step)
        return
    bridge, found = _bridge(deployment), None
    try:
        crashing.here("ticket.calling")
        ticket = bridge.open_ticket(step.asked, key=step.key)
    except AdapterError as err:
        crashing.here("ticket.refused")
        follows = promises.after(err)
        if follows is Next.LOOK_THEN_PERSON:
            follows, found = _looked_for(bridge, step, follows)
        with deployment.store.writing() as session:
            _not_opened(session, deployment, claim, step, err, follows, found)
        return
    crashing.here("ticket.called")
    with deployment.store.writing() as session:
        opened(session, session.get_one(TicketRow, step.ticket_id), ticket)
        crashing.here("ticket.confirming")
        work.finish(session, [claim])
    crashing.here("ticket.confirmed")


def _may_still_call(deployment: Deployment, step: _Step) -> bool:
    """The last look before the first byte: nobody holds us for dead, and we did not stand still since the claim."""
    with deployment.store.reading() as session:
        row = session.get_one(TicketRow, step.ticket_id)
        ours = row.state == "sending" and row.fence == step.fence
    age = deployment.monotonic() - step.claimed_at
    return ours and age <= deployment.settings.sending.settle.total_seconds() * BEGINS_WITHIN


def _not_begun(session: Session, claim: Claim, step: _Step) -> None:
    """Take the claim back, unless somebody holds us for dead already: nothing went out, so it was no try."""
    row = session.get_one(TicketRow, step.ticket_id)
    if row.state != "sending" or row.fence != step.fence:
        return
    row.state, row.attempt, row.not_before = "pending", row.attempt - 1, None
    session.add(row)
    work.later(session, claim, at=clock.read(session) + PAUSE, free=True)


def _looked_for(bridge: CrmBridge, step: _Step, follows: Next) -> tuple[Next, Ticket | None]:
    """What follows a refusal, and the ticket where it stands though it was refused."""
    try:
        return follows, bridge.find(step.asked, key=step.key)
    except Refused:
        return follows, None
    except AdapterError:
        return Next.DOUBT, None


def _not_opened(
    session: Session,
    deployment: Deployment,
    claim: Claim,
    step: _Step,
    err: AdapterError,
    follows: Next,
    found: Ticket | None,
) -> None:
    row = session.get_one(TicketRow, step.ticket_id)
    if found is not None and row.state in {"sending", "in_doubt"}:
        adopt(session, claim, row, found)
        return
    if row.state != "sending" or row.fence != step.fence:
        return
    row.error = f"{type(err).__name__}: {err}"[:500]
    session.add(row)
    if follows is Next.DOUBT:
        made = promises.promise(_bridge(deployment).offers)
        _doubt(session, row)
        row.not_before = clock.read(session) + made.rest(deployment.settings.sending.settle)
        work.later(session, claim, at=row.not_before, free=True)
    elif follows in {Next.LATER, Next.ALLOWED} and row.attempt < work.MAX_ATTEMPTS:
        row.state = "pending"
        pause = clock.read(session) + work.wait_after(row.attempt)
        at = err.retry_at if isinstance(err, RateLimited) else pause
        work.later(session, claim, at=at, error=row.error, free=True)
    else:
        fail(session, claim, row)


def _read_back(deployment: Deployment, claim: Claim, step: _Step) -> None:
    """Adopt what stands there. Only what was not there each time that it was looked for is opened again."""
    bridge = _bridge(deployment)
    try:
        found = bridge.find(step.asked, key=step.key)
    except AdapterError as err:
        with deployment.store.writing() as session:
            row = session.get_one(TicketRow, step.ticket_id)
            if isinstance(err, Refused):  # it never can be: a person decides, or there might be two tickets
                row.error = f"could not be read back: {err}"[:500]
                fail(session, claim, row)
            else:
                _not_read(session, deployment, claim, row, err)
        return
    crashing.here("ticket.read_back")
    with deployment.store.writing() as session:
        row = session.get_one(TicketRow, step.ticket_id)
        if row.state != "in_doubt":
            work.finish(session, [claim])
        elif found is not None:
            adopt(session, claim, row, found)
        else:
            _not_there(session, deployment, claim, row)


def _not_read(session: Session, deployment: Deployment, claim: Claim, row: TicketRow, err: AdapterError) -> None:
    """While the CRM can't be read, nothing is opened."""
    row.error = f"could not be read back: {err}"[:500]
    session.add(row)
    at = clock.read(session) + deployment.settings.sending.settle
    if isinstance(err, RateLimited):
        at = max(at, err.retry_at)
    work.later(session, claim, at=at, error=row.error, free=True)


def _not_there(session: Session, deployment: Deployment, claim: Claim, row: TicketRow) -> None:
    """One search that shows nothing proves little, a second one after a while more."""
    made, moment = promises.promise(_bridge(deployment).offers), clock.read(session)
    row.not_found += 1
    session.add(row)
    if row.not_found < made.readings:
        row.not_before = moment + deployment.settings.sending.settle * BETWEEN_READINGS
        work.later(session, claim, at=row.not_before, free=True)
    elif row.attempt >= made.tries:
        fail(session, claim, row)
    else:
        row.state = "pending"
        work.later(session, claim, at=moment, free=True)


def as_ticket(row: TicketRow) -> Ticket:
    """A ticket's row as the value that a bridge takes."""
    return Ticket(service_request_id=row.service_request_id, token=row.token)
