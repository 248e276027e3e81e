"""Harsh driving at its edges: gaps, joins, gates and sources of native/harsh.c, each at its number and just beside it."""

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import AT_15, Road, Timed, cruise, drive, half_sine, us, value

ALONE = "detect.harsh_braking.refractory_s=0"
AT_ONCE = "detect.harsh_braking.hold_s=0"
BRAKE = "harsh_braking"


def until(rows: list[Timed], last_s: float) -> list[Timed]:
    return [row for row in rows if row[0] < last_s + 1e-6]


@pytest.mark.parametrize(
    ("delay_s", "entry_mps"),
    [pytest.param(0.0, 16.0, id="a second: carried on"), pytest.param(-1e-6, 15.0, id="longer: as it was")],
)
def test_a_speed_is_carried_on_with_its_slope_for_a_second(delay_s: float, entry_mps: float) -> None:
    road = Road([(5, 0, 0), (16, 1, 0), (2, -4.5, 0), (3, 0, 0)])
    rows = [(at, raw) for at, raw in road.speed() if at < 19.95]
    at = 20 + delay_s
    rows.append((at, batch.value(us(at), batch.SIGNAL_INDEX["speed"], 15.0)))
    (event,) = drive(rows, road.imu(4, gyro=False, shake=0)).events(BRAKE)
    assert (event.start_us, event.entry_mps) == (us(21), pytest.approx(entry_mps, abs=1e-3))


def test_what_joined_a_brake_tells_its_last_speed_where_nobody_does_any_more() -> None:
    road = Road([*AT_15, (1, -4.5, 0), (1, 0.2, 0), (1, -4.5, 0), *cruise(20)])
    rows = [row for row in road.speed() if not 36.05 < row[0] < 44]
    (event,) = drive(rows, road.imu(), sets=["detect.harsh_braking.refractory_s=10"]).events(BRAKE)
    assert (event.entry_mps, event.exit_mps) == (pytest.approx(15, abs=0.3), pytest.approx(6.2, abs=0.3))


@pytest.mark.parametrize(
    ("gap_s", "wanted"),
    [pytest.param(1.5, [(33.0, 35.1)], id="2.5 samples"), pytest.param(1.500001, [(33.0, 33.6)], id="longer: it is over")],
)  # fmt: skip
def test_a_slow_imu_may_miss_a_sample_in_a_brake(gap_s: float, wanted: list) -> None:
    road = Road([*AT_15, (2.9, -4.5, 0), *cruise(10)])
    slow = road.imu(1 / 0.6, gyro=False, shake=0)
    again_s = 33.6 + gap_s
    felt = [
        *until(slow, 33.6),
        (again_s, batch.imu(us(again_s), [-4.5, 0, 9.80665])),
        *(r for r in slow if r[0] > 35.8),
    ]
    told = drive(road.speed(), felt, sets=[ALONE])
    assert [(e.start_us / 1e6, e.end_us / 1e6) for e in told.events(BRAKE)] == wanted


@pytest.mark.parametrize(
    ("mps2", "wanted", "disagrees"),
    [pytest.param(4.8, 1, 0, id="1.44 m/s"), pytest.param(5.2, 0, 1, id="1.56 m/s: the speed had shown it")],
)
def test_a_speed_contradicts_only_a_change_it_must_have_shown(mps2: float, wanted: int, disagrees: int) -> None:
    road = Road([*AT_15, (10, 0, 0)], blow=lambda t: (-mps2, 0, 0) if 35.95 < t < 36.35 else (0, 0, 0))
    told = drive(road.speed(), road.imu(10, gyro=False, shake=0), sets=[AT_ONCE])
    assert len(told.events(BRAKE)) == wanted
    assert told.counters["not_judged"]["harsh_speed_disagrees"] == disagrees


def test_a_brake_that_cannot_join_is_told_when_the_next_has_ended() -> None:
    road = Road([*AT_15, (0.8, -5, 0), (0.2, 0, 0), (0.3, -5, 0), *cruise(10)])
    told = drive(until(road.speed(), 33.5), road.imu(10, gyro=False, shake=0), sets=[ALONE, AT_ONCE])
    first, second = told.events(BRAKE)
    assert first.at_us <= us(34.6) < second.at_us
    assert first.end_us < second.start_us


@pytest.mark.parametrize(
    ("brake_s", "wanted"),
    [pytest.param(1.0, ["crash", BRAKE], id="over before the crash"), pytest.param(1.45, ["crash"], id="the crash itself")],
)  # fmt: skip
def test_a_brake_that_was_over_before_a_crash_is_told(brake_s: float, wanted: list) -> None:
    begins_s = 33.0 if brake_s == 1.0 else 34.3
    legs = [*AT_15, (begins_s - 33, 0, 0), (0.3 if begins_s > 33 else 1.0, -6, 0), (10, 0, 0)]
    road = Road(legs, blow=half_sine(34.7, 0.1, 6.0, (-1, 0, 0)))
    rows = until(road.speed(), 34.65)
    assert [e.name for e in drive(rows, road.imu(200), sets=[AT_ONCE]).events("crash", BRAKE)] == wanted


@pytest.mark.parametrize(
    ("refresh_s", "events", "disagrees"),
    [pytest.param(0.55, 0, 1, id="0.55 s"), pytest.param(0.551, 1, 0, id="a millisecond longer")],
)
def test_a_speed_that_refreshes_too_slowly_contradicts_nothing(refresh_s: float, events: int, disagrees: int) -> None:
    road = Road([*AT_15, *cruise(20)], blow=lambda t: (-4.5, 0, 0) if 40 <= t < 43 else (0, 0, 0))
    times = [i * refresh_s for i in range(int(road.seconds / refresh_s))]
    rows = [(at, value(at, "speed", road.at(at)[0])) for at in times]
    told = drive(rows, road.imu(50, gyro=False, shake=0))
    assert len(told.events(BRAKE)) == events
    assert told.counters["not_judged"]["harsh_speed_disagrees"] == disagrees
