"""A parked car that is struck, lifted or carried away; and what else shakes a box, or moves it."""

import math
from collections.abc import Callable, Sequence

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import KMH, Road, Timed, Told, Vector, drive, half_sine, steady, turned, us, value

SIDES = {"front": (-1, 0, 0), "rear": (1, 0, 0), "left": (0, -1, 0), "right": (0, 1, 0)}
OFF = [(0.0, value(0, "ignition", 0))]
NOTHING: Vector = (0.0, 0.0, 0.0)


def between(start_s: float, end_s: float, force: Vector) -> Callable[[float], Vector]:
    return lambda at: force if start_s <= at < end_s - 1e-6 else NOTHING


def parked(
    blow: Callable[[float], Vector] | None, *, hz: float = 100, sets: Sequence[str] = (), switch: list[Timed] = OFF
) -> Told:
    """A minute with the ignition off; what the sensor feels."""
    return drive(switch, Road([(60, 0, 0)], blow=blow).imu(hz, gyro=False, shake=0), sets=sets)


@pytest.mark.parametrize(
    ("mps2", "wanted"), [pytest.param(9.82, 1, id="at 1 g"), pytest.param(9.80, 0, id="just under 1 g")]
)
def test_a_parked_car_is_struck_by_one_g(mps2: float, wanted: int) -> None:
    assert len(parked(between(30, 30.05, (0, mps2, 0))).events("parked_impact")) == wanted


@pytest.mark.parametrize("side", SIDES)
def test_an_impact_is_described(side: str) -> None:
    (event,) = parked(half_sine(30, 0.1, 2.0, SIDES[side])).events()
    assert (event.name, event.direction, event.severity, event.sources) == ("parked_impact", side, "medium", ("imu",))
    assert event.peak_mps2 == pytest.approx(31.4, abs=0.2)
    assert (event.value, event.start_us) == (None, pytest.approx(us(30.01), abs=us(0.02)))


@pytest.mark.parametrize(("peak", "level"), [(15, "low"), (20, "medium"), (39, "medium"), (40, "high")])
def test_severity_follows_the_peak(peak: float, level: str) -> None:
    assert [e.severity for e in parked(between(30, 30.03, (peak, 0, 0))).events()] == [level]


@pytest.mark.parametrize(
    ("switch", "wanted"),
    [
        pytest.param(OFF, 1, id="ignition off"),
        pytest.param([(0.0, value(0, "ignition", 1))], 0, id="ignition on"),
        pytest.param([], 0, id="nobody knows"),
        pytest.param([(25.0, value(25, "ignition", 0))], 0, id="off for 5 s: people leave"),
        pytest.param([(19.0, value(19, "ignition", 0))], 1, id="off for 11 s"),
        pytest.param([*steady(9, 1, "rpm", 800), *steady(50, 1, "rpm", 0, 10), *steady(60, 1, "speed", 0)], 1, id="it ran and stopped"),
        pytest.param([*steady(60, 1, "rpm", 0), *steady(60, 1, "speed", 0)], 0, id="it never ran: no engine to go by"),
        pytest.param([*steady(9, 1, "rpm", 800), *steady(50, 1, "rpm", 0, 10), *steady(60, 1, "speed", 9)], 0, id="a hybrid drives"),
        pytest.param([*steady(5, 1, "rpm", 800), (6.0, value(6, "rpm", 0)), *steady(50, 1, "speed", 0, 6.5)], 1, id="its stand is told later"),
        pytest.param([*OFF, (20.0, value(20, "ignition", 1)), (25.0, value(25, "ignition", 0))], 0, id="off again for 5 s"),
    ],
)  # fmt: skip
def test_only_a_parked_car_is_watched(switch: list[Timed], wanted: int) -> None:
    assert len(parked(between(30, 30.05, (0, 12, 0)), switch=switch).events("parked_impact")) == wanted


def test_one_bad_sample_of_a_fast_sensor_is_none_and_one_of_a_slow_one_is() -> None:
    fast = parked(lambda at: (-64, 0, 0) if abs(at - 30) < 0.002 else NOTHING)
    assert not fast.events()
    assert fast.counters["not_judged"]["parked_short"] == 1
    assert len(parked(between(30, 30.1, (12, 0, 0)), hz=10).events("parked_impact")) == 1


@pytest.mark.parametrize(
    "blow",
    [
        pytest.param(lambda at: (25 * math.sin(9 * at), 9, 0) if 30 <= at < 36 else NOTHING, id="shaken"),
        pytest.param(lambda at: (0, 0, -9.5) if 30 <= at < 30.4 else (60, 0, 90) if 30.4 <= at < 30.44 else NOTHING, id="dropped"),
        pytest.param(lambda at: (15, 0, 0) if 30 <= at < 30.1 else (9.8, 0, -9.8) if at >= 30.1 else NOTHING, id="turned over"),
    ],
)  # fmt: skip
def test_a_box_that_is_handled_is_no_impact(blow: Callable[[float], Vector]) -> None:
    told = parked(blow)
    assert not told.events("parked_impact", "tow")
    assert told.counters["not_judged"]["parked_handled"] >= 1


def test_a_blow_that_rings_is_one_event() -> None:
    both = [half_sine(30, 0.08, 1.5, (-1, 0, 0)), half_sine(30.9, 0.08, 1.5, (1, 0, 0))]
    assert len(parked(lambda at: tuple(a + b for a, b in zip(both[0](at), both[1](at), strict=True))).events()) == 1


# ---- tow -----------------------------------------------------------------------------------------------------------


def tilted(deg: float, start_s: float = 20.0, end_s: float = 1e9) -> list[Timed]:
    """80 s parked, tilted for a while."""
    rows = []
    for i in range(80 * 10):
        angle = math.radians(deg) if start_s <= i / 10 < end_s else 0.0
        turn = ((math.cos(angle), 0, -math.sin(angle)), (0, 1, 0), (math.sin(angle), 0, math.cos(angle)))
        rows.append((i / 10, batch.imu(us(i / 10), turned(turn, (0, 0, 9.81)))))
    return rows


@pytest.mark.parametrize(
    ("deg", "end_s", "wanted"),
    [
        pytest.param(5.1, 99, [("tow", "tilt", 5.1)], id="over 5 degrees"),
        pytest.param(4.9, 99, [], id="just under"),
        pytest.param(9, 42, [("tow", "tilt", 9.0)], id="for 20 s"),
        pytest.param(9, 39, [], id="just under 20 s"),
        pytest.param(30, 99, [("tow", "tilt", 30.0)], id="on the hook"),
        pytest.param(60, 99, [], id="the box was moved"),
    ],
)
def test_a_parked_car_is_lifted(deg: float, end_s: float, wanted: list[tuple]) -> None:
    told = drive(OFF, tilted(deg, end_s=end_s))
    assert [(e.name, e.rule, pytest.approx(e.value, abs=0.05)) for e in told.events()] == wanted


def carried(mps: float, seconds: float, *, goes: bool = True) -> list[Timed]:
    """A receiver that tells this speed from 20 s on, and goes that way, or stays."""
    rows = []
    for i in range(100):
        moving = 20 <= i < 20 + seconds
        way_m = mps * min(max(0, i - 20), seconds) if goes else (i % 2) * 3.0
        rows.append(
            (i, batch.fix(us(i), [48 + way_m / 111_195, 11.0, mps if moving else 0.0, 0.0, 1.0, 9], valid=True))
        )
    return rows


@pytest.mark.parametrize(
    ("mps", "seconds", "wanted"),
    [
        pytest.param(15.1 * KMH, 60, 1, id="over 15 km/h"),
        pytest.param(14.9 * KMH, 60, 0, id="just under"),
        pytest.param(10, 24, 1, id="for 20 s"),
        pytest.param(10, 19, 0, id="just under 20 s"),
    ],
)
def test_a_parked_car_is_carried_away(mps: float, seconds: float, wanted: int) -> None:
    told = drive(OFF, carried(mps, seconds))
    assert [(e.name, e.rule, e.sources, e.value) for e in told.events("tow")] == [
        ("tow", "motion", ("gnss",), pytest.approx(mps))
    ] * wanted


def test_a_receiver_between_walls_tells_speeds_but_stays() -> None:
    assert not drive(OFF, carried(8, 60, goes=False)).events("tow")


def test_a_ferry_is_told_once_as_moved_without_its_engine() -> None:
    waves = Road([(600, 0, 0)], blow=lambda at: (0, 1.2 * math.sin(at / 1.6), 0)).imu(10, gyro=False)
    sea = [(at, batch.fix(us(at), [54 + 8 * at / 111_195, 11, 8.0, 0, 1, 9], valid=True)) for at in range(15, 600)]
    assert [(e.name, e.rule) for e in drive(OFF, waves, sea).events("tow", "parked_impact")] == [("tow", "motion")]
    assert not drive(OFF, waves).events()


def test_a_drive_is_no_tow() -> None:
    for switch in ([(0.0, value(0, "ignition", 1))], [*steady(9, 1, "rpm", 800)], []):
        assert not drive(switch, carried(15, 60)).events("tow")


def test_a_tow_with_its_wheels_on_the_road_is_told_by_the_cars_own_speed() -> None:
    road = Road([(20, 0, 0), (5, 1.5, 0), (40, 0, 0)])
    assert [(e.rule, e.sources) for e in drive(OFF, road.speed(2)).events("tow")] == [("motion", ("speed",))]


@pytest.mark.parametrize("rule", ["parked_impact", "tow"])
def test_a_rule_that_is_off_says_nothing(rule: str) -> None:
    parts = OFF, tilted(9)
    blow = Road([(60, 0, 0)], blow=between(30, 30.05, (0, 12, 0))).imu(100, gyro=False, shake=0)
    for inputs, name in ((parts, "tow"), ((OFF, blow), "parked_impact")):
        wanted = [] if name == rule else [name]
        assert [e.name for e in drive(*inputs, sets=[f"detect.{rule}.enabled=false"]).events()] == wanted
