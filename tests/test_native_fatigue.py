"""Fatigue: 4 h at the wheel without 20 min of rest; what counts as rest, over silence, holes and restarts."""

from collections.abc import Sequence

import pytest

from agent.core import Core, Event, Output
from agent.settings.file import load
from agent.setup import Rest
from agent.vehicle import Table
from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import Timed, drive, packed, us, value

H, MIN = 3600.0, 60.0
EMPTY = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
Part = tuple[str, float]
"""("drive" or "stand" or "silent" or "hole" or "ferry", seconds): ticks come in silence, nothing in a hole."""


def rows(parts: Sequence[Part], start_s: float = 0.0) -> list[Timed]:
    """The speed once a second; a drive begins and ends at its speed, as 1 Hz shows it."""
    made, at = [], start_s
    for what, seconds in parts:
        for i in range(round(seconds)):
            if what in ("drive", "stand", "ferry"):
                made.append((at + i, value(at + i, "speed", 0.0 if what == "stand" else 20.0)))
            elif what == "silent":
                made.append((at + i, batch.tick(us(at + i))))
        at += round(seconds)
    return made


def told(outputs: list[Output]) -> list[tuple]:
    """(name, hours driven, confidence)."""
    names = ("fatigue", "fatigue_warning")
    return [
        (o.name, round((o.value or 0) / H, 2), o.confidence)
        for o in outputs
        if isinstance(o, Event) and o.name in names
    ]


WARNING, FATIGUE = ("fatigue_warning", 3.5, 1.0), ("fatigue", 4.0, 1.0)


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        pytest.param([("drive", 4 * H + 2)], [WARNING, FATIGUE], id="4 h"),
        pytest.param([("drive", 4 * H - 2)], [WARNING], id="just under 4 h"),
        pytest.param([("drive", 3.5 * H - 2)], [], id="just under 3 h 30"),
        pytest.param([("drive", 2 * H), ("stand", 20 * MIN + 2), ("drive", 3 * H)], [], id="20 min of rest"),
        pytest.param([("drive", 2 * H), ("stand", 20 * MIN - 2), ("drive", 2 * H + 4)], [WARNING, FATIGUE], id="just under"),
        pytest.param([("drive", 2 * H), ("stand", 15 * MIN), ("drive", 9), ("stand", 15 * MIN), ("drive", 2 * H)],
                     [WARNING, FATIGUE], id="two halves are no rest"),
        pytest.param([("drive", 9 * H)], [WARNING, FATIGUE], id="told once"),
        pytest.param([("drive", 4.1 * H), ("stand", 21 * MIN), ("drive", 4.1 * H)], [WARNING, FATIGUE] * 2, id="and once more"),
        pytest.param([("drive", 2 * H), ("stand", 9), ("silent", 20 * MIN), ("drive", 3 * H)], [], id="a bus asleep is a stand"),
        pytest.param([("drive", 2 * H), ("silent", 20 * MIN), ("drive", 2.1 * H)],
                     [("fatigue_warning", 3.5, 0.5), ("fatigue", 4.0, 0.5)], id="a bus lost in driving is not"),
        pytest.param([("drive", 2 * H), ("hole", 19 * MIN), ("drive", 2.1 * H)], [WARNING, FATIGUE], id="a hole too short to rest in"),
        pytest.param([("drive", 2 * H), ("hole", 3 * H), ("drive", 2.1 * H)],
                     [("fatigue_warning", 3.5, 0.5), ("fatigue", 4.0, 0.5)], id="a hole in driving is neither"),
        pytest.param([("drive", 2 * H), ("stand", 9), ("hole", 3 * H), ("drive", 2.1 * H)], [], id="it may have rested"),
        pytest.param([("drive", 2 * H), ("stand", 9 * MIN), ("hole", 58), ("stand", 11 * MIN), ("drive", 3 * H)], [],
                     id="a minute's hole in a stand"),
        pytest.param([("drive", 2 * H), ("stand", 9 * MIN), ("hole", 62), ("stand", 12 * MIN), ("drive", 2.1 * H)],
                     [], id="a longer one: it may have rested"),
        pytest.param([("drive", 2 * H), ("stand", 9 * MIN), ("hole", 2 * MIN), ("stand", 8 * MIN), ("drive", 2.1 * H)],
                     [WARNING, FATIGUE], id="stands around a hole, too short together"),
    ],
)  # fmt: skip
def test_driving_and_resting(parts: list[Part], wanted: list[tuple]) -> None:
    assert told(drive(rows(parts)).outputs) == wanted


def test_fatigue_is_told_the_moment_it_is_reached() -> None:
    warning, event = drive(rows([("drive", 5 * H)])).events("fatigue", "fatigue_warning")
    assert (warning.start_us, warning.at_us, warning.severity) == (us(3.5 * H), us(3.5 * H), "low")
    assert (event.start_us, event.end_us, event.at_us, event.severity) == (us(4 * H), us(4 * H), us(4 * H), "medium")
    assert (event.value, event.entry_mps, event.sources) == (4 * H, 20.0, ("speed",))


def test_what_may_have_been_a_rest_is_counted_as_not_judged() -> None:
    parts = [("drive", 2 * H), ("stand", 9), ("hole", 3 * H), ("drive", 2.1 * H)]
    assert drive(rows(parts)).counters["not_judged"]["fatigue_rest_unknown"] == 2


def test_after_a_measured_rest_the_account_is_sure_again() -> None:
    parts = [("drive", H), ("stand", 9), ("hole", H), ("drive", H), ("stand", 1300), ("drive", 4.1 * H)]
    assert told(drive(rows(parts)).outputs) == [WARNING, FATIGUE]


HOLE = [("drive", 2 * H), ("stand", 9), ("hole", 30 * MIN), ("drive", 2.1 * H)]
AFTER_S = 2 * H + 9 + 30 * MIN


@pytest.mark.parametrize(
    ("signal", "before", "after", "late_s", "wanted"),
    [
        pytest.param("odometer", 1e6, 1e6, 0, "rested", id="the odometer stood still"),
        pytest.param("odometer", 1e6, 1e6 + 300, 0, "sure", id="the odometer went on"),
        pytest.param("odometer", 1e6, 1e6 + 6000, 300, "rested", id="it is told late, and fits what was driven since"),
        pytest.param("odometer", 1e6, 1e6 + 7000, 300, "sure", id="it is told late, and does not"),
        pytest.param("place", 48.0, 48.001, 0, "rested", id="it is where it was"),
        pytest.param("place", 48.0, 48.003, 0, "sure", id="it is elsewhere"),
        pytest.param("place", 48.0, 48.0, 700, "unknown", id="told too late"),
        pytest.param("ignition", 0, 1, 0, "rested", id="the ignition was off"),
    ],
)
def test_what_a_hole_was_shows_afterwards(signal: str, before: float, after: float, late_s: float, wanted: str) -> None:
    def rows_of(at: float, number: float) -> list[Timed]:
        if signal != "place":
            return [(at, value(at, signal, number))]
        return [(at + i, batch.fix(us(at + i), [number, 11.0], valid=True)) for i in range(4)]

    evidence = rows_of(2 * H + 4, before) + rows_of(AFTER_S + max(late_s, 0.5), after)
    outputs = drive(rows(HOLE), evidence).outputs
    assert told(outputs) == {"rested": [], "sure": [WARNING, FATIGUE], "unknown": []}[wanted]


def test_a_car_on_a_ferry_rests() -> None:
    parts = [("drive", 3 * H), ("stand", 9), ("ferry", 25 * MIN), ("drive", 3 * H)]
    switch = [(3 * H + 5, value(3 * H + 5, "ignition", 0)), (3.4 * H + 200, value(3.4 * H + 200, "ignition", 1))]
    assert told(drive(rows(parts), switch).outputs) == []


# ---- restarts ------------------------------------------------------------------------------------------------------


def run(parts: Sequence[Part], rest: tuple[Rest, int | None] | None, *more: list[Timed]) -> tuple[list[tuple], Rest]:
    """A run that goes on from an account: what it told, and what it leaves."""
    made = Core(load(None), EMPTY, rest=rest)
    outputs = made.feed(packed(rows(parts), *more))
    return told(outputs), made.snapshot(0).rest


FIX = [(2.0, batch.fix(us(2), [48.0, 11.0], valid=True))]


def test_an_account_goes_on_over_a_restart_in_driving() -> None:
    events, left = run([("drive", 3.4 * H)], None)
    assert (events, left.rest_us) == ([], 0)
    events, _ = run([("drive", 0.7 * H)], (left, us(20)))
    assert events == [WARNING, FATIGUE]


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    _, left = run([("drive", 3.6 * H)], None)
    assert run([("drive", H)], (left, us(20)))[0] == [FATIGUE]
    _, left = run([("drive", 4.6 * H)], None)
    assert run([("drive", H)], (left, us(20)))[0] == []


@pytest.mark.parametrize(
    ("gone_s", "place", "wanted"),
    [
        pytest.param(1185, FIX, [], id="20 min with the stand before, in the same place"),
        pytest.param(1100, FIX, [WARNING, FATIGUE], id="just too short"),
        pytest.param(None, FIX, [], id="nobody knows how long: not judged"),
        pytest.param(1185, [], [], id="just long enough, nobody knows where it was"),
        pytest.param(5000, [], [], id="long enough, nobody knows where it was: not judged"),
    ],
)
def test_the_time_of_a_restart_is_rest_where_nothing_moved(
    gone_s: float | None, place: list[Timed], wanted: list
) -> None:
    before = [(3 * H + 10, batch.fix(us(3 * H + 10), [48.0, 11.0], valid=True))]
    _, left = run([("drive", 3 * H), ("stand", 20)], None, before)
    assert left.rest_us == pytest.approx(us(19), abs=us(0.1))
    events, _ = run([("stand", 5), ("drive", 2 * H)], (left, None if gone_s is None else us(gone_s)), place)
    assert events == wanted


def test_a_first_row_older_than_the_run_takes_nothing_off_the_time_before_it() -> None:
    left = Rest(driven_us=us(3 * H), rest_us=us(19), lat_deg=48.0, lon_deg=11.0)
    early = [(at - 1000, batch.tick(us(at))) for at in (600.0, 602.0)]
    events, after = run([("stand", 5), ("drive", 2 * H)], (left, us(1185)), FIX, early)
    assert (events, after.may_have_rested) == ([], False)
    assert after.driven_us == pytest.approx(us(2 * H), abs=us(2))


def test_a_restart_in_driving_of_unknown_length_makes_it_unsure() -> None:
    _, left = run([("drive", 3.9 * H)], None)
    events, after = run([("drive", 0.2 * H)], (left, None))
    assert (events, after.is_unsure, after.may_have_rested) == ([("fatigue", 4.0, 0.5)], True, False)


def test_the_account_tells_the_odometer_as_it_is_now() -> None:
    _, left = run([("drive", 100)], None, [(50.5, value(50.5, "odometer", 5000.0))])
    assert left.odometer_m == pytest.approx(5000 + 49 * 20, abs=21)


def test_time_beyond_the_limit_is_summed_up() -> None:
    parts = [("drive", 4.5 * H), ("stand", 1300), ("drive", 4.25 * H)]
    assert drive(rows(parts)).last.fatigue_us == pytest.approx(us(0.75 * H), abs=us(3))


def test_a_rule_that_is_off_says_nothing() -> None:
    assert not told(drive(rows([("drive", 5 * H)]), sets=["detect.fatigue.enabled=false"]).outputs)
