"""How every request to a platform's SDK leaves the house.

The SDKs lack time-outs, trust any answer and put tokens into their error texts. ``Wire`` is the ``requests`` adapter
under them: it sends to ``base_url`` whatever host the SDK names, bounds time and size, retries nothing, follows no
redirect, and raises one of three errors whose text holds no secret. Whoever translates them knows by the class
whether the request can have had an effect.

Source: requests.readthedocs.io/en/latest/user/advanced (transport adapters), urllib3 2's exceptions.py (read 2026-11).
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NameResolutionError, NewConnectionError

CONNECT_WITHIN = 5.0  #: seconds
READ_WITHIN = 20.0  #: seconds between two pieces of the answer
ANSWER_WITHIN = 60.0  #: seconds for the whole body, against a server that drips
LARGEST_BODY = 20 * 1024 * 1024  #: bytes, unpacked

NESTED = 100  #: levels of JSON; platforms need ten
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)  #: and texts, in which brackets mean nothing

SECRET = re.compile(
    r"(?i)((?:access_token|appsecret_proof|client_secret|api_key|oauth_\w+|fb_exchange_token)[\"']?\s*[=:]\s*[\"']?"
    r"|\bBearer\s+|\bOAuth\s+)[^&\s\"',;)]+"
)

logging.getLogger("urllib3").setLevel(logging.INFO)  # at DEBUG it writes whole URLs, and Graph's carry the token


class NotReached(requests.RequestException):
    """The server cannot have seen the request: refused, unresolved or never connected."""


class Broken(requests.RequestException):
    """The request went out and no whole answer came back: it may have been carried out."""


class TooMuch(requests.RequestException):
    """The answer grew too large or dripped too long."""


class Answered(requests.RequestException):
    """The server answered, but not with a success."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is something else."""
        try:
            return parsed(self.body)
        except ValueError:
            return None


class Wire(HTTPAdapter):
    """The road from an SDK to ``base_url``."""

    def __init__(self, base_url: str, *, read_within: float = READ_WITHIN) -> None:
        super().__init__(max_retries=0)
        self._base = base_url.rstrip("/")
        self._read_within = read_within
        self.headers: Mapping[str, str] = {}  #: of the last answer: what is left of a rate limit stands there

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Send to ``base_url`` and read the whole answer.

        Raises:
            NotReached: nothing went out.
            Broken: it went out, and no whole answer came.
            Answered: with anything but a 2xx.
        """
        request.url = self._base + request.path_url
        options |= {"stream": True, "timeout": (CONNECT_WITHIN, self._read_within)}
        options["proxies"] = get_environ_proxies(request.url)  # the session chose by the SDK's host, not by ours
        try:
            response = super().send(request, **options)
            body = b"".join(bounded(response))
        except requests.RequestException as err:
            # The text of these errors holds the whole URL: it is not chained on.
            raise (NotReached if nothing_went_out(err) else Broken)(self._told(err)) from None
        response._content, response._content_consumed = body, True  # type: ignore[attr-defined]  # as requests itself does
        response.json = lambda **_: parsed(body)  # type: ignore[method-assign]  # facebook-sdk reads by it
        self.headers = response.headers
        if not 200 <= response.status_code < 300:
            raise Answered(response.status_code, response.headers, body)
        return response

    def _told(self, err: requests.RequestException) -> str:
        host = urlsplit(self._base).netloc
        if isinstance(err, requests.ConnectTimeout):
            return f"{host}: no connection within {CONNECT_WITHIN:g} s"
        if isinstance(err, requests.ReadTimeout):
            return f"{host}: no answer within {self._read_within:g} s"
        return f"{host}: {type(err).__name__}: {redacted(str(innermost(err)))[:300]}"


def bounded(response: requests.Response) -> Iterator[bytes]:
    """The body in pieces.

    Raises:
        requests.RequestException: it grew past ``LARGEST_BODY``, took longer than ``ANSWER_WITHIN``, or broke off.
    """
    until, size = time.monotonic() + ANSWER_WITHIN, 0
    for piece in response.iter_content(64 * 1024):
        size += len(piece)
        if size > LARGEST_BODY or time.monotonic() > until:
            response.close()
            raise TooMuch(f"the answer passed {LARGEST_BODY} bytes or {ANSWER_WITHIN:g} s")
        yield piece


def innermost(err: BaseException) -> object:
    """The reason urllib3 wrapped, without the URL around it."""
    cause = err.args[0] if err.args else err
    return cause.reason if isinstance(cause, MaxRetryError) and cause.reason is not None else cause


def nothing_went_out(err: requests.RequestException) -> bool:
    """Whether the connection was never made, so that the server cannot have acted."""
    if isinstance(err, requests.ConnectTimeout | requests.exceptions.ProxyError | requests.exceptions.InvalidURL):
        return True
    reason = innermost(err)
    if isinstance(err, requests.exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" in str(reason)
    return isinstance(reason, NewConnectionError | NameResolutionError | ConnectTimeoutError)


def through(session: requests.Session, base_url: str, *, read_within: float = READ_WITHIN) -> Wire:
    """Let every request of an SDK's session go to ``base_url``, whatever host the SDK has built in."""
    wire = Wire(base_url, read_within=read_within)
    session.mount("https://", wire)
    session.mount("http://", wire)
    return wire


def parsed(body: bytes) -> Any:
    """A body as JSON. One odd value spoils what it is in, not what stands beside it.

    So bytes that are no text become U+FFFD, a number too long to be one stays a text, and what is nested deeper than
    ``NESTED`` becomes null.

    Raises:
        ValueError: it is none, or one made to break a parser.
    """
    text = _text(body)
    try:
        return json.loads(text, parse_int=_number)
    except RecursionError:
        pass
    try:
        return json.loads(_shallow(text), parse_int=_number)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def _text(body: bytes) -> str:
    encoding: str = json.detect_encoding(body)
    try:
        return body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return body.decode(encoding, "replace")


def _number(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # Python reads none of more than 4,300 digits
        return digits


def _shallow(text: str) -> str:
    """The JSON without what lies too deep in it."""
    kept, depth, done = [], 0, 0
    for found in BRACKETS.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth == NESTED + 1:
                kept += [text[done : found.start()], "null"]
        elif found[0] in "]}":
            if depth == NESTED + 1:
                done = found.end()
            depth -= 1
    return "".join([*kept, text[done:]])


def packed(value: Any) -> bytes:
    """One item of a listing, as JSON again: what is kept as ``raw``."""
    return json.dumps(value, separators=(",", ":")).encode()


def redacted(text: str) -> str:
    """The text with tokens and keys struck out."""
    return SECRET.sub(r"\1…", text)


def storable(text: str) -> str:
    """The text without what no database takes: NUL, and half of a surrogate pair."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "\ufffd")
