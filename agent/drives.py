"""Drives as a page tells them, gathered from records or from a replay: times in seconds, samples as rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from agent.codec import Record
from agent.columns import decode_columns
from agent.core import Sample
from agent.replay import Told, told

ROW = {"speed": "speed_mps", "rpm": "rpm", "lat": "lat_deg", "lon": "lon_deg"}
"""Catalogue signals a page shows, by the name of their cell in a row."""
STEP_S_MAX = 3.0
"""Samples farther apart than this give no acceleration."""

Row = dict[str, Any]


@dataclass(slots=True)
class Drives:
    """What `page` takes: trips and events as replay tells them, rows of samples, counters; notes say where from."""

    trips: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    samples: list[Row] = field(default_factory=list)
    counters: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def only(self, index: int) -> "Drives":
        """One trip of them, by its place in the list, with its events; the rows stay."""
        trip = self.trips[index]
        return Drives(
            [trip],
            [event for event in self.events if event["trip"] == trip["trip"]],
            self.samples,
            self.counters,
            self.notes,
        )


def from_replay(things: Iterable[Told]) -> Drives:
    """What a replay told, samples too."""
    drives = Drives()
    lists = {"trip": drives.trips, "event": drives.events}
    for thing in things:
        if isinstance(thing, Sample):
            drives.samples.append(_row_of(thing))
            continue
        line = told(thing)
        if line is not None and line["record"] in lists:
            lists[line["record"]].append(line)
        elif line is not None and line["record"] == "counters":
            drives.counters = line
    return drives


def from_records(records: Sequence[Record]) -> Drives:
    """What records tell; dated in UTC where a clock record of their boot allows it, else in seconds of their boot."""
    by_number = sorted(records, key=lambda record: record.seq)
    clocks = _clocks(by_number)
    drives = Drives()
    for record in by_number:
        offset_us = clocks.get(record.body.get("boot", record.boot), 0)
        match record.kind:
            case "trip_end":
                drives.trips.append(_in_seconds(record.body, offset_us))
            case "event":
                drives.events.append(_in_seconds(record.body, offset_us))
            case "samples":
                drives.samples += _rows(record.body, offset_us)
            case "seal":
                drives.counters = _counted(record.body)
    drives.samples.sort(key=lambda row: float(row["time_s"]))
    _accelerate(drives, [record for record in by_number if record.kind == "calibration"])
    if not clocks and drives.trips:
        drives.notes.append("No clock record: times count from the start of each trip.")
    return drives


def _row_of(sample: Sample) -> Row:
    """A sample of the core as a row."""
    cells = {cell: sample.value(signal) for signal, cell in ROW.items()}
    return {
        "time_s": sample.at_us / 1e6,
        **cells,
        "forward_mps2": sample.forward_mps2,
        "left_mps2": sample.left_mps2,
    }


def _clocks(records: Iterable[Record]) -> dict[int, int]:
    """For each boot, what makes its time UTC: from the clock record that knows best, the last of equals."""
    best: dict[int, tuple[float, int]] = {}
    for body in (record.body for record in records if record.kind == "clock"):
        unsure_us = float("inf") if body["u_us"] is None else float(body["u_us"])
        if body["boot"] not in best or unsure_us <= best[body["boot"]][0]:
            best[body["boot"]] = (unsure_us, body["utc_us"] - body["boot_us"])
    return {boot: offset_us for boot, (_, offset_us) in best.items()}


def _counted(seal: Mapping[str, Any]) -> dict[str, Any]:
    """The counters a seal states; the last seal's are those of the whole account."""
    return {f"frames_{name}": count for name, count in seal["frames"].items()} | {"losses": seal["losses"]}


def _in_seconds(body: Mapping[str, Any], offset_us: int) -> dict[str, Any]:
    """The same body with every *_us as *_s, moments dated."""
    moments = ("start_us", "end_us")
    return {
        (name.removesuffix("_us") + "_s" if name.endswith("_us") else name): (
            content
            if content is None or not name.endswith("_us")
            else (content + (offset_us if name in moments else 0)) / 1e6
        )
        for name, content in body.items()
    }


def _rows(body: Mapping[str, Any], offset_us: int) -> Iterator[Row]:
    """The rows of a samples record, with the sensor's three accelerations still on its own axes."""
    chunk = decode_columns(body)
    count = max((len(column) for column in chunk.columns.values()), default=0)
    empty: list[float | None] = [None] * count
    wanted = {**ROW, "accel_x": "accel_x", "accel_y": "accel_y", "accel_z": "accel_z"}
    for index in range(count):
        cells = {cell: chunk.columns.get(signal, empty)[index] for signal, cell in wanted.items()}
        yield {"time_s": (chunk.start_us + index * chunk.step_us + offset_us) / 1e6, **cells}


def _accelerate(drives: Drives, calibrations: Sequence[Record]) -> None:
    """Fill in forward and left: by the sensor where its mounting is known, else forward by the change of speed."""
    if calibrations:
        rotation = calibrations[-1].body["rotation"]
        for row in drives.samples:
            row["forward_mps2"], row["left_mps2"] = _turned(rotation, row)
    elif drives.samples:
        for before, row in pairwise(drives.samples):
            row["forward_mps2"] = _slope(before, row)
        drives.notes.append("Acceleration is the change of speed from second to second: no mounting was known.")


def _turned(rotation: Sequence[float], row: Row) -> tuple[float | None, float | None]:
    """Forward and left of the row's specific force."""
    force = (row["accel_x"], row["accel_y"], row["accel_z"])
    if None in force:
        return None, None
    forward, left = (sum(a * b for a, b in zip(rotation[at : at + 3], force, strict=True)) for at in (0, 3))
    return forward, left


def _slope(before: Row, row: Row) -> float | None:
    lasted_s = float(row["time_s"] - before["time_s"])
    if before["speed_mps"] is None or row["speed_mps"] is None or not 0 < lasted_s <= STEP_S_MAX:
        return None
    return float(row["speed_mps"] - before["speed_mps"]) / lasted_s
