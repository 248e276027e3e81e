"""What a claims handler reads of one crash, gathered from its records: times from the blow on, in seconds. Pure.

What was put down at the time (the event, the table) is told as it stands; curves are drawn from what came in, decoded
by the vehicle map at hand.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from agent.codec import Record
from agent.core import Core
from agent.evidence import dossier_form, edr
from agent.evidence.dossier import Dossier, dossier
from agent.evidence.exhibits import AtHand, Film, Note, films_of, notes_on
from agent.proof.finding import Report
from agent.settings import Ring, Settings
from agent.trip.resume import rotation_of
from agent.vehicle import Table
from agent.world.dating import Dating, Moment
from drivers.batch import ERROR, FIX, FRAME, IMU, tick

LEVEL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
NEAR_US = 600_000_000
"""A ring is 2 min long at most, and what came after as long; a second event makes it longer."""
STEP_US = 100_000
PULSE_S = (-0.1, 0.35)
SIGNALS = {"speed_mps": "speed", "gnss_mps": "gnss_speed", "rpm": "rpm", "throttle_pct": "throttle", "brake": "brake"}
BEGINS_US = 20_000
"""A blow begins so long before its first sample over the threshold, where nobody told time zero (49 CFR 563.5)."""
AGAIN_MPS2 = 2.5 * edr.G_MPS2
"""So much beside gravity, more than a car that lies on its roof, in two samples at least, is another blow,"""
AGAIN_S = 0.35
"""from so far off on: the blow itself is in the table."""
CALM_S = 0.5
"""Blows that are farther apart are two."""
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
class Again:
    """Another blow among what was caught: when it was hardest, and how hard (gravity taken off)."""

    at_s: float
    mps2: float


@dataclass(frozen=True, slots=True)
class Claim:
    """All of it. `pulse` is on the vehicle's axes where the mounting is known (`is_turned`), else the sensor's.

    `caught_s`: when the first and the last of anything came. `identity`: what the first seal behind it says;
    `seal`: the one behind all of it. `is_recorded`: a recording stood for the car.
    """

    event: Mapping[str, Any]
    seq: int
    dossier: Dossier
    moment: Moment | None
    rows: tuple[Row, ...]
    pulse: tuple[Row, ...]
    caught_s: tuple[float, float]
    again: tuple[Again, ...]
    way: tuple[tuple[float, Place], ...]
    buses: tuple[Bus, ...]
    codes: tuple[str, ...]
    is_turned: bool
    is_recorded: bool
    identity: Mapping[str, Any]
    seal: Record | None
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
    told = _near(dossier(records, number))
    by_seq = {record.seq: record for record in records}
    refs: Mapping[str, int] = next(
        (one.body["refs"] for one in told.parts if isinstance(one.body.get("refs"), dict)), {}
    )
    rotation = _rotation(told, by_seq.get(refs["calibration"]) if "calibration" in refs else None, refs)
    if told.first is not None:
        told = replace(told, table=_table(told, settings, vehicle, rotation))
    dating = Dating([record.body for record in records if record.kind == "clock"])
    first, seal = (_seal_behind(records, part.seq) for part in (told.parts[0], told.parts[-1]))
    return Claim(
        event=told.event.body,
        seq=told.event.seq,
        dossier=told,
        moment=dating.moment(told.boot, told.blow_us),
        rows=tuple(_rows(told, settings, vehicle)),
        pulse=tuple(_pulse(told, rotation)),
        caught_s=_caught_s(told),
        again=tuple(_again(told)),
        way=tuple(_way(told)),
        buses=tuple(_buses(told)),
        codes=tuple(_codes(records, told)),
        is_turned=rotation is not None,
        is_recorded=any(one.kind == "boot" and one.boot == told.boot and one.body.get("recorded") for one in records),
        identity=dict(first.body) if first is not None else {},
        seal=seal,
        proof=proof,
        public=_public(records),
        films=tuple(films_of(told.event, told.boot, told.blow_us, records, at_hand)),
        notes=tuple(notes_on(told.event.seq, records, dating)),
    )


def _seal_behind(records: Sequence[Record], seq: int) -> Record | None:
    return next((one for one in records if one.kind == "seal" and one.seq > seq), None)


def _rotation(told: Dossier, calibration: Record | None, refs: Mapping[str, int]) -> tuple[float, ...] | None:
    """By the record it refers to; where there is a direction without one, the settings of then said: as the vehicle."""
    if "calibration" in refs:
        return None if calibration is None else rotation_of(calibration.raw)
    return LEVEL if told.table is not None and told.table["delta"]["longitudinal_most"] is not None else None


def _near(told: Dossier) -> Dossier:
    """Without what is of another time, which no terminal catches. InputError: told as no terminal tells it."""
    dossier_form.check(f"event {told.event.seq}", told.event.body, dossier_form.Happened)
    if told.table is not None:
        dossier_form.check(f"the table of event {told.event.seq}", told.table, dossier_form.Table)
    near = tuple(one for one in told.entries if abs(one.t_us - told.blow_us) <= NEAR_US)
    if len(near) == len(told.entries):
        return told
    words = f"{len(told.entries) - len(near)} inputs are of another time, and left out"
    return replace(told, entries=near, missing=(*told.missing, words))


def _table(told: Dossier, settings: Settings, vehicle: Table, rotation: Sequence[float] | None) -> dict[str, Any]:
    """Of a blow that was caught with an earlier one, whose table the record holds: made here, from what was caught."""
    bare = msgspec.structs.replace(settings, ring=Ring(before_s=0))
    core = Core(bare, vehicle, None if rotation is None else tuple(rotation))
    blow_us = int(told.event.body["start_us"]) - BEGINS_US
    from_us, upto_us = blow_us - edr.LOOK_BACK_US, blow_us + edr.AFTER_US
    near = [entry.record for entry in told.entries if from_us <= entry.t_us <= upto_us]
    return edr.table([b"".join(near)], blow_us, core, rotation)


def _caught_s(told: Dossier) -> tuple[float, float]:
    times = [entry.t_us for entry in told.entries] or [told.blow_us]
    return (min(times) - told.blow_us) / 1e6, (max(times) - told.blow_us) / 1e6


def _again(told: Dossier) -> list[Again]:
    """Other blows, each at its hardest."""
    felt = _felt(told)
    calm = [force for at_s, force in felt if edr.BEFORE_US / -1e6 <= at_s <= -0.1 and math.hypot(*force) < AGAIN_MPS2]
    if not calm:
        return []
    up = [sum(axis) / len(calm) for axis in zip(*calm, strict=True)]
    hard = [(at_s, math.dist(force, up)) for at_s, force in felt if not -AGAIN_S <= at_s <= AGAIN_S]
    hard = [one for one in hard if one[1] >= AGAIN_MPS2]
    groups: list[list[tuple[float, float]]] = []
    for one in hard:
        if not groups or one[0] - groups[-1][-1][0] > CALM_S:
            groups.append([])
        groups[-1].append(one)
    return [Again(*max(group, key=lambda one: one[1])) for group in groups if len(group) > 1]


def _felt(told: Dossier) -> list[tuple[float, tuple[float, float, float]]]:
    """What the terminal's own sensor felt, on its axes."""
    rows = [((entry.t_us - told.blow_us) / 1e6, entry.numbers[:3]) for entry in told.entries if entry.kind == IMU]
    known = [(at_s, (x, y, z)) for at_s, (x, y, z) in rows if x is not None and y is not None and z is not None]
    return [(at_s, force) for at_s, force in known if all(map(math.isfinite, force))]


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
    near = [(at_s, force) for at_s, force in _felt(told) if PULSE_S[0] <= at_s <= PULSE_S[1]]
    if rotation is None:
        return [{"time_s": at_s, **dict(zip("xyz", force, strict=True))} for at_s, force in near]
    axes = {"forward_mps2": rotation[:3], "left_mps2": rotation[3:6]}
    return [{"time_s": at_s, **{name: _along(axis, force) for name, axis in axes.items()}} for at_s, force in near]


def _along(axis: Sequence[float], force: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(axis, force, strict=True))


def _way(told: Dossier) -> list[tuple[float, Place]]:
    """Where it was, by each valid fix."""
    way: list[tuple[float, Place]] = []
    for entry in told.entries:
        if entry.kind == FIX and entry.length:
            lat_deg, lon_deg = entry.numbers[:2]
            if lat_deg is not None and lon_deg is not None and math.isfinite(lat_deg + lon_deg):
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
