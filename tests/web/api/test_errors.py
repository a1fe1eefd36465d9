"""Whatever goes wrong, the answer has one shape."""

from __future__ import annotations

import pytest

from tests.web.api.conftest import City


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("DELETE", "/api/v1/mentions", 405, "method_not_allowed"),
        ("GET", "/api/v1/mentions", 401, "unauthenticated"),
        ("POST", "/api/v1/drafts/1/approve", 401, "unauthenticated"),
    ],
)
def test_errors_have_one_shape(city: City, method: str, path: str, status: int, code: str) -> None:
    answer = city.client.request(method, path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert set(answer.json()["error"]) == {"code", "message", "field"}


@pytest.mark.parametrize("given", ["Bearer hk_wrong", "Bearer ", "Basic dTpw", "hk_wrong"])
def test_a_wrong_token_is_401_and_says_what_is_wanted(city: City, given: str) -> None:
    answer = city.client.get("/api/v1/mentions", headers={"Authorization": given})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b"[]", 422, "invalid"),
        (b"", 422, "invalid"),
        (b"null", 422, "invalid"),
        (b'{"version": 1e999}', 422, "invalid"),
        (b'{"version": 1, "text": "\\ud800"}', 422, "invalid"),
        (b'{"version": 1, "\\ud800": 1}', 422, "invalid"),
        (b'{"version": 1, "text": "\\u0000"}', 422, "invalid"),
    ],
)
def test_a_body_that_is_none_is_refused_and_not_repeated(city: City, body: bytes, status: int, code: str) -> None:
    _, draft_id = city.drafted()
    headers = {"Content-Type": "application/json"}

    answer = city.ask(
        "POST", f"/drafts/{draft_id}/approve", token=city.token("approver"), content=body, headers=headers
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_body_over_a_million_bytes_is_413(city: City) -> None:
    token = city.token("responder")

    answer = city.ask("POST", "/mentions/1/dismiss", token=token, json={"reason": "x" * 1_000_000})

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_an_unknown_parameter_is_refused_where_none_is_taken(city: City) -> None:
    mention_id, _ = city.drafted()

    answer = city.ask("GET", f"/mentions/{mention_id}?verbose=1", token=city.token("viewer"))

    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "verbose")


def test_people_get_a_page(city: City) -> None:
    answer = city.client.get("/console/nothing-here")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
