"""Taking what is due of one kind a step further: one piece after the other, or some side by side."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

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
    apart: Callable[[Session, Sequence[Claim]], Sequence[Hashable]] | None = None,
) -> int:
    """Claim what is due and take each a step further; gives how many there were.

    One that breaks us must not take the others along: those not begun are given back, and the error goes on. They are
    given back too when this process is to stop.

    ``apart``: gives what each hangs together with; what does not may go side by side, as many at once as the
    deployment has it, and what does goes in order.
    """
    claims = claim(deployment, kind, worker=worker, limit=limit, in_lanes=in_lanes)
    rows = [claims] if apart is None or len(claims) < 2 else _parted(deployment, claims, apart)
    begun = _Begun(deployment)
    try:
        with keeping(deployment, claims):
            if len(rows) < 2 or deployment.side_by_side < 2:
                for row in rows:
                    begun.take(row, step)
            else:
                _side_by_side(deployment, rows, begun, step)
    finally:
        if left := [one for one in claims if one not in begun.claims]:
            give_back(deployment, left)
    return len(begun.claims)


class _Begun:
    """What was begun of a batch; nothing more is, once one broke or this process is to stop."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._broken = threading.Event()
        self.claims: list[Claim] = []

    def take(self, row: Sequence[Claim], step: Callable[[Deployment, Claim], None]) -> None:
        """Take one after the other a step further."""
        for one in row:
            if self._deployment.stopping.is_set() or self._broken.is_set():
                return
            self.claims.append(one)
            try:
                crashing.here("work.claimed")
                step(self._deployment, one)
            except BaseException:
                self._broken.set()
                raise


def _parted(
    deployment: Deployment,
    claims: Sequence[Claim],
    apart: Callable[[Session, Sequence[Claim]], Sequence[Hashable]],
) -> list[list[Claim]]:
    with deployment.store.reading() as session:
        together = apart(session, claims)
    rows: dict[Hashable, list[Claim]] = {}
    for one, key in zip(claims, together, strict=True):
        rows.setdefault(key, []).append(one)
    return list(rows.values())


def _side_by_side(
    deployment: Deployment,
    rows: Sequence[Sequence[Claim]],
    begun: _Begun,
    step: Callable[[Deployment, Claim], None],
) -> None:
    """Each row in a thread; the first error goes on when all have ended."""
    with ThreadPoolExecutor(min(deployment.side_by_side, len(rows)), thread_name_prefix="effects") as pool:
        running = [pool.submit(begun.take, row, step) for row in rows]
    for one in running:
        one.result()


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
