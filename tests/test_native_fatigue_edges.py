"""The account of driving and rest at its edges: what it holds after a drive, to the microsecond."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from agent.core import Core, Event
from agent.settings.file import load
from agent.setup import Rest
from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import Timed, packed, us, value
from tests.test_native_fatigue import EMPTY, Part, rows

QUICK = ("detect.fatigue.driving_s=300", "detect.fatigue.warning_s=250", "detect.fatigue.rest_s=60")
STOP_S = 1 - 1 / 72
"""From 20 m/s to a stand within a second: so long it moves at 1 km/h or faster."""


def account(
    parts: Sequence[Part], *more: list[Timed], rest: Rest | None = None, gone_us: int | None = None
) -> tuple[list[tuple], Rest, Core]:
    """What is told (name, seconds driven, confidence), and what the account holds."""
    went_on = {"rest": (rest, gone_us)} if rest else {}
    made = Core(load(None, list(QUICK)), EMPTY, **went_on)
    outputs = made.feed(packed(rows(parts), *more))
    return [(o.name, o.value, o.confidence) for o in outputs if isinstance(o, Event)], made.snapshot(0).rest, made


def seconds(us_: int) -> float:
    return round(us_ / 1e6, 3)


WARNING, FATIGUE = ("fatigue_warning", 250.0, 1.0), ("fatigue", 300.0, 1.0)


@pytest.mark.parametrize(
    ("driven_s", "wanted", "over_s"),
    [(249, [], 0), (250, [WARNING], 0), (299, [WARNING], 0), (300, [WARNING, FATIGUE], 0), (301, [WARNING, FATIGUE], 1)],
)  # fmt: skip
def test_each_is_told_when_its_time_is_reached(driven_s: int, wanted: list[tuple], over_s: float) -> None:
    told, rest, made = account([("drive", driven_s + 1)])
    assert (told, rest.driven_us, made.snapshot(0).fatigue_us) == (wanted, us(driven_s), us(over_s))


D, HALT = ("drive", 100), ("stand", 5)
BEFORE_S = round(99 + STOP_S, 3)
"""Driven before the halt of these."""


def odometer(at: float, metres: float) -> list[Timed]:
    return [(at, value(at, "odometer", metres))]


def place(at: float, metres: float, count: int = 4) -> list[Timed]:
    """So far north of where it was, by some fixes."""
    return [(at + i, batch.fix(us(at + i), [48 + metres / 111_195, 11.0], valid=True)) for i in range(count)]


def key(at: float, number: float) -> list[Timed]:
    return [(at, value(at, "ignition", number))]


HOLE = [D, HALT, ("hole", 80), HALT]


@pytest.mark.parametrize(
    ("parts", "more", "wanted"),
    [
        pytest.param([D, ("stand", 60), ("drive", 9)], [], (107 + 2 * STOP_S, 0, False, False), id="a stand just too short"),
        pytest.param([D, ("stand", 61), ("drive", 9)], [], (8 + STOP_S, 0, False, False), id="a rest"),
        pytest.param([D, ("stand", 2), ("hole", 58), ("stand", 2)], [], (0, 61 + 1 / 72, False, False), id="a minute's hole is stood"),
        pytest.param([D, ("stand", 2), ("hole", 48), ("stand", 3)], [], (BEFORE_S, 52 + 1 / 72, False, False), id="a shorter one too"),
        pytest.param([D, ("stand", 2), ("hole", 60), ("stand", 2)], [], (BEFORE_S, 1, False, False), id="a longer one is not known"),
        pytest.param([*HOLE], [odometer(102, 5000), odometer(186, 5200)], (0, 81 + 4 + 4 + 1 / 72, False, False), id="200 m are none"),
        pytest.param([*HOLE], [odometer(102, 5000), odometer(186, 5201)], (BEFORE_S, 4, False, False), id="more: it moved"),
        pytest.param([*HOLE], [place(102, 0, 1), place(186, 199)], (0, 89 + 1 / 72, False, False), id="within 200 m"),
        pytest.param([*HOLE, ("stand", 9)], [place(102, 0, 1), place(186, 201, 2)], (BEFORE_S, 13, False, False), id="two fixes farther off"),
        pytest.param([*HOLE, ("stand", 9)], [place(102, 0, 1), place(186, 201, 2), place(188, 0, 1)], (0, 98 + 1 / 72, False, False), id="and one that is not: it stood"),
        pytest.param([*HOLE, ("stand", 9)], [place(102, 0, 1), place(186, 201, 3), place(189, 0, 1)], (BEFORE_S, 13, False, False), id="three farther off: it moved"),
        pytest.param([*HOLE], [key(101, 0), key(186, 1)], (0, 89 + 1 / 72, False, False), id="the ignition was off"),
        pytest.param([*HOLE], [key(101, 0.499), key(186, 1)], (0, 89 + 1 / 72, False, False), id="less than a half is off"),
        pytest.param([*HOLE], [key(101, 0.5), key(186, 1)], (BEFORE_S, 4, False, False), id="a half is on: not known"),
        pytest.param([*HOLE, ("drive", 600)], [], (BEFORE_S + 599 + STOP_S, 0, False, False), id="still open"),
        pytest.param([*HOLE, ("drive", 602)], [], (BEFORE_S + 601 + STOP_S, 0, True, True), id="after ten minutes it stays unknown"),
        pytest.param([D, ("hole", 80), ("drive", 611)], [], (99 + 610, 0, True, False), id="in driving: unsure, not rested"),
        pytest.param([D, HALT, ("hole", 40), HALT, ("drive", 611)], [], (BEFORE_S + 610 + STOP_S, 0, False, False), id="too short for a rest"),
        pytest.param([*HOLE, ("drive", 50), ("hole", 40), ("drive", 9)], [], (BEFORE_S + 50 - 1 + STOP_S + 8, 0, True, True), id="another hole before the first is known"),
        pytest.param([HALT, ("hole", 80), HALT, ("hole", 80), HALT, ("drive", 9)], [], (8 + STOP_S, 0, False, False), id="nothing was driven before"),
        pytest.param([*HOLE, ("drive", 20), HALT], [odometer(102, 5000), odometer(206.5, 5400)], (round(19 + 2 * STOP_S, 3) - 0.0, 4 + 1 / 72, False, False), id="stood, as the odometer says later"),
    ],
)  # fmt: skip
def test_what_the_account_holds(parts: list[Part], more: list[list[Timed]], wanted: tuple) -> None:
    _, rest, _ = account(parts, *more)
    told = (seconds(rest.driven_us), seconds(rest.rest_us), rest.is_unsure, rest.may_have_rested)
    assert told == (pytest.approx(wanted[0], abs=0.003), pytest.approx(wanted[1], abs=0.003), *wanted[2:])


def test_a_place_after_a_hole_says_nothing_where_none_was_known_before() -> None:
    _, rest, _ = account(HOLE, place(186, 0, 1))
    assert (seconds(rest.driven_us), seconds(rest.rest_us), rest.lat_deg) == (BEFORE_S, 4.0, 48.0)


@pytest.mark.parametrize(("before_us", "over_us"), [(us(299), us(1)), (us(299) + 1, us(1) + 1), (us(300), us(2))])
def test_what_is_driven_too_long_is_summed_up_to_the_microsecond(before_us: int, over_us: int) -> None:
    _, rest, made = account([("drive", 3)], rest=Rest(driven_us=before_us), gone_us=0)
    assert (rest.driven_us, made.snapshot(0).fatigue_us) == (before_us + us(2), over_us)


def test_a_row_that_comes_late_adds_nothing_to_what_was_stood_in_silence() -> None:
    late = [(16.5, value(13.9, "speed", 20.0))]
    _, rest, _ = account([("stand", 10), ("silent", 7)], late)
    assert (rest.driven_us, rest.rest_us) == (0, us(16))


def test_a_warning_that_would_come_after_the_event_is_none() -> None:
    told = load(None, list(QUICK))
    late = replace(told, detect=replace(told.detect, fatigue=replace(told.detect.fatigue, warning_s=310.0)))
    outputs = Core(late, EMPTY).feed(packed(rows([("drive", 320)])))
    assert [o.name for o in outputs if isinstance(o, Event)] == ["fatigue"]


@pytest.mark.parametrize(("mps", "driven_s"), [(1 / 3.6, 109), (1 / 3.6 - 1e-6, 0)])
def test_one_kmh_is_driven(mps: float, driven_s: float) -> None:
    rows_at = [(float(at), value(at, "speed", mps)) for at in range(110)]
    made = Core(load(None, list(QUICK)), EMPTY)
    made.feed(packed(rows_at))
    assert made.snapshot(0).rest.driven_us == us(driven_s)


DROVE, STOOD = Rest(driven_us=us(240)), Rest(driven_us=us(240), rest_us=us(1))
HALF = ("fatigue_warning", 250.0, 0.5)


@pytest.mark.parametrize(
    ("rest", "gone_us", "wanted", "held"),
    [
        pytest.param(DROVE, us(59), [WARNING], (259, False, False), id="gone for less than a rest"),
        pytest.param(DROVE, us(60), [], (259, False, False), id="gone for a rest: not known yet"),
        pytest.param(DROVE, None, [HALF], (259, True, False), id="nobody knows how long: unsure"),
        pytest.param(STOOD, us(59) - 1, [WARNING], (259, False, False), id="with the stand just too short"),
        pytest.param(STOOD, us(59), [], (259, False, False), id="with the stand a rest"),
        pytest.param(STOOD, None, [], (259, True, True), id="it stood: it may have rested"),
        pytest.param(Rest(rest_us=us(1)), None, [], (19, False, False), id="nothing was driven"),
        pytest.param(Rest(driven_us=1, rest_us=1), None, [], (19.000001, True, True), id="hardly anything was"),
        pytest.param(Rest(driven_us=us(9), is_unsure=True, may_have_rested=True), 0, [], (28, True, True), id="it goes on as it was"),
        pytest.param(Rest(driven_us=us(250)), 0, [], (269, False, False), id="warned before"),
        pytest.param(Rest(driven_us=us(300)), 0, [], (319, False, False), id="told before"),
    ],
)  # fmt: skip
def test_what_an_account_is_after_a_restart(rest: Rest, gone_us: int | None, wanted: list[tuple], held: tuple) -> None:
    told, left, _ = account([("drive", 20)], rest=rest, gone_us=gone_us)
    assert told == wanted
    assert (left.driven_us, left.is_unsure, left.may_have_rested) == (us(held[0]), *held[1:])


def test_a_stand_that_ends_the_hole_between_two_runs_may_belong_to_a_rest() -> None:
    ticks = [(float(i), batch.tick(us(i))) for i in range(4)]
    _, left, _ = account([("silent", 4), ("stand", 3), ("drive", 602)], ticks, rest=DROVE, gone_us=us(60))
    assert (left.is_unsure, left.may_have_rested) == (True, True)


def test_what_is_unknown_is_counted_where_it_matters() -> None:
    told, _, made = account([("drive", 20)], rest=STOOD)
    assert (told, made.counters()["not_judged"]["fatigue_rest_unknown"]) == ([], 1)


def test_the_hole_between_two_runs_lasts_until_the_first_row() -> None:
    ticks = [(float(i), batch.tick(us(i))) for i in range(21)]
    for at, wanted in ((10, us(80)), (19, 0)):
        left = Rest(driven_us=us(80), rest_us=us(20), lat_deg=48.0, lon_deg=11.0)
        fix = [(at + 2, batch.fix(us(at + 2), [48.0, 11.0], valid=True))]
        silent: list[Timed] = [row for row in ticks if row[0] < at]
        _, rest, _ = account([("silent", at), ("stand", 4)], silent, fix, rest=left, gone_us=us(20))
        assert rest.driven_us == wanted
