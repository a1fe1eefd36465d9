"""Migrations: they lead to the tables of the code and back, one after the other, and an old schema is refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import store.tables
from errors import ConfigError
from store import migrate
from store.engine import Store, open_store

POSTGRESQL_CHECKS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'public'::regnamespace"""
POSTGRESQL_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
VERSIONS = sorted((migrate.FOLDER / "versions").glob("[0-9]*.py"))


@pytest.fixture
def make_empty(tmp_path: Path, store_url: str, request: pytest.FixtureRequest) -> Iterator[Callable[[], Store]]:
    """Opens databases with nothing in them, of the kind of the test's store."""
    made: list[Store] = []

    def make() -> Store:
        if store_url.startswith("sqlite"):
            url = f"sqlite:///{tmp_path / f'empty{len(made)}.db'}"
        else:
            url = request.getfixturevalue("fresh_postgres")("template0")
        made.append(open_store(url))
        return made[-1]

    yield make
    for opened in made:
        opened.close()


@pytest.fixture
def empty(make_empty: Callable[[], Store]) -> Store:
    return make_empty()


def test_the_newest_schema_is_the_one_of_the_code(city_store: Store) -> None:
    assert store.tables.MENTION_STATES

    with city_store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": ours})
        differences = compare_metadata(context, SQLModel.metadata)

    assert differences == []


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is not one of the queue that wakes workers."""
    return kind != "table" or not (name or "").startswith("procrastinate_")


def test_checks_and_partial_indexes_are_those_of_the_code(opened: Store, make_empty: Callable[[], Store]) -> None:
    """Alembic compares neither."""
    made = make_empty()
    SQLModel.metadata.create_all(made.engine)

    assert rules(opened) == rules(made)


def rules(store: Store) -> dict[str, list[str]]:
    """The CHECKs of each table and the text of each index, white space and quotes aside."""
    with store.engine.connect() as connection:
        if not store.is_sqlite:
            asked = {"checks": POSTGRESQL_CHECKS, "indexes": POSTGRESQL_INDEXES}
            found = {name: map(str, connection.exec_driver_sql(query).all()) for name, query in asked.items()}
            return {name: sorted(row for row in rows if "procrastinate_" not in row) for name, rows in found.items()}
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    return {
        name: sorted(found.strip(" ,") for found in re.findall(r"CONSTRAINT (ck_\w+ CHECK .*)", sql))
        if sql.startswith("CREATE TABLE")
        else [" ".join(sql.replace('"', "").split())]
        for name, sql in rows
        if name != "alembic_version" and not sql.startswith("CREATE TRIGGER")
    }


def test_every_step_leads_back(empty: Store) -> None:
    migrate.upgrade(empty)

    command.downgrade(migrate.config(empty), "base")

    assert migrate.current(empty) is None
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.newest()


def test_the_numbers_run_without_a_gap() -> None:
    numbers = [path.name.partition("_")[0] for path in VERSIONS]

    assert numbers == [f"{number:04}" for number in range(1, len(VERSIONS) + 1)]
    for path, before in zip(VERSIONS, ["None", *map(repr, numbers)], strict=False):
        source = path.read_text(encoding="utf-8").replace('"', "'")
        assert f"revision = '{path.name[:4]}'" in source
        assert f"down_revision = {before}" in source


def test_an_old_schema_is_refused_with_the_command_to_run(empty: Store) -> None:
    with pytest.raises(ConfigError, match="harken db upgrade"):
        migrate.check(empty)

    command.upgrade(migrate.config(empty), "0001")
    if migrate.newest() != "0001":
        with pytest.raises(ConfigError, match=r"has schema 0001, .*harken db upgrade"):
            migrate.check(empty)
    migrate.upgrade(empty)

    migrate.check(empty)


def test_two_that_upgrade_at_once_are_harmless(empty: Store) -> None:
    failures = list[Exception]()

    def upgrade() -> None:
        try:
            migrate.upgrade(empty)
        except Exception as err:  # noqa: BLE001  a thread's failure must reach the test
            failures.append(err)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    migrate.check(empty)
