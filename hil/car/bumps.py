"""What a box feels on top of a drive: potholes, kerbs, doors, a fall. Forces on vehicle axes over time, in m/s². Pure.

Shapes are half sines and fading waves, of the sizes and lengths that such things have; none of them is a crash.
"""

import math
from collections.abc import Callable, Mapping

from hil.scenes.scenario_table import BumpTable

G_MPS2 = 9.80665
NOTHING = (0.0, 0.0, 0.0)

Vector = tuple[float, float, float]
Shape = Callable[[float], Vector]
"""Seconds after its begin → g along forward, left, up."""


def half_sines(*blows: tuple[float, float, Vector]) -> Shape:
    """Blows of (begin, length, peaks)."""

    def shape(t: float) -> Vector:
        x = y = z = 0.0
        for begin, lasts, peak in blows:
            if begin <= t < begin + lasts:
                sine = math.sin(math.pi * (t - begin) / lasts)
                x, y, z = x + peak[0] * sine, y + peak[1] * sine, z + peak[2] * sine
        return (x, y, z)

    return shape


def wave(hz: float, lasts_s: float, size: Vector, fade_s: float = math.inf) -> Shape:
    """A sine that may fade away."""

    def shape(t: float) -> Vector:
        sine = math.sin(2 * math.pi * hz * t) * math.exp(-t / fade_s) if 0 <= t < lasts_s else 0.0
        return (size[0] * sine, size[1] * sine, size[2] * sine)

    return shape


def fall(t: float) -> Vector:
    """Weightless for 0.3 s, a blow of 12 ms, then it lies on its side for good."""
    if t < 0.3:
        return (0.0, 0.0, -1.0) if t >= 0 else NOTHING
    blow = 25.0 if t < 0.312 else 0.0
    return (0.8 * blow, 0.5 * blow + 1.0, 0.3 * blow - 1.0)


def cobbles(t: float) -> Vector:
    """Four seconds of shaking at many frequencies, most of it up and down."""
    if not 0 <= t < 4:
        return NOTHING
    x, y, z = (sum(math.sin(k * hz * t + hz) for hz in (83.0, 127.0, 191.0, 263.0)) / 2 for k in (1.0, 1.1, 1.2))
    return (0.35 * x, 0.35 * y, z)


BUMPS: Mapping[str, tuple[float, Shape]] = {
    "pothole": (2.0, half_sines((0, 0.03, (-1.6, 0.2, 5.0)), (0.03, 0.03, (-0.8, 0.0, -3.0)))),
    "kerb": (2.0, half_sines((0, 0.05, (-0.8, 2.4, 4.0)), (0.3, 0.05, (-0.5, 2.1, 3.5)))),
    "speed_bump": (2.0, wave(4, 0.5, (0.8, 0.0, 2.2))),
    "slammed_door": (2.0, wave(35, 0.15, (0.5, 4.0, 1.5), 0.04)),
    "slammed_boot": (2.0, wave(22, 0.2, (4.5, 0.3, 2.0), 0.05)),
    "dropped_box": (math.inf, fall),
    "cobbles": (4.0, cobbles),
    "trailer": (2.0, half_sines((0, 0.03, (2.6, 0.0, 0.5)), (0.2, 0.02, (-2.4, 0.0, 0.3)))),
    "knock": (1.0, half_sines((0, 0.08, (0.0, -3.0, 0.3)))),
}
"""Each with how long it is felt. A knock is one of 3 g from the left, as another car's door or bumper gives it."""


def felt(bumps: tuple[BumpTable, ...], time_s: float) -> Vector:
    """All that is felt at this moment, in m/s²."""
    x = y = z = 0.0
    for bump in bumps:
        lasts_s, shape = BUMPS[bump.name]
        if bump.at_s <= time_s < bump.at_s + lasts_s:
            dx, dy, dz = shape(time_s - bump.at_s)
            size = bump.size * G_MPS2
            x, y, z = x + dx * size, y + dy * size, z + dz * size
    return (x, y, z)
