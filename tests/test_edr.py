"""The table of an event data recorder: numbers that are known, null where nobody measured."""

import math
import re
from pathlib import Path
from typing import Any

import pytest

from agent.core import Core
from agent.evidence import edr
from agent.settings.file import load
from agent.vehicle import Table
from drivers import batch
from tests.pulses import change
from tests.road import LEVEL, G, Matrix, Vector, turned
from tests.wrecks import BLOW_US, SETTINGS, TABLE, Terminal

ROOT = Path(__file__).parents[1]
BLOW, S = 20_000_000, 1_000_000
TILTED: Matrix = ((0.0, -1.0, 0.0), (0.8, 0.0, -0.6), (0.6, 0.0, 0.8))


def row_major_back(mount: Matrix) -> tuple[float, ...]:
    """Sensor to vehicle, of a mounting told as vehicle to sensor."""
    return tuple(mount[i][j] for j in range(3) for i in range(3))


def felt(force: Any, hz: int = 200, mount: Matrix = LEVEL, upto_s: float = 0.4) -> list[bytes]:
    """Samples of a force on vehicle axes by seconds after the blow, from 3 s before it."""
    samples = []
    for n in range(-3 * hz, round(upto_s * hz)):
        x, y, z = force(n / hz)
        samples.append(batch.imu(BLOW + round(n * 1e6 / hz), [*turned(mount, (x, y, z + G)), 0.0, 0.0, 0.0]))
    return samples


def box(at_s: float) -> Vector:
    """-100 m/s² forward and 20 to the left, for 0.1 s."""
    return (-100.0, 20.0, 0.0) if 0 <= at_s < 0.1 else (0.0, 0.0, 0.0)


def told(inputs: list[bytes], rotation: tuple[float, ...] | None, table: Table = TABLE) -> dict[str, Any]:
    """The table of these inputs."""
    core = Core(load(None, []), table)
    core.feed(b"".join(inputs))
    bare = Core(load(None, ["ring.before_s=0"]), table, rotation)
    return edr.table([core.freeze(1 << 22)], BLOW, bare, rotation)


@pytest.mark.parametrize("hz", [100, 200, 800])
@pytest.mark.parametrize("mount", [pytest.param(LEVEL, id="level"), pytest.param(TILTED, id="tilted")])
def test_the_change_of_velocity_is_the_integral_on_the_vehicle_s_axes(hz: int, mount: Matrix) -> None:
    delta = told(felt(box, hz, mount), row_major_back(mount))["delta"]
    step_s = 1 / hz
    assert len(delta["longitudinal_mps"]) == len(delta["lateral_mps"]) == 26
    assert delta["longitudinal_mps"][0] == 0.0
    assert delta["longitudinal_mps"][5] == pytest.approx(-5.0, abs=100 * step_s)
    assert delta["longitudinal_mps"][25] == pytest.approx(-10.0, abs=100 * step_s)
    assert delta["lateral_mps"][25] == pytest.approx(2.0, abs=20 * step_s)
    assert delta["horizontal_mps"][25] == pytest.approx(math.hypot(10, 2), abs=102 * step_s)
    assert delta["longitudinal_most"]["mps"] == delta["longitudinal_mps"][-1]
    assert delta["longitudinal_most"]["at_us"] == pytest.approx(100_000, abs=2e6 / hz)


def test_a_measured_pulse_comes_out_as_it_is_known() -> None:
    terminal = Terminal()
    terminal.drive(BLOW_US + S)
    (body,) = [one.body for one in terminal.records if one.kind == "evidence" and one.body["form"] == "table"]
    zero_s = (body["table"]["zero_us"] - BLOW_US) / 1e6
    curve = body["table"]["delta"]["longitudinal_mps"]
    assert curve == pytest.approx(
        [-change("camry", zero_s + i / 100) + change("camry", zero_s) for i in range(26)], abs=0.4
    )
    assert body["table"]["before"]["speed_mps"][-1] == pytest.approx(57 / 3.6, abs=0.01)
    assert body["table"]["before"]["brake"] == [0.0] * 31 + [1.0] * 20
    assert body["table"]["before"]["throttle_pct"] == [None] * 51
    assert SETTINGS.imu.mounting == "vehicle"


def test_without_a_mounting_there_is_a_size_and_no_direction() -> None:
    delta = told(felt(box, 200, TILTED), None)["delta"]
    assert delta["longitudinal_mps"] == delta["lateral_mps"] == [None] * 26
    assert delta["longitudinal_most"] is None
    assert delta["horizontal_mps"][25] == pytest.approx(math.hypot(10, 2), abs=0.3)


def test_nothing_is_told_beyond_the_last_sample_or_across_a_hole() -> None:
    short = told(felt(box, upto_s=0.055), row_major_back(LEVEL))["delta"]
    assert [cell is None for cell in short["longitudinal_mps"]] == [False] * 6 + [True] * 20
    after = [put for put in felt(box) if not BLOW + 60_000 < int.from_bytes(put[:8], "little") < BLOW + 170_000]
    holed = told(after, row_major_back(LEVEL))["delta"]
    assert [cell is None for cell in holed["longitudinal_mps"]] == [False] * 7 + [True] * 19


def test_without_any_sensor_all_of_it_is_null() -> None:
    table = told([batch.value(BLOW - S, batch.SIGNAL_INDEX["speed"], 20.0)], None)
    assert table["sensor"] == {
        "source": None, "samples": 0, "rate_hz": None, "largest_mps2": None, "clipped_mps2": None,
    }  # fmt: skip
    assert table["blow"] == {"horizontal_mps2": None, "vertical_mps2": None, "fell_us": None}
    assert table["delta"]["horizontal_mps"] == [None] * 26
    assert table["delta"]["horizontal_most"] is None
    assert table["before"]["speed_mps"][-1] == 20.0


def test_a_sensor_told_in_values_of_the_bus_counts_too() -> None:
    puts = []
    for put in felt(box, 100):
        t_us = int.from_bytes(put[:8], "little")
        at_s = (t_us - BLOW) / 1e6
        x, y, z = box(at_s)[0], math.sin(300 * at_s), 0.0
        for axis, number in zip(("accel_x", "accel_y", "accel_z"), (x, y, z + G), strict=True):
            puts.append(batch.value(t_us, batch.SIGNAL_INDEX[axis], number))
    table = told(puts, row_major_back(LEVEL))
    assert table["sensor"]["source"] == "vehicle"
    assert table["delta"]["longitudinal_most"]["mps"] == pytest.approx(-10.0, abs=1.1)


@pytest.mark.parametrize(
    ("most_g", "clipped"),
    [pytest.param(8.0, 8.0 * G, id="at the end of its range"), pytest.param(20.0, None, id="within it")],
)
def test_where_the_sensor_is_at_its_end_it_says_so(most_g: float, clipped: float | None) -> None:
    def force(at_s: float) -> Vector:
        x = -150.0 * math.sin(math.pi * at_s / 0.1) if 0 <= at_s < 0.1 else 0.0
        return max(-most_g * G, x), 0.0, 0.0

    sensor = told(felt(force), row_major_back(LEVEL))["sensor"]
    assert sensor["clipped_mps2"] == (None if clipped is None else pytest.approx(clipped, abs=0.01))
    assert sensor["rate_hz"] == pytest.approx(200.0)


@pytest.mark.parametrize(
    ("peaks_mps2", "clipped_mps2"),
    [
        pytest.param((120.0, 120.0), None, id="one value twice, where no sensor ends"),
        pytest.param((16 * G * 32767 / 32768,), 16 * G * 32767 / 32768, id="one sample where sensors end"),
        pytest.param((100.0, 16 * G, 170.0, 8 * G), None, id="on its way past where sensors end"),
        pytest.param((62.0, 62.0, 62.0), 62.0, id="one value three times"),
    ],
)
def test_a_flat_top_is_no_end_of_a_range_and_one_sample_may_be(
    peaks_mps2: tuple[float, ...], clipped_mps2: float | None
) -> None:
    tops = dict(zip(range(4, 9), peaks_mps2, strict=False))
    sensor = told(felt(lambda at_s: (-tops.get(round(at_s * 200), 0.0), 0.0, 0.0)), row_major_back(LEVEL))["sensor"]
    assert sensor["clipped_mps2"] == (None if clipped_mps2 is None else pytest.approx(clipped_mps2, abs=0.001))


def test_hard_braking_before_does_not_tilt_what_is_up() -> None:
    def force(at_s: float) -> Vector:
        return (-8.0, 0.0, 0.0) if -1.2 <= at_s < 0 else box(at_s)

    inputs = felt(force, 200, TILTED)
    early = [batch.imu(BLOW - n * 10_000, [*turned(TILTED, (0, 0, G)), 0, 0, 0]) for n in range(650, 300, -1)]
    delta = told([*early, *inputs], None)["delta"]
    assert delta["horizontal_mps"][25] == pytest.approx(math.hypot(10, 2), abs=0.5)


def test_a_box_that_falls_is_weightless_before_and_a_pothole_comes_from_below() -> None:
    def falls(at_s: float) -> Vector:
        return (0.0, 0.0, -G) if -0.2 <= at_s < 0 else box(at_s)

    def pothole(at_s: float) -> Vector:
        return (-25.0, 0.0, 60.0) if 0 <= at_s < 0.03 else (0.0, 0.0, 0.0)

    fell = told(felt(falls), row_major_back(LEVEL))["blow"]
    assert fell["fell_us"] == pytest.approx(195_000, abs=5_000)
    bump = told(felt(pothole), row_major_back(LEVEL))["blow"]
    assert (bump["fell_us"], bump["horizontal_mps2"], bump["vertical_mps2"]) == (0, 25.0, 60.0)


def test_sensors_end_where_the_core_says_that_they_do() -> None:
    imu, pulse = ((ROOT / "native" / name).read_text() for name in ("imu.c", "pulse.c"))
    (ranges_g,) = re.findall(r"ranges_g\[\] = \{(.*?)\}", imu)
    shares = [float(re.findall(rf"#define {name} ([\d.]+)", pulse)[0]) for name in ("NEAR_RANGE", "AT_RANGE")]
    assert [float(word) for word in ranges_g.split(",")] == list(edr.RANGES_G)
    assert shares == [edr.NEAR_RANGE, edr.AT_RANGE]
