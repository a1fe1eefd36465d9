"""A store is copied whole or not at all, and a row that changed on the way is found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from errors import ConfigError
from store import audit, copying, migrate
from store.copying import Copied
from store.engine import Store, open_store
from store.tables import AccountRow, ContentRow, IdentityRow, LeaderRow, ServiceRequestRow, SettingRow
from store.types import now

MINUTE = timedelta(minutes=1)


@pytest.fixture
def empty(store_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database with nothing in it, of the other kind."""
    if store_url.startswith("sqlite"):
        url = request.getfixturevalue("fresh_postgres")("template0")
    else:
        url = f"sqlite:///{tmp_path / 'copy.db'}"
    opened = open_store(url)
    yield opened
    opened.close()


def rows_of(store: Store) -> int:
    with store.reading() as session:
        return sum(one.rows for one in copying.sums(session).values())


def test_the_copy_holds_the_same_and_the_log_goes_on(city_store: Store, empty: Store) -> None:
    with city_store.writing() as session:
        audit.append(session, by="ana", action="draft.approved", subject="draft:1")
        words = ContentRow(record_class="post", text="Żółw 🕳️", raw=b"\x00\xff", media=[{"kind": "é"}])
        session.add(words)
        session.flush()
        session.add(ContentRow(record_class="draft", text="", derived_from=words.id))
    with city_store.reading() as session:
        before = copying.sums(session)

    copied = list[Copied]()
    in_doubt = copying.copy(city_store, empty, settle=MINUTE, by="ana", tell=copied.append)

    assert {one.table: copying.Sum(rows=one.rows, checksum=one.checksum) for one in copied} == before
    assert (before["account"].rows, before["content"].rows, in_doubt) == (2, 2, 0)
    with empty.writing() as session:
        assert [row.action for row in audit.entries(session, before=None, limit=9)] == [
            "store.copied",
            "draft.approved",
        ]
        assert audit.verify(session).holds
        found = session.exec(select(ContentRow).order_by(ContentRow.id)).all()  # type: ignore[arg-type]  # a column
        assert [(row.text, row.raw, row.media) for row in found] == [
            ("Żółw 🕳️", b"\x00\xff", [{"kind": "é"}]),
            ("", None, None),
        ]
        session.add(AccountRow(name="new", platform="x"))  # by a number that none has


def test_what_was_copied_sends_nothing_more(city_store: Store, empty: Store) -> None:
    copying.copy(city_store, empty, settle=MINUTE, by="ana")

    for store, stopped in ((city_store, True), (empty, False)):
        with store.reading() as session:
            assert (session.get(SettingRow, "kill_switch.all") is not None) is stopped


def test_rows_that_point_at_later_ones_of_their_table_are_copied(city_store: Store, empty: Store) -> None:
    with city_store.writing() as session:
        words = ContentRow(record_class="description", text="a hole")
        session.add(words)
        session.flush()
        made = [
            ServiceRequestRow(
                reference=f"AF-{number}",
                token=str(number),
                service_code="pothole",
                service_name="Pothole",
                description_id=words.id,
            )
            for number in range(2)
        ]
        session.add_all(made)
        session.flush()
        made[0].merged_into = made[1].id
        session.add(made[0])

    copying.copy(city_store, empty, settle=MINUTE, by="ana")

    with empty.reading() as session:
        first = session.exec(select(ServiceRequestRow).where(ServiceRequestRow.reference == "AF-0")).one()
        assert first.merged_into == made[1].id


@pytest.mark.only_on("sqlite")
def test_a_nul_that_postgresql_does_not_hold_is_replaced_and_told(city_store: Store, empty: Store) -> None:
    with city_store.writing() as session:
        session.add(IdentityRow(platform="x", platform_user_id="7", handle="j\x00"))

    copied = list[Copied]()
    copying.copy(city_store, empty, settle=MINUTE, by="ana", tell=copied.append)

    assert {one.table: one.mended for one in copied if one.mended} == {"identity": 1}
    with empty.reading() as session:
        assert session.exec(select(IdentityRow.handle)).one() == "j\ufffd"


CHANGE = {
    "sqlite": [
        "CREATE TRIGGER other AFTER INSERT ON account BEGIN UPDATE account SET platform='y' WHERE id = NEW.id; END"
    ],
    "postgresql": [
        """CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN NEW.platform = 'y'; RETURN NEW; END $$""",
        "CREATE TRIGGER other BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION other()",
    ],
}


def test_a_row_that_changed_on_the_way_is_found_and_nothing_is_kept(city_store: Store, empty: Store) -> None:
    migrate.upgrade(empty)
    with empty.engine.begin() as connection:
        for statement in CHANGE[empty.engine.dialect.name]:
            connection.execute(text(statement))

    with pytest.raises(copying.Differs, match="account: 2 rows were read, the target holds 2, and their sums differ"):
        copying.copy(city_store, empty, settle=MINUTE, by="ana")

    assert rows_of(empty) == 0
    with city_store.reading() as session:
        assert session.get(SettingRow, "kill_switch.all") is None


def test_a_row_that_the_target_does_not_take_is_told_without_its_words(city_store: Store, empty: Store) -> None:
    with city_store.writing() as session:
        session.add(IdentityRow(platform="x", platform_user_id="7", handle="quagmire"))
    migrate.upgrade(empty)
    with empty.engine.begin() as connection:
        if empty.is_sqlite:
            refuses = "CREATE TRIGGER no BEFORE INSERT ON identity BEGIN SELECT RAISE(ABORT, 'quagmire'); END"
        else:
            refuses = "ALTER TABLE identity ADD CHECK (handle <> 'quagmire')"
        connection.execute(text(refuses))

    with pytest.raises(copying.Differs, match="identity: the target takes no row") as told:
        copying.copy(city_store, empty, settle=MINUTE, by="ana")

    assert "quagmire" not in str(told.value)
    assert rows_of(empty) == 0


def test_a_target_that_holds_something_is_refused(city_store: Store, empty: Store) -> None:
    migrate.upgrade(empty)
    with empty.writing() as session:
        session.add(AccountRow(name="theirs", platform="x"))

    with pytest.raises(ConfigError, match="account holds 1 rows; name a database with nothing in it"):
        copying.copy(city_store, empty, settle=MINUTE, by="ana")

    assert rows_of(empty) == 1


def test_a_target_of_an_old_schema_is_refused(city_store: Store, empty: Store) -> None:
    from alembic import command

    command.upgrade(migrate.config(empty), "0001")

    with pytest.raises(ConfigError, match=r"has schema 0001, .*name a database with nothing in it"):
        copying.copy(city_store, empty, settle=MINUTE, by="ana")


@pytest.mark.only_on("postgresql")
def test_a_store_that_somebody_works_on_is_refused(city_store: Store, empty: Store) -> None:
    with city_store.writing() as session:
        session.add(LeaderRow(name="scheduler", holder="node-1:77", epoch=3, lease_until=now() + MINUTE))

    with pytest.raises(ConfigError, match="node-1:77 works on this store; stop every"):
        copying.copy(city_store, empty, settle=MINUTE, by="ana")

    assert rows_of(empty) == 0
