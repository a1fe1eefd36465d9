"""The city's streets, landmarks and neighborhoods, and what can be asked of them.

Two files, both WGS84, longitude before latitude:

- ``streets.csv``: ``name, aliases, kind, from_number, to_number, wkt``. ``aliases`` are separated by semicolons;
  ``kind`` is street, landmark, park or facility; the house numbers run along the line from its first to its last point
  and may be empty; ``wkt`` is a LINESTRING (always, for a street), POINT or POLYGON. A street may have several lines,
  one for each stretch, and a stretch its direction: ``N Prairie Avenue``.
- ``neighborhoods.geojson``: polygons with ``name`` and, if known, ``population`` and ``aliases`` (a list). Their union
  is the city.

Shapes are kept in metres east and north of the city's middle, on a plane: within 0.1 % for a city 60 km across.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import shapely
from shapely import LineString, Point, STRtree
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points, unary_union

from places.city_files import read_city
from places.names import Names
from places.shapes import City, Street, Stretch

#: Streets whose lines come this close meet, metres: half a carriageway, for lines that stop short.
_MEET_WITHIN = 15.0
#: How much of a street a neighborhood must hold to be named with it.
_NEARLY_ALL = 0.95


class Gazetteer:
    """Looks up streets by name, crossings, house numbers, landmarks and neighborhoods."""

    def __init__(self, city: City) -> None:
        self.frame = city.frame
        self.streets = city.streets
        self.landmarks = city.landmarks
        self.neighborhoods = city.neighborhoods
        self.names = Names(city)
        areas = [area.shape for area in city.neighborhoods]
        self._city = unary_union(areas)
        shapely.prepare(self._city)
        self._areas = STRtree(areas)
        self._owner = [(street, stretch) for street in city.streets for stretch in street.stretches]
        self._lines = STRtree([stretch.line for _, stretch in self._owner])
        self._crossings = self._meetings()

    def inside(self, lat: float, long: float) -> bool:
        """Whether a point lies in the city, its border included."""
        return bool(self._city.covers(self.frame.xy(lat, long)))

    def neighborhood_at(self, point: Point) -> str | None:
        """The neighborhood a point (metres) lies in; ``None`` outside the city. On a border: the first of the file."""
        hits = self._areas.query(point, predicate="covered_by")
        return self.neighborhoods[int(min(hits))].name if len(hits) else None

    def neighborhood_of(self, shape: BaseGeometry) -> str | None:
        """The one neighborhood that holds nearly all of a shape (metres); ``None`` where there is none."""
        for index in self._areas.query(shape, predicate="intersects"):
            area = self.neighborhoods[int(index)]
            if not shape.length or shape.intersection(area.shape).length >= _NEARLY_ALL * shape.length:
                return area.name
        return None

    def crossings(self, one: Street, other: Street) -> tuple[Point, ...]:
        """Where two streets meet, metres; empty where they don't."""
        return self._crossings.get((min(one.number, other.number), max(one.number, other.number)), ())

    def crossing_near(self, point: Point, *, within: float) -> tuple[Street, Street, Point] | None:
        """The nearest crossing to a point, if it is this close (metres)."""
        near = {self._owner[int(i)][0].number for i in self._lines.query(point, predicate="dwithin", distance=within)}
        found = [
            (spot.distance(point), one, other, spot)
            for one in sorted(near)
            for other in sorted(near)
            if one < other
            for spot in self._crossings.get((one, other), ())
        ]
        distance, one, other, spot = min(found, key=lambda entry: entry[:3], default=(within + 1, 0, 0, point))
        return (self.streets[one], self.streets[other], spot) if distance <= within else None

    def stretch_near(self, point: Point, *, within: float) -> tuple[Street, Stretch] | None:
        """The nearest stretch of street, if it is this close (metres)."""
        if not self._owner:
            return None
        index = int(self._lines.nearest(point))
        street, stretch = self._owner[index]
        return (street, stretch) if stretch.line.distance(point) <= within else None

    def _meetings(self) -> dict[tuple[int, int], tuple[Point, ...]]:
        """All crossings, once: the tree finds pairs of stretches that meet, so this is not all against all."""
        found: dict[tuple[int, int], list[Point]] = defaultdict(list)
        lines = [stretch.line for _, stretch in self._owner]
        if not lines:
            return {}
        for a, b in self._lines.query(lines, predicate="dwithin", distance=_MEET_WITHIN).T:
            one, other = self._owner[int(a)][0].number, self._owner[int(b)][0].number
            if one < other:
                for spot in _meeting(lines[int(a)], lines[int(b)]):
                    if all(spot.distance(known) > 2 * _MEET_WITHIN for known in found[one, other]):
                        found[one, other].append(spot)
        return {pair: tuple(spots) for pair, spots in found.items()}


def _meeting(one: LineString, other: LineString) -> list[Point]:
    """The points where two lines meet; of a stretch they share, its middle."""
    shared = one.intersection(other)
    if shared.is_empty:
        return [nearest_points(one, other)[0]]
    parts = getattr(shared, "geoms", [shared])
    return [part if isinstance(part, Point) else part.interpolate(0.5, normalized=True) for part in parts]


def load(streets: Path, neighborhoods: Path) -> Gazetteer:
    """The gazetteer of a city's two files.

    Raises:
        ConfigError: names the file, line or feature, column and value at fault, and the remedy.
    """
    return Gazetteer(read_city(streets, neighborhoods))
