from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from pipeline import decide
from tests.web.console.conftest import City, Desk, button
from tests.web.console.seeds import TRICKY, who

pytestmark = pytest.mark.both_stores


def excerpts(page: BeautifulSoup) -> list[str]:
    return [one.get_text(strip=True) for one in page.select(".hk-line__link")]


def test_the_inbox_shows_what_needs_a_person(city: City, desk: Desk) -> None:
    city.hears("Huge pothole at 500 Oak Street", please_check=("sentiment",))

    words = desk.get("/console/").select_one(".hk-line").get_text(" ", strip=True)  # type: ignore[union-attr]  # there is one

    expected = ("Huge pothole", "X", "@jordan", "Report: Pothole", "Negative", "please check", "500 Oak Street")
    assert [one for one in (*expected, "10 minutes ago", "Waiting for approval", "no owner") if one not in words] == []


def test_danger_comes_first_then_urgency_then_age(city: City, desk: Desk) -> None:
    city.hears("young", author="a", ago=timedelta(minutes=1))
    city.hears("old", author="b", ago=timedelta(hours=3))
    city.hears("urgent", author="c", urgency="high")
    city.hears("gas", author="d", urgency="emergency")

    page = desk.get("/console/")

    assert excerpts(page) == ["gas", "urgent", "old", "young"]
    assert "1 possible emergency not acknowledged" in page.get_text(" ", strip=True)
    assert page.select(".hk-line")[0].find("button", string="Acknowledge")


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("platform=x", ["two", "one"]),
        ("platform=facebook", []),
        ("service=graffiti_removal", ["two"]),
        ("urgency=high", ["two"]),
        ("q=tw", ["two"]),
        ("q=%40alice", ["one"]),
        ("q=100%25", []),
        ("mine=yes", []),
        ("view=held", []),
        ("view=waiting", []),
        ("view=nonsense", ["two", "one"]),
    ],
)
def test_filters(city: City, desk: Desk, query: str, left: list[str]) -> None:
    city.hears("one", author="alice")
    city.hears("two", author="bob", service_code="graffiti_removal", urgency="high")

    assert excerpts(desk.get(f"/console/?{query}")) == left


def test_what_suggests_no_reply_has_a_view_of_its_own(city: City, desk: Desk) -> None:
    quiet = city.hears("Taxes go up", intent="complaint", service_code=None, place=None, author="gene")
    city.hears("Pothole at 500 Oak Street", author="a")
    city.hears("No words for this", intent="other", service_code=None, place=None, urgency="high", author="b")
    city.hears("gas", intent="other", service_code=None, place=None, urgency="emergency", author="c")

    usual, own = desk.get("/console/"), desk.get("/console/?view=quiet")

    assert excerpts(usual) == ["gas", "No words for this", "Pothole at 500 Oak Street"]
    assert excerpts(own) == ["Taxes go up"]
    link = usual.select_one("#inbox-counts a[href='/console/?view=quiet']")
    assert link is not None
    assert link.get_text(" ", strip=True) == "1 with no reply suggested"
    form = button(own, "No reply needed").find_parent("form")
    sent = {str(one["name"]): one["value"] for one in form.select("input")}  # type: ignore[union-attr]  # it has one
    after = desk.post(str(form["hx-post" if desk.htmx else "action"]), sent)  # type: ignore[index]  # ditto
    assert excerpts(after) == []
    assert city.mention(quiet).state == "dismissed"
    undo = after.select_one("#undo form")
    assert undo is not None
    desk.post(str(undo["hx-post" if desk.htmx else "action"]))
    assert excerpts(desk.get("/console/?view=quiet")) == ["Taxes go up"]


def test_a_thread_of_several_says_who_and_shows_the_newest(city: City, desk: Desk) -> None:
    for hours, author in ((3, "ann"), (2, "bob"), (1, "cem")):
        city.hears(f"pothole of {author}", author=author, thread="t", ago=timedelta(hours=hours))

    page = desk.get("/console/")

    assert excerpts(page) == ["pothole of cem"]
    line = page.select_one(".hk-line__who")
    assert line is not None
    assert line.get_text(" ", strip=True) == "3 mentions @cem (shown: the newest) @bob @ann"


def test_the_filters_follow_to_the_desk_and_on(city: City, desk: Desk) -> None:
    city.hears("one", author="alice", urgency="high")
    city.hears("two", author="bob")
    city.hears("three", author="cem", urgency="high")

    page = desk.get("/console/?urgency=high")
    there = desk.get(str(page.select(".hk-line__link")[0]["href"]))
    onward = desk.client.get(str(there.select_one("#next")["href"]))  # type: ignore[index]  # there is one

    assert "urgency=high" in str(onward.url)
    assert "three" in onward.text


def test_mine_are_those_that_i_own(city: City, desk: Desk) -> None:
    mine = city.hears("mine", author="alice")
    city.hears("other", author="bob")
    decide.assign(city.deployment, who(city), city.mention(mine).conversation_id, to="approver@alderfalls.example")

    assert excerpts(desk.get("/console/?mine=yes")) == ["mine"]


def test_a_correction_counts_for_filters_and_order(city: City, desk: Desk) -> None:
    one = city.hears("one", author="alice")
    decide.correct(city.deployment, who(city), one, changes={"urgency": "high"})

    assert excerpts(desk.get("/console/?urgency=high")) == ["one"]


def test_an_unchanged_list_is_not_sent_again(city: City, desk: Desk) -> None:
    city.hears("one")
    polled = desk.get("/console/").select_one("#inbox")["hx-get"]  # type: ignore[index]  # there is one

    unchanged = desk.client.get(str(polled), headers={"HX-Request": "true"})
    city.hears("two", author="bob")
    changed = desk.client.get(str(polled), headers={"HX-Request": "true"})

    assert unchanged.status_code == 204
    assert changed.status_code == 200
    assert "two" in changed.text
    assert "<html" not in changed.text


def test_a_filter_asks_for_the_list_but_the_way_back_for_the_page(city: City, desk: Desk) -> None:
    city.hears("one")

    piece = desk.client.get("/console/", headers={"HX-Request": "true"}).text
    back = desk.client.get("/console/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}).text

    assert "<html" not in piece
    assert "<html" in back


def test_what_residents_hide_in_their_words_is_shown_as_text(city: City, desk: Desk) -> None:
    city.hears(TRICKY)

    page = desk.get("/console/")
    line = page.select_one(".hk-line__link")

    assert line is not None
    assert line.find("script") is None
    assert "<script>alert(1)</script>" in line.get_text()
    assert [mark.get_text() for mark in line.select(".hk-hidden-char")] == ["U+202E", "U+202C", "U+200B"]
    assert "👩\u200d🚒" in line.get_text()


def test_acknowledge_in_the_inbox_leaves_one_there(city: City, desk: Desk) -> None:
    city.hears("gas", urgency="emergency")

    form = button(desk.get("/console/"), "Acknowledge").find_parent("form")
    page = desk.post(str(form["hx-post" if desk.htmx else "action"]), {"back": "/console/"})  # type: ignore[index]  # ditto

    assert "not acknowledged" not in page.get_text()
    assert excerpts(page) == ["gas"]


def test_one_sees_the_accounts_of_ones_grants(city: City, as_role: Callable[..., TestClient]) -> None:
    city.hears("for city hall", author="a")
    city.hears("for the parks", author="b", account="parks_x")

    client = as_role("approver", account="parks_x")

    assert excerpts(BeautifulSoup(client.get("/console/").text, "html.parser")) == ["for the parks"]
    assert client.get("/console/conversations/1").status_code == 404
    assert client.get("/console/conversations/2").status_code == 200


@pytest.mark.parametrize("path", ["/console/", "/console/conversations/1", "/console/attention", "/console/accounts"])
def test_strangers_are_sent_to_the_sign_in_page(city: City, as_role: Callable[..., TestClient], path: str) -> None:
    city.hears("one")
    client = as_role("viewer")
    client.cookies.clear()

    answer = client.get(path, follow_redirects=False)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/sign-in")


def test_a_character_that_is_none_breaks_nothing(city: City, desk: Desk) -> None:
    city.hears("Huge pothole at 500 Oak Street")

    found = desk.client.get("/console/", params={"q": "a\x00b"})
    signing_in = desk.client.post("/console/sign-in", data={"email": "a\x00@b.example", "password": "a\x00"})

    assert found.status_code in {200, 422}
    assert signing_in.status_code in {401, 422}
