from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlmodel import select

from pipeline import decide
from store.tables import ServiceRequestRow
from tests.web.console.conftest import City, Desk, button
from tests.web.console.seeds import TRICKY, a_day, who


def form_of(page: BeautifulSoup, draft_id: int) -> dict[str, Any]:
    """What a browser would send of a draft's form."""
    form = page.select_one(f"#draft-{draft_id} form.hk-form")
    assert form is not None
    sent: dict[str, Any] = {}
    for field in form.select("input, select, textarea"):
        if field.name == "textarea":
            sent[str(field["name"])] = field.get_text().removeprefix("\n").replace("\n", "\r\n")
        elif field.name == "select":
            chosen = field.select_one("option[selected]") or field.select_one("option")
            sent[str(field["name"])] = str(chosen.get("value", chosen.get_text())) if chosen else ""
        elif field.get("type") != "radio" or field.has_attr("checked"):
            sent[str(field["name"])] = str(field.get("value", ""))
    return sent


def at(city: City, mention_id: int) -> str:
    return f"/console/conversations/{city.mention(mention_id).conversation_id}"


def open_desk(city: City, desk: Desk, mention_id: int) -> tuple[BeautifulSoup, int, dict[str, Any]]:
    page, draft = desk.get(at(city, mention_id)), city.draft_of(mention_id)
    return page, draft.id, form_of(page, draft.id)


def requests(city: City, status: str) -> list[ServiceRequestRow]:
    with city.deployment.store.reading() as session:
        return list(session.exec(select(ServiceRequestRow).where(ServiceRequestRow.status == status)))


def test_the_desk_shows_all_that_an_approver_needs(city: City, desk: Desk) -> None:
    mention = city.hears("Huge pothole at 500 Oak Street", please_check=("urgency",))

    page, draft_id, form = open_desk(city, desk, mention)
    words = page.get_text(" ", strip=True)

    for expected in ("Huge pothole", "91%", "please check", "May be answered until", "of 280", "Service request AF-"):
        assert expected in words
    assert form["service_code"] == "pothole"
    assert form["address"] == "500 Oak Street"
    assert [one.get_text(strip=True) for one in page.select(f"#draft-{draft_id} .hk-actions button")] == [
        *("Save", "Approve", "Approve reply only", "Approve request only"),
        "Reject",
    ]


def test_enter_in_a_field_saves_and_never_approves(city: City, desk: Desk) -> None:
    page, draft_id, _ = open_desk(city, desk, city.hears("Pothole at 500 Oak Street"))

    first = page.select(f"#draft-{draft_id} form.hk-form button[type=submit]")[0]

    assert first.get("formaction") is None or "approve" not in str(first["formaction"])


def test_approve_sends_exactly_what_was_on_the_screen(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    page = desk.post(f"/console/drafts/{draft_id}/approve", form)

    draft = city.draft_of(mention)
    assert draft.state == "approved"
    assert city.words(draft.content_id) == form["text"].replace("\r\n", "\n")
    assert button(page, "Undo")
    assert len(requests(city, "open")) == 1


def test_a_text_of_ones_own_is_approved_as_typed(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    desk.post(f"/console/drafts/{draft_id}/approve", form | {"text": "Two lines,\r\none reply."})

    assert city.words(city.draft_of(mention).content_id) == "Two lines,\none reply."


def test_a_changed_place_does_not_change_the_words_under_the_approver(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    desk.post(f"/console/drafts/{draft_id}/approve", form | {"address": "900 Pine Street", "lat": "", "long": ""})

    assert city.words(city.draft_of(mention).content_id) == form["text"]
    assert [one.address for one in requests(city, "open")] == ["900 Pine Street"]


@pytest.mark.parametrize(("part", "state", "open_requests"), [("reply", "approved", 0), ("request", "pending", 1)])
def test_either_part_is_approved_alone(city: City, desk: Desk, part: str, state: str, open_requests: int) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    page = desk.post(f"/console/drafts/{draft_id}/approve", form | {"parts": part})

    assert city.draft_of(mention).state == state
    assert len(requests(city, "open")) == open_requests
    assert button(page, "Undo" if part == "reply" else "Approve")


def test_undo_brings_the_draft_back(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)
    desk.post(f"/console/drafts/{draft_id}/approve", form)

    page = desk.post(f"/console/drafts/{draft_id}/cancel")

    assert city.draft_of(mention).state == "pending"
    assert button(page, "Approve")


def test_undo_too_late_says_so(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")

    page = desk.post(f"/console/drafts/{city.draft_of(mention).id}/cancel", expect=409)

    assert "Too late to undo" in page.get_text()


def test_a_draft_that_changed_meanwhile_keeps_what_was_typed(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)
    decide.edit(city.deployment, who(city), draft_id, version=city.draft_of(mention).version, text="Theirs stands")

    page = desk.post(f"/console/drafts/{draft_id}/approve", form | {"text": "Mine is typed"}, expect=409)

    again = form_of(page, draft_id)
    assert again["text"] == "Mine is typed"
    assert again["version"] == str(city.draft_of(mention).version)
    assert [one.get_text() for one in page.select(".hk-diff del, .hk-diff ins")] == ["Theirs stands", "Mine is typed"]
    assert page.select_one("[role=alert]")


def test_a_draft_that_was_decided_shows_what_was_typed(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)
    decide.reject(city.deployment, who(city), draft_id, version=city.draft_of(mention).version, reason="no")

    page = desk.post(f"/console/drafts/{draft_id}/approve", form | {"text": "Mine is typed"}, expect=409)

    assert "decided already" in page.get_text()
    assert "Mine is typed" in page.get_text()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": "é" * 281}, "text"),
        ({"text": ""}, "text"),
        ({"text": "We will come [date]."}, "text"),
        ({"lat": "north"}, "lat"),
        ({"lat": "44.1", "long": "999"}, "long"),
        ({"service_code": "flying_cars"}, "service_code"),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field(city: City, desk: Desk, change: dict[str, str], field: str) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    page = desk.post(
        f"/console/drafts/{draft_id}/approve",
        form | change | ({"parts": "reply"} if "text" in change else {}),
        expect=422,
    )

    link = page.select_one("[role=alert] a")
    assert link is not None
    target = page.select_one(str(link["href"]))
    assert target is not None
    assert target["name"] == field
    assert form_of(page, draft_id)[field] == change[field]
    assert city.draft_of(mention).state == "pending"


def test_save_edits_and_raises_the_version(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    desk.post(f"/console/drafts/{draft_id}/edit", form | {"text": "Better words", "public_description": "Pothole"})

    draft = city.draft_of(mention)
    assert draft.version > int(form["version"])
    assert draft.edited_by == "approver@alderfalls.example"
    assert city.words(draft.content_id) == "Better words"


def test_save_without_a_change_changes_nothing(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    desk.post(f"/console/drafts/{draft_id}/edit", form)

    draft = city.draft_of(mention)
    assert (draft.version, draft.edited_by) == (int(form["version"]), None)


def test_another_language_is_written_anew(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    page = desk.post(f"/console/drafts/{draft_id}/edit", form | {"how": "template", "language": "es"})

    assert city.draft_of(mention).language == "es"
    assert "The same in English" in page.get_text()


def test_a_place_given_by_staff_makes_a_request(city: City, desk: Desk) -> None:
    mention = city.hears("A pothole on my street", place=None)
    _, draft_id, form = open_desk(city, desk, mention)

    page = desk.post(f"/console/drafts/{draft_id}/edit", form | {"address": "900 Pine Street"})

    assert form_of(page, city.draft_of(mention).id)["address"].startswith("900 Pine")


def test_a_draft_can_be_attached_to_an_open_request(city: City, desk: Desk) -> None:
    first = city.hears("Pothole at 500 Oak Street", author="first")
    decide.approve(city.deployment, who(city), city.draft_of(first).id, version=city.draft_of(first).version)
    mention = city.hears("Same pothole, 500 Oak Street", author="second")
    page, draft_id, form = open_desk(city, desk, mention)
    known = requests(city, "open")[0]

    choice = page.select_one(f"input[name=attach_to][value='{known.id}']")
    desk.post(f"/console/drafts/{draft_id}/edit", form | {"attach_to": str(known.id)})
    again = form_of(desk.get(at(city, mention)), city.draft_of(mention).id)
    desk.post(f"/console/drafts/{city.draft_of(mention).id}/approve", again)

    assert choice is not None
    assert known.reference in city.words(city.draft_of(mention).content_id)
    assert city.draft_of(mention).request_id == known.id
    assert len(requests(city, "open")) == 1


def test_what_was_emptied_stays_empty(city: City, desk: Desk) -> None:
    first = city.hears("Pothole at 500 Oak Street", author="first")
    decide.approve(city.deployment, who(city), city.draft_of(first).id, version=city.draft_of(first).version)
    mention = city.hears("Same pothole, 500 Oak Street", author="second")
    _, draft_id, form = open_desk(city, desk, mention)

    attached = form | {"attach_to": str(requests(city, "open")[0].id)}
    desk.post(f"/console/drafts/{draft_id}/edit", attached)
    emptied = form_of(desk.get(at(city, mention)), draft_id) | {"attach_to": "", "address": "", "lat": "", "long": ""}
    desk.post(f"/console/drafts/{draft_id}/edit", emptied | {"text": ""})
    stands = form_of(desk.get(at(city, mention)), draft_id)

    assert [stands.get(name, "") for name in ("attach_to", "address", "lat", "long", "text")] == [""] * 5


def test_reject_hold_and_release(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    held = desk.post(f"/console/drafts/{draft_id}/hold", form | {"hold": "crew is out"})
    assert "crew is out" in held.get_text()
    assert [one.get_text(strip=True) for one in desk.get("/console/?view=held").select(".hk-line__link")]
    desk.post(f"/console/drafts/{draft_id}/release", form)
    assert city.draft_of(mention).state == "pending"
    now = form_of(desk.get(at(city, mention)), draft_id)
    desk.post(f"/console/drafts/{draft_id}/reject", now | {"reason": "Wrong facts"})

    assert city.draft_of(mention).state == "rejected"


def test_hold_wants_a_reason(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    _, draft_id, form = open_desk(city, desk, mention)

    page = desk.post(f"/console/drafts/{draft_id}/hold", form | {"text": "typed before"}, expect=422)

    assert form_of(page, draft_id)["text"] == "typed before"


def test_a_correction_a_dismissal_and_its_undo(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")

    corrected = desk.post(
        f"/console/mentions/{mention}/correct",
        {"intent": "praise", "urgency": "normal", "sentiment": "positive", "service_code": ""},
    )
    assert "corrected by approver@alderfalls.example" in corrected.get_text(" ", strip=True)
    dismissed = desk.post(f"/console/mentions/{mention}/dismiss", {"reason": "Nothing to do"})
    assert button(dismissed, "Undo dismissal")
    desk.post(f"/console/mentions/{mention}/undismiss")

    assert city.mention(mention).state == "drafted"


def test_an_emergency_shows_its_reason_and_takes_no_other_words(city: City, desk: Desk) -> None:
    mention = city.hears("I smell gas", urgency="emergency", ago=timedelta(minutes=3))

    page = desk.get(at(city, mention))
    text = page.select_one("textarea[name=text]")

    assert text is not None
    assert text.has_attr("readonly")
    assert "911" in text.get_text()
    assert "gas leak, by words" in page.get_text()
    assert "Posted 3 min ago" in page.get_text()
    done = desk.post(f"/console/mentions/{mention}/acknowledge", {"emergency": "no"})
    assert "Not an emergency by approver" in done.get_text(" ", strip=True)


def test_each_mention_of_a_thread_has_its_own_card(city: City, desk: Desk) -> None:
    one = city.hears("Pothole at 500 Oak Street", author="a", thread="t")
    two = city.hears("Here too", author="b", thread="t", place=None)

    page = desk.get(at(city, one))

    assert [card["id"] for card in page.select("[data-card]")] == [f"mention-{one}", f"mention-{two}"]
    ids = [str(element["id"]) for element in page.select("[id]")]
    assert len(ids) == len(set(ids))


def test_residents_words_never_become_markup(city: City, desk: Desk) -> None:
    mention = city.hears(TRICKY, author="<b>mallory</b>")

    page = desk.get(at(city, mention))

    assert not [one for one in page.find_all("script") if not one.get("src")]
    assert not page.select(".hk-words a, .hk-words b")
    assert all(
        one.find_parent(attrs={"hx-disable": True}) or one.has_attr("hx-disable")
        for one in page.select(".hk-post .hk-words")
    )


def test_no_page_needs_what_the_policy_forbids(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")

    page = desk.get(at(city, mention))

    assert page.select("[style], [onclick], [onload], style") == []
    assert [one for one in page.find_all("script") if not str(one.get("src", "")).startswith("/static/")] == []


def test_notes_and_owner(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    thread = at(city, mention)

    desk.post(f"{thread}/assign", {"to": "approver@alderfalls.example"})
    page = desk.post(f"{thread}/note", {"text": "Called <them>"})
    empty = desk.post(f"{thread}/note", {"text": " "}, expect=422)

    assert "Called <them>" in page.get_text()
    assert "approver@alderfalls.example" in page.get_text()
    assert "The note is empty" in empty.get_text()


def polled(desk: Desk, page: BeautifulSoup) -> Any:
    """What the open page asks for every two seconds."""
    return desk.client.get(str(page.select_one("#news")["hx-get"]), headers={"HX-Request": "true"})  # type: ignore[index]  # there is one


def test_the_desk_is_told_piece_by_piece_what_changed(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street", thread="t")
    page = desk.get(at(city, mention))

    before = polled(desk, page)
    other = city.hears("And another", author="b", thread="t")
    after = polled(desk, page)
    came = BeautifulSoup(after.text, "html.parser").select("[data-live]")
    pieces = {str(one["id"]): one["data-mark"] for one in came}

    assert before.status_code == 204
    assert list(pieces) == ["news", "posts", f"mention-{mention}", f"mention-{other}", "about"]
    assert pieces["about"] == page.select_one("#about")["data-mark"]  # type: ignore[index]  # there is one
    assert pieces["posts"] != page.select_one("#posts")["data-mark"]  # type: ignore[index]  # ditto


@pytest.mark.parametrize("what", ["hold", "note", "edit", "dismiss", "assign"])
def test_whatever_a_colleague_does_reaches_the_open_desk(city: City, desk: Desk, what: str) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    page, draft, thread, me = desk.get(at(city, mention)), city.draft_of(mention), city.mention(mention), who(city)
    d, conversation = city.deployment, thread.conversation_id

    acts: dict[str, Callable[[], object]] = {
        "hold": lambda: decide.hold(d, me, draft.id, reason="the crew is out"),
        "note": lambda: decide.note(d, me, conversation, text="Called them"),
        "edit": lambda: decide.edit(d, me, draft.id, version=draft.version, text="Better words"),
        "dismiss": lambda: decide.dismiss(d, me, mention, reason="A test"),
        "assign": lambda: decide.assign(d, me, conversation, to=me.by),
    }
    acts[what]()

    assert polled(desk, page).status_code == 200


def test_an_approval_leads_on_and_is_undone_from_the_next_conversation(city: City, desk: Desk) -> None:
    first = city.hears("Pothole at 500 Oak Street", author="a", ago=timedelta(hours=3))
    second = city.hears("Pothole at 900 Pine Street", author="b", ago=timedelta(hours=2))
    city.hears("Pothole at 1200 Cedar Street", author="c", ago=timedelta(hours=1))
    _, draft_id, form = open_desk(city, desk, first)

    approved = desk.post(f"/console/drafts/{draft_id}/approve", form)
    onward = approved.select_one(f"#d{draft_id}-next")
    assert onward is not None
    there = desk.client.get(str(onward["href"]))
    bar = BeautifulSoup(there.text, "html.parser").select_one("#undo")
    assert bar is not None
    undo = bar.select_one("form")
    assert undo is not None
    done = desk.post(str(undo["hx-post" if desk.htmx else "action"]))

    assert there.url.path == at(city, second)
    assert "the reply to @a" in bar.get_text(" ", strip=True)
    assert button(bar, "Undo")
    assert city.draft_of(first).state == "pending"
    assert "Undone" in done.get_text() or button(done, "Approve")


def test_after_the_last_conversation_comes_the_inbox(city: City, desk: Desk) -> None:
    only = city.hears("Pothole at 500 Oak Street")

    there = desk.client.get(f"/console/next?after={city.mention(only).conversation_id}&view=needs")

    assert there.url.path == "/console/"


def test_a_post_without_a_suggested_reply_is_settled_with_its_first_button(city: City, desk: Desk) -> None:
    mention = city.hears("Taxes go up, roads go down", intent="complaint", service_code=None, place=None)
    page = desk.get(at(city, mention))
    first = page.select("#cards button[type=submit]")[0]
    buttons = [one.get_text(strip=True) for one in page.select(f"#mention-{mention} button")]

    done = desk.post(f"/console/mentions/{mention}/dismiss", {"reason": "No reply needed"})

    assert "No reply needed" in buttons
    assert buttons.index("No reply needed") < buttons.index("Save")
    assert first is not None
    assert button(done, "Undo dismissal")
    assert city.mention(mention).state == "dismissed"


def test_a_very_long_post_stands_folded(city: City, desk: Desk) -> None:
    mention = city.hears("Pothole at 500 Oak Street " + "word " * 19_000 + "the end")

    posts = desk.get(at(city, mention)).select_one("#posts")

    assert posts is not None
    assert len(posts.select(".hk-words")[0].get_text()) < 1300
    assert posts.select("details .hk-words")[0].get_text().endswith("the end")


def test_a_sent_reply_is_taken_back_with_a_reason(city: City, desk: Desk) -> None:
    day = a_day(city)
    draft = city.draft_of(day.sent)

    desk.post(f"/console/drafts/{draft.id}/retract", {"reason": " "}, expect=422)
    page = desk.post(f"/console/drafts/{draft.id}/retract", {"reason": "wrong street"})

    assert "wrong street" in page.get_text()


def test_a_failed_reply_is_tried_again(city: City, desk: Desk) -> None:
    day = a_day(city)

    desk.post(f"/console/drafts/{city.draft_of(day.failed).id}/retry")

    assert city.draft_of(day.failed).state == "in_doubt"


def test_what_no_program_may_answer_is_posted_by_hand(city: City, desk: Desk) -> None:
    day = a_day(city)
    draft = city.draft_of(day.by_hand)

    words = desk.get(at(city, day.by_hand)).get_text(" ", strip=True)
    desk.post(f"/console/drafts/{draft.id}/reject", {"version": draft.version, "reason": "Needs no reply"})

    assert "This platform lets no program reply here" in words
    assert "found by search" in words
    assert city.draft_of(day.by_hand).state in {"rejected", "pending"}


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("responder", 403), ("admin", 403), ("approver", 200)])
def test_only_approvers_approve(city: City, as_role: Callable[..., TestClient], role: str, status: int) -> None:
    mention = city.hears("Pothole at 500 Oak Street")
    draft, client = city.draft_of(mention), as_role(role)

    page = client.get(at(city, mention)).text
    answer = client.post(f"/console/drafts/{draft.id}/approve", data={"version": draft.version})

    assert answer.status_code == status
    assert (">Approve</button>" in page) == (status == 200)


def test_another_site_cannot_approve(city: City, desk: Desk) -> None:
    draft = city.draft_of(city.hears("Pothole at 500 Oak Street"))

    answer = desk.client.post(
        f"/console/drafts/{draft.id}/approve", data={"version": draft.version}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status_code == 403
