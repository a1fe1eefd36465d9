"""Reads ``streets.csv`` and ``neighborhoods.geojson``; the formats are in ``places.gazetteer``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely import LineString, MultiPolygon, Polygon
from shapely.errors import ShapelyError
from shapely.geometry import shape as shape_of
from shapely.geometry.base import BaseGeometry

from errors import ConfigError
from places.files import Line, lines, text_of
from places.shapes import City, Frame, Landmark, Neighborhood, Street, StreetName, Stretch

_KINDS = ("street", "landmark", "park", "facility")
_NEEDED = ("name", "kind", "wkt")
_COLUMNS = ("name", "aliases", "kind", "from_number", "to_number", "wkt")
#: How far from the neighborhoods a street may lie, degrees: beyond, longitude and latitude have been swapped.
_FARTHEST = 1.0
_HIGHEST_NUMBER = 99_999


def read_city(streets: Path, neighborhoods: Path) -> City:
    """What the two files say.

    Raises:
        ConfigError: names the file, line or feature, column and value at fault, and the remedy.
    """
    areas = list(_features(neighborhoods))
    west, south, east, north = shapely.total_bounds([area.shape for area in areas])
    frame = Frame(lat=float(south + north) / 2, long=float(west + east) / 2)
    reader = _Streets(frame=frame, box=shapely.box(west, south, east, north).buffer(_FARTHEST))
    for line in lines(streets, needed=_NEEDED, known=_COLUMNS):
        reader.take(line)
    projected = [
        Neighborhood(name=area.name, aliases=area.aliases, population=area.population, shape=frame.project(area.shape))
        for area in areas
    ]
    return reader.city(projected)


@dataclass(frozen=True, slots=True)
class _Named:
    """A street or landmark of the file."""

    name: str
    aliases: tuple[str, ...]


class _Streets:
    """Gathers the lines of streets.csv; several lines of one name are stretches of one street."""

    def __init__(self, *, frame: Frame, box: BaseGeometry) -> None:
        self._frame = frame
        self._box = box
        self._stretches: dict[StreetName, list[Stretch]] = defaultdict(list)
        self._named: dict[StreetName, _Named] = {}
        self._landmarks: list[Landmark] = []

    def take(self, line: Line) -> None:
        """One line of the file."""
        if not line["name"]:
            raise line.fault("name", "write the name")
        kind = line.one_of("kind", _KINDS)
        aliases = tuple(alias for cell in line["aliases"].split(";") if (alias := cell.strip()))
        shape = self._shape(line, kind)
        if isinstance(shape, LineString) and kind == "street":
            self._stretch(line, shape, aliases)
        else:
            landmark = Landmark(name=line["name"], kind=kind, aliases=aliases, shape=self._frame.project(shape))
            self._landmarks.append(landmark)

    def city(self, neighborhoods: list[Neighborhood]) -> City:
        """All that was taken."""
        streets, aliases = [], []
        for number, (key, stretches) in enumerate(self._stretches.items()):
            named = self._named[key]
            street = Street(number=number, name=named.name, stretches=tuple(stretches))
            streets.append(street)
            aliases += [(alias, street) for alias in named.aliases]
        return City(
            frame=self._frame,
            streets=tuple(streets),
            aliases=tuple(aliases),
            landmarks=tuple(self._landmarks),
            neighborhoods=tuple(neighborhoods),
        )

    def _stretch(self, line: Line, shape: LineString, aliases: tuple[str, ...]) -> None:
        parts = StreetName.of(line["name"])
        if not parts.base:
            raise line.fault("name", "write a name with letters or digits")
        key = StreetName(base=parts.base, suffix=parts.suffix)
        first, last = _house_number(line, "from_number"), _house_number(line, "to_number")
        if (first is None) != (last is None):
            raise line.fault("to_number", "give both house numbers or none")
        bare = line["name"].split(maxsplit=1)[1] if parts.direction else line["name"]
        known = self._named.get(key, _Named(bare, ()))
        self._named[key] = _Named(known.name, (*known.aliases, *aliases))
        self._stretches[key].append(
            Stretch(
                line=self._frame.project(shape),
                name=line["name"],
                direction=parts.direction,
                from_number=first,
                to_number=last,
            )
        )

    def _shape(self, line: Line, kind: str) -> BaseGeometry:
        wanted = ("LineString",) if kind == "street" else ("Point", "LineString", "Polygon")
        remedy = f"write {' or '.join(name.upper() for name in wanted)} in WKT, longitude before latitude"
        try:
            shape = shapely.from_wkt(line["wkt"])
        except ShapelyError as err:
            raise line.fault("wkt", remedy) from err
        if shape.geom_type not in wanted or shape.is_empty or not shape.is_valid:
            raise line.fault("wkt", remedy)
        if not self._box.covers(shape):
            raise line.fault("wkt", "lies far from the neighborhoods: write longitude before latitude, in degrees")
        return shape


def _house_number(line: Line, column: str) -> int | None:
    cell = line[column]
    if not cell:
        return None
    if not (cell.isascii() and cell.isdigit()) or int(cell) > _HIGHEST_NUMBER:
        raise line.fault(column, f"write a house number from 0 to {_HIGHEST_NUMBER}, or nothing")
    return int(cell)


@dataclass(frozen=True, slots=True)
class _Area:
    name: str
    aliases: tuple[str, ...]
    population: int | None
    shape: Polygon | MultiPolygon  #: degrees


def _features(path: Path) -> Iterator[_Area]:
    try:
        document = json.loads(text_of(path))
    except (json.JSONDecodeError, RecursionError) as err:
        where = f", line {err.lineno}, column {err.colno}" if isinstance(err, json.JSONDecodeError) else ""
        raise ConfigError(f"{path}{where}: is not JSON: export the neighborhoods as GeoJSON") from err
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not features:
        raise ConfigError(f"{path}: has no features: export the neighborhoods as a GeoJSON FeatureCollection")
    names: set[str] = set()
    for number, feature in enumerate(features, 1):
        area = _area(f"{path}, feature {number}", feature)
        if area.name in names:
            raise ConfigError(f"{path}, feature {number}, name: {area.name!r}: there already: names are unique")
        names.add(area.name)
        yield area


def _area(where: str, feature: Any) -> _Area:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        raise ConfigError(f"{where}: {str(feature)[:60]!r}: write a Feature with properties")
    name, population, aliases = (properties.get(key) for key in ("name", "population", "aliases"))
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{where}, name: {name!r}: write the neighborhood's name")
    if population is not None and (isinstance(population, bool) or not isinstance(population, int) or population < 0):
        raise ConfigError(f"{where}, population: {population!r}: write a whole number, or leave it out")
    if aliases is not None and not (isinstance(aliases, list) and all(isinstance(alias, str) for alias in aliases)):
        raise ConfigError(f"{where}, aliases: {aliases!r}: write a list of names, or leave it out")
    return _Area(name.strip(), tuple(aliases or ()), population, _polygon(where, feature.get("geometry")))


def _polygon(where: str, geometry: Any) -> Polygon | MultiPolygon:
    remedy = "write a Polygon or MultiPolygon in WGS84, longitude before latitude"
    try:
        shape = shape_of(geometry)
        bounds = shape.bounds
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError) as err:
        raise ConfigError(f"{where}, geometry: {str(geometry)[:60]!r}: {remedy}") from err
    if not isinstance(shape, Polygon | MultiPolygon) or shape.is_empty or not _on_earth(bounds):
        raise ConfigError(f"{where}, geometry: {str(geometry)[:60]!r}: {remedy}")
    if not shape.is_valid:
        raise ConfigError(f"{where}, geometry: {shapely.is_valid_reason(shape)}: repair the polygon")
    return shape


def _on_earth(bounds: tuple[float, float, float, float]) -> bool:
    west, south, east, north = bounds
    return -180 <= west <= east <= 180 and -90 < south <= north < 90
