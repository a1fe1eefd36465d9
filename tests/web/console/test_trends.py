"""The trends page: its sentence, its tables without JavaScript, its files, and what is typed wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from analytics import rollup
from analytics.changes import Reports, Stretch
from store.types import now
from tests.web.console.conftest import City
from vocabulary import Place
from web.console_trends import harmless
from web.trends_shown import sentence

As = Callable[..., TestClient]
DAY = timedelta(days=1)


def hears(city: City, many: int, ago: timedelta, **said: str | None) -> None:
    place = Place(text="there", address="5 Oak Street", neighborhood="Millside")
    for _ in range(many):
        city.hears("The hole is still there", ago=ago, place=place, **said)  # type: ignore[arg-type]  # words of hears


def shown(client: TestClient, query: str = "", *, expect: int = 200) -> BeautifulSoup:
    answer = client.get(f"/console/trends?{query}")
    assert answer.status_code == expect, answer.text[:600]
    return BeautifulSoup(answer.text, "html.parser")


def counted(city: City) -> None:
    while rollup.refresh(city.deployment.store):
        pass


@pytest.fixture
def viewer(city: City, as_role: As) -> TestClient:
    """A viewer of a city that heard a little."""
    hears(city, 2, 10 * DAY)
    hears(city, 4, timedelta(minutes=5))
    hears(city, 1, timedelta(minutes=5), service_code="street_sweeping", sentiment="positive")
    counted(city)
    return as_role("viewer")


def test_the_sentence_says_what_changed(viewer: TestClient) -> None:
    page = shown(viewer, week())

    said = page.select_one(".hk-trends__sentence")
    assert said is not None
    assert said.get_text() == (
        "Reports rose from 2 to 5 in the last 7 days, compared with the 7 days before, mostly Pothole or road damage."
    )


def week() -> str:
    today = now().astimezone(ZoneInfo("America/Chicago")).date()
    return f"from={today - 6 * DAY}&to={today}"


def test_every_section_has_its_figures_in_tables(viewer: TestClient) -> None:
    page = shown(viewer, week())

    totals = {
        group: page.select_one(f"#trend-{group}-title").find_parent("section").table.get_text(" ", strip=True)  # type: ignore[union-attr]
        for group in ("sentiment", "service_code", "platform", "neighborhood")
    }
    assert "Pothole or road damage 4 2 up 2 −1.00" in totals["service_code"]
    assert "Millside 5 2 up 3 −0.60" in totals["neighborhood"]
    assert "Positive 1 0 up 1" in totals["sentiment"]
    rows = page.select("#trend-service_code tbody tr")
    assert len(rows) == 7
    assert [cell.get_text() for cell in rows[-1].find_all("td")] == ["4", "1", "−0.60"]
    assert all(table.caption is not None for table in page.find_all("table"))


def test_it_says_what_is_counted_and_what_is_not(viewer: TestClient) -> None:
    text = shown(viewer).get_text(" ", strip=True)

    assert "the city’s own posts are not" in text
    assert "granted to you" not in text


def test_it_says_so_while_posts_are_being_counted(city: City, viewer: TestClient) -> None:
    assert "being counted just now" not in shown(viewer).get_text()

    hears(city, 1, timedelta(minutes=5))

    assert "being counted just now" in shown(viewer).get_text()


def test_one_group_alone_can_be_chosen(viewer: TestClient) -> None:
    page = shown(viewer, "group=intent")

    assert [title.get_text() for title in page.select("section h2")] == ["Posts by what people want"]


@pytest.mark.usefixtures("viewer")
def test_an_account_that_is_not_granted_is_not_counted(as_role: As) -> None:
    page = shown(as_role("viewer", account="parks_x"))

    assert page.get_text(" ", strip=True).count("No posts in this range.") == 4
    assert "granted to you" in page.get_text()


def test_many_services_are_five_lines_and_the_others(city: City, as_role: As) -> None:
    for code in (
        "pothole",
        "graffiti_removal",
        "streetlight_out",
        "traffic_signal",
        "sign_markings",
        "sidewalk_repair",
        "other",
    ):
        hears(city, 1, timedelta(minutes=5), service_code=code)
    counted(city)

    page = shown(as_role("viewer"), week())

    heads = [head.get_text() for head in page.select("#trend-service_code thead th")]
    assert len(heads) == 8
    assert heads[-2:] == ["All others", "Mean sentiment"]
    assert [cell.get_text() for cell in page.select("#trend-service_code tbody tr")[-1].find_all("td")][-2] == "2"


def test_a_long_table_shows_ten_and_folds_the_others(city: City, as_role: As) -> None:
    codes = [one.service_code for one in city.deployment.services][:13]
    for code in codes:
        hears(city, 1, timedelta(minutes=5), service_code=code)
    counted(city)

    section = shown(as_role("viewer"), week()).select_one("section:has(#trend-service_code-title)")

    assert section is not None
    tables = section.select(".hk-trend__pair table")
    assert [len(table.select("tbody tr")) for table in tables] == [10, 3]
    assert tables[1].find_parent("details") is not None


def test_the_file_has_the_same_figures(viewer: TestClient) -> None:
    answer = viewer.get(f"/console/trends?{week()}&group=service_code&format=csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="trends-service_code-')
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(lines) == 14
    last = {line["group"]: (line["name"], line["count"], line["mean_sentiment"]) for line in lines[-2:]}
    assert last == {
        "street_sweeping": ("Street sweeping", "1", "1.0"),
        "pothole": ("Pothole or road damage", "4", "-1.0"),
    }
    assert datetime.fromisoformat(lines[0]["bucket_local"]) == datetime.fromisoformat(lines[0]["bucket"])


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_begins_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless(f"Old {cell}") == f"Old {cell}"


def test_a_hostile_neighborhood_is_harmless_on_the_page_and_in_the_file(city: City, as_role: As) -> None:
    name = '=HYPERLINK("http://evil.example")<script>alert(1)</script>'
    city.hears("There", place=Place(text="there", address="there", neighborhood=name))
    counted(city)
    client = as_role("viewer")

    page = client.get("/console/trends").text
    file = client.get("/console/trends?group=neighborhood&format=csv").text

    assert "<script>alert" not in page
    assert next(csv.DictReader(io.StringIO(file)))["name"].startswith("'=HYPERLINK")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("from=yesterday", "is no date"),
        ("from=2026-06-02&to=2026-06-01", "later than"),
        ("from=2020-01-01&to=2026-01-01&by=hour", "more than 800 buckets"),
        ("to=9999-12-31", "outside 1970"),
        ("by=month", "is not known"),
        ("group=%3Cscript%3E", "is not known"),
        ("from=%00&format=csv", "is no date"),
        ("from=" + "9" * 5000, "is no date"),
    ],
)
def test_what_is_typed_wrong_is_said_beside_the_usual_range(viewer: TestClient, query: str, says: str) -> None:
    page = shown(viewer, query, expect=400)

    alert = page.select_one("[role=alert]")
    assert alert is not None
    assert says in alert.get_text()
    link = alert.find("a")
    assert link is not None
    assert page.select_one(str(link["href"])) is not None


def test_nothing_on_the_page_is_inline(viewer: TestClient) -> None:
    page = shown(viewer)

    assert [tag for tag in page.find_all("script") if not tag.get("src")] == []
    assert page.find_all("style") + page.find_all(style=True) == []


def test_it_takes_a_sign_in(viewer: TestClient) -> None:
    viewer.cookies.clear()

    answer = viewer.get("/console/trends", follow_redirects=False)

    assert answer.status_code == 303


CHICAGO = ZoneInfo("America/Chicago")
SINCE = datetime(2026, 3, 1, 0, tzinfo=CHICAGO)


@pytest.mark.parametrize(
    ("days", "is_current", "found", "says"),
    [
        (
            7,
            True,
            Reports(before=31, now=48, service_code="p", is_most=True),
            "Reports rose from 31 to 48 in the last 7 days, compared with the 7 days before, mostly P.",
        ),
        (
            7,
            True,
            Reports(before=48, now=31, service_code="p"),
            "Reports fell from 48 to 31 in the last 7 days, compared with the 7 days before, most of all P.",
        ),
        (7, True, Reports(before=3, now=3), "Reports stayed at 3 in the last 7 days, compared with the 7 days before."),
        (
            7,
            True,
            Reports(before=0, now=0),
            "There were no reports in the last 7 days, and none in the same time before it.",
        ),
        (
            1,
            True,
            Reports(before=1, now=2, service_code="p", is_most=True),
            "Reports rose from 1 to 2 today, compared with yesterday up to this time, mostly P.",
        ),
        (
            1,
            False,
            Reports(before=0, now=0),
            "There were no reports on March 1, 2026, and none in the same time before it.",
        ),
        (
            10,
            False,
            Reports(before=1000, now=1),
            "Reports fell from 1,000 to 1 from March 1, 2026 to March 10, 2026, compared with the 10 days before.",
        ),
    ],
)
def test_the_sentence_reads_well(days: int, is_current: bool, found: Reports, says: str) -> None:
    until = SINCE + days * DAY
    wanted = Stretch(since=SINCE, until=until, before=(SINCE - days * DAY, SINCE), days=days, is_current=is_current)

    assert sentence(found, wanted, str.upper, CHICAGO) == says
