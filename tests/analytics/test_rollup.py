"""The roll-up is what a scan of the mentions would give, whatever happened in whatever order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, true
from sqlmodel import SQLModel, select

from analytics import rollup
from store.tables import MentionRollupRow, RollupDueRow
from tests.analytics.conftest import Heard

pytestmark = pytest.mark.both_stores

START = datetime(2026, 10, 31, 12, tzinfo=UTC)
KEY = ("dimension", "about", "quarter", "value", "accounts")


def rolled_up(heard: Heard) -> list[dict[str, Any]]:
    with heard.store.reading() as session:
        rows = session.execute(SQLModel.metadata.tables["mention_rollup"].select())
        return in_order([dict(row._mapping) for row in rows])


def scanned(heard: Heard) -> list[dict[str, Any]]:
    with heard.store.reading() as session:
        return in_order(list(rollup.cells(rollup.facts(session, true()))))


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: tuple(row[name] for name in KEY))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_it_is_what_a_scan_gives(heard: Heard, seed: int) -> None:
    chance = random.Random(seed)
    ids: list[int] = []

    for _ in range(60):
        happen(heard, chance, ids)
        if chance.random() < 0.25:
            rollup.refresh(heard.store, at_most=chance.choice((1, 5, 1000)))
    heard.counted()

    assert rolled_up(heard) == scanned(heard)
    assert rolled_up(heard)


def happen(heard: Heard, chance: random.Random, ids: list[int]) -> None:
    """One thing that can happen to the mentions."""
    what = chance.choice(("new", "new", "again", "assess", "correct", "edit", "forget", "move", "own"))
    account = chance.choice(("city_x", "parks_x", "city_fb"))
    if what == "new" or not ids:
        at = START + timedelta(seconds=chance.randrange(36 * 3600))
        ids.append(
            heard.post(
                at, account=account, assess=chance.random() < 0.7, neighborhood=chance.choice(("Old Town", None))
            )
        )
        return
    one = chance.choice(ids)
    if what == "again":
        heard.post(START, account="parks_x", post_id=f"again{len(ids)}", assess=False)
        heard.post(START, account="city_x", post_id=f"again{len(ids)}", assess=False)
    elif what == "assess":
        heard.assess(one, intent=chance.choice(("report", "praise")), sentiment=chance.choice(("positive", "neutral")))
    elif what == "correct":
        field, values = chance.choice(
            (
                ("intent", ("question", "report")),
                ("service_code", (None, "graffiti")),
                ("sentiment", ("positive", "neutral")),
            )
        )
        heard.correct(one, field, chance.choice(values))
    elif what == "edit":
        heard.edit(one, f"now it reads {chance.random()}")
    elif what == "forget":
        heard.forget(one)
    elif what == "move":
        heard.move(one, chance.choice(("Millside", "Northgate")))
    else:
        heard.own(one)


def test_nothing_is_due_and_nothing_is_written_when_nothing_changed(heard: Heard) -> None:
    heard.post("2026-03-08T12:00:00Z")
    heard.counted()

    assert rollup.refresh(heard.store) == 0
    with heard.store.reading() as session:
        assert rollup.is_up_to_date(session)


def test_a_call_takes_a_page_and_the_rest_waits(heard: Heard) -> None:
    for hour in range(4):
        heard.post(START + timedelta(hours=hour))

    assert rollup.refresh(heard.store, at_most=2) == 2
    assert rollup.refresh(heard.store, at_most=2) == 2
    assert rollup.refresh(heard.store, at_most=2) == 0
    assert rolled_up(heard) == scanned(heard)


def test_a_quarter_with_more_than_a_page_is_counted_all_the_same(heard: Heard) -> None:
    for second in range(5):
        heard.post(START + timedelta(seconds=second))

    assert rollup.refresh(heard.store, at_most=2) == 1
    assert rolled_up(heard) == scanned(heard)


def test_a_change_that_leaves_the_count_alone_is_not_noted(heard: Heard) -> None:
    mention_id = heard.post("2026-03-08T12:00:00Z")
    heard.counted()

    heard.forget(mention_id)

    with heard.store.reading() as session:
        assert session.exec(select(func.count()).select_from(RollupDueRow)).one() == 0


def test_a_mention_that_is_removed_altogether_is_no_longer_counted(heard: Heard) -> None:
    from sqlalchemy import text

    mention_id = heard.post("2026-03-08T12:00:00Z")
    heard.counted()

    with heard.store.writing() as session:
        for table in ("assessment", "mention_source", "mention_revision"):
            session.execute(text(f"DELETE FROM {table} WHERE mention_id = {mention_id}"))
        session.execute(text(f"DELETE FROM mention WHERE id = {mention_id}"))
    heard.counted()

    with heard.store.reading() as session:
        assert session.exec(select(func.count()).select_from(MentionRollupRow)).one() == 0
