"""Words live in one table, and leave the file when they are disposed of."""

from __future__ import annotations

import pytest
from sqlmodel import Session

from store import audit, content
from store.engine import Store
from store.tables import ContentRow
from tests.fixtures.stores import everything


def a_post(session: Session) -> tuple[int, list[int]]:
    """A post and what was derived from it, twice removed too: their ids."""
    post = content.keep(
        session, "post", "quagmire by the wagon", media=[{"kind": "photo", "url": "u", "alt": "quagmire"}]
    )
    raw = content.keep(session, "raw", raw=b'{"text": "quagmire"}', derived_from=post)
    description = content.keep(session, "description", "a quagmire", derived_from=post)
    note = content.keep(session, "draft", "about the quagmire", derived_from=description)
    return post, [raw, description, note]


def test_disposed_words_are_nowhere_in_the_store(city_store: Store) -> None:
    with city_store.writing() as session:
        post, derived = a_post(session)
    assert b"quagmire" in everything(city_store)

    with city_store.writing() as session:
        emptied = content.dispose(session, post, by="ana", why="asked for")
    city_store.forget_freed_pages()

    assert emptied == 1 + len(derived)
    assert b"quagmire" not in everything(city_store)


def test_a_disposal_leaves_tombstones_and_the_log_holds(city_store: Store) -> None:
    with city_store.writing() as session:
        post, derived = a_post(session)
        content.dispose(session, post, by="ana", why="asked for")

    with city_store.reading() as session:
        rows = [session.get_one(ContentRow, one) for one in (post, *derived)]
        verdict = audit.verify(session)
    assert all(row.disposed_at is not None for row in rows)
    assert all((row.text, row.raw, row.media) == (None, None, None) for row in rows)
    assert (verdict.holds, verdict.entries) == (True, 4)


def test_disposing_twice_is_disposing_once(city_store: Store) -> None:
    with city_store.writing() as session:
        post, _ = a_post(session)
        content.dispose(session, post, by="ana", why="asked for")

        assert content.dispose(session, post, by="ana", why="asked for") == 0


def test_a_legal_hold_keeps_its_row_alone(city_store: Store) -> None:
    with city_store.writing() as session:
        post, derived = a_post(session)
        row = session.get_one(ContentRow, derived[1])
        row.legal_hold = True
        session.add(row)

        emptied = content.dispose(session, post, by="ana", why="asked for")

        assert emptied == 3
        assert content.words(session, derived[1]) == "a quagmire"
        assert content.words(session, post) == ""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("nul \x00 byte", "nul \ufffd byte"),
        ("half \ud83d pair", "half ? pair"),
        ("whole 😀 pair", "whole 😀 pair"),
        ("é\u0301\u202e", "é\u0301\u202e"),
        ("x" * (content.MAX_TEXT + 5), "x" * content.MAX_TEXT),
    ],
    ids=["nul", "surrogate", "emoji", "marks", "long"],
)
def test_any_text_can_be_kept(city_store: Store, given: str, kept: str) -> None:
    with city_store.writing() as session:
        row_id = content.keep(session, "post", given)

    with city_store.reading() as session:
        assert content.words(session, row_id) == kept


def test_no_words_are_words_too(city_store: Store) -> None:
    with city_store.reading() as session:
        assert content.words(session, None) == content.words(session, 999) == ""
