"""What was measured of the shipped model: ``figures.json`` beside its config, written by ``harken evaluate --json``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from classifiers.model_folder import SHIPPED

log = logging.getLogger(__name__)

FIGURES_FILE = "figures.json"
HELD_BACK = "held-back posts"  #: by writers of whom the model learned nothing; the set that says most
PAGES = "pages per 1,000"  #: how the bar's name begins


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A measured value with the interval that it lies in, 95 of 100 times."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelFigures:
    """How one label does."""

    posts: int
    precision: Figure | None
    recall: Figure | None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadFigures:
    """How one head does on the held-back posts."""

    posts: int
    macro_f1: Figure | None
    macro_recall: Figure | None
    accuracy: Figure | None
    ece: Figure | None
    checked: float | None  #: share of posts below the threshold of the label that they were given
    accuracy_above: Figure | None
    labels: Mapping[str, LabelFigures]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One thing that the model is to reach."""

    what: str
    reach: str
    figure: Figure | None
    verdict: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All that a page tells of a model."""

    model: str
    posts: int
    heads: Mapping[str, HeadFigures]
    lane: Figure | None  #: share of emergencies that the emergency lane finds
    lane_by_model: Figure | None  #: share that the threshold alone finds
    pages: Figure | None  #: ordinary posts in a thousand that page somebody
    bars: tuple[Bar, ...]


def shipped_figures(model: str, folder: Path = SHIPPED) -> Figures | None:
    """The figures of a model; None where it was not measured, or the file is of another model."""
    path = folder / FIGURES_FILE
    try:
        return _read(path, path.stat().st_mtime_ns, model)
    except OSError:
        return None


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, model: str) -> Figures | None:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        found = _figures(table)
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        log.warning("%s can't be read, so no figures are shown: %s", path, err)
        return None
    if found.model != model:
        log.warning("%s is of %s, not of %s: no figures are shown", path, found.model, model)
        return None
    return found


def _figures(table: Mapping[str, Any]) -> Figures:
    heads = table["heads"].get(HELD_BACK, {})
    lane = table["emergencies"].get(HELD_BACK, {})
    bars = tuple(_bar(one) for one in table["bars"])
    return Figures(
        model=table["model"],
        posts=table["sets"].get(HELD_BACK, 0),
        heads={name: _head(one) for name, one in heads.items()},
        lane=_figure(lane.get("either")),
        lane_by_model=_figure(lane.get("model")),
        pages=next((one.figure for one in bars if one.what.startswith(PAGES)), None),
        bars=tuple(one for one in bars if one.reach),
    )


def _head(table: Mapping[str, Any]) -> HeadFigures:
    whole = table["whole"]
    return HeadFigures(
        posts=whole["posts"],
        macro_f1=_figure(whole["macro_f1"]),
        macro_recall=_figure(whole["macro_recall"]),
        accuracy=_figure(whole["accuracy"]),
        ece=_figure(whole["ece"]),
        checked=table.get("checked"),
        accuracy_above=_figure(table.get("accuracy_above")),
        labels={
            name: LabelFigures(posts=one["posts"], precision=_figure(one["precision"]), recall=_figure(one["recall"]))
            for name, one in table["labels"].items()
        },
    )


def _bar(table: Mapping[str, Any]) -> Bar:
    found = next((table[where] for where in ("both", "held_back", "val") if table.get(where)), None)
    judged: list[str] = table.get("judged") or []
    if len(judged) == 1:
        found = table.get(judged[0])
    reach = "" if table.get("target") is None else f"{table['side']} {table['target']:g}"
    return Bar(what=table["what"], reach=reach, figure=_figure(found), verdict=table.get("verdict", ""))


def _figure(table: Mapping[str, Any] | None) -> Figure | None:
    if not table or table.get("value") is None:
        return None
    value: float = table["value"]
    low, high = table.get("low"), table.get("high")
    return Figure(value=value, low=value if low is None else low, high=value if high is None else high)
