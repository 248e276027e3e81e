"""A parked car at its edges: each number of native/parked_impact.c, parked.c and tow.c at its value and just beside it."""

import math
from collections.abc import Callable

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import G, Timed, Told, Vector, drive, us, value
from tests.test_native_parked import NOTHING, OFF, between, parked, tilted


def knocks(*at_s: float, hz: float = 100) -> Callable[[float], Vector]:
    """Single samples of 15 m/s² to the left."""
    return lambda at: (0, 15, 0) if any(abs(at - knock) < 0.4 / hz for knock in at_s) else NOTHING


def found(told: Told) -> list[tuple]:
    return [(e.name, e.start_us / 1e6, e.end_us / 1e6, e.at_us / 1e6) for e in told.events()]


@pytest.mark.parametrize(
    ("second_s", "wanted", "short"),
    [
        pytest.param(30.11, [("parked_impact", 30, 30.11, 34)], 0, id="two samples of one blow"),
        pytest.param(30.12, [], 2, id="a sample in between is more than 0.1 s after: two spikes"),
    ],
)
def test_samples_of_one_blow_are_a_tenth_of_a_second_apart(second_s: float, wanted: list[tuple], short: int) -> None:
    told = parked(knocks(30, second_s))
    assert found(told) == wanted
    assert told.counters["not_judged"]["parked_short"] == short


@pytest.mark.parametrize(("mps2", "wanted"), [(15.0, 1), (14.999, 0)])
def test_a_blow_is_one_from_the_setting_on(mps2: float, wanted: int) -> None:
    told = parked(between(30, 30.05, (0, mps2, 0)), sets=["detect.parked_impact.threshold_mps2=15"])
    assert len(told.events()) == wanted


@pytest.mark.parametrize(("hz", "wanted"), [(20, [("parked_impact", 30, 30, 33)]), (25, [])])
def test_one_sample_is_enough_where_they_come_every_fifty_milliseconds(hz: float, wanted: list[tuple]) -> None:
    told = parked(knocks(30, hz=hz), hz=hz)
    assert found(told) == wanted
    assert [e.confidence for e in told.events()] == [0.5] * len(wanted)


@pytest.mark.parametrize(("seconds", "wanted"), [(2.0, [("parked_impact", 30, 32, 35)]), (2.01, [])])
def test_what_lasts_longer_than_two_seconds_is_shaking(seconds: float, wanted: list[tuple]) -> None:
    told = parked(knocks(30, 30.01, 30 + seconds - 0.01, 30 + seconds))
    assert found(told) == wanted
    assert told.counters["not_judged"]["parked_handled"] == 1 - len(wanted)


@pytest.mark.parametrize(
    ("mps2", "level"), [(2 * G - 0.01, "low"), (2 * G + 0.01, "medium"), (4 * G - 0.01, "medium"), (4 * G + 0.01, "high")]
)  # fmt: skip
def test_two_and_four_g_are_worse(mps2: float, level: str) -> None:
    (event,) = parked(between(30, 30.03, (mps2, 0, 0))).events()
    assert (event.severity, event.confidence) == (level, 0.8)
    assert event.peak_mps2 == pytest.approx(mps2, abs=1e-9)


@pytest.mark.parametrize(
    ("force", "side"),
    [((12, 11.9, 0), "rear"), ((-12, 11.9, 0), "front"), ((11.9, 12, 0), "right"), ((11.9, -12, 0), "left"), ((12, 12, 0), "rear"), ((0, 0, 12), "rear")],
)  # fmt: skip
def test_the_side_is_that_of_the_larger_part(force: Vector, side: str) -> None:
    assert [e.direction for e in parked(between(30, 30.03, force)).events()] == [side]


def test_the_side_is_that_of_the_peak() -> None:
    def blow(at: float) -> Vector:
        return (
            (12, 0, 0)
            if 30 <= at < 30.02
            else (0, 20, 0)
            if 30.02 <= at < 30.03
            else (-13, 0, 0)
            if 30.03 <= at < 30.05
            else NOTHING
        )

    (event,) = parked(blow).events()
    assert (event.direction, event.peak_mps2) == ("right", pytest.approx(20))


@pytest.mark.parametrize(("after_s", "wanted"), [(0.45, 0), (0.55, 1)])
def test_a_box_that_was_weightless_half_a_second_before_fell(after_s: float, wanted: int) -> None:
    def falls(at: float) -> Vector:
        return (0, 0, -9.5) if 29 <= at < 29.3 else (15, 0, 0) if 29.3 + after_s <= at < 29.35 + after_s else NOTHING

    assert len(parked(falls).events()) == wanted


@pytest.mark.parametrize(("deg", "wanted"), [(24.5, ["parked_impact", "tow"]), (25.5, [])])
def test_a_box_that_lies_more_than_25_degrees_off_was_moved(deg: float, wanted: list[str]) -> None:
    angle = math.radians(deg)

    def lies(at: float) -> Vector:
        if at >= 30.1:
            return (G * math.sin(angle), 0, G * (math.cos(angle) - 1))
        return (15, 0, 0) if 30 <= at < 30.05 else NOTHING

    assert [e.name for e in parked(lies).events()] == wanted


def ignition(*rows: tuple[float, float]) -> list[Timed]:
    return [(at, value(at, "ignition", number)) for at, number in rows]


@pytest.mark.parametrize(
    ("switch", "wanted"),
    [
        pytest.param(ignition((20, 0)), 1, id="off for 10 s"),
        pytest.param(ignition((20.5, 0)), 0, id="for less"),
        pytest.param(ignition((0, 0.49)), 1, id="under a half is off"),
        pytest.param(ignition((0, 0.5)), 0, id="a half is on"),
        pytest.param(ignition((0, 0), (15, 1), (19, 0)), 1, id="off again for 11 s: up is learnt anew"),
    ],
)
def test_it_is_watched_ten_seconds_after_the_ignition_went_off(switch: list[Timed], wanted: int) -> None:
    assert len(parked(between(30, 30.05, (0, 12, 0)), switch=switch).events("parked_impact")) == wanted


def engine(rpm: float, mps: float) -> list[Timed]:
    """Turns at this for 9 s, then not at all, while the speed is always this."""
    rows = [(float(i), value(i, "rpm", rpm if i < 9 else 0.0)) for i in range(60)]
    return rows + [(float(i), value(i, "speed", mps)) for i in range(60)]


@pytest.mark.parametrize(
    ("rpm", "mps", "wanted"),
    [
        pytest.param(50.0, 0.0, 1, id="it turned, and stopped"),
        pytest.param(49.9, 0.0, 0, id="it did not turn"),
        pytest.param(800.0, 0.27, 1, id="slower than 1 km/h"),
        pytest.param(800.0, 0.28, 0, id="1 km/h: a hybrid drives"),
    ],
)
def test_without_an_ignition_the_engine_says_that_it_is_parked(rpm: float, mps: float, wanted: int) -> None:
    assert len(parked(between(30, 30.05, (0, 12, 0)), switch=engine(rpm, mps)).events("parked_impact")) == wanted


@pytest.mark.parametrize(("rpm", "wanted"), [(50.0, 0), (49.9, 1)])
def test_an_engine_that_turns_after_the_ignition_went_off_is_not_parked(rpm: float, wanted: int) -> None:
    switch = [*ignition((0, 0)), *((i + 0.5, value(i + 0.5, "rpm", rpm)) for i in range(60))]
    assert len(parked(between(30, 30.05, (0, 12, 0)), switch=switch).events("parked_impact")) == wanted


def test_a_box_that_was_handled_while_the_ignition_went_on_is_not_parked_by_that() -> None:
    told = parked(knocks(30, 30.01, 32, 32.01, 32.02, 34), switch=[*ignition((0, 0), (32.5, 1), (33, 1))])
    assert (told.events(), told.counters["not_judged"]["parked_handled"]) == ([], 1)


def leaning(*parts: tuple[float, float]) -> list[Timed]:
    """(seconds, degrees), ten samples a second."""
    rows: list[Timed] = []
    for seconds, deg in parts:
        angle = math.radians(deg)
        for _ in range(round(seconds * 10)):
            at = len(rows) / 10
            rows.append((at, batch.imu(us(at), [G * math.sin(angle), 0.0, G * math.cos(angle)])))
    return rows


def test_after_a_box_was_moved_up_is_where_it_lies_now() -> None:
    told = drive(OFF, leaning((20, 0), (40, 60), (30, 60), (40, 68)))
    assert [(e.name, round(e.value or 0)) for e in told.events()] == [("tow", 8)]
    assert told.counters["not_judged"]["parked_handled"] == 1


def test_a_tow_is_told_once_each_time_it_is_parked() -> None:
    tilts = leaning((20, 0), (30, 9), (30, 0), (30, 9), (40, 0), (40, 9))
    assert len(drive(OFF, tilts).events("tow")) == 1
    assert len(drive(ignition((0, 0), (112, 1), (114, 0)), tilts).events("tow")) == 2


@pytest.mark.parametrize(("deg", "wanted"), [(44, 1), (46, 0)])
def test_no_car_is_lifted_by_more_than_45_degrees(deg: float, wanted: int) -> None:
    told = drive(OFF, tilted(deg))
    assert len(told.events("tow")) == wanted
    assert told.counters["not_judged"]["parked_handled"] == 1 - wanted


@pytest.mark.parametrize(("seconds", "wanted"), [(20.0, [("tow", 21, 41, 41)]), (19.0, [])])
def test_a_tilt_lasts_twenty_seconds(seconds: float, wanted: list[tuple]) -> None:
    assert found(drive(OFF, leaning((20.5, 0), (seconds + 0.4, 9), (30, 0)))) == wanted


@pytest.mark.parametrize(("more_mps2", "wanted"), [(1.4, 1), (1.6, 0)])
def test_only_a_calm_force_tells_a_tilt(more_mps2: float, wanted: int) -> None:
    rows = leaning((20, 0))
    for i in range(400):
        at = 20 + i / 10
        angle, size = math.radians(9), G + more_mps2
        rows.append((at, batch.imu(us(at), [size * math.sin(angle), 0.0, size * math.cos(angle)])))
    assert len(drive(OFF, rows).events("tow")) == wanted


def going(way_m: Callable[[int], float], mps: Callable[[int], float]) -> list[Timed]:
    """A receiver, once a second."""
    return [
        (at, batch.fix(us(at), [48 + way_m(at) / 111_195, 11.0, mps(at), 0.0, 1.0, 9], valid=True)) for at in range(80)
    ]


@pytest.mark.parametrize(("metres", "wanted"), [(51, 1), (49, 0)])
def test_a_tow_goes_fifty_metres(metres: float, wanted: int) -> None:
    rows = going(lambda at: metres if at > 30 else 0.0, lambda at: 5.0 if at >= 20 else 0.0)
    assert len(drive(OFF, rows).events("tow")) == wanted


@pytest.mark.parametrize(("pause_s", "start_s"), [(45, 21), (36, 38)])
def test_a_motion_that_pauses_begins_again_where_it_goes_on(pause_s: int, start_s: int) -> None:
    rows = going(lambda at: 4.5 * max(0, min(at, 62) - 20), lambda at: 4.5 if 20 <= at < 62 and at != pause_s else 0.0)
    assert [e.start_us for e in drive(OFF, rows).events("tow")] == [us(start_s)]
