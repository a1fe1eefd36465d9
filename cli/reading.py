"""The classifier by hand: ``classify``, ``train``, ``evaluate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from errors import ConfigError

CHUNK = 256  #: posts at once through the model
BLOCK = 1 << 20  #: bytes read at once, where so many are there


def add_to(app: typer.Typer) -> None:
    """Put the commands on the app."""
    app.command()(classify)
    app.command()(train)
    app.command()(evaluate)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    number: int
    id: Any
    text: str | None
    error: str = ""


def classify(
    file: Annotated[Path | None, typer.Argument(help="JSON Lines with id and text; standard input without.")] = None,
    config: Annotated[Path | None, typer.Option("--config", envvar="HARKEN_CONFIG")] = None,
) -> None:
    """Say of each post what it is: JSON Lines in, JSON Lines out, in the same order. Exit 1 if a line was bad."""
    from classifiers.transformer import load

    city = _city_codes(config)
    bad = 0
    opened = _opened(file)
    classifier = load()
    for chunk in _chunks(opened):
        answers = iter(classifier.classify([line.text for line in chunk if line.text is not None]))
        for line in chunk:
            if line.text is None:
                bad += 1
                out: dict[str, Any] = {"id": line.id, "line": line.number, "error": line.error}
            else:
                answer = next(answers)
                out = {
                    "id": line.id,
                    "intent": answer.intent,
                    "service_code": city(answer.service_code, line.text),
                    "sentiment": answer.sentiment,
                    "urgency": answer.urgency,
                    "language": answer.language,
                    "scores": {head: dict(scores) for head, scores in answer.scores.items()},
                }
            sys.stdout.write(json.dumps(out, ensure_ascii=True) + "\n")
        sys.stdout.flush()
    if bad:
        raise typer.Exit(1)


def _city_codes(config: Path | None) -> Any:
    """From general codes to the city's own, where a config is named."""
    if config is None:
        return lambda code, _text: code
    from places.services import choose, load_services
    from settings import load

    services = load_services(load(config).city.services)

    def own(code: str | None, text: str) -> str | None:
        found = choose(services, code, text) if code else None
        return found.service_code if found else None

    return own


def _opened(file: Path | None) -> BufferedReader:
    if file is None:
        return cast(BufferedReader, sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as err:
        raise ConfigError(f"{file}: can't be read: {err.strerror}") from err


def _chunks(opened: BufferedReader) -> Iterator[list[_Line]]:
    """The lines as they come, ``CHUNK`` at once and no more: whoever writes a line and waits gets its answer."""
    number = 0
    for whole in _whole_lines(opened):
        lines = [_parse(count, raw) for count, raw in enumerate(whole, start=number + 1) if raw.strip()]
        number += len(whole)
        for first in range(0, len(lines), CHUNK):
            yield lines[first : first + CHUNK]


def _whole_lines(opened: BufferedReader) -> Iterator[list[bytes]]:
    begun: list[bytes] = []
    while block := opened.read1(BLOCK):  # what is there now; it waits only where there is nothing
        head, newline, rest = block.rpartition(b"\n")
        if newline:
            yield b"".join([*begun, head]).split(b"\n")
            begun = []
        begun.append(rest)
    yield [b"".join(begun)]


def _parse(number: int, raw: bytes) -> _Line:
    try:
        given = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as err:
        return _Line(number=number, id=None, text=None, error=f"not UTF-8 at byte {err.start}")
    except (json.JSONDecodeError, RecursionError) as err:
        return _Line(number=number, id=None, text=None, error=f"not JSON: {err}")
    if not isinstance(given, dict):
        return _Line(number=number, id=None, text=None, error="not an object with id and text")
    if not isinstance(given.get("text"), str):
        return _Line(number=number, id=given.get("id"), text=None, error="text is missing or no string")
    return _Line(number=number, id=given.get("id"), text=given["text"])


def train(
    data: Annotated[Path, typer.Argument(help="The folder with the data sets.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the model.")] = Path("var/model"),
    epochs: Annotated[int, typer.Option("--epochs", min=1)] = 4,
    seed: Annotated[int, typer.Option("--seed")] = 7,
    exclude_terms: Annotated[str, typer.Option("--exclude-terms", help="Leave sets out by terms: nc,x,unstated")] = "",
) -> None:
    """Train a model (needs the extra `train`)."""
    terms = _terms(exclude_terms)
    _must_be_there(data)
    try:
        from classifiers.train import train as begin
    except ModuleNotFoundError as err:
        raise ConfigError(f"training needs the package {err.name!r}: pip install '.[train]'") from err
    begin(data, out, epochs=epochs, seed=seed, exclude_terms=terms)


def evaluate(
    data: Annotated[Path, typer.Argument(help="The folder with the data sets.")],
    model: Annotated[Path | None, typer.Option("--model", help="A model folder; the shipped one without.")] = None,
    card: Annotated[Path | None, typer.Option("--card", help="Write the model card there besides.")] = None,
) -> None:
    """Measure a model on the validation parts, and print the tables of the model card."""
    from classifiers.card import render, write_card
    from classifiers.evaluate import evaluate as measure
    from classifiers.model_folder import SHIPPED, read_config

    _must_be_there(data)
    if card is not None and not card.parent.is_dir():  # known before minutes are spent
        raise ConfigError(f"--card {card}: there is no folder {card.parent}")
    try:
        report = measure(data, folder=model, progress=lambda line: typer.echo(line, err=True))
    except FileNotFoundError as err:
        raise ConfigError(f"{err.filename}: is not there") from err
    typer.echo(render(report))
    if card is not None:
        write_card(card, report, read_config(model or SHIPPED))


def _must_be_there(data: Path) -> None:
    if not data.is_dir():
        raise ConfigError(f"{data}: there is no such folder of data sets")


def _terms(given: str) -> frozenset[str]:
    """The terms of sets that are left out.

    Raises:
        ConfigError: no set has such terms; left unsaid, what was to be excluded would be learned from.
    """
    from classifiers.corpus import SETS

    known = frozenset[str]().union(*(one.terms for one in SETS.values()))
    terms = frozenset(term.strip() for term in given.split(",") if term.strip())
    if unknown := sorted(terms - known):
        raise ConfigError(f"--exclude-terms {unknown[0]}: there are {', '.join(sorted(known))}")
    return terms
