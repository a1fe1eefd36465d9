"""One way to write a post down, for training and for serving alike.

Any difference between the two costs accuracy that no test of the model shows, so nothing else prepares text.
"""

import html
import re
import unicodedata

#: What is read of a post: the model sees 96 word pieces, so this is ample, and hostile posts cost bounded time.
READ_AT_MOST = 4_000
KEEP_AT_MOST = 2_000  #: after emoji became words

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_LINK = re.compile(r"(?:https?://|www\.)\S{1,2000}", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@.])@\w{1,60}(?:[.@-]\w{1,60}){0,6}")
_HASHTAG = re.compile(r"#(\w{1,140})")
_WORD_IN_TAG = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+|[^\W_]+")
_REPEATED = re.compile(r"(.)\1{3,}", re.DOTALL)
_SPACE = re.compile(r"\s+")
_JOINERS = {0x200D: None, 0xFE0E: None, 0xFE0F: None}  # parts of emoji: dropped only after emoji became words


def normalise(text: str, *, emoji_as_words: bool = True) -> str:
    """The text as the model reads it: one line, emoji as words, ``@user`` and ``http`` for handles and links.

    Never raises, whatever the text holds. Without ``emoji_as_words`` emoji become spaces.
    """
    text = _readable(text[:READ_AT_MOST])
    text = _ESCAPED.sub(_unescaped, html.unescape(text))
    text = _visible(unicodedata.normalize("NFKC", _readable(text)))
    text = _LINK.sub("http", text)
    text = _HANDLE.sub("@user", text)
    text = _HASHTAG.sub(_words_of_tag, text)
    text = _without_emoji(text, as_words=emoji_as_words).translate(_JOINERS)
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


def _without_emoji(text: str, *, as_words: bool) -> str:
    """The encoder's vocabulary has no emoji: each would be one and the same unknown piece."""
    if text.isascii():
        return text
    import emoji  # its table is big: only posts with more than ASCII need it

    def words(found: str, _: object) -> str:
        name = str(emoji.EMOJI_DATA[found]["en"]).strip(":").replace("_", " ")
        return f" {name} " if as_words else " "

    return emoji.replace_emoji(text, replace=words)
