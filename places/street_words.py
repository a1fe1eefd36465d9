"""Finds the streets that a post names, and how sure it is that streets are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from places.names import NamedStreet, Names
from places.words import (
    CORNER,
    CROSS_MARKS,
    DIRECTIONS,
    ENDERS,
    MONTHS,
    NEEDS_SUFFIX,
    NOT_A_STREET,
    ON,
    ORDINAL_WORDS,
    ORDINARY,
    PREFIXES,
    SUFFIXES,
    Token,
    ordinal,
)

_SPANISH_ARTICLES = ("la", "el", "de", "del", "las", "los")
#: "the corner of Oak", "this end of Oak".
_PARTS = ("corner", "block", "end", "side", "part", "stretch", "intersection", "length", "all")
#: Suffixes that residents mix up; "Oak Court" would be another street.
_MIXED_UP = ("street", "avenue", "road", "boulevard")
#: Words that go before streets and little else, for names that are ordinary words or numbers.
_ALONG = ("on", "along", "down", "off", "onto", "en", "por", "sobre")
_STREET_THINGS = ("light", "lights", "lamp", "lamps", "sign", "signs", "parking", "sweeper", "sweeping")
#: What flows under streets: "water main".
_MAINS = ("water", "gas", "sewer", "steam", "the", "my", "his", "her")


class Strength(IntEnum):
    """How sure it is that a street is meant."""

    WEAK = 0  # a bare name: counts only where it crosses another street or follows a house number
    CUED = 1  # "on Oak"
    SURE = 2  # "Oak Street", "calle Oak"


@dataclass(frozen=True, kw_only=True, slots=True)
class StreetSpan:
    """Words that name a street."""

    first: int  #: token
    last: int
    streets: tuple[NamedStreet, ...]  #: those of that name
    strength: Strength
    direction: str = ""
    spanish: bool = False  #: "calle Oak"; the house number comes after
    ends: bool = True  #: whether the next word cannot go on with the name, as in "oak cabinets"
    risky: bool = False  #: "May", "Park": ordinary words


@dataclass(slots=True)
class _Reading:
    """A street name as far as it has been read."""

    first: int
    at: int  #: the next token
    prefix: str = ""
    direction: str = ""
    base: tuple[str, ...] = ()
    suffix: str = ""
    misspelt: bool = False
    digits: bool = False  #: "5" for 5th
    streets: tuple[NamedStreet, ...] = field(default=())


class StreetReader:
    """Reads the street names out of one post."""

    def __init__(self, tokens: Sequence[Token], names: Names, *, shouting: bool) -> None:
        self._tokens = tokens
        self._names = names
        self._shouting = shouting

    def spans(self) -> list[StreetSpan]:
        """The streets in the order of the text, without overlaps."""
        found = []
        at = 0
        while at < len(self._tokens):
            span = self._hashtag(at) or self._span(at)
            if span:
                found.append(span)
            at = span.last + 1 if span else at + 1
        return found

    def _hashtag(self, at: int) -> StreetSpan | None:
        token = self._tokens[at]
        if not token.plain.startswith("#"):
            return None
        named = self._names.by_hashtag.get(token.plain[1:])
        if not isinstance(named, NamedStreet):
            return None
        return StreetSpan(first=at, last=at, streets=(named,), strength=Strength.SURE)

    def _span(self, at: int) -> StreetSpan | None:
        reading = _Reading(first=at, at=at)
        self._read_prefix(reading)
        self._read_direction(reading)
        if not self._read_base(reading) or not self._read_suffix(reading):
            return None
        strength = self._strength(reading)
        if strength is None:
            return None
        return StreetSpan(
            first=reading.first,
            last=reading.at - 1,
            streets=reading.streets,
            strength=strength,
            direction=reading.direction,
            spanish=bool(reading.prefix),
            ends=self._ends(reading),
            risky=not reading.suffix and not reading.prefix and reading.base[0] in NEEDS_SUFFIX,
        )

    def _plain(self, at: int) -> str:
        return self._tokens[at].plain if 0 <= at < len(self._tokens) else ""

    def _read_prefix(self, reading: _Reading) -> None:
        """Reads "calle", "avenida" and the articles after them."""
        if self._plain(reading.at) not in PREFIXES:
            return
        reading.prefix = PREFIXES[self._plain(reading.at)]
        reading.at += 1
        while self._plain(reading.at) in _SPANISH_ARTICLES:
            reading.at += 1

    def _read_direction(self, reading: _Reading) -> None:
        if self._plain(reading.at) in DIRECTIONS and not self._tokens[reading.at].ends_clause:
            reading.direction = DIRECTIONS[self._plain(reading.at)]
            reading.at += 1

    def _read_base(self, reading: _Reading) -> bool:
        """The longest name that begins here; where there is none, one that was misspelt beside a cue."""
        for length in range(self._names.longest_base, 0, -1):
            words = self._tokens[reading.at : reading.at + length]
            base = tuple(token.key for token in words)
            if len(words) == length and base in self._names.by_base and not any(_parted(word) for word in words[:-1]):
                reading.base, reading.at = base, reading.at + length
                return True
        return self._read_digits(reading) or self._read_misspelt(reading)

    def _read_digits(self, reading: _Reading) -> bool:
        """Reads "5" for 5th Street: after "calle", before "st", or beside a word that joins streets in Spanish."""
        word = self._plain(reading.at)
        if not (word.isascii() and word.isdigit()) or len(word) > 3:
            return False
        base = (ordinal(int(word)),)
        before, after = self._plain(reading.at - 1), self._plain(reading.at + 1)
        beside = {"la", "y", "con", "entre", *CROSS_MARKS} & {before} or {"y", "con", *CROSS_MARKS} & {after}
        if base not in self._names.by_base or not (reading.prefix or beside or after in SUFFIXES):
            return False
        reading.base, reading.at, reading.digits = base, reading.at + 1, True
        return True

    def _read_misspelt(self, reading: _Reading) -> bool:
        word, before, after = (self._plain(reading.at + step) for step in (0, -1, 1))
        cue = (
            reading.prefix
            or after in SUFFIXES
            or before in CROSS_MARKS
            or before in CORNER
            or (len(word) > 5 and (before in ON or after in CROSS_MARKS or (before.isdigit() and len(before) > 2)))
        )
        meant = self._names.base_like(word) if cue and word else None
        if meant is None:
            return False
        reading.base, reading.at, reading.misspelt = (meant,), reading.at + 1, True
        return True

    def _read_suffix(self, reading: _Reading) -> bool:
        """The suffix, if one follows, and the streets that fit it; False where it makes another name of it."""
        named = self._names.by_base[reading.base]
        word = self._plain(reading.at)
        wanted = reading.prefix
        if not wanted and word in SUFFIXES and not self._tokens[reading.at - 1].ends_clause:
            wanted = SUFFIXES[word]
            reading.at += 1
            self._read_direction_after(reading)
        fitting = tuple(street for street in named if street.name.suffix == wanted)
        if wanted and not fitting:
            known = _MIXED_UP[:2] if reading.base[0][0].isdigit() else _MIXED_UP
            distinct = reading.base[0] not in NEEDS_SUFFIX and reading.base[0] != "main"
            if not reading.prefix and not (wanted in known and distinct):
                return False
        reading.suffix = wanted if not reading.prefix else ""
        reading.streets = fitting or tuple(named)
        return True

    def _read_direction_after(self, reading: _Reading) -> None:
        """Reads "Oak St N"."""
        word = self._plain(reading.at)
        if (
            word in DIRECTIONS
            and self._tokens[reading.at].raw.isupper()
            and not self._tokens[reading.at - 1].gap.strip(" .")
        ):
            reading.direction = DIRECTIONS[word]
            reading.at += 1

    def _strength(self, reading: _Reading) -> Strength | None:
        """How sure the name is; ``None``: no street at all."""
        if reading.suffix and self._counts_things(reading):
            return None
        if reading.suffix:
            generic = reading.base == ("main",) and self._plain(reading.first - 1) in ("the", "a", "our", "this", "any")
            return None if generic and not self._tokens[reading.first].capital else Strength.SURE
        if reading.prefix or any(not street.name.suffix for street in reading.streets):
            return Strength.SURE
        if self._means_something_else(reading):
            return None
        if reading.base[0] in NEEDS_SUFFIX:
            return Strength.WEAK if self._tokens[reading.at - 1].capital else None
        return Strength.CUED if self._cued(reading) and not reading.digits else Strength.WEAK

    def _counts_things(self, reading: _Reading) -> bool:
        """Such as "the first street light": the number is not the street's."""
        numbered = reading.digits or self._plain(reading.at - 2) in ORDINAL_WORDS
        return numbered and not self._tokens[reading.at - 1].ends_clause and self._plain(reading.at) in _STREET_THINGS

    def _means_something_else(self, reading: _Reading) -> bool:
        """Such as "oak tree", "May 5th", "5 de mayo", "water main"."""
        before, after = self._plain(reading.first - 1), self._plain(reading.at)
        if not self._tokens[reading.at - 1].ends_clause and after in NOT_A_STREET:
            return True
        if reading.base == ("main",) and before in _MAINS:
            return True
        if not reading.base[0][0].isdigit():
            return False
        a_date = before in MONTHS - {"de"} or after in MONTHS - {"de"}
        return a_date or (after == "de" and self._plain(reading.at + 1) in MONTHS)

    def _cued(self, reading: _Reading) -> bool:
        """Whether the words before a bare name, and after it, make it a street."""
        token = self._tokens[reading.at - 1]
        before, earlier = self._plain(reading.first - 1), self._plain(reading.first - 2)
        if before in ("la", "el"):
            before, earlier = earlier, self._plain(reading.first - 3)
        if not (before in ON or (before in ("of", "de") and earlier in _PARTS)):
            return False
        if reading.first and self._tokens[reading.first - 1].ends_sentence:
            return False
        capital = token.capital and not self._shouting
        if token.plain in ORDINAL_WORDS:
            return capital and before in _ALONG
        if reading.base[0][0].isdigit():
            return before in _ALONG and self._ends(reading) and not self._counts(reading)
        if capital:
            return not self._longer_name(reading)
        return token.plain not in ORDINARY or (before in _ALONG and self._ends(reading))

    def _counts(self, reading: _Reading) -> bool:
        """Such as "on 4th and 10": not a street."""
        return self._plain(reading.at + 1).isdigit()

    def _longer_name(self, reading: _Reading) -> bool:
        """Such as "Madison Square Garden": a capital follows at once."""
        if reading.at >= len(self._tokens) or self._tokens[reading.at - 1].ends_clause or self._shouting:
            return False
        following = self._tokens[reading.at]
        return following.raw[:1].isupper() and following.plain not in ENDERS and following.plain not in ON

    def _ends(self, reading: _Reading) -> bool:
        following = self._plain(reading.at)
        return not following or self._tokens[reading.at - 1].ends_clause or following in ENDERS


def _parted(token: Token) -> bool:
    """Whether more than a blank or a dot stands between this word and the next."""
    return bool(token.gap.strip(" ."))
