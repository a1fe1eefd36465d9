"""A store for each test, of a city with two accounts on X."""

from __future__ import annotations

import pytest

from store.engine import Store
from store.tables import AccountRow


@pytest.fixture
def city_store(opened: Store) -> Store:
    """The store of a city with two accounts on X."""
    with opened.writing() as session:
        session.add_all([AccountRow(name="city_hall_x", platform="x"), AccountRow(name="parks_x", platform="x")])
    return opened
