"""The roll-up of mentions: each quarter of an hour counted once, and counted anew when anything in it changed.

Triggers note what changed (migration 0002); ``refresh`` forgets the notes of a few quarters, counts those afresh from
the mentions themselves, and so can never drift. A note that is written meanwhile stays for the next time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, insert, or_, select, text
from sqlmodel import Session, SQLModel, col

import crashing
from analytics.calendar import quarter, quarter_start
from store.engine import Store
from store.tables import (
    AssessmentRow,
    CorrectionRow,
    MentionRollupRow,
    MentionRow,
    MentionSourceRow,
    OwnPostRow,
    PlaceRow,
    RollupDueRow,
)
from vocabulary import Intent, Sentiment

NONE = "none"  #: the value of what has none
MOST_MENTIONS = 1_000  #: counted per call, unless one quarter alone has more
MOST_NOTES = 1_000
MOST_QUARTERS = 40
FEELS = {Sentiment.NEGATIVE: -1, Sentiment.NEUTRAL: 0, Sentiment.POSITIVE: 1}
_ONE_AT_A_TIME = 7_204_311  # key of PostgreSQL's advisory lock; SQLite has one writer anyway


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """What counts of a post; no words."""

    quarter: int
    platform: str
    neighborhood: str | None = None
    intent: str | None = None
    service_code: str | None = None
    sentiment: str | None = None
    accounts: frozenset[int] = frozenset()

    def values(self) -> Iterator[tuple[str, str]]:
        """What it is counted as, by dimension."""
        yield "platform", self.platform
        yield "neighborhood", self.neighborhood or NONE
        yield "intent", self.intent or NONE
        yield "service_code", self.service_code or NONE
        yield "sentiment", self.sentiment or NONE
        if self.intent == Intent.REPORT:
            yield "reported", self.service_code or NONE


def refresh(store: Store, *, at_most: int = MOST_MENTIONS) -> int:
    """Count a page of what changed; gives how many quarters were counted, 0 when all is up to date.

    One look at an empty table when nothing changed; else one transaction. Two at once do no harm.
    """
    with store.reading() as session:
        if is_up_to_date(session):
            return 0
    with store.writing() as session:
        if not store.is_sqlite and not session.execute(_try_lock()).scalar():
            return 0  # another worker is at it
        due = _due(session, at_most)
        if due:
            session.execute(delete(RollupDueRow).where(_within(col(RollupDueRow.posted_at), due)))
            _count_anew(session, due)
            crashing.here("rollup.counted")
    return len(due)


def is_up_to_date(session: Session) -> bool:
    """Whether nothing waits to be counted."""
    return session.execute(select(col(RollupDueRow.id)).limit(1)).first() is None


def _try_lock() -> Any:
    return text("SELECT pg_try_advisory_xact_lock(:key)").bindparams(key=_ONE_AT_A_TIME)


def _due(session: Session, at_most: int) -> list[int]:
    """The quarters that have waited longest, up to so many mentions, but one at least."""
    notes = session.scalars(select(col(RollupDueRow.posted_at)).order_by(col(RollupDueRow.id)).limit(MOST_NOTES))
    wanted = list(dict.fromkeys(quarter(posted_at) for posted_at in notes))[:MOST_QUARTERS]
    taken: list[int] = []
    mentions = 0
    for number in wanted:
        within = _within(col(MentionRow.posted_at), [number])
        mentions += session.scalar(select(func.count()).select_from(MentionRow).where(within)) or 0
        if taken and mentions > at_most:
            break
        taken.append(number)
    return taken


def _within(column: Any, quarters: Iterable[int]) -> ColumnElement[bool]:
    """Whether a time lies in one of the quarters; neighbours are joined to one range."""
    runs: list[list[int]] = []
    for number in sorted(quarters):
        if runs and runs[-1][1] == number:
            runs[-1][1] = number + 1
        else:
            runs.append([number, number + 1])
    return or_(*(and_(column >= quarter_start(a), column < quarter_start(b)) for a, b in runs))


def _count_anew(session: Session, quarters: Sequence[int]) -> None:
    session.execute(delete(MentionRollupRow).where(col(MentionRollupRow.quarter).in_(quarters)))
    rows = list(cells(facts(session, _within(col(MentionRow.posted_at), quarters))))
    if rows:
        session.execute(insert(SQLModel.metadata.tables["mention_rollup"]), rows)


def cells(counted: Iterable[Fact]) -> Iterator[dict[str, Any]]:
    """The rows of the roll-up that these posts make."""
    n: Counter[tuple[str, str, int, str, str]] = Counter()
    felt, total = Counter(n), Counter(n)
    for fact in counted:
        heard_by = "," + "".join(f"{one}," for one in sorted(fact.accounts))
        for about in {"", fact.service_code or ""}:
            for dimension, value in fact.values():
                key = (dimension, about, fact.quarter, value, heard_by)
                n[key] += 1
                felt[key] += fact.sentiment is not None
                total[key] += FEELS[Sentiment(fact.sentiment)] if fact.sentiment else 0
    for key, many in n.items():
        dimension, about, number, value, heard_by = key
        yield {
            "dimension": dimension,
            "about": about,
            "quarter": number,
            "value": value,
            "accounts": heard_by,
            "n": many,
            "felt": felt[key],
            "sentiment_sum": total[key],
        }


def facts(session: Session, wanted: ColumnElement[bool]) -> list[Fact]:
    """What counts of the mentions that meet a condition on ``MentionRow``; the city's own posts do not.

    The newest assessment holds, and over it the newest correction of each field, as in ``store.judgement``. A deleted
    post happened, and counts.
    """
    is_ours = exists().where(
        col(OwnPostRow.platform) == col(MentionRow.platform), col(OwnPostRow.post_id) == col(MentionRow.post_id)
    )
    rows = session.execute(
        select(col(MentionRow.id), col(MentionRow.posted_at), col(MentionRow.platform), col(PlaceRow.neighborhood))
        .outerjoin(PlaceRow, col(PlaceRow.id) == col(MentionRow.place_id))
        .where(wanted, ~is_ours)
    )
    judged, heard = _judged(session, wanted), _accounts(session, wanted)
    nothing: dict[str, str | None] = {}
    return [
        Fact(
            quarter=quarter(one.posted_at),
            platform=one.platform,
            neighborhood=one.neighborhood,
            intent=judged.get(one.id, nothing).get("intent"),
            service_code=judged.get(one.id, nothing).get("service_code"),
            sentiment=judged.get(one.id, nothing).get("sentiment"),
            accounts=frozenset(heard.get(one.id, ())),
        )
        for one in rows
    ]


def _judged(session: Session, wanted: ColumnElement[bool]) -> dict[int, dict[str, str | None]]:
    said: dict[int, dict[str, str | None]] = {}
    of = AssessmentRow
    assessed = select(col(of.mention_id), col(of.intent), col(of.service_code), col(of.sentiment)).order_by(col(of.id))
    for one in _of(session, assessed, AssessmentRow, wanted):  # the newest comes last and stays
        said[one.mention_id] = {"intent": one.intent, "service_code": one.service_code, "sentiment": one.sentiment}
    corrected = (
        select(col(CorrectionRow.mention_id), col(CorrectionRow.field), col(CorrectionRow.value))
        .where(col(CorrectionRow.field).in_(("intent", "service_code", "sentiment")))
        .order_by(col(CorrectionRow.id))
    )
    for one in _of(session, corrected, CorrectionRow, wanted):
        if one.value or one.field == "service_code":  # only a service can be taken away
            said.setdefault(one.mention_id, {})[one.field] = one.value
    return said


def _accounts(session: Session, wanted: ColumnElement[bool]) -> dict[int, set[int]]:
    heard: dict[int, set[int]] = {}
    sources = select(col(MentionSourceRow.mention_id), col(MentionSourceRow.account_id))
    for one in _of(session, sources, MentionSourceRow, wanted):
        heard.setdefault(one.mention_id, set()).add(one.account_id)
    return heard


def _of(session: Session, query: Any, table: Any, wanted: ColumnElement[bool]) -> Iterable[Row[Any]]:
    """The rows of a table that belong to the wanted mentions."""
    return session.execute(query.join(MentionRow, col(MentionRow.id) == table.mention_id).where(wanted))
