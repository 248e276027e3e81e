"""What a value may be: each signal's range, at its ends and just outside, and how long it holds."""

import math
import tomllib
from pathlib import Path

import pytest

from drivers.batch import SIGNALS
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import core, drive, us, value

RANGES = {
    "speed": (-0.5, 140), "rpm": (0, 25000), "throttle": (-1, 110), "load": (-1, 110), "brake": (0, 1),
    "coolant": (-60, 250), "fuel": (-1, 110), "battery": (0, 70), "odometer": (0, 1e10), "ignition": (0, 1),
    "accel_x": (-4000, 4000), "accel_y": (-4000, 4000), "accel_z": (-4000, 4000), "gyro_x": (-100, 100),
    "gyro_y": (-100, 100), "gyro_z": (-100, 100), "lat": (-90, 90), "lon": (-180, 180), "gnss_speed": (-0.5, 150),
    "course": (-180, 360), "hdop": (0, 100), "sats": (0, 200), "speed_limit": (0, 140), "yaw_rate": (-10, 10),
    "airbag": (0, 1),
}  # fmt: skip
"""Outside is no vehicle. The catalogue (config/signals.toml) is narrower, and a map may be narrower still."""

CATALOGUE = tomllib.loads((Path(__file__).parents[1] / "config" / "signals.toml").read_text())


def taken(name: str, number: float) -> tuple[float | None, int]:
    """What holds after this value, and how many were counted invalid."""
    made = core()
    made.feed(value(0, "ignition", 1.0) + value(0, name, number))
    return made.snapshot(0).value(name), made.counters()["values_rejected"]["invalid"]


@pytest.mark.parametrize("name", RANGES)
def test_a_value_is_taken_up_to_the_ends_of_its_range(name: str) -> None:
    low, high = RANGES[name]
    before = 1.0 if name == "ignition" else None
    assert taken(name, high)[0] == high
    assert taken(name, low)[0] == low
    outside = (math.nextafter(low, -math.inf), math.nextafter(high, math.inf), math.nan, math.inf, -math.inf)
    assert [taken(name, number) for number in outside] == [(before, 1)] * 5


def test_every_signal_has_a_range_and_what_the_catalogue_allows_lies_in_it() -> None:
    assert list(RANGES) == list(SIGNALS) == list(CATALOGUE)
    too_narrow = {
        name for name, told in CATALOGUE.items() if not RANGES[name][0] <= told["min"] <= told["max"] <= RANGES[name][1]
    }
    assert too_narrow == {"speed"}  # driven backwards is told by a sign, which the core does not sum up


def test_an_older_value_is_not_used_and_one_of_the_same_time_is() -> None:
    rows = [(0.0, value(1, "fuel", 50.0)), (0.1, value(0.999, "fuel", 49.0)), (0.2, value(1, "fuel", 48.0))]
    told = drive(rows)
    assert told.counters["values_rejected"]["late"] == 1
    assert told.last.value("fuel") == 48.0


@pytest.mark.parametrize(
    ("name", "after_s", "wanted"),
    [
        pytest.param("rpm", 10.0, 800.0, id="10 s old: it holds"),
        pytest.param("rpm", 10.000001, None, id="a microsecond older"),
        pytest.param("speed_limit", 100.0, 80.0, id="a limit holds for ever"),
        pytest.param("ignition", 100.0, 1.0, id="so does the ignition"),
    ],
)
def test_how_long_a_value_holds(name: str, after_s: float, wanted: float | None) -> None:
    made = core()
    made.feed(value(0, name, {"rpm": 800.0, "speed_limit": 80.0, "ignition": 1.0}[name]) + value(after_s, "brake", 0.0))
    assert made.snapshot(us(after_s)).value(name) == wanted
