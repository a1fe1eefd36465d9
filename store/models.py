"""Versions of the city's own classifier heads: which one answers, which waits, what each was found to be worth.

At most one version is live. Without one the shipped model answers, which people name by the number 0. Each decision is
audited like any other: by numbers and hashes.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import defer
from sqlmodel import Session, col, func, select

from store import audit
from store.refusals import Conflict, Missing
from store.tables import CorrectionRow, ModelVersionRow, ShadowAnswerRow
from store.types import now

SHIPPED = 0  #: the number by which people name the model as it was shipped
COMPARED = 5_000  #: the newest answers in the shadow that are compared
_FOR_READING = defer(ModelVersionRow.heads)  # type: ignore[arg-type]  # SQLModel's columns have the type of their values


def add(
    session: Session,
    *,
    by: str,
    base: str,
    heads: bytes,
    figures: dict[str, Any],
    corrections: int,
    last_correction_id: int,
    state: str,
    reason: str,
) -> ModelVersionRow:
    """Keep a version that the gate has judged; ``state`` is ``candidate`` or ``refused``.

    What waited to be decided before is out of date now.
    """
    newest = session.exec(select(func.max(ModelVersionRow.number))).one()
    row = ModelVersionRow(
        number=(newest or SHIPPED) + 1,
        made_by=by,
        base=base,
        heads=heads,
        figures=figures,
        corrections=corrections,
        last_correction_id=last_correction_id,
        state=state,
        reason=reason,
    )
    session.add(row)
    session.flush()
    if state == "candidate":
        for older in session.exec(select(ModelVersionRow).where(ModelVersionRow.state == "candidate")).all():
            if older.id != row.id:
                _decide(session, older, "retired", by=by, reason=f"version {row.number} came before it was decided on")
    hashes = {"heads": hashlib.sha256(heads).hexdigest(), "state": state, "corrections": str(corrections)}
    audit.append(session, by=by, action="model.made", subject=f"model_version:{row.number}", hashes=hashes)
    return row


def version(session: Session, number: int) -> ModelVersionRow:
    """The version of a number.

    Raises:
        Missing: there is none.
    """
    row = session.exec(select(ModelVersionRow).where(ModelVersionRow.number == number)).first()
    if row is None:
        raise Missing(f"there is no version {number} of the classifier; `harken learn list` shows which there are")
    return row


def versions(session: Session, *, limit: int = 200) -> list[ModelVersionRow]:
    """The newest first, without the bytes of their heads."""
    query = select(ModelVersionRow).options(_FOR_READING).order_by(col(ModelVersionRow.number).desc())
    return list(session.exec(query.limit(limit)))


def live(session: Session) -> ModelVersionRow | None:
    """The version that answers, without the bytes of its heads; None: the shipped model does."""
    return _one_in(session, "live")


def in_shadow(session: Session) -> ModelVersionRow | None:
    """The version that answers beside the live one, without the bytes of its heads."""
    return _one_in(session, "shadow")


def newest(session: Session) -> ModelVersionRow | None:
    """The version that was made last, without the bytes of its heads."""
    return next(iter(versions(session, limit=1)), None)


def _one_in(session: Session, state: str) -> ModelVersionRow | None:
    query = select(ModelVersionRow).options(_FOR_READING).where(ModelVersionRow.state == state)
    return session.exec(query.order_by(col(ModelVersionRow.number).desc())).first()


def promote(session: Session, row: ModelVersionRow, *, by: str, base: str, reason: str = "") -> None:
    """Let a version answer from the next batch of posts on. ``base``: the model that reads posts now.

    Raises:
        Conflict: it answers already, it was refused, or it was learned over another model.
    """
    if row.state == "live":
        raise Conflict(f"version {row.number} is live already", code="decided")
    if row.state == "refused":
        raise Conflict(f"version {row.number} can't be promoted, it was refused: {row.reason}", code="decided")
    must_fit(row, base)
    before = live(session)
    if before is not None:
        _decide(session, before, "retired", by=by, reason=f"version {row.number} took its place")
    if row.live_from is None:
        row.replaced = before.number if before is not None else SHIPPED
    row.live_from = now()
    _decide(session, row, "live", by=by, reason=reason or row.reason)


def must_fit(row: ModelVersionRow, base: str) -> None:
    """Check that a version was learned over the model that reads posts now.

    Raises:
        Conflict: it was learned over another one, and could answer nothing.
    """
    if row.base != base:
        told = f"version {row.number} was learned over the model {row.base}, and {base} reads the posts now"
        raise Conflict(f"{told}; `harken learn run` learns anew from all corrections", code="decided")


def roll_back(session: Session, *, by: str, base: str, to: int | None = None) -> int:
    """Let an earlier version answer again: ``to``, or the one that the live one took the place of; gives its number.

    ``base``: the model that reads posts now. Where the one before was learned over another, the shipped one answers.

    Raises:
        Missing: there is no version ``to``.
        Conflict: the shipped model answers already, ``to`` never was live, or was learned over another model.
    """
    now_live = live(session)
    if to is None:
        if now_live is None:
            raise Conflict("no learned version is live: the model answers as it was shipped", code="decided")
        to = now_live.replaced or SHIPPED
        if to != SHIPPED and version(session, to).base != base:
            to = SHIPPED
    if to == SHIPPED:
        if now_live is None:
            raise Conflict("the model answers as it was shipped already", code="decided")
        _decide(session, now_live, "retired", by=by, reason="rolled back to the model as it was shipped")
        return SHIPPED
    row = version(session, to)
    if row.live_from is None:
        raise Conflict(f"version {to} never was live; `harken learn promote {to}` makes it so", code="decided")
    promote(
        session, row, by=by, base=base, reason=f"rolled back from {'shipped' if now_live is None else now_live.number}"
    )
    return to


def taken_back(session: Session) -> ModelVersionRow | None:
    """The newest version that answered once and that a person let an earlier one answer instead of, if there is one."""
    answering = live(session)
    query = select(ModelVersionRow).options(_FOR_READING).where(col(ModelVersionRow.live_from).is_not(None))
    later = query.where(col(ModelVersionRow.number) > (answering.number if answering is not None else SHIPPED))
    return session.exec(later.order_by(col(ModelVersionRow.number).desc())).first()


def shadow(session: Session, row: ModelVersionRow, *, by: str, base: str) -> None:
    """Let a version answer beside the live one, without effect; whatever was there before makes room.

    Raises:
        Conflict: it is live, or there already, or was learned over another model than ``base``, which reads posts now.
    """
    must_fit(row, base)
    if row.state in {"live", "shadow"}:
        where = "live" if row.state == "live" else "in the shadow already"
        raise Conflict(f"version {row.number} is {where}", code="decided")
    before = in_shadow(session)
    if before is not None:
        _decide(session, before, "retired", by=by, reason=f"version {row.number} took its place in the shadow")
    _decide(session, row, "shadow", by=by, reason=row.reason)


def _decide(session: Session, row: ModelVersionRow, state: str, *, by: str, reason: str) -> None:
    was, row.state, row.reason = row.state, state, reason[:1000]
    row.decided_at, row.decided_by = now(), by
    session.add(row)
    session.flush()  # one after the other: never two live at once
    hashes = {"was": was, "heads": hashlib.sha256(row.heads).hexdigest()}
    audit.append(session, by=by, action=f"model.{state}", subject=f"model_version:{row.number}", hashes=hashes)


def corrections_since(session: Session, correction_id: int) -> int:
    """How many corrections are newer than this one."""
    query = select(func.count(col(CorrectionRow.id))).where(col(CorrectionRow.id) > correction_id)
    return int(session.exec(query).one())


def last_correction_id(session: Session) -> int:
    """The newest correction; 0: there is none."""
    return session.exec(select(func.max(CorrectionRow.id))).one() or 0


def keep_shadow_answer(
    session: Session, *, mention_id: int, rev: int, model_version_id: int, answer: Mapping[str, Mapping[str, Any]]
) -> None:
    """Keep what the version in the shadow says of one wording of a mention; once."""
    key = (
        ShadowAnswerRow.mention_id == mention_id,
        ShadowAnswerRow.rev == rev,
        ShadowAnswerRow.model_version_id == model_version_id,
    )
    if session.exec(select(ShadowAnswerRow.id).where(*key)).first() is None:
        kept = {head: dict(said) for head, said in answer.items()}
        session.add(ShadowAnswerRow(mention_id=mention_id, rev=rev, model_version_id=model_version_id, answer=kept))


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How a version in the shadow compares with the live one, of one head."""

    answers: int
    agreed: int


def agreement(session: Session, model_version_id: int, *, since: datetime | None = None) -> dict[str, Agreement]:
    """Head by head, over its newest ``COMPARED`` answers."""
    query = select(ShadowAnswerRow).where(ShadowAnswerRow.model_version_id == model_version_id)
    if since is not None:
        query = query.where(col(ShadowAnswerRow.assessed_at) >= since)
    answers, agreed = Counter[str](), Counter[str]()
    for row in session.exec(query.order_by(col(ShadowAnswerRow.id).desc()).limit(COMPARED)):
        for head, said in row.answer.items():
            answers[head] += 1
            agreed[head] += said.get("label") == said.get("live")
    return {head: Agreement(answers=count, agreed=agreed[head]) for head, count in answers.items()}
