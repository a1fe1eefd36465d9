"""Writes what an evaluation found: a table for the terminal, and the model card."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from classifiers.corpus import HEADS, SETS
from classifiers.evaluate import AlarmScore, HeadScore, Report
from classifiers.model_folder import ModelConfig

_TEMPLATE = Path(__file__).with_name("card.md")


def render(report: Report) -> str:
    """All figures of a report, as Markdown tables that also read well in a terminal."""
    return "\n\n".join(
        (
            f"# {report.model}",
            "## Heads\n\n" + heads_table(report.heads),
            *(f"### {name}: {head}\n\n{labels_table(score)}" for name, head, score in _in_detail(report)),
            "## Emergencies found\n\n" + alarm_table(report.recall, "emergencies"),
            "## False alarms\n\n" + alarm_table(report.false_alarms, "ordinary posts"),
            "## Services, language, speed, quantisation\n\n" + facts_table(report),
        )
    )


def write_card(path: Path, report: Report, config: ModelConfig) -> None:
    """Writes the model card: the report's figures in the frame of ``card.md``, which says what they mean."""
    card = _TEMPLATE.read_text(encoding="utf-8")
    for mark, text in {
        "MODEL": report.model,
        "TRAINED_ON": _trained_on(config),
        "FACTS": _table(("what", "value"), ((name, str(value)) for name, value in config.facts.items())),
        "CONFIG": _config_table(config),
        "HEADS": heads_table(report.heads),
        "LABELS": "\n\n".join(
            f"**{name}: {head}**\n\n{labels_table(score)}" for name, head, score in _in_detail(report)
        ),
        "RECALL": alarm_table(report.recall, "emergencies"),
        "FALSE_ALARMS": alarm_table(report.false_alarms, "ordinary posts"),
        "MEASURED": facts_table(report),
    }.items():
        card = card.replace(f"<!-- {mark} -->", text)
    path.write_text(card, encoding="utf-8")


def heads_table(heads: Mapping[str, Mapping[str, HeadScore]]) -> str:
    """A row for each set and head."""
    return _table(
        ("set", "head", "posts", "accuracy", "macro recall", "macro F1", "ECE", "to check", "right above"),
        (
            (
                name,
                head,
                str(score.posts),
                *(f"{value:.3f}" for value in (score.accuracy, score.macro_recall, score.macro_f1, score.ece)),
                f"{score.checked:.0%}",
                f"{score.accuracy_above:.3f}",
            )
            for name, scores in heads.items()
            for head, score in scores.items()
        ),
    )


def labels_table(score: HeadScore) -> str:
    """A row for each label that the set has."""
    return _table(
        ("label", "posts", "precision", "recall", "F1"),
        (
            (name, str(label.posts), f"{label.precision:.2f}", f"{label.recall:.2f}", f"{label.f1:.2f}")
            for name, label in score.labels.items()
        ),
    )


def alarm_table(scores: Mapping[str, AlarmScore], what: str) -> str:
    """A row for each set: the share that went to the emergency lane, and by what."""
    return _table(
        ("set", what, "by words", "by model", "by either"),
        (
            (name, str(score.posts), f"{score.words:.1%}", f"{score.model:.1%}", f"{score.either:.1%}")
            for name, score in scores.items()
        ),
    )


def facts_table(report: Report) -> str:
    """Languages, speed and what quantisation costs."""
    speed = report.speed
    int8 = "not measured" if report.int8_changes is None else f"{report.int8_changes:.2%}"
    return _table(
        ("what", "measured"),
        (
            *(
                (f"service code as answered, none included, {name}", f"{share:.1%} right")
                for name, share in report.services_right.items()
            ),
            *((f"language told right, {name}", f"{share:.1%}") for name, share in report.languages.items()),
            ("language detection", f"{report.language_posts_per_second:,.0f} posts/s on one core"),
            ("whole classifier, many posts", f"{speed.posts_per_second:,.0f} posts/s on {speed.cores} cores"),
            ("one post alone", f"{speed.p50_ms:.1f} ms in the middle, {speed.p95_ms:.1f} ms at the 95th percentile"),
            ("memory of the whole process", f"{speed.memory_mb:,.0f} MB"),
            ("answers that differ from the unquantised model's", int8),
            ("answers that would change in padded batches of 32", f"{report.batch_changes:.2%}"),
        ),
    )


def _in_detail(report: Report) -> list[tuple[str, str, HeadScore]]:
    """The sets whose labels are worth a table each."""
    wanted = {
        "intents val": tuple(HEADS),
        "written, held out": ("intent", "urgency"),
        "requests311 val": ("service_code",),
    }
    return [(name, head, report.heads[name][head]) for name, heads in wanted.items() for head in heads]


def _trained_on(config: ModelConfig) -> str:
    return _table(
        ("set", "rows", "licence and terms", "sha256 of what it taught"),
        (
            (SETS[name].title, f"{taught['rows']}", SETS[name].licence, f"`{str(taught['sha256'])[:16]}…`")
            for name, taught in config.trained_on.items()
        ),
    )


def _config_table(config: ModelConfig) -> str:
    rows: list[tuple[str, ...]] = [
        (
            name,
            f"{head.temperature:.3f}",
            ", ".join(f"{label} {confidence:.2f}" for label, confidence in head.please_check.items()),
        )
        for name, head in config.heads.items()
    ]
    return (
        _table(("head", "temperature", "please check below"), rows)
        + f"\n\nA post goes to the emergency lane from P(emergency) ≥ {config.emergency:.3f} on."
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    written = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    written.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(written)
