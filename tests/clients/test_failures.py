"""Each row of what a failed call means, played over HTTP to the platform's own client: to a write, and to a read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from clients import facebook, failures, open311, x
from clients.failures import Failure
from crm_bridge import open311 as open311_bridge
from errors import AdapterError, RateLimited, Unavailable
from responders import facebook as facebook_responder
from responders import x as x_responder
from tests.fixtures.playing import PATIENT, Answer, playing
from vocabulary import ApprovedReply, ReplyDraft, ServiceRequest

POST = "1900000000000000001"
KEYS: dict[str, dict[str, Any]] = {
    "x": {
        "handle": "alderfalls",
        "user_id": "1",
        "bearer_token": "a",
        "consumer_key": "b",
        "consumer_secret": "c",
        "access_token": "d",
        "access_token_secret": "e",
    },
    "facebook": {"page_id": "102030405060708", "page_access_token": "a"},
    "open311": {"api_key": "a"},
}
ROWS: dict[str, tuple[Failure, ...]] = {
    "x": x.FAILURES,
    "facebook": facebook.FAILURES,
    "open311": open311.FAILURES,
}


def a_reply() -> ApprovedReply:
    draft = ReplyDraft(
        draft_id="1",
        account="city",
        platform="x",
        in_reply_to=POST,
        conversation_key=POST,
        addressee=None,
        text="Thank you. AF-7QK2M9",
    )
    return draft.approve(by="ana@city.example", at=datetime.now(UTC))


@dataclass(frozen=True)
class Calls:
    """One call that changes something, and one that only reads."""

    write: Callable[[], object]
    read: Callable[[], object]


def calls(platform: str, url: str, *, read_within: float = PATIENT) -> Calls:
    given = {"base_url": url, "read_within": read_within} | KEYS[platform]
    if platform == "open311":
        bridge = open311_bridge.connect(given)
        request = ServiceRequest(reference="AF-7QK2M9", service_code="pothole_road", description="A hole")
        return Calls(
            write=lambda: bridge.open_ticket(request, key="ticket-1"), read=lambda: bridge.find(request, key="ticket-1")
        )
    responder = {"x": x_responder, "facebook": facebook_responder}[platform].connect({"platform": platform} | given)
    return Calls(write=lambda: responder.send(a_reply(), key="reply-1"), read=lambda: responder.look(POST))


def graph(code: int, *, subcode: int | None = None, message: str = "no", status: int = 400, **more: Any) -> Answer:
    return Answer(status=status, body={"error": {"code": code, "error_subcode": subcode, "message": message, **more}})


def told(status: int, detail: str = "no", **more: Any) -> Answer:
    return Answer(status=status, body={"detail": detail, **more})


#: (platform, name of the row): what is played. A row of all platforms is played to each.
PLAYED: dict[tuple[str, str], list[Answer]] = {
    ("x", "429"): [told(429), Answer(status=429, headers={"x-rate-limit-reset": "99"})],
    ("x", "401: keys"): [told(401)],
    ("x", "402: credits used up"): [told(402)],
    ("x", "403: the same words again"): [
        told(403, errors=[{"message": "You are not allowed to create a Tweet with duplicate content."}])
    ],
    ("x", "403: the author did not turn to us"): [
        told(403, "You can only reply to or quote posts where you are mentioned or are the author."),
        told(403, "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged"),
    ],
    ("x", "403: our app or account may not"): [
        told(403, type="https://api.twitter.com/2/problems/client-forbidden"),
        told(403, "Your client app is not configured with the appropriate oauth1 app permissions"),
    ],
    ("facebook", "codes 4, 17, 32, 341, 613, 80000–80014: too often"): [graph(4), graph(80001, status=403)],
    ("facebook", "429"): [Answer(status=429)],
    ("facebook", "codes 102, 190, 463, 467: token"): [graph(190, status=401), graph(463)],
    ("facebook", "401 without a code"): [Answer(status=401, body={})],
    ("facebook", "codes 506, 10900: the same words again; this comment had its private reply"): [
        graph(506),
        graph(10900),
    ],
    ("facebook", "codes 1, 2: Facebook's own trouble"): [graph(1, status=500), graph(2, status=503)],
    ("facebook", "is_transient"): [graph(9999, is_transient=True)],
    ("facebook", "code 100: no such field"): [graph(100, message="(#100) Tried accessing nonexisting field (x)")],
    ("facebook", "codes 10, 200–299: permission"): [graph(10, status=403), graph(200)],
    ("facebook", "code 100: a wrong value"): [graph(100)],
    ("facebook", "codes 368, 10903: blocked; nobody whom the Page may write to in private"): [graph(368), graph(10903)],
    ("facebook", "another code, told in a success"): [graph(4242, status=200)],
    ("facebook", "code 100/33: not there, or not for us"): [graph(100, subcode=33)],
    ("facebook", "code 803: not there"): [graph(803, status=404)],
    ("open311", "429"): [Answer(status=429), Answer(status=429, headers={"Retry-After": "60"})],
    ("open311", "401, 403: key"): [Answer(status=403, body=[{"code": 403, "description": "Invalid api_key"}])],
    ("open311", "404: no such thing"): [Answer(status=404, body=[{"code": 404, "description": "unknown"}])],
    ("*", "408"): [Answer(status=408)],
    ("*", "a 4xx that says: not taken"): [Answer(status=400, body={"title": "no"}), Answer(status=422)],
    ("*", "any other 4xx"): [Answer(status=409), Answer(status=425), Answer(status=499)],
    ("*", "5xx, a redirect, anything else"): [
        Answer(status=500),
        Answer(status=503, body=b"<html>"),
        Answer(status=302, headers={"Location": "/"}),
    ],
    ("*", failures.NO_ANSWER.name): [Answer(reset=True), Answer(wait=60)],
    ("*", failures.UNREADABLE.name): [Answer(body=b"<html>"), Answer(body=b"[" * 40)],
}
#: What only a write can meet: a success that doesn't say of what.
NO_ID = {"x": {"data": {}}, "facebook": {}, "open311": []}
#: Where nothing was found there is nothing to tell of: a look says that the post is gone.
SAID_BY_A_LOOK = {("facebook", "code 100/33: not there, or not for us"), ("facebook", "code 803: not there")}


def cases() -> Iterator[Any]:
    for (of, name), answers in PLAYED.items():
        for platform in ROWS if of == "*" else (of,):
            for number, answer in enumerate(answers):
                row = row_named(platform, name)
                for way in ("write", "read"):
                    if way == "write" or (of, name) not in SAID_BY_A_LOOK:
                        yield pytest.param(platform, row, way, answer, id=f"{platform}-{name}-{number}-{way}")


def row_named(platform: str, name: str) -> Failure:
    everything = (*ROWS[platform], *failures.BY_STATUS, *failures.COMMON)
    return next(row for row in everything if row.name == name)


@pytest.mark.parametrize(("platform", "row", "way", "answer"), list(cases()))
def test_each_failure_says_what_it_means(platform: str, row: Failure, way: str, answer: Answer) -> None:
    expected = row.wrote if way == "write" else row.read or row.wrote

    with playing(answer) as stage, pytest.raises(AdapterError) as caught:
        getattr(calls(platform, stage.url, read_within=answer.read_within), way)()

    assert type(caught.value) is expected
    assert row.hint in str(caught.value)
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_at > datetime.now(UTC)


@pytest.mark.parametrize("platform", ROWS)
def test_a_success_without_an_id_is_doubt(platform: str) -> None:
    with (
        playing(Answer(status=201, body=NO_ID[platform])) as stage,
        pytest.raises(failures.NO_ID.wrote, match="said yes"),
    ):
        calls(platform, stage.url).write()


@pytest.mark.parametrize("way", ["write", "read"])
@pytest.mark.parametrize("platform", ROWS)
def test_what_never_connected_was_surely_not_done(platform: str, way: str, silent_port: int) -> None:
    with pytest.raises(AdapterError) as caught:
        getattr(calls(platform, f"http://127.0.0.1:{silent_port}"), way)()

    assert type(caught.value) is failures.NOT_REACHED.wrote is Unavailable


def test_no_row_is_left_unplayed() -> None:
    played = {name for _, name in PLAYED} | {failures.NO_ID.name, failures.NOT_REACHED.name}

    rows = [row.name for rows in (*ROWS.values(), failures.BY_STATUS, failures.COMMON) for row in rows]

    assert sorted(set(rows) - played) == []
