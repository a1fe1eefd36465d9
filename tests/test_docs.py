"""The documents keep up with the code."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import pytest

import vocabulary

ROOT = Path(__file__).parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})
WORDS = [
    name
    for name, thing in vars(vocabulary).items()
    if inspect.isclass(thing) and thing.__module__ == "vocabulary" and not name.startswith("_")
]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_explains_each_word_of_the_vocabulary(word: str) -> None:
    assert f"`{word}`" in GLOSSARY


def test_every_table_of_the_settings_is_explained() -> None:
    example = ROOT / "harken.example.toml"
    docs = "\n".join(page.read_text() for page in PAGES)

    unexplained = [key for key in tomllib.loads(example.read_text()) if f"`[{key}" not in docs]

    assert not unexplained


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_names_the_two_commands(command: str) -> None:
    readme = ROOT / "README.md"

    assert command in readme.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", page.read_text())

    broken = [link for link in links if not (page.parent / link).exists()]

    assert not broken


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_its_context_choice_and_cost(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)

    assert [heading for heading in ("Context", "Choice", "Cost") if heading not in headings] == []


def test_make_help_names_every_verb() -> None:
    verbs = re.findall(r"^\.PHONY: (\w+)$", makefile := (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert verbs
    assert [verb for verb in verbs if not re.search(rf"^{verb}:.*## \S", makefile, re.MULTILINE)] == []
