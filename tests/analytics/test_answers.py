"""The roll-up of answers: each assessment once, in the city's week; a correction counts whenever it comes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics import answers
from store.tables import AssessmentRow, CorrectionRow, MentionRow
from tests.analytics.conftest import Heard

pytestmark = pytest.mark.both_stores

ZONE = ZoneInfo("America/Chicago")
#: 03:30 UTC on a Monday is still Sunday in Chicago.
LATE_SUNDAY = datetime(2026, 8, 10, 3, 30, tzinfo=UTC)
WEDNESDAY = datetime(2026, 8, 12, 15, 0, tzinfo=UTC)


def assessed(heard: Heard, moment: datetime, *, historic: bool = False, **said: Any) -> int:
    mention_id = heard.post(moment, assess=False)
    with heard.store.writing() as session:
        session.get_one(MentionRow, mention_id).historic = historic
        given = {"intent": "report", "service_code": "pothole", "sentiment": "negative", "urgency": "normal"} | said
        scores = {"intent": {"report": 0.8, "other": 0.2}, "urgency": {"normal": 0.6, "high": 0.4}}
        session.add(
            AssessmentRow(
                mention_id=mention_id, rev=1, model="m-1", language="en", assessed_at=moment, scores=scores, **given
            )
        )
    return mention_id


def counted(heard: Heard, *, at_most: int = answers.MOST_ROWS) -> list[answers.Week]:
    while answers.refresh(heard.store, ZONE, at_most=at_most):
        pass
    with heard.store.reading() as session:
        return answers.weeks(session, at_most=10)


@pytest.mark.parametrize("at_most", [1, 2, 1000])
def test_each_answer_is_counted_once_in_the_citys_week(heard: Heard, at_most: int) -> None:
    assessed(heard, LATE_SUNDAY)
    assessed(heard, WEDNESDAY, please_check=["intent"])
    assessed(heard, WEDNESDAY, intent="praise", service_code=None)
    assessed(heard, WEDNESDAY, historic=True)

    first, second = counted(heard, at_most=at_most)

    assert (first.start, first.posts) == (date(2026, 8, 3), 1)
    assert (second.start, second.posts) == (date(2026, 8, 10), 2)
    assert second.shares["intent"] == {"report": 1, "praise": 1}
    assert second.shares["service_code"] == {"pothole": 1, "none": 1}
    assert second.shares["length"] == {"0-40": 2}
    assert second.to_check == {"intent": 1, "service_code": 0, "sentiment": 0, "urgency": 0}
    assert second.sure == pytest.approx({"intent": 0.8, "urgency": 0.6})
    assert counted(heard, at_most=at_most) == [first, second]


def test_a_correction_counts_once_and_a_confirmation_not_at_all(heard: Heard) -> None:
    wrong, right = assessed(heard, WEDNESDAY), assessed(heard, WEDNESDAY)
    counted(heard)
    for mention_id, field, value in (
        (wrong, "intent", "question"),
        (wrong, "intent", "status"),
        (wrong, "service_code", None),
        (right, "intent", "report"),
    ):
        with heard.store.writing() as session:
            session.add(CorrectionRow(mention_id=mention_id, field=field, value=value, by="ana", made_at=WEDNESDAY))

    (week,) = counted(heard, at_most=3)

    assert week.corrected == {"intent": 1, "service_code": 1, "sentiment": 0, "urgency": 0}
