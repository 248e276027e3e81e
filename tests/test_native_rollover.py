"""Rollover: by the gyro while rolling, by gravity when it lies; and what only turns the box."""

import math
from collections.abc import Callable, Sequence

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import AT_15, G, Matrix, Road, Timed, Told, cruise, drive, turned, us, value

START_S = 33.0
DRIVE = Road([*AT_15, *cruise(4)])
ON_END: Matrix = ((0, 0, 1), (0, 1, 0), (-1, 0, 0))
LEVEL: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def rolling(
    angle_deg: Callable[[float], float], seconds: float, *, gyro: bool = True, mount: Matrix = LEVEL, hz: float = 50
) -> list[Timed]:
    """The drive up to START_S, then the car rolls to the right by this angle; free of force while it turns fast."""
    rows = [row for row in DRIVE.imu(hz, mount, gyro=gyro) if row[0] < START_S]
    for i in range(round(seconds * hz)):
        at = i / hz
        angle, rate = math.radians(angle_deg(at)), math.radians((angle_deg(at + 0.01) - angle_deg(at - 0.01)) / 0.02)
        weight = 0.3 if abs(rate) > 0.5 else 1.0
        force = turned(mount, (0.0, G * math.sin(angle) * weight, G * math.cos(angle) * weight))
        rates = turned(mount, (rate, 0.0, 0.0)) if gyro else [None] * 3
        rows.append((START_S + at, batch.imu(us(START_S + at), [*force, *rates])))
    return rows


def speed(stops: bool, seconds: float) -> list[Timed]:
    """The drive's speed; then to rest at 8 m/s², or on as before."""
    last = DRIVE.at(START_S - 0.1)[0]
    after = [max(0.0, last - 0.8 * i) if stops else last for i in range(round(seconds * 10))]
    rows = [row for row in DRIVE.speed() if row[0] < START_S]
    return rows + [(START_S + i / 10, value(START_S + i / 10, "speed", mps)) for i, mps in enumerate(after)]


def to(deg: float, seconds: float, back_after_s: float = 1e9) -> Callable[[float], float]:
    """Over to an angle and, after a while, back."""

    def angle(at: float) -> float:
        over = deg * min(1.0, max(0.0, at / seconds))
        return over * (1 - min(1.0, max(0.0, (at - back_after_s) / seconds)))

    return angle


def rolls(told: Told) -> list[tuple]:
    return [(e.rule, pytest.approx(e.value, abs=4)) for e in told.events("rollover")]


@pytest.mark.parametrize("mount", [LEVEL, ON_END])
@pytest.mark.parametrize("deg", [90.0, 180.0, -90.0, 360.0])
def test_a_car_that_rolls_over_is_one_rollover_by_the_gyro(deg: float, mount: Matrix) -> None:
    told = drive(speed(True, 20), rolling(to(deg, 1.5), 20, mount=mount), mounted=mount is LEVEL)
    (event,) = told.events("rollover")
    assert (event.rule, event.severity, event.locked, event.sources, event.peak_mps2) == (
        "roll",
        "high",
        True,
        ("imu",),
        None,
    )
    assert START_S < event.start_us / 1e6 < START_S + 1.5
    assert event.at_us == pytest.approx(event.start_us + us(1), abs=us(0.05))
    assert 11 < event.entry_mps < 15.5


@pytest.mark.parametrize(
    ("deg", "back_after_s", "wanted"),
    [
        pytest.param(45.5, 5, ["roll"], id="over 45 degrees"),
        pytest.param(44.5, 5, [], id="just under"),
        pytest.param(60, 0.85, [], id="not held for a second"),
        pytest.param(60, 1.6, ["roll"], id="held for a second"),
    ],
)
def test_the_gyro_decides_at_45_degrees_for_a_second(deg: float, back_after_s: float, wanted: list[str]) -> None:
    told = drive(speed(False, 12), rolling(to(deg, 0.3, back_after_s), 12, hz=100))
    assert [e.rule for e in told.events("rollover")] == wanted


@pytest.mark.parametrize(
    ("deg", "wanted"),
    [
        pytest.param(61, [("attitude", 61)], id="over 60 degrees"),
        pytest.param(59, [], id="just under"),
        pytest.param(90, [("attitude", 90)], id="on its side"),
        pytest.param(180, [("attitude", 180)], id="on its roof"),
    ],
)
def test_without_a_gyro_gravity_decides_when_it_lies(deg: float, wanted: list[tuple]) -> None:
    told = drive(speed(True, 20), rolling(to(deg, 1.5), 20, gyro=False))
    assert rolls(told) == wanted


@pytest.mark.parametrize(
    ("back_after_s", "wanted"), [pytest.param(7.0, 1, id="3 s"), pytest.param(4.2, 0, id="just under")]
)
def test_it_lies_for_three_seconds(back_after_s: float, wanted: int) -> None:
    told = drive(speed(True, 15), rolling(to(90, 1.0, back_after_s), 15, gyro=False))
    assert len(rolls(told)) == wanted


def test_a_rollover_takes_its_speed_signal_along() -> None:
    silent = [row for row in speed(True, 20) if row[0] < START_S + 0.5]
    assert rolls(drive(silent, rolling(to(90, 1.5), 20, gyro=False))) == [("attitude", 90)]


def test_a_car_that_lies_on_its_side_is_in_no_bend() -> None:
    told = drive(speed(True, 20), rolling(to(90, 1.5), 20, gyro=False))
    assert {e.name for e in told.events()} <= {"rollover", "harsh_braking"}


def test_a_box_that_is_turned_in_a_car_that_stands_is_no_rollover() -> None:
    stopped = Road([*AT_15, (10, -1.6, 0), (40, 0, 0)])
    hands = [(at, raw) for at, raw in stopped.imu(50) if at < 55]
    hands += [(at, raw) for at, raw in stopped.imu(50, ON_END) if at >= 55]
    assert not drive(stopped.speed(), hands).events()


@pytest.mark.parametrize(
    ("after_s", "wanted"), [pytest.param(4, 0, id="it stood upright"), pytest.param(0.5, 1, id="it had not")]
)
def test_what_stood_upright_first_has_not_rolled_over(after_s: float, wanted: int) -> None:
    rows = rolling(lambda at: 90.0 if at >= 3 + after_s else 0.0, 20, gyro=False)
    told = drive(speed(True, 20), rows)
    assert len(told.events("rollover")) == wanted


def test_a_box_that_was_moved_in_a_stop_drives_on_another_way_up() -> None:
    road = Road([*AT_15, (10, -1.6, 0), (20, 0, 0), (10, 1.5, 0), *cruise(60)])
    rows = [(at, raw) for at, raw in road.imu(50) if at < 50] + [
        (at, raw) for at, raw in road.imu(50, ON_END) if at >= 50
    ]
    assert not drive(road.speed(), rows, mounted=False).events("rollover")


def test_hard_bends_bumps_and_hills_are_none() -> None:
    bends = [(3, 0, 7.0), (1, 0, -7.0), (3, 0, 7.0), (8, 0, -6.0)]
    road = Road(
        [*AT_15, *bends, (2, -8, 0), *cruise(6)], blow=lambda t: (0, 0, 15 * math.sin(40 * t)), grade=lambda t: 0.3
    )
    for gyro in (True, False):
        assert not drive(road.speed(), road.imu(100, gyro=gyro)).events("rollover")


STEP_S = 1 / 64
"""In microseconds, and as a double, without a rest."""


def lying(at_s: Sequence[float], forces: Sequence[tuple[float, float]]) -> Told:
    """Samples without a gyro: what is felt to the left and upwards. 10 m/s up to the first that does not lie level, then 0."""
    stops = next(at for at, force in zip(at_s, forces, strict=True) if force != (0.0, G))
    felt = [(at, batch.imu(us(at), [0.0, *force])) for at, force in zip(at_s, forces, strict=True)]
    rows = [(0.1 * i, value(0.1 * i, "speed", 10.0)) for i in range(int(stops * 10))]
    rows += [(at, value(at, "speed", 0.0)) for at in (stops - 0.001 + 0.1 * i for i in range(250))]
    return drive(rows, felt)


@pytest.mark.parametrize(
    ("less_us", "wanted"), [pytest.param(0, 1, id="5 s"), pytest.param(1, 0, id="a microsecond less")]
)
def test_up_is_known_after_five_seconds_of_driving(less_us: int, wanted: int) -> None:
    """The third sample is the first of a sensor that is known to be fast; from there it is 320 steps."""
    times = [i * STEP_S - (less_us / 1e6 if i >= 322 else 0) for i in range(800)]
    told = lying(times, [(0.0, G) if i <= 322 else (G, 0.0) for i in range(800)])
    assert len(told.events("rollover")) == wanted


def cosine(left: float, up: float) -> float:
    """As native/angle.c has it, of the angle to level."""
    return up * G / (math.sqrt(left * left + up * up) * math.sqrt(G * G))


@pytest.mark.parametrize(
    ("least", "wanted"), [pytest.param(0.9063, 2, id="25 degrees"), pytest.param(math.nextafter(0.9063, 0), 1, id="more")]
)  # fmt: skip
def test_a_car_that_was_put_back_on_its_wheels_may_roll_over_again(least: float, wanted: int) -> None:
    up = 0.9063 * G
    left = next(n for n in (4.14463313728 + i * 2**-50 for i in range(1000)) if cosine(n, up) == least)
    put_back = [(0.0, G)] * 512 + [(G, 0.0)] * 256 + [(left, up)] * 64 + [(G, 0.0)] * 256
    told = lying([i * STEP_S for i in range(len(put_back))], put_back)
    assert len(told.events("rollover")) == wanted


def test_a_gyro_that_drifts_is_drawn_back_by_gravity() -> None:
    road = Road([*AT_15, *cruise(120)])
    rows = []
    for at, raw in road.imu(50):
        force, rates = batch._NUMBERS.unpack(raw)[6:9], batch._NUMBERS.unpack(raw)[9:12]
        rows.append((at, batch.imu(us(at), [*force, rates[0] + 0.035, *rates[1:]])))
    assert not drive(road.speed(), rows).events("rollover")


def test_a_rule_that_is_off_says_nothing() -> None:
    parts = speed(True, 20), rolling(to(180, 1.5), 20)
    assert rolls(drive(*parts))
    assert not rolls(drive(*parts, sets=["detect.rollover.enabled=false"]))
