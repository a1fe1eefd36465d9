"""The city's services, as its ``services.csv`` lists them.

Columns: ``service_code, service_name, service_name_es, maps_to, department, sla, handled_by, description, keywords,
group, public, confidential`` and, if the city likes, ``needs_place``. ``keywords`` are separated by commas or
semicolons, in any language residents write.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import isodate

from errors import ConfigError
from places.files import Line, lines
from vocabulary import GENERAL_CODES, Service

_NEEDED = ("service_code", "service_name")
_COLUMNS = (
    *_NEEDED,
    "service_name_es",
    "maps_to",
    "department",
    "sla",
    "handled_by",
    "description",
    "keywords",
    "group",
    "public",
    "confidential",
    "needs_place",
)
_WORD = re.compile(r"[^\W_]+")


def load_services(path: Path) -> tuple[Service, ...]:
    """The services in the order of the file.

    Raises:
        ConfigError: names the file, line, column and value at fault, and the remedy.
    """
    found: dict[str, Service] = {}
    for line in lines(path, needed=_NEEDED, known=_COLUMNS):
        service = _service(line)
        if service.service_code in found:
            raise line.fault("service_code", "stands on an earlier line too: codes are unique")
        found[service.service_code] = service
    if not found:
        raise ConfigError(f"{path}: lists no service: write one a line below the header")
    return tuple(found.values())


def by_general_code(services: Sequence[Service], general: str) -> Service | None:
    """The first service that maps to this general code."""
    return next((service for service in services if service.maps_to == general), None)


def choose(services: Sequence[Service], general_code: str, text: str) -> Service | None:
    """The service meant, where several map to one general code: that with most keywords in the text, else the first.

    A city's service that maps to nothing, a highway of the state say, is chosen when one of its keywords of two or
    more words stands in the text.
    """
    words = _plain(text)
    for service in services:
        if not service.maps_to and any(" " in word.strip() and _holds(words, word) for word in service.keywords):
            return service
    candidates = [service for service in services if service.maps_to == general_code]
    return max(candidates, key=lambda service: _hits(words, service), default=None)


def most_named(services: Sequence[Service], text: str) -> Service | None:
    """The service with most of its keywords in the text, the first of several; None: not a word of any."""
    words = _plain(text)
    best = max(services, key=lambda service: _hits(words, service), default=None)
    return best if best is not None and _hits(words, best) else None


def _hits(words: str, service: Service) -> int:
    return sum(_holds(words, keyword) for keyword in service.keywords)


def _holds(words: str, keyword: str) -> bool:
    """Whether the keyword stands in the text as whole words, its plural too."""
    plain = _plain(keyword).strip()
    return f" {plain} " in words or f" {plain}s " in words


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text[:4000]).casefold()
    bare = "".join(char for char in folded if not unicodedata.combining(char))
    return f" {' '.join(_WORD.findall(bare))} "


def _service(line: Line) -> Service:
    code = line["service_code"]
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", code):
        raise line.fault("service_code", "write 1 to 64 letters, digits, _ . or -")
    if not line["service_name"]:
        raise line.fault("service_name", "write the name residents read")
    return Service(
        service_code=code,
        service_name=line["service_name"],
        service_name_es=line["service_name_es"],
        maps_to=line.one_of("maps_to", ("", *GENERAL_CODES)),
        department=line["department"],
        sla=_sla(line),
        handled_by=line["handled_by"],
        description=line["description"],
        keywords=tuple(word for cell in re.split("[,;]", line["keywords"]) if (word := cell.strip())),
        group=line["group"],
        public=line.yes("public", default=True),
        confidential=line.yes("confidential", default=False),
        needs_place=line.yes("needs_place", default=True),
    )


def _sla(line: Line) -> str:
    sla = line["sla"]
    if not sla:
        return ""
    remedy = "write an ISO 8601 duration of days and hours, such as P3D, PT4H or P1DT4H"
    try:
        duration = isodate.parse_duration(sla)
    except (isodate.ISO8601Error, ValueError, OverflowError) as err:
        raise line.fault("sla", remedy) from err
    if isinstance(duration, isodate.Duration) or not 0 < duration.total_seconds() <= 3650 * 86400:
        raise line.fault("sla", remedy)
    return sla
