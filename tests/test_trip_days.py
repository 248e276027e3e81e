"""Days of five real vehicles at 1 Hz, trip by trip, against the trip tables of those who recorded them."""

import csv
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from agent.replay import replay
from agent.replay.inputs import opened
from agent.settings.file import load
from agent.trip.trip import TripEnded
from agent.vehicle import Table

CMAP = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "cmap"
MPH = 0.44704
EMPTY = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
HOLE_S = 5
"""Distance is not integrated across a longer hole (DETECTION, "Trips"): 5 s, or 4 times the refresh of 1 s."""

Span = tuple[float, float]
pytestmark = pytest.mark.skipif(not CMAP.exists(), reason="the recordings are not beside the project")


def seconds(stamp: str) -> float:
    """Local time of day, on a line without time zones."""
    return (datetime.fromisoformat(stamp) - datetime(2000, 1, 1)).total_seconds()  # noqa: DTZ001  (local, as recorded)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def days(vehicle: Path) -> list[tuple[float, float]]:
    """(time, m/s) of all days of a vehicle."""
    rows = [row for path in sorted(vehicle.glob("20*.csv")) for row in table(path)]
    return [(seconds(row["timestamp"]), float(row["speed_mph"]) * MPH) for row in rows]


def found(vehicle: Path, speeds: list[tuple[float, float]], folder: Path) -> list[dict]:
    """The trips that replay tells of a vehicle."""
    recording = folder / f"{vehicle.name}.csv"
    recording.write_text("time_s,speed_mps\n" + "".join(f"{at_s:.0f},{mps:.5f}\n" for at_s, mps in speeds))
    things = replay.replay(load(None), EMPTY, opened([recording], None))
    return [thing.summary for thing in things if isinstance(thing, TripEnded)]


def overlap(a: Span, b: Span) -> float:
    """Intersection over union."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) / (max(a[1], b[1]) - min(a[0], b[0]))


def hits(told: list[Span], truth: list[Span], least: float) -> int:
    """How many trips of the truth were told, each by a trip of its own."""
    left, count = list(told), 0
    for true in truth:
        best = max(left, key=lambda span: overlap(span, true), default=None)
        if best is not None and overlap(best, true) >= least:
            left.remove(best)
            count += 1
    return count


def test_trips_of_real_days_are_those_of_their_tables(tmp_path: Path) -> None:
    total = told_all = hit = 0
    for vehicle in sorted(path for path in CMAP.iterdir() if path.is_dir()):
        speeds = days(vehicle)
        trips = found(vehicle, speeds, tmp_path)
        told = [(trip["start_us"] / 1e6, trip["end_us"] / 1e6) for trip in trips]
        truth = [(seconds(row["start_ts"]), seconds(row["end_ts"])) for row in table(vehicle / "trips.csv")]
        total, told_all, hit = total + len(truth), told_all + len(told), hit + hits(told, truth, 0.8)
        way_m = sum((a + b) / 2 * (t - s) for (s, a), (t, b) in pairwise(speeds) if t - s <= HOLE_S)
        assert sum(trip["distance_m"] for trip in trips) == pytest.approx(way_m, rel=0.002), vehicle.name
    f1 = 2 * hit / (total + told_all)
    assert total == 77
    assert f1 >= 0.95, f"{hit} of {total} trips, {told_all} told: F1 {f1:.3f}"
