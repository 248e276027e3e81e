"""Drives that no car drives: every time and value lies on the grid of the rules' own limits, or one step beside it.

A limit that is reached to the last bit tells `>` from `>=`, a hole as long as a constant of the core what that is for. The
constants are those of native/*.c; values are quarters and eighths, of which sums and slopes are exact.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

from agent.settings import Settings
from agent.settings.file import load
from agent.vehicle import Table
from drivers import batch

NATIVE = Path(__file__).resolve().parents[2] / "native"
DRIVES = 160
MOTIFS = 45
G_MPS2 = 9.80665
BUS = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
ANGLES = ((0.0, 1.0), (0.0871557427476582, 0.996194698091746), (0.5, 0.8660254037844386), (0.7071067811865476,) * 2, (0.8660254037844386, 0.5), (1.0, 0.0), (0.0, -1.0), (0.6, 0.8))  # fmt: skip
"""Sine and cosine of 0, 5, 30, 45, 60, 90 and 180 degrees, and of a triangle of 3, 4 and 5."""

NUMBERS = tomllib.loads(Path(__file__).with_name("grid.toml").read_text())
RULES: dict[str, list[float]] = NUMBERS["rules"]
LEVELS: dict[str, list[float]] = NUMBERS["levels"]


@cache
def spans_us() -> tuple[int, ...]:
    """Every time that the core's text names, in us."""
    text = "".join(re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL) for path in sorted(NATIVE.glob("*.c")))
    return tuple(sorted({int(n) for n in re.findall(r"\b\d{4,9}\b", text)}))


@dataclass
class Pen:
    """Writes a drive; it knows where and how fast the car is."""

    luck: Random
    t_us: int = 1_000_000
    mps: float = 0.0
    lat_deg: float = 48.0
    odometer_m: float = 5000.0
    missing: tuple[int, ...] = ()
    written: bytearray = field(default_factory=bytearray)

    def value(self, signal: str, number: float) -> None:
        """One value, now."""
        self.written += batch.value(self.t_us, batch.SIGNAL_INDEX[signal], number)

    def force(self, x: float, y: float, z: float, roll_rps: float = 0.0, yaw_rps: float = 0.0) -> None:
        """One sample of the sensor, now; no two are the same."""
        shake = 0.0078125 * (len(self.written) // batch.INPUT_BYTES % 5)
        told = (x + shake, y - shake, z, roll_rps, 0.0, yaw_rps)
        self.written += batch.imu(self.t_us, [None if at in self.missing else one for at, one in enumerate(told)])

    def fix(self) -> None:
        """One fix, now."""
        luck = self.luck
        hdop, sats = luck.choice((0.5, 1.0, 2.5, 5.0, 10.0)), luck.choice((3.0, 4.0, 5.0, 12.0))
        told = (self.lat_deg, 11.0, self.mps, 0.0, hdop, sats, luck.choice((None, 20.0, 25.0, 40.0)))
        self.written += batch.fix(self.t_us, told, valid=luck.random() < 0.9)

    def step(self, span_us: int) -> None:
        """Time passes."""
        self.t_us += span_us


def pause(pen: Pen) -> None:
    """Nothing, for as long as a constant says, or a microsecond more or less; perhaps a tick at its end."""
    pen.step(pen.luck.choice(spans_us()) + pen.luck.choice((-1, 0, 0, 1)))
    if pen.luck.random() < 0.5:
        pen.written += batch.tick(pen.t_us)


def cruise(pen: Pen) -> None:
    """Rows of speed under a steady acceleration, perhaps with a sensor, a receiver, an engine beside it."""
    luck = pen.luck
    step_us = luck.choice((25_000, 50_000, 100_000, 125_000, 250_000, 250_000, 500_000, 1_000_000))
    grain_mps = luck.choice((0.03125, 0.25, 0.25, 1 / 3.6, 0.01 / 3.6))
    signal = luck.choice(("speed",) * 4 + ("gnss_speed",))
    forward = luck.choice((0.0, 0.0, 0.5, 1.0, 2.0, -2.0, 3.0, -3.0, -4.0, 4.0, -8.0))
    left = luck.choice((0.0, 0.0, 2.0, -3.0, 4.0))
    felt = forward * luck.choice((1.0, 1.0, 0.5, 0.75, 1.5))
    samples, has_fix = luck.choice((0, 0, 1, 2, 5, 10)), luck.random() < 0.3
    rpm, told = luck.choice((None, 800.0, 2000.0, 4000.0)), luck.choice((1, 1, 1, 1, 1, 2))
    lost = luck.choice((0.0, 0.0, 0.1, 0.4))
    exact_mps = pen.mps
    for row in range(luck.choice((1, 2, 4, 8, 16, 40, 100))):
        for _ in range(samples):
            pen.step(step_us // samples)
            pen.force(felt, left, G_MPS2, yaw_rps=left / pen.mps if pen.mps else 0.0)
        pen.step(0 if samples else step_us)
        exact_mps = min(max(exact_mps + forward * step_us / 1e6, 0.0), 50.0)
        pen.mps = exact_mps // grain_mps * grain_mps
        for _ in range(0 if luck.random() < lost else told):
            pen.value(signal, pen.mps)
        pen.odometer_m += pen.mps * step_us / 1e6
        pen.lat_deg += pen.mps * step_us / 1e6 / 111_000
        if has_fix and row * step_us % 1_000_000 == 0:
            pen.fix()
        if rpm is not None:
            pen.value("rpm", rpm)


def hold(pen: Pen) -> None:
    """A value again and again, for as long as a rule holds; perhaps a neighbour of it once within."""
    luck = pen.luck
    signal = luck.choice(tuple(LEVELS))
    number, step_us = luck.choice(LEVELS[signal]), luck.choice((100_000, 500_000, 1_000_000, 2_500_000))
    rows = luck.choice((1, 2, 3, 5, 11, 21, 61))
    for row in range(rows):
        pen.step(step_us)
        odd = luck.choice(LEVELS[signal]) if luck.random() < 0.05 else number
        pen.value(signal, odd)
        if signal == "speed":
            pen.mps = odd
        elif luck.random() < 0.3 and row % 2:
            pen.value("speed", pen.mps)


def blow(pen: Pen) -> None:
    """The sensor is struck, from any side, as long as a rule says; before it perhaps it fell, after it the car stands."""
    luck = pen.luck
    step_us = luck.choice((1250, 2500, 5000, 10_000, 20_000))
    size = luck.choice((8.0, 16.0, 20.0, 40.0, 78.4532, 156.9064))
    side = luck.choice(((1, 0), (-1, 0), (0, 1), (0, -1), (0.6, 0.8)))
    phases = (
        ("calm", 200_000),
        ("fall", luck.choice((0, 0, 60_000, 120_000))),
        ("calm", luck.choice((0, 0, 100_000, 190_000, 200_000, 210_000))),
        ("blow", luck.choice((5000, 10_000, 20_000, 60_000, 150_000, 250_000, 300_000))),
        ("calm", 400_000),
    )
    for kind, most_us in phases:
        for _ in range(0, most_us, step_us):
            pen.step(step_us)
            strength = size if kind == "blow" else 0.0
            pen.force(strength * side[0], strength * side[1], 0.0 if kind == "fall" else G_MPS2)
    if luck.random() < 0.7:
        pen.mps = luck.choice((0.0, max(pen.mps - 2.0, 0.0)))
    for _ in range(luck.choice((1, 4, 10))):
        pen.step(luck.choice((100_000, 250_000, 1_000_000)))
        pen.value("speed", pen.mps)


def lean(pen: Pen) -> None:
    """The box is turned to an angle, at once or by a turn the gyro tells, and lies there."""
    luck = pen.luck
    sine, cosine = luck.choice(ANGLES)
    axis, turns = luck.random() < 0.7, luck.choice((0.0, 0.5, 1.0, 2.0))
    for _ in range(luck.choice((0, 5, 10, 20))):
        pen.step(50_000)
        pen.force(0.0, 0.0, G_MPS2, roll_rps=turns)
    mps2 = G_MPS2 * luck.choice((1.0, 1.0, 1.0, 0.68, 0.72, 1.28, 1.32))
    for row in range(luck.choice((20, 61, 100, 200))):
        pen.step(50_000)
        pen.force(*((0.0, mps2 * sine) if axis else (mps2 * sine, 0.0)), mps2 * cosine)
        if row % 20 == 0 and luck.random() < 0.5:
            pen.value("speed", pen.mps)


def travel(pen: Pen) -> None:
    """Fixes once a second: where the car is, or somewhere else at once."""
    luck = pen.luck
    pen.lat_deg += luck.choice((0.0, 0.0, 0.0009, 0.001, 0.009, 0.01, 0.5))
    for _ in range(luck.choice((1, 2, 5, 12))):
        pen.step(luck.choice((950_000, 1_000_000, 1_000_000, 2_600_000, 10_000_000)))
        pen.lat_deg += pen.mps / 111_000
        pen.fix()


def park(pen: Pen) -> None:
    """The car stops and is switched off; some seconds of rest."""
    pen.mps = 0.0
    for signal in ("speed", "rpm", "ignition"):
        pen.value(signal, 0.0)
    for _ in range(pen.luck.choice((2, 11, 31, 61))):
        pen.step(1_000_000)
        pen.force(0.0, 0.0, G_MPS2)
        pen.written += batch.tick(pen.t_us)


def engine(pen: Pen) -> None:
    """Coolant and engine speed together, as long as a rule holds."""
    luck = pen.luck
    coolant_c, rpm = luck.choice(LEVELS["coolant"]), luck.choice(LEVELS["rpm"])
    step_us = luck.choice((250_000, 500_000, 1_000_000))
    for row in range(luck.choice((3, 5, 9, 13))):
        pen.step(step_us)
        pen.value("rpm", rpm)
        if row % 4 == 0:
            pen.value("coolant", coolant_c)


def tank(pen: Pen) -> None:
    """Parked, and the level of the fuel is another one, settled for just so long."""
    luck = pen.luck
    for level_pct in luck.sample(LEVELS["fuel"], 2):
        park(pen)
        for _ in range(luck.choice((3, 11, 31, 61))):
            pen.step(1_000_000)
            pen.value("fuel", level_pct + luck.choice((0.0, 0.0, 0.5)))


def drop(pen: Pen) -> None:
    """The speed falls at once, to nothing or a little, and stays there, or is back soon."""
    luck = pen.luck
    step_us, before_mps = luck.choice((50_000, 100_000, 200_000, 250_000, 260_000)), luck.choice((10.0, 20.0))
    rows_mps = (
        [before_mps] * luck.choice((3, 12))
        + [before_mps / 2] * luck.choice((0, 1))
        + [luck.choice((0.0, 2.5, before_mps - 2.0))] * luck.choice((1, 4, 12))
    )
    for pen.mps in rows_mps + [before_mps] * luck.choice((0, 0, 3)):
        pen.step(step_us)
        pen.value("speed", pen.mps)


def lose(pen: Pen) -> None:
    """Fixes for a while, then none, and the car drives on; then perhaps one, here or far away."""
    travel(pen)
    for _ in range(pen.luck.choice((4, 5, 6, 20, 121))):
        pen.step(1_000_000)
        pen.value("speed", pen.mps)
    travel(pen)


def unplug(pen: Pen) -> None:
    """An axis or more of the sensor tells nothing from here on, or all of them do."""
    pen.missing = pen.luck.choice(((), (), (5,), (3, 4, 5), (0,), (2,)))


KINDS = (
    pause,
    cruise,
    cruise,
    cruise,
    hold,
    hold,
    hold,
    blow,
    lean,
    travel,
    park,
    engine,
    engine,
    tank,
    drop,
    lose,
    unplug,
)


def grid_drive(seed: int) -> tuple[Settings, bytes]:
    """The settings and inputs of one."""
    luck = Random(seed)
    sets = [f"detect.{key}={luck.choice(numbers)}" for key, numbers in RULES.items() if luck.random() < 0.7]
    driving_s, warning_s = luck.choice(((60.0, 60.0), (120.0, 60.0), (14_400.0, 12_600.0)))
    sets += [f"detect.fatigue.warning_s={warning_s}", f"detect.fatigue.driving_s={driving_s}"]
    sets.append(f"imu.mounting={luck.choice(('vehicle', 'auto'))}")
    pen = Pen(luck)
    for _ in range(MOTIFS):
        luck.choice(KINDS)(pen)
    return load(None, sets), bytes(pen.written)


def grid_drives() -> Iterator[tuple[str, Settings, bytes]]:
    """All of them: a name, settings, inputs."""
    for seed in range(DRIVES):
        yield f"grid-{seed:03}", *grid_drive(seed)
