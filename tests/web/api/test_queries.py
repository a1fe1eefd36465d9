"""A page costs a fixed number of queries, however long it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from tests.web.api.conftest import City

pytestmark = pytest.mark.both_stores


@contextmanager
def counted(city: City) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engine = city.deployment.store.engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("noun", ["mentions", "drafts", "requests"])
def test_a_long_page_costs_as_many_queries_as_a_short_one(city: City, noun: str) -> None:
    token = city.token("approver")
    for _ in range(8):
        _, draft_id = city.drafted()
        city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 1})

    with counted(city) as short:
        city.ask("GET", f"/{noun}?limit=2", token=token)
    with counted(city) as long:
        assert len(city.ask("GET", f"/{noun}?limit=8", token=token).json()["items"]) == 8

    assert len(long) == len(short)
    assert len(long) < 25


@pytest.mark.parametrize(
    "path", ["/mentions/99999999999999999", "/drafts/99999999999999999", "/requests/99999999999999999"]
)
def test_a_number_that_no_row_can_have_is_not_found(city: City, path: str) -> None:
    assert city.ask("GET", path, token=city.token("viewer")).status_code == 404
