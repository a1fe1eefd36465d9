"""Imports run one way: from the command down to the words (docs/decisions/0001)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

WORDS = {"vocabulary", "errors"}
ADAPTERS_MAY = WORDS | {"clients", "places"}  # not settings, not the store: a client in, values out
LEVELS: tuple[set[str], ...] = (
    WORDS,
    {"crashing"},
    {"adapters", "settings", "store", "templates", "clients", "places"},
    {"listeners", "classifiers", "responders", "crm_bridge"},
    {"pipeline", "analytics"},
    {"scheduler", "web"},
    {"cli"},
)
DEPTH = {name: depth for depth, names in enumerate(LEVELS) for name in names}
#: What each may import of ours.
MAY = {name: {other for other in DEPTH if DEPTH[other] < DEPTH[name]} for name in DEPTH} | {
    "listeners": ADAPTERS_MAY,
    "classifiers": ADAPTERS_MAY,
    "responders": ADAPTERS_MAY | {"templates"},
    "crm_bridge": ADAPTERS_MAY,
    "sandbox": set(),  # it plays the platforms: sharing our code would share our mistakes
    "demo": set(),  # data only
}
MAY["cli"] |= {"sandbox", "demo"}
OURS = set(MAY)
FILES = sorted(p for name in OURS for p in (*ROOT.glob(f"{name}.py"), *(ROOT / name).rglob("*.py")))


def home(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names that this tree imports, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    ours = set(imported(ast.parse(path.read_bytes()))) & OURS - {home(path)}

    assert ours <= MAY[home(path)], f"{home(path)} must not import {sorted(ours - MAY[home(path)])}"


def test_only_one_function_of_the_command_knows_the_sandbox() -> None:
    bodies = [node for path in (ROOT / "cli").rglob("*.py") for node in ast.parse(path.read_bytes()).body]

    functions = [node for node in bodies if isinstance(node, ast.FunctionDef) and "sandbox" in imported(node)]

    assert len(functions) == 1, f"one function imports sandbox, not {[f.name for f in functions]}"
    assert "sandbox" not in {name for node in bodies if node not in functions for name in imported(node)}


def test_every_top_level_name_has_its_place() -> None:
    modules = {p.stem for p in ROOT.glob("*.py")} | {p.parent.name for p in ROOT.glob("*/__init__.py")}

    assert modules <= OURS, "a new top-level name needs a place in MAY, in pyproject.toml and in design and glossary"
