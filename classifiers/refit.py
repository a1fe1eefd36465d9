"""Fits the linear heads of a model to a city's corrections, over its frozen encoder: numpy alone, in seconds.

The loss of a head is the sum of three parts, all convex in its weights ``W`` and bias:

- the cross-entropy of the lessons (corrections, and answers that staff let stand), each of weight 1;
- ``KNOWN`` times the mean cross-entropy, over posts that the city never sees, between what the shipped head says of
  them and what the new one says: what is known is kept where no lesson speaks (Li and Hoiem, "Learning without
  Forgetting", 2016; here the old answers of the same posts every time);
- ``PULL / 2`` (``PULL_OF_NEW / 2`` for a label of the city's own) times the squared distance from the shipped weights,
  in units of the vectors' mean squared length, which bounds how far a handful of lessons can move anything.

Without lessons the shipped weights are exactly the minimum. Each fit starts from them, never from the last one: a
version depends on its lessons alone, and ten nights in a row cannot drift where one would not go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classifiers import odds
from classifiers.calibrate import FEW, SURE_IN_ANY_CASE, Answers, best_temperature, label_bands
from classifiers.heads import TEMPERATURES, Heads, LinearHead, Vectors
from classifiers.model_folder import ModelConfig

#: How many lessons the known posts weigh as much as, together: so that thirty posts on a street's local name teach
#: it still, and the regression set keeps all but a hundredth of its right services.
KNOWN = 2_000.0
PULL = 0.03
#: A label that the shipped head does not have begins from nothing, so there is nothing to stay near: with a hundredth,
#: more of the street's unseen posts are read right (16 of 30 instead of 11 when it was tried), and the
#: regression set loses no more.
PULL_OF_NEW = 0.0003
NEW_LABEL_LOGIT = -4.0  #: where a label begins that the shipped head does not have: said of nothing
AFFINE_WITHIN = 0.1  #: logits; a graph that quantises its heads is off by a fiftieth

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Read:
    """Posts as the frozen encoder sees them, with what is known of them."""

    vectors: Vectors  #: Shape: (posts, width)
    labels: Sequence[Mapping[str, str]]  #: of each post: head -> label; a head that is not named says nothing

    def __len__(self) -> int:
        return len(self.labels)

    def labelled(self, head: str, known: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The posts labelled for a head with a label it knows, and the numbers of the labels. Shape: (some,) each."""
        numbers = {label: number for number, label in enumerate(known)}
        found = [(at, numbers[said[head]]) for at, said in enumerate(self.labels) if said.get(head) in numbers]
        return np.array([at for at, _ in found], dtype=np.intp), np.array([label for _, label in found], dtype=np.intp)


def as_shipped(config: ModelConfig, vectors: Vectors, logits: Mapping[str, NDArray[np.float32]]) -> Heads:
    """The model's own heads, read off its own answers: no model file says where in it they are.

    Each logit is an affine function of the vector, so as many posts as the vector is wide, and some, give its weights.

    Shape: ``vectors`` (posts, width); ``logits`` of each head (posts, labels).

    Raises:
        ValueError: there are too few posts, or the logits are no affine function of the vectors.
    """
    posts, width = vectors.shape
    if posts <= width:
        raise ValueError(f"{posts} posts are too few to read heads of width {width} off a model's answers")
    given = np.column_stack([vectors, np.ones(posts)]).astype(np.float64)
    heads = {}
    for name, head in config.heads.items():
        wanted = logits[name].astype(np.float64)
        # The last layer norm leaves the vectors a direction with nothing but rounding in it: 1e-6 passes it over.
        found, *_ = np.linalg.lstsq(given, wanted, rcond=1e-6)
        if (off := float(np.abs(given @ found - wanted).max())) > AFFINE_WITHIN:
            raise ValueError(f"the head {name} of {config.name} is not linear in its vectors: off by {off:.2f}")
        heads[name] = LinearHead(
            labels=head.labels,
            weights=found[:-1].T.astype(np.float32),
            bias=found[-1].astype(np.float32),
            temperature=head.temperature,
            bend=head.bend,
            please_check=head.please_check,
        )
    return Heads(base=f"{config.name}-{config.version}", heads=heads)


def refit(shipped: Heads, lessons: Read, known: Vectors, *, own_services: Sequence[str] = ()) -> Heads:
    """The shipped heads, fitted to the lessons; a head that has none stays as it is.

    ``known``: posts that keep what is known; Shape: (posts, width). ``own_services``: codes of the city that the
    shipped model does not have; each becomes a label of the service head.
    """
    fitted = {}
    for name, head in shipped.heads.items():
        start = _with_labels(head, own_services) if name == "service_code" else head
        at, wanted = lessons.labelled(name, start.labels)
        fitted[name] = _fitted(start, lessons.vectors[at], wanted, known, head) if len(at) else head
    return replace(shipped, heads=fitted)


def recalibrated(fitted: Heads, shipped: Heads, apart: Read) -> Heads:
    """The same heads with temperatures and bands that fit them, as our own posts tell that nobody learned from.

    The shipped ones were set on posts that do not ship. So here only the change is measured, on posts that do: a
    temperature moves by the factor by which the best one moved, and a band rises as much as it rose. No band falls
    below the shipped one: a handful of lessons is no reason to check less.
    """
    heads = {}
    for name, head in fitted.heads.items():
        own = shipped.heads[name]
        if head is own:
            heads[name] = own
            continue
        now, before = _answers(head, name, apart), _answers(own, name, apart)
        factor = best_temperature(now, head.bend) / best_temperature(before, own.bend)
        temperature = float(np.clip(round(own.temperature * factor, 3), *TEMPERATURES))
        bands = _bands(replace(head, temperature=temperature), own, now, before)
        heads[name] = replace(head, temperature=temperature, please_check=bands)
    return replace(fitted, heads=heads)


def _bands(head: LinearHead, own: LinearHead, now: Answers, before: Answers) -> dict[str, float]:
    probable = now.probabilities(head.temperature, head.bend)
    was = before.probabilities(own.temperature, own.bend)
    new, old = label_bands(probable, now.wanted, head.labels), label_bands(was, before.wanted, own.labels)
    given = np.minimum(
        np.bincount(probable.argmax(axis=1), minlength=len(head.labels))[: len(own.labels)],
        np.bincount(was.argmax(axis=1), minlength=len(own.labels)),
    )
    bands = dict.fromkeys(head.labels, SURE_IN_ANY_CASE)  # stays so for a label of the city's own
    for count, label in zip(given, own.labels, strict=True):
        rise = max(0.0, new[label] - old[label]) if count >= FEW else 0.0
        bands[label] = round(min(own.please_check[label] + rise, 0.99), 3)
    return bands


def _answers(head: LinearHead, name: str, posts: Read) -> Answers:
    at, wanted = posts.labelled(name, head.labels)
    return Answers(logits=head.logits(posts.vectors[at]).astype(np.float64), wanted=wanted)


def _with_labels(head: LinearHead, more: Sequence[str]) -> LinearHead:
    new = tuple(label for label in more if label not in head.labels)
    return LinearHead(
        labels=(*head.labels, *new),
        weights=np.concatenate([head.weights, np.zeros((len(new), head.weights.shape[1]), np.float32)]),
        bias=np.concatenate([head.bias, np.full(len(new), NEW_LABEL_LOGIT, np.float32)]),
        temperature=head.temperature,
        bend=head.bend,
        please_check={**head.please_check, **dict.fromkeys(new, SURE_IN_ANY_CASE)},
    )


def _fitted(
    start: LinearHead, vectors: Vectors, wanted: NDArray[np.intp], known: Vectors, shipped: LinearHead
) -> LinearHead:
    """Newton-like descent over all posts at once; the problem is convex and small, so this ends in under a second."""
    labels, width = start.weights.shape
    rows = _with_ones(np.concatenate([vectors, known]))
    targets = np.zeros((len(rows), labels))
    targets[np.arange(len(wanted)), wanted] = 1.0
    if len(known):
        targets[len(wanted) :, : len(shipped.labels)] = odds.probabilities(shipped.logits(known), 1.0, 1.0)
    weight = np.concatenate([np.ones(len(wanted)), np.full(len(known), KNOWN / max(1, len(known)))])[:, None]
    origin = np.column_stack([start.weights, start.bias]).astype(np.float64)
    size = np.append(np.full(width, float((rows[:, :-1] ** 2).sum(axis=1).mean())), 1.0)
    is_new = np.arange(labels) >= len(shipped.labels)
    pull = np.where(is_new, PULL_OF_NEW, PULL)[:, None] * size

    def loss(flat: Floats) -> tuple[float, Floats]:
        given = flat.reshape(labels, width + 1)
        logits = rows @ given.T
        top = logits.max(axis=1, keepdims=True)
        likely = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        moved = given - origin
        value = -(weight * targets * likely).sum() + 0.5 * (pull * moved**2).sum()
        slope = (weight * (np.exp(likely) - targets)).T @ rows + pull * moved
        return float(value), slope.ravel()

    found = minimum(loss, origin.ravel()).reshape(labels, width + 1).astype(np.float32)
    return replace(start, weights=found[:, :-1], bias=found[:, -1])


def minimum(
    loss: Callable[[Floats], tuple[float, Floats]], start: Floats, *, steps: int = 200, memory: int = 10
) -> Floats:
    """Where a smooth convex function is least: L-BFGS with backtracking (Nocedal and Wright 2006, algorithm 7.5).

    Written here, since nothing that Harken installs has it: SciPy would weigh 100 MB for these thirty lines.

    ``loss`` gives the value and the slope. Shape: as ``start``, one-dimensional.
    """
    place = start
    value, slope = loss(place)
    moves: list[tuple[Floats, Floats]] = []  # how far it went, and how the slope changed
    for _ in range(steps):
        if np.abs(slope).max() < 1e-6:
            break
        way = _downhill(slope, moves)
        stride, promised = (1.0 if moves else 1.0 / max(1.0, float(np.abs(slope).sum()))), float(slope @ way)
        while True:
            there, steep = loss(place + stride * way)
            if there <= value + 1e-4 * stride * promised:
                break
            stride /= 2
            if stride < 1e-12:  # as low as these numbers can tell
                return place
        if value - there < 1e-7 * max(1.0, abs(value)):
            return place + stride * way
        move, change = stride * way, steep - slope
        if move @ change > 1e-12:
            moves = [*moves, (move, change)][-memory:]
        place, value, slope = place + move, there, steep
    return place


def _downhill(slope: Floats, moves: Sequence[tuple[Floats, Floats]]) -> Floats:
    """The slope times the guessed inverse curvature, turned round (algorithm 7.4, the two loops)."""
    way = -slope
    shares = []
    for move, change in reversed(moves):
        share = (move @ way) / (move @ change)
        shares.append(share)
        way = way - share * change
    if moves:
        move, change = moves[-1]
        way = way * ((move @ change) / (change @ change))
    for (move, change), share in zip(moves, reversed(shares), strict=True):
        way = way + move * (share - (change @ way) / (move @ change))
    return way


def _with_ones(vectors: Vectors) -> Floats:
    return np.column_stack([vectors, np.ones(len(vectors))]).astype(np.float64)
