"""What must outlast everything: ``verify-audit``, ``backup``, ``restore``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT, Config, opened

if TYPE_CHECKING:
    from pipeline.records import Proof

BY = "command line"


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    app.command("verify-audit")(verify_audit)
    app.command()(backup)
    app.command()(restore)


def verify_audit(
    checkpoint: Annotated[bool, typer.Option("--checkpoint", help="If all holds, sign what the log is now.")] = False,
    against: Annotated[
        Path | None, typer.Option("--against", help="A copy of the checkpoints that was kept elsewhere.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="The copy of audit.pub that was kept with it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: Config = DEFAULT,
) -> None:
    """Hold the audit log against itself and its checkpoints; exit 1 and the first bad entry if it does not hold."""
    from pipeline import records

    with opened(config) as deployment:
        own = records.checkpoints_of(deployment.settings)
        proof = records.prove(deployment.store, own, file=against, public=public_key)
        if checkpoint and proof.holds:
            records.checkpoint(deployment)
            proof = records.prove(deployment.store, own)
    if as_json:
        typer.echo(json.dumps(_as_json(proof)))
    elif proof.holds:
        typer.echo(_told(proof))
    else:
        typer.echo("; ".join(proof.faults), err=True)
    if not proof.holds:
        raise typer.Exit(1)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it; nothing may be there yet.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: Config = DEFAULT,
) -> None:
    """Write the whole store as it is now into one file, while Harken runs; exit 1 if the audit log does not hold."""
    from pipeline import records
    from store import backup as backups
    from store.checkpoints import BadCheckpoints, BrokenLog

    hindered = None
    with opened(config) as deployment:
        try:
            records.checkpoint(deployment)
        except (BrokenLog, BadCheckpoints) as err:
            hindered = str(err)
        made = backups.make(deployment.store, file, records.checkpoints_of(deployment.settings))
        records.note_backup(deployment, made, by=BY)
    fault = made.log_fault or hindered
    if as_json:
        typer.echo(json.dumps({"file": str(file), **asdict(made), "backup": made.hash, "fault": fault}))
    else:
        typer.echo(f"{file}: {made.rows} rows in {len(made.tables)} tables, the log up to entry {made.entries}")
    if fault:
        typer.echo(f"the backup was written, but {fault}; run `harken verify-audit`", err=True)
        raise typer.Exit(1)


def restore(
    file: Annotated[Path, typer.Argument(help="What `harken backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Give up what the store of the config holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: Config = DEFAULT,
) -> None:
    """Make a backup the store of the config again; stop Harken before.

    What was under way when the backup was taken may have gone out since: it is in doubt, and read back before anything
    is sent.
    """
    from pipeline import records
    from pipeline.deployment import Deployment
    from scheduler import take_role
    from settings import load
    from store import restore as restores

    settings = load(config)
    deployment = Deployment(settings)
    role = take_role(deployment)
    try:
        restored = restores.restore(
            deployment.store,
            file,
            records.checkpoints_of(settings),
            folder=settings.folder,
            settle=settings.sending.settle,
            by=BY,
            replace=replace,
        )
    finally:
        deployment.close()
        if role is not None:
            role.close()
    made = restored.manifest
    if as_json:
        told = {"made_at": made.made_at, "rows": made.rows, "entries": made.entries, "in_doubt": restored.in_doubt}
        typer.echo(json.dumps({"backup": made.hash, **told}))
        return
    typer.echo(f"{made.rows} rows of {made.made_at} are the store again; everybody has to sign in anew")
    if restored.in_doubt:
        typer.echo(
            f"{restored.in_doubt} replies and tickets were under way: they are read back before anything is sent"
        )
    typer.echo("next: `harken verify-audit`, then start Harken; it hears again what was posted since")


def _told(proof: Proof) -> str:
    lines = [f"{proof.verdict.entries} entries, every one in its place; the chain ends in {proof.verdict.head}"]
    newest = proof.seen.newest
    if newest is None:
        lines.append("no checkpoint says how long the log was: write one with --checkpoint, and keep copies elsewhere")
    else:
        lines.append(
            f"{len(proof.seen.checkpoints)} checkpoints in {proof.file} agree, the last of entry {newest.seq} at "
            f"{newest.at}; signed by the key {proof.key}"
        )
    lines += [
        f"entries {restore.seq} to {last} of the log before were given up at the restore of {restore.at}"
        for restore, last in proof.seen.given_up
    ]
    return "\n".join(lines)


def _as_json(proof: Proof) -> dict[str, Any]:
    verdict, seen = proof.verdict, proof.seen
    newest = seen.newest
    return {
        "holds": proof.holds,
        "entries": verdict.entries,
        "head": verdict.head,
        "first_bad": verdict.first_bad,
        "why": verdict.why or None,
        "guards_missing": list(proof.guards_missing),
        "checkpoints": {
            "file": str(proof.file),
            "key": proof.key,
            "count": len(seen.checkpoints),
            "newest": None if newest is None else {"seq": newest.seq, "head": newest.head, "at": newest.at},
            "bad_line": seen.bad_line,
            "why": seen.why or None,
            "given_up": [{"first": one.seq, "last": last, "at": one.at} for one, last in seen.given_up],
        },
    }
