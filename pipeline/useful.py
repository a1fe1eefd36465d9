"""Which posts would teach the classifier the most if a person said what they are.

Worth is the product of three things, after Settles and Craven, "An Analysis of Active Learning Strategies" (EMNLP
2008): how little the best answer leads the second (margin sampling), how like it is to other posts (information
density), and how unlike what was corrected already. Likeness is told by words, so that no page waits for a model.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from classifiers.model_folder import SERVICE_INTENTS
from classifiers.normalise import normalise
from pipeline.deployment import Deployment
from pipeline.lessons import may_learn_from
from store import lessons as said_by_staff
from store.lessons import Doubt
from store.sight import Sight
from store.types import now

RECENT = timedelta(days=30)
LOOKED_AT = 400  #: the newest posts without a correction
COMPARED = 400  #: the newest corrections that a post is to be unlike
WIDTH = 1_024  #: of the vectors of words
ALIKE = 0.25  #: cosine from which two posts count as alike
LEAST_DOUBT = 0.2  #: a post whose best answer leads by more than 0.8 teaches little, whatever it is like

_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Useful:
    """A mention whose labels would teach much."""

    mention_id: int
    head: str  #: in which the classifier is least sure
    labels: tuple[str, str]  #: between which it hesitates, the likelier first
    score: float  #: only to be compared with others of the same call
    reason: str  #: for people


def most_useful(
    session: Session, deployment: Deployment, seen: Sight, *, limit: int, but: Collection[int] = ()
) -> list[Useful]:
    """The mentions to be labelled next, the most useful first, in turn from each answer that the classifier gives.

    Only what nobody corrected, within one's sight, posted in the last 30 days, and that may be learned from at all.
    ``but``: mentions that were passed over.
    """
    doubts = [
        doubt
        for doubt in said_by_staff.uncorrected(session, seen, since=now() - RECENT, limit=LOOKED_AT, but=but)
        if may_learn_from(deployment, doubt.post)
    ]
    if not doubts:
        return []
    corrected = {one.post.text for one in said_by_staff.corrections(session, limit=COMPARED)}
    bags, known = np.split(_bags([*(doubt.post.text for doubt in doubts), *sorted(corrected)]), [len(doubts)])
    alike = bags @ bags.T
    density = alike.mean(axis=1)
    novelty = 1 - (bags @ known.T).max(axis=1, initial=0.0)
    neighbours = (alike >= ALIKE).sum(axis=1) - 1
    groups: dict[tuple[str, str | None], list[Useful]] = {}
    for at, doubt in enumerate(doubts):
        head, labels, unsure = _least_sure(doubt)
        if unsure < LEAST_DOUBT:
            continue
        one = Useful(
            mention_id=doubt.post.mention_id,
            head=head,
            labels=labels,
            score=unsure * float(density[at]) * float(novelty[at]),
            reason=_reason(doubt, head, labels, int(neighbours[at])),
        )
        groups.setdefault((doubt.intent, doubt.service_code), []).append(one)
    return _in_turn(list(groups.values()), limit)


def _least_sure(doubt: Doubt) -> tuple[str, tuple[str, str], float]:
    """The head whose two best answers lie closest, those answers, and how close: 1 is level."""
    found = [(0.0, "intent", ("", ""))]
    for head in ("intent", "service_code", "urgency"):
        ranked = sorted(doubt.scores.get(head, {}).items(), key=lambda one: -one[1])
        if len(ranked) > 1 and (head != "service_code" or doubt.intent in SERVICE_INTENTS):
            (best, likely), (second, likely_too) = ranked[:2]
            found.append((1 - (likely - likely_too), head, (best, second)))
    unsure, head, labels = max(found)
    return head, labels, unsure


def _reason(doubt: Doubt, head: str, labels: tuple[str, str], neighbours: int) -> str:
    said = doubt.scores[head]
    words = [f"{label.replace('_', ' ')} ({said[label]:.0%})" for label in labels]
    told = f"the classifier hesitates between {words[0]} and {words[1]}"
    if neighbours:
        told += f", and {neighbours} other recent post{'s are' if neighbours > 1 else ' is'} like it"
    return told


def _in_turn(groups: Sequence[list[Useful]], limit: int) -> list[Useful]:
    """The best of each group, then the second of each: one confused answer must not fill the list."""
    ranked = [
        (place, -one.score, one)
        for group in groups
        for place, one in enumerate(sorted(group, key=lambda one: -one.score))
    ]
    ranked.sort(key=lambda entry: (*entry[:2], entry[2].mention_id))
    return [one for _, _, one in ranked[:limit]]


def _bags(texts: Sequence[str]) -> NDArray[np.float32]:
    """The words of each text, rare ones counting more; rows of length 1. Shape: (texts, WIDTH)."""
    bags = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in zip(bags, texts, strict=True):
        for word in set(_WORD.findall(normalise(text).casefold())):
            row[zlib.crc32(word.encode()) % WIDTH] = 1.0
    spread = np.log((1 + len(texts)) / (1 + (bags > 0).sum(axis=0)))
    weighed = bags * (spread + 0.1)
    return np.asarray(weighed / np.maximum(np.linalg.norm(weighed, axis=1, keepdims=True), 1e-9), dtype=np.float32)
