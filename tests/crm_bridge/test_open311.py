"""The Open311 bridge: against the sandbox's CRM, and against a server that plays what real endpoints answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from crm_bridge import open311
from crm_bridge.base import TicketChange
from crm_bridge.open311 import Open311Bridge, outcome
from errors import AdapterError, ConfigError, InDoubt, RateLimited, Refused, Unauthorized, Unavailable
from sandbox.running import Running, running
from tests.fixtures.playing import HASTY, PATIENT, Answer, playing
from vocabulary import Outcome, ServiceRequest, Ticket, TicketStatus

NOW = datetime.now(UTC)
KEY = "sandbox-api-key"


@pytest.fixture(scope="module")
def network() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def city(network: Running) -> Running:
    network.ctl.reset()
    return network


def a_bridge(url: str, **more: Any) -> Open311Bridge:
    general = {"kind": "open311", "sending": "armed", "wait": timedelta(minutes=10), "jurisdiction_id": ""}
    made = open311.connect(general | {"base_url": url, "api_key": KEY, "read_within": PATIENT} | more)
    assert isinstance(made, Open311Bridge)
    return made


def of(city: Running, **more: Any) -> Open311Bridge:
    return a_bridge(f"{city.url}/open311/v2", **more)


def a_request(reference: str = "AF-7QK2M9", **more: Any) -> ServiceRequest:
    made: dict[str, Any] = {
        "service_code": "pothole_road",
        "description": "Deep hole, cafe\u0301 side 🕳️",
        "lat": 41.5,
        "long": -90.5,
    }
    return ServiceRequest(reference=reference, requested_at=NOW - timedelta(minutes=5), **(made | more))


def as_xml(city: Running) -> Open311Bridge:
    bridge = of(city)
    bridge._endpoint.format = "xml"
    return bridge


def test_a_ticket_is_opened_and_found_by_our_reference(city: Running) -> None:
    bridge, request = of(city), a_request()

    assert bridge.find(request, key="ticket-1") is None
    ticket = bridge.open_ticket(request, key="ticket-1")
    found = bridge.find(request, key="ticket-1")

    kept = city.ctl.requests()[0]
    assert kept["service_request_id"] == ticket.service_request_id
    assert kept["description"] == "Deep hole, cafe\u0301 side 🕳️ [Ref AF-7QK2M9]"
    assert (kept["fields"]["lat"], kept["fields"]["long"]) == ("41.500000", "-90.500000")
    assert city.ctl.effects()[0]["key"] == "ticket-1"
    assert found is not None
    assert found.service_request_id == ticket.service_request_id


def test_everything_works_in_xml_too(city: Running) -> None:
    bridge, request = as_xml(city), a_request(address="12 Elm St")

    ticket = bridge.open_ticket(request, key="ticket-1")
    city.ctl.close_request(str(ticket.service_request_id), "Pothole filled")

    assert bridge.find(request, key="ticket-1") is not None
    assert bridge.status(ticket).outcome is Outcome.FIXED
    assert len(bridge.services()) == 21
    assert [change.reference for change in bridge.changed_since(NOW - timedelta(minutes=1))] == ["AF-7QK2M9"]


def test_the_services_are_the_crm_s_own(city: Running) -> None:
    service = of(city).services()[0]

    assert (service.service_code, service.group) == ("pothole_road", "streets")
    assert service.keywords == ("pothole", "road", "asphalt")


def test_a_token_is_asked_after_until_it_is_an_id(city: Running) -> None:
    city.ctl.open311("batch", polls=2)
    bridge = of(city)

    ticket = bridge.open_ticket(a_request(), key="ticket-1")
    waiting = bridge.status(ticket)
    numbered = bridge.status(waiting)

    assert (ticket.service_request_id, waiting.service_request_id) == (None, None)
    assert ticket.token == waiting.token == numbered.token
    assert numbered.service_request_id is not None
    assert len(city.ctl.requests()) == 1


def test_a_token_that_is_not_known_yet_stays_a_token() -> None:
    ticket = Ticket(service_request_id=None, token="a/b c")
    with playing(Answer(status=404, body=[{"code": 404, "description": "token not found"}])) as stage:
        assert a_bridge(stage.url).status(ticket) == ticket

        assert stage.asked[0].path == "/tokens/a%2Fb%20c.json"


def test_a_black_box_gives_neither_and_is_found_all_the_same(city: Running) -> None:
    city.ctl.open311("blackbox")
    bridge, request = of(city), a_request()

    ticket = bridge.open_ticket(request, key="ticket-1")

    assert (ticket.service_request_id, ticket.token) == (None, None)
    assert bridge.status(ticket) == ticket
    assert bridge.find(request, key="ticket-1") is not None


def test_a_closed_ticket_says_how_it_ended(city: Running) -> None:
    bridge = of(city)
    ticket = bridge.open_ticket(a_request(), key="ticket-1")
    before = bridge.status(ticket)
    city.ctl.close_request(str(ticket.service_request_id), "Duplicate of 26-00000001")

    after = bridge.status(ticket)

    assert (before.status, before.outcome) == (TicketStatus.OPEN, Outcome.UNKNOWN)
    assert (after.status, after.outcome) == (TicketStatus.CLOSED, Outcome.DUPLICATE)
    assert after.updated_at is not None
    assert after.status_notes == "Duplicate of 26-00000001"


def test_what_changed_is_told_page_by_page(city: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open311, "AT_ONCE", 10)
    bridge = of(city)
    for n in range(25):
        bridge.open_ticket(a_request(f"AF-AAAA{n:02}"), key=f"ticket-{n}")

    changes = list(bridge.changed_since(NOW - timedelta(minutes=1)))
    none = list(bridge.changed_since(datetime.now(UTC) + timedelta(hours=1)))

    assert {change.reference for change in changes} == {f"AF-AAAA{n:02}" for n in range(25)}
    assert none == []


def test_an_old_ticket_that_closes_today_is_told(city: Running) -> None:
    city.ctl.clock(shift=-200 * 86400)
    ticket = of(city).open_ticket(a_request(), key="ticket-1")
    city.ctl.clock(shift=200 * 86400)
    city.ctl.close_request(str(ticket.service_request_id), "Pothole filled")

    changes = list(of(city).changed_since(NOW - timedelta(minutes=1)))

    city.ctl.clock(shift=0)
    assert [change.ticket.outcome for change in changes] == [Outcome.FIXED]


@pytest.mark.parametrize("kind", ["500", "503", "timeout", "reset", "cut_json", "html"])
def test_what_was_done_but_not_answered_is_in_doubt_and_found(
    city: Running, kind: str, wait_until: Callable[..., None]
) -> None:
    city.ctl.faults("open311.create", kind, after_effect=True, seconds=30)
    opener, request = of(city, read_within=HASTY if kind == "timeout" else PATIENT), a_request()

    with pytest.raises(InDoubt):
        opener.open_ticket(request, key="ticket-1")

    wait_until(city.ctl.effects)
    assert of(city).find(request, key="ticket-1") is not None


def test_a_wrong_key_pauses_the_crm(city: Running) -> None:
    with pytest.raises(Unauthorized) as caught:
        of(city, api_key="wrong-key").open_ticket(a_request(), key="ticket-1")

    assert "wrong-key" not in str(caught.value)


def test_an_unknown_service_is_refused(city: Running) -> None:
    with pytest.raises(Refused, match="service_code"):
        of(city).open_ticket(a_request(service_code="no such"), key="ticket-1")


def test_the_jurisdiction_and_the_address_of_the_city_are_sent() -> None:
    with playing(Answer(body=[{"service_request_id": "1"}])) as stage:
        bridge = a_bridge(stage.url, jurisdiction_id="city.gov", email="311@city.gov")
        bridge.open_ticket(a_request(lat=None, long=None, address="12 Elm St"), key="ticket-1")
        list(bridge.services())

        form = parse_qs(stage.asked[0].body.decode())
        assert (form["jurisdiction_id"], form["email"]) == (["city.gov"], ["311@city.gov"])
        assert (form["address_string"], form["api_key"]) == (["12 Elm St"], [KEY])
        assert "lat" not in form
        assert stage.asked[1].query == {"jurisdiction_id": "city.gov"}


def test_a_long_description_keeps_its_reference() -> None:
    with playing(Answer(body=[{"service_request_id": "1"}])) as stage:
        a_bridge(stage.url).open_ticket(a_request(description="🕳️ é" * 3000), key="ticket-1")

        description = parse_qs(stage.asked[0].body.decode())["description"][0]
        assert len(description) == 4000
        assert description.endswith(" [Ref AF-7QK2M9]")


def test_an_endpoint_without_json_is_spoken_to_in_xml() -> None:
    xml = b"""<?xml version="1.0" encoding="utf-8"?><service_requests type="array"><request>
        <service_request_id>0042</service_request_id></request></service_requests>"""
    with playing(Answer(status=404, body=b"<html>not here</html>"), Answer(body=xml)) as stage:
        bridge = a_bridge(stage.url)
        ticket = bridge.open_ticket(a_request(), key="ticket-1")
        bridge.services()

        assert ticket.service_request_id == "0042"
        assert [asked.path for asked in stage.asked] == ["/requests.json", "/requests.xml", "/services.xml"]


@pytest.mark.parametrize(
    "body",
    [
        b'[{"service_request_id": 0042}]',
        b'{"service_request_id": "0042"}',
        b'{"service_requests": [{"service_request_id": "0042"}]}',
        b'{"service_requests": {"request": {"service_request_id": "0042", "service_notice": null}}}',
        b'\xef\xbb\xbf[{"service_request_id": "0042", "service_notice": "se\xf1or"}]',
        b"<service_requests><request><service_request_id>0042</service_request_id></request></service_requests>",
        b"<request><service_request_id>0042</service_request_id></request>",
        b'<?xml version="1.0" encoding="UTF-16"?><r xmlns="x"><a><service_request_id>0042</service_request_id></a></r>',
    ],
    ids=["zero-padded", "one object", "wrapped", "wrapped twice", "latin-1", "xml", "one in xml", "odd xml"],
)
def test_an_id_is_read_out_of_any_shape(body: bytes) -> None:
    with playing(Answer(status=201, body=body)) as stage:
        assert a_bridge(stage.url).open_ticket(a_request(), key="ticket-1").service_request_id == "0042"


def test_a_number_is_an_id() -> None:
    with playing(Answer(body=[{"service_request_id": 17.0, "token": ""}])) as stage:
        ticket = a_bridge(stage.url).open_ticket(a_request(), key="ticket-1")

    assert (ticket.service_request_id, ticket.token) == ("17", None)


def listed(**more: Any) -> dict[str, Any]:
    made = {
        "service_request_id": 7,
        "status": "Closed",
        "status_notes": "Crew patched it",
        "description": "x [Ref AF-7QK2M9]",
        "updated_datetime": "2026-11-21 08:00:00",
        "expected_datetime": "soon",
    }
    return made | more


def changes(*answers: Answer, since: datetime | None = None, **more: Any) -> list[TicketChange]:
    with playing(*answers, Answer(body=[])) as stage:
        return list(a_bridge(stage.url, **more).changed_since(since or datetime(2026, 11, 1, tzinfo=UTC)))


def test_a_naive_time_is_the_city_s() -> None:
    found = changes(Answer(body=[listed()]), time_zone="America/Chicago")

    assert found[0].ticket.updated_at == datetime(2026, 11, 21, 14, tzinfo=UTC)
    assert found[0].ticket.expected_at is None
    assert (found[0].ticket.service_request_id, found[0].reference) == ("7", "AF-7QK2M9")


def test_a_bad_record_costs_only_itself() -> None:
    bad = [listed(status={"value": 1}), {}, listed(service_request_id=[1])]

    found = changes(Answer(body=[*bad, listed(service_request_id="8", status=None, description=None)]))

    assert [(c.ticket.service_request_id, c.ticket.status, c.reference) for c in found] == [
        ("8", TicketStatus.OPEN, None)
    ]


def test_an_endpoint_that_ignores_updated_after_is_sifted_and_not_read_for_years() -> None:
    old = listed(service_request_id="1", updated_datetime="2026-10-01T00:00:00Z")
    with playing(Answer(body=[old, listed()]), Answer(body=[])) as stage:
        found = list(a_bridge(stage.url).changed_since(datetime.now(UTC) - timedelta(days=1)))

        assert len(stage.asked) == 2
    assert [change.ticket.service_request_id for change in found] in (["7"], [])


def test_an_endpoint_without_pages_is_asked_for_shorter_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open311, "CAP", 3)
    monkeypatch.setattr(open311, "WINDOWS_BACK", 1)
    full = Answer(body=[listed(service_request_id=str(n)) for n in range(3)])
    first_half = Answer(body=[listed(service_request_id="9")])

    found = changes(full, full, first_half, first_half)

    assert {change.ticket.service_request_id for change in found} == {"0", "1", "2", "9"}


def test_a_request_still_without_a_number_is_found() -> None:
    pending = {"description": "hole [Ref AF-7QK2M9]", "status": "open"}
    with playing(Answer(body=[{"description": "AF-7QK2M99"}, pending]), Answer(body=[])) as stage:
        assert a_bridge(stage.url).find(a_request(), key="ticket-1") == Ticket(service_request_id=None)


def test_a_request_is_found_by_an_attribute() -> None:
    kept = {"service_request_id": "5", "attributes": [{"code": "ref", "value": "AF-7QK2M9"}]}
    with playing(Answer(body=[kept]), Answer(body=[])) as stage:
        found = a_bridge(stage.url).find(a_request(), key="ticket-1")

    assert found is not None
    assert found.service_request_id == "5"


def test_a_request_without_an_address_of_its_own_is_searched() -> None:
    gone = Answer(status=404, body=[{"code": 404, "description": "not found"}])
    with playing(gone, Answer(body=[listed()])) as stage:
        found = a_bridge(stage.url).status(Ticket(service_request_id="7"))

        assert stage.asked[1].query == {"service_request_id": "7"}
    assert found.outcome is Outcome.FIXED


def test_a_request_that_is_gone_is_refused() -> None:
    gone = Answer(status=404, body=[{"code": 404, "description": "not found"}])
    with playing(gone, Answer(body=[])) as stage, pytest.raises(Refused):
        a_bridge(stage.url).status(Ticket(service_request_id="7"))


def test_a_request_of_no_shape_is_unavailable() -> None:
    with playing(Answer(body=[{"service_request_id": {"id": 7}}])) as stage, pytest.raises(Unavailable):
        a_bridge(stage.url).status(Ticket(service_request_id="7"))


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("120", 120), ("", 900), ("later", 900), ("Fri, 01 Jan 2021 00:00:00 GMT", 900)],
    ids=["with its time", "without", "nonsense", "past"],
)  # fmt: skip
def test_a_429_says_when_to_come_back(retry_after: str, seconds: int) -> None:
    with (
        playing(Answer(status=429, headers={"Retry-After": retry_after} if retry_after else {})) as stage,
        pytest.raises(RateLimited) as caught,
    ):
        a_bridge(stage.url).services()

    assert abs(caught.value.retry_at - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=20)


FAILURES = [
    (Answer(status=500, body=b"<html>"), InDoubt, Unavailable),
    (Answer(status=302, headers={"Location": "/"}), InDoubt, Unavailable),
    (Answer(status=200, body=b"<!DOCTYPE html><html><p>Welcome</html>"), InDoubt, Unavailable),
    (Answer(status=200, body=b"<html><body/></html>"), InDoubt, Unavailable),
    (Answer(status=200, body=b'[{"service_re'), InDoubt, Unavailable),
    (Answer(status=200, body=b"[" * 100_000), InDoubt, Unavailable),
    (Answer(status=200, body=b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), InDoubt, Unavailable),
    (Answer(status=200, body=b""), InDoubt, Unavailable),
    (Answer(status=200, body=[1]), InDoubt, Unavailable),
    (Answer(reset=True), InDoubt, Unavailable),
    (Answer(wait=60), InDoubt, Unavailable),
    (Answer(status=400, body=b"<html>"), Refused, Refused),
    (Answer(status=400, body=[{"code": 400, "description": "no"}]), Refused, Refused),
    (Answer(status=403, body=[{"code": 403, "description": "key"}]), Unauthorized, Unauthorized),
    (Answer(status=401), Unauthorized, Unauthorized),
    (Answer(status=429), RateLimited, RateLimited),
]


@pytest.mark.parametrize(
    ("answer", "writing", "reading"), FAILURES, ids=[f"{a.status} {str(a.body)[:24]} {a.wait}" for a, _, _ in FAILURES]
)
def test_each_failure_says_what_happens_next(
    answer: Answer, writing: type[AdapterError], reading: type[AdapterError]
) -> None:
    with playing(answer) as stage:
        bridge = a_bridge(stage.url, read_within=answer.read_within)
        with pytest.raises(AdapterError) as written:
            bridge.open_ticket(a_request(), key="ticket-1")
        with pytest.raises(AdapterError) as read:
            bridge.find(a_request(), key="ticket-1")

    assert isinstance(written.value, writing)
    assert isinstance(read.value, reading)
    assert KEY not in f"{written.value} {read.value}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], InDoubt),
        ([{"service_request_id": {"a": 1}}], InDoubt),
        ([{"code": 403, "description": "bad key"}], Unauthorized),
        ([{"code": 400, "description": "no"}], Refused),
        ([{"code": "E7", "description": "odd"}], InDoubt),
    ],
    ids=["nothing", "no shape", "key error in a 200", "error in a 200", "unknown error in a 200"],
)
def test_a_yes_that_is_none_is_seen_through(body: Any, expected: type[AdapterError]) -> None:
    with playing(Answer(body=body)) as stage, pytest.raises(AdapterError) as caught:
        a_bridge(stage.url).open_ticket(a_request(), key="ticket-1")

    assert type(caught.value) is expected


def test_a_refused_connection_is_surely_undone(silent_port: int) -> None:
    with pytest.raises(Unavailable):
        a_bridge(f"http://127.0.0.1:{silent_port}").open_ticket(a_request(), key="ticket-1")


@pytest.mark.parametrize(
    ("status", "notes", "expected"),
    [
        ("closed", "", Outcome.UNKNOWN),
        ("closed", "Thank you for your report.", Outcome.UNKNOWN),
        ("FIXED", "", Outcome.FIXED),
        ("closed", "The pothole has been repaired.", Outcome.FIXED),
        ("closed", "Completed under warranty", Outcome.FIXED),
        ("closed", "Could not be repaired this season", Outcome.UNKNOWN),
        ("closed", "Will be fixed in spring", Outcome.UNKNOWN),
        ("closed", "Unable to complete", Outcome.UNKNOWN),
        ("closed", "Incomplete address", Outcome.UNKNOWN),
        ("closed", "Duplicate of 17, fixed yesterday", Outcome.DUPLICATE),
        ("closed", "Crew couldn't find the hole", Outcome.NOT_FOUND),
        ("closed", "No pothole was found", Outcome.NOT_FOUND),
        ("closed", "Referred to the state highway department", Outcome.REFERRED),
        ("closed", "This is private property", Outcome.NOT_OURS),
        ("NOT_COUNCILS_RESPONSIBILITY", "", Outcome.NOT_OURS),
        ("closed", "No further action", Outcome.NO_ACTION),
        ("cancelled", "", Outcome.CANCELLED),
    ],
)
def test_closed_is_not_fixed(status: str, notes: str, expected: Outcome) -> None:
    assert outcome(status, notes) is expected


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"base_url": ""}, "base_url"), ({"base": "x"}, "base"), ({"time_zone": "Mars/Olympus"}, "time_zone")],
    ids=["no address", "typo", "no such zone"],
)
def test_a_wrong_key_is_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        a_bridge("http://127.0.0.1:1", **wrong)

    assert KEY not in str(caught.value)
