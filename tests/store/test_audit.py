"""The log: it only grows, each entry holds all before it, and whatever was done to it is found."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from store import audit
from store.engine import Store
from tests.fixtures.stores import execute_unchecked as tamper

CHANGES = {
    "happened_at": "'2026-01-01 00:00:00.000000'",
    "by": "'somebody else'",
    "action": "'draft.rejected'",
    "subject": "'draft:99'",
    "hashes": '\'{"text": "other"}\'',
    "prev": "'00'",
    "hash": "'00'",
    "seq": "77",
}


def five(store: Store) -> None:
    with store.writing() as session:
        for number in range(1, 6):
            audit.append(session, by="ana", action="draft.approved", subject=f"draft:{number}", hashes={"text": "ab"})


def verdict(store: Store) -> audit.Verdict:
    with store.reading() as session:
        return audit.verify(session)


def test_an_empty_log_holds(city_store: Store) -> None:
    assert verdict(city_store) == audit.Verdict(entries=0, head=audit.GENESIS)


def test_an_untouched_log_holds_and_its_head_is_the_last_hash(city_store: Store) -> None:
    five(city_store)

    found = verdict(city_store)

    with city_store.reading() as session:
        newest = audit.entries(session, before=None, limit=1)[0]
    assert (found.holds, found.entries, found.head) == (True, 5, newest.hash)


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_of_any_column_is_found(city_store: Store, column: str) -> None:
    five(city_store)

    tamper(city_store, f'UPDATE audit SET "{column}" = {CHANGES[column]} WHERE seq = 3')

    found = verdict(city_store)
    assert not found.holds
    assert found.first_bad in {3, 4}
    assert found.why


@pytest.mark.parametrize("seq", [1, 3])
def test_a_missing_entry_is_found(city_store: Store, seq: int) -> None:
    five(city_store)

    tamper(city_store, f"DELETE FROM audit WHERE seq = {seq}")

    assert verdict(city_store).first_bad == seq


def test_two_entries_that_changed_places_are_found(city_store: Store) -> None:
    five(city_store)

    tamper(city_store, "UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3)")
    tamper(city_store, "UPDATE audit SET seq = -seq WHERE seq < 0")

    assert verdict(city_store).first_bad == 2


@pytest.mark.parametrize("statement", ["UPDATE audit SET action = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_or_remove(city_store: Store, statement: str) -> None:
    five(city_store)

    with pytest.raises(DatabaseError, match="only grows"), city_store.writing() as session:
        session.execute(text(statement))

    assert verdict(city_store).entries == 5


def test_what_is_undone_with_its_act_leaves_no_entry(city_store: Store) -> None:
    five(city_store)

    def break_off() -> None:
        with city_store.writing() as session:
            audit.append(session, by="ana", action="draft.approved", subject="draft:6")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    assert verdict(city_store).entries == 5


def test_entries_come_newest_first_a_page_at_a_time(city_store: Store) -> None:
    five(city_store)

    with city_store.reading() as session:
        pages = [[row.seq for row in audit.entries(session, before=before, limit=2)] for before in (None, 4, 2)]

    assert pages == [[5, 4], [3, 2], [1]]
