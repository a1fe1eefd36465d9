"""The trends page in Chromium: the charts are drawn under our CSP, it is accessible, and it fits a phone."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab
from sqlmodel import Session

from analytics import rollup
from pipeline.assess import keep_place
from pipeline.deployment import account_row
from store import intake
from store.tables import AssessmentRow, MentionRow
from store.types import now
from tests.web.console.conftest import City
from vocabulary import Author, HeardHow, Mention, Page, Place

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
SERVICES = (
    "pothole",
    "pothole",
    "pothole",
    "graffiti_removal",
    "streetlight_out",
    "traffic_signal",
    "sidewalk_repair",
    "noise_complaint",
    None,
)
PLACES = ("Millside", "Downtown", "Northgate", "Orchard Heights", "Quarry Hill", None)


@pytest.fixture
def two_months(city: City) -> City:
    """Some hundred posts, more of them lately."""
    chance = random.Random(7)
    ages = sorted(min(chance.expovariate(1 / 18), chance.random() * 60) for _ in range(320))
    mentions = tuple(_post(number, timedelta(days=age)) for number, age in enumerate(ages))
    with city.deployment.store.writing() as session:
        account = account_row(session, "city_hall_x")
        taken = intake.take_page(session, account, "m", Page(mentions=mentions), reply_within=timedelta(days=2))
        for mention_id in taken.mention_ids:
            _assess(session, mention_id, chance)
    while rollup.refresh(city.deployment.store):
        pass
    return city


def _post(number: int, ago: timedelta) -> Mention:
    return Mention(
        platform="x" if number % 3 else "facebook",
        post_id=f"{number}",
        conversation_key=f"{number}",
        text="It is still there",
        posted_at=now() - ago,
        heard_how=HeardHow.IMPORT,
        author=Author(platform_user_id=f"u{number}", handle=f"resident{number}"),
    )


def _assess(session: Session, mention_id: int, chance: random.Random) -> None:
    row = session.get_one(MentionRow, mention_id)
    code = chance.choice(SERVICES)
    session.add(
        AssessmentRow(
            mention_id=mention_id,
            rev=1,
            model="test",
            intent="report" if code else chance.choice(("praise", "complaint")),
            service_code=code,
            sentiment=chance.choice(("negative", "negative", "neutral", "positive")),
            urgency="normal",
            language="en",
        )
    )
    if (name := chance.choice(PLACES)) is not None:
        row.place_id = keep_place(session, Place(text="there", neighborhood=name), row.content_id)


@pytest.fixture
def tab(two_months: City, served: str, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """The page as a viewer sees it; fails at the end if the browser complained of anything, the CSP above all."""
    complaints: list[str] = []
    width, javascript = getattr(request, "param", (1280, True))
    context = browser.new_context(
        viewport={"width": width, "height": 900}, java_script_enabled=javascript, bypass_csp=False
    )
    context.set_default_timeout(120_000)
    context.add_cookies([{"name": "harken_session", "value": two_months.session_of("viewer"), "url": served}])
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{served}/console/trends")
    yield page
    context.close()
    assert complaints == []


@pytest.mark.parametrize(
    "tab", [(1280, True), (360, True), (360, False)], indirect=True, ids=["desk", "phone", "no js"]
)
def test_it_fits_and_axe_finds_nothing(tab: Tab, browser: Browser, request: pytest.FixtureRequest) -> None:
    case = request.node.callspec.id
    if folder := os.environ.get("TRENDS_SCREENSHOTS"):
        tab.screenshot(path=Path(folder) / f"trends-{case.replace(' ', '-')}.png", full_page=True)

    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert case == "no js" or faults(tab, browser) == []


def faults(tab: Tab, browser: Browser) -> list[str]:
    context = browser.new_context(  # axe is put into the page, which our CSP would refuse
        storage_state=tab.context.storage_state(), viewport=tab.viewport_size, bypass_csp=True
    )
    page = context.new_page()
    page.goto(tab.url)
    page.wait_for_selector(".hk-chart canvas")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found: dict[str, Any] = Axe().run(page, options=RULES).response
    context.close()
    return [f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in found["violations"]]


def test_every_chart_is_drawn_reads_a_day_out_and_follows_the_range(tab: Tab) -> None:
    expect(tab.locator(".hk-chart canvas")).to_have_count(5)
    assert tab.locator(".hk-chart").evaluate_all("all => all.filter(one => one.hidden).length") == 0

    tab.locator(".hk-chart .u-over").first.hover()
    expect(tab.locator(".hk-chart__value").first).to_have_text(re.compile(r"\d+ \(\w{3}, "))

    tab.locator("#t-by").focus()
    tab.keyboard.press("w")
    tab.locator("#t-by").press("Enter")
    tab.get_by_role("button", name="Apply").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**by=week**")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Trends")
