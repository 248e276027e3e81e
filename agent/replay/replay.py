"""`tbox replay`: the core and the trip logic over recordings, as fast as they go, told as JSON Lines or for people.

Printed numbers come from the core or from + - x / only and are rounded: seconds to 6 decimals, metres, m/s and m/s² to
3, degrees to 7. The same input and settings give the same bytes on every machine.
"""

import json
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from agent.core import Calibration, Core, Event, Sample
from agent.obd.overheard import Overheard, overheard_words
from agent.replay.inputs import opened, warn, written
from agent.settings import Settings
from agent.trip import terms
from agent.trip.alone import beside
from agent.trip.contrast import Differed
from agent.trip.trip import EventFound, Moment, TripEnded, Trips, TripStarted
from agent.vehicle import Table
from agent.world.hours import Dated
from drivers.batch import FIX, INPUT_BYTES
from drivers.recordings.merge import times_us
from drivers.recordings.recording import Recording

_FIX = struct.Struct("=qIBBBB6d16x")


@dataclass(frozen=True, slots=True)
class Glance:
    """What was known between two samples, for those who look closer."""

    sample: Sample


Told = Moment | Sample | Calibration | Glance | dict[str, Any]


def replay(
    settings: Settings, table: Table, recording: Recording, *, fixes: bool = False, glance_us: int = 0
) -> Iterator[Told]:
    """Everything the recordings tell, in order: moments, samples, calibrations, fix records, at last the counters.

    With `glance_us` also a glance whenever that much time has passed and something was told in it. SettingsError:
    candidate rules (settings.shadow.rules) do not load.
    """
    core, trips, last_us = Core(settings, table), Trips(settings.trip, terms.load(settings, table)), 0
    overheard, shadow = Overheard(), beside(settings, table)
    trips.date(Dated(0, "recording") if recording.is_utc else None)
    for batch in chain.from_iterable(_slices(batch, glance_us) for batch in recording.batches()):
        if fixes:
            yield from _fixes(batch)
        shadow.feed(batch)
        for output in core.feed(batch):
            if not isinstance(output, Event):
                yield output
            yield from _each(shadow.step(output, trips.step(output)))
        yield from overheard.step(batch, trips.trip)
        last_us = max(last_us, int.from_bytes(batch[-INPUT_BYTES:][:8], sys.byteorder, signed=True))
        if glance_us:
            yield Glance(core.snapshot(last_us))
    for output in core.finish():
        yield from _each(shadow.step(output, trips.step(output)))
    yield from _each(shadow.finish(trips.finish(core.snapshot(last_us), "end_of_input")))
    yield {"record": "counters", **core.counters(), "dropped": 0, **recording.counters}


def told(thing: Told) -> dict[str, Any] | None:
    """A moment as the JSON object of DESIGN 6; None for what is not told in JSON."""
    match thing:
        case dict():
            return thing
        case EventFound(event, trip):
            return _event(event, trip)
        case TripEnded(trip, summary):
            return {"record": "trip", "trip": trip, **in_seconds(summary)}
        case Calibration():
            return _calibration(thing)
        case TripStarted() | Differed() | Sample() | Glance():
            return None


def run(
    inputs: Sequence[Path], settings: Settings, table: Table, *, form: str | None, fixes: bool, json_to: str | None
) -> int:
    """The command. `json_to` is a file, "-" for stdout, or None: a summary for people."""
    recording = opened(inputs, form)
    things = replay(settings, table, recording, fixes=fixes)
    if json_to is None:
        _print_summary(things)
    else:
        with written(json_to, inputs) as out:
            for record in filter(None, map(told, things)):
                out.write(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n")
    warn(recording)
    return 0


def _each(moments: Iterable[Moment]) -> Iterator[Moment | dict[str, Any]]:
    """The moments; what candidate rules would have told otherwise one by one."""
    for moment in moments:
        if isinstance(moment, Differed):
            about = {"record": "shadow", "trip": moment.trip, "rules": moment.rules, "active_rules": moment.active}
            yield from ({**about, **in_seconds(one.body())} for one in moment.differences)
        else:
            yield moment


def _slices(batch: bytes, every_us: int) -> Iterator[bytes]:
    """The batch, cut wherever a multiple of `every_us` passes; whole for 0."""
    start = 0
    turns = [at_us // every_us for at_us in times_us(batch)] if every_us else []
    for index, (before, turn) in enumerate(pairwise(turns), start=1):
        if turn != before:
            yield batch[start * INPUT_BYTES : index * INPUT_BYTES]
            start = index
    yield batch[start * INPUT_BYTES :]


def _fixes(batch: bytes) -> Iterator[dict[str, Any]]:
    """The fixes of a batch, one record per epoch."""
    for start in range(0, len(batch), INPUT_BYTES):
        if batch[start + 12] == FIX:
            t_us, _, _, _, valid, bits, *numbers = _FIX.unpack_from(batch, start)
            lat, lon, speed, course = (n if bits >> i & 1 else None for i, n in enumerate(numbers[:4]))
            is_place = bool(valid) and lat is not None and lon is not None
            yield {
                "record": "fix",
                "time_s": t_us / 1e6,
                "lat_deg": _rounded(lat, 8) if is_place else None,
                "lon_deg": _rounded(lon, 8) if is_place else None,
                "speed_mps": _rounded(speed, 4),
                "course_deg": _rounded(course, 3),
                "valid": is_place,
            }


def _event(event: Event, trip: int | None) -> dict[str, Any]:
    return {
        "record": "event",
        "event": event.name,
        "start_s": event.start_us / 1e6,
        "end_s": event.end_us / 1e6,
        "peak_mps2": _rounded(event.peak_mps2, 3),
        "entry_mps": _rounded(event.entry_mps, 3),
        "exit_mps": _rounded(event.exit_mps, 3),
        "delta_v_mps": _rounded(event.delta_v_mps, 3),
        "delta_v_s": _rounded(event.delta_v_s, 3),
        "severity": event.severity,
        "confidence": _rounded(event.confidence, 2),
        "sources": list(event.sources),
        "lat_deg": _rounded(event.lat_deg, 7),
        "lon_deg": _rounded(event.lon_deg, 7),
        "direction": event.direction,
        "dv_clipped": event.dv_clipped,
        "locked": event.locked,
        "rule": event.rule,
        "value": _rounded(event.value, 3),
        "trip": trip,
    }


def _calibration(told: Calibration) -> dict[str, Any]:
    return {
        "record": "calibration",
        "time_s": told.at_us / 1e6,
        "gravity_axis": [_rounded(a, 6) for a in told.gravity],
        "rotation": [_rounded(a, 6) for a in told.rotation],
        "quality": _rounded(told.quality, 3),
    }


def in_seconds(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The same summary with every *_us as *_s, inside it too."""
    told: dict[str, Any] = {}
    for key, number in summary.items():
        if key.endswith("_us"):
            told[key.removesuffix("_us") + "_s"] = None if number is None else number / 1e6
        else:
            told[key] = in_seconds(number) if isinstance(number, Mapping) else number
    return told


def _rounded(number: float | None, digits: int) -> float | None:
    """Rounded, without a negative zero."""
    return None if number is None else round(number, digits) + 0.0


def _print_summary(things: Iterable[Told]) -> None:
    """What a person wants to see first: trips, their events, what was counted."""
    for thing in things:
        match thing:
            case EventFound(event, trip):
                print(_event_line(event, trip))
            case TripEnded(trip, summary):
                print(_trip_line(trip, summary))
                if "shadow" in summary:
                    print(_shadow_line(trip, summary["shadow"]))
            case dict() if thing["record"] == "shadow":
                severities = f"{thing['active'] or 'none'} now, {thing['candidate'] or 'none'} by the candidate"
                print(f"{thing['start_s']:14.1f} s  shadow: {thing['event']}: {severities}")
            case dict() if thing["record"] == "event":
                print(f"{thing['start_s']:14.1f} s  {overheard_words(thing)}")
            case dict() if thing["record"] == "counters":
                rejected = sum(thing["rejected"].values())
                counts = f"decoded {thing['decoded']}, unmapped {thing['unmapped']}, rejected {rejected}"
                print(f"frames in {thing['frames_in']}, {counts}")


def _event_line(event: Event, trip: int | None) -> str:
    """An event on one line."""
    where = "" if trip is None else f" in trip {trip}"
    size = "" if event.peak_mps2 is None else f", {event.peak_mps2:.1f} m/s²"
    lasted_s = (event.end_us - event.start_us) / 1e6
    return f"{event.start_us / 1e6:14.1f} s  {event.name} ({event.severity}){size}, {lasted_s:.1f} s long{where}"


def _shadow_line(trip: int, shadow: dict[str, Any]) -> str:
    """What a candidate changes in a trip, on one line."""
    differences = shadow["differences"]
    words = (f"{event} {kind} {count}" for event, kinds in differences.items() for kind, count in kinds.items())
    return f"{'':14}    shadow of trip {trip}: {', '.join(words) or 'no difference'}"


def _trip_line(trip: int, summary: dict[str, Any]) -> str:
    """A trip on one line."""
    lasted_s = (summary["end_us"] - summary["start_us"]) / 1e6
    way = f"{summary['distance_m'] / 1000:.3f} km in {lasted_s:.0f} s"
    fastest = f"at most {summary['max_speed_mps'] * 3.6:.0f} km/h"
    return f"{summary['start_us'] / 1e6:14.1f} s  trip {trip}: {way}, {fastest}, ended: {summary['end_reason']}"
