import numpy as np
import pytest

from classifiers import figures


def test_figures_by_label_are_what_they_say() -> None:
    said, wanted = np.array([0, 0, 1, 0]), np.array([0, 0, 1, 1])

    counted = figures.by_label(figures.confusions(said, wanted, 3))

    assert counted.precision[0].tolist() == pytest.approx([2 / 3, 1, 0])
    assert counted.recall[0, :2].tolist() == [1, 0.5]
    assert counted.f1[0, :2].tolist() == pytest.approx([0.8, 2 / 3])
    assert np.isnan(counted.recall[0, 2]), "no post has the third label"
    assert figures.macro(counted.recall, np.flatnonzero(counted.posts), 4).value == 0.75


def test_an_interval_is_as_wide_as_the_binomial_one() -> None:
    found = figures.share(np.arange(400) < 320)

    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.761, 0.839), abs=0.006)  # 0.8 ± 1.96 √(0.8 · 0.2 / 400)


def test_a_draw_is_the_same_each_time() -> None:
    assert figures.weights_of(50)[1:].sum(axis=1).tolist() == [50.0] * figures.DRAWS
    assert (figures.weights_of(50) == figures.weights_of.__wrapped__(50)).all()


def test_two_models_are_compared_post_by_post() -> None:
    right = np.arange(200) % 4 > 0
    better = right | (np.arange(200) % 20 == 0)

    more = figures.difference(figures.share(better), figures.share(right))

    assert more.value == pytest.approx(0.05)
    assert more.low > 0, "though the intervals of both overlap"


def test_sure_and_right_has_no_calibration_error() -> None:
    half = np.array([True, False])

    assert figures.calibration_error(np.ones(2), np.array([True, True])).value == 0
    assert figures.calibration_error(np.ones(2), half).value == 0.5
    assert figures.calibration_error(np.array([0.5, 0.5]), half).value == 0


def test_the_interval_of_a_calibration_error_lies_around_it() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.4, 1, 300)

    found = figures.calibration_error(confidence, rng.uniform(size=300) < confidence)

    assert found.low <= found.value <= found.high


def test_few_posts_show_an_error_by_chance() -> None:
    few, many = (figures.calibration_noise(np.linspace(0.4, 1, posts)) for posts in (100, 10_000))

    assert 0.05 < few < 0.12
    assert many < few / 5


def test_brier_is_the_squared_distance() -> None:
    assert figures.brier(np.array([[0.8, 0.2], [0.5, 0.5]]), np.array([0, 1])).value == pytest.approx(0.29)


def test_precision_at_a_recall_takes_equal_scores_together() -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.1])
    positive = np.array([True, True, False, False])

    assert figures.precision_at_recall(scores, positive, 0.9).value == pytest.approx(2 / 3)
    assert figures.precision_at_recall(scores, positive, 0.5).value == 1


def test_of_nothing_there_is_no_precision() -> None:
    found = figures.precision_of(np.array([False, False]), np.array([True, False]))

    assert np.isnan(found.value)
