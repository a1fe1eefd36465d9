"""What may be promised of each target, and what follows when a call fails or its outcome is not known.

Two tables. By what a target **offers**: whether a call whose outcome is unknown may be made again at once, must be read
back first, or is a person's; how long it rests, how often it is read, how many tries there are. By the **class of an
error**: what happens next. Both are shown by ``harken doctor`` and in ``docs/targets.md``, which a test compares.

Source: research on reliability, b5 and b6 (2026-11).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib import import_module

import clients
import crm_bridge
import responders
from clients import failures
from clients.failures import Failure
from crm_bridge.base import BUILT_IN
from errors import AdapterError, InDoubt, NotInvited, RateLimited, Refused, Unauthorized, Unavailable
from vocabulary import Offers

#: The call begins within this part of ``[sending] settle`` after its claim, or is not made.
BEGINS_WITHIN = 1 / 4
#: Between two readings, as part of ``settle``: half a minute at the usual 90 seconds.
BETWEEN_READINGS = 1 / 3
#: What lists late rests so many times as long: ten minutes at the usual 90 seconds.
LATE = 7


class Doubles(StrEnum):
    """How far it can be kept from happening twice."""

    NEVER = "never"  # by construction: a second call changes nothing
    HARDLY = "hardly ever"  # the target refuses it, as long as it remembers
    WINDOW = "only in a window"  # what is listed later than we looked
    PERSON = "a person decides"  # nothing shows whether it was done


class Then(StrEnum):
    """What follows an unknown outcome once it has rested."""

    AGAIN = "call again with the same key"
    READ_BACK = "read back, and call again only if it is not there"
    PERSON = "a person looks"


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """What we make of what a target offers."""

    doubles: Doubles
    then: Then
    rests: float  #: how many times ``[sending] settle`` an unknown outcome rests
    readings: int  #: that must show nothing before the call is made again
    tries: int  #: calls at most; then a person

    def rest(self, settle: timedelta) -> timedelta:
        """How long an unknown outcome rests after the call has ended."""
        return settle * self.rests

    def rest_from_claim(self, settle: timedelta) -> timedelta:
        """How long it rests where nobody knows when, or whether, the call began: it may have begun late."""
        return settle * (BEGINS_WITHIN + self.rests)


def promise(offers: Offers, *, age: timedelta = timedelta(0)) -> Promise:
    """What may be promised of a target. ``age``: how long ago its key was first given, at most."""
    remembers = offers.idempotency_key and (offers.key_kept is None or age < offers.key_kept)
    if offers.own_record_key or offers.external_id:
        doubles, then = Doubles.NEVER, Then.AGAIN
    elif remembers:
        doubles, then = Doubles.HARDLY, Then.AGAIN
    elif offers.read_back:
        doubles, then = Doubles.HARDLY if offers.takes_one else Doubles.WINDOW, Then.READ_BACK
    else:
        doubles, then = Doubles.PERSON, Then.PERSON
    late = offers.lists_late and then is Then.READ_BACK
    return Promise(
        doubles=doubles,
        then=then,
        rests=LATE if late else 1,
        readings=2 if offers.read_back else 0,
        tries=2 if late else 3,
    )


class Next(StrEnum):
    """What follows a failed call."""

    LATER = "not done: again after a pause, some minutes in all, then a person"
    ALLOWED = "not done: again when the target allows"
    KEYS = "not done: a person renews the keys, then tries again"
    LOOK_THEN_PERSON = "refused: read back once, then a person"
    LOOK_THEN_BY_HAND = "refused: read back once, then to be posted by hand"
    DOUBT = "unknown: it rests, then as the target's promise has it"


#: By class, the first that fits: what is more special comes first. Unknown is doubt.
NEXT: tuple[tuple[type[AdapterError], Next], ...] = (
    (RateLimited, Next.ALLOWED),
    (Unavailable, Next.LATER),
    (Unauthorized, Next.KEYS),
    (NotInvited, Next.LOOK_THEN_BY_HAND),
    (Refused, Next.LOOK_THEN_PERSON),
    (InDoubt, Next.DOUBT),
    (AdapterError, Next.DOUBT),
)


def after(err: AdapterError) -> Next:
    """What follows this failure of a call that was to change something."""
    return after_class(type(err))


def after_class(kind: type[AdapterError]) -> Next:
    """What follows failures of a class."""
    return next(follows for known, follows in NEXT if issubclass(kind, known))


def targets() -> Iterator[tuple[str, Offers]]:
    """Every target that there is an adapter for, with what it offers."""
    for name in _modules(responders):
        module = import_module(f"responders.{name}")
        if hasattr(module, "OFFERS"):
            yield name, module.OFFERS
        if hasattr(module, "PRIVATE_OFFERS"):
            yield f"{name}, private message", module.PRIVATE_OFFERS
    for name in _modules(crm_bridge):
        module = import_module(f"crm_bridge.{name}")
        if hasattr(module, "OFFERS"):
            yield name, module.OFFERS
    yield "builtin", BUILT_IN


def failures_of() -> Iterator[tuple[str, Failure]]:
    """Every row of what a failed call means, with the platform that it is of."""
    for name in _modules(clients):
        for row in getattr(import_module(f"clients.{name}"), "FAILURES", ()):
            yield name, row
    for row in (*failures.BY_STATUS, *failures.COMMON):
        yield "all", row


def _modules(package: object) -> list[str]:
    return sorted(one.name for one in pkgutil.iter_modules(getattr(package, "__path__")))  # noqa: B009


def told(offers: Offers) -> str:
    """A line for people: what follows an unknown outcome here, and what is left."""
    made = promise(offers)
    line = f"twice {made.doubles}; outcome unknown: {made.then}"
    return f"{line}; left: {offers.left}" if offers.left else line


def table_of_targets() -> str:
    """What each target offers and what follows, as Markdown for ``docs/targets.md``."""
    rows = [
        [
            name,
            _said(offers.idempotency_key or offers.own_record_key or offers.external_id),
            _said(offers.read_back),
            made.doubles,
            made.then,
            f"{made.rests:g} × `settle`",
            str(made.readings),
            str(made.tries),
            offers.left or "nothing",
        ]
        for name, offers in targets()
        for made in [promise(offers)]
    ]
    head = ["target", "key of ours", "read back", "twice", "outcome unknown", "rests", "readings", "tries", "left"]
    return _table(head, rows)


def table_of_failures() -> str:
    """What each failure means and what follows, as Markdown for ``docs/targets.md``."""
    rows = [
        [of, row.name, row.wrote.__name__, (row.read or row.wrote).__name__, after_class(row.wrote)]
        for of, row in failures_of()
    ]
    return _table(["platform", "it answers", "to a write", "to a read", "after a write"], rows)


def _said(yes: bool) -> str:
    return "yes" if yes else "no"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
