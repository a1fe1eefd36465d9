"""A GeoReport v2 endpoint: its keys, one checked call, and its records whatever shape they come in.

Source: GeoReport v2 (github.com/open311/open311.github.io, GeoReport_v2/index.md; read 2026-11). What is tolerated
beyond it was seen in Chicago's, Boston's and Bloomington's endpoints and in FixMyStreet's client: ids as numbers,
``001`` in JSON, one object where a list is due, wrapped lists, HTML for errors, Latin-1, times without a zone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any
from xml.etree.ElementTree import Element, ParseError
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, SecretStr, field_validator

from clients import failures, http
from clients.failures import Failure
from errors import AdapterError, RateLimited, Refused, Unauthorized

USUAL_WAIT = timedelta(minutes=15)  #: after a 429 that doesn't say
ZERO_PADDED = re.compile(r"([:\[,]\s*)(0\d+)(?=\s*[,}\]])")
OTHER_FORMAT = frozenset({404, 406, 415, 501})  #: how an endpoint without JSON says so; none of them does anything
NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class NotThere(Refused):
    """The endpoint knows no such thing."""


#: GeoReport's own answers, the first that fits; what is not here goes by ``failures.BY_STATUS``.
FAILURES = (
    Failure(name="429", statuses={429}, wrote=RateLimited),
    Failure(name="401, 403: key", statuses={401, 403}, wrote=Unauthorized),
    Failure(name="404: no such thing", statuses={404}, wrote=NotThere),
)


class Account(BaseModel):
    """The keys of ``[crm]`` that are Open311's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl  #: the GeoReport root: ``…/open311/v2``
    jurisdiction_id: str = ""
    api_key: SecretStr | None = None
    email: str = ""  #: the city's own address, for endpoints that demand one
    time_zone: str = "UTC"  #: of times that come without one
    read_within: float = Field(default=http.READ_WITHIN, gt=0)  #: seconds; the tests wait less

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone; use a name like America/Chicago") from None
        return name


def _text(value: object) -> object:
    """Numbers as the text they stand for, nothing for an empty one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int | float):
        return str(value)
    return (http.storable(value).strip() or None) if isinstance(value, str) else value


Text = Annotated[str | None, BeforeValidator(_text)]


class Record(BaseModel):
    """A service request, a token, or an error, as the endpoint gives it."""

    service_request_id: Text = None
    token: Text = None
    status: Text = None
    status_notes: Text = None
    description: Text = None
    updated_datetime: Text = None
    expected_datetime: Text = None
    code: Text = None  #: of an error
    attributes: object = None  #: ``extensions=true``


class ServiceRecord(BaseModel):
    """A line of the service list."""

    service_code: Text = None
    service_name: Text = None
    description: Text = None
    keywords: object = None
    group: Text = None


@dataclass
class Endpoint:
    """The calls, each bounded and checked."""

    account: Account
    format: str = "json"  #: ``xml`` once the endpoint has shown that it has no JSON

    def __post_init__(self) -> None:
        self._http = httpx.Client(
            timeout=httpx.Timeout(self.account.read_within, connect=http.CONNECT_WITHIN),
            limits=httpx.Limits(max_keepalive_connections=0),  # calls are rare, and nobody closes us
            headers={"Accept": "application/json, text/xml;q=0.9", "User-Agent": "Harken"},
        )

    def read(self, path: str, **asked: str | int) -> list[dict[str, Any]]:
        """The records of a resource."""
        return self._call("GET", path, {name: str(value) for name, value in asked.items() if value != ""})

    def write(self, path: str, form: Mapping[str, str], *, key: str) -> list[dict[str, Any]]:
        """Post a form. v2 has no idempotency key; the header is for proxies and newer endpoints and hurts nobody."""
        secret = {"api_key": self.account.api_key.get_secret_value()} if self.account.api_key else {}
        return self._call("POST", path, {**form, **secret}, {"Idempotency-Key": key})

    def _call(
        self, method: str, path: str, values: dict[str, str], headers: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        if self.account.jurisdiction_id:
            values = {"jurisdiction_id": self.account.jurisdiction_id, **values}
        write = method == "POST"
        with translated(write=write):
            status, got, body = self._send(method, path, values, headers or {})
        if status in OTHER_FORMAT and self.format == "json" and not is_explained(body):
            self.format = "xml"
            with translated(write=write):
                status, got, body = self._send(method, path, values, headers or {})
            self.format = "json" if status in OTHER_FORMAT and not is_explained(body) else "xml"
        if not 200 <= status < 300:
            raise meaning(status, body, got, write=write)
        try:
            return records(body)
        except ValueError as err:
            raise failures.UNREADABLE.error(f"the CRM answered something unreadable: {err}", write=write) from err

    def _send(
        self, method: str, path: str, values: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, httpx.Headers, bytes]:
        url = f"{str(self.account.base_url).rstrip('/')}/{path}.{self.format}"
        where = {"data": values} if method == "POST" else {"params": values}
        until, body = time.monotonic() + http.ANSWER_WITHIN, bytearray()
        with self._http.stream(method, url, headers=headers, **where) as answer:  # type: ignore[arg-type]
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > http.LARGEST_BODY or time.monotonic() > until:
                    raise httpx.ReadError(f"the answer passed {http.LARGEST_BODY} bytes or {http.ANSWER_WITHIN:g} s")
            return answer.status_code, answer.headers, bytes(body)


@contextmanager
def translated(*, write: bool) -> Iterator[None]:
    """What httpx raises, in our words; after a write, whatever is not surely undone is ``InDoubt``."""
    try:
        yield
    except NEVER_CONNECTED as err:
        told = f"the CRM can't be reached: {str(err) or type(err).__name__}"
        raise failures.NOT_REACHED.error(told, write=write) from err
    except (httpx.HTTPError, httpx.StreamError) as err:
        told = f"the CRM gave no whole answer: {str(err) or type(err).__name__}"
        raise failures.NO_ANSWER.error(told, write=write) from err


def meaning(status: int, body: bytes, headers: Mapping[str, str], *, write: bool) -> AdapterError:
    """An answer that is no success, as the error that says what to do next."""
    told = f"the CRM: HTTP {status}: {explanation(body)}"
    row = failures.meaning(FAILURES, status=status, told=told)
    return row.error(
        told, write=write, retry_at=lambda: free_again(headers.get("Retry-After", ""), now=datetime.now(UTC))
    )


def explanation(body: bytes) -> str:
    """The words of an error list, or that there is none (HTML error pages are common)."""
    try:
        errors = records(body)
    except ValueError:
        return "no explanation"
    words = [str(error.get("description") or error.get("code") or "") for error in errors[:5]]
    return http.redacted("; ".join(filter(None, words)))[:500] or "no explanation"


def is_explained(body: bytes) -> bool:
    """Whether an error answer is GeoReport's own, so that the format is not what is wrong."""
    try:
        return any("description" in error or "code" in error for error in records(body))
    except ValueError:
        return False


def free_again(retry_after: str, *, now: datetime) -> datetime:
    """When a rate limit ends: ``Retry-After`` in seconds or as a date."""
    try:
        if retry_after.strip().isdecimal():
            return now + min(timedelta(seconds=int(retry_after)), timedelta(hours=24))
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return now + USUAL_WAIT
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment if now < moment < now + timedelta(hours=24) else now + USUAL_WAIT


def records(body: bytes) -> list[dict[str, Any]]:
    """The objects of an answer, JSON or XML, listed or alone, wrapped or not.

    Raises:
        ValueError: it is neither.
    """
    text = decoded(body).strip()
    if text.startswith("<"):
        return from_xml(text)
    try:
        value = http.parsed(text.encode())
    except ValueError:
        value = http.parsed(ZERO_PADDED.sub(r'\1"\2"', text).encode())
    return listed(value)


def listed(value: Any) -> list[dict[str, Any]]:
    """A list of objects, out of the wrappers that some endpoints put around it.

    Raises:
        ValueError: there are no objects in it.
    """
    if isinstance(value, dict):
        inner = [
            value[name] for name in ("service_requests", "services", "errors", "request", "service") if name in value
        ]
        return listed(inner[0]) if inner and isinstance(inner[0], dict | list) else [value]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("neither a list of objects nor one")
    return value


def decoded(body: bytes) -> str:
    """UTF-8 as the specification demands, else what older systems write."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def from_xml(text: str) -> list[dict[str, Any]]:
    """The children of the root, each as an object.

    Raises:
        ValueError: it is no XML, or a web page, or one made to break a parser.
    """
    try:
        root = ElementTree.fromstring(re.sub(r"^<\?xml[^>]*\?>", "", text))
    except (ParseError, DefusedXmlException, RecursionError) as err:
        raise ValueError(f"no XML: {type(err).__name__}") from None
    if _name(root) == "html":
        raise ValueError("a web page")
    items = list(root)
    if items and all(len(item) == 0 for item in items):  # one object without its list
        return [_object(root)]
    return [_object(item) for item in items]


def _object(element: Element) -> dict[str, Any]:
    return {_name(child): [_object(one) for one in child] if len(child) else child.text for child in element}


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def moment(text: str | None, zone: str) -> datetime | None:
    """A time as aware UTC; None where there is none or it can't be read."""
    try:
        read = datetime.fromisoformat((text or "").strip())
        return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
