"""The way in to the console: e-mail and password, or a one-time link that lets its holder set one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.deployment import Deployment
from store import passwords, people, sign_in
from store.refusals import Invalid
from web import deps
from web.deps import Deployed
from web.pages import page

router = APIRouter()

HOME = "/console/"
#: One sentence for every reason, so that it tells nobody which e-mails are on the list.
WRONG = "That e-mail and password don't fit. After several tries, wait a minute before the next."
USED_UP = "This link was used already, or is older than 24 hours. Ask your administrator for a new one."


@router.get("/console/sign-in")
def sign_in_page(request: Request, d: Deployed, next: str = HOME) -> Response:
    """The form; who is signed in already goes on."""
    if deps.who_is_signed_in(request, d) is not None:
        return RedirectResponse(_inside(next), status_code=303)
    return page(request, "console/sign_in.html", error=None, email="", next=_inside(next))


@router.post("/console/sign-in")
def sign_in_now(
    request: Request,
    d: Deployed,
    email: Annotated[str, Form(max_length=300)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = HOME,
) -> Response:
    """Start a session. The try is counted, then the password is looked at with no transaction open."""
    with d.store.writing() as session:
        tried = sign_in.begin(session, email)
    right = passwords.matches(tried.kept, password)
    secret = None
    if tried.staff_id is not None:
        with d.store.writing() as session:
            secret = sign_in.finish(session, tried.staff_id, right=right)
    if secret is None:
        return page(request, "console/sign_in.html", status=422, error=WRONG, email=email, next=_inside(next))
    return _welcome_in(d, secret, _inside(next))


@router.post("/console/sign-out")
def sign_out(request: Request, d: Deployed) -> Response:
    """End the session, here and in the database."""
    secret = request.cookies.get(deps.cookie_name(d))
    if secret:
        with d.store.writing() as session:
            sign_in.end(session, secret)
    answer = RedirectResponse("/console/sign-in", status_code=303)
    answer.delete_cookie(deps.cookie_name(d), path="/", secure=deps.is_https(d), httponly=True, samesite="lax")
    return answer


@router.get("/console/welcome/{token}")
def welcome(request: Request, d: Deployed, token: str) -> Response:
    """The one-time link. Looking does not use it up: mail scanners look, too."""
    email = _email_of_link(d, token)
    if email is None:
        return page(request, "console/welcome.html", status=404, error=USED_UP, email=None)
    return page(request, "console/welcome.html", error=None, email=email)


@router.post("/console/welcome/{token}")
def set_password(
    request: Request, d: Deployed, token: str, password: Annotated[str, Form(max_length=1000)] = ""
) -> Response:
    """Set the password, use the link up, and start a session."""
    email = _email_of_link(d, token)
    if email is None:
        return page(request, "console/welcome.html", status=404, error=USED_UP, email=None)
    try:
        passwords.check(password, email=email)
    except Invalid as err:
        return page(request, "console/welcome.html", status=422, error=str(err), email=email)
    kept = passwords.hashed(password)
    with d.store.writing() as session:
        secret = sign_in.use_link(session, token, kept)
    if secret is None:
        return page(request, "console/welcome.html", status=404, error=USED_UP, email=None)
    return _welcome_in(d, secret, HOME)


def _email_of_link(d: Deployment, token: str) -> str | None:
    with d.store.reading() as session:
        row = people.of_link(session, token)
        return None if row is None else row.email


def _welcome_in(d: Deployment, secret: str, to: str) -> Response:
    answer = RedirectResponse(to, status_code=303)
    answer.set_cookie(
        deps.cookie_name(d),
        secret,
        max_age=int(sign_in.LASTS.total_seconds()),
        path="/",
        secure=deps.is_https(d),
        httponly=True,
        samesite="lax",
    )
    return answer


def _inside(address: str) -> str:
    """Where to go on to: a page of the console, never another site."""
    plain = address.startswith("/console/") and address.isascii() and address.isprintable() and "\\" not in address
    return address if plain and "//" not in address and ".." not in address else HOME
