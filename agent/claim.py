"""What a claims handler reads of one crash, gathered from its records: times from the blow on, in seconds. Pure.

What was put down at the time (the event, the table) is told as it stands; curves are drawn from what came in, decoded
by the vehicle map at hand.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.codec import Record
from agent.core import Core
from agent.dating import Dating, Moment
from agent.dossier import Dossier, dossier
from agent.exhibits import AtHand, Film, Note, films_of, notes_on
from agent.finding import Report
from agent.resume import rotation_of
from agent.settings import Ring, Settings
from agent.vehicle import Table
from drivers.batch import ERROR, FIX, FRAME, IMU, tick

LEVEL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
STEP_US = 100_000
PULSE_S = (-0.1, 0.35)
SIGNALS = {"speed_mps": "speed", "gnss_mps": "gnss_speed", "rpm": "rpm", "throttle_pct": "throttle", "brake": "brake"}
CODE_S = 900.0
"""Trouble codes so long before and after a blow are told with it."""

Row = dict[str, float | None]
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bus:
    """What one bus carried: frames, different identifiers, error frames, when its last frame came."""

    number: int
    frames: int
    identifiers: int
    errors: int
    last_s: float


@dataclass(frozen=True, slots=True)
class Claim:
    """All of it. `pulse` is on the vehicle's axes where the mounting is known (`is_turned`), else the sensor's x, y."""

    event: Mapping[str, Any]
    seq: int
    dossier: Dossier
    moment: Moment | None
    rows: tuple[Row, ...]
    pulse: tuple[Row, ...]
    way: tuple[tuple[float, Place], ...]
    buses: tuple[Bus, ...]
    codes: tuple[str, ...]
    is_turned: bool
    identity: Mapping[str, Any]
    proof: Report
    public: bytes | None
    films: tuple[Film, ...]
    notes: tuple[Note, ...]


def gather(
    records: Sequence[Record],
    number: int | None,
    settings: Settings,
    vehicle: Table,
    proof: Report,
    at_hand: AtHand | None = None,
) -> Claim:
    """Of this event; None: the only one with evidence. InputError: none, or several. `at_hand`: clips to check."""
    told = dossier(records, number)
    by_seq = {record.seq: record for record in records}
    refs: Mapping[str, int] = next(
        (one.body["refs"] for one in told.parts if isinstance(one.body.get("refs"), dict)), {}
    )
    calibration = by_seq.get(refs.get("calibration", -1))
    rotation = rotation_of(calibration.raw) if calibration is not None else _mounted(settings)
    dating = Dating([record.body for record in records if record.kind == "clock"])
    seal = next((one for one in records if one.kind == "seal" and one.seq > told.parts[0].seq), None)
    return Claim(
        event=told.event.body,
        seq=told.event.seq,
        dossier=told,
        moment=dating.moment(told.boot, told.blow_us),
        rows=tuple(_rows(told, settings, vehicle)),
        pulse=tuple(_pulse(told, rotation)),
        way=tuple(_way(told)),
        buses=tuple(_buses(told)),
        codes=tuple(_codes(records, told)),
        is_turned=rotation is not None,
        identity=dict(seal.body) if seal is not None else {},
        proof=proof,
        public=_public(records),
        films=tuple(films_of(told.event, told.boot, told.blow_us, records, at_hand)),
        notes=tuple(notes_on(told.event.seq, records, dating)),
    )


def _mounted(settings: Settings) -> tuple[float, ...] | None:
    """By the settings: the sensor's axes are the vehicle's."""
    return LEVEL if settings.imu.mounting == "vehicle" else None


def _rows(told: Dossier, settings: Settings, vehicle: Table) -> list[Row]:
    """What the core knows of these frames, ten times a second."""
    core = Core(msgspec.structs.replace(settings, ring=Ring(before_s=0)), vehicle)
    rows: list[Row] = []
    batch: list[bytes] = []
    due_us = told.entries[0].t_us + STEP_US if told.entries else 0
    for entry in told.entries:
        while entry.t_us > due_us:
            core.feed(b"".join(batch) + tick(due_us))
            known, batch = core.snapshot(due_us), []
            cells = {name: known.value(signal) for name, signal in SIGNALS.items()}
            rows.append({"time_s": (due_us - told.blow_us) / 1e6, **cells})
            due_us += STEP_US
        batch.append(entry.input)
    return rows


def _pulse(told: Dossier, rotation: Sequence[float] | None) -> list[Row]:
    """What the acceleration sensor felt around the blow."""
    rows: list[Row] = []
    for entry in told.entries:
        at_s = (entry.t_us - told.blow_us) / 1e6
        if entry.kind != IMU or not PULSE_S[0] <= at_s <= PULSE_S[1]:
            continue
        x, y, z = entry.numbers[:3]
        if x is None or y is None or z is None:
            continue
        if rotation is not None:
            x, y = (sum(a * b for a, b in zip(rotation[at : at + 3], (x, y, z), strict=True)) for at in (0, 3))
        rows.append({"time_s": at_s, "forward_mps2": x, "left_mps2": y})
    return rows


def _way(told: Dossier) -> list[tuple[float, Place]]:
    """Where it was, by each valid fix."""
    way: list[tuple[float, Place]] = []
    for entry in told.entries:
        if entry.kind == FIX and entry.length:
            lat_deg, lon_deg = entry.numbers[:2]
            if lat_deg is not None and lon_deg is not None:
                way.append(((entry.t_us - told.blow_us) / 1e6, (lat_deg, lon_deg)))
    return way


def _buses(told: Dossier) -> list[Bus]:
    """Each bus, by its number."""
    frames = [entry for entry in told.entries if entry.kind == FRAME]
    counts = Counter(entry.channel for entry in frames)
    return [
        Bus(
            number,
            counts[number],
            len({entry.id for entry in frames if entry.channel == number and not entry.flags & ERROR}),
            sum(1 for entry in frames if entry.channel == number and entry.flags & ERROR),
            (max(entry.t_us for entry in frames if entry.channel == number) - told.blow_us) / 1e6,
        )
        for number in sorted(counts)
    ]


def _codes(records: Sequence[Record], told: Dossier) -> list[str]:
    """Trouble codes and the lamp around the blow, as their records tell them."""
    words = []
    for record in records:
        after_s = (record.t_us - told.blow_us) / 1e6
        if record.kind == "dtc" and record.boot == told.boot and abs(after_s) <= CODE_S:
            body = record.body
            parts = [str(body[name]) for name in ("dtc", "code", "kind") if body.get(name) is not None]
            words.append(f"{' '.join(parts)}, {after_s:+.0f} s")
    return words


def _public(records: Sequence[Record]) -> bytes | None:
    """The device's public key, as its records tell it."""
    for record in records:
        told = record.body if record.kind == "key" else record.body.get("key") if record.kind == "boot" else None
        if isinstance(told, dict) and isinstance(told.get("public"), bytes):
            return bytes(told["public"])
    return None
