"""How far a week is from the first ones: by hand on small counts, and against chance."""

from __future__ import annotations

import math
import random
from datetime import date, timedelta

import pytest

from analytics import drift
from analytics.answers import Week, length_group

MONDAY = date(2026, 8, 3)


def week(number: int, posts: int = 100, **shares: dict[str, int]) -> Week:
    start = MONDAY + timedelta(weeks=number)
    return Week(start=start, posts=posts, shares=shares, sure={}, to_check={}, corrected={})


def test_the_index_is_that_of_the_books() -> None:
    was, is_now = {"report": 599_999, "praise": 399_999}, {"report": 399_999, "praise": 599_999}

    assert drift.index(was, is_now) == pytest.approx(2 * 0.2 * math.log(1.5), rel=1e-4)
    assert drift.index(was, was) == 0.0


def test_a_label_that_is_new_does_not_make_the_index_infinite() -> None:
    assert 0.1 < drift.index({"a": 100}, {"a": 80, "b": 20}) < 2


def test_what_chance_does_stays_below_its_bound_and_is_no_warning() -> None:
    chance = random.Random(7)
    labels = [f"service {number}" for number in range(22)]

    def drawn(posts: int) -> dict[str, int]:
        found = chance.choices(labels, weights=range(1, 23), k=posts)
        return {label: found.count(label) for label in labels}

    differences = [drift.difference(drawn(400), drawn(60)) for _ in range(300)]

    assert sum(one.index > one.by_chance for one in differences) <= 12  # 1 in 100, were it exact
    assert any(one.index > drift.WARNS for one in differences)  # which a bare bar would have warned of


def test_a_change_that_is_large_and_no_accident_warns_and_names_what_changed_most() -> None:
    found = drift.difference({"report": 600, "praise": 300, "other": 100}, {"report": 60, "praise": 30, "other": 110})

    assert found.warns
    assert found.enough
    assert (found.most, round(found.before, 2), round(found.now, 2)) == ("other", 0.1, 0.55)


def test_rare_labels_are_counted_together() -> None:
    was, is_now = drift.folded({"a": 500, "b": 3, "c": 2}, {"a": 50, "d": 1})

    assert was == {"a": 500, drift.OTHERS: 5}
    assert is_now == {"a": 50, drift.OTHERS: 1}


def test_the_first_full_weeks_leave_out_the_one_that_began_midway_and_the_one_that_runs() -> None:
    weeks = [week(number, posts=60, intent={"report": 60}) for number in range(8)]
    today = MONDAY + timedelta(weeks=8, days=-1)  # the eighth week is not over

    found = drift.first(weeks, today=today)

    assert found is not None
    assert (found.since, found.until, found.posts) == (MONDAY + timedelta(weeks=1), MONDAY + timedelta(weeks=5), 240)
    assert found.shares("intent") == {"report": 240}
    assert drift.first(weeks[:4], today=today) is None  # too few posts
    assert drift.first([], today=today) is None


@pytest.mark.parametrize(("characters", "group"), [(0, "0-40"), (40, "0-40"), (41, "41-100"), (9_000, "401-")])
def test_lengths_fall_into_groups(characters: int, group: str) -> None:
    assert length_group(characters) == group
