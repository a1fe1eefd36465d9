import math

import pytest

from classifiers import transformer
from classifiers.attribution import MOST_WORDS, attribute, log_odds
from tests.fakes import ScriptedClassifier, said


def test_the_shipped_model_hangs_its_answer_on_the_words_that_say_it() -> None:
    model = transformer.load(threads=1)

    report = attribute(model, "There is a pothole on Larch Street by the bakery", emergency=model.config.emergency)
    praise = attribute(model, "Thank you, lovely crew!", emergency=model.config.emergency)

    service = next(one for one in report.reasons if one.head == "service_code")
    assert service.label == "pothole_road"
    assert report.word(service.notable()[0].word) == "pothole"
    assert service.notable()[0].log_odds > 0
    assert [one.head for one in praise.reasons] == ["intent", "sentiment", "urgency"]  # praise is about no service


def test_a_word_that_decides_is_told_by_its_place_and_the_others_did_nothing() -> None:
    found = attribute(ScriptedClassifier(), "There is a POTHOLE,  look", emergency=0.5)

    intent = found.reasons[0]
    assert [found.word(one.word) for one in intent.notable()] == ["POTHOLE,"]
    assert found.text[slice(*found.words[3])] == "POTHOLE,"
    assert sorted(intent.weights)[:-1] == [0.0] * 4


def test_an_emergency_is_explained_from_its_threshold_on_whatever_is_likelier() -> None:
    likely = said("report", "public_safety")
    likely.scores["urgency"].update(emergency=0.3, normal=0.7)  # type: ignore[attr-defined]  # a dict, in the fakes

    found = attribute(ScriptedClassifier(script={"grandpa": likely}), "where is grandpa", emergency=0.2)

    assert (found.reasons[-1].head, found.reasons[-1].label) == ("urgency", "emergency")


@pytest.mark.parametrize("text", ["", "   ", "a" * 100_000, "word " * 20_000], ids=["none", "blank", "one", "many"])
def test_any_text_costs_at_most_sixty_readings_beyond_its_own(text: str) -> None:
    model = ScriptedClassifier()

    found = attribute(model, text, emergency=0.5)

    assert len(model.read) == 1 + len(found.words) <= 1 + MOST_WORDS
    assert found.not_tried == (4_000 // 5 - MOST_WORDS if text.startswith("word") else 0)


def test_log_odds_stay_finite_where_the_model_is_certain() -> None:
    assert log_odds({"a": 0.75, "b": 0.25}, "a") == pytest.approx(math.log(3))
    assert log_odds({"a": 1.0, "b": 0.0}, "a") == -log_odds({"a": 1.0, "b": 0.0}, "b") < 25
