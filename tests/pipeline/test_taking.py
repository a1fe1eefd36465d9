"""Taking due work: what hangs together in order, the rest side by side, and what was not begun given back."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence

import pytest
from sqlmodel import Session

from pipeline.deployment import Deployment
from pipeline.taking import take_each
from store import work
from store.tables import WorkRow
from store.work import Claim
from tests.pipeline.city import City

KIND = "probe"


def asked(city: City, *refs: str) -> None:
    for ref in refs:
        with city.writing() as session:
            work.put(session, KIND, ref)


def threads(_: Session, claims: Sequence[Claim]) -> Sequence[Hashable]:
    """``a1`` and ``a2`` belong together."""
    return [one.ref[0] for one in claims]


def states(city: City) -> dict[str, str]:
    return {row.ref: row.state for row in city.all(WorkRow, WorkRow.kind == KIND)}


def test_what_hangs_together_goes_in_order_and_the_rest_beside_it(city: City) -> None:
    asked(city, "a1", "b1", "a2", "b2")
    both, seen = threading.Barrier(2), list[str]()

    def step(deployment: Deployment, claim: Claim) -> None:
        both.wait(60)  # comes true only where two are at it at once
        seen.append(claim.ref)
        with deployment.store.writing() as session:
            work.finish(session, [claim])

    done = take_each(city.deployment, KIND, step, worker="w", limit=9, apart=threads)

    assert done == 4
    assert [ref for ref in seen if ref[0] == "a"] == ["a1", "a2"]
    assert [ref for ref in seen if ref[0] == "b"] == ["b1", "b2"]
    assert set(states(city).values()) == {"done"}


def test_one_that_breaks_lets_those_begun_end_and_gives_back_the_rest(city: City) -> None:
    asked(city, "a1", "b1", "a2")
    both, broken = threading.Barrier(2), threading.Event()

    def step(deployment: Deployment, claim: Claim) -> None:
        both.wait(60)
        if claim.ref == "a1":
            broken.set()
            raise KeyError("a bug of ours")
        broken.wait(60)
        with deployment.store.writing() as session:
            work.finish(session, [claim])

    with pytest.raises(KeyError):
        take_each(city.deployment, KIND, step, worker="w", limit=9, apart=threads)

    assert states(city) == {"a1": "leased", "b1": "done", "a2": "ready"}
