"""Understanding: each new or edited mention is classified, searched for danger, for a place and for a signal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from sqlmodel import Session, select

import crashing
from classifiers.base import Busy, PostsFailed
from classifiers.emergency import EmergencyFound, find_emergency
from classifiers.model_folder import Bands
from classifiers.signals import find_signal
from pipeline import alarms, taking
from pipeline.deployment import Deployment
from places.finder import find_place
from places.services import by_general_code, choose
from store import attention, content, intake, models, switches, work
from store.engine import TROUBLE
from store.tables import AssessmentRow, MentionRow, PlaceRow
from store.work import Claim
from vocabulary import GENERAL_CODES, Classification, Intent, Place, Sentiment, Urgency

log = logging.getLogger(__name__)

KIND = "assess"
BATCH = 64
NO_MODEL = "none"  #: a person read it instead
EMERGENCY = ("urgency", "emergency")  #: the switch of the model's part in the emergency lane; the patterns have none
TRIES = 3  #: then a person must read it: a model that crashes never hides a resident


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    claim: Claim
    mention_id: int
    rev: int
    text: str


def assess_due(deployment: Deployment, *, worker: str) -> int:
    """Classify a batch of what waits; gives how many mentions were handled."""
    with deployment.store.claiming() as session:
        claims = work.claim(session, KIND, worker=worker, limit=BATCH)
        batch = [_read(session, claim) for claim in claims]
    if not batch:
        return 0
    crashing.here("assess.claimed")
    confidence = deployment.serving.take_up()
    with taking.keeping(deployment, claims):
        answers = _answers(deployment, batch)
    if answers is None:
        taking.give_back(deployment, claims)
        return 0
    with deployment.store.writing() as session:
        held, understood = work.ours(session, claims), []
        for one, answer in zip(batch, answers, strict=True):
            if one.claim not in held:
                continue  # asked for anew, or we stood still for so long that another reads it
            if answer is not None and _kept(session, deployment, one, answer, confidence):
                understood.append(one.claim)
            else:
                _not_understood(session, one)
        work.finish(session, understood)
        crashing.here("assess.kept")
    crashing.here("assess.committed")
    _read_beside(deployment, batch, answers)
    return len(batch)


def _answers(deployment: Deployment, batch: Sequence[_Read]) -> Sequence[Classification | None] | None:
    """What the model says of each, None for what it failed on; None alone: there was no room for them."""
    try:
        return deployment.classifier.classify([one.text for one in batch])
    except Busy as err:
        log.warning("%s", err)
        return None
    except PostsFailed as err:
        log.warning("%s", err)
        return err.answers
    except Exception as err:  # noqa: BLE001  a model may raise anything: it must hide no resident
        log.warning("a batch of %d could not be classified: %s", len(batch), err)
        return [_alone(deployment, one.text) for one in batch]


def _read_beside(deployment: Deployment, batch: Sequence[_Read], answers: Sequence[Classification | None]) -> None:
    """Keep what the version in the shadow says of each post beside what the live one said; compared, never used.

    Only once the live one's answers are kept: no alarm waits for the shadow, and its failure undoes none.
    """
    in_shadow = deployment.serving.beside([one.text for one in batch])
    if in_shadow is None:
        return
    version_id, said_beside = in_shadow
    with deployment.store.writing() as session:
        for one, answer, beside in zip(batch, answers, said_beside, strict=True):
            if answer is not None:
                likely = {head: max(scores, key=lambda label: scores[label]) for head, scores in answer.scores.items()}
                both = {head: {**said, "live": likely.get(head)} for head, said in beside.items()}
                models.keep_shadow_answer(
                    session, mention_id=one.mention_id, rev=one.rev, model_version_id=version_id, answer=both
                )


def _kept(session: Session, deployment: Deployment, one: _Read, answer: Classification, confidence: Bands) -> bool:
    """Whether a post was understood to the end: one that breaks us takes none of its batch along."""
    try:
        with session.begin_nested():
            _keep(session, deployment, one, answer, confidence)
    except TROUBLE:  # the database's own trouble, not the post's
        raise
    except Exception as err:
        log.exception("mention %d could not be assessed: %s", one.mention_id, type(err).__name__)
        return False
    return True


def _read(session: Session, claim: Claim) -> _Read:
    row = session.get_one(MentionRow, int(claim.ref))
    return _Read(claim=claim, mention_id=row.id, rev=row.rev, text=intake.current_words(session, row).text or "")


def _alone(deployment: Deployment, text: str) -> Classification | None:
    try:
        return deployment.classifier.classify([text])[0]
    except Exception:  # noqa: BLE001  as above
        return None


def _not_understood(session: Session, one: _Read) -> None:
    """Tried again, then a person's. Danger is told by the words alone, whatever the model does."""
    row = session.get_one(MentionRow, one.mention_id)
    if row.state == "deleted" or row.rev != one.rev:  # gone, or edited: the edit asked for another reading
        work.finish(session, [one.claim])
        return
    danger = None if row.historic else find_emergency(one.text)
    if danger is not None:
        alarms.raise_alarm(session, row, reason=danger.reason, self_harm=danger.self_harm)
    if one.claim.attempt < TRIES:
        work.later(session, one.claim, error="the classifier failed")
        return
    row.state = "quarantined"
    session.add(row)
    work.finish(session, [one.claim])
    attention.raise_(
        session,
        kind="mention",
        ref=str(row.id),
        mention_id=row.id,
        summary=f"the classifier failed on mention {row.id} {TRIES} times",
        remedy="read it, and say yourself what it is",
    )


def _keep(session: Session, deployment: Deployment, one: _Read, answer: Classification, confidence: Bands) -> None:
    row = session.get_one(MentionRow, one.mention_id)
    if row.state == "deleted" or row.rev != one.rev:
        return  # edited while the model read it: the edit asked for another reading
    if not all(isfinite(likely) for scores in answer.scores.values() for likely in scores.values()):
        raise ValueError("the model's probabilities are no numbers: it has not read the post")
    off = switches.off(session)
    danger = None if row.historic else find_emergency(one.text)
    p_emergency = answer.scores["urgency"].get("emergency", 0.0)
    over = p_emergency >= confidence.emergency
    by_model = not row.historic and over and EMERGENCY not in off
    urgent = danger is not None or by_model
    signal = find_signal(one.text)
    if _unassessed(session, row, answer.model):
        session.add(
            AssessmentRow(
                mention_id=row.id,
                rev=row.rev,
                model=answer.model,
                intent=answer.intent,
                service_code=(
                    None
                    if ("service_code", answer.service_code) in off
                    else city_code(deployment, answer.service_code, one.text)
                ),
                sentiment=answer.sentiment,
                urgency=Urgency.EMERGENCY if urgent else _not_emergency(answer, over=over and EMERGENCY in off),
                language=answer.language,
                scores={head: dict(scores) for head, scores in answer.scores.items()},
                please_check=switches.to_check(confidence.to_check(answer), _labels(answer, over=over), off),
                signal=signal.value if signal else None,
            )
        )
    _locate(session, deployment, row, one.text)
    if urgent:
        alarms.raise_alarm(
            session, row, reason=_reason(danger, p_emergency), self_harm=bool(danger and danger.self_harm)
        )
    if row.state == "new":
        row.state = "assessed"
    session.add(row)
    if not row.historic:
        work.put(session, "draft", row.id)


def unread(session: Session, row: MentionRow) -> None:
    """Stand in for the model on a post that it never read: nothing is said, and a person says it by corrections."""
    unsaid = AssessmentRow(
        mention_id=row.id,
        rev=row.rev,
        model=NO_MODEL,
        intent=Intent.OTHER,
        sentiment=Sentiment.NEUTRAL,
        urgency=Urgency.NORMAL,
        language="und",
    )
    if _unassessed(session, row, NO_MODEL):
        session.add(unsaid)
        session.flush()


def _not_emergency(answer: Classification, *, over: bool) -> str:
    """Argmax may say emergency below the lane's threshold only where the threshold is high; then it is urgent still.

    So is what is over the threshold while the model's word for it is switched off.
    """
    return Urgency.HIGH if over or answer.urgency == Urgency.EMERGENCY else answer.urgency


def _labels(answer: Classification, *, over: bool) -> list[tuple[str, str]]:
    """What the model said, head by head; over the lane's threshold it said emergency, whatever is likelier."""
    said = [("intent", answer.intent), ("sentiment", answer.sentiment)]
    said.append(EMERGENCY if over else ("urgency", answer.urgency))
    return said if answer.service_code is None else [*said, ("service_code", answer.service_code)]


def _unassessed(session: Session, row: MentionRow, model: str) -> bool:
    same = select(AssessmentRow.id).where(
        AssessmentRow.mention_id == row.id, AssessmentRow.rev == row.rev, AssessmentRow.model == model
    )
    return session.exec(same).first() is None


def _reason(danger: EmergencyFound | None, probability: float) -> str:
    if danger is not None:
        return danger.reason
    return f"the model gives an emergency {probability:.0%}"


def city_code(deployment: Deployment, general: str | None, text: str) -> str | None:
    """The city's own service for a general code; its service for everything else where it has none.

    A code that the city taught the model is its own already.
    """
    if general is None:
        return None
    if general not in GENERAL_CODES and deployment.service(general) is not None:
        return general
    service = choose(deployment.services, general, text) or by_general_code(deployment.services, "other_service")
    return service.service_code if service else None


def _locate(session: Session, deployment: Deployment, row: MentionRow, text: str) -> None:
    """Where it is, unless a person has said so already."""
    held = session.get(PlaceRow, row.place_id) if row.place_id else None
    if deployment.gazetteer is None or (held is not None and held.source in {"staff", "geotag"}):
        return
    found = find_place(text, deployment.gazetteer)
    row.place_id = None if found is None else keep_place(session, found, row.content_id)


def keep_place(session: Session, place: Place, derived_from: int | None, *, confirmed_by: str | None = None) -> int:
    """Keep a place; the resident's words of it are content and go when the post goes."""
    words_id = content.keep(session, "place", place.text, derived_from=derived_from)
    row = PlaceRow(
        content_id=words_id,
        address=place.address,
        lat=place.lat,
        long=place.long,
        neighborhood=place.neighborhood,
        source=place.source,
        precise=place.precise,
        confirmed_by=confirmed_by,
    )
    session.add(row)
    session.flush()
    return row.id


def place_of(session: Session, row: MentionRow) -> Place | None:
    """The place of a mention, as a value."""
    held = session.get(PlaceRow, row.place_id) if row.place_id else None
    if held is None:
        return None
    return Place(
        text=content.words(session, held.content_id),
        address=held.address,
        lat=held.lat,
        long=held.long,
        neighborhood=held.neighborhood,
        source=held.source,
        precise=held.precise,
    )
