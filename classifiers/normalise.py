"""One way to write a post down, for training and for serving alike.

Any difference between the two costs accuracy that no test of the model shows, so nothing else prepares text.
"""

import html
import re
import unicodedata

#: What is read of a post: the model sees 96 word pieces, so this is ample, and hostile posts cost bounded time.
READ_AT_MOST = 4_000
KEEP_AT_MOST = 2_000  #: of it, once it is written down our way

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_LINK = re.compile(r"(?:https?://|www\.)\S{1,2000}", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@.])@\w{1,60}(?:[.@-]\w{1,60}){0,6}")
_HASHTAG = re.compile(r"#(\w{1,140})")
_WORD_IN_TAG = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+|[^\W_]+")
_REPEATED = re.compile(r"(.)\1{3,}", re.DOTALL)
_SPACE = re.compile(r"\s+")
#: Parts of emoji that say nothing by themselves: joiners, variation marks, skin tones.
_JOINERS = {0x200D: None, 0xFE0E: None, 0xFE0F: None} | dict.fromkeys(range(0x1F3FB, 0x1F400))
_SHOUTED = 0.7  #: share of capitals from which on a text is read in small letters
_FEW_LETTERS = 8


def normalise(text: str, *, emoji: bool = True) -> str:
    """The text as the model reads it: one line, ``@user`` and ``http`` for handles and links, no shouting.

    Never raises, whatever the text holds. Without ``emoji`` they become spaces.
    """
    text = _readable(text[:READ_AT_MOST])
    text = _ESCAPED.sub(_unescaped, html.unescape(text))
    text = _visible(unicodedata.normalize("NFKC", _readable(text)))
    text = _LINK.sub("http", text)
    text = _HANDLE.sub("@user", text)
    text = _HASHTAG.sub(_words_of_tag, text)
    text = (text if emoji else _without_emoji(text)).translate(_JOINERS)
    text = _calm(text)
    text = _REPEATED.sub(r"\1\1\1", text)
    return _SPACE.sub(" ", text).strip()[:KEEP_AT_MOST]


def _readable(text: str) -> str:
    """Surrogate pairs joined, lone surrogates replaced: they can be stored nowhere."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _visible(text: str) -> str:
    """Without control, zero-width and direction marks, which hide words from a classifier and from staff."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if ord(character) in _JOINERS:
        return character
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"} else character


def _words_of_tag(match: re.Match[str]) -> str:
    """``#FixOurStreets`` -> ``Fix Our Streets``."""
    return " ".join(_WORD_IN_TAG.findall(match[1])) or match[1]


def _calm(text: str) -> str:
    """In small letters if it shouts: the encoder knows few words in capitals, and reads the others letter by letter."""
    letters = sum(map(str.isalpha, text))
    if letters < _FEW_LETTERS or sum(map(str.isupper, text)) < _SHOUTED * letters:
        return text
    return text.lower()


def _without_emoji(text: str) -> str:
    if text.isascii():
        return text
    import emoji  # its table is big: only posts with more than ASCII need it

    return emoji.replace_emoji(text, replace=" ")
