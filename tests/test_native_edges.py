"""The last digits of estimate, mounting and moment: a row at each number and one just under it."""

import math
from random import Random

import pytest

from agent.core import Calibration, Core
from agent.settings import defaults
from agent.vehicle import Table
from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import AT_15, CALM, G, Matrix, Road, core, cruise, drive, packed, steady, us, value

EMPTY = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
LEVEL_BOX = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


# ---- the estimate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mps", "impossible"),
    [pytest.param(20.5, 0, id="10 m/s2 and a quantum"), pytest.param(20.500001, 1, id="more")],
)
def test_out_of_a_value_that_stood_still_no_car_gains_more_than_ten(mps: float, impossible: int) -> None:
    told = drive([*steady(5, 1, "speed", 10.0), (6.0, value(6, "speed", mps))])
    assert told.counters["values_rejected"]["impossible"] == impossible


@pytest.mark.parametrize(
    ("apart_s", "mps2"),
    [
        pytest.param(0.4, 2.0, id="half of 0.8 s: the two newest points"),
        pytest.param(0.399999, 0.846154, id="closer: a line through more of them"),
    ],
)
def test_two_points_are_a_slope_where_they_are_far_enough_apart(apart_s: float, mps2: float) -> None:
    rows = [(float(i), value(i, "speed", 10 + i / 2)) for i in range(13)]
    rows += [(12 + apart_s, value(12 + apart_s, "speed", 16.8)), (13.0, value(13, "speed", 17.0))]
    assert drive(rows).samples()[-1].forward_mps2 == pytest.approx(mps2, abs=1e-6)


@pytest.mark.parametrize("step_mps", [0.0005, 0.01])
def test_a_speed_that_hardly_moves_is_without_noise(step_mps: float) -> None:
    luck = Random(3)
    noisy = [15 + luck.gauss(0, 0.1) for _ in range(600)]
    rows = [*noisy, *(15 + step_mps * (i % 2) for i in range(300)), *(15 - 0.4 * i for i in range(31))]
    told = drive([(i / 10, value(i / 10, "speed", mps)) for i, mps in enumerate(rows)])
    assert told.samples()[91].forward_mps2 == pytest.approx(-4.0, abs=1e-9)


def test_a_speed_that_hardly_moves_now_and_then_is_without_noise() -> None:
    """Of the points 0.3 s apart, of which a line is drawn, two are the same and the third is nearly so."""
    luck = Random(3)
    noisy = [15 + luck.gauss(0, 0.1) for _ in range(602)]
    calm = [15 + i % 3 / 5000 + 0.0005 * (i // 6 % 2) for i in range(42)]
    rows = [*noisy, *calm, *(15 - 0.05 * i for i in range(1, 31))]
    told = drive([(i / 10, value(i / 10, "speed", mps)) for i, mps in enumerate(rows)])
    assert told.samples()[64].forward_mps2 == pytest.approx(-0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("after_s", "mps2"), [pytest.param(0.575, 0.0, id="a point"), pytest.param(0.574999, 1.0, id="not yet one")]
)
def test_a_value_that_stands_is_a_refresh_after_one_and_three_quarters_of_a_row(after_s: float, mps2: float) -> None:
    stairs = [(i / 10, value(i / 10, "speed", 5 + i // 5 / 2)) for i in range(96)]
    told = drive([*stairs, (9.5 + after_s, value(9.5 + after_s, "speed", 14.5))])
    assert told.last.forward_mps2 == pytest.approx(mps2, abs=0.5)


def test_a_second_row_of_the_first_moment_is_a_twin() -> None:
    told = drive([(0.0, value(0, "speed", 10.0)), (0.0, value(0, "speed", 30.0)), (1.0, value(1, "speed", 10.0))])
    assert told.counters["values_rejected"]["twin"] == 1
    assert told.last.distance_m == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("size_g", "nonsense"),
    [*((g, 0) for g in (2, 4, 6, 8, 12, 16, 24, 32, 50, 100, 200, 400)), (1.99, 1), (10, 1), (55, 1), (399, 1)],
)
def test_three_equal_forces_are_nonsense_but_at_the_end_of_a_range(size_g: float, nonsense: int) -> None:
    told = drive([(0.0, batch.imu(0, [size_g * G] * 3))])
    assert told.counters["values_rejected"]["nonsense"] == nonsense


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        pytest.param([(1.0, [None, 0.0, G])], "invalid", id="no force to the front"),
        pytest.param([(1.0, [0.0, None, G])], "invalid", id="none to the side"),
        pytest.param([(1.0, [0.0, 0.1, G]), (1.0, [0.0, 0.2, G])], "twin", id="of one moment"),
    ],
)
def test_a_sample_that_is_not_taken_is_counted_by_its_reason(rows: list, why: str) -> None:
    made = core()
    made.feed(b"".join(batch.imu(us(at), numbers) for at, numbers in rows))
    assert made.counters()["values_rejected"][why] == 1


def test_a_sample_told_axis_by_axis_that_is_older_than_the_last_is_late() -> None:
    rows = [("x", 1), ("y", 1), ("z", 1), ("x", 2), ("y", 2), ("z", 4), ("x", 5), ("z", 5), ("y", 3)]
    made = core()
    made.feed(b"".join(value(at, f"accel_{axis}", float(at)) for axis, at in rows))
    assert made.counters()["values_rejected"]["late"] == 1


@pytest.mark.parametrize("back_s", [40.1, 42.0])
def test_a_gyro_that_is_gone_for_a_while_tells_the_same_bend_again(back_s: float) -> None:
    road = Road([*AT_15, (20, 0, 2.0)])
    felt = [(at, raw if not 40 < at < back_s else numbers(raw)) for at, raw in road.imu(50, shake=0)]
    told = [sample.left_mps2 for sample in drive(road.speed(), felt, mounted=False).samples()]
    assert told[38] == told[47] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("phase", [0, 3])
def test_a_gyro_that_drops_out_in_a_shaking_bend_leaves_nothing_behind(phase: int) -> None:
    shaken = [1.0 + 2.0 * (i % 2) if 250 < i < 450 else 2.0 for i in range(600)]
    felt = [batch.imu(us(i / 50), [0.0, 0.0, G, 0.0, 0.0, left / 15]) for i, left in enumerate(shaken)]
    gone = [numbers(raw) if 250 < i < 450 and i % 7 == phase else raw for i, raw in enumerate(felt)]
    rows = [(i / 50, raw) for i, raw in enumerate(gone)]
    told = [sample.left_mps2 for sample in drive(steady(12, 10, "speed", 15.0), rows, mounted=False).samples()]
    assert told[4] == told[10] == told[11] == pytest.approx(2.0, abs=1e-9)


def numbers(raw: bytes) -> bytes:
    """The sample without its rates."""
    t_us, *_ = batch._NUMBERS.unpack(raw)
    return batch.imu(t_us, [*batch._NUMBERS.unpack(raw)[6:9], None, None, None])


@pytest.mark.parametrize(
    ("apart_s", "learnt_s"), [pytest.param(2.6, 2.6, id="2.6 s"), pytest.param(2.600001, 0.0, id="longer")]
)
def test_a_slope_is_learnt_over_no_longer_than_its_most(apart_s: float, learnt_s: float) -> None:
    road = Road([(3, 0, 0), (5, 3, 0), *cruise(20), (20, 0, 0)], grade=lambda t: 0.05 if t > 36 else 0.0)
    at = 36 + apart_s
    rows = [*(row for row in road.speed(1) if row[0] <= 36), (at, value(at, "speed", 15.0))]
    told = drive(rows, [row for row in road.imu(50, shake=0) if row[0] < at + 0.3])
    assert told.last.forward_mps2 == pytest.approx(G * math.sin(0.05) * 10 / (10 + learnt_s), abs=0.01)


def test_a_slope_is_not_learnt_while_an_imu_is_silent() -> None:
    road = Road([(3, 0, 0), (5, 3, 0), *cruise(40)])
    felt = [row for row in road.imu(50, shake=0) if not 30.001 < row[0] < 31.001]
    assert drive(felt, road.speed(1)).last.forward_mps2 == pytest.approx(-0.25, abs=0.1)


@pytest.mark.parametrize("sign", [1, -1])
def test_no_road_is_steeper_than_ten_degrees(sign: int) -> None:
    road = Road([(3, 0, 0), (5, 3, 0), *cruise(80)], grade=lambda t: sign * 0.25 if t > 20 else 0.0)
    last = drive(road.speed(), road.imu(50, shake=0)).samples()[-2:]
    felt = sum(sample.forward_mps2 or 0.0 for sample in last) / 2
    assert felt == pytest.approx(sign * (G * math.sin(0.25) - 1.7), abs=1e-3)


@pytest.mark.parametrize(("before", "after", "side"), [(85.0, 275.0, "left"), (275.0, 85.0, "right")])
def test_a_course_turns_the_shorter_way(before: float, after: float, side: str) -> None:
    course = [(float(i), value(i, "course", before if i < 6 else after)) for i in range(12)]
    sets = [f"detect.harsh_cornering.{name}=0" for name in ("hold_s", "refractory_s", "min_speed_mps")]
    (event,) = drive(steady(12, 1, "speed", 3.0), course, sets=sets).events()
    assert (event.direction, event.peak_mps2) == (side, pytest.approx(3 * math.radians(170)))


# ---- mounting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apart_s", "wanted"), [pytest.param(2.6, 1, id="2.6 s"), pytest.param(2.600001, 0, id="a microsecond more")]
)
def test_a_window_lasts_no_longer_than_its_most(apart_s: float, wanted: int) -> None:
    road = Road(CALM * 8)
    times = [i * apart_s for i in range(int(road.seconds / apart_s))]
    told = drive([(at, value(at, "speed", road.at(at)[0])) for at in times], road.imu(20), mounted=False)
    assert len(told.calibrations()) == wanted


def about(axis: str, degrees: float) -> Matrix:
    """A box turned about the car's axis to the front, or up."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return ((1, 0, 0), (0, c, -s), (0, s, c)) if axis == "front" else ((c, -s, 0), (s, c, 0), (0, 0, 1))


@pytest.mark.parametrize(
    ("axis", "degrees", "wanted"),
    [
        pytest.param("front", 2.1, 1, id="up alone is another"),
        pytest.param("front", 1.9, 0, id="up is nearly the same"),
        pytest.param("up", 5.0, 1, id="forward alone is another"),
        pytest.param("up", 0.0, 0, id="nothing is"),
    ],
)
def test_a_stored_calibration_that_is_two_degrees_off_is_told_anew(axis: str, degrees: float, wanted: int) -> None:
    made, road = Core(defaults(), EMPTY, LEVEL_BOX), Road(CALM * 4)
    outputs = made.feed(packed(road.speed(), road.imu(20, about(axis, degrees), shake=0))) + made.finish()
    assert len([o for o in outputs if isinstance(o, Calibration)]) == wanted


def test_one_sample_a_window_is_enough() -> None:
    road = Road(CALM * 6)
    assert len(drive(road.speed(1), road.imu(1, gyro=False), mounted=False).calibrations()) == 1


# ---- the engine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("powertrain", ["combustion", "hybrid", "electric"])
@pytest.mark.parametrize(("ignition", "engine"), [(0.5, "on"), (0.499, "off")])
def test_an_ignition_of_a_half_is_on(powertrain: str, ignition: float, engine: str) -> None:
    rows = [(0.0, value(0, "ignition", ignition)), (1.1, value(1.1, "brake", 0.0))]
    assert drive(rows, sets=[f"vehicle.powertrain={powertrain}"]).samples()[0].engine == engine


def test_an_engine_known_by_its_ignition_runs_until_the_input_before_it_is_off() -> None:
    made = core()
    made.feed(value(0.2, "ignition", 1.0) + value(1.7, "brake", 0.0))
    assert made.snapshot(0).engine_last_us == us(1.7)
    made.feed(value(1.9, "ignition", 0.0))
    (sample,) = made.feed(value(2.0, "brake", 0.0))
    assert (sample.at_us, sample.engine, sample.engine_last_us) == (us(2), "off", us(1.7))


@pytest.mark.parametrize(
    ("apart_s", "hold_s", "wanted"),
    [
        pytest.param(2.5, 2, 1, id="2.5 s apart"),
        pytest.param(2.500001, 2, 0, id="farther"),
        pytest.param(5.0, 5, 1, id="the hold apart"),
        pytest.param(5.000001, 5, 0, id="farther than the hold"),
    ],
)
def test_rows_of_a_cold_engine_lie_no_farther_apart_than_the_hold(apart_s: float, hold_s: int, wanted: int) -> None:
    rows = [(i * apart_s, value(i * apart_s, "rpm", 4000)) for i in range(6)]
    sets = ["detect.over_rev.limit_rpm=6000", f"detect.cold_rev.hold_s={hold_s}"]
    assert len(drive(rows, steady(40, 1, "coolant", 20), sets=sets).events("cold_rev")) == wanted


@pytest.mark.parametrize(("ignition", "engine_last_us"), [(0.5, us(1)), (None, None)])
def test_a_hybrid_that_is_ready_runs_though_its_engine_stands(
    ignition: float | None, engine_last_us: int | None
) -> None:
    ready = [] if ignition is None else [(0.2, value(0.2, "ignition", ignition))]
    told = drive(
        [(0.0, value(0, "rpm", 0.0)), *ready, (1.1, value(1.1, "brake", 0.0))], sets=["vehicle.powertrain=hybrid"]
    )
    assert told.samples()[0].engine_last_us == engine_last_us
