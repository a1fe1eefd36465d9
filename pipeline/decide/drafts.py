"""Decisions over drafts but the yes, which is ``approving.py``: the reply, the request proposal, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, select

from pipeline import draft as drafting
from pipeline import outcomes, review
from pipeline.change import apply_request, reword
from pipeline.deployment import Deployment
from store import audit, content, outbound, requests, threads, work
from store.people import Principal
from store.refusals import Conflict, Invalid, Missing
from store.tables import (
    AccountRow,
    ApprovalRow,
    DraftRow,
    MentionRow,
    ReplyRow,
    ServiceRequestRow,
)
from store.types import now
from vocabulary import DraftState

UNDECIDED = (DraftState.PENDING,)
ENDED = (DraftState.SUPERSEDED, DraftState.REJECTED, DraftState.CANCELLED, DraftState.EXPIRED)
PARTS = ("reply", "request")


def find(session: Session, who: Principal, draft_id: int) -> DraftRow:
    """A draft within one's grants.

    Raises:
        Missing: there is none.
    """
    draft = session.get(DraftRow, draft_id)
    if draft is None or not who.may_touch(draft.reply_as_id):
        raise Missing(f"there is no draft {draft_id}")
    return draft


def stale(draft: DraftRow) -> Conflict:
    """What to tell whoever decides on what is no longer so."""
    if draft.state in {DraftState.PENDING, DraftState.HELD}:
        return Conflict("this draft changed meanwhile: look at it as it stands now", code="stale", draft_id=draft.id)
    return Conflict(f"this draft was decided already: it is {draft.state}", code="decided", draft_id=draft.id)


def fresh(session: Session, draft: DraftRow, version: int, states: Sequence[str]) -> None:
    """Refuse what one has not seen as it stands now.

    Raises:
        Conflict: the version is stale, the conversation moved on, or it was decided already.
    """
    if draft.state not in states or draft.version != version:
        raise stale(draft)
    why = threads.moved_on(session, draft)
    if why is not None:
        raise Conflict(f"{why}: read it before you decide", code="moved_on", draft_id=draft.id)


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
            raise stale(draft)
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
            raise stale(draft)
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
        return review.back_to_review(session, draft, why="undone", by=who.by, undone=True).id


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
        # A failure may have been a lie: it is read back before it is sent, once, since it has rested all the while.
        reply.state, reply.attempt, reply.error, reply.not_before, reply.not_found = "in_doubt", 0, None, now(), 1
        outcomes.release_account(session, session.get_one(AccountRow, reply.account_id))
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
            raise stale(draft)
        if not reason.strip():
            raise Invalid("say why it is held", field="reason")
        review.hold(session, draft, reason=reason[:300], by=who.by)
    return draft_id


def release(deployment: Deployment, who: Principal, draft_id: int) -> int:
    """Put a held draft back before people, as the thread stands now."""
    with deployment.store.writing() as session:
        draft = find(session, who, draft_id)
        if draft.state != DraftState.HELD:
            raise stale(draft)
        mention = session.get_one(MentionRow, draft.mention_id)
        draft.rev_hash = mention.rev_hash
        review.refresh(session, draft)
        draft.state, draft.held_reason = DraftState.PENDING, None
        session.add(draft)
        audit.append(session, by=who.by, action="draft.released", subject=f"draft:{draft.id}")
    return draft_id
