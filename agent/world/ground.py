"""How far two places are apart, with + - x / and square roots only, so that every machine gets the same bits. Pure."""

from math import sqrt

RADIANS = 0.017453292519943295
EQUATOR_M = 6_378_137.0
"""WGS 84: half of the longer axis ..."""
FLATNESS = 6.694_379_990_14e-3
"""... and the square of the first eccentricity (NIMA TR8350.2, table 3.1 and 3.3)."""
_COSINE = (-1 / 87_178_291_200, 1 / 479_001_600, -1 / 3_628_800, 1 / 40_320, -1 / 720, 1 / 24, -1 / 2, 1.0)
"""Taylor's series up to the 14th power; under 1e-10 off at the poles."""

Place = tuple[float, float]


def metres(a: Place, b: Place) -> float:
    """Between two places nearby, latitude and longitude in degrees: on the ellipsoid's radii at the middle latitude.

    Good to 1e-6 of the distance up to some kilometres (Snyder, Map Projections, USGS 1395, eq. 4-18 and 4-20).
    """
    cosine = cosine_of((a[0] + b[0]) / 2 * RADIANS)
    wide = 1.0 - FLATNESS * (1.0 - cosine * cosine)
    across_m = EQUATOR_M / sqrt(wide)
    north_m = (b[0] - a[0]) * RADIANS * across_m * (1.0 - FLATNESS) / wide
    east_m = _turned(b[1] - a[1]) * RADIANS * across_m * cosine
    return sqrt(north_m * north_m + east_m * east_m)


def cosine_of(angle: float) -> float:
    """The cosine of an angle within a quarter turn, in radians."""
    square, total = angle * angle, 0.0
    for factor in _COSINE:
        total = total * square + factor
    return total


def _turned(degrees: float) -> float:
    """A difference of longitudes, the short way round."""
    return degrees - 360.0 if degrees > 180.0 else degrees + 360.0 if degrees < -180.0 else degrees
