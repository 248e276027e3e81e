"""Dead reckoning: how far latitude and longitude should have moved by the speed and course told beside them.

    offset of row i = scale * sum over rows 1..i of (v[j-1] * s[j-1] + v[j] * s[j]) // (1000 * 2^24)

v is the speed in mm/s, s the cosine (north) or sine (east) of the course in 32768ths, the course rounded to tenths of a
degree; each the value of that row or else of the last row before that has one, 0 before the first. `scale` is 256 times
the column's steps for each metre: the trapezoid's 2 and the 32768 make 2^16, and 256 the rest of 2^24.
Whole numbers only, so every machine finds the same; of what is rounded into them (halves up) nothing lies near a half.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

DEGREE_M = 111_195.0
"""Length of a degree of latitude, on the sphere of the mean radius."""

_DIVISOR = 1000 << 24
_WHOLE_TURN = 3600

Cells = Sequence[float | None]


def offsets(speed: Cells, course: Cells, scale: int, *, east: bool) -> list[int]:
    """For each row, steps from the first row."""
    way_mm = [round_half_up(v * 1000) for v in _held(speed)]
    turns = [round_half_up(c * 10) for c in _held(course)]
    parts = [mm * _part(turn, east=east) for mm, turn in zip(way_mm, turns, strict=True)]
    total, found = 0, [0]
    for before, part in pairwise(parts):
        total += before + part
        found.append(scale * total // _DIVISOR)
    return found


def scale_of(step: Fraction, step_us: int, lat_deg: float, *, east: bool) -> int:
    """256 times the steps of a column in degrees for each metre, at this latitude; rows are step_us apart."""
    shrink = max(math.cos(math.radians(lat_deg)), 0.01) if east else 1.0
    return round(256 * step_us / 1e6 / (float(step) * DEGREE_M * shrink))


def round_half_up(number: float) -> int:
    """The nearest whole number."""
    return math.floor(number + 0.5)


def _part(tenths: int, *, east: bool) -> int:
    """Sine or cosine of tenths of a degree, in 32768ths."""
    angle = math.pi * (tenths % _WHOLE_TURN) / (_WHOLE_TURN / 2)
    return round_half_up(32768 * (math.sin(angle) if east else math.cos(angle)))


def _held(cells: Cells) -> list[float]:
    """The last value there was."""
    last, held = 0.0, []
    for cell in cells:
        last = last if cell is None else cell
        held.append(last)
    return held
