"""Work rows: leased and fenced, tried with growing pauses, given up in sight of people."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import event, insert
from sqlmodel import Session, col, select

from store import attention, clock, work
from store.engine import Store
from store.tables import AttentionRow, WorkRow
from store.types import now


def claimed(
    session: Session, *, worker: str = "one", after: timedelta = timedelta(0), limit: int = 9
) -> list[work.Claim]:
    return work.claim(session, "assess", worker=worker, limit=limit, at=now() + after)


def row(session: Session, work_id: int | None = None) -> WorkRow:
    session.expire_all()
    return session.get_one(WorkRow, work_id) if work_id else session.exec(select(WorkRow)).one()


LAPSED = work.LEASE + timedelta(seconds=1)


def test_asking_twice_is_asking_once(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7)
        work.put(session, "assess", "7")
        work.put(session, "draft", 7)

        assert len(session.exec(select(WorkRow)).all()) == 2


def test_what_is_claimed_is_nobody_elses(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7)

        mine, theirs = claimed(session), claimed(session, worker="two")

    assert [(held.ref, held.attempt, held.fence) for held in mine] == [("7", 1, 1)]
    assert theirs == []


def test_what_is_not_due_waits(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7, not_before=now() + timedelta(minutes=5))

        assert claimed(session) == []
        assert work.due_in(session) == 0
        assert len(claimed(session, after=timedelta(minutes=6))) == 1


def test_asking_again_for_sooner_is_sooner_and_for_later_is_not_later(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7, not_before=now() + timedelta(minutes=5))
        work.put(session, "assess", 7)
        work.put(session, "assess", 7, not_before=now() + timedelta(minutes=9))

        assert len(claimed(session)) == 1


def test_the_oldest_come_first_and_no_more_than_asked(city_store: Store) -> None:
    with city_store.writing() as session:
        for ref, ago in (("a", 1), ("b", 9), ("c", 5)):
            work.put(session, "assess", ref, not_before=now() - timedelta(minutes=ago))

        assert [held.ref for held in claimed(session, limit=2)] == ["b", "c"]


def test_a_lapsed_lease_is_taken_over_and_the_zombie_finishes_nothing(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7)
        zombie = claimed(session)
        heir = claimed(session, worker="two", after=LAPSED)

        assert work.finish(session, zombie) == 0
        work.later(session, zombie[0], at=now())
        work.give_up(session, zombie[0], "too late")
        assert (row(session).state, row(session).worker, row(session).attempt) == ("leased", "two", 2)
        assert work.finish(session, heir) == 1

    with city_store.reading() as session:
        assert row(session).state == "done"
        assert session.exec(select(AttentionRow)).all() == []


def test_what_is_asked_for_while_it_is_done_is_done_once_more(city_store: Store) -> None:
    """Whoever does it may have read before the change that asks."""
    with city_store.writing() as session:
        work.put(session, "assess", 7)
        early = claimed(session)

        work.put(session, "assess", 7)

        assert work.finish(session, early) == 0
        again = claimed(session, worker="two")
        assert len(again) == 1
        assert work.finish(session, again) == 1


def test_what_was_not_begun_is_given_back_for_free(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7)

        work.give_back(session, claimed(session))

        assert (row(session).state, row(session).attempt) == ("ready", 0)


def test_pauses_double_to_a_limit_and_are_spread() -> None:
    def seconds(dice: float) -> list[float]:
        return [work.wait_after(attempt, lambda: dice).total_seconds() for attempt in range(1, 10)]

    assert seconds(0.5) == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert seconds(0.0) == [usual / 2 for usual in seconds(0.5)]
    assert max(seconds(1.0)) == 15 * 60


def test_the_dice_are_thrown_for_each_pause() -> None:
    assert len({work.wait_after(3) for _ in range(20)}) > 1


def test_a_failure_waits_its_pause_by_the_stores_clock(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7)
        began = clock.read(session)

        work.later(session, claimed(session)[0], error="no luck")

        pause = row(session).not_before - began
        assert timedelta(seconds=2) < pause < timedelta(seconds=60)


def test_a_try_that_was_nobodys_fault_does_not_count(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7)
        for _ in range(work.MAX_ATTEMPTS * 2):
            work.later(session, claimed(session)[0], at=now() - timedelta(seconds=1), free=True)

        assert (row(session).state, row(session).attempt) == ("ready", 0)


def test_what_fails_too_often_is_dead_on_attention_and_can_be_replayed(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7)
        for _ in range(work.MAX_ATTEMPTS):
            work.later(session, claimed(session)[0], at=now() - timedelta(seconds=1), error="no luck")
        assert claimed(session) == []

        assert row(session).state == "dead"
        [shown] = attention.open_rows(session)
        assert (shown.kind, shown.ref) == ("work", "assess:7")
        assert "no luck" in shown.summary
        work.replay(session, "assess", "7")
        assert [held.attempt for held in claimed(session)] == [1]


def test_what_kills_its_worker_each_time_is_given_up_too(city_store: Store) -> None:
    """The attempt counts before the work."""
    with city_store.writing() as session:
        work.put(session, "assess", 7)
        for number in range(work.MAX_ATTEMPTS + 1):
            claimed(session, after=LAPSED * number)

        assert row(session).state == "dead"
        assert "died" in attention.open_rows(session)[0].summary


def test_what_is_given_up_at_once_is_shown(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7)

        work.give_up(session, claimed(session)[0], "no such template")

        assert work.by_state(session) == {"dead": 1}
        assert "no such template" in attention.open_rows(session)[0].summary


def test_a_page_is_finished_at_once_but_for_what_was_taken_over(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put_all(session, "assess", range(5))
        page = claimed(session)
        work.put_all(session, "assess", (1, 3))

        assert work.finish(session, page) == 3
        assert work.by_state(session) == {"done": 3, "ready": 2}


def test_a_lease_is_renewed_for_what_is_still_ours(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put_all(session, "assess", range(2))
        page = claimed(session)
        work.put(session, "assess", page[0].ref)

        was = session.get_one(WorkRow, page[1].work_id).lease_until
        work.renew(session, page)

        assert work.ours(session, page) == page[1:]
        assert (row(session, page[1].work_id).lease_until or now()) > (was or now())
        assert row(session, page[0].work_id).lease_until is None


def test_a_lane_is_worked_on_by_one_at_a_time(city_store: Store) -> None:
    def taken(worker: str, limit: int = 2, after: timedelta = timedelta(0)) -> list[str]:
        at = now() + after
        return [held.ref for held in work.claim(session, "reply", worker=worker, limit=limit, at=at, in_lanes=True)]

    with city_store.writing() as session:
        for minutes, (ref, lane) in enumerate([("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("free", None)]):
            work.put(session, "reply", ref, lane=lane, not_before=now() - timedelta(minutes=9 - minutes))

        assert taken("one") == ["a1", "a2"]
        assert taken("two") == ["b1", "free"]
        assert taken("two") == []
        assert taken("one") == ["a3"]
        assert taken("two", limit=9, after=LAPSED) == ["a1", "a2", "a3", "b1", "free"]


def test_a_replayed_row_keeps_its_lane(city_store: Store) -> None:
    with city_store.writing() as session:
        work.put(session, "assess", 7, lane="a")
        work.give_up(session, claimed(session)[0], "no luck")

        work.replay(session, "assess", "7")

        assert (row(session).state, row(session).lane) == ("ready", "a")


def test_what_was_done_long_ago_is_forgotten_and_what_is_not_done_never(city_store: Store) -> None:
    long_ago = now() - timedelta(days=3)
    with city_store.writing() as session:
        work.put_all(session, "assess", ("done", "dead", "leased"), not_before=long_ago)
        work.put(session, "assess", "lately")
        page = {held.ref: held for held in claimed(session)}
        work.finish(session, [page["done"], page["lately"]])
        work.give_up(session, page["dead"], "no luck")
        work.put(session, "assess", "newest", not_before=long_ago)
        work.finish(session, claimed(session))

        assert work.prune(session) == 1
        assert work.prune(session) == 0

        assert set(session.exec(select(WorkRow.ref))) == {"dead", "leased", "lately", "newest"}


def test_a_clock_that_was_set_back_makes_nothing_wait_as_long_again(city_store: Store) -> None:
    ahead = timedelta(hours=1)
    with city_store.writing() as session:
        work.put(session, "assess", "waits", not_before=now() + ahead)
        work.put(session, "assess", "held")
        work.claim(session, "assess", worker="one", limit=9, at=now() + ahead - timedelta(minutes=1))

        assert claimed(session) == []
        work.clock_set_back(session)

        assert [held.ref for held in claimed(session)] == ["waits"]
        assert {held.ref for held in claimed(session, after=LAPSED)} == {"waits", "held"}


def test_the_time_until_something_is_due_is_known(city_store: Store) -> None:
    with city_store.writing() as session:
        assert work.due_after(session, ("assess", "draft")) is None
        work.put(session, "assess", 7, not_before=now() + timedelta(minutes=5))

        soon = work.due_after(session, ("assess", "draft"))

        assert soon is not None
        assert timedelta(minutes=4) < soon <= timedelta(minutes=5)
        assert work.due_after(session, ("draft",)) is None
        work.put(session, "draft", 7)
        assert (work.due_after(session, ("assess", "draft")) or soon) <= timedelta(0)


def test_claiming_looks_at_nothing_that_is_done(city_store: Store) -> None:
    done = {"kind": "assess", "state": "done", "attempt": 1, "fence": 1, "not_before": now(), "created_at": now()}
    told: list[tuple[str, object]] = []
    with city_store.writing() as session:
        session.execute(insert(WorkRow), [{**done, "ref": f"old {number}"} for number in range(3_000)])
        work.put_all(session, "assess", range(10))
    if not city_store.is_sqlite:
        with city_store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE work")

    event.listen(city_store.engine, "before_cursor_execute", lambda *given: told.append((given[2], given[3])))
    with city_store.claiming() as session:
        assert len(claimed(session)) == 9
    [(statement, parameters)] = [one for one in told if "UPDATE work" in one[0]]
    explain = "EXPLAIN QUERY PLAN" if city_store.is_sqlite else "EXPLAIN"
    with city_store.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()  # type: ignore[arg-type]

    steps = [" ".join(map(str, step)) for step in plan]
    assert any("ix_work_ready" in step for step in steps)
    assert any("ix_work_leased" in step for step in steps)
    assert not [step for step in steps if "Seq Scan on work" in step or step.endswith("SCAN work")]


def test_attention_is_raised_once_owned_and_closed_by_name(city_store: Store) -> None:
    with city_store.writing() as session:
        first = attention.raise_(session, kind="work", ref="assess:7", summary="one")
        again = attention.raise_(session, kind="work", ref="assess:7", summary="two")
        attention.acknowledge(session, again, by="ana")
        attention.settle(session, "work", "assess:7", by="ana")
        third = attention.raise_(session, kind="work", ref="assess:7", summary="three")

        assert first.id == again.id != third.id
        rows = session.exec(select(AttentionRow).order_by(col(AttentionRow.id))).all()
        assert [(one.summary, one.owner, one.outcome, one.closed_by) for one in rows] == [
            ("two", "ana", "resolved", "ana"),
            ("three", None, None, None),
        ]
        assert [one.id for one in attention.open_rows(session, before=third.id + 1)] == [third.id]
