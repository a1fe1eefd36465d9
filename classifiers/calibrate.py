"""Sets a trained model's temperatures and thresholds on posts that it did not learn from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers import corpus, transformer
from classifiers.corpus import Example
from classifiers.model_folder import ModelConfig, read_config, write_config
from vocabulary import Urgency

WANTED_PRECISION = 0.9
WANTED_RECALL = 0.95  #: of emergencies
#: However sure the model is of all of a few emergencies, it may not be asked for more than this, nor page on a hunch.
EMERGENCY_BETWEEN = (0.05, 0.5)

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


def calibrate(folder: Path, data: Path) -> None:
    """Rewrites the folder's config with temperatures and thresholds set on the calibration posts."""
    config = read_config(folder)
    answers = ask(transformer.load(folder), corpus.calibration_examples(data))
    heads = {}
    for name, head in config.heads.items():
        temperature = best_temperature(answers[name])
        probabilities = answers[name].probabilities(temperature)
        heads[name] = replace(
            head,
            temperature=round(temperature, 3),
            please_check=round(confidence_for(probabilities, answers[name].wanted), 3),
        )
    config = replace(config, heads=heads)
    write_config(folder, replace(config, emergency=_emergency_threshold(config, answers["urgency"])))


def ask(classifier: transformer.TransformerClassifier, examples: Sequence[Example]) -> dict[str, Answers]:
    """The model's logits for each head over the examples that are labelled for it."""
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in classifier.config.heads}
    wanted: dict[str, list[int]] = {name: [] for name in classifier.config.heads}
    for example in examples:
        said = classifier.logits(example.text)
        for (name, head), row in zip(classifier.config.heads.items(), said, strict=True):
            if name in example.labels:
                rows[name].append(row)
                wanted[name].append(head.labels.index(example.labels[name]))
    return {
        name: Answers(
            logits=np.array(rows[name], dtype=np.float64).reshape(-1, len(head.labels)),
            wanted=np.array(wanted[name], dtype=np.intp),
        )
        for name, head in classifier.config.heads.items()
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


def _emergency_threshold(config: ModelConfig, answers: Answers) -> float:
    """The highest probability that still finds the wanted share of the emergencies among the calibration posts."""
    head = config.heads["urgency"]
    number = head.labels.index(Urgency.EMERGENCY)
    found = answers.probabilities(head.temperature)[answers.wanted == number, number]
    low, high = EMERGENCY_BETWEEN
    return round(float(np.clip(np.quantile(found, 1 - WANTED_RECALL), low, high)), 3) if len(found) else low
