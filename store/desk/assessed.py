"""What we hold to be true of a mention: the classifier's answer, and over it what staff said instead."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, case, exists, func, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from store.tables import AssessmentRow, CorrectionRow, MentionRow

FIELDS = ("intent", "service_code", "sentiment", "urgency")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One field of an assessment as it stands."""

    value: str | None
    score: float | None  #: calibrated probability of the classifier's own value
    model_value: str | None
    please_check: bool
    corrected_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessed:
    """An assessment with its corrections laid over it."""

    intent: Finding
    service_code: Finding
    sentiment: Finding
    urgency: Finding
    language: str
    model: str
    signal: str | None  #: which emergency pattern fired

    @property
    def please_check(self) -> bool:
        """Whether any field that staff have not corrected asks for a look."""
        return any(getattr(self, field).please_check for field in FIELDS)


def latest(mention_id: Any) -> ScalarSelect[int]:
    """The id of a mention's newest assessment, as a subquery."""
    newest = select(func.max(AssessmentRow.id)).where(col(AssessmentRow.mention_id) == mention_id)
    return newest.correlate(MentionRow).scalar_subquery()


def as_it_stands(field: str) -> ColumnElement[Any]:
    """A field of the joined assessment, or its newest correction, for filters and order."""
    of_field = (col(CorrectionRow.mention_id) == col(MentionRow.id), col(CorrectionRow.field) == field)
    newest = select(col(CorrectionRow.value)).where(*of_field).order_by(col(CorrectionRow.id).desc()).limit(1)
    corrected = exists().where(*of_field).correlate(MentionRow)
    return case((corrected, newest.correlate(MentionRow).scalar_subquery()), else_=getattr(AssessmentRow, field))


def corrections_of(session: Session, mention_ids: Iterable[int]) -> dict[int, dict[str, CorrectionRow]]:
    """The newest correction of each field, by mention."""
    found: dict[int, dict[str, CorrectionRow]] = {}
    query = select_rows(CorrectionRow).where(col(CorrectionRow.mention_id).in_(list(mention_ids)))
    for row in session.exec(query.order_by(col(CorrectionRow.id))):
        found.setdefault(row.mention_id, {})[row.field] = row
    return found


def lay_over(row: AssessmentRow | None, corrections: Mapping[str, CorrectionRow]) -> Assessed | None:
    """The assessment as it stands; None while nobody has assessed."""
    if row is None:
        return None
    found = {field: _finding(row, field, corrections.get(field)) for field in FIELDS}
    return Assessed(**found, language=row.language, model=row.model, signal=row.signal)


def _finding(row: AssessmentRow, field: str, correction: CorrectionRow | None) -> Finding:
    said: str | None = getattr(row, field)
    scores = row.scores.get(field) or {}
    score = scores.get(said or "none", max(scores.values(), default=None))  # a city's code has a general code's score
    return Finding(
        value=correction.value if correction else said,
        score=None if score is None else float(score),
        model_value=said,
        please_check=correction is None and field in row.please_check,
        corrected_by=correction.by if correction else None,
    )
