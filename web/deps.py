"""Who is asking, and may they: one dependency a role, for the API (token) and for the console (cookie).

The structure test knows a guarded route by these dependencies, so a new one is made here or not at all.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from pipeline.deployment import Deployment
from store import people, sign_in
from store.engine import TROUBLE
from store.people import Principal
from store.refusals import Forbidden
from store.tables import ApiTokenRow, WebSessionRow
from store.types import now
from web import shapes
from web.errors import BadRequest, SignInNeededError, Unauthenticated

log = logging.getLogger(__name__)

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="An API token, made with `harken token create --role ROLE --name NAME`.",
)


def deployment(request: Request) -> Deployment:
    """The deployment that this application serves."""
    made: Deployment = request.app.state.deployment
    return made


Deployed = Annotated[Deployment, Depends(deployment)]


def caller(d: Deployed, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Principal:
    """Who comes with a token.

    Raises:
        Unauthenticated: there is none, or it is not good any more.
    """
    if given is None:
        raise Unauthenticated("send an API token: Authorization: Bearer TOKEN")
    with d.store.reading() as session:
        row = people.token_row(session, given.credentials)
        who = None if row is None else people.principal_of_token_row(session, row)
        token_id = row.id if row is not None and _long_ago(row.used_at) else None
    if who is None:
        raise Unauthenticated("this token is not known, or was ended")
    if token_id is not None:
        _note(d, ApiTokenRow, token_id, "used_at")
    return who


def cookie_name(d: Deployment) -> str:
    """The session cookie's name; the prefix makes browsers refuse it from anywhere but this host over HTTPS."""
    return "__Host-harken" if is_https(d) else "harken_session"


def is_https(d: Deployment) -> bool:
    """Whether browsers come by HTTPS."""
    return d.settings.web.public_url.startswith("https://")


def signed_in(request: Request, d: Deployed) -> Principal:
    """Who is signed in to the console.

    Raises:
        SignInNeededError: nobody.
    """
    who = who_is_signed_in(request, d)
    if who is None:
        raise SignInNeededError("sign in first")
    return who


def who_is_signed_in(request: Request, d: Deployment) -> Principal | None:
    """Who is signed in to the console, if anybody."""
    secret = request.cookies.get(cookie_name(d))
    if not secret:
        return None
    with d.store.reading() as session:
        row = sign_in.web_session(session, secret)
        who = None if row is None else sign_in.principal_of_session_row(session, row)
        session_id = row.id if row is not None and _long_ago(row.seen_at) else None
    if who is not None and session_id is not None:
        _note(d, WebSessionRow, session_id, "seen_at")
    return who


def _long_ago(moment: datetime | None) -> bool:
    return moment is None or moment + sign_in.SEEN_EVERY < now()


def _note(d: Deployment, table: type[Any], row_id: int, column: str) -> None:
    """Note when it was last used. A busy database must not turn a reader away for that."""
    try:
        with d.store.writing() as session:
            setattr(session.get_one(table, row_id), column, now())
    except TROUBLE:
        log.info("the database was too busy to note when %s %s was used", table.__tablename__, row_id)


#: Each guard, and the roles of which it asks for one.
DOORS: dict[Callable[..., Any], tuple[str, ...]] = {}


def _door(identify: Callable[..., Principal], *roles: str) -> Callable[..., Principal]:
    def check(who: Annotated[Principal, Depends(identify)]) -> Principal:
        if not any(who.may(role) for role in roles):
            raise Forbidden(f"this takes the role {' or '.join(roles)}")
        return who

    DOORS[check] = roles
    return check


viewer = _door(caller, "viewer")
responder = _door(caller, "responder")
approver = _door(caller, "approver")
admin = _door(caller, "admin")
responder_or_admin = _door(caller, "responder", "admin")

Viewer = Annotated[Principal, Depends(viewer)]
Responder = Annotated[Principal, Depends(responder)]
Approver = Annotated[Principal, Depends(approver)]
Admin = Annotated[Principal, Depends(admin)]
ResponderOrAdmin = Annotated[Principal, Depends(responder_or_admin)]

staff = _door(signed_in, "viewer")
StaffDep = Annotated[Principal, Depends(staff)]
StaffResponder = Annotated[Principal, Depends(_door(signed_in, "responder"))]
StaffApprover = Annotated[Principal, Depends(_door(signed_in, "approver"))]
StaffAdmin = Annotated[Principal, Depends(_door(signed_in, "admin"))]
StaffResponderOrAdmin = Annotated[Principal, Depends(_door(signed_in, "responder", "admin"))]


def role_of(request: Request) -> str:
    """The first role that lets somebody through the door of this address; viewer where it has none."""
    doors = (DOORS.get(one.call) for one in request.scope["route"].dependant.dependencies if one.call is not None)
    return next((roles[0] for roles in doors if roles), "viewer")


def known_parameters(request: Request) -> None:
    """Refuse a query parameter that this address does not take, or takes once.

    Raises:
        BadRequest: naming the parameter.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    known = parameters(request.scope["route"]) if names else frozenset()
    for name in names:
        if name not in known:
            raise BadRequest(f"{name!r} is not known here", code="unknown_parameter", field=name)
        if names.count(name) > 1:
            raise BadRequest(f"{name!r} is given twice", field=name)


def parameters(route: APIRoute) -> frozenset[str]:
    """The query parameters that a route takes. Not from the OpenAPI document, which takes long to write."""
    found: set[str] = set()
    for field in route.dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            found.update(info.alias or name for name, info in model.model_fields.items())
        else:
            found.add(field.alias)
    return frozenset(found)


#: What any address of the API may answer besides; 422 replaces what FastAPI would say of it.
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": shapes.Error, "description": "A parameter is not known, or its value can't be taken."},
    401: {"model": shapes.Error, "description": "No token, or not a good one."},
    403: {"model": shapes.Error, "description": "The role, or the grant, does not allow it."},
    404: {"model": shapes.Error, "description": "There is none, or it is outside your grants."},
    422: {"model": shapes.Error, "description": "A value in the body can't be taken; `field` names it."},
}


def noun(name: str) -> APIRouter:
    """The router of a noun of the JSON API."""
    return APIRouter(
        prefix=f"/api/v1/{name}", tags=[name], dependencies=[Depends(known_parameters)], responses=dict(ERRORS)
    )
