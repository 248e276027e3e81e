"""The last rows beside numbers of the core: what feels, stands, lies or comes to nothing exactly at one, and just beside it."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import G, Road, Vector, drive, steady, us, value
from tests.test_native_gnss import BY_JUMP, fixes, found, road
from tests.test_native_more import BARE, CALM, brake, felt
from tests.test_native_parked import NOTHING, parked
from tests.test_native_rollover import START_S, rolling, speed, to

# ---- harsh driving ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hz", "wanted"), [(6.25, 1), (7.0, 0)], ids=["one in 0.16 s", "one in 0.143 s"])
def test_what_a_slow_sensor_feels_no_speed_contradicts(hz: float, wanted: int) -> None:
    rows = [(i / 5, value(i / 5, "speed", 20.0 + 0.1 * (i % 2))) for i in range(60)]
    told = drive(rows, felt([*CALM * 6, *[-4.0] * 8, *CALM], hz=hz), sets=["detect.harsh_braking.hold_s=0"])
    assert len(told.events("harsh_braking")) == wanted
    assert told.counters["not_judged"]["harsh_speed_disagrees"] == 1 - wanted


@pytest.mark.parametrize(("gate_mps", "wanted"), [(0.5, 1), (0.9, 0)])
def test_a_gate_of_less_than_a_metre_a_second_is_one(gate_mps: float, wanted: int) -> None:
    assert len(brake(4, sets=[*BARE, f"min_speed_mps={gate_mps}"], mps=0.5).events()) == wanted


@pytest.mark.parametrize(("second_mps2", "wanted"), [(3.5, 1), (3.4999, 0)])
def test_a_brake_that_never_sags_under_its_threshold_is_held(second_mps2: float, wanted: int) -> None:
    assert len(brake(3.5, second_mps2, 3.5, sets=["threshold_mps2=3.5"]).events()) == wanted


# ---- crash -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mps", "counted"), [(10 / 3.6, 1), (math.nextafter(10 / 3.6, 0), 0)])
def test_a_loss_that_a_slow_signal_shows_is_counted_from_ten_kmh_on(mps: float, counted: int) -> None:
    rows = [(float(i), value(i, "speed", number)) for i, number in enumerate([4.0, 3.5, 3.0, mps, 0.5, 0.5])]
    told = drive(rows, sets=["detect.crash.speed_loss_mps2=1"])
    assert told.counters["not_judged"]["crash_refresh_too_slow"] == counted


def test_a_blow_that_has_come_to_nothing_when_the_input_ends_changed_most_as_it_began() -> None:
    """A sample of it from behind, and one as strong from the front."""
    blow = Road([(20.005, 0, 0)], blow=lambda t: (30 if t < 20.0025 else -30, 0, 0) if t >= 20 else NOTHING)
    told = drive(steady(20, 10, "speed", 15.0), blow.imu(200, shake=0), sets=["detect.crash.hold_s=0"])
    assert [(one.name, one.delta_v_mps, one.delta_v_s) for one in told.events()] == [("impact", 0.0, 0.0)]


# ---- the sensor ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "nonsense"), [(0.99991, 0), (0.999895, 1)], ids=["at its range", "just under it"])
def test_three_axes_that_say_the_same_are_nonsense_but_at_the_end_of_a_range(share: float, nonsense: int) -> None:
    told = drive([(0.0, batch.imu(0, [2 * G * share] * 3))])
    assert told.counters["values_rejected"]["nonsense"] == nonsense


def learnt(speeds: Sequence[float], share: float = 1.0) -> list[float]:
    """When a mounting is told, in s, of a speed a second, and a sensor that feels this share of its changes."""
    rows = [(float(i), value(i, "speed", mps)) for i, mps in enumerate(speeds)]
    forces = [
        (i + part, batch.imu(us(i + part), [share * (then - mps), 0.0, G]))
        for i, (mps, then) in enumerate(pairwise(speeds))
        for part in (0.125, 0.375, 0.625, 0.875)
    ]
    return [told.at_us / 1e6 for told in drive(rows, forces, mounted=False).calibrations()]


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 1), (0.4999, 0)])
def test_a_sensor_that_feels_half_of_what_the_speed_does_tells_a_mounting(share: float, wanted: int) -> None:
    assert len(learnt([10.0, 11.0] * 30, share)) == wanted


@pytest.mark.parametrize(("mps", "sooner_s"), [(0.3, 1), (math.nextafter(0.3, 0), 0)], ids=["0.3 m/s", "just under it"])
@pytest.mark.parametrize("is_last", [True, False], ids=["at its end", "at its beginning"])
def test_a_window_with_three_tenths_of_a_metre_a_second_is_no_stand(mps: float, sooner_s: int, is_last: bool) -> None:
    """Of a stand ten windows are learnt, and this one beside them: the mounting is told a window sooner."""
    stand = [*[0.2] * 17, mps] if is_last else [5.0, mps, *[0.2] * 16]
    assert learnt([*stand, *[2.0, 4.0] * 10]) == [28 - sooner_s]


# ---- what stands, lies, was elsewhere --------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_s", "wanted"), [(0.5, 0), (0.51, 1)])
def test_a_box_that_weighed_nothing_longer_than_half_a_second_before_had_not_fallen(
    after_s: float, wanted: int
) -> None:
    """Its last sample without weight is the one at 29.3 s."""

    def falls(at: float) -> Vector:
        if 28.995 < at < 29.305:
            return (0, 0, -9.5)
        return (15, 0, 0) if -0.005 < at - 29.3 - after_s < 0.045 else NOTHING

    assert len(parked(falls).events()) == wanted


@pytest.mark.parametrize(("after_s", "wanted"), [(1.93, 0), (1.92, 1)], ids=["2 s", "just under"])
def test_a_car_that_stood_upright_for_two_seconds_has_not_rolled_over(after_s: float, wanted: int) -> None:
    """The mean force is upright for a moment longer than the box."""
    rows = [row for row in speed(False, 0) if row[0] < START_S]
    turned = rolling(lambda at: 90.0 if at > after_s - 0.005 else 0.0, 20, gyro=False, hz=100)
    told = drive(rows, steady(20, 10, "speed", 0.0, START_S), turned)
    assert len(told.events("rollover")) == wanted


@pytest.mark.parametrize(("mps", "wanted"), [(1 / 3.6, ["roll"]), (math.nextafter(1 / 3.6, 0), [])])
def test_a_car_that_goes_at_one_kmh_rolls_from_moving(mps: float, wanted: list[str]) -> None:
    rows = [row for row in speed(False, 0) if row[0] < START_S - 4]
    told = drive(rows, steady(20, 10, "speed", mps, START_S - 4), rolling(to(90, 0.3), 20, hz=100))
    assert [event.rule for event in told.events("rollover")] == wanted


@pytest.mark.parametrize(("count", "wanted"), [(10, [BY_JUMP]), (9, [])])
def test_a_receiver_that_works_has_told_ten_places_before_a_jump(count: int, wanted: list[tuple]) -> None:
    told = drive(road(200, 0.0), fixes(0, count, mps=0), fixes(80, 199, off_m=20_000, mps=0))
    assert found(told) == wanted


@pytest.mark.parametrize(("first_mps", "then_mps"), [(0.0, -0.0), (-0.0, 0.0)], ids=["nothing", "minus nothing"])
def test_of_speeds_that_are_equal_the_first_is_the_most(first_mps: float, then_mps: float) -> None:
    rows = [(0.1, value(0.1, "speed", first_mps)), (0.2, value(0.2, "speed", then_mps))]
    sample = drive(rows, steady(1, 1, "rpm", 0.0)).samples()[0]
    assert str(sample.max_speed_mps) == str(first_mps)
