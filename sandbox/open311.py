"""A CRM behind Open311 GeoReport v2, JSON and XML.

Source: GeoReport v2 (open311/open311.github.io, GeoReport_v2/index.md, read 2026-11). Extensions seen in the wild:
``page``, ``page_size``, ``updated_after``, ``updated_before``, ``extensions=true`` (shows ``attributes``). No service
has a definition (``metadata`` is false), but ``attribute[...]`` is taken and kept whatever it is called. The endpoint
has no idempotency key, as the real ones have none: the same POST twice opens two requests.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Path, Request, Response

from sandbox.clock import parsed, rfc3339
from sandbox.effects import Effect
from sandbox.open311_format import Format, Open311Error, respond
from sandbox.seed import Service
from sandbox.tickets import Ticket
from sandbox.world import BodyDep, World, WorldDep

router = APIRouter(prefix="/open311")

LONGEST_DESCRIPTION = 4000
SPAN = timedelta(days=90)
MOST = 1000
CHANGED = "2026-01-01T00:00:00Z"  #: changeset of the endpoint: its services never change while it runs

FormatDep = Annotated[Format, Path(alias="format", pattern="^(json|xml)$")]


def query_of(request: Request) -> dict[str, str]:
    """The parameters that say something: an empty one counts as absent."""
    return {name: value for name, value in request.query_params.items() if value}


QueryDep = Annotated[dict[str, str], Depends(query_of)]


def _check_jurisdiction(world: World, given: Mapping[str, str]) -> None:
    wanted = world.seed.jurisdiction_id
    if not wanted:
        return
    if "jurisdiction_id" not in given:
        raise Open311Error(400, "jurisdiction_id was not provided")
    if given["jurisdiction_id"] != wanted:
        raise Open311Error(404, "jurisdiction_id provided was not found")


@router.get("/discovery.{format}")
@router.get("/v2/discovery.{format}")
def discovery(format: FormatDep, request: Request) -> Response:
    endpoint = {
        "specification": "http://wiki.open311.org/GeoReport_v2",
        "url": f"{str(request.base_url).rstrip('/')}/open311/v2",
        "changeset": CHANGED,
        "type": "test",
        "formats": ["text/xml", "application/json"],
    }
    found = {
        "changeset": CHANGED,
        "contact": "The sandbox has no staff.",
        "key_service": "Keys come from the sandbox's seed.",
        "endpoints": [endpoint],
    }
    return respond(found, format, "discovery")


@router.get("/v2/services.{format}")
def services(format: FormatDep, world: WorldDep, query: QueryDep) -> Response:
    _check_jurisdiction(world, query)
    shown = [
        {
            "service_code": service.service_code,
            "service_name": service.service_name,
            "description": service.description,
            "metadata": False,
            "type": world.tickets.mode,
            "keywords": service.keywords,
            "group": service.group,
        }
        for service in world.seed.services
    ]
    return respond(shown, format, "services")


@router.get("/v2/services/{code}.{format}")
def definition(code: str, format: FormatDep, world: WorldDep, query: QueryDep) -> Response:
    _check_jurisdiction(world, query)
    service = _service(world, code)
    return respond({"service_code": service.service_code, "attributes": []}, format, "service_definition")


def _service(world: World, code: str) -> Service:
    found = next((service for service in world.seed.services if service.service_code == code), None)
    if found is None:
        raise Open311Error(404, f"service_code {code} was not found")
    return found


@router.post("/v2/requests.{format}")
def open_request(format: FormatDep, request: Request, body: BodyDep, world: WorldDep) -> Response:
    kind = request.headers.get("content-type", "")
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise Open311Error(400, "the body must be application/x-www-form-urlencoded")
    given = _given(body)
    _check_jurisdiction(world, given)
    if given.get("api_key") not in world.seed.api_keys:
        raise Open311Error(403, "Invalid api_key received -- can't proceed with create_request.")
    _check_request(world, given)
    kept = {name: value for name, value in given.items() if name not in ("api_key", "service_code", "jurisdiction_id")}
    key = request.headers.get("idempotency-key") or _own_key(kept)
    with world.database.transaction():
        ticket = world.tickets.open(given["service_code"], kept)
        id = ticket.service_request_id or ticket.token or f"blackbox-{ticket.number}"
        world.effects.note(Effect(platform="open311", kind="request", id=id, text=kept.get("description"), key=key))
    shown: dict[str, Any] = {"service_notice": "", "account_id": None}
    if ticket.service_request_id:
        shown = {"service_request_id": ticket.service_request_id, **shown}
    elif ticket.token:
        shown = {"token": ticket.token, **shown}
    return respond([shown], format, "service_requests", status=201)


def _given(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=False)
    except UnicodeDecodeError:
        raise Open311Error(400, "the body is not UTF-8") from None
    given: dict[str, str] = {}
    for name, value in pairs:  # attribute[CODE][] may come several times
        given[name] = f"{given[name]},{value}" if name in given and name.endswith("[]") else value
    return given


def _check_request(world: World, given: Mapping[str, str]) -> None:
    if "service_code" not in given:
        raise Open311Error(400, "service_code was not provided")
    _service(world, given["service_code"])
    if not ("lat" in given and "long" in given) and not {"address_string", "address_id"} & set(given):
        raise Open311Error(400, "lat and long, address_string or address_id must be provided")
    for name, most in (("lat", 90.0), ("long", 180.0)):
        try:
            ok = abs(float(given.get(name, "0"))) <= most
        except ValueError:
            ok = False
        if not ok:
            raise Open311Error(400, f"{name} is not a coordinate")
    if len(given.get("description", "")) > LONGEST_DESCRIPTION:
        raise Open311Error(400, f"description is longer than {LONGEST_DESCRIPTION} characters")


def _own_key(given: Mapping[str, str]) -> str | None:
    """The caller's own record key, where an attribute looks like one."""
    endings = ("key]", "id]", "reference]", "ref]")
    return next(
        (value for name, value in given.items() if name.startswith("attribute[") and name.endswith(endings)), None
    )


@router.get("/v2/requests.{format}")
def search(format: FormatDep, world: WorldDep, query: QueryDep) -> Response:
    _check_jurisdiction(world, query)
    found = [ticket for ticket in world.tickets.all() if _fits(ticket, query, world.clock.now())]
    size = _number(query, "page_size", MOST, highest=MOST)
    skipped = (max(_number(query, "page", 1), 1) - 1) * size
    shown = [_shown(world, ticket, query) for ticket in found[skipped : skipped + size]]
    return respond(shown, format, "service_requests")


def _fits(ticket: Ticket, query: Mapping[str, str], now: datetime) -> bool:
    if "service_request_id" in query:  # overrides every other filter, by the specification
        return ticket.service_request_id in _listed(query["service_request_id"])
    start, end = _moment(query, "start_date"), _moment(query, "end_date")
    end = end or (start + SPAN if start else now + timedelta(seconds=1))
    start = max(start or end - SPAN, end - SPAN)
    after, before = _moment(query, "updated_after"), _moment(query, "updated_before")
    return (
        start <= ticket.requested_at.replace(microsecond=0) <= end
        and ("service_code" not in query or ticket.service_code in _listed(query["service_code"]))
        and ("status" not in query or ticket.status in _listed(query["status"]))
        and (after is None or ticket.updated_at.replace(microsecond=0) >= after)
        and (before is None or ticket.updated_at.replace(microsecond=0) <= before)
    )


def _listed(text: str) -> set[str]:
    return {part.strip() for part in text.split(",")}


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    try:
        return parsed(query[name].replace(" ", "+")) if name in query else None
    except ValueError:
        raise Open311Error(400, f"{name} is not a date and time with a zone") from None


def _number(query: Mapping[str, str], name: str, default: int, *, highest: int = 1_000_000) -> int:
    given = query.get(name, str(default))
    if not given.isdecimal():
        raise Open311Error(400, f"{name} is not a number")
    return min(int(given), highest) or default


@router.get("/v2/requests/{id}.{format}")
def one_request(id: str, format: FormatDep, world: WorldDep, query: QueryDep) -> Response:
    _check_jurisdiction(world, query)
    found = [ticket for ticket in world.tickets.all() if ticket.service_request_id == id]
    if not found:
        raise Open311Error(404, f"service_request_id {id} was not found")
    return respond([_shown(world, ticket, query) for ticket in found], format, "service_requests")


@router.get("/v2/tokens/{token}.{format}")
def token(token: str, format: FormatDep, world: WorldDep, query: QueryDep) -> Response:
    _check_jurisdiction(world, query)
    try:
        ticket = world.tickets.poll(token)
    except LookupError:
        raise Open311Error(404, f"token {token} was not found") from None
    return respond([{"service_request_id": ticket.service_request_id, "token": token}], format, "service_requests")


def _shown(world: World, ticket: Ticket, query: Mapping[str, str]) -> dict[str, Any]:
    service = next((one for one in world.seed.services if one.service_code == ticket.service_code), None)
    given = ticket.fields
    shown: dict[str, Any] = {
        "service_request_id": ticket.service_request_id,
        "status": ticket.status,
        "status_notes": ticket.status_notes or None,
        "service_name": service.service_name if service else ticket.service_code,
        "service_code": ticket.service_code,
        "description": given.get("description"),
        "agency_responsible": service.agency if service and service.agency else None,
        "service_notice": None,
        "requested_datetime": rfc3339(ticket.requested_at),
        "updated_datetime": rfc3339(ticket.updated_at),
        "expected_datetime": None,
        "address": given.get("address_string"),
        "address_id": given.get("address_id"),
        "zipcode": None,
        "lat": float(given["lat"]) if "lat" in given else None,
        "long": float(given["long"]) if "long" in given else None,
        "media_url": given.get("media_url"),
    }
    if query.get("extensions", "").lower() == "true":
        shown["attributes"] = [
            {"code": name.removeprefix("attribute[").partition("]")[0], "value": value}
            for name, value in given.items()
            if name.startswith("attribute[")
        ]
    return shown
