"""What is written down of a drive: bodies of records, the open chunk of samples, and what a power cut leaves. Pure.

Times in bodies are microseconds of the boot the record was numbered in; a body that tells of an earlier boot (closed
after a power cut) names it in `boot`. `trip` is the seq of the trip's `trip_start`; its samples reach back to its
begin, BEFORE_SAMPLES at most.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from agent.codec import CodecError, Record, pack, unpack
from agent.columns import encode_columns
from agent.core import Calibration, Event, Sample
from agent.ledger import Ledger
from agent.settings import Samples
from agent.trip import EventFound, Moment, TripEnded, TripStarted

SAMPLE_US = 1_000_000

BEFORE_SAMPLES = 60
"""Seconds kept before a trip is numbered: it then has its launch, and the end of a long stand before it."""

RESOLUTION: Mapping[str, float] = {
    "speed": 0.01, "rpm": 1.0, "throttle": 0.1, "load": 0.1, "brake": 1.0, "coolant": 1.0, "fuel": 0.1,
    "battery": 0.01, "odometer": 1.0, "ignition": 1.0, "accel_x": 0.01, "accel_y": 0.01, "accel_z": 0.01,
    "gyro_x": 0.001, "gyro_y": 0.001, "gyro_z": 0.001, "lat": 1e-6, "lon": 1e-6, "gnss_speed": 0.01, "course": 0.1,
    "hdop": 0.1, "sats": 1.0, "speed_limit": 0.01, "yaw_rate": 0.001, "airbag": 1.0,
}  # fmt: skip
"""The step of each catalogue signal in sample columns, in its own unit: finer than what vehicles and receivers tell."""

EVIDENCE_PART_BYTES = 60_000

DIGITS = {
    "peak_mps2": 3, "entry_mps": 3, "exit_mps": 3, "delta_v_mps": 3, "delta_v_s": 3, "confidence": 2,
    "lat_deg": 7, "lon_deg": 7,
}  # fmt: skip


class Account:
    """Turns what happened into records, through the ledger. Everything it returns must be kept, in order, in one go."""

    def __init__(self, ledger: Ledger, rule: Samples, rules_id: str) -> None:
        self._ledger = ledger
        self._rule = rule
        self._rules_id = rules_id
        self._trip_seq: int | None = None
        self._chunk: list[Sample] = []
        self._before: deque[Sample] = deque(maxlen=BEFORE_SAMPLES)

    @property
    def is_driving(self) -> bool:
        """Whether a trip is open and numbered."""
        return self._trip_seq is not None

    def recover(self, journal: bytes | None, t_us: int) -> list[Record]:
        """Close what an earlier boot left open: its last samples and its trip, with the reason `power_cut`."""
        left = _opened(journal)
        if left is None:
            return []
        samples = [("samples", left["samples"])] if left["samples"] else []
        return self._all(t_us, [*samples, ("trip_end", left["trip_end"])])

    def moment(self, moment: Moment, t_us: int) -> list[Record]:
        """A drive begins, something happens in it, or it ends."""
        match moment:
            case TripStarted():
                records = self._ledger.number("trip_start", t_us, {"start_us": moment.start_us})
                self._trip_seq = records[0].seq
                self._chunk = _unbroken([sample for sample in self._before if sample.at_us > moment.start_us])
                return records
            case EventFound(event, trip):
                return self._ledger.number("event", t_us, self._event(event, None if trip is None else self._trip_seq))
            case TripEnded(_, summary):
                return self._end(summary, t_us)

    def sample(self, sample: Sample) -> list[Record]:
        """A second of the drive; a record when the chunk is full."""
        if self._trip_seq is None:
            self._before.append(sample)
            return []
        records = self._close_chunk(sample.at_us) if self._is_full(sample) else []
        self._chunk.append(sample)
        return records

    def calibration(self, told: Calibration, t_us: int) -> list[Record]:
        """The sensor's mounting was solved."""
        body = {
            "at_us": told.at_us,
            "gravity": list(told.gravity),
            "rotation": list(told.rotation),
            "quality": told.quality,
        }
        return self._ledger.number("calibration", t_us, body)

    def evidence(self, event_seq: int, ring: bytes, t_us: int) -> list[Record]:
        """The pre-event ring of a crash, deflated by the caller, in parts of at most 60,000 bytes."""
        parts = [ring[at : at + EVIDENCE_PART_BYTES] for at in range(0, len(ring), EVIDENCE_PART_BYTES)]
        bodies = [
            {"event": event_seq, "part": n, "parts": len(parts), "form": "ring", "packed": "deflate", "data": part}
            for n, part in enumerate(parts)
        ]
        return self._all(t_us, (("evidence", body) for body in bodies))

    def journal(self, interim: dict[str, Any] | None, boot: int) -> bytes:
        """What must survive a power cut now: the open trip as it stands and its open samples; empty without a trip."""
        if interim is None or self._trip_seq is None:
            return b""
        samples = {"trip": self._trip_seq, "boot": boot, **self._columns()} if self._chunk else None
        return pack({"samples": samples, "trip_end": {"trip": self._trip_seq, "boot": boot, **interim}})

    def _end(self, summary: dict[str, Any], t_us: int) -> list[Record]:
        """The last samples, then the trip's end; the ledger seals it."""
        records = self._close_chunk(t_us)
        records += self._ledger.number("trip_end", t_us, {"trip": self._trip_seq, "rules": self._rules_id, **summary})
        self._trip_seq = None
        self._before.clear()
        return records

    def _is_full(self, sample: Sample) -> bool:
        """The chunk is long enough, or a second is missing before this sample."""
        if not self._chunk:
            return False
        first_us, last_us = self._chunk[0].at_us, self._chunk[-1].at_us
        return sample.at_us - first_us >= self._rule.chunk_s * 1e6 or sample.at_us - last_us != SAMPLE_US

    def _close_chunk(self, t_us: int) -> list[Record]:
        if not self._chunk:
            return []
        body = {"trip": self._trip_seq, **self._columns()}
        self._chunk = []
        return self._ledger.number("samples", t_us, body)

    def _columns(self) -> dict[str, Any]:
        """The open chunk as columns; a signal nobody told is left out."""
        told = {name: [sample.value(name) for sample in self._chunk] for name in self._rule.signals}
        columns = {name: cells for name, cells in told.items() if any(cell is not None for cell in cells)}
        resolution = {name: RESOLUTION[name] for name in columns}
        return dict(encode_columns(self._chunk[0].at_us, SAMPLE_US, columns, resolution))

    def _event(self, event: Event, trip_seq: int | None) -> dict[str, Any]:
        told = asdict(event)
        del told["at_us"]
        rounded = {name: None if told[name] is None else round(told[name], digits) for name, digits in DIGITS.items()}
        name = told.pop("name")
        return {"event": name, "trip": trip_seq, "rules": self._rules_id, **told, **rounded}

    def _all(self, t_us: int, bodies: Iterable[tuple[str, dict[str, Any]]]) -> list[Record]:
        return [record for kind, body in bodies for record in self._ledger.number(kind, t_us, body)]


def _unbroken(samples: list[Sample]) -> list[Sample]:
    """The last of these that follow each other second by second."""
    first = len(samples) - 1
    while first > 0 and samples[first].at_us - samples[first - 1].at_us == SAMPLE_US:
        first -= 1
    return samples[max(first, 0) :]


def _opened(journal: bytes | None) -> dict[str, Any] | None:
    """The journal's content; None when it is empty or not ours."""
    if not journal:
        return None
    try:
        content = unpack(journal)
    except CodecError:
        return None
    return content if isinstance(content, dict) and {"samples", "trip_end"} <= content.keys() else None
