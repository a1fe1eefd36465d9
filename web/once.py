"""``Idempotency-Key``: a repeated write is answered as the first was, and done once."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import anyio
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.deployment import Deployment
from store import idempotency, people
from store.engine import TROUBLE
from store.idempotency import Answered, Begun, Busy, Reused
from web import shield

API = "/api/"
MAX_KEY = 255
#: How long a second try waits for the first, and how often it looks, seconds.
PATIENCE, LOOK_EVERY = 10.0, 0.1
#: These say nothing of the request itself; a repeat may be answered otherwise.
PASSING = frozenset({401, 413, 429})


class Once:
    """Inside the shield, which has read the body already."""

    def __init__(self, app: ASGIApp, *, deployment: Deployment) -> None:
        self.app = app
        self.store = deployment.store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in shield.SAFE_METHODS or not scope["path"].startswith(API):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        key = headers.get("idempotency-key")
        principal = await run_in_threadpool(self._principal, headers) if key is not None else None
        if key is None or principal is None:  # without a good token it is refused further in
            await self.app(scope, receive, send)
            return
        if not 0 < len(key) <= MAX_KEY or not key.isprintable():
            await shield.refuse(scope, send, 400, "bad_request", f"Idempotency-Key takes 1 to {MAX_KEY} characters")
            return
        await self._once(scope, receive, send, key=key, principal=principal)

    async def _once(self, scope: Scope, receive: Receive, send: Send, *, key: str, principal: str) -> None:
        message = await receive()
        body: bytes = message.get("body", b"")
        sha = request_sha(scope["method"], scope["path"], body)
        try:
            found = await self._claim(principal, key, sha)
        except Reused:
            words = "this Idempotency-Key came before with another request"
            await shield.refuse(scope, send, 409, "idempotency_key_reused", words)
            return
        except Busy:
            words = "the first request with this Idempotency-Key is still being answered"
            await shield.refuse(scope, send, 409, "idempotency_key_busy", words)
            return
        if isinstance(found, Answered):
            await _repeat(scope, send, found)
            return
        await self._first(scope, shield.again(body, receive), send, found)

    async def _claim(self, principal: str, key: str, sha: str) -> Begun | Answered:
        with anyio.move_on_after(PATIENCE):
            while True:
                try:
                    return await run_in_threadpool(self._begin, principal, key, sha)
                except (Busy, IntegrityError):  # PostgreSQL lets two insert; the second is told
                    await anyio.sleep(LOOK_EVERY)
        raise Busy

    async def _first(self, scope: Scope, receive: Receive, send: Send, begun: Begun) -> None:
        status, body = 500, bytearray()

        async def listening(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get(
                    "more_body", False
                ):  # kept before the last byte leaves, or a repeat could overtake it
                    await self._keep(scope, begun, status, bytes(body))
            await send(message)

        try:
            await self.app(scope, receive, listening)
        finally:
            if status >= 500:
                with anyio.CancelScope(shield=True):
                    await run_in_threadpool(self._forget, begun)

    async def _keep(self, scope: Scope, begun: Begun, status: int, body: bytes) -> None:
        with anyio.CancelScope(shield=True):
            if status >= 500 or status in PASSING:
                await run_in_threadpool(self._forget, begun)
                return
            words = scope.get("state", {}).get("words_of")
            await run_in_threadpool(self._answer, begun, status, body.decode(), words)

    def _principal(self, headers: Headers) -> str | None:
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        with self.store.reading() as session:
            row = people.token_row(session, secret.strip())
            return None if row is None else f"token:{row.id}"

    def _begin(self, principal: str, key: str, sha: str) -> Begun | Answered:
        with self.store.writing() as session:
            return idempotency.begin(session, principal=principal, key=key, request_sha=sha)

    def _answer(self, begun: Begun, status: int, body: str, words_of: int | None) -> None:
        with self.store.writing() as session:
            idempotency.answer(session, begun, status=status, body=body, derived_from=words_of)

    def _forget(self, begun: Begun) -> None:
        try:
            with self.store.writing() as session:
                idempotency.forget(session, begun)
        except TROUBLE:
            return  # it lapses by itself


def request_sha(method: str, path: str, body: bytes) -> str:
    """Hex SHA-256 of what is asked for; JSON that says the same is the same."""
    try:
        said: Any = json.dumps(json.loads(body), sort_keys=True, ensure_ascii=True).encode()
    except (ValueError, RecursionError):
        said = body
    return hashlib.sha256(b"\x00".join((method.encode(), path.encode("utf-8", "surrogatepass"), said))).hexdigest()


async def _repeat(scope: Scope, send: Send, first: Answered) -> None:
    if first.body is None:
        words = "this was done, but the words of its answer were disposed of since"
        await shield.refuse(scope, send, 409, "answer_disposed", words)
        return
    kind = [(b"content-type", b"application/json"), (b"idempotent-replay", b"true")]
    await send({"type": "http.response.start", "status": first.status, "headers": kind})
    await send({"type": "http.response.body", "body": first.body.encode()})
