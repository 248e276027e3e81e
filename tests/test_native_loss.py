"""A crash told by the speed alone: what errors of the speed make of a stop, and of a crash."""

from collections.abc import Callable

import pytest

from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import Road, cruise, drive, us, value

TO_15 = [(3, 0, 0), (5, 3, 0), *cruise(8)]


@pytest.mark.parametrize(
    ("hz", "off_mps"),
    [
        pytest.param(50, lambda i, mps: (0.06, 0.0, -0.06, 0.03, -0.03)[i % 5] * (mps > 1), id="noise of the wheels"),
        pytest.param(10, lambda i, mps: 6.0 if mps > 3 and i % 23 == 0 else 0.0, id="stray fixes"),
    ],
)
def test_a_stop_of_a_speed_with_errors_is_no_crash(hz: float, off_mps: Callable[[int, float], float]) -> None:
    road = Road([*TO_15, *cruise(8), (15 / 8, -8, 0), (8, 0, 0)])
    speeds = [(i / hz, road.at(i / hz)[0]) for i in range(round(road.seconds * hz))]
    rows = [(at, value(at, "speed", mps + off_mps(i, mps))) for i, (at, mps) in enumerate(speeds)]
    assert not drive(rows).events("crash")


def test_an_answer_that_comes_late_makes_no_crash_of_a_stop() -> None:
    road = Road([*TO_15, *cruise(8), (15 / 7, -7, 0), (8, 0, 0)])
    late_us = us(road.seconds - 8 - 15 / 7 + 0.5)
    rows = [(at, raw) for at, raw in road.speed(10) if not late_us <= us(at) < late_us + us(0.4)]
    stale_s = late_us / 1e6 + 0.35
    assert not drive(rows, [(stale_s, value(stale_s, "speed", road.at(late_us / 1e6)[0]))]).events("crash")


def test_a_fall_that_pauses_for_a_refresh_is_still_a_crash() -> None:
    kmh = [54, 51, 48, 46, 12, 12, 10, 8, 6, 4, 2, *[0] * 30]
    before = Road([*TO_15, *cruise(8)]).speed(10, 1 / 3.6)
    rows = [(24.1 + i / 10, value(24.1 + i / 10, "speed", told / 3.6)) for i, told in enumerate(kmh)]
    (crash,) = drive(before, rows).events("crash")
    assert crash.delta_v_mps == pytest.approx(15, abs=2.3)
