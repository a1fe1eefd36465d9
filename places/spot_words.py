"""Finds the landmarks and neighborhoods that a post names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from places.names import NamedSpot, Names, near_miss
from places.shapes import Landmark, Neighborhood
from places.words import ARTICLES, BY, SUFFIXES, Token

#: "library card", "hospital bill": not the place.
_NOT_A_SPOT = frozenset(
    ["board", "bill", "bills", "budget", "card", "cards", "fees", "fine", "fines", "hours", "staff", "tax", "walk"]
)

#: "anyone at City Hall": those who work there, not the place.
_PEOPLE = (
    "anyone",
    "anybody",
    "someone",
    "somebody",
    "people",
    "folks",
    "everyone",
    "you",
    "those",
    "alguien",
    "gente",
)
_THE = ("the", "el", "la", "al", "del")


@dataclass(frozen=True, kw_only=True, slots=True)
class SpotSpan:
    """Words that name a landmark or neighborhood."""

    first: int  #: token
    last: int
    spot: Landmark | Neighborhood


class SpotReader:
    """Reads the landmarks and neighborhoods out of one post."""

    def __init__(self, tokens: Sequence[Token], names: Names) -> None:
        self._tokens = tokens
        self._names = names
        self._shouting = not any(token.raw.islower() for token in tokens)

    def spans(self) -> list[SpotSpan]:
        """The spots in the order of the text, without overlaps."""
        found = []
        at = 0
        while at < len(self._tokens):
            span = self._hashtag(at) or self._exact(at) or self._misspelt(at)
            if span:
                found.append(span)
            at = span.last + 1 if span else at + 1
        return found

    def _hashtag(self, at: int) -> SpotSpan | None:
        plain = self._tokens[at].plain
        named = self._names.by_hashtag.get(plain[1:]) if plain.startswith("#") else None
        return SpotSpan(first=at, last=at, spot=named.spot) if isinstance(named, NamedSpot) else None

    def _exact(self, at: int) -> SpotSpan | None:
        for named in self._names.by_first.get(self._tokens[at].key, ()):
            last = at + len(named.keys) - 1
            words = self._tokens[at : last + 1]
            if tuple(token.key for token in words) != named.keys or any(word.gap.strip(" .'’") for word in words[:-1]):
                continue
            if named.needs_article and not (at and self._tokens[at - 1].plain in _THE):
                continue
            cued = self._cued(at) or self._is_title(words, named)
            if not named.needs_cue or (cued and not self._goes_on(last)):
                return SpotSpan(first=at, last=last, spot=named.spot)
        return None

    def _misspelt(self, at: int) -> SpotSpan | None:
        """As in "Riversde Park": the last word is right, the words before it are a slip away; or one long word is."""
        for named in self._names.by_last.get(self._tokens[at].key, ()):
            first = at - len(named.keys) + 1
            if first < 0 or named.needs_cue:
                continue
            said = "".join(token.key for token in self._tokens[first:at])
            meant = "".join(named.keys[:-1])
            if said[:1] == meant[:1] and near_miss(said, [meant]):
                return SpotSpan(first=first, last=at, spot=named.spot)
        like = self._names.spot_like(self._tokens[at].key)
        return SpotSpan(first=at, last=at, spot=like.spot) if like else None

    def _cued(self, at: int) -> bool:
        """Whether "by", "near", "frente a"… stands before, articles not counted."""
        before = at - 1
        while before >= 0 and self._tokens[before].plain in ARTICLES and at - before < 4:
            before -= 1
        if before < 0 or self._tokens[before].plain not in BY or self._tokens[before].ends_sentence:
            return False
        return before == 0 or self._tokens[before - 1].plain not in _PEOPLE

    def _is_title(self, words: Sequence[Token], named: NamedSpot) -> bool:
        """Whether a landmark or park of everyday words is written as a name: "Old Flour Mill"."""
        a_name = isinstance(named.spot, Landmark) and named.spot.kind != "facility" and len(words) > 1
        return a_name and all(word.raw[:1].isupper() for word in words) and not self._shouting

    def _goes_on(self, last: int) -> bool:
        """Whether an everyday name goes on to something else: "library card", "Airport Road"."""
        if last + 1 >= len(self._tokens) or self._tokens[last].ends_clause:
            return False
        following = self._tokens[last + 1].plain
        return following in _NOT_A_SPOT or following in SUFFIXES
