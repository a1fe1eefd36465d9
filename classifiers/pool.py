"""The classifier in processes of its own, so that pages, clock and worker never wait for it to think.

Each process is a fresh interpreter with one single-threaded model. A thread here keeps each: it hands over a few
posts at a time from one bounded queue, and takes each answer as it comes. So it knows on which post a process died,
starts another and goes on; a post that two processes died on fails alone. A process that takes longer than
``READ_WITHIN`` over one post is taken for dead. When the parent goes, however it goes, the line ends and they end.

Why not a library: ``concurrent.futures`` and loky give up every post that waits when one process dies (loky 3.7: 142 of
200). Pebble fails the one post only, but without a second try, so a process that the kernel ends for memory loses a
resident's post; it bounds no queue, has its processes import the parent's main module, and is under the LGPL.
"""

import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from classifiers.base import Busy, Classification, Classifier, PostsFailed
from classifiers.normalise import READ_AT_MOST
from classifiers.pool_worker import Failed, Learn, Read
from errors import ConfigError

log = logging.getLogger(__name__)

GROUP = 8  #: posts handed over at once: the way there and back costs 0.1 ms, a post 3
WAITING = 64  #: groups that wait for a process
DEATHS = 2  #: of processes, on one post or on what is to be learned: then it fails
START_WITHIN = 300.0  #: seconds for a process to load its model: one or two, on a machine that has nothing else to do
READ_WITHIN = 20.0  #: seconds for one post
END_WITHIN = 5.0  #: seconds for a process to end by itself
AS_MADE = Learn(None, "")
WORKER = "from classifiers.pool_worker import main; main()"  #: not -m: the messages' classes would be two of each
ROOT = Path(__file__).parents[1]  #: of our packages, in a checkout and when installed


class NotStarted(ConfigError):
    """No process with the model could be started."""


class PooledClassifier(Classifier):
    """A classifier that reads in other processes. Any number of threads may ask at once."""

    def __init__(self, make: Callable[[], Classifier], *, processes: int = 1, patience: float = 20.0) -> None:
        """Start the processes, and wait until each has its model.

        ``make`` is called in each of them; it must be importable there, as ``functools.partial`` over a module's
        function is. ``patience``: seconds that a call waits for room in the queue.

        Raises:
            NotStarted: ``make`` raised, or there was no memory for a process.
        """
        self._patience = patience
        self._learned = AS_MADE
        self._queue = _Queue()
        made = pickle.dumps(make)
        self._keepers = [_Keeper(self._queue, made) for _ in range(processes)]
        # A classifier that nobody holds any more must leave no process behind. This may run within any allocation of
        # any thread, so it takes no lock.
        weakref.finalize(self, self._queue.close, processes)
        for keeper in self._keepers:
            keeper.start()
        try:
            for keeper in self._keepers:
                keeper.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """One answer for each text, in the same order; a text's answer never depends on the others.

        Waits for room in the queue. The longest go first, so that at the end no process waits long for another.

        Raises:
            Busy: no room came free in time.
            PostsFailed: the model raised on a post, or two processes died on it.
        """
        call = _Call(len(texts))
        try:
            for group in self._groups(texts, call):
                self._queue.put(group, self._patience)
            answers = call.wait()
        except BaseException:  # Ctrl-C too: what nobody waits for need not be read
            call.given_up = True
            raise
        if call.failures:
            told = f"{len(call.failures)} of {len(texts)} posts could not be read: {call.first_failure}"
            raise PostsFailed(told, answers)
        return [answer for answer in answers if answer is not None]

    def use(self, learned: bytes | None, version: str) -> None:
        """From the next call on, answer by what was learned; None: as shipped. Calls in flight end as they began.

        Raises:
            Busy: as ``classify``.
            ValueError: the classifier refuses the bytes, or two processes died on them. What was used before stays in
                use.
        """
        asked = Learn(learned, version)
        call = _Call(1)
        self._queue.put(_Group(call=call, learned=asked, posts=()), self._patience)
        call.wait()
        if call.failures:
            raise ValueError(call.first_failure)
        self._learned = asked

    def pids(self) -> list[int]:
        """The processes that run now, for whoever measures them."""
        return [keeper.pid for keeper in self._keepers if keeper.pid is not None]

    def close(self) -> None:
        """End the processes; what still waits fails. May be called twice."""
        self._queue.close(len(self._keepers))
        for keeper in self._keepers:
            keeper.end()

    def _groups(self, texts: Sequence[str], call: "_Call") -> Iterator["_Group"]:
        # No classifier reads more of a post than this, so no more is carried over.
        posts = [(place, text[:READ_AT_MOST]) for place, text in enumerate(texts)]
        posts.sort(key=lambda post: len(post[1]), reverse=True)
        size = max(1, min(GROUP, len(posts) // (4 * len(self._keepers))))
        learned = self._learned
        for first in range(0, len(posts), size):
            yield _Group(call=call, learned=learned, posts=tuple(posts[first : first + size]))


class _Call:
    """What one caller waits for: so many posts, or one thing that is to be learned."""

    def __init__(self, open_ones: int) -> None:
        self.answers: list[Classification | None] = [None] * open_ones
        self.failures: dict[int, str] = {}  #: place -> reason
        self.given_up = False  #: nobody waits any more
        self._open = open_ones
        self._counting = threading.Lock()
        self._settled = threading.Event()
        if not open_ones:
            self._settled.set()

    @property
    def first_failure(self) -> str:
        return next(iter(self.failures.values()))

    def settle(self, place: int, answer: Classification | Failed | None) -> None:
        """A place has its answer, or never will."""
        with self._counting:
            if isinstance(answer, Failed):
                self.failures[place] = str(answer)
            else:
                self.answers[place] = answer
            self._open -= 1
            if self._open == 0:
                self._settled.set()

    def wait(self) -> list[Classification | None]:
        """All answers. This ends, since each place is settled in bounded time."""
        self._settled.wait()
        return self.answers


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Group:
    """Some posts of one call, each with its place in it. Without posts: what is to be learned, at place 0."""

    call: _Call
    learned: Learn
    posts: tuple[tuple[int, str], ...]

    def fail(self, reason: Failed) -> None:
        for place, _ in self.posts or ((0, ""),):
            self.call.settle(place, reason)


class _Queue:
    """The groups that wait, so many and no more.

    Closing it takes no lock and may happen in a finalizer: ``SimpleQueue.put`` is reentrant.
    """

    def __init__(self) -> None:
        self.closed = False
        self._groups: SimpleQueue[_Group | None] = SimpleQueue()
        self._room = threading.Semaphore(WAITING)

    def put(self, group: _Group, patience: float) -> None:
        if not self._room.acquire(timeout=patience):
            before = f"{WAITING * GROUP} posts are before these, and none was begun within {patience:g} s"
            raise Busy(f"the classifier is busy: {before}; try again later")
        self._groups.put(group)
        if self.closed:  # perhaps behind the last one that was taken
            self._drain()

    def take(self) -> _Group | None:
        """The next group; None: there will be no more."""
        group = self._groups.get()
        if group is not None:
            self._room.release()
        return group

    def close(self, takers: int) -> None:
        self.closed = True
        for _ in range(takers):
            self._groups.put(None)

    def _drain(self) -> None:
        ends = 0
        with suppress(Empty):
            while True:
                group = self._groups.get_nowait()
                if group is None:
                    ends += 1
                else:
                    self._room.release()
                    group.fail(CLOSED)
        for _ in range(ends):  # the takers'
            self._groups.put(None)


CLOSED = Failed("Closed", "the classifier was closed")


class _Dead(Exception):
    """The process is gone, or hangs."""


class _Keeper(threading.Thread):
    """Takes groups from the queue, has one process read them, and starts another when it dies."""

    def __init__(self, queue: _Queue, make: bytes) -> None:
        super().__init__(name="classifier", daemon=True)
        self._queue = queue
        self._make = make
        self._process: _Process | None = None
        self._ready = threading.Event()
        self._trouble: NotStarted | None = None

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None else None

    def wait_until_ready(self) -> None:
        """Until the first process has its model.

        Raises:
            NotStarted: it has none.
        """
        self._ready.wait()
        if self._trouble is not None:
            raise self._trouble

    def end(self) -> None:
        """Wait until the thread has ended, once the queue is closed; what hangs is killed."""
        if not self.is_alive():
            return
        self.join(END_WITHIN)
        process = self._process
        if self.is_alive() and process is not None:
            process.kill()
            self.join(END_WITHIN)

    def run(self) -> None:
        try:
            self._running()
        except NotStarted as err:
            self._trouble = err
        self._ready.set()
        while (group := self._queue.take()) is not None:
            if self._queue.closed:
                group.fail(CLOSED)
            elif group.posts:
                self._read(group)
            else:
                self._learn(group)
        self._dismiss()

    def _read(self, group: _Group) -> None:
        waiting = deque(group.posts)
        deaths: Counter[int] = Counter()
        while waiting and not group.call.given_up:
            try:
                process = self._running()
                process.learn(group.learned)
                for answer in process.read(tuple(text for _, text in waiting)):
                    group.call.settle(waiting.popleft()[0], answer)
            except _Dead as err:
                self._dismiss()
                log.warning("a process of the classifier died over a post: %s", err)
                place = waiting[0][0]
                deaths[place] += 1
                if deaths[place] == DEATHS:
                    waiting.popleft()
                    group.call.settle(place, Failed("Died", f"{DEATHS} processes died on it, the last: {err}"))
            except Exception as err:  # noqa: BLE001  a keeper that ends leaves callers waiting for ever
                if not isinstance(err, NotStarted | ValueError):
                    self._dismiss()
                log.warning("the classifier can't read: %s: %s", type(err).__name__, err)
                while waiting:
                    group.call.settle(waiting.popleft()[0], Failed.of(err))

    def _learn(self, group: _Group) -> None:
        for deaths in range(1, DEATHS + 1):
            try:
                self._running().learn(group.learned)
            except _Dead as err:
                self._dismiss()
                log.warning("a process of the classifier died over what it was to learn: %s", err)
                if deaths == DEATHS:
                    group.fail(Failed("Died", f"{DEATHS} processes died on what they were to learn, the last: {err}"))
            except Exception as err:  # noqa: BLE001  as above
                group.fail(Failed.of(err))
                return
            else:
                group.call.settle(0, None)
                return

    def _running(self) -> "_Process":
        """The process; another one if it has died meanwhile."""
        if self._process is not None and self._process.has_ended:
            self._dismiss()
        if self._process is None:
            self._process = _Process(self._make)
        return self._process

    def _dismiss(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


class _Process:
    """One process with a model, and the line to it. What it learned last is known here."""

    def __init__(self, make: bytes) -> None:
        try:
            ours, theirs = socket.socketpair()
        except OSError as err:
            raise NotStarted(f"there is no line to a process of the classifier: {err}") from err
        command = [sys.executable, "-P", "-c", WORKER, str(theirs.fileno()), str(os.getpid())]
        # One thread each, also where a library would take all cores. In a process group of its own Ctrl-C leaves it be.
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            with theirs:
                self._child = subprocess.Popen(
                    command,
                    env=env,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    process_group=0,
                )
        except OSError as err:
            ours.close()
            raise NotStarted(f"the classifier's process can't be started: {err}") from err
        self._line = Connection(ours.detach())
        self._learned = AS_MADE
        self._hangs = False
        try:
            self._send(make)
            failed = self._receive(START_WITHIN)
        except _Dead as err:
            self.end()
            raise NotStarted(f"the classifier's process ended before it had its model: {err}") from err
        if failed is not None:
            self.end()
            ours = failed.kind == "ConfigError"  # it says all by itself
            raise NotStarted(failed.reason if ours else f"the classifier can't be loaded: {failed}")

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        return self._child.poll() is not None

    def read(self, texts: tuple[str, ...]) -> Iterator[Classification | Failed]:
        """An answer for each text, as it comes.

        Raises:
            _Dead: it died, or hangs, over the text whose answer did not come.
        """
        self._send(pickle.dumps(Read(texts)))
        for _ in texts:
            yield self._receive(READ_WITHIN)

    def learn(self, asked: Learn) -> None:
        """See to it that it answers by this.

        Raises:
            _Dead: as ``read``.
            ValueError: the classifier refuses it.
        """
        if asked == self._learned:
            return
        self._send(pickle.dumps(asked))
        failed = self._receive(READ_WITHIN)
        if failed is not None:
            raise ValueError(str(failed))
        self._learned = asked

    def kill(self) -> None:
        self._child.kill()

    def end(self) -> None:
        """Hang up, and see it go."""
        self._line.close()
        try:
            self._child.wait(0 if self._hangs else END_WITHIN)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _send(self, what: bytes) -> None:
        try:
            self._line.send_bytes(what)
        except OSError as err:
            raise _Dead(self._ending()) from err

    def _receive(self, within: float) -> Any:
        try:
            if not self._line.poll(within):
                self._hangs = True
                raise _Dead(f"no answer within {within:g} s")
            return self._line.recv()
        except (EOFError, OSError) as err:
            raise _Dead(self._ending()) from err
        except (pickle.UnpicklingError, AttributeError, ImportError) as err:  # half a message, or not one of ours
            raise _Dead(f"what it said can't be read: {err}") from err

    def _ending(self) -> str:
        """How it ended, in words."""
        try:
            code = self._child.wait(1)
        except subprocess.TimeoutExpired:
            return "the line broke"
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
