"""Reads over the labelled sets before minutes are spent on them: a bad line is told by its file and number.

``corpus`` takes the lines as they are.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from classifiers.corpus import SETS
from vocabulary import GENERAL_CODES, Intent, Sentiment, Urgency

REMEDY = "mend the line or take it out"

_Rule = Callable[[Any], str]  #: what is wrong with a value; empty if nothing is


class BadData(ValueError):
    """A set of labelled posts can't be used: names the file, the line and the remedy."""


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else "must be a string with something in it"


def _one_of(known: Collection[str], *, or_null: bool = False) -> _Rule:
    def check(value: Any) -> str:
        if (or_null and value is None) or (isinstance(value, str) and value in known):
            return ""
        allowed = f"{', '.join(sorted(known))}{' or null' if or_null else ''}"
        return f"must be one of {allowed}" if len(known) < 15 else "is no code that Harken knows (vocabulary.py)"

    return check


_SENTIMENT: Mapping[str, _Rule] = {"text": _text, "label": _one_of(tuple(Sentiment))}
#: What each row of a set must hold.
_RULES: Mapping[str, Mapping[str, _Rule]] = {
    "intents": {
        "text": _text,
        "intent": _one_of(tuple(Intent)),
        "service": _one_of(GENERAL_CODES, or_null=True),
        "urgency": _one_of(tuple(Urgency)),
        "sentiment": _one_of(tuple(Sentiment)),
        "from": _one_of((*SETS, "requests311")),
    },
    "requests311": {"text": _text, "label": _one_of(GENERAL_CODES), "city": _text},
    "civic_tweets": {"text": _text, "label": _text},
    "sentiment": _SENTIMENT,
    "sentiment_es": _SENTIMENT,
    "airline": _SENTIMENT,
    "complaints": {"text": _text},
    "crisis": {"text": _text},
}
_MAIN_LABEL = {"intents": "intent"}  #: in the others it is ``label``


#: What a training reads.
_TRAINING = (
    ("train", ("intents", "requests311", "civic_tweets", "sentiment", "sentiment_es", "complaints", "crisis")),
    ("val", ("intents", "requests311", "sentiment", "sentiment_es", "airline")),
)


def check_all(data: Path) -> frozenset[str]:
    """All that a training reads; gives the cities of its requests.

    Raises:
        BadData: see ``check_part``.
        FileNotFoundError: a set is not there.
    """
    for part, folders in _TRAINING:
        for folder in folders:
            check_part(data, folder, part)
    with (data / "requests311" / "train.jsonl").open(encoding="utf-8") as file:
        return frozenset(str(json.loads(line)["city"]) for line in file if line.strip())


def check_part(data: Path, folder: str, part: str) -> None:
    """One part of one set.

    Raises:
        BadData: a line is bad, or all posts have one label, so that there is nothing to tell apart.
        FileNotFoundError: it is not there.
    """
    path = data / folder / f"{part}.jsonl"
    rules = _RULES[folder]
    main = _MAIN_LABEL.get(folder, "label")
    seen: Counter[str] = Counter()
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                seen[str(_row(path, number, raw, rules).get(main))] += 1
    if not seen:
        raise BadData(f"{path}: holds no post: write one JSON object a line")
    if main in rules and len(seen) == 1:
        raise BadData(f"{path}: every post is {seen.popitem()[0]!r}: two labels at least are needed to tell apart")


def _row(path: Path, number: int, raw: bytes, rules: Mapping[str, _Rule]) -> dict[str, Any]:
    try:
        row = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as err:
        remedy = f"save the file as UTF-8 (iconv -f latin1 -t utf-8 {path.name})"
        raise BadData(f"{path} line {number}: not UTF-8 at byte {err.start}: {remedy}") from err
    except (ValueError, RecursionError) as err:  # a number of 5,000 digits is a plain ValueError
        raise BadData(f"{path} line {number}: not JSON ({err}): {REMEDY}") from err
    if not isinstance(row, dict):
        raise BadData(f"{path} line {number}: not a JSON object: {REMEDY}")
    for key, rule in rules.items():
        if key not in row:
            raise BadData(f"{path} line {number}: {key} is missing: {REMEDY}")
        if wrong := rule(row[key]):
            raise BadData(f"{path} line {number}: {key} = {str(row[key])[:60]!r} {wrong}: {REMEDY}")
    return row
