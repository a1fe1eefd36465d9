"""The ``harken`` command. Errors go to stderr as one clear line; exit 2 for a bad call or config."""

from __future__ import annotations

import sys

import typer

from cli import demo, learning, listening, people, reading, records, running, storing, trying
from errors import HarkenError

app = typer.Typer(
    name="harken",
    help="Hears what residents tell their city on social media, and answers with a person's approval.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
running.add_to(app)
listening.add_to(app)
reading.add_to(app)
people.add_to(app)
records.add_to(app)
storing.add_to(app)
learning.add_to(app)
trying.add_to(app)
demo.add_to(app)


def main() -> None:
    """The entry point."""
    try:
        app()
    except HarkenError as err:
        typer.echo(f"harken: {err}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        sys.exit(1)
