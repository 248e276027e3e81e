"""What is summed up: distance, moving and idle time, the limit, the engine; idling and speeding as events."""

import pytest

from agent.core import Core
from agent.settings.file import load
from agent.vehicle import Table
from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import AT_15, KMH, Road, cruise, drive, packed, steady, us, value

HOP = [(10, 1.5, 0), *cruise(20), (10, -1.5, 0)]


def metres(road: Road) -> float:
    return sum((road.at(i / 1000)[0] + road.at((i + 1) / 1000)[0]) / 2000 for i in range(int(road.seconds * 1000)))


@pytest.mark.parametrize(("hz", "quantum", "refresh_s"), [(10, 0, 0), (1, 0, 0), (4, KMH, 0), (10, KMH, 1.0)])
def test_distance_is_the_trapezoid_of_the_speed(hz: float, quantum: float, refresh_s: float) -> None:
    road = Road([(3, 0, 0), *HOP, (3, 0, 0)])
    assert drive(road.speed(hz, quantum, refresh_s)).last.distance_m == pytest.approx(metres(road), rel=0.004)


def test_uneven_times_are_integrated_as_they_are() -> None:
    rows = [(at, value(at, "speed", 10.0)) for at in (0, 0.3, 1.7, 2.0, 4.9)]
    assert drive(rows).last.distance_m == pytest.approx(49.0)


def test_a_hole_is_not_driven() -> None:
    road = Road([*AT_15, *cruise(100)])
    told = drive([row for row in road.speed() if not 60 < row[0] < 90])
    known = metres(Road([*AT_15, *cruise(26), (1, 0.25, 0)])) + 15.125 * 43
    assert told.last.distance_m == pytest.approx(known, rel=0.01)


def test_a_second_answer_of_the_same_moment_is_left_out() -> None:
    road = Road([(5, 0, 0), (15, 1, 0), *cruise(20)])
    twins = [(at + 0.02, value(at + 0.02, "speed", road.at(at)[0] * 0.8)) for at in range(10, 40, 4)]
    told = drive(road.speed(2), twins)
    assert not told.events()
    assert told.counters["values_rejected"]["twin"] == len(twins)
    assert told.last.distance_m == pytest.approx(metres(road), rel=0.005)


def test_the_receivers_speed_stands_in_where_the_car_tells_none() -> None:
    road = Road([(3, 0, 0), *HOP, (3, 0, 0)])
    rows = [(at / 10, batch.fix(us(at / 10), [48, 11, road.at(at / 10)[0], 90, 1, 9], valid=True)) for at in range(460)]
    told = drive(rows)
    assert told.last.distance_m == pytest.approx(metres(road), rel=0.002)
    both = drive(road.speed(), rows)
    assert both.last.distance_m == pytest.approx(metres(road), rel=0.002)


def test_where_the_receiver_takes_over_nothing_is_driven_twice() -> None:
    """The car is silent from 10 s on; fixes come every 8 s, so the one that takes over tells of two seconds again."""
    car = [(at / 10, value(at / 10, "speed", 20.0)) for at in range(101)]
    rows = [(at, batch.fix(us(at), [48, 11, 20.0, 90, 1, 9], valid=True)) for at in (0, 8, 16, 24)]
    last = drive(car, rows).last
    assert last.distance_m == pytest.approx(20 * 24)
    assert last.moving_us == us(24)


def test_the_last_motion_never_goes_back_where_the_receiver_takes_over() -> None:
    car = [(at / 10, value(at / 10, "speed", 20.0)) for at in range(101)]
    rows = [(at, batch.fix(us(at), [48, 11, mps, 90, 1, 9], valid=True)) for at, mps in ((0, 0.5), (8, 0.5), (16, 0.0))]
    assert drive(car, rows).last.motion_last_us >= us(10)


def test_moving_and_idle_time_part_at_one_kmh() -> None:
    road = Road([(20, 0, 0), *HOP, (20, 0, 0)])
    last = drive(road.speed(), steady(road.seconds, 2, "rpm", 800)).last
    assert last.moving_us == pytest.approx(us(40 - 2 * KMH / 1.5), abs=20_000)
    assert last.moving_us + last.idle_us == us(80)
    assert last.motion_last_us == pytest.approx(us(60 - KMH / 1.5), abs=20_000)


def test_the_limit_is_crossed_between_rows() -> None:
    road = Road([(10, 2, 0), (10, -2, 0)])
    last = drive(road.speed(1), steady(20, 1, "speed_limit", 13.0)).last
    assert last.over_limit_us == pytest.approx(us(7), abs=1000)
    assert last.over_limit_m == pytest.approx(7 * 16.5, abs=0.1)
    assert drive(road.speed(1)).last.limit_known_us == 0


def test_the_limit_of_the_settings_counts_where_none_is_told() -> None:
    road = Road([(10, 2, 0), (10, -2, 0)])
    last = drive(road.speed(1), sets=["detect.speeding.limit_mps=15.0", "detect.speeding.margin_mps=1.0"]).last
    assert last.over_limit_us == pytest.approx(us(4), abs=1000)


@pytest.mark.parametrize(
    ("seconds", "wanted"), [pytest.param(10.2, 1, id="over the hold"), pytest.param(9.7, 0, id="just under it")]
)
def test_speeding_lasts_ten_seconds(seconds: float, wanted: int) -> None:
    road = Road([(10, 1.3, 0), (1, 2, 0), (seconds - 1, 0, 0), (1, -2, 0), (10, -1.3, 0)])
    told = drive(road.speed(), steady(road.seconds, 1, "speed_limit", 14.0)).events("speeding")
    assert [e.start_us for e in told] == [pytest.approx(us(10.5), abs=5000)] * wanted


def test_speeding_ends_under_the_hysteresis_only() -> None:
    up, dip = [(10, 1.6, 0), (12, 0, 0)], [(2, -1, 0), (2, 1, 0)]
    road = Road([*up, *dip, (12, 0, 0), (5, -1, 0), (5, 0, 0)])
    (event,) = drive(road.speed(), steady(road.seconds, 1, "speed_limit", 15.0)).events("speeding")
    assert event.end_us == pytest.approx(us(38 + 2.4), abs=200_000)


@pytest.mark.parametrize(
    ("seconds", "wanted"), [pytest.param(120.5, 1, id="over the hold"), pytest.param(119, 0, id="just under it")]
)
def test_idling_is_one_event_of_its_whole_length(seconds: float, wanted: int) -> None:
    road = Road([*HOP, (seconds, 0, 0), *HOP])
    told = drive(road.speed(5), steady(road.seconds, 1, "rpm", 800)).events("idling")
    assert [(e.end_us - e.start_us) / 1e6 for e in told] == [pytest.approx(seconds, abs=1)] * wanted


def test_idling_ends_when_the_engine_goes_off_or_silent() -> None:
    road = Road([*HOP, (250, 0, 0)])
    off = [*steady(180, 1, "rpm", 800), *steady(70, 1, "rpm", 0, start_s=181)]
    for engine in (off, steady(180, 1, "rpm", 800)):
        (event,) = drive(road.speed(5), engine).events("idling")
        assert event.end_us == pytest.approx(us(180), abs=us(1.1))


def test_idling_without_an_end_is_told_at_the_end_of_the_input() -> None:
    road = Road([*HOP, (150, 0, 0)])
    (event,) = drive(road.speed(5), steady(road.seconds, 1, "rpm", 800)).events("idling")
    assert event.end_us == us(190)


IDLING = ["detect.idling.hold_s=5"]


def test_idling_is_over_ten_seconds_after_the_last_row_though_the_engine_runs_on() -> None:
    (event,) = drive(steady(60, 1, "rpm", 800), steady(20, 1, "speed", 0.0), sets=IDLING).events("idling")
    assert (event.start_us, event.end_us, event.at_us) == (0, us(20), us(31))


@pytest.mark.parametrize(
    ("moves_s", "end_s"),
    [pytest.param(15.5, 15.5, id="10 s: until that row"), pytest.param(15.500001, 5.5, id="longer")],
)
def test_a_row_in_motion_ends_idling_where_it_is_not_too_late(moves_s: float, end_s: float) -> None:
    rows = [*steady(5, 1, "speed", 0.0, 0.5), (moves_s, value(moves_s, "speed", 5.0))]
    (event,) = drive(rows, steady(20, 1, "rpm", 800), sets=IDLING).events("idling")
    assert event.end_us == us(end_s)


def test_a_row_of_the_car_older_than_one_of_the_receiver_that_stood_in_is_not_judged() -> None:
    fixes = [(at, batch.fix(us(at), [48, 11, 10.0, 90, 1, 9], valid=True)) for at in range(11, 21)]
    for late, wanted_m in (([], 150), ([(20.5, value(14.9, "speed", 10.0))], 150)):
        assert drive(steady(10, 1, "speed", 10.0), fixes, late).last.distance_m == pytest.approx(wanted_m)


@pytest.mark.parametrize(
    ("powertrain", "rpm", "ignition", "engine"),
    [
        ("combustion", 800, None, "on"), ("combustion", 0, 1, "off"), ("combustion", None, 1, "on"),
        ("combustion", None, 0, "off"), ("combustion", None, None, "unknown"), ("combustion", 800, 0, "off"),
        ("hybrid", 0, 1, "on"), ("hybrid", 0, None, "unknown"), ("hybrid", 900, None, "on"), ("hybrid", 0, 0, "off"),
        ("combustion", None, 0.5, "on"), ("combustion", None, 0.49, "off"), ("hybrid", 0, 0.5, "on"), ("hybrid", 0, 0.49, "off"),
        ("combustion", 50, None, "on"), ("combustion", 49.9, None, "off"), ("electric", None, 1, "on"), ("electric", None, 0, "off"), ("electric", None, None, "unknown"),
    ],
)  # fmt: skip
def test_what_running_means_depends_on_the_powertrain(
    powertrain: str, rpm: float | None, ignition: float | None, engine: str
) -> None:
    table = Table(name="", powertrain=powertrain, vehicle_class="car", messages=())
    made = Core(load(None), table)
    told = [(0.1, "rpm", rpm), (0.2, "ignition", ignition), (0.3, "speed", 0.0)]
    made.feed(packed([(at, value(at, name, number)) for at, name, number in told if number is not None]))
    assert made.snapshot(0).engine == engine


def test_the_share_that_could_be_judged_is_known() -> None:
    road = Road([(3, 0, 0), *HOP, (3, 0, 0)])
    last = drive(road.speed()).last
    assert 0.97 * last.moving_us < last.judged_us <= last.moving_us


def test_an_engine_that_fell_silent_is_unknown_whatever_the_ignition_says() -> None:
    rows = [(0.0, value(0, "ignition", 1)), (1.0, value(1, "rpm", 800)), (20.0, value(20, "speed", 0.0))]
    samples = drive(rows).samples()
    assert (samples[0].engine, samples[-1].engine) == ("on", "unknown")
