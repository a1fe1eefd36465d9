"""Every door has a guard, and the document says what the doors do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from tests.web.api.conftest import City
from web import deps

#: Whoever has the address: whether it runs, the way in, and what is public by its nature.
OPEN_TO_ALL = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/console/sign-in"),
    ("POST", "/console/sign-in"),
    ("POST", "/console/sign-out"),
    ("GET", "/console/welcome/{token}"),
    ("POST", "/console/welcome/{token}"),
    ("GET", "/"),
    ("GET", "/r/{token}"),
    ("GET", "/find"),
}
#: Signed or keyed by what comes with the request itself; each has tests of its own.
OWN_DOORS = ("/webhooks/", "/open311/")


def calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from calls(inner)


def routes(city: City) -> Iterator[tuple[str, str, APIRoute | None]]:
    app = city.client.app
    for context in iter_route_contexts(app.routes):  # type: ignore[attr-defined]  # the client types it as any ASGI app
        route = context.original_route
        for method in sorted((context.methods or {"MOUNT"}) - {"HEAD"}):
            yield method, str(context.path), route if isinstance(route, APIRoute) else None


def test_every_route_asks_for_a_role(city: City) -> None:
    unguarded = [
        (method, path)
        for method, path, route in routes(city)
        if (method, path) not in OPEN_TO_ALL
        and path != "/static"
        and not path.startswith(OWN_DOORS)
        and (route is None or not any(call in deps.DOORS for call in calls(route.dependant)))
    ]

    assert unguarded == []


def test_every_write_of_the_api_asks_for_more_than_reading(city: City) -> None:
    for method, path, route in routes(city):
        if path.startswith("/api/v1/") and method != "GET":
            assert route is not None
            asked = [deps.DOORS[call] for call in calls(route.dependant) if call in deps.DOORS]
            assert asked, path
            assert all("viewer" not in roles for roles in asked), path


def test_no_get_changes_anything(city: City) -> None:
    assert all(method in {"GET", "POST", "PUT", "PATCH", "DELETE", "MOUNT"} for method, _, _ in routes(city))


def test_the_document_holds_the_contract(city: City) -> None:
    paths = city.client.get("/api/v1/openapi.json").json()["paths"]

    for noun in ("mentions", "drafts", "requests", "audit", "accounts", "attention", "alarms"):
        assert "get" in paths[f"/api/v1/{noun}"]
    for step in ("approve", "reject", "cancel", "retry", "retract"):
        assert "post" in paths[f"/api/v1/drafts/{{draft_id}}/{step}"]
    assert "put" in paths["/api/v1/kill-switch"]
    assert not [path for path in paths if path.startswith("/console")]


def test_every_operation_is_described(city: City) -> None:
    paths = city.client.get("/api/v1/openapi.json").json()["paths"]

    for path, operations in paths.items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path}"


def test_the_document_names_exactly_the_parameters_that_are_taken(city: City) -> None:
    paths = city.client.get("/api/v1/openapi.json").json()["paths"]

    for method, path, route in routes(city):
        if path.startswith("/api/v1/") and route is not None:
            documented = {
                one["name"] for one in paths[path][method.lower()].get("parameters", ()) if one["in"] == "query"
            }
            assert deps.parameters(route) == documented, path


def test_errors_are_documented_as_they_are(city: City) -> None:
    document = city.client.get("/api/v1/openapi.json").json()

    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_loads_scripts_from_elsewhere(city: City, path: str) -> None:
    assert city.client.get(path).status_code == 404
