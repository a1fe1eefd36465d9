"""The breaker of a source: a poisoned post is no reason to stop, a changed platform is."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from store import attention, breaker
from store.engine import Store
from store.tables import AccountRow, AttentionRow, BreakerRow


def account(session: Session) -> AccountRow:
    return session.exec(select(AccountRow).where(AccountRow.name == "city_hall_x")).one()


def noted(session: Session, *pages: tuple[int, int], source: str = "mentions") -> list[bool]:
    """Whether the source stood still after each page of so many readable and unreadable posts."""
    return [
        breaker.note(session, account(session), source, read=read, unreadable=lost, version="1") for read, lost in pages
    ]


def told(session: Session) -> list[AttentionRow]:
    return [row for row in attention.open_rows(session) if row.kind == "source"]


@pytest.mark.parametrize(
    ("pages", "stops"),
    [
        ([(99, 1)] * 60, False),
        ([(98, 2)] * 60, True),
        ([(0, 20)], False),
        ([(0, 21)], True),
        ([(0, 1)] * 1_000, True),
        ([(1_979, 21)], True),
        ([(1_000_000, 0), (0, 21)], True),
        ([(0, 20), *[(500, 0)] * 8, (0, 15)], False),
    ],
    ids=[
        "1 in 100 for ever",
        "2 in 100",
        "20 at once",
        "21 at once",
        "1,000 in a row",
        "a long first page",
        "after a long good time",
        "old ones fade",
    ],
)
def test_it_stops_where_more_than_one_in_a_hundred_of_late_cannot_be_read(
    city_store: Store, pages: list[tuple[int, int]], stops: bool
) -> None:
    with city_store.writing() as session:
        assert noted(session, *pages)[-1] is stops
        assert len(told(session)) == stops


def test_a_stopped_source_stops_no_other(city_store: Store) -> None:
    with city_store.writing() as session:
        noted(session, (0, 99))

        assert breaker.stopped(session, account(session), "mentions", version="1")
        assert not breaker.stopped(session, account(session), "search", version="1")


def test_another_version_tries_by_itself_and_counts_anew(city_store: Store) -> None:
    with city_store.writing() as session:
        noted(session, (0, 99))

        assert not breaker.stopped(session, account(session), "mentions", version="2")

        row = session.exec(select(BreakerRow)).one()
        assert (row.heard, row.unreadable, row.stopped_at) == (0, 0, None)
        assert told(session) == []


def test_what_was_discarded_is_told_again_while_the_source_stands_still(city_store: Store) -> None:
    with city_store.writing() as session:
        noted(session, (0, 99))
        (row,) = told(session)
        attention.close(session, row, outcome="discarded", by="staff:1")

        assert breaker.stopped(session, account(session), "mentions", version="1")

        (again,) = told(session)
        assert again.id != row.id
        assert "mentions" in again.summary
        assert "try again" in again.remedy
