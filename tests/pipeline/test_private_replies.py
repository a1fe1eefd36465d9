"""Self-harm is answered privately where the platform has a private door; nothing written for one goes to a crowd."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from pipeline import decide
from pipeline.policies import policy_of_draft
from store import people, sign_in
from store.refusals import Conflict
from store.tables import AccountRow, DraftRow, MentionRow, ReplyRow
from store.types import now
from tests.deployments import FACEBOOK
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened
from vocabulary import DraftState, Visibility
from web.app import create_app

WORDS = "I want to kill myself"


def private(city: City) -> list[str]:
    return [str(one["in_reply_to"]) for one in city.ctl.effects(kind="private_reply")]


def test_self_harm_on_facebook_is_answered_privately_once(city: City) -> None:
    post = city.said(WORDS, platform="facebook", author="Jane Elm")
    draft = city.draft_of(post)
    assert (draft.purpose, draft.visibility) == ("emergency", Visibility.DIRECT)
    assert "988" in city.text(draft)

    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == DraftState.SENT)

    assert private(city) == [post]
    assert city.replies() == []
    city.round()
    assert private(city) == [post]
    assert city.mention(post).state == "answered"


@pytest.mark.parametrize(
    ("text", "platform"), [(WORDS, "x"), ("There is a fire in our house, send help", "facebook")], ids=["X", "911"]
)
def test_other_emergencies_and_other_platforms_are_answered_in_public(city: City, text: str, platform: str) -> None:
    draft = city.report(text, platform=platform)

    assert (draft.purpose, draft.visibility) == ("emergency", Visibility.PUBLIC)


def test_a_private_reply_whose_answer_is_lost_is_read_back_and_not_repeated(city: City) -> None:
    post = city.said(WORDS, platform="facebook", author="Jane Elm")
    draft = city.draft_of(post)
    city.ctl.faults("facebook.message", "reset", after_effect=True)

    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == DraftState.SENT)

    assert private(city) == [post]


def test_what_nothing_can_show_stays_in_doubt_with_a_person(city: City) -> None:
    post = city.said(WORDS, platform="facebook", author="Jane Elm", hidden=True)
    draft = city.draft_of(post)
    city.ctl.faults("facebook.message", "reset", after_effect=True)

    city.approve(draft)
    city.work_until(lambda: city.attention("draft"))

    assert city.get(draft).state == DraftState.IN_DOUBT
    assert "could not be read back" in city.attention("draft")[0].summary
    assert private(city) == [post]


def test_when_the_week_is_over_the_words_are_not_said_in_public_instead(open_city: Opened) -> None:
    city = open_city(accounts={FACEBOOK: {"reply_within": "P30D"}})
    post = city.said(WORDS, platform="facebook", author="Jane Elm")
    draft = city.draft_of(post)
    city.execute("UPDATE mention SET posted_at = :at", at=now() - timedelta(days=8))

    with pytest.raises(Conflict, match="for the author alone"):
        city.approve(draft)

    assert city.all(ReplyRow) == []
    assert city.ctl.effects() == []


def test_a_draft_put_back_for_review_stays_private(city: City) -> None:
    draft = city.report(WORDS, platform="facebook")
    city.approve(draft)

    decide.cancel(city.deployment, city.who, draft.id)

    assert city.heir_of(draft).visibility == Visibility.DIRECT


def test_another_template_is_shown_to_whom_the_post_is(city: City) -> None:
    draft = city.report("There is a fire in our house, send help", platform="facebook")

    changed = decide.edit(city.deployment, city.who, draft.id, version=draft.version, template="emergency_self_harm")

    assert city.one(DraftRow, DraftRow.id == changed).visibility == Visibility.DIRECT


def test_the_api_and_the_desk_say_that_it_will_be_sent_privately(city: City) -> None:
    draft = city.report(WORDS, platform="facebook")
    with city.writing() as session:
        token = people.create_token(session, "reader", "approver", by="test", owner=None)
        person = people.staff(session, "approver@alderfalls.example")
        secret = sign_in.finish(session, person.id, right=True) or ""
    client = TestClient(create_app(city.deployment), base_url="http://127.0.0.1:8311")
    client.cookies.set("harken_session", secret)

    shown = client.get(f"/api/v1/drafts/{draft.id}", headers={"Authorization": f"Bearer {token}"}).json()
    desk = client.get(f"/console/conversations/{draft.conversation_id}").text

    assert shown["visibility"] == "direct"
    assert shown["policy"]["how"] == "private_reply"
    assert shown["max_length"] == 1999
    assert "Will be sent privately" in desk


def test_an_ordinary_draft_says_nothing_of_privacy(city: City) -> None:
    draft = city.report(platform="facebook")

    with city.reading() as session:
        row = session.get_one(DraftRow, draft.id)
        mention, account = session.get_one(MentionRow, row.mention_id), session.get_one(AccountRow, row.reply_as_id)
        assert policy_of_draft(session, city.deployment, row, mention, account).how == "public_reply"
    assert draft.visibility == Visibility.PUBLIC
