"""How right answers are, in figures with intervals: arithmetic over arrays, no model.

Every interval is the middle 95 % of a bootstrap over the posts (Efron 1979): 1,000 times as many posts are drawn with
replacement. A draw is kept as how often each post counts, so that one product of matrices gives a figure for all draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DRAWS = 1_000
SEED = 7
BINS = 15  #: of equal width, for the calibration error

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
Marks = NDArray[np.bool_]
#: How often each post counts: in the first row once each, in the others as drawn. Shape: (1 + DRAWS, posts).
Weights = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure and the interval that it lies in."""

    value: float
    low: float
    high: float
    posts: int  #: that it rests on
    drawn: Floats = field(repr=False, compare=False)  #: the figure in each draw; never written down


@lru_cache(maxsize=8)
def weights_of(posts: int) -> Weights:
    """The same draws each time for as many posts, so that two models can be compared draw by draw."""
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, posts, (DRAWS, posts)) + posts * np.arange(DRAWS)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=DRAWS * posts).reshape(DRAWS, posts)
    return np.concatenate([np.ones((1, posts)), counts]).astype(np.float32)


def estimate(figures: Floats, posts: int, *, centred: bool = False) -> Estimate:
    """From a figure without a draw and in each of them. Shape: (1 + DRAWS,).

    ``centred``: moves the draws onto the figure, where drawing itself makes it larger, as it does a calibration error.
    """
    value, drawn = float(figures[0]), figures[1:]
    if centred:
        drawn = np.maximum(drawn - (drawn.mean() - value), 0.0)
    low, high = np.nanpercentile(drawn, [2.5, 97.5]) if np.isfinite(drawn).any() else (value, value)
    return Estimate(value=value, low=float(low), high=float(high), posts=posts, drawn=drawn)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """``one`` minus ``other``, draw by draw: over the same posts in the same order it knows that they are the same."""
    figures = np.concatenate([[one.value - other.value], one.drawn - other.drawn])
    return estimate(figures, min(one.posts, other.posts))


def share(marked: Marks) -> Estimate:
    """How many of the posts are marked, of 1."""
    return mean(marked.astype(np.float64))


def mean(values: Floats) -> Estimate:
    """The average of a value that each post has."""
    weights = weights_of(len(values))
    return estimate((weights @ values) / weights.sum(axis=1), len(values))


def confusions(said: Labels, wanted: Labels, labels: int) -> Floats:
    """How often what was said for what was wanted, in each draw. Shape: (1 + DRAWS, wanted, said)."""
    weights = weights_of(len(wanted))
    cells, cell = np.unique(wanted * labels + said, return_inverse=True)
    held = np.zeros((len(wanted), len(cells)), dtype=np.float32)
    held[np.arange(len(wanted)), cell] = 1
    counts = np.zeros((len(weights), labels * labels))
    counts[:, cells] = weights @ held
    return counts.reshape(-1, labels, labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class ByLabel:
    """Precision, recall and F1 of each label in each draw; not a number where a draw has no such post.

    Shape: (1 + DRAWS, labels).
    """

    precision: Floats
    recall: Floats
    f1: Floats
    posts: NDArray[np.intp]  #: with this label, without a draw; Shape: (labels,)


def by_label(counts: Floats) -> ByLabel:
    """Of ``confusions``. A label that was never said has the precision 0."""
    right = np.diagonal(counts, axis1=1, axis2=2)
    said, wanted = counts.sum(axis=1), counts.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(said > 0, right / said, 0.0)
        recall = np.where(wanted > 0, right / wanted, np.nan)
        f1 = np.where(wanted > 0, 2 * right / (said + wanted), np.nan)
    return ByLabel(precision=precision, recall=recall, f1=f1, posts=wanted[0].astype(np.intp))


def macro(figures: Floats, kept: Sequence[int] | NDArray[np.intp], posts: int) -> Estimate:
    """The average over the labels that are kept, each counting the same. Shape: (1 + DRAWS, labels)."""
    if not len(kept):
        raise ValueError("no label has a post: there is nothing to average")
    return estimate(np.nanmean(figures[:, kept], axis=1), posts)


def calibration_error(confidence: Floats, right: Marks) -> Estimate:
    """How far confidence is from accuracy, on average over the posts.

    Source: Guo et al. 2017, section 3: 15 bins of equal width.
    """
    weights = weights_of(len(right))
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = np.zeros((len(right), BINS), dtype=np.float32)
    gap[np.arange(len(right)), bins] = right - confidence
    figures = np.abs(weights @ gap).sum(axis=1) / weights.sum(axis=1)
    return estimate(figures.astype(np.float64), len(right), centred=True)


def calibration_noise(confidence: Floats) -> float:
    """The calibration error that a perfectly calibrated model would show on as many posts of this confidence.

    Drawn 200 times: in bins of few posts the share that is right differs from the confidence by chance.
    """
    rng = np.random.default_rng(SEED)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    held = np.zeros((len(confidence), BINS), dtype=np.float32)
    held[np.arange(len(confidence)), bins] = 1
    off = (rng.random((200, len(confidence))) < confidence) - confidence
    return float((np.abs(off.astype(np.float32) @ held).sum(axis=1) / len(confidence)).mean())


def brier(probabilities: Floats, wanted: Labels) -> Estimate:
    """The squared distance of the probabilities from what is so, summed over the labels (Brier 1950): 0 to 2."""
    hit = np.zeros_like(probabilities)
    hit[np.arange(len(wanted)), wanted] = 1
    return mean(((probabilities - hit) ** 2).sum(axis=1))


def precision_at_recall(scores: Floats, positive: Marks, recall: float) -> Estimate:
    """The best precision of a threshold that still finds this share of the positives, chosen anew in each draw."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last_of_its_kind = np.append(falling[1:] < falling[:-1], True)  # equal scores fall on one side of a threshold
    weights = weights_of(len(scores))[:, order]
    found = np.cumsum(weights * positive[order], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = found / np.cumsum(weights, axis=1)
        enough = (found >= recall * found[:, -1:] - 1e-6) & last_of_its_kind
    best: Floats = np.where(enough, np.nan_to_num(precision), 0.0).max(axis=1).astype(np.float64)
    return estimate(best, len(scores))


def precision_of(said: Marks, wanted: Marks) -> Estimate:
    """How many of those said so are so; not a number if none was said."""
    return _ratio(said & wanted, said)


def recall_of(said: Marks, wanted: Marks) -> Estimate:
    """How many of those that are so were said so; not a number if none is."""
    return _ratio(said & wanted, wanted)


def _ratio(part: Marks, whole: Marks) -> Estimate:
    weights = weights_of(len(whole))
    with np.errstate(invalid="ignore", divide="ignore"):
        figures = (weights @ part.astype(np.float32)) / (weights @ whole.astype(np.float32))
    return estimate(figures.astype(np.float64), int(whole.sum()))
