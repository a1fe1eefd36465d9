"""Work rows: leased and fenced, tried with growing pauses, given up in sight of people."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, col, select

from store import attention, work
from store.engine import Store
from store.tables import AttentionRow, WorkRow
from store.types import now


def claimed(
    session: Session, *, worker: str = "one", after: timedelta = timedelta(0), limit: int = 9
) -> list[work.Claim]:
    return work.claim(session, "assess", worker=worker, limit=limit, at=now() + after)


def row(session: Session) -> WorkRow:
    session.expire_all()
    return session.exec(select(WorkRow)).one()


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


def test_pauses_grow_to_a_limit() -> None:
    pauses = [work.wait_after(attempt) for attempt in range(1, 12)]

    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=5)
    assert pauses[-1] == timedelta(minutes=15)


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
