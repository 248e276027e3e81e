"""Which way up the box is: found from driving, told once, and again when it matters."""

import math
from itertools import permutations, product

import pytest

from agent.core import Core, Event
from agent.settings import defaults
from agent.vehicle import Table
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import CALM, KMH, LEVEL, Matrix, Road, Told, cruise, drive, packed, turned

END = [
    (4, 0, 0),
    (10, 2.0, 0),
    *cruise(8),
    (2, -5, 0),
    *cruise(6),
    (2.5, 0, 4.6),
    *cruise(6),
    (2.5, 0, -4.6),
    *cruise(6),
]
WANTED = [("harsh_braking", None), ("harsh_cornering", "left"), ("harsh_cornering", "right")]


def right_angles() -> list[Matrix]:
    """The 24 ways to turn a box by right angles."""
    found = []
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        rows = tuple(tuple(sign if i == at else 0 for i in range(3)) for at, sign in zip(order, signs, strict=True))
        a, b, c = rows
        if sum(a[i] * (b[i - 2] * c[i - 1] - b[i - 1] * c[i - 2]) for i in range(3)) > 0:
            found.append(rows)
    return found


def oblique(yaw: float, pitch: float, roll: float) -> Matrix:
    (cy, sy), (cp, sp), (cr, sr) = ((math.cos(a), math.sin(a)) for a in (yaw, pitch, roll))
    return (
        (cy * cp, sy * cp, -sp),
        (cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, cp * sr),
        (cy * sp * cr + sy * sr, sy * sp * cr - cy * sr, cp * cr),
    )


def angles(told: Told, mount: Matrix) -> tuple[float, float]:
    """How far forward and up of a calibration are off, degrees."""
    matrix = (told.rotation[0:3], told.rotation[3:6], told.rotation[6:9])
    forward, up = ([row[i] for row in mount] for i in (0, 2))
    cosines = turned(matrix, forward)[0], turned(matrix, up)[2]
    return tuple(math.degrees(math.acos(min(1.0, c))) for c in cosines)


@pytest.mark.parametrize("mount", right_angles())
def test_turned_by_right_angles_the_same_drive_is_the_same(mount: Matrix) -> None:
    road = Road([*CALM * 3, *END])
    told = drive(road.speed(5), road.imu(20, mount), mounted=False)
    assert [(e.name, e.direction) for e in told.events()] == WANTED
    assert max(angles(told.calibrations()[-1], mount)) < 3


@pytest.mark.parametrize(
    "speed",
    [
        pytest.param({"hz": 10, "quantum": KMH}, id="whole km/h at 10 Hz"),
        pytest.param({"hz": 1, "quantum": KMH}, id="whole km/h at 1 Hz"),
        pytest.param({"hz": 10, "quantum": KMH, "refresh_s": 1.0}, id="a staircase"),
        pytest.param({"hz": 2, "quantum": KMH, "delay_s": 0.3}, id="late"),
    ],
)
def test_any_speed_signal_and_any_angle_will_do(speed: dict[str, float]) -> None:
    mount, road = oblique(0.7, 0.4, -1.2), Road([*CALM * 4, *END])
    told = drive(road.speed(**speed), road.imu(20, mount, shake=1.0), mounted=False)
    assert [(e.name, e.direction) for e in told.events()] == WANTED
    forward, up = angles(told.calibrations()[-1], mount)
    assert up < 2
    assert forward < 8


@pytest.mark.parametrize(
    ("mps2", "wanted"), [pytest.param(0.4523, 1, id="a spread of 8 (m/s2)2"), pytest.param(0.4518, 0, id="just under")]
)
def test_a_mounting_is_learnt_from_drives_that_are_lively_enough(mps2: float, wanted: int) -> None:
    """Forty windows of a second at +- a: a^2 times the sum of (1 - 1/900)^i, which is 39.14."""
    road = Road([(1, 5, 0), (1, 0, 0), *((1.0, sign * mps2, 0.0) for _ in range(20) for sign in (1, -1))])
    told = drive(road.speed(1), road.imu(20, shake=0), mounted=False)
    assert len(told.calibrations()) == wanted


def test_a_road_with_slopes_is_averaged_out() -> None:
    road = Road([*CALM * 5], grade=lambda t: 0.08 * math.sin(t / 40))
    told = drive(road.speed(), road.imu(20), mounted=False)
    assert max(angles(told.calibrations()[-1], LEVEL)) < 5


def test_without_anything_to_learn_from_nothing_is_told_and_gravity_is_no_event() -> None:
    on_side = ((1, 0, 0), (0, 0, -1), (0, 1, 0))
    road = Road([(2, 0, 0), (4, 1.5, 0), *cruise(8)])
    told = drive(road.speed(), road.imu(50, on_side), mounted=False)
    assert not told.calibrations()
    assert not told.events()


def test_rotation_turns_gravity_up_exactly() -> None:
    road = Road(CALM * 2)
    told = drive(road.speed(), road.imu(20, oblique(2.0, -0.8, 0.3)), mounted=False).calibrations()[0]
    rows = (told.rotation[0:3], told.rotation[3:6], told.rotation[6:9])
    assert turned(rows, told.gravity) == pytest.approx([0, 0, 1], abs=1e-12)
    assert 0.5 < told.quality <= 1


def test_a_box_that_is_moved_is_learnt_anew() -> None:
    first, second = Road(CALM * 3), Road([*CALM * 4, *END])
    mount = ((0, 0, 1), (0, 1, 0), (-1, 0, 0))
    later = [(at + 180, raw) for at, raw in second.imu(20, mount)]
    shifted = [*first.imu(20), *((at, move(raw)) for at, raw in later)]
    speed = [*first.speed(5), *((at + 180, move(raw)) for at, raw in second.speed(5) if at > 0)]
    told = drive(speed, shifted, mounted=False)
    assert max(angles(told.calibrations()[0], LEVEL)) < 5
    assert max(angles(told.calibrations()[-1], mount)) < 5
    assert [(e.name, e.direction) for e in told.events()] == WANTED


def move(raw: bytes) -> bytes:
    """The same input three minutes later."""
    return (int.from_bytes(raw[:8], "little", signed=True) + 180_000_000).to_bytes(8, "little", signed=True) + raw[8:]


def test_a_stored_calibration_judges_from_the_first_second() -> None:
    table = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
    upright = (0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
    made, road = Core(defaults(), table, upright), Road([(3, 0, 0), (10, 1.5, 0), (4, 0, 0), (1.5, 0, 4.5), (4, 0, 0)])
    found = made.feed(packed(road.speed(), road.imu(50, ((0, 0, 1), (0, 1, 0), (-1, 0, 0))))) + made.finish()
    assert [(o.name, o.direction, o.sources[-1]) for o in found if isinstance(o, Event)] == [
        ("harsh_cornering", "left", "imu")
    ]
