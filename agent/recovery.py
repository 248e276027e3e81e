"""After a store was damaged or lost: what is taken back of it, and which numbers are gone."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.codec import LANES, Record, kind_number
from agent.receipt import Ranges
from agent.salvage import records_in
from agent.store import KEPT, PENDING, DamagedError, Reserve, files_set_aside, has_log, read_reserve


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


def take_back(connection: sqlite3.Connection, path: Path, reserve: Reserve) -> int:
    """Within a transaction on a new store: the records that can be saved of those set aside; how many they are.

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


def keep(connection: sqlite3.Connection, records: Sequence[Record], state: int) -> None:
    """Within a transaction: these records, in this state."""
    connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?,?)", [_row(one, state) for one in records])


def _row(record: Record, state: int) -> tuple[Any, ...]:
    number, lane = kind_number(record.kind), LANES.index(record.lane)
    return (record.seq, number, lane, state, record.boot, record.t_us, record.hash, record.raw)
