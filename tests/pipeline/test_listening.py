"""Listening, over HTTP and through the SDKs: nothing is lost, nothing comes twice, whatever breaks between pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from listeners.base import Listener
from pipeline import listen, rounds
from store.tables import (
    AccountRow,
    DraftRow,
    GapRow,
    MentionRevisionRow,
    MentionRow,
    OwnPostRow,
    SourceRangeRow,
)
from tests.deployments import FACEBOOK, X
from tests.pipeline.city import City, minutes_ago
from tests.pipeline.conftest import Opened
from vocabulary import Edit, Page, Range

PLATFORMS = ("x", "facebook")


class Killed(BaseException):
    """The process dies here."""


class DyingListener(Listener):
    """A real listener whose process dies after some pages."""

    def __init__(self, real: Listener, *, source: str, after: int) -> None:
        self._real, self._source, self._left = real, source, after
        self.sources = real.sources

    def pages(self, wanted: Range) -> Iterator[Page]:
        for page in self._real.pages(wanted):
            if wanted.source == self._source and self._left == 0:
                raise Killed
            self._left -= wanted.source == self._source
            yield page

    def look_again(self, post_ids: object) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
        raise AssertionError("dead before")

    def reread(self, source: str, raw: bytes) -> Page:
        raise AssertionError("dead before")


def crowd(city: City, platform: str, count: int) -> list[str]:
    """Posts of residents, the oldest first."""
    return city.ctl.load(
        [
            {
                "platform": platform,
                "author": f"resident{n % 7}",
                "text": f"remark {n}",
                "posted_at": minutes_ago(count - n),
            }
            for n in range(count)
        ]
    )


@pytest.mark.parametrize(("platform", "source"), [("x", "mentions"), ("facebook", "feed")])
def test_a_walk_that_died_between_pages_is_taken_up_and_loses_nothing(city: City, platform: str, source: str) -> None:
    account = X if platform == "x" else FACEBOOK
    ids = crowd(city, platform, 230)
    real = city.deployment.listener(account)
    city.deployment._listeners[account] = DyingListener(real, source=source, after=1)
    with pytest.raises(Killed):
        listen.listen(city.deployment, account)
    open_range = city.one(SourceRangeRow, SourceRangeRow.source == source)
    assert open_range.open
    assert open_range.resume_at is not None
    assert 0 < len(city.all(MentionRow)) < 230
    late = city.post("said while we were down", platform=platform)

    city.deployment._listeners[account] = real
    city.hear()
    city.hear()

    heard = [row.post_id for row in city.all(MentionRow)]
    assert len(heard) == len(set(heard)) == 231
    assert {*ids, late} == set(heard)
    assert not any(row.open for row in city.all(SourceRangeRow))


def test_the_mark_moves_only_when_the_walk_is_done(city: City) -> None:
    crowd(city, "x", 150)
    real = city.deployment.listener(X)
    city.deployment._listeners[X] = DyingListener(real, source="mentions", after=1)
    with pytest.raises(Killed):
        listen.listen(city.deployment, X)

    ranges = city.all(SourceRangeRow, SourceRangeRow.source == "mentions")

    assert [(row.open, row.since_id, row.finished_at) for row in ranges] == [(True, None, None)]


def test_hearing_again_brings_nothing_twice(city: City) -> None:
    crowd(city, "x", 5)
    crowd(city, "facebook", 5)
    city.hear()

    heard = rounds.poll(city.deployment, [X, FACEBOOK])

    assert [one.new for one in heard] == [0, 0]
    assert len(city.all(MentionRow)) == 10


@pytest.mark.parametrize("kind", ["repeat_pages", "shuffle"])
def test_repeated_and_shuffled_pages_are_no_new_posts(city: City, kind: str) -> None:
    ids = crowd(city, "x", 230)
    city.ctl.faults("x.mentions", kind, count=1, skip=1)

    rounds.poll(city.deployment, [X])
    city.ctl.clear_faults()
    city.hear()

    heard = [row.post_id for row in city.all(MentionRow)]
    assert len(heard) == len(set(heard))
    assert set(heard) == set(ids)


def test_a_post_that_is_older_than_the_mark_by_its_own_time_is_heard(city: City) -> None:
    city.said("first")
    city.hear()

    late = city.post("listed late", posted_at=minutes_ago(1))
    city.hear()

    assert city.mention(late).state == "new"


def test_one_post_that_two_sources_serve_is_one_mention(open_city: Opened) -> None:
    city = open_city(accounts={X: {"track": ["pothole"]}})

    city.said("There is a pothole at 120 Oak Street")

    assert len(city.all(MentionRow)) == len(city.all(DraftRow)) == 1


def test_our_own_posts_are_never_mentions(city: City) -> None:
    city.ctl.post("@alderfalls is hiring", as_="city", author="")
    city.ctl.post("Budget meeting tonight", as_="city", author="", platform="facebook")

    city.round()

    assert city.all(MentionRow) == []
    assert len(city.all(OwnPostRow)) == 2


def test_what_another_account_of_the_city_writes_to_us_is_ours_too(
    open_city: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARKEN_ACCOUNTS__PARKS_X__BEARER_TOKEN", "none")
    parks = {"platform": "x", "handle": "AlderFallsParks", "base_url": "http://127.0.0.1:9"}
    city = open_city(accounts={"parks_x": parks})

    city.post("pothole by the pool, says @alderfalls", author="alderfallsparks")
    city.round()

    own, account = city.one(OwnPostRow), city.one(AccountRow, AccountRow.name == "parks_x")
    assert city.all(MentionRow) == []
    assert own.account_id == account.id


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_edit_is_a_revision_of_the_same_mention(city: City, platform: str) -> None:
    post_id = city.said("There is a pothole at 120 Oak Street", platform=platform)
    first = city.mention(post_id)

    edited_id = city.ctl.edit(post_id, "There is a pothole at 520 Elm Street")
    city.age(timedelta(minutes=5))
    city.round()

    after = city.one(MentionRow)
    assert (after.id, after.rev, after.current_post_id) == (first.id, 2, edited_id)
    assert (edited_id != post_id) is (platform == "x")
    assert len(city.all(MentionRevisionRow)) == 2
    proposal = city.proposal(city.draft_of(post_id))
    assert proposal is not None
    assert proposal.address == "520 Elm Street"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_deletion_is_noticed_and_ends_the_draft(city: City, platform: str) -> None:
    post_id = city.said("There is a pothole at 120 Oak Street", platform=platform)
    draft = city.draft_of(post_id)

    city.ctl.delete(post_id)
    city.age(timedelta(minutes=5))
    city.round()

    assert city.mention(post_id).state == "deleted"
    assert city.get(draft).state == "cancelled"
    assert city.request(draft).status == "cancelled"


def test_what_lies_before_the_first_round_is_a_visible_gap(city: City) -> None:
    city.hear()

    gaps = city.all(GapRow)

    assert {gap.source for gap in gaps} == {"mentions", "quotes", "own", "feed", "tagged", "comments"}
    assert all(gap.from_at is None and "backfill" in gap.reason for gap in gaps)
    city.hear()
    assert len(city.all(GapRow)) == len(gaps)


def test_a_post_that_cannot_be_read_is_kept_once_and_the_others_go_on(city: City) -> None:
    crowd(city, "x", 3)
    city.ctl.faults("x.mentions", "wrong_types", count=2)

    rounds.poll(city.deployment, [X])
    kept = city.attention("unreadable")
    rounds.poll(city.deployment, [X])
    again = city.attention("unreadable")

    assert kept
    assert all(row.content_id is not None for row in kept)
    assert len({row.ref for row in again}) == len(again)
    city.hear()


@pytest.mark.parametrize("fault", ["dead_token", "500", "html", "reset", "error_list", "json_500", "cut_json"])
def test_one_accounts_failure_is_told_and_stops_no_other(city: City, fault: str) -> None:
    city.ctl.faults("x", fault, count=-1)
    heard_there = city.post("There is a pothole at 120 Oak Street", platform="facebook")

    failed, fine = rounds.poll(city.deployment, [X, FACEBOOK])

    account = city.one(AccountRow, AccountRow.name == X)
    assert failed.error is not None
    assert fine.error is None
    assert account.error is not None
    assert account.failures == 1
    assert city.mention(heard_there).state == "new"
    city.ctl.clear_faults()
    city.hear()
    assert city.one(AccountRow, AccountRow.name == X).error is None


def test_a_dead_token_stands_on_attention_until_it_is_renewed(city: City) -> None:
    city.ctl.faults("x", "dead_token", count=-1)

    rounds.poll(city.deployment, [X])
    assert city.one(AccountRow, AccountRow.name == X).state == "unauthorized"
    assert [row.ref for row in city.attention("account")] == [X]
    city.ctl.clear_faults()
    city.hear()

    assert city.one(AccountRow, AccountRow.name == X).state == "ok"
    assert city.attention("account") == []


def test_a_rate_limit_says_when_to_come_back_and_is_heeded(city: City) -> None:
    city.ctl.faults("x.mentions", "429")

    rounds.poll(city.deployment, [X])

    account = city.one(AccountRow, AccountRow.name == X)
    assert account.state == "rate_limited"
    assert account.not_before is not None
    assert rounds.poll(city.deployment, [X], only_due=True) == []


def test_a_hidden_author_is_kept_as_unknown(city: City) -> None:
    post_id = city.said("There is a pothole at 120 Oak Street", platform="facebook", hidden=True)

    assert city.mention(post_id).identity_id is None
    assert city.draft_of(post_id).addressee_id is None
