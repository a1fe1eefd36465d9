"""Places where the chaos suite may kill this process, or scale its waits down; in ordinary life they do nothing.

``here("reply.claimed")`` marks a moment at which a crash must lose nothing and repeat nothing. When the environment has
``HARKEN_CRASH_AT="reply.claimed:3"``, the third passing of that point ends the process by SIGKILL; with
``reply.claimed:3:SIGSTOP`` it stands still instead, until somebody sends it SIGCONT. ``HARKEN_PACE=20`` makes every
span that goes through ``paced`` a twentieth, so that what takes minutes in a city happens in seconds.
"""

import os
import signal
import threading
from dataclasses import dataclass
from datetime import timedelta

AT, PACE = "HARKEN_CRASH_AT", "HARKEN_PACE"


@dataclass
class _Crash:
    point: str
    passing: int  #: the how many-th passing, from 1
    how: signal.Signals


_lock = threading.Lock()
_planned: _Crash | None = None


def here(point: str) -> None:
    """Die here, if that was asked of this process. Points are named where they stand, each name once."""
    if _planned is not None and _planned.point == point:
        _pass(_planned)


def _pass(crash: _Crash) -> None:
    with _lock:
        crash.passing -= 1
        if crash.passing == 0:
            os.kill(os.getpid(), crash.how)


def plan(asked: str | None) -> None:
    """Do from now on as ``HARKEN_CRASH_AT`` would have it.

    Raises:
        ValueError: it does not read ``point:passing`` or ``point:passing:SIGNAL``.
    """
    global _planned
    if not asked:
        _planned = None
        return
    point, passing, *how = asked.split(":")
    _planned = _Crash(point=point, passing=int(passing), how=signal.Signals[how[0]] if how else signal.SIGKILL)


def paced(span: timedelta) -> timedelta:
    """A wait of ours; shorter where the chaos suite is in a hurry."""
    return span / float(os.environ.get(PACE, "1"))


plan(os.environ.get(AT))
