"""Decisions over mentions: corrections, dismissals, drafts on request, alarms, notes."""

from __future__ import annotations

from collections.abc import Mapping

from sqlmodel import Session, col, select

from pipeline import alarms, assess
from pipeline import draft as drafting
from pipeline import plan as planning
from pipeline.deployment import Deployment
from store import attention, audit, content, outbound, requests
from store.judgement import Judgement, judgement
from store.people import Principal
from store.refusals import Conflict, Invalid, Missing
from store.tables import (
    AlarmRow,
    AssessmentRow,
    ConversationRow,
    CorrectionRow,
    DismissalRow,
    DraftRow,
    MentionRow,
    MentionSourceRow,
    NoteRow,
    ReplyRow,
    StaffRow,
)
from store.types import now
from vocabulary import DraftState, Intent, Purpose, Sentiment, Urgency

ALLOWED: Mapping[str, type[Intent] | type[Sentiment] | type[Urgency]] = {
    "intent": Intent,
    "sentiment": Sentiment,
    "urgency": Urgency,
}


def find(session: Session, who: Principal, mention_id: int) -> MentionRow:
    """A mention within one's grants.

    Raises:
        Missing: there is none.
    """
    row = session.get(MentionRow, mention_id)
    heard = session.exec(select(MentionSourceRow.account_id).where(MentionSourceRow.mention_id == mention_id)).all()
    outside = who.account_ids is not None and who.account_ids.isdisjoint(heard)
    if row is None or outside:
        raise Missing(f"there is no mention {mention_id}")
    return row


def correct(deployment: Deployment, who: Principal, mention_id: int, *, changes: Mapping[str, str | None]) -> int:
    """Say what a mention is; an undecided draft is superseded by one that fits.

    Raises:
        Missing, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        row, held = _to_say(session, who, mention_id)
        for name, value in changes.items():
            _check(deployment, name, value)
            _correct_one(session, row, held, name, value, by=who.by)
        _all_follows(session, deployment, row, changes, by=who.by)
    return mention_id


def label(deployment: Deployment, who: Principal, mention_id: int, *, said: Mapping[str, str | None]) -> int:
    """Say what a mention is, for the model to learn from: what it said rightly is confirmed, the rest is corrected.

    A confirmation changes no draft; a correction does what ``correct`` does.

    Raises:
        Missing, Conflict, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        row, held = _to_say(session, who, mention_id)
        changes: dict[str, str | None] = {}
        for name, value in said.items():
            _check(deployment, name, value)
            if getattr(held, name) == value:
                _confirm_one(session, row, name, value, by=who.by)
            else:
                _correct_one(session, row, held, name, value, by=who.by)
                changes[name] = value
        if changes:
            _all_follows(session, deployment, row, changes, by=who.by)
    return mention_id


def _to_say(session: Session, who: Principal, mention_id: int) -> tuple[MentionRow, Judgement]:
    row = find(session, who, mention_id)
    if row.state == "quarantined" and judgement(session, row.id) is None:
        assess.unread(session, row)
    held = judgement(session, row.id)
    if held is None:
        raise Conflict("it has not been read yet: try again in a moment", code="stale")
    return row, held


def _all_follows(
    session: Session, deployment: Deployment, row: MentionRow, changes: Mapping[str, str | None], *, by: str
) -> None:
    if "urgency" in changes:
        _alarm_follows(session, row, by=by)
    other = bool({"intent", "service_code"} & set(changes))
    _draft_follows(session, deployment, row, by=by, other_trouble=other)


def _check(deployment: Deployment, name: str, value: str | None) -> None:
    if name == "service_code":
        if value is not None and deployment.service(value) is None:
            raise Invalid(f"service_code = {value!r}: the city has no such service", field=name)
        return
    if name not in ALLOWED:
        raise Invalid(f"{name!r} can't be corrected", field=name)
    words = [word.value for word in ALLOWED[name]]
    if value not in words:
        raise Invalid(f"{name} = {value!r}: one of {', '.join(words)}", field=name)


def _correct_one(session: Session, row: MentionRow, held: Judgement, name: str, value: str | None, *, by: str) -> None:
    was = getattr(held, name)
    session.add(CorrectionRow(mention_id=row.id, field=name, was=None if was is None else str(was), value=value, by=by))
    session.flush()
    hashes = {name: value or "none", "was": "none" if was is None else str(was)}
    audit.append(session, by=by, action="mention.corrected", subject=f"mention:{row.id}", hashes=hashes)


def _confirm_one(session: Session, row: MentionRow, name: str, value: str | None, *, by: str) -> None:
    """A lesson like any other: who teaches only where the model was wrong teaches it to doubt what it knew."""
    session.add(CorrectionRow(mention_id=row.id, field=name, was=value, value=value, by=by))
    session.flush()
    hashes = {name: value or "none"}
    audit.append(session, by=by, action="mention.confirmed", subject=f"mention:{row.id}", hashes=hashes)


def _alarm_follows(session: Session, row: MentionRow, *, by: str) -> None:
    held = judgement(session, row.id)
    alarm = alarms.of_conversation(session, row.conversation_id)
    if held is None:
        return
    if held.urgency is Urgency.EMERGENCY and alarm is None:
        alarms.raise_alarm(session, row, reason=f"{by} says that it is an emergency", self_harm=False)
    elif held.urgency is not Urgency.EMERGENCY and alarm is not None and alarm.mention_id == row.id:
        alarms.acknowledge(session, alarm, by=by, emergency=False)
        _ring_on(session, alarm, row)


def _draft_follows(
    session: Session, deployment: Deployment, row: MentionRow, *, by: str, other_trouble: bool = False
) -> None:
    """A new draft that fits, unless the mention is settled or its words are gone."""
    held = judgement(session, row.id)
    if held is None or row.state in {"deleted", "dismissed"} or row.historic:
        return
    busy = select(DraftRow.id).where(
        DraftRow.mention_id == row.id, col(DraftRow.state).in_(("approved", "sending", "in_doubt", "manual", "sent"))
    )
    if session.exec(busy).first() is not None:
        return
    if other_trouble:
        _drop_proposed(session, row, held)
    if row.state == "quarantined":
        row.state = "assessed"
        attention.settle(session, "mention", str(row.id), by=by)
    drafting.compose(session, deployment, row, held, planning.plan(session, deployment, row, held), by=by)


def _drop_proposed(session: Session, row: MentionRow, held: Judgement) -> None:
    """A request that was proposed for another service, or for what is no report, is nobody's any more."""
    for request in requests.of_mention(session, row.id):
        if request.status == "proposed" and (
            held.intent is not Intent.REPORT or request.service_code != held.service_code
        ):
            requests.cancel_if_unfiled(session, request.id, by="system")


def dismiss(deployment: Deployment, who: Principal, mention_id: int, *, reason: str) -> int:
    """Nothing is to be done; undecided drafts end.

    Raises:
        Missing, Conflict, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        row = find(session, who, mention_id)
        if not reason.strip():
            raise Invalid("say why: others will read it", field="reason")
        if row.state in {"dismissed", "deleted"}:
            raise Conflict(f"this mention is {row.state} already", code="decided")
        alarm = alarms.of_conversation(session, row.conversation_id)
        if alarm is not None and alarm.mention_id == row.id:
            raise Conflict("acknowledge its alarm first", code="alarm")
        open_ = select(DraftRow).where(
            DraftRow.mention_id == row.id, col(DraftRow.state).in_(("pending", "held", "approved", "manual", "failed"))
        )
        for draft in session.exec(open_).all():
            outbound.stop(session, draft, state=DraftState.CANCELLED, why=f"dismissed: {reason[:200]}", by=who.by)
            requests.cancel_if_unfiled(session, draft.request_id, by=who.by)
        session.add(DismissalRow(mention_id=row.id, reason=reason[:300], by=who.by))
        row.state = "dismissed"
        session.add(row)
        hashes = {"why": audit.sha(reason)}
        audit.append(session, by=who.by, action="mention.dismissed", subject=f"mention:{row.id}", hashes=hashes)
    return mention_id


def undismiss(deployment: Deployment, who: Principal, mention_id: int) -> int:
    """Take a dismissal back; the mention is drafted anew.

    Raises:
        Missing, Conflict: as they say.
    """
    with deployment.store.writing() as session:
        row = find(session, who, mention_id)
        if row.state != "dismissed":
            raise Conflict(f"this mention is not dismissed: it is {row.state}", code="decided")
        standing = select(DismissalRow).where(DismissalRow.mention_id == row.id, col(DismissalRow.undone_at).is_(None))
        for dismissal in session.exec(standing):
            dismissal.undone_at = now()
            session.add(dismissal)
        row.state = "assessed"
        session.add(row)
        audit.append(session, by=who.by, action="mention.undismissed", subject=f"mention:{row.id}")
        _draft_follows(session, deployment, row, by=who.by)
    return mention_id


def redraft(
    deployment: Deployment,
    who: Principal,
    mention_id: int,
    *,
    template: str | None = None,
    language: str | None = None,
    purpose: str | None = None,
) -> int:
    """Write a draft on request, also for what was answered or is too old to be drafted by itself; gives its id.

    Raises:
        Missing, Conflict, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        row = find(session, who, mention_id)
        held = judgement(session, row.id)
        if held is None or row.state == "deleted":
            raise Conflict("there is nothing to answer", code="decided")
        if purpose is not None and purpose not in {one.value for one in Purpose}:
            raise Invalid(f"purpose = {purpose!r}: one of {', '.join(Purpose)}", field="purpose")
        _not_on_its_way(session, row)
        wish = drafting.Wish(template=template, language=language, purpose=Purpose(purpose) if purpose else None)
        wanted = planning.plan(session, deployment, row, held)
        return drafting.compose(session, deployment, row, held, wanted, wish=wish, by=who.by).id


def _not_on_its_way(session: Session, row: MentionRow) -> None:
    on_its_way = select(ReplyRow).where(
        ReplyRow.mention_id == row.id, col(ReplyRow.state).in_(("approved", "sending", "in_doubt", "manual"))
    )
    reply = session.exec(on_its_way).first()
    if reply is not None:
        raise Conflict(f"a reply to it is {reply.state}", code="decided", draft_id=reply.draft_id)


def acknowledge(deployment: Deployment, who: Principal, mention_id: int, *, emergency: bool = True) -> int:
    """A person has seen the alarm of this mention's thread; "not an emergency" is kept as a correction.

    Raises:
        Missing: there is no open alarm.
    """
    with deployment.store.writing() as session:
        row = find(session, who, mention_id)
        alarm = alarms.of_conversation(session, row.conversation_id)
        if alarm is None:
            raise Missing("there is no open alarm on this thread")
        alarms.acknowledge(session, alarm, by=who.by, emergency=emergency)
        if not emergency:
            for mention in _emergencies(session, row.conversation_id):
                held = judgement(session, mention.id)
                if held is not None and _of_one_author(mention, row):
                    _correct_one(session, mention, held, "urgency", Urgency.NORMAL, by=who.by)
                    _draft_follows(session, deployment, mention, by=who.by)
            _ring_on(session, alarm, row)
    return mention_id


def _emergencies(session: Session, conversation_id: int) -> list[MentionRow]:
    here = select(MentionRow).where(MentionRow.conversation_id == conversation_id, MentionRow.state != "deleted")
    rows = session.exec(here.order_by(col(MentionRow.seq))).all()
    return [row for row in rows if (held := judgement(session, row.id)) and held.urgency is Urgency.EMERGENCY]


def _of_one_author(one: MentionRow, other: MentionRow) -> bool:
    return one.id == other.id or (one.identity_id is not None and one.identity_id == other.identity_id)


def _ring_on(session: Session, closed: AlarmRow, row: MentionRow) -> None:
    """What is no emergency of one resident says nothing of another whose cry was folded into the same alarm."""
    for mention in _emergencies(session, row.conversation_id):
        folded = select(AssessmentRow.id).where(
            AssessmentRow.mention_id == mention.id,
            AssessmentRow.assessed_at >= closed.raised_at,
            AssessmentRow.urgency == Urgency.EMERGENCY,
        )
        if session.exec(folded).first() is not None and not _of_one_author(mention, row):
            alarms.raise_alarm(session, mention, reason=closed.reason, self_harm=closed.self_harm)


def assign(deployment: Deployment, who: Principal, conversation_id: int, *, to: str | None) -> None:
    """Give a conversation to a colleague, or to nobody.

    Raises:
        Missing, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        thread = _thread(session, who, conversation_id)
        staff = None
        if to:
            staff = session.exec(
                select(StaffRow).where(StaffRow.email == to.strip().casefold(), col(StaffRow.disabled_at).is_(None))
            ).first()
            if staff is None:
                raise Invalid(f"there is no colleague {to!r}", field="to")
        thread.owner_id = staff.id if staff else None
        session.add(thread)
        subject, hashes = f"conversation:{thread.id}", {"to": staff.email if staff else "nobody"}
        audit.append(session, by=who.by, action="conversation.assigned", subject=subject, hashes=hashes)


def note(deployment: Deployment, who: Principal, conversation_id: int, *, text: str) -> None:
    """Write a remark for colleagues; never posted.

    Raises:
        Missing, Invalid: as they say.
    """
    with deployment.store.writing() as session:
        thread = _thread(session, who, conversation_id)
        if not text.strip():
            raise Invalid("the note is empty", field="text")
        kept = content.keep(session, "note", text[:4000])
        session.add(NoteRow(conversation_id=thread.id, content_id=kept, by=who.by))
        subject, hashes = f"conversation:{thread.id}", {"text": audit.sha(text[:4000])}
        audit.append(session, by=who.by, action="conversation.noted", subject=subject, hashes=hashes)


def _thread(session: Session, who: Principal, conversation_id: int) -> ConversationRow:
    thread = session.get(ConversationRow, conversation_id)
    mentions = session.exec(select(MentionRow.id).where(MentionRow.conversation_id == conversation_id)).all()
    if thread is None or not mentions:
        raise Missing(f"there is no conversation {conversation_id}")
    find(session, who, mentions[0])
    return thread
