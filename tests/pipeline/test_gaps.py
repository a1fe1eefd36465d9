"""Nothing is passed over between two walks; what a platform no longer serves is a gap that is shown and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from errors import AdapterError, Unauthorized, Unavailable
from listeners.base import Listener
from pipeline import listen, rounds
from store.tables import AccountRow, GapRow, MentionRow, SourceRangeRow
from store.types import now
from tests.deployments import FACEBOOK, X
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened
from tests.pipeline.test_listening import crowd
from vocabulary import Edit, Page, Range


class InterruptedListener(Listener):
    """A real listener; before one of its pages is given on, something else happens."""

    def __init__(self, real: Listener, *, source: str, at: int, what: Callable[[], object]) -> None:
        self._real, self._source, self._at, self._what = real, source, at, what
        self.sources = real.sources

    def pages(self, wanted: Range) -> Iterator[Page]:
        for number, page in enumerate(self._real.pages(wanted)):
            if (wanted.source, number) == (self._source, self._at):
                self._what()
            yield page

    def look_again(self, post_ids: Any) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
        return self._real.look_again(post_ids)

    def reread(self, source: str, raw: bytes) -> Page:
        return self._real.reread(source, raw)


def interrupted(city: City, account: str, source: str, at: int, what: Callable[[], object]) -> Listener:
    """Has the next walks of the account meet something; gives the listener as it was."""
    real = city.deployment.listener(account)
    city.deployment._listeners[account] = InterruptedListener(real, source=source, at=at, what=what)
    return real


@pytest.mark.parametrize("at", [0, 1, 2], ids=lambda at: f"before page {at + 1} is stored")
@pytest.mark.parametrize(("account", "platform", "source"), [(X, "x", "mentions"), (FACEBOOK, "facebook", "feed")])
def test_two_who_walk_the_same_range_hear_all_of_it_once(
    city: City, account: str, platform: str, source: str, at: int
) -> None:
    ids = crowd(city, platform, 230)
    late: list[str] = []

    def another() -> None:
        city.deployment._listeners[account] = real
        late.append(city.post("said meanwhile", platform=platform))
        assert listen.listen(city.deployment, account).error is None

    real = interrupted(city, account, source, at, another)
    assert listen.listen(city.deployment, account).error is None
    city.hear()

    heard = [row.post_id for row in city.all(MentionRow)]
    assert sorted(heard) == sorted({*ids, *late})
    assert not any(row.open for row in city.all(SourceRangeRow))
    assert city.deployment.listener(account) is real


@pytest.mark.parametrize("error", [Unauthorized("the token died"), Unavailable("gone for days")], ids=["401", "503"])
def test_what_was_said_while_nobody_could_listen_is_heard_afterwards(city: City, error: AdapterError) -> None:
    ids = crowd(city, "x", 230)

    def fail() -> None:
        raise error

    real = interrupted(city, X, "mentions", 1, fail)
    failed = listen.listen(city.deployment, X)
    half = len(city.all(MentionRow))
    (left,) = city.all(SourceRangeRow, SourceRangeRow.source == "mentions")
    meanwhile = crowd(city, "x", 120)
    city.execute("UPDATE source_range SET started_at = :then, since = :then", then=now() - timedelta(days=2))
    city.deployment._listeners[X] = real
    city.hear()
    city.hear()

    assert failed.error is not None
    assert (half, left.open, left.resume_at is not None) == (100, True, True)
    assert {row.post_id for row in city.all(MentionRow)} == {*ids, *meanwhile}
    assert not any(row.open for row in city.all(SourceRangeRow))


def test_an_outage_beyond_what_a_platform_still_serves_is_a_gap_that_is_counted(open_city: Opened) -> None:
    city = open_city(accounts={X: {"track": ["#alderfalls"]}})
    city.hear()
    before = len(city.all(GapRow))
    then = now() - timedelta(days=10)
    city.execute("UPDATE source_range SET started_at = :then, newest_at = :then, newest_id = NULL", then=then)

    told, _ = rounds.poll(city.deployment, [X, FACEBOOK])

    account = city.one(AccountRow, AccountRow.name == X)
    new = city.all(GapRow)[before:]
    assert {(gap.source, gap.account_id, gap.reason) for gap in new} == {
        (source, account.id, "the platform serves no more") for source in ("search", "quotes")
    }
    for gap in new:
        assert gap.from_at is not None
        assert abs(gap.from_at - then) < timedelta(minutes=5)
        assert abs(gap.to_at - (now() - timedelta(days=7))) < timedelta(minutes=5)
    assert told.gaps == len([gap for gap in city.all(GapRow) if gap.account_id == account.id])


def test_an_id_out_of_the_future_hides_nothing_that_comes_before_it(city: City) -> None:
    city.said("first")
    city.execute("UPDATE source_range SET newest_id = '9000000000000000000' WHERE source = 'mentions'")

    later = city.said("second")

    assert city.mention(later).state != "deleted"
