"""After a store was damaged or lost: what is taken back of it, and which numbers are gone."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.budget import runs
from agent.codec import LANES, Record, kind_number
from agent.ledger import DAMAGED, GONE, Loss, Tail
from agent.receipt import Ranges
from agent.salvage import records_in
from agent.store import DROPPED, KEPT, PENDING, DamagedError, Reserve, files_set_aside, has_log, read_reserve

_KEPT = "FROM records WHERE state=? AND seq BETWEEN ? AND ?"
_OPEN = "UPDATE records SET state=? WHERE state=? AND seq BETWEEN ? AND ? AND raw IS NOT NULL"
_HERE = "SELECT seq FROM records WHERE seq BETWEEN ? AND ?"


def check_log(path: Path) -> None:
    """DamagedError when the log of a store that was not closed is gone: it held the newest records."""
    if not path.exists() or has_log(path):
        return
    try:
        is_open = read_reserve(path).is_open
    except DamagedError:
        return  # the store itself is whole, and the reserve is made anew from it
    if is_open:
        raise DamagedError(f"{path}: its log {path.name}-wal is gone, and the newest records with it")


def go_on_after(connection: sqlite3.Connection, path: Path, reserve: Reserve) -> tuple[Tail, str]:
    """Where a new store begins: at the very beginning, or beyond the numbers of a lost one; and what to tell of it."""
    if reserve.seq == 0:
        return Tail(), ""
    saved = _take_back(connection, path, reserve)
    report = (
        f"{path}: the store was lost; {saved} records were saved from what was set aside, other undelivered ones among "
        f"{reserve.floor}..{reserve.seq - 1} are gone, the account goes on with {reserve.seq}"
    )
    device = bytes.fromhex(reserve.device)
    return Tail(device=device, boot=reserve.boot, next_seq=reserve.seq, sealed_upto=reserve.seq - 1), report


def _take_back(connection: sqlite3.Connection, path: Path, reserve: Reserve) -> int:
    """The records that can be saved of those set aside; how many they are.

    Those that may not be delivered yet go out again, under their own numbers; what is missing is noted as lost.
    """
    device = bytes.fromhex(reserve.device)
    found = {seq: one for aside in files_set_aside(path) for seq, one in records_in(aside).items()}
    saved = [one for seq, one in sorted(found.items()) if one.device == device and seq < reserve.seq]
    keep(connection, [one for one in saved if one.seq < reserve.floor], KEPT)
    keep(connection, [one for one in saved if one.seq >= reserve.floor], PENDING)
    open_ = Ranges([(reserve.floor, reserve.seq - 1)] if reserve.floor < reserve.seq else [])
    _, lost = open_.split(Ranges((one.seq, one.seq) for one in saved))
    connection.executemany("INSERT INTO lost VALUES (?,?)", lost)
    return len(saved)


def losses(connection: sqlite3.Connection) -> list[Loss]:
    """What was dropped or lost and no gap record covers yet."""
    lost = connection.execute("SELECT first, last FROM lost ORDER BY first").fetchall()
    dropped = connection.execute(
        "SELECT seq, kind, hash FROM records WHERE state=? ORDER BY seq", (DROPPED,)
    ).fetchall()
    return [Loss(first, last, "", DAMAGED, ()) for first, last in lost] + runs(dropped)


def reopen(connection: sqlite3.Connection, spans: Ranges, told: Ranges) -> tuple[list[str], list[Loss]]:
    """Within a transaction: what was confirmed and has its bytes is pending again; the lane of each, and what is gone.

    Of what is gone `told` was said before. What is pending or dropped is as it was.
    """
    opened: list[str] = []
    gone: list[Loss] = []
    for first, last in spans:
        span = (first, last)
        lanes = connection.execute(f"SELECT lane {_KEPT} AND raw IS NOT NULL", (KEPT, *span)).fetchall()
        opened += [LANES[lane] for (lane,) in lanes]
        connection.execute(_OPEN, (PENDING, KEPT, *span))
        stubs = connection.execute(
            f"SELECT seq, kind, hash {_KEPT} AND raw IS NULL ORDER BY seq", (KEPT, *span)
        ).fetchall()
        here = Ranges((seq, seq) for (seq,) in connection.execute(_HERE, span))
        _, absent = Ranges([span]).split(here)
        gone += runs([stub for stub in stubs if stub[0] not in told], GONE)
        gone += [Loss(*hole, "", GONE, ()) for hole in absent.split(told)[1]]
    return opened, sorted(gone, key=lambda loss: loss.first)


def keep(connection: sqlite3.Connection, records: Sequence[Record], state: int) -> None:
    """Within a transaction: these records, in this state."""
    connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?,?)", [_row(one, state) for one in records])


def _row(record: Record, state: int) -> tuple[Any, ...]:
    number, lane = kind_number(record.kind), LANES.index(record.lane)
    return (record.seq, number, lane, state, record.boot, record.t_us, record.hash, record.raw)
