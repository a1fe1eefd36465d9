"""streets.csv and neighborhoods.geojson: lookups, and what is said of bad files."""

import json
from pathlib import Path
from typing import Any

import pytest

from errors import ConfigError
from places.finder import find_place
from places.gazetteer import Gazetteer, load
from places.shapes import StreetName

SQUARE = [[0.0, 0.0], [0.02, 0.0], [0.02, 0.02], [0.0, 0.02], [0.0, 0.0]]
HEADER = "name,aliases,kind,from_number,to_number,wkt"
OAK = 'N Oak Street,,street,1,999,"LINESTRING (0.01 0.01, 0.01 0.02)"'


def a_feature(**properties: Any) -> dict[str, Any]:
    shape = {"type": "Polygon", "coordinates": [SQUARE]}
    return {"type": "Feature", "properties": {"name": "Middle", **properties}, "geometry": shape}


def a_city(folder: Path, *lines: str, features: Any = None, text: str | None = None) -> Gazetteer:
    streets, neighborhoods = folder / "streets.csv", folder / "neighborhoods.geojson"
    streets.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    document = {"type": "FeatureCollection", "features": [a_feature()] if features is None else features}
    neighborhoods.write_text(json.dumps(document) if text is None else text, encoding="utf-8")
    return load(streets, neighborhoods)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Oak Street", (("oak",), "street", "")),
        ("N Prairie Ave", (("prairie",), "avenue", "n")),
        ("Oak St NW", (("oak",), "street", "nw")),
        ("Fifth St.", (("5th",), "street", "")),
        ("Avenida César Chávez", (("cesar", "chavez"), "avenue", "")),
        ("Hwy 47", (("highway", "47"), "", "")),
        ("North Street", (("north",), "street", "")),
        ("Broadway", (("broadway",), "", "")),
    ],
)
def test_a_street_name_is_taken_apart(name: str, parts: tuple[tuple[str, ...], str, str]) -> None:
    taken = StreetName.of(name)

    assert (taken.base, taken.suffix, taken.direction) == parts


def test_directions_tell_stretches_of_one_number_apart(tmp_path: Path) -> None:
    south = 'S Oak Street,,street,1,999,"LINESTRING (0.01 0.01, 0.01 0.0)"'
    city = a_city(tmp_path, OAK, south)

    places = [find_place(f"hole at 500 {name}", city) for name in ("N Oak St", "Oak St S", "Oak St")]

    assert [place and (place.address, place.precise) for place in places] == [
        ("500 N Oak Street", True),
        ("500 S Oak Street", True),
        ("500 Oak Street", False),
    ]


def test_a_house_number_lies_along_its_street(tmp_path: Path) -> None:
    place = find_place("500 Oak Street", a_city(tmp_path, OAK))

    assert place is not None
    assert place.lat == pytest.approx(0.015, abs=1e-5)
    assert place.long == pytest.approx(0.01, abs=1e-6)
    assert place.neighborhood == "Middle"


def test_streets_that_stop_short_of_each_other_still_cross(tmp_path: Path) -> None:
    short = 'Elm Avenue,,street,,,"LINESTRING (0.0 0.015, 0.0099 0.015)"'

    place = find_place("Oak & Elm", a_city(tmp_path, OAK, short))

    assert place is not None
    assert (place.address, place.precise) == ("Oak Street & Elm Avenue", True)


def test_streets_that_cross_twice_are_not_precise(tmp_path: Path) -> None:
    loop = 'Elm Loop Road,,street,,,"LINESTRING (0.0 0.012, 0.015 0.012, 0.015 0.018, 0.0 0.018)"'

    place = find_place("Oak St & Elm Loop Rd", a_city(tmp_path, OAK, loop))

    assert place is not None
    assert (place.address, place.precise, place.neighborhood) == ("Oak Street & Elm Loop Road", False, "Middle")


def test_a_place_outside_the_city_has_no_neighborhood(tmp_path: Path) -> None:
    far = 'Elm Avenue,,street,100,200,"LINESTRING (0.03 0.01, 0.04 0.01)"'
    city = a_city(tmp_path, OAK, far)

    place = find_place("150 Elm Ave", city)

    assert place is not None
    assert place.lat is not None
    assert place.long is not None
    assert place.neighborhood is None
    assert not city.inside(place.lat, place.long)
    assert city.inside(0.01, 0.01)


def test_a_city_without_streets_still_has_neighborhoods(tmp_path: Path) -> None:
    city = a_city(tmp_path, features=[a_feature(name="Riverbend", aliases=["the Bend"])])

    place = find_place("no water in Riverbend", city)

    assert place is not None
    assert (place.neighborhood, place.precise) == ("Riverbend", False)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (',,street,,,"LINESTRING (0 0, 0 0.01)"', ["line 2", "name", "''"]),
        ('Oak,,road,,,"LINESTRING (0 0, 0 0.01)"', ["line 2", "kind", "'road'", "street, landmark"]),
        ("Oak,,street,,,POINT (0 0)", ["line 2", "wkt", "LINESTRING"]),
        ("Oak,,street,,,nonsense", ["line 2", "wkt", "'nonsense'"]),
        ("Oak,,street,,,LINESTRING EMPTY", ["line 2", "wkt"]),
        ("Oak,,park,,,POINT (44.3 -90.4)", ["line 2", "wkt", "longitude before latitude"]),
        ("Oak,,park,,,POINT (nan 1)", ["line 2", "wkt"]),
        ('Oak,,park,,,"POLYGON ((0 0, 0.01 0.01, 0 0.01, 0.01 0, 0 0))"', ["line 2", "wkt", "POLYGON"]),
        ('Oak,,street,one,9,"LINESTRING (0 0, 0 0.01)"', ["line 2", "from_number", "'one'"]),
        ('Oak,,street,1,,"LINESTRING (0 0, 0 0.01)"', ["line 2", "to_number", "both"]),
        ('Oak,,street,1,-9,"LINESTRING (0 0, 0 0.01)"', ["line 2", "to_number", "'-9'"]),
        ('!!,,street,1,9,"LINESTRING (0 0, 0 0.01)"', ["line 2", "name", "'!!'"]),
    ],
)
def test_a_bad_street_is_named_with_its_remedy(line: str, parts: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        a_city(tmp_path, line)

    assert [part for part in ["streets.csv", *parts] if part not in str(caught.value)] == []


BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}
TOO_FAR = {"type": "Polygon", "coordinates": [[[0, 0], [500, 0], [500, 1], [0, 0]]]}


@pytest.mark.parametrize(
    ("features", "parts"),
    [
        ([], ["no features"]),
        ({}, ["no features"]),
        ([3], ["feature 1", "'3'"]),
        ([a_feature(name="")], ["feature 1", "name", "''"]),
        ([a_feature(), a_feature()], ["feature 2", "name", "'Middle'", "unique"]),
        ([a_feature(population="many")], ["feature 1", "population", "'many'"]),
        ([a_feature(population=True)], ["feature 1", "population"]),
        ([a_feature(aliases="Mid")], ["feature 1", "aliases", "'Mid'"]),
        ([{**a_feature(), "geometry": None}], ["feature 1", "geometry"]),
        ([{**a_feature(), "geometry": {"type": "Point", "coordinates": [0, 0]}}], ["feature 1", "geometry", "Polygon"]),
        ([{**a_feature(), "geometry": {"type": "Polygon", "coordinates": "x"}}], ["feature 1", "geometry"]),
        ([{**a_feature(), "geometry": BOW_TIE}], ["feature 1", "Self-intersection", "repair"]),
        ([{**a_feature(), "geometry": TOO_FAR}], ["feature 1", "WGS84"]),
    ],
)
def test_a_bad_neighborhood_is_named_with_its_remedy(features: Any, parts: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        a_city(tmp_path, features=features)

    assert [part for part in ["neighborhoods.geojson", *parts] if part not in str(caught.value)] == []


@pytest.mark.parametrize("text", ["{", "[" * 100_000, ""])
def test_what_is_not_json_is_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neighborhoods\.geojson.*is not JSON"):
        a_city(tmp_path, text=text)
