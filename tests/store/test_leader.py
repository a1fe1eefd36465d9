"""One leads at a time; another follows when its lease is over, and what the first writes after that is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from store import clock, leader
from store.engine import Store
from store.leader import LEASE, NotLeadingError, Term
from store.tables import AccountRow, LeaderRow


def stand(session: Session, holder: str) -> Term | None:
    return leader.stand(session, "clock", holder=holder)


def lapse(session: Session, *, by: timedelta = timedelta(seconds=1)) -> None:
    row = session.get_one(LeaderRow, "clock", populate_existing=True)
    row.lease_until = clock.read(session) - by
    session.add(row)
    session.flush()


def test_the_first_leads_and_the_second_does_not(opened: Store) -> None:
    with opened.writing() as session:
        first = stand(session, "one")

        assert first == Term(name="clock", holder="one", epoch=1)
        assert stand(session, "two") is None
        assert leader.renew(session, first)


def test_a_lapsed_lease_goes_to_another_with_the_next_epoch(opened: Store) -> None:
    with opened.writing() as session:
        first = stand(session, "one")
        assert first is not None
        lapse(session)

        second = stand(session, "two")

        assert second == Term(name="clock", holder="two", epoch=2)
        assert not leader.renew(session, first)
        leader.resign(session, first)
        assert stand(session, "one") is None


def test_a_lease_that_nobody_took_is_taken_up_again(opened: Store) -> None:
    with opened.writing() as session:
        first = stand(session, "one")
        assert first is not None
        lapse(session)

        assert leader.renew(session, first)
        assert stand(session, "two") is None


def test_who_resigns_is_followed_at_once(opened: Store) -> None:
    with opened.writing() as session:
        first = stand(session, "one")
        assert first is not None

        leader.resign(session, first)

        assert stand(session, "two") == Term(name="clock", holder="two", epoch=2)


def test_a_clock_that_was_set_back_leaves_nobody_without_a_leader(opened: Store) -> None:
    with opened.writing() as session:
        stand(session, "one")
        lapse(session, by=timedelta(hours=-1))

        assert stand(session, "two") is not None


def test_what_a_deposed_leader_writes_is_refused_whole(opened: Store) -> None:
    with opened.writing() as session:
        first = stand(session, "one")
    assert first is not None
    with opened.checking(lambda session: leader.must_hold(session, first)), opened.writing() as session:
        session.add(AccountRow(name="in_time", platform="x"))
    with opened.writing() as session:
        lapse(session)
        stand(session, "two")

    with (
        pytest.raises(NotLeadingError, match="one no longer leads the clock"),
        opened.checking(lambda session: leader.must_hold(session, first)),
        opened.writing() as session,
    ):
        session.add(AccountRow(name="too_late", platform="x"))

    with opened.writing() as session:
        assert session.exec(select(AccountRow.name)).all() == ["in_time"]


def test_a_lease_outlasts_three_looks(opened: Store) -> None:
    with opened.writing() as session:
        before = clock.read(session)
        stand(session, "one")

        assert session.get_one(LeaderRow, "clock").lease_until - before >= LEASE
