"""A small slice of ``make chaos``, and that its plan names what is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos import plan
from tests.chaos.control import doubles_of_the_naive
from tests.chaos.run import Run, Wanted
from tests.chaos.town import Size

ROOT = Path(__file__).parents[2]
STAGES = ("page.", "assess.", "draft.", "approve.", "reply.", "ticket.", "rollup.", "store.", "work.")
PASSING = "import crashing; crashing.here('a'); print(1, flush=True); crashing.here('a'); print(2, flush=True)"


def passed(**environment: str) -> subprocess.CompletedProcess[str]:
    """A process that comes to a point twice, and prints after each time."""
    return subprocess.run(
        [sys.executable, "-c", PASSING],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_stage_has_points_each_of_one_name() -> None:
    names = plan.points()

    assert all(any(name.startswith(stage) for name in names) for stage in STAGES), names
    assert names.keys() >= plan.WINDOW


def test_a_point_does_nothing_unless_it_is_asked_for() -> None:
    done = passed()

    assert (done.returncode, done.stdout) == (0, "1\n2\n")


def test_a_process_dies_at_the_asked_passing() -> None:
    done = passed(HARKEN_CRASH_AT="a:2")

    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "1\n")


def test_the_same_seed_makes_the_same_plan() -> None:
    wanted = list(plan.points())

    assert [plan.life(7, n, wanted) for n in range(50)] == [plan.life(7, n, wanted) for n in range(50)]
    assert [plan.weather(7, n) for n in range(50)] != [plan.weather(8, n) for n in range(50)]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_nothing_is_lost_and_nothing_doubled(store: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        size = Size(kills=5, mentions=30, replies=6, tickets=2)
        run = Run(Wanted(store=store, size=size, seed=4, pace=30, folder=tmp_path, kept=False), stack)
        run.prepare()

        verdict = run.go()

        assert verdict.wrong == []
        assert run.tally.kills >= size.kills
        assert verdict.counted["approved"] == size.replies
        if store == "sqlite":  # it knows no store of ours
            assert doubles_of_the_naive(run) > 0, "the naive sender doubled nothing: the suite sees nothing"
