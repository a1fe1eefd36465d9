"""Who calls X: an app with its bearer token, or a user by OAuth 1.0a (signature verified) or an OAuth 2 user token.

A client signs ``https://api.twitter.com/2/...`` (or api.x.com) even where its transport is rewritten to this host, so the
signature is checked against those hosts first, then against the address really called.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Request, Response
from oauthlib.common import Request as SignedRequest
from oauthlib.oauth1.rfc5849 import signature

from sandbox.limits import QUARTER, X_LIMITS
from sandbox.posts import Person
from sandbox.seed import Seed, XAccount
from sandbox.world import World, WorldDep
from sandbox.x_problems import Problem, plain, unsupported_authentication

HOSTS = ("https://api.twitter.com", "https://api.x.com")
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
    person = None if account is None else world.posts.person("x", account.id)
    return Caller(account=person, token=hashlib.sha256(token.encode()).hexdigest()[:16])


def _signed_by(request: Request, seed: Seed) -> XAccount:
    header = dict(
        signature.collect_parameters(
            headers={"Authorization": request.headers["authorization"]}, exclude_oauth_signature=False
        )
    )
    account = next((one for one in seed.accounts if one.access_token == header.get("oauth_token")), None)
    if account is None or header.get("oauth_consumer_key") != seed.consumer_key:
        raise plain(401, "Unauthorized")
    stamp = header.get("oauth_timestamp", "")
    fresh = stamp.isdecimal() and abs(int(stamp) - time.time()) <= CLOCK_SKEW
    if not fresh or header.get("oauth_signature_method") != "HMAC-SHA1" or not header.get("oauth_nonce"):
        raise plain(401, "Unauthorized")
    hosts = (*HOSTS, str(request.base_url).rstrip("/"))
    if not any(
        _holds(request, host, header["oauth_signature"], seed, account) for host in hosts if "oauth_signature" in header
    ):
        raise plain(401, "Unauthorized")
    return account


def _holds(request: Request, host: str, given: str, seed: Seed, account: XAccount) -> bool:
    signed = SignedRequest(host + request.url.path, request.method)
    signed.signature = given
    signed.params = signature.collect_parameters(
        uri_query=request.url.query, headers={"Authorization": request.headers["authorization"]}
    )
    return bool(signature.verify_hmac_sha1(signed, seed.consumer_secret, account.access_token_secret))


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
