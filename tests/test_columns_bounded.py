"""With bounds no value lies farther from what was measured than its bound says, whatever the column looks like."""

import math
from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.codec import Record
from agent.columns import decode_columns, encode_columns
from agent.columns.bounds import bounds_of
from agent.columns.reckoning import DEGREE_M
from agent.columns.swing import swing
from agent.settings import defaults
from agent.settings.samples import Bounds
from agent.trip.account import RESOLUTION, Account
from agent.trip.trip import TripStarted
from tests import ride, walks
from tests.accounts import ledger

Cells = list[float | None]
SECOND_US = 1_000_000

busy = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be."""
BOUNDS = st.sampled_from([0.0, 0.004, 0.005, 0.0051, 0.01, 0.3, 1.0, 7.7, 1e9])


def held(columns: Mapping[str, Cells], resolution: Mapping[str, float], bounds: Mapping[str, float]) -> int:
    """Encode and decode, hold every value against its bound; the bytes it took."""
    body = encode_columns(0, SECOND_US, columns, resolution, bounds)
    back = decode_columns(body).columns
    for name, cells in columns.items():
        most = max(bounds.get(name, 0.0), resolution[name] * 0.5000001)
        for cell, number in zip(cells, back[name], strict=True):
            assert (cell is None) == (number is None)
            if cell is not None and number is not None:
                far = abs(cell - number)
                if name == "course" and 0 <= cell < 360:
                    assert 0 <= number <= 360
                    far = min(far, 360 - far)
                assert far <= most + math.ulp(cell), (name, cell, number)
    return len(body["columns"])


@st.composite
def curves(draw: st.DrawFn) -> Cells:
    """Pieces that stand, climb, shake, jump, or are missing."""
    cells: Cells = []
    level, luck = draw(st.floats(-1e4, 1e4)), Random(draw(st.integers(0, 2**20)))
    for _ in range(draw(st.integers(1, 6))):
        slope, shake = draw(st.sampled_from([0.0, 0.1, -3.0, 1e3])), draw(st.sampled_from([0.0, 0.02, 0.5, 40.0]))
        level += draw(st.sampled_from([0.0, 0.0, 0.3, -25.0, 1e6]))
        told = draw(st.sampled_from([1.0, 1.0, 0.6]))
        for _ in range(draw(st.integers(1, 15))):
            level += slope
            cells.append(level + luck.uniform(-1, 1) * shake if luck.random() < told else None)
    return cells


@busy
@given(curves(), BOUNDS)
@example([0.0, 2.0**53 * 0.01, -(2.0**53) * 0.01, 0.0], 0.3)
@example([None, 1.0, None, None, 5.0, None], 0.3)
@example([None, None], 0.3)
@example([359.95, 0.05, 359.95, 0.05, 180.0, None, 359.0], 0.3)
def test_the_bound_holds_for_every_value(cells: Cells, bound: float) -> None:
    for name in ("speed", "course"):
        held({name: cells}, {name: 0.01}, {name: bound})


@busy
@given(st.lists(st.floats(-(2.0**52), 2.0**52) | st.none(), min_size=1, max_size=40), st.floats(0, 1e17))
def test_the_bound_holds_for_any_numbers(cells: Cells, bound: float) -> None:
    held({"x": cells}, {"x": 1.0}, {"x": bound})


@busy
@given(st.lists(st.floats(0, 359.99) | st.none(), min_size=1, max_size=40), st.floats(0, 45))
def test_the_bound_holds_for_any_directions(cells: Cells, bound: float) -> None:
    held({"course": cells}, {"course": 0.1}, {"course": bound})


@busy
@given(curves(), curves(), curves(), BOUNDS)
def test_the_bound_holds_along_any_speed_and_course(speed: Cells, course: Cells, lat: Cells, bound: float) -> None:
    count = min(len(speed), len(course), len(lat))
    place = [None if cell is None else 50 + cell / 1e6 for cell in lat[:count]]
    columns = {"speed": speed[:count], "course": course[:count], "lat": place, "lon": place}
    bounds = {"speed": bound, "course": bound, "lat": bound / 1e5, "lon": bound / 1e5}
    held(columns, RESOLUTION, bounds)


def test_a_drive_within_the_default_bounds_is_less_than_half_of_the_exact_one() -> None:
    exact = bounded = 0
    rows = walks.walk(5, 300, "obd")
    for at in range(0, 300, 60):
        columns = {name: [row[name] for row in rows[at : at + 60]] for name in walks.SIGNALS}
        exact += held(columns, RESOLUTION, {})
        bounded += held(columns, RESOLUTION, bounds_of(Bounds(), columns))
    assert bounded < 0.4 * exact


def test_a_speed_that_would_lead_out_of_the_world_leads_nowhere() -> None:
    """Nobody drives so fast, but the chunk must come back."""
    columns: dict[str, Cells] = {"speed": [9e13] * 300, "course": [45.0] * 300, "lat": [90.0] * 300, "lon": [0.1] * 300}
    held(columns, RESOLUTION, {})
    held(columns, RESOLUTION, {"lat": 1e-4, "lon": 1e-4})


@pytest.mark.parametrize(
    ("bound", "is_exact"),
    [
        pytest.param(0.0, True, id="none"),
        pytest.param(0.005, True, id="half of the resolution"),
        pytest.param(0.03, False, id="three times of it"),
    ],
)
def test_a_bound_under_the_resolution_changes_nothing(bound: float, is_exact: bool) -> None:
    cells: Cells = [20 + 0.1 * math.sin(second * 1.7) for second in range(60)]
    exact = encode_columns(0, SECOND_US, {"speed": cells}, RESOLUTION)
    assert (encode_columns(0, SECOND_US, {"speed": cells}, RESOLUTION, {"speed": bound}) == exact) is is_exact


@pytest.mark.parametrize(
    ("numbers", "kept"),
    [
        pytest.param([0, 10, 20, 30, 40], [(0, 0), (4, 40)], id="a line is its ends"),
        pytest.param([0, 10, 20, 10, 0], [(0, 0), (2, 20), (4, 0)], id="a corner"),
        pytest.param([0, 2, 0, 2, 0], [(0, 0), (4, 0)], id="a shake within the tolerance"),
        pytest.param([0, 0, 5, 0, 0], [(0, 0), (2, 4), (4, 0)], id="a spike out of it"),
        pytest.param([7], [(0, 7)], id="a single value"),
    ],
)
def test_the_points_that_reconstruct_the_curve_are_kept(numbers: list[int], kept: list[tuple[int, int]]) -> None:
    places, counts = swing(range(len(numbers)), numbers, 2.0, 1)
    assert list(zip(places, counts, strict=True)) == kept


@pytest.mark.parametrize("lat_deg", [0.0, 52.0, -80.0])
def test_a_position_is_within_its_metres_as_the_crow_flies(lat_deg: float) -> None:
    poleward = math.copysign(abs(lat_deg) + 9, lat_deg)
    found = bounds_of(Bounds(position_m=5.0), {"lat": [None, poleward, lat_deg], "lon": [9.0, 9.0, 9.0]})
    north_m, east_m = found["lat"] * DEGREE_M, found["lon"] * DEGREE_M * math.cos(math.radians(lat_deg))
    assert math.hypot(north_m, east_m) == pytest.approx(5.0)


def test_the_bytes_are_these_on_every_machine() -> None:
    """Kept points, a coarse lattice, a direction across north, and a number too long for Rice's code."""
    seconds = range(40)
    columns: dict[str, Cells] = {
        "speed": [10 + 0.5 * at if at < 20 else 20 - 0.25 * (at - 20) for at in seconds],
        "rpm": [900.0 + at * 7919 % 97 for at in seconds],
        "course": [(355 + at * 1.5) % 360 for at in seconds],
        "lat": [52 + at * 1e-4 + at * at * 1e-6 for at in seconds],
        "x": [0.0] * 39 + [1e9],
    }
    bounds = {"speed": 0.3, "rpm": 100.0, "course": 5.0, "lat": 3e-5}
    body = encode_columns(0, SECOND_US, columns, {**RESOLUTION, "x": 1.0}, bounds)
    assert body["columns"].hex() == (
        "028031d420006082f1a123cf21fa2069cc0c8022388bfb0c261ceb45f159dc336f1aa1dc81093310788555600040000000007fffffb2625a00"
    )
    back = decode_columns(body).columns
    assert [back["speed"][at] for at in (0, 10, 20, 39)] == [10.0, 15.0, 20.0, 15.25]
    assert (set(back["rpm"]), back["x"]) == ({995.0}, columns["x"])
    assert [back["course"][at] for at in (0, 39)] == [355.5, 54.0]


def test_what_is_counted_or_switched_has_no_bound() -> None:
    names = ("speed", "brake", "ignition", "airbag", "sats")
    assert bounds_of(Bounds(), {name: [1.0] for name in names}) == {"speed": 0.3}


def samples_of(rows: list[walks.Row], bounds: Bounds | None) -> list[Record]:
    """The samples records of a drive, as the account makes them."""
    account = Account(ledger(), defaults().samples, "rules", bounds)
    account.moment(TripStarted(0, 0), 0)
    samples = [
        replace(ride.START, at_us=at * SECOND_US, values=ride.told(**row)) for at, row in enumerate(rows, start=1)
    ]
    return [record for sample in samples for record in account.sample(sample)]


def test_an_account_with_bounds_keeps_them_and_is_smaller() -> None:
    rows = walks.walk(6, 181, "obd")
    exact, bounded = samples_of(rows, None), samples_of(rows, Bounds())
    assert [len(records) for records in (exact, bounded)] == [3, 3]
    assert sum(len(record.raw) for record in bounded) < 0.6 * sum(len(record.raw) for record in exact)
    for chunk, record in enumerate(bounded):
        back = decode_columns(record.body)
        assert (back.start_us, len(back.columns["speed"])) == ((60 * chunk + 1) * SECOND_US, 60)
        for row, speed in zip(rows[60 * chunk :], back.columns["speed"], strict=False):
            assert row["speed"] is not None
            assert speed is not None
            assert abs(row["speed"] - speed) <= 0.3
