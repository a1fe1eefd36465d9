"""The negative control: a naive sender on the same rig must double what it sends, or the suite is blind."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.chaos import plan
from tests.chaos.naive import outbox

if TYPE_CHECKING:
    from tests.chaos.run import Run

REPLIES, TICKETS, KILLS = 30, 10, 8
WITHIN = 90.0  #: seconds for it to send everything


def doubles_of_the_naive(run: Run) -> int:
    """How many effects too many it makes of 40, in the weather that Harken had, and killed as Harken was."""
    for slot in run.slots:
        if slot.pid:
            os.kill(slot.pid, signal.SIGKILL)
    waiting = outbox(run.config.parent)
    waiting.execute("DELETE FROM effect")
    targets = run.ctl.load(
        [{"platform": ("x", "facebook")[i % 2], "author": f"naive{i}", "text": "hello"} for i in range(REPLIES)]
    )
    rows = [(("x", "facebook")[i % 2], target, f"Naively, {i}") for i, target in enumerate(targets)]
    rows += [("ticket", f"NV-{100000 + i}", f"Naively, ticket {i}") for i in range(TICKETS)]
    waiting.executemany("INSERT INTO effect (kind, target, text, sent) VALUES (?, ?, ?, 0)", rows)
    dice = random.Random(f"{run.wanted.seed}:naive")
    for number in range(6):
        run.ctl.faults(plan.WRITES[number % 3], "500", 1, after_effect=True, skip=dice.randrange(5))
    _let_it_send(run, dice)
    run.ctl.clear_faults()
    texts = Counter(one["text"] for one in run.ctl.effects() if str(one["text"]).startswith("Naively, "))
    return texts.total() - len(texts)


def _let_it_send(run: Run, dice: random.Random) -> None:
    waiting = outbox(run.config.parent)
    until, kills = time.monotonic() + WITHIN, 0
    pid = run.nest.start("naive", run.config)
    killed_at = time.monotonic() + dice.uniform(0.3, 1.0)
    while time.monotonic() < until:
        if not waiting.execute("SELECT count(*) FROM effect WHERE sent = 0").fetchone()[0]:
            break
        if kills < KILLS and run.nest.is_up(pid) and time.monotonic() > killed_at:
            os.kill(pid, signal.SIGKILL)
            kills += 1
            pid = run.nest.start("naive", run.config)
            killed_at = time.monotonic() + dice.uniform(0.1, 0.6)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
