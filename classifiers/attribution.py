"""Which words of a post an answer hangs on: each word is left out in turn, and the model reads the rest.

It tells what the model did, not whether it was right to; and words that only matter together, as in "not bad", can each
look idle alone.
Source: Li, Monroe and Jurafsky 2016, Understanding Neural Networks through Representation Erasure, section 2.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from classifiers.base import Classification, Classifier
from classifiers.model_folder import NO_SERVICE, SERVICE_INTENTS
from classifiers.normalise import READ_AT_MOST
from vocabulary import Urgency

MOST_WORDS = 60  #: each costs one reading, 2 to 4 ms; the model reads 96 word pieces, about 70 words
NOTABLE = math.log(1.5)  #: log-odds; below, a word made less than half as much again of a difference
STRONG = math.log(4)
_CERTAIN = 1e-9  #: a probability this close to 0 or 1 is taken for it: beyond, floats decide

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """What one word did to one answer."""

    word: int  #: its place among the words
    log_odds: float  #: how many the label loses without the word; below 0: the word spoke against it

    @property
    def times(self) -> float:
        """By what the odds of the label are multiplied where the word speaks for it, or divided where against; ≥ 1."""
        return math.exp(abs(self.log_odds))


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One answer, and the words that mattered to it."""

    head: str
    label: str
    probability: float
    weights: tuple[float, ...]  #: log-odds that the label loses without each word, in the order of the words

    def notable(self, at_most: int = 8) -> tuple[Weight, ...]:
        """The words that mattered, the most important first."""
        found = [Weight(word=place, log_odds=value) for place, value in enumerate(self.weights)]
        found = [one for one in found if abs(one.log_odds) >= NOTABLE]
        return tuple(sorted(found, key=lambda one: -abs(one.log_odds))[:at_most])


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """A post taken apart."""

    model: str  #: the version that was asked
    text: str
    words: tuple[tuple[int, int], ...]  #: where each begins and ends in the text
    not_tried: int  #: words beyond the first sixty, which were never left out
    reasons: tuple[Reason, ...]

    def word(self, place: int) -> str:
        """One of the words."""
        start, end = self.words[place]
        return self.text[start:end]


def attribute(classifier: Classifier, text: str, *, emergency: float) -> Attribution:
    """Why a classifier answers as it does; one reading of the post, and one for each of its words.

    ``emergency``: from this probability on, the urgency that is explained is an emergency, whatever is likelier.

    Raises:
        Busy, PostsFailed: as ``Classifier.classify``.
    """
    text = text[:READ_AT_MOST]
    found = [match.span() for match in _WORD.finditer(text)]
    words = tuple(found[:MOST_WORDS])
    whole, *without = classifier.classify([text, *(text[:start] + text[end:] for start, end in words)])
    return Attribution(
        model=whole.model,
        text=text,
        words=words,
        not_tried=len(found) - len(words),
        reasons=tuple(
            _reason(head, label, whole, without) for head, label in _answers(whole, emergency=emergency).items()
        ),
    )


def _answers(said: Classification, *, emergency: float) -> Mapping[str, str]:
    """The label of each head that is to be explained; a service only where the post concerns one."""
    labels = {head: max(scores, key=lambda label: scores[label]) for head, scores in said.scores.items()}
    if said.intent not in SERVICE_INTENTS or labels["service_code"] == NO_SERVICE:
        labels.pop("service_code")
    if said.scores["urgency"].get(Urgency.EMERGENCY, 0.0) >= emergency:
        labels["urgency"] = Urgency.EMERGENCY.value
    return labels


def _reason(head: str, label: str, whole: Classification, without: list[Classification]) -> Reason:
    full = log_odds(whole.scores[head], label)
    return Reason(
        head=head,
        label=label,
        probability=whole.scores[head][label],
        weights=tuple(round(full - log_odds(one.scores[head], label), 4) for one in without),
    )


def log_odds(scores: Mapping[str, float], label: str) -> float:
    """How much likelier a label is than all others together. Units: natural logarithm of the odds."""
    others = sum(score for name, score in scores.items() if name != label)
    return math.log(max(scores[label], _CERTAIN)) - math.log(max(others, _CERTAIN))
