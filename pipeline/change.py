"""Changing a draft in place: another service, another place, another wording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from crm_bridge.proposal import propose as word_proposal
from pipeline import draft as drafting
from pipeline import plan as planning
from pipeline.assess import keep_place, place_of
from pipeline.deployment import Deployment
from pipeline.plan import Plan
from pipeline.policies import visibility_for
from places.finder import find_place, near
from store import content, intake, requests
from store.judgement import Judgement, judgement
from store.refusals import Invalid
from store.tables import AccountRow, DraftRow, MentionRow, RequestProposalRow, ServiceRequestRow
from vocabulary import Intent, Place, Purpose, Service

KEYS = frozenset({"service_code", "description", "public_description", "address", "lat", "long", "attach_to"})
DESCRIPTION_CAP = 4000  #: characters; GeoReport v2, "description"


def apply_request(
    session: Session, deployment: Deployment, draft: DraftRow, given: Mapping[str, Any], *, by: str
) -> None:
    """Change the request proposal of a draft; a draft that asked where gets one when staff give the place.

    A text that staff did not touch is worded again, since it may name the service or the place; one that they wrote is
    kept and marked ``needs_review``.

    Raises:
        Invalid: a key or a value can't be taken.
    """
    unknown = sorted(set(given) - KEYS)
    if unknown:
        raise Invalid(f"request: unknown key {unknown[0]!r}", field=f"request.{unknown[0]}")
    mention = session.get_one(MentionRow, draft.mention_id)
    held = judgement(session, mention.id)
    if held is None:
        raise Invalid("the post has not been read yet", field="request")
    service = _service(deployment, session, draft, held, given)
    place = _place(session, deployment, mention, given, by=by)
    proposal = requests.proposal_of(session, draft.id)
    was = None if proposal is None else (proposal.service_code, proposal.address, proposal.attach_to)
    if proposal is None:
        proposal = _make(session, deployment, draft, mention, service, place)
    _set(session, deployment, mention, proposal, service, place, given)
    if was != (proposal.service_code, proposal.address, proposal.attach_to):
        _text_follows(session, deployment, draft)


def _service(
    deployment: Deployment, session: Session, draft: DraftRow, held: Judgement, given: Mapping[str, Any]
) -> Service:
    proposal = requests.proposal_of(session, draft.id)
    code = given.get("service_code") or (proposal.service_code if proposal else held.service_code)
    request = session.get(ServiceRequestRow, draft.request_id) if draft.request_id else None
    code = code or (request.service_code if request else None)
    service = deployment.service(code)
    if service is None:
        raise Invalid(f"service_code = {code!r}: the city has no such service", field="request.service_code")
    return service


def _place(
    session: Session, deployment: Deployment, mention: MentionRow, given: Mapping[str, Any], *, by: str
) -> Place | None:
    """The place that staff set, kept with their name; else the one that is known."""
    if not {"address", "lat", "long"} & set(given):
        return planning.usable_place(session, mention)
    address = str(given.get("address") or "").strip()[:300]
    lat, long = _number(given, "lat", 90), _number(given, "long", 180)
    if (lat is None) != (long is None):
        raise Invalid("lat and long go together", field="request.lat")
    found = find_place(address, deployment.gazetteer) if address and deployment.gazetteer else None
    if lat is None and found is not None:
        lat, long = found.lat, found.long
    place = Place(text=address, address=address, lat=lat, long=long, source="staff", precise=bool(address or lat))
    if deployment.gazetteer is not None and lat is not None and long is not None:
        place = replace(place, neighborhood=near(lat, long, deployment.gazetteer).neighborhood)
    mention.place_id = keep_place(session, place, mention.content_id, confirmed_by=by)
    session.add(mention)
    return place


def _number(given: Mapping[str, Any], key: str, bound: float) -> float | None:
    value = given.get(key)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError) as err:
        raise Invalid(f"{key} = {value!r}: not a number", field=f"request.{key}") from err
    if not -bound <= number <= bound:
        raise Invalid(f"{key} = {number}: outside -{bound:g}…{bound:g}", field=f"request.{key}")
    return number


def _make(
    session: Session,
    deployment: Deployment,
    draft: DraftRow,
    mention: MentionRow,
    service: Service,
    place: Place | None,
) -> RequestProposalRow:
    request = session.get(ServiceRequestRow, draft.request_id) if draft.request_id else None
    if request is None or request.status != "proposed":
        request = requests.propose(session, service, mention, prefix=deployment.settings.city.reference_prefix)
    draft.request_id = request.id
    if draft.purpose == Purpose.CLARIFY:
        draft.purpose = Purpose.ANSWER
    session.add(draft)
    worded = word_proposal(
        intake.current_words(session, mention).text or "",
        service=service,
        place=place,
        thread_texts=(),
        reference=request.reference,
        posted_at=mention.posted_at,
        platform=mention.platform,
        url=mention.url,
    )
    drafting.expect(deployment, request, service, mention.posted_at)
    session.add(request)
    return requests.keep_proposal(session, draft.id, request, worded, mention)


def _set(
    session: Session,
    deployment: Deployment,
    mention: MentionRow,
    proposal: RequestProposalRow,
    service: Service,
    place: Place | None,
    given: Mapping[str, Any],
) -> None:
    changed_service = proposal.service_code != service.service_code
    proposal.service_code = service.service_code
    if place is not None and {"address", "lat", "long"} & set(given):
        proposal.address, proposal.lat, proposal.long = place.address, place.lat, place.long
    if changed_service or {"address", "lat", "long"} & set(given):
        worded = word_proposal(
            "",
            service=service,
            place=place,
            reference=proposal.reference,
            posted_at=mention.posted_at,
            platform=mention.platform,
            url="",
        )
        proposal.public_description = worded.public_description
        request = requests.by_reference(session, proposal.reference)
        if request is not None and request.status == "proposed":
            request.service_code, request.service_name = service.service_code, service.service_name
            drafting.expect(deployment, request, service, mention.posted_at)
            session.add(request)
    for key in ("description", "public_description"):
        if key in given:
            _describe(session, mention, proposal, key, str(given[key] or ""))
    if "attach_to" in given:
        proposal.attach_to = _attachable(session, given["attach_to"])
    session.add(proposal)


def _describe(session: Session, mention: MentionRow, proposal: RequestProposalRow, key: str, text: str) -> None:
    if len(text) > DESCRIPTION_CAP:
        raise Invalid(f"{key} is {len(text)} characters; {DESCRIPTION_CAP} are the most", field=f"request.{key}")
    if key == "description":
        proposal.description_id = content.keep(session, "description", text, derived_from=mention.content_id)
    else:
        proposal.public_description = content.storable(text)


def _attachable(session: Session, value: Any) -> int | None:
    if value in (None, ""):
        return None
    said = str(value)
    fits = said.isascii() and said.isdigit() and len(said) < 19
    request = session.get(ServiceRequestRow, int(said)) if fits else None
    if request is None or request.status != "open":
        raise Invalid(f"attach_to = {value!r}: there is no such open request", field="request.attach_to")
    return request.id


def _text_follows(session: Session, deployment: Deployment, draft: DraftRow) -> None:
    if draft.edited_by is not None:
        draft.needs_review = True
        session.add(draft)
    elif draft.kind != "request_only":
        reword(session, deployment, draft, drafting.Wish())


def reword(session: Session, deployment: Deployment, draft: DraftRow, wish: drafting.Wish) -> None:
    """Word a draft again from the facts as they stand now.

    Raises:
        ConfigError: there is no such template.
    """
    mention = session.get_one(MentionRow, draft.mention_id)
    held = judgement(session, mention.id)
    if held is None:
        return
    proposal = requests.proposal_of(session, draft.id)
    joined = session.get(ServiceRequestRow, proposal.attach_to) if proposal and proposal.attach_to else None
    request = joined or (session.get(ServiceRequestRow, draft.request_id) if draft.request_id else None)
    wanted = _plan_now(session, deployment, draft, mention, held, proposal, request)
    account = session.get_one(AccountRow, draft.reply_as_id)
    wish = replace(wish, purpose=Purpose(draft.purpose))
    drafted = drafting.word(
        session, deployment, mention, held, wanted, request, account, wish, also_reported=joined is not None
    )
    draft.content_id = content.keep(session, "draft", drafted.text, derived_from=mention.content_id)
    draft.template, draft.language, draft.edited_by = drafted.template, drafted.language, None
    draft.visibility = visibility_for(session, deployment, mention, account, template=drafted.template)
    draft.no_text_reason, draft.needs_review = drafted.reason, False
    draft.staff_content_id = drafting.staff_text(session, mention, drafted)
    session.add(draft)


def _plan_now(
    session: Session,
    deployment: Deployment,
    draft: DraftRow,
    mention: MentionRow,
    held: Judgement,
    proposal: RequestProposalRow | None,
    request: ServiceRequestRow | None,
) -> Plan:
    if proposal is None:
        return planning.plan(session, deployment, mention, held)
    place = place_of(session, mention)
    if proposal.address or proposal.lat is not None:
        place = Place(text=proposal.address, address=proposal.address, lat=proposal.lat, long=proposal.long)
    return Plan(
        intent=Intent.REPORT,
        purpose=Purpose(draft.purpose),
        service=deployment.service(proposal.service_code),
        place=place,
        request=request,
        proposes=True,
    )
