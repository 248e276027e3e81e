"""What came of a scenario, wherever it ran: the same shape from every place, as JSON too."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct


class EventFound(Struct, frozen=True, kw_only=True):
    """One event, by the scenario's own clock."""

    kind: str
    start_s: float
    end_s: float
    severity: str | None = None
    direction: str | None = None
    peak_mps2: float | None = None
    delta_v_mps: float | None = None
    rule: str | None = None
    value: float | None = None
    is_locked: bool = False
    sources: tuple[str, ...] = ()


def event_found(body: Mapping[str, Any], start_s: float, end_s: float) -> EventFound:
    """An event as a record or `tbox replay` tells it: both name its parts alike, but for the time."""
    return EventFound(
        kind=body["event"],
        start_s=start_s,
        end_s=end_s,
        severity=body["severity"],
        direction=body["direction"],
        peak_mps2=body["peak_mps2"],
        delta_v_mps=body["delta_v_mps"],
        rule=body["rule"],
        value=body["value"],
        is_locked=bool(body["locked"]),
        sources=tuple(body["sources"]),
    )


class TripFound(Struct, frozen=True, kw_only=True):
    """One trip that ended."""

    start_s: float
    end_s: float
    distance_m: float
    end_reason: str


def trip_found(body: Mapping[str, Any], start_s: float, end_s: float) -> TripFound:
    """A trip, told the same two ways."""
    return TripFound(start_s=start_s, end_s=end_s, distance_m=body["distance_m"], end_reason=body["end_reason"])


class TruthRow(Struct, frozen=True, array_like=True):
    """What the car really did, for the page."""

    time_s: float
    speed_mps: float
    forward_mps2: float
    left_mps2: float
    rpm: float
    distance_m: float


class Account(Struct, frozen=True, kw_only=True):
    """What arrived at the subscriber. `verify`: what `tbox verify` said, and its exit code."""

    records: int
    devices: int
    missing: tuple[int, ...]
    faults: tuple[str, ...]
    redelivered: int
    seals: int
    starts: int
    verify_code: int
    verify_words: str


class Live(Struct, frozen=True, kw_only=True):
    """What only a running terminal shows. Depths are (time_s, records waiting); latencies from moment to broker, ms."""

    account: Account
    exit_codes: tuple[int, ...]
    depths: tuple[tuple[float, int], ...] = ()
    latencies_ms: tuple[float, ...] = ()
    loads: tuple[tuple[float, int], ...] = ()
    """How many frames the car's end had put on the bus by when, in seconds."""
    heard: int = 0
    """Frames on the bus that were not the car's."""
    heard_by: tuple[tuple[float, int], ...] = ()
    """How many of them by when, in seconds."""
    kinds: dict[str, int] = {}
    """Records by kind."""
    trouble: tuple[str, ...] = ()
    """What `dtc` records say, in order."""
    arrived_by: tuple[tuple[float, int], ...] = ()
    """How many new records had come to the broker by when, in seconds."""
    silences: dict[str, int] = {}
    """How often it fell silent, by reason, as its last word on its health has it."""
    clocks: tuple[str, ...] = ()
    """Who vouched for each `clock` record, in order."""
    utc_error_s: float | None = None
    """How far the date that they give is off."""
    car_dropped: int = 0
    is_box: bool = False
    """The terminal is a box elsewhere: how it starts and ends is its own business."""
    link: str = ""
    """How the terminal's link stood after the drive, in words; empty: it has none."""
    log: str = ""


class Told(Struct, frozen=True, kw_only=True):
    """What a terminal told of a drive, and its conserved counters."""

    events: tuple[EventFound, ...] = ()
    trips: tuple[TripFound, ...] = ()
    counters: dict[str, int] = {}


class Outcome(Struct, frozen=True, kw_only=True):
    """All that is judged. `counters` are the conserved ones: in, decoded, unmapped, rejected, dropped."""

    scenario: str
    place: str
    seed: int
    took_s: float
    drive_s: float
    events: tuple[EventFound, ...] = ()
    trips: tuple[TripFound, ...] = ()
    counters: dict[str, int] = {}
    not_judged: dict[str, int] = {}
    truth: tuple[TruthRow, ...] = ()
    live: Live | None = None
    other: Told | None = None
    """The same input the other way: in place process through `tbox run`, elsewhere through `tbox replay`."""
    trouble: str = ""
    """Why there is no outcome; empty: there is one."""

    def write(self, path: Path) -> None:
        """As JSON, whole or not at all."""
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(self))
        part.replace(path)


_READER = msgspec.json.Decoder(Outcome)
"""Made here, once: msgspec falls when two threads work out the same type at the same time."""


def read(path: Path) -> Outcome:
    """What `write` wrote."""
    return _READER.decode(path.read_bytes())


def truth_row(state: Any) -> TruthRow:
    """A row for the page, of a hil.drive.State."""
    return TruthRow(
        state.time_s,
        round(state.speed_mps, 3),
        round(state.forward_mps2, 3),
        round(state.left_mps2, 3),
        round(state.rpm, 0),
        round(state.distance_m, 2),
    )
