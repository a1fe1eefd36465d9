"""What happens to a run, by its seed: where and when its processes die or stand still, and how the platforms fail."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = (
    "analytics", "classifiers", "cli", "clients", "crm_bridge", "listeners", "pipeline", "places", "responders",
    "scheduler.py", "store", "web",
)  # fmt: skip

#: A process that stands still here, after the last look at the time and before the call, does what nobody can undo:
#: see README.md, "The window that remains". Pauses here are shorter than ``settle``.
WINDOW = frozenset({"reply.calling", "ticket.calling"})


def points() -> dict[str, str]:
    """Every named crash point, and the file in which it stands.

    Raises:
        ValueError: a point without a plain name, or two of one name.
    """
    found: dict[str, str] = {}
    for path in _sources():
        if "crashing" not in (text := path.read_text(encoding="utf-8")):
            continue
        for name in _named(ast.parse(text)):
            if name is None or name in found:
                raise ValueError(f"{path}: crashing.here({name!r}) must give a name of its own, written out")
            found[name] = str(path.relative_to(ROOT))
    return found


def _sources() -> Iterator[Path]:
    for name in PRODUCT:
        yield from sorted((ROOT / name).rglob("*.py")) if (ROOT / name).is_dir() else [ROOT / name]


def _named(tree: ast.AST) -> Iterator[str | None]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "crashing.here":
            given = node.args[0] if len(node.args) == 1 else None
            yield given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """How a process ends: at a named point, or at a moment, whichever comes first."""

    point: str | None  #: where
    passing: int  #: the how many-th time it comes there
    seconds: float  #: after it is up; below 0: while it starts
    stands_still: bool  #: SIGSTOP, and SIGCONT after a while; else SIGKILL
    beyond_settle: bool  #: it stands still for longer than an effect is left alone; else for longer than a lease

    @property
    def crash(self) -> str:
        """As ``HARKEN_CRASH_AT`` takes it."""
        return f"{self.point}:{self.passing}:{'SIGSTOP' if self.stands_still else 'SIGKILL'}" if self.point else ""


def life(seed: int, number: int, wanted: list[str]) -> Life:
    """The ``number``-th process of a run."""
    dice = random.Random(f"{seed}:life:{number}")
    point = dice.choice(wanted) if dice.random() < 0.7 else None
    often = point is not None and point.startswith("store.")
    stands_still = dice.random() < 0.15
    return Life(
        point=point,
        passing=dice.choice((1, 2, 3, 5, 8, 13, 21, 34, 55)) if often else dice.choice((1, 1, 1, 2, 3, 5)),
        seconds=6.0 if point else dice.choice((-0.5, 0.05, 0.3, 1.0, 2.0, 3.0)),
        stands_still=stands_still,
        beyond_settle=stands_still and point is not None and point not in WINDOW and dice.random() < 0.5,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Weather:
    """One fault of a platform or of the CRM."""

    target: str
    kind: str
    count: int = 1
    after_effect: bool = False


_AFTER = ("500", "502", "html", "timeout", "reset", "cut_json", "empty_200", "html_200", "json_500", "permission")
_BEFORE = ("500", "503", "timeout", "reset", "string_error")
_READS = ("500", "503", "timeout", "reset", "cut_json", "html")
_PAGES = (*_READS, "shuffle", "repeat_pages", "unknown_fields")
WRITES = ("x.create", "facebook.create", "open311.create")
_LISTED = ("x.mentions", "x.timeline", "facebook.feed", "x.quotes")
_ASKED = ("x.lookup", "facebook.lookup", "facebook.comments", "open311.requests")


def weather(seed: int, number: int) -> Weather:
    """The ``number``-th fault of a run: half of them say no to what was done."""
    dice = random.Random(f"{seed}:weather:{number}")
    which = dice.random()
    if which < 0.5:
        return Weather(
            target=dice.choice(WRITES), kind=dice.choice(_AFTER), after_effect=True, count=dice.choice((1, 2))
        )
    if which < 0.6:
        return Weather(target=dice.choice(WRITES), kind=dice.choice(_BEFORE))
    if (
        which < 0.65
    ):  # X says when it will hear us again; the others do not, and are left alone for a quarter of an hour
        return Weather(target=dice.choice(("x.create", "x.mentions", "x.lookup")), kind="429")
    if which < 0.85:
        return Weather(target=dice.choice(_LISTED), kind=dice.choice(_PAGES), count=dice.choice((1, 2, 4)))
    return Weather(target=dice.choice(_ASKED), kind=dice.choice(_READS))
