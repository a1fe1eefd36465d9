"""`make bench`: how fast Harken is on this machine. Nothing passes or fails.

Some five minutes. Medians of several runs in one go, on real files and real HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a model is a file of this repository, never a download

from sandbox.running import running
from tests.bench import classifying, ingesting, queueing, sending, served, whole_way
from tests.bench.figures import Figure, machine, table


def _whole(folder: Path) -> list[Figure]:
    seed = json.loads((Path(__file__).parents[2] / "demo" / "seed.json").read_text(encoding="utf-8"))
    with running(seed=seed) as network:
        return served.whole(folder, network)


#: Each is given a folder to write in.
PARTS: dict[str, Callable[[Path], list[Figure]]] = {
    "classifier": lambda _: classifying.classifying(),
    "ingest": ingesting.ingest,
    "way": whole_way.whole_way,
    "whole": _whole,
    "sending": sending.sending,
    "queue": lambda _: queueing.queueing(),
}


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(prog="make bench", description=__doc__)
    asked.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    asked.add_argument("--only", choices=sorted(PARTS), help="one part alone")
    given = asked.parse_args()
    where, began = machine(), time.monotonic()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="harken-bench-") as made:
        for what, measure in PARTS.items():
            if given.only in (None, what):
                figures += _told(what, partial(measure, Path(made)))
    took = round(time.monotonic() - began)
    if given.json:
        found = {"machine": where, "seconds": took, "figures": [asdict(one) for one in figures]}
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in where.items())
        sys.stdout.write(f"{table(figures)}\n\n{said}; took {took} s\n")


def _told(what: str, measure: Callable[[], list[Figure]]) -> list[Figure]:
    began = time.monotonic()
    found = measure()
    sys.stderr.write(f"{what}: {time.monotonic() - began:.0f} s\n")
    return found


if __name__ == "__main__":
    main()
