"""The environments, and what every reply template's source must keep to."""

from __future__ import annotations

import re
from pathlib import Path

import emoji
import pytest
from jinja2 import TemplateNotFound, UndefinedError, nodes
from jinja2.exceptions import SecurityError

import templates
from responders.drafting import all_templates

REPLIES = Path(templates.__file__).parent / "replies"
SOURCES = sorted(path.name for path in REPLIES.glob("*.txt.j2"))
ENGLISH = sorted(name for name in SOURCES if name.endswith(".en.txt.j2"))


def source(name: str) -> str:
    """What a reader may see of a template: its text without comments."""
    return re.sub(r"\{#.*?#\}", "", (REPLIES / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def arities(name: str) -> list[int]:
    """How many wordings each choice in a template offers, in order."""
    tree = templates.plain().parse((REPLIES / name).read_text(encoding="utf-8"))
    calls = [call for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)]
    return [len(call.args) for call in calls]


def test_a_missing_value_is_an_error_in_a_reply() -> None:
    template = templates.plain().from_string("Reference {{ reference }}.")

    with pytest.raises(UndefinedError):
        template.render()


def test_a_missing_value_is_an_error_on_a_page() -> None:
    template = templates.html().from_string("{{ name }}")

    with pytest.raises(UndefinedError):
        template.render()


def test_a_reply_is_not_escaped_for_html_and_a_page_is() -> None:
    assert templates.plain().from_string("{{ name }}").render(name="Oak & 5th") == "Oak & 5th"
    assert templates.html().from_string("{{ name }}").render(name="<b>") == "&lt;b&gt;"


@pytest.mark.parametrize("attack", ["{{ ''.__class__.__mro__ }}", "{{ values.append(1) }}"], ids=["reach", "change"])
def test_a_reply_template_cannot_reach_or_change_what_it_is_given(attack: str) -> None:
    template = templates.plain().from_string(attack)

    with pytest.raises(SecurityError):
        template.render(values=[])


def test_templates_are_found_in_the_package_and_nowhere_else() -> None:
    templates.plain().get_template("replies/report.en.txt.j2")

    with pytest.raises(TemplateNotFound):
        templates.plain().get_template("../pyproject.toml")


@pytest.mark.parametrize("name", all_templates())
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_template_is_written_in_both_languages(name: str, language: str) -> None:
    assert f"{name}.{language}.txt.j2" in SOURCES


def test_every_file_is_a_template_that_staff_can_get() -> None:
    names = {name.split(".")[0] for name in SOURCES if not name.startswith("_")}

    assert names == set(all_templates())


@pytest.mark.parametrize("name", ENGLISH)
def test_both_languages_offer_the_same_choices(name: str) -> None:
    """So that staff read, in their language, the very wording that the resident gets."""
    assert arities(name) == arities(name.replace(".en.", ".es."))


@pytest.mark.parametrize("name", SOURCES)
def test_a_template_offers_no_choice_of_one(name: str) -> None:
    assert all(arity in {2, 3} for arity in arities(name))


@pytest.mark.parametrize("name", SOURCES)
def test_no_template_shouts_cheers_or_links(name: str) -> None:
    text = re.sub(r"\{%.*?%\}", "", source(name))

    assert "!" not in text
    assert "¡" not in text
    assert not emoji.emoji_count(text)
    assert not re.search(r"[@#]|https?:|www\.", text)


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("praise")])
def test_no_cheer_outside_of_praise(name: str) -> None:
    cheer = (
        r"\b(glad|happy|great|good news|awesome|excited|thrilled|delighted|wonderful|alegr\w+|gusto|genial|excelente)\b"
    )

    assert not re.search(cheer, source(name), re.IGNORECASE)


@pytest.mark.parametrize("name", SOURCES)
def test_only_a_fixed_outcome_is_called_fixed(name: str) -> None:
    """Wherever the word stands, the template is for that outcome or asks for it first."""
    text = source(name)
    claims = list(re.finditer(r"\bfixed\b(?!\")|\barreglad\w+|\brepar\w+|\bresolved\b|\bresuelt\w+", text))

    asked = ['outcome == "fixed"' in text[: claim.start()] for claim in claims]

    assert name.startswith("follow_up_fixed.") or all(asked)


@pytest.mark.parametrize("name", [name for name in SOURCES if ".es." in name])
def test_spanish_says_usted(name: str) -> None:
    assert not re.search(r"\b(tú|tu|tus|te|ti|contigo|puedes|tienes|quieres|escríbenos|dinos|llama)\b", source(name))


@pytest.mark.parametrize("name", SOURCES)
def test_no_template_names_the_day_of_answer_on_its_own(name: str) -> None:
    promise = r"\b(today|tomorrow|soon|shortly|within|hours|hoy|mañana|pronto|en breve|horas)\b"

    assert not re.search(promise, re.sub("at all hours|a toda hora|our office hours", "", source(name)), re.IGNORECASE)
