"""A migrated SQLite file for each test: laid once, copied after."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import migrate
from store.engine import Store, open_store
from store.tables import AccountRow


@pytest.fixture(scope="session")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("laid") / "harken.db"
    store = open_store(f"sqlite:///{file}")
    migrate.upgrade(store)
    with store.writing() as session:
        session.add_all([AccountRow(name="city_hall_x", platform="x"), AccountRow(name="parks_x", platform="x")])
    store.forget_freed_pages()
    store.close()
    return file


@pytest.fixture
def file(laid: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(laid, tmp_path / "harken.db"))


@pytest.fixture
def city_store(file: Path) -> Iterator[Store]:
    """The store of a city with two accounts on X."""
    opened = open_store(f"sqlite:///{file}")
    yield opened
    opened.close()
