"""Why a post was read as it was: the words that mattered, as the page and the API show them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from classifiers.attribution import STRONG, Attribution, Reason, Weight, attribute
from classifiers.emergency import EmergencyFound, find_emergency
from pipeline.assess import city_code
from pipeline.deployment import Deployment
from pipeline.serving import Serving
from store import intake
from store.refusals import Conflict
from store.tables import MentionRow
from web import words

#: Seconds that a second page waits for the first: sixty readings each must not crowd out the posts that wait.
PATIENCE = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A stretch of the post: a word that mattered, or what lies between two of them."""

    text: str
    how: str = ""  #: for, for-strong, against, against-strong; empty: it did not matter


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """One answer, as people read it."""

    head: str
    name: str
    label: str
    probability: float
    pieces: tuple[Piece, ...]
    speak_for: tuple[tuple[str, Weight], ...]
    speak_against: tuple[tuple[str, Weight], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Why:
    """A post's answers, and what danger its words named."""

    found: Attribution
    danger: EmergencyFound | None


class Asker:
    """Asks the model on behalf of pages: one at a time, by the version that is live."""

    def __init__(self, d: Deployment) -> None:
        self._deployment = d
        self._serving: Serving | None = None
        self._one_at_a_time = threading.Lock()

    def why(self, mention_id: int) -> Why:
        """Ask the model that answers now; nothing of it is kept.

        Raises:
            Conflict: the post's words are gone, or too many ask at once.
            Busy, PostsFailed: as ``Classifier.classify``.
        """
        d = self._deployment
        with d.store.reading() as session:
            text = intake.current_words(session, session.get_one(MentionRow, mention_id)).text or ""
        if not text.strip():
            raise Conflict("this post has no words, or they are gone: there is nothing to explain", code="gone")
        if not self._one_at_a_time.acquire(timeout=PATIENCE):
            raise Conflict("somebody else is asking why: try again in a moment", code="busy")
        try:
            self._serving = self._serving or Serving(d)
            emergency = self._serving.take_up().emergency
            return Why(found=attribute(d.classifier, text, emergency=emergency), danger=find_emergency(text))
        finally:
            self._one_at_a_time.release()


def asker(request: Request) -> Asker:
    """The application's asker."""
    made: Asker = request.app.state.asker
    return made


Asking = Annotated[Asker, Depends(asker)]


def explained(d: Deployment, found: Attribution) -> list[Explained]:
    """Each answer with its words marked."""
    return [_explained(d, found, one) for one in found.reasons]


def _explained(d: Deployment, found: Attribution, reason: Reason) -> Explained:
    notable = reason.notable()
    return Explained(
        head=reason.head,
        name=words.HEADS[reason.head],
        label=_label(d, reason, found.text),
        probability=reason.probability,
        pieces=tuple(_pieces(found, notable)),
        speak_for=tuple((found.word(one.word), one) for one in notable if one.log_odds > 0),
        speak_against=tuple((found.word(one.word), one) for one in notable if one.log_odds < 0),
    )


def _label(d: Deployment, reason: Reason, text: str) -> str:
    if reason.head != "service_code":
        return words.word(reason.label)
    service = d.service(reason.label) or d.service(city_code(d, reason.label, text))
    return service.service_name if service else words.word(reason.label)


def _pieces(found: Attribution, notable: tuple[Weight, ...]) -> Iterator[Piece]:
    reached = 0
    for one in sorted(notable, key=lambda one: one.word):
        start, end = found.words[one.word]
        yield Piece(text=found.text[reached:start])
        way = "for" if one.log_odds > 0 else "against"
        yield Piece(text=found.text[start:end], how=f"{way}-strong" if abs(one.log_odds) >= STRONG else way)
        reached = end
    yield Piece(text=found.text[reached:])
