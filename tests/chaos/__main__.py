"""``make chaos KILLS=300 SEED=1 STORE=sqlite|postgresql|both``: see README.md in this folder."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.control import doubles_of_the_naive
from tests.chaos.ground import Disk, place
from tests.chaos.judge import Verdict
from tests.chaos.nest import ROOT
from tests.chaos.run import READ_WITHIN, SETTLE, Run, Tally, Wanted
from tests.chaos.town import Size

STORES = ("sqlite", "postgresql")


def say(line: str) -> None:
    """Tell who waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run, print, and exit 1 on whatever must not be."""
    asked = _asked()
    wrong = 0
    for store in STORES if asked.store == "both" else (asked.store,):
        folder = asked.folder / f"{store}-{asked.seed}"
        wanted = Wanted(
            store=store,
            size=Size.of(asked.kills),
            seed=asked.seed,
            pace=asked.pace,
            folder=folder,
            resume=asked.resume,
            say=say,
        )
        if not asked.resume:
            clear(folder, store)
        verdict, tally = run(wanted)
        report(wanted, verdict, tally)
        wrong += bool(verdict.wrong)
    sys.exit(1 if wrong else 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=(*STORES, "both"), default="both")
    parser.add_argument("--pace", type=float, default=20.0, help="by how much every wait of a city is divided")
    parser.add_argument("--resume", action="store_true", help="go on with the run of this seed that was cut short")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "chaos", help="where runs are kept")
    return parser.parse_args()


def clear(folder: Path, store: str) -> None:
    """Forget an earlier run."""
    Disk(place(folder, store)).forget()
    shutil.rmtree(folder, ignore_errors=True)


def run(wanted: Wanted) -> tuple[Verdict, Tally]:
    """One run, and the negative control in the same weather."""
    with ExitStack() as stack:
        made = Run(wanted, stack)
        made.prepare()
        verdict = made.go()
        doubles = doubles_of_the_naive(made)
        verdict.counted["doubles of the naive sender"] = doubles
        if not doubles:
            verdict.wrong.append("the naive sender doubled nothing: this suite sees nothing")
    made.ground.disk.forget()
    return verdict, made.tally


def report(wanted: Wanted, verdict: Verdict, tally: Tally) -> None:
    """A table for people, and the same as JSON beside the run's state."""
    found: dict[str, Any] = {
        "store": wanted.store,
        "seed": wanted.seed,
        "asked": asdict(wanted.size),
        "tally": tally.as_json(),
        "kills": tally.kills,
        "counted": verdict.counted,
        "wrong": verdict.wrong,
    }
    (wanted.folder / "result.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    say(f"\n{wanted.store}, seed {wanted.seed}: {tally.kills} kills in {tally.seconds:.0f} s, {tally.lives} processes")
    settle = SETTLE / wanted.pace
    say(
        f"an effect is left alone for {settle:g} s, a call given up after {READ_WITHIN / wanted.pace:g} s, as in a city"
        f" {SETTLE:g} and {READ_WITHIN:g} ({SETTLE / READ_WITHIN:g} to 1); the sandbox's slowest answer took"
        f" {tally.slowest_answer:.2f} s"
    )
    for title, counted in (
        ("killed", tally.killed),
        ("stood still", tally.stood_still),
        ("weather", tally.weather),
        ("events", tally.events),
        ("ended by themselves", tally.fell),
        ("counted", verdict.counted),
    ):
        say(f"\n{title}")
        for name, count in sorted(counted.items()) if title != "counted" else counted.items():
            say(f"  {count:7d}  {name}")
    say("")
    for line in verdict.wrong or ["nothing lost, nothing doubled"]:
        say(f"WRONG: {line}" if verdict.wrong else line)


if __name__ == "__main__":
    main()
