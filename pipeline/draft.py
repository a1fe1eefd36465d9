"""Drafting: what a mention calls for becomes a reply draft and, where something is to be fixed, a request proposal."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

import crashing
from classifiers.signals import Signal
from crm_bridge.proposal import propose as word_proposal
from errors import HarkenError
from pipeline import alarms, review
from pipeline import plan as planning
from pipeline.deployment import Deployment
from pipeline.plan import Plan
from pipeline.policies import visibility_for
from pipeline.taking import take_each
from places.calendar import add_sla, is_open
from responders.drafting import Case, Drafted, write_draft
from store import audit, content, facts, intake, outbound, requests, threads, work
from store.judgement import Judgement, judgement
from store.tables import (
    AccountRow,
    ConversationRow,
    DraftRow,
    IdentityRow,
    MentionRow,
    MentionSourceRow,
    ReplyRow,
    ServiceRequestRow,
)
from store.types import now
from store.work import Claim
from vocabulary import DraftState, Intent, Purpose, Service

log = logging.getLogger(__name__)

KIND = "draft"
BATCH = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What staff chose for a draft; None: what the facts suggest."""

    template: str | None = None
    language: str | None = None
    purpose: Purpose | None = None


def draft_due(deployment: Deployment, *, worker: str) -> int:
    """Draft a batch of what was assessed; gives how many mentions were handled."""
    return take_each(deployment, KIND, _one_step, worker=worker, limit=BATCH)


def _one_step(deployment: Deployment, claim: Claim) -> None:
    try:
        with deployment.store.writing() as session:
            if not work.ours(session, [claim]):
                return  # we stood still for so long that another drafted it
            react(session, deployment, session.get_one(MentionRow, int(claim.ref)))
            crashing.here("draft.made")
            work.finish(session, [claim])
        crashing.here("draft.committed")
    except HarkenError as err:
        _failed(deployment, claim, err)


def _failed(deployment: Deployment, claim: Claim, err: HarkenError) -> None:
    log.warning("mention %s could not be drafted: %s", claim.ref, err)
    with deployment.store.writing() as session:
        work.give_up(session, claim, str(err))


def react(session: Session, deployment: Deployment, mention: MentionRow) -> DraftRow | None:
    """What a new or edited mention leads to: a draft, a refreshed one, or a hold."""
    held = judgement(session, mention.id)
    if held is None or mention.historic or mention.state in {"deleted", "dismissed", "quarantined"}:
        return None
    if _answered(session, mention):
        return None
    others = threads.undecided_of_author(session, mention)
    if held.signal == Signal.STOP:
        _no_more(session, mention)
        return None
    if held.signal == Signal.NEVER_MIND and others:
        why = "the resident wrote that it is settled"
        _hold_all(session, [draft for draft, _ in others], why, request_too=True)
        return None
    wanted = planning.plan(session, deployment, mention, held)
    if others and _small_talk(held, wanted):
        return _shown_anew(session, [draft for draft, _ in others])
    made = compose(session, deployment, mention, held, wanted)
    _settle_others(session, made, others)
    return made


def _small_talk(held: Judgement, wanted: Plan) -> bool:
    """Words between the same people that need no reply of their own while an earlier draft waits."""
    idle = held.intent in {Intent.OTHER, Intent.PRAISE, Intent.COMPLAINT}
    return idle and not wanted.proposes and wanted.purpose is not Purpose.EMERGENCY


def _shown_anew(session: Session, drafts: list[DraftRow]) -> DraftRow | None:
    """The newest that nobody has decided yet. An approved one goes stale instead, and is refused when it is sent."""
    undecided = [draft for draft in drafts if draft.state != DraftState.APPROVED]
    return review.refresh(session, undecided[0]) if undecided else None


def _settle_others(session: Session, made: DraftRow, others: list[tuple[DraftRow, MentionRow]]) -> None:
    """Earlier drafts to the same author: superseded where the new one answers the same trouble, else shown anew."""
    for draft, earlier in others:
        if draft.state == DraftState.APPROVED:
            continue  # refused when it is sent, since the conversation moved on
        if made.request_id is not None and draft.request_id == made.request_id:
            review.supersede(session, draft, made)
            requests.link(session, session.get_one(ServiceRequestRow, made.request_id), earlier, role="reporter")
        else:
            review.refresh(session, draft)


def _answered(session: Session, mention: MentionRow) -> bool:
    """An edit after our answer reopens nothing by itself."""
    replied = select(ReplyRow.id).where(
        ReplyRow.mention_id == mention.id, col(ReplyRow.state).in_(("sent", "sending", "in_doubt", "approved"))
    )
    return session.exec(replied).first() is not None


def _no_more(session: Session, mention: MentionRow) -> None:
    """A resident who says stop is not written to, and what waits is held at once."""
    if mention.identity_id is None:
        return
    facts.no_more(session, mention.identity_id, scope="all", reason="asked us to stop", by="system")
    live = select(DraftRow).where(
        DraftRow.addressee_id == mention.identity_id, col(DraftRow.state).in_(("pending", "approved", "manual"))
    )
    _hold_all(session, list(session.exec(live)), "the resident asked us to stop")


def _hold_all(session: Session, drafts: list[DraftRow], reason: str, *, request_too: bool = False) -> None:
    for draft in drafts:
        if draft.state in {DraftState.APPROVED, DraftState.MANUAL}:
            copy = review.back_to_review(session, draft, why=reason, by="system", undone=request_too)
            review.hold(session, copy, reason=reason, by="system")
        elif draft.state == DraftState.PENDING:
            review.hold(session, draft, reason=reason, by="system")


def compose(
    session: Session,
    deployment: Deployment,
    mention: MentionRow,
    held: Judgement,
    wanted: Plan,
    *,
    wish: Wish = Wish(),
    by: str = "system",
) -> DraftRow:
    """Write the draft of a plan; an undecided one of the same mention is superseded, staff's words are kept."""
    request = _request(session, deployment, mention, wanted)
    account = account_for(session, mention)
    drafted = word(session, deployment, mention, held, wanted, request, account, wish)
    old = threads.live_draft(session, mention.id, but="follow_up")
    turn = old.turn if old else _turn(session, mention.id)
    kept = content.words(session, old.content_id) if old is not None and old.edited_by else None
    if old is not None:
        review.supersede(session, old, None)
    thread = session.get_one(ConversationRow, mention.conversation_id)
    draft = DraftRow(
        mention_id=mention.id,
        conversation_id=mention.conversation_id,
        kind=_kind(wanted),
        purpose=wish.purpose or wanted.purpose,
        turn=turn,
        ordinal=outbound.next_ordinal(session, mention.id, turn),
        language=drafted.language,
        reply_as_id=account.id,
        addressee_id=mention.identity_id,
        conversation_seq=thread.last_seq,
        rev_hash=mention.rev_hash,
        content_id=content.keep(
            session, "draft", drafted.text if kept is None else kept, derived_from=mention.content_id
        ),
        staff_content_id=staff_text(session, mention, drafted),
        template=drafted.template,
        visibility=visibility_for(session, deployment, mention, account, template=drafted.template),
        needs_review=kept is not None,
        edited_by=old.edited_by if old is not None and kept is not None else None,
        no_text_reason=drafted.reason,
        request_id=request.id if request is not None else None,
    )
    session.add(draft)
    session.flush()
    for failed in threads.failed_drafts(session, mention.id):
        review.supersede(session, failed, draft)
    if old is not None:
        old.superseded_by = draft.id
        session.add(old)
        if old.request_id != draft.request_id:
            _nobodys(session, old.request_id, by=by)
    if wanted.proposes and request is not None and wanted.service is not None:
        _propose(session, deployment, mention, wanted, request, draft)
    _hold_if_unwanted(session, draft, mention)
    mention.state = "drafted"
    session.add(mention)
    audit.append(
        session,
        by=by,
        action="draft.made",
        subject=f"draft:{draft.id}",
        hashes={"text": audit.sha(drafted.text if kept is None else kept), "template": drafted.template},
    )
    return draft


def _nobodys(session: Session, request_id: int | None, *, by: str) -> None:
    """A proposed request that no draft speaks of any more would be taken for one that waits for its place."""
    speaks = select(DraftRow.id).where(
        DraftRow.request_id == request_id, col(DraftRow.state).in_((*outbound.LIVE, DraftState.SENT))
    )
    if session.exec(speaks).first() is None:
        requests.cancel_if_unfiled(session, request_id, by=by)


def _kind(wanted: Plan) -> str:
    return "follow_up" if wanted.purpose is Purpose.FOLLOW_UP else "reply"


def staff_text(session: Session, mention: MentionRow, drafted: Drafted) -> int | None:
    """Keep the same text in the staff language, where the draft is in another."""
    if drafted.staff_text is None:
        return None
    return content.keep(session, "draft", drafted.staff_text, derived_from=mention.content_id)


def _hold_if_unwanted(session: Session, draft: DraftRow, mention: MentionRow) -> None:
    reason = facts.contact_rule(session, mention.identity_id, follow_up=draft.kind == "follow_up")
    if reason is not None:
        review.hold(session, draft, reason=f"the resident {reason}", by="system")


def _turn(session: Session, mention_id: int) -> int:
    """Which reply to this mention it would be: one more than those that stand or may stand on the thread."""
    taken = select(ReplyRow.turn).where(
        ReplyRow.mention_id == mention_id, col(ReplyRow.state).not_in(("cancelled", "failed", "dry_run"))
    )
    decided = select(DraftRow.turn).where(
        DraftRow.mention_id == mention_id, col(DraftRow.state).in_(("approved", "sending", "in_doubt", "manual"))
    )
    waiting = select(DraftRow.turn).where(
        DraftRow.mention_id == mention_id, DraftRow.kind == "follow_up", col(DraftRow.state).in_(threads.UNDECIDED)
    )
    turns: list[int] = [0, *session.exec(taken), *session.exec(decided), *session.exec(waiting)]
    return max(turns) + 1


def account_for(session: Session, mention: MentionRow) -> AccountRow:
    """The account that speaks: the one that the post was addressed to.

    Raises:
        HarkenError: no account heard it.
    """
    heard = (
        select(AccountRow)
        .join(MentionSourceRow, col(MentionSourceRow.account_id) == col(AccountRow.id))
        .where(MentionSourceRow.mention_id == mention.id)
        .order_by(col(MentionSourceRow.heard_how) == "search", col(AccountRow.id))
    )
    account = session.exec(heard).first()
    if account is None:  # never another account instead: the city would answer where nobody asked it
        raise HarkenError(f"mention {mention.id} came by no account that is known")
    return account


def _request(session: Session, deployment: Deployment, mention: MentionRow, wanted: Plan) -> ServiceRequestRow | None:
    """The request that the draft speaks of; a new one gets its public reference now, so that the text is final."""
    if wanted.request is not None:
        if wanted.proposes or wanted.asks_for_request:
            requests.link(session, wanted.request, mention, role="reporter")
        return wanted.request
    if not (wanted.proposes or wanted.asks_for_request) or wanted.service is None:
        return None
    row = requests.propose(session, wanted.service, mention, prefix=deployment.settings.city.reference_prefix)
    if wanted.reopens is not None:
        row.reopened_from = wanted.reopens.id
        session.add(row)
    return row


def _propose(
    session: Session,
    deployment: Deployment,
    mention: MentionRow,
    wanted: Plan,
    request: ServiceRequestRow,
    draft: DraftRow,
) -> None:
    assert wanted.service is not None
    words = intake.current_words(session, mention).text or ""
    proposal = word_proposal(
        words,
        service=wanted.service,
        place=wanted.place,
        thread_texts=wanted.words,
        reference=request.reference,
        posted_at=mention.posted_at,
        platform=mention.platform,
        url=mention.url,
    )
    row = requests.keep_proposal(session, draft.id, request, proposal, mention)
    if wanted.reopens is not None:
        row.attach_to = None
    expect(deployment, request, wanted.service, mention.posted_at)
    session.add(request)


def expect(deployment: Deployment, request: ServiceRequestRow, service: Service, start: datetime) -> None:
    """The day by which the service promises it, counted from the post."""
    if service.sla:
        request.expected_at = add_sla(start, service.sla, deployment.calendar)
        request.expected_basis = f"{service.sla} from the post, in the city's open time"


def word(
    session: Session,
    deployment: Deployment,
    mention: MentionRow,
    held: Judgement,
    wanted: Plan,
    request: ServiceRequestRow | None,
    account: AccountRow,
    wish: Wish,
    *,
    also_reported: bool = False,
) -> Drafted:
    """The words for a plan, by the platform's own length.

    Raises:
        ConfigError: there is no such template.
    """
    case = case_of(session, deployment, mention, held, wanted, request, account, wish)
    case = replace(case, also_reported=also_reported)
    rule = deployment.length_rule(mention.platform)
    return write_draft(case, length=rule.length, max_length=rule.MAX_LENGTH, template=wish.template)


def case_of(
    session: Session,
    deployment: Deployment,
    mention: MentionRow,
    held: Judgement,
    wanted: Plan,
    request: ServiceRequestRow | None,
    account: AccountRow,
    wish: Wish = Wish(),
) -> Case:
    """The facts that the reply may quote."""
    city = deployment.settings.city
    author = session.get(IdentityRow, mention.identity_id) if mention.identity_id else None
    alarm = alarms.of_conversation(session, mention.conversation_id)
    table = deployment.settings.accounts.get(account.name)
    link = None
    if request is not None and table is not None and table.quotes_links:
        link = f"{deployment.settings.web.public_url}/r/{request.token}"
    expected = request.expected_at if request else None
    if request is not None and expected is None and wanted.proposes and wanted.service and wanted.service.sla:
        expected = add_sla(mention.posted_at, wanted.service.sla, deployment.calendar)
    filed = request is not None and request.status == "open"
    quotes = wanted.proposes or filed or wanted.request_status is not None or wanted.purpose is Purpose.FOLLOW_UP
    return Case(
        city=city.name,
        time_zone=city.time_zone,
        languages=city.languages,
        platform=mention.platform,
        intent=wanted.intent,
        purpose=wish.purpose or wanted.purpose,
        sentiment=held.sentiment,
        urgency=held.urgency,
        language=wish.language or held.language,
        author_handle=author.handle if author else None,
        service=wanted.service,
        reference=request.reference if request is not None and quotes else None,
        place=wanted.place if wanted.place is not None and wanted.place.precise else None,
        expected_at=expected if expected is not None and expected > now() else None,
        outcome=None,
        link=link,
        request_status=wanted.request_status,
        after_hours=not is_open(mention.posted_at, deployment.calendar),  # stays true, whenever it is approved
        self_harm=wanted.self_harm or bool(alarm and alarm.self_harm),
        emergency_kind=None,
        reopened=wanted.reopens is not None,
    )
