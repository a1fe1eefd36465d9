import pytest

from places.distance import metres, rounded, same_street


def test_a_degree_of_latitude_is_111_km() -> None:
    assert metres(44.0, -90.0, 45.0, -90.0) == pytest.approx(111_195, rel=1e-4)


def test_a_known_distance() -> None:
    # Chicago O'Hare to Minneapolis–St. Paul: 334 miles by the airlines' great circle.
    assert metres(41.9786, -87.9048, 44.8820, -93.2218) == pytest.approx(334 * 1609.344, rel=0.005)


def test_the_other_side_of_the_world_is_half_way_round() -> None:
    assert metres(0.0, 0.0, 0.0, 180.0) == pytest.approx(20_015_115, rel=1e-6)
    assert metres(44.3, -90.45, 44.3, -90.45) == 0.0


def test_the_public_sees_a_hundred_metres() -> None:
    assert rounded(44.312345, -90.456789) == (44.312, -90.457)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1420 Oak Street", "Oak Street", True),
        ("1420 Oak Street", "1400 block of Oak Street", True),
        ("Oak Street & 5th Street", "5th Street & Elm Street", True),
        ("N Prairie Avenue", "300 S Prairie Avenue", True),
        ("Elm Street between 3rd Street and 4th Street", "410 elm street", True),
        ("Oak Street near City Hall", "1420 Oak Street", True),
        ("1420 Oak Street", "1420 Elm Street", False),
        ("", "", False),
    ],
)
def test_addresses_share_a_street(one: str, other: str, same: bool) -> None:
    assert same_street(one, other) is same
