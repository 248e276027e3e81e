"""The command `tbox trips`: what is on this terminal, read beside the running daemon."""

import json as json_text
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.codec import CodecError, Record, decode, kind_number
from agent.errors import InputError, StorageError
from agent.ledger.ledger import losses_of
from agent.outbox.recordfile import Row, first_of, frame, head_frame, rows_of, stub_frame, vouched_of
from agent.outbox.store import KEPT, STORE_NAME, guarded, open_readable
from agent.world.dating import Dating

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOLD = ("boot", "clock", "trip_start", "event", "trip_end", "key", "seal")


@dataclass(slots=True)
class Trip:
    """A trip as the store tells it: `end` is None while it is open, `number` the seq of its trip_start."""

    number: int
    start: Record
    end: Record | None = None
    events: list[Record] = field(default_factory=list)
    is_delivered: bool = False

    @property
    def boot(self) -> int:
        """The boot whose time the trip's times are of."""
        return self.start.boot


def list_trips(state: Path, *, json: bool) -> int:
    """One line a trip, oldest first; the state folder's path goes in, 0 comes out. StorageError: no store."""
    with _store(state) as connection:
        trips, dating = _trips(connection)
    if json:
        print(json_text.dumps([summary_of(trip, dating) for trip in trips]))
    elif not trips:
        print("no trips yet")
    else:
        print(f"{'trip':>8}  {'start':<20}  {'minutes':>7}  {'km':>8}  {'events':>6}  {'end':<12}  delivered")
        print("\n".join(_line(summary_of(trip, dating)) for trip in trips))
    return 0


def show_trip(state: Path, number: int, *, json: bool) -> int:
    """One trip with its events. InputError: there is none of this number."""
    with _store(state) as connection:
        trips, dating = _trips(connection)
    trip = _find(trips, number)
    summary = summary_of(trip, dating)
    if json:
        print(json_text.dumps(summary | {"event_list": [_event(record, dating) for record in trip.events]}))
        return 0
    score = _score(summary.pop("pricing", None))
    for name, told in (summary | {"score": score}).items():
        print(f"{name:<16} {'-' if told is None else told}")
    for record in trip.events:
        event = _event(record, dating)
        when = event["start_utc"] or f"{event['start_us'] / 1e6:.1f} s"
        print(f"seq {record.seq:<11} {when}  {event['event']}  {event.get('severity') or ''}".rstrip())
    return 0


def summary(state: Path, number: int) -> dict[str, Any]:
    """What the list tells of one trip. InputError: there is none of this number."""
    with _store(state) as connection:
        trips, dating = _trips(connection)
    return summary_of(_find(trips, number), dating)


def whole(state: Path, number: int) -> tuple[dict[str, Any], list[Record]]:
    """What `show` tells of one trip, with its events, and its samples and the notes on its events as records."""
    with _store(state) as connection:
        trips, dating = _trips(connection)
        trip = _find(trips, number)
        events = {record.seq for record in trip.events}
        records = [
            record
            for record in _records(connection, ("samples", "command"))
            if record.body.get("trip") == number or record.body.get("event") in events
        ]
    events_told = [_event(record, dating) | {"event_seq": record.seq} for record in trip.events]
    for told in events_told:
        del told["seq"], told["trip"]
    return summary_of(trip, dating) | {"event_list": events_told}, records


def check_store(state: Path) -> None:
    """StorageError: there is no store in this state folder."""
    with _store(state):
        pass


def export(state: Path, output: Path, number: int | None = None) -> int:
    """The records as they were sealed, of one trip or all that is here, in a file that `tbox verify` reads."""
    with _store(state) as connection:
        trips, _ = _trips(connection)
        rows = list(rows_of(connection))
        public, told = public_of(connection), _told_gone(connection)
        vouched = vouched_of(connection, state)
    if public is None or not rows:
        raise InputError(f"{state}: there is nothing to export yet")
    first, last = first_of(rows), rows[-1][0]
    begin = first
    if number is not None:
        trip = _find(trips, number)
        begin, first, last = _span(rows, trip, first)
        here = {row[0] for row in rows}
        rows = sorted([*rows, *(row for row in told if row[0] not in here)], key=lambda row: row[0])
    frames = [head_frame(public, first, vouched, last)] + [
        _frame(row, begin) for row in rows if first <= row[0] <= last
    ]
    try:
        output.write_bytes(b"".join(frames))
    except OSError as error:
        raise StorageError(f"{output}: cannot be written: {error.strerror}") from error
    print(f"{output}: seq {begin}..{last}; check it with: tbox verify {output}")
    return 0


@contextmanager
def _store(state: Path) -> Iterator[sqlite3.Connection]:
    """The store in the state folder, as it is at one instant."""
    path = state / STORE_NAME
    with closing(open_readable(path)) as connection, guarded(path):
        connection.execute("BEGIN")
        yield connection


def _trips(connection: sqlite3.Connection) -> tuple[list[Trip], Dating]:
    """The trips, oldest first, and what dates them."""
    trips: dict[int, Trip] = {}
    clocks: list[Mapping[str, Any]] = []
    for record in _records(connection, TOLD):
        number = record.body.get("trip")
        if record.kind == "trip_start":
            trips[record.seq] = Trip(record.seq, record)
        elif record.kind == "clock":
            clocks.append(record.body)
        elif record.kind == "event" and number in trips:
            trips[number].events.append(record)
        elif record.kind == "trip_end" and number in trips:
            trips[number].end = record
    for trip in trips.values():
        trip.is_delivered = trip.end is not None and _is_delivered(connection, trip.number, trip.end.seq)
    return list(trips.values()), Dating(clocks)


def _records(connection: sqlite3.Connection, kinds: Sequence[str]) -> Iterator[Record]:
    """Whole records of these kinds, by number; a damaged one is passed over (`tbox verify` names it)."""
    query = """SELECT raw FROM records WHERE raw IS NOT NULL AND kind IN (SELECT value FROM json_each(?))
        ORDER BY seq"""
    for (raw,) in connection.execute(query, (json_text.dumps([kind_number(kind) for kind in kinds]),)):
        try:
            yield decode(raw)
        except CodecError:
            continue


def _is_delivered(connection: sqlite3.Connection, first: int, last: int) -> bool:
    query = "SELECT count(*) FROM records WHERE seq BETWEEN ? AND ? AND state!=?"
    return bool(connection.execute(query, (first, last, KEPT)).fetchone()[0] == 0)


def _find(trips: Sequence[Trip], number: int) -> Trip:
    for trip in trips:
        if trip.number == number:
            return trip
    raise InputError(f"there is no trip {number} on this terminal; `tbox trips list` names those that are")


def summary_of(trip: Trip, dating: Dating) -> dict[str, Any]:
    """What the list and `show` tell of a trip: DESIGN 6's names, times in microseconds of its boot, and dated."""
    told = dict(trip.end.body) if trip.end else {"start_us": trip.start.body.get("start_us"), "end_us": None}
    counts: dict[str, int] = {}
    for record in trip.events:
        name = str(record.body.get("event"))
        counts[name] = counts.get(name, 0) + 1
    facts = {"end_reason": None, "distance_m": None, "events": counts} | told
    return {
        "trip": trip.number,
        "boot": trip.boot,
        "start_utc": _utc(dating, trip.boot, facts["start_us"]),
        "end_utc": _utc(dating, trip.boot, facts["end_us"]),
        "delivered": trip.is_delivered,
    } | {name: _plain(fact) for name, fact in facts.items() if name not in ("trip", "boot")}


def _score(pricing: dict[str, Any] | None) -> str | None:
    """The score in words; None where the trip was not priced."""
    told = (pricing or {}).get("score")
    if not told:
        return None
    return f"none: {told['reason']}" if told["value"] is None else f"{told['value']} of 100, {told['band']}"


def _event(record: Record, dating: Dating) -> dict[str, Any]:
    when = _utc(dating, record.boot, record.body.get("start_us"))
    return {"seq": record.seq, "start_utc": when} | {name: _plain(fact) for name, fact in record.body.items()}


def _plain(fact: Any) -> Any:
    """As JSON can say it: bytes as hex."""
    if isinstance(fact, bytes):
        return fact.hex()
    if isinstance(fact, dict):
        return {name: _plain(inner) for name, inner in fact.items()}
    return [_plain(inner) for inner in fact] if isinstance(fact, list) else fact


def _utc(dating: Dating, boot: int, at_us: int | None) -> str | None:
    """When that was; None when nothing dates it."""
    moment = None if at_us is None else dating.moment(boot, at_us)
    if moment is None:
        return None
    return (EPOCH + timedelta(microseconds=moment.utc_us)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(told: dict[str, Any]) -> str:
    start_us, end_us, way_m = told["start_us"], told["end_us"], told["distance_m"]
    start = told["start_utc"] or f"boot {told['boot']} +{start_us / 1e6:.0f} s"
    minutes = "-" if end_us is None else f"{(end_us - start_us) / 6e7:.1f}"
    way = "-" if way_m is None else f"{way_m / 1000:.2f}"
    events, end = sum(told["events"].values()), told["end_reason"] or "open"
    return f"{told['trip']:>8}  {start:<20}  {minutes:>7}  {way:>8}  {events:>6}  {end:<12}  {_yes(told['delivered'])}"


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def public_of(connection: sqlite3.Connection) -> bytes | None:
    """The device's public key, as its records tell it."""
    for record in _records(connection, ("key", "boot")):
        told = record.body if record.kind == "key" else record.body.get("key")
        public = told.get("public") if isinstance(told, dict) else None
        if isinstance(public, bytes):
            return public
    return None


def _span(rows: Sequence[Row], trip: Trip, first: int) -> tuple[int, int, int]:
    """A trip's first record; the seal before it, as the proof needs hashes from there; the seal that closes it."""
    seals = [row[0] for row in rows if row[1] == kind_number("seal")]
    before = [seq for seq in seals if first <= seq < trip.number]
    behind = [seq for seq in seals if trip.end and seq > trip.end.seq]
    return trip.number, before[-1] if before else first, behind[0] if behind else rows[-1][0]


def _told_gone(connection: sqlite3.Connection) -> list[Row]:
    """Stubs of what gap records say is gone: an export of a trip ends before the gap that tells of it."""
    losses = [loss for gap in _records(connection, ("gap",)) for loss in losses_of(gap)]
    return [
        (loss.first + place, kind_number(loss.kind), digest, None)
        for loss in losses
        if loss.kind
        for place, digest in enumerate(loss.hashes)
    ]


def _frame(row: Row, begin: int) -> bytes:
    """A record, or its stub where it is gone or comes before what was asked for."""
    seq, kind, digest, raw = row
    return stub_frame(seq, kind, digest) if raw is None or seq < begin else frame(raw)
