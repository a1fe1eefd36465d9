"""Which language a post is in.

py3langid over the languages that US cities hear most: on short tweets it was right more often than lingua at five times
the speed (docs/model-card.md has both), and its model is 5 MB.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

from classifiers.normalise import normalise

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNKNOWN = "und"
LANGUAGES = ("en", "es", "ar", "de", "fr", "hi", "ht", "it", "ja", "ko", "pl", "pt", "ru", "tl", "vi", "zh")
SURE_ENOUGH = 0.5
READ_AT_MOST = 500  #: characters; more changes nothing

_NOT_WORDS = re.compile(r"@user|\bhttp\b|\brt\b", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]")


def detect(text: str) -> str:
    """The post's language as ISO 639-1, or ``und`` where there is too little to go by."""
    words = _NOT_WORDS.sub(" ", normalise(text, emoji=False))[:READ_AT_MOST]
    if len(_LETTERS.findall(words)) < 2:
        return UNKNOWN
    code, confidence = _identifier().classify(words.strip())
    return str(code) if confidence >= SURE_ENOUGH else UNKNOWN


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # half a second to load

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    # It keeps all 130 languages beside ours, should we change our mind: 26 MB in each process.
    identifier._full_model = identifier.nb_ptc, identifier.nb_pc, identifier.nb_classes
    return identifier
