"""The yes of a named person: to the reply, the request, or both. One transaction; what follows is asked for in it."""

from __future__ import annotations

import difflib
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

import crashing
from errors import ConfigError
from pipeline.change import apply_request
from pipeline.decide.drafts import ENDED, PARTS, UNDECIDED, find, fresh, stale
from pipeline.decide.filing import file
from pipeline.deployment import Deployment, sends_for_real
from pipeline.policies import policy_of_draft
from pipeline.sendable import reply_draft
from responders.base import longest
from responders.drafting import unfilled
from store import audit, content, requests, work
from store.people import Principal
from store.refusals import Conflict, Forbidden, Invalid
from store.tables import (
    AccountRow,
    ApprovalRow,
    DraftRow,
    IdentityRow,
    MentionRow,
    ReplyRow,
    RequestProposalRow,
)
from store.types import now
from vocabulary import DraftState, Policy, Visibility

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
            fresh(session, draft, version, UNDECIDED)
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
            fresh(session, draft, version, UNDECIDED)
        elif draft.version != version or draft.state in ENDED:
            raise stale(draft)
        approval = _record(session, who, draft, final, wanted)
        if "request" in wanted and proposal is not None:
            file(session, deployment, draft, proposal, by=who.by, quoted=final if "reply" in wanted else "")
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
