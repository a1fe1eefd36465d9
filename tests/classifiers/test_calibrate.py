from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifiers import calibrate, corpus, odds, transformer
from classifiers.calibrate import Answers, LanePosts
from vocabulary import Urgency


def test_too_sure_a_head_is_cooled() -> None:
    logits = np.array([[2.0, 0.0]] * 10)
    answers = Answers(logits=logits, wanted=np.array([0] * 7 + [1] * 3))

    temperature = calibrate.best_temperature(answers)

    assert answers.probabilities(temperature)[0, 0] == pytest.approx(0.7, abs=0.03)


def test_a_head_that_is_too_sure_in_the_middle_and_not_sure_enough_at_the_top_is_bent() -> None:
    sides = [(3.0, 0.99, 300), (1.1, 0.6, 300)]  #: the margin; how often it is right; posts
    logits = np.array([[margin, 0.0] for margin, _, posts in sides for _ in range(posts)])
    wanted = np.array([int(n >= right * posts) for _, right, posts in sides for n in range(posts)])
    answers = Answers(logits=logits, wanted=wanted)

    temperature, bend = calibrate.best_scale(answers)

    said = answers.probabilities(temperature, bend)[:, 0]
    assert bend > 1.3
    assert said[0] == pytest.approx(0.99, abs=0.01)
    assert said[-1] == pytest.approx(0.6, abs=0.05)
    plain = answers.probabilities(calibrate.best_temperature(answers))[:, 0]
    assert abs(plain[-1] - 0.6) > 0.1, "no temperature alone does it"


def test_a_few_posts_bend_nothing() -> None:
    answers = Answers(logits=np.array([[3.0, 0.0], [1.0, 0.0]] * 20), wanted=np.array([0, 1] * 20))

    assert calibrate.best_scale(answers)[1] == 1.0


def test_without_a_bend_it_is_the_softmax_and_a_bend_keeps_the_order() -> None:
    logits = np.array([[1.5, -0.5, 0.2], [0.0, 3.0, 2.9]])

    plain = odds.probabilities(logits, 1.3, 1.0)
    bent = odds.probabilities(logits, 1.3, 1.8)

    assert np.allclose(plain, np.exp(logits / 1.3) / np.exp(logits / 1.3).sum(axis=1, keepdims=True))
    assert np.allclose(bent.sum(axis=1), 1)
    assert np.array_equal(np.argsort(bent), np.argsort(logits))


def test_a_label_that_is_said_too_often_is_said_less() -> None:
    wanted = np.array([0] * 50 + [1] * 50)
    logits = np.array([[2.0, 0.0, -9.0]] * 30 + [[0.3, 0.0, -9.0]] * 40 + [[-2.0, 0.0, -9.0]] * 30)  # 70 for the first

    shift = calibrate.best_shift(Answers(logits=logits, wanted=wanted))

    assert shift[0] < -0.1 < 0.1 < shift[1]
    assert abs(shift[2]) < 0.1, "of what is never asked for nothing can be learned"
    assert (
        calibrate.best_shift(Answers(logits=np.zeros((0, 3)), wanted=np.array([], dtype=np.intp))).tolist() == [0] * 3
    )


def test_the_band_starts_where_nine_in_ten_are_right() -> None:
    sure = [[0.95, 0.05]] * 9 + [[0.6, 0.4]] * 5
    wanted = [0] * 9 + [1] * 5

    assert calibrate.confidence_for(np.array(sure), np.array(wanted)) == pytest.approx(0.95)


def test_a_head_that_is_never_good_enough_is_always_checked() -> None:
    assert calibrate.confidence_for(np.array([[0.9, 0.1]]), np.array([1])) == 0.99


def test_a_thin_label_is_not_trusted_for_the_sake_of_an_easy_one() -> None:
    probabilities = np.array([[0.7, 0.3]] * 30 + [[0.4, 0.6]] * 3)
    wanted = np.array([0] * 30 + [1] * 3)

    assert calibrate.label_bands(probabilities, wanted, ("easy", "thin")) == {"easy": 0.7, "thin": 0.9}


def test_what_a_band_does_is_counted_on_posts_that_it_was_not_chosen_on() -> None:
    sure = np.array([[0.95, 0.05]] * 60 + [[0.6, 0.4]] * 40)
    wanted = np.array([0] * 60 + [0, 1] * 20)

    found = calibrate.expected_of(sure, wanted, ("a", "b"))

    assert found["a"].posts == 100
    assert found["a"].passed == pytest.approx(0.6, abs=0.1)
    assert found["a"].precision > 0.9
    assert found["a"].recall == pytest.approx(60 / 80, abs=0.1)
    assert "b" not in found, "it was never said"


def lane(likely: list[float], by_words: list[bool]) -> LanePosts:
    """100 emergencies as given, before 1,000 ordinary posts of which none is likely, and one in a thousand is 0.3."""
    ordinary = [0.3] + [0.001] * 999
    danger = np.arange(len(likely) + 1_000) < len(likely)
    return LanePosts(
        likely=np.array(likely + ordinary),
        by_words=np.array(by_words + [False] * 1_000),
        danger=danger,
        ordinary=~danger,
        written=np.zeros(len(danger), dtype=np.bool_),
    )


def test_the_lane_opens_where_enough_emergencies_are_found() -> None:
    posts = lane([0.9] * 90 + [0.2] * 8 + [0.01] * 2, [False] * 100)

    assert calibrate.emergency_threshold(posts) == pytest.approx(0.2)


def test_the_lane_stays_shut_to_what_only_sounds_like_danger() -> None:
    posts = lane([0.9] * 90 + [0.2] * 10, [False] * 100)
    alike = replace(posts, ordinary=np.zeros(1_100, np.bool_), written=posts.ordinary, likely=np.full(1_100, 0.4))

    assert calibrate.emergency_threshold(alike) > 0.4


def test_what_the_words_find_asks_nothing_of_the_model() -> None:
    posts = lane([0.9] * 90 + [0.2] * 8 + [0.01] * 2, [False] * 90 + [True] * 10)

    assert calibrate.emergency_threshold(posts) == pytest.approx(0.5)


def test_the_lane_stays_shut_to_what_would_page_too_often() -> None:
    posts = lane([0.9] * 90 + [0.0005] * 10, [False] * 100)

    assert calibrate.emergency_threshold(posts) == calibrate.EMERGENCY_BETWEEN[0]
    assert posts.in_lane(calibrate.EMERGENCY_BETWEEN[0])[posts.ordinary].sum() <= 2


def test_a_model_is_calibrated_on_posts_with_labels(data: Path) -> None:
    learned = transformer.load()
    own = [example for example in corpus.own_posts()[1] if example.labels["urgency"] == Urgency.EMERGENCY][:10]

    config = calibrate.calibrated(learned, [*corpus.read_part(data, "intents", "val"), *own])

    assert config.version == learned.config.version
    assert all(0.4 <= head.temperature <= 4 for head in config.heads.values())
    assert calibrate.EMERGENCY_BETWEEN[0] <= config.emergency <= calibrate.EMERGENCY_BETWEEN[1]
    assert config.lane is not None
    assert (config.lane.emergencies, config.lane.ordinary) == (11, 2)
    assert 0 <= config.heads["intent"].expected["report"].precision <= 1
