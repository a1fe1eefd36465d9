"""Finds the place in a resident's words: the most specific one that the city's gazetteer knows.

In this order: house number or block, stretch between two crossings, crossing, street beside a landmark, landmark,
street, neighborhood. The last two, and a landmark a kilometre long, are not ``precise`` and have no point of their own:
a crew could not find the trouble there, and two reports of one street are not yet reports of the same thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

from shapely import Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points

from places.gazetteer import Gazetteer
from places.shapes import Landmark, Neighborhood, Street, Stretch
from places.spot_words import SpotReader, SpotSpan
from places.street_words import StreetReader, StreetSpan, Strength
from places.words import AND, ARTICLES, BETWEEN, BY, CORNER, CROSS_MARKS, JOINS, MONTHS, tokens
from vocabulary import Place

#: Landmarks larger than this do not say where the trouble is, metres.
_LARGE = 1_000.0
#: A landmark this far from a street does not say where on it, metres.
_BESIDE = 500.0
#: A stretch longer than this does not say where the trouble is, metres.
_LONG_STRETCH = 800.0
#: A point a phone attached is this close to the crossing or street that is meant, metres.
_AT_CROSSING, _AT_STREET = 40.0, 120.0
_POSSESSIVE = re.compile(r"(?<=street|avenue)['’]s$", re.IGNORECASE)
_BLOCK_WORDS = ("block", "blk", "cuadra", "bloque")
_NUMBER_LINKS = (*_BLOCK_WORDS, "of", "de", "la", "el", "calle")
_YEAR_CUES = ("in", "since", "until", "from", "en", "desde", "de")


def find_place(text: str, gazetteer: Gazetteer) -> Place | None:
    """The most specific place that a post names; ``None`` where it names none that the city knows.

    ``Place.text`` is the post's own words. Only the first 2,000 characters count, links and handles left out.
    """
    return _Finder(text, gazetteer).place()


def near(lat: float, long: float, gazetteer: Gazetteer) -> Place:
    """The place of a point that the author attached: its crossing, block or landmark, and its neighborhood.

    Units: degrees WGS84. A point outside the city has neither address nor neighborhood.
    """
    point = gazetteer.frame.xy(lat, long)
    return Place(
        text=f"{lat:.5f}, {long:.5f}",
        address=_address_near(point, gazetteer),
        lat=lat,
        long=long,
        neighborhood=gazetteer.neighborhood_at(point),
        source="geotag",
    )


def _address_near(point: Point, gazetteer: Gazetteer) -> str:
    if crossing := gazetteer.crossing_near(point, within=_AT_CROSSING):
        return f"{crossing[0].name} & {crossing[1].name}"
    for landmark in gazetteer.landmarks:
        if landmark.shape.geom_type == "Polygon" and landmark.shape.covers(point):
            return landmark.name
    if found := gazetteer.stretch_near(point, within=_AT_STREET):
        street, stretch = found
        number = stretch.number_at(point)
        return street.name if number is None else f"{number // 100 * 100} block of {stretch.name}"
    return ""


class _Finder:
    """Looks for a place in one post."""

    def __init__(self, text: str, gazetteer: Gazetteer) -> None:
        self._text = text
        self._gazetteer = gazetteer
        self._tokens = tokens(text)
        shouting = not any(token.raw.islower() for token in self._tokens)
        streets = StreetReader(self._tokens, gazetteer.names, shouting=shouting).spans()
        spots = SpotReader(self._tokens, gazetteer.names).spans()
        self._streets = [span for span in streets if not any(_wins(spot, span) for spot in spots)]
        self._spots = [spot for spot in spots if not any(_overlap(span, spot) for span in self._streets)]

    def place(self) -> Place | None:
        for kind in (
            self._addresses,
            self._stretches,
            self._crossings,
            self._beside,
            self._landmarks,
            self._whole_streets,
            self._areas,
        ):
            for found in kind():
                return found
        return None

    def _plain(self, at: int) -> str:
        return self._tokens[at].plain if 0 <= at < len(self._tokens) else ""

    def _place(self, first: int, last: int, address: str, point: Point | None, *, shape: BaseGeometry | None) -> Place:
        """A place; ``point`` is ``None`` where it is not precise, ``shape`` says then which neighborhood it is in."""
        gazetteer = self._gazetteer
        lat, long = gazetteer.frame.lat_long(point) if point else (None, None)
        within = point or shape
        area = gazetteer.neighborhood_of(within) if within is not None else None
        words = _POSSESSIVE.sub("", self._text[self._tokens[first].start : self._tokens[last].end])
        return Place(text=words, address=address, lat=lat, long=long, neighborhood=area, precise=point is not None)

    # house numbers

    def _addresses(self) -> Iterator[Place]:
        for span in self._streets:
            number_at, block = self._number(span)
            if number_at is None:
                continue
            number = int(self._plain(number_at).lstrip("#"))
            words = f"{number} block of" if block else f"{number}"
            spots = [
                (stretch, stretch.at(number + 50 if block and stretch.has(number + 50) else number))
                for stretch in _stretches(span)
                if stretch.has(number)
            ]
            first, last = min(number_at, span.first), max(number_at, span.last)
            if len(spots) == 1:
                stretch, point = spots[0]
                yield self._place(first, last, f"{words} {stretch.name}", point, shape=None)
            elif spots:
                yield self._place(first, last, f"{words} {span.streets[0].street.name}", None, shape=None)

    def _number(self, span: StreetSpan) -> tuple[int | None, bool]:
        """Where the house number stands, and whether it names a block."""
        after = span.last + 1
        word = self._plain(after)
        if (word.isdigit() and span.spanish and len(word) > 1) or (word[:1] == "#" and _is_number(word[1:])):
            return (after, False) if not self._tokens[span.last].ends_sentence else (None, False)
        at = span.first - 1
        links: list[str] = []
        while self._plain(at) in _NUMBER_LINKS and len(links) < 4:
            links.append(self._plain(at))
            at -= 1
        block = any(word in _BLOCK_WORDS for word in (*links, self._plain(at - 1)))
        word = self._plain(at)
        if not _is_number(word) or self._tokens[at].ends_sentence or not self._is_house_number(at, span, block):
            return None, False
        if links and not block and (len(word) < 3 or "of" in links):
            return None, False
        return at, block

    def _is_house_number(self, at: int, span: StreetSpan, block: bool) -> bool:
        before = self._plain(at - 1)
        if before == "$" or (before in _YEAR_CUES and not block and 1900 <= int(self._plain(at)) <= 2100):
            return False
        return span.strength is Strength.SURE or block or span.ends

    # streets that meet

    def _stretches(self) -> Iterator[Place]:
        """A street between two others: "Elm between 3rd and 4th"."""
        for at, token in enumerate(self._tokens):
            if token.plain not in BETWEEN:
                continue
            ends = [span for span in self._streets if at < span.first <= at + 12][:3]
            if len(ends) < 2 or not self._only(ends[0].last + 1, ends[1].first, AND | ARTICLES | JOINS):
                continue
            for street in self._street_of_stretch(at, ends):
                if found := self._between(street, ends[0], ends[1], at):
                    yield found

    def _street_of_stretch(self, at: int, ends: list[StreetSpan]) -> Iterator[StreetSpan]:
        nearness = 3 if self._plain(at) in ("from", "desde") else 8
        yield from [span for span in self._streets if span.last < at <= span.last + nearness][-1:]
        if len(ends) > 2 and ends[2].first - ends[1].last <= 4:
            yield ends[2]

    def _between(self, along: StreetSpan, one: StreetSpan, other: StreetSpan, at: int) -> Place | None:
        for street, start, end in product(_streets(along), _streets(one), _streets(other)):
            starts, stops = self._gazetteer.crossings(street, start), self._gazetteer.crossings(street, end)
            if start is end or not starts or not stops:
                continue
            middle = Point((starts[0].x + stops[0].x) / 2, (starts[0].y + stops[0].y) / 2)
            line = min((stretch.line for stretch in street.stretches), key=middle.distance)
            short = starts[0].distance(stops[0]) <= _LONG_STRETCH
            point = nearest_points(line, middle)[0] if short else None
            address = f"{street.name} between {start.name} and {end.name}"
            first, last = min(along.first, at), max(along.last, other.last)
            return self._place(first, last, address, point, shape=line)
        return None

    def _crossings(self) -> Iterator[Place]:
        for one, other in pairwise(self._streets):
            if not self._joined(one, other):
                continue
            for street, second in product(_streets(one), _streets(other)):
                points = self._gazetteer.crossings(street, second)
                if points:
                    address = f"{street.name} & {second.name}"
                    point = points[0] if len(points) == 1 else None
                    yield self._place(one.first, other.last, address, point, shape=points[0])

    def _joined(self, one: StreetSpan, other: StreetSpan) -> bool:
        """Whether the words between two streets, or before them, make a crossing of them."""
        between = range(one.last + 1, other.first)
        if len(between) > 8 or any(self._tokens[at].ends_sentence for at in range(one.last, other.first)):
            return False
        sure = [span for span in (one, other) if span.strength > Strength.WEAK]
        if not self._only(between.start, between.stop, JOINS):
            return len(between) <= 6 and one.strength is other.strength is Strength.SURE
        corner = any(self._plain(at) in CORNER for at in range(max(0, one.first - 3), one.first))
        marked = corner or any(self._plain(at) in CROSS_MARKS for at in between)
        if not between:
            slang = self._tokens[other.first].raw == "n"
            return slang or corner or (bool(sure) and self._tokens[one.last].gap.strip() in ("-", "–", ","))
        if marked or len(sure) == 2 or (sure and not any(span.risky for span in (one, other))):
            return True
        if one.risky or other.risky:
            return not self._months(one, other) and self._capitals(one, other)
        return self._numbered(one, other) or self._capitals(one, other)

    def _numbered(self, *spans: StreetSpan) -> bool:
        return any(span.streets[0].name.base[0][0].isdigit() for span in spans)

    def _months(self, *spans: StreetSpan) -> bool:
        return any(span.streets[0].name.base[0] in MONTHS for span in spans)

    def _capitals(self, *spans: StreetSpan) -> bool:
        return all(self._tokens[span.last].capital for span in spans) and any(
            token.raw.islower() for token in self._tokens
        )

    def _only(self, start: int, stop: int, allowed: frozenset[str]) -> bool:
        return stop - start <= 6 and all(self._plain(at) in allowed for at in range(start, stop))

    # landmarks, whole streets, neighborhoods

    def _beside(self) -> Iterator[Place]:
        """A street by a landmark, "Oak St by the library": the point of the street next to it."""
        for spot in self._spots:
            for span in self._streets:
                landmark = spot.spot
                if isinstance(landmark, Neighborhood) or span.strength is Strength.WEAK or not self._close(spot, span):
                    continue
                if found := self._on_street(span, spot, landmark):
                    yield found

    def _close(self, spot: SpotSpan, span: StreetSpan) -> bool:
        start, stop = (spot.last, span.first) if spot.last < span.first else (span.last, spot.first)
        quiet = not any(self._tokens[at].ends_sentence for at in range(start, stop))
        return quiet and self._only(start + 1, stop, JOINS | BY | ARTICLES)

    def _on_street(self, span: StreetSpan, spot: SpotSpan, landmark: Landmark) -> Place | None:
        lines = [(stretch.line, stretch.name) for stretch in _stretches(span)]
        line, name = min(lines, key=lambda entry: entry[0].distance(landmark.shape))
        if landmark.extent > _LARGE or line.distance(landmark.shape) > _BESIDE:
            return None
        point = nearest_points(line, landmark.shape.centroid)[0]
        first, last = min(span.first, spot.first), max(span.last, spot.last)
        return self._place(first, last, f"{name} near {landmark.name}", point, shape=None)

    def _landmarks(self) -> Iterator[Place]:
        spots = [(span, span.spot) for span in self._spots if isinstance(span.spot, Landmark)]
        large = [(span, spot) for span, spot in spots if spot.extent > _LARGE]
        for span, spot in spots:
            if spot.extent <= _LARGE:
                yield self._place(span.first, span.last, spot.name, spot.shape.representative_point(), shape=None)
        if not any(span.strength > Strength.WEAK for span in self._streets):
            for span, spot in large:
                yield self._place(span.first, span.last, spot.name, None, shape=spot.shape)

    def _whole_streets(self) -> Iterator[Place]:
        for span in sorted(self._streets, key=lambda span: -span.strength):
            if span.strength > Strength.WEAK or self._number(span)[0] is not None:
                street = span.streets[0].street
                place = self._place(span.first, span.last, street.name, None, shape=street.shape)
                yield place if place.neighborhood else replace(place, neighborhood=self._area_crossed_by(street))

    def _area_crossed_by(self, street: Street) -> str | None:
        """The neighborhood that the post names too, if the street runs through it."""
        areas = [span.spot for span in self._spots if isinstance(span.spot, Neighborhood)]
        return next((area.name for area in areas if street.shape.intersects(area.shape)), None)

    def _areas(self) -> Iterator[Place]:
        for span in self._spots:
            if isinstance(span.spot, Neighborhood):
                place = self._place(span.first, span.last, span.spot.name, None, shape=None)
                yield replace(place, neighborhood=span.spot.name)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 5


def _streets(span: StreetSpan) -> list[Street]:
    return [named.street for named in span.streets]


def _stretches(span: StreetSpan) -> list[Stretch]:
    """The stretches of the named streets, those of the direction alone where one is given and known."""
    every = [stretch for named in span.streets for stretch in named.street.stretches]
    return [stretch for stretch in every if span.direction and stretch.direction == span.direction] or every


def _overlap(span: StreetSpan, spot: SpotSpan) -> bool:
    return span.first <= spot.last and spot.first <= span.last


def _wins(spot: SpotSpan, span: StreetSpan) -> bool:
    """Whether a landmark takes its words from a street: the longer name has them."""
    return _overlap(span, spot) and spot.last - spot.first >= span.last - span.first
