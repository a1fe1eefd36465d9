"""Headers on every answer, no writes from other sites, and the way in."""

from __future__ import annotations

import re

import pytest
from httpx2 import Response

from store import people, sign_in
from store.tables import StaffRow
from store.types import now
from tests.web.api.conftest import City, Opened

PASSWORD = "a long walk by the river"
ANA = "ana@alderfalls.gov"


def welcome(city: City, role: str = "approver") -> str:
    city.person(ANA, role)
    with city.deployment.store.writing() as session:
        return people.new_link(session, people.staff(session, ANA), by="test")


def enter(city: City, password: str = PASSWORD, **headers: str) -> Response:
    answer: Response = city.client.post(
        "/console/sign-in", data={"email": ANA, "password": password}, headers=headers, follow_redirects=False
    )
    return answer


@pytest.fixture
def ana(city: City) -> City:
    """A city where Ana has a password."""
    link = welcome(city)
    city.client.post(f"/console/welcome/{link}", data={"password": PASSWORD}, follow_redirects=False)
    city.client.cookies.clear()
    return city


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/api/v1/mentions", "/api/v1/nothing", "/console/sign-in", "/nothing", "/static/htmx/htmx.min.js"],
)
def test_every_answer_wears_the_headers(city: City, path: str) -> None:
    headers = city.client.get(path, follow_redirects=False).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert ("no-store" in headers["Cache-Control"]) is not path.startswith("/static/")
    assert "Strict-Transport-Security" not in headers


def test_a_failure_of_ours_wears_them_too(open_city: Opened) -> None:
    city = open_city()
    token = city.token("viewer")
    city.deployment.store.engine.dispose()
    city.deployment.services = None  # type: ignore[assignment]  # whatever breaks

    city.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    answer = city.ask("GET", "/mentions", token=token)

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://testserver"}, 303),
        ({}, 303),
    ],
)
def test_another_site_can_write_nothing(ana: City, headers: dict[str, str], status: int) -> None:
    assert enter(ana, **headers).status_code == status


def test_the_cookie_is_out_of_reach_of_scripts(ana: City) -> None:
    cookie = enter(ana).headers["Set-Cookie"]

    assert cookie.startswith("harken_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


def test_over_https_the_cookie_is_bound_to_the_host(open_city: Opened) -> None:
    city = open_city(public_url="https://harken.alderfalls.gov")
    link = welcome(city)

    answer = city.client.post(f"/console/welcome/{link}", data={"password": PASSWORD}, follow_redirects=False)

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-harken=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"]


def test_a_link_sets_a_password_once_and_signs_in(city: City) -> None:
    link = welcome(city)

    looked = city.client.get(f"/console/welcome/{link}")
    short = city.client.post(f"/console/welcome/{link}", data={"password": "short"})
    used = city.client.post(f"/console/welcome/{link}", data={"password": PASSWORD}, follow_redirects=False)
    again = city.client.post(f"/console/welcome/{link}", data={"password": PASSWORD}, follow_redirects=False)

    assert (looked.status_code, ANA in looked.text) == (200, True)
    assert (short.status_code, "12 characters" in short.text) == (422, True)
    assert (used.status_code, used.headers["Location"]) == (303, "/console/")
    assert again.status_code == 404


def test_who_signed_in_comes_in_until_they_sign_out(ana: City) -> None:
    enter(ana)
    inside = ana.client.get("/console/", follow_redirects=False)
    ana.client.post("/console/sign-out", follow_redirects=False)

    outside = ana.client.get("/console/", follow_redirects=False)

    assert inside.status_code == 200
    assert (outside.status_code, outside.headers["Location"]) == (303, "/console/sign-in?next=/console/")


def test_a_session_ends_when_its_person_is_disabled(ana: City) -> None:
    enter(ana)
    with ana.deployment.store.writing() as session:
        people.disable(session, people.staff(session, ANA), by="test")

    assert ana.client.get("/console/", follow_redirects=False).status_code == 303


def test_htmx_is_sent_to_the_sign_in_page_as_a_whole(city: City) -> None:
    answer = city.client.get("/console/", headers={"HX-Request": "true"}, follow_redirects=False)

    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/console/sign-in")


def test_a_wrong_password_and_an_unknown_person_are_told_the_same(ana: City) -> None:
    wrong = enter(ana, password="not the password")
    unknown = ana.client.post("/console/sign-in", data={"email": "nobody@x.org", "password": "whatever it is"})

    def said(page: Response) -> str:
        return re.sub(r'value="[^"]*"', "", page.text)

    assert (wrong.status_code, unknown.status_code) == (422, 422)
    assert said(wrong) == said(unknown)


def test_tries_slow_down_and_the_right_password_waits_a_minute_at_most(ana: City) -> None:
    for _ in range(sign_in.FREE_TRIES + 1):
        enter(ana, password="not the password")

    with ana.deployment.store.writing() as session:
        row = people.staff(session, ANA)
        assert row.locked_until is not None
        assert row.locked_until <= now() + sign_in.LONGEST_WAIT
        row.locked_until = now() + sign_in.LONGEST_WAIT  # the first wait may be over on a slow machine
    assert enter(ana).status_code == 422
    with ana.deployment.store.writing() as session:
        people.staff(session, ANA).locked_until = now()
    assert enter(ana).status_code == 303
    with ana.deployment.store.reading() as session:
        assert session.get_one(StaffRow, 1).failures == 0


@pytest.mark.parametrize(
    "after", ["https://evil.example/", "//evil.example", "/\\evil.example", "/console/../r/x", "/console//evil.example"]
)
def test_signing_in_leads_to_the_console_alone(ana: City, after: str) -> None:
    answer = ana.client.post(
        "/console/sign-in", data={"email": ANA, "password": PASSWORD, "next": after}, follow_redirects=False
    )

    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/")
