"""Alder Falls is whole: its files fit each other and the code that reads them."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import demo
from places.finder import find_place
from places.gazetteer import Gazetteer, load
from places.services import by_general_code, choose, load_services
from sandbox.seed import build_seed
from vocabulary import GENERAL_CODES, Service

DEMO = Path(demo.__file__).parent
X_LENGTH = 280

#: Posts that name no place the city knows, and should not be given one.
NOWHERE = {"p012", "p028", "p032", "p056", "p059", "p064", "p067", "p068", "p072"}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DEMO / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def alder_falls() -> Gazetteer:
    return load(DEMO / "streets.csv", DEMO / "neighborhoods.geojson")


@pytest.fixture(scope="module")
def services() -> tuple[Service, ...]:
    return load_services(DEMO / "services.csv")


def test_every_general_code_has_a_service(services: tuple[Service, ...]) -> None:
    assert [code for code in GENERAL_CODES if by_general_code(services, code) is None] == []


def test_the_services_are_of_every_kind(services: tuple[Service, ...]) -> None:
    assert {service.handled_by for service in services} >= {"", "Northland Power & Light"}
    assert [service.service_code for service in services if service.confidential] == ["homeless_outreach"]
    assert [service for service in services if not service.service_name_es or not service.department] == []
    assert [service for service in services if not service.sla and not service.handled_by] == []
    assert any(not service.public for service in services)


@pytest.mark.parametrize(
    ("general", "text", "code"),
    [
        ("trash_dumping", "recycling was skipped, third missed pickup", "missed_collection"),
        ("trash_dumping", "someone dumped tires", "illegal_dumping"),
        ("parking_vehicle", "blue car, no plates, flat tires, abandoned", "abandoned_vehicle"),
        ("water_sewer_drain", "the storm drain is blocked", "sewer_drain"),
        ("water_sewer_drain", "no hay agua", "water_leak"),
        ("traffic_signal_sign", "stop sign is down", "sign_markings"),
        ("health_animal_hazard", "ratas en el callejón", "rodents_mosquitoes"),
        ("pothole_road", "potholes on highway 47", "highway_47"),
    ],
)
def test_keywords_tell_the_services_of_a_code_apart(
    general: str, text: str, code: str, services: tuple[Service, ...]
) -> None:
    chosen = choose(services, general, text)

    assert chosen is not None
    assert chosen.service_code == code


def test_the_neighborhoods_tile_the_city(alder_falls: Gazetteer) -> None:
    areas = alder_falls.neighborhoods

    shared = [one.name for one in areas for other in areas if one is not other and one.shape.overlaps(other.shape)]

    assert shared == []
    assert sum(area.population or 0 for area in areas) == 64_180
    assert 8 <= len(areas) <= 10


def test_every_street_and_landmark_lies_in_the_city(alder_falls: Gazetteer) -> None:
    points = [stretch.line.interpolate(0.5, normalized=True) for s in alder_falls.streets for stretch in s.stretches]
    points += [landmark.shape.representative_point() for landmark in alder_falls.landmarks]

    assert [point for point in points if alder_falls.neighborhood_at(point) is None] == []


def test_no_name_means_two_places() -> None:
    with (DEMO / "streets.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))

    names = [name for line in lines for name in (line["name"], *line["aliases"].split(";")) if name]

    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_every_post_can_be_posted() -> None:
    posts = rows("posts.jsonl")

    assert 65 <= len(posts) <= 90
    assert [post["id"] for post in posts if set(post) - {"hidden", "in_reply_to"} != BASIC] == []
    assert [post["id"] for post in posts if post["platform"] == "x" and len(post["text"]) > X_LENGTH] == []
    assert {post["platform"] for post in posts} == {"x", "facebook"}
    assert all(0 < post["minutes_ago"] <= 26 * 60 for post in posts)
    assert len({post["id"] for post in posts}) == len(posts)


BASIC = {"id", "platform", "author", "text", "minutes_ago"}


def test_posts_are_in_order_and_replies_come_after_what_they_answer() -> None:
    posts = rows("posts.jsonl")
    platforms: dict[str, str] = {}
    for post in posts:
        if answered := post.get("in_reply_to"):
            assert platforms[answered] == post["platform"]
        platforms[post["id"]] = post["platform"]

    assert [post["minutes_ago"] for post in posts] == sorted((post["minutes_ago"] for post in posts), reverse=True)


def test_the_places_of_the_posts_are_found(alder_falls: Gazetteer) -> None:
    found = {post["id"]: find_place(post["text"], alder_falls) for post in rows("posts.jsonl")}

    assert {key for key, place in found.items() if place is None} == NOWHERE
    precise = [place for place in found.values() if place and place.precise]
    assert len(precise) >= 48  # 60 %
    assert all(place.lat and place.long and alder_falls.inside(place.lat, place.long) for place in precise)


def test_three_neighbors_report_one_light(alder_falls: Gazetteer) -> None:
    places = [find_place(post["text"], alder_falls) for post in rows("posts.jsonl") if post["id"] in SAME_LIGHT]

    assert len({(place.lat, place.long) for place in places if place}) == 1
    assert None not in places


SAME_LIGHT = {"p002", "p004", "p031", "p043", "p076"}


def test_the_history_can_be_imported() -> None:
    history = rows("history.jsonl")

    assert (DEMO / "history.jsonl").stat().st_size < 200_000
    assert 300 <= len(history) <= 500
    assert len({line["post_id"] for line in history}) == len(history)
    assert {frozenset(line) for line in history} == {
        frozenset({"post_id", "platform", "author", "text", "posted_at_days_ago"})
    }
    assert all(set(line["author"]) == {"handle", "name", "platform_user_id"} for line in history)
    assert all(1 <= line["posted_at_days_ago"] <= 61 for line in history)
    assert not any("{" in line["text"] for line in history)


def test_most_places_of_the_history_are_found(alder_falls: Gazetteer) -> None:
    history = rows("history.jsonl")

    found = [line for line in history if find_place(line["text"], alder_falls)]

    assert len(found) / len(history) > 0.8


def test_the_sandbox_takes_the_seed(services: tuple[Service, ...]) -> None:
    seed = build_seed(json.loads((DEMO / "seed.json").read_text(encoding="utf-8")), "", "")

    assert [account.handle for account in seed.accounts] == ["alderfalls"]
    assert [page.name for page in seed.pages] == ["Alder Falls City Hall"]
    ours = {(service.service_code, service.service_name) for service in services if not service.handled_by}
    assert {(service.service_code, service.service_name) for service in seed.services} == ours
