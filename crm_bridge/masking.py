"""Takes out of a resident's words what would tell a CRM, or the public, who somebody is.

Every instance, not the first: FixMyStreet once redacted only the first phone number (mysociety/fixmystreet #4106).
The trouble itself must stay to be found, so house numbers, crossings, routes, coordinates and our references are kept.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

import phonenumbers

#: Kept whatever else they look like: our references, coordinates, dates.
_KEPT = re.compile(
    r"\b[A-Z]{1,5}-[A-Z0-9]{6}\b"
    r"|[-+]?\b\d{1,3}\.\d{3,15}\s?,\s?[-+]?\d{1,3}\.\d{3,15}\b"
    r"|\b(?:19|20)\d\d-\d\d-\d\d\b"
)

_STREET = (
    r"(?:st|street|ave?|avenue|rd|road|blvd|boulevard|dr|drive|ln|lane|ct|court|pl|place|way|pkwy|parkway|hwy|highway)"
)

#: Marks and what stands for them, in the order in which they are tried; every repeat is bounded, so the time is linear.
_MARKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("[e-mail]", re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}[@＠][\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")),
    (
        "[e-mail]",
        re.compile(
            r"(?<![\w.+%-])[\w.+%-]{1,64}\s?(?:\(at\)|\[at\]|\sat\s|\(arroba\)|\sarroba\s)\s?[\w-]{1,63}"
            r"\s?(?:\(dot\)|\[dot\]|\sdot\s|\spunto\s|\.)\s?(?:com|org|net|edu|gov|us|mx)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "[profile]",
        re.compile(
            r"(?:https?://)?(?<![\w.-])(?:www\.|m\.|mobile\.)?"
            r"(?:x|twitter|facebook|fb|instagram|threads|tiktok|bsky|linkedin|nextdoor|t)\.(?:com|net|app|me)/\S{1,300}",
            re.IGNORECASE,
        ),
    ),
    # "pothole @5th and Main", "@Oak St": people write where with an @ too.
    (
        "[handle]",
        re.compile(
            rf"(?<![\w@＠/])[@＠](?!\d{{1,3}}(?:st|nd|rd|th)\b)(?!\w{{1,30}}\s{_STREET}\b)\w[\w.-]{{0,80}}"
            r"(?:[@＠][\w.-]{1,100})?(?<![.-])",
            re.IGNORECASE,
        ),
    ),
    ("[card]", re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")),
    ("[ID]", re.compile(r"(?<![\d.-])\d{3}[ -]\d{2}[ -]\d{4}(?![\d-])")),
    ("[ID]", re.compile(r"\b[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d\b", re.IGNORECASE)),  # Mexico's CURP
    (
        "[ID]",
        re.compile(
            r"(?:\b(?:ssn|social security|passport|pasaporte|curp|rfc|ine|dl|account|acct|cuenta|medicaid|medicare)"
            r"|\bdriver'?s? licen[cs]e|\blicencia(?: de conducir)?|(?<!stop )(?<!pole )(?<!light )(?<!meter )\bID)"
            r"(?:\s?(?:#|no\.?|num\.?|number|número|is|es|:|ending(?: in)?)){0,3}"
            r"\s?(?P<value>(?=[A-Z-]{0,6}\d)[A-Z0-9-]{4,22})\b",
            re.IGNORECASE,
        ),
    ),
    # North American numbers, also those that no exchange has given out; phonenumbers knows those that exist.
    ("[phone]", re.compile(r"(?<![\d.-])(?:\+?1[ .-]?)?\(?\d{3}\)?[ .-]{0,2}\d{3}[ .-]?\d{4}(?![\d-])")),
    ("[phone]", re.compile(r"(?<![\d.-])\d{3}[.-]\d{4}(?![\d-])")),
    ("[phone]", re.compile(r"(?<![\d.-])\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,5}(?![\d-])")),
    ("[phone]", re.compile(r"(?<![\d.-])\d{2}[ .-]\d{4}[ .-]\d{4}(?![\d-])")),  # Mexico: 55 1234 5678
    ("[number]", re.compile(r"(?<![\d.-])\d{9,30}(?![\d-])")),
)

_PLATE = (
    r"(?:[A-Z]{1,3}-\d{2,3}-\d{2,3}|[A-Z]{1,4}[ -]?\d{1,5}[A-Z]{0,3}|\d{1,4}[ -]?[A-Z]{1,4}\d{0,4}"
    r"|[A-Z]{5,8}(?![a-z])|(?=[a-z]{0,7}\d)(?=\d{0,7}[a-z])[a-z0-9]{5,8})"
)
_PLATE_WORD = r"(?:[Pp]late|PLATE|[Pp]laca|PLACA|[Mm]atrícula|[Tt]ag|TAG)[sS]?"
_PLATES = (
    re.compile(
        rf"\b{_PLATE_WORD}(?:\s?(?:#|:|[Nn]o\.|[Nn]umber|NUMBER|[Nn]úmero|is|are|was|IS|reads?|says|es|son))" + "{0,3}"
        rf"\s?(?:(?:#|:)\s?)?[\"“']?(?:[A-Z]{{2}}\s)?(?P<value>{_PLATE})(?!\w)"
    ),
    re.compile(
        rf"(?<![\w-])(?P<value>(?=[A-Z-]{{0,7}}\d|\d{{1,4}}-?[A-Z]){_PLATE})(?=\s(?:[Ll]icense\s)?[Pp]lates?\b)"
    ),
)


def mask(text: str) -> str:
    """The text with handles, e-mails, phones, IDs, cards, plates and profile links replaced by what they were."""
    kept = [match.span() for match in _KEPT.finditer(text)]
    taken: list[tuple[int, int, str]] = []
    for start, end, label in _found(text):
        if not _touches(start, end, kept):
            taken.append((start, end, label))
    return _replaced(text, taken)


def _found(text: str) -> Iterator[tuple[int, int, str]]:
    """Everything that tells who somebody is; spans may overlap."""
    for label, pattern in (*_MARKS, *(("[plate]", pattern) for pattern in _PLATES)):
        for match in pattern.finditer(text):
            yield *match.span("value" if "value" in pattern.groupindex else 0), label
    for region in ("US", "MX"):
        yield from _phones(text, region)


#: How much text phonenumbers gets at once; it looks at a stretch many times over.
_STRETCH = re.compile(r"[+(]?\d[\d\s().+/x-]{5,40}")


def _phones(text: str, region: str) -> Iterator[tuple[int, int, str]]:
    """Numbers that exist, in whatever way they are written. Only stretches of digits are looked at, for time."""
    for stretch in _STRETCH.finditer(text):
        if sum(character.isdigit() for character in stretch[0]) < 10 or text[max(0, stretch.start() - 1)] in ".":
            continue
        for found in phonenumbers.PhoneNumberMatcher(stretch[0], region, max_tries=20):
            yield stretch.start() + found.start, stretch.start() + found.end, "[phone]"


def _touches(start: int, end: int, kept: list[tuple[int, int]]) -> bool:
    """Whether a span overlaps one that must stay."""
    place = bisect_left(kept, (end, 0))
    return place > 0 and kept[place - 1][1] > start


def _replaced(text: str, taken: list[tuple[int, int, str]]) -> str:
    """The text with the spans replaced; of those that overlap, the first and longest gives its name to all."""
    pieces: list[str] = []
    done = 0
    for start, end, label in sorted(taken, key=lambda span: (span[0], -span[1])):
        if start >= done:
            pieces += [text[done:start], label]
        done = max(done, end)
    return "".join([*pieces, text[done:]])
