"""A crash rule's last digits: a row at each number and one just under it, where the drives of test_native_crash do not go."""

import math
from collections.abc import Callable

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import G, Road, Timed, Vector, core, cruise, drive, half_sine, packed, steady, us, value
from tests.test_native_crash import TO_15, clip

WEAK = half_sine(20.0, 0.05, 1.4, (-1, 0, 0))


def square(start_s: float, seconds: float, mps2: float, along: Vector = (0, 1, 0)) -> Callable[[float], Vector]:
    """A blow that grows a little, so that no sample repeats another as a saturated sensor does."""

    def force(at: float) -> Vector:
        is_on = start_s - 1e-7 <= at < start_s + seconds - 1e-7
        size = mps2 + 100 * (at - start_s) if is_on else 0.0
        return (size * along[0], size * along[1], size * along[2])

    return force


def both(*blows: Callable[[float], Vector]) -> Callable[[float], Vector]:
    return lambda t: tuple(map(sum, zip(*(blow(t) for blow in blows), strict=True)))


@pytest.mark.parametrize(
    ("at_us", "wanted"),
    [pytest.param(22_485_000, ["crash"], id="at the end"), pytest.param(22_485_001, [], id="a microsecond later")],
)
def test_a_standing_car_moves_within_a_second_and_a_half_and_a_refresh_of_a_push(at_us: int, wanted: list) -> None:
    push = Road([(30, 0, 0)], blow=lambda t: (60, 0, 0) if 20 <= t < 20.1 - 1e-6 else (0, 0, 0))
    stands = [row for row in steady(30, 10, "speed", 0.0) if row[0] < 22.3]
    moves = [(at_us / 1e6 + after, value(at_us / 1e6 + after, "speed", 2.0)) for after in (0, 0.5)]
    assert [e.name for e in drive([*stands, *moves], push.imu(200, shake=0)).events()] == wanted


@pytest.mark.parametrize(
    ("range_g", "severity"), [pytest.param(7.9, "high", id="at 7.9 g"), pytest.param(7.8, "low", id="just under")]
)
def test_a_sensor_of_eight_g_that_saturates_is_in_a_severe_blow(range_g: float, severity: str) -> None:
    road = Road([*TO_15, *cruise(20)], blow=lambda t: (0, 150, 0) if 20 <= t < 20.02 - 1e-6 else (0, 0, 0))
    rows = [(at, clip(raw, range_g * G)) for at, raw in road.imu(400, shake=0)]
    (event,) = drive(road.speed(), rows).events()
    assert (event.name, event.severity, event.dv_clipped, event.locked) == ("impact", severity, True, False)


@pytest.mark.parametrize(
    ("range_g", "severity", "locked"), [(7.9, "high", True), (7.8, "low", False)], ids=["at 7.9 g", "just under"]
)
def test_a_saturated_crash_is_severe_and_kept(range_g: float, severity: str, locked: bool) -> None:
    road = Road([*TO_15, *cruise(20)], blow=lambda t: (0, 150, 0) if 20 <= t < 20.035 - 1e-6 else (0, 0, 0))
    rows = [(at, clip(raw, range_g * G)) for at, raw in road.imu(400, shake=0)]
    (event,) = drive(road.speed(), rows).events()
    assert (event.name, event.severity, event.dv_clipped, event.locked) == ("crash", severity, True, locked)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        pytest.param(0, 0.5, "crash", id="a half is deployed"),
        pytest.param(0, 0.499, "impact", id="less is not"),
        pytest.param(0.499, 1, "crash", id="less was not"),
        pytest.param(0.5, 1, "impact", id="a half was"),
    ],
)
def test_an_airbag_is_deployed_from_a_half_on(before: float, after: float, wanted: str) -> None:
    road = Road([*TO_15, *cruise(16)], blow=WEAK)
    told = [*steady(20, 5, "airbag", before), *steady(12, 5, "airbag", after, start_s=20.3)]
    assert [e.name for e in drive(road.speed(), road.imu(200), told).events()] == [wanted]


@pytest.mark.parametrize(
    ("mps", "wanted"), [pytest.param(7.69, "crash", id="2 m/s, and 9 m/s2 since the row before it"), (7.691, "impact")]
)
def test_a_loss_of_speed_that_no_brake_makes_confirms(mps: float, wanted: str) -> None:
    road = Road([(33, 0, 0)], blow=square(20, 0.05, 20))
    rows = [*steady(20.4, 10, "speed", 15.0), (20.49, value(20.49, "speed", mps)), *steady(12, 10, "speed", mps, 20.59)]
    told = drive(rows, road.imu(200, shake=0), sets=["detect.crash.delta_v_mps=2.0"])
    assert [e.name for e in told.events("crash", "impact")] == [wanted]


def test_the_ten_quiet_seconds_after_a_crash_end_with_their_last_microsecond() -> None:
    road = Road([(30, 0, 0)], blow=both(square(5, 0.1, 60), square(15.2, 0.2, 40)))
    first, second = drive(steady(30, 10, "speed", 15.0), road.imu(200, shake=0)).events()
    assert (first.name, second.name) == ("crash", "crash")
    assert second.start_us == first.at_us + us(10)


@pytest.mark.parametrize(
    ("hit_s", "end_us"),
    [
        pytest.param(3.0, 3_250_000, id="time zero is the blow's first sample"),
        pytest.param(3.0005, 3_250_000, id="the point right before it, newest of all"),
        pytest.param(3.001, 3_251_500, id="the first point within it"),
    ],
)
def test_a_blow_is_measured_for_a_quarter_of_a_second_from_its_time_zero(hit_s: float, end_us: int) -> None:
    road = Road([(4, 0, 0)], blow=square(hit_s, 0.1, 60, (-1, 0, 0)))
    told = drive(steady(4, 10, "speed", 15.0), road.imu(2000, shake=0), sets=["detect.crash.hold_s=0"])
    (event,) = told.events()
    assert (event.name, event.at_us) == ("crash", end_us)


@pytest.mark.parametrize(
    ("mps", "wanted"), [(0.5, ["crash"]), (0.499999, [])], ids=["half a metre a second", "it stands"]
)
def test_an_engine_that_goes_off_confirms_nothing_in_a_car_that_stood(mps: float, wanted: list) -> None:
    felt = Road([(40, 0, 0)], blow=WEAK).imu(200, shake=0)
    engine = [*steady(20, 5, "rpm", 800.0), *steady(18, 5, "rpm", 0.0, 20.3)]
    assert [e.name for e in drive(steady(40, 10, "speed", mps), felt, engine).events("crash", "impact")] == wanted


def test_a_speed_that_comes_only_after_a_blow_confirms_nothing() -> None:
    felt = Road([(40, 0, 0)], blow=WEAK).imu(200, shake=0)
    assert [e.name for e in drive(steady(18, 10, "speed", 0.0, 20.5), felt).events()] == ["impact"]


@pytest.mark.parametrize(
    ("mps", "wanted"), [pytest.param(10 / 3.6, "crash", id="from 10 km/h"), pytest.param(10 / 3.6 - 1e-9, "impact", id="less")]
)  # fmt: skip
def test_a_stop_confirms_a_blow_in_driving(mps: float, wanted: str) -> None:
    rows = [*steady(22.5, 10, "speed", mps), *steady(15, 10, "speed", 0.0, 22.6)]
    assert [e.name for e in drive(rows, Road([(40, 0, 0)], blow=WEAK).imu(200, shake=0)).events()] == [wanted]


@pytest.mark.parametrize(
    ("confirm_s", "wanted"), [pytest.param(3, ["crash"], id="longer than a push takes"), pytest.param(2, [], id="shorter")]
)  # fmt: skip
def test_a_push_is_waited_for_no_longer_than_the_setting_says(confirm_s: int, wanted: list) -> None:
    push = Road([(30, 0, 0)], blow=lambda t: (60, 0, 0) if 20 <= t < 20.1 - 1e-6 else (0, 0, 0))
    rows = [*steady(22.1, 10, "speed", 0.0), *steady(6, 10, "speed", 2.0, 22.2)]
    told = drive(rows, push.imu(200, shake=0), sets=[f"detect.crash.confirm_s={confirm_s}"])
    assert [e.name for e in told.events()] == wanted


@pytest.mark.parametrize(
    ("row_s", "wanted"), [pytest.param(20.05, "crash", id="after the blow"), pytest.param(19.95, "impact", id="before it, told late")]
)  # fmt: skip
def test_a_loss_of_speed_before_a_blow_is_none_by_it(row_s: float, wanted: str) -> None:
    rows = [row for row in steady(40, 10, "speed", 15.0) if row[0] != 20]
    rows.append((20.052, value(row_s, "speed", 9.9)))
    told = drive(rows, Road([(40, 0, 0)], blow=WEAK).imu(200, shake=0))
    assert [e.name for e in told.events("crash", "impact")] == [wanted]


def test_a_blow_that_ends_an_imu_is_judged_by_the_next_second() -> None:
    road = Road([(30, 0, 0)], blow=square(20.5, 0.1, 60))
    felt = [row for row in road.imu(200, shake=0) if row[0] < 20.62]
    (event,) = drive(steady(30, 10, "speed", 15.0), felt).events()
    assert (event.name, event.at_us) == ("crash", us(21))


@pytest.mark.parametrize(
    ("second_mps2", "wanted", "vertical"),
    [pytest.param(60, ["crash"], 0, id="as hard: the first counts"), pytest.param(60.1, [], 1, id="harder: within a tenth")],
)  # fmt: skip
def test_of_two_jolts_from_below_the_harder_one_is_remembered_for_a_tenth_of_a_second(
    second_mps2: float, wanted: list, vertical: int
) -> None:
    def jolts(t: float) -> Vector:
        return (0, 0, 60 if abs(t - 20) < 0.001 else second_mps2 if abs(t - 20.06) < 0.001 else 0)

    road = Road([(34, 0, 0)], blow=both(jolts, square(20.13, 0.06, 45)))
    told = drive(steady(34, 10, "speed", 15.0), road.imu(200, shake=0))
    assert [e.name for e in told.events()] == wanted
    assert told.counters["not_judged"]["crash_vertical"] == vertical


@pytest.mark.parametrize(
    ("before_s", "delta_v_mps"), [pytest.param(0.14, 8.7375, id="0.14 s"), pytest.param(0.2, 8.8935, id="at most 0.15 s")]
)  # fmt: skip
def test_a_blow_that_begins_gently_began_at_most_so_long_before(before_s: float, delta_v_mps: float) -> None:
    hard = square(3, 0.1, 60, (-1, 0, 0))
    road = Road([(4, 0, 0)], blow=lambda t: (-16, 0, 0) if 3 - before_s - 1e-7 <= t < 3 - 1e-7 else hard(t))
    (event,) = drive(steady(4, 10, "speed", 15.0), road.imu(2000, shake=0)).events()
    assert (event.start_us, event.delta_v_mps) == (us(3), pytest.approx(delta_v_mps, abs=1e-6))
    assert event.name == "crash"
    assert event.at_us < us(3.25)  # its first 150 ms alone are one: nothing is waited for


def test_a_saturated_blow_that_nobody_can_judge_makes_the_one_before_no_worse() -> None:
    """The weak blow waits; then the sensor feels 3 g for so long that it is none, and saturates."""
    heavy = both(square(20, 0.05, 21), lambda t: (0, 0, 1.9 * G) if 20.5 <= t < 29 else (0, 0, 0))
    road = Road([(34, 0, 0)], blow=both(heavy, lambda t: (0, 150, 0) if 28 <= t < 28.012 else (0, 0, 0)))
    felt = [(at, clip(raw, 7.9 * G)) for at, raw in road.imu(200, shake=0)]
    told = drive(steady(34, 10, "speed", 15.0), felt)
    assert [(e.name, e.severity, e.dv_clipped) for e in told.events()] == [("impact", "low", False)]
    assert told.counters["not_judged"]["crash_no_gravity"] == 1


def test_a_loss_by_the_brakes_since_the_speed_before_a_blow_confirms_none() -> None:
    """Half a second of braking lies between two rows; the knock is a deep pothole's, 2.5 km/h."""
    road = Road([*TO_15, *cruise(6), (1.2, -8, 0), *cruise(12)], blow=half_sine(22.95, 0.03, 0.7, (-1, 0, 0)))
    assert [e.name for e in drive(road.speed(2), road.imu(400)).events("crash", "impact")] == ["impact"]


# ---- by the speed alone ----------------------------------------------------------------------------------------------


def climb(start_s: float, seconds: float, most_mps: float) -> list[Timed]:
    """Ten rows a second, 2.5 m/s2 up to a speed."""
    times = [start_s + i / 10 for i in range(round(seconds * 10))]
    return [(at, value(at, "speed", min(most_mps, (i + 1) / 4))) for i, at in enumerate(times)]


def crash(start_s: float, mps: float, rests_s: float) -> list[Timed]:
    """To a stand within 0.7 s."""
    times = [start_s + i / 10 for i in range(round(7 + rests_s * 10))]
    return [(at, value(at, "speed", max(0.0, mps - mps / 7 * (i + 1)))) for i, at in enumerate(times)]


@pytest.mark.parametrize(("mps", "locked"), [(15.0, True), (14.999, False)])
def test_a_loss_of_speed_is_kept_from_the_lock_on(mps: float, locked: bool) -> None:
    rows = [*climb(0, 20, mps), *crash(20, mps, 5)]
    (event,) = drive(rows, sets=["detect.crash.lock_mps=15"]).events("crash")
    assert (event.delta_v_mps, event.locked) == (mps, locked)


@pytest.mark.parametrize(
    ("stands_s", "wanted"), [pytest.param(5, 2, id="10.9 s later"), pytest.param(3.5, 1, id="9.4 s later")]
)
def test_a_second_loss_of_speed_within_ten_seconds_is_the_same_crash(stands_s: float, wanted: int) -> None:
    first = [*climb(0, 20, 15.0), *crash(20, 15.0, stands_s)]
    again_s = 20.7 + stands_s
    told = drive(first, climb(again_s, 6, 15.0), crash(again_s + 6, 15.0, 4))
    assert len(told.events("crash")) == wanted


@pytest.mark.parametrize(("hz", "wanted"), [(20, []), (19.9, ["crash"])])
def test_where_an_imu_of_twenty_hertz_feels_nothing_the_speed_alone_is_no_crash(hz: float, wanted: list) -> None:
    told = drive([*climb(0, 20, 15.0), *crash(20, 15.0, 5)], Road([(32, 0, 0)]).imu(hz, gyro=False))
    assert [e.name for e in told.events()] == wanted


@pytest.mark.parametrize(
    ("least", "wanted"), [pytest.param(1.3, ["crash"], id="to a stand"), pytest.param(1.5, [], id="not quite")]
)
def test_a_loss_of_speed_that_does_not_end_near_zero_is_no_crash(least: float, wanted: list) -> None:
    falls = [max(least, 15 - 2.5 * (i + 1)) for i in range(40)]
    rows = [
        (20 + i / 10, value(20 + i / 10, "speed", mps + 0.01 * (i % 2) * (mps == least))) for i, mps in enumerate(falls)
    ]
    assert [e.name for e in drive([*climb(0, 20, 15.0), *rows]).events("crash")] == wanted


@pytest.mark.parametrize(
    ("wanted", "severity", "locked"),
    [pytest.param(0.0, "medium", True, id="at the threshold"), pytest.param(math.inf, "low", False, id="just over it")],
)
def test_a_change_of_speed_at_its_threshold_is_medium_and_locked(wanted: float, severity: str, locked: bool) -> None:
    road = Road([*TO_15, *cruise(20)], blow=half_sine(20.0, 0.1, 4.5, (0, 1, 0)))
    felt = road.imu(100, shake=0)
    (event,) = drive(road.speed(), felt).events("crash")
    assert event.delta_v_mps is not None
    at_mps = max(event.delta_v_mps, math.nextafter(event.delta_v_mps, wanted) if wanted else 0.0)
    sets = ["detect.crash.high_mps=90", *(f"detect.crash.{name}={at_mps!r}" for name in ("medium_mps", "lock_mps"))]
    (again,) = drive(road.speed(), felt, sets=sets).events("crash")
    assert (again.delta_v_mps, again.severity, again.locked) == (event.delta_v_mps, severity, locked)


@pytest.mark.parametrize(("stops_mps", "counted"), [(1.4, 0), (1.399999, 1)])
def test_a_slow_signal_that_falls_to_under_five_kmh_could_have_been_a_crash(stops_mps: float, counted: int) -> None:
    rows = steady(12, 1, "speed", 12.0), steady(3, 1, "speed", stops_mps, 13.0)
    assert drive(*rows).counters["not_judged"]["crash_refresh_too_slow"] == counted


def test_the_alarm_tells_when_a_blow_began_and_how_much_the_ring_took() -> None:
    road = Road([*TO_15, *cruise(20)], blow=half_sine(20.0, 0.1, 6, (-1, 0, 0)))
    rows = sorted(row for row in (*road.speed(), *road.imu(100, shake=0)) if row[0] < 20.1)
    made = core("ring.before_s=1")
    assert (made.alarm().blow_us, made.alarm().ringed) == (None, 0)
    made.feed(packed(rows))
    blow_us = made.alarm().blow_us
    assert blow_us is not None
    assert 20_000_000 <= blow_us <= 20_040_000
    assert made.alarm().ringed == sum(24 if raw[12] == batch.VALUE else 64 for _, raw in rows)


@pytest.mark.parametrize(("felt_g", "wanted"), [(0.349, []), (0.351, ["crash"])], ids=["0.349 g", "0.351 g"])
def test_a_box_that_weighs_next_to_nothing_before_a_blow_has_fallen(felt_g: float, wanted: list) -> None:
    def falls(t: float) -> Vector:
        return (0, 0, (felt_g - 1) * G) if 19.9 <= t < 20 else (60, 0, 0) if 20 <= t < 20.05 else (0, 0, 0)

    road = Road([*TO_15, *cruise(20)], blow=falls)
    assert [event.name for event in drive(road.speed(), road.imu(200, shake=0)).events()] == wanted
