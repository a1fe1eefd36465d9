"""PostgreSQL: what its sessions may do and for how long, and what a restart or a wrong server costs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from errors import ConfigError
from store import migrate
from store.engine import ONE_WRITER, SESSION, TROUBLE, Store, open_store
from store.tables import AccountRow
from tests.fixtures.postgres_server import Server

pytestmark = pytest.mark.only_on("postgresql")


@pytest.fixture
def own_store(own_postgres: Server) -> Iterator[Store]:
    """A store on a server that the test may stop."""
    opened = open_store(own_postgres.url("postgres"))
    migrate.upgrade(opened)
    yield opened
    opened.close()


def asked(session: Session, what: str) -> str:
    return str(session.connection().exec_driver_sql(f"SHOW {what}").scalar_one())


def names(store: Store) -> list[str]:
    with store.reading() as session:
        return list(session.exec(select(AccountRow.name)))


def limits(store: Store) -> dict[str, int]:
    """Milliseconds."""
    query = text("SELECT name, setting::int AS setting FROM pg_settings WHERE name = ANY(:names)")
    with store.reading() as session:
        found = session.connection().execute(query, {"names": list(SESSION)}).all()
    return {row.name: row.setting for row in found}


def test_no_session_waits_or_idles_for_ever(opened: Store) -> None:
    with opened.engine.begin() as connection:
        for name in SESSION:
            connection.execute(text(f"ALTER DATABASE {opened.engine.url.database} SET {name} = 0"))
    opened.close()

    assert limits(opened) == SESSION


def test_limits_that_the_database_has_already_are_left_alone(opened: Store) -> None:
    with opened.engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {opened.engine.url.database} SET statement_timeout = '7s'"))
    opened.close()

    assert limits(opened)["statement_timeout"] == 7_000


def test_readers_see_one_moment_and_write_nothing(opened: Store) -> None:
    with opened.reading() as session:
        assert asked(session, "transaction_isolation") == "repeatable read"
        session.add(AccountRow(name="no", platform="x"))
        with pytest.raises(TROUBLE, match="read-only"):
            session.flush()
        session.rollback()

    assert names(opened) == []


def test_writers_see_what_was_committed_before_they_had_the_lock(opened: Store) -> None:
    with opened.writing() as session:
        assert asked(session, "transaction_isolation") == "read committed"


def test_who_claims_waits_for_no_writer(opened: Store) -> None:
    with opened.writing() as writer:
        writer.add(AccountRow(name="written", platform="x"))
        with opened.claiming() as session:
            session.add(AccountRow(name="claimed", platform="x"))

        assert names(opened) == ["claimed"]


def test_who_waits_too_long_for_a_writer_is_told_that_the_database_is_busy(opened: Store) -> None:
    with opened.writing(), opened.claiming() as session:
        session.execute(text("SET LOCAL lock_timeout = 50"))
        with pytest.raises(TROUBLE, match="lock timeout"):
            session.execute(text(ONE_WRITER))
        session.rollback()


def test_what_takes_long_may_take_long(opened: Store) -> None:
    with opened.reading() as session:
        opened.take_time(session)

        assert asked(session, "statement_timeout") == "0"
        assert asked(session, "idle_in_transaction_session_timeout") == "0"


def test_a_server_that_may_lose_commits_is_refused(postgres_url: str) -> None:
    opened = open_store(postgres_url)
    with opened.engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {opened.engine.url.database} SET synchronous_commit = off"))
    opened.close()

    with pytest.raises(ConfigError, match="synchronous_commit=off: a power cut could lose approvals; ALTER ROLE"):
        open_store(postgres_url)


def test_an_encoding_that_can_not_hold_every_post_is_refused(fresh_postgres: Callable[..., str]) -> None:
    url = fresh_postgres("template0 ENCODING 'LATIN1' LOCALE 'C'")

    with pytest.raises(ConfigError, match="encoding is LATIN1, which can't hold every post"):
        open_store(url)


def test_a_server_that_is_away_is_told_in_one_line_without_the_password(silent_port: int) -> None:
    with pytest.raises(ConfigError) as told:
        open_store(f"postgresql+psycopg://harken:hunter2@127.0.0.1:{silent_port}/harken")

    assert f"postgresql+psycopg://harken:***@127.0.0.1:{silent_port}/harken: can't be opened" in str(told.value)
    assert "\n" not in str(told.value)
    assert "hunter2" not in str(told.value)


def test_a_restart_costs_nothing_but_what_was_under_way(own_postgres: Server, own_store: Store) -> None:
    with own_store.writing() as session:
        session.add(AccountRow(name="kept", platform="x"))

    def cut_off() -> None:
        with own_store.writing() as session:
            session.add(AccountRow(name="under_way", platform="x"))
            session.flush()
            own_postgres.stop(signal.SIGQUIT)

    with pytest.raises(TROUBLE):
        cut_off()
    with pytest.raises(TROUBLE):
        names(own_store)
    own_postgres.start()

    assert names(own_store) == ["kept"]
    with own_store.writing() as session:
        session.add(AccountRow(name="after", platform="x"))


def test_the_next_transaction_after_a_restart_does_not_notice(own_postgres: Server, own_store: Store) -> None:
    assert names(own_store) == []

    own_postgres.stop()
    own_postgres.start()

    assert names(own_store) == []


def test_a_server_that_became_a_standby_is_the_databases_own_trouble(opened: Store) -> None:
    with opened.engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {opened.engine.url.database} SET default_transaction_read_only = on"))
    opened.close()

    with pytest.raises(TROUBLE, match="read-only") as told, opened.writing() as session:
        session.add(AccountRow(name="no", platform="x"))

    assert isinstance(told.value, DBAPIError)
