"""What must outlast everything: ``verify-audit``, ``backup``, ``restore``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT, Config, opened

if TYPE_CHECKING:
    from pipeline.records import Proof


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    app.command("verify-audit")(verify_audit)


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

    deployment = opened(config)
    own = records.checkpoints_of(deployment.settings)
    proof = records.prove(deployment.store, own, file=against, public=public_key)
    if checkpoint and proof.holds:
        records.checkpoint(deployment)
        proof = records.prove(deployment.store, own)
    deployment.close()
    if as_json:
        typer.echo(json.dumps(_as_json(proof)))
    elif proof.holds:
        typer.echo(_told(proof))
    else:
        typer.echo("; ".join(proof.faults), err=True)
    if not proof.holds:
        raise typer.Exit(1)


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
        f"entries {restore.seq + 1} to {last} of the log before were given up at the restore of {restore.at}"
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
        "checkpoints": {
            "file": str(proof.file),
            "key": proof.key,
            "count": len(seen.checkpoints),
            "newest": None if newest is None else {"seq": newest.seq, "head": newest.head, "at": newest.at},
            "bad_line": seen.bad_line,
            "why": seen.why or None,
            "given_up": [{"after": one.seq, "until": last, "at": one.at} for one, last in seen.given_up],
        },
    }
