"""From loaded rows to the shapes of the API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from adapters import adapter, has_adapter
from pipeline.deployment import Deployment, sends_for_real
from pipeline.policies import DEFAULT_WITHIN, FOLLOW_UP_WITHIN
from responders.base import longest
from responders.policy import kept_private, policy_for
from store.loaded import LoadedDraft, LoadedMention, LoadedRequest
from store.tables import AccountRow, AlarmRow, AttentionRow, AuditRow, GapRow, SettingRow
from store.types import now
from vocabulary import HeardHow, Visibility
from web import shapes

#: A ticket that was never really asked for is none.
NO_TICKET = frozenset({"cancelled", "dry_run"})


def mention(found: LoadedMention) -> shapes.Mention:
    """A mention as the API shows it."""
    row = found.row
    requests = [str(one) for one in found.request_ids]
    return shapes.Mention(
        id=str(row.id),
        platform=row.platform,
        accounts=list(found.accounts),
        heard_how=list(found.heard_how),
        visibility=cast(Any, row.visibility),
        post_id=row.post_id,
        url=row.url,
        author=_author(found),
        text=found.words,
        media=[shapes.Media(**one) for one in found.media],
        posted_at=row.posted_at,
        collected_at=row.collected_at,
        in_reply_to=row.in_reply_to,
        quoted_post_id=row.quoted_post_id,
        conversation_id=str(row.conversation_id),
        resident_id=_id(found.resident_id),
        historic=row.historic,
        state=cast(Any, row.state),
        assessment=_assessment(found),
        place=_place(found),
        draft_id=_id(found.draft_id),
        request_id=requests[0] if requests else None,
        request_ids=requests,
        alarm=alarm(found.alarm) if found.alarm is not None else None,
    )


def _author(found: LoadedMention) -> shapes.Author | None:
    if found.author is None:
        return None
    return shapes.Author(
        handle=found.author.handle, name=found.author.name, platform_user_id=found.author.platform_user_id
    )


def _id(row_id: int | None) -> str | None:
    return None if row_id is None else str(row_id)


def _assessment(found: LoadedMention) -> shapes.Assessment | None:
    row, said = found.assessment, found.corrections
    if row is None:
        return None
    stands = {
        field: said[field].value if field in said else getattr(row, field)
        for field in ("intent", "service_code", "sentiment", "urgency")
    }
    last = max(said.values(), key=lambda one: one.id, default=None)
    return shapes.Assessment(
        **cast(Any, stands),
        language=row.language,
        scores=row.scores,
        model=row.model,
        please_check=[field for field in row.please_check if field not in said],
        corrected_by=last.by if last is not None else None,
    )


def _place(found: LoadedMention) -> shapes.Place | None:
    row = found.place
    if row is None:
        return None
    return shapes.Place(
        text=found.place_words,
        address=row.address,
        lat=row.lat,
        long=row.long,
        neighborhood=row.neighborhood,
        source=cast(Any, row.source),
        confirmed_by=row.confirmed_by,
    )


def alarm(row: AlarmRow) -> shapes.Alarm:
    """An alarm as the API shows it."""
    same = row.model_dump(exclude={"id", "mention_id", "conversation_id"})
    return shapes.Alarm(
        id=str(row.id), mention_id=str(row.mention_id), conversation_id=str(row.conversation_id), **same
    )


def draft(d: Deployment, found: LoadedDraft, *, at: datetime | None = None) -> shapes.Draft:
    """A draft as the API shows it. Its policy is that of this moment."""
    row = found.row
    length, most = _measure(found.mention.platform, found.words, Visibility(row.visibility))
    request = _request_of(found)
    return shapes.Draft(
        id=str(row.id),
        mention_id=str(row.mention_id),
        conversation_id=str(row.conversation_id),
        state=cast(Any, row.state),
        kind=cast(Any, row.kind),
        purpose=cast(Any, row.purpose),
        turn=row.turn,
        language=row.language,
        reply_as=found.account.name,
        text=found.words,
        staff_text=found.staff_words,
        length=length,
        max_length=most,
        template=row.template,
        visibility=cast(Any, row.visibility),
        version=row.version,
        needs_review=row.needs_review,
        held_reason=row.held_reason,
        no_text_reason=row.no_text_reason,
        policy=_policy(d, found, at or now()),
        request=request,
        reference=_reference(found, request),
        approvals=[
            shapes.Approval(
                by=one.row.by,
                at=one.row.approved_at,
                diff=one.diff,
                parts=cast(Any, one.row.parts),
                undone_at=one.row.undone_at,
            )
            for one in found.approvals
        ],
        send_after=row.send_after,
        reply=_reply(found),
        would_send=None if found.would_send is None else dict(found.would_send),
        error=row.error,
        superseded_by=_id(row.superseded_by),
        created_at=row.created_at,
    )


def _measure(platform: str, text: str, visibility: Visibility) -> tuple[int, int | None]:
    """The platform's own count, and its bound. Where we have no responder, a person posts: plain characters."""
    if not has_adapter("responders", platform):
        return len(text), None
    rule = adapter("responders", platform)
    return rule.length(text), longest(rule, visibility)


def _policy(d: Deployment, found: LoadedDraft, at: datetime) -> shapes.PolicyShown:
    """As ``pipeline.policies`` finds it when sending, but from what is loaded: a page costs no query a draft."""
    account = d.accounts().get(found.account.name)
    heard = (door for door in HeardHow if door in found.heard_how)
    follow_up, private = found.row.kind == "follow_up", found.row.visibility == Visibility.DIRECT
    within = account.reply_within if account else DEFAULT_WITHIN
    policy = policy_for(
        platform=found.mention.platform,
        access=account.access if account else "standard",
        addresses_us=found.mention.addresses_us,
        heard_how=next(heard, HeardHow.MENTION),
        visibility=Visibility(found.mention.visibility),
        author_known=found.mention.identity_id is not None,
        posted_at=found.mention.posted_at,
        now=at,
        reply_within=FOLLOW_UP_WITHIN if follow_up else within,
        already_answered=found.answered and not follow_up,
        private=private,
    )
    policy = kept_private(policy) if private else policy
    return shapes.PolicyShown(
        may_reply=policy.may_reply, how=cast(Any, policy.how), reason=policy.reason, until=policy.until
    )


def _request_of(found: LoadedDraft) -> shapes.ProposedRequest | shapes.FiledRequest | None:
    """What is proposed; once it is filed, or where the mention joins an open one, which that is."""
    proposal, request = found.proposal, found.request
    if proposal is not None and proposal.state in {"rejected", "cancelled"}:
        return None
    if request is not None and request.status != "proposed":
        return shapes.FiledRequest(request_id=str(request.id))
    if proposal is None:
        return None
    return shapes.ProposedRequest(
        service_code=proposal.service_code,
        description=found.proposal_words,
        public_description=proposal.public_description,
        address=proposal.address,
        lat=proposal.lat,
        long=proposal.long,
    )


def _reference(found: LoadedDraft, request: shapes.ProposedRequest | shapes.FiledRequest | None) -> str | None:
    if isinstance(request, shapes.FiledRequest) and found.request is not None:
        return found.request.reference
    return found.proposal.reference if found.proposal is not None else None


def _reply(found: LoadedDraft) -> shapes.SentReply | None:
    row = found.reply
    if row is None or row.post_id is None:
        return None
    return shapes.SentReply(post_id=row.post_id, url=row.url, sent_at=row.sent_at, origin=cast(Any, row.origin))


def request(d: Deployment, found: LoadedRequest) -> shapes.Request:
    """A request as the API shows it."""
    row, ticket = found.row, found.ticket
    return shapes.Request(
        id=str(row.id),
        reference=row.reference,
        status="open" if row.status == "open" else "closed",
        outcome=cast(Any, row.outcome),
        ticket_state=cast(Any, "none" if ticket is None or ticket.state in NO_TICKET else ticket.state),
        service_request_id=ticket.service_request_id if ticket is not None else None,
        crm=ticket.crm if ticket is not None else d.settings.crm.kind,
        service_code=row.service_code,
        service_name=row.service_name,
        department=found.department,
        description=found.words,
        public_description=row.public_description,
        address=row.address,
        lat=row.lat,
        long=row.long,
        neighborhood=row.neighborhood,
        requested_at=row.requested_at,
        expected_at=row.expected_at,
        closed_at=row.closed_at,
        status_notes=found.notes,
        mention_ids=[str(one) for one in found.mention_ids],
        events=[
            shapes.RequestEvent(at=one.happened_at, kind=one.kind, by=one.by, detail=one.detail) for one in found.events
        ],
    )


def account(d: Deployment, row: AccountRow, gaps: Iterable[GapRow]) -> shapes.Account:
    """An account as the API shows it."""
    unseen = [shapes.Gap(source=one.source, from_at=one.from_at, to_at=one.to_at, reason=one.reason) for one in gaps]
    lag = None if row.last_success_at is None else int((now() - row.last_success_at).total_seconds())
    return shapes.Account(
        name=row.name,
        platform=row.platform,
        state=cast(Any, row.state),
        sending="armed" if sends_for_real(d, row) else "dry_run",
        last_success_at=row.last_success_at,
        lag_s=lag,
        gaps=len(unseen),
        gap_list=unseen,
        quota=row.quota,
        error=row.error,
    )


def attention(row: AttentionRow, accounts: dict[int, str]) -> shapes.Attention:
    """Something that needs attention, as the API shows it."""
    return shapes.Attention(
        id=str(row.id),
        kind=row.kind,
        ref=row.ref,
        account=accounts.get(row.account_id) if row.account_id is not None else None,
        mention_id=_id(row.mention_id),
        summary=row.summary,
        remedy=row.remedy,
        raised_at=row.raised_at,
        age_s=int((now() - row.raised_at).total_seconds()),
        owner=row.owner,
        acked_at=row.acked_at,
        closed_at=row.closed_at,
        outcome=row.outcome,
    )


def audit(row: AuditRow) -> shapes.AuditEntry:
    """An entry of the log. The time keeps its microseconds, since they are part of what is hashed."""
    return shapes.AuditEntry(
        seq=row.seq,
        at=row.happened_at,
        by=row.by,
        action=row.action,
        subject=row.subject,
        hashes=row.hashes,
        prev=row.prev,
        hash=row.hash,
    )


def kill_switch(scope: str, row: SettingRow) -> shapes.KillSwitch:
    """A switch as the API shows it."""
    return shapes.KillSwitch(
        scope=scope,
        on=bool(row.value.get("on")),
        reason=str(row.value.get("reason") or ""),
        by=row.by,
        at=row.changed_at,
    )
