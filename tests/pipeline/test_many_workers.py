"""Many workers over one PostgreSQL: one leads, and what is to be done is done once, whatever wakes them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlmodel import col, select

import pipeline
from pipeline import alarms, assess, draft, rounds
from pipeline.leading import Candidate
from pipeline.taking import take_each
from scheduler import Runner, count_all
from store import leader, work
from store.engine import Store
from store.leader import NotLeadingError
from store.tables import AccountRow, AlarmRow, AssessmentRow, MentionRollupRow, MentionRow, SourceRangeRow, WorkRow
from tests.fixtures.playing import Answer, playing
from tests.pipeline.city import City, wait_for
from tests.pipeline.conftest import Opened

pytestmark = pytest.mark.only_on("postgresql")  # only there can workers be many

CRY = "Somebody is trapped in a burning car at 120 Oak Street"
DOUBLED = """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    SELECT queue_name, task_name, args FROM procrastinate_jobs WHERE status = 'todo' LIMIT 20"""


def at_once(*steps: Callable[[], object]) -> None:
    """Run all of them at the same time; the first failure is the test's."""
    failures = list[Exception]()
    start = threading.Barrier(len(steps))

    def run(step: Callable[[], object]) -> None:
        start.wait()
        try:
            step()
        except Exception as err:  # noqa: BLE001  a thread's failure must reach the test
            failures.append(err)

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def candidate(store: Store, holder: str, told: list[str], *, lease: timedelta = leader.LEASE) -> Candidate:
    return Candidate(
        store,
        holder,
        elected=lambda: told.append(f"{holder} leads"),
        deposed=lambda: told.append(f"{holder} does not"),
        lease=lease,
    )


def test_one_leads_and_the_next_follows_when_it_stops(city: City) -> None:
    told = list[str]()
    one, two = (candidate(city.deployment.store, holder, told) for holder in ("one", "two"))

    for each in (one, two, one, two):
        each.stand()
    assert (one.leading, two.leading) == (True, False)
    one.stop()
    two.stand()

    assert told == ["one leads", "two leads"]
    assert (one.leading, two.leading) == (False, True)


def test_a_leader_that_stood_still_does_nothing_more_and_stops_its_clock(city: City) -> None:
    store, told, short = city.deployment.store, list[str](), timedelta(seconds=1.5)
    one, two = (candidate(store, holder, told, lease=short) for holder in ("one", "two"))

    def two_leads() -> bool:
        two.stand()
        return two.leading

    one.stand()

    wait_for(lambda: not one.leading)
    with pytest.raises(NotLeadingError), one.acting():
        raise AssertionError("nothing of this is done")
    wait_for(two_leads)  # the store's lease ends a little after what the leader believes
    one.stand()

    assert told == ["one leads", "two leads", "one does not"]
    assert not one.leading


def test_a_tick_that_was_begun_in_time_writes_nothing_when_it_is_late(city: City) -> None:
    """It stood still between looking at its lease and writing, for longer than the lease lasts."""
    store, told = city.deployment.store, list[str]()
    one, two = (candidate(store, holder, told) for holder in ("one", "two"))
    one.stand()

    def late() -> None:
        with one.acting():
            city.execute("UPDATE leader SET lease_until = lease_until - interval '1 minute'")
            two.stand()
            rounds.poll(city.deployment)

    with pytest.raises(NotLeadingError):
        late()

    assert two.leading
    assert city.all(SourceRangeRow) == []


def test_two_schedulers_at_once_are_harmless(open_city: Opened) -> None:
    """Neither asks whose clock it is: a tick finds what the other did."""
    one, two = open_city(), open_city()
    for number in range(30):
        one.post(f"There is a pothole at {number} Oak Street")

    for _ in range(2):
        at_once(*(partial(rounds.poll, city.deployment) for city in (one, two)))
        at_once(*(partial(count_all, city.deployment) for city in (one, two)))

    assert len(one.all(MentionRow)) == 30
    assert len(one.all(WorkRow)) == 30
    assert one.all(SourceRangeRow, col(SourceRangeRow.open).is_(True)) == []
    assert {row.state for row in one.all(AccountRow)} == {"ok"}
    with one.reading() as session:
        counted = session.exec(select(MentionRollupRow.n).where(MentionRollupRow.dimension == "platform"))
        assert sum(counted) == 30


def test_an_alarm_rings_once_though_several_look(open_city: Opened) -> None:
    with playing(Answer(body={})) as stage:
        to = {"to": [stage.url.replace("http://", "json://")]}
        one, two = open_city(alarms=to), open_city(alarms=to)
        one.post(CRY)
        one.hear()
        assess.assess_due(one.deployment, worker="one")

        at_once(*(partial(alarms.ring, city.deployment) for city in (one, two, one, two)))

    assert len(stage.asked) == 1
    assert one.one(AlarmRow).notified == 1


@pytest.mark.parametrize("queue", ["DELETE FROM procrastinate_jobs", DOUBLED], ids=["lost", "doubled"])
def test_losing_or_doubling_every_wakeup_changes_nothing(open_city: Opened, queue: str) -> None:
    cities = [open_city(), open_city()]
    runners = [Runner(city.deployment, polling=False) for city in cities]
    for number in range(40):
        cities[0].post(f"There is a pothole at {number} Oak Street")
    cities[0].hear()
    cities[0].execute(queue)

    for runner in runners:
        runner.start()
    try:
        wait_for(lambda: _all_done(cities[0], queue))
    finally:
        ended = [runner.stop() for runner in runners]

    assert ended == [True, True]
    read = Counter(cities[0].classifier.read + cities[1].classifier.read)
    assert set(read.values()) == {1}
    assert len(read) == len(cities[0].all(AssessmentRow)) == 40


def _all_done(city: City, queue: str) -> bool:
    city.execute(queue)
    with city.reading() as session:
        return work.by_state(session) == {"done": 80}  # read and drafted


def test_who_stops_gives_back_what_it_has_not_begun(city: City) -> None:
    for number in range(3):
        city.post(f"There is a pothole at {number} Oak Street")
    city.hear()
    assess.assess_due(city.deployment, worker="one")

    def stop(_deployment: object, _claim: object) -> None:
        city.deployment.stopping.set()

    done = take_each(city.deployment, draft.KIND, stop, worker="one", limit=9)

    assert done == 1
    assert sorted(row.state for row in city.all(WorkRow, WorkRow.kind == draft.KIND)) == [
        "leased",
        "ready",
        "ready",
    ]
    assert {row.attempt for row in city.all(WorkRow, WorkRow.state == "ready")} == {0}


def test_every_kind_of_work_has_somebody_who_looks_for_it() -> None:
    modules = [importlib.import_module(f"pipeline.{found.name}") for found in pkgutil.iter_modules(pipeline.__path__)]
    taken = {module.KIND for module in modules if any(map(takes_work, vars(module).items()))}

    assert taken == {kind for stage in rounds.STAGES for kind in stage.kinds}


def takes_work(named: tuple[str, object]) -> bool:
    name, thing = named
    return name.endswith("_due") and inspect.isfunction(thing) and "worker" in inspect.signature(thing).parameters
