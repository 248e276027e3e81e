"""Beneath the motion sensor: how records lie, what becomes of stamps, which rate and range are chosen, what goes with what."""

import time
from pathlib import Path

import pytest

from drivers.iio.iio import GRAVITY_MPS2
from drivers.iio.pair import HOLD_US, NEAR_US, Pairing
from drivers.iio.scan import Scan, element
from drivers.iio.sensor import NO_ROW, Row
from drivers.iio.stamp import Stamps
from drivers.iio.tree import set_range, set_rate
from tests.iio_chip import AXES, STAMP, Chip

PLAIN = "le:s16/16>>0"
THREE = dict.fromkeys(AXES[:3], PLAIN) | {"timestamp": STAMP}


def test_an_element_of_several_numbers_is_stepped_over(tmp_path: Path) -> None:
    made = Chip(tmp_path, {"rot_quaternion": "le:s16/16X4>>0", "accel_x": PLAIN, "timestamp": STAMP})
    elements = [element(made.folder, name) for name in made.types]
    scan = Scan(one for one in elements if one is not None)
    made.close()
    record = b"".join(n.to_bytes(2, "little", signed=True) for n in (1, 2, 3, 4, -5, 0, 0, 0)) + bytes(8)
    assert scan.record_bytes == len(record) == 24
    assert scan.columns(record * 2) == {"rot_quaternion": (1, 1), "accel_x": (-5, -5), "timestamp": (0, 0)}


T0 = 5_000_000_000


@pytest.mark.parametrize(
    ("batches", "wanted", "restamped", "missed"),
    [
        pytest.param([([0, 10, 20], 21), ([30], 31)], [0, 10, 20, 30], 0, 0, id="as they should be"),
        pytest.param([([0, 11, 19], 21), ([33], 34)], [0, 11, 19, 33], 0, 0, id="jitter"),
        pytest.param([([0, 10], 11), ([28], 29)], [0, 10, 28], 0, 0, id="late, but no hole"),
        pytest.param([([0, 10], 11), ([30], 31)], [0, 10, 30], 0, 1, id="a hole of one"),
        pytest.param([([0, 10], 11), ([80], 81)], [0, 10, 80], 0, 6, id="a hole of six"),
        pytest.param([([0, 10], 11), ([10, 20], 30)], [0, 10, 20, 30], 2, 0, id="a stamp twice"),
        pytest.param([([0, 10], 11), ([30, 20], 30)], [0, 10, 20, 30], 2, 0, id="backwards"),
        pytest.param([([None, None], 11), ([None, None], 31)], [1, 11, 21, 31], 4, 0, id="never set"),
        pytest.param([([0, 10], 11), ([1100], 20)], [0, 10, 20], 1, 0, id="ahead of now"),
        pytest.param([([0, 10], 11), ([1019], 20)], [0, 10, 1019], 0, 100, id="just not ahead of now"),
        pytest.param([(None, 11), (None, 31)], [1, 11, 21, 31], 0, 0, id="no stamps"),
        pytest.param([(None, 11), (None, 35)], [1, 11, 23, 35], 0, 0, id="no stamps, read a little late"),
        pytest.param([(None, 11), (None, 511)], [1, 11, 501, 511], 0, 0, id="no stamps, after a pause"),
    ],
)
def test_what_becomes_of_stamps(
    batches: list[tuple[list[int | None] | None, int]], wanted: list[int], restamped: int, missed: int
) -> None:
    """All in milliseconds; the sensor gives a sample every 10; None: the stamp is 0, or there are none at all."""
    stamps, got = Stamps(time.CLOCK_BOOTTIME, 10_000), []
    for told_ms, now_ms in batches:
        told_ns = None if told_ms is None else [0 if t is None else T0 * 1000 + t * 1_000_000 for t in told_ms]
        got += stamps.boot(told_ns, 2 if told_ms is None else len(told_ms), T0 + now_ms * 1000)
    assert [t_us - T0 for t_us in got] == [ms * 1000 for ms in wanted]
    assert (stamps.restamped, stamps.missed) == (restamped, missed)


def test_times_ascend_though_many_samples_are_read_in_no_time() -> None:
    stamps = Stamps(None, 10_000)
    times = stamps.boot(None, 3, T0) + stamps.boot(None, 3, T0) + stamps.boot(None, 2, T0 + 1)
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("available", "wanted", "chosen"),
    [
        ("12.5 26 52 104", 30, 26),
        ("12.5 26 52 104", 39, 26),
        ("12.5 26 52 104", 39.1, 52),
        ("12.5 26 52 104", 1000, 104),
        ("[1 1 400]", 104, 104),
        ("[1 1 100]", 104, 100),
        ("", 104, 104),
        ("[]", 104, 104),
        ("0 fast 52", 104, 52),
    ],
)
def test_the_nearest_rate_is_chosen(tmp_path: Path, available: str, wanted: float, chosen: float) -> None:
    for name, words in (("in_accel_sampling_frequency", "1"), ("in_accel_sampling_frequency_available", available)):
        (tmp_path / name).write_text(words)
    assert set_rate(tmp_path, "accel", wanted) == chosen


def test_a_sensor_that_tells_no_rate_is_taken_to_do_as_wanted(tmp_path: Path) -> None:
    assert set_rate(tmp_path, "accel", 104) == 104


@pytest.mark.parametrize(
    ("range_g", "chosen"),
    [
        pytest.param(2, "0.000598", id="2 g: 0.000598 x 32767 is 1.998 g"),
        pytest.param(2.04, "0.001196", id="a little more: the next"),
        pytest.param(16, "0.004785", id="16 g"),
        pytest.param(100, "0.004785", id="more than there is: the coarsest"),
    ],
)
def test_the_finest_scale_that_reaches_is_chosen(tmp_path: Path, range_g: float, chosen: str) -> None:
    sensor = Chip(tmp_path, THREE, in_accel_scale_available="0.004785 0.000598 0.001196 0.002392", in_accel_scale="1")
    elements = [one for name in AXES[:3] if (one := element(sensor.folder, name)) is not None]
    set_range(sensor.folder, "accel", range_g * GRAVITY_MPS2, elements)
    sensor.close()
    assert sensor.said("in_accel_scale") == chosen


def row(number: float) -> Row:
    return (number, number, number)


def paired(steps: list[tuple[list[int], list[int]]]) -> list[list[tuple[int, int | None]]]:
    """For each step, times of forces told and of the rates beside them; all in milliseconds."""
    pairing, out = Pairing(), []
    for forces, rates in steps:
        told_now = pairing.take([(t * 1000, row(t)) for t in forces], [(t * 1000, row(t)) for t in rates])
        out.append([(t_us // 1000, None if rate == NO_ROW else int(rate[0] or 0)) for t_us, _, rate in told_now])
    return out


HOLD, NEAR = HOLD_US // 1000, NEAR_US // 1000


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        pytest.param([([10, 20], [10, 20])], [[(10, 10), (20, 20)]], id="in step"),
        pytest.param([([10, 20], [8, 18, 28])], [[(10, 8), (20, 18)]], id="the nearest"),
        pytest.param([([10, 20], [16, 26])], [[(10, 16), (20, 16)]], id="the nearest is later"),
        pytest.param([([10, 20], [12]), ([], [21])], [[(10, 12)], [(20, 21)]], id="a force waits for its rate"),
        pytest.param([([10], []), ([], [10])], [[(10, None)], []], id="no gyroscope yet: nothing waits"),
        pytest.param([([10], [10]), ([20, 19 + HOLD], []), ([20 + HOLD], [])], [[(10, 10)], [], [(20, 10)]], id="not for ever"),
        pytest.param([([10], [10]), ([10 + NEAR, 10 + NEAR + HOLD], [])], [[(10, 10)], [(10 + NEAR, 10)]], id="near enough"),
        pytest.param([([10], [10]), ([11 + NEAR, 11 + NEAR + HOLD], [])], [[(10, 10)], [(11 + NEAR, None)]], id="too far"),
        pytest.param([([10], [10]), ([1011], [])], [[(10, 10)], [(1011, None)]], id="a silent gyroscope is not waited for"),
        pytest.param([([10], [10]), ([1009], [])], [[(10, 10)], []], id="one that may come is"),
    ],
)  # fmt: skip
def test_forces_and_rates_are_put_together(
    steps: list[tuple[list[int], list[int]]], wanted: list[list[tuple[int, int | None]]]
) -> None:
    assert paired(steps) == wanted
