"""What came of a run, counted at the sandbox; our own tables only say what is before a person."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from pipeline.deployment import Deployment
from sandbox.running import Control
from store import audit
from store.tables import (
    AttentionRow,
    DraftRow,
    GapRow,
    MentionRevisionRow,
    MentionRow,
    ReplyRow,
    ServiceRequestRow,
    SourceRangeRow,
    TicketRow,
    WorkRow,
)
from tests.chaos.town import MOVES, Approved, Noted, lost

REFERENCE = re.compile(r"\[Ref ([A-Z]{1,4}-[A-Z0-9]{6,})\]")
BEFORE_A_PERSON = frozenset({"pending", "held", "failed", "manual", "expired"})
WRITES = ("reply", "private_reply")


@dataclass(kw_only=True)
class Verdict:
    """What was found; a run is good when ``wrong`` is empty."""

    counted: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def judge(city: Deployment, ctl: Control, noted: Noted) -> Verdict:
    """Hold the ledger of the sandbox against what was posted and approved."""
    verdict = Verdict()
    with city.store.reading() as session:
        _mentions(session, ctl, verdict)
        stands = _replies(session, ctl, verdict)
        tickets = _tickets(ctl, verdict)
        _approvals(session, noted, stands, tickets, verdict)
        _our_own(session, verdict)
    for switch in noted.switches:
        if switch["in_flight"] > switch["workers"]:
            verdict.wrong.append(
                f"after the kill switch {switch['in_flight']} went out, of {switch['workers']} in flight"
            )
    return verdict


def _mentions(session: Session, ctl: Control, verdict: Verdict) -> None:
    missing, there = lost(session, ctl)
    gaps = session.exec(select(GapRow).where(col(GapRow.from_at).is_not(None))).all()
    verdict.counted |= {"mentions": there, "mentions lost": len(missing), "gap rows": len(gaps)}
    if missing:
        verdict.wrong.append(
            f"{len(missing)} mentions were never stored, the first {missing[:5]}; gap rows: {len(gaps)}"
        )


def _replies(session: Session, ctl: Control, verdict: Verdict) -> Counter[int]:
    """How many replies stand to each mention, by its row's id."""
    of_post: dict[str, int] = {}
    for post_id, mention_id in session.exec(select(MentionRevisionRow.post_id, MentionRevisionRow.mention_id)):
        of_post[post_id] = mention_id
    replies = [one for one in ctl.effects() if one["kind"] in WRITES and not str(one["text"]).startswith("Naively, ")]
    texts = Counter(str(one["text"]) for one in replies)
    stands = Counter(of_post.get(str(one["in_reply_to"]), 0) for one in replies)
    doubled = {text for text, count in texts.items() if count > 1}
    twice = [mention for mention, count in stands.items() if count > 1 or not mention]
    verdict.counted |= {"replies that stand": len(replies), "replies doubled": sum(texts[one] - 1 for one in doubled)}
    for text in sorted(doubled)[:5]:
        verdict.wrong.append(f"a reply stands {texts[text]} times: {text[:60]!r}")
    if twice:
        verdict.wrong.append(f"more than one reply stands to mentions {twice[:5]}")
    return stands


def _tickets(ctl: Control, verdict: Verdict) -> Counter[str]:
    """How many tickets there are of each reference."""
    requests = [one for one in ctl.requests() if not one["description"].startswith("Naively, ")]
    found = Counter(name for one in requests for name in REFERENCE.findall(one["description"]))
    doubled = {name: count for name, count in found.items() if count > 1}
    verdict.counted |= {"tickets": len(requests), "tickets doubled": sum(doubled.values()) - len(doubled)}
    if doubled:
        verdict.wrong.append(f"tickets doubled: {doubled}")
    if found.total() != len(requests):
        verdict.wrong.append("there are tickets without a reference of ours")
    return found


def _approvals(session: Session, noted: Noted, stands: Counter[int], tickets: Counter[str], verdict: Verdict) -> None:
    ends: Counter[str] = Counter()
    for one in noted.approved.values():
        end = _reply_of(session, one, stands)
        ends[f"approved replies {end}"] += 1
        if end.startswith("LOST"):
            verdict.wrong.append(f"the approved reply of draft {one.draft_id} to {one.post_id}: {end}")
        if one.ticket:
            end = _ticket_of(session, one, tickets)
            ends[f"approved tickets {end}"] += 1
            if end.startswith("LOST"):
                verdict.wrong.append(f"the approved ticket {one.reference} of draft {one.draft_id}: {end}")
    verdict.counted |= {"approved": len(noted.approved), **dict(sorted(ends.items()))}


def _reply_of(session: Session, one: Approved, stands: Counter[int]) -> str:
    mention = session.get_one(MentionRow, one.mention_id)
    draft = session.get_one(DraftRow, int(one.draft_id))
    if stands[mention.id]:
        if draft.state == "sent" or _sent_later(session, draft):
            return "sent once"
        return "sent once and before a person" if draft.state in BEFORE_A_PERSON else f"LOST: sent, but {draft.state}"
    if mention.state == "deleted":
        return "not sent: the post was deleted"
    by_hand = select(ReplyRow.id).where(ReplyRow.mention_id == mention.id, ReplyRow.origin == "native")
    if session.exec(by_hand).first() is not None:
        return "not sent: answered by hand"
    last = _last(session, draft)
    return "before a person" if last.state in BEFORE_A_PERSON else f"LOST: not sent, and {last.state}"


def _sent_later(session: Session, draft: DraftRow) -> bool:
    same = select(ReplyRow.id).where(ReplyRow.mention_id == draft.mention_id, ReplyRow.state == "sent")
    return session.exec(same).first() is not None


def _last(session: Session, draft: DraftRow) -> DraftRow:
    while draft.superseded_by is not None:
        draft = session.get_one(DraftRow, draft.superseded_by)
    return draft


def _ticket_of(session: Session, one: Approved, tickets: Counter[str]) -> str:
    if one.reference is None:
        return "attached"
    if tickets[one.reference]:
        return "opened once"
    request = session.exec(select(ServiceRequestRow).where(ServiceRequestRow.reference == one.reference)).one()
    states = set(session.exec(select(TicketRow.state).where(TicketRow.request_id == request.id)))
    if "failed" in states:
        return "before a person"
    if request.status in {"proposed", "cancelled"} and states <= {"cancelled"}:
        return "not opened: taken back with its draft"
    return f"LOST: not opened, request {request.status}, ticket {sorted(states)}"


def _our_own(session: Session, verdict: Verdict) -> None:
    """What must hold within, too."""
    chain = audit.verify(session)
    if not chain.holds:
        verdict.wrong.append(f"the log does not hold at entry {chain.first_bad}: {chain.why}")
    verdict.counted["entries of the log that hold"] = chain.entries
    moving: dict[str, Any] = {
        "replies on their way": select(ReplyRow.id).where(col(ReplyRow.state).in_(("approved", "sending", "in_doubt"))),
        "tickets on their way": select(TicketRow.id).where(
            col(TicketRow.state).in_(("pending", "sending", "in_doubt"))
        ),
        "work rows unfinished": select(WorkRow.id).where(*MOVES),
        "ranges open": select(SourceRangeRow.id).where(col(SourceRangeRow.open)),
    }
    for name, query in moving.items():
        if found := list(session.exec(query)):
            verdict.wrong.append(f"{name} at the end: {len(found)}, the first {found[:5]}")
    dead = select(WorkRow.kind, WorkRow.ref).where(WorkRow.state == "dead")
    told = set(session.exec(select(AttentionRow.ref).where(AttentionRow.kind == "work")))
    rows = [f"{kind}:{ref}" for kind, ref in session.exec(dead)]
    verdict.counted["dead work rows before a person"] = len(rows)
    if hidden := [one for one in rows if one not in told]:
        verdict.wrong.append(f"dead work rows that nobody is told of: {hidden[:5]}")
