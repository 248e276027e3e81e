"""Fuel at its edges: each number of native/fuel.c at its value and just beside it, levels told to the microsecond."""

from collections.abc import Sequence

import pytest

from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import Timed, Told, drive, us, value

Point = tuple[float, float]
"""Time and level."""
LATER_S = 0.001
"""A level comes so much after the row of the speed."""


def every(start: int, end: int, pct: float, step: int = 2) -> list[Point]:
    return [(at, pct) for at in range(start, end, step)]


def levels(points: Sequence[Point], moves: Sequence[tuple[float, float]] = (), sets: Sequence[str] = ()) -> Told:
    """The speed once a second: 15 m/s in these spans, else 0; and levels."""
    rows: list[Timed] = []
    for at in range(int(points[-1][0]) + 1):
        is_moving = any(start <= at < end for start, end in moves)
        rows.append((at, value(at, "speed", 15.0 if is_moving else 0.0)))
    return drive(rows, [(at + LATER_S, value(at + LATER_S, "fuel", pct)) for at, pct in points], sets=sets)


def found(told: Told) -> list[tuple]:
    return [(e.name, e.end_us - us(LATER_S), e.value) for e in told.events()]


FULL = every(0, 60, 50.0)


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        pytest.param(58.0, [], id="8 % exactly"),
        pytest.param(58.25, [("refuel", 8.25, 0.7, "low")], id="just over"),
        pytest.param(64.75, [("refuel", 14.75, 0.7, "low")], id="just under 15 %"),
        pytest.param(65.0, [("refuel", 15.0, 0.9, "low")], id="15 %: sure"),
        pytest.param(42.0, [], id="8 % less exactly"),
        pytest.param(41.75, [("fuel_drop", -8.25, 0.7, "medium")], id="just over, less"),
        pytest.param(35.0, [("fuel_drop", -15.0, 0.9, "medium")], id="15 % less: sure"),
    ],
)
def test_how_much_is_a_change_and_how_much_is_sure(after: float, wanted: list[tuple]) -> None:
    told = levels([*FULL, *every(60, 120, after)])
    assert [(e.name, e.value, e.confidence, e.severity) for e in told.events()] == wanted
    assert all((e.start_us, e.entry_mps, e.exit_mps) == (us(LATER_S), 0.0, 0.0) for e in told.events())


@pytest.mark.parametrize(
    ("points", "wanted"),
    [
        pytest.param([(60, 70), (65, 70), (70, 70)], [("refuel", us(70), 20)], id="three values over 10 s"),
        pytest.param([(60, 70), (70, 70)], [], id="two values are no level"),
        pytest.param([(60, 70), (64, 70), (69, 70)], [], id="just under 10 s"),
        pytest.param([(60, 70), (65, 72.5), (70, 71)], [("refuel", us(70), pytest.approx(21.1667, abs=1e-4))], id="2.5 % apart"),
        pytest.param([(60, 70), (65, 72.75), (70, 71)], [], id="farther apart"),
        pytest.param([(60, 72.5), (65, 70), (70, 71)], [("refuel", us(70), pytest.approx(21.1667, abs=1e-4))], id="2.5 % apart, falling"),
        pytest.param([(60, 72.75), (65, 70), (70, 71)], [], id="farther apart, falling"),
        pytest.param([(60, 70), (65, 70), (65, 20), (70, 70)], [("refuel", us(70), 20)], id="another value of the same time"),
    ],
)  # fmt: skip
def test_what_a_level_is(points: list[Point], wanted: list[tuple]) -> None:
    assert found(levels([*FULL, *points])) == wanted


@pytest.mark.parametrize(
    ("last_s", "told_s"),
    [
        pytest.param(99, 95, id="not yet 30 s: when it moves off"),
        pytest.param(110, 100, id="30 s after it was settled"),
    ],
)
def test_a_changed_level_is_told_when_it_has_stayed_or_when_the_car_moves_off(last_s: int, told_s: float) -> None:
    points = [*FULL, *every(60, last_s, 70.0, 5)]
    (event,) = levels([*points, (last_s + 2, 70.0)], [(96, 1e9)] if told_s == 95 else []).events()
    assert event.end_us == us(70 + LATER_S)
    assert event.at_us == us(96 if told_s == 95 else 100 + LATER_S)


@pytest.mark.parametrize(
    ("last_pct", "wanted"),
    [
        pytest.param(50.0, [("refuel", us(72), pytest.approx(4 / 3))], id="as before: a drop's 10 s"),
        pytest.param(50.000001, [], id="just over: a refuel's 20 s"),
    ],
)
def test_whether_it_rose_says_how_long_a_level_settles(last_pct: float, wanted: list[tuple]) -> None:
    sets = ["detect.refuel.threshold_pct=1", "detect.refuel.settle_s=20"]
    points = [*FULL, (60, 60.0), (62, 52.0), (67, 52.0), (72, last_pct)]
    assert found(levels(points, sets=sets)) == wanted


def test_a_change_is_told_once_and_the_next_one_is_against_it() -> None:
    told = levels([*FULL, *every(60, 120, 70.0), *every(120, 180, 55.0), *every(180, 240, 62.0)])
    assert [(e.name, e.value) for e in told.events()] == [("refuel", 20), ("fuel_drop", -15)]


AWAY = every(0, 100, 20.0)


@pytest.mark.parametrize(
    ("driven", "after_s", "wanted"),
    [
        pytest.param(AWAY, 60, [], id="within a minute: it is the level before"),
        pytest.param(AWAY, 61, [("refuel", us(161), 60.0)], id="later: against the mean in driving"),
        pytest.param(AWAY[:4], 61, [("refuel", us(161), 60.0)], id="a mean of three values after the first"),
        pytest.param(AWAY[:3], 61, [], id="two values are none"),
    ],
)
def test_the_first_level_of_a_stand_is_the_one_before_if_it_is_early(
    driven: list[Point], after_s: int, wanted: list[tuple]
) -> None:
    first = 90 + after_s
    sloshing = [(at, 20.0 if i % 2 else 26.0) for i, at in enumerate(range(100, first, 4))]
    points = [*driven, *sloshing, (first, 80.0), (first + 5, 80.0), (first + 10, 80.0), (first + 11, 80.0)]
    assert found(levels(points, [(0, 100)])) == wanted


@pytest.mark.parametrize(
    ("before", "stand_s", "count", "step_s", "wanted"),
    [
        pytest.param(AWAY, 62, 20, 2.0, [("refuel", us(201), 60.0)], id="20 values over half a minute"),
        pytest.param(AWAY, 62, 19, 2.0, [], id="19 values"),
        pytest.param(AWAY, 62, 20, 1.5, [], id="20 values in less"),
        pytest.param(AWAY, 62, 21, 1.5, [("refuel", us(193), 60.0)], id="the 21st after 30 s"),
        pytest.param(AWAY, 62, 21, 1.49999995, [], id="a microsecond before"),
        pytest.param(AWAY, 60, 20, 2.0, [("refuel", us(199), 60.0)], id="a stand over a minute"),
        pytest.param(AWAY, 59, 20, 2.0, [], id="a minute, less a millisecond"),
        pytest.param([(i, 20.0) for i in range(4)], 62, 20, 2.0, [("refuel", us(201), 60.0)], id="three values before, in driving"),
        pytest.param([(i, 20.0) for i in range(3)], 62, 20, 2.0, [], id="two values before are no mean"),
    ],
)  # fmt: skip
def test_where_no_level_settled_the_first_of_driving_tells(
    before: list[Point], stand_s: float, count: int, step_s: float, wanted: list[tuple]
) -> None:
    off = 100 + stand_s
    points = [*before, (100, 20.0), (off, 80.0), *((off + 1 + i * step_s, 80.0) for i in range(count))]
    assert found(levels(points, [(0, 100), (off + 1, 1e9)])) == wanted
