"""Carries out planned faults on the wire, in front of the whole application."""

import asyncio
import json
import random
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import REFUSALS, SILENCES, Fault, Faults, target_of

LONGEST_HOLD = 30.0  #: seconds
LOOK_EVERY = 0.05  #: seconds between looks whether a held connection may go
HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Answer:
    """An application's answer, caught before it leaves."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def catch(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def give(self, send: Send) -> None:
        kept = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        kept.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": kept})
        await send({"type": "http.response.body", "body": self.body})


class Spoiling:
    """The application behind it, and between them whatever faults are planned."""

    def __init__(self, app: ASGIApp, faults: Callable[[], Faults]) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = target_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        fault = self._faults().next_for(target) if target else None
        if target is None or fault is None:
            await self._app(scope, receive, send)
            return
        answer = Answer()
        writes = scope["method"] != "GET"
        if fault.after_effect or (
            fault.kind not in (*REFUSALS, *SILENCES) and not (writes and fault.kind == "cut_json")
        ):
            await self._app(scope, receive, answer.catch)
        if fault.kind in SILENCES:
            await fall_silent(fault, self._faults(), receive, send)
        elif fault.kind in REFUSALS:
            await refusal(fault, target).give(send)
        else:
            spoil(answer, fault, target, self._faults())
            await answer.give(send)


async def fall_silent(fault: Fault, faults: Faults, receive: Receive, send: Send) -> None:
    """Holds the connection for a while, or not, and drops it without a word."""
    if fault.kind == "timeout":
        await _hold(min(fault.seconds, LONGEST_HOLD), faults, receive)
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox dropped the connection")
    if (plug := transport.get_extra_info("socket")) is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a polite end
    transport.abort()
    await asyncio.sleep(0.001)  # until the server has seen it go, and does not miss the answer


async def _hold(seconds: float, faults: Faults, receive: Receive) -> None:
    """For so long, or until the client gives up or the faults are cleared."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    waiting, until, cleared = asyncio.ensure_future(gone()), time.monotonic() + seconds, faults.cleared
    while not waiting.done() and faults.cleared == cleared and (left := until - time.monotonic()) > 0:
        await asyncio.wait({waiting}, timeout=min(left, LOOK_EVERY))
    waiting.cancel()


def refusal(fault: Fault, target: str) -> Answer:
    answer = Answer()
    platform = target.partition(".")[0]
    status, body = _refused(fault.kind, platform)
    answer.status = status
    answer.body = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer.headers = [
        (b"content-type", b"text/html; charset=utf-8" if isinstance(body, bytes) else b"application/json")
    ]
    if fault.kind == "429" and platform == "x" and fault.with_reset:
        reset = str(int(time.time()) + 5)
        answer.headers += [
            (b"x-rate-limit-limit", b"300"),
            (b"x-rate-limit-remaining", b"0"),
            (b"x-rate-limit-reset", reset.encode()),
        ]
    if fault.kind == "429" and platform == "facebook":
        answer.headers.append((b"x-app-usage", b'{"call_count":100,"total_time":25,"total_cputime":25}'))
    return answer


#: a proxy's page, a list where an object is due, nothing at all
_ODD_SUCCESSES: dict[str, Any] = {"html_200": HTML, "list_200": [], "empty_200": b""}


def _refused(kind: str, platform: str) -> tuple[int, Any]:
    shaped = {"x": _x_refusal, "facebook": _graph_refusal}.get(platform, _open311_refusal)
    if kind == "html":
        return 502, HTML
    if kind == "error_list":
        return 400, [{"message": "Something went wrong", "code": 131}]
    if kind == "string_error":
        return 500, "Internal error"
    if kind == "json_500":
        return 500, {"foo": 1}
    if kind in _ODD_SUCCESSES:
        return 200, _ODD_SUCCESSES[kind]
    return shaped(kind)


def _x_refusal(kind: str) -> tuple[int, Any]:
    status, title = {
        "429": (429, "Too Many Requests"),
        "500": (500, "Internal Server Error"),
        "502": (502, "Bad Gateway"),
        "503": (503, "Service Unavailable"),
        "dead_token": (401, "Unauthorized"),
    }.get(kind, (403, "Forbidden"))
    return status, {"title": title, "detail": title, "type": "about:blank", "status": status}


def _graph_refusal(kind: str) -> tuple[int, Any]:
    status, code, subcode, text = {
        "429": (400, 32, None, "(#32) Page request limit reached"),
        "500": (500, 1, 99, "An unknown error occurred"),
        "502": (502, 2, None, "Service temporarily unavailable"),
        "503": (503, 2, None, "Service temporarily unavailable"),
        "dead_token": (401, 190, 463, "Error validating access token: Session has expired."),
        "permission": (403, 200, None, "(#200) Permissions error"),
        "blocked": (400, 368, 1390008, "The action attempted has been deemed abusive or is otherwise disallowed"),
    }[kind]
    error: dict[str, Any] = {"message": text, "type": "OAuthException", "code": code, "is_transient": code in (1, 2)}
    if subcode is not None:
        error["error_subcode"] = subcode
    return status, {"error": {**error, "fbtrace_id": "AsandboxFault"}}


def _open311_refusal(kind: str) -> tuple[int, Any]:
    status = {"429": 429, "dead_token": 403, "permission": 403, "blocked": 403}.get(kind) or int(kind)
    return status, [{"code": status, "description": "The CRM refused this request for the moment."}]


def spoil(answer: Answer, fault: Fault, target: str, faults: Faults) -> None:
    """Changes a good answer into the planned kind of bad one."""
    if fault.kind == "cut_json":
        whole = answer.body or b'{"data": {"id": "19990000000000000", "text": "'
        answer.status = 200 if not answer.body else answer.status
        answer.headers = answer.headers or [(b"content-type", b"application/json")]
        answer.body = whole[: max(1, len(whole) * 2 // 3)]
        return
    if answer.status >= 300:
        return
    try:
        document = json.loads(answer.body)
    except ValueError:
        return
    answer.body = json.dumps(SPOILERS[fault.kind](document, target, faults)).encode()


def _items(document: Any) -> list[Any]:
    found = (
        document if isinstance(document, list) else document.get("data", document) if isinstance(document, dict) else []
    )
    return found if isinstance(found, list) else [found]


def _missing_fields(document: Any, _target: str, _faults: Faults) -> Any:
    """Every other item keeps its id alone."""
    for item in _items(document)[::2]:
        for name in [name for name in item if name not in ("id", "service_request_id")]:
            del item[name]
    return document


def _wrong_types(document: Any, _target: str, _faults: Faults) -> Any:
    """Every other item has texts where objects are due, and the other way round."""
    for item in _items(document)[::2]:
        for name, value in item.items():
            item[name] = {"value": value} if isinstance(value, str) and name != "id" else 7 if name != "id" else value
    return document


def _unknown_fields(document: Any, _target: str, _faults: Faults) -> Any:
    for item in _items(document):
        item["added_last_night"] = {"nested": [1, None, {"deep": True}]}
    if isinstance(document, dict):
        document["experiment"] = "b"
    return document


def _numbers_as_strings(document: Any, _target: str, _faults: Faults) -> Any:
    return _each(
        document, lambda value: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    )


def _ids_as_numbers(document: Any, _target: str, _faults: Faults) -> Any:
    return _each(document, lambda value: int(value) if isinstance(value, str) and value.isdecimal() else value)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _each(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_each(inner, change) for inner in value]
    return change(value)


def _shuffle(document: Any, _target: str, _faults: Faults) -> Any:
    random.shuffle(_items(document))
    return document


def _repeat_pages(document: Any, target: str, faults: Faults) -> Any:
    """The page before stands once more in front of this one, and this one's items come twice."""
    items = _items(document)
    own = list(items)
    items[:0] = faults.last_data.get(target, [])
    items.extend(own)
    faults.last_data[target] = own
    return document


SPOILERS: dict[str, Callable[[Any, str, Faults], Any]] = {
    "missing_fields": _missing_fields,
    "wrong_types": _wrong_types,
    "unknown_fields": _unknown_fields,
    "numbers_as_strings": _numbers_as_strings,
    "ids_as_numbers": _ids_as_numbers,
    "shuffle": _shuffle,
    "repeat_pages": _repeat_pages,
}
