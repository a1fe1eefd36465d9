"""Moving a store: ``store copy``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT, Config, opened

if TYPE_CHECKING:
    from store.copying import Copied
    from store.engine import Store

BY = "command line"


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    store = typer.Typer(help="Where everything is kept.", no_args_is_help=True)
    store.callback()(_several)
    store.command("copy")(copy)
    app.add_typer(store, name="store")


def _several() -> None:
    """Where everything is kept."""


def copy(
    to: Annotated[str, typer.Option("--to", help="The URL of a database with nothing in it.")],
    config: Config = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Copy the store into an empty database, SQLite or PostgreSQL, and compare both; stop Harken before.

    What was to be sent is in doubt in the copy: it is read back first. The store that was copied sends nothing more.
    """
    from scheduler import take_role
    from store import copying
    from store.engine import open_store

    deployment = opened(config)
    role = take_role(deployment)
    target = open_store(to)
    copied: list[Copied] = []
    if not as_json:
        typer.echo(_line("table", "rows", "checksum"))

    def tell(one: Copied) -> None:
        copied.append(one)
        if not as_json:
            mended = f"  {one.mended} texts with a NUL mended" if one.mended else ""
            typer.echo(_line(one.table, one.rows, one.checksum[:16]) + mended)

    try:
        settle = deployment.settings.sending.settle
        in_doubt = copying.copy(deployment.store, target, settle=settle, by=BY, tell=tell)
    finally:
        target.close()
        deployment.close()
        if role is not None:
            role.close()
    where = _told(target)
    if as_json:
        tables = {one.table: {"rows": one.rows, "checksum": one.checksum, "mended": one.mended} for one in copied}
        typer.echo(json.dumps({"to": where, "tables": tables, "in_doubt": in_doubt}))
        return
    typer.echo(f"{sum(one.rows for one in copied)} rows in {len(copied)} tables, the same on both sides")
    if in_doubt:
        typer.echo(f"{in_doubt} replies and tickets were under way: they are read back before anything is sent")
    typer.echo(f"next: set [store] url to {where} and start Harken; the old store's kill switch is on")


def _line(table: str, rows: int | str, checksum: str) -> str:
    return f"{table:<20} {rows:>10}  {checksum}"


def _told(target: Store) -> str:
    """Its URL as it may stand in any config: a file by its whole path, a password left out."""
    url = target.engine.url
    if target.is_sqlite and url.database:
        url = url.set(database=str(Path(url.database).resolve()))
    return url.render_as_string(hide_password=True)
