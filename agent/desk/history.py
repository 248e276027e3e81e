"""Trips and evidence that are still in the store: the newest listed, and made to be delivered once more.

Each function is a question to the writer (agent/uplink/delivery.py): it runs in the writer's thread, within a
transaction, and reads no more than is bounded here.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agent.codec import LANES, CodecError, Record, decode, kind_number
from agent.outbox.store import KEPT, PENDING
from agent.rights.trips import Trip, summary_of
from agent.world.dating import Dating

TRIPS_MAX = 50
CLOCKS_MAX = 500
SPANS_MAX = 1000
"""So many runs of records are asked for again at once; a trip's are one or a few."""

_NEWEST = """SELECT raw FROM records WHERE state IN (0, 1, 2) AND lane=? AND kind=? AND raw IS NOT NULL
    ORDER BY seq DESC LIMIT ?"""
_OF_EVENTS = """SELECT raw FROM records WHERE state IN (0, 1, 2) AND lane=? AND kind=? AND seq>=? AND raw IS NOT NULL
    ORDER BY seq"""
_CLOCKS = """SELECT raw FROM records WHERE state IN (0, 1, 2) AND lane=? AND kind=? AND raw IS NOT NULL
    AND boot IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?"""
_SPAN = "SELECT seq, state, raw IS NOT NULL FROM records WHERE seq BETWEEN ? AND ? ORDER BY seq"
_NEXT_SEAL = "SELECT min(seq) FROM records WHERE state IN (0, 1, 2) AND lane=? AND kind=? AND seq>?"

_TRIP, _EVENT, _EVIDENCE = (LANES.index(lane) for lane in ("trip", "event", "evidence"))


def listed(store: sqlite3.Connection) -> dict[str, Any]:
    """The newest trips, newest first, as `tbox trips list --json` tells them; `more`: there are older ones."""
    starts = _records(store, _NEWEST, (_TRIP, kind_number("trip_start"), TRIPS_MAX + 1))
    trips = {record.seq: Trip(record.seq, record) for record in starts[:TRIPS_MAX]}
    for record in _records(store, _NEWEST, (_TRIP, kind_number("trip_end"), TRIPS_MAX + 1)):
        if record.body.get("trip") in trips:
            trips[record.body["trip"]].end = record
    oldest = min(trips, default=0)
    for record in _records(store, _OF_EVENTS, (_EVENT, kind_number("event"), oldest)):
        if record.body.get("trip") in trips:
            trips[record.body["trip"]].events.append(record)
    boots = json.dumps(sorted({trip.boot for trip in trips.values()}))
    dating = Dating(
        record.body for record in _records(store, _CLOCKS, (_EVENT, kind_number("clock"), boots, CLOCKS_MAX))
    )
    told = [summary_of(trip, dating) for trip in trips.values()]
    return {"trips": [{name: fact for name, fact in trip.items() if name != "pricing"} for trip in told],
            "more": len(starts) > TRIPS_MAX}  # fmt: skip


def of_trip(store: sqlite3.Connection, trip: int) -> dict[str, Any]:
    """What is here of a trip, from its start to the seal behind its end: see `_found`."""
    end = next((record for record in _records(store, _OF_EVENTS, (_TRIP, kind_number("trip_end"), trip))
                if record.body.get("trip") == trip), None)  # fmt: skip
    start = store.execute("SELECT kind FROM records WHERE seq=?", (trip,)).fetchone()
    if start is None or start[0] != kind_number("trip_start"):
        return {"error": f"there is no trip {trip} on this terminal (not any more)"}
    if end is None:
        return {"error": f"trip {trip} is still open: it is delivered as it goes on"}
    seal = store.execute(_NEXT_SEAL, (_EVENT, kind_number("seal"), end.seq)).fetchone()[0]
    return _found(store, [(trip, end.seq if seal is None else seal)])


def of_event(store: sqlite3.Connection, event: int) -> dict[str, Any]:
    """What is here of the evidence of an event, and the event itself: see `_found`."""
    row = store.execute("SELECT kind FROM records WHERE seq=?", (event,)).fetchone()
    if row is None or row[0] != kind_number("event"):
        return {"error": f"there is no event {event} on this terminal (not any more)"}
    evidence = _records(store, _OF_EVENTS, (_EVIDENCE, kind_number("evidence"), event))
    seqs = [event, *(record.seq for record in evidence if record.body.get("event") == event)]
    return _found(store, _runs(seqs))


def _found(store: sqlite3.Connection, spans: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """`again`: spans that were delivered and have their bytes; how many, how many wait anyway, how many are gone."""
    again: list[int] = []
    told = {"requeued": 0, "waiting": 0, "gone": 0}
    for first, last in spans:
        rows = list(store.execute(_SPAN, (first, last)))
        again += [seq for seq, state, has_bytes in rows if state == KEPT and has_bytes]
        told["waiting"] += sum(state == PENDING for _, state, _ in rows)
        told["gone"] += last - first + 1 - sum(bool(has_bytes) for *_, has_bytes in rows)
    told["requeued"] = len(again)
    return told | {"again": _runs(again)[:SPANS_MAX]}


def _runs(seqs: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as runs."""
    runs: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if runs and runs[-1][1] == seq - 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs


def _records(store: sqlite3.Connection, query: str, words: Sequence[object]) -> list[Record]:
    return list(_decoded(raw for (raw,) in store.execute(query, words)))


def _decoded(rows: Iterable[bytes]) -> Iterator[Record]:
    """A damaged record is passed over; `tbox verify` names it."""
    for raw in rows:
        try:
            yield decode(raw)
        except CodecError:
            continue
