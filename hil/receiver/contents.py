"""What of a record is worth a row of its own: trips, events, gaps, clocks; of the others whom they are about. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agent.codec import Record
from agent.ledger.ledger import losses_of

ABOUT = {"samples": "trip", "event": "trip", "trip_end": "trip", "evidence": "event"}
"""Kind, and the entry of its body with the number of the record it is about."""

NUMBER_MAX = 1e15
"""A larger figure is none of a car's, and sums over the fleet could fail on it."""


class Trip(NamedTuple):
    """Begin or end of a trip; what is not told in this record is None."""

    device: bytes
    trip: int
    boot: int
    start_us: int | None
    end_us: int | None
    end_reason: str | None
    distance_m: float | None
    score: float | None
    summary: Mapping[str, Any] | None


class Event(NamedTuple):
    """What the rules found."""

    device: bytes
    seq: int
    boot: int
    kind: str
    trip: int | None
    start_us: int | None
    end_us: int | None
    severity: str | None
    lat_deg: float | None
    lon_deg: float | None
    body: Mapping[str, Any]


class Gap(NamedTuple):
    """Numbers that will never come, and why."""

    device: bytes
    first: int
    last: int
    kind: str
    reason: str


class Clock(NamedTuple):
    """What UTC was at a moment of a boot."""

    device: bytes
    boot: int
    boot_us: int
    utc_us: int
    u_us: int | None


Row = Trip | Event | Gap | Clock


def about(record: Record) -> int | None:
    """The number of the trip or event that this record belongs to."""
    return _whole(record.body.get(ABOUT.get(record.kind, "")))


def rows_of(record: Record) -> Sequence[Row]:
    """The rows of this record; none for most kinds, and where the body is not as it should be."""
    match record.kind:
        case "trip_start" | "trip_end":
            trip = record.seq if record.kind == "trip_start" else about(record)
            return [] if trip is None else [_trip(record, trip)]
        case "event":
            return [_event(record)]
        case "clock":
            return _clock(record)
        case "gap":
            return [Gap(record.device, loss.first, loss.last, loss.kind, loss.reason) for loss in losses_of(record)]
    return []


def _trip(record: Record, trip: int) -> Trip:
    body = record.body
    is_end = record.kind == "trip_end"
    return Trip(
        record.device, trip, _boot(record), _whole(body.get("start_us")), _whole(body.get("end_us")),
        _text(body.get("end_reason")), _number(body.get("distance_m")), _score(body.get("pricing")),
        body if is_end else None,
    )  # fmt: skip


def _event(record: Record) -> Event:
    body = record.body
    return Event(
        record.device, record.seq, _boot(record), str(body.get("event")), about(record), _whole(body.get("start_us")),
        _whole(body.get("end_us")), _text(body.get("severity")), _number(body.get("lat_deg")),
        _number(body.get("lon_deg")), body,
    )  # fmt: skip


def _clock(record: Record) -> list[Clock]:
    boot, boot_us, utc_us = (_whole(record.body.get(name)) for name in ("boot", "boot_us", "utc_us"))
    if boot is None or boot_us is None or utc_us is None:
        return []
    return [Clock(record.device, boot, boot_us, utc_us, _whole(record.body.get("u_us")))]


def _boot(record: Record) -> int:
    """The boot that its times are of: another where it tells of an earlier one."""
    told = _whole(record.body.get("boot"))
    return record.boot if told is None else told


def _score(pricing: object) -> float | None:
    score = pricing.get("score") if isinstance(pricing, Mapping) else None
    return _number(score.get("value")) if isinstance(score, Mapping) else None


def _whole(value: object) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > NUMBER_MAX:
        return None
    return float(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
