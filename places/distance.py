"""How far apart two points are, and how much of a place the public sees."""

from __future__ import annotations

import re
from math import asin, cos, radians, sin, sqrt

#: Mean radius of the earth, metres (IUGG: R1 = 6371.0088 km).
EARTH_RADIUS_M = 6_371_008.8

#: A thousandth of a degree of latitude is 111 m.
_PUBLIC_DECIMALS = 3


def metres(lat_a: float, long_a: float, lat_b: float, long_b: float) -> float:
    """Great-circle distance.

    Units: degrees WGS84 in, metres out; on a sphere, so within 0.6 % of the ellipsoid.
    Source: the haversine formula, R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984), p. 159.
    """
    half_lat = sin(radians(lat_b - lat_a) / 2)
    half_long = sin(radians(long_b - long_a) / 2)
    chord = half_lat**2 + cos(radians(lat_a)) * cos(radians(lat_b)) * half_long**2
    return 2 * EARTH_RADIUS_M * asin(sqrt(min(1.0, chord)))


def rounded(lat: float, long: float) -> tuple[float, float]:
    """The point as the public may see it: moved to a grid of about 100 m, so that no house can be told.

    Units: degrees WGS84, three decimals (111 m of latitude).
    """
    return round(lat, _PUBLIC_DECIMALS), round(long, _PUBLIC_DECIMALS)


def same_street(address_a: str, address_b: str) -> bool:
    """Whether two normalised addresses (``Place.address``) share a street; a crossing lies on both of its streets."""
    return bool(_streets(address_a) & _streets(address_b))


def _streets(address: str) -> set[str]:
    """The streets an address names: ``1420 Oak Street``, ``Oak Street & 5th Street``, ``1400 block of Oak Street``."""
    names = re.split(r" & | between | and | near |, ", address.strip().casefold())
    bare = (re.sub(r"^(\d+ (block of )?)?((north|south|east|west|[nsew])\.? )?", "", name).strip() for name in names)
    return {name for name in bare if name}
