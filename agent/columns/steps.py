"""The steps that sensors count in: a signal's own where one is recognised, else that of the catalogue.

A step is a fraction of the signal's unit. Where every value of a column is a multiple of a coarser step of this list
(to half of the resolution asked for), the column is written in that one: an OBD speed in km/h, a throttle in
255ths of a percent. Nothing is lost by it; what was a multiple of 1/3.6 m/s comes back closer than it was asked for.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from agent.codec import CodecError
from agent.columns.rice import Reader, Writer

STEPS = (
    Fraction(1), Fraction(1, 10), Fraction(1, 100), Fraction(1, 1000), Fraction(1, 10**4), Fraction(1, 10**5),
    Fraction(1, 10**6), Fraction(1, 10**7), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8), Fraction(1, 16),
    Fraction(1, 32), Fraction(1, 64), Fraction(1, 128), Fraction(1, 5), Fraction(1, 20), Fraction(1, 50),
    Fraction(1, 200), Fraction(2, 5), Fraction(5), Fraction(10), Fraction(100),
    # km/h: 1, 1/2, 1/10, 1/16, 1/100
    Fraction(5, 18), Fraction(5, 36), Fraction(1, 36), Fraction(5, 288), Fraction(1, 360),
    Fraction(20, 51),  # 255ths of a percent (SAE J1979)
    Fraction(1397, 3125),  # mph
    Fraction(463, 900),  # knots
)  # fmt: skip
"""By their number on the wire. Append only; the number after the last means a fraction that is written out."""

USUAL = {
    "speed": 2, "rpm": 0, "throttle": 1, "load": 1, "brake": 0, "coolant": 0, "fuel": 1, "battery": 2, "odometer": 0,
    "ignition": 0, "accel_x": 2, "accel_y": 2, "accel_z": 2, "gyro_x": 3, "gyro_y": 3, "gyro_z": 3, "lat": 6, "lon": 6,
    "gnss_speed": 2, "course": 1, "hdop": 1, "sats": 0, "speed_limit": 2, "yaw_rate": 3, "airbag": 0,
}  # fmt: skip
"""The finest step each signal of the catalogue is kept in, by its number; it costs nothing on the wire. Append only.

None is coarser than what the sensor's noise leaves of a value read once a second: an engine turns 5 to 10 rpm unevenly,
a MEMS sensor is good to 1 to 3 mg (0.01 to 0.03 m/s²) and its car shakes by ten times that, a receiver moves 0.1 m from
second to second (1e-6 degrees) and tells a course to 0.3 degrees. What OBD-II tells, it tells in coarser steps.
"""

CHANCE_BITS = 20
"""Rounded values are taken for a coarser step's only where they would look so by chance once in a million columns."""
FLOAT_NOISE = 1e-6
CODE_BITS = 5
OTHER = 2**CODE_BITS - 1
_CODES = {step: code for code, step in enumerate(STEPS)}
_COARSEST_FIRST = sorted(STEPS, reverse=True)


def own_step(cells: Sequence[float], resolution: float) -> tuple[Fraction, list[int]]:
    """The coarsest step that tells every cell to half of the resolution and in the same step of it, and the counts."""
    asked, numbers = Fraction(repr(float(resolution))), [round(cell / resolution) for cell in cells]
    distinct = len(set(numbers) - {0})
    for step in _COARSEST_FIRST if distinct else ():
        if step <= asked:
            break
        is_sure = distinct * math.log2(step / asked) >= CHANCE_BITS
        counts = _counted(cells, numbers, step, resolution, is_sure=is_sure)
        if counts is not None:
            return step, counts
    return asked, numbers


def usual_step(signal: str) -> Fraction:
    """The step a signal is kept in where no coarser one is recognised; 1 of its unit for one the catalogue lacks."""
    return STEPS[USUAL.get(signal, 0)]


def write_step(out: Writer, step: Fraction) -> None:
    """A step by its number, or written out."""
    out.put(_CODES.get(step, OTHER), CODE_BITS)
    if step not in _CODES:
        out.put_number(step.numerator)
        out.put_number(step.denominator)


def read_step(bits: Reader) -> Fraction:
    """A step above 0."""
    code = bits.take(CODE_BITS)
    if code != OTHER:
        return STEPS[code]
    numerator, denominator = bits.take_number(), bits.take_number()
    if not numerator or not denominator:
        raise CodecError("a column with a step of 0")
    return Fraction(numerator, denominator)


def _counted(
    cells: Sequence[float], numbers: Sequence[int], step: Fraction, resolution: float, *, is_sure: bool
) -> list[int] | None:
    """The cells in counts of `step`, or None where one would come back as another number of the resolution.

    Where it is not sure that this is the step, cells must be multiples of it but for the last digits of a float.
    """
    up, down, size = step.numerator, step.denominator, float(step)
    most, counts = resolution / 2 if is_sure else size * FLOAT_NOISE, []
    for cell, number in zip(cells, numbers, strict=True):
        count = round(cell / size)
        told = count * up / down
        if abs(told - cell) > most or round(told / resolution) != number:
            return None
        counts.append(count)
    return counts
