"""What wakes a worker early. Losing every wake-up loses nothing, and doubling them doubles nothing.

In one process a condition is enough. Where many processes share PostgreSQL, Procrastinate tells one of them of each
wake-up that a transaction enqueued (``store.wakeups``); the others find what is left when they look by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, Protocol

from pipeline.deployment import Deployment
from store import wakeups

log = logging.getLogger(__name__)

AGAIN_AFTER = 2.0  #: seconds until the queue is listened to again after it broke off
LOOK_IN_QUEUE = 5.0  #: seconds, should a notice of the database be missed
HEARTBEAT = 10.0  #: seconds


class Waker(Protocol):
    """Wakes a worker early. Losing every call loses nothing: the work rows are looked at all the same."""

    look_every: float  #: seconds after which to look unwoken

    def wake(self) -> None:
        """Something may be due here."""
        ...

    def wait(self, seconds: float) -> None:
        """Rest until woken, or so long. A call that came since this thread's last rest ends it at once."""
        ...

    def start(self) -> None:
        """Begin to hear of what others ask for."""
        ...

    def stop(self) -> None:
        """Hear no more."""
        ...


class InProcess(Waker):
    """For one process on one machine."""

    look_every = 0.3

    def __init__(self) -> None:
        self._called = threading.Condition()
        self._calls = 0
        self._heard = threading.local()

    def wake(self) -> None:
        """Something may be due here."""
        with self._called:
            self._calls += 1
            self._called.notify_all()

    def wait(self, seconds: float) -> None:
        """Rest until woken, or so long. A call that came since this thread's last rest ends it at once."""
        before = getattr(self._heard, "calls", 0)
        with self._called:
            self._called.wait_for(lambda: self._calls != before, seconds)
            self._heard.calls = self._calls

    def start(self) -> None:
        """Nobody else asks for anything."""

    def stop(self) -> None:
        """Nothing to end."""


class Queue(InProcess):
    """For many processes over one PostgreSQL: woken by Procrastinate too, which a thread of ours listens to."""

    look_every = 1.0

    def __init__(self, conninfo: str) -> None:
        super().__init__()
        self._conninfo = conninfo
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening: asyncio.Task[None] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wake-ups", daemon=True)

    def start(self) -> None:
        """Begin to hear of what others ask for."""
        self._thread.start()

    def stop(self) -> None:
        """Hear no more; the queue forgets this process."""
        self._stopping.set()
        loop, listening = self._loop, self._listening
        if loop is not None and listening is not None and not loop.is_closed():
            loop.call_soon_threadsafe(listening.cancel)
        if self._thread.is_alive():
            self._thread.join(timeout=3)

    def _run(self) -> None:
        """Listen until told to stop; whatever ends it, it is begun anew, as another process to the queue.

        So a process that stood still, and was taken for dead meanwhile, is heard of again too.
        """
        while not self._stopping.is_set():
            try:
                asyncio.run(self._listen())
            except asyncio.CancelledError:  # we were told to stop
                continue
            except Exception as err:  # noqa: BLE001  a library's thread of ours: without it there still is the looking
                log.warning("the queue of wake-ups broke off: %s: %s", type(err).__name__, err)
            self._stopping.wait(AGAIN_AFTER)

    async def _listen(self) -> None:
        import procrastinate

        pool: dict[str, Any] = {"min_size": 1, "max_size": 2, "kwargs": {"application_name": "harken wake-ups"}}
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=self._conninfo, **pool))

        # Never tried again by the queue, whose pauses are 0 by default: what failed waits its turn in its work row.
        @app.task(name=wakeups.TASK, queue=wakeups.QUEUE, retry=False)
        async def wake(kind: str = "") -> None:
            log.debug("woken for %s", kind)
            self.wake()

        self._loop, self._listening = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopping.is_set():
            return
        async with app.open_async():
            self.wake()  # for what was missed meanwhile
            await app.run_worker_async(
                queues=[wakeups.QUEUE],
                name="harken",
                concurrency=1,
                install_signal_handlers=False,
                listen_notify=True,
                fetch_job_polling_interval=LOOK_IN_QUEUE,
                shutdown_graceful_timeout=1.0,
                delete_jobs="always",
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=wakeups.STALE,
            )


def waker(deployment: Deployment) -> Waker:
    """What wakes the workers of this process."""
    url = deployment.store.engine.url
    if deployment.store.is_sqlite:
        return InProcess()
    return Queue(url.set(drivername="postgresql").render_as_string(hide_password=False))
