"""Harsh driving: each rule at its threshold and just under it, whatever the sensor."""

import math
from random import Random

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import AT_15, KMH, Road, Told, core, cruise, drive, half_sine, packed, us, value

HARSH = ("harsh_braking", "harsh_acceleration", "harsh_cornering")
BARE = ("threshold_mps2=3.43", "release_mps2=3.42", "hold_s=0", "min_speed_mps=0", "refractory_s=0")


def names(told: Told) -> list:
    return [(e.name, e.direction) for e in told.events(*HARSH)]


@pytest.mark.parametrize(
    ("mps2", "wanted"), [pytest.param(3.43, 1, id="at the threshold"), pytest.param(3.42, 0, id="just under it")]
)
def test_without_a_hold_one_sample_of_a_slow_imu_decides(mps2: float, wanted: int) -> None:
    road = Road([*AT_15, (1, -mps2, 0), *cruise(10)])
    told = drive(road.speed(1), road.imu(1, gyro=False, shake=0), sets=[f"detect.harsh_braking.{s}" for s in BARE])
    assert len(told.events("harsh_braking")) == wanted


def test_with_a_hold_a_slow_imu_needs_two_samples() -> None:
    for seconds, wanted in ((1, 0), (2, 1)):
        road = Road([*AT_15, (seconds, -4.5, 0), *cruise(10)])
        assert len(drive(road.speed(1), road.imu(1, gyro=False, shake=0)).events("harsh_braking")) == wanted


@pytest.mark.parametrize("hz", [10, 25, 104, 400])
@pytest.mark.parametrize(
    ("seconds", "mps2", "wanted"),
    [
        pytest.param(1.5, 3.55, 1, id="over the threshold, long enough"),
        pytest.param(1.5, 3.35, 0, id="just under the threshold"),
        pytest.param(0.7, 3.8, 1, id="held"),
        pytest.param(0.2, 5.0, 0, id="not held"),
    ],
)
def test_a_brake_counts_when_it_is_hard_and_long_enough(hz: float, seconds: float, mps2: float, wanted: int) -> None:
    road = Road([*AT_15, (seconds, -mps2, 0), *cruise(6)])
    assert names(drive(road.speed(), road.imu(hz))) == [("harsh_braking", None)] * wanted


@pytest.mark.parametrize("mps2", [3.2, 4.0])
def test_vibration_neither_makes_nor_breaks_a_brake(mps2: float) -> None:
    road = Road([*AT_15, (1.5, -mps2, 0), *cruise(6)], blow=lambda t: (1.5 * math.sin(100 * t), math.sin(91 * t), 2.0))
    assert len(drive(road.speed(), road.imu(100, shake=0.5)).events(*HARSH)) == (mps2 > 3.43)


def test_spikes_do_not_make_a_mild_brake_harsh() -> None:
    road = Road([*AT_15, (3, -2.8, 0), *cruise(6)], blow=lambda t: (-12.0 if t > 30 and t % 0.3 < 0.035 else 0.0, 0, 0))
    assert not drive(road.speed(), road.imu()).events()


def test_spikes_and_invalid_samples_accuse_nobody() -> None:
    def spike(at: float) -> tuple[float, float, float]:
        return (-5.0, 0.0, 0.0) if at % 5 < 0.035 else (0.0, 0.0, 0.0)

    road = Road([*AT_15, *cruise(20)], blow=spike)
    inputs = [*road.imu(), *Road([(1, 0, 0)], blow=lambda _: (-64, -64, -64 - 9.80665)).imu(1, shake=0)]
    assert not drive(road.speed(), inputs).events()


@pytest.mark.parametrize("hz", [1, 2, 4, 5, 10, 20, 50])
@pytest.mark.parametrize("quantum", [0.0, KMH])
def test_speed_alone_finds_a_brake_at_any_rate_and_resolution(hz: float, quantum: float) -> None:
    for mps2, wanted in ((3.0, 0), (4.0, 1)):
        road = Road([*AT_15, (3, -mps2, 0), *cruise(10)])
        assert names(drive(road.speed(hz, quantum))) == [("harsh_braking", None)] * wanted


@pytest.mark.parametrize(("hz", "refresh_s"), [(10, 1.0), (11, 1.0), (10, 0.5), (15, 0.4)])
def test_a_staircase_is_its_slope_and_not_its_steps(hz: float, refresh_s: float) -> None:
    for mps2, wanted in ((2.5, 0), (5.0, 1)):
        road = Road([*AT_15, (3, -mps2, 0), *cruise(10)])
        told = drive(road.speed(hz, 0.01, refresh_s))
        assert names(told) == [("harsh_braking", None)] * wanted


def test_a_brake_is_described() -> None:
    road = Road([(5, 0, 0), (12, 1.5, 0), *cruise(18), (2, -5, 0), *cruise(20)])
    (event,) = drive(road.speed(), road.imu()).events()
    assert event.start_us == pytest.approx(35e6, abs=0.1e6)
    assert event.end_us == pytest.approx(37e6, abs=0.1e6)
    assert event.entry_mps == pytest.approx(18, abs=0.5)
    assert event.exit_mps == pytest.approx(8, abs=0.5)
    assert event.delta_v_mps == pytest.approx(-10, abs=0.7)
    assert event.peak_mps2 == pytest.approx(5, abs=0.1)
    assert (event.severity, event.sources, event.direction) == ("medium", ("speed", "imu"), None)
    assert event.confidence > 0.8


@pytest.mark.parametrize(("mps2", "level"), [(3.8, "low"), (4.9, "medium"), (6.3, "high")])
def test_severity_has_three_levels(mps2: float, level: str) -> None:
    road = Road([*AT_15, (1.5, -mps2, 0), *cruise(12), (1.5, mps2, 0), *cruise(12), (1.5, 0, mps2), *cruise(8)])
    told = drive(road.speed(), road.imu())
    assert [(e.name, e.severity) for e in told.events()] == [(name, level) for name in HARSH]


def test_a_launch_counts_when_it_ends_at_ten_kmh() -> None:
    for seconds, wanted in ((3.5, 1), (0.6, 0)):
        road = Road([(10, 0, 0), (seconds, 4, 0), *cruise(10)])
        told = drive(road.speed(), road.imu())
        assert names(told) == [("harsh_acceleration", None)] * wanted
        assert told.counters["not_judged"]["harsh_too_slow"] == 1 - wanted


def test_a_brake_from_walking_pace_counts_without_the_gate_only() -> None:
    road = Road([(3, 0, 0), (2, 1.3, 0), (10, 0, 0), (0.65, -4, 0), (5, 0, 0)])
    assert not drive(road.speed(), road.imu()).events()
    open_gate = ["detect.harsh_braking.min_speed_mps=0", "detect.harsh_braking.hold_s=0"]
    assert names(drive(road.speed(), road.imu(), sets=open_gate)) == [("harsh_braking", None)]


@pytest.mark.parametrize(("left", "side"), [(4.0, "left"), (-4.0, "right")])
def test_a_corner_has_its_side(left: float, side: str) -> None:
    road = Road([*AT_15, (2, 0, left), *cruise(8)])
    assert names(drive(road.speed(), road.imu())) == [("harsh_cornering", side)]


@pytest.mark.parametrize(("left", "side"), [(4.2, "left"), (-4.2, "right")])
def test_before_the_mounting_is_solved_speed_and_gyro_tell_a_corner(left: float, side: str) -> None:
    on_end = ((0, 0, 1), (0, 1, 0), (-1, 0, 0))
    road = Road([*AT_15, (3, 0, left), *cruise(8)])
    assert names(drive(road.speed(), road.imu(50, on_end), mounted=False)) == [("harsh_cornering", side)]


@pytest.mark.parametrize(("left", "wanted"), [(4.2, ["left"]), (-4.2, ["right"]), (3.1, []), (-3.1, [])])
def test_without_an_imu_yaw_rate_or_course_tell_a_corner(left: float, wanted: list[str]) -> None:
    road = Road([*AT_15, (4, 0, left), *cruise(8)])
    yaw = [(i / 20, value(i / 20, "yaw_rate", road.at(i / 20)[2] / 15)) for i in range(900)]
    turns = [-math.degrees(min(max(0.0, i - 33.0), 4.0) * left / 15) for i in range(45)]
    course = [(i, value(i, "course", (10 + turn) % 360)) for i, turn in enumerate(turns)]
    for source in (yaw, course):
        assert [e.direction for e in drive(road.speed(), source).events()] == wanted


def test_forces_told_value_by_value_are_the_same_sample() -> None:
    road = Road([*AT_15, (2, -5, 0), *cruise(8)])
    whole = drive(road.speed(), road.imu(50, gyro=False))
    single = []
    for at, raw in road.imu(50, gyro=False):
        force = batch._NUMBERS.unpack(raw)[6:9]
        single += [(at, value(at, name, n)) for name, n in zip(("accel_x", "accel_y", "accel_z"), force, strict=True)]
    assert drive(road.speed(), single).events() == whole.events()


def test_a_noisy_speed_accuses_nobody() -> None:
    luck = Random(6)
    for hz in (5, 5, 5, 5, 10, 20):
        road = Road([*AT_15, (3, -2.8, 0), *cruise(40)])
        rows = [
            (i / hz, value(i / hz, "speed", max(0.0, road.at(i / hz)[0] + luck.gauss(0, 0.1)))) for i in range(70 * hz)
        ]
        assert not drive(rows).events()


def test_brakes_within_the_refractory_time_are_one() -> None:
    road = Road([*AT_15, (1, -4.5, 0), (1, 0.2, 0), (1, -6.2, 0), *cruise(20)])
    (event,) = drive(road.speed(), road.imu()).events()
    assert (event.severity, event.end_us // 1_000_000) == ("high", 35)
    assert event.sources == ("speed", "imu")  # both together are what the speed lost
    assert len(drive(road.speed(), road.imu(), sets=["detect.harsh_braking.refractory_s=0"]).events()) == 2


def test_two_brakes_further_apart_than_the_refractory_time_are_two() -> None:
    road = Road([*AT_15, (1, -4.5, 0), (3.2, 0.2, 0), (1, -4.5, 0), *cruise(20)])
    assert len(drive(road.speed(), road.imu()).events()) == 2


def test_a_slope_is_no_brake_and_hides_none() -> None:
    for mps2, wanted in ((2.9, 0), (4.0, 1)):
        for slope in (-0.087, 0.087):
            road = Road([*AT_15, *cruise(20), (2, -mps2, 0), *cruise(8)], grade=lambda _, slope=slope: slope)
            assert len(drive(road.speed(), road.imu()).events()) == wanted


@pytest.mark.parametrize(("mps2", "wanted"), [(2.2, []), (4.0, ["harsh_braking"])])
def test_a_slope_that_has_just_begun_makes_no_harsh_brake_of_a_long_one(mps2: float, wanted: list) -> None:
    """16 % downhill from a second before on: the sensor feels 1.6 m/s2 more."""
    legs = [(3, 0, 0), (12, 2, 0), *cruise(20), (17.6 / mps2, -mps2, 0), *cruise(8)]
    road = Road(legs, grade=lambda t: -0.16 if t > 34 else 0.0)
    told = drive(road.speed(2, KMH), road.imu())
    assert [e.name for e in told.events("harsh_braking")] == wanted
    assert told.counters["not_judged"]["harsh_speed_disagrees"] == 1 - len(wanted)


@pytest.mark.parametrize(
    ("speeds", "wanted"),
    [
        pytest.param([17.0], [], id="a stray fix up"),
        pytest.param([7.0], [], id="a stray fix down"),
        pytest.param([7.0, 7.0, 7.0, 8.0, 9.0], ["harsh_braking"], id="a brake"),
    ],
)
def test_one_stray_fix_of_a_receiver_that_stands_alone_is_not_harsh(speeds: list[float], wanted: list) -> None:
    told = [*(12 + 0.2 * (i % 3) for i in range(30)), *speeds, *(12 + 0.2 * (i % 3) for i in range(20))]
    rows = [(at, batch.fix(us(at), [48.0, 11.0, mps, 90.0, 0.9, 11], valid=True)) for at, mps in enumerate(told)]
    assert [e.name for e in drive(rows).events()] == wanted


def test_answers_of_uneven_haste_hide_no_begin_of_a_brake() -> None:
    """The last before it comes a little early, the first two in it a little late."""
    road = Road([(3, 0, 0), (10, 2, 0), *cruise(14), (6, 0, 0), (2.5, -7, 0), *cruise(8)])
    before = [0.16 + 0.52 * i for i in range(63)]
    times = [*before, *(before[-1] + after for after in (0.44, 0.96, 1.5, 2.04, 2.56, 3.08, 3.6, 4.12, 4.64))]
    rows = [(at, value(at, "speed", round(road.at(at)[0] * 3.6) / 3.6)) for at in times]
    (event,) = drive(rows).events("harsh_braking")
    assert event.start_us == pytest.approx(us(33), abs=us(0.7))


def test_an_imu_that_a_good_speed_contradicts_is_not_believed() -> None:
    road = Road([*AT_15, *cruise(20)], blow=lambda t: (-4.5, 0, 0) if 35 <= t < 38 else (0, 0, 0))
    told = drive(road.speed(), road.imu())
    assert not told.events()
    assert told.counters["not_judged"]["harsh_speed_disagrees"] == 1


def test_when_the_imu_falls_silent_the_speed_judges() -> None:
    road = Road([*AT_15, (2, -5, 0), *cruise(10)])
    silent = [row for row in road.imu() if row[0] < 30]
    (event,) = drive(road.speed(), silent).events()
    assert (event.name, event.sources) == ("harsh_braking", ("speed",))


def test_an_absent_sensor_is_none() -> None:
    road = Road([*AT_15, (2, -5, 0), *cruise(10)])
    constant = Road([(45, 0, 0)], blow=lambda _: (-10.23, -10.23, -20.03665)).imu(shake=0)
    told = drive(road.speed(), constant)
    assert [e.sources for e in told.events()] == [("speed",)]
    assert told.counters["values_rejected"]["nonsense"] > 4000


def test_a_rule_that_is_off_says_nothing() -> None:
    road = Road([*AT_15, (2, -5, 0), *cruise(10)])
    assert not drive(road.speed(), road.imu(), sets=["detect.harsh_braking.enabled=false"]).events()


def test_a_brake_that_is_still_going_on_is_told_at_the_end() -> None:
    made = core()
    road = Road([*AT_15, (2, -5, 0)])
    assert not [o for o in made.feed(packed(road.speed(), road.imu())) if getattr(o, "name", "") == "harsh_braking"]
    (event,) = made.finish()
    assert event.end_us == pytest.approx(35e6, abs=0.2e6)


def test_braking_before_a_crash_is_told_and_the_crash_is_no_braking() -> None:
    road = Road([*AT_15, (1.2, -6, 0), (8, 0, 0)], blow=half_sine(34.2, 0.1, 6.0, (-1, 0, 0)))
    told = drive([row for row in road.speed() if row[0] < 34.2], road.imu(200))
    assert [e.name for e in told.events()] == ["crash", "harsh_braking"]
    assert told.events("harsh_braking")[0].peak_mps2 < 7
