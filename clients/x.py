"""An account on X: its keys, the tweepy client, and what each failure means.

tweepy 4.17 reads error bodies carelessly (a list there is an AttributeError), so ``clients.http.Wire`` raises before it
can; whatever tweepy still throws is translated too.

Source: docs.x.com/x-api/fundamentals/response-codes-and-errors and /rate-limits, the 403 texts of the rule of
2026-02-23 ("not been mentioned or otherwise engaged by the author", "only reply to or quote posts where you are
mentioned"), and tweepy 4.17.0's client.py and errors.py (read 2026-11). Since pay-per-use, 402 says that the credits
are used up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import requests
import tweepy
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator

from clients import failures, http
from clients.failures import Failure
from errors import AdapterError, InDoubt, NotInvited, RateLimited, Refused, Unauthorized

#: docs.x.com says 512 characters for search on the open tiers; Enterprise has more (read 2026-11).
LONGEST_QUERY = {"standard": 512, "exempt": 4096}
USUAL_WINDOW = timedelta(minutes=15)  #: of X's rate limits, where the answer doesn't say when it ends
LONGEST_WINDOW = timedelta(hours=25)  #: no limit of X lasts longer; a later time is nonsense

#: X's own answers, the first that fits; what is not here goes by ``failures.BY_STATUS``. A 403 is said to many things:
#: that it has this text already, that we weren't addressed, that our app may not; the last are the Problem types of X's
#: OpenAPI document (2026-11).
FAILURES = (
    Failure(name="429", statuses={429}, wrote=RateLimited),
    Failure(name="401: keys", statuses={401}, wrote=Unauthorized),
    Failure(name="402: credits used up", statuses={402}, wrote=Unauthorized),
    Failure(
        name="403: the same words again",
        statuses={403},
        words=("duplicate content",),
        wrote=InDoubt,
        hint="perhaps our own earlier try: look for it first",
    ),
    Failure(
        name="403: the author did not turn to us",
        statuses={403},
        words=(
            "mentioned or otherwise engaged",
            "where you are mentioned",
            "reply to this conversation is not allowed",
        ),
        wrote=NotInvited,
    ),
    Failure(
        name="403: our app or account may not",
        statuses={403},
        words=("client-forbidden", "oauth1-permissions", "client-not-enrolled", "your account is", "your client app"),
        wrote=Unauthorized,
    ),
)


class Account(BaseModel):
    """The keys of ``[accounts.NAME]`` that are X's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = HttpUrl("https://api.twitter.com")  #: tweepy's own choice; api.x.com is the same
    handle: str = Field(min_length=1)
    user_id: str | None = None  #: of the handle; looked up where it is not given
    access: Literal["standard", "exempt"] = "standard"
    track: tuple[str, ...] = ()  #: searches besides mentions, each a term or a query of X's
    links: bool = False
    bearer_token: SecretStr | None = None  #: to read
    consumer_key: SecretStr | None = None  #: these four to write
    consumer_secret: SecretStr | None = None
    access_token: SecretStr | None = None
    access_token_secret: SecretStr | None = None
    read_within: float = Field(default=http.READ_WITHIN, gt=0)  #: seconds; the tests wait less

    @field_validator("handle")
    @classmethod
    def _without_at(cls, handle: str) -> str:
        return handle.lstrip("@")

    @property
    def can_write(self) -> bool:
        """Whether all four writing keys are there."""
        return None not in (self.consumer_key, self.consumer_secret, self.access_token, self.access_token_secret)

    @property
    def reads_as_user(self) -> bool:
        """Without a bearer token the writing keys read too, under the account's own limits."""
        return self.bearer_token is None


def client(account: Account) -> tweepy.Client:
    """The account's tweepy client: bounded, never sleeping, its answers unread (``requests.Response``)."""
    logging.getLogger("tweepy").setLevel(logging.INFO)  # at DEBUG it writes tokens and residents' words
    made = tweepy.Client(
        bearer_token=revealed(account.bearer_token),
        consumer_key=revealed(account.consumer_key),
        consumer_secret=revealed(account.consumer_secret),
        access_token=revealed(account.access_token),
        access_token_secret=revealed(account.access_token_secret),
        return_type=requests.Response,
        wait_on_rate_limit=False,  # it sleeps in our thread, and without a reset time it recurses until the stack ends
    )
    http.through(made.session, str(account.base_url), read_within=account.read_within)
    return made


def revealed(secret: SecretStr | None) -> str | None:
    """The secret itself, for the SDK."""
    return None if secret is None else secret.get_secret_value()


@contextmanager
def translated(*, write: bool = False) -> Iterator[None]:
    """What a call to X raises, in our words; after a write, whatever is not surely undone is ``InDoubt``."""
    try:
        yield
    except AdapterError:
        raise
    except http.Answered as err:
        raise meaning(err, write=write) from err
    except http.NotReached as err:
        raise failures.NOT_REACHED.error(f"X: {err}", write=write) from err
    except (requests.RequestException, tweepy.TweepyException) as err:
        raise failures.NO_ANSWER.error(f"X: {http.redacted(str(err))}", write=write) from err
    except (AttributeError, KeyError, TypeError, ValueError) as err:  # tweepy or we, on an answer of no known shape
        told = f"X answered something unreadable ({type(err).__name__})"
        raise failures.UNREADABLE.error(told, write=write) from err


def meaning(answer: http.Answered, *, write: bool) -> AdapterError:
    """An answer that is no success, as the error that says what to do next."""
    told = f"X: HTTP {answer.status}: {explanation(answer.json)}"
    row = failures.meaning(FAILURES, status=answer.status, told=told)
    return row.error(told, write=write, retry_at=lambda: free_again(answer.headers, now=datetime.now(UTC)))


def explanation(body: Any) -> str:
    """The words of an error body, of whatever shape it is."""
    if isinstance(body, str):
        return http.redacted(body)[:300]
    if isinstance(body, list):
        return "; ".join(filter(None, map(explanation, body[:5])))
    if not isinstance(body, dict):
        return "no explanation"
    own = [str(body[key]) for key in ("title", "detail", "message", "type") if isinstance(body.get(key), str)]
    listed = explanation(body["errors"]) if isinstance(body.get("errors"), list) else ""
    return http.redacted(": ".join(filter(None, [*own, listed])))[:600] or "no explanation"


def free_again(headers: Mapping[str, str], *, now: datetime) -> datetime:
    """When a rate limit ends. X sends no Retry-After, only ``x-rate-limit-reset`` in epoch seconds."""
    try:
        reset = datetime.fromtimestamp(int(headers.get("x-rate-limit-reset", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return now + USUAL_WINDOW
    return reset if now <= reset <= now + LONGEST_WINDOW else now + USUAL_WINDOW


def body_of(response: requests.Response) -> dict[str, Any]:
    """The object that X answered. To be read inside ``translated``.

    Raises:
        ValueError: it is no JSON object.
    """
    body = http.parsed(response.content)
    if not isinstance(body, dict):
        raise ValueError(f"expected an object, got {type(body).__name__}")
    return body


def account_id(made: tweepy.Client, account: Account) -> str:
    """The immutable id of our own account."""
    if account.user_id:
        return account.user_id
    with translated():
        body = body_of(made.get_user(username=account.handle, user_auth=account.reads_as_user))
        found = body.get("data")
        if not isinstance(found, dict):
            raise Refused(f"X knows no account @{account.handle}: {explanation(body)}")
        return str(found["id"])
