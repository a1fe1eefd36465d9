"""A Facebook Page: its keys, the Graph client over facebook-sdk, and what each failure means.

facebook-sdk 3.1.0 knows no version after 3.1, never looks at the HTTP status, and leaks KeyError and AssertionError;
its token travels in the query. So the version is set after construction, ``clients.http.Wire`` sits under its session,
and every call goes through ``Graph``, which checks what came back.

Source: developers.facebook.com/docs/graph-api/guides/error-handling, /overview/rate-limiting (business use case usage),
/guides/secure-requests (appsecret_proof); facebook-sdk 3.1.0's __init__.py (read 2026-11).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import facebook
import requests
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, SecretStr

from clients import failures, http
from clients.failures import Failure
from errors import AdapterError, InDoubt, RateLimited, Refused, Unauthorized, Unavailable

USUAL_WAIT = timedelta(minutes=15)  #: where Meta doesn't say when calls are allowed again
LONGEST_WAIT = timedelta(hours=24)

REMEDY = (
    "give the Page's token pages_read_user_content, pages_read_engagement and pages_manage_engagement, and for private"
    " replies pages_messaging"
)


class Gone(Refused):
    """The post or comment is not there, or not for us to see."""


class BadParameter(Refused):
    """Graph takes no such value: an old cursor, among others."""


class NoSuchField(Refused):
    """A field was asked of the wrong kind of object."""


#: Graph's own codes, the first that fits; what is not here goes by ``failures.BY_STATUS``. Graph tells errors also in a
#: 200, and calls some transient whatever their code is.
FAILURES = (
    Failure(
        name="codes 4, 17, 32, 341, 613, 80000–80014: too often",
        codes={4, 17, 32, 341, 613, *range(80000, 80015)},
        wrote=RateLimited,
    ),
    Failure(name="429", statuses={429}, wrote=RateLimited),
    Failure(name="codes 102, 190, 463, 467: token", codes={102, 190, 463, 467}, wrote=Unauthorized),
    Failure(name="401 without a code", statuses={401}, codes={None}, wrote=Unauthorized),
    Failure(
        name="codes 506, 10900: the same words again; this comment had its private reply",
        codes={506, 10900},
        wrote=InDoubt,
        hint="perhaps our own earlier try: look for it first",
    ),
    Failure(name="codes 1, 2: Facebook's own trouble", codes={1, 2}, wrote=InDoubt, read=Unavailable),
    Failure(name="is_transient", words=("is_transient",), wrote=InDoubt, read=Unavailable),
    Failure(name="code 100/33: not there, or not for us", codes={100}, subcode=33, wrote=Gone),
    Failure(name="code 803: not there", codes={803}, wrote=Gone),
    Failure(name="code 100: no such field", codes={100}, words=("nonexisting field",), wrote=NoSuchField),
    Failure(name="codes 10, 200–299: permission", codes={10, *range(200, 300)}, wrote=Refused, hint=REMEDY),
    Failure(name="code 100: a wrong value", codes={100}, wrote=BadParameter),
    Failure(
        name="codes 368, 10903: blocked; nobody whom the Page may write to in private",
        codes={368, 10903},
        wrote=Refused,
    ),
    Failure(
        name="another code, told in a success",
        statuses=range(200, 300),
        codes=range(-(2**31), 2**31),
        wrote=InDoubt,
        read=Refused,
    ),
)


class Account(BaseModel):
    """The keys of ``[accounts.NAME]`` that are Facebook's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = HttpUrl("https://graph.facebook.com")
    handle: str = ""
    page_id: Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v)] = Field(pattern=r"^\d+$")
    graph_version: str = Field(default="v23.0", pattern=r"^v\d{1,3}\.\d{1,2}$")
    access: Literal["standard", "exempt"] = "standard"
    links: bool = True
    page_access_token: SecretStr
    app_secret: SecretStr | None = None  #: for appsecret_proof and the signature of webhooks
    verify_token: SecretStr | None = None  #: webhooks
    read_within: float = Field(default=http.READ_WITHIN, gt=0)  #: seconds; the tests wait less


class Graph:
    """One Page's calls, each checked."""

    def __init__(self, account: Account) -> None:
        token = account.page_access_token.get_secret_value()
        session = requests.Session()
        if account.app_secret:
            secret = account.app_secret.get_secret_value().encode()
            session.params = {"appsecret_proof": hmac.new(secret, token.encode(), hashlib.sha256).hexdigest()}
        self._wire = http.through(session, str(account.base_url), read_within=account.read_within)
        self._graph = facebook.GraphAPI(access_token=token, session=session)
        self._graph.version = account.graph_version  # the constructor takes nothing after 3.1

    def read(self, thing: str, edge: str = "", **asked: str | int) -> dict[str, Any]:
        """An object, or one page of one of its lists."""
        with self._translated():
            got = self._graph.get_connections(thing, edge, **asked) if edge else self._graph.get_object(thing, **asked)
            if not isinstance(got, dict) or (edge and not isinstance(got.get("data"), list)):
                raise ValueError("no such shape")
            return got

    def read_several(self, ids: list[str], fields: str) -> dict[str, Any]:
        """Up to 50 objects by id. One that is gone spoils them all."""
        with self._translated():
            got = self._graph.get_objects(ids, fields=fields)
            if not isinstance(got, dict):
                raise ValueError("no such shape")
            return got

    def write(self, thing: str, edge: str, **data: str) -> str:
        """Add to one of an object's lists; the id of what was made."""
        with self._translated(write=True):
            got = self._graph.put_object(thing, edge, **data)
            made = got.get("id") if isinstance(got, dict) else None
            if not isinstance(made, str | int) or isinstance(made, bool) or not str(made):
                raise failures.NO_ID.error("Facebook said yes but gave no id", write=True)
            return str(made)

    def message(self, page_id: str, recipient: dict[str, str], text: str) -> str:
        """Send a private message; its id. Values that are objects go as JSON, which the SDK does not do by itself."""
        with self._translated(write=True):
            got = self._graph.put_object(
                page_id,
                "messages",
                recipient=http.packed(recipient).decode(),
                message=http.packed({"text": text}).decode(),
                messaging_type="RESPONSE",
            )
            made = got.get("message_id") if isinstance(got, dict) else None
            if not isinstance(made, str) or not made:
                raise failures.NO_ID.error("Facebook said yes but gave no id of the message", write=True)
            return made

    def delete(self, thing: str) -> None:
        """Delete an object. Twice does no harm, so an unclear answer is only ``Unavailable``."""
        with self._translated():
            got = self._graph.delete_object(thing)
            if got is not True and (not isinstance(got, dict) or got.get("success") not in (True, "true")):
                raise ValueError("not deleted")

    @contextmanager
    def _translated(self, *, write: bool = False) -> Iterator[None]:
        """What a call to Graph raises, in our words; after a write, whatever is not surely undone is ``InDoubt``."""
        try:
            yield
        except AdapterError:
            raise
        except http.Answered as err:
            raise meaning(err.json, err.headers, status=err.status, write=write) from err
        except facebook.GraphAPIError as err:  # an error told in a 200
            raise meaning(err.result, self._wire.headers, status=200, write=write) from None
        except http.NotReached as err:
            raise failures.NOT_REACHED.error(f"Facebook: {err}", write=write) from err
        except requests.RequestException as err:
            raise failures.NO_ANSWER.error(f"Facebook: {http.redacted(str(err))}", write=write) from err
        except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as err:
            told = f"Facebook answered something unreadable ({type(err).__name__})"
            raise failures.UNREADABLE.error(told, write=write) from err


def meaning(body: Any, headers: Mapping[str, str], *, status: int, write: bool) -> AdapterError:
    """An error answer as the error that says what to do next: by Graph's code, else by the HTTP status."""
    error = body.get("error") if isinstance(body, dict) else None
    error = error if isinstance(error, dict) else {}
    code, subcode = number(error.get("code")), number(error.get("error_subcode"))
    told = f"Facebook: {http.redacted(str(error.get('message') or f'HTTP {status}'))[:500]}"
    told += f" (code {code}{f'/{subcode}' if subcode else ''})" if code is not None else ""
    told += " (is_transient)" if error.get("is_transient") is True else ""
    row = failures.meaning(FAILURES, status=status, told=told, code=code, subcode=subcode)
    return row.error(told, write=write, retry_at=lambda: free_again(headers, now=datetime.now(UTC)))


def number(value: object) -> int | None:
    """A code, which some answers write as a text."""
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None


def free_again(headers: Mapping[str, str], *, now: datetime) -> datetime:
    """When Meta allows calls again: ``estimated_time_to_regain_access`` is in minutes, the longest one counts."""
    try:
        usage = http.parsed(headers.get("X-Business-Use-Case-Usage", "").encode())
    except ValueError:
        return now + USUAL_WAIT
    lists = [listed for listed in usage.values() if isinstance(listed, list)] if isinstance(usage, dict) else []
    cases = [case for listed in lists for case in listed]
    minutes = [number(case.get("estimated_time_to_regain_access")) or 0 for case in cases if isinstance(case, dict)]
    wait = timedelta(minutes=min(max([0, *minutes]), 10_000))
    return now + (min(wait, LONGEST_WAIT) if wait else USUAL_WAIT)
