"""Answers that are switched off: always to be checked, never filled in; and lessons that confirm."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import col, select

from pipeline import decide
from store.refusals import Invalid, Missing
from store.tables import AlarmRow, AssessmentRow, AuditRow, CorrectionRow, DraftRow, RequestProposalRow
from tests.fakes import said
from tests.pipeline.city import City


def test_a_service_that_is_switched_off_is_left_empty_and_proposes_nothing(city: City) -> None:
    decide.set_label(city.deployment, city.who, "service_code", "pothole_road", on=False)

    city.post("There is a pothole at 120 Oak Street")
    city.hear()
    city.work()

    assessment = city.one(AssessmentRow)
    assert (assessment.intent, assessment.service_code) == ("report", None)
    assert "service_code" in assessment.please_check
    with city.reading() as session:
        assert session.exec(select(RequestProposalRow)).all() == []


def test_an_answer_that_is_switched_on_again_is_filled_in_from_the_next_post_on(city: City) -> None:
    assert decide.set_label(city.deployment, city.who, "intent", "report", on=False)
    assert not decide.set_label(city.deployment, city.who, "intent", "report", on=False)
    city.report("There is a pothole at 120 Oak Street")
    assert decide.set_label(city.deployment, city.who, "intent", "report", on=True)
    city.report("There is a pothole at 520 Elm Street")

    with city.reading() as session:
        checks = session.exec(select(AssessmentRow.please_check).order_by(col(AssessmentRow.id))).all()
        audited = session.exec(select(AuditRow.action).where(col(AuditRow.action).startswith("label."))).all()
    assert checks == [["intent"], []]
    assert audited == ["label.off", "label.on"]


def test_the_models_emergencies_are_switched_off_only_by_a_typed_word_and_patterns_still_fire(city: City) -> None:
    with pytest.raises(Invalid, match="type the word emergency"):
        decide.set_label(city.deployment, city.who, "urgency", "emergency", on=False, confirmation="yes")
    decide.set_label(city.deployment, city.who, "urgency", "emergency", on=False, confirmation=" Emergency ")
    city.classifier.script = {"quietly": said("report", "public_safety", urgency="emergency")}

    excluded = {**said().scores, "urgency": {"emergency": 0.001, "normal": 0.999}}
    # A model whose word is not trusted silences no other either.
    city.classifier.script |= {"smell gas": replace(said(), scores=excluded)}

    for text in ("he went quietly grey on the bench at 120 Oak Street", "I smell gas at 520 Elm Street, strong"):
        city.post(text)
    city.hear()
    city.work()

    with city.reading() as session:
        rows = session.exec(select(AssessmentRow)).all()
        alarms = session.exec(select(AlarmRow)).all()
    by_model = next(row for row in rows if row.service_code is not None)
    assert (by_model.urgency, "urgency" in by_model.please_check) == ("high", True)
    assert [alarm.mention_id for alarm in alarms] == [row.mention_id for row in rows if row is not by_model]


@pytest.mark.parametrize(("head", "label"), [("intent", "pothole_road"), ("mood", "glad")])
def test_only_what_the_model_can_say_is_switched(city: City, head: str, label: str) -> None:
    with pytest.raises(Missing):
        decide.set_label(city.deployment, city.who, head, label, on=False)


def test_a_label_that_says_the_same_is_a_lesson_and_leaves_the_draft_alone(city: City) -> None:
    draft = city.report("There is a pothole at 120 Oak Street")

    decide.label(city.deployment, city.who, draft.mention_id, said={"intent": "report", "service_code": "pothole"})

    with city.reading() as session:
        kept = session.get_one(DraftRow, draft.id)
        lessons = session.exec(select(CorrectionRow).order_by(col(CorrectionRow.id))).all()
    assert (kept.state, kept.version) == (draft.state, draft.version)
    assert [(one.field, one.was, one.value) for one in lessons] == [
        ("intent", "report", "report"),
        ("service_code", "pothole", "pothole"),
    ]

    decide.label(city.deployment, city.who, draft.mention_id, said={"intent": "report", "sentiment": "negative"})
    decide.label(city.deployment, city.who, draft.mention_id, said={"intent": "question"})

    with city.reading() as session:
        assert session.get_one(DraftRow, draft.id).state == "superseded"
