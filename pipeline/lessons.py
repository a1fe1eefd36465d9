"""From what staff have said to what the classifier learns: a lesson a wording, its labels in the classifier's words."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel import Session

from classifiers.model_folder import NO_SERVICE, SERVICE_INTENTS
from classifiers.normalise import normalise
from pipeline.deployment import Deployment
from store import lessons as said_by_staff
from store.lessons import Post, Said
from vocabulary import GENERAL_CODES

MOST = 5_000  #: the newest corrections that are learned from, and as many answers that staff let stand
HELD_BACK = 3  #: one mention in so many is never learned from: it tells whether learning helped
NEW_SERVICE_FROM = 5  #: posts about a service that the shipped model does not know, before it becomes a label …
OF_THEM_TAUGHT = 3  #: … and so many of them among those that are learned from
SHOWN = 20  #: contradictions that are named

CONTRADICT = "contradict each other"
FROM_X = "from X, whose terms forbid to train on its content"
NO_SUCH_SERVICE = "about a service that the city no longer lists"
GENERAL_NAME = "about a service without maps_to that is named like a general code"
TOO_FEW = f"about a new service with fewer than {NEW_SERVICE_FROM} examples"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """One wording and what it is; a head without a label learns nothing from it."""

    text: str
    labels: Mapping[str, str]  #: head -> label
    mention_id: int  #: of the first mention that reads so
    groups: Mapping[str, str]  #: language, neighborhood
    corrected: Mapping[str, int]  #: head -> corrections that say so; what was only let stand is none

    @property
    def held_back(self) -> bool:
        """Told by a hash of the mention, so that it is on the same side every night."""
        return hashlib.sha256(f"mention:{self.mention_id}".encode()).digest()[0] % HELD_BACK == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lessons:
    """All that can be learned from staff now."""

    teach: tuple[Lesson, ...] = ()
    held_back: tuple[Lesson, ...] = ()
    own_services: tuple[str, ...] = ()  #: codes without ``maps_to`` that have enough lessons to be labels
    corrections: int = 0  #: that are in the lessons
    let_stand: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)  #: reason -> corrections
    contradictions: tuple[dict[str, Any], ...] = ()  #: which mentions, in which field, with which values


def gather(session: Session, deployment: Deployment) -> Lessons:
    """The lessons of a city. Nothing is written."""
    left_out = Counter[str]()
    corrected = _allowed(deployment, said_by_staff.corrections(session, limit=MOST), left_out)
    stood = _allowed(deployment, said_by_staff.let_stand(session, limit=MOST), Counter())
    texts: dict[str, list[tuple[Said, str]]] = defaultdict(list)
    for one in (*corrected, *stood):
        label = _label(deployment, one, left_out)
        if label is not None:
            texts[normalise(one.post.text).casefold()].append((one, label))
    contradictions: list[dict[str, Any]] = []
    taught = [lesson for same in texts.values() if (lesson := _lesson(same, left_out, contradictions)).labels]
    own_services = _own_services(taught, left_out)
    taught = [lesson for one in taught if (lesson := _known_only(one, own_services)).labels]
    taught.sort(key=lambda lesson: lesson.mention_id)
    return Lessons(
        teach=tuple(lesson for lesson in taught if not lesson.held_back),
        held_back=tuple(lesson for lesson in taught if lesson.held_back),
        own_services=own_services,
        corrections=sum(sum(lesson.corrected.values()) for lesson in taught),
        let_stand=len(stood),
        left_out=dict(left_out),
        contradictions=tuple(contradictions[:SHOWN]),
    )


def may_learn_from(deployment: Deployment, post: Post) -> bool:
    """X's terms forbid to train on its content. What only the sandbox's X served is nobody's."""
    if post.platform != "x" or deployment.settings.classifier.learn_from_x:
        return True
    accounts = [deployment.accounts().get(name) for name in post.accounts]
    return bool(accounts) and all(account is not None and account.is_loopback for account in accounts)


def _allowed(deployment: Deployment, said: Sequence[Said], left_out: Counter[str]) -> list[Said]:
    allowed = [one for one in said if may_learn_from(deployment, one.post)]
    if len(allowed) < len(said):
        left_out[FROM_X] += len(said) - len(allowed)
    return allowed


def _label(deployment: Deployment, one: Said, left_out: Counter[str]) -> str | None:
    """The classifier's word for what a person said; a city's code becomes the general one that it maps to."""
    if one.field != "service_code":
        return one.value
    if one.value is None:
        return NO_SERVICE
    service = deployment.service(one.value)
    why = ""
    if service is None:
        why = NO_SUCH_SERVICE
    elif service.maps_to:
        return service.maps_to
    elif service.service_code in {*GENERAL_CODES, NO_SERVICE}:
        why = GENERAL_NAME
    if why:
        left_out[why] += one.corrected
        return None
    return one.value


def _lesson(same: Sequence[tuple[Said, str]], left_out: Counter[str], contradictions: list[dict[str, Any]]) -> Lesson:
    """What is to be learned of one text, whoever wrote it how often: copies have one vote."""
    first = min((one.post for one, _ in same), key=lambda post: post.mention_id)
    labels, corrected = {}, {}
    for name in ("intent", "service_code", "sentiment", "urgency"):
        here = [(one, label) for one, label in same if one.field == name]
        spoken = [(one, label) for one, label in here if one.corrected] or here  # who corrects has looked at the field
        if len({label for _, label in spoken}) > 1 and len({one.by for one, _ in spoken}) > 1:
            left_out[CONTRADICT] += sum(one.corrected for one, _ in spoken)
            mentions = sorted({one.post.mention_id for one, _ in spoken})
            values = sorted({label for _, label in spoken})
            contradictions.append({"field": name, "mentions": mentions, "values": values})
        elif spoken:
            labels[name] = spoken[0][1]  # the newest: a person may have changed their mind
            corrected[name] = sum(one.corrected for one, label in spoken if label == labels[name])
    if labels.get("intent", "report") not in SERVICE_INTENTS:
        labels.pop("service_code", None)  # the service head is not asked there
        corrected.pop("service_code", None)
    groups = {"language": first.language, "neighborhood": first.neighborhood or ""}
    return Lesson(text=first.text, labels=labels, mention_id=first.mention_id, groups=groups, corrected=corrected)


def _own_services(taught: Sequence[Lesson], left_out: Counter[str]) -> tuple[str, ...]:
    known = {*GENERAL_CODES, NO_SERVICE}
    of_code: dict[str, list[Lesson]] = defaultdict(list)
    for lesson in taught:
        if (code := lesson.labels.get("service_code")) is not None and code not in known:
            of_code[code].append(lesson)
    enough = []
    for code, lessons in sorted(of_code.items()):
        if len(lessons) >= NEW_SERVICE_FROM and sum(not one.held_back for one in lessons) >= OF_THEM_TAUGHT:
            enough.append(code)
        elif corrected := sum(one.corrected["service_code"] for one in lessons):
            left_out[TOO_FEW] += corrected
    return tuple(enough)


def _known_only(lesson: Lesson, own_services: Sequence[str]) -> Lesson:
    code = lesson.labels.get("service_code")
    if code is None or code in {*GENERAL_CODES, NO_SERVICE, *own_services}:
        return lesson
    return replace(
        lesson,
        labels={name: label for name, label in lesson.labels.items() if name != "service_code"},
        corrected={name: count for name, count in lesson.corrected.items() if name != "service_code"},
    )
