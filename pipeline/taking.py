"""Taking what is due of one kind a step further, one piece after the other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy.exc import DBAPIError

import crashing
from pipeline.deployment import Deployment
from store import work
from store.work import Claim

log = logging.getLogger(__name__)

#: A call that hangs for longer than any of ours may is given up to another worker.
KEPT_AT_MOST = timedelta(minutes=10)


def claim(deployment: Deployment, kind: str, *, worker: str, limit: int, in_lanes: bool = False) -> list[Claim]:
    """What is due of a kind, leased to us."""
    with deployment.store.claiming() as session:
        return work.claim(session, kind, worker=worker, limit=limit, in_lanes=in_lanes)


def give_back(deployment: Deployment, claims: Sequence[Claim]) -> None:
    """Let another do what we have not begun."""
    with deployment.store.claiming() as session:
        work.give_back(session, claims)


def take_each(
    deployment: Deployment,
    kind: str,
    step: Callable[[Deployment, Claim], None],
    *,
    worker: str,
    limit: int,
    in_lanes: bool = False,
) -> int:
    """Claim what is due and take each a step further; gives how many there were.

    One that breaks us must not take the others along: those not begun are given back, and the error goes on. They are
    given back too when this process is to stop.
    """
    claims = claim(deployment, kind, worker=worker, limit=limit, in_lanes=in_lanes)
    begun = 0
    try:
        with keeping(deployment, claims):
            for one in claims:
                if deployment.stopping.is_set():
                    break
                begun += 1
                crashing.here("work.claimed")
                step(deployment, one)
    finally:
        if claims[begun:]:
            give_back(deployment, claims[begun:])
    return begun


@contextmanager
def keeping(deployment: Deployment, claims: Sequence[Claim]) -> Iterator[None]:
    """Lease what we hold anew as long as the block lasts, so that slow work is not begun by a second worker too.

    A process that was killed or stands still renews nothing, and what it held goes to another.
    """
    done = threading.Event()
    keeper = threading.Thread(target=_renew_until, args=(done, deployment, claims), name="leases", daemon=True)
    if claims:
        keeper.start()
    try:
        yield
    finally:
        done.set()


def _renew_until(done: threading.Event, deployment: Deployment, claims: Sequence[Claim]) -> None:
    until = time.monotonic() + KEPT_AT_MOST.total_seconds()
    while not done.wait(work.LEASE.total_seconds() / 3) and time.monotonic() < until:
        try:
            with deployment.store.claiming() as session:
                work.renew(session, claims)
        except DBAPIError as err:  # the database is away: whoever works for us finds that out by itself
            log.warning("leases were not renewed: %s", type(err.orig).__name__)
