"""Crashes from every side and at every rate, once each; and what only feels like one, by its name."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import LEVEL, G, Road, Timed, Vector, cruise, drive, half_sine, steady, turned, us

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIDES = {"front": (-1, 0, 0), "rear": (1, 0, 0), "left": (0, -1, 0), "right": (0, 1, 0)}
TO_15 = [(3, 0, 0), (5, 3, 0), *cruise(8)]
HIT_S = 20.0
ON_END = ((0, 0, 1), (0, 1, 0), (-1, 0, 0))


def struck(along: Vector, delta_v: float = 11.0, lasts_s: float = 0.1) -> tuple[Road, Road]:
    """At 15 m/s, a blow at 20 s, then to standstill: the drive by its speed, and as the sensor feels it."""
    after = max(0.0, 15 + delta_v * along[0])
    rest = [(0.3, 0, 0), (4, -after / 4, 0), (12, 0, 0)]
    seen = Road([*TO_15, (4, 0, 0), (lasts_s, (after - 15) / lasts_s, 0), *rest])
    felt = Road([*TO_15, (4, 0, 0), (lasts_s, 0, 0), *rest], blow=half_sine(HIT_S, lasts_s, delta_v, along))
    return seen, felt


def standing(blow: Callable[[float], Vector] | None, seconds: float = 40.0) -> Road:
    return Road([(seconds, 0, 0)], blow=blow)


@pytest.mark.parametrize("hz", [100, 200, 800])
@pytest.mark.parametrize("side", SIDES)
def test_a_blow_from_each_side_is_one_crash_in_its_place(side: str, hz: float) -> None:
    seen, felt = struck(SIDES[side])
    told = drive(seen.speed(), felt.imu(hz))
    (crash,) = told.events()
    assert (crash.name, crash.direction, crash.severity, crash.locked) == ("crash", side, "high", True)
    assert crash.start_us == pytest.approx(us(HIT_S + 0.01), abs=20_000)
    assert crash.delta_v_mps == pytest.approx(11, rel=0.03)
    assert 0.05 < crash.delta_v_s < 0.26
    assert crash.at_us - crash.start_us <= 300_000


def test_any_direction_any_mounting_and_any_speed_signal_give_one_crash() -> None:
    luck = Random(4)
    for hz in (50, 100, 400):
        for _ in range(3):
            angle, delta_v = luck.uniform(0, 2 * math.pi), luck.choice([4, 8, 16])
            seen, felt = struck((math.cos(angle), math.sin(angle), 0), delta_v, luck.choice([0.06, 0.1, 0.15]))
            speed = luck.choice([seen.speed(), seen.speed(1, 1 / 3.6), seen.speed(2, delay_s=0.3), []])
            (crash,) = drive(speed, felt.imu(hz, ON_END, shake=0.5), mounted=False).events("crash", "impact")
            assert crash.name == "crash"
            assert crash.delta_v_mps == pytest.approx(delta_v, rel=0.1)
            assert crash.direction is None


def test_the_largest_change_counts_and_not_the_braking_after_it() -> None:
    seen, felt = struck(SIDES["rear"], 8.0)
    (crash,) = drive(seen.speed(), felt.imu(200)).events("crash")
    assert crash.delta_v_mps == pytest.approx(8, rel=0.02)


@pytest.mark.parametrize(
    ("delta_v", "level", "locked"), [(3.0, "low", False), (5.0, "medium", False), (7.5, "high", True)]
)
def test_severity_and_lock_follow_the_change_of_speed(delta_v: float, level: str, locked: bool) -> None:
    seen, felt = struck(SIDES["front"], delta_v)
    (crash,) = drive(seen.speed(), felt.imu(200)).events("crash")
    assert (crash.severity, crash.locked) == (level, locked)


@pytest.mark.parametrize(
    ("mps2", "wanted"), [pytest.param(19.7, ["impact"], id="at 2 g"), pytest.param(19.3, [], id="just under 2 g")]
)
def test_the_trigger_is_two_g_for_eight_milliseconds(mps2: float, wanted: int) -> None:
    road = Road([*TO_15, *cruise(20)], blow=lambda t: (0, mps2, 0) if 20 <= t < 20.02 else (0, 0, 0))
    assert [e.name for e in drive(road.speed(), road.imu(200, shake=0)).events()] == wanted


def test_a_trigger_is_confirmed_by_a_stop_and_else_an_impact() -> None:
    blow = half_sine(20.0, 0.05, 1.4, (-1, 0, 0))
    for rest, wanted in (([(5, -3, 0), (10, 0, 0)], "crash"), (cruise(16), "impact")):
        road = Road([*TO_15, *cruise(4), *rest], blow=blow)
        assert [e.name for e in drive(road.speed(), road.imu(200)).events()] == [wanted]


@pytest.mark.parametrize(
    ("signal", "before", "after", "wanted"),
    [("airbag", 0, 1, "crash"), ("airbag", 0, 0, "impact"), ("rpm", 1500, 0, "crash"), ("rpm", 1500, 1500, "impact")],
)
def test_the_airbag_or_the_engine_confirms_a_trigger(signal: str, before: float, after: float, wanted: int) -> None:
    road = Road([*TO_15, *cruise(16)], blow=half_sine(20.0, 0.05, 1.4, (-1, 0, 0)))
    told = [*steady(20, 5, signal, before), *steady(12, 5, signal, after, start_s=20.3)]
    assert [e.name for e in drive(road.speed(), road.imu(200), told).events()] == [wanted]


def test_a_parked_car_that_is_pushed_is_in_a_crash_and_one_that_stays_is_not() -> None:
    push = half_sine(20.0, 0.1, 6.0, (1, 0, 0))
    felt = Road([(20, 0, 0), (0.1, 0, 0), (4, -1.5, 0), (8, 0, 0)], blow=push)
    seen = Road([(20, 0, 0), (0.1, 60, 0), (4, -1.5, 0), (8, 0, 0)])
    assert [e.direction for e in drive(seen.speed(), felt.imu(200)).events("crash")] == ["rear"]
    told = drive(standing(None).speed(), standing(push).imu(200))
    assert not told.events()
    assert told.counters["not_judged"]["crash_handled"] == 1


def test_a_box_that_is_shaken_turned_over_and_dropped_is_not_in_a_crash() -> None:
    def handled(t: float) -> tuple[float, float, float]:
        if 10 <= t < 20:
            force = 2.5 * G * math.sin(10 * math.pi * t)
            return (force, 0.4 * force, G * (math.cos(math.pi * (t - 10) / 10) - 1))
        if 25 <= t < 25.4:
            return (0, 0, -G)
        return (80, 60, 100) if 25.4 <= t < 25.43 else (0, 0, 0)

    told = drive(standing(None).speed(1), standing(handled).imu(200), mounted=False)
    assert not told.events()
    assert told.counters["not_judged"]["crash_handled"] >= 1


def test_a_pothole_is_none_even_when_a_stop_follows() -> None:
    def hole(t: float) -> tuple[float, float, float]:
        wave = math.sin(2 * math.pi * (t - 20) / 0.06) if 20 <= t < 20.06 else 0.0
        return (-2.6 * G * wave, 0, 6 * G * wave)

    for rest in (cruise(14), [(5, -3, 0), (9, 0, 0)]):
        road = Road([*TO_15, *cruise(6), *rest], blow=hole)
        told = drive(road.speed(), road.imu(200))
        assert not told.events()
        assert told.counters["not_judged"]["crash_vertical"] == 1


def test_one_bad_sample_is_counted_as_short() -> None:
    road = Road([*TO_15, *cruise(10)], blow=lambda t: (-64, 0, 0) if abs(t - 20) < 0.002 else (0, 0, 0))
    told = drive(road.speed(), road.imu(100))
    assert not told.events()
    assert told.counters["not_judged"]["crash_short"] == 1


def test_a_sensor_without_gravity_before_is_not_believed() -> None:
    road = Road([*TO_15, *cruise(10)], blow=lambda t: (-90 if 20 <= t < 20.1 else 0, 0, -G))
    told = drive(road.speed(), road.imu(100))
    assert not told.events()
    assert told.counters["not_judged"]["crash_no_gravity"] >= 1


@pytest.mark.parametrize("range_g", [2, 4, 8])
def test_saturated_samples_make_the_change_of_speed_a_lower_bound(range_g: int) -> None:
    seen, felt = struck(SIDES["front"], 14.0)
    most = range_g * G * 32767 / 32768
    rows = [(at, clip(raw, most)) for at, raw in felt.imu(100)]
    (crash,) = drive(seen.speed(), rows).events("crash")
    assert (crash.dv_clipped, crash.severity, crash.locked) == (True, "high", True)
    assert crash.delta_v_mps == pytest.approx(14, abs=0.7)


@pytest.mark.parametrize("hz", [10, 1])
def test_what_a_brake_makes_after_a_knock_that_saturates_is_not_told_as_the_knock_s(hz: int) -> None:
    road = Road(
        [*TO_15, *cruise(6), (2.5, -6, 0), (9, 0, 0)], blow=lambda t: (-60, 0, 0) if 20 <= t < 20.04 else (0, 0, 0)
    )
    (crash,) = drive(road.speed(hz), [(at, clip(raw, 2 * G)) for at, raw in road.imu(100)]).events("crash")
    assert (crash.dv_clipped, crash.severity, crash.locked) == (True, "low", False)
    assert crash.delta_v_mps < 2.4 + 6 * 0.25


def clip(raw: bytes, most: float) -> bytes:
    """The same sample from a sensor that ends at `most`."""
    t_us, *_ = batch._NUMBERS.unpack(raw)
    numbers = batch._NUMBERS.unpack(raw)[6:]
    return batch.imu(t_us, [*(max(-most, min(most, n)) for n in numbers[:3]), *numbers[3:]])


@pytest.mark.parametrize("hz", [4, 5, 10, 20])
def test_speed_alone_tells_a_crash_where_it_refreshes_fast(hz: float) -> None:
    road = Road([*TO_15, *cruise(8), (0.7, -15 / 0.7, 0), (8, 0, 0)])
    (crash,) = drive(road.speed(hz, 1 / 3.6)).events()
    assert (crash.name, crash.sources, crash.delta_v_mps) == ("crash", ("speed",), pytest.approx(15, abs=1))


@pytest.mark.parametrize("hz", [1, 2])
def test_slow_speed_alone_tells_none_and_says_so(hz: float) -> None:
    road = Road([*TO_15, *cruise(8), (0.2, -75, 0), (8, 0, 0)])
    told = drive(road.speed(hz))
    assert not told.events()
    assert told.counters["not_judged"]["crash_refresh_too_slow"] == 1


@pytest.mark.parametrize(("hz", "mps2"), [(4, 8.5), (10, 8.5), (10, 10.0), (20, 10.0), (5, 10.5), (50, 11.0)])
def test_an_emergency_stop_is_no_crash(hz: float, mps2: float) -> None:
    road = Road([*TO_15, *cruise(8), (15 / mps2, -mps2, 0), (8, 0, 0)])
    assert [e.name for e in drive(road.speed(hz, 1 / 3.6)).events()] == ["harsh_braking"]


@pytest.mark.parametrize(("hz", "refresh_s"), [(10, 0), (10, 1.0), (2, 0), (1, 0)])
def test_a_frozen_value_that_jumps_is_nothing(hz: float, refresh_s: float) -> None:
    road = Road([*TO_15, *cruise(8)])
    rows = road.speed(hz, 1 / 3.6, refresh_s)
    rows += [*steady(6, hz, "speed", 52 / 3.6, rows[-1][0] + 1 / hz), *steady(9, hz, "speed", 3 / 3.6, 31.1)]
    assert not drive(rows).events()


@pytest.mark.parametrize(("name", "kmh"), [("v10146_093_100hz", 66), ("v07292_147_100hz", 48)])
def test_measured_pulses_are_crashes_of_their_size(name: str, kmh: float) -> None:
    path = DATA / "nhtsa" / f"{name}.csv"
    if not path.exists():
        pytest.skip("the recordings are not beside the project")
    rows = list(csv.DictReader(path.open()))
    pulse = [(HIT_S + float(r["t_s"]), [float(r["a_g"]) * G, 0.0, G]) for r in rows]
    before = Road([*TO_15, *cruise(6)])
    felt: list[Timed] = [row for row in before.imu() if row[0] < pulse[0][0] - 0.004]
    felt += [(at, batch.imu(us(at), turned(LEVEL, force))) for at, force in pulse]
    felt += [(at + pulse[-1][0] + 0.01, raw) for at, raw in standing(None, 5).imu()]
    felt = [(at, batch.imu(us(at), batch._NUMBERS.unpack(raw)[6:9])) for at, raw in felt]
    speed = [row for row in before.speed() if row[0] <= HIT_S] + steady(5, 10, "speed", 0.0, HIT_S + 0.2)
    (crash,) = drive(speed, felt).events("crash", "impact")
    assert crash.name == "crash"
    assert crash.delta_v_mps == pytest.approx(kmh / 3.6, rel=0.1)


def test_a_second_blow_in_the_same_crash_is_no_second_crash() -> None:
    first, second = half_sine(20.0, 0.1, 8, (-1, 0, 0)), half_sine(21.5, 0.1, 5, (0, 1, 0))
    seen, felt = struck(SIDES["front"], 8)
    both = Road(felt.legs, blow=lambda t: tuple(a + b for a, b in zip(first(t), second(t), strict=True)))
    assert len(drive(seen.speed(), both.imu(200)).events("crash", "impact")) == 1


def test_a_blow_at_the_end_of_the_input_is_still_judged() -> None:
    seen, felt = struck(SIDES["front"])
    told = drive([row for row in seen.speed() if row[0] < 20.08], [row for row in felt.imu(200) if row[0] < 20.08])
    assert [e.name for e in told.events()] == ["crash"]


def test_the_place_of_a_crash_is_the_last_fix() -> None:
    seen, felt = struck(SIDES["front"])
    fixes = [(at, batch.fix(us(at), [48.1, 11.5, 15.0, 90.0, 1.0, 9], valid=True)) for at in range(20)]
    (crash,) = drive(seen.speed(), felt.imu(200), fixes).events("crash")
    assert (crash.lat_deg, crash.lon_deg) == (48.1, 11.5)


def test_two_samples_are_the_least_and_eight_milliseconds_too() -> None:
    def knock(lasts_s: float) -> Callable[[float], Vector]:
        return lambda t: (0, 40, 0) if 20 <= t < 20 + lasts_s - 1e-6 else (0, 0, 0)

    for lasts_s, hz, sets in ((0.005, 400, ()), (0.01, 100, ("detect.crash.hold_s=0",))):
        road = Road([*TO_15, *cruise(10)], blow=knock(lasts_s))
        told = drive(road.speed(), road.imu(hz), sets=sets)
        assert not told.events()
        assert told.counters["not_judged"]["crash_short"] == 1


def test_a_box_that_falls_while_driving_is_not_in_a_crash() -> None:
    def fall(t: float) -> Vector:
        return (0, 0, -G) if 20 <= t < 20.3 else (60, 20, 30) if 20.3 <= t < 20.37 else (0, 0, 0)

    road = Road([*TO_15, *cruise(20)], blow=fall)
    told = drive(road.speed(), road.imu(200))
    assert not told.events()
    assert told.counters["not_judged"]["crash_handled"] == 1


def test_another_attitude_after_a_blow_confirms_it() -> None:
    weak = half_sine(20.0, 0.05, 1.4, (0, 1, 0))
    road = Road([*TO_15, *cruise(16)], blow=lambda t: (0, G, -G) if t > 20.5 else weak(t))
    assert [e.name for e in drive(road.speed(), road.imu(200)).events("crash", "impact")] == ["crash"]


def test_a_speed_that_is_cut_off_to_zero_is_no_crash() -> None:
    road = Road([*TO_15, *cruise(4), (4.3, -3, 0), (0.15, -14, 0), (5, 0, 0)])
    assert not drive(road.speed(20)).events("crash")
