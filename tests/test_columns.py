"""Columns come back exactly, in the sensor's own step where it is known, and stay small."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.codec import CodecError
from agent.columns import COUNT_MAX, Columns, decode_columns, encode_columns, predictor
from agent.columns.predictor import FILTERS, LEVELS, Plan
from agent.columns.reckoning import offsets, scale_of
from agent.columns.rice import NUMBER_MAX, Reader, Writer, rice_bits, unzigzag
from agent.columns.steps import OTHER, STEPS, USUAL, own_step
from agent.trip.account import RESOLUTION
from drivers.batch import SIGNALS
from tests import walks

Cells = list[float | None]
RESOLUTIONS = st.sampled_from([1.0, 0.1, 0.01, 0.25, 1e-7, 1 / 2.55, 3.6, 1000.0, 2.0**-20])
NAMES = st.sampled_from(SIGNALS) | st.text(min_size=1, max_size=6)
SECOND_US = 1_000_000

busy = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be."""


@st.composite
def chunks(draw: st.DrawFn) -> tuple[dict[str, Cells], dict[str, float]]:
    """Columns that stand still, climb, jump, are noisy or have holes, in multiples of a resolution."""
    count = draw(st.integers(1, 80))
    names = draw(st.lists(NAMES, max_size=4, unique=True, min_size=1))
    columns: dict[str, Cells] = {}
    resolution = {name: draw(RESOLUTIONS) for name in names}
    for name in names:
        step = draw(st.sampled_from([0, 1, 5, 1000, 2**40]))
        level, cells = draw(st.integers(-(2**45), 2**45)), []
        for move in draw(st.lists(st.integers(-step, step) | st.none(), min_size=count, max_size=count)):
            level += move or 0
            cells.append(None if move is None else level * resolution[name])
        columns[name] = cells
    return columns, resolution


def packed(cells: Cells, resolution: float = 1.0, name: str = "x") -> bytes:
    """A chunk of one column."""
    column: bytes = encode_columns(0, SECOND_US, {name: cells}, {name: resolution})["columns"]
    return column


def told(body: bytes) -> Columns:
    return decode_columns({"columns": body})


@busy
@given(chunks(), st.integers(-(2**60), 2**60), st.integers(1, 2**40))
def test_columns_are_exact_at_the_resolution(
    chunk: tuple[dict[str, Cells], dict[str, float]], start_us: int, step_us: int
) -> None:
    columns, resolution = chunk
    back = decode_columns(encode_columns(start_us, step_us, columns, resolution))
    assert (back.start_us, back.step_us, back.columns.keys()) == (start_us, step_us, columns.keys())
    for name, cells in columns.items():
        step = resolution[name]
        assert back.resolution[name] >= step
        assert [cell is None for cell in back.columns[name]] == [cell is None for cell in cells]
        pairs = [(a, b) for a, b in zip(back.columns[name], cells, strict=True) if a is not None and b is not None]
        assert [round(a / step) for a, _ in pairs] == [round(b / step) for _, b in pairs]


@busy
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=70), st.sampled_from([0.01, 0.1, 1.0]))
def test_any_value_comes_back_within_half_a_step(cells: Cells, step: float) -> None:
    back = told(packed(cells, step)).columns["x"]
    assert all(
        abs(a - b) <= step * 0.5000001 for a, b in zip(back, cells, strict=True) if a is not None and b is not None
    )


@busy
@given(st.lists(st.floats(0, 360), min_size=1, max_size=70))
def test_any_direction_comes_back_the_same(cells: Cells) -> None:
    """Of 359.97 that is 0."""
    back = told(packed(cells, 0.1, "course")).columns["course"]
    far = [abs(a - b) for a, b in zip(back, cells, strict=True) if a is not None and b is not None]
    assert all(min(distance, 360 - distance) <= 0.0500001 for distance in far)


@pytest.mark.parametrize(
    ("cells", "bytes_"),
    [
        pytest.param([90.0] * 60, 12, id="nothing changes"),
        pytest.param([None] * 60, 11, id="nothing is told"),
        pytest.param([float(n) for n in range(0, 600, 10)], 19, id="a ramp"),
        pytest.param([float(n % 2) for n in range(60)], 20, id="two levels"),
        pytest.param([5000.0] * 30 + [None] * 5 + [5000.0] * 25, 18, id="a hole"),
        pytest.param([0.0] * 59 + [1e9], 27, id="one jump"),
    ],
)
def test_columns_stay_small(cells: Cells, bytes_: int) -> None:
    """With the chunk's own 8 bytes."""
    assert told(packed(cells)).columns["x"] == cells
    assert len(packed(cells)) <= bytes_


def test_north_costs_no_more_than_any_other_direction() -> None:
    around = [10.0 + 5 * math.sin(second) for second in range(60)]
    north: Cells = [(direction - 10.0) % 360.0 for direction in around]
    assert max(north) - min(north) > 180  # type: ignore[type-var,operator]  # none is None
    assert len(packed(north, 0.1, "course")) <= len(packed(list(around), 0.1, "course")) + 2
    assert len(packed(north, 0.1, "other")) > len(packed(north, 0.1, "course")) + 20


@pytest.mark.parametrize(
    ("unit", "resolution", "step"),
    [
        pytest.param(1 / 3.6, 0.01, Fraction(5, 18), id="whole km/h"),
        pytest.param(0.44704, 0.01, Fraction(1397, 3125), id="whole mph"),
        pytest.param(100 / 255, 0.1, Fraction(20, 51), id="255ths of a percent"),
        pytest.param(0.125, 0.01, Fraction(1, 8), id="eighths, which lie between hundredths"),
        pytest.param(0.25, 1.0, Fraction(1), id="quarters, finer than what is kept"),
        pytest.param(0.017, 0.01, Fraction(1, 100), id="a step nobody has"),
    ],
)
def test_a_sensors_own_step_is_recognised(unit: float, resolution: float, step: Fraction) -> None:
    cells = [count * unit for count in (0, 7, 22, 61, 97, 98, 130, 131)]
    assert own_step(cells, resolution)[0] == step
    back = told(packed(list(cells), resolution))
    assert back.resolution["x"] == pytest.approx(float(step))
    assert back.columns["x"] == pytest.approx(cells, abs=1e-9 if step > resolution else resolution / 2)


def test_one_value_off_the_lattice_keeps_the_finer_step() -> None:
    kmh = [count / 3.6 for count in range(40)]
    assert own_step([*kmh, 12.3456], 0.01)[0] == Fraction(1, 100)
    assert own_step([*kmh, 11 / 3.6 + 0.0049], 0.01)[0] == Fraction(5, 18), "within half of the resolution"
    assert own_step([*kmh, 11 / 3.6 + 0.0051], 0.01)[0] == Fraction(1, 100)


@pytest.mark.parametrize(
    ("speeds", "step"),
    [
        pytest.param([0.28, 0.56, 0.83, 1.11], Fraction(1, 100), id="four rounded values may be chance"),
        pytest.param([0.28, 0.56, 0.83, 1.11, 1.39], Fraction(5, 18), id="five are not"),
        pytest.param([0.28, 0.28, 0.56, 0.83, 1.11, 0.0], Fraction(1, 100), id="nor is the same one again, or nothing"),
        pytest.param([1 / 3.6], Fraction(5, 18), id="one that is not rounded"),
        pytest.param([0.0, 0.0], Fraction(1, 100), id="nothing"),
    ],
)
def test_rounded_values_are_a_sensors_when_there_are_enough_of_them(speeds: list[float], step: Fraction) -> None:
    assert own_step(speeds, 0.01)[0] == step


@pytest.mark.parametrize("which", range(len(FILTERS)))
@pytest.mark.parametrize("follows", [True, False])
def test_what_each_filter_leaves_gives_the_numbers_again(which: int, follows: bool) -> None:
    numbers = [0, 7, 1000, -3, -2, -1, 0, 0, 2**40, 5]
    seed = 3 if which in LEVELS else numbers[0]
    out = Writer()
    predictor.write(out, Plan(0, seed, 4, which, follows, predictor.residuals_of(numbers, which, seed)))
    assert predictor.read(Reader(out.whole()), len(numbers)) == numbers


def test_filters_keep_their_numbers() -> None:
    foretold = [
        [unzigzag(u) for u in predictor.residuals_of([0, 0, 0, 160, 0, 0, 0], which, 0)][-3:]
        for which in range(len(FILTERS))
    ]
    assert foretold == [
        [0, 0, 0], [-160, 0, 0], [-320, 160, 0], [-440, 400, -120], [-40, 0, 0], [-80, 0, 0], [-120, 0, 0], [-240, 80, 0],
    ]  # fmt: skip


def test_steps_keep_their_numbers() -> None:
    assert len(STEPS) == OTHER
    assert len(set(STEPS)) == len(STEPS)
    assert (STEPS[2], STEPS[6], STEPS[23], STEPS[28]) == (
        Fraction(1, 100),
        Fraction(1, 10**6),
        Fraction(5, 18),
        Fraction(20, 51),
    )
    assert USUAL.keys() == set(SIGNALS)
    assert (RESOLUTION["speed"], RESOLUTION["rpm"], RESOLUTION["accel_z"], RESOLUTION["lat"]) == (0.01, 1.0, 0.01, 1e-6)


def test_a_position_that_follows_speed_and_course_costs_less_and_is_as_exact() -> None:
    rows = walks.walk(3, 300, "obd")[240:]
    columns: dict[str, Cells] = {name: [row[name] for row in rows] for name in ("speed", "lat", "lon", "course")}
    alone = {name: columns[name] for name in ("lat", "lon")}
    way = {name: columns[name] for name in ("speed", "course")}
    sizes = [len(encode_columns(0, SECOND_US, part, RESOLUTION)["columns"]) for part in (columns, alone, way)]
    assert sizes[0] < sizes[1] + sizes[2] - 25
    back = decode_columns(encode_columns(0, SECOND_US, columns, RESOLUTION))
    for name in alone:
        assert [round(a * 1e6) for a in back.columns[name]] == [round(a * 1e6) for a in columns[name]]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("course", "east", "metres"),
    [
        pytest.param(0.0, False, [0, 10, 20, 30], id="to the north"),
        pytest.param(180.0, False, [0, -10, -20, -30], id="to the south"),
        pytest.param(90.0, True, [0, 10, 20, 30], id="to the east"),
        pytest.param(90.0, False, [0, 0, 0, 0], id="not to the north"),
        pytest.param(30.0, True, [0, 5, 10, 15], id="half to the east"),
    ],
)
def test_dead_reckoning_adds_up(course: float, east: bool, metres: list[int]) -> None:
    step = Fraction(1, 10**6)
    scale = scale_of(step, SECOND_US, 0.0, east=east)
    found = offsets([10.0, None, 10.0, 10.0], [course, course, None, course], scale, east=east)
    assert found == pytest.approx([far / 0.111195 for far in metres], abs=1.5)


def test_the_bytes_are_these_on_every_machine() -> None:
    columns: dict[str, Cells] = {
        "speed": [10.0, 10.25, 10.51, None],
        "course": [359.0, 0.5, 2.0, 3.0],
        "lat": [52.1, 52.100092, 52.100184, 52.10028],
        "x": [0.5, None, None, 1.5],
    }
    body = encode_columns(5_000_000, SECOND_US, columns, {**RESOLUTION, "x": 0.5})
    assert body["columns"].hex() == "028882a840004105e38082825fa044e211b8d7dd00a9f60023120b67029c1e08042021c00e00"
    assert told(body["columns"]).columns == {
        "speed": [10.0, 10.25, 10.51, None],
        "course": [359.0, 0.5, 2.0, 3.0],
        "lat": [52.1, 52.100092, 52.100184, 52.10028],
        "x": [0.5, None, None, 1.5],
    }


@pytest.mark.parametrize("number", [0, 1, 2, 255, 2**62, NUMBER_MAX])
def test_numbers_and_codes_come_back(number: int) -> None:
    out = Writer()
    out.put_number(number)
    row = [0, 5, number, 23, 24, 25, 0, 0]
    for k in (0, 1, 30):
        for follows in (False, True):
            before = len(out)
            out.put_rice(row, k, follows=follows)
            assert len(out) - before == rice_bits(row, k, follows=follows)
    bits = Reader(out.whole())
    assert bits.take_number() == number
    for k in (0, 1, 30):
        for follows in (False, True):
            assert bits.take_rice(len(row), k, follows=follows) == row
    bits.end()


@pytest.mark.parametrize("jump", [11, -12, 12, -13, 13])
def test_a_jump_around_the_longest_plain_code_comes_back(jump: int) -> None:
    cells: Cells = [*[0.0, 1.0] * 200, float(jump), *[0.0, 1.0] * 200]
    assert told(packed(cells)).columns["x"] == cells


@pytest.mark.parametrize(
    ("columns", "resolution", "says"),
    [
        pytest.param({"x": [1.0], "y": [1.0, 2.0]}, {"x": 1.0, "y": 1.0}, "one length", id="unequal lengths"),
        pytest.param({}, {}, "one length", id="no column"),
        pytest.param({"x": []}, {"x": 1.0}, "one length", id="no row"),
        pytest.param({"x": [1.0] * (COUNT_MAX + 1)}, {"x": 1.0}, "one length", id="a row too many"),
        pytest.param({str(n): [1.0] * COUNT_MAX for n in range(17)}, {}, "cells", id="too many cells"),
        pytest.param({"x": [1.0]}, {}, "needs a resolution", id="no resolution"),
        pytest.param({"x": [math.nan]}, {"x": 1.0}, "out of range", id="not a number"),
        pytest.param({"x": [math.inf]}, {"x": 1.0}, "out of range", id="infinity"),
        pytest.param({"x": [2.0**53 + 2]}, {"x": 1.0}, "out of range", id="too large"),
        pytest.param({"x": [1e300]}, {"x": 1e-3}, "out of range", id="too large for the resolution"),
        pytest.param({"x" * 65: [1.0]}, {"x" * 65: 1.0}, "longer than", id="a long name"),
    ],
)
def test_columns_that_cannot_be_are_refused(columns: Any, resolution: dict[str, float], says: str) -> None:
    with pytest.raises(CodecError, match=says):
        encode_columns(0, SECOND_US, columns, resolution)
