"""What was measured, and how it is shown."""

from __future__ import annotations

import math
import os
import platform
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the table: the median of some runs, with the lowest and highest."""

    what: str
    unit: str
    median: float
    low: float
    high: float
    runs: int
    note: str = ""


def figure(what: str, unit: str, values: Sequence[float], note: str = "") -> Figure:
    """The median of what some runs gave."""
    return Figure(
        what=what,
        unit=unit,
        median=statistics.median(values),
        low=min(values),
        high=max(values),
        runs=len(values),
        note=note,
    )


def spread(what: str, unit: str, samples: Sequence[float], note: str = "") -> list[Figure]:
    """The 50th and 95th percentile of one run's samples."""
    ordered = sorted(samples)
    note = note or f"{len(ordered)} samples"
    return [
        Figure(what=f"{what}, p{share}", unit=unit, median=value, low=ordered[0], high=ordered[-1], runs=1, note=note)
        for share in (50, 95)
        for value in [ordered[max(math.ceil(share / 100 * len(ordered)) - 1, 0)]]
    ]


def resident(pid: int) -> float:
    """What a process and its children hold of memory, in MiB; pages that several share are counted once among them."""
    held = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                held += one.memory_full_info().pss
    return held / 2**20


def machine() -> dict[str, object]:
    """Where it was measured; a figure without it says nothing."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table that also reads well in a terminal."""
    header = ("what", "median", "lowest – highest", "runs", "unit", "")
    rows = [
        (one.what, _said(one.median), f"{_said(one.low)} – {_said(one.high)}", str(one.runs), one.unit, one.note)
        for one in figures
    ]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (header, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _said(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
