"""The range ledger: nothing is passed over between two walks, and what is out of reach is a visible gap."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from store import ranges
from store.engine import Store
from store.tables import AccountRow, GapRow, SourceRangeRow
from store.types import now
from vocabulary import HeardHow, Mention, Page

DAY = timedelta(days=1)


def account_id(session: Session) -> int:
    return session.exec(select(AccountRow.id).where(AccountRow.name == "city_hall_x")).one()


def opened(session: Session, source: str = "mentions", backfill: timedelta = DAY) -> ranges.OpenRange:
    return ranges.open_range(session, account_id(session), source, backfill=backfill)


def a_page(
    *ids: str, next: str | None = None, gap_before: datetime | None = None, posted_at: datetime | None = None
) -> Page:
    mentions = tuple(
        Mention(
            platform="x",
            post_id=one,
            conversation_key=one,
            text="a post",
            posted_at=posted_at or now(),
            heard_how=HeardHow.MENTION,
        )
        for one in ids
    )
    newest = max(ids, key=lambda one: (len(one), one), default=None)
    return Page(mentions=mentions, newest_id=newest, next=next, gap_before=gap_before)


def test_the_first_walk_reaches_back_and_notes_what_lies_before(city_store: Store) -> None:
    with city_store.writing() as session:
        held = opened(session)
        gap = session.exec(select(GapRow)).one()

    assert abs(held.wanted.since - (now() - DAY)) < timedelta(minutes=1)
    assert (held.wanted.since_id, held.wanted.resume_at) == (None, None)
    assert (gap.from_at, gap.to_at) == (None, held.wanted.since)


def test_an_open_walk_is_taken_up_where_its_last_stored_page_ended(city_store: Store) -> None:
    with city_store.writing() as session:
        held = opened(session)
        ranges.advance(session, held.range_id, a_page("100", next="page 2"))

    with city_store.writing() as session:
        again = opened(session)

    assert again.range_id == held.range_id
    assert (again.wanted.resume_at, again.wanted.since_id) == ("page 2", None)


def test_the_mark_is_the_newest_id_of_all_pages_by_value(city_store: Store) -> None:
    with city_store.writing() as session:
        held = opened(session)
        ranges.advance(session, held.range_id, a_page("100", "99", next="page 2"))
        ranges.advance(session, held.range_id, a_page("98", "9"))

    with city_store.writing() as session:
        assert opened(session).wanted.since_id == "100"


def test_the_next_walk_overlaps_the_last(city_store: Store) -> None:
    posted_at = now() - timedelta(hours=2)
    with city_store.writing() as session:
        held = opened(session)
        ranges.advance(session, held.range_id, a_page("100", posted_at=posted_at))

        again = opened(session)

    assert again.range_id != held.range_id
    assert again.wanted.since == posted_at - ranges.OVERLAP


def test_a_quiet_source_goes_on_from_a_day_before_the_last_walk(city_store: Store) -> None:
    with city_store.writing() as session:
        held = opened(session, backfill=timedelta(days=9))
        ranges.advance(session, held.range_id, a_page("100", posted_at=now() - timedelta(days=8)))
        started = session.get_one(SourceRangeRow, held.range_id).started_at

        again = opened(session)

    assert again.wanted.since == started - ranges.CLOCKS_DIFFER - ranges.OVERLAP


def test_a_walk_that_found_nothing_keeps_the_mark_it_had(city_store: Store) -> None:
    with city_store.writing() as session:
        for page in (a_page("100"), a_page(), a_page()):
            ranges.advance(session, opened(session).range_id, page)

        assert opened(session).wanted.since_id == "100"


def test_what_the_platform_no_longer_serves_is_a_gap_noticed_once(city_store: Store) -> None:
    moment = now() - timedelta(hours=3)
    with city_store.writing() as session:
        held = opened(session)
        ranges.advance(session, held.range_id, a_page("100", next="page 2", gap_before=moment))
        ranges.advance(session, held.range_id, a_page("99", gap_before=moment))

        gaps = ranges.gaps(session, account_id(session))

    noticed, before_all = gaps
    assert (noticed.from_at, noticed.to_at) == (held.wanted.since, moment)
    assert before_all.from_at is None


def test_closed_walks_but_the_newest_are_dropped(city_store: Store) -> None:
    with city_store.writing() as session:
        for number in range(5):
            ranges.advance(session, opened(session).range_id, a_page(str(100 + number)))

        rows = session.exec(select(SourceRangeRow).order_by(col(SourceRangeRow.id))).all()

    assert [row.newest_id for row in rows] == ["104"]


def test_sources_have_marks_of_their_own(city_store: Store) -> None:
    with city_store.writing() as session:
        ranges.advance(session, opened(session, "mentions").range_id, a_page("100"))

        assert opened(session, "search").wanted.since_id is None


def test_a_walk_ended_by_another_process_is_left_alone(city_store: Store) -> None:
    with city_store.writing() as session:
        held = opened(session)
        ranges.advance(session, held.range_id, a_page("100"))
        ranges.advance(session, held.range_id, a_page("90", next="page 7"))

        row = session.get_one(SourceRangeRow, held.range_id)
        assert (row.open, row.newest_id, row.resume_at) == (False, "100", None)


def test_a_walk_begun_again_starts_at_its_newest_end_with_the_same_mark(city_store: Store) -> None:
    with city_store.writing() as session:
        ranges.advance(session, opened(session).range_id, a_page("100"))
        held = opened(session)
        ranges.advance(session, held.range_id, a_page("120", next="page 2"))
        since = held.wanted.since

        ranges.restart(session, held.range_id)

        again = opened(session)
        assert (again.range_id, again.wanted.resume_at, again.wanted.since) == (held.range_id, None, since)
