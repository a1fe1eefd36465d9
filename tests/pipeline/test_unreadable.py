"""What can't be read: set aside, read again when a person asks for it, and a source that changed stands still."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from pipeline import decide, rounds
from store import intake
from store.refusals import Conflict
from store.tables import AccountRow, AttentionRow, MentionRow, MentionSourceRow, SourceRangeRow
from tests.deployments import FACEBOOK, X
from tests.pipeline.city import City
from tests.pipeline.test_listening import crowd
from vocabulary import Page, Unreadable

X_POST = {
    "id": "1990000000000000001",
    "text": "There is a pothole at 120 Oak Street",
    "created_at": "2026-11-21T08:00:00.000Z",
    "author_id": "7",
}
COMMENT = {
    "id": "102030405060708_1_2",
    "message": "There is a pothole at 120 Oak Street",
    "created_time": "2026-11-21T08:00:00+0000",
    "object": {"id": "102030405060708_1"},
}


def set_aside(city: City, account: str, source: str, raw: bytes) -> AttentionRow:
    """As a version of Harken left it that could not read it."""
    with city.writing() as session:
        row = city.one(AccountRow, AccountRow.name == account)
        page = Page(unreadable=(Unreadable(raw=raw, why="a field it did not know"),))
        intake.take_page(session, row, source, page, reply_within=timedelta(days=2))
    (kept,) = city.attention("unreadable")
    return kept


@pytest.mark.parametrize(
    ("account", "source", "item", "heard_how"),
    [
        (X, "mentions", X_POST, "mention"),
        (FACEBOOK, "feed", {**COMMENT, "id": "102030405060708_9", "object": None}, "mention"),
        (FACEBOOK, "comments", COMMENT, "page_comment"),
        (FACEBOOK, "comments", {"id": "102030405060708_1", "comments": {"data": [COMMENT]}}, "page_comment"),
    ],
    ids=["x", "a post on the page", "a comment", "comments below a post"],
)
def test_what_was_set_aside_is_read_again_by_the_reader_of_today(
    city: City, account: str, source: str, item: dict[str, Any], heard_how: str
) -> None:
    row = set_aside(city, account, source, json.dumps(item).encode())

    decide.attention_replay(city.deployment, city.who, row.id)

    mention = city.one(MentionRow)
    closed = city.one(AttentionRow, AttentionRow.id == row.id)
    with city.reading() as session:
        assert list(session.exec(select(MentionSourceRow.heard_how))) == [heard_how]
    assert mention.state == "new"
    assert (closed.outcome, closed.closed_by) == ("replayed", city.who.by)


@pytest.mark.parametrize("raw", [b'{"id": 1, "text": ', b"5", b'{"id": "1990000000000000001"}'], ids=repr)
def test_what_still_cannot_be_read_stays_set_aside_and_says_so(city: City, raw: bytes) -> None:
    row = set_aside(city, X, "mentions", raw)

    with pytest.raises(Conflict, match="can't read it either"):
        decide.attention_replay(city.deployment, city.who, row.id)

    assert city.one(AttentionRow, AttentionRow.id == row.id).closed_at is None
    assert city.all(MentionRow) == []


def test_what_was_discarded_is_not_set_aside_again_when_the_platform_serves_it_once_more(city: City) -> None:
    row = set_aside(city, X, "mentions", b"{}")
    decide.attention_discard(city.deployment, city.who, row.id, reason="spam")
    with city.writing() as session:
        account = city.one(AccountRow, AccountRow.name == X)
        page = Page(unreadable=(Unreadable(raw=b"{}", why="id: missing"),))

        assert intake.take_page(session, account, "mentions", page, reply_within=timedelta(days=2)).unreadable == 0


def test_a_platform_that_changed_stops_its_source_alone_and_nothing_is_lost(city: City) -> None:
    ids = crowd(city, "x", 150)
    elsewhere = city.post("There is a pothole at 120 Oak Street", platform="facebook")
    city.ctl.faults("x.mentions", "wrong_types", count=1)

    told = rounds.poll(city.deployment, [X, FACEBOOK])
    (again,) = rounds.poll(city.deployment, [X])  # not asked, or it would be read now

    (row,) = city.attention("source")
    mark = city.one(SourceRangeRow, SourceRangeRow.source == "mentions")
    account = city.one(AccountRow, AccountRow.name == X)
    assert [str(one.error).partition(":")[0] for one in (*told, again)] == ["Halted", "None", "Halted"]
    assert (told[0].new, told[0].unreadable, again.new) == (50, 50, 0)
    assert (mark.open, mark.resume_at, account.state, account.failures) == (True, None, "ok", 0)
    assert not city.one(SourceRangeRow, SourceRangeRow.source == "own").open
    assert city.mention(elsewhere).state == "new"

    decide.attention_replay(city.deployment, city.who, row.id)
    city.hear()

    assert {one.post_id for one in city.all(MentionRow)} == {*ids, elsewhere}
    assert city.attention("source") == []
    assert len(city.attention("unreadable")) == 50
    assert not any(one.open for one in city.all(SourceRangeRow))
