"""Drives with known answers for the core: legs of constant acceleration, felt by a speed signal and an IMU.

A leg is (seconds, forward m/s², lateral m/s² with + to the left). Everything is packed as drivers pack it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from agent.core import Calibration, Core, Event, Output, Sample
from agent.settings.file import load
from agent.vehicle import Table
from drivers import batch

G = 9.80665
KMH = 1 / 3.6
Leg = tuple[float, float, float]
Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
Timed = tuple[float, bytes]
LEVEL: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
CALM: list[Leg] = [
    (6, 0, 0), (6, 2, 0), (4, 0, 2), (8, 0, 0), (4, 0, -2), (3, 1, 0), (8, 0, 0), (3, -1, 0), (6, -2, 0), (12, 0, 0),
]  # fmt: skip
"""A minute of town, lively enough to show which way the sensor points."""


def cruise(seconds: float) -> list[Leg]:
    """Steady driving as it is: ± 0.25 m/s² in turn."""
    return [(1.0, sign * 0.25, 0.0) for _ in range(round(seconds / 2)) for sign in (1, -1)]


AT_15: list[Leg] = [(3, 0, 0), (10, 1.5, 0), *cruise(20)]
"""From standstill to 15 m/s; 33 s."""


@dataclass(frozen=True)
class Road:
    """Legs, driven. `blow` adds a force by time, `grade` is the slope of the road in radians by time."""

    legs: Sequence[Leg]
    blow: Callable[[float], Vector] | None = None
    grade: Callable[[float], float] | None = None

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return sum(leg[0] for leg in self.legs)

    def at(self, time_s: float) -> tuple[float, float, float]:
        """(speed, forward, lateral) at a time."""
        speed, start = 0.0, 0.0
        for seconds, forward, left in self.legs:
            if time_s < start + seconds - 1e-9:
                return max(0.0, speed + forward * (time_s - start)), forward, left
            speed, start = max(0.0, speed + forward * seconds), start + seconds
        return speed, 0.0, 0.0

    def speed(self, hz: float = 10, quantum: float = 0.0, refresh_s: float = 0.0, delay_s: float = 0.0) -> list[Timed]:
        """Rows of the speed: rounded to a quantum, written again and again until the next refresh."""
        rows = []
        for i in range(int(self.seconds * hz) + 1):
            at = i / hz if not refresh_s else math.floor(i / hz / refresh_s + 1e-9) * refresh_s
            mps = self.at(max(0.0, at - delay_s))[0]
            rows.append((i / hz, value(i / hz, "speed", round(mps / quantum) * quantum if quantum else mps)))
        return rows

    def imu(self, hz: float = 100, mount: Matrix = LEVEL, *, gyro: bool = True, shake: float = 0.02) -> list[Timed]:
        """Samples of a sensor mounted by `mount` (vehicle to sensor), shaken at random by so many m/s²."""
        luck = Random(1)
        rows = []
        for i in range(int(self.seconds * hz) + 1):
            at = i / hz
            mps, forward, left = self.at(at)
            blow = self.blow(at) if self.blow else (0.0, 0.0, 0.0)
            slope = self.grade(at) if self.grade else 0.0
            level = (forward + G * math.sin(slope), left, G * math.cos(slope))
            force = turned(mount, [a + b + luck.uniform(-shake, shake) for a, b in zip(level, blow, strict=True)])
            yaw = turned(mount, (0.0, 0.0, left / mps if mps > 1 else 0.0)) if gyro else [None] * 3
            rows.append((at, batch.imu(us(at), [*force, *yaw])))
        return rows


def us(time_s: float) -> int:
    return round(time_s * 1e6)


def value(time_s: float, signal: str, number: float) -> bytes:
    return batch.value(us(time_s), batch.SIGNAL_INDEX[signal], number)


def steady(seconds: float, hz: float, signal: str, number: float, start_s: float = 0.0) -> list[Timed]:
    """Rows that always say the same."""
    times = [start_s + i / hz for i in range(int(seconds * hz) + 1)]
    return [(at, value(at, signal, number)) for at in times]


def turned(matrix: Matrix, vector: Iterable[float]) -> list[float]:
    cells = list(vector)
    return [sum(m * v for m, v in zip(row, cells, strict=True)) for row in matrix]


def half_sine(start_s: float, seconds: float, delta_v_mps: float, along: Vector) -> Callable[[float], Vector]:
    """A blow whose integral is delta_v."""

    def force(at: float) -> Vector:
        if not start_s <= at <= start_s + seconds:
            return (0.0, 0.0, 0.0)
        mps2 = delta_v_mps * math.pi / (2 * seconds) * math.sin(math.pi * (at - start_s) / seconds)
        return (mps2 * along[0], mps2 * along[1], mps2 * along[2])

    return force


def packed(*parts: list[Timed]) -> bytes:
    """Rows of several sources as one batch, in order of time."""
    rows = sorted((row for part in parts for row in part), key=lambda row: row[0])
    return b"".join(row for _, row in rows)


def core(*sets: str, mounted: bool = True, table: Table | None = None) -> Core:
    """A core with the shipped defaults and these settings."""
    told = [*sets, "imu.mounting=vehicle"] if mounted else list(sets)
    empty = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
    return Core(load(None, told), table or empty)


@dataclass(frozen=True)
class Told:
    """What came of a drive."""

    outputs: list[Output]
    counters: dict
    last: Sample

    def events(self, *names: str) -> list[Event]:
        """All events, or those of these names."""
        return [o for o in self.outputs if isinstance(o, Event) and (not names or o.name in names)]

    def samples(self) -> list[Sample]:
        """One a second."""
        return [o for o in self.outputs if isinstance(o, Sample)]

    def calibrations(self) -> list[Calibration]:
        """In the order they were told."""
        return [o for o in self.outputs if isinstance(o, Calibration)]


def drive(*parts: list[Timed], sets: Sequence[str] = (), mounted: bool = True) -> Told:
    """Feeds a whole drive and ends it."""
    made, inputs = core(*sets, mounted=mounted), packed(*parts)
    outputs = made.feed(inputs) + made.finish()
    return Told(outputs, made.counters(), made.snapshot(0))
