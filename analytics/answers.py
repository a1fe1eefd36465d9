"""The roll-up of the model's answers: each assessment is counted once into the week in which it was made.

Assessments are only ever added, so a mark of how far they were counted is enough, and old weeks need no second look but
for corrections. Pages read a row a week, however many posts a city hears.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from analytics.calendar import day_of
from analytics.rollup import NONE
from store import facts
from store.engine import Store
from store.tables import AnswerWeekRow, AssessmentRow, ContentRow, CorrectionRow, MentionRow
from store.types import now

HEADS = ("intent", "service_code", "sentiment", "urgency")
MOST_ROWS = 2_000  #: counted per call
NO_MODEL = "none"  #: a person read the post instead: that is no answer of a model
MARK = "answers_counted"
#: On PostgreSQL an id may become visible after a greater one; no transaction of ours lasts longer than this.
SETTLED = timedelta(minutes=10)
LENGTHS = (40, 100, 200, 400)  #: characters; the last group is longer
_ONE_AT_A_TIME = 7_204_312  # key of PostgreSQL's advisory lock; SQLite has one writer anyway


@dataclass(frozen=True, kw_only=True, slots=True)
class Week:
    """What was answered in one week of the city."""

    start: date  #: a Monday
    posts: int
    shares: Mapping[
        str, Mapping[str, int]
    ]  #: intent, service_code, …, language, platform, length, model: posts by label
    sure: Mapping[str, float]  #: mean probability of the winning label, by head
    to_check: Mapping[str, int]  #: posts marked "please check", by head
    corrected: Mapping[str, int]  #: posts of this week that staff have corrected by now, by head


def refresh(store: Store, zone: ZoneInfo, *, at_most: int = MOST_ROWS) -> int:
    """Count a page of what is new; gives how many rows were counted, 0 when all is up to date."""
    with store.reading() as session:
        if not any(_new(session, store, at_most=1)):
            return 0
    with store.writing() as session:
        if not store.is_sqlite and not session.execute(_try_lock()).scalar():
            return 0  # another worker is at it
        assessments, corrections = _new(session, store, at_most=at_most)
        counted: dict[str, Counter[str]] = {}
        _count_assessments(session, assessments, zone, counted)
        _count_corrections(session, corrections, zone, counted)
        for week, counts in counted.items():
            _add(session, week, counts)
        _move_mark(session, assessments, corrections)
    return len(assessments) + len(corrections)


def weeks(session: Session, *, at_most: int) -> list[Week]:
    """The newest weeks that have answers, the oldest of them first."""
    rows = session.exec(select(AnswerWeekRow).order_by(col(AnswerWeekRow.week).desc()).limit(at_most)).all()
    return [_week(row) for row in reversed(rows)]


def first_weeks(session: Session, *, at_most: int) -> list[Week]:
    """The first weeks on record."""
    rows = session.exec(select(AnswerWeekRow).order_by(col(AnswerWeekRow.week)).limit(at_most)).all()
    return [_week(row) for row in rows]


def length_group(characters: int) -> str:
    """Which group of lengths a post belongs to: ``41-100``."""
    lower = 0
    for upper in LENGTHS:
        if characters <= upper:
            return f"{lower}-{upper}"
        lower = upper + 1
    return f"{lower}-"


def _try_lock() -> Any:
    return text("SELECT pg_try_advisory_xact_lock(:key)").bindparams(key=_ONE_AT_A_TIME)


def _new(session: Session, store: Store, *, at_most: int) -> tuple[Sequence[AssessmentRow], Sequence[CorrectionRow]]:
    mark = facts.recall(session, MARK) or {}
    assessed = select(AssessmentRow).where(col(AssessmentRow.id) > mark.get("assessment", 0))
    corrected = select(CorrectionRow).where(col(CorrectionRow.id) > mark.get("correction", 0))
    if not store.is_sqlite:
        assessed = assessed.where(col(AssessmentRow.assessed_at) < now() - SETTLED)
        corrected = corrected.where(col(CorrectionRow.made_at) < now() - SETTLED)
    return (
        session.exec(assessed.order_by(col(AssessmentRow.id)).limit(at_most)).all(),
        session.exec(corrected.order_by(col(CorrectionRow.id)).limit(at_most)).all(),
    )


def _move_mark(session: Session, assessments: Sequence[AssessmentRow], corrections: Sequence[CorrectionRow]) -> None:
    mark = dict(facts.recall(session, MARK) or {})
    if assessments:
        mark["assessment"] = assessments[-1].id
    if corrections:
        mark["correction"] = corrections[-1].id
    facts.remember(session, MARK, mark, by="system")


def _count_assessments(
    session: Session, rows: Sequence[AssessmentRow], zone: ZoneInfo, counted: dict[str, Counter[str]]
) -> None:
    about = _posts(session, (row.mention_id for row in rows))
    for row in rows:
        platform, historic, characters = about[row.mention_id]
        if row.model == NO_MODEL or historic:
            continue
        counts = counted.setdefault(_monday(row, zone), Counter())
        counts["posts"] += 1
        for dimension, label in (
            *((head, getattr(row, head) or NONE) for head in HEADS),
            ("language", row.language),
            ("platform", platform),
            ("length", length_group(characters)),
            ("model", row.model),
        ):
            counts[f"share/{dimension}/{label}"] += 1
        for head in HEADS:
            counts[f"to_check/{head}"] += head in row.please_check
            scores = row.scores.get(head) or {}
            if scores:
                counts[f"scored/{head}"] += 1
                counts[f"sure/{head}"] += round(1_000_000 * max(scores.values()))


def _posts(session: Session, mention_ids: Iterable[int]) -> dict[int, tuple[str, bool, int]]:
    """Platform, whether it is historic, and length; of a post whose words are gone, the length is 0."""
    query = (
        select(MentionRow.id, MentionRow.platform, MentionRow.historic, func.length(ContentRow.text))
        .join(ContentRow, col(ContentRow.id) == col(MentionRow.content_id))
        .where(col(MentionRow.id).in_(set(mention_ids)))
    )
    return {number: (platform, historic, length or 0) for number, platform, historic, length in session.exec(query)}


def _count_corrections(
    session: Session, rows: Sequence[CorrectionRow], zone: ZoneInfo, counted: dict[str, Counter[str]]
) -> None:
    """A post counts once a head, in the week of its assessment; to confirm what the model said is no correction."""
    for row in rows:
        assessed = session.exec(
            select(AssessmentRow)
            .where(AssessmentRow.mention_id == row.mention_id, AssessmentRow.model != NO_MODEL)
            .order_by(col(AssessmentRow.id).desc())
        ).first()
        if (
            assessed is None
            or getattr(assessed, row.field) == row.value
            or _posts(session, [row.mention_id])[row.mention_id][1]
        ):
            continue
        if not _corrected_before(session, row, getattr(assessed, row.field)):
            counted.setdefault(_monday(assessed, zone), Counter())[f"corrected/{row.field}"] += 1


def _corrected_before(session: Session, row: CorrectionRow, said: str | None) -> bool:
    earlier = session.exec(
        select(CorrectionRow.value).where(
            CorrectionRow.mention_id == row.mention_id, CorrectionRow.field == row.field, col(CorrectionRow.id) < row.id
        )
    )
    return any(value != said for value in earlier)


def _monday(row: AssessmentRow, zone: ZoneInfo) -> str:
    day = day_of(row.assessed_at, zone)
    return (day - timedelta(days=day.weekday())).isoformat()


def _add(session: Session, week: str, counts: Counter[str]) -> None:
    row = session.get(AnswerWeekRow, week) or AnswerWeekRow(week=week)
    row.counts = dict(Counter(row.counts) + counts)
    session.add(row)


def _week(row: AnswerWeekRow) -> Week:
    counts = row.counts
    shares: dict[str, dict[str, int]] = {}
    for key, many in counts.items():
        if key.startswith("share/"):
            _, dimension, label = key.split("/", 2)
            shares.setdefault(dimension, {})[label] = many
    return Week(
        start=date.fromisoformat(row.week),
        posts=counts.get("posts", 0),
        shares=shares,
        sure={
            head: counts.get(f"sure/{head}", 0) / scored / 1_000_000
            for head in HEADS
            if (scored := counts.get(f"scored/{head}", 0))
        },
        to_check={head: counts.get(f"to_check/{head}", 0) for head in HEADS},
        corrected={head: counts.get(f"corrected/{head}", 0) for head in HEADS},
    )
