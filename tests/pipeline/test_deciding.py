"""Decisions: each is bound to what the person saw, audited, and undone only as long as nothing left the house."""

from __future__ import annotations

import threading

import pytest
from sqlmodel import col, select

from pipeline import decide
from store import people
from store.people import Principal
from store.refusals import Conflict, Forbidden, Invalid, Missing
from store.tables import (
    ApprovalRow,
    AuditRow,
    CorrectionRow,
    DismissalRow,
    DraftRow,
    MentionRow,
    NoteRow,
    OwnPostRow,
    ReplyRow,
    TicketRow,
)
from tests.deployments import FACEBOOK, X, principal
from tests.pipeline.city import City
from tests.pipeline.conftest import Opened

LATER = {"undo_for": "PT1H"}


def actions(city: City) -> list[str]:
    with city.reading() as session:
        return [row.action for row in session.exec(select(AuditRow).order_by(col(AuditRow.seq)))]


# Approving


def test_the_reply_alone_is_approved_and_the_request_stays_open_for_a_decision(city: City) -> None:
    draft = city.approve(city.report(), parts=["reply"])

    city.work_until(lambda: city.get(draft).state == "sent")

    proposal = city.proposal(draft)
    assert proposal is not None
    assert proposal.state == "pending"
    assert city.tickets() == []
    city.approve(draft, parts=["request"])
    city.work_until(lambda: city.one(TicketRow).state == "open")
    assert city.get(draft).state == "sent"
    assert len(city.replies()) == 1


def test_the_request_alone_is_approved_and_the_reply_stays_open_for_a_decision(city: City) -> None:
    draft = city.approve(city.report(), parts=["request"])

    city.work_until(lambda: city.one(TicketRow).state == "open")

    assert (draft.state, city.get(draft).state) == ("pending", "pending")
    assert city.replies() == []
    city.approve(draft)
    city.work_until(lambda: city.get(draft).state == "sent")
    assert len(city.tickets()) == 1


def test_the_request_is_rejected_and_the_text_must_be_read_again(city: City) -> None:
    draft = city.report()

    decide.reject(city.deployment, city.who, draft.id, version=draft.version, reason="no", parts=["request"])

    after, proposal = city.get(draft), city.proposal(draft)
    assert (after.state, after.needs_review, after.version) == ("pending", True, draft.version + 1)
    assert proposal is not None
    assert proposal.state == "rejected"
    assert city.request(draft).status == "cancelled"


def test_the_reply_is_rejected_and_the_request_goes_on_by_itself_to_its_ticket(city: City) -> None:
    draft = city.report()

    decide.reject(city.deployment, city.who, draft.id, version=draft.version, reason="no", parts=["reply"])

    heir = city.heir_of(draft)
    assert (city.get(draft).state, heir.kind, heir.state) == ("rejected", "request_only", "pending")
    city.approve(heir)
    city.work_until(lambda: city.one(TicketRow).state == "open")
    assert city.get(heir).state == "sent"
    assert city.one(MentionRow).state == "filed"
    assert city.replies() == []


def test_a_request_by_itself_can_be_undone_too(open_city: Opened) -> None:
    city = open_city(approval=LATER)
    draft = city.report()
    decide.reject(city.deployment, city.who, draft.id, version=draft.version, reason="no", parts=["reply"])
    heir = city.approve(city.heir_of(draft))
    assert heir.state == "approved"

    fresh = decide.cancel(city.deployment, city.who, heir.id)

    assert fresh is not None
    assert city.one(TicketRow).state == "cancelled"
    assert city.one(DraftRow, DraftRow.id == fresh).state == "pending"


def test_rejecting_both_ends_the_draft_and_its_request(city: City) -> None:
    draft = city.report()

    decide.reject(city.deployment, city.who, draft.id, version=draft.version, reason="not ours")

    assert city.get(draft).state == "rejected"
    assert city.request(draft).status == "cancelled"
    assert city.one(MentionRow).state == "assessed"


def test_a_reason_is_needed_to_reject(city: City) -> None:
    draft = city.report()

    with pytest.raises(Invalid):
        decide.reject(city.deployment, city.who, draft.id, version=draft.version, reason=" ")


def test_an_edited_text_is_sent_as_approved_and_the_change_is_kept(city: City) -> None:
    draft = city.report()

    city.approve(draft, text="We saw it. A crew comes tomorrow.", parts=["reply"])
    city.work_until(lambda: city.get(draft).state == "sent")

    assert city.replies()[0]["text"] == "We saw it. A crew comes tomorrow."
    assert city.one(ApprovalRow).diff_id is not None


def test_a_stale_version_is_refused(city: City) -> None:
    draft = city.report()
    decide.edit(city.deployment, city.who, draft.id, version=draft.version, text="Other words.")

    with pytest.raises(Conflict) as refused:
        decide.approve(city.deployment, city.who, draft.id, version=draft.version)

    assert (refused.value.code, refused.value.draft_id) == ("stale", draft.id)


def test_a_thread_whose_author_went_on_is_read_first(city: City) -> None:
    """Heard, but not worked on yet: the draft is as it was."""
    draft = city.report()
    city.post("Wait, another thing", in_reply_to=city.one(MentionRow).post_id)
    city.hear()

    with pytest.raises(Conflict) as refused:
        city.approve(draft)

    assert refused.value.code == "moved_on"


def test_an_edited_post_is_read_first(city: City) -> None:
    draft = city.report()
    city.ctl.edit(city.one(MentionRow).post_id, "Sorry, the pothole is at 520 Elm Street")
    city.hear()

    with pytest.raises(Conflict) as refused:
        city.approve(draft)

    assert refused.value.code == "moved_on"


@pytest.mark.parametrize(
    "text", ["", "   ", "x" * 281, "Dear [name], thanks", "{{ reference }}", "nul \x00", "half \ud83d"], ids=repr
)
def test_a_text_that_cannot_be_sent_is_refused_and_nothing_is_decided(city: City, text: str) -> None:
    draft = city.report()

    with pytest.raises(Invalid) as refused:
        city.approve(draft, text=text, parts=["reply"])

    assert refused.value.field == "text"
    assert city.get(draft) == draft
    assert city.all(ReplyRow) == []
    assert city.all(ApprovalRow) == []


def test_words_that_a_change_of_the_request_brings_are_read_before_they_are_approved(city: City) -> None:
    draft = city.report("There is a pothole on my street")

    with pytest.raises(Conflict) as refused:
        city.approve(draft, request={"address": "120 Oak Street"})

    assert refused.value.code == "stale"
    assert city.get(draft).purpose == "clarify"
    assert city.all(ApprovalRow) == []


def test_a_request_changed_with_the_approval_is_filed_as_changed(city: City) -> None:
    draft = city.report()

    city.approve(draft, request={"description": "By the school gate"})
    city.work_until(lambda: city.one(TicketRow).state == "open")

    assert city.tickets()[0]["text"].startswith("By the school gate")


def test_nothing_is_filed_without_a_place_where_one_is_needed(city: City) -> None:
    draft = city.report("There is a pothole on my street")
    decide.edit(city.deployment, city.who, draft.id, version=1, request={"service_code": "pothole"})

    with pytest.raises(Invalid) as refused:
        city.approve(draft, parts=["request"])

    assert refused.value.field == "address"


def test_a_text_that_quotes_the_dropped_reference_is_refused(city: City) -> None:
    first = city.approve(city.report(author="ann_oak"))
    city.work_until(lambda: city.get(first).state == "sent")
    second = city.report("A pothole at 130 Oak Street", author="bob_elm")
    quoting = city.text(second)

    with pytest.raises(Invalid, match="quotes"):
        city.approve(second, text=quoting, request={"attach_to": city.request(first).id})


def test_two_people_are_needed_where_the_city_says_so(open_city: Opened) -> None:
    city = open_city(approval={"two_person": True})
    colleague = principal(city.deployment, "approver", email="second@alderfalls.example")
    draft = city.report()
    decide.edit(city.deployment, city.who, draft.id, version=1, text="We are on our way.")

    with pytest.raises(Forbidden):
        city.approve(draft)
    with pytest.raises(Forbidden):
        decide.approve(city.deployment, colleague, draft.id, version=2, text="We are not on our way.")
    decide.approve(city.deployment, colleague, draft.id, version=2, text="We are on our way.")

    assert city.one(ApprovalRow).by == "second@alderfalls.example"


def test_only_an_approver_approves(city: City) -> None:
    draft = city.report()
    responder = principal(city.deployment, "responder")

    with pytest.raises(Forbidden):
        decide.approve(city.deployment, responder, draft.id, version=draft.version)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_token_without_a_person_approves_only_where_the_config_says_so(open_city: Opened, allowed: bool) -> None:
    city = open_city(api={"service_approvals": allowed})
    with city.writing() as session:
        secret = people.create_token(session, "probe", "approver", by="test")
        token = people.principal_of_token(session, secret)
    assert token is not None
    draft = city.report()

    if not allowed:
        with pytest.raises(Forbidden):
            decide.approve(city.deployment, token, draft.id, version=draft.version)
        return
    decide.approve(city.deployment, token, draft.id, version=draft.version)

    assert city.one(ApprovalRow).by == "token:probe"


def test_an_account_outside_ones_grants_is_not_there(city: City) -> None:
    draft = city.report()
    other = principal(city.deployment, "approver", email="fb@alderfalls.example", account=FACEBOOK)

    with pytest.raises(Missing):
        decide.approve(city.deployment, other, draft.id, version=draft.version)


# Undoing


def test_undo_gives_a_fresh_copy_and_neither_reply_nor_ticket_goes_out(open_city: Opened) -> None:
    city = open_city(approval=LATER)
    draft = city.approve(city.report())
    city.work()

    fresh = decide.cancel(city.deployment, city.who, draft.id)
    city.execute("UPDATE work SET not_before = :past")
    city.work()

    copy = city.one(DraftRow, DraftRow.id == fresh)
    assert (city.get(draft).state, copy.state, city.text(copy)) == ("cancelled", "pending", city.text(draft))
    assert city.ctl.effects() == []
    assert city.one(ReplyRow).state == city.one(TicketRow).state == "cancelled"
    assert city.request(copy).status == "proposed"


def test_what_was_undone_is_approved_again_and_goes_out_once(open_city: Opened) -> None:
    city = open_city(approval=LATER)
    draft = city.approve(city.report())
    fresh = city.one(DraftRow, DraftRow.id == decide.cancel(city.deployment, city.who, draft.id))

    city.approve(fresh)
    city.execute("UPDATE work SET not_before = :past")
    city.execute("UPDATE draft SET send_after = :past WHERE send_after IS NOT NULL")
    city.work_until(lambda: city.get(fresh).state == "sent")

    assert len(city.replies()) == len(city.tickets()) == 1


def test_what_is_sent_cannot_be_undone(city: City) -> None:
    draft = city.approve(city.report())
    city.work_until(lambda: city.get(draft).state == "sent")

    with pytest.raises(Conflict) as refused:
        decide.cancel(city.deployment, city.who, draft.id)

    assert refused.value.code == "decided"


def test_a_failed_reply_is_not_retried_beside_a_newer_draft(city: City) -> None:
    draft = city.report()
    city.ctl.faults("x.create", "dead_token")
    city.approve(draft, parts=["reply"])
    city.work_until(lambda: city.get(draft).state == "failed")
    newer = decide.redraft(city.deployment, city.who, draft.mention_id)

    with pytest.raises(Conflict) as refused:
        decide.retry(city.deployment, city.who, draft.id)

    assert refused.value.draft_id == newer


def test_only_a_sent_reply_is_retracted_and_only_a_failed_one_retried(city: City) -> None:
    draft = city.report()

    with pytest.raises(Conflict):
        decide.retract(city.deployment, city.who, draft.id, reason="wrong")
    with pytest.raises(Conflict):
        decide.retry(city.deployment, city.who, draft.id)


# Holding


def test_a_held_draft_is_not_approved_until_it_is_released(city: City) -> None:
    draft = city.report()
    decide.hold(city.deployment, city.who, draft.id, reason="ask the mayor")

    with pytest.raises(Conflict):
        city.approve(draft)
    decide.release(city.deployment, city.who, draft.id)
    city.approve(draft)

    assert city.get(draft).state == "approved"


# Mentions


def test_a_dismissal_ends_drafts_and_is_undone(city: City) -> None:
    draft = city.report()

    decide.dismiss(city.deployment, city.who, draft.mention_id, reason="spam")
    assert city.one(MentionRow).state == "dismissed"
    assert city.get(draft).state == "cancelled"
    assert city.request(draft).status == "cancelled"
    decide.undismiss(city.deployment, city.who, draft.mention_id)

    assert city.one(MentionRow).state == "drafted"
    assert city.all(DraftRow)[-1].state == "pending"
    assert city.one(DismissalRow).undone_at is not None


def test_dismissing_what_is_approved_stops_reply_and_ticket(open_city: Opened) -> None:
    city = open_city(approval=LATER)
    draft = city.approve(city.report())

    decide.dismiss(city.deployment, city.who, draft.mention_id, reason="a hoax")

    assert city.one(ReplyRow).state == city.one(TicketRow).state == "cancelled"
    assert city.request(draft).status == "cancelled"


def test_a_reply_left_to_hands_does_not_block_a_dismissed_mention(open_city: Opened) -> None:
    city = open_city(accounts={X: {"track": ["pothole"]}})
    draft = city.approve(city.report(mention=False), parts=["reply"])
    assert draft.state == "manual"
    decide.dismiss(city.deployment, city.who, draft.mention_id, reason="solved by phone")
    decide.undismiss(city.deployment, city.who, draft.mention_id)

    again = city.approve(city.all(DraftRow)[-1], parts=["reply"])

    assert again.state == "manual"


def test_a_mention_is_corrected_field_by_field_and_the_old_value_is_kept(city: City) -> None:
    draft = city.report()

    decide.correct(city.deployment, city.who, draft.mention_id, changes={"urgency": "high", "sentiment": "neutral"})

    assert [(row.field, row.was, row.value) for row in city.all(CorrectionRow)] == [
        ("urgency", "normal", "high"),
        ("sentiment", "negative", "neutral"),
    ]


@pytest.mark.parametrize(
    "changes", [{"intent": "rant"}, {"service_code": "dragons"}, {"author": "me"}, {"urgency": None}], ids=str
)
def test_a_correction_that_means_nothing_is_refused(city: City, changes: dict[str, str | None]) -> None:
    draft = city.report()

    with pytest.raises(Invalid):
        decide.correct(city.deployment, city.who, draft.mention_id, changes=changes)

    assert city.all(CorrectionRow) == []


def test_a_note_and_an_owner_are_kept_and_audited_without_words(city: City) -> None:
    draft = city.report()

    decide.note(city.deployment, city.who, draft.conversation_id, text="called the foreman")
    decide.assign(city.deployment, city.who, draft.conversation_id, to=city.who.by)

    assert city.one(NoteRow).by == city.who.by
    assert actions(city)[-2:] == ["conversation.noted", "conversation.assigned"]


def test_nobody_is_assigned_who_is_not_a_colleague(city: City) -> None:
    draft = city.report()

    with pytest.raises(Invalid):
        decide.assign(city.deployment, city.who, draft.conversation_id, to="nobody@else.example")


# Switches


def test_a_kill_switch_needs_a_scope_that_is_there_and_a_reason(city: City) -> None:
    with pytest.raises(Invalid):
        decide.set_kill_switch(city.deployment, city.who, scope="platform:myspace", on=True, reason="x")
    with pytest.raises(Invalid):
        decide.set_kill_switch(city.deployment, city.who, scope="all", on=True, reason=" ")


def test_an_account_cannot_be_armed_past_its_file(open_city: Opened) -> None:
    city = open_city(accounts={X: {"sending": "dry_run"}})

    with pytest.raises(Conflict) as refused:
        decide.set_sending(city.deployment, city.who, X, "armed")

    assert refused.value.code == "ceiling"


def test_an_account_on_the_open_network_is_armed_only_with_alarms_and_https(open_city: Opened) -> None:
    city = open_city(accounts={X: {"base_url": "https://api.x.com"}})

    with pytest.raises(Conflict) as refused:
        decide.set_sending(city.deployment, city.who, X, "armed")

    assert refused.value.code == "no_alarms"


def test_what_needs_attention_is_owned_and_discarded_by_name(city: City) -> None:
    draft = city.report()
    city.ctl.faults("open311.create", "dead_token")
    city.approve(draft, parts=["request"])
    city.work_until(lambda: city.attention("ticket"))
    row = city.attention("ticket")[0]

    decide.attention_ack(city.deployment, city.who, row.id)
    decide.attention_discard(city.deployment, city.who, row.id, reason="filed by phone")

    closed = city.get(row)
    assert (closed.owner, closed.outcome, closed.closed_by) == (city.who.by, "discarded", city.who.by)
    with pytest.raises(Missing):
        decide.attention_ack(city.deployment, city.who, row.id)


def test_every_decision_stands_in_the_log_under_a_name_and_without_a_word(city: City) -> None:
    draft = city.report("There is a pothole like a quagmire at 120 Oak Street")
    city.approve(draft, text="We are very much obliged to you.", parts=["reply"])
    city.work_until(lambda: city.get(draft).state == "sent")

    with city.reading() as session:
        rows = session.exec(select(AuditRow)).all()
        told = " ".join(f"{row.by} {row.action} {row.subject} {row.hashes}" for row in rows)
    assert any(row.action == "draft.approved" and row.by == city.who.by for row in rows)
    for word in ("quagmire", "obliged", "Oak", "pothole like"):
        assert word not in told


def nobody() -> Principal:
    return Principal(by="nobody", roles=frozenset())


def test_who_was_granted_nothing_approves_nothing(city: City) -> None:
    draft = city.report()

    with pytest.raises(Forbidden):
        decide.approve(city.deployment, nobody(), draft.id, version=draft.version)


def test_a_missing_draft_is_missing(city: City) -> None:
    with pytest.raises(Missing):
        decide.approve(city.deployment, city.who, 999, version=1)


# Answered by hand


def test_a_reply_by_hand_settles_the_mention_and_the_request_goes_on(city: City) -> None:
    draft = city.report()
    post_id = city.one(MentionRow).post_id

    by_hand = city.ctl.post("We are on it.", as_="city", author="", in_reply_to=post_id)
    city.round()

    heir = city.heir_of(draft)
    native = city.one(ReplyRow)
    assert city.one(MentionRow).state == "answered"
    assert city.get(draft).state == "superseded"
    assert (heir.kind, heir.state, heir.request_id) == ("request_only", "pending", draft.request_id)
    assert (native.origin, native.state, native.post_id) == ("native", "sent", by_hand)
    assert len(city.all(MentionRow)) == 1
    city.approve(heir)
    city.work_until(lambda: city.one(TicketRow).state == "open")
    assert city.get(heir).state == "sent"
    assert city.replies() == []


def test_a_reply_by_hand_stops_one_that_was_approved(open_city: Opened) -> None:
    city = open_city(approval=LATER)
    draft = city.approve(city.report())

    city.ctl.post("We are on it.", as_="city", author="", in_reply_to=city.one(MentionRow).post_id)
    city.hear()
    city.execute("UPDATE work SET not_before = :past")
    city.work()

    assert city.get(draft).state == "superseded"
    assert city.replies() == []
    assert city.one(TicketRow).state == "open"


def test_our_own_reply_found_in_a_listing_before_its_answer_came_is_ours(city: City) -> None:
    draft = city.report()
    city.ctl.faults("x.create", "500", after_effect=True)
    city.approve(draft, parts=["reply"])
    city.work()
    assert city.get(draft).state == "in_doubt"

    city.hear()

    reply = city.one(ReplyRow)
    assert (reply.origin, reply.state, reply.post_id) == ("harken", "sent", city.replies()[0]["id"])
    assert city.get(draft).state == "sent"
    assert city.one(OwnPostRow).post_id == reply.post_id
    assert len(city.all(MentionRow)) == 1


def test_a_listed_reply_of_ours_does_not_make_the_next_draft_stale(city: City) -> None:
    draft = city.approve(city.report())
    city.work_until(lambda: city.get(draft).state == "sent")
    asked = city.report("any news on this?", in_reply_to=city.replies()[0]["id"])

    city.hear()
    city.approve(asked)

    assert city.get(asked).state == "approved"
    assert city.one(ReplyRow, ReplyRow.draft_id == draft.id).origin == "harken"


def test_a_reply_we_gave_up_on_that_stands_after_all_is_ours(city: City) -> None:
    draft = city.approve(city.report(), parts=["reply"])
    city.work_until(lambda: city.get(draft).state == "sent")
    city.execute("UPDATE reply SET state = 'failed', post_id = NULL, sent_at = NULL")
    city.execute("UPDATE draft SET state = 'failed'")

    city.hear()

    reply = city.one(ReplyRow)
    assert (reply.origin, reply.state, reply.post_id) == ("harken", "sent", city.replies()[0]["id"])
    assert city.get(draft).state == "sent"


def test_of_two_who_approve_at_once_one_is_too_late(city: City) -> None:
    draft = city.report()
    start, outcomes = threading.Barrier(2), list[str]()

    def approve(who: Principal) -> None:
        start.wait()
        try:
            decide.approve(city.deployment, who, draft.id, version=draft.version)
            outcomes.append("approved")
        except Conflict as refused:
            outcomes.append(refused.code)

    colleague = principal(city.deployment, "approver", email="second@alderfalls.example")
    threads = [threading.Thread(target=approve, args=(who,)) for who in (city.who, colleague)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["approved", "decided"]
    city.work_until(lambda: city.get(draft).state == "sent")
    assert len(city.replies()) == 1
