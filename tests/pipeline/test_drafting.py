"""What a post leads to: the purpose of the draft, its request, and what becomes of earlier drafts on the thread."""

from __future__ import annotations

import pytest

from errors import ConfigError
from pipeline import decide
from store import facts
from store.tables import (
    AssessmentRow,
    ContactRuleRow,
    DraftRow,
    IdentityRow,
    MentionRow,
    ReplyRow,
    RequestMentionRow,
    RequestProposalRow,
    ServiceRequestRow,
    TicketRow,
)
from tests.deployments import X
from tests.fakes import SCRIPT, said
from tests.fixtures.stores import execute_unchecked
from tests.pipeline.city import City, minutes_ago
from tests.pipeline.conftest import Opened


def test_a_report_with_a_place_gets_an_answer_and_a_proposal(city: City) -> None:
    draft = city.report("There is a pothole at 120 Oak Street")

    proposal = city.proposal(draft)
    assert (draft.kind, draft.purpose, draft.state, draft.turn) == ("reply", "answer", "pending", 1)
    assert proposal is not None
    assert (proposal.service_code, proposal.address, proposal.state) == ("pothole", "120 Oak Street", "pending")
    assert proposal.reference in city.text(draft)
    assert "120 Oak Street" in city.text(draft)
    assert city.request(draft).status == "proposed"


def test_a_report_without_a_place_asks_where_and_proposes_nothing(city: City) -> None:
    draft = city.report("There is a pothole on my street")

    assert draft.purpose == "clarify"
    assert city.proposal(draft) is None
    assert city.request(draft).reference not in city.text(draft)


def test_a_service_that_needs_no_place_is_proposed_without_one(city: City) -> None:
    draft = city.report("my water bill is wrong")

    proposal = city.proposal(draft)
    assert draft.purpose == "answer"
    assert proposal is not None
    assert proposal.address == ""


@pytest.mark.parametrize(
    ("text", "purpose", "has_text"),
    [
        ("I was wondering when the park opens", "answer", True),
        ("any news?", "answer", True),
        ("lovely new bench, thanks", "answer", True),
        ("this council is useless", "answer", False),
        ("I had soup for lunch", "answer", False),
        ("There is an outage at 120 Oak Street", "referral", True),
    ],
    ids=["question", "status", "praise", "complaint", "other", "a partner's"],
)
def test_what_is_no_report_of_ours_proposes_no_request(city: City, text: str, purpose: str, has_text: bool) -> None:
    draft = city.report(text)

    assert draft.purpose == purpose
    assert bool(city.text(draft)) is has_text
    assert bool(draft.no_text_reason) is not has_text
    assert city.proposal(draft) is None
    assert draft.request_id is None


def test_spanish_is_answered_in_spanish_with_the_same_in_english_beside(city: City) -> None:
    draft = city.report("Hay un bache en 120 Oak Street")

    assert draft.language == "es"
    assert "Bache" in city.text(draft)
    assert draft.staff_content_id is not None


def test_the_authors_answer_completes_the_same_request_before_its_intent_is_trusted(city: City) -> None:
    asked = city.report("There is a pothole on my street")
    city.approve(asked)
    city.work_until(lambda: city.get(asked).state == "sent")
    first = city.one(MentionRow)
    assert first.state == "waiting_for_resident"

    answer = city.report("120 Oak Street", in_reply_to=city.replies()[0]["id"])

    proposal = city.proposal(answer)
    assert answer.purpose == "answer"
    assert answer.request_id == asked.request_id
    assert proposal is not None
    assert proposal.address == "120 Oak Street"
    assert proposal.reference == city.request(asked).reference
    assert len(city.all(ServiceRequestRow)) == 1


def test_an_answer_to_a_question_not_yet_sent_takes_its_place(city: City) -> None:
    asked = city.report("There is a pothole on my street")

    answer = city.report("120 Oak Street", in_reply_to=city.one(MentionRow).post_id)

    assert city.get(asked).state == "superseded"
    assert city.get(asked).superseded_by == answer.id
    assert answer.request_id == asked.request_id


def test_a_second_report_on_the_thread_is_no_answer_to_where_the_first_is(city: City) -> None:
    first = city.report("There is a pothole at 120 Oak Street")

    second = city.report("Also a streetlight is out at 520 Elm Street", in_reply_to=city.one(MentionRow).post_id)

    proposal = city.proposal(second)
    assert second.request_id != first.request_id
    assert proposal is not None
    assert (proposal.service_code, proposal.address) == ("streetlight_out", "520 Elm Street")
    assert city.get(first).state == "pending"


def test_a_corrected_place_of_the_same_trouble_takes_the_earlier_drafts_place(city: City) -> None:
    first = city.report("There is a pothole at 120 Oak Street")

    second = city.report("Sorry, the pothole is at 520 Elm Street", in_reply_to=city.one(MentionRow).post_id)

    proposal = city.proposal(second)
    assert second.request_id == first.request_id
    assert city.get(first).state == "superseded"
    assert proposal is not None
    assert proposal.address == "520 Elm Street"


def test_staff_give_the_place_and_the_question_becomes_an_answer(city: City) -> None:
    draft = city.report("There is a pothole on my street")

    decide.edit(city.deployment, city.who, draft.id, version=draft.version, request={"address": "120 Oak Street"})

    changed, proposal = city.get(draft), city.proposal(draft)
    assert (changed.purpose, changed.version) == ("answer", draft.version + 1)
    assert proposal is not None
    assert (proposal.address, proposal.lat is not None) == ("120 Oak Street", True)
    assert proposal.reference in city.text(changed)
    assert len(city.all(ServiceRequestRow)) == 1


def test_three_people_in_one_thread_have_a_draft_each_that_do_not_stale_each_other(city: City) -> None:
    root = city.post("There is a pothole at 120 Oak Street", author="ann_oak")
    others = [
        city.post(f"@alderfalls a pothole at {number} Elm Street too", author=name, in_reply_to=root)
        for name, number in (("bob_elm", 320), ("cat_ash", 520))
    ]
    city.round()
    drafts = [city.draft_of(post_id) for post_id in (root, *others)]

    for draft in drafts:
        city.approve(draft)
        city.work()
    city.work_until(lambda: all(city.get(draft).state == "sent" for draft in drafts))

    assert len({city.one(MentionRow, MentionRow.id == draft.mention_id).conversation_id for draft in drafts}) == 1
    assert sorted(reply["in_reply_to"] for reply in city.replies()) == sorted([root, *others])


def test_small_talk_of_the_author_shows_the_draft_anew(city: City) -> None:
    draft = city.report("There is a pothole at 120 Oak Street")
    first = city.one(MentionRow)

    second = city.said("It has been there since spring", in_reply_to=first.post_id)

    refreshed = city.get(draft)
    assert city.drafts_of(second) == []
    assert (refreshed.state, refreshed.needs_review, refreshed.version) == ("pending", True, draft.version + 1)


def test_never_mind_holds_the_draft(city: City) -> None:
    draft = city.report()

    city.said("Never mind, it's fixed now", in_reply_to=city.one(MentionRow).post_id)

    held = city.get(draft)
    assert held.state == "held"
    assert held.held_reason is not None


def test_never_mind_stops_an_approved_reply_and_its_ticket_before_they_go(open_city: Opened) -> None:
    city = open_city(approval={"undo_for": "PT1H"})
    draft = city.approve(city.report())

    city.said("Never mind, it's fixed now", in_reply_to=city.one(MentionRow).post_id)

    assert city.get(draft).state == "cancelled"
    assert city.heir_of(draft).state == "held"
    assert city.one(TicketRow).state == "cancelled"
    assert city.request(draft).status == "proposed"
    assert city.ctl.effects() == []


def test_stop_makes_a_contact_rule_and_holds_what_waits_on_every_thread(open_city: Opened) -> None:
    city = open_city(approval={"undo_for": "PT1H"})
    approved = city.approve(city.report(), parts=["reply"])
    pending = city.report("There is a pothole at 520 Elm Street")

    stopped = city.said(
        "Stop replying to me", in_reply_to=city.one(ReplyRow, ReplyRow.draft_id == approved.id).in_reply_to
    )

    rule = city.one(ContactRuleRow)
    assert (rule.scope, rule.by) == ("all", "system")
    assert city.get(approved).state == "cancelled"
    assert city.heir_of(approved).state == "held"
    assert city.get(pending).state == "held"
    assert city.drafts_of(stopped) == []


def test_who_said_stop_gets_a_held_draft_for_what_they_write_later(city: City) -> None:
    city.said("stop replying to me")

    draft = city.report("There is a pothole at 120 Oak Street")

    assert draft.state == "held"
    assert draft.held_reason is not None
    assert "stop" in draft.held_reason


def test_who_said_stop_is_not_written_to_by_an_approval_that_waits(city: City) -> None:
    """The rule is read again in the transaction that begins to send."""
    draft = city.report()
    city.approve(draft, parts=["reply"])
    author = city.one(IdentityRow)
    with city.writing() as session:
        facts.no_more(session, author.id, scope="replies", reason="asked us by phone", by=city.who.by)

    city.work()

    assert city.replies() == []
    assert city.heir_of(draft).state == "held"


def test_still_not_fixed_on_a_closed_request_proposes_to_reopen(city: City) -> None:
    draft = city.report()
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")
    closed = city.request(draft)
    with city.writing() as session:
        row = session.get_one(ServiceRequestRow, closed.id)
        row.status, row.outcome = "closed", "fixed"

    again = city.report("It's still not fixed", in_reply_to=city.replies()[0]["id"])

    proposal = city.proposal(again)
    assert city.request(again).reopened_from == closed.id
    assert proposal is not None
    assert proposal.address == closed.address


def test_a_status_question_hears_of_the_authors_own_request(city: City) -> None:
    draft = city.report()
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")

    asked = city.report("any news on this?", in_reply_to=city.replies()[0]["id"])

    assert asked.request_id == draft.request_id
    assert city.request(draft).reference in city.text(asked)
    assert city.proposal(asked) is None


def test_a_mention_attached_to_an_open_request_opens_no_second_ticket(city: City) -> None:
    first = city.report(author="ann_oak")
    city.approve(first)
    city.work_until(lambda: city.get(first).state == "sent")
    known = city.request(first)
    second = city.report("A pothole at 130 Oak Street", author="bob_elm")

    decide.edit(city.deployment, city.who, second.id, version=second.version, request={"attach_to": known.id})
    assert known.reference in city.text(city.get(second))
    city.approve(second)
    city.work_until(lambda: city.get(second).state == "sent")

    assert joined_role(city, known.id, second) == "also_affected"
    assert len(city.tickets()) == 1
    assert city.get(second).request_id == known.id


def joined_role(city: City, request_id: int, draft: DraftRow) -> str | None:
    with city.reading() as session:
        row = session.get(RequestMentionRow, (request_id, draft.mention_id))
        return None if row is None else row.role


def test_undoing_an_attachment_parts_the_mention_from_the_request(open_city: Opened) -> None:
    city = open_city(approval={"undo_for": "PT1H"})
    known = city.request(city.approve(city.report(author="ann_oak")))
    second = city.report("A pothole at 130 Oak Street", author="bob_elm")
    decide.edit(city.deployment, city.who, second.id, version=second.version, request={"attach_to": known.id})
    city.approve(second)

    fresh = decide.cancel(city.deployment, city.who, second.id)

    assert fresh is not None
    assert joined_role(city, known.id, second) is None
    assert city.one(RequestProposalRow, RequestProposalRow.draft_id == fresh).state == "pending"
    assert city.one(TicketRow).state == "pending"


def test_an_old_post_counts_but_is_not_drafted_for(open_city: Opened) -> None:
    city = open_city(accounts={X: {"reply_within": "PT1H"}})

    post_id = city.said("There is a pothole at 120 Oak Street", posted_at=minutes_ago(90))

    assert city.mention(post_id).historic
    assert len(city.all(AssessmentRow)) == 1
    assert city.drafts_of(post_id) == []


def test_an_edited_post_gets_a_new_draft_and_its_old_request_lapses(city: City) -> None:
    draft = city.report("There is a pothole at 120 Oak Street")
    mention = city.one(MentionRow)

    city.ctl.edit(mention.post_id, "I had soup for lunch")
    city.round()

    newest = city.drafts_of(mention.post_id)[-1]
    assert city.get(draft).state == "superseded"
    assert newest.no_text_reason
    assert city.request(draft).status == "cancelled"


def test_a_correction_supersedes_the_draft_with_one_that_fits(city: City) -> None:
    draft = city.report("I had soup for lunch at 120 Oak Street")

    decide.correct(
        city.deployment, city.who, draft.mention_id, changes={"intent": "report", "service_code": "graffiti_removal"}
    )

    fresh = city.heir_of(draft)
    proposal = city.proposal(fresh)
    assert city.get(draft).state == "superseded"
    assert proposal is not None
    assert proposal.service_code == "graffiti_removal"


def test_a_correction_keeps_what_staff_wrote_and_asks_to_read_it_again(city: City) -> None:
    draft = city.report()
    decide.edit(city.deployment, city.who, draft.id, version=draft.version, text="We will be there tomorrow.")

    decide.correct(city.deployment, city.who, draft.mention_id, changes={"service_code": "street_sweeping"})

    fresh = city.heir_of(draft)
    assert city.text(fresh) == "We will be there tomorrow."
    assert (fresh.needs_review, fresh.edited_by) == (True, city.who.by)


def test_a_correction_of_the_mood_keeps_the_request_and_its_reference(city: City) -> None:
    """The answer to where it is says nothing of a report by itself."""
    asked = city.report("There is a pothole on my street")
    answer = city.report("120 Oak Street", in_reply_to=city.one(MentionRow).post_id)

    decide.correct(city.deployment, city.who, answer.mention_id, changes={"sentiment": "negative"})

    fresh = city.heir_of(answer)
    assert fresh.request_id == asked.request_id
    assert city.proposal(fresh) is not None
    assert city.request(fresh).status == "proposed"


def test_a_request_that_is_filed_is_not_proposed_again_when_the_reply_is_worded_anew(city: City) -> None:
    draft = city.report()
    city.approve(draft, parts=["request"])
    city.work_until(lambda: city.one(TicketRow).state == "open")

    decide.correct(city.deployment, city.who, draft.mention_id, changes={"sentiment": "neutral"})

    fresh = city.heir_of(draft)
    assert city.proposal(fresh) is None
    assert fresh.request_id == draft.request_id
    assert city.request(draft).reference in city.text(fresh)


def test_a_draft_on_request_takes_the_template_that_staff_chose(city: City) -> None:
    draft = city.report("this council is useless")

    fresh = decide.redraft(city.deployment, city.who, draft.mention_id, template="acknowledge")

    assert city.get(draft).state == "superseded"
    assert city.text(city.heir_of(draft))
    assert city.heir_of(draft).id == fresh


def test_an_unknown_template_is_refused_and_changes_nothing(city: City) -> None:
    draft = city.report()

    with pytest.raises(ConfigError):
        decide.redraft(city.deployment, city.who, draft.mention_id, template="sonnet")

    assert city.get(draft).state == "pending"


def test_one_post_that_breaks_drafting_takes_no_other_along(city: City) -> None:
    """A bug met in one post must not use up the tries of the rest of its batch."""
    first = city.post("There is a pothole at 120 Oak Street", author="ann_oak", posted_at=minutes_ago(9))
    second = city.post("There is a pothole at 520 Elm Street", author="bob_elm", posted_at=minutes_ago(5))
    city.hear()
    execute_unchecked(
        city.deployment.store, "UPDATE mention SET conversation_id = 999 WHERE post_id = :post", post=first
    )

    for _ in range(3):
        try:
            city.work()
        except Exception:  # noqa: BLE001  the scheduler outlives it
            continue

    assert city.draft_of(second).state == "pending"


def test_words_of_another_city_or_template_are_only_values(city: City) -> None:
    city.classifier.script = {"{{": said("report", "pothole_road"), **SCRIPT}

    draft = city.report("{{ 7*7 }} pothole at 120 Oak Street @everyone http://evil.example")

    assert "49" not in city.text(draft)
    assert "@everyone" not in city.text(draft)
    assert "evil.example" not in city.text(draft)
