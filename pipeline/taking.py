"""Taking what is due of one kind a step further, one piece after the other."""

from __future__ import annotations

from collections.abc import Callable

import crashing
from pipeline.deployment import Deployment
from store import work
from store.work import Claim


def take_each(
    deployment: Deployment, kind: str, step: Callable[[Deployment, Claim], None], *, worker: str, limit: int
) -> int:
    """Claim what is due and take each a step further; gives how many there were.

    One that breaks us must not take the others along: those not begun are given back, and the error goes on.
    """
    with deployment.store.writing() as session:
        claims = work.claim(session, kind, worker=worker, limit=limit)
    for number, claim in enumerate(claims, start=1):
        crashing.here("work.claimed")
        try:
            step(deployment, claim)
        except BaseException:
            with deployment.store.writing() as session:
                work.give_back(session, claims[number:])
            raise
    return len(claims)
