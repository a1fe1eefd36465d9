"""Learning from corrections: ``learn run|list|show|promote|rollback|shadow``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT, Config, opened
from errors import ConfigError

if TYPE_CHECKING:
    from store.people import Principal
    from store.tables import ModelVersionRow

BY = "command line"
Number = Annotated[int, typer.Argument(min=1, help="A number that `learn list` shows.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    learn = typer.Typer(help="What the classifier learned from corrections.", no_args_is_help=True)
    learn.command("run")(run)
    learn.command("list")(list_versions)
    learn.command("show")(show)
    learn.command("promote")(promote)
    learn.command("rollback")(rollback)
    learn.command("shadow")(shadow)
    app.add_typer(learn, name="learn")


def run(config: Config = DEFAULT) -> None:
    """Learn from all corrections now, and judge what came of it; takes under a minute. Exit 1 if no version passed."""
    from pipeline import learning

    with opened(config) as deployment:
        try:
            outcome = learning.run(deployment, by=BY)
        except (OSError, ValueError) as err:
            raise ConfigError(f"nothing can be learned: {err}") from err
    lessons = outcome.lessons
    typer.echo(
        f"{len(lessons.teach)} posts taught and {len(lessons.held_back)} were held back"
        f" ({lessons.corrections} corrections, {lessons.let_stand} answers that staff let stand)"
    )
    for why, count in sorted(lessons.left_out.items()):
        typer.echo(f"{count} left out: {why}")
    for one in lessons.contradictions:
        typer.echo(_contradiction(one))
    if outcome.number is None:
        typer.echo(f"no version was made: {outcome.reason}")
    else:
        typer.echo(f"version {outcome.number} is {_told(outcome.state)}: {outcome.reason}")
    if outcome.state == "candidate":
        typer.echo(f"let it answer with: harken learn promote {outcome.number}")
    if outcome.number is None or outcome.state == "refused":
        raise typer.Exit(1)


def list_versions(config: Config = DEFAULT) -> None:
    """Every version, the newest first, and which one answers."""
    from store import models

    with opened(config) as deployment, deployment.store.reading() as session:
        rows = models.versions(session)
        for row in rows:
            typer.echo(
                f"{row.number}\t{_told(row.state)}\t{row.made_at:%Y-%m-%d %H:%M}Z\tby {row.made_by}\t{row.reason}"
            )
    state = "answers as it was shipped" if all(row.state != "live" for row in rows) else "as it was shipped"
    typer.echo(f"{models.SHIPPED}\tthe model {state}")


def show(number: Number, config: Config = DEFAULT) -> None:
    """What a version learned from, and what the gate measured."""
    from store import models

    with opened(config) as deployment, deployment.store.reading() as session:
        row = models.version(session, number)
        agreement = models.agreement(session, row.id)
    _show(row)
    for head, one in agreement.items():
        typer.echo(f"in the shadow, {head}: {one.agreed} of {one.answers} answers as the live version's")


def promote(number: Number, config: Config = DEFAULT) -> None:
    """Let a version answer; a running Harken takes it up with its next posts."""
    from pipeline import learning

    with opened(config) as deployment:
        learning.promote(deployment, _who(), number)
    typer.echo(f"version {number} answers from the next posts on; undo it with: harken learn rollback")


def rollback(
    number: Annotated[
        int | None, typer.Argument(min=0, help="A version that was live before; 0: as it was shipped.")
    ] = None,
    config: Config = DEFAULT,
) -> None:
    """Let what answered before answer again, or an earlier version."""
    from pipeline import learning

    with opened(config) as deployment:
        if number is None:
            number = learning.rollback(deployment, _who())
        else:
            learning.restore(deployment, _who(), number)
    answering = f"version {number}" if number else "the model as it was shipped"
    typer.echo(f"{answering} answers from the next posts on")


def shadow(number: Number, config: Config = DEFAULT) -> None:
    """Let a version answer beside the live one, without effect; `learn show` tells how far they agree."""
    from pipeline import learning

    with opened(config) as deployment:
        learning.shadow(deployment, _who(), number)
    typer.echo(f"version {number} answers in the shadow from the next posts on")


def _who() -> Principal:
    from store.people import Principal

    return Principal(by=BY, roles=frozenset())


def _told(state: str) -> str:
    return {"candidate": "better, and waits to be promoted", "shadow": "in the shadow"}.get(state, state)


def _show(row: ModelVersionRow) -> None:
    figures = row.figures
    typer.echo(f"version {row.number} is {_told(row.state)}: {row.reason}")
    typer.echo(f"made {row.made_at:%Y-%m-%d %H:%M}Z by {row.made_by} over {row.base}, against {figures['against']}")
    if row.decided_at is not None:
        typer.echo(f"decided {row.decided_at:%Y-%m-%d %H:%M}Z by {row.decided_by}")
    _show_lessons(figures["lessons"], row.corrections)
    for where, heads in figures["right"].items():
        for head, one in heads.items():
            told = f"{one['before']:.1%} right before, {one['after']:.1%} now"
            typer.echo(f"{where.replace('_', ' ')}, {head}, {one['posts']} posts: {told}")
    for one in figures["shares"]:
        if one["lost"]:
            typer.echo(f"lost: {one['what']}, {one['before']:.3f} before, {one['after']:.3f} now ({one['where']})")


def _show_lessons(taught: Mapping[str, Any], corrections: int) -> None:
    typer.echo(f"{taught['taught']} posts taught, {taught['held_back']} were held back; {corrections} corrections")
    if taught["own_services"]:
        typer.echo(f"new services: {', '.join(taught['own_services'])}")
    for why, count in sorted(taught["left_out"].items()):
        typer.echo(f"{count} left out: {why}")
    for one in taught["contradictions"]:
        typer.echo(_contradiction(one))


def _contradiction(one: Mapping[str, Any]) -> str:
    mentions = ", ".join(str(number) for number in one["mentions"])
    return f"contradiction: {one['field']} of mentions {mentions}: {' or '.join(one['values'])}"
