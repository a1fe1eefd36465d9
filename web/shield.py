"""What every answer wears and every request passes: security headers, a bound on bodies, no writes from other sites."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1_000_000  # bytes
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Machines call these without a cookie; each checks a key or a signature of its own.
NO_COOKIE_HERE = ("/api/", "/open311/", "/webhooks/")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


def headers_for(public_url: str) -> Iterator[tuple[str, str]]:
    """The headers of every answer."""
    yield "Content-Security-Policy", CONTENT_SECURITY_POLICY
    yield "X-Content-Type-Options", "nosniff"
    yield "X-Frame-Options", "DENY"
    yield "Referrer-Policy", "no-referrer"
    yield "Cross-Origin-Opener-Policy", "same-origin"
    yield "Cross-Origin-Resource-Policy", "same-origin"
    yield "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"
    if public_url.startswith("https://"):
        yield "Strict-Transport-Security", "max-age=31536000; includeSubDomains"


def from_elsewhere(headers: Headers, public_url: str) -> bool:
    """Whether a browser says that another site sent this.

    A browser names the site with every unsafe request: by Sec-Fetch-Site, or, over plain HTTP, by Origin. What names
    neither is no browser, and has no cookie that a stranger could ride on.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return False
    ours = urlsplit(public_url)
    return urlsplit(origin).netloc != headers.get("host") and origin != f"{ours.scheme}://{ours.netloc}"


class Shield:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self.app = app
        self.public_url = public_url
        self.headers = tuple(headers_for(public_url))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(scope, MutableHeaders(scope=message))
            await send(message)

        headers = Headers(scope=scope)
        path: str = scope["path"]
        unsafe = scope["method"] not in SAFE_METHODS
        if unsafe and not path.startswith(NO_COOKIE_HERE) and from_elsewhere(headers, self.public_url):
            await refuse(scope, dressed, 403, "cross_site", "this came from another site; repeat it from here")
            return
        if unsafe:
            body = await _whole(headers, receive)
            if body is None:
                await refuse(scope, dressed, 413, "too_large", f"the body is larger than {MAX_BODY} bytes")
                return
            receive = again(body, receive)
        await self.app(scope, receive, dressed)

    def _dress(self, scope: Scope, headers: MutableHeaders) -> None:
        for name, value in self.headers:
            headers.setdefault(name, value)
        if not scope["path"].startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")
        elif scope["query_string"].startswith(b"v="):  # the address changes with the content
            headers.setdefault("Cache-Control", "public, max-age=31536000, immutable")
        else:
            headers.setdefault("Cache-Control", "public, max-age=300")


async def _whole(headers: Headers, receive: Receive) -> bytes | None:
    """The body; None if it is too large, or larger than it says."""
    said = headers.get("content-length", "0")
    if not (said.isascii() and said.isdigit()) or int(said) > MAX_BODY:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read already once more, then whatever else comes."""
    left = [body]

    async def replay() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replay


async def refuse(scope: Scope, send: Send, status: int, code: str, message: str) -> None:
    """An error from before the application: JSON for machines, plain words for people."""
    machine = scope["path"].startswith(NO_COOKIE_HERE)
    body = json.dumps({"error": {"code": code, "message": message, "field": None}}) if machine else message
    kind = b"application/json" if machine else b"text/plain; charset=utf-8"
    start = {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]}
    await send(start)
    await send({"type": "http.response.body", "body": body.encode()})
