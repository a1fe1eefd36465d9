"""Without a model: the keywords of the city's services alone, and never sure."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers import keywords
from classifiers.keywords import KeywordClassifier
from classifiers.model_folder import bands
from places.services import load_services
from settings import Classifier

SERVICES = Path(__file__).parents[2] / "demo" / "services.csv"


@pytest.fixture(scope="module")
def reader() -> KeywordClassifier:
    return keywords.load(load_services(SERVICES))


def test_a_post_that_names_a_service_reports_something(reader: KeywordClassifier) -> None:
    english, spanish = reader.classify(["A huge pothole on Oak Street!", "Hay un bache enorme en la calle Oak"])

    assert (english.intent, english.service_code, english.language) == ("report", "pothole_road", "en")
    assert (spanish.intent, spanish.service_code, spanish.language) == ("report", "pothole_road", "es")


def test_a_post_that_names_none_is_put_before_people(reader: KeywordClassifier) -> None:
    [answer] = reader.classify(["What a lovely morning"])

    assert (answer.intent, answer.service_code) == ("other", None)


def test_it_is_sure_of_nothing_and_rings_for_nobody(reader: KeywordClassifier) -> None:
    [answer] = reader.classify(["A huge pothole on Oak Street!"])

    assert all(sum(scores.values()) == pytest.approx(1) for scores in answer.scores.values())
    assert {"intent", "service_code", "sentiment"} <= set(bands().to_check(answer))
    assert answer.scores["urgency"]["emergency"] < bands().emergency


def test_a_model_for_a_question_and_no_model_are_told_apart() -> None:
    with pytest.raises(ValueError, match="drop heads"):
        Classifier.model_validate({"kind": "keywords", "heads": {"intent": {"model": "m", "labels": {"A": "report"}}}})
