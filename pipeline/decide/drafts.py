"""Decisions over drafts: the reply, the request proposal, or both."""

from __future__ import annotations

import difflib
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, select

import crashing
from errors import ConfigError
from pipeline import draft as drafting
from pipeline.change import apply_request, reword
from pipeline.deployment import Deployment, sends_for_real
from pipeline.policies import policy_of_draft
from pipeline.sendable import reply_draft
from places.finder import near
from responders.base import longest
from responders.drafting import unfilled
from store import audit, content, outbound, requests, threads, work
from store.people import Principal
from store.refusals import Conflict, Forbidden, Invalid, Missing
from store.tables import (
    AccountRow,
    ApprovalRow,
    DraftRow,
    IdentityRow,
    MentionRow,
    ReplyRow,
    RequestProposalRow,
    ServiceRequestRow,
    TicketRow,
)
from store.types import now
from vocabulary import DraftState, Policy, Visibility

UNDECIDED = (DraftState.PENDING,)
ENDED = (DraftState.SUPERSEDED, DraftState.REJECTED, DraftState.CANCELLED, DraftState.EXPIRED)
PARTS = ("reply", "request")
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufe0e\ufe0f")  #: letters and signs that show nothing


def approve(
    deployment: Deployment,
    who: Principal,
    draft_id: int,
    *,
    version: int,
    text: str | None = None,
    request: Mapping[str, Any] | None = None,
    parts: Sequence[str] | None = None,
) -> int:
    """A named person's yes to the reply, the request, or both; gives the draft's id.

    Raises:
        Missing, Forbidden, Invalid: as they say.
        Conflict: the version is stale, the conversation moved on, or it was decided already.
    """
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        _may_approve(deployment, who, draft, changed=text not in (None, content.words(session, draft.content_id)))
        if request:
            _fresh(session, draft, version, UNDECIDED)
            before = content.words(session, draft.content_id)
            apply_request(session, deployment, draft, request, by=who.by)
            if text is None and "reply" in (parts or PARTS) and content.words(session, draft.content_id) != before:
                raise Conflict(
                    "the reply is worded anew for this request: save the request, read the reply, then approve it",
                    code="stale",
                    draft_id=draft.id,
                )
        proposal = requests.proposal_of(session, draft.id)
        final = content.words(session, draft.content_id) if text is None else text
        wanted = _parts(draft, proposal, parts, final)
        if "reply" in wanted:
            _fresh(session, draft, version, UNDECIDED)
        elif draft.version != version or draft.state in ENDED:
            raise _stale(draft)
        approval = _record(session, who, draft, final, wanted)
        if "request" in wanted and proposal is not None:
            _file(session, deployment, draft, proposal, by=who.by, quoted=final if "reply" in wanted else "")
        if "reply" in wanted:
            _approve_reply(session, deployment, draft, approval, final)
        if draft.kind == "request_only" and "reply" not in wanted:
            _request_decided(session, draft)
        draft.version += 1
        draft.needs_review = False
        session.add(draft)
        session.flush()
        crashing.here("approve.recorded")
    crashing.here("approve.committed")
    return draft_id


def _request_decided(session: Session, draft: DraftRow) -> None:
    """Nothing else is proposed: the draft goes the way of its ticket, and can be undone as long as that waits."""
    ticket = requests.ticket_of(session, draft.request_id) if draft.request_id else None
    draft.send_after = None
    if ticket is None or ticket.state not in {"pending", "dry_run"}:
        draft.state = DraftState.SENT
    elif ticket.state == "dry_run":
        draft.state = DraftState.DRY_RUN
    else:
        draft.state = DraftState.APPROVED
    session.add(draft)


def find(session: Session, who: Principal, draft_id: int) -> DraftRow:
    """A draft within one's grants.

    Raises:
        Missing: there is none.
    """
    draft = session.get(DraftRow, draft_id)
    if draft is None or not who.may_touch(draft.reply_as_id):
        raise Missing(f"there is no draft {draft_id}")
    return draft


def _stale(draft: DraftRow) -> Conflict:
    if draft.state in {DraftState.PENDING, DraftState.HELD}:
        return Conflict("this draft changed meanwhile: look at it as it stands now", code="stale", draft_id=draft.id)
    return Conflict(f"this draft was decided already: it is {draft.state}", code="decided", draft_id=draft.id)


def _fresh(session: Session, draft: DraftRow, version: int, states: Sequence[str]) -> None:
    if draft.state not in states or draft.version != version:
        raise _stale(draft)
    why = threads.moved_on(session, draft)
    if why is not None:
        raise Conflict(f"{why}: read it before you decide", code="moved_on", draft_id=draft.id)


def _may_approve(deployment: Deployment, who: Principal, draft: DraftRow, *, changed: bool) -> None:
    if not who.may("approver"):
        raise Forbidden("only an approver may approve")
    if who.staff_id is None and not deployment.settings.api.service_approvals:
        raise Forbidden("this token has no person behind it, so it cannot approve; make one with --for EMAIL")
    if deployment.settings.approval.two_person and (draft.edited_by == who.by or changed):
        raise Forbidden("two people are needed: who edited the text last may not approve it; save it for a colleague")


def _parts(
    draft: DraftRow, proposal: RequestProposalRow | None, parts: Sequence[str] | None, final: str
) -> frozenset[str]:
    proposed = proposal is not None and proposal.state == "pending"
    if parts is None:
        wanted = {"reply"} if final.strip() or not proposed else set()
        return frozenset(wanted | ({"request"} if proposed else set()))
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise Invalid(f"parts: {unknown or 'none'}: name reply, request or both", field="parts")
    if "request" in parts and not proposed:
        if proposal is not None:
            raise Conflict(
                f"the request was decided already: it is {proposal.state}", code="decided", draft_id=draft.id
            )
        raise Invalid("this draft proposes no request", field="parts")
    return frozenset(parts)


def _shows(char: str) -> bool:
    """Whether anything of a character is seen: no space, no control, no zero-width one, no blank letter."""
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"} and char not in BLANK


def check_text(deployment: Deployment, session: Session, draft: DraftRow, text: str) -> None:
    """What must hold of a text that is approved.

    Raises:
        Invalid: it is empty, too long, or a value in it is not filled in.
    """
    mention = session.get_one(MentionRow, draft.mention_id)
    if not any(_shows(char) for char in text):
        raise Invalid("the reply is empty: write one, or reject the draft", field="text")
    rule = deployment.length_rule(mention.platform)
    length = rule.length(text)
    most = longest(rule, Visibility(draft.visibility))
    if length > most:
        raise Invalid(f"the reply is {length} long, {mention.platform} takes {most}", field="text")
    left = unfilled(text)
    if left:
        raise Invalid(f"a value is not filled in: {', '.join(left)}", field="text")
    if content.storable(text) != text:
        raise Invalid("the reply holds characters that no platform shows", field="text")


def _record(session: Session, who: Principal, draft: DraftRow, final: str, wanted: frozenset[str]) -> ApprovalRow:
    was = content.words(session, draft.content_id)
    diff_id = None
    if final != was and "reply" in wanted:
        lines = difflib.unified_diff(was.splitlines(), final.splitlines(), "draft", "approved", lineterm="")
        mention = session.get_one(MentionRow, draft.mention_id)
        diff_id = content.keep(session, "draft", "\n".join(lines), derived_from=mention.content_id)
    approval = ApprovalRow(
        draft_id=draft.id,
        staff_id=who.staff_id,
        token_id=who.token_id if who.staff_id is None else None,
        by=who.by,
        version=draft.version,
        text_sha=audit.sha(final) if "reply" in wanted else "",
        parts=[part for part in PARTS if part in wanted],
        diff_id=diff_id,
    )
    session.add(approval)
    session.flush()
    audit.append(
        session,
        by=who.by,
        action="draft.approved",
        subject=f"draft:{draft.id}",
        hashes={
            "text": approval.text_sha,
            "before": audit.sha(was),
            "parts": ",".join(approval.parts),
            "post": draft.rev_hash,
            "visibility": draft.visibility,
        },
    )
    return approval


def _approve_reply(
    session: Session, deployment: Deployment, draft: DraftRow, approval: ApprovalRow, final: str
) -> None:
    check_text(deployment, session, draft, final)
    mention = session.get_one(MentionRow, draft.mention_id)
    account = session.get_one(AccountRow, draft.reply_as_id)
    policy = policy_of_draft(session, deployment, draft, mention, account)
    if not policy.may_reply and policy.how != "manual":
        raise Conflict(f"no reply may be sent: {policy.reason}", code="policy", draft_id=draft.id)
    author = session.get(IdentityRow, draft.addressee_id) if draft.addressee_id else None
    draft.content_id = content.keep(session, "reply", final)
    draft.state = _state(deployment, account, policy)
    draft.send_after = now() + deployment.settings.approval.undo_for
    reply = ReplyRow(
        mention_id=mention.id,
        turn=draft.turn,
        draft_id=draft.id,
        account_id=account.id,
        state=draft.state,
        key=f"hk-{secrets.token_hex(16)}",
        content_id=draft.content_id,
        text_sha=approval.text_sha,
        in_reply_to=mention.current_post_id,
        addressee=author.platform_user_id if author else None,
    )
    session.add(reply)
    session.flush()
    if draft.state == DraftState.DRY_RUN:
        draft.would_send = _would_send(session, deployment, draft, reply, approval, final)
        draft.would_send_text_id = draft.content_id
        mention.state = "answered"
        session.add(mention)
    elif draft.state == DraftState.APPROVED:
        work.put(session, "reply", reply.id, not_before=draft.send_after, lane=f"account:{reply.account_id}")


def _state(deployment: Deployment, account: AccountRow, policy: Policy) -> str:
    if policy.how == "manual":
        return DraftState.MANUAL
    return DraftState.APPROVED if sends_for_real(deployment, account) else DraftState.DRY_RUN


def _would_send(
    session: Session, deployment: Deployment, draft: DraftRow, reply: ReplyRow, approval: ApprovalRow, final: str
) -> dict[str, Any]:
    """The call that was not made, with None where its words go: those live in ``content``."""
    account = session.get_one(AccountRow, draft.reply_as_id)
    value = reply_draft(session, draft, reply, final).approve(by=approval.by, at=approval.approved_at)
    try:
        call = deployment.responder(account.name).would_send(value)
    except ConfigError:  # a pilot may have keys to read and none to write
        call = {"in_reply_to": reply.in_reply_to, "text": final, "missing": "keys to write with"}
    return {field: None if said == final else said for field, said in call.items()}


def _file(
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


def reject(
    deployment: Deployment,
    who: Principal,
    draft_id: int,
    *,
    version: int,
    reason: str,
    parts: Sequence[str] | None = None,
) -> int:
    """A person's no to the reply, the request, or both.

    Raises:
        Missing, Conflict, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        wanted = set(PARTS if parts is None else parts)
        if not wanted or wanted - set(PARTS):
            raise Invalid("parts: name reply, request or both", field="parts")
        # A request may stay undecided after its reply went out.
        undecided = {DraftState.PENDING, DraftState.HELD, DraftState.MANUAL}
        ended = draft.state in ENDED if wanted == {"request"} else draft.state not in undecided
        if ended or draft.version != version:
            raise _stale(draft)
        if not reason.strip():
            raise Invalid("say why: others will read it", field="reason")
        audit.append(
            session, by=who.by, action="draft.rejected", subject=f"draft:{draft.id}", hashes={"why": audit.sha(reason)}
        )
        if "reply" in wanted:
            _reject_reply(session, draft, reason, by=who.by, keep_request="request" not in wanted)
        else:
            _reject_request(session, draft, by=who.by)
    return draft_id


def _reject_reply(session: Session, draft: DraftRow, reason: str, *, by: str, keep_request: bool) -> None:
    carried = outbound.stop(
        session, draft, state=DraftState.REJECTED, why=reason[:300], by=by, keep_request=keep_request
    )
    mention = session.get_one(MentionRow, draft.mention_id)
    if carried is not None:
        carried.request_id = draft.request_id
        session.add(carried)
        return
    requests.cancel_if_unfiled(session, draft.request_id, by=by)
    if mention.state == "drafted":
        mention.state = "assessed"
        session.add(mention)


def _reject_request(session: Session, draft: DraftRow, *, by: str) -> None:
    proposal = requests.proposal_of(session, draft.id)
    if proposal is None or proposal.state != "pending":
        raise Invalid("this draft proposes no request", field="parts")
    proposal.state = "rejected"
    session.add(proposal)
    requests.cancel_if_unfiled(session, draft.request_id, by=by)
    draft.version += 1
    draft.needs_review = draft.state in {
        DraftState.PENDING,
        DraftState.HELD,
    }  # its text may promise what will not happen
    session.add(draft)


def edit(
    deployment: Deployment,
    who: Principal,
    draft_id: int,
    *,
    version: int,
    text: str | None = None,
    template: str | None = None,
    language: str | None = None,
    request: Mapping[str, Any] | None = None,
) -> int:
    """Change what is proposed; every change raises the version.

    Raises:
        Missing, Conflict, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        if draft.state not in {DraftState.PENDING, DraftState.HELD} or draft.version != version:
            raise _stale(draft)
        before = audit.sha(content.words(session, draft.content_id))
        if request is not None:
            apply_request(session, deployment, draft, request, by=who.by)
        if template is not None or language is not None:
            reword(session, deployment, draft, drafting.Wish(template=template, language=language))
        if text is not None:
            mention = session.get_one(MentionRow, draft.mention_id)
            draft.content_id = content.keep(session, "draft", text, derived_from=mention.content_id)
            draft.edited_by, draft.staff_content_id = who.by, None
        draft.version += 1
        session.add(draft)
        after = audit.sha(content.words(session, draft.content_id))
        audit.append(
            session,
            by=who.by,
            action="draft.edited",
            subject=f"draft:{draft.id}",
            hashes={"before": before, "after": after},
        )
    return draft_id


def cancel(deployment: Deployment, who: Principal, draft_id: int) -> int | None:
    """Undo an approval before anything is sent; gives the fresh pending copy.

    Raises:
        Missing, Conflict: as they say.
    """
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        if draft.state != DraftState.APPROVED:
            raise Conflict(f"too late to undo: it is {draft.state}", code="decided", draft_id=draft.id)
        for approval in session.exec(select(ApprovalRow).where(ApprovalRow.draft_id == draft.id)):
            approval.undone_at = now()
            session.add(approval)
        _detach(session, draft, by=who.by)
        return drafting.back_to_review(session, draft, why="undone", by=who.by, undone=True).id


def _detach(session: Session, draft: DraftRow, *, by: str) -> None:
    """The mention leaves the request that it was attached to, and its own proposal stands again."""
    proposal = requests.proposal_of(session, draft.id)
    proposed = requests.by_reference(session, proposal.reference) if proposal is not None else None
    if proposal is None or proposed is None or proposal.state != "approved" or proposed.merged_into is None:
        return
    known = session.get_one(ServiceRequestRow, proposed.merged_into)
    requests.unlink(session, known, session.get_one(MentionRow, draft.mention_id))
    requests.event(session, known.id, "detached", by=by, detail=f"mention {draft.mention_id}")
    proposed.status, proposed.merged_into = "proposed", None
    draft.request_id = proposed.id
    session.add_all([proposed, draft])


def retry(deployment: Deployment, who: Principal, draft_id: int) -> int:
    """Try a failed reply once more, the same bytes.

    Raises:
        Missing, Conflict: as they say.
    """
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        if draft.state != DraftState.FAILED:
            raise Conflict(
                f"only a failed reply is tried again; this is {draft.state}",
                code="decided",
                draft_id=draft.superseded_by or draft.id,
            )
        why = threads.moved_on(session, draft)
        if why is not None:
            raise Conflict(f"{why}: read it before you decide", code="moved_on", draft_id=draft.id)
        reply = session.exec(select(ReplyRow).where(ReplyRow.draft_id == draft.id, ReplyRow.state == "failed")).one()
        newer = threads.live_draft(session, draft.mention_id)
        if newer is not None and newer.turn == draft.turn:
            raise Conflict("there is a newer draft: decide there", code="decided", draft_id=newer.id)
        taken = outbound.live_reply(session, draft.mention_id, draft.turn)
        if taken is not None:
            raise Conflict(f"a newer reply is {taken.state}", code="decided", draft_id=taken.draft_id)
        # A failure may have been a lie: it is read back before it is sent.
        reply.state, reply.attempt, reply.error, reply.not_before = "in_doubt", 0, None, now()
        draft.state, draft.error, draft.version = DraftState.IN_DOUBT, None, draft.version + 1
        session.add_all([reply, draft])
        work.put(session, "reply", reply.id, lane=f"account:{reply.account_id}")
        audit.append(session, by=who.by, action="draft.retried", subject=f"draft:{draft.id}")
    return draft_id


def retract(deployment: Deployment, who: Principal, draft_id: int, *, reason: str) -> int:
    """Delete our own reply from its platform; the record of it stays.

    Raises:
        Missing, Conflict, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        if draft.state != DraftState.SENT:
            raise Conflict(
                f"only a sent reply can be retracted; this is {draft.state}", code="decided", draft_id=draft.id
            )
        if not reason.strip():
            raise Invalid("say why: the record needs it", field="reason")
        reply = session.exec(select(ReplyRow).where(ReplyRow.draft_id == draft.id, ReplyRow.state == "sent")).one()
        reply.retract_reason = reason[:300]
        draft.version += 1
        session.add_all([reply, draft])
        work.put(session, "retract", reply.id)
        hashes = {"why": audit.sha(reason)}
        audit.append(session, by=who.by, action="reply.retracting", subject=f"reply:{reply.id}", hashes=hashes)
    return draft_id


def hold(deployment: Deployment, who: Principal, draft_id: int, *, reason: str) -> int:
    """Keep a draft back, with a note why."""
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        if draft.state != DraftState.PENDING:
            raise _stale(draft)
        if not reason.strip():
            raise Invalid("say why it is held", field="reason")
        drafting.hold(session, draft, reason=reason[:300], by=who.by)
    return draft_id


def release(deployment: Deployment, who: Principal, draft_id: int) -> int:
    """Put a held draft back before people, as the thread stands now."""
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        if draft.state != DraftState.HELD:
            raise _stale(draft)
        mention = session.get_one(MentionRow, draft.mention_id)
        draft.rev_hash = mention.rev_hash
        drafting.refresh(session, draft)
        draft.state, draft.held_reason = DraftState.PENDING, None
        session.add(draft)
        audit.append(session, by=who.by, action="draft.released", subject=f"draft:{draft.id}")
    return draft_id
