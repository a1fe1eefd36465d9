"""A run: real processes against a real sandbox, killed and paused by plan, and judged at the sandbox."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from crashing import PACE
from pipeline.deployment import Deployment, open_deployment
from pipeline.listen import listen
from sandbox.running import Control, Refused
from tests.chaos import plan, town
from tests.chaos.ground import Disk, Ground, place
from tests.chaos.judge import Verdict, judge
from tests.chaos.nest import ROOT, Nest
from tests.chaos.town import TROUBLES, Noted, Size, Town
from tests.deployments import FACEBOOK, X, written

#: What a city has, in seconds, before it is scaled down.
SETTLE, READ_WITHIN, LEASE = 90.0, 20.0, 60.0
NOT_OF_A_WORKER = ("store_copy.",)  #: points that no process of a run passes; what they begin with
ROLES = {"sqlite": ("run",), "postgresql": ("web", "work", "work")}
USUAL_START = 1.0  #: seconds from the fork until the deployment is open, on a machine with nothing else to do
UP_WITHIN = 90.0  #: seconds; then a process hangs
PLANNED_AT_ONCE = 10  #: faults that wait for a call of their kind
STOP_WITHIN = 60.0  #: seconds
QUIET = 1.0  #: seconds in which nothing moved: then staff try again what was given up on, or it is over
GIVEN_UP = frozenset({"replies", "tickets"})  #: what may stand on its way although no work for it waits
DRAIN_WITHIN = 240.0  #: seconds without any change; then something hangs


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for."""

    store: str
    size: Size
    seed: int
    pace: float
    folder: Path
    resume: bool = False
    kept: bool = True  #: whether it may be gone on with; then its store has a small disk, which can run full
    say: Callable[[str], None] = field(default=lambda line: None)


@dataclass(kw_only=True)
class Tally:
    """What was done to Harken, and what it did by itself; kept for the run to go on by."""

    lives: int = 0
    faults: int = 0
    seconds: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)  #: by point, or "at random", or "while it started"
    stood_still: Counter[str] = field(default_factory=Counter)
    weather: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    fell: Counter[str] = field(default_factory=Counter)  #: processes that ended by themselves, by why
    slowest_answer: float = 0.0  #: of the sandbox, seconds

    @property
    def kills(self) -> int:
        return self.killed.total()

    def as_json(self) -> dict[str, Any]:
        """Counters as plain tables."""
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}


@dataclass(kw_only=True)
class Slot:
    """A process and how it is to end."""

    role: str
    pid: int = 0
    life: plan.Life = field(default_factory=lambda: plan.life(0, 0, ["none"]))
    born: float = 0.0
    up: float | None = None
    stopped: float | None = None
    by_us: str | None = None  #: what we killed it for


class Run:
    """One run over one store."""

    def __init__(self, wanted: Wanted, stack: ExitStack) -> None:
        self.wanted, self._stack = wanted, stack
        self._kept = wanted.folder / "state.json"
        self.tally, self.noted = self._remembered()
        self._points = [name for name in plan.points() if not name.startswith(NOT_OF_A_WORKER)]
        self._calm = False
        self.settle, self.lease = SETTLE / wanted.pace, LEASE / wanted.pace
        self.slots = [Slot(role=role) for role in ROLES[wanted.store]]
        self._next_fault = self._last_kept = 0.0

    # setting up

    def prepare(self) -> None:
        """The sandbox, the store, the city, the nest and the town."""
        folder = self.wanted.folder
        folder.mkdir(parents=True, exist_ok=True)
        disk = Disk(place(folder, self.wanted.store), mounts=self.wanted.kept)
        if not self.wanted.kept:
            self._stack.callback(disk.forget)
        self.ground = Ground(kind=self.wanted.store, disk=disk)
        self._stack.callback(self.ground.close)
        self.ground.open()
        port, api = _free_port(), _free_port()
        sandbox = self._sandbox(port)
        self.config = self._config(f"http://127.0.0.1:{port}", api)
        self.ctl = Control(f"http://127.0.0.1:{port}")
        _wait(lambda: self.ctl.call("GET", "/health"), sandbox)
        self.ctl.limits(False)
        self.ctl.tier(repeats="none", access="exempt")
        self.api = f"http://127.0.0.1:{api}"
        self.city: Deployment = open_deployment(self.config, migrating=True)
        self._stack.callback(self.city.close)
        (folder / "processes").mkdir(exist_ok=True)
        self.nest = Nest(folder / "processes", **{PACE: str(self.wanted.pace)})
        self._stack.callback(self.nest.close)
        self.town = Town(self.city, self.ctl, self.api, self.wanted.size, self.wanted.seed, self.noted)
        self.town.workers = max(1, ROLES[self.wanted.store].count("work"))

    def _sandbox(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "cli", "sandbox", "run", "--port", str(port), "--with-parent"]
        command += ["--state", str(self.wanted.folder / "sandbox.db"), "--seed", str(ROOT / "demo" / "seed.json")]
        with (self.wanted.folder / "sandbox.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=log, stderr=log)
        self._stack.callback(_end, process)
        return process

    def _config(self, url: str, api: int) -> Path:
        patience = round(READ_WITHIN / self.wanted.pace, 3)
        account = {"poll_every": "PT0.5S", "read_within": patience}
        changes: dict[str, Any] = {
            "store": {"url": self.ground.url},
            "web": {"port": api, "public_url": f"http://127.0.0.1:{api}"},
            "approval": {"undo_for": "PT0.5S"},
            "sending": {"settle": f"PT{SETTLE / self.wanted.pace}S"},
            "alarms": {"to": []},
            "accounts": {X: account, FACEBOOK: account},
            "crm": {"read_within": patience, "wait": "PT5S"},
        }
        return written(self.wanted.folder / "city", url, **changes)

    # going

    def go(self) -> Verdict:
        """All kills, then calm until nothing moves, then the judge."""
        began = time.monotonic() - self.tally.seconds
        self.town.progress = self.tally.kills / self.wanted.size.kills
        self.town.start()
        told = self.tally.kills
        while self.tally.kills < self.wanted.size.kills:
            self._step()
            self._trouble()
            self.tally.seconds = time.monotonic() - began
            if self.tally.kills >= told + 25:
                told = self.tally.kills
                self._say()
        self._drain(began)
        self.town.stop()
        self._stop()
        self.tally.seconds = time.monotonic() - began
        self._keep()
        return judge(self.city, self.ctl, self.noted)

    def _say(self) -> None:
        self.wanted.say(
            f"{self.tally.kills}/{self.wanted.size.kills} kills in {self.tally.seconds:.0f} s: {self.noted.fed} posts"
            f" ({self.town.unheard} not heard yet), {len(self.noted.approved)} approved"
        )

    def _step(self) -> None:
        """Look after the processes once."""
        self._bury()
        for slot in self.slots:
            if not slot.pid:
                self._start(slot)
            else:
                self._tend(slot)
        self.town.progress = min(1.0, self.tally.kills / self.wanted.size.kills)
        if time.monotonic() - self._last_kept > 2:
            self._keep()
        time.sleep(0.02)

    def _start(self, slot: Slot) -> None:
        life = plan.life(self.wanted.seed, self.tally.lives, self._points)
        self.tally.lives += 1
        slot.life, slot.born, slot.up, slot.stopped, slot.by_us = life, time.monotonic(), None, None, None
        slot.pid = self.nest.start(slot.role, self.config, "" if self._calm else life.crash)

    def _tend(self, slot: Slot) -> None:
        moment = time.monotonic()
        if slot.stopped is not None:
            if moment > slot.stopped:
                os.kill(slot.pid, signal.SIGCONT)
                slot.stopped = None
        elif slot.life.stands_still and slot.life.point and _stands_still(slot.pid):
            self._pause(slot, slot.life.point)
        elif slot.up is None:
            self._await(slot, moment)
        elif not self._calm and slot.by_us is None and moment > slot.up + slot.life.seconds * self._slower(slot):
            self._end_life(slot)

    def _await(self, slot: Slot, moment: float) -> None:
        """Its birth; some die in it."""
        if self.nest.is_up(slot.pid):
            slot.up = moment
        elif slot.by_us is None and moment > slot.born + UP_WITHIN:
            self.tally.fell["hung while it started"] += 1
            self._kill(slot, "hung while it started")
        elif slot.by_us is None and not self._calm and slot.life.seconds < 0 and moment > slot.born - slot.life.seconds:
            self._kill(slot, "while it started")

    def _end_life(self, slot: Slot) -> None:
        if slot.life.stands_still and slot.life.point is None:
            os.kill(slot.pid, signal.SIGSTOP)
            self._pause(slot, "at random")
        else:
            self._kill(slot, "at random")

    def _slower(self, slot: Slot) -> float:
        """Work and kills stay in step: on a machine that starts slowly, and while much waits, processes live longer."""
        start = (slot.up or slot.born) - slot.born
        return min(12.0, max(1.0, start / USUAL_START)) * (1.0 + min(5.0, self.town.backlog / 30))

    def _pause(self, slot: Slot, where: str) -> None:
        """Longer than a lease; beyond the settling time only where the protocol must see it."""
        span = 1.3 * self.settle if slot.life.beyond_settle else 1.05 * self.lease
        self.tally.stood_still[where + (" (beyond settle)" if slot.life.beyond_settle else "")] += 1
        slot.stopped = time.monotonic() + span
        lived = time.monotonic() - (slot.up or slot.born)
        slot.life = plan.Life(
            point=None, passing=0, seconds=lived + span + 3.0, stands_still=False, beyond_settle=False
        )

    def _kill(self, slot: Slot, why: str) -> None:
        slot.by_us = why
        os.kill(slot.pid, signal.SIGKILL)
        slot.up, slot.life = (
            time.monotonic() + 60,
            plan.Life(point=None, passing=0, seconds=0.0, stands_still=False, beyond_settle=False),
        )

    def _bury(self) -> None:
        for pid, status in self.nest.ended():
            self._ended(pid, status)

    def _ended(self, pid: int, status: int) -> None:
        slot = next((one for one in self.slots if one.pid == pid), None)
        if slot is None:
            return
        if status == 0:
            self.tally.events["ended in order"] += 1
        elif status == -signal.SIGKILL:
            self.tally.killed[slot.by_us or slot.life.point or "by somebody else"] += 1
        else:
            why = (self.nest.log(pid).read_text(errors="replace").strip().splitlines() or ["without a word"])[-1]
            self.tally.fell[f"{slot.role} ended with {status}: {why[-160:]}"] += 1
        self.nest.tidy(pid)
        slot.pid = 0

    # what befalls it

    def _trouble(self) -> None:
        if time.monotonic() > self._next_fault:
            self._next_fault = time.monotonic() + 1.0
            with suppress(OSError, Refused):  # a machine so busy that the sandbox itself does not answer
                self._fault()
        progress = self.town.progress
        for share in self.wanted.size.often:
            if self._once(f"restart {share}", share - 0.15, progress) and self.ground.restart():
                self.tally.events["database restarted"] += 1
            if self._once(f"full {share}", share + 0.05, progress):
                self._run_full()
            may = self.wanted.store == "sqlite" and any(slot.up for slot in self.slots)
            if may and self._once(f"second {share}", share, progress):
                self._second_worker()

    def _once(self, name: str, share: float, progress: float) -> bool:
        if progress < share or name in self.noted.marks:
            return False
        self.noted.marks.append(name)
        return True

    def _fault(self) -> None:
        one = plan.weather(self.wanted.seed, self.tally.faults)
        self.tally.faults += 1
        began = time.monotonic()
        more = {"seconds": 2 * READ_WITHIN / self.wanted.pace, "after_effect": one.after_effect}
        if len(self.ctl.call("GET", "/faults")) < PLANNED_AT_ONCE:
            self.ctl.faults(one.target, one.kind, one.count, **more)
            self.tally.weather[f"{one.target} {one.kind}{' after the effect' if one.after_effect else ''}"] += 1
        self.tally.slowest_answer = max(self.tally.slowest_answer, (time.monotonic() - began) / 2)

    def _run_full(self) -> None:
        """No byte is left on the disk for a while; what is there can still be read."""
        if not self.ground.disk.fill():
            self.tally.events["disk full: not done, since nothing can be mounted here"] += 1
            return
        self.tally.events["disk full"] += 1
        until = time.monotonic() + 4
        while time.monotonic() < until:
            self._step()
        self.ground.disk.free()
        if self.ground.has_fallen():
            self.ground.restart()
            self.tally.events["database restarted after the full disk"] += 1

    def _second_worker(self) -> None:
        """One more than there should be on SQLite; on PostgreSQL it would be one among equals."""
        pid = self.nest.start("work", self.config)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for ended, status in self.nest.ended():
                if ended == pid:
                    self.tally.events[
                        "a second worker was refused" if status == 2 else f"a second worker: {status}"
                    ] += 1
                    return
                slot = next((one for one in self.slots if one.pid == ended), None)
                if slot is not None:
                    self.tally.killed[slot.by_us or slot.life.point or "by somebody else"] += 1
                    slot.pid = 0
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        self.tally.events["a second worker was let in while the first was down"] += 1

    # the end

    def _drain(self, began: float) -> None:
        """Good weather, nobody dies, until nothing moves any more."""
        self._calm = True
        self.ctl.clear_faults()
        for slot in filter(lambda slot: slot.pid, self.slots):  # those that were born to die
            self._kill(slot, "at random")
        last: dict[str, int] = {"unknown": 0}
        since, told = time.monotonic(), 0.0
        while time.monotonic() - since < DRAIN_WITHIN:
            self._step()
            self.town.progress = 1.0
            self.tally.seconds = time.monotonic() - began
            moves = self._moves()
            if moves != last:
                last, since = moves, time.monotonic()
                if since > told + 15:
                    told = since
                    self.wanted.say(f"{self.tally.seconds:.0f} s: still {moves or 'nothing'}")
            elif moves.keys() <= GIVEN_UP and time.monotonic() - since > QUIET:
                if not self._all_heard():
                    continue
                if not self._tidied():
                    break
                since = time.monotonic()

    def _all_heard(self) -> bool:
        """Asked at the sandbox, once a while: `unheard` counts only, and posts come in that were not fed."""
        with suppress(*TROUBLES):
            if not self.town.not_heard():
                return True
        time.sleep(QUIET)
        return False

    def _tidied(self) -> bool:
        """Whether staff tried anything again."""
        try:
            return self.town.tidy_up()
        except TROUBLES:
            return True

    def _stop(self) -> None:
        """End the processes in order, and hear each account out once more, so that no walk is cut short."""
        for slot in self.slots:
            if slot.pid:
                os.kill(slot.pid, signal.SIGTERM)
        until = time.monotonic() + STOP_WITHIN
        while any(slot.pid for slot in self.slots) and time.monotonic() < until:
            self._bury()
            time.sleep(0.05)
        for slot in self.slots:
            if slot.pid:
                self.tally.fell[f"{slot.role} did not stop within {STOP_WITHIN:g} s"] += 1
                os.kill(slot.pid, signal.SIGKILL)
        for name in self.city.accounts():
            heard = listen(self.city, name)
            if heard.error:
                self.tally.fell[f"{name}: {heard.error}"] += 1

    def _moves(self) -> dict[str, int]:
        try:
            moving = self.town.unfinished()
        except TROUBLES:
            return {"unknown": 0}
        ahead = self.wanted.size.mentions - self.noted.fed
        if ahead > 0:
            moving["posts to come"] = ahead
        if self.town.unheard > 0:
            moving["posts not heard"] = self.town.unheard
        return moving

    # resuming

    def _keep(self) -> None:
        self._last_kept = time.monotonic()
        state = {"seed": self.wanted.seed, "store": self.wanted.store, "size": asdict(self.wanted.size)}
        state |= {"tally": self.tally.as_json(), "noted": town.kept(self.noted)}
        new = self._kept.with_suffix(".new")
        new.write_text(json.dumps(state), encoding="utf-8")
        new.replace(self._kept)

    def _remembered(self) -> tuple[Tally, Noted]:
        if not self.wanted.resume or not self._kept.exists():
            return Tally(), Noted()
        state = json.loads(self._kept.read_text(encoding="utf-8"))
        if state["seed"] != self.wanted.seed or state["store"] != self.wanted.store:
            raise SystemExit(f"{self._kept}: of seed {state['seed']} on {state['store']}; name that to go on with it")
        given = state["tally"]
        counters = {name: Counter(value) for name, value in given.items() if isinstance(value, dict)}
        return Tally(**{**given, **counters}), town.remembered(state["noted"])


def _stands_still(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(answers: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            answers()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the sandbox did not start")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
