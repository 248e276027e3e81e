"""Drives second by second, to measure sizes on: random walks that keep to physics, and recordings of real cars.

A walk is the same for the same seed. Its car: a speed that is drawn to what town, road and motorway want by turns, with
stops and a driver who is never quite steady; six gears; an engine that warms; a tank with slosh; a body that shakes with
the road; a receiver whose error wanders (0.05 m from second to second, 0.4 m in minutes). How it is told:

    obd      SAE J1979: whole km/h, 255ths of a percent, whole degrees; engine speed in quarters of a revolution
    j1939    SAE J1939-71: 1/256 km/h, 1/8 1/min, throttle and fuel level in 0.4 %, load in 1 %, whole degrees
    bare     no steps at all: every value has all of its noise, more than any car tells
"""

import csv
import gzip
import math
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from random import Random

from agent.core import Sample
from agent.maps.compile import compile_map
from agent.maps.maps import SHIPPED
from agent.replay.inputs import opened
from agent.replay.replay import replay
from agent.settings import defaults
from agent.settings.file import load
from tests.road import G

SIGNALS = defaults().samples.signals
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MPH = 0.44704
DEGREE_M = 111_195.0
LAT, LON = 52.1, 9.7
PLACES = ((4.0, 11.0), (20.0, 9.0), (33.0, 4.0))
"""Town, road, motorway: wanted speed in m/s, and its spread."""
OFTEN = (0.5, 0.35, 0.15)
GEARS = (118.0, 66.0, 44.0, 33.0, 26.5, 22.0)
"""Revolutions a minute for each m/s."""
PERCENT = 100 / 255
TOLD = {
    "obd": {"speed": 1 / 3.6, "rpm": 0.25, "throttle": PERCENT, "load": PERCENT, "coolant": 1.0, "fuel": PERCENT},
    "j1939": {"speed": 1 / 3.6 / 256, "rpm": 0.125, "throttle": 0.4, "load": 1.0, "coolant": 1.0, "fuel": 0.4},
    "bare": {},
}

Row = dict[str, float | None]


@dataclass
class _Car:
    """What moves, in SI units and degrees."""

    luck: Random
    speed: float = 0.0
    accel: float = 0.0
    wanted: float = 10.0
    stand_s: float = 8.0
    coolant: float = 22.0
    fuel: float = 63.0
    slosh: float = 0.0
    heading: float = 40.0
    turning: float = 0.0
    slope: float = 0.0
    north_m: float = 0.0
    east_m: float = 0.0

    def second(self) -> None:
        """One second of driving, in ten parts."""
        luck = self.luck
        if self.stand_s <= 0 and luck.random() < 0.012 / (1 + self.speed / 15):
            self.wanted = 0.0
        elif luck.random() < 0.03:
            self.wanted = max(3.0, luck.gauss(*luck.choices(PLACES, OFTEN)[0]))
        if self.wanted == 0.0 and self.speed < 0.2:
            self.stand_s, self.wanted = luck.uniform(3, 50), max(3.0, luck.gauss(12, 5))
        for _ in range(10):
            self._move(0.1)
        self.slope += -self.slope / 40 + luck.gauss(0, 0.004)
        self.coolant += (91 - self.coolant) / 240 + luck.gauss(0, 0.08)
        self.fuel -= 0.0003 + 0.00009 * self.speed
        self.slosh += -self.slosh / 4 + luck.gauss(0, 0.12) * min(1.0, self.speed / 8)

    def _move(self, dt_s: float) -> None:
        if self.stand_s > 0:
            self.stand_s -= dt_s
            self.speed = self.accel = self.turning = 0.0
            return
        pull = 0.35 * (self.wanted - self.speed) + self.luck.gauss(0, 1.0)
        self.accel += (min(max(pull, -3.2), 2.2) - self.accel) * dt_s / 0.9
        self.speed = max(0.0, self.speed + self.accel * dt_s)
        bend = 0.4 / max(self.speed, 4.0)
        self.turning += -self.turning * dt_s / 3 + self.luck.gauss(0, bend) * math.sqrt(dt_s)
        self.heading += math.degrees(self.turning) * dt_s
        self.north_m += math.cos(math.radians(self.heading)) * self.speed * dt_s
        self.east_m += math.sin(math.radians(self.heading)) * self.speed * dt_s


@dataclass
class _Sensors:
    """What is told of the car."""

    luck: Random
    gear: int = 0
    throttle: float = 0.0
    course: float = 40.0
    wander_m: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def told(self, car: _Car) -> Row:
        """All signals, now."""
        return self._engine(car) | self._forces(car) | self._place(car)

    def _engine(self, car: _Car) -> Row:
        luck, v = self.luck, car.speed
        turns = v * GEARS[self.gear]
        up, down = turns > 2500 and self.gear < len(GEARS) - 1, turns < 1250 and self.gear > 0
        self.gear += up - down
        climb = 1.2 * car.accel + 0.25 + 0.0011 * v * v + G * math.sin(car.slope)
        wish = 3.0 + (12.0 * max(0.0, climb) if v > 0.1 else 0.0)
        self.throttle += 0.7 * (min(wish, 100.0) - self.throttle) + luck.gauss(0, 0.25)
        return {
            "speed": v + (luck.gauss(0, 0.015) if v > 0.3 else 0.0),
            "rpm": max(760.0, v * GEARS[self.gear]) + luck.gauss(0, 4 if v < 1 else 9),
            "throttle": max(0.0, self.throttle),
            "load": min(100.0, 18 + 1.3 * self.throttle + luck.gauss(0, 1.2)),
            "coolant": car.coolant,
            "fuel": car.fuel + car.slosh,
        }

    def _forces(self, car: _Car) -> Row:
        luck, shake = self.luck, 0.06 + 0.016 * car.speed
        return {
            "accel_x": car.accel + G * math.sin(car.slope) + luck.gauss(0, shake),
            "accel_y": -car.speed * car.turning + luck.gauss(0, shake),
            "accel_z": G * math.cos(car.slope) + luck.gauss(0, 1.4 * shake),
        }

    def _place(self, car: _Car) -> Row:
        luck = self.luck
        if car.speed > 1.0:
            self.course = car.heading + math.degrees(luck.gauss(0, 0.05 / car.speed))
        self.wander_m = [far - far / 120 + luck.gauss(0, 0.05) for far in self.wander_m]
        north_m, east_m = car.north_m + self.wander_m[0], car.east_m + self.wander_m[1]
        return {
            "lat": LAT + north_m / DEGREE_M,
            "lon": LON + east_m / (DEGREE_M * math.cos(math.radians(LAT))),
            "course": self.course % 360.0,
        }


def walk(seed: int, seconds: int, told: str) -> list[Row]:
    """A drive of so many rows, one a second, told as `TOLD` says."""
    car, sensors, steps = _Car(Random(seed)), _Sensors(Random(-seed)), TOLD[told]
    rows = []
    for _ in range(seconds):
        car.second()
        row = sensors.told(car)
        for name, step in steps.items():
            number = row[name]
            row[name] = None if number is None else math.floor(number / step) * step
        rows.append(row)
    return rows


def recorded() -> Iterator[tuple[str, list[list[Row]]]]:
    """Each of the open recordings by name: its drives, as the agent samples them."""
    with tempfile.TemporaryDirectory() as folder:
        yield "css_canedge", list(_css(Path(folder)))
        yield "nds", list(_nds(Path(folder)))
        yield "comma2k19", list(_comma(Path(folder)))


def _sampled(inputs: list[Path], vehicle: Path) -> list[Row]:
    """What the core samples of recordings, a row a second."""
    things = replay(load(None, ["imu.mounting=vehicle"]), compile_map(vehicle), opened(inputs, None))
    return [{name: thing.value(name) for name in SIGNALS} for thing in things if isinstance(thing, Sample)]


def _css(folder: Path) -> Iterator[list[Row]]:
    """OBD answers at 2 Hz, the IMU in eighths of a m/s², the receiver at 5 Hz."""
    text = '[vehicle]\nname = "css"\n[[source]]\nobd = true\n'
    for name, pid in zip(
        ("speed", "rpm", "throttle", "load", "coolant", "fuel"), ("0D", "0C", "11", "04", "05", "2F"), strict=True
    ):
        text += f'[signal.{name}]\npid = "{pid}"\n'
    text += f'[[source]]\nchannel = 1\ndbc = "{DATA}/css_canedge/canmod-gps.dbc"\n'
    axes = [(f"accel_{axis}", "gnss_imu", f"Acceleration{axis.upper()}", "ImuValid") for axis in "xyz"]
    place = [("lat", "gnss_pos", "Latitude", "PositionValid"), ("lon", "gnss_pos", "Longitude", "PositionValid")]
    for name, message, signal, valid in (*axes, *place, ("course", "gnss_attitude", "Heading", "AttitudeValid")):
        text += f'[signal.{name}]\nmessage = "{message}"\nsignal = "{signal}"\nvalid = "{valid}"\n'
    (folder / "css.toml").write_text(text)
    for log in sorted((DATA / "css_canedge").glob("matlab*.log.gz")):
        yield _sampled([log], folder / "css.toml")


def _nds(folder: Path) -> Iterator[list[Row]]:
    """Ten drives at 1 Hz: a receiver, an accelerometer in thousandths of g, in some the engine too."""
    with (DATA / "nds" / "nds_open.csv").open(encoding="utf-8-sig") as table:
        rows = list(csv.DictReader(table))
    cells = {
        "speed_mps": ("speed_mph", MPH), "accel_x_mps2": ("accel_x", G), "accel_y_mps2": ("accel_y", -G),
        "accel_z_mps2": ("accel_z", G), "lat_deg": ("gps_lat", 1.0), "lon_deg": ("gps_long", 1.0),
        "course_deg": ("gps_heading", 1.0), "rpm": ("engine_rpm", 1.0), "throttle_pct": ("engine_throttle", 1.0),
    }  # fmt: skip
    for _, drive in groupby(rows, key=lambda row: row["drive"]):
        lines = [
            [
                row["time_utc"],
                *("" if row[of] in ("", "NA") else repr(float(row[of]) * unit) for of, unit in cells.values()),
            ]
            for row in drive
        ]
        _write(folder / "nds.csv", ["time_s", *cells], lines)
        yield _sampled([folder / "nds.csv"], SHIPPED / "obd2.toml")


def _comma(folder: Path) -> Iterator[list[Row]]:
    """A minute of all bus frames, the IMU at 104 Hz and the receiver at 10 Hz."""
    with gzip.open(DATA / "comma2k19" / "imu_gnss_speed.csv.gz", "rt") as table:
        told = [row for row in csv.DictReader(table) if row["kind"].startswith(("acc", "gnss"))]
    head = ["time_s", "accel_x_mps2", "accel_y_mps2", "accel_z_mps2", "lat_deg", "lon_deg"]
    lines = [
        [row["t"], row["a"], row["b"], row["c"], "", ""]
        if row["kind"] == "acc_mps2"
        else [row["t"], "", "", "", row["a"], row["b"]]
        for row in told
    ]
    _write(folder / "comma.csv", head, lines)
    yield _sampled([DATA / "comma2k19" / "rav4_60s_bus0.log.gz", folder / "comma.csv"], SHIPPED / "rav4.toml")


def _write(path: Path, head: list[str], lines: Iterable[list[str]]) -> None:
    path.write_text("\n".join(",".join(line) for line in (head, *lines)) + "\n")
