from __future__ import annotations

from datetime import timedelta

from tests.web.console.conftest import City, Desk


def test_the_inbox_shows_what_needs_a_person(city: City, desk: Desk) -> None:
    city.hears("Huge pothole at 500 Oak Street")

    page = desk.get("/console/")

    line = page.select_one(".hk-line")
    assert line is not None
    words = line.get_text(" ", strip=True)
    for expected in ("Huge pothole", "X", "@jordan", "Report", "Negative", "500 Oak Street", "Waiting for approval"):
        assert expected in words
