"""A repeated write is answered as the first was, and done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlmodel import select

from store import content, idempotency
from store.tables import AnswerOnceRow, ContentRow, MentionRow
from store.types import now
from tests.web.api.conftest import City

pytestmark = pytest.mark.both_stores

KEY = {"Idempotency-Key": "3f1c"}


def test_a_repeat_is_answered_as_the_first_was(city: City) -> None:
    mention_id, _ = city.drafted()
    token = city.token("responder")

    first = city.ask("POST", f"/mentions/{mention_id}/draft", token=token, json={}, headers=KEY)
    again = city.ask("POST", f"/mentions/{mention_id}/draft", token=token, json={}, headers=KEY)
    without = city.ask("POST", f"/mentions/{mention_id}/draft", token=token, json={})

    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert again.headers["Idempotent-Replay"] == "true"
    assert without.json()["id"] != first.json()["id"]


def test_a_refusal_is_repeated_too(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver")

    stale = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 9}, headers=KEY)
    again = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 9}, headers=KEY)

    assert (stale.status_code, again.status_code, again.text) == (409, 409, stale.text)


def test_the_same_key_for_something_else_is_refused(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver")
    city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 1}, headers=KEY)

    other = city.ask("POST", f"/drafts/{draft_id}/approve", token=token, json={"version": 2}, headers=KEY)

    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")


def test_json_that_says_the_same_is_the_same(city: City) -> None:
    _, draft_id = city.drafted()
    token = city.token("approver")
    headers = {**KEY, "Content-Type": "application/json"}
    bodies = (b'{"version": 1, "parts": ["reply"]}', b'{"parts":["reply"],"version":1}')

    first, again = (
        city.ask("POST", f"/drafts/{draft_id}/approve", token=token, content=body, headers=headers) for body in bodies
    )

    assert (first.status_code, again.text) == (200, first.text)


def test_a_key_belongs_to_who_sent_it(city: City) -> None:
    mention_id, _ = city.drafted()
    path = f"/mentions/{mention_id}/draft"

    one = city.ask("POST", path, token=city.token("responder"), json={}, headers=KEY)
    other = city.ask("POST", path, token=city.token("responder"), json={}, headers=KEY)

    assert one.json()["id"] != other.json()["id"]


def test_two_at_the_same_moment_are_done_once(city: City) -> None:
    mention_id, _ = city.drafted()
    token = city.token("responder")

    def ask(_: int) -> tuple[int, str]:
        answer = city.ask("POST", f"/mentions/{mention_id}/draft", token=token, json={}, headers=KEY)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, range(4)))

    assert len(answers) == 1
    assert len(city.ask("GET", f"/drafts?mention_id={mention_id}", token=token).json()["items"]) == 2


def test_a_first_try_that_died_can_be_made_again(city: City) -> None:
    long_ago = now() - timedelta(minutes=2)
    with city.deployment.store.writing() as session:
        begun = idempotency.begin(session, principal="token:1", key="k", request_sha="s", at=long_ago)

    with city.deployment.store.writing() as session:
        again = idempotency.begin(session, principal="token:1", key="k", request_sha="s")

    assert again == begun


def test_the_kept_answer_goes_with_the_words_it_repeats(city: City) -> None:
    mention_id, draft_id = city.drafted("A word to forget")
    token = city.token("responder")
    body = {"version": 1, "text": "We heard you."}
    city.ask("PATCH", f"/drafts/{draft_id}", token=token, json=body, headers=KEY)

    with city.deployment.store.writing() as session:
        content.dispose(session, session.get_one(MentionRow, int(mention_id)).content_id, by="test", why="test")
        kept = session.get_one(ContentRow, session.exec(select(AnswerOnceRow.content_id)).one())
        assert kept.text is None
    again = city.ask("PATCH", f"/drafts/{draft_id}", token=token, json=body, headers=KEY)

    assert (again.status_code, again.json()["error"]["code"]) == (409, "answer_disposed")


def test_a_key_too_long_is_refused(city: City) -> None:
    answer = city.ask(
        "POST", "/mentions/1/undismiss", token=city.token("responder"), headers={"Idempotency-Key": "k" * 256}
    )

    assert answer.status_code == 400


def test_old_answers_are_dropped_with_their_words(city: City) -> None:
    mention_id, _ = city.drafted()
    city.ask("POST", f"/mentions/{mention_id}/draft", token=city.token("responder"), json={}, headers=KEY)

    with city.deployment.store.writing() as session:
        assert idempotency.prune(session, before=now() - timedelta(hours=24)) == 0
        assert idempotency.prune(session, before=now()) == 1
        assert session.exec(select(ContentRow).where(ContentRow.record_class == "api")).all() == []
