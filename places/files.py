"""Reads the city's own files, and says exactly what is wrong with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a CSV file, with where it stands."""

    path: Path
    number: int  #: as an editor counts, from 1
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """The cell, without the blanks around it; empty where the file has no such column."""
        return self.cells.get(column, "")

    def fault(self, column: str, remedy: str) -> ConfigError:
        """The error that names file, line, column and value, and says what would be right."""
        return ConfigError(f"{self.path}, line {self.number}, column {column}: {self[column]!r}: {remedy}")

    def one_of(self, column: str, allowed: tuple[str, ...]) -> str:
        """The cell, if it is one of these.

        Raises:
            ConfigError: it is not.
        """
        if self[column] not in allowed:
            raise self.fault(column, "write one of " + ", ".join(word or "(nothing)" for word in allowed))
        return self[column]

    def yes(self, column: str, *, default: bool) -> bool:
        """A cell that says true or false; ``default`` where it is empty.

        Raises:
            ConfigError: it says something else.
        """
        word = self[column].casefold()
        if word in ("true", "yes", "1"):
            return True
        if word in ("false", "no", "0"):
            return False
        if word:
            raise self.fault(column, "write true or false")
        return default


def text_of(path: Path) -> str:
    """The file's text, UTF-8 with or without a byte order mark.

    Raises:
        ConfigError: there is no such file, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read ({err.strerror or err}): correct the path in harken.toml") from err
    except UnicodeDecodeError as err:
        raise ConfigError(f"{path}, byte {err.start + 1}: is not UTF-8: save the file as UTF-8") from err


def lines(path: Path, *, needed: tuple[str, ...], known: tuple[str, ...]) -> Iterator[Line]:
    """The lines of a CSV file with a header; blank lines are left out.

    Raises:
        ConfigError: a needed column is missing, a column is unknown or there twice, or a line has cells too many.
    """
    reader = csv.reader(io.StringIO(text_of(path), newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(path, header, needed, known)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                extra = cells[len(header)]
                raise ConfigError(
                    f"{path}, line {reader.line_num}: {extra!r} stands after the last column: "
                    'put cells that hold a comma in "quotes"'
                )
            trimmed = (cell.strip() for cell in cells)
            yield Line(path=path, number=reader.line_num, cells=dict(zip(header, trimmed, strict=False)))
    except csv.Error as err:
        raise ConfigError(f"{path}, line {reader.line_num}: {err}: check the quotes") from err


def _check_header(path: Path, header: list[str], needed: tuple[str, ...], known: tuple[str, ...]) -> None:
    for column in needed:
        if column not in header:
            raise ConfigError(f"{path}, line 1: column {column} is missing: add it to the header")
    for column in header:
        if column not in known:
            raise ConfigError(f"{path}, line 1, column {column!r}: unknown: the columns are {', '.join(known)}")
        if header.count(column) > 1:
            raise ConfigError(f"{path}, line 1, column {column}: there twice: remove one")
