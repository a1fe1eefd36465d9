"""The console in Chromium: accessibility at two widths, the keyboard, the undo, lists that refresh by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlmodel import Session

from pipeline import decide
from store.tables import ServiceRequestRow
from tests.web.console.conftest import City
from tests.web.console.seeds import Day, a_day, who

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


@pytest.fixture
def day(city: City) -> Day:
    return a_day(city)


@pytest.fixture
def at(city: City, served: str, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page as the approver; fails at the end if the browser complained of anything (the CSP above all)."""
    complaints: list[str] = []
    contexts = []

    def open_at(
        path: str, *, width: int = 1280, height: int = 900, bypass_csp: bool = False, javascript: bool = True
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, bypass_csp=bypass_csp, java_script_enabled=javascript
        )
        context.set_default_timeout(120_000)
        contexts.append(context)
        context.add_cookies([{"name": "harken_session", "value": city.session_of("approver"), "url": served}])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served + path)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert [one for one in complaints if "409" not in one and "422" not in one] == []


def pages(city: City, day: Day) -> dict[str, str]:
    def desk(mention_id: int) -> str:
        return f"/console/conversations/{city.mention(mention_id).conversation_id}"

    with city.deployment.store.reading() as session:
        token = _token(session, day.request_id)
    mentions = ("report", "emergency", "spanish", "crowd", "tricky", "sent", "failed", "held", "by_hand", "quiet")
    return {f"desk {name}": desk(getattr(day, name)) for name in mentions} | {
        "inbox": "/console/",
        "inbox, quiet": "/console/?view=quiet",
        "inbox, all": "/console/?view=all",
        "attention": "/console/attention",
        "requests": "/console/requests",
        "request": f"/console/requests/{day.request_id}",
        "accounts": "/console/accounts",
        "audit": "/console/audit",
        "receipt": f"/r/{token}?lang=es",
        "about": "/",
    }


def _token(session: Session, request_id: int) -> str:
    return session.get_one(ServiceRequestRow, request_id).token


def faults(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page, options=RULES).response
    return [
        f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:160] for node in one["nodes"][:3])
        for one in found["violations"]
    ]


ON_A_PHONE = (
    "desk report",
    "desk emergency",
    "desk quiet",
    "desk crowd",
    "inbox",
    "inbox, quiet",
    "attention",
    "receipt",
)


@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_is_accessible_and_fits(
    city: City, day: Day, served: str, at: Callable[..., Page], width: int
) -> None:
    wrong = {}
    page = at("/console/", width=width, bypass_csp=True)
    for name, path in pages(city, day).items():
        page.goto(served + path)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
        if (width > 360 or name in ON_A_PHONE) and (found := faults(page)):
            wrong[name] = found

    assert wrong == {}


@pytest.mark.parametrize("what", ["report", "emergency", "quiet"])
def test_reply_and_decision_are_in_sight_without_scrolling(
    city: City, day: Day, at: Callable[..., Page], what: str
) -> None:
    page = at(f"/console/conversations/{city.mention(getattr(day, what)).conversation_id}", height=800)

    names = {"emergency": ("Acknowledge", "Not an emergency", "Approve", "Reject"), "quiet": ("No reply needed",)}
    for name in names.get(what, ("Save", "Approve", "Approve reply only", "Approve request only", "Reject")):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800, name
    text = page.locator("textarea[name=text]").first.bounding_box()
    assert text is not None
    assert text["y"] + text["height"] < 800


def test_the_desk_is_live_and_leaves_alone_who_writes(city: City, day: Day, at: Callable[..., Page]) -> None:
    page = at(f"/console/conversations/{city.mention(day.clarify).conversation_id}")
    draft = city.draft_of(day.clarify)
    text = page.locator(f"#d{draft.id}-text")

    text.fill("My own words")
    decide.edit(city.deployment, who(city), draft.id, version=draft.version, text="A colleague was here")
    city.hears("One more in this thread", author="newcomer", thread="crowd", place=None)

    expect(page.get_by_role("heading", name="@newcomer")).to_be_visible()  # a new card beside the one in work
    expect(page.get_by_text("The conversation changed. What you typed here is kept.")).to_be_visible()
    expect(text).to_have_value("My own words")
    expect(text).to_be_focused()
    page.get_by_role("button", name="Show what is new").click()
    expect(text).to_have_value("A colleague was here")
    expect(page.locator(f"#draft-{draft.id}")).to_contain_text("My own words")


def test_enter_in_the_hold_field_holds_and_never_approves(city: City, day: Day, at: Callable[..., Page]) -> None:
    page = at(f"/console/conversations/{city.mention(day.emergency).conversation_id}")

    page.locator("summary", has_text="Hold").click()
    page.get_by_label("Why it waits").fill("the fire service asks us to wait")
    page.get_by_label("Why it waits").press("Enter")

    expect(page.get_by_text("On hold: the fire service")).to_be_visible()
    assert city.draft_of(day.emergency).state == "held"


def test_approve_goes_on_and_u_takes_it_back_from_there(city: City, day: Day, at: Callable[..., Page]) -> None:
    page = at(f"/console/conversations/{city.mention(day.report).conversation_id}")

    page.keyboard.press("a")
    page.keyboard.press("a")
    expect(page.locator(f"#d{city.draft_of(day.report).id}-next")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#undo")).to_contain_text("Approved: the reply to @sam")
    page.keyboard.press("u")
    expect(page.locator("#undo")).to_contain_text("Undone: nothing was sent")

    assert city.draft_of(day.report).state == "pending"


def test_what_needs_no_reply_is_worked_off_with_one_key(city: City, day: Day, at: Callable[..., Page]) -> None:
    city.hears("Another opinion", intent="complaint", service_code=None, place=None, author="op")
    page = at("/console/?view=quiet")
    page.keyboard.press("j")

    page.keyboard.press("d")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator("[data-row]")).to_be_focused()
    page.keyboard.press("d")
    expect(page.locator("[data-row]")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator("[data-row]")).to_have_count(1)

    assert city.mention(day.quiet).state in {"drafted", "dismissed"}


def test_an_approval_can_be_undone_from_the_keyboard(city: City, day: Day, at: Callable[..., Page]) -> None:
    page = at(f"/console/conversations/{city.mention(day.report).conversation_id}")

    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_focused()
    page.keyboard.press("a")
    expect(page.get_by_text("It goes out in")).to_be_visible()
    assert city.draft_of(day.report).state == "approved"
    page.keyboard.press("u")
    expect(page.get_by_text("Undone: nothing was sent")).to_be_visible()

    assert city.draft_of(day.report).state == "pending"
    expect(page.get_by_role("status").filter(has_text="Undone: nothing was sent")).to_be_focused()


def test_ctrl_enter_approves_what_was_typed(city: City, day: Day, at: Callable[..., Page]) -> None:
    page = at(f"/console/conversations/{city.mention(day.clarify).conversation_id}")
    text = page.locator(f"#d{city.draft_of(day.clarify).id}-text")

    text.fill("Which block is it, please?")
    text.press("Control+Enter")
    expect(page.get_by_text("It goes out in")).to_be_visible()

    assert city.words(city.draft_of(day.clarify).content_id) == "Which block is it, please?"


def test_the_length_is_counted_while_one_types(city: City, day: Day, at: Callable[..., Page]) -> None:
    page = at(f"/console/conversations/{city.mention(day.report).conversation_id}")
    draft = city.draft_of(day.report)

    page.locator(f"#d{draft.id}-text").fill("é" * 281)

    expect(page.locator(f"#d{draft.id}-length")).to_contain_text("1 too long")


def test_a_stale_draft_keeps_what_was_typed(city: City, day: Day, at: Callable[..., Page]) -> None:
    draft = city.draft_of(day.report)
    page = at(f"/console/conversations/{city.mention(day.report).conversation_id}")
    page.locator(f"#d{draft.id}-text").fill("My own words for this")
    decide.edit(city.deployment, who(city), draft.id, version=draft.version, text="A colleague was here")
    page.get_by_role("button", name="Approve", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("changed meanwhile")
    expect(page.locator(f"#d{draft.id}-text")).to_have_value("My own words for this")
    expect(page.locator(".hk-diff")).to_contain_text("A colleague was here")


@pytest.mark.usefixtures("day")
def test_the_inbox_shows_what_is_new_and_leaves_the_focus_alone(city: City, at: Callable[..., Page]) -> None:
    page = at("/console/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = page.evaluate("document.activeElement.id")

    city.hears("A brand new pothole at 1500 Oak Street", author="newcomer")

    expect(page.get_by_text("A brand new pothole")).to_be_visible()
    assert focused.startswith("line-")
    assert page.evaluate("document.activeElement.id") == focused


@pytest.mark.usefixtures("day")
def test_an_emergency_is_acknowledged_with_one_key(at: Callable[..., Page]) -> None:
    page = at("/console/")

    page.keyboard.press("c")

    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)


@pytest.mark.usefixtures("day")
def test_shortcuts_can_be_turned_off(at: Callable[..., Page]) -> None:
    page = at("/console/")
    page.keyboard.press("?")
    page.get_by_label("Shortcuts of a single key are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("j")

    assert not page.evaluate("document.activeElement.id").startswith("line-")


def test_it_works_without_javascript(city: City, day: Day, at: Callable[..., Page]) -> None:
    page = at(f"/console/conversations/{city.mention(day.report).conversation_id}", javascript=False)

    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).click()

    assert city.draft_of(day.report).state == "pending"
