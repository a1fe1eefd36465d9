"""Many workers over one PostgreSQL, one of them killed again and again: is anything lost or doubled?

``python -m tests.chaos.many_workers`` runs the same posts and approvals calmly and under kills. What counts is the
sandbox's own list of what it was made to post, and that each mention has one assessment. Waits are divided by
``--pace``, or a run of two minutes would consist of leases that dead workers left behind.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.exc import OperationalError
from sqlmodel import col, func, select

from errors import HarkenError
from pipeline import decide, replay
from pipeline.deployment import Deployment, open_deployment
from sandbox.running import Control, running
from store import attention, work
from store.people import Principal
from store.tables import AssessmentRow, AttentionRow, DraftRow, MentionRow, WorkRow
from tests.chaos.nest import Nest
from tests.deployments import X, principal, written
from tests.fixtures.postgres_server import Server
from tests.fixtures.postgres_server import running as postgres

#: Whatever was given up on that its worker was to do.
GIVEN_UP = (AttentionRow.kind == "work", col(AttentionRow.closed_at).is_(None))
BATCH = 200  #: posts at once; X lists no more than 800 to one who is late
SECONDS_AT_MOST = 1_200.0


@dataclass(kw_only=True)
class Told:
    """What came of one run."""

    seconds: float = 0.0
    kills: int = 0
    replayed: int = 0  #: work that was given up on, since its worker was killed eight times
    posts: int = 0
    mentions: int = 0
    assessed: int = 0
    read_twice: int = 0  #: assessments too many
    approved: int = 0
    posted: int = 0
    doubled: int = 0
    epochs: int = 0  #: how often the lead changed hands
    wrong: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Workers:
    """So many, each replaced as soon as it is gone."""

    nest: Nest
    config: Path
    count: int
    pids: list[int] = field(default_factory=list)
    kills: int = 0
    last_kill: float = 0.0

    def keep_up(self) -> None:
        gone = {pid for pid, _ in self.nest.ended()}
        self.pids = [pid for pid in self.pids if pid not in gone]
        self.pids += [self.nest.start("work", self.config) for _ in range(self.count - len(self.pids))]

    def kill_one(self, dice: random.Random) -> None:
        """One that works by now; a process that still reads its settings is no test of anything."""
        up = [pid for pid in self.pids if self.nest.is_up(pid)]
        if up:
            os.kill(dice.choice(up), signal.SIGKILL)
            self.kills, self.last_kill = self.kills + 1, time.monotonic()


def main() -> None:
    """Run calm, run under kills, and print both."""
    asked = argparse.ArgumentParser(prog="python -m tests.chaos.many_workers", description=__doc__)
    asked.add_argument("--workers", type=int, default=4)
    asked.add_argument("--posts", type=int, default=2_000)
    asked.add_argument("--replies", type=int, default=200)
    asked.add_argument("--kill-every", type=float, default=0.3, help="seconds")
    asked.add_argument("--pace", type=float, default=5.0, help="by how much every wait of a city is divided")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    with postgres() as server, tempfile.TemporaryDirectory(prefix="harken-workers-") as folder:
        runs = {
            name: one_run(server, Path(folder), name, given, kill_every=every)
            for name, every in (("calm", None), ("killed", given.kill_every))
        }
    report(runs)
    sys.exit(1 if any(told.wrong for told in runs.values()) else 0)


def one_run(server: Server, folder: Path, name: str, given: argparse.Namespace, *, kill_every: float | None) -> Told:
    """The same posts and the same approvals, on a database of its own."""
    told, dice = Told(posts=given.posts), random.Random(f"{given.seed}:{name}")
    with psycopg.connect(host=str(server.folder), user="harken", dbname="postgres", autocommit=True) as asking:
        asking.execute(f"CREATE DATABASE {name}")
    with running() as sandbox, city(server, folder / name, name, sandbox.url) as (config, held, who):
        sandbox.ctl.limits(False)
        nest = Nest(folder / name, HARKEN_PACE=str(given.pace))
        workers = Workers(nest=nest, config=config, count=given.workers)
        try:
            wait_for_workers(workers)
            began, fed, until = time.monotonic(), 0, time.monotonic() + SECONDS_AT_MOST
            while time.monotonic() < until:
                workers.keep_up()
                if kill_every is not None and time.monotonic() - workers.last_kill >= kill_every:
                    workers.kill_one(dice)
                with suppress(OperationalError):  # the store's lock was not to be had for long: as people, try again
                    heard = count(held, MentionRow.id)
                    if fed < given.posts and fed - heard < BATCH:
                        fed += feed(sandbox.ctl, fed, min(BATCH, given.posts - fed))
                    told.approved += approve(held, who, given.replies - told.approved)
                    told.replayed += try_again(held)
                    if fed == given.posts == heard and told.approved == given.replies and nothing_waits(held):
                        break
                time.sleep(0.05)
            told.seconds, told.kills = time.monotonic() - began, workers.kills
        finally:
            nest.close()
        judge(told, held, sandbox.ctl)
    return told


@contextmanager
def city(server: Server, home: Path, name: str, url: str) -> Iterator[tuple[Path, Deployment, Principal]]:
    """A city on PostgreSQL with one account, and a person who approves."""
    quick = {"poll_every": "PT1S", "read_within": 60}
    config = written(
        home,
        url,
        store={"url": server.url(name)},
        sending={"settle": "PT4S"},
        alarms={"to": []},
        accounts={X: quick, "city_hall_facebook": None},
        crm=None,
    )
    held = open_deployment(config, migrating=True)
    try:
        yield config, held, principal(held, "approver")
    finally:
        held.close()


def wait_for_workers(workers: Workers) -> None:
    until = time.monotonic() + SECONDS_AT_MOST
    workers.keep_up()
    while not all(workers.nest.is_up(pid) for pid in workers.pids) and time.monotonic() < until:
        time.sleep(0.05)


def feed(ctl: Control, first: int, many: int) -> int:
    """Residents post."""
    ctl.load(
        [
            {
                "platform": "x",
                "author": f"r{number % 97}",
                "text": f"@alderfalls pothole no. {number} at {number} Oak St",
            }
            for number in range(first, first + many)
        ]
    )
    return many


def approve(held: Deployment, who: Principal, most: int) -> int:
    """A person says yes to what waits; gives to how much."""
    with held.store.reading() as session:
        waiting = session.exec(select(DraftRow).where(DraftRow.state == "pending").limit(min(most, 10))).all()
    done = 0
    for draft in waiting if most > 0 else ():
        try:
            decide.approve(held, who, draft.id, version=draft.version, parts=["reply"])
        except HarkenError:  # it was drafted anew meanwhile
            continue
        done += 1
    return done


def try_again(held: Deployment) -> int:
    """Replay what was given up on, as a person would from *Needs attention*."""
    with held.store.reading() as session:
        if not session.exec(select(AttentionRow.id).where(*GIVEN_UP)).first():
            return 0
    with held.store.writing() as session:
        dead = session.exec(select(AttentionRow).where(*GIVEN_UP)).all()
        for row in dead:
            replay.replay(session, row, None)
            attention.close(session, row, outcome="replayed", by="test")
    return len(dead)


def nothing_waits(held: Deployment) -> bool:
    """The sweeps for doubles come ten minutes after a reply; all else is to be done now."""
    with held.store.reading() as session:
        waiting = select(func.count()).where(col(WorkRow.state).in_(("ready", "leased")), WorkRow.kind != "sweep")
        return session.exec(waiting.select_from(WorkRow)).one() == 0


def count(held: Deployment, column: Any) -> int:
    with held.store.reading() as session:
        return session.exec(select(func.count(column))).one()


def judge(told: Told, held: Deployment, ctl: Control) -> None:
    """The ledger: every post a mention, every mention read once, every reply approved posted once."""
    told.mentions = count(held, MentionRow.id)
    with held.store.reading() as session:
        told.assessed = session.exec(select(func.count(func.distinct(AssessmentRow.mention_id)))).one()
        told.read_twice = count(held, AssessmentRow.id) - told.assessed
        told.epochs = session.connection().exec_driver_sql("SELECT epoch FROM leader").scalar_one()
        states = work.by_state(session)
    replies = Counter(one["in_reply_to"] for one in ctl.effects(platform="x") if one["kind"] in {"reply", "post"})
    told.posted, told.doubled = len(replies), replies.total() - len(replies)
    for what, wanted, found in (
        ("mentions", told.posts, told.mentions),
        ("mentions with an assessment", told.mentions, told.assessed),
        ("assessments too many", 0, told.read_twice),
        ("replies posted", told.approved, told.posted),
        ("replies doubled", 0, told.doubled),
        ("rows given up on", 0, states.get("dead", 0)),
    ):
        if wanted != found:
            told.wrong.append(f"{what}: {found}, not {wanted}")


def report(runs: dict[str, Told]) -> None:
    """A column a run."""
    sys.stdout.write("".join(f"{name:>12}" for name in ("", "", *runs)) + "\n")
    for title, of in (
        ("posts", lambda told: told.posts),
        ("mentions, each read once", lambda told: told.assessed),
        ("replies approved", lambda told: told.approved),
        ("replies posted, each once", lambda told: told.posted),
        ("doubled", lambda told: told.doubled + told.read_twice),
        ("workers killed", lambda told: told.kills),
        ("given up on and replayed", lambda told: told.replayed),
        ("times that the lead was taken", lambda told: told.epochs),
        ("seconds", lambda told: f"{told.seconds:.1f}"),
        ("posts a second, the whole way", lambda told: f"{told.posts / told.seconds:.1f}"),
    ):
        sys.stdout.write(f"{title:<31}" + "".join(f"{of(told):>12}" for told in runs.values()) + "\n")
    calm, killed = (told.posts / told.seconds for told in runs.values())
    sys.stdout.write(f"under kills {killed / calm:.0%} of the calm run's\n")
    for name, told in runs.items():
        for line in told.wrong:
            sys.stdout.write(f"WRONG, {name}: {line}\n")


if __name__ == "__main__":
    main()
