"""The main job in a real browser: a resident posts, a clerk approves, the thread is answered, and followed up."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.conftest import Demo

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REFERENCE = re.compile(r"AF-[0-9A-Z]{6}")
Waiting = Callable[..., object]


def open_conversation(page: Page, demo: Demo, words: str) -> None:
    """From the inbox to the desk, once the mention is there."""
    page.goto(f"{demo.console}?view=needs")
    link = page.get_by_role("link", name=words).first
    expect(link).to_be_visible()
    link.click()
    page.get_by_role("heading", name="Conversation on").wait_for()


def test_a_post_is_answered_with_a_reference_and_followed_up_when_it_is_fixed(
    demo: Demo, signed_in: Page, wait_until: Waiting
) -> None:
    words = "the street light at 5th and Oak has been out for a week, my kid walks there"
    resident = signed_in.context.new_page()
    resident.goto(demo.sandbox)
    resident.get_by_label("Your name").fill("june_walks")
    resident.get_by_label("Platform").select_option("x")
    resident.get_by_label("Your post").fill(f"@alderfalls {words}")
    resident.get_by_role("button", name="Post as resident").click()

    open_conversation(signed_in, demo, words)
    signed_in.get_by_role("button", name="Approve", exact=True).click()
    expect(signed_in.get_by_role("button", name="Undo")).to_be_visible()
    signed_in.get_by_text("Open the reply").wait_for()

    resident.reload()
    thread = resident.locator("article, li", has_text=words).first
    expect(thread.get_by_text(REFERENCE)).to_be_visible()
    reference = REFERENCE.search(thread.inner_text())
    assert reference is not None

    request = resident.locator("li, article, form", has_text=reference.group()).filter(
        has=resident.get_by_role("button", name="Close request")
    )
    request.last.get_by_label("Notes").fill("Lamp replaced, light repaired")
    request.last.get_by_role("button", name="Close request").click()
    signed_in.goto(f"{demo.console}?view=needs")
    line = signed_in.get_by_role("listitem").filter(has_text=words).filter(has_text="Follow-up")
    expect(line).to_be_visible()
    line.get_by_role("link", name=words).click()
    signed_in.get_by_role("heading", name="Follow-up").wait_for()
    signed_in.get_by_role("button", name="Approve", exact=True).click()

    root = next(post["id"] for post in posts(demo) if words in post["text"])
    wait_until(lambda: len(demo.replies_to(root)) == 2)
    assert reference.group() in demo.replies_to(root)[-1]["text"]


def shows(page: Page, words: str) -> bool:
    """Whether the page, asked for once more, has these words."""
    page.reload()
    return page.get_by_text(words).count() > 0


def posts(demo: Demo) -> list[dict[str, str]]:
    """Everything the sandbox has."""
    found: list[dict[str, str]] = httpx.get(f"{demo.sandbox}_ctl/posts", timeout=60).raise_for_status().json()
    return found


def test_three_people_in_one_thread_one_thinks_better_of_it_and_one_is_answered_by_hand(
    demo: Demo, signed_in: Page, wait_until: Waiting
) -> None:
    first = demo.post("@alderfalls the drain at 9th and Walnut is plugged again, water over the curb", author="ann_t3")
    second = demo.post(
        "@alderfalls and a big pothole right at Elm and Washington, third tire", author="bob_t3", in_reply_to=first
    )
    third = demo.post("@alderfalls the stop sign at Mill St and May St is down too", author="cem_t3", in_reply_to=first)
    signed_in.goto(f"{demo.console}?view=needs")
    line = signed_in.get_by_role("listitem").filter(has_text="_t3").filter(has_text="3 mentions")
    expect(line).to_be_visible()
    line.get_by_role("link").first.click()
    expect(signed_in.get_by_role("button", name="Approve", exact=True)).to_have_count(3)

    demo.post("@alderfalls never mind, the pothole is filled already", author="bob_t3", in_reply_to=second)
    demo.post(
        "@cem_t3 A crew is on its way to put the sign back up.",
        author="alderfalls",
        **{"as": "city", "in_reply_to": third},
    )
    wait_until(lambda: shows(signed_in, "the resident wrote that it is settled"), every=1)
    wait_until(lambda: shows(signed_in, "answered by hand on the platform"), every=1)
    card = signed_in.locator("section, article").filter(has=signed_in.get_by_role("heading", name="@ann_t3"))
    card.last.get_by_role("button", name="Approve", exact=True).click()

    wait_until(lambda: len(demo.replies_to(first)) >= 1)
    assert [len(demo.replies_to(post)) for post in (first, second, third)] == [1, 0, 1]
