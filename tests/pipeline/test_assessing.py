"""Understanding: each wording is read once, a model that breaks hides nobody, an edit meanwhile is read again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from adapters import adapter
from classifiers.base import Busy, Classifier, PostsFailed
from pipeline import assess, decide
from store import intake
from store.tables import AlarmRow, AssessmentRow, MentionRow, PlaceRow, WorkRow
from tests.fakes import ScriptedClassifier, said
from tests.pipeline.city import City, minutes_ago
from vocabulary import Classification, Edit, HeardHow, Mention


@pytest.fixture(scope="session")
def transformer() -> Classifier:
    return cast(Classifier, adapter("classifiers", "transformer").load())


def test_the_shipped_model_reads_a_report_and_finds_its_service_and_place(city: City, transformer: Classifier) -> None:
    city.deployment.classifier = transformer

    draft = city.report("There is a huge pothole in front of 120 Oak Street, please fix it")

    assessment, place = city.one(AssessmentRow), city.one(PlaceRow)
    assert (assessment.intent, assessment.service_code, assessment.language) == ("report", "pothole", "en")
    assert abs(sum(assessment.scores["intent"].values()) - 1) < 1e-6
    assert (place.address, place.precise) == ("120 Oak Street", True)
    assert draft.purpose == "answer"


class Broken(Exception):
    """What no list of errors foresaw, as ONNX Runtime's own are."""


@pytest.mark.parametrize("error", [RuntimeError, ValueError, MemoryError, Broken])
def test_a_model_that_breaks_is_tried_again(city: City, error: type[Exception]) -> None:
    post_id = city.post("There is a pothole at 120 Oak Street")
    city.hear()
    city.classifier.fails, city.classifier.error = 2, error

    city.work()
    assert city.mention(post_id).state == "new"
    city.execute("UPDATE work SET not_before = :past")
    city.work()

    assert city.mention(post_id).state == "drafted"


def test_a_post_that_breaks_the_model_goes_to_a_person_and_the_others_go_on(city: City) -> None:
    city.classifier.poison = "xyzzy"
    bad = city.post("xyzzy pothole at 120 Oak Street", posted_at=minutes_ago(9))
    good = city.post("There is a pothole at 520 Elm Street", author="bob_elm")
    city.hear()

    for _ in range(assess.TRIES):
        city.execute("UPDATE work SET not_before = :past")
        city.work()

    assert city.mention(good).state == "drafted"
    assert city.mention(bad).state == "quarantined"
    assert [row.mention_id for row in city.attention("mention")] == [city.mention(bad).id]


class Half(ScriptedClassifier):
    """As processes of its own do: names what failed, and gives the others' answers."""

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As the script says."""
        held, self.poison = self.poison, "\x00no text holds this"
        answers = super().classify(texts)
        self.poison = held
        if any(held in text for text in texts):
            raise PostsFailed(
                "1 post could not be read",
                [None if held in text else answer for text, answer in zip(texts, answers, strict=True)],
            )
        return answers


def test_what_was_read_beside_a_post_that_failed_is_kept_and_not_read_again(city: City) -> None:
    city.deployment.classifier = half = Half(poison="xyzzy")
    bad = city.post("xyzzy pothole at 120 Oak Street", posted_at=minutes_ago(9))
    good = city.post("There is a pothole at 520 Elm Street", author="bob_elm")
    city.hear()

    city.work()

    assert (city.mention(good).state, city.mention(bad).state) == ("drafted", "new")
    assert len(half.read) == 2


def test_a_classifier_with_no_room_costs_a_post_no_try(city: City) -> None:
    post_id = city.post("There is a pothole at 120 Oak Street")
    city.hear()
    city.classifier.fails, city.classifier.error = 1, Busy

    city.work()
    assert city.mention(post_id).state == "new"
    city.work()

    assert city.mention(post_id).state == "drafted"
    assert city.one(WorkRow, WorkRow.kind == assess.KIND).attempt == 1


def test_a_quarantined_post_is_replayed(city: City) -> None:
    city.classifier.poison = "xyzzy"
    bad = city.post("xyzzy pothole at 120 Oak Street")
    city.hear()
    for _ in range(assess.TRIES):
        city.execute("UPDATE work SET not_before = :past")
        city.work()
    city.classifier.poison = "\x00"

    decide.attention_replay(city.deployment, city.who, city.attention("mention")[0].id)
    city.work()

    assert city.mention(bad).state == "drafted"
    assert city.attention("mention") == []


class Meddler(ScriptedClassifier):
    """While it reads, the post is edited."""

    city: City

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As the script says, after the edit was taken in."""
        if len(self.read) == 0:
            with self.city.writing() as session:
                row = session.get_one(MentionRow, 1)
                now_reads = Mention(
                    platform="x",
                    post_id=row.post_id,
                    conversation_key="1",
                    text="I had soup for lunch",
                    posted_at=row.posted_at,
                    heard_how=HeardHow.MENTION,
                )
                assert intake.revise(session, "x", Edit(post_id=row.post_id, mention=now_reads)) == 1
        return super().classify(texts)


def test_a_post_edited_while_the_model_reads_it_is_read_again(city: City) -> None:
    city.post("There is a pothole at 120 Oak Street")
    city.hear()
    city.deployment.classifier = meddler = Meddler()
    meddler.city = city

    city.work()

    assert meddler.read == ["@alderfalls There is a pothole at 120 Oak Street", "I had soup for lunch"]
    assert [(row.rev, row.intent) for row in city.all(AssessmentRow)] == [(2, "other")]
    assert city.one(WorkRow, WorkRow.kind == "assess").state == "done"


class Late(ScriptedClassifier):
    """While it breaks on a post, the post is deleted."""

    city: City

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """Always fails."""
        with self.city.writing() as session:
            intake.forget(session, "x", session.get_one(MentionRow, 1).post_id)
        raise RuntimeError("the model broke")


def test_a_post_deleted_while_the_model_breaks_on_it_stays_deleted(city: City) -> None:
    post_id = city.post("There is a pothole at 120 Oak Street")
    city.hear()
    city.execute(f"UPDATE work SET attempt = {assess.TRIES - 1}")
    city.deployment.classifier = late = Late()
    late.city = city

    city.work()

    assert city.mention(post_id).state == "deleted"
    assert city.attention("mention") == []


def test_a_model_whose_answers_are_no_numbers_silences_no_alarm(city: City) -> None:
    numb = {**said().scores, "urgency": {"emergency": math.nan, "normal": math.nan}}
    city.classifier.script = {"smell gas": replace(said(), scores=numb)}

    city.said("I smell gas at 520 Elm Street, strong")

    assert len(city.all(AlarmRow)) == 1
    assert city.all(AssessmentRow) == []


def test_a_newer_model_adds_an_assessment_and_overwrites_none(city: City) -> None:
    city.said("There is a pothole at 120 Oak Street")
    city.classifier.model = "scripted-2"
    city.execute("UPDATE work SET state = 'ready' WHERE kind = 'assess'")

    city.work()

    assert [row.model for row in city.all(AssessmentRow)] == ["scripted-1", "scripted-2"]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script> pothole",
        "{{ 7*7 }} {% for x in y %} pothole",
        "pothole \u202egnp.exe\u202c \u200b\u200b",
        "😀😀😀",
        "https://example.com/pothole",
        "pothole " * 900,
        "'; DROP TABLE mention; -- pothole",
    ],
    ids=["markup", "template", "bidi", "emoji", "link", "long", "sql"],
)
def test_hostile_posts_are_heard_read_and_drafted_like_any_other(city: City, text: str) -> None:
    post_id = city.said(text[:8000], platform="facebook")

    assert city.mention(post_id).state == "drafted"
    assert "<script" not in city.text(city.draft_of(post_id))
    assert timedelta(0) < city.mention(post_id).collected_at - city.mention(post_id).posted_at < timedelta(minutes=5)
