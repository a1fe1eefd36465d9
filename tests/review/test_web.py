"""What a hostile reading of the console and the API found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlmodel import select

from pipeline import decide, outcomes
from pipeline.deployment import account_row
from store import attention, facts, outbound, people, requests, sight, sign_in
from store.desk import inbox
from store.people import Principal
from store.refusals import Invalid
from store.tables import ConversationRow, DraftRow, MentionRow, ReplyRow
from store.types import now
from tests.web.console import conftest as console
from tests.web.console.conftest import City
from vocabulary import OwnPost
from web.app import create_app

city = console.city
APPROVER = Principal(by="approver@alderfalls.example", roles=frozenset({"approver"}), staff_id=1)
PARKS = {"role": "responder", "department": "Parks & Recreation"}


def person(city: City, email: str, *grants: dict[str, str]) -> TestClient:
    """A client with the session of somebody who holds several grants."""
    with city.deployment.store.writing() as session:
        row = people.add_staff(session, email, by="test")
        for one in grants:
            people.grant(session, row, by="test", **one)
        secret = sign_in.finish(session, row.id, right=True) or ""
    client = TestClient(create_app(city.deployment), base_url="http://127.0.0.1:8311", follow_redirects=False)
    client.cookies.set("harken_session", secret)
    return client


@pytest.fixture
def parks(city: City) -> Iterator[TestClient]:
    """Reads everywhere, approves for the parks alone."""
    grants = ({"role": "viewer"}, {"role": "approver", "account": "parks_x"})
    with person(city, "parks@alderfalls.example", *grants) as client:
        yield client


@pytest.mark.parametrize("decision", ["approve", "reject", "edit", "hold"])
def test_who_only_reads_an_account_decides_nothing_for_it_in_the_console(
    city: City, parks: TestClient, decision: str
) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))
    sent = {"version": draft.version, "reason": "no", "hold": "wait", "text": "mine"}

    answer = parks.post(f"/console/drafts/{draft.id}/{decision}", data=sent)

    assert answer.status_code == 403
    now_is = city.draft_of(draft.mention_id)
    assert (now_is.id, now_is.state, now_is.version) == (draft.id, "pending", draft.version)


@pytest.mark.parametrize("decision", ["dismiss", "redraft", "correct", "acknowledge"])
def test_who_only_reads_an_account_says_nothing_of_its_mentions(city: City, parks: TestClient, decision: str) -> None:
    mention_id = city.hears("I smell gas at 500 Oak Street", urgency="emergency")
    draft_id = city.draft_of(mention_id).id

    answer = parks.post(f"/console/mentions/{mention_id}/{decision}", data={"reason": "no", "urgency": "normal"})

    assert answer.status_code == 403
    assert city.mention(mention_id).state == "drafted"
    assert city.draft_of(mention_id).id == draft_id


def test_a_department_touches_no_mention_of_another(city: City) -> None:
    mention_id = city.hears("A pothole at 500 Oak Street")
    conversation_id = city.mention(mention_id).conversation_id

    with person(city, "bus@alderfalls.example", PARKS) as elsewhere:
        answers = [
            elsewhere.post(f"/console/mentions/{mention_id}/dismiss", data={"reason": "no"}),
            elsewhere.post(f"/console/conversations/{conversation_id}/note", data={"text": "I was here"}),
            elsewhere.post(f"/console/conversations/{conversation_id}/assign", data={"to": "bus@alderfalls.example"}),
        ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert city.mention(mention_id).state == "drafted"
    with city.deployment.store.reading() as session:
        assert session.get_one(ConversationRow, conversation_id).owner_id is None


def test_attention_shows_alarms_concerns_and_gaps_within_the_grants(city: City) -> None:
    city.hears("I smell gas at 500 Oak Street", urgency="emergency")
    with city.deployment.store.writing() as session:
        attention.raise_(session, kind="mention", ref="9", summary="a post of the city hall", account_id=1)

    with person(city, "p@alderfalls.example", {"role": "responder", "account": "parks_x"}) as limited:
        words = limited.get("/console/attention").text
        accounts = limited.get("/console/accounts").text

    assert not [one for one in ("gas leak", "city hall", "city_hall_x") if one in words]
    assert [one for one in ("city_hall_x", "parks_x") if f"<h2>{one}" in accounts] == ["parks_x"]


def test_one_accounts_responder_neither_stops_the_city_nor_lets_anything_go_on(city: City) -> None:
    with city.deployment.store.writing() as session:
        facts.set_kill_switch(session, scope="account:parks_x", on=True, reason="a storm", by="test")

    with person(city, "p@alderfalls.example", {"role": "responder", "account": "parks_x"}) as limited:
        all_ = limited.post("/console/kill-switch", data={"scope": "all", "on": "yes", "reason": "mine"})
        own = limited.post("/console/kill-switch", data={"scope": "account:parks_x", "on": "no", "reason": "mine"})

    assert (all_.status_code, own.status_code) == (403, 403)
    with city.deployment.store.reading() as session:
        stopped = {scope for scope, row in facts.switches(session).items() if row.value["on"]}
    assert stopped == {"account:parks_x"}


def test_a_request_is_rejected_after_its_reply_went_out(city: City) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))

    with person(city, "a@alderfalls.example", {"role": "approver"}) as desk:
        desk.post(f"/console/drafts/{draft.id}/approve", data={"version": draft.version, "parts": "reply"})
        version = city.draft_of(draft.mention_id).version
        sent = {"version": version, "parts": "request", "reason": "Wrong place or service"}
        answer = desk.post(f"/console/drafts/{draft.id}/reject", data=sent)

    assert answer.status_code == 303
    with city.deployment.store.reading() as session:
        proposal = requests.proposal_of(session, draft.id)
    assert proposal is not None
    assert proposal.state == "rejected"
    assert city.draft_of(draft.mention_id).state == "approved"


def test_rejecting_no_part_rejects_nothing(city: City) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))
    who = Principal(by="x", roles=frozenset({"responder"}))

    with pytest.raises(Invalid, match="parts"):
        decide.reject(city.deployment, who, draft.id, version=draft.version, reason="no", parts=[])

    assert city.draft_of(draft.mention_id).state == "pending"


@pytest.mark.parametrize("text", ["\u200b\u200b", "\u2800", "\u3164 \u00a0", "\ufe0f"])
def test_a_reply_that_shows_nothing_is_empty(city: City, text: str) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))

    with person(city, "a@alderfalls.example", {"role": "approver"}) as desk:
        answer = desk.post(f"/console/drafts/{draft.id}/approve", data={"version": draft.version, "text": text})

    assert answer.status_code == 422
    assert city.draft_of(draft.mention_id).state == "pending"


@pytest.mark.parametrize("number", ["\u00b2", "9" * 30, "-1", "x"])
def test_no_number_in_an_address_breaks_a_page(city: City, number: str) -> None:
    with person(city, "a@alderfalls.example", {"role": "approver"}) as desk:
        pages = [desk.get(f"/console/{noun}?before={number}").status_code for noun in ("audit", "requests")]
        rows = [desk.get(f"/console/{noun}/{number}").status_code for noun in ("conversations", "requests")]

    assert (pages, rows) == ([200, 200], [404, 404])


@pytest.mark.parametrize("number", ["\u00b2", "9" * 30])
def test_a_request_is_attached_to_no_number_that_is_none(city: City, number: str) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))

    with person(city, "a@alderfalls.example", {"role": "approver"}) as desk:
        sent = {"version": draft.version, "attach_to": number}
        assert desk.post(f"/console/drafts/{draft.id}/edit", data=sent).status_code == 422


@pytest.mark.parametrize("way_out", ["dismiss", "redraft", "by_hand"])
def test_a_failed_reply_leaves_the_inbox_once_it_is_dealt_with(city: City, way_out: str) -> None:
    mention_id = city.hears("A pothole at 500 Oak Street")
    city.session_of("approver")
    failed = city.draft_of(mention_id)
    decide.approve(city.deployment, APPROVER, failed.id, version=failed.version, parts=["reply"])
    with city.deployment.store.writing() as session:
        reply = session.exec(select(ReplyRow)).one()
        outcomes.fail(session, reply)

    if way_out == "dismiss":
        decide.dismiss(city.deployment, APPROVER, mention_id, reason="the author blocked us")
    elif way_out == "redraft":
        decide.redraft(city.deployment, APPROVER, mention_id)
        anew = city.draft_of(mention_id)
        decide.reject(city.deployment, APPROVER, anew.id, version=anew.version, reason="no")
    else:
        mention = city.mention(mention_id)
        post = OwnPost(
            platform="x",
            post_id="77",
            conversation_key=mention.post_id,
            text="We wrote to you by hand.",
            posted_at=now(),
            in_reply_to=mention.post_id,
            url="",
        )
        with city.deployment.store.writing() as session:
            outbound.take(session, account_row(session, "city_hall_x"), post)

    with city.deployment.store.reading() as session:
        seen = sight.sight(APPROVER, city.deployment.services)
        assert [line.draft_state for line in inbox.lines(session, inbox.Wanted(), seen)] in ([], ["pending"])
        assert attention.open_rows(session) == []
        assert session.get_one(DraftRow, failed.id).state in ("cancelled", "superseded")


def test_what_was_typed_survives_a_hold_a_release_and_a_request_approved_alone(city: City) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))
    words = []

    with person(city, "a@alderfalls.example", {"role": "approver"}) as desk:
        for button, more in (("hold", {"hold": "wait"}), ("release", {}), ("approve", {"parts": "request"})):
            typed = {"version": city.draft_of(draft.mention_id).version, "text": f"Typed before {button}"} | more
            assert desk.post(f"/console/drafts/{draft.id}/{button}", data=typed).status_code == 303
            words.append(city.words(city.draft_of(draft.mention_id).content_id))

    assert words == ["Typed before hold", "Typed before release", "Typed before approve"]
    assert city.draft_of(draft.mention_id).state == "pending"


def test_a_stale_page_is_not_released_over_what_a_colleague_wrote(city: City) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))

    with person(city, "a@alderfalls.example", {"role": "approver"}) as desk:
        desk.post(f"/console/drafts/{draft.id}/edit", data={"version": draft.version, "text": "A colleague's"})
        typed = {"version": draft.version, "text": "Mine", "hold": "wait"}
        answer = desk.post(f"/console/drafts/{draft.id}/hold", data=typed)

    assert answer.status_code == 409
    assert "Mine" in answer.text
    assert city.words(city.draft_of(draft.mention_id).content_id) == "A colleague's"


def test_an_admin_reads_no_direct_message_on_a_thread_that_has_public_posts(city: City) -> None:
    public = city.hears("A pothole at 500 Oak Street", thread="t")
    private = city.hears("My number is 555 0100", thread="t")
    with city.deployment.store.writing() as session:
        row = session.get_one(MentionRow, private)
        row.visibility = "direct"
        session.add(row)

    with person(city, "admin@alderfalls.example", {"role": "admin"}) as admin:
        page = admin.get(f"/console/conversations/{city.mention(public).conversation_id}").text

    assert "A pothole at 500 Oak Street" in page
    assert "555 0100" not in page


def test_a_template_that_there_is_none_of_is_told_beside_what_was_typed(city: City) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))

    with person(city, "a@alderfalls.example", {"role": "approver"}) as desk:
        typed = {"version": draft.version, "how": "template", "template": "../nope", "text": "Half a sentence"}
        answer = desk.post(f"/console/drafts/{draft.id}/edit", data=typed)

    assert answer.status_code == 422
    assert "Half a sentence" in answer.text


@pytest.mark.parametrize("noun", ["kill-switch", "accounts"])
def test_short_lists_page_like_all_others(city: City, noun: str) -> None:
    with city.deployment.store.writing() as session:
        for scope in ("all", "platform:x"):
            facts.set_kill_switch(session, scope=scope, on=True, reason="a storm", by="test")
        secret = people.create_token(session, "reader", "viewer", by="test")
    client = TestClient(create_app(city.deployment), headers={"Authorization": f"Bearer {secret}"})

    with client:
        first = client.get(f"/api/v1/{noun}?limit=1").json()
        second = client.get(f"/api/v1/{noun}", params={"limit": 1, "cursor": first["next"]}).json()
        wrong = client.get(f"/api/v1/{noun}?cursor=bogus")

    assert (len(first["items"]), len(second["items"]), second["next"]) == (1, 1, None)
    assert first["items"] != second["items"]
    assert wrong.status_code == 400


def test_a_request_left_over_when_its_reply_went_out_still_needs_a_person(city: City) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))
    city.session_of("approver")
    decide.approve(city.deployment, APPROVER, draft.id, version=draft.version, parts=["reply"])
    with city.deployment.store.writing() as session:
        reply = session.exec(select(ReplyRow)).one()
        outbound.confirm(session, reply, post_id="77", url="", sent_at=now())

    def needs() -> list[int]:
        with city.deployment.store.reading() as session:
            seen = sight.sight(APPROVER, city.deployment.services)
            return [line.mention_id for line in inbox.lines(session, inbox.Wanted(), seen)]

    assert needs() == [draft.mention_id]
    decide.dismiss(city.deployment, APPROVER, draft.mention_id, reason="no")
    assert needs() == []
    decide.undismiss(city.deployment, APPROVER, draft.mention_id)
    version = city.draft_of(draft.mention_id).version
    decide.reject(city.deployment, APPROVER, draft.id, version=version, reason="no", parts=["request"])
    assert needs() == []


def test_who_may_hold_a_draft_may_release_it_on_the_desk(city: City) -> None:
    draft = city.draft_of(city.hears("A pothole at 500 Oak Street"))
    decide.hold(city.deployment, APPROVER, draft.id, reason="wait")

    with person(city, "r@alderfalls.example", {"role": "responder"}) as desk:
        page = BeautifulSoup(desk.get(f"/console/conversations/{draft.conversation_id}").text, "html.parser")

    names = [one.get_text(strip=True) for one in page.find_all("button")]
    assert "Release" in names
    assert not [name for name in names if name.startswith("Approve")]
