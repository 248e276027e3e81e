"""Crashes made of measured pulses, and what only feels like one, with their truth.

A blow is a horizontal force by time; it comes while a car drives 6 s, and 11.5 s follow. The box has any mounting, rate, range
and noise. The two pulses are in hand, 0.01 s apart (NHTSA v10146, seat base 093: a Camry into a barrier at 57 km/h; v07292, 147: a Taurus,
offset), as in ../shared/data/nhtsa, public: U.S. Department of Transportation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from agent.core import Core, Event
from agent.settings.file import load
from agent.vehicle import Table
from drivers import batch
from tests.road import KMH, LEVEL, G, Matrix, Timed, Vector, packed, turned, us, value

CAMRY = (
    0.0889, 0.0474, 0.0038, -0.0249, 0.3367, -0.7741, -11.3932, -15.7544, -14.4572, -22.0337, -26.4167, -37.7180, -35.0181,
    -18.9255, -3.8009, 0.1240, -0.5144, 0.7869, 1.7370, 1.3631, 0.7153, -0.2365, -0.5136, 0.3325, 0.1859, -0.2892, -0.4109,
    0.0042, 0.1960, 0.0976, 0.2560, 0.3815, 0.1094, 0.3195, 0.2325,
)  # fmt: skip
TAURUS = (
    0.0, 0.0, 0.0, -1.2492, 0.0879, -1.1670, -5.3738, -6.5120, -6.6086, -14.3867, -13.9296, -13.6021, -15.5861, -14.0739, -9.8171,
    -7.3938, -6.3833, -4.9715, -4.3261, -3.3103, -2.6495, -1.7095, -1.4911, -1.4897, -0.3445, 0.1919, 0.2679, 0.3606,
    0.6798, 0.8261, 1.0508, 1.1293, 1.2186, 1.2343, 0.9996, 0.7065, 0.6079,
)  # fmt: skip
PULSES = {"camry": CAMRY, "taurus": TAURUS}
"""Along the car, in g, 0.01 s apart, the first 0.05 s before contact."""

HIT_S = 6.0
AFTER_S = 11.5
RATES_HZ = (100, 200, 400, 800)
RANGES_G = (0, 16, 8)
"""0: wide enough."""

Force = Callable[[float], Vector]


def pulse(name: str, time_s: float) -> float:
    """m/s2 along the pulse's own axis, positive, at a time after contact; by a line between samples."""
    at = (time_s + 0.05) * 100
    cells, i = PULSES[name], math.floor(at)
    if not 0 <= i < len(cells) - 1:
        return 0.0
    return -G * (cells[i] + (cells[i + 1] - cells[i]) * (at - i))


@cache
def change(name: str, time_s: float) -> float:
    """Its integral up to a time, m/s."""
    steps = max(0, round((time_s + 0.05) * 2000))
    return sum(pulse(name, (i + 0.5) / 2000 - 0.05) for i in range(steps)) / 2000


@dataclass(frozen=True)
class Truth:
    """What a pulse does within 250 ms."""

    most_mps: float
    curve: tuple[float, ...]
    """The integral, 0.01 s apart from contact on."""


@cache
def truth(name: str) -> Truth:
    """The largest change, and how it came about."""
    curve = tuple(change(name, i / 100) for i in range(26))
    return Truth(max(curve), curve)


@dataclass(frozen=True)
class Box:
    """How the sensor is mounted (vehicle to sensor) and what it is like."""

    hz: int = 200
    mount: Matrix = LEVEL
    range_g: float = 0.0
    noise_mps2: float = 0.0
    knows_mount: bool = True

    def feels(self, force: Force, seconds: float = HIT_S + AFTER_S) -> list[Timed]:
        """Samples of a force on vehicle axes, gravity put on top."""
        luck, most = Random(7), self.range_g * G * 32767 / 32768 or 1e9
        rows = []
        for i in range(int(seconds * self.hz)):
            at = i / self.hz
            x, y, z = force(at)
            felt = turned(self.mount, (x, y, z + G))
            noisy = [f + luck.gauss(0, self.noise_mps2) for f in felt] if self.noise_mps2 else felt
            rows.append((at, batch.imu(us(at), [max(-most, min(most, f)) for f in noisy])))
        return rows

    def core(self) -> Core:
        """A core that knows, or does not, how the box is mounted."""
        table = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
        back = tuple(self.mount[i][j] for j in range(3) for i in range(3))
        return Core(load(None, []), table, back if self.knows_mount else None)


@dataclass(frozen=True)
class Struck:
    """A pulse from a side: 0 pushes the car back (struck in front), 90 to the left (struck from the right)."""

    name: str
    side_deg: float
    entry_mps: float = 57 * KMH

    def along(self) -> Vector:
        """Where it pushes to."""
        angle = math.radians(self.side_deg)
        return (-math.cos(angle), math.sin(angle), 0.0)

    def force(self, at: float) -> Vector:
        """On vehicle axes; afterwards it rolls out within 4 s."""
        x, y, _ = self.along()
        blow = pulse(self.name, at - HIT_S)
        after = at - HIT_S - 0.31
        rolls = -self.speed(HIT_S + 0.3) / 4 if 0 < after < 4 else 0.0
        return (x * blow + (rolls or 0.25 * math.sin(2 * at) * (at < HIT_S)), y * blow, 0.0)

    def speed(self, at: float) -> float:
        """The wheels' speed."""
        after = min(at - HIT_S, 0.3)
        mps = max(0.0, self.entry_mps + (self.along()[0] * change(self.name, after) if after > -0.05 else 0.0))
        return mps * max(0.0, 1 - max(0.0, at - HIT_S - 0.31) / 4)

    def says(self, hz: float, quantum: float = 0.0, delay_s: float = 0.0) -> list[Timed]:
        """Rows of the speed, a fast start at 0 included; no rows at a rate of 0."""
        rows = []
        for i in range(int((HIT_S + AFTER_S) * hz)):
            mps = self.speed(i / hz - delay_s)
            mps += 0.3 * math.sin(0.7 * i / hz) * (i / hz < HIT_S - 2)
            rows.append((i / hz, value(i / hz, "speed", round(mps / quantum) * quantum if quantum else mps)))
        return rows


def found(core: Core, *parts: list[Timed]) -> tuple[list[Event], dict[str, Any]]:
    """The crashes and impacts of a drive, and the counters."""
    outputs = core.feed(packed(*parts)) + core.finish()
    return [o for o in outputs if isinstance(o, Event) and o.name in ("crash", "impact")], core.counters()


def fault(struck: Struck, box: Box, crashes: list[Event], loss_mps: float) -> str:
    """What is wrong with what was found of a pulse; empty: nothing."""
    known = truth(struck.name)
    if [c.name for c in crashes] != ["crash"]:
        return f"found {[c.name for c in crashes]}"
    (crash,) = crashes
    is_clipped = box.range_g and any(
        abs(f) > box.range_g * G * 1.001
        for i in range(400)
        for f in turned(box.mount, [a + b for a, b in zip(struck.force(HIT_S + i / 1000), (0, 0, G), strict=True)])
    )
    return size_fault(crash, known, loss_mps, is_clipped=bool(is_clipped)) or side_fault(struck, box, crash)


def size_fault(crash: Event, known: Truth, loss_mps: float, *, is_clipped: bool) -> str:
    """Its change of speed and the time of it."""
    dv, most = crash.delta_v_mps or 0.0, known.most_mps
    if is_clipped:
        least = 0.95 * loss_mps - 0.35  # a row may lie within the blow
        if not crash.dv_clipped and dv < 0.98 * most:
            return "clipped, not flagged"
        return "" if least <= dv <= 1.05 * most else f"clipped: {dv:.2f} m/s, lost {loss_mps:.2f}, true {most:.2f}"
    at = crash.start_us / 1e6 + (crash.delta_v_s or 0.0) - HIT_S
    then = known.curve[min(max(round(at * 100), 0), 25)]
    if crash.dv_clipped:
        return "flagged as clipped, is not"
    if abs(dv - most) > 0.15 * most:
        return f"{dv:.2f} m/s instead of {most:.2f}"
    return "" if then >= 0.98 * most else f"largest {at:.3f} s after contact"


def side_fault(struck: Struck, box: Box, crash: Event) -> str:
    """The side it came from; near a diagonal both are right."""
    sides = ("front", "right", "rear", "left")
    turn = struck.side_deg / 90
    near = {sides[round(turn + d) % 4] for d in (-0.12, 0.12)}
    if not box.knows_mount:
        return "" if crash.direction is None else f"direction {crash.direction} of an unknown mounting"
    return "" if crash.direction in near else f"direction {crash.direction} instead of {sorted(near)}"
