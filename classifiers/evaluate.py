"""How good a model is, measured on posts that it did not learn from.

What stands in docs/model-card.md comes from here (``card.py`` writes it); none of it is a test of the code.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from classifiers import corpus, language, transformer
from classifiers.calibrate import Answers, ask
from classifiers.corpus import Example
from classifiers.emergency import find_emergency
from classifiers.model_folder import INT8_FILE, NO_SERVICE, SHIPPED
from classifiers.normalise import normalise
from vocabulary import Urgency

BINS = 15  #: of confidence, for the calibration error
PADDED_BATCH = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelScore:
    """How one label of a head does."""

    posts: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadScore:
    """How one head does on one set. Averages are over the labels that the set has."""

    posts: int
    accuracy: float
    macro_recall: float
    macro_f1: float
    ece: float  #: expected calibration error, 15 bins
    checked: float  #: share of the posts below the please_check confidence of the label they were given
    accuracy_above: float  #: accuracy of the others
    labels: Mapping[str, LabelScore]


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmScore:
    """What would have gone to the emergency lane: by the words, by the model, by either."""

    posts: int
    words: float
    model: float
    either: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Measured on this machine, with whatever else it was doing."""

    cores: int
    posts_per_second: float
    p50_ms: float  #: one post alone
    p95_ms: float
    memory_mb: float  #: the whole process


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All that ``harken evaluate`` measures."""

    model: str
    heads: Mapping[str, Mapping[str, HeadScore]]  #: set -> head
    recall: Mapping[str, AlarmScore]  #: set -> share of its emergencies that were found
    false_alarms: Mapping[str, AlarmScore]  #: set -> share of its ordinary posts that would page someone
    services_right: Mapping[str, float]  #: set -> share of posts whose service code, or its absence, was right
    languages: Mapping[str, float]  #: set -> share of posts whose language was told right
    language_posts_per_second: float
    speed: Speed
    batch_changes: float  #: share of answers that change if posts run in padded batches of 32
    int8_changes: float | None  #: share of answers that differ from the unquantised model's


def evaluate(
    data: Path,
    *,
    folder: Path | None = None,
    full_precision: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measures a model on the validation parts under ``data``, and on our own held-out posts.

    ``full_precision``: the unquantised ONNX file that training can leave, to compare with.
    """
    folder = folder or SHIPPED
    classifier = transformer.load(folder)
    sets = _sets(data)
    heads = {}
    for name, examples in sets.items():
        progress(name)
        heads[name] = _head_scores(classifier, examples)
    progress("emergencies")
    recall, false_alarms = _alarms(classifier, sets)
    progress("speed")
    sample = [example.text for example in sets["intents val"]]
    return Report(
        model=classifier.model,
        heads=heads,
        recall=recall,
        false_alarms=false_alarms,
        services_right={name: _services_right(classifier, sets[name]) for name in ("intents val", "written, held out")},
        languages=_languages(sets),
        language_posts_per_second=_rate(language.detect, sample),
        speed=_speed(classifier, sample),
        batch_changes=_changes(_labels(classifier, sample), _padded_labels(folder / INT8_FILE, classifier, sample)),
        int8_changes=(
            _changes(_labels(classifier, sample), _padded_labels(full_precision, classifier, sample))
            if full_precision
            else None
        ),
    )


def _sets(data: Path) -> dict[str, list[Example]]:
    held_out = corpus.held_out_posts()
    return {
        "intents val": corpus.read_part(data, "intents", "val"),
        "written, held out": held_out,
        "written, held out, Spanish": [example for example in held_out if example.language == "es"],
        "written, calibration": corpus.own_posts()[1],
        "requests311 val": corpus.read_part(data, "requests311", "val"),
        "sentiment val": corpus.read_part(data, "sentiment", "val"),
        "airline val (never trained on)": corpus.read_part(data, "airline", "val"),
        "sentiment_es val": corpus.read_part(data, "sentiment_es", "val"),
    }


def _head_scores(classifier: transformer.TransformerClassifier, examples: Sequence[Example]) -> dict[str, HeadScore]:
    answers = ask(classifier, [corpus.as_used(example) for example in examples])
    return {
        name: score(answers[name], head.labels, temperature=head.temperature, please_check=head.please_check)
        for name, head in classifier.config.heads.items()
        if len(answers[name].wanted)
    }


def score(
    answers: Answers, labels: Sequence[str], *, temperature: float, please_check: Mapping[str, float]
) -> HeadScore:
    """One head's answers against what readers said."""
    probabilities = answers.probabilities(temperature)
    said, wanted = probabilities.argmax(axis=1), answers.wanted
    confidence = probabilities.max(axis=1)
    right = said == wanted
    sure = confidence >= np.array([please_check[label] for label in labels])[said]
    by_label = {labels[number]: _label_score(said == number, wanted == number) for number in np.unique(wanted)}
    return HeadScore(
        posts=len(wanted),
        accuracy=float(right.mean()),
        macro_recall=float(np.mean([label.recall for label in by_label.values()])),
        macro_f1=float(np.mean([label.f1 for label in by_label.values()])),
        ece=calibration_error(confidence, right),
        checked=float(1 - sure.mean()),
        accuracy_above=float(right[sure].mean()) if sure.any() else 0.0,
        labels=by_label,
    )


def _label_score(said: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> LabelScore:
    both = int((said & wanted).sum())
    precision = both / int(said.sum()) if said.any() else 0.0
    recall = both / int(wanted.sum())
    f1 = 2 * precision * recall / (precision + recall) if both else 0.0
    return LabelScore(posts=int(wanted.sum()), precision=precision, recall=recall, f1=f1)


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """How far confidence is from accuracy, on average over the posts (Guo et al. 2017, section 3)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(right[bins == number].mean() - confidence[bins == number].mean()) * (bins == number).mean()
            for number in np.unique(bins)
        )
    )


def _alarms(
    classifier: transformer.TransformerClassifier, sets: Mapping[str, Sequence[Example]]
) -> tuple[dict[str, AlarmScore], dict[str, AlarmScore]]:
    recall: dict[str, AlarmScore] = {}
    false_alarms: dict[str, AlarmScore] = {}
    for name, examples in sets.items():
        dangers = [example.text for example in examples if example.labels.get("urgency") == Urgency.EMERGENCY]
        ordinary = [example.text for example in examples if example.labels.get("urgency") != Urgency.EMERGENCY]
        if dangers:
            recall[name] = _alarm_score(classifier, dangers)
        false_alarms[name] = _alarm_score(classifier, ordinary)
    return recall, false_alarms


def _alarm_score(classifier: transformer.TransformerClassifier, texts: Sequence[str]) -> AlarmScore:
    words = np.array([find_emergency(text) is not None for text in texts])
    model = np.array(
        [
            said.scores["urgency"][Urgency.EMERGENCY] >= classifier.config.emergency
            for said in classifier.classify(texts)
        ]
    )
    return AlarmScore(
        posts=len(texts), words=float(words.mean()), model=float(model.mean()), either=float((words | model).mean())
    )


def _services_right(classifier: transformer.TransformerClassifier, examples: Sequence[Example]) -> float:
    """Of the whole answer: intent and service head together."""
    answers = classifier.classify([example.text for example in examples])
    return float(
        np.mean(
            [
                (said.service_code or NO_SERVICE) == example.labels["service_code"]
                for said, example in zip(answers, examples, strict=True)
            ]
        )
    )


def _languages(sets: Mapping[str, Sequence[Example]]) -> dict[str, float]:
    wanted = {"sentiment val": "en", "requests311 val": "en", "sentiment_es val": "es"}
    return {
        name: float(np.mean([language.detect(example.text) == code for example in sets[name]]))
        for name, code in wanted.items()
    }


def _rate(read: Callable[[str], object], texts: Sequence[str]) -> float:
    started = time.perf_counter()
    for text in texts:
        read(text)
    return len(texts) / (time.perf_counter() - started)


def _speed(classifier: transformer.TransformerClassifier, texts: Sequence[str]) -> Speed:
    alone: list[float] = []
    for text in texts:
        started = time.perf_counter()
        classifier.classify([text])
        alone.append((time.perf_counter() - started) * 1_000)
    many = list(texts) * 5
    started = time.perf_counter()
    classifier.classify(many)
    return Speed(
        cores=psutil.cpu_count() or 1,
        posts_per_second=len(many) / (time.perf_counter() - started),
        p50_ms=float(np.percentile(alone, 50)),
        p95_ms=float(np.percentile(alone, 95)),
        memory_mb=psutil.Process().memory_info().rss / 1e6,
    )


def _labels(classifier: transformer.TransformerClassifier, texts: Sequence[str]) -> NDArray[np.intp]:
    """Shape: (heads, texts)."""
    return np.array([[row.argmax() for row in classifier.logits(text)] for text in texts]).T


def _padded_labels(path: Path, classifier: transformer.TransformerClassifier, texts: Sequence[str]) -> NDArray[np.intp]:
    """The labels of a model file if posts run in padded batches, as is usual elsewhere. Shape: (heads, texts)."""
    session = transformer.open_session(path)
    found: list[NDArray[np.intp]] = []
    for start in range(0, len(texts), PADDED_BATCH):
        pieces = [classifier.pieces(normalise(text)) for text in texts[start : start + PADDED_BATCH]]
        longest = max(map(len, pieces))
        ids = np.array([[*row, *[0] * (longest - len(row))] for row in pieces], dtype=np.int64)
        mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in pieces], dtype=np.int64)
        rows = session.run(list(classifier.config.heads), {"input_ids": ids, "attention_mask": mask})
        found.append(np.array([row.argmax(axis=1) for row in rows]))
    return np.concatenate(found, axis=1)


def _changes(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    return float((one != other).mean())
