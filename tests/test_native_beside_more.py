"""More rows beside numbers of the core that no drive of the other files lies on: one at each, one just beside it."""

import math
from collections.abc import Sequence

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import CALM, G, Road, Timed, drive, steady, us, value
from tests.tables import cut, plain
from tests.test_native_crash_edges import climb, square
from tests.test_native_frames import FUEL, LOAD, fed
from tests.test_native_gnss import BY_QUALITY, LOSS, found, road
from tests.test_native_levels import LIMIT
from tests.test_native_parked import OFF
from tests.test_native_rollover import STEP_S

# ---- crash -----------------------------------------------------------------------------------------------------------


def test_a_push_is_one_from_the_change_of_speed_on_that_the_setting_says() -> None:
    felt = Road([(30, 0, 0)], blow=square(20, 0.1, 60, (1, 0, 0))).imu(200, shake=0)
    rows = [*steady(20.9, 10, "speed", 0.0), *steady(9, 10, "speed", 2.0, 21)]
    (event,) = drive(rows, felt).events("crash")
    assert event.delta_v_mps is not None
    for least_mps, wanted in ((event.delta_v_mps, ["crash"]), (math.nextafter(event.delta_v_mps, math.inf), [])):
        told = drive(rows, felt, sets=[f"detect.crash.delta_v_mps={least_mps!r}"])
        assert [again.name for again in told.events("crash", "impact")] == wanted


@pytest.mark.parametrize(("step_us", "at_us"), [(1240, 3_252_520), (1239, 3_253_614)], ids=["every one", "every other"])
def test_a_blow_begins_at_a_sample_of_those_that_are_kept(step_us: int, at_us: int) -> None:
    """Every one of a sensor that tells one in 1240 us or more; it is measured for 0.25 s from there."""
    road = Road([(4, 0, 0)], blow=square(3.0012, 0.1, 60, (-1, 0, 0)))
    felt = road.imu(1e6 / step_us, shake=0)
    (event,) = drive(steady(4, 10, "speed", 15.0), felt, sets=["detect.crash.hold_s=0"]).events()
    assert (event.name, event.at_us) == ("crash", at_us)


@pytest.mark.parametrize(("mps", "counted"), [(10.5, 0), (10.500001, 1)], ids=["at the loss", "just over it"])
def test_a_slow_signal_that_loses_more_than_brakes_do_could_have_been_a_crash(mps: float, counted: int) -> None:
    """9.5 m/s within a second; less a quantum of 0.5, that is 9 m/s2."""
    told = drive(steady(12, 1, "speed", mps), steady(3, 1, "speed", 1.0, 13.0))
    assert told.counters["not_judged"]["crash_refresh_too_slow"] == counted


def tenths(start_s: float, speeds: Sequence[float]) -> list[Timed]:
    """Ten rows a second."""
    return [(start_s + i / 10, value(start_s + i / 10, "speed", mps)) for i, mps in enumerate(speeds)]


def test_a_second_loss_of_speed_stays_near_zero_from_its_own_stop_on() -> None:
    """The first rolls a little before it is told; the second begins right after the ten quiet seconds after that."""
    first = tenths(20, [13.0, 10.5, 8.0, 5.5, 3.0, 1.0, 0.2, *[1.3] * 7, *[1.2] * 3])
    second = tenths(21.7, [*(min(8.0, 1.25 + 0.25 * i) for i in range(98)), 5.6, 3.2, 2.6, 2.3, 2.0, *[0.8] * 30])
    told = drive(climb(0, 20, 15.0), first, second).events("crash")
    assert [(event.at_us, event.end_us, event.exit_mps) for event in told] == [
        (us(21.4), us(20.6), 0.2),
        (us(32.8), us(32.0), 0.8),
    ]


# ---- the sensor ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "wanted"), [(1.295, True), (1.31, False), (0.705, True), (0.69, False)])
def test_a_sensor_whose_g_is_nearly_a_third_off_tells_no_mounting(share: float, wanted: bool) -> None:
    rows = []
    for at, raw in Road(CALM * 4).imu(20):
        numbers = batch._NUMBERS.unpack(raw)[6:12]
        rows.append((at, batch.imu(us(at), [*(share * force for force in numbers[:3]), *numbers[3:]])))
    assert bool(drive(Road(CALM * 4).speed(5), rows, mounted=False).calibrations()) == wanted


def bends(lacks: Sequence[int]) -> list[Timed]:
    """Two bends by the gyro of a box that lies on its side; every seventh sample lacks these rates."""
    rows = []
    for i in range(1200):
        rate = 0.1 * math.sin(0.7 * i) + (0.4 if 400 <= i % 600 < 500 else 0.0)
        rates: list[float | None] = [rate, 0.0, 0.0]
        for axis in lacks if i % 7 == 0 else ():
            rates[axis] = None
        rows.append((i / 20, batch.imu(us(i / 20), [G, 0.01 * (i % 2), 0.0, *rates])))
    return rows


def test_a_sample_that_lacks_a_rate_tells_none() -> None:
    speeds = steady(60, 10, "speed", 15.0)
    told, same = (drive(speeds, bends(lacks), mounted=False) for lacks in ((2,), (0, 1, 2)))
    assert [event.name for event in told.events()] == ["harsh_cornering"] * 2
    assert told.events() == same.events()
    assert [sample.left_mps2 for sample in told.samples()] == [sample.left_mps2 for sample in same.samples()]


def test_of_two_samples_a_microsecond_apart_the_later_one_counts_too() -> None:
    """It is the last upright one; the speed was told anew in between."""
    last_s, after_s = 9.984375, 9.984376
    times = [*(i * STEP_S for i in range(640)), after_s, *(i * STEP_S for i in range(640, 1000))]
    felt = [(at, batch.imu(us(at), [0.0, G, 0.0] if at > after_s else [0.0, 0.001, G])) for at in times]
    rows = [
        *steady(9.9, 10, "speed", 10.0),
        (after_s, value(after_s, "speed", 8.0)),
        *steady(6, 10, "speed", 0.0, 10.05),
    ]
    assert us(last_s) + 1 == us(after_s)
    (event,) = drive(rows, felt).events("rollover")
    assert (event.rule, event.entry_mps) == ("attitude", 8.0)


# ---- levels, places, frames ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("coolant_c", "wanted"), [(-39.5, []), (math.nextafter(-39.5, 0), ["cold_rev"])])
def test_a_coolant_that_reads_the_least_a_car_can_tell_is_not_cold(coolant_c: float, wanted: list) -> None:
    told = drive(steady(9, 1, "coolant", coolant_c), steady(9, 1, "rpm", 5000.0), sets=LIMIT)
    assert [event.name for event in told.events()] == wanted


DEGREE_M = 111194.92664455873
"""As native/angle.c has it."""


@pytest.mark.parametrize(("to_m", "wanted"), [(50.0, ["tow"]), (math.nextafter(50.0, 0), [])])
def test_a_car_that_is_fifty_metres_away_has_gone(to_m: float, wanted: list) -> None:
    nearby = to_m / DEGREE_M
    lat_deg = next(
        deg for deg in (nearby, math.nextafter(nearby, 0), math.nextafter(nearby, 1)) if deg * DEGREE_M == to_m
    )
    rows = []
    for at in range(80):
        place = [0.0 if at <= 30 else lat_deg, 11.0, 5.0 if at >= 20 else 0.0, 0.0, 1.0, 9]
        rows.append((float(at), batch.fix(us(at), place, valid=True)))
    assert [event.name for event in drive(OFF, rows).events("tow")] == wanted


CN0_BIT, FLAGS_BYTE = 6, 15


@pytest.mark.parametrize(("is_told", "wanted"), [(True, [LOSS, BY_QUALITY]), (False, [LOSS])])
def test_a_number_beside_a_fix_that_no_bit_tells_of_is_none(is_told: bool, wanted: list[tuple]) -> None:
    rows = []
    for at in range(60):
        raw = bytearray(
            batch.fix(us(at), [48 + 20 * at / 111_195, 11, 20, 0, 0.9, 11, 40.0 if at < 55 else 20.0], valid=True)
        )
        if not is_told:
            raw[FLAGS_BYTE] &= ~(1 << CN0_BIT)
        rows.append((float(at), bytes(raw)))
    assert found(drive(road(300), rows)) == wanted


def test_of_a_message_the_first_sixty_four_signals_are_fed() -> None:
    cuts = [cut(0, 8)] * 63
    fuel, load, _, decoded, _ = fed(bytes([55] * 8), plain(*cuts, cut(0, 8, signal=FUEL), cut(0, 8, signal=LOAD)))
    assert (fuel, load, decoded) == (55.0, None, 1)


@pytest.mark.parametrize(("size", "wanted"), [(64, (1, {})), (65, (0, {"bad_length": 1}))])
def test_an_fd_frame_has_sixty_four_bytes_at_most(size: int, wanted: tuple) -> None:
    assert fed(bytes(size), plain(cut(0, 8)), flags=batch.FD)[3:] == wanted
