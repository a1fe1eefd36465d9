"""How good a model is, measured on posts that it did not learn from.

What stands in docs/model-card.md comes from here (``card.py`` writes it, ``bars.py`` has what is to be reached); none
of it is a test of the code.
"""

import json
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from classifiers import bars, corpus, figures, language
from classifiers.bars import Bar, Others
from classifiers.calibrate import read_logits
from classifiers.checking import check_part
from classifiers.corpus import Example
from classifiers.figures import Estimate
from classifiers.fitting import BadModel, load_fitting
from classifiers.model_folder import CONFIG_FILE, INT8_FILE, NO_SERVICE, SERVICE_INTENTS, SHIPPED, TOKENIZER_FILE, Head
from classifiers.readings import LENGTHS, Graded, PostSet, Reading
from classifiers.transformer import TransformerClassifier
from vocabulary import Urgency

#: The val parts that are read, under the names that the bars have for them.
PARTS = {
    bars.INTENTS: "intents",
    bars.REQUESTS: "requests311",
    bars.SENTIMENT: "sentiment",
    bars.SPANISH: "sentiment_es",
    bars.AIRLINE: "airline",
    bars.CIVIC: "civic_tweets",
}
LEFT_OUT = frozenset({"new_york", "hoboken"})  #: the cities that a sister model never saw
FEW_IN_A_GROUP = 20  #: posts; of fewer a language or a length says nothing by itself

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelScore:
    """How one label of a head does."""

    posts: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupScore:
    """How a head does on a part of a set: one language, one length."""

    posts: int
    accuracy: Estimate
    macro_recall: Estimate
    macro_f1: Estimate
    ece: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadScore:
    """How one head does on one set. Averages are over the labels that the set has."""

    whole: GroupScore
    brier: Estimate
    checked: float  #: share of the posts below the please_check confidence of the label they were given
    accuracy_above: Estimate | None  #: of the others
    labels: Mapping[str, LabelScore]
    confusion: Mapping[str, Mapping[str, int]]  #: wanted -> said -> posts, where there are any
    languages: Mapping[str, GroupScore]
    lengths: Mapping[str, GroupScore]


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneScore:
    """What went to the emergency lane: by the patterns, by the model, by either."""

    posts: int
    words: Estimate
    model: Estimate
    either: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Measured on this machine, with whatever else it was doing; ``make bench`` measures it with care."""

    cores: int
    posts_per_second: float
    p50_ms: float  #: one post alone
    p95_ms: float
    memory_mb: float  #: the whole process


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A figure of ours beside another model's, on the same posts."""

    what: str
    where: str
    ours: Estimate
    theirs: Estimate
    more: Estimate  #: ours less theirs, draw by draw


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All that ``harken evaluate`` measures."""

    model: str
    sets: Mapping[str, int]  #: set -> posts
    missing: tuple[str, ...]  #: what could not be measured, and why
    bars: Sequence[Bar]
    heads: Mapping[str, Mapping[str, HeadScore]]  #: set -> head
    emergencies: Mapping[str, LaneScore]  #: posts that are emergencies -> how many of them went to the lane
    ordinary: Mapping[str, LaneScore]  #: posts that are none, or whose set does not say
    services_right: Mapping[str, Estimate]  #: set -> share whose service code, or its absence, was right
    languages: Mapping[str, Estimate]  #: set -> share whose language was told right
    speed: Speed
    other: str | None = None  #: the model that ours is compared with
    compared: Sequence[Compared] = ()
    seconds: float  #: that the evaluation took


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """Models that are measured beside the one in question; all are optional."""

    full_precision: Path | None = None  #: the same model's ONNX file before quantisation, which training can leave
    sister: Path | None = None  #: folder of a model by the same recipe, trained without ``LEFT_OUT``
    against: Path | None = None  #: folder of a model to compare with


def evaluate(
    data: Path | None,
    *,
    folder: Path | None = None,
    beside: Beside | None = None,
    at_most: int | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Measures a model on the val parts under ``data``, and on our own held-back posts; on these alone without data.

    ``at_most``: posts of each set, drawn by a seed, for a quick look.

    Raises:
        BadData: a set under ``data`` has a bad line, or there is none.
        BadModel: a model is missing, damaged, or does not answer our questions.
    """
    started = time.perf_counter()
    beside = beside or Beside()
    folder = folder or SHIPPED
    classifier = load_fitting(folder)
    # All are opened before any reads: a wrong folder is told at once, not after minutes.
    whole = _full_precision(folder, beside.full_precision) if beside.full_precision else None
    sister = load_fitting(beside.sister) if beside.sister else None
    against = load_fitting(beside.against) if beside.against else None
    sets, missing = gather(data, at_most)
    readings = {name: _read(classifier, posts, progress) for name, posts in sets.items()}
    elsewhere = _elsewhere(data) if data is not None and sister is not None else None
    others = Others(
        full_precision={
            name: _read(whole, posts, lambda line: progress(f"fp32: {line}"))
            for name, posts in sets.items()
            if whole is not None and name in bars.QUANTISED_ON
        },
        sister=_read(sister, elsewhere, progress) if sister and elsewhere else None,
    )
    found = bars.the_bars(readings, others)
    progress("scoring")
    told_apart = [name for name in (bars.HELD_BACK, bars.INTENTS) if name in readings]
    return Report(
        model=classifier.model,
        sets={name: len(posts) for name, posts in sets.items()},
        missing=missing,
        bars=found,
        heads={name: _head_scores(reading) for name, reading in readings.items() if name != bars.CIVIC},
        emergencies=_emergencies(readings),
        ordinary={name: _lane(reading, ~_dangers(reading)) for name, reading in readings.items()},
        services_right={name: _services_right(readings[name]) for name in told_apart},
        languages=_languages(sets),
        speed=_speed(classifier, [example.text for example in sets[told_apart[-1]].examples][:400]),
        other=against.model if against else None,
        compared=_compared(against, sets, found, progress) if against else (),
        seconds=time.perf_counter() - started,
    )


def gather(data: Path | None, at_most: int | None = None) -> tuple[dict[str, PostSet], tuple[str, ...]]:
    """The sets to measure on, and what is missing.

    Raises:
        BadData: a set has a bad line.
        FileNotFoundError: there is none of the sets under ``data``.
    """
    sets: dict[str, PostSet] = {}
    missing = []
    for name, folder in PARTS.items() if data is not None else ():
        assert data is not None
        if not (data / folder / "val.jsonl").exists():
            missing.append(f"{name}: there is no {data / folder / 'val.jsonl'}")
            continue
        check_part(data, folder, "val")
        sets[name] = PostSet(name, corpus.read_part(data, folder, "val"))
    if data is None:
        missing.append(f"{', '.join(PARTS)}: no folder of data sets was named")
    elif not sets:
        raise FileNotFoundError(2, "is not there", str(data / "intents" / "val.jsonl"))
    sets[bars.HELD_BACK] = held_back()
    if at_most is not None:
        missing.append(f"all but {at_most} posts of each set: only a sample was asked for")
        sets = {name: _sample(posts, at_most) for name, posts in sets.items()}
    return sets, tuple(missing)


def _sample(posts: PostSet, at_most: int) -> PostSet:
    numbers = range(len(posts))
    kept = sorted(random.Random(figures.SEED).sample(numbers, min(at_most, len(posts))))
    return PostSet(posts.name, [posts.examples[at] for at in kept], [posts.kinds[at] for at in kept])


def held_back() -> PostSet:
    """Our own held-back posts, with what their writers meant them to be, where they said so."""
    kinds: dict[str, str] = {}
    for path in sorted(corpus.OWN_POSTS.glob(corpus.HELD_OUT)):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "kind" in row:
                kinds[row["text"]] = row["kind"]
    examples = corpus.held_out_posts()
    return PostSet(bars.HELD_BACK, examples, [kinds.get(example.text) for example in examples])


def _elsewhere(data: Path) -> PostSet | None:
    """Both parts of the cities that a sister model never saw, where another city has such requests too."""
    rows: list[Example] = []
    for part in ("train", "val"):
        if not (data / "requests311" / f"{part}.jsonl").exists():
            return None
        check_part(data, "requests311", part)
        rows += corpus.read_part(data, "requests311", part)
    shared = {row.labels["service_code"] for row in rows if row.city not in LEFT_OUT}
    kept = [row for row in rows if row.city in LEFT_OUT and row.labels["service_code"] in shared]
    return PostSet(bars.ELSEWHERE, kept) if kept else None


def _read(classifier: TransformerClassifier, posts: PostSet, progress: Progress) -> Reading:
    progress(f"{classifier.model} reads {posts.name}: {len(posts):,} posts")
    texts = [example.text for example in posts.examples]
    return Reading(posts=posts, config=classifier.config, logits=read_logits(classifier, texts))


def _full_precision(folder: Path, model: Path) -> TransformerClassifier:
    """The model of a folder, but with the weights of this file."""
    if not model.is_file():
        raise BadModel(f"{model}: there is no such file: name the ONNX file that training left unquantised")
    with tempfile.TemporaryDirectory() as made:
        for name, path in {CONFIG_FILE: folder / CONFIG_FILE, TOKENIZER_FILE: folder / TOKENIZER_FILE}.items():
            (Path(made) / name).symlink_to(path.resolve())
        (Path(made) / INT8_FILE).symlink_to(model.resolve())
        try:
            return load_fitting(Path(made))
        except BadModel as err:
            raise BadModel(str(err).replace(made, str(model))) from err


def _compared(
    other: TransformerClassifier, sets: Mapping[str, PostSet], ours: Sequence[Bar], progress: Progress
) -> list[Compared]:
    readings = {name: _read(other, posts, progress) for name, posts in sets.items()}
    theirs = {bar.what: bar for bar in bars.the_bars(readings, Others())}
    compared = []
    for bar in ours:
        for where, told in (("val", "val"), ("held_back", "held back"), ("both", "both")):
            one, two = getattr(bar, where), getattr(theirs.get(bar.what), where, None)
            if one is not None and two is not None:
                more = figures.difference(one, two)
                compared.append(Compared(what=bar.what, where=told, ours=one, theirs=two, more=more))
    return compared


def _head_scores(reading: Reading) -> dict[str, HeadScore]:
    scores = {}
    for name, head in reading.config.heads.items():
        graded = reading.graded(name)
        if len(graded):
            scores[name] = score(graded, head, _groups(reading.posts, graded))
    return scores


def _groups(posts: PostSet, graded: Graded) -> tuple[Mapping[str, Graded], Mapping[str, Graded]]:
    """The posts of each language and of each length, where they are enough."""
    both = []
    for told, order in ((posts.languages, ("en", "es", "mixed", "other")), (posts.lengths, LENGTHS)):
        of_post = np.array(told)[graded.rows]
        parts = {name: graded.where(of_post == name) for name in order}
        both.append({name: part for name, part in parts.items() if len(part) >= FEW_IN_A_GROUP})
    return both[0], both[1]


def score(
    graded: Graded,
    head: Head,
    groups: tuple[Mapping[str, Graded], Mapping[str, Graded]] = ({}, {}),
) -> HeadScore:
    """One head's answers against what readers said, as a whole and by groups of posts."""
    labels = graded.labels
    said = graded.said
    counts = figures.confusions(said, graded.wanted, len(labels))
    counted = figures.by_label(counts)
    sure = graded.confidence >= np.array([head.please_check[label] for label in labels])[said]
    plain = counts[0].astype(int)
    return HeadScore(
        whole=_group_score(graded),
        brier=figures.brier(graded.probabilities, graded.wanted),
        checked=float(1 - sure.mean()),
        accuracy_above=figures.share(graded.right[sure]) if sure.any() else None,
        labels={
            labels[number]: LabelScore(
                posts=int(counted.posts[number]),
                precision=figures.estimate(counted.precision[:, number], int(plain[:, number].sum())),
                recall=figures.estimate(counted.recall[:, number], int(counted.posts[number])),
                f1=figures.estimate(counted.f1[:, number], int(counted.posts[number])),
            )
            for number in np.flatnonzero(counted.posts)
        },
        confusion={
            labels[wanted]: {labels[given]: int(row[given]) for given in np.flatnonzero(row)}
            for wanted, row in enumerate(plain)
            if row.any()
        },
        languages={name: _group_score(part) for name, part in groups[0].items()},
        lengths={name: _group_score(part) for name, part in groups[1].items()},
    )


def _group_score(graded: Graded) -> GroupScore:
    return GroupScore(
        posts=len(graded),
        accuracy=figures.share(graded.right),
        macro_recall=bars.macro_recall(graded),
        macro_f1=bars.macro_f1(graded),
        ece=bars.calibration_error(graded),
    )


def _dangers(reading: Reading) -> figures.Marks:
    return reading.posts.marks("urgency", Urgency.EMERGENCY)


def _emergencies(readings: Mapping[str, Reading]) -> dict[str, LaneScore]:
    scores = {}
    for name, reading in readings.items():
        dangers = _dangers(reading)
        if dangers.any():
            scores[name] = _lane(reading, dangers)
            for code in ("en", "es", "mixed"):
                part = dangers & reading.posts.in_language(code)
                if FEW_IN_A_GROUP / 2 <= part.sum() < dangers.sum():
                    scores[f"{name}, {code}"] = _lane(reading, part)
    return scores


def _lane(reading: Reading, which: figures.Marks) -> LaneScore:
    return LaneScore(
        posts=int(which.sum()),
        words=figures.share(reading.posts.by_words[which]),
        model=figures.share(reading.by_model[which]),
        either=figures.share(reading.in_lane[which]),
    )


def _services_right(reading: Reading) -> Estimate:
    """Of the whole answer: intent and service head together."""
    answers = zip(reading.most_likely("intent"), reading.most_likely("service_code"), strict=True)
    said = [service if intent in SERVICE_INTENTS else NO_SERVICE for intent, service in answers]
    wanted = [example.labels["service_code"] for example in reading.posts.examples]
    return figures.share(np.array([one == other for one, other in zip(said, wanted, strict=True)]))


def _languages(sets: Mapping[str, PostSet]) -> dict[str, Estimate]:
    """Of posts whose language is stated; mixed ones have no right answer."""
    told = {}
    for name in (bars.HELD_BACK, bars.SENTIMENT, bars.REQUESTS, bars.SPANISH):
        stated = [one for one in sets[name].examples if one.language in {"en", "es"}] if name in sets else []
        for code in ("en", "es"):
            texts = [example.text for example in stated if example.language == code]
            if texts:
                told[f"{name}, {code}"] = figures.share(np.array([language.detect(text) == code for text in texts]))
    return told


def _speed(classifier: TransformerClassifier, texts: Sequence[str]) -> Speed:
    alone: list[float] = []
    for text in texts:
        started = time.perf_counter()
        classifier.classify([text])
        alone.append((time.perf_counter() - started) * 1_000)
    many = list(texts) * 3
    started = time.perf_counter()
    classifier.classify(many)
    return Speed(
        cores=psutil.cpu_count() or 1,
        posts_per_second=len(many) / (time.perf_counter() - started),
        p50_ms=float(np.percentile(alone, 50)),
        p95_ms=float(np.percentile(alone, 95)),
        memory_mb=psutil.Process().memory_info().rss / 1e6,
    )


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values, each bar with its verdict; what was drawn for the intervals is left out."""
    table: dict[str, Any] = _plain(report)
    for bar, told in zip(report.bars, table["bars"], strict=True):
        told["verdict"] = bar.verdict
    return table


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.name != "drawn"}
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return round(value, 5) if np.isfinite(value) else None  # JSON knows no NaN
    return value
