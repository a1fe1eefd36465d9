"""When each stage runs: APScheduler as the clock, and a thread for each stage: one alone looks out for danger.

The clock only starts rounds; what is to be done stands in the work rows, so a round that is missed, late or doubled
loses nothing and repeats nothing.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from math import inf
from pathlib import Path
from typing import IO

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.background import BackgroundScheduler

from analytics import answers, rollup
from crashing import paced
from errors import ConfigError
from pipeline import learning, records, rounds, waking
from pipeline.deployment import Deployment
from pipeline.leading import Candidate
from pipeline.rounds import Stage
from store import attention, clock, idempotency, wakeups, work
from store.leader import NotLeadingError
from store.types import now

log = logging.getLogger(__name__)

TIDY_EVERY = paced(timedelta(seconds=15))
CLOCK_BACK = timedelta(seconds=5)  #: clocks are mended by less than this all the time
CRM_EVERY = timedelta(minutes=2)
CHECKPOINT_LOOKED_AT = timedelta(minutes=1)  #: whether one is due; the settings say how often one is
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


class Runner:
    """The clock and the worker of one process, and the lookout: a call that hangs must keep no alarm from ringing.

    On SQLite one process at a time is this. On PostgreSQL any number are: each works, and the leader's clock runs.
    """

    def __init__(self, deployment: Deployment, *, polling: bool = True) -> None:
        self._deployment = deployment
        self._store = deployment.store
        self._waker = waking.waker(deployment)
        self._watch = clock.Watch()
        self._workers = [
            threading.Thread(target=self._work, args=(stage,), name=stage.name, daemon=True) for stage in rounds.STAGES
        ]
        self._role: IO[str] | None = None
        pool = ThreadPoolExecutor(max_workers=max(3, len(deployment.accounts()) + 2))
        self._clock = BackgroundScheduler(executors={"default": pool}, timezone="UTC")
        self._candidate: Candidate | None = None
        if not self._store.is_sqlite:
            self._candidate = Candidate(
                self._store,
                rounds.WORKER,
                elected=partial(self._set_clock, "resume"),
                deposed=partial(self._set_clock, "pause"),
            )
        if polling:
            self._schedule()

    def _set_clock(self, how: str) -> None:
        with suppress(SchedulerNotRunningError):  # this process is about to end
            getattr(self._clock, how)()

    def _schedule(self) -> None:
        for name, account in self._deployment.accounts().items():
            self._every(account.poll_every, f"poll {name}", partial(self._listen, name))
        crm = self._deployment.settings.crm
        if crm.kind != "builtin":
            loopback = "127.0.0.1" in crm.base_url or "localhost" in crm.base_url
            self._every(CRM_EVERY_ON_LOOPBACK if loopback else CRM_EVERY, "poll crm", self._hear_crm)
        self._every(timedelta(seconds=5), "roll-ups", partial(count_all, self._deployment))
        self._every(TIDY_EVERY, "tidying", self._tidy)
        self._every(timedelta(hours=1), "old rows", self._prune)
        self._every(CHECKPOINT_LOOKED_AT, "checkpoint", partial(records.checkpoint_if_due, self._deployment))
        self._every_night("learn", partial(learning.nightly, self._deployment))

    def _tidy(self) -> None:
        """See to what nobody waits for: a clock that was set back, and what dead processes left in the queue."""
        with self._store.reading() as session:
            back = self._watch.set_back(clock.read(session), time.monotonic())
        if back > CLOCK_BACK:
            log.warning("the clock was set back by %.0f s", back.total_seconds())
            with self._store.writing() as session:
                work.clock_set_back(session)
                summary = f"the clock was set back by {back.total_seconds():.0f} seconds at {now():%F %T} UTC"
                remedy = "see that the machine of the database keeps the time (NTP)"
                attention.raise_(session, kind="clock", ref="set back", summary=summary, remedy=remedy)
        if not self._store.is_sqlite:
            with self._store.writing() as session:
                wakeups.tidy(session)

    def _prune(self) -> None:
        with self._store.writing() as session:
            idempotency.prune(session, before=now() - ANSWERS_KEPT)
        done = work.PRUNED_AT_ONCE
        while done == work.PRUNED_AT_ONCE and not self._deployment.stopping.is_set():
            with self._store.writing() as session:
                done = work.prune(session)

    def _every(self, span: timedelta, name: str, what: Callable[[], object]) -> None:
        """A late tick runs once, however many were missed; a round still running lets its tick pass."""
        self._clock.add_job(
            self._led(name, what),
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
            self._led(name, what),
            "cron",
            hour=NIGHT,
            timezone=self._deployment.settings.zone,
            id=name,
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=LATE_NIGHT,
        )

    def _led(self, name: str, what: Callable[[], object]) -> Callable[[], None]:
        """A tick, which only the leader may run. Two at once are harmless: each tick finds what the other did."""
        candidate = self._candidate

        def tick() -> None:
            if candidate is None:
                what()
                return
            with candidate.acting():
                what()

        return self._guarded(name, tick)

    def _guarded(self, name: str, what: Callable[[], object]) -> Callable[[], None]:
        """The one place that outlives any error: a broken round must not end the clock."""

        def run() -> None:
            if self._deployment.stopping.is_set():
                return
            try:
                what()
            except NotLeadingError as err:
                log.info("%s is left to another: %s", name, err, extra={"job": name})
            except Exception:
                log.exception("%s failed", name, extra={"job": name})

        return run

    def _listen(self, name: str) -> None:
        heard = rounds.poll(self._deployment, [name], only_due=True)
        if any(one.new for one in heard):
            self._waker.wake()

    def _hear_crm(self) -> None:
        rounds.poll_crm(self._deployment)

    def _work(self, stage: Stage) -> None:
        process = self._guarded(stage.name, partial(self._process, stage))
        while not self._deployment.stopping.is_set():
            process()
            self._waker.wait(self._rest(stage))

    def _process(self, stage: Stage) -> None:
        while not self._deployment.stopping.is_set() and self._due_in(stage) <= 0 and stage.step(self._deployment):
            self._waker.wake()  # what one has read, the other drafts for

    def _rest(self, stage: Stage) -> float:
        """Seconds until the next look. What is overdue and was not to be had waits for another worker."""
        try:
            due = self._due_in(stage)
        except Exception as err:  # noqa: BLE001  as in ``_guarded``, which has told of it
            log.debug("no look: %s", type(err).__name__)
            due = 0.0
        return min(due, self._waker.look_every) if due > 0 else self._waker.look_every

    def _due_in(self, stage: Stage) -> float:
        """A look that takes no write lock: most of the time there is nothing to do. Seconds; 0 or less: now."""
        with self._store.reading() as session:
            if stage.rings and rounds.alarms_due(session, self._deployment):
                return 0.0
            due = work.due_after(session, stage.kinds)
        return inf if due is None else due.total_seconds()

    def start(self) -> None:
        """Take the worker role, load the model, and go.

        Raises:
            ConfigError: another process has the worker role of this database.
        """
        self._role = take_role(self._deployment)
        _ = self._deployment.classifier
        self._waker.start()
        for worker in self._workers:
            worker.start()
        self._clock.start(paused=self._candidate is not None)
        if self._candidate is not None:
            self._candidate.start()

    def stop(self) -> bool:
        """Let what is in flight end; gives whether all of it did in time. What did not is taken up from its row.

        What was claimed and not begun is given back, and another process may lead.
        """
        self._deployment.stopping.set()
        self._waker.wake()
        until = time.monotonic() + STOP_WITHIN
        if self._clock.running:
            threading.Thread(target=self._clock.shutdown, daemon=True).start()
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))
        while self._clock.running and time.monotonic() < until:
            time.sleep(0.05)
        if self._candidate is not None:
            self._candidate.stop()
        self._waker.stop()
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
