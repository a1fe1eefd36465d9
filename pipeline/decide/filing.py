"""The request's half of an approval: it becomes the city's, and its ticket is opened after the undo time."""

from __future__ import annotations

from sqlmodel import Session

from pipeline import draft as drafting
from pipeline.deployment import Deployment, sends_for_real
from places.finder import near
from store import requests, work
from store.refusals import Conflict, Invalid, Missing
from store.tables import AccountRow, DraftRow, MentionRow, RequestProposalRow, ServiceRequestRow, TicketRow
from store.types import now


def file(
    session: Session, deployment: Deployment, draft: DraftRow, proposal: RequestProposalRow, *, by: str, quoted: str
) -> None:
    """The request becomes the city's; its ticket is opened after the undo time."""
    request = requests.by_reference(session, proposal.reference)
    if request is None:
        raise Missing(f"there is no request {proposal.reference}")
    mention = session.get_one(MentionRow, draft.mention_id)
    proposal.state = "approved"
    session.add(proposal)
    if proposal.attach_to is not None:
        _attach(session, draft, proposal, request, mention, by=by, quoted=quoted)
        return
    service = deployment.service(proposal.service_code)
    if service is not None and service.needs_place and not (proposal.address or proposal.lat is not None):
        raise Invalid(f"{service.service_name} needs a place: give an address, or ask the resident", field="address")
    account = session.get_one(AccountRow, draft.reply_as_id)
    real = sends_for_real(deployment, account) and deployment.settings.crm.sending == "armed"
    _fill(deployment, request, proposal)
    request.status = "open" if real else "proposed"
    session.add(request)
    requests.event(session, request.id, "filed" if real else "dry_run", by=by)
    previous = requests.ticket_of(session, request.id)
    turn = previous.turn + 1 if previous else 1
    undone_by = now() + deployment.settings.approval.undo_for
    ticket = TicketRow(
        request_id=request.id,
        crm=deployment.settings.crm.kind,
        turn=turn,
        key=request.reference if turn == 1 else f"{request.reference}.{turn}",
        state="pending" if real else "dry_run",
        give_up_reply_wait_at=undone_by + deployment.settings.crm.wait,
    )
    session.add(ticket)
    session.flush()
    if real:
        work.put(session, "ticket", ticket.id, not_before=undone_by)
    draft.request_id = request.id


def _fill(deployment: Deployment, request: ServiceRequestRow, proposal: RequestProposalRow) -> None:
    """What was approved is what is filed."""
    service = deployment.service(proposal.service_code)
    if service is not None:
        request.service_code, request.service_name = service.service_code, service.service_name
        drafting.expect(deployment, request, service, request.clock_started_at or now())
    request.description_id = proposal.description_id
    request.public_description = proposal.public_description
    request.address, request.lat, request.long = proposal.address, proposal.lat, proposal.long
    if deployment.gazetteer is not None and proposal.lat is not None and proposal.long is not None:
        request.neighborhood = near(proposal.lat, proposal.long, deployment.gazetteer).neighborhood


def _attach(
    session: Session,
    draft: DraftRow,
    proposal: RequestProposalRow,
    proposed: ServiceRequestRow,
    mention: MentionRow,
    *,
    by: str,
    quoted: str,
) -> None:
    """One trouble, one ticket: the mention joins the open request, and the reference that was allotted is dropped."""
    known = session.get(ServiceRequestRow, proposal.attach_to)
    if known is None or known.status != "open":
        raise Conflict("the request to attach to is no longer open", code="stale", draft_id=draft.id)
    if proposed.reference in quoted:
        raise Invalid(
            f"the text quotes {proposed.reference}, but the post is attached to {known.reference}: save it first",
            field="text",
        )
    proposed.status, proposed.merged_into = "cancelled", known.id
    session.add(proposed)
    requests.link(session, known, mention, role="also_affected")
    requests.event(session, known.id, "attached", by=by, detail=f"mention {mention.id}")
    draft.request_id = known.id
