"""What is written down of a drive: bodies of records, the open chunk of samples, and what a power cut leaves. Pure.

Times in bodies are microseconds of the boot the record was numbered in; a body that tells of an earlier boot (closed
after a power cut) names it in `boot`. `trip` is the seq of the trip's `trip_start`; its samples reach back to its
begin, BEFORE_SAMPLES at most.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from agent.codec import Record
from agent.columns import encode_columns
from agent.columns.bounds import bounds_of
from agent.columns.steps import usual_step
from agent.core import Calibration, Event, Sample
from agent.ledger.ledger import Ledger
from agent.settings import Samples
from agent.settings.samples import Bounds
from agent.trip.contrast import Differed
from agent.trip.resume import Left
from agent.trip.trip import EventFound, Moment, TripEnded, TripStarted
from agent.world.clock import Stamp
from agent.yard.binding import Tie
from drivers.batch import SIGNALS

SAMPLE_US = 1_000_000

BEFORE_SAMPLES = 60
"""Seconds kept before a trip is numbered: it then has its launch, and the end of a long stand before it."""

RESOLUTION: Mapping[str, float] = {name: float(usual_step(name)) for name in SIGNALS}
"""The finest step of each catalogue signal in sample columns, in its own unit."""

DIGITS = {
    "peak_mps2": 3, "entry_mps": 3, "exit_mps": 3, "delta_v_mps": 3, "delta_v_s": 3, "confidence": 2,
    "lat_deg": 7, "lon_deg": 7, "value": 3,
}  # fmt: skip


class Account:
    """Turns what happened into records, through the ledger. Everything it returns must be kept, in order, in one go."""

    def __init__(
        self, ledger: Ledger, rule: Samples, rules_id: str, bounds: Bounds | None = None, tie: Tie | None = None
    ) -> None:
        """`bounds`: how far samples may lie from what was measured; None: exact. `tie`: the box's binding, if any."""
        self._tie = Tie() if tie is None else tie
        self._ledger = ledger
        self._rule = rule
        self._bounds = bounds
        self._rules_id = rules_id
        self._trip_seq: int | None = None
        self._chunk: list[Sample] = []
        self._before: deque[Sample] = deque(maxlen=BEFORE_SAMPLES)

    @property
    def is_driving(self) -> bool:
        """Whether a trip is open and numbered."""
        return self._trip_seq is not None

    @property
    def trip_seq(self) -> int | None:
        """The seq of the open trip's `trip_start`; None: no trip is open."""
        return self._trip_seq

    def recover(self, left: Left | None, now: Stamp, t_us: int) -> list[Record]:
        """Close what a run that did not end in order left open: its last samples, and its trip as `power_cut`."""
        if left is None or left.is_clean:
            return []
        bodies: list[tuple[str, dict[str, Any]]] = []
        samples = None if left.samples is None else self._ledger.blur.resampled(left.samples)
        if samples is not None:
            bodies.append(("samples", samples))
        bodies.append(("event", left.power_cut(now, self._rules_id)))
        if left.trip_end is not None:
            bodies.append(("trip_end", left.trip_end))
        return self._all(t_us, bodies)

    def moment(self, moment: Moment, t_us: int) -> list[Record]:
        """A drive begins, something happens in it, or it ends."""
        match moment:
            case TripStarted():
                records = self._ledger.number("trip_start", t_us, {"start_us": moment.start_us, **self._tie.started()})
                self._trip_seq = records[0].seq
                self._chunk = _unbroken([sample for sample in self._before if sample.at_us > moment.start_us])
                return records
            case EventFound(event, trip):
                return self._ledger.number("event", t_us, self._event(event, None if trip is None else self._trip_seq))
            case TripEnded(_, summary):
                return self._end(summary, t_us)
            case Differed(trip):
                body = {"trip": None if trip is None else self._trip_seq, "shadow": moment.body()}
                return self._ledger.number("config", t_us, body)

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

    def left(self, interim: dict[str, Any] | None, left: Left) -> Left:
        """`left` with the open trip and its open samples: what must survive a power cut now."""
        if interim is None or self._trip_seq is None:
            return left
        trip = {"trip": self._trip_seq, "boot": left.boot}
        columns = self._columns()
        samples = {**trip, **columns} if columns else None
        return replace(left, samples=samples, trip_end={**trip, **self._of_trip(), **interim})

    def _end(self, summary: dict[str, Any], t_us: int) -> list[Record]:
        """The last samples, then the trip's end; the ledger seals it."""
        records = self._close_chunk(t_us)
        records += self._ledger.number("trip_end", t_us, {"trip": self._trip_seq, **self._of_trip(), **summary})
        self._trip_seq = None
        self._before.clear()
        return records

    def _of_trip(self) -> dict[str, Any]:
        """What stands in every end of a trip beside its summary."""
        return {"rules": self._rules_id, **self._tie.ended()}

    def _is_full(self, sample: Sample) -> bool:
        """The chunk is long enough, or a second is missing before this sample."""
        if not self._chunk:
            return False
        first_us, last_us = self._chunk[0].at_us, self._chunk[-1].at_us
        return sample.at_us - first_us >= self._rule.chunk_s * 1e6 or sample.at_us - last_us != SAMPLE_US

    def _close_chunk(self, t_us: int) -> list[Record]:
        columns, self._chunk = self._columns(), []
        return self._ledger.number("samples", t_us, {"trip": self._trip_seq, **columns}) if columns else []

    def _columns(self) -> dict[str, Any]:
        """The open chunk as columns; a signal nobody told is left out. Empty when nobody told anything."""
        blur = self._ledger.blur
        told = blur.columns({name: [sample.value(name) for sample in self._chunk] for name in self._rule.signals})
        columns = {name: cells for name, cells in told.items() if any(cell is not None for cell in cells)}
        if not columns:
            return {}
        bounds = {} if self._bounds is None else blur.bounds(bounds_of(self._bounds, columns))
        return encode_columns(self._chunk[0].at_us, SAMPLE_US, columns, RESOLUTION, bounds)

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
