"""Starts Harken's processes quickly: one process has imported everything and opened nothing, and each start is a fork.

Three hundred cold starts would spend their time on imports. What comes after the imports is all of it done anew in each
child: settings, store, adapters, threads, sockets. Children die with the nest, and the nest with the suite.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from importlib import import_module
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
START_WITHIN = 120.0  #: seconds for the imports, on a machine that has other things to do
#: Not imported before the fork: ``pipeline.rounds`` takes its worker's name from the process that imports it.
PRELOADED = (
    "alembic.command",
    "cli.running",
    "crm_bridge.open311",
    "listeners.facebook",
    "listeners.x",
    "responders.facebook",
    "responders.x",
    "store.migrate",
    "tests.fakes",
    "web.app",
)
LATE = ("pipeline.rounds", "scheduler")


class Nest:
    """The suite's end of it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._started: queue.Queue[int] = queue.Queue()
        self._ended: queue.Queue[tuple[int, int]] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nest", str(folder)],
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._hear, name="nest", daemon=True).start()
        self._started.get(timeout=START_WITHIN)

    def start(self, role: str, config: Path, crash: str = "") -> int:
        """A process in a role of ``tests.chaos.roles``; ``crash`` as ``HARKEN_CRASH_AT`` takes it. Gives its id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"role": role, "config": str(config), "crash": crash}) + "\n")
        self._process.stdin.flush()
        return self._started.get(timeout=START_WITHIN)

    def ended(self) -> list[tuple[int, int]]:
        """Which processes ended since one asked last, and how: an exit status, or less a signal."""
        found = []
        while not self._ended.empty():
            found.append(self._ended.get())
        return found

    def log(self, pid: int) -> Path:
        """What a process said."""
        return self._folder / f"{pid}.log"

    def is_up(self, pid: int) -> bool:
        """Whether a process has opened its deployment."""
        return (self._folder / f"{pid}.up").exists()

    def tidy(self, pid: int) -> None:
        """Forget a process that ended; of what it said, the last of each kind of end is worth keeping at most."""
        self.log(pid).replace(self._folder / "last.log") if self.log(pid).exists() else None
        (self._folder / f"{pid}.up").unlink(missing_ok=True)

    def close(self) -> None:
        """End it, and all that it started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "started" in said:
                self._started.put(said["started"])
            else:
                self._ended.put((said["ended"], said["status"]))
        self._process.stdout.close()


def main() -> None:
    """Fork a child for each line of standard input, until that ends."""
    folder = Path(sys.argv[1])
    for name in PRELOADED:
        import_module(name)
    if early := set(LATE) & set(sys.modules):
        sys.exit(f"{early} would be the same in every process that is forked from here: import it later")
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    children: set[int] = set()
    _tell(started=os.getpid())
    _serve(folder, woken, children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _serve(folder: Path, woken: socket.socket, children: set[int]) -> None:
    begun = b""
    while True:
        readable, _, _ = select.select([0, woken.fileno()], [], [])
        if woken.fileno() in readable:
            woken.recv(4096)
            _reap(children)
        if 0 not in readable:
            continue
        said = os.read(0, 65536)
        if not said:
            return
        *lines, begun = (begun + said).split(b"\n")
        for line in lines:
            children.add(_hatch(folder, json.loads(line)))


def _reap(children: set[int]) -> None:
    for pid in list(children):
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            children.discard(pid)
            _tell(ended=pid, status=os.waitstatus_to_exitcode(status))


def _hatch(folder: Path, asked: dict[str, str]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        _be_born(folder, asked, parent)
    _tell(started=pid)
    return pid


def _be_born(folder: Path, asked: dict[str, str], parent: int) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
    log = os.open(folder / f"{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream, target in ((0, nothing), (1, nothing), (2, log)):
        os.dup2(target, stream)
    random.seed()  # or all children would roll the same pauses
    _live(folder, asked)


def _live(folder: Path, asked: dict[str, str]) -> NoReturn:
    import crashing
    from errors import ConfigError
    from tests.chaos.roles import ROLES

    status = 0
    try:
        crashing.plan(asked["crash"])
        ROLES[asked["role"]](Path(asked["config"]), folder / f"{os.getpid()}.up")
    except ConfigError as err:
        sys.stderr.write(f"{err}\n")
        status = 2
    except BaseException:  # noqa: BLE001  told, and over
        traceback.print_exc()
        status = 3
    finally:
        sys.stderr.flush()
        os._exit(status)


def _tell(**said: int) -> None:
    os.write(1, (json.dumps(said) + "\n").encode())


if __name__ == "__main__":
    main()
