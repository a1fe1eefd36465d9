"""What the CRM would get for a mention: shown to staff, who change it or say yes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from crm_bridge.masking import mask
from vocabulary import Place, RequestProposal, Service

#: Open311 sets no limit; FixMyStreet and uReport cut longer ones, so we cut first and say so.
MAX_DESCRIPTION = 4000
#: Of the post itself, so that the longest one leaves room for the facts and the thread.
_MAX_WORDS = 2400

_PLATFORM_NAMES = {"x": "X", "facebook": "Facebook"}


def propose(
    mention_text: str,
    *,
    service: Service,
    place: Place | None,
    thread_texts: Sequence[str] = (),
    reference: str,
    posted_at: datetime,
    platform: str,
    url: str,
) -> RequestProposal:
    """The request that a mention calls for.

    Args:
        mention_text: the resident's words.
        service: what it is about.
        place: where; None when staff file it without.
        thread_texts: what the resident wrote before in the same conversation, oldest first.
        reference: ours.
        posted_at: aware.
        platform: the adapter's name.
        url: of the post. Never passed on, since it names its author and many CRMs publish descriptions; our reference
            leads staff to the post. It is taken out of the words too.
    """
    address = _words(place.address or place.text, url) if place else ""
    facts = [
        f"Service: {_words(service.service_name, url)} ({_words(service.service_code, url)})",
        f"Place: {_where(place, address)}" if place else "Place: not given",
        f"Posted: {posted_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC on {_PLATFORM_NAMES.get(platform, platform)}",
        f"Reference: {reference}",
    ]
    return RequestProposal(
        service_code=service.service_code,
        description=_description(mention_text, thread_texts, facts, url),
        public_description=public_description(service, place),
        address=address,
        lat=place.lat if place else None,
        long=place.long if place else None,
    )


def public_description(service: Service, place: Place | None) -> str:
    """Service and rounded place, in words of the city's own: none of the resident's. Empty where nothing is public."""
    if not service.public:
        return ""
    where = "" if service.confidential or place is None else _rounded(place)
    return f"{service.service_name}, {where}" if where else service.service_name


def _description(mention_text: str, thread_texts: Sequence[str], facts: list[str], url: str) -> str:
    """The post's words, the facts, and of the thread what still fits."""
    parts = [_cut(_words(mention_text, url), _MAX_WORDS), "\n".join(facts)]
    room = MAX_DESCRIPTION - len("\n\n".join(parts)) - len("\n\nEarlier in the conversation:\n")
    earlier = "\n".join(f"- {_words(text, url)}" for text in thread_texts if text.strip())
    if earlier and room > 0:
        parts.append("Earlier in the conversation:\n" + _cut(earlier, room))
    return _cut("\n\n".join(part for part in parts if part), MAX_DESCRIPTION)


def _where(place: Place | None, address: str) -> str:
    """The place for a crew: address, neighborhood, and whether the words are all we have."""
    if place is None:
        return ""
    parts = [address, _words(place.neighborhood or "", "")]
    return ", ".join(part for part in parts if part) + ("" if place.precise else " (not precise)")


def _words(text: str, url: str) -> str:
    """Masked plain text: no markup, no character that hides or turns others around."""
    text = unicodedata.normalize("NFC", text[:20_000])
    text = text.replace(url, "[link]") if url else text
    text = "".join(c for c in text if c in "\n\u200d" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    text = re.sub(r"</?[a-zA-Z!][^<>]{0,300}>", " ", text)
    text = mask(text.replace("<", "‹").replace(">", "›"))
    return re.sub(r"[^\S\n]+", " ", re.sub(r"\n{3,}", "\n\n", text)).strip()


def _cut(text: str, cap: int) -> str:
    if len(text) <= cap:
        return text
    return (text[: cap - 1].rpartition(" ")[0] or text[: cap - 1]) + "…"


_CROSSING = re.compile(r"\s+(?:and|at|y|con|esquina)\s+|\s*(?:[&@]|(?<!\d)/(?!\d))\s*", re.IGNORECASE)
_UNIT = re.compile(r"\s*(?:#|\b(?:apt|apartment|unit|suite|ste|lot|rm|room|depto|interior|int)\b\.?).*$", re.IGNORECASE)
_NUMBER_FIRST = re.compile(r"(?P<number>\d{1,6})(?:[-–]\d{1,6})?[A-Za-z]?(?:\s+\d/\d|\s*½)?\s+(?P<street>\S.*)")
_NUMBER_LAST = re.compile(
    r"(?P<street>[^\d].*?)\s+(?:no\.?|núm\.?|n[º°]\.?)?\s*(?P<number>\d{1,6})[A-Za-z]?", re.IGNORECASE
)
_STREET_FIRST = re.compile(r"(?:calle|c\.|avenida|av\.?|calzada|camino|paseo|boulevard|blvd\.?)\s", re.IGNORECASE)


def _rounded(place: Place) -> str:
    """A crossing, a block of a street, else the neighborhood; never a house, and never the resident's words."""
    street = _UNIT.sub("", place.address.split(",")[0]).strip()
    if not street:
        return place.neighborhood or ""
    crossing = [_without_number(side) for side in _CROSSING.split(street, maxsplit=1)]
    if len(crossing) == 2 and all(crossing):
        return " and ".join(crossing)
    found = _NUMBER_FIRST.fullmatch(street) or (_STREET_FIRST.match(street) and _NUMBER_LAST.fullmatch(street))
    if found:
        return _block(int(found["number"]), found["street"])
    return street if not re.search(r"\d{3}", street) else place.neighborhood or ""


def _without_number(side: str) -> str:
    found = _NUMBER_FIRST.fullmatch(side)
    return found["street"] if found else side.strip()


def _block(number: int, street: str) -> str:
    block = number // 100 * 100
    return f"{block} block of {street}" if block else f"first block of {street}"
