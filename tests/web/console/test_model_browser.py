"""The Model pages in Chromium: accessible at two widths, labelled by keyboard, and what mattered beside a post."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab
from sqlmodel import select

from store.tables import CorrectionRow
from tests.fakes import ScriptedClassifier
from tests.web.console.conftest import City
from tests.web.console.model_seeds import half_a_year, versions
from tests.web.console.test_browser import RULES

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def tab(city: City, served: str, browser: Browser) -> Iterator[Tab]:
    """An approver; fails at the end if the browser complained of anything, the CSP above all."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "harken_session", "value": city.session_of("approver"), "url": served}])
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def test_it_fits_and_axe_finds_nothing(city: City, served: str, browser: Browser) -> None:
    half_a_year(city, weeks=7)
    city.hears("Pothole at 500 Oak Street", please_check=("intent",))
    versions(city)
    context = browser.new_context(viewport={"width": 320, "height": 900}, bypass_csp=True)  # axe is put into the page
    context.add_cookies([{"name": "harken_session", "value": city.session_of("admin"), "url": served}])
    page = context.new_page()
    faults = []
    for path in ("", "/drift", "/label"):
        page.goto(f"{served}/console/model{path}")
        page.evaluate("for (const one of [...document.querySelectorAll('details')].slice(0, 8)) one.open = true")
        found: dict[str, Any] = Axe().run(page, options=RULES).response
        faults += [
            f"{path} {one['id']}: {[node['html'][:160] for node in one['nodes']]}" for one in found["violations"]
        ]
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"):
                faults.append(f"{path} {width} scrolls sideways")
        page.set_viewport_size({"width": 320, "height": 900})
    context.close()

    assert faults == []


def test_a_post_is_labelled_by_keyboard_and_asked_why(city: City, served: str, tab: Tab) -> None:
    city.deployment.__dict__["classifier"] = ScriptedClassifier()
    first = city.hears("Pothole at 500 Oak Street", author="sam")
    second = city.hears("A streetlight is out at 300 Elm Street", author="kim")
    tab.goto(f"{served}/console/model/label")
    labelled = first if tab.locator(f"#label-{first}").count() else second

    tab.keyboard.press("q")
    tab.keyboard.press("a")
    expect(tab.locator(f"#label-{second if labelled == first else first}")).to_be_focused()

    with city.deployment.store.reading() as session:
        said = session.exec(select(CorrectionRow.value).where(CorrectionRow.field == "intent")).all()
    assert said == ["question"]
    tab.goto(f"{served}/console/conversations/{city.mention(first).conversation_id}")
    tab.get_by_role("button", name="Why? The words that mattered").click()
    expect(tab.locator(".hk-why details[open] mark")).to_have_text("Pothole")
    expect(tab.locator(".hk-why__word").first).to_have_text("Pothole")
