"""Erasing a trip: which records those are, how their bytes go, how a damaged store does not bring them back.

The gap record that says "erased" and the loss of the bytes are one transaction: whenever the power goes there are both
or neither. Bytes that go are overwritten in the file (store.py), and its log is emptied, so that they cannot be
read from either.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agent.codec import LANES, CodecError, Record, kind_number, unpack
from agent.files import sync_folder
from agent.ledger.ledger import ERASED, Loss, losses_of
from agent.ledger.receipt import Ranges
from agent.outbox.budget import Stub, runs
from agent.outbox.store import PENDING, Reserve, files_set_aside, guarded, write_reserve

OF_A_TRIP = ("trip_start", "samples", "event", "evidence", "trip_end", "dtc", "command", "config")
"""Kinds that tell of a trip (`config`: what candidate rules would have told).

Seals, gaps, clocks and what the terminal says of itself stay."""

FREE, NOTED = "free", "noted"

_ROWS = """SELECT seq, kind, hash, raw FROM records
    WHERE seq>=? AND raw IS NOT NULL AND kind IN (SELECT value FROM json_each(?)) ORDER BY seq"""
_LATER = "SELECT 1 FROM records WHERE seq>? AND kind=?"
_WIPING = "INSERT OR REPLACE INTO account VALUES ('wiping', x'01')"
_IS_WIPING = "SELECT 1 FROM account WHERE name = 'wiping'"
_WIPED = "DELETE FROM account WHERE name = 'wiping'"
_KIND = "SELECT kind FROM records WHERE seq=? AND raw IS NOT NULL"
_START, _END, _EVENT, _COMMAND = (kind_number(kind) for kind in ("trip_start", "trip_end", "event", "command"))
_OF_EVENTS = frozenset(kind_number(kind) for kind in ("evidence", "command"))


def of_trip(connection: sqlite3.Connection, trip: int) -> list[Loss] | str:
    """What is here of this trip, as it will be told; or why it cannot be erased. One whose end was lost can be, too."""
    kinds = json.dumps([kind_number(kind) for kind in OF_A_TRIP])
    found: list[Stub] = []
    events: set[object] = set()
    for seq, kind, digest, raw in connection.execute(_ROWS, (trip, kinds)):
        body = _body(raw)
        is_event_of_it = kind == _EVENT and body.get("trip") == trip
        events |= {seq} if is_event_of_it else set()
        is_start = seq == trip and kind == _START
        is_of_event = kind in _OF_EVENTS and body.get("event") in events
        if is_start or is_event_of_it or is_of_event or body.get("trip") == trip:
            found.append((seq, kind, digest))
    if not found or found[0][:2] != (trip, _START):
        return f"there is no trip {trip} on this terminal (not any more)"
    is_closed = any(kind == _END for _, kind, _ in found)
    if not is_closed and not connection.execute(_LATER, (trip, _START)).fetchone():
        return f"trip {trip} is still open: it can be erased when it has ended"
    return runs(found, ERASED)


def contested(connection: sqlite3.Connection, event: int, request: str) -> str:
    """FREE: a note on this event can be taken; NOTED: this very request was taken before; else why it cannot."""
    kinds = json.dumps([_COMMAND])
    if any(_body(raw).get("request") == request for *_, raw in connection.execute(_ROWS, (event, kinds))):
        return NOTED
    row = connection.execute(_KIND, (event,)).fetchone()
    if row is None or row[0] != _EVENT:
        return f"there is no event {event} on this terminal; `tbox trips show` names those of a trip"
    return FREE


def erase(connection: sqlite3.Connection, records: Sequence[Record]) -> list[str]:
    """Within the transaction that keeps these: what their gaps say is erased goes; the lane of each that waited."""
    lanes: list[str] = []
    for first, last in erased_by(records):
        span = (first, last)
        query = "SELECT lane FROM records WHERE state=? AND seq BETWEEN ? AND ?"
        lanes += [LANES[lane] for (lane,) in connection.execute(query, (PENDING, *span))]
        connection.execute("DELETE FROM records WHERE seq BETWEEN ? AND ?", span)
        connection.execute(_WIPING)
    return lanes


def wipe(connection: sqlite3.Connection, path: Path, reserve: Reserve) -> None:
    """After that transaction, or at the next start where the power went before: until the store says that it is done.

    Damaged stores that were set aside go, for it stands there too, and the log is emptied. An open store without a log
    counts as damaged, so the reserve says that it is closed until there is one again.
    """
    with guarded(path):
        if not connection.execute(_IS_WIPING).fetchone():
            return
        for aside in files_set_aside(path):
            for suffix in ("-wal", "-shm", ""):
                aside.with_name(aside.name + suffix).unlink(missing_ok=True)
        sync_folder(path.parent)
        write_reserve(path, replace(reserve, is_open=False))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute(_WIPED)
        write_reserve(path, reserve)


def forget_clips(folder: Path, losses: Iterable[Loss]) -> None:
    """The camera's clips of events among these go from its folder; its files are named BOOT-EVENT."""
    gone = Ranges((loss.first, loss.last) for loss in losses)
    for path in folder.glob("*-*"):
        event = path.stem.rpartition("-")[2]
        if event.isdecimal() and int(event) in gone:
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def erased_by(records: Iterable[Record]) -> Ranges:
    """The numbers that gaps among these say are erased."""
    losses = (loss for record in records if record.kind == "gap" for loss in losses_of(record))
    return Ranges((loss.first, loss.last) for loss in losses if loss.reason == ERASED)


def _body(raw: bytes) -> dict[str, object]:
    """A record's body, without checking the rest; empty for what is none."""
    try:
        body = unpack(raw)[7]
    except (CodecError, IndexError, TypeError):
        return {}
    return body if isinstance(body, dict) else {}
