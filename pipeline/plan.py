"""What a mention calls for: which kind of reply, and whether the CRM is to be asked for something."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sqlalchemy import or_
from sqlmodel import Session, col, select

from classifiers.signals import Signal
from pipeline.assess import place_of
from pipeline.deployment import Deployment
from places.services import by_general_code
from store import intake, requests, switches, threads
from store.judgement import Judgement
from store.tables import DraftRow, MentionRow, RequestProposalRow, ServiceRequestRow
from vocabulary import Intent, Place, Purpose, Service, Urgency

REFERENCE = re.compile(r"\b[A-Z]{1,4}-[0-9BCDFGHJKMNPQRTVWXZ]{6}\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is to be drafted."""

    intent: Intent
    purpose: Purpose
    service: Service | None = None
    place: Place | None = None
    request: ServiceRequestRow | None = None  #: one that exists already: filed, or proposed earlier on this thread
    proposes: bool = False  #: a ticket is proposed
    asks_for_request: bool = False  #: a reference is allotted now and completed by the author's answer
    reopens: ServiceRequestRow | None = None
    request_status: str | None = None
    self_harm: bool = False
    words: tuple[str, ...] = ()  #: the author's earlier posts on this thread that belong to the report


def plan(session: Session, deployment: Deployment, mention: MentionRow, held: Judgement) -> Plan:
    """What a mention calls for. An answer to our own question comes before any intent is trusted."""
    if held.urgency is Urgency.EMERGENCY:
        return Plan(intent=held.intent, purpose=Purpose.EMERGENCY, service=_service(deployment, held))
    place = usable_place(session, mention)
    asked = _asked_where(session, mention)
    if asked is not None and place is not None and place.precise:
        return _completed(session, deployment, asked, place)
    again = _still_not_fixed(session, held, mention)
    if again is not None:
        return _reopening(deployment, again, place)
    if held.intent is Intent.REPORT:
        return _report(session, deployment, mention, held, place)
    if held.intent is Intent.STATUS:
        return _status(session, deployment, mention, held)
    service = _service(deployment, held) if held.intent is Intent.QUESTION else None
    if service is not None and service.handled_by:
        return Plan(intent=held.intent, purpose=Purpose.REFERRAL, service=service)
    return Plan(intent=held.intent, purpose=Purpose.ANSWER, service=service)


def usable_place(session: Session, mention: MentionRow) -> Place | None:
    """The place of the post, else of the author's earlier posts on the thread: whichever a crew could find."""
    own = place_of(session, mention)
    if own is not None and own.precise:
        return own
    for earlier in threads.earlier_of_author(session, mention, states=("assessed", "drafted", "waiting_for_resident")):
        found = place_of(session, earlier)
        if found is not None and found.precise:
            return replace(found, source="thread")
    return own


def _service(deployment: Deployment, held: Judgement) -> Service | None:
    return deployment.service(held.service_code)


def _for_report(session: Session, deployment: Deployment, held: Judgement) -> Service | None:
    """The city's service for everything else where none is told; none at all where the answer is switched off."""
    service = _service(deployment, held)
    if service is None and "service_code" in held.please_check and "service_code" in dict(switches.off(session)):
        return None
    return service or by_general_code(deployment.services, "other_service")


def _asked_where(session: Session, mention: MentionRow) -> tuple[ServiceRequestRow, MentionRow] | None:
    """The request that we asked this author about on this thread, and the post that began it."""
    states = ("waiting_for_resident", "drafted", "assessed", "answered")
    for earlier in threads.earlier_of_author(session, mention, states=states):
        for request in requests.of_mention(session, earlier.id):
            if request.status == "proposed" and not _placed(session, request, mention):
                return request, earlier
    return None


def _placed(session: Session, request: ServiceRequestRow, mention: MentionRow) -> bool:
    """Whether the request has its place from another post: then this one is no answer to where it is."""
    placed = (
        select(RequestProposalRow.id)
        .join(DraftRow, col(DraftRow.id) == col(RequestProposalRow.draft_id))
        .where(RequestProposalRow.reference == request.reference, DraftRow.mention_id != mention.id)
        .where(col(RequestProposalRow.state).in_(("pending", "approved")))
        .where(or_(col(RequestProposalRow.address) != "", col(RequestProposalRow.lat).is_not(None)))
    )
    return session.exec(placed).first() is not None


def _completed(
    session: Session,
    deployment: Deployment,
    asked: tuple[ServiceRequestRow, MentionRow],
    place: Place,
) -> Plan:
    request, first = asked
    service = deployment.service(request.service_code)
    return Plan(
        intent=Intent.REPORT,
        purpose=Purpose.REFERRAL if service and service.handled_by else Purpose.ANSWER,
        service=service,
        place=place,
        request=request,
        proposes=not (service and service.handled_by),
        words=(intake.current_words(session, first).text or "",),
    )


def _still_not_fixed(session: Session, held: Judgement, mention: MentionRow) -> ServiceRequestRow | None:
    """The closed request of this author that they say is not mended."""
    if held.signal != Signal.STILL_NOT_FIXED:
        return None
    latest = requests.latest_of_author(session, mention)
    return latest if latest is not None and latest.status == "closed" else None


def _reopening(deployment: Deployment, closed: ServiceRequestRow, place: Place | None) -> Plan:
    known = Place(text=closed.address, address=closed.address, lat=closed.lat, long=closed.long, source="thread")
    return Plan(
        intent=Intent.REPORT,
        purpose=Purpose.ANSWER,
        service=deployment.service(closed.service_code),
        place=known if closed.address else place,
        proposes=True,
        reopens=closed,
    )


def _report(
    session: Session, deployment: Deployment, mention: MentionRow, held: Judgement, place: Place | None
) -> Plan:
    service = _for_report(session, deployment, held)
    if service is None:
        return Plan(intent=Intent.REPORT, purpose=Purpose.ANSWER)
    if service.handled_by:
        return Plan(intent=Intent.REPORT, purpose=Purpose.REFERRAL, service=service, place=place)
    filed = _filed_already(session, mention, service)
    if filed is not None:
        return Plan(intent=Intent.REPORT, purpose=Purpose.ANSWER, service=service, place=place, request=filed)
    earlier = _proposed_before(session, mention, service)
    words: tuple[str, ...] = ()
    if earlier is not None:
        first = requests.first_mention(session, earlier.id)
        words = (intake.current_words(session, first).text or "",) if first and first.id != mention.id else ()
    found = place is not None and place.precise
    common = Plan(
        intent=Intent.REPORT, purpose=Purpose.ANSWER, service=service, place=place, request=earlier, words=words
    )
    if service.needs_place and not found:
        return replace(common, purpose=Purpose.CLARIFY, asks_for_request=True)
    return replace(common, proposes=True)


def _filed_already(session: Session, mention: MentionRow, service: Service) -> ServiceRequestRow | None:
    """The open request of this very post: a reply that is worded anew opens no second ticket."""
    for request in requests.of_mention(session, mention.id):
        if request.status == "open" and request.service_code == service.service_code:
            return request
    return None


def _proposed_before(session: Session, mention: MentionRow, service: Service) -> ServiceRequestRow | None:
    """What was proposed for this very post, or for the same trouble by its author on this thread."""
    for request in requests.of_mention(session, mention.id):
        if request.status == "proposed" and request.service_code == service.service_code:
            return request
    for earlier in threads.earlier_of_author(session, mention, states=("assessed", "drafted", "waiting_for_resident")):
        for request in requests.of_mention(session, earlier.id):
            if request.status == "proposed" and request.service_code == service.service_code:
                return request
    return None


def _status(session: Session, deployment: Deployment, mention: MentionRow, held: Judgement) -> Plan:
    named = REFERENCE.search((intake.current_words(session, mention).text or "").upper())
    request = requests.by_reference(session, named.group()) if named else None
    if request is None or request.status not in {"open", "closed"}:
        request = requests.latest_of_author(session, mention)
    service = deployment.service(request.service_code) if request else _service(deployment, held)
    return Plan(
        intent=Intent.STATUS,
        purpose=Purpose.ANSWER,
        service=service,
        request=request,
        request_status=request.status if request else None,
    )
