"""GeoReport's two formats from one value, and its errors.

JSON follows the Spark rule: no root, lists stay lists. In XML the root and each list's children have the
specification's names.
"""

from typing import Any, Literal
from xml.etree import ElementTree

from fastapi import Request, Response
from fastapi.responses import JSONResponse

Format = Literal["json", "xml"]
CHILDREN = {
    "services": "service",
    "service_requests": "request",
    "errors": "error",
    "attributes": "attribute",
    "endpoints": "endpoint",
    "formats": "format",
}


class Open311Error(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


def answer(request: Request, problem: Exception) -> Response:
    """The exception handler of the application."""
    assert isinstance(problem, Open311Error)
    format: Format = "xml" if request.url.path.endswith(".xml") else "json"
    errors = [{"code": problem.status, "description": problem.description}]
    return respond(errors, format, "errors", status=problem.status)


def respond(value: Any, format: Format, root: str, *, status: int = 200) -> Response:
    headers = {"Access-Control-Allow-Origin": "*"}
    if format == "json":
        return JSONResponse(value, status, headers, media_type="application/json; charset=utf-8")
    body = ElementTree.tostring(_element(root, value), encoding="utf-8", xml_declaration=True)
    return Response(body, status, headers, media_type="text/xml; charset=utf-8")


def _element(name: str, value: Any) -> ElementTree.Element:
    element = ElementTree.Element(name)
    if isinstance(value, dict):
        element.extend(_element(inner, content) for inner, content in value.items())
    elif isinstance(value, list):
        element.extend(_element(CHILDREN[name], content) for content in value)
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    elif value is not None:
        element.text = "".join(letter for letter in str(value) if letter in "\t\n" or letter >= " ")
    return element
