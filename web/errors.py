"""What a request is answered when it can't be done: one shape of JSON for machines, a page for people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from classifiers.base import Busy, PostsFailed
from errors import HarkenError
from store.engine import TROUBLE
from store.refusals import Conflict, Forbidden, Invalid, Missing
from web import shield

log = logging.getLogger(__name__)

#: Below these, answers are for machines; everywhere else for people.
FOR_MACHINES = ("/api/", "/open311/", "/webhooks/", "/healthz", "/readyz", "/metrics")


class BadRequest(HarkenError):
    """A parameter can't be taken (400)."""

    def __init__(self, message: str, *, code: str = "bad_request", field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class Unauthenticated(HarkenError):
    """Nobody, or nobody we know, is asking (401)."""


class SignInNeededError(HarkenError):
    """A page for staff, and nobody is signed in: off to the sign-in page."""


class ErrorPage(Protocol):
    """Renders an error for people; ``app.state.error_page`` holds the one in use."""

    def __call__(self, request: Request, *, status: int, message: str) -> Response: ...


STATUS: Mapping[type[HarkenError], tuple[int, str]] = {
    BadRequest: (400, "bad_request"),
    Unauthenticated: (401, "unauthenticated"),
    Forbidden: (403, "forbidden"),
    Missing: (404, "not_found"),
    Conflict: (409, "conflict"),
    Invalid: (422, "invalid"),
    Busy: (503, "busy"),
    PostsFailed: (503, "model_failed"),
}
NUMBER_OUT_OF_RANGE = "22003"  #: PostgreSQL's code for it
HTTP_CODES = {400: "malformed_json", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported"}


def install(app: FastAPI, *, draft_of_conflict: Callable[[Request, int], Any]) -> None:
    """Answer every error of this application. ``draft_of_conflict`` shows the draft that stands now."""

    def refused(request: Request, error: Exception) -> Response:
        return _refused(request, error, draft_of_conflict)

    for kind in STATUS:
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SignInNeededError, _sign_in)
    for trouble in TROUBLE:
        app.add_exception_handler(trouble, _busy)
    app.add_exception_handler(DataError, _beyond)
    app.add_exception_handler(Exception, _broken)


@contextmanager
def paging() -> Iterator[None]:
    """Around a list: a cursor that is none of it is the caller's fault.

    Raises:
        BadRequest: naming the cursor.
    """
    try:
        yield
    except ValueError as err:
        raise BadRequest(f"cursor: {err}", field="cursor") from err


def answer(
    request: Request,
    status: int,
    code: str,
    message: str,
    *,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """An error, in the shape that the asker can read."""
    if not request.url.path.startswith(FOR_MACHINES):
        page: ErrorPage = request.app.state.error_page
        return page(request, status=status, message=message)
    error = {"code": code, "message": _safe(message), "field": _safe(field)}
    return JSONResponse({"error": error, **more}, status_code=status, headers=dict(headers or {}))


def _safe(text: str | None) -> str | None:
    """A name that came from outside may hold what UTF-8 can't."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _refused(request: Request, error: Exception, draft_of_conflict: Callable[[Request, int], Any]) -> Response:
    status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    more: dict[str, Any] = {}
    headers = {"WWW-Authenticate": 'Bearer realm="harken"'} if status == 401 else None
    if isinstance(error, Conflict) and error.draft_id is not None and request.url.path.startswith("/api/"):
        more["draft"] = draft_of_conflict(request, error.draft_id)
    return answer(
        request,
        status,
        getattr(error, "code", code),
        str(error),
        field=getattr(error, "field", None),
        headers=headers,
        **more,
    )


def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, *names = [str(part) for part in first["loc"]]
    field = ".".join(names) or None
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return answer(request, 400, "malformed_json", "the body is not valid JSON")
    if first["type"] == "extra_forbidden":
        code, message = ("unknown_parameter" if where == "query" else "unknown_key"), f"{field!r} is not known here"
        return answer(request, 400 if where == "query" else 422, code, message, field=field)
    if where == "body":
        return answer(request, 422, "invalid", message, field=field)
    return answer(request, 400, "bad_request", f"{field}: {message}", field=field)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTP_CODES.get(error.status_code, "error")
    message = {404: "there is nothing at this address", 405: "this address does not take this method"}
    text = message.get(error.status_code, str(error.detail))
    return answer(request, error.status_code, code, text, headers=error.headers)


def _sign_in(request: Request, _error: Exception) -> Response:
    """HTMX swaps pieces, so it is told to go to the sign-in page as a whole."""
    if "HX-Request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": "/console/sign-in"})
    after = f"?next={request.url.path}" if request.method == "GET" else ""
    return RedirectResponse(f"/console/sign-in{after}", status_code=303)


def _beyond(request: Request, error: Exception) -> Response:
    """What PostgreSQL has no room for; SQLite finds nothing under either."""
    if getattr(getattr(error, "orig", None), "sqlstate", None) == NUMBER_OUT_OF_RANGE:
        return answer(request, 404, "not_found", "there is nothing of this number")
    return answer(request, 422, "invalid", "it holds a character that is none")


def _busy(request: Request, error: Exception) -> Response:
    log.warning("the database did not answer in time: %s", type(error).__name__)
    message = "the database did not answer in time; try again in a moment"
    return answer(request, 503, "unavailable", message, headers={"Retry-After": "5"})


def _broken(request: Request, _error: Exception) -> Response:
    """Starlette answers this outside all of our layers, so the headers are put on here; it logs the error itself."""
    answered = answer(request, 500, "internal", "something went wrong on our side; it is on record")
    for name, value in shield.headers_for(request.app.state.deployment.settings.web.public_url):
        answered.headers.setdefault(name, value)
    answered.headers.setdefault("Cache-Control", "no-store")
    return answered
