"""The names of a city's places, laid out for looking up a post's words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

from places.shapes import City, Landmark, Neighborhood, Street, StreetName
from places.words import GENERIC, NEEDS_SUFFIX, SUFFIXES, words_of

#: Shortest name that is looked for in spite of a typo.
_SHORTEST_MISSPELT = 5
_SHORTEST_HASHTAG = 6
#: Words so long may have two slips.
_LONG_WORD = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedStreet:
    """A street under one of its names."""

    name: StreetName
    street: Street


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedSpot:
    """A landmark or neighborhood under one of its names."""

    keys: tuple[str, ...]
    spot: Landmark | Neighborhood
    needs_cue: bool  #: an everyday word, a place only after "by", "near"…
    needs_article: bool  #: "the dump"


class Names:
    """Every name and alias of a city."""

    def __init__(self, city: City) -> None:
        #: Streets by the base of any of their names.
        self.by_base: dict[tuple[str, ...], list[NamedStreet]] = defaultdict(list)
        #: Landmarks and neighborhoods by their first word, the longest name first.
        self.by_first: dict[str, list[NamedSpot]] = defaultdict(list)
        self.by_last: dict[str, list[NamedSpot]] = defaultdict(list)
        self.by_hashtag: dict[str, NamedStreet | NamedSpot] = {}
        for name, street in [*((street.name, street) for street in city.streets), *city.aliases]:
            self._add_street(NamedStreet(name=StreetName.of(name), street=street))
        spots: list[Landmark | Neighborhood] = [*city.landmarks, *city.neighborhoods]
        for spot in spots:
            for named in _names_of(spot):
                self._add_spot(named)
        for same in (*self.by_first.values(), *self.by_last.values()):
            same.sort(key=lambda named: -len(named.keys))
        self.longest_base = max(map(len, self.by_base), default=1)
        self._misspelt_bases = [
            base[0] for base in self.by_base if len(base) == 1 and _may_be_misspelt(base[0]) and base[0].isalpha()
        ]
        self._misspelt_spots = [
            named
            for spots in self.by_first.values()
            for named in spots
            if len(named.keys) == 1 and not named.needs_cue and _may_be_misspelt(named.keys[0])
        ]

    def base_like(self, word: str) -> str | None:
        """The one-word street name that was meant by a misspelt word."""
        return near_miss(word, self._misspelt_bases)

    def spot_like(self, word: str) -> NamedSpot | None:
        """The one-word landmark or neighborhood that was meant by a misspelt word of eight letters or more."""
        if len(word) < _SHORTEST_MISSPELT + 3:
            return None
        meant = near_miss(word, [named.keys[0] for named in self._misspelt_spots])
        return next((named for named in self._misspelt_spots if named.keys[0] == meant), None)

    def _add_street(self, named: NamedStreet) -> None:
        if named not in self.by_base[named.name.base]:
            self.by_base[named.name.base].append(named)
        together = "".join(named.name.base)
        for short, full in SUFFIXES.items():
            if full == named.name.suffix:
                self.by_hashtag.setdefault(together + short, named)
        if not named.name.suffix:
            self.by_hashtag.setdefault(together, named)

    def _add_spot(self, named: NamedSpot) -> None:
        self.by_first[named.keys[0]].append(named)
        if len(named.keys) > 1:
            self.by_last[named.keys[-1]].append(named)
        together = "".join(named.keys)
        if len(together) >= _SHORTEST_HASHTAG and not named.needs_cue:
            self.by_hashtag.setdefault(together, named)


def near_miss(word: str, choices: Sequence[str]) -> str | None:
    """The one choice that the word is a slip of the finger away from.

    One edit, two from ten letters on; the first letter is right. In short words no letter is replaced by another, or
    "Grand" would be "Grant"; nor is a plural a typo.

    Source: optimal string alignment distance; the bounds are ours.
    """
    if len(word) < _SHORTEST_MISSPELT - 1 or not word.isalpha():
        return None
    allowed = 2 if len(word) >= _LONG_WORD else 1
    found = extractOne(word, choices, scorer=OSA.distance, score_cutoff=allowed)
    if found is None:
        return None
    meant: str = found[0]
    if word[0] != meant[0] or word + "s" == meant or word == meant + "s":
        return None
    replaced = len(word) == len(meant) and sorted(word) != sorted(meant)
    return None if replaced and len(meant) <= _SHORTEST_MISSPELT else meant


def _may_be_misspelt(word: str) -> bool:
    return len(word) >= _SHORTEST_MISSPELT and word not in NEEDS_SUFFIX


def _names_of(spot: Landmark | Neighborhood) -> Iterator[NamedSpot]:
    for name in (spot.name, *spot.aliases):
        keys = tuple(words_of(name))
        article = len(keys) > 1 and keys[0] in ("the", "el", "la")
        keys = keys[1:] if article else keys
        if keys:
            yield NamedSpot(keys=keys, spot=spot, needs_cue=_is_everyday(name, keys, spot), needs_article=article)


def _is_everyday(name: str, keys: tuple[str, ...], spot: Landmark | Neighborhood) -> bool:
    if isinstance(spot, Neighborhood):
        return name != spot.name or len(keys[0]) < _SHORTEST_MISSPELT
    lower = not any(word[:1].isupper() for word in name.split())
    return lower or all(key in GENERIC or key[0].isdigit() for key in keys)
