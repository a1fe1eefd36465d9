"""The values a gazetteer is made of. Shapes are in metres east and north of the city's middle."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians
from typing import TypeVar

import shapely
from shapely import LineString, MultiLineString, Point
from shapely.geometry.base import BaseGeometry

from places.distance import EARTH_RADIUS_M
from places.words import DIRECTIONS, PREFIXES, SUFFIXES, words_of

_METRES_PER_DEGREE = radians(1) * EARTH_RADIUS_M

_Shape = TypeVar("_Shape", bound=BaseGeometry)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The plane in which a city is measured."""

    lat: float  #: degrees, where y is 0
    long: float

    def xy(self, lat: float, long: float) -> Point:
        """Degrees to metres."""
        return Point((long - self.long) * self._per_degree_long, (lat - self.lat) * _METRES_PER_DEGREE)

    def lat_long(self, point: Point) -> tuple[float, float]:
        """Metres to degrees, six decimals (a tenth of a metre)."""
        lat = self.lat + point.y / _METRES_PER_DEGREE
        return round(lat, 6), round(self.long + point.x / self._per_degree_long, 6)

    def project(self, shape: _Shape) -> _Shape:
        """A shape of degrees, longitude first, in metres."""
        scale = (self._per_degree_long, _METRES_PER_DEGREE)
        moved: _Shape = shapely.transform(shape, lambda points: (points - (self.long, self.lat)) * scale)
        return moved

    @property
    def _per_degree_long(self) -> float:
        return _METRES_PER_DEGREE * cos(radians(self.lat))


@dataclass(frozen=True, kw_only=True, slots=True)
class StreetName:
    """A street's name, taken apart."""

    base: tuple[str, ...]  #: keys: ("5th",), ("cesar", "chavez")
    suffix: str = ""  #: street, avenue…; empty for ``Highway 47``
    direction: str = ""  #: n, s, e, w, ne…

    @classmethod
    def of(cls, name: str) -> StreetName:
        """``N Prairie Ave`` as prairie, avenue, n; ``Avenida Cesar Chavez`` as cesar chavez, avenue."""
        words = words_of(name)
        direction = suffix = ""
        if len(words) > 2 and words[0] in DIRECTIONS:
            direction, words = DIRECTIONS[words[0]], words[1:]
        if len(words) > 2 and words[-1] in DIRECTIONS:
            direction, words = DIRECTIONS[words[-1]], words[:-1]
        if len(words) > 1 and words[-1] in SUFFIXES:
            suffix, words = SUFFIXES[words[-1]], words[:-1]
        elif len(words) > 1 and words[0] in PREFIXES:
            suffix, words = PREFIXES[words[0]], words[1:]
        return cls(base=tuple(words), suffix=suffix, direction=direction)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A piece of a street with its house numbers."""

    line: LineString  #: metres
    name: str  #: as the file has it: ``N Prairie Avenue``
    direction: str = ""
    from_number: int | None = None  #: at the line's first point
    to_number: int | None = None

    def has(self, number: int) -> bool:
        """Whether the house number lies on this stretch."""
        if self.from_number is None or self.to_number is None:
            return False
        return min(self.from_number, self.to_number) <= number <= max(self.from_number, self.to_number)

    def at(self, number: float) -> Point:
        """Where the number is, interpolated; the stretch has numbers."""
        assert self.from_number is not None
        assert self.to_number is not None
        length = self.to_number - self.from_number
        return self.line.interpolate((number - self.from_number) / length if length else 0.5, normalized=True)

    def number_at(self, point: Point) -> int | None:
        """The house number next to a point, to the nearest one."""
        if self.from_number is None or self.to_number is None:
            return None
        along = self.line.project(point, normalized=True)
        return round(self.from_number + along * (self.to_number - self.from_number))


@dataclass(frozen=True, kw_only=True, slots=True)
class Street:
    """A street with all its stretches, both directions of it."""

    number: int  #: its place in the gazetteer
    name: str  #: without a direction: ``Prairie Avenue``
    stretches: tuple[Stretch, ...]

    @property
    def shape(self) -> MultiLineString:
        """All its stretches, metres."""
        return MultiLineString([stretch.line for stretch in self.stretches])


@dataclass(frozen=True, kw_only=True, slots=True)
class Landmark:
    """A landmark, park or facility."""

    name: str
    kind: str  #: landmark, park, facility
    aliases: tuple[str, ...]
    shape: BaseGeometry  #: metres

    @property
    def extent(self) -> float:
        """Its diagonal, metres."""
        west, south, east, north = self.shape.bounds
        return float(((east - west) ** 2 + (north - south) ** 2) ** 0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighborhood:
    """A part of the city."""

    name: str
    aliases: tuple[str, ...]
    population: int | None
    shape: BaseGeometry  #: metres


@dataclass(frozen=True, kw_only=True, slots=True)
class City:
    """What a city's two files say."""

    frame: Frame
    streets: tuple[Street, ...]
    aliases: tuple[tuple[str, Street], ...]  #: other names of streets
    landmarks: tuple[Landmark, ...]
    neighborhoods: tuple[Neighborhood, ...]
