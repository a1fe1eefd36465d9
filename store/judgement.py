"""What is held of a mention: the newest assessment, with what staff said instead."""

from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from store.tables import AssessmentRow, CorrectionRow
from vocabulary import Intent, Sentiment, Urgency


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """An assessment after corrections."""

    intent: Intent
    service_code: str | None
    sentiment: Sentiment
    urgency: Urgency
    language: str
    signal: str | None = None
    please_check: tuple[str, ...] = ()
    corrected: frozenset[str] = field(default_factory=frozenset)


def judgement(session: Session, mention_id: int) -> Judgement | None:
    """The newest assessment with the newest correction of each field over it; None before the first assessment."""
    row = session.exec(
        select(AssessmentRow).where(AssessmentRow.mention_id == mention_id).order_by(col(AssessmentRow.id).desc())
    ).first()
    if row is None:
        return None
    said: dict[str, str | None] = {}
    for correction in session.exec(
        select(CorrectionRow).where(CorrectionRow.mention_id == mention_id).order_by(col(CorrectionRow.id))
    ):
        said[correction.field] = correction.value
    return Judgement(
        intent=Intent(said.get("intent") or row.intent),
        service_code=said.get("service_code", row.service_code),
        sentiment=Sentiment(said.get("sentiment") or row.sentiment),
        urgency=Urgency(said.get("urgency") or row.urgency),
        language=row.language,
        signal=row.signal,
        please_check=tuple(f for f in row.please_check if f not in said),
        corrected=frozenset(said),
    )
