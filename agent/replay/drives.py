"""Drives as a page tells them, gathered from records or from a replay: times in seconds, samples as rows.

A row has `time_s`, `speed_mps`, `limit_mps`, `rpm`, `lat_deg`, `lon_deg`, and on the car's axes `forward_mps2` and
`left_mps2` as they were estimated and `measured_mps2` and `measured_left_mps2` as an acceleration sensor felt them;
None: not known. An event also has `settings`, those of the rule that judged it (`settings_words`: as sentences), and
`window`, closer rows around it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

import msgspec

from agent.codec import Record
from agent.columns import decode_columns
from agent.core import Calibration, Sample
from agent.replay.replay import Glance, Told, in_seconds, told
from agent.replay.windows import Windows
from agent.settings import Settings, rule_words, rules_id
from agent.settings.rules import Detect
from agent.world.dating import Dating

ROW = {"speed": "speed_mps", "speed_limit": "limit_mps", "rpm": "rpm", "lat": "lat_deg", "lon": "lon_deg"}
"""Catalogue signals a page shows, by the name of their cell in a row."""
FORCE = ("accel_x", "accel_y", "accel_z")
SIGNALS = {**ROW, **{axis: axis for axis in FORCE}}
STEP_S_MAX = 3.0
"""Samples farther apart than this give no acceleration."""
MOUNTED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
JUDGED_AS = {"impact": "crash", "fatigue_warning": "fatigue"}
"""Events whose rule has another name."""
HEALTHY = ("values_rejected", "not_judged")
"""What a health record says of the data's quality; the last one speaks for the whole account."""
MOMENTS = ("start_us", "end_us")

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


def from_replay(things: Iterable[Told], settings: Settings) -> Drives:
    """What a replay with glances told, judged by these settings."""
    drives, windows = Drives(), Windows()
    rotation: Sequence[float] | None = MOUNTED if settings.imu.mounting == "vehicle" else None
    for thing in things:
        match thing:
            case Sample():
                drives.samples.append(_row_of(thing))
            case Glance(sample):
                windows.row(_row_of(sample))
            case Calibration():
                rotation = thing.rotation
            case dict() if thing["record"] == "counters":
                drives.counters = thing
            case _:
                _gather(drives, windows, told(thing) or {})
    for row in chain(drives.samples, *(event["window"] for event in drives.events)):
        row["measured_mps2"], row["measured_left_mps2"] = _turned(rotation, row)
    _judge(drives.events, settings.detect)
    return drives


def from_records(records: Sequence[Record], detect: Detect | None = None) -> Drives:
    """What records tell; dated in UTC where a clock record of their boot allows it, else in seconds of their boot.

    `detect` are rules somebody names; events that were judged by others keep theirs to themselves.
    """
    by_number = sorted(records, key=lambda record: record.seq)
    dating = Dating(record.body for record in by_number if record.kind == "clock")
    drives = Drives()
    for record in by_number:
        offset_us = _offset_us(dating, record)
        match record.kind:
            case "trip_end":
                drives.trips.append(_dated(record.body, offset_us))
            case "event":
                drives.events.append(_dated(record.body, offset_us) | {"window": []})
            case "samples":
                drives.samples += _rows(record.body, offset_us)
            case "seal":
                drives.counters |= _counted(record.body)
            case "health":
                drives.counters |= {key: record.body[key] for key in HEALTHY if key in record.body}
    drives.samples.sort(key=lambda row: float(row["time_s"]))
    _accelerate(drives, [record for record in by_number if record.kind == "calibration"])
    _judge(drives.events, detect or Detect(), drives.notes)
    if not dating and drives.trips:
        drives.notes.append("No clock record: times count from the start of each trip.")
    return drives


def _gather(drives: Drives, windows: Windows, line: dict[str, Any]) -> None:
    """A trip or an event, as replay tells it."""
    if line.get("record") == "trip":
        drives.trips.append(line)
    elif line.get("record") == "event":
        drives.events.append(line | {"window": windows.around(line)})


def _judge(events: Iterable[dict[str, Any]], detect: Detect, notes: list[str] | None = None) -> None:
    """Put its rule beside each event; say where these are not the rules it was judged by."""
    own, others = rules_id(detect), set[str]()
    for event in events:
        rule = getattr(detect, JUDGED_AS.get(event["event"], event["event"]), None)
        is_own = event.get("rules", own) == own
        event["settings"] = msgspec.to_builtins(rule) if rule is not None and is_own else None
        event["settings_words"] = list(rule_words.sentences(rule)) if rule is not None and is_own else []
        others |= set() if is_own else {event["rules"]}
    if notes is not None and others:
        which = ", ".join(sorted(others))
        notes.append(f"Judged by the rules {which}, which are not those at hand ({own}): name theirs with --config.")


def _row_of(sample: Sample) -> Row:
    """A sample of the core as a row."""
    cells = {cell: sample.value(signal) for signal, cell in SIGNALS.items()}
    own = {"forward_mps2": sample.forward_mps2, "left_mps2": sample.left_mps2}
    return {"time_s": sample.at_us / 1e6, **cells, **own}


def _offset_us(dating: Dating, record: Record) -> int:
    """What makes the times in a record UTC; 0 where nothing dates it."""
    at_us = int(record.body.get("start_us") or record.t_us)
    moment = dating.moment(record.body.get("boot", record.boot), at_us)
    return 0 if moment is None else moment.utc_us - at_us


def _counted(seal: Mapping[str, Any]) -> dict[str, Any]:
    """The counters a seal states; the last seal's are those of the whole account."""
    return {f"frames_{name}": count for name, count in seal["frames"].items()} | {"losses": seal["losses"]}


def _dated(body: Mapping[str, Any], offset_us: int) -> dict[str, Any]:
    """The same body with every *_us as *_s, moments dated."""
    moments = {name: body[name] + offset_us for name in MOMENTS if body.get(name) is not None}
    return in_seconds({**body, **moments})


def _rows(body: Mapping[str, Any], offset_us: int) -> Iterator[Row]:
    """The rows of a samples record."""
    chunk = decode_columns(body)
    count = max((len(column) for column in chunk.columns.values()), default=0)
    empty: list[float | None] = [None] * count
    for index in range(count):
        cells = {cell: chunk.columns.get(signal, empty)[index] for signal, cell in SIGNALS.items()}
        yield {"time_s": (chunk.start_us + index * chunk.step_us + offset_us) / 1e6, **cells}


def _accelerate(drives: Drives, calibrations: Sequence[Record]) -> None:
    """Forward by the change of the recorded speed; as the sensor felt it where its mounting is known."""
    rotation = calibrations[-1].body["rotation"] if calibrations else None
    for row in drives.samples:
        row["measured_mps2"], row["measured_left_mps2"] = _turned(rotation, row)
    for before, row in pairwise(drives.samples):
        row["forward_mps2"] = _slope(before, row)
    if drives.samples:
        drives.notes.append("Estimated acceleration is the change of the recorded speed from second to second.")
    if drives.samples and not calibrations:
        drives.notes.append("No mounting of an acceleration sensor was known: nothing was measured by one.")


def _turned(rotation: Sequence[float] | None, row: Row) -> tuple[float | None, float | None]:
    """Forward and left of the row's specific force."""
    force = [row[axis] for axis in FORCE]
    if rotation is None or None in force:
        return None, None
    forward, left = (sum(a * b for a, b in zip(rotation[at : at + 3], force, strict=True)) for at in (0, 3))
    return forward, left


def _slope(before: Row, row: Row) -> float | None:
    lasted_s = float(row["time_s"] - before["time_s"])
    if before["speed_mps"] is None or row["speed_mps"] is None or not 0 < lasted_s <= STEP_S_MAX:
        return None
    return float(row["speed_mps"] - before["speed_mps"]) / lasted_s
