"""Who calls X: an app with its bearer token, or a user by OAuth 1.0a (signature verified) or an OAuth 2 user token.

A client signs ``https://api.twitter.com/2/...`` (or api.x.com) even where its transport is rewritten to this host, so
the signature is checked against those hosts first, then against the address really called.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, unquote

from fastapi import Depends, Request, Response

from sandbox.limits import QUARTER, X_LIMITS
from sandbox.people import Person
from sandbox.seed import Seed, XAccount
from sandbox.world import World, WorldDep
from sandbox.x_problems import Problem, plain, unsupported_authentication

HOSTS = ("https://api.twitter.com", "https://api.x.com")
PARAMETER = re.compile(r'(oauth_\w+)="([^"]*)"')
CLOCK_SKEW = 300  #: seconds that an oauth_timestamp may be off


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    account: Person | None  #: None: app only
    token: str  #: a digest, for counting

    @property
    def user(self) -> Person:
        if self.account is None:
            raise unsupported_authentication()
        return self.account


def caller_of(request: Request, world: World) -> Caller:
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    account: XAccount | None = None
    if scheme.lower() == "bearer":
        token = unquote(rest.strip())
        account = next((one for one in world.seed.accounts if one.user_token == token), None)
        if account is None and token not in world.seed.bearer_tokens:
            raise plain(401, "Unauthorized")
    elif scheme.lower() == "oauth":
        account = _signed_by(request, world.seed)
        token = account.access_token
    else:
        raise plain(401, "Unauthorized")
    person = None if account is None else world.people.find("x", account.id)
    return Caller(account=person, token=hashlib.sha256(token.encode()).hexdigest()[:16])


def _signed_by(request: Request, seed: Seed) -> XAccount:
    header = {name: unquote(value) for name, value in PARAMETER.findall(request.headers["authorization"])}
    account = next((one for one in seed.accounts if one.access_token == header.get("oauth_token")), None)
    if account is None or header.get("oauth_consumer_key") != seed.consumer_key:
        raise plain(401, "Unauthorized")
    stamp = header.get("oauth_timestamp", "")
    fresh = stamp.isdecimal() and abs(int(stamp) - time.time()) <= CLOCK_SKEW
    if not fresh or header.get("oauth_signature_method") != "HMAC-SHA1" or not header.get("oauth_nonce"):
        raise plain(401, "Unauthorized")
    given = header.pop("oauth_signature", "")
    signed = [*parse_qsl(request.url.query, keep_blank_values=True), *header.items()]
    key = f"{_escaped(seed.consumer_secret)}&{_escaped(account.access_token_secret)}"
    hosts = (*HOSTS, str(request.base_url).rstrip("/"))
    wanted = [_signature(request.method, host + request.url.path, signed, key) for host in hosts]
    if not any(hmac.compare_digest(one.encode(), given.encode()) for one in wanted):
        raise plain(401, "Unauthorized")
    return account


def _signature(method: str, url: str, parameters: list[tuple[str, str]], key: str) -> str:
    """Source: RFC 5849, sections 3.4.1 and 3.4.2; a JSON body is not signed."""
    pairs = sorted((_escaped(name), _escaped(value)) for name, value in parameters)
    together = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join((method.upper(), _escaped(url), _escaped(together)))
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()).decode()


def _escaped(text: str) -> str:
    return quote(text, safe="-._~")


def allowed(endpoint: str) -> Callable[..., Caller]:
    """A dependency: the caller, once known and within the endpoint's window; the answer gets the window's headers."""

    def check(request: Request, response: Response, world: WorldDep) -> Caller:
        caller = caller_of(request, world)
        limit = X_LIMITS[endpoint][0 if caller.account is None else 1]
        if limit is None:
            raise unsupported_authentication()
        window = world.limits.count(endpoint, caller.token, limit, seconds=QUARTER)
        headers = {
            "x-rate-limit-limit": str(window.limit),
            "x-rate-limit-remaining": str(window.remaining),
            "x-rate-limit-reset": str(window.reset),
        }
        request.state.x_headers = headers
        response.headers.update(headers)
        if window.exceeded:
            raise Problem(429, plain(429, "Too Many Requests").body)
        return caller

    return check


def caller_for(endpoint: str) -> Any:
    return Depends(allowed(endpoint))


MentionsCaller = Annotated[Caller, caller_for("x.mentions")]
SearchCaller = Annotated[Caller, caller_for("x.search")]
TimelineCaller = Annotated[Caller, caller_for("x.timeline")]
LookupCaller = Annotated[Caller, caller_for("x.lookup")]
QuotesCaller = Annotated[Caller, caller_for("x.quotes")]
UsersCaller = Annotated[Caller, caller_for("x.users")]
MeCaller = Annotated[Caller, caller_for("x.me")]
CreateCaller = Annotated[Caller, caller_for("x.create")]
DeleteCaller = Annotated[Caller, caller_for("x.delete")]
