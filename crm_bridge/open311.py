"""Tickets in a CRM that speaks Open311 GeoReport v2.

The protocol has no idempotency key and no field for ours, so the reference stands at the end of the description,
`` [Ref AF-7QK2M9]``; no ``attribute[…]`` is sent that the service did not define, since strict endpoints refuse it. A
service may answer with the id, with a token to be asked after, or with neither.

Source: GeoReport v2 (github.com/open311/open311.github.io, GeoReport_v2/index.md), the extensions ``updated_after``,
``page``, ``page_size`` and ``extensions`` (uReport, Chicago, Boston), the extended statuses of mySociety's open311
extension (read 2026-11).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from clients import failures, http, open311
from clients.keys import keys
from clients.open311 import Record
from crm_bridge.base import CrmBridge, TicketChange
from errors import Refused, Unavailable
from vocabulary import Offers, Outcome, Service, ServiceRequest, Ticket, TicketStatus

log = logging.getLogger(__name__)

LONGEST_DESCRIPTION = 4_000  #: characters, by the specification
SPAN = timedelta(days=90)  #: the longest stretch of one search
AT_ONCE = 100  #: a page, where the endpoint knows pages
CAP = 1_000  #: what an endpoint without pages serves at most
MOST_PAGES = 200
WINDOWS_BACK = 4  #: of 90 days, for tickets that closed late
BEFORE_OPENING = timedelta(
    days=1
)  #: how much earlier than the request a ticket's time may lie: their clock, their zone

REFERENCE = re.compile(r"\[Ref ([A-Z]{1,4}-[A-Z0-9]{6,})\]")

CLOSED = frozenset({
    "closed", "fixed", "duplicate", "no_further_action", "not_councils_responsibility", "cancelled", "canceled",
    "resolved", "completed",
})  # fmt: skip
#: What the words of a closed request's status or notes mean, the first that fits. Notes are never shown to residents.
OUTCOMES: tuple[tuple[Outcome, re.Pattern[str]], ...] = (
    (Outcome.DUPLICATE, re.compile(r"\bduplicate|already reported", re.I)),
    (
        Outcome.NOT_FOUND,
        re.compile(r"(?:\bnot|n't|\bunable to|\bcannot)(?: be)? (?:find|found|locate|located)\b", re.I),
    ),
    (Outcome.NOT_FOUND, re.compile(r"\bno \w+ (?:was )?found\b|\bnothing found\b", re.I)),
    (Outcome.NOT_OURS, re.compile(r"not_councils|\bnot (?:a )?(?:city|our|ours)\b|private property", re.I)),
    (Outcome.NOT_OURS, re.compile(r"outside (?:the |our )?(?:city|jurisdiction)", re.I)),
    (Outcome.REFERRED, re.compile(r"\brefer(?:red|ral)\b|\bforwarded\b|\btransferred\b", re.I)),
    (Outcome.CANCELLED, re.compile(r"\bcancell?ed\b|\bwithdrawn\b", re.I)),
    (Outcome.NO_ACTION, re.compile(r"\bno (?:further )?(?:action|work|violation)\b|no_further_action", re.I)),
)
FIXED = re.compile(
    r"\b(?:fixed|repaired|resolved|completed?|filled|patched|replaced|removed|cleaned|cleared|restored|collected)\b",
    re.I,
)
NOT_YET = re.compile(
    r"\b(?:not|never|no|un(?:able|fixed|repaired|resolved|successful\w*|finished)|cannot|won't|can't|couldn't|wasn't|will|scheduled|planned|pending|partly|partially|incomplete)\b",
    re.I,
)


OFFERS = Offers(
    lists_late=True,
    left="a request that the endpoint lists later than it rested; where descriptions are hidden a person looks",
)


class Open311Bridge(CrmBridge):
    """One GeoReport v2 endpoint."""

    offers = OFFERS

    def __init__(self, endpoint: open311.Endpoint) -> None:
        self._endpoint = endpoint

    def services(self) -> tuple[Service, ...]:
        """The CRM's own list; a line without a code is left out."""
        found = [open311.ServiceRecord.model_validate(item) for item in self._endpoint.read("services")]
        return tuple(
            Service(
                service_code=one.service_code,
                service_name=one.service_name or one.service_code,
                description=one.description or "",
                keywords=_keywords(one.keywords),
                group=one.group or "",
            )
            for one in found
            if one.service_code
        )

    def open_ticket(self, request: ServiceRequest, *, key: str) -> Ticket:
        """Post the request; the CRM's number, its token, or a ticket without either where it gives none."""
        found = self._endpoint.write("requests", self._form(request), key=key)
        try:
            record = Record.model_validate(found[0])
        except (IndexError, ValidationError) as err:
            raise failures.NO_ID.error("the CRM said yes, but not to what", write=True) from err
        if record.code and not record.service_request_id and not record.token:  # an error told in a 200
            status = int(record.code) if record.code.isdecimal() and record.code.startswith("4") else 500
            raise open311.meaning(status, http.packed([{"description": record.description}]), {}, write=True)
        return Ticket(service_request_id=record.service_request_id, token=record.token)

    def find(self, request: ServiceRequest, *, key: str) -> Ticket | None:
        """The ticket whose description or attributes carry our reference, among those of its time.

        Raises:
            Refused: the endpoint shows requests of that time without their descriptions: a person must look.
        """
        now = datetime.now(UTC)
        since = min(request.requested_at or now, now) - BEFORE_OPENING
        hidden = 0
        while since < now:
            for record in self._window(since, since + SPAN, now, service_code=request.service_code, extensions="true"):
                if carries(record, request.reference):
                    return self._ticket(record)
                hidden += not record.description
            since += SPAN
        if hidden:
            raise Refused(f"Open311: {hidden} requests have no description shown, so {request.reference} can't be told")
        return None

    def status(self, ticket: Ticket) -> Ticket:
        """The ticket as it stands now; a token is asked after until it has become an id."""
        if ticket.service_request_id is None:
            ticket = self._numbered(ticket)
        if ticket.service_request_id is None:
            return ticket
        record = self._one(ticket.service_request_id)
        return replace(self._ticket(record), service_request_id=ticket.service_request_id, token=ticket.token)

    def changed_since(self, moment: datetime) -> Iterator[TicketChange]:
        """Tickets changed since then, of those opened in the last year.

        ``updated_after`` keeps that cheap where the endpoint heeds it. Where it does not, all requests of the last 90
        days are read and no older ones: for those ask ``status``.
        """
        now = datetime.now(UTC)
        since = now - SPAN
        for _ in range(WINDOWS_BACK):
            heeded = True
            for record in self._window(since, since + SPAN, now, updated_after=_written(moment)):
                changed = open311.moment(record.updated_datetime, self._endpoint.account.time_zone)
                if changed is not None and changed < moment - timedelta(seconds=1):
                    heeded = False
                    continue
                found = REFERENCE.findall(record.description or "")
                if found or record.service_request_id:
                    yield TicketChange(ticket=self._ticket(record), reference=found[-1] if found else None)
            if not heeded and since <= moment:
                return
            since -= SPAN

    def _form(self, request: ServiceRequest) -> dict[str, str]:
        mark = f" [Ref {request.reference}]"
        form = {
            "service_code": request.service_code,
            "description": request.description[: LONGEST_DESCRIPTION - len(mark)].rstrip() + mark,
            "address_string": request.address,
            "email": self._endpoint.account.email,
        }
        if request.lat is not None and request.long is not None:
            form |= {"lat": f"{request.lat:.6f}", "long": f"{request.long:.6f}"}
        return {name: value for name, value in form.items() if value}

    def _numbered(self, ticket: Ticket) -> Ticket:
        """The ticket with its id, if the CRM has given the token one by now."""
        if ticket.token is None:
            return ticket
        try:
            found = self._endpoint.read(f"tokens/{quote(ticket.token, safe='')}")
        except open311.NotThere:
            return (
                ticket  # some endpoints know a token only once it is worked on; posting again would be a second ticket
            )
        ids = [record.service_request_id for record in map(_record, found) if record and record.service_request_id]
        return replace(ticket, service_request_id=ids[0]) if ids else ticket

    def _one(self, request_id: str) -> Record:
        """One request by its own address, or by a search where the endpoint has none."""
        try:
            found = self._endpoint.read(f"requests/{quote(request_id, safe='')}")
        except open311.NotThere:
            found = self._endpoint.read("requests", service_request_id=request_id)
        if not found:
            raise open311.NotThere(f"the CRM knows no request {request_id}")
        readable = [
            record for record in map(_record, found) if record and record.service_request_id in (None, request_id)
        ]
        if not readable:
            raise Unavailable(f"the CRM shows request {request_id} in a shape that we can't read")
        return readable[0]

    def _window(self, start: datetime, end: datetime, now: datetime, **asked: str) -> Iterator[Record]:
        """Every readable request opened in a stretch of at most 90 days, page by page where the endpoint knows pages.

        One that doesn't gives the same thousand again; then the stretch is halved.
        """
        dates = {"start_date": _written(start)} | ({"end_date": _written(end)} if end < now else {})
        seen: set[str] = set()
        for page in range(1, MOST_PAGES + 1):
            found = self._endpoint.read("requests", page=page, page_size=AT_ONCE, **dates, **asked)
            records = [record for record in map(_record, found) if record]
            fresh = [record for record in records if _name(record) not in seen]
            yield from fresh
            seen |= {_name(record) for record in fresh}
            if not fresh:
                break
        if page == 2 and len(found) >= CAP and end - start > timedelta(hours=1):
            middle = start + (end - start) / 2
            yield from self._window(start, middle, now, **asked)
            yield from self._window(middle, end, now, **asked)

    def _ticket(self, record: Record) -> Ticket:
        zone = self._endpoint.account.time_zone
        closed = (record.status or "").strip().lower().replace(" ", "_") in CLOSED
        return Ticket(
            service_request_id=record.service_request_id,
            token=record.token,
            status=TicketStatus.CLOSED if closed else TicketStatus.OPEN,
            status_notes=record.status_notes or "",
            expected_at=open311.moment(record.expected_datetime, zone),
            updated_at=open311.moment(record.updated_datetime, zone),
            outcome=outcome(record.status or "", record.status_notes or "") if closed else Outcome.UNKNOWN,
        )


def outcome(status: str, notes: str) -> Outcome:
    """How a closed request ended, by its words. Closed alone, or "fixed" beside a not or a will, is unknown."""
    said = f"{status} {notes}"
    for found, words in OUTCOMES:
        if words.search(said):
            return found
    return Outcome.FIXED if FIXED.search(said) and not NOT_YET.search(said) else Outcome.UNKNOWN


def carries(record: Record, reference: str) -> bool:
    """Whether our reference stands in the description or in an attribute."""
    marked = re.compile(rf"(?<![\w-]){re.escape(reference)}(?![\w-])")
    return bool(marked.search(record.description or "") or marked.search(repr(record.attributes or "")))


def _record(item: dict[str, Any]) -> Record | None:
    try:
        return Record.model_validate(item)
    except ValidationError as err:
        log.warning(
            "the CRM lists a request that can't be read: %s", [e["loc"] for e in err.errors(include_input=False)]
        )
        return None


def _name(record: Record) -> str:
    """What tells a request from another; some have no id yet while the CRM works on them."""
    return record.service_request_id or f"{record.token} {record.description}"


def _keywords(given: object) -> tuple[str, ...]:
    words = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    return tuple(word.strip() for word in words if isinstance(word, str) and word.strip())


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def connect(table: dict[str, Any]) -> CrmBridge:
    """The bridge to one endpoint.

    Raises:
        ConfigError: a key is wrong or missing.
    """
    return Open311Bridge(open311.Endpoint(keys(open311.Account, table)))
