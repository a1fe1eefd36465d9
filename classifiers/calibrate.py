"""Sets a trained model's temperatures and thresholds on posts that it did not learn from."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers import corpus, transformer
from classifiers.corpus import Example
from classifiers.model_folder import ModelConfig, read_config, write_config
from vocabulary import Urgency

WANTED_PRECISION = 0.9
FEW = 20  #: answers; from fewer no band can be read, and only very sure ones go unchecked
SURE_IN_ANY_CASE = 0.9
#: Share of ordinary civic posts that the model may page someone for, beside what the words of danger find.
PAGES = 0.005
EMERGENCY_BETWEEN = (0.05, 0.5)  #: not on a hunch, and never later than the plain argmax would

Logits = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """One head's logits for posts whose label is known."""

    logits: Logits  #: Shape: (posts, labels)
    wanted: Labels  #: Shape: (posts,)

    def probabilities(self, temperature: float) -> Logits:
        """Shape: as the logits; each row sums to 1."""
        scaled = self.logits / temperature
        odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def calibrate(folder: Path, data: Path, exclude_terms: frozenset[str] = frozenset()) -> None:
    """Rewrites the folder's config with temperatures and thresholds set on the calibration posts."""
    config = read_config(folder)
    classifier = transformer.load(folder)
    examples = corpus.calibration_examples(data, exclude_terms)
    answers = ask(classifier, examples)
    heads = {}
    for name, head in config.heads.items():
        temperature = round(best_temperature(answers[name]), 3)
        bands = label_bands(answers[name].probabilities(temperature), answers[name].wanted, head.labels)
        heads[name] = replace(head, temperature=temperature, please_check=bands)
    config = replace(config, heads=heads)
    write_config(folder, replace(config, emergency=_emergency_threshold(classifier, config, examples)))


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


def best_temperature(answers: Answers) -> float:
    """The one number that makes the right labels most likely when the logits are divided by it (Guo et al. 2017)."""
    if not len(answers.wanted):
        return 1.0
    rows = np.arange(len(answers.wanted))

    def loss(temperature: float) -> float:
        likely = answers.probabilities(temperature)[rows, answers.wanted]
        return float(-np.log(likely + 1e-12).mean())

    return min((float(step) for step in np.geomspace(0.4, 4.0, 60)), key=loss)


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
        band = confidence_for(probabilities[given], wanted[given])
        bands[label] = round(max(band, SURE_IN_ANY_CASE) if given.sum() < FEW else band, 3)
    return bands


def _emergency_threshold(
    classifier: transformer.TransformerClassifier, config: ModelConfig, examples: Sequence[Example]
) -> float:
    """The lowest probability that pages for no more than the allowed share of ordinary civic posts.

    Emergencies themselves cannot set it: real ones are too few among the labelled posts.
    """
    head = config.heads["urgency"]
    ordinary = [
        replace(example, labels={"urgency": Urgency.NORMAL})
        for example in examples
        if example.folder in {"intents", "requests311"} and example.labels.get("urgency") != Urgency.EMERGENCY
    ]
    if not ordinary:
        return EMERGENCY_BETWEEN[1]
    likely = ask(classifier, ordinary)["urgency"].probabilities(head.temperature)
    number = head.labels.index(Urgency.EMERGENCY)
    return round(float(np.clip(np.quantile(likely[:, number], 1 - PAGES), *EMERGENCY_BETWEEN)), 3)
