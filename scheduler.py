"""When each stage runs: APScheduler as the clock, a worker thread for what is due, another that looks out for danger.

The clock only starts rounds; what is to be done stands in the work rows, so a round that is missed, late or doubled
loses nothing and repeats nothing.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from analytics import answers, rollup
from errors import ConfigError
from pipeline import learning, rounds
from pipeline.deployment import Deployment
from store import idempotency, work
from store.types import now

log = logging.getLogger(__name__)

IDLE = 0.3  #: seconds between looks at the work rows when nothing wakes the worker
CRM_EVERY = timedelta(minutes=2)
CRM_EVERY_ON_LOOPBACK = timedelta(seconds=3)
ANSWERS_KEPT = timedelta(hours=24)  #: how long a write with an Idempotency-Key is answered as the first time
NIGHT = 4  #: o'clock in the city
LATE_NIGHT = 3600  #: seconds by which a night's job may be late; after that the next night will do
STOP_WITHIN = 8.0  #: seconds that a round in flight gets to end


def count_all(deployment: Deployment) -> None:
    """Bring the roll-ups up to date, a page a transaction."""
    while rollup.refresh(deployment.store):
        pass
    while answers.refresh(deployment.store, deployment.settings.zone):
        pass


class Waker(Protocol):
    """Wakes a worker early. Losing every call loses nothing: the work rows are looked at all the same."""

    def wake(self) -> None:
        """Something may be due."""
        ...

    def wait(self, seconds: float) -> None:
        """Rest until woken, or so long."""
        ...


class InProcess(Waker):
    """For one process on one machine."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def wake(self) -> None:
        """Something may be due."""
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Rest until woken, or so long."""
        self._event.wait(seconds)
        self._event.clear()


class Runner:
    """The clock and the worker of one process, and the lookout: a call that hangs must keep no alarm from ringing."""

    def __init__(self, deployment: Deployment, *, polling: bool = True) -> None:
        self._deployment = deployment
        self._waker: Waker = InProcess()
        self._stopping = threading.Event()
        both = {"worker": rounds.act, "lookout": rounds.understand}
        self._workers = [
            threading.Thread(target=self._work, args=(name, step), name=name, daemon=True)
            for name, step in both.items()
        ]
        self._busy = threading.Lock()
        self._role: IO[str] | None = None
        pool = ThreadPoolExecutor(max_workers=max(2, len(deployment.accounts()) + 1))
        self._clock = BackgroundScheduler(executors={"default": pool}, timezone="UTC")
        if polling:
            self._schedule()

    def _schedule(self) -> None:
        for name, account in self._deployment.accounts().items():
            self._every(account.poll_every, f"poll {name}", partial(self._listen, name))
        crm = self._deployment.settings.crm
        if crm.kind != "builtin":
            loopback = "127.0.0.1" in crm.base_url or "localhost" in crm.base_url
            self._every(CRM_EVERY_ON_LOOPBACK if loopback else CRM_EVERY, "poll crm", self._hear_crm)
        self._every(timedelta(seconds=5), "roll-ups", partial(count_all, self._deployment))
        self._every(timedelta(hours=1), "old answers", self._prune)
        self._every_night("learn", partial(learning.nightly, self._deployment))

    def _prune(self) -> None:
        with self._deployment.store.writing() as session:
            idempotency.prune(session, before=now() - ANSWERS_KEPT)

    def _every(self, span: timedelta, name: str, what: Callable[[], object]) -> None:
        """A late tick runs once, however many were missed; a round still running lets its tick pass."""
        self._clock.add_job(
            self._guarded(name, what),
            "interval",
            seconds=span.total_seconds(),
            id=name,
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def _every_night(self, name: str, what: Callable[[], object]) -> None:
        """Once in the city's night, at an hour that no change of the clocks skips or repeats in America or Europe."""
        self._clock.add_job(
            self._guarded(name, what),
            "cron",
            hour=NIGHT,
            timezone=self._deployment.settings.zone,
            id=name,
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=LATE_NIGHT,
        )

    def _guarded(self, name: str, what: Callable[[], object]) -> Callable[[], None]:
        """The one place that outlives any error: a broken round must not end the clock."""

        def run() -> None:
            if self._stopping.is_set():
                return
            try:
                what()
            except Exception:
                log.exception("%s failed", name, extra={"job": name})

        return run

    def _listen(self, name: str) -> None:
        heard = rounds.poll(self._deployment, [name], only_due=True)
        if any(one.new for one in heard):
            self._waker.wake()

    def _hear_crm(self) -> None:
        rounds.poll_crm(self._deployment)

    def _work(self, name: str, step: Callable[[Deployment], int]) -> None:
        process = self._guarded(name, partial(self._process, step))
        while not self._stopping.is_set():
            process()
            self._waker.wait(IDLE)

    def _process(self, step: Callable[[Deployment], int]) -> None:
        while not self._stopping.is_set() and self._due() and step(self._deployment):
            self._waker.wake()  # what one has read, the other drafts for

    def _due(self) -> bool:
        """A look that takes no write lock: most of the time there is nothing to do."""
        with self._deployment.store.reading() as session:
            return work.due_in(session) > 0 or rounds.alarms_due(session, self._deployment)

    def start(self) -> None:
        """Take the worker role, load the model, and go.

        Raises:
            ConfigError: another process has the worker role of this database.
        """
        self._role = take_role(self._deployment)
        _ = self._deployment.classifier
        for worker in self._workers:
            worker.start()
        self._clock.start()

    def stop(self) -> bool:
        """Let what is in flight end; gives whether all of it did in time. What did not is taken up from its row."""
        self._stopping.set()
        self._waker.wake()
        until = time.monotonic() + STOP_WITHIN
        if self._clock.running:
            threading.Thread(target=self._clock.shutdown, daemon=True).start()
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))
        while self._clock.running and time.monotonic() < until:
            time.sleep(0.05)
        if self._role is not None:
            self._role.close()
        return not any(worker.is_alive() for worker in self._workers) and not self._clock.running


def take_role(deployment: Deployment) -> IO[str] | None:
    """On SQLite one process at a time is the worker; the lock goes with the process, however it ends.

    Raises:
        ConfigError: another process is the worker.
    """
    database = deployment.store.engine.url.database
    if not deployment.store.is_sqlite or not database:
        return None
    lock = Path(f"{database}.worker").open("w")  # noqa: SIM115  held as long as the process lives
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        lock.close()
        raise ConfigError(f"{database}: another `harken run` or `harken worker` has it; stop that one first") from err
    return lock
