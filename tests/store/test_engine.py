"""Both stores are durable and strict, and two writers wait for each other."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import select

from errors import ConfigError
from store.engine import BUSY_TIMEOUT_MS, Store, open_store
from store.tables import AccountRow, NoteRow, SettingRow


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", BUSY_TIMEOUT_MS),
        ("secure_delete", 1),
    ],
)
def test_every_connection_is_opened_carefully(city_store: Store, pragma: str, value: object) -> None:
    with city_store.engine.connect() as first, city_store.engine.connect() as second:
        found = [connection.execute(text(f"PRAGMA {pragma}")).scalar() for connection in (first, second)]

    assert found == [value, value]


def test_a_row_that_points_nowhere_is_refused(city_store: Store) -> None:
    with pytest.raises(IntegrityError), city_store.writing() as session:
        session.add(NoteRow(conversation_id=99, content_id=99, by="ana"))


def test_a_writer_takes_the_lock_before_it_reads(city_store: Store) -> None:
    """Else two that read the same and then write would lose one of the two, or fail half-way."""
    inside, order = threading.Event(), list[str]()

    def second() -> None:
        inside.wait()
        with city_store.writing() as session:
            account = session.exec(select(AccountRow).where(AccountRow.name == "parks_x")).one()
            order.append("second")
            account.failures += 1
            session.add(account)

    thread = threading.Thread(target=second)
    thread.start()
    with city_store.writing() as session:
        account = session.exec(select(AccountRow).where(AccountRow.name == "parks_x")).one()
        inside.set()
        thread.join(timeout=0.2)
        account.failures += 1
        session.add(account)
        order.append("first")
    thread.join()

    with city_store.reading() as session:
        assert session.exec(select(AccountRow).where(AccountRow.name == "parks_x")).one().failures == 2
    assert order == ["first", "second"]


def test_many_writers_lose_nothing(city_store: Store) -> None:
    def count() -> None:
        for _ in range(10):
            with city_store.writing() as session:
                row = session.get(SettingRow, "n") or SettingRow(key="n", value={"n": 0}, by="test")
                row.value = {"n": int(row.value["n"]) + 1}
                session.add(row)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with city_store.reading() as session:
        assert session.get_one(SettingRow, "n").value == {"n": 40}


def test_readers_do_not_wait_for_a_writer_and_see_no_half(city_store: Store) -> None:
    with city_store.writing() as session:
        session.add(AccountRow(name="half_done", platform="x"))
        session.flush()

        with city_store.reading() as other:
            seen = other.exec(select(AccountRow.name)).all()

    assert "half_done" not in seen


def test_an_error_undoes_the_whole_transaction(city_store: Store) -> None:
    with pytest.raises(IntegrityError), city_store.writing() as session:
        session.add_all([AccountRow(name="undone", platform="x"), AccountRow(name="parks_x", platform="x")])

    with city_store.reading() as session:
        assert "undone" not in session.exec(select(AccountRow.name)).all()


def test_rows_can_be_read_after_their_session(city_store: Store) -> None:
    with city_store.reading() as session:
        rows = session.exec(select(AccountRow).order_by(AccountRow.name)).all()

    assert [row.name for row in rows] == ["city_hall_x", "parks_x"]


@pytest.mark.parametrize(
    "url", ["", "harken.db", "nosuch://x", "mysql+nosuch://x/y", "sqlite:////proc/no/such/place.db", "://"]
)
def test_a_url_that_opens_nothing_is_told_in_one_line(url: str) -> None:
    with pytest.raises(ConfigError) as told:
        open_store(url)

    assert "store.url" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_password_in_the_url_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(ConfigError) as told:
        open_store(f"sqlite://user:hunter2@/{tmp_path / 'folder'}")

    assert "hunter2" not in str(told.value)


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'a' / 'b' / 'harken.db'}")
    store.close()

    assert (tmp_path / "a" / "b" / "harken.db").exists()


def test_times_are_kept_in_utc_and_naive_ones_refused(city_store: Store) -> None:
    east = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=9)))
    with city_store.writing() as session:
        account = session.exec(select(AccountRow).where(AccountRow.name == "parks_x")).one()
        account.not_before = east
        session.add(account)

    with city_store.reading() as session:
        found = session.exec(select(AccountRow).where(AccountRow.name == "parks_x")).one().not_before
    assert found == datetime(2026, 11, 21, 3, tzinfo=UTC)
    with pytest.raises(StatementError, match="naive"), city_store.writing() as session:
        session.add(AccountRow(name="n", platform="x", not_before=datetime(2026, 1, 1)))  # noqa: DTZ001  the point
