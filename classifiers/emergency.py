"""Plain words of danger to life, in English and Spanish.

They work beside the model's urgency head, with no threshold and no training, so that no model that errs, no city's own
heads and no switch can silence a plain cry, and what they find can be explained. Whatever they find pages a person, so
they know only what is said outright, of here and now; what is hinted at is the model's to find. The words are in
``emergency.toml``; how often they are right is measured in docs/model-card.md.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from classifiers.normalise import normalise

WORDS_FILE = Path(__file__).with_name("emergency.toml")

READ_AT_MOST = 20_000  #: characters
STRETCH = 1_500  #: characters searched at a time: normalise() keeps no more than 2,000
OVERLAP = 300  #: longer than what any pattern spans in plain writing
SPACE = r"[^\w.!?;]"  #: what a space of a pattern stands for: all its words are of one sentence

_LISTS = ("person", "human", "thing", "persona")
_OVERDOSED = re.compile(r"\bo\.?d\.?['’](?:ed|d)\b", re.IGNORECASE)  # "OD'd": without its apostrophe it is "odd"
_LAUGHTER = re.compile("[😂🤣😹💀]|\\b(?:lo+l+|lmf?ao+|rofl|(?:ha){2,}h?|(?:ja){2,}j?|(?:je){2,})\\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class EmergencyFound:
    """Why a post goes to the emergency lane."""

    label: str  #: gas, fire, … : what it is counted under
    reason: str  #: for staff: "words about a gas smell or leak"
    matched: str  #: the words of the post, in lower case and without accents
    self_harm: bool  #: 988 rather than 911, and another reply


@dataclass(frozen=True, kw_only=True, slots=True)
class _Danger:
    label: str
    reason: str
    pattern: re.Pattern[str]
    self_harm: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    """What ``emergency.toml`` holds, ready to search with."""

    dangers: tuple[_Danger, ...]
    look_alikes: re.Pattern[str]  #: said of other things, or of what has not happened
    said_lightly: re.Pattern[str]  #: of taking one's life, without meaning it
    another_time: re.Pattern[str]  #: a story, a memory, thanks, a question on rules, news
    now: re.Pattern[str]  #: it is happening, or someone asks for help


def find_emergency(text: str) -> EmergencyFound | None:
    """The first danger that the post speaks of, self-harm before all others; None if there is none.

    A long post is read stretch by stretch, so that a cry at its end is heard too, up to its first 20,000 characters.
    """
    text = text[:READ_AT_MOST]
    found = [_find(text[start : start + STRETCH + OVERLAP]) for start in range(0, max(len(text) - OVERLAP, 1), STRETCH)]
    return min((one for one in found if one), key=lambda one: not one.self_harm, default=None)


def _find(text: str) -> EmergencyFound | None:
    words = _words()
    plain = _plain(text)
    literal: str | None = None
    for danger in words.dangers:
        if danger.self_harm:
            match = danger.pattern.search(words.said_lightly.sub(" . ", plain))
        else:
            if literal is None:
                literal = "" if _elsewhere(text, plain, words) else words.look_alikes.sub(" . ", plain)
            match = danger.pattern.search(literal)
        if match:
            return EmergencyFound(
                label=danger.label, reason=danger.reason, matched=match[0].strip(), self_harm=danger.self_harm
            )
    return None


def _plain(text: str) -> str:
    """Lower case, no accents, no apostrophes, no emoji: 🔥 is praise far more often than a fire."""
    words = normalise(_OVERDOSED.sub("overdosed", text), emoji=False)
    words = unicodedata.normalize("NFKD", words).casefold()
    words = "".join(character for character in words if not unicodedata.combining(character))
    return words.replace("’", "'").replace("'", "")


def _elsewhere(text: str, plain: str, words: _Words) -> bool:
    """Whether the post laughs, or tells of another time or place, and says nothing of now."""
    told = words.another_time.search(plain) or _LAUGHTER.search(text)
    return bool(told) and not words.now.search(plain)


@cache
def _words() -> _Words:
    table = tomllib.loads(WORDS_FILE.read_text(encoding="utf-8"))
    lists = {name: str(table[name]) for name in _LISTS}
    return _Words(
        dangers=tuple(_danger(row, lists) for row in table["danger"]),
        look_alikes=_compiled(table["look_alikes"], lists),
        said_lightly=_compiled(table["said_lightly"], lists),
        another_time=_compiled(table["another_time"], lists),
        now=_compiled(table["now"], lists),
    )


def _danger(row: Mapping[str, Any], lists: Mapping[str, str]) -> _Danger:
    return _Danger(
        label=row["label"],
        reason=row["reason"],
        pattern=_compiled(row["patterns"], lists),
        self_harm=row["self_harm"],
    )


def _compiled(patterns: Iterable[str], lists: Mapping[str, str]) -> re.Pattern[str]:
    """One expression of all patterns, in the notation that the head of ``emergency.toml`` explains."""
    joined = "|".join(patterns)
    for name, alternatives in lists.items():
        joined = joined.replace(f"{{{name}}}", f"({alternatives})")
    joined = re.sub(r" ~(\d+)", r"( \\w{1,25}){0,\1}", joined)
    joined = re.sub(r"~(\d+) ", r"(\\w{1,25} ){0,\1}", joined)
    joined = re.sub(r"\((?!\?)", "(?:", joined).replace(" ?", f"{SPACE}{{0,2}}").replace(" ", f"{SPACE}{{1,4}}")
    return re.compile(rf"\b(?:{joined})\b")
