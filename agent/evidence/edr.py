"""The table that event-data-recorder rules ask for, from what was caught of a crash. Pure.

Terms and spans are those of 49 CFR 563.7, table I, which GB 39732-2020 shares: speed, brake, throttle and engine
speed for 5 s before time zero (asked for at 2 Hz; here at 10 Hz), longitudinal and lateral change of velocity from 0
to 250 ms at 100 Hz, the largest change within 300 ms and its time. Time zero is 563.5's, found by the core. Axes are
ISO 8855: forward and left are positive. The change is the specific force, turned by the sensor's mounting, integrated
by trapezoid over true times from time zero; gravity is left out as it is on a level road. Where the mounting is not
known, only the size of the horizontal change is given, with "up" where gravity was in the seconds before: a second of
hard braking alone would tilt it by 40 degrees. What nobody measured is null, never 0.
"""

import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from agent.capture.ring import AT_FLAGS, AT_KIND, HEAD, NUMBERS, between
from agent.core import Core
from drivers.batch import IMU, tick

STANDARD = "49 CFR 563.7, table I; GB 39732-2020"
BEFORE_US, BEFORE_STEP_US = 5_000_000, 100_000
DELTA_US, DELTA_STEP_US = 250_000, 10_000
MOST_US = 300_000
LOOK_BACK_US = 7_000_000
"""A signal that is told once in 2 s is known 5 s before the blow."""

AFTER_US = 350_000
"""Once this is over, all that the table needs has been caught."""

HOLE_US = 100_000
"""Samples farther apart are not one motion (native/pulse.c)."""

G_MPS2 = 9.80665
CLIP_LEAST_MPS2 = 1.9 * G_MPS2
RANGES_G = (2, 4, 6, 8, 12, 16, 24, 32, 50, 100, 200, 400)
NEAR_RANGE, AT_RANGE = 0.01, 0.0001
"""Where sensors end, and how near to it they are at their end: the core's numbers (native/imu.c, pulse.c)."""

CALM_SAMPLES = 700  # of the seconds before tell where up is
WEIGHTLESS_MPS2 = 0.35 * G_MPS2
FALL_LOOK_US = 1_000_000
THREE_AXES = 0b111
MARKS_AT_ONCE = 10
INPUTS_AT_ONCE = 200
"""A step of the making feeds so many tenths of a second, or so many inputs one by one."""

BEFORE = {
    "speed_mps": "speed", "gnss_speed_mps": "gnss_speed", "brake": "brake", "throttle_pct": "throttle", "rpm": "rpm",
}  # fmt: skip
"""Columns of the seconds before, and the catalogue's signal in each."""

Vector = tuple[float, float, float]
Sample = tuple[int, Vector]
"""Specific force on the sensor's axes, m/s2, at a time."""

Matrix = Sequence[float]
Columns = dict[str, list[float | None]]
Making = Generator[None, None, dict[str, Any]]


def table(pieces: Iterable[bytes], blow_us: int, core: Core, rotation: Matrix | None) -> dict[str, Any]:
    """The table of a blow. `pieces`: of the ring, from 7 s before it, whole records; `core`: fresh, it decodes them.

    `rotation`: sensor to vehicle, row-major; None: not known. Numbers have three decimals.
    """
    return finished(steps(pieces, blow_us, core, rotation))


def finished(making: Making) -> dict[str, Any]:
    """All steps at once."""
    while (told := next_of(making)) is None:
        pass
    return told


def next_of(making: Making) -> dict[str, Any] | None:
    """One step further; the table when that was the last."""
    try:
        next(making)
    except StopIteration as done:
        told: dict[str, Any] = done.value
        return told
    return None


def steps(pieces: Iterable[bytes], blow_us: int, core: Core, rotation: Matrix | None) -> Making:
    """The same in steps of a few milliseconds: a piece of the ring read, or some of it fed to the core."""
    timed: list[tuple[int, bytes]] = []
    felt: list[Sample] = []
    for piece in pieces:
        found = between(piece, blow_us - LOOK_BACK_US, blow_us + AFTER_US)
        timed += found
        felt += [one for t_us, put in found if put[AT_KIND] == IMU and (one := _felt(t_us, put)) is not None]
        yield
    before, in_frames = yield from _before(timed, blow_us, core, is_felt=bool(felt))
    source = "imu" if felt else "vehicle" if in_frames else None
    samples = felt or in_frames
    return {
        "standard": STANDARD,
        "zero_us": blow_us,
        "before": {"from_us": -BEFORE_US, "step_us": BEFORE_STEP_US, **before},
        "delta": _delta(samples, blow_us, rotation),
        "sensor": _sensor(samples, blow_us, source),
        "blow": _blow(samples, blow_us, rotation),
    }


def _before(
    timed: Sequence[tuple[int, bytes]], blow_us: int, core: Core, *, is_felt: bool
) -> Generator[None, None, tuple[Columns, list[Sample]]]:
    """What the core knew every 0.1 s up to the blow; where no sensor is felt, the force that frames told around it."""
    columns: Columns = {name: [] for name in BEFORE}
    in_frames: list[Sample] = []
    at = 0
    for number, mark_us in enumerate(range(blow_us - BEFORE_US, blow_us + 1, BEFORE_STEP_US)):
        first = at
        while at < len(timed) and timed[at][0] <= mark_us:
            at += 1
        if mark_us < blow_us or is_felt:
            core.feed(b"".join(put for _, put in timed[first:at]))
        else:
            in_frames += yield from _in_frames(timed[first:at], core)
        core.feed(tick(mark_us))
        known = core.snapshot(mark_us)
        for name, signal in BEFORE.items():
            columns[name].append(_rounded(known.value(signal)))
        if number % MARKS_AT_ONCE == 0:
            yield
    if not is_felt:
        in_frames += yield from _in_frames(timed[at:], core)
    return columns, in_frames


def _in_frames(timed: Sequence[tuple[int, bytes]], core: Core) -> Generator[None, None, list[Sample]]:
    """The force where frames or single values tell it: each time it changes."""
    found: list[Sample] = []
    for number, (t_us, put) in enumerate(timed, start=1):
        core.feed(put)
        known = core.snapshot(t_us)
        x, y, z = (known.value(axis) for axis in ("accel_x", "accel_y", "accel_z"))
        if x is not None and y is not None and z is not None and (x, y, z) != (found[-1][1] if found else None):
            found.append((t_us, (x, y, z)))
        if number % INPUTS_AT_ONCE == 0:
            yield
    return found


def _felt(t_us: int, put: bytes) -> Sample | None:
    """A sample of the acceleration sensor with all three axes."""
    x, y, z = NUMBERS.unpack_from(put, HEAD.size)[:3]
    return (t_us, (x, y, z)) if put[AT_FLAGS] & THREE_AXES == THREE_AXES else None


def _delta(samples: Sequence[Sample], blow_us: int, rotation: Matrix | None) -> dict[str, Any]:
    """The change of velocity every 10 ms, and the largest."""
    up = _up(samples, blow_us) if rotation is None else None
    since = max((at for at, (t_us, _) in enumerate(samples) if t_us <= blow_us), default=0)
    flat = [(t_us, _level(force, rotation, up)) for t_us, force in samples[since:]]
    curve = list(_integral(flat, blow_us))
    grid = [_at(curve, blow_us + at) for at in range(0, DELTA_US + 1, DELTA_STEP_US)]
    most = [(t_us - blow_us, change) for t_us, change in curve if t_us - blow_us <= MOST_US]
    sizes = [None if change is None else _rounded(_size(change)) for change in grid]
    named = {"longitudinal": 0, "lateral": 1} if rotation is not None else {}
    axes = {
        name: [None if change is None or name not in named else _rounded(change[named[name]]) for change in grid]
        for name in ("longitudinal", "lateral")
    }
    return {
        "step_us": DELTA_STEP_US,
        "longitudinal_mps": axes["longitudinal"],
        "lateral_mps": axes["lateral"],
        "horizontal_mps": sizes,
        "longitudinal_most": _most(most, lambda change: change[0]) if named else None,
        "lateral_most": _most(most, lambda change: change[1]) if named else None,
        "horizontal_most": _most(most, _size),
    }


def _most(curve: Sequence[tuple[int, Vector]], of: Any) -> dict[str, Any] | None:
    """The largest change by size, with its sign, and when it was reached."""
    if len(curve) < 2:
        return None
    at_us, change = max(((at_us, of(change)) for at_us, change in curve), key=lambda one: abs(one[1]))
    return {"mps": _rounded(change), "at_us": at_us}


def _integral(flat: Sequence[Sample], blow_us: int) -> Iterator[Sample]:
    """The integral from time zero on, at each sample; it ends at a hole."""
    change: Vector = (0.0, 0.0, 0.0)
    if any(a <= blow_us < b for (a, _), (b, _) in pairwise(flat)):
        yield blow_us, change
    for (a_us, a), (b_us, b) in pairwise(flat):
        if b_us <= blow_us or b_us <= a_us:
            continue
        if b_us - a_us > HOLE_US or a_us > blow_us + MOST_US:
            return
        start = a if a_us >= blow_us else _between(a_us, a, b_us, b, blow_us)
        step_s = (b_us - max(a_us, blow_us)) / 1e6
        x, y, z = ((p + q) / 2 * step_s + c for p, q, c in zip(start, b, change, strict=True))
        change = (x, y, z)
        yield b_us, change


def _at(curve: Sequence[Sample], at_us: int) -> Vector | None:
    """The integral at a time, by a line between samples; None beyond them."""
    for (a_us, a), (b_us, b) in pairwise(curve):
        if a_us <= at_us <= b_us:
            return _between(a_us, a, b_us, b, at_us)
    return None


def _between(a_us: int, a: Vector, b_us: int, b: Vector, at_us: int) -> Vector:
    share = (at_us - a_us) / (b_us - a_us)
    x, y, z = (p + (q - p) * share for p, q in zip(a, b, strict=True))
    return x, y, z


def _up(samples: Sequence[Sample], blow_us: int) -> Vector | None:
    """Where gravity was in the seconds before the blow, by the median of each axis; None: nobody felt it."""
    before = [force for t_us, force in samples if t_us <= blow_us - HOLE_US]
    calm = before[:: len(before) // CALM_SAMPLES + 1]
    if not calm:
        return None
    x, y, z = (sorted(axis)[len(calm) // 2] for axis in zip(*calm, strict=True))
    size = _size((x, y, z))
    return (x / size, y / size, z / size) if size > G_MPS2 / 2 else None


def _level(force: Vector, rotation: Matrix | None, up: Vector | None) -> Vector:
    """The part of a force that is horizontal: on the vehicle's axes if they are known, else on the sensor's."""
    if rotation is not None:
        x, y = (sum(a * b for a, b in zip(rotation[at : at + 3], force, strict=True)) for at in (0, 3))
        return x, y, 0.0
    upwards = up or (0.0, 0.0, 1.0)
    along = sum(a * b for a, b in zip(force, upwards, strict=True))
    x, y, z = (a - along * b for a, b in zip(force, upwards, strict=True))
    return x, y, z


def _sensor(samples: Sequence[Sample], blow_us: int, source: str | None) -> dict[str, Any]:
    """What measured the blow: how often, and where it was at the end of its range; null: it never was."""
    near = [sample for sample in samples if blow_us - HOLE_US <= sample[0] <= blow_us + DELTA_US]
    rate = (len(near) - 1) * 1e6 / (near[-1][0] - near[0][0]) if len(near) > 1 else None
    most = max((abs(part) for _, force in near for part in force), default=None)
    return {
        "source": source,
        "samples": len(near),
        "rate_hz": None if rate is None else round(rate, 1),
        "largest_mps2": _rounded(most),
        "clipped_mps2": _rounded(_clipped([force for _, force in near])),
    }


def _clipped(near: Sequence[Vector]) -> float | None:
    """Where an axis stays at an extreme value bit by bit, or reaches what sensors end at; None: it does neither."""
    found: list[float] = []
    for i in range(3):
        repeats = 0
        for a, b in pairwise(near):
            size = abs(b[i])
            repeats = repeats + 1 if size >= CLIP_LEAST_MPS2 and abs(a[i] - b[i]) < 1e-9 else 0
            found += [size] * (repeats >= (1 if _is_range(size, NEAR_RANGE) else 2))
    most = max((abs(part) for force in near for part in force), default=0.0)
    return max(found, default=most if _is_range(most, AT_RANGE) else None)


def _is_range(mps2: float, share: float) -> bool:
    return any(abs(mps2 - range_g * G_MPS2) < share * range_g * G_MPS2 for range_g in RANGES_G)


def _blow(samples: Sequence[Sample], blow_us: int, rotation: Matrix | None) -> dict[str, Any]:
    """What speaks for and against other causes: how hard across and from below, how long it fell before."""
    up = (rotation[6], rotation[7], rotation[8]) if rotation is not None else _up(samples, blow_us)
    near = [force for t_us, force in samples if blow_us - HOLE_US <= t_us <= blow_us + DELTA_US]
    if not near or up is None:
        return {"horizontal_mps2": None, "vertical_mps2": None, "fell_us": None}
    flat = max(_size(_level(force, rotation, up)) for force in near)
    high = max(abs(sum(a * b for a, b in zip(force, up, strict=True)) - G_MPS2) for force in near)
    return {"horizontal_mps2": _rounded(flat), "vertical_mps2": _rounded(high), "fell_us": _fell_us(samples, blow_us)}


def _fell_us(samples: Sequence[Sample], blow_us: int) -> int:
    """The longest time in which it weighed next to nothing, in the second before."""
    longest = 0
    since: int | None = None
    for t_us, force in samples:
        if not blow_us - FALL_LOOK_US <= t_us <= blow_us:
            continue
        since = None if _size(force) >= WEIGHTLESS_MPS2 else t_us if since is None else since
        longest = max(longest, 0 if since is None else t_us - since)
    return longest


def _size(vector: Vector) -> float:
    return math.sqrt(sum(part * part for part in vector))


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3) + 0.0
