"""Rounds by hand: ``poll``, ``process``, ``import``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT, Config, opened
from errors import ConfigError


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    app.command()(poll)
    app.command()(process)
    app.command("import")(import_posts)


def poll(
    accounts: Annotated[list[str] | None, typer.Argument(help="Accounts of the config; all without.")] = None,
    config: Config = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
) -> None:
    """One complete listening round over the accounts and the CRM's status changes; exit 1 if any failed."""
    from pipeline import rounds

    with opened(config) as deployment:
        for name in accounts or []:
            if name not in deployment.accounts():
                raise ConfigError(
                    f"{config}: there is no account {name!r}; there is {', '.join(deployment.accounts())}"
                )
        heard = rounds.poll(deployment, accounts or None)
    for one in heard:
        if as_json:
            typer.echo(json.dumps(asdict(one)))
        else:
            told = f"failed: {one.error}" if one.error else f"{one.collected} collected, {one.new} new, {one.gaps} gaps"
            typer.echo(f"{one.account}: {told} ({one.ms} ms)")
    if any(one.error for one in heard):
        raise typer.Exit(1)


def process(config: Config = DEFAULT) -> None:
    """Assess, draft and act until nothing is due now, then end."""
    from pipeline import rounds
    from scheduler import count_all

    with opened(config) as deployment:
        deployment.check_adapters()
        done = rounds.process_all(deployment)
        count_all(deployment)
    typer.echo(f"{done} steps done, nothing more is due")


def import_posts(
    file: Annotated[Path, typer.Argument(help="JSON Lines: post_id, author, text, posted_at, url?, in_reply_to?")],
    platform: Annotated[str, typer.Option("--platform")],
    account: Annotated[str, typer.Option("--account")],
    config: Config = DEFAULT,
    answerable: Annotated[bool, typer.Option("--answerable", help="Draft replies to them, as if heard now.")] = False,
) -> None:
    """Back-fill from a file, for trends and matching; repeats are harmless."""
    from pipeline.importing import import_file
    from scheduler import count_all

    with opened(config) as deployment:
        outcome = import_file(deployment, file, platform=platform, account=account, answerable=answerable)
        count_all(deployment)
    typer.echo(f"{outcome.read} read, {outcome.new} new, {len(outcome.faults)} could not be read")
    for fault in outcome.faults:
        typer.echo(f"{file}: {fault}", err=True)
    if outcome.faults:
        raise typer.Exit(1)
