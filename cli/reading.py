"""The classifier by hand: ``classify``, ``train``, ``evaluate``."""

from __future__ import annotations

import contextlib
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
    try:
        classifier = load()
    except (OSError, ValueError) as err:
        raise ConfigError(f"the classifier can't be loaded: {err}") from err
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
    except (ValueError, RecursionError) as err:  # a number of 5,000 digits is a plain ValueError
        return _Line(number=number, id=None, text=None, error=f"not JSON: {err}")
    if not isinstance(given, dict):
        return _Line(number=number, id=None, text=None, error="not an object with id and text")
    if not isinstance(given.get("text"), str):
        return _Line(number=number, id=given.get("id"), text=None, error="text is missing or no string")
    return _Line(number=number, id=given.get("id"), text=given["text"])


def train(
    data: Annotated[Path, typer.Argument(help="The folder with the data sets.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the model.")] = Path("var/model"),
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Of the last stage; as in the recipe without.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed")] = 7,
    version: Annotated[str, typer.Option("--model-version", help="What the model calls itself.")] = "1",
    exclude_terms: Annotated[str, typer.Option("--exclude-terms", help="Leave sets out by terms: nc,x,unstated")] = "",
    leave_out_cities: Annotated[
        str, typer.Option("--leave-out-cities", help="For a sister model, to see how a new city does: new_york,hoboken")
    ] = "",
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Kept there every 500 steps; a run that was cut off goes on.")
    ] = None,
    full_precision: Annotated[
        Path | None, typer.Option("--full-precision", help="Write the ONNX file before it is made int8 there besides.")
    ] = None,
) -> None:
    """Train a model (needs the extra `train`)."""
    from classifiers.checking import check_all

    terms = _terms(exclude_terms)
    _must_be_there(data)
    for option, path in (("--checkpoint", checkpoint), ("--full-precision", full_precision)):
        _has_a_place(option, path)
    with _told():
        cities = check_all(data)
    left_out = frozenset(city.strip() for city in leave_out_cities.split(",") if city.strip())
    if unknown := sorted(left_out - cities):
        raise ConfigError(f"--leave-out-cities {unknown[0]}: there are {', '.join(sorted(cities))}")
    try:
        from classifiers.train import EncoderMissing
        from classifiers.train import train as begin
    except ModuleNotFoundError as err:
        raise ConfigError(f"training needs the package {err.name!r}: pip install '.[train]'") from err
    try:
        begin(
            data,
            out,
            epochs=epochs,
            seed=seed,
            version=version,
            exclude_terms=terms,
            leave_out_cities=left_out,
            checkpoint=checkpoint,
            full_precision=full_precision,
        )
    except (EncoderMissing, ValueError) as err:
        raise ConfigError(str(err)) from err


def evaluate(
    data: Annotated[
        Path | None, typer.Argument(help="The folder with the data sets; without it only our own held-back posts.")
    ] = None,
    model: Annotated[Path | None, typer.Option("--model", help="A model folder; the shipped one without.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="Another model folder, to compare with.")] = None,
    sister: Annotated[
        Path | None, typer.Option("--sister", help="A model trained without New York and Hoboken: how it does there.")
    ] = None,
    full_precision: Annotated[
        Path | None, typer.Option("--full-precision", help="The model's ONNX file before it was made int8.")
    ] = None,
    as_json: Annotated[
        str | None, typer.Option("--json", help="Write all figures there as JSON; - instead of the tables.")
    ] = None,
    card: Annotated[Path | None, typer.Option("--card", help="Write the model card there besides.")] = None,
    at_most: Annotated[
        int | None, typer.Option("--at-most", min=30, help="Posts of each set, for a quick look.")
    ] = None,
) -> None:
    """Measure a model on the val parts and our held-back posts, and print what it reaches and what it misses."""
    from classifiers import evaluate as measuring
    from classifiers.card import render, write_card
    from classifiers.model_folder import SHIPPED, read_config

    if data is not None:
        _must_be_there(data)
    for option, path in (("--card", card), ("--json", Path(as_json) if as_json not in {None, "-"} else None)):
        _has_a_place(option, path)
    beside = measuring.Beside(full_precision=full_precision, sister=sister, against=against)
    with _told():
        report = measuring.evaluate(
            data, folder=model, beside=beside, at_most=at_most, progress=lambda line: typer.echo(line, err=True)
        )
    table = json.dumps(measuring.as_json(report), indent=2, ensure_ascii=False)
    typer.echo(table if as_json == "-" else render(report))
    if as_json not in {None, "-"}:
        Path(as_json).write_text(table + "\n", encoding="utf-8")
    if card is not None:
        write_card(card, report, read_config(model or SHIPPED))


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """A bad set or a bad model is told in one line."""
    from classifiers.checking import BadData
    from classifiers.fitting import BadModel

    try:
        yield
    except FileNotFoundError as err:
        raise ConfigError(f"{err.filename}: is not there") from err
    except (BadData, BadModel) as err:
        raise ConfigError(str(err)) from err


def _must_be_there(data: Path) -> None:
    if not data.is_dir():
        raise ConfigError(f"{data}: there is no such folder of data sets")


def _has_a_place(option: str, path: Path | None) -> None:
    """Known before minutes are spent."""
    if path is not None and not path.parent.is_dir():
        raise ConfigError(f"{option} {path}: there is no folder {path.parent}")
    if path is not None and path.is_dir():
        raise ConfigError(f"{option} {path}: is a folder; name a file")


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
