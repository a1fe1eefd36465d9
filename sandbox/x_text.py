"""X's way with text: how long it is, what stands in it, and how the API shows it.

Source: twitter-text v3 config (weights) and docs.x.com data dictionary (entities; ``&``, ``<``, ``>`` come escaped,
links come as t.co), read 2026-11.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from sandbox.people import Person
from sandbox.posts import HANDLE

LONGEST = 280
LINK_LENGTH = 23
LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  #: code points that weigh 1, all others weigh 2
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]']", re.IGNORECASE)
TAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d_]\w*)")
_PICTURE = "[\U0001f1e6-\U0001f1ff]{2}|[#*0-9]\ufe0f?\u20e3"
_ONE = "[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]"
_JOINED = f"{_ONE}[\ufe0f\U0001f3fb-\U0001f3ff]*(?:\u200d{_ONE}[\ufe0f\U0001f3fb-\U0001f3ff]*)*"
EMOJI = re.compile(f"{_PICTURE}|{_JOINED}")


def weighted_length(text: str) -> int:
    """How long X finds the text: links 23, an emoji with all its parts 2, most other scripts 2 a character."""
    text = unicodedata.normalize("NFC", text)
    without_links, links = LINK.subn("", text)
    emoji = sum(_is_picture(found) for found in EMOJI.findall(without_links))
    without_emoji = EMOJI.sub(lambda found: "" if _is_picture(found[0]) else found[0], without_links)
    weights = (1 if any(low <= ord(letter) <= high for low, high in LIGHT) else 2 for letter in without_emoji)
    return LINK_LENGTH * links + 2 * emoji + sum(weights)


def _is_picture(found: str) -> bool:
    return len(found) > 1 or ord(found[0]) >= 0x1F000 or unicodedata.category(found[0]) == "So"


def short_link(url: str) -> str:
    return "https://t.co/" + hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def as_served(text: str) -> str:
    """What the API shows for what was written."""
    shortened = LINK.sub(lambda found: short_link(found[0]), text)
    return shortened.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def links(text: str) -> list[str]:
    return LINK.findall(text)


def tags(text: str) -> list[str]:
    return TAG.findall(LINK.sub(" ", text))


def handles(text: str) -> list[str]:
    return HANDLE.findall(LINK.sub(" ", text))


def entities(text: str, people: Mapping[str, Person]) -> dict[str, Any]:
    """Mentions, hashtags and links with their places in the text as served; ``people`` by lower-case handle."""
    served = as_served(text)
    by_short = {short_link(url): url for url in links(text)}
    found: dict[str, list[dict[str, Any]]] = {
        "mentions": [
            {
                "start": hit.start(),
                "end": hit.end(),
                "username": people[hit[1].lower()].handle,
                "id": people[hit[1].lower()].id,
            }
            for hit in HANDLE.finditer(served)
            if hit[1].lower() in people
        ],
        "hashtags": [{"start": hit.start(), "end": hit.end(), "tag": hit[1]} for hit in TAG.finditer(served)],
        "urls": [
            {
                "start": hit.start(),
                "end": hit.end(),
                "url": hit[0],
                "expanded_url": by_short[hit[0]],
                "display_url": re.sub(r"^https?://(www\.)?", "", by_short[hit[0]]),
            }
            for hit in LINK.finditer(served)
            if hit[0] in by_short
        ],
    }
    return {kind: items for kind, items in found.items() if items}
