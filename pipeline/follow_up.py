"""Following up: when a request closes, each resident who reported it hears of it on the same thread."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from crm_bridge.base import CrmBridge, TicketChange
from errors import AdapterError
from pipeline import draft as drafting
from pipeline import review
from pipeline.act_tickets import as_ticket
from pipeline.deployment import Deployment
from pipeline.plan import Plan
from responders.drafting import write_draft
from responders.policy import narrowed
from store import attention, audit, content, facts, outbound, requests
from store.judgement import Judgement, judgement
from store.tables import ConversationRow, DraftRow, MentionRow, ServiceRequestRow, TicketRow
from store.types import now
from vocabulary import Intent, Outcome, Place, Purpose, Sentiment, TicketStatus, Urgency, Visibility

log = logging.getLogger(__name__)

#: A closing wave or a clean-up of old requests is looked at as one batch before hundreds of people are written to.
WAVE = 20
WAVE_WITHIN = timedelta(hours=1)
OLD = timedelta(days=90)
POLL_OVERLAP = timedelta(minutes=30)
FIRST_LOOK_BACK = timedelta(days=1)


def draft_follow_ups(session: Session, deployment: Deployment, request: ServiceRequestRow) -> list[DraftRow]:
    """A follow-up draft to each author of a closed request, one a thread."""
    made, told = [], set()
    held = _held_reason(session, request)
    for mention, _role in requests.mentions_of(session, request.id):
        author = (mention.conversation_id, mention.identity_id or f"mention {mention.id}")
        if mention.state == "deleted" or mention.historic or author in told:
            continue
        told.add(author)
        draft = _draft(session, deployment, request, _newest(session, request, mention))
        if held is not None:
            review.hold(session, draft, reason=held, by="system")
        made.append(draft)
    return made


def _held_reason(session: Session, request: ServiceRequestRow) -> str | None:
    if requests.closed_lately(session, within=WAVE_WITHIN) > WAVE:
        return f"held batch: more than {WAVE} requests were closed within an hour"
    if request.requested_at < now() - OLD:
        return f"held batch: the request is older than {OLD.days} days"
    return None


def _newest(session: Session, request: ServiceRequestRow, mention: MentionRow) -> MentionRow:
    """The author's newest post on the thread that belongs to the request: there the answer is looked for."""
    same = [
        other
        for other, _role in requests.mentions_of(session, request.id)
        if other.conversation_id == mention.conversation_id
        and other.identity_id == mention.identity_id
        and mention.identity_id is not None
        and other.state != "deleted"
    ]
    return same[-1] if same else mention


def _draft(session: Session, deployment: Deployment, request: ServiceRequestRow, mention: MentionRow) -> DraftRow:
    held = judgement(session, mention.id) or _UNREAD
    wanted = Plan(
        intent=Intent.REPORT,
        purpose=Purpose.FOLLOW_UP,
        service=deployment.service(request.service_code),
        place=Place(text=request.address, address=request.address) if request.address else None,
        request=request,
        request_status="closed",
    )
    account = drafting.account_for(session, mention)
    case = replace(
        drafting.case_of(session, deployment, mention, held, wanted, request, account),
        outcome=Outcome(request.outcome or Outcome.UNKNOWN),
        expected_at=None,
    )
    rule = deployment.length_rule(mention.platform)
    drafted = write_draft(case, length=rule.length, max_length=rule.MAX_LENGTH)
    turn = outbound.next_turn(session, mention.id)
    draft = DraftRow(
        mention_id=mention.id,
        conversation_id=mention.conversation_id,
        kind="follow_up",
        purpose=Purpose.FOLLOW_UP,
        turn=turn,
        ordinal=1,
        language=drafted.language,
        reply_as_id=account.id,
        addressee_id=mention.identity_id,
        conversation_seq=session.get_one(ConversationRow, mention.conversation_id).last_seq,
        rev_hash=mention.rev_hash,
        content_id=content.keep(session, "draft", drafted.text, derived_from=mention.content_id),
        staff_content_id=drafting.staff_text(session, mention, drafted),
        template=drafted.template,
        visibility=narrowed(Visibility(mention.visibility)),
        no_text_reason=drafted.reason,
        request_id=request.id,
    )
    session.add(draft)
    session.flush()
    reason = facts.contact_rule(session, mention.identity_id, follow_up=True)
    if reason is not None:
        review.hold(session, draft, reason=f"the resident {reason}", by="system")
    hashes = {"text": audit.sha(drafted.text), "template": drafted.template}
    audit.append(session, by="system", action="draft.made", subject=f"draft:{draft.id}", hashes=hashes)
    return draft


_UNREAD = Judgement(
    intent=Intent.REPORT,
    service_code=None,
    sentiment=Sentiment.NEUTRAL,
    urgency=Urgency.NORMAL,
    language="en",
)


def poll_crm(deployment: Deployment) -> tuple[int, int]:
    """Hear from the CRM what became of the tickets; gives (changes seen, requests closed).

    Raises:
        AdapterError: the CRM could not be read; the next poll asks from the same moment on.
    """
    bridge = deployment.crm
    if bridge is None:
        return 0, 0
    began = now()
    with deployment.store.reading() as session:
        kept = facts.recall(session, "crm_polled")
    last = datetime.fromisoformat(str(kept["at"])) if kept else began - FIRST_LOOK_BACK
    seen = closed = 0
    _tokens(deployment, bridge)
    for change in bridge.changed_since(last - POLL_OVERLAP):
        seen += 1
        with deployment.store.writing() as session:
            closed += _take(session, deployment, change)
    with deployment.store.writing() as session:
        facts.remember(session, "crm_polled", {"at": began.isoformat()}, by="system")
        attention.settle(session, "account", "crm")
    return seen, closed


def _tokens(deployment: Deployment, bridge: CrmBridge) -> None:
    """A CRM that works in batches gave us a token: ask whether it has become a number."""
    with deployment.store.reading() as session:
        waiting = session.exec(
            select(TicketRow).where(
                TicketRow.state == "open",
                col(TicketRow.service_request_id).is_(None),
                col(TicketRow.token).is_not(None),
            )
        ).all()
    for row in waiting:
        try:
            ticket = bridge.status(as_ticket(row))
        except AdapterError as err:
            log.info("ticket %d has no number yet: %s", row.id, err)
            continue
        if ticket.service_request_id is not None:
            with deployment.store.writing() as session:
                again = session.get_one(TicketRow, row.id)
                again.service_request_id = ticket.service_request_id
                session.add(again)


def _by_reference(session: Session, deployment: Deployment, change: TicketChange) -> TicketRow | None:
    """A ticket that the CRM gave no number for when it took it: our reference in it says whose number this is."""
    request = requests.by_reference(session, change.reference) if change.reference else None
    row = requests.ticket_of(session, request.id) if request is not None else None
    if row is None or row.state != "open" or row.service_request_id or row.crm != deployment.settings.crm.kind:
        return None
    row.service_request_id = change.ticket.service_request_id
    return row


def _take(session: Session, deployment: Deployment, change: TicketChange) -> int:
    row = session.exec(
        select(TicketRow).where(
            TicketRow.crm == deployment.settings.crm.kind,
            TicketRow.service_request_id == change.ticket.service_request_id,
        )
    ).first()
    if row is None or change.ticket.service_request_id is None:
        row = _by_reference(session, deployment, change)
    if row is None:
        return 0
    request = session.get_one(ServiceRequestRow, row.request_id)
    row.updated_at = change.ticket.updated_at or now()
    if change.ticket.expected_at is not None and request.status == "open":
        request.expected_at, request.expected_basis = change.ticket.expected_at, "the CRM's own date"
    session.add_all([row, request])
    if change.ticket.status is not TicketStatus.CLOSED or request.status != "open":
        return 0
    closed = requests.close(
        session,
        request,
        outcome=change.ticket.outcome,
        by=f"crm:{deployment.settings.crm.kind}",
        notes=change.ticket.status_notes,
        at=change.ticket.updated_at,
    )
    if closed:
        draft_follow_ups(session, deployment, request)
    return int(closed)
