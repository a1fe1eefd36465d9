"""People and keys: ``staff add|list|disable``, ``token create``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT, Config, opened
from errors import ConfigError

if TYPE_CHECKING:
    from sqlmodel import Session

    from store.people import Grant
    from store.tables import StaffRow

BY = "command line"


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    staff = typer.Typer(help="People who work with Harken.", no_args_is_help=True)
    staff.command("add")(add)
    staff.command("list")(list_staff)
    staff.command("disable")(disable)
    app.add_typer(staff, name="staff")
    token = typer.Typer(help="Keys to the JSON API.", no_args_is_help=True)
    token.command("create")(create_token)
    app.add_typer(token, name="token")


def add(
    email: Annotated[str, typer.Argument()],
    role: Annotated[str, typer.Option("--role", help="viewer, responder, approver or admin")],
    account: Annotated[str | None, typer.Option("--account", help="Only this account.")] = None,
    department: Annotated[str | None, typer.Option("--department", help="Only this department.")] = None,
    name: Annotated[str, typer.Option("--name")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Set the password of standard input.")
    ] = False,
    config: Config = DEFAULT,
) -> None:
    """Add a person, or another role to one; prints a one-time sign-in link as the last line."""
    from store import passwords, people, sign_in

    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with opened(config) as deployment, deployment.store.writing() as session:
        row = known_or_new(session, email, name=name)
        people.grant(session, row, role, by=BY, account=account, department=department)
        if password is not None:
            passwords.check(password, email=row.email)
            sign_in.set_password(session, row, passwords.hashed(password), by=BY)
            typer.echo(f"{row.email} may sign in at {deployment.settings.web.public_url}/console/")
            return
        link = people.new_link(session, row, by=BY)
    typer.echo(f"{email} is {role}. This link signs in once, within 24 hours:")
    typer.echo(f"{deployment.settings.web.public_url}/console/welcome/{link}")


def known_or_new(session: Session, email: str, *, name: str = "", by: str = BY) -> StaffRow:
    """The person of an e-mail, added if new.

    Raises:
        Invalid: the e-mail is none.
    """
    from store import people
    from store.refusals import Missing

    try:
        return people.staff(session, email)
    except Missing:
        return people.add_staff(session, email, by=by, name=name)


def list_staff(config: Config = DEFAULT) -> None:
    """Everybody, with roles."""
    from sqlmodel import select

    from store import people
    from store.tables import AccountRow

    with opened(config) as deployment, deployment.store.reading() as session:
        accounts = {row.id: row.name for row in session.exec(select(AccountRow))}
        for row, grants in people.everybody(session):
            state = f"disabled {row.disabled_at:%Y-%m-%d}" if row.disabled_at else "active"
            typer.echo(
                f"{row.email}\t{', '.join(sorted(_told(one, accounts) for one in grants)) or 'no role'}\t{state}"
            )


def _told(grant: Grant, accounts: Mapping[int, str]) -> str:
    """A role and where it holds: ``approver``, ``responder for account city_hall_x``, ``viewer for Public Works``."""
    if grant.account_id is not None:
        return f"{grant.role} for account {accounts[grant.account_id]}"
    return f"{grant.role} for {grant.department}" if grant.department else grant.role


def disable(email: Annotated[str, typer.Argument()], config: Config = DEFAULT) -> None:
    """End a person's sign-ins, owned tokens and claims. The person stays in the records."""
    from store import people

    with opened(config) as deployment, deployment.store.writing() as session:
        people.disable(session, people.staff(session, email), by=BY)
    typer.echo(f"{email} is disabled")


def create_token(
    role: Annotated[str, typer.Option("--role", help="viewer, responder, approver or admin")],
    name: Annotated[str, typer.Option("--name", help="What records will call it.")],
    owner: Annotated[str | None, typer.Option("--for", help="The person behind it.")] = None,
    config: Config = DEFAULT,
) -> None:
    """Make an API token; it stands alone on the last line and is never shown again."""
    from store import people

    if not name.strip():
        raise ConfigError("--name: say what the token is for")
    with opened(config) as deployment, deployment.store.writing() as session:
        behind = people.staff(session, owner) if owner else None
        typer.echo(people.create_token(session, name, role, by=BY, owner=behind))
