"""Graph's errors: one shape, and the codes that say what to do.

Source: developers.facebook.com/docs/graph-api/guides/error-handling (read 2026-11).
"""

import secrets
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse


class GraphError(Exception):
    """An answer that is an error."""

    def __init__(
        self, code: int, message: str, *, subcode: int | None = None, status: int = 400, kind: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, Any] = {
            "message": message,
            "type": kind or ("OAuthException" if code in (10, 190, 200, 506, 368, 2500) else "GraphMethodException"),
            "code": code,
        }
        if subcode is not None:
            self.error["error_subcode"] = subcode


def answer(request: Request, problem: Exception) -> JSONResponse:
    """The exception handler of the application."""
    assert isinstance(problem, GraphError)
    headers = getattr(request.state, "graph_headers", {})
    trace = "A" + secrets.token_urlsafe(16)
    return JSONResponse({"error": {**problem.error, "fbtrace_id": trace}}, problem.status, headers)


def gone(id: str, verb: str = "get") -> GraphError:
    return GraphError(
        100,
        f"Unsupported {verb} request. Object with ID '{id}' does not exist, cannot be loaded due to missing"
        " permissions, or does not support this operation. Please read the Graph API documentation at"
        " https://developers.facebook.com/docs/graph-api",
        subcode=33,
    )


def no_such_field(name: str, kind: str) -> GraphError:
    node = {"page": "Page", "post": "Post", "comment": "Comment"}[kind]
    return GraphError(
        100, f"(#100) Tried accessing nonexisting field ({name}) on node type ({node})", kind="OAuthException"
    )


def bad_parameter(message: str) -> GraphError:
    return GraphError(100, f"(#100) {message}", kind="OAuthException")


def bad_token(message: str = "Invalid OAuth access token - Cannot parse access token") -> GraphError:
    return GraphError(190, message)
