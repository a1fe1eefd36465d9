"""Sets a trained model's temperatures and thresholds on posts that it did not learn from.

What each threshold can be expected to do is cross-validated: chosen on four fifths of the posts, counted on the fifth.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers import corpus, odds, transformer
from classifiers.corpus import Example
from classifiers.emergency import find_emergency
from classifiers.model_folder import Expected, ExpectedLane, Head, ModelConfig, write_config
from vocabulary import Intent, Urgency

WANTED_PRECISION = 0.9
#: Where a mistake is seen by all: thanks for a grievance that was sarcastic are worse than no answer.
WANTED_OF_LABEL: Mapping[str, float] = {Intent.PRAISE: 0.97}
TEMPERATURES_TRIED = np.geomspace(0.4, 4.0, 60)
BENDS_TRIED = tuple(round(1 + step / 10, 1) for step in range(11))
ENOUGH_TO_BEND = 300  #: posts; fewer would bend by chance
FEW = 20  #: answers; from fewer no band can be read, and only very sure ones go unchecked
SURE_IN_ANY_CASE = 0.9
FOLDS = 5
RIDGE = 0.01  #: what keeps the shift of a label that few posts have near nothing; chosen by cross-validation
DESCENT = 500  #: steps
EMERGENCIES_FOUND = 0.98  #: wanted of the lane, so that posts by other writers still reach 0.97
PAGES = 0.002  #: share of ordinary real posts that the model may page someone for, beside what the words page for
LOOK_ALIKES = 0.05  #: share of written posts that are no emergency, many made to sound like one, in the lane
EMERGENCY_BETWEEN = (0.03, 0.5)  #: not on a hunch, and never later than the plain argmax would
#: Sets of posts that people really wrote and that hold next to no emergency. Requests to 311 are not among them: nobody
#: read theirs for urgency, and "pole knocked down" is one to ring for.
REAL = frozenset({"intents", "sentiment"})

Logits = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """One head's logits for posts whose label is known."""

    logits: Logits  #: Shape: (posts, labels)
    wanted: Labels  #: Shape: (posts,)

    def probabilities(self, temperature: float, bend: float = 1.0) -> Logits:
        """Shape: as the logits; each row sums to 1."""
        return odds.probabilities(self.logits, temperature, bend)

    def loss(self, temperature: float, bend: float = 1.0) -> float:
        """How unlikely the right labels are found, in nats a post."""
        likely = self.probabilities(temperature, bend)[np.arange(len(self.wanted)), self.wanted]
        return float(-np.log(likely + 1e-12).mean())


def calibrate(folder: Path, data: Path, exclude_terms: frozenset[str] = frozenset()) -> None:
    """Rewrites the folder's config with temperatures and thresholds set on the calibration posts."""
    examples = corpus.calibration_examples(data, exclude_terms)
    write_config(folder, calibrated(transformer.load(folder), examples))


def calibrated(classifier: transformer.TransformerClassifier, examples: Sequence[Example]) -> ModelConfig:
    """The model's config with temperatures and thresholds set on the examples, which it must not have learned from."""
    answers = ask(classifier, examples)
    heads = {name: _calibrated(head, answers[name]) for name, head in classifier.config.heads.items()}
    emergency, lane = _lane(lane_posts(classifier, examples, heads["urgency"]))
    return replace(classifier.config, heads=heads, emergency=emergency, lane=lane)


def _calibrated(head: Head, answers: Answers) -> Head:
    temperature, bend = best_scale(answers)
    probabilities = answers.probabilities(temperature, bend)
    return replace(
        head,
        temperature=temperature,
        bend=bend,
        please_check=label_bands(probabilities, answers.wanted, head.labels),
        expected=expected_of(probabilities, answers.wanted, head.labels),
    )


def ask(classifier: transformer.TransformerClassifier, examples: Sequence[Example]) -> dict[str, Answers]:
    """The model's logits for each head over the examples that are labelled for it."""
    said = read_logits(classifier, [example.text for example in examples])
    answers = {}
    for name, head in classifier.config.heads.items():
        numbers = [number for number, example in enumerate(examples) if name in example.labels]
        wanted = [head.labels.index(examples[number].labels[name]) for number in numbers]
        answers[name] = Answers(logits=said[name][numbers], wanted=np.array(wanted, dtype=np.intp))
    return answers


def read_logits(classifier: transformer.TransformerClassifier, texts: Sequence[str]) -> dict[str, Logits]:
    """What each head says of every text, before temperatures, on all cores. Shape of each: (texts, labels)."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        said = list(pool.map(classifier.logits, texts))
    return {
        name: np.array([rows[number] for rows in said], dtype=np.float64).reshape(-1, len(head.labels))
        for number, (name, head) in enumerate(classifier.config.heads.items())
    }


def best_temperature(answers: Answers, bend: float = 1.0) -> float:
    """The one number that makes the right labels most likely when the logits are divided by it (Guo et al. 2017)."""
    if not len(answers.wanted):
        return 1.0
    return min((float(step) for step in TEMPERATURES_TRIED), key=lambda step: answers.loss(step, bend))


def best_scale(answers: Answers) -> tuple[float, float]:
    """The temperature and the bend under which the right labels are most likely."""
    temperature = round(best_temperature(answers), 3)
    if len(answers.wanted) < ENOUGH_TO_BEND:
        return temperature, 1.0
    bend = min(BENDS_TRIED, key=lambda step: answers.loss(best_temperature(answers, step), step))
    return round(best_temperature(answers, bend), 3), bend


def best_shifts(
    classifier: transformer.TransformerClassifier, examples: Sequence[Example]
) -> dict[str, NDArray[np.float32]]:
    """For each head, what to add to its logits so that no label is said too often or too seldom. Shape: (labels,)."""
    return {name: best_shift(answers) for name, answers in ask(classifier, examples).items()}


def best_shift(answers: Answers) -> NDArray[np.float32]:
    """What makes the right labels most likely when it is added to the logits, but not far from nothing.

    The training weighs rare labels more, and posts differ from those learned; beside the temperature each label gets a
    number of its own ("bias-corrected temperature scaling": Alexandari et al. 2020). Shape: (labels,).
    """
    labels = answers.logits.shape[1]
    shift = np.zeros(labels)
    if not len(answers.wanted):
        return shift.astype(np.float32)
    temperature = best_temperature(answers)
    wanted = np.eye(labels)[answers.wanted]
    for _ in range(DESCENT):  # convex, and no steeper than this step allows
        said = Answers(logits=answers.logits + temperature * shift, wanted=answers.wanted).probabilities(temperature)
        shift -= (said - wanted).mean(axis=0) + RIDGE * shift
    return np.asarray(temperature * shift, dtype=np.float32)


def confidence_for(probabilities: Logits, wanted: Labels, precision: float = WANTED_PRECISION) -> float:
    """The lowest confidence from which on at least ``precision`` of the answers are right; 0.99 if there is none."""
    if not len(wanted):
        return 0.99
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == wanted)[order]
    falling = confidence[order]
    last_of_its_kind = np.append(falling[1:] < falling[:-1], True)  # equally sure answers stand or fall together
    enough = np.flatnonzero((np.cumsum(right) / np.arange(1, len(right) + 1) >= precision) & last_of_its_kind)
    return min(float(falling[enough[-1]]), 0.99) if len(enough) else 0.99


def label_bands(probabilities: Logits, wanted: Labels, labels: Sequence[str]) -> dict[str, float]:
    """``confidence_for`` each label among the posts that were given it: an easy label says nothing of a thin one."""
    said = probabilities.argmax(axis=1)
    bands = {}
    for number, label in enumerate(labels):
        given = said == number
        band = confidence_for(probabilities[given], wanted[given], WANTED_OF_LABEL.get(label, WANTED_PRECISION))
        bands[label] = round(max(band, SURE_IN_ANY_CASE) if given.sum() < FEW else band, 3)
    return bands


def expected_of(probabilities: Logits, wanted: Labels, labels: Sequence[str]) -> dict[str, Expected]:
    """What ``label_bands`` do to posts that they were not chosen on; nothing of a label that was never said."""
    said = probabilities.argmax(axis=1)
    passed = np.zeros(len(wanted), dtype=np.bool_)
    fold = np.arange(len(wanted)) % FOLDS
    for number in range(FOLDS):
        apart = fold == number
        bands = label_bands(probabilities[~apart], wanted[~apart], labels)
        least = np.array([bands[label] for label in labels])
        passed[apart] = probabilities[apart].max(axis=1) >= least[said[apart]]
    found = {}
    for number, label in enumerate(labels):
        given, is_so = said == number, wanted == number
        through = passed & given
        if given.any() and is_so.any():
            found[label] = Expected(
                posts=int(given.sum()),
                passed=round(float(through.sum() / given.sum()), 3),
                precision=round(float((through & is_so).sum() / max(through.sum(), 1)), 3),
                recall=round(float((through & is_so).sum() / is_so.sum()), 3),
            )
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class LanePosts:
    """Posts that the emergency threshold is set on: how likely the model finds danger, and what the words say."""

    likely: NDArray[np.float64]  #: P(emergency); Shape: (posts,)
    by_words: NDArray[np.bool_]  #: the words of danger page somebody
    danger: NDArray[np.bool_]  #: it is an emergency
    ordinary: NDArray[np.bool_]  #: a real post that is none, or whose set does not say
    written: NDArray[np.bool_]  #: a post that we wrote, and that is none

    def in_lane(self, threshold: float) -> NDArray[np.bool_]:
        """What the model or the words send there."""
        return np.asarray((self.likely >= threshold) | self.by_words)

    def part(self, which: NDArray[np.bool_]) -> "LanePosts":
        """Some of the posts."""
        return LanePosts(
            likely=self.likely[which],
            by_words=self.by_words[which],
            danger=self.danger[which],
            ordinary=self.ordinary[which],
            written=self.written[which],
        )


def lane_posts(classifier: transformer.TransformerClassifier, examples: Sequence[Example], urgency: Head) -> LanePosts:
    """What the model and the words say of the emergencies among the examples, and of the others."""
    kept = [one for one in examples if one.folder in REAL or "urgency" in one.labels]
    logits = read_logits(classifier, [example.text for example in kept])["urgency"]
    answers = Answers(logits=logits, wanted=np.zeros(len(kept), dtype=np.intp))
    likely = answers.probabilities(urgency.temperature, urgency.bend)[:, urgency.labels.index(Urgency.EMERGENCY)]
    danger = np.array([example.labels.get("urgency") == Urgency.EMERGENCY for example in kept], dtype=np.bool_)
    real = np.array([example.folder in REAL for example in kept], dtype=np.bool_)
    own = np.array([example.folder == "own" for example in kept], dtype=np.bool_)
    return LanePosts(
        likely=likely,
        by_words=np.array([find_emergency(example.text) is not None for example in kept], dtype=np.bool_),
        danger=danger,
        ordinary=real & ~danger,
        written=own & ~danger,
    )


def emergency_threshold(posts: LanePosts) -> float:
    """The highest probability from which on the lane finds enough emergencies; higher where it would ring too often.

    Recall comes first up to the false alarms that a desk bears: a bell that rings for nothing is switched off.
    """
    silent = ~posts.by_words
    missed = np.sort(posts.likely[posts.danger & silent])
    may_miss = int((1 - EMERGENCIES_FOUND) * posts.danger.sum() + 1e-9)
    for_recall = float(missed[may_miss]) if may_miss < len(missed) else EMERGENCY_BETWEEN[1]
    for_pages = _above(posts.likely[posts.ordinary & silent], PAGES * posts.ordinary.sum())
    by_words = (posts.written & posts.by_words).sum()
    for_look_alikes = _above(posts.likely[posts.written & silent], LOOK_ALIKES * posts.written.sum() - by_words)
    return float(np.clip(max(for_recall, for_pages, for_look_alikes), *EMERGENCY_BETWEEN))


def _above(likely: NDArray[np.float64], allowed: float) -> float:
    """The least threshold that no more than so many reach."""
    falling = np.sort(likely)[::-1]
    first_out = max(int(allowed), 0)
    return float(np.nextafter(falling[first_out], 1)) if first_out < len(falling) else 0.0


def _lane(posts: LanePosts) -> tuple[float, ExpectedLane | None]:
    """The threshold, and what it can be expected to do."""
    threshold = float(np.ceil(emergency_threshold(posts) * 1_000) / 1_000)
    if not posts.danger.any() or not posts.ordinary.any():
        return threshold, None
    apart = np.zeros(len(posts.danger), dtype=np.bool_)
    by_model = np.zeros(len(posts.danger), dtype=np.bool_)
    turn = np.zeros(len(posts.danger), dtype=np.intp)
    for part in (posts.danger, posts.ordinary, posts.written):
        turn[part] = np.arange(part.sum())  # each fold gets a fifth of each
    for number in range(FOLDS):
        fold = turn % FOLDS == number
        chosen = emergency_threshold(posts.part(~fold))
        apart[fold] = posts.part(fold).in_lane(chosen)
        by_model[fold] = posts.likely[fold] >= chosen
    return threshold, ExpectedLane(
        emergencies=int(posts.danger.sum()),
        recall=round(float(apart[posts.danger].mean()), 3),
        recall_of_model=round(float(by_model[posts.danger].mean()), 3),
        recall_of_words=round(float(posts.by_words[posts.danger].mean()), 3),
        written=int(posts.written.sum()),
        written_flagged=round(float(apart[posts.written].mean()), 3) if posts.written.any() else 0.0,
        ordinary=int(posts.ordinary.sum()),
        pages_per_1000=round(float(apart[posts.ordinary].mean()) * 1_000, 2),
    )
