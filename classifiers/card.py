"""Writes what an evaluation found: tables for the terminal, and the model card."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from classifiers import bars
from classifiers.bars import Bar
from classifiers.corpus import HEADS, SETS
from classifiers.evaluate import Compared, GroupScore, HeadScore, LaneScore, Report
from classifiers.figures import Estimate
from classifiers.model_folder import ModelConfig

_TEMPLATE = Path(__file__).with_name("card.md")

#: Sets and heads whose labels are worth a table each.
_DETAILED = {
    bars.INTENTS: tuple(HEADS),
    bars.HELD_BACK: tuple(HEADS),
    bars.REQUESTS: ("service_code",),
    bars.SENTIMENT: ("sentiment",),
    bars.SPANISH: ("sentiment",),
}
_WIDE = 8  #: labels; a confusion of more is told as its largest cells
_CONFUSED = 12  #: how many of them


def render(report: Report) -> str:
    """All figures of a report, as Markdown tables that also read well in a terminal; what is to be reached first."""
    parts = [
        f"# {report.model}",
        "## The table: what is to be reached\n\n" + bars_table(report.bars),
        *([f"## Beside {report.other}\n\n" + compared_table(report.compared)] if report.other else []),
        "## Measured on\n\n" + sets_table(report),
        "## Heads\n\n" + heads_table(report.heads),
        "## By language and by length\n\n" + groups_table(report.heads),
        "## Label by label\n\n" + labels_tables(report, "###"),
        "## Emergencies: share that reached the lane\n\n" + lane_table(report.emergencies, "emergencies"),
        "## Ordinary posts: share that reached the lane\n\n" + lane_table(report.ordinary, "posts"),
        "## Services, language, speed\n\n" + facts_table(report),
        f"Measured in {report.seconds:.0f} s. Intervals: the middle 95 % of 1,000 bootstrap draws of the posts.",
    ]
    return "\n\n".join(parts)


def write_card(path: Path, report: Report, config: ModelConfig) -> None:
    """Writes the model card: the report's figures in the frame of ``card.md``, which says what they mean."""
    card = _TEMPLATE.read_text(encoding="utf-8")
    for mark, text in {
        "MODEL": report.model,
        "BARS": bars_table(report.bars),
        "SETS": sets_table(report),
        "TRAINED_ON": _trained_on(config),
        "FACTS": _table(("what", "value"), ((name, _fact(value)) for name, value in config.facts.items())),
        "CONFIG": _config_table(config),
        "LANE_EXPECTED": _lane_expected(config),
        "HEADS": heads_table(report.heads),
        "GROUPS": groups_table(report.heads),
        "LABELS": labels_tables(report, "###"),
        "RECALL": lane_table(report.emergencies, "emergencies"),
        "FALSE_ALARMS": lane_table(report.ordinary, "posts"),
        "MEASURED": facts_table(report),
    }.items():
        card = card.replace(f"<!-- {mark} -->", text)
    path.write_text(card, encoding="utf-8")


def bars_table(found: Sequence[Bar]) -> str:
    """Each bar with our figures and whether they reach it; a row without a bar explains the one above it."""
    return _table(
        ("what", "reach", "val splits", "held-back posts", "both together", "verdict", "note"),
        (
            (
                bar.what if bar.target is not None else f"… {bar.what}",
                bar.reach,
                *(_told(one, bar.digits) for one in (bar.val, bar.held_back, bar.both)),
                bar.verdict.upper() if "missed" in bar.verdict else bar.verdict,
                bar.note,
            )
            for bar in found
        ),
    )


def compared_table(compared: Sequence[Compared]) -> str:
    """Our figures less another model's; "sure" where the interval of the difference leaves 0 out."""
    return _table(
        ("what", "on", "ours", "theirs", "difference", ""),
        (
            (
                one.what,
                one.where,
                f"{one.ours.value:.3f}",
                f"{one.theirs.value:.3f}",
                f"{one.more.value:+.3f} [{one.more.low:+.3f}, {one.more.high:+.3f}]",
                "sure" if one.more.low > 0 or one.more.high < 0 else "",
            )
            for one in compared
        ),
    )


def sets_table(report: Report) -> str:
    """How many posts of which set, and what could not be measured."""
    table = _table(("set", "posts"), ((name, f"{posts:,}") for name, posts in report.sets.items()))
    return "\n".join([table, *(f"\nNot measured: {line}." for line in report.missing)])


def heads_table(heads: Mapping[str, Mapping[str, HeadScore]]) -> str:
    """A row for each set and head."""
    return _table(
        ("set", "head", "posts", "accuracy", "macro recall", "macro F1", "ECE", "Brier", "to check", "right above"),
        (
            (
                name,
                head,
                f"{score.whole.posts:,}",
                *_group_cells(score.whole),
                f"{score.brier.value:.3f}",
                f"{score.checked:.0%}",
                _told(score.accuracy_above),
            )
            for name, scores in heads.items()
            for head, score in scores.items()
        ),
    )


def groups_table(heads: Mapping[str, Mapping[str, HeadScore]]) -> str:
    """A row for each language and each length of a set, where there are enough posts of it and another besides."""
    return _table(
        ("set", "head", "posts that are", "posts", "accuracy", "macro recall", "macro F1", "ECE"),
        (
            (name, head, group, f"{score.posts:,}", *_group_cells(score))
            for name, scores in heads.items()
            for head, whole in scores.items()
            for groups in (whole.languages, whole.lengths)
            if len(groups) > 1
            for group, score in groups.items()
        ),
    )


def _group_cells(score: GroupScore) -> tuple[str, ...]:
    return tuple(_told(one) for one in (score.accuracy, score.macro_recall, score.macro_f1, score.ece))


def labels_tables(report: Report, heading: str) -> str:
    """For the sets in detail, each head's labels and what they are taken for."""
    return "\n\n".join(
        f"{heading} {name}: {head}\n\n{labels_table(score)}\n\n{confusion_table(score)}"
        for name, heads in _DETAILED.items()
        if name in report.heads
        for head in heads
        if (score := report.heads[name].get(head))
    )


def labels_table(score: HeadScore) -> str:
    """A row for each label that the set has."""
    return _table(
        ("label", "posts", "precision", "recall", "F1"),
        (
            (name, str(label.posts), *(_told(one, 2) for one in (label.precision, label.recall, label.f1)))
            for name, label in score.labels.items()
        ),
    )


def confusion_table(score: HeadScore) -> str:
    """What each label was taken for: the whole matrix of a few labels, the largest mistakes of many."""
    columns = sorted({said for row in score.confusion.values() for said in row} | set(score.confusion))
    if len(columns) <= _WIDE:
        return _table(
            ("is \\ said", *columns),
            ((wanted, *(str(row.get(said, 0)) for said in columns)) for wanted, row in score.confusion.items()),
        )
    mistakes = [
        (posts, wanted, said)
        for wanted, row in score.confusion.items()
        for said, posts in row.items()
        if said != wanted
    ]
    largest = sorted(mistakes, key=lambda one: -one[0])[:_CONFUSED]
    return _table(("is", "said", "posts"), ((wanted, said, str(posts)) for posts, wanted, said in largest))


def lane_table(scores: Mapping[str, LaneScore], what: str) -> str:
    """A row for each set: the share that went to the emergency lane, and by what."""
    return _table(
        ("set", what, "by patterns", "by model", "by either"),
        (
            (name, f"{score.posts:,}", *(_percent(one) for one in (score.words, score.model, score.either)))
            for name, score in scores.items()
        ),
    )


def facts_table(report: Report) -> str:
    """The whole answer on services, the language told, speed."""
    speed = report.speed
    return _table(
        ("what", "measured"),
        (
            *(
                (f"service code as answered, none included, {name}: right", _percent(one))
                for name, one in report.services_right.items()
            ),
            *((f"language told right, {name}", _percent(one)) for name, one in report.languages.items()),
            ("many posts", f"{speed.posts_per_second:,.0f} posts/s on {speed.cores} cores (`make bench` measures it)"),
            ("one post alone", f"{speed.p50_ms:.1f} ms in the middle, {speed.p95_ms:.1f} ms at the 95th percentile"),
            ("memory of the whole process", f"{speed.memory_mb:,.0f} MB"),
        ),
    )


def _trained_on(config: ModelConfig) -> str:
    return _table(
        ("set", "rows", "licence and terms", "sha256 of what it taught"),
        (
            (SETS[name].title, f"{taught['rows']:,}", SETS[name].licence, f"`{str(taught['sha256'])[:16]}…`")
            for name, taught in config.trained_on.items()
        ),
    )


def _config_table(config: ModelConfig) -> str:
    tables = []
    for name, head in config.heads.items():
        rows = []
        for label, confidence in head.please_check.items():
            one = head.expected.get(label)
            told = (f"{one.precision:.2f}", f"{one.recall:.2f}", f"{one.passed:.0%}", str(one.posts)) if one else ()
            rows.append((label, f"{confidence:.2f}", *told, *("–",) * (4 - len(told))))
        header = (
            f"{name} (temperature {head.temperature:.2f}, bend {head.bend:.1f})",
            "from",
            "precision",
            "recall",
            "passed",
            "posts",
        )
        tables.append(_table(header, rows))
    return "\n\n".join(tables)


def _lane_expected(config: ModelConfig) -> str:
    told = f"A post goes to the emergency lane from P(emergency) ≥ {config.emergency:.3f} on, or by a pattern."
    if lane := config.lane:
        told += (
            f" On the calibration posts that found {lane.recall:.1%} of {lane.emergencies} emergencies (the model alone"
            f" {lane.recall_of_model:.1%}, the patterns alone {lane.recall_of_words:.1%}), and would have paged"
            f" someone for {lane.pages_per_1000:.1f} in 1,000 of {lane.ordinary:,} ordinary real posts and for"
            f" {lane.written_flagged:.1%} of {lane.written} written ones, many made to sound like danger."
        )
    return told


def _fact(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(_fact(one) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)


def _told(one: Estimate | None, digits: int = 3) -> str:
    """``0.711 [0.690, 0.731]``."""
    if one is None or not np.isfinite(one.value):
        return "–"
    return f"{one.value:.{digits}f} [{one.low:.{digits}f}, {one.high:.{digits}f}]"


def _percent(one: Estimate) -> str:
    if not np.isfinite(one.value):
        return "–"
    return f"{one.value:.1%} [{one.low:.1%}, {one.high:.1%}]"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    written = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    written.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(written)
