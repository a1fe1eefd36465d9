"""The CRM's GeoReport v2 endpoint."""

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from sandbox.running import Running, running

FORM = {
    "api_key": "sandbox-api-key",
    "service_code": "pothole_road",
    "address_string": "100 Elm St",
    "description": "A hole",
}


def get(network: Running, path: str, **query: str) -> Any:
    return requests.get(f"{network.url}/open311/v2/{path}", params=query, timeout=60).json()


def post(network: Running, **form: str) -> requests.Response:
    return requests.post(f"{network.url}/open311/v2/requests.json", data={**FORM, **form}, timeout=60)


def test_a_request_gets_its_number_at_once(network: Running) -> None:
    (opened,) = post(network, **{"attribute[harken_key]": "request-7"}).json()

    (found,) = get(network, f"requests/{opened['service_request_id']}.json")
    assert found["status"] == "open"
    assert found["description"] == "A hole"
    assert found["address"] == "100 Elm St"
    (effect,) = network.ctl.effects()
    assert (effect["platform"], effect["kind"], effect["key"]) == ("open311", "request", "request-7")


def test_our_key_can_be_read_back(network: Running) -> None:
    post(network, **{"attribute[harken_key]": "request-7"})

    (found,) = get(network, "requests.json", extensions="true")

    assert found["attributes"] == [{"code": "harken_key", "value": "request-7"}]


def test_the_same_post_twice_opens_two_requests(network: Running) -> None:
    post(network)
    post(network)

    assert len(get(network, "requests.json")) == 2


def test_in_batch_mode_the_number_comes_after_some_polls(network: Running) -> None:
    network.ctl.open311("batch", polls=2)
    token = post(network).json()[0]["token"]

    answers = [get(network, f"tokens/{token}.json")[0]["service_request_id"] for _ in range(2)]

    assert answers[0] is None
    assert answers[1]


def test_a_black_box_tells_nothing(network: Running) -> None:
    network.ctl.open311("blackbox")

    (opened,) = post(network).json()

    assert not {"service_request_id", "token"} & set(opened)


def test_closing_shows_in_status_notes_and_time(network: Running) -> None:
    id = post(network).json()[0]["service_request_id"]

    network.ctl.close_request(id, "Filled on Tuesday")

    (found,) = get(network, "requests.json", status="closed")
    assert (found["status"], found["status_notes"]) == ("closed", "Filled on Tuesday")
    assert get(network, "requests.json", status="open") == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"service_code": "noise"}, 1),
        ({"service_code": "noise,pothole_road"}, 3),
        ({"page_size": "2"}, 2),
        ({"page_size": "2", "page": "2"}, 1),
        ({"end_date": "2020-01-01T00:00:00Z"}, 0),
        ({"updated_after": "2020-01-01T00:00:00Z"}, 3),
        ({"updated_before": "2020-01-01T00:00:00Z"}, 0),
        ({"service_request_id": "26-00000001", "status": "closed"}, 1),
    ],
    ids=["code", "codes", "page", "last page", "dates", "after", "before", "an id overrides"],
)
def test_requests_can_be_filtered(network: Running, query: dict[str, str], count: int) -> None:
    network.ctl.clock(now="2026-11-21T12:00:00Z")
    for code in ("pothole_road", "pothole_road", "noise"):
        post(network, service_code=code)

    assert len(get(network, "requests.json", **query)) == count


def test_only_ninety_days_are_searched(network: Running) -> None:
    post(network)

    network.ctl.clock(shift=91 * 86400)

    assert get(network, "requests.json") == []
    start = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(get(network, "requests.json", start_date=start)) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"api_key": "wrong"}, 403),
        ({"service_code": "unknown"}, 404),
        ({"service_code": ""}, 400),
        ({"address_string": ""}, 400),
        ({"address_string": "", "lat": "44.5", "long": "far"}, 400),
        ({"description": "a" * 4001}, 400),
    ],
    ids=["key", "unknown code", "no code", "no place", "coordinates", "too long"],
)
def test_a_bad_request_is_a_list_of_errors(network: Running, change: dict[str, str], status: int) -> None:
    answer = post(network, **change)

    assert answer.status_code == status
    assert answer.json()[0]["code"] == status
    assert network.ctl.requests() == []


def test_xml_has_the_specifications_names(network: Running) -> None:
    opened = requests.post(f"{network.url}/open311/v2/requests.xml", data=FORM, timeout=60)
    listed = requests.get(f"{network.url}/open311/v2/requests.xml", timeout=60)
    refused = requests.get(f"{network.url}/open311/v2/requests/none.xml", timeout=60)

    assert ElementTree.fromstring(opened.content).findtext("request/service_request_id")
    assert ElementTree.fromstring(listed.content).tag == "service_requests"
    assert ElementTree.fromstring(refused.content).findtext("error/code") == "404"
    assert listed.headers["content-type"] == "text/xml; charset=utf-8"


def test_the_endpoint_describes_itself(network: Running) -> None:
    found = requests.get(f"{network.url}/open311/discovery.json", timeout=60).json()

    assert found["endpoints"][0]["url"] == f"{network.url}/open311/v2"
    assert "noise" in {service["service_code"] for service in get(network, "services.json")}
    assert get(network, "services/noise.json") == {"service_code": "noise", "attributes": []}


def test_services_and_jurisdiction_come_from_the_seed() -> None:
    seed = {
        "services": [{"service_code": "001", "service_name": "Cans left out 24x7"}],
        "open311": {"jurisdiction_id": "alderfalls.gov"},
    }
    with running(seed=seed) as network:
        assert get(network, "services.json")[0]["code"] == 400
        assert get(network, "services.json", jurisdiction_id="alderfalls.gov")[0]["service_code"] == "001"
        assert post(network, service_code="001", jurisdiction_id="alderfalls.gov").status_code == 201
