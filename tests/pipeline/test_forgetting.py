"""What a resident deletes leaves the database, the write-ahead log included; what we decided and said stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from pipeline import decide
from store import audit, content
from store.tables import ApprovalRow, ContentRow, MentionRow, PlaceRow, ReplyRow
from tests.fixtures.stores import everything
from tests.pipeline.city import City

#: Words that nobody but the resident could have brought into the database.
POST = "A pothole deep as a quagmire, at 120 Oak Street by Zebulons wagon"
WORDS = (b"quagmire", b"Zebulons")


def delete_on_the_platform(city: City, post_id: str) -> None:
    city.ctl.delete(post_id)
    city.age(timedelta(minutes=5))
    city.hear()


@pytest.mark.parametrize("platform", ["x", "facebook"])
def test_a_post_deleted_on_its_platform_leaves_no_copy_of_its_words(city: City, platform: str) -> None:
    post_id = city.said(POST, platform=platform)
    city.ctl.edit(post_id, f"{POST}, and its wheel")
    city.age(timedelta(minutes=5))
    city.round()
    assert all(word in everything(city.deployment.store) for word in WORDS)

    delete_on_the_platform(city, post_id)

    left = everything(city.deployment.store)
    assert [word for word in WORDS if word in left] == []
    with city.reading() as session:
        assert audit.verify(session).holds


def test_what_stays_of_a_deleted_post_is_its_number_our_reply_and_who_decided(city: City) -> None:
    draft = city.report(POST)
    post_id = city.one(MentionRow).post_id
    city.approve(draft, text="We saw it and we come.", parts=["reply"])
    city.work_until(lambda: city.get(draft).state == "sent")

    delete_on_the_platform(city, post_id)

    mention, reply = city.mention(post_id), city.one(ReplyRow)
    assert (mention.state, mention.post_id) == ("deleted", post_id)
    assert mention.deleted_at is not None
    assert (reply.state, city.text(draft)) == ("sent", "We saw it and we come.")
    assert city.one(ApprovalRow).by == city.who.by
    assert [word for word in WORDS if word in everything(city.deployment.store)] == []


def test_derived_rows_are_emptied_and_leave_tombstones(city: City) -> None:
    draft = city.report(POST)
    proposal, place = city.proposal(draft), city.one(PlaceRow)
    assert proposal is not None

    delete_on_the_platform(city, city.one(MentionRow).post_id)

    with city.reading() as session:
        rows = {row.id: row for row in session.exec(select(ContentRow))}
    for content_id in (proposal.description_id, place.content_id, draft.content_id):
        assert content_id is not None
        assert rows[content_id].text is None
        assert rows[content_id].disposed_at is not None
    assert any(row.record_class == "raw" and row.raw is None and row.disposed_at for row in rows.values())


def test_words_under_legal_hold_stay(city: City) -> None:
    city.said(POST)
    mention = city.one(MentionRow)
    with city.writing() as session:
        row = session.get_one(ContentRow, mention.content_id)
        row.legal_hold = True
        session.add(row)

    delete_on_the_platform(city, mention.post_id)

    with city.reading() as session:
        assert content.words(session, mention.content_id).endswith("Zebulons wagon")
    assert city.mention(mention.post_id).state == "deleted"


def test_a_deleted_post_is_not_read_or_drafted_for_any_more(city: City) -> None:
    post_id = city.post(POST)
    city.hear()
    delete_on_the_platform(city, post_id)

    city.work()

    assert city.drafts_of(post_id) == []
    assert city.mention(post_id).state == "deleted"


def test_a_deleted_post_is_not_taken_in_again_by_a_late_listing(city: City) -> None:
    post_id = city.said(POST)
    mention = city.mention(post_id)
    delete_on_the_platform(city, post_id)

    city.hear()

    assert city.one(MentionRow).id == mention.id
    with city.reading() as session:
        assert content.words(session, mention.content_id) == ""


def test_a_reply_left_to_hands_ends_with_its_post(city: City) -> None:
    draft = city.report(POST)
    city.approve(draft, parts=["reply"])
    city.execute("UPDATE draft SET state = 'manual'")
    city.execute("UPDATE reply SET state = 'manual'")

    delete_on_the_platform(city, city.one(MentionRow).post_id)

    assert city.get(draft).state == "cancelled"
    assert city.one(ReplyRow).state == "cancelled"


def test_a_dismissal_keeps_the_words(city: City) -> None:
    draft = city.report(POST)

    decide.dismiss(city.deployment, city.who, draft.mention_id, reason="seen")

    assert b"quagmire" in everything(city.deployment.store)
