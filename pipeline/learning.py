"""Learning: at night corrections become candidate heads, the gate judges them, and a person or the file promotes them.

``lessons.py`` gathers what staff said, ``classifiers/refit.py`` fits, ``classifiers/gate.py`` judges and states its
test, ``serving.py`` takes a promoted version up. Nothing here keeps the write lock while it computes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlmodel import Session

from classifiers import corpus, gate, refit, transformer
from classifiers.corpus import Example
from classifiers.gate import Measured
from classifiers.heads import Heads, Vectors
from classifiers.refit import Read
from classifiers.transformer import TransformerClassifier
from pipeline import lessons as teaching
from pipeline.deployment import Deployment
from pipeline.lessons import Lesson, Lessons
from pipeline.serving import KIND, base
from pipeline.useful import Useful, most_useful
from store import attention, models
from store.people import Principal
from store.refusals import Conflict
from store.tables import ModelVersionRow

__all__ = [
    "Ground",
    "Outcome",
    "OwnPosts",
    "Useful",
    "most_useful",
    "nightly",
    "promote",
    "restore",
    "rollback",
    "run",
    "shadow",
]

log = logging.getLogger(__name__)

WAITING = "waiting"  #: the attention row of a version that waits to be promoted
FAILED = "learning"  #: and that of a night on which nothing could be learned
BY = "learning"  #: whose act a version is that the nightly job made or promoted
KNOWN_POSTS = 1_500  #: of our own posts, that keep what is known; more change nothing but the time
ENOUGH_HELD_BACK = 5  #: mentions; with fewer no version could pass


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnPosts:
    """The posts written for Harken, by what they are for here."""

    known: Sequence[Example]  #: keep what is known
    apart: Sequence[Example]  #: set temperatures and bands
    regression: Sequence[Example]  #: by writers whose posts no training ever read

    @classmethod
    def shipped(cls) -> OwnPosts:
        """Those that ship with Harken: ``classifiers/training/``."""
        learned, apart = corpus.own_posts()
        known = learned[:: max(1, -(-len(learned) // KNOWN_POSTS))]
        return cls(known=known, apart=apart, regression=corpus.held_out_posts())


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ground:
    """What every version starts from: the shipped model, and what it makes of our own posts."""

    reader: TransformerClassifier
    shipped: Heads
    known: Vectors  #: Shape: (posts, width)
    apart: Read
    regression: Measured

    @classmethod
    def read(cls, reader: TransformerClassifier, own: OwnPosts) -> Ground:
        """Read our own posts: some seconds for a thousand.

        Raises:
            ValueError: the model is not made for learning.
        """
        known, logits = _vectors(reader, [example.text for example in own.known])
        groups = [{"language": example.language or ""} for example in own.regression]
        return cls(
            reader=reader,
            shipped=refit.as_shipped(reader.config, known, logits),
            known=known,
            apart=_read_examples(reader, own.apart),
            regression=Measured(posts=_read_examples(reader, own.regression), groups=groups),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run of learning came to."""

    number: int | None  #: of the version that was made; None: there was nothing to learn
    state: str  #: of that version, or ``nothing``
    reason: str  #: for people
    lessons: Lessons


def nightly(deployment: Deployment) -> Outcome | None:
    """Learn if enough was corrected since the last time; else nothing is done or said.

    A night on which it fails is put before people, and what answers goes on answering.
    """
    with deployment.store.reading() as session:
        newest = models.newest(session)
        new = models.corrections_since(session, newest.last_correction_id if newest else 0)
    if new < deployment.settings.classifier.learn_after:
        return None
    try:
        outcome = run(deployment, by=BY)
    except Exception as err:
        with deployment.store.writing() as session:
            attention.raise_(
                session,
                kind=KIND,
                ref=FAILED,
                summary=f"nothing could be learned from {new} new corrections: {type(err).__name__}: {err}",
                remedy="run `harken learn run`, which says more; the classifier answers as before",
            )
        raise
    with deployment.store.writing() as session:
        attention.settle(session, KIND, FAILED)
    return outcome


def run(deployment: Deployment, *, by: str, ground: Ground | None = None) -> Outcome:
    """Learn from all corrections there are, judge what came of it, and do with it as ``[classifier] promote`` says.

    ``ground``: where it was read already; else it is, with one thread, since posts come in all the while.

    Raises:
        OSError, ValueError: the shipped model or our own posts can't be read, or the model is not made for it.
    """
    with deployment.store.reading() as session:
        last, newest = models.last_correction_id(session), models.newest(session)
        lessons = teaching.gather(session, deployment)
        live = models.live(session)
        answering = None if live is None else (live.number, live.base, models.version(session, live.number).heads)
    if not lessons.teach or len(lessons.held_back) < ENOUGH_HELD_BACK:
        return Outcome(number=None, state="nothing", reason=_too_few(lessons), lessons=lessons)
    ground = ground or Ground.read(transformer.load(threads=1), OwnPosts.shipped())
    new = _learned(lessons, ground)
    old, before = _answering(answering, ground.shipped)
    verdict = gate.judge(
        new,
        old,
        ground.shipped,
        held_back=Measured(
            posts=_read_lessons(ground.reader, lessons.held_back), groups=[one.groups for one in lessons.held_back]
        ),
        regression=ground.regression,
        emergency=deployment.bands.emergency,
    )
    figures = {**verdict.figures, "against": before, "lessons": _counted(lessons)}
    with deployment.store.writing() as session:
        if (now_newest := models.newest(session)) is not None and (newest is None or now_newest.id != newest.id):
            told = f"version {now_newest.number} was learned meanwhile, by {now_newest.made_by}"
            return Outcome(number=None, state="nothing", reason=told, lessons=lessons)
        now_live = models.live(session)
        if (now_live and now_live.number) != (answering and answering[0]):
            told = f"{before} was the measure, and another one was let answer meanwhile; learn again"
            return Outcome(number=None, state="nothing", reason=told, lessons=lessons)
        row = models.add(
            session,
            by=by,
            base=new.base,
            heads=new.to_bytes(),
            figures=figures,
            corrections=lessons.corrections,
            last_correction_id=last,
            state="candidate" if verdict.passed else "refused",
            reason=verdict.reason,
        )
        if verdict.passed:
            _offer(session, deployment, row, by=by)
        log.info("version %d: %s", row.number, row.state, extra={"version": row.number, "state": row.state})
        return Outcome(number=row.number, state=row.state, reason=row.reason, lessons=lessons)


def _offer(session: Session, deployment: Deployment, row: ModelVersionRow, *, by: str) -> None:
    """A version that passed: what the file says is done with it."""
    asked = deployment.settings.classifier.promote
    if asked == "auto" and (again := _taken_back(session, row)) is None:
        models.promote(session, row, by=by, base=row.base)
    elif asked == "shadow":
        models.shadow(session, row, by=by, base=row.base)
    else:
        but = f"; it learned nothing newer than version {again}, which was taken back" if asked == "auto" else ""
        attention.raise_(
            session,
            kind=KIND,
            ref=WAITING,
            summary=f"version {row.number} of the classifier is better and waits for your yes: {row.reason}{but}",
            remedy=f"promote it on the page Model, or with `harken learn promote {row.number}`; or let it be",
        )


def _taken_back(session: Session, row: ModelVersionRow) -> int | None:
    """The version that a person took back and that knew of every correction that this one knows of."""
    before = models.taken_back(session)
    same = before is not None and before.base == row.base and before.last_correction_id >= row.last_correction_id
    return before.number if before is not None and same else None


def promote(deployment: Deployment, who: Principal, number: int) -> None:
    """Let a version answer; workers take it up with their next batch.

    Raises:
        Missing, Conflict: as ``store.models.promote``.
    """
    with deployment.store.writing() as session:
        models.promote(session, models.version(session, number), by=who.by, base=base())
        attention.settle(session, KIND, WAITING, by=who.by)


def shadow(deployment: Deployment, who: Principal, number: int) -> None:
    """Let a version answer beside the live one, without effect.

    Raises:
        Missing, Conflict: as ``store.models.shadow``.
    """
    with deployment.store.writing() as session:
        models.shadow(session, models.version(session, number), by=who.by, base=base())
        attention.settle(session, KIND, WAITING, by=who.by)


def rollback(deployment: Deployment, who: Principal, number: int | None = None) -> int:
    """Let what answered before the live version answer again; gives its number, 0 for the model as it was shipped.

    ``number``: the version that is to go, where it was seen to be live.

    Raises:
        Missing: there is no version ``number``.
        Conflict: no version is live, or another one.
    """
    with deployment.store.writing() as session:
        if number is not None and (row := models.version(session, number)).state != "live":
            raise Conflict(f"version {number} does not answer now: it is {row.state}", code="decided")
        return models.roll_back(session, by=who.by, base=base())


def restore(deployment: Deployment, who: Principal, number: int) -> None:
    """Let a version that was live before answer again; 0 is the model as it was shipped.

    Raises:
        Missing, Conflict: as ``store.models.roll_back``.
    """
    with deployment.store.writing() as session:
        models.roll_back(session, by=who.by, base=base(), to=number)


def _learned(lessons: Lessons, ground: Ground) -> Heads:
    taught = _read_lessons(ground.reader, lessons.teach)
    new = refit.refit(ground.shipped, taught, ground.known, own_services=lessons.own_services)
    return refit.recalibrated(new, ground.shipped, ground.apart)


def _answering(answering: tuple[int, str, bytes] | None, shipped: Heads) -> tuple[Heads, str]:
    """The heads that answer now. Live ones that can't be used, or are of another model, answer nowhere."""
    if answering is None or answering[1] != shipped.base:
        return shipped, f"{shipped.base} as it was shipped"
    number, _, raw = answering
    try:
        return Heads.from_bytes(raw), f"version {number}"
    except ValueError as err:
        log.warning("version %d can't be read, so the shipped model is the measure: %s", number, err)
        return shipped, f"{shipped.base} as it was shipped"


def _vectors(reader: TransformerClassifier, texts: Sequence[str]) -> tuple[Vectors, dict[str, Vectors]]:
    read = [reader.read_all(text) for text in texts]
    logits = {name: np.array([rows[at] for rows, _ in read]) for at, name in enumerate(reader.config.heads)}
    return np.array([pooled for _, pooled in read]), logits


def _read_examples(reader: TransformerClassifier, examples: Sequence[Example]) -> Read:
    labels = [corpus.as_used(example).labels for example in examples]
    return _read(reader, [example.text for example in examples], labels)


def _read_lessons(reader: TransformerClassifier, lessons: Sequence[Lesson]) -> Read:
    return _read(reader, [lesson.text for lesson in lessons], [lesson.labels for lesson in lessons])


def _read(reader: TransformerClassifier, texts: Sequence[str], labels: Sequence[Mapping[str, str]]) -> Read:
    return Read(vectors=np.array([reader.pooled(text) for text in texts], dtype=np.float32), labels=labels)


def _counted(lessons: Lessons) -> dict[str, Any]:
    return {
        "taught": len(lessons.teach),
        "held_back": len(lessons.held_back),
        "corrections": lessons.corrections,
        "let_stand": lessons.let_stand,
        "own_services": list(lessons.own_services),
        "left_out": dict(lessons.left_out),
        "contradictions": list(lessons.contradictions),
    }


def _too_few(lessons: Lessons) -> str:
    told = f"{lessons.corrections} corrections can be learned from"
    if lessons.teach and len(lessons.held_back) < ENOUGH_HELD_BACK:
        told += (
            f", but only {len(lessons.held_back)} of them are held back to measure by; {ENOUGH_HELD_BACK} are needed"
        )
    return told + "".join(f"; {count} are left out: {why}" for why, count in sorted(lessons.left_out.items()))
