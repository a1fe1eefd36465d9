"""The words of a reply, from a template and the facts of a case.

What residents wrote reaches a reply only as a short, cleaned value: it is never a template, never a link, never a
handle. Nothing here posts anything; a named person reads, edits and approves what comes out.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from babel.dates import format_date
from jinja2 import Environment

import templates
from errors import ConfigError
from vocabulary import Intent, Outcome, Place, Purpose, Sentiment, Service, Urgency

#: Longest value taken over from outside, in characters; a street address is shorter.
VALUE_CAP = 80

#: How a day reads in a sentence, in CLDR's pattern letters; Babel's own "full" has a year and a capital too many.
DAY_PATTERNS = {"en": "EEEE, MMMM d", "es": "EEEE d 'de' MMMM"}

#: What staff may choose besides the template that the facts suggest. The first is only a list order, not a default.
_CHOICES: dict[tuple[Purpose, Intent | None], list[str]] = {
    (Purpose.ANSWER, Intent.REPORT): ["report", "report_also", "report_confidential", "reopened", "status_open"],
    (Purpose.ANSWER, Intent.QUESTION): ["question", "referral"],
    (Purpose.ANSWER, Intent.STATUS): ["status_open", "status_closed", "status_unknown", "reopened"],
    (Purpose.ANSWER, Intent.PRAISE): ["praise"],
    (Purpose.ANSWER, Intent.COMPLAINT): ["acknowledge", "question"],
    (Purpose.ANSWER, Intent.OTHER): ["acknowledge", "question"],
    (Purpose.CLARIFY, None): ["clarify", "clarify_service", "status_unknown"],
    (Purpose.REFERRAL, None): ["referral"],
    (Purpose.FOLLOW_UP, None): [*(f"follow_up_{outcome}" for outcome in Outcome), "reopened"],
    (Purpose.EMERGENCY, None): ["emergency", "emergency_self_harm"],
    (Purpose.CORRECTION, None): ["correction"],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """The facts of a case that a reply may quote."""

    city: str
    time_zone: str  #: IANA name, for dates
    languages: tuple[str, ...]  #: the city's; the first is the staff's
    platform: str
    intent: Intent
    purpose: Purpose
    sentiment: Sentiment
    urgency: Urgency
    language: str  #: of the post
    author_handle: str | None = None  #: varies the wording; never written, since platforms address a reply themselves
    service: Service | None = None
    reference: str | None = None
    place: Place | None = None
    expected_at: datetime | None = None  #: aware; None where it is unknown or already past: then no date is named
    outcome: Outcome | None = None
    link: str | None = None  #: tracking page; None: none is quoted
    also_reported: bool = False  #: attached to an open request that others reported
    request_status: str | None = None  #: for status questions: open, closed; None: we know of none
    after_hours: bool = False
    self_harm: bool = False
    emergency_kind: str | None = None
    reopened: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Drafted:
    """A proposed text, or the reason why there is none."""

    text: str  #: empty: staff decide whether to write one
    template: str  #: its name and language: ``report.es``, ``report.short.es``
    language: str
    staff_text: str | None  #: the same text in the staff language, where ``text`` is in another
    reason: str = ""  #: why there is no text, if there is none


def write_draft(case: Case, *, length: Callable[[str], int], max_length: int, template: str | None = None) -> Drafted:
    """The reply that the facts suggest, or that ``template`` words, in the longest wording that fits.

    Args:
        case: the facts.
        length: the platform's own count of a text.
        max_length: in the units of ``length``.
        template: one of ``templates_for``, with or without its language (``report``, ``report.es``).

    Raises:
        ConfigError: there is no such template.
    """
    chosen, language = _chosen(case, template)
    name = chosen or _template_for(case)
    if reason := _why_no_text(case, name):
        return _nothing(f"{name}.{language}" if name else "", language, reason)
    staff_language = _language(case, case.languages[0])
    for wording, cap in _wordings(name, language):
        text = _rendered(wording, language, case, cap)
        if length(text) <= max_length:
            staff_text = _rendered(wording, staff_language, case, cap) if language != staff_language else None
            return Drafted(text=text, template=f"{wording}.{language}", language=language, staff_text=staff_text)
    return _nothing(f"{name}.{language}", language, f"no wording of {name!r} fits into {max_length}")


def _nothing(template: str, language: str, reason: str) -> Drafted:
    return Drafted(text="", template=template, language=language, staff_text=None, reason=reason)


def templates_for(purpose: Purpose, intent: Intent) -> list[str]:
    """Names that staff can choose from, the usual one first."""
    return list(_CHOICES.get((purpose, None)) or _CHOICES[purpose, intent])


def all_templates() -> list[str]:
    """Every template that a reply can be written from, without language and without its short wordings."""
    return sorted({name for names in _CHOICES.values() for name in names})


def _chosen(case: Case, template: str | None) -> tuple[str | None, str]:
    """The template and language that staff asked for, or none and the post's."""
    if template is None:
        return None, _language(case, case.language)
    name, _, language = template.partition(".")
    if name not in all_templates():
        raise ConfigError(f"there is no reply template {template!r}; there are {', '.join(all_templates())}")
    if language and not _exists(name, language):
        raise ConfigError(f"the reply template {name!r} is not written in {language!r}")
    return name, language or _language(case, case.language)


def _template_for(case: Case) -> str:
    """The template that the facts suggest; empty where no reply is called for."""
    if case.purpose is Purpose.ANSWER and (case.self_harm or case.urgency is Urgency.EMERGENCY):
        return _emergency(case)  # a person in danger comes before whatever else the post says
    by_purpose: dict[Purpose, Callable[[Case], str]] = {
        Purpose.ANSWER: _answer,
        Purpose.CLARIFY: _clarify,
        Purpose.REFERRAL: lambda _: "referral",
        Purpose.FOLLOW_UP: _follow_up,
        Purpose.EMERGENCY: _emergency,
        Purpose.CORRECTION: lambda _: "correction",
    }
    return by_purpose[case.purpose](case)


def _emergency(case: Case) -> str:
    return "emergency_self_harm" if case.self_harm else "emergency"


def _answer(case: Case) -> str:
    if case.reopened:
        return "reopened"
    by_intent: dict[Intent, Callable[[Case], str]] = {
        Intent.REPORT: _report,
        Intent.QUESTION: lambda _: "question",
        Intent.STATUS: _status,
        Intent.PRAISE: lambda case: "praise" if case.sentiment is Sentiment.POSITIVE else "",
    }
    return by_intent[case.intent](case) if case.intent in by_intent else ""


def _status(case: Case) -> str:
    return f"status_{case.request_status}" if case.request_status in {"open", "closed"} else "status_unknown"


def _report(case: Case) -> str:
    if case.service and case.service.confidential:
        return "report_confidential"
    if case.service and case.service.handled_by:
        return "referral"
    return "report_also" if case.also_reported else "report"


def _clarify(case: Case) -> str:
    if case.intent is Intent.STATUS:
        return "status_unknown"
    return "clarify_service" if case.service is None and case.place and case.place.precise else "clarify"


def _follow_up(case: Case) -> str:
    if case.reopened:
        return "reopened"
    if case.service and case.service.confidential:
        return "follow_up_unknown"  # how it ended is nobody else's business
    return f"follow_up_{case.outcome or Outcome.UNKNOWN}"


def _why_no_text(case: Case, name: str) -> str:
    """Why nothing is written, or an empty string."""
    if not name:
        return "no reply needed"
    if name == "follow_up_fixed" and case.outcome is not Outcome.FIXED:
        return "the request was not closed as fixed, so no reply may say that it was"
    return ""


def _language(case: Case, wanted: str) -> str:
    """The language to write in: the wanted one if the city speaks it and we have templates, else the city's first."""
    spoken = [_base(language) for language in case.languages if _exists("report", _base(language))]
    return _base(wanted) if _base(wanted) in spoken else (spoken or ["en"])[0]


def _base(language: str) -> str:
    return re.split("[-_]", language.lower())[0]


def _wordings(name: str, language: str) -> Iterator[tuple[str, int]]:
    """Wordings from the fullest to the barest: template and the cap on what it quotes of service and place."""
    yield name, VALUE_CAP
    yield name, 40
    if _exists(f"{name}.short", language):
        name = f"{name}.short"
        yield name, VALUE_CAP
    yield from ((name, cap) for cap in (40, 24, 0))


@cache
def _environment() -> Environment:
    return templates.plain()


@cache
def _exists(name: str, language: str) -> bool:
    return f"replies/{name}.{language}.txt.j2" in _environment().list_templates()


def _rendered(name: str, language: str, case: Case, cap: int) -> str:
    template = _environment().get_template(f"replies/{name}.{language}.txt.j2")
    text = template.render(_values(case, language, cap), pick=_picker(case))
    return " ".join(text.split())


def _values(case: Case, language: str, cap: int) -> dict[str, object]:
    """What a template may say. A confidential service leaves the reference only: anyone can read a reply."""
    service, open_to_all = case.service, not (case.service and case.service.confidential)
    names = {"es": service.service_name_es} if service else {}
    name = names.get(language) or (service.service_name if service else "")
    return {
        "city": quotable(case.city),
        "negative": case.sentiment is Sentiment.NEGATIVE,
        "confidential": not open_to_all,
        "service": quotable(name, cap) if open_to_all else "",
        "place": _place_words(case.place, cap) if open_to_all else "",
        "partner": quotable(service.handled_by) if service and open_to_all else "",
        "reference": quotable(case.reference or ""),
        "expected": _day(case, language) if open_to_all else "",
        "link": case.link or "" if open_to_all else "",
        "outcome": str(case.outcome or "") if open_to_all else "",
        "request_status": case.request_status or "",
        "after_hours": case.after_hours,
    }


def _day(case: Case, language: str) -> str:
    """The expected day in the city's zone."""
    if case.expected_at is None:
        return ""
    if case.expected_at.tzinfo is None:
        raise ValueError("the expected time needs a zone")
    day = case.expected_at.astimezone(ZoneInfo(case.time_zone)).date()
    return format_date(day, DAY_PATTERNS.get(language, "long"), locale=language)


def _picker(case: Case) -> Callable[..., str]:
    """Chooses among equally good wordings, always the same ones for a case.

    X forbids identical replies, and residents who compare theirs should not feel they talk to a machine. Seeded by
    what differs from case to case, so that a re-made draft does not change its words under the reader's eyes.
    """
    seed = case.reference or case.author_handle or (case.place.text if case.place else "")
    numbers = itertools.cycle(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest())

    def pick(*wordings: str) -> str:
        return wordings[next(numbers) % len(wordings)]

    return pick


_PREPOSITION = re.compile(r"\A(?:at|on|in|near|by|en|por|cerca de|sobre)\s+", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\+?\(?\d(?:[\s().-]{0,2}\d){6,}")


def _place_words(place: Place | None, cap: int) -> str:
    """A place as a sentence can hold it after "at": no preposition of its own, no phone number."""
    if place is None:
        return ""
    words = _LONG_NUMBER.sub(" ", place.address or place.text)
    if cap < VALUE_CAP:
        words = words.split(",")[0]  # the resident knows the city and the ZIP code
    return quotable(_PREPOSITION.sub("", words.strip(), count=1), cap)


_LINK = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,20}://|\bwww\.)\S*|\S{1,64}@\S{0,64}\.[^\W\d]{2,}", re.IGNORECASE)
_DOMAIN = re.compile(r"(?<![\w.-])[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[^\W\d_]{2,24}\b(?:[:/]\S*)?")
_ABBREVIATED = {"st", "mt", "ft", "ave", "av", "blvd", "rd", "dr", "ln", "ct", "pl", "sq", "hwy", "pkwy", "no", "apt"}
_DROPPED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Zl", "Zp"}
_SIGNS = set("@＠﹫#＃﹟<>{}[]|`*_~\\\ufe0e\ufe0f\u20e3")

PASSES = 8  #: over one value: two settle any that people write, and hostile ones must not cost more


def quotable(value: str, cap: int = VALUE_CAP) -> str:
    """A value from outside as plain words on one line, cut at a word boundary.

    ``@`` and ``#`` are dropped, not replaced: X reads the full-width ``＠`` and ``＃`` as the same signs (twitter-text,
    read 2026-08), and a zero-width character between would be one of those that we strip. So are links, control,
    bidi and zero-width characters, emoji, and what Markdown, HTML or a template could read as its own.
    """
    words = value[:2000]
    for _ in range(PASSES):
        cleaned = _cut(_plain(words), cap)
        if cleaned == words:
            break
        words = cleaned  # what is taken out, or cut off, may join two halves of a host name: "evil.c[om"
    return words


def _plain(words: str) -> str:
    words = "".join(c if unicodedata.category(c) not in {"Cc", "Zl", "Zp"} else " " for c in words)
    words = unicodedata.normalize("NFC", words)
    words = "".join(c for c in words if c == "°" or unicodedata.category(c) not in _DROPPED_CATEGORIES)
    words = _LINK.sub(" ", words)
    words = "".join(c for c in words if c not in _SIGNS)
    words = re.sub(r"[$!](?=[^\W\d])|[!¡]", "", words)  # a cashtag, a cheer
    words = _DOMAIN.sub(_without_domain, words)
    return " ".join(words.split())


def _without_domain(found: re.Match[str]) -> str:
    """A host name disappears; "Oak St.Paul Ave" gets the space it lacked, or X would link it."""
    labels = found[0].split(".")
    if "/" not in found[0] and _ABBREVIATED & {labels[0].lower(), labels[-1].lower()}:
        return ". ".join(labels)
    return " "


_DANGLING = re.compile(
    r"(?:[ ,;:(&/–-]|(?<=\s)(?:a|an|and|at|by|de|del|el|en|for|in|la|los|o|of|on|or|the|to|u|y))+$", re.IGNORECASE
)


def _cut(words: str, cap: int) -> str:
    """At most ``cap`` characters, whole words if the first one fits, and none that waits for another."""
    if len(words) <= cap:
        return words
    return _DANGLING.sub("", words[: cap + 1].rpartition(" ")[0] or words[:cap])


_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_REFERENCE = re.compile(r"\b[A-Z]{1,5}-(?=[A-Z0-9]*[A-WYZ0-9])[A-Z0-9]{5,8}\b")  # but not AF-XXXXXX
_PLACEHOLDERS = re.compile(
    r"\[[^\W\d][^\[\]\n]{0,60}\]"  # [name]; but not [1/2]
    r"|\{\{[^{}\n]{0,60}(?:\}\})?|\}\}|\{%[^{}\n]{0,60}|%\}"
    r"|<[^\W\d][\w .-]{0,40}>"
    r"|_{3,}"
    r"|[Xx]{4,}"
    # In Spanish capitals TODO means "all": "TODO el día".
    r"|\bTODO\b(?!\s+(?:el|la|lo|los|las|un|una|este|esta|EL|LA|LO|LOS|LAS|UN|UNA|ESTE|ESTA)\b)"
)


def unfilled(text: str) -> list[str]:
    """Placeholders left in a text, in order. A text with any must not be approved.

    Links and references are left out of it: their random characters may look like placeholders.
    """
    return _PLACEHOLDERS.findall(_REFERENCE.sub(" ", _URL.sub(" ", text)))
