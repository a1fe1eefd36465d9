"""X's error bodies.

Source: the Problem schemas of X's OpenAPI 2.159, and bodies quoted in tweepy's and twitter-api-v2's issues (read
2026-11).
"""

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

TYPES = "https://api.twitter.com/2/problems/"
NO_REPLY = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author"
    " of the post you are replying to."
)
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
GONE = "You attempted to reply to a Tweet that is deleted or not visible to you."
TOO_LONG = (
    "Your Tweet text is too long. For more information, please refer to"
    " https://developer.twitter.com/en/docs/counting-characters"
)


class Problem(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body.get("detail", ""))
        self.status = status
        self.body = body


def plain(status: int, title: str, detail: str | None = None) -> Problem:
    return Problem(status, {"title": title, "detail": detail or title, "type": "about:blank", "status": status})


def forbidden(detail: str) -> Problem:
    return plain(403, "Forbidden", detail)


def invalid(message: str, **parameters: str) -> Problem:
    shown = {name: [value] for name, value in parameters.items()}
    return Problem(
        400,
        {
            "errors": [{"parameters": shown, "message": message}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": TYPES + "invalid-request",
        },
    )


def unsupported_authentication() -> Problem:
    return Problem(
        403,
        {
            "title": "Unsupported Authentication",
            "detail": "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported"
            " authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context].",
            "type": TYPES + "unsupported-authentication",
            "status": 403,
        },
    )


def not_found(kind: str, parameter: str, value: str) -> dict[str, Any]:
    """The partial error for a post or user that is not there; it comes with status 200."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": TYPES + "resource-not-found",
    }


def answer(request: Request, problem: Exception) -> JSONResponse:
    """The exception handler of the application."""
    assert isinstance(problem, Problem)
    headers = getattr(request.state, "x_headers", {})
    return JSONResponse(problem.body, problem.status, headers, media_type="application/problem+json")
