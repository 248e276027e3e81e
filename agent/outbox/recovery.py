"""After a store was damaged or lost: what is taken back of it, and which numbers are gone."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.codec import LANES, Record, decode, kind_number, pack, unpack
from agent.errors import StorageError
from agent.ledger.ledger import DAMAGED, GONE, Loss, Tail, losses_of
from agent.ledger.receipt import Ranges
from agent.outbox.budget import runs
from agent.outbox.erasure import erase, erased_by
from agent.outbox.salvage import is_as_written, records_in
from agent.outbox.store import DROPPED, KEPT, PENDING, DamagedError, Reserve, files_set_aside, has_log, read_reserve

_KEPT = "FROM records WHERE state=? AND seq BETWEEN ? AND ?"
_OPEN = "UPDATE records SET state=? WHERE state=? AND seq BETWEEN ? AND ? AND raw IS NOT NULL"
_WAITING = "SELECT seq, raw, hash FROM records WHERE state=? AND lane=? AND seq>? ORDER BY seq LIMIT ?"
_OWED = "owed"
_GAPS = "SELECT raw FROM records WHERE kind=? AND raw IS NOT NULL"
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


def stored_reserve(path: Path, *, is_whole: bool) -> tuple[Reserve, list[str]]:
    """The reserve file, and what to tell of it; made anew beside a whole database, but never guessed without one."""
    try:
        return read_reserve(path), []
    except DamagedError as error:
        if not is_whole:
            raise StorageError(f"{error}, and the store is gone too: move the whole folder away") from error
        return Reserve(), [f"{error}; made anew"]


def go_on_after(connection: sqlite3.Connection, path: Path, reserve: Reserve) -> tuple[Tail, str]:
    """Where a new store begins: at the very beginning, or beyond the numbers of a lost one; and what to tell of it."""
    if reserve.seq == 0:
        return Tail(), ""
    saved = _take_back(connection, path, reserve)
    next_seq = _beyond(connection, reserve.seq)
    report = (
        f"{path}: the store was lost; {saved} records were saved from what was set aside, other undelivered ones among "
        f"{reserve.floor}..{reserve.seq - 1} are gone, the account goes on with {next_seq}"
    )
    device = bytes.fromhex(reserve.device)
    return Tail(device=device, boot=reserve.boot, next_seq=next_seq, sealed_upto=next_seq - 1), report


def _beyond(connection: sqlite3.Connection, seq: int) -> int:
    """The number to go on with, this or the next one: where nothing that is lost stands before, one number is given up.

    The chain begins anew after a lost store, and only a gap says that it may.
    """
    if connection.execute("SELECT 1 FROM lost WHERE last=?", (seq - 1,)).fetchone():
        return seq
    connection.execute("INSERT INTO lost VALUES (?,?)", (seq, seq))
    return seq + 1


def _take_back(connection: sqlite3.Connection, path: Path, reserve: Reserve) -> int:
    """The records that can be saved of those set aside; how many they are.

    Those that may not be delivered yet go out again, under their own numbers; what is missing is noted as lost. What is
    missing between those that were delivered is owed a word too.
    """
    device = bytes.fromhex(reserve.device)
    found = {seq: one for aside in files_set_aside(path) for seq, one in records_in(aside).items()}
    erased = erased_by(found.values())
    saved = [
        one for seq, one in sorted(found.items()) if one.device == device and seq < reserve.seq and seq not in erased
    ]
    keep(connection, [one for one in saved if one.seq < reserve.floor], KEPT)
    keep(connection, [one for one in saved if one.seq >= reserve.floor], PENDING)
    known = Ranges([*erased, *_said(connection), *((one.seq, one.seq) for one in saved)])
    if reserve.floor < reserve.seq:
        _, lost = Ranges([(reserve.floor, reserve.seq - 1)]).split(known)
        connection.executemany("INSERT INTO lost VALUES (?,?)", lost)
    if saved and saved[0].seq < reserve.floor:
        _owe(connection, Ranges([(saved[0].seq, reserve.floor - 1)]).split(known)[1])
    return len(saved)


def losses(connection: sqlite3.Connection) -> list[Loss]:
    """What was dropped or lost and no gap record covers yet."""
    lost = connection.execute("SELECT first, last FROM lost ORDER BY first").fetchall()
    dropped = connection.execute(
        "SELECT seq, kind, hash FROM records WHERE state=? ORDER BY seq", (DROPPED,)
    ).fetchall()
    damaged = [Loss(first, last, "", DAMAGED, ()) for first, last in lost]
    return damaged + runs(dropped) + _gone(connection, _owed(connection))


def waiting(
    connection: sqlite3.Connection, lane: str, after_seq: int, limit: int
) -> tuple[list[tuple[int, bytes]], int]:
    """Within a transaction: pending records of a lane above a number, lowest first; how many had to be given up.

    Where flash rots, bytes are not what was written in pages that are whole. Such a record would be refused wherever it
    comes, and the one after it too: it is lost.
    """
    given_up = 0
    while True:
        rows = connection.execute(_WAITING, (PENDING, LANES.index(lane), after_seq, limit)).fetchall()
        damaged = [(seq,) for seq, raw, digest in rows if not is_as_written(raw, digest)]
        if not damaged:
            return [(seq, raw) for seq, raw, _ in rows], given_up
        connection.executemany("DELETE FROM records WHERE seq=?", damaged)
        connection.executemany("INSERT INTO lost VALUES (?1,?1)", damaged)
        given_up += len(damaged)


def reopen(connection: sqlite3.Connection, spans: Ranges) -> tuple[list[str], list[Loss]]:
    """Within a transaction: what was confirmed and has its bytes is pending again; the lane of each, and what is gone.

    Of what is gone is left out what a gap record says that is here, or still owed: one that was delivered and let go
    speaks to nobody any more. What is pending or dropped is as it was.
    """
    opened: list[str] = []
    for span in spans:
        lanes = connection.execute(f"SELECT lane {_KEPT} AND raw IS NOT NULL", (KEPT, *span)).fetchall()
        opened += [LANES[lane] for (lane,) in lanes]
        connection.execute(_OPEN, (PENDING, KEPT, *span))
    gone = _gone(connection, spans.split(Ranges([*_owed(connection), *_said(connection)]))[1])
    _owe(connection, Ranges([*_owed(connection), *((loss.first, loss.last) for loss in gone)]))
    return opened, gone


def _gone(connection: sqlite3.Connection, spans: Ranges) -> list[Loss]:
    """What of these was delivered and has no bytes here any more, lowest first."""
    gone: list[Loss] = []
    for span in spans:
        gone += runs(
            connection.execute(f"SELECT seq, kind, hash {_KEPT} AND raw IS NULL ORDER BY seq", (KEPT, *span)), GONE
        )
        here = Ranges((seq, seq) for (seq,) in connection.execute(_HERE, span))
        gone += [Loss(*hole, "", GONE, ()) for hole in Ranges([span]).split(here)[1]]
    return sorted(gone, key=lambda loss: loss.first)


def _said(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """What gap records with their bytes say is not here any more, for whatever reason: they go again where need be."""
    for (raw,) in connection.execute(_GAPS, (kind_number("gap"),)):
        yield from ((loss.first, loss.last) for loss in losses_of(decode(raw)))


def _owed(connection: sqlite3.Connection) -> Ranges:
    """What was asked for again and is gone, as long as no gap record says so."""
    row = connection.execute("SELECT content FROM account WHERE name=?", (_OWED,)).fetchone()
    return Ranges(unpack(row[0]) if row else [])


def _owe(connection: sqlite3.Connection, spans: Ranges) -> None:
    connection.execute("INSERT OR REPLACE INTO account VALUES (?,?)", (_OWED, pack(list(spans))))


def cover(connection: sqlite3.Connection, records: Sequence[Record]) -> list[str]:
    """Within a transaction: stubs that gap records among these cover are no longer needed, and what they erase goes.

    The lane of each that was pending.
    """
    told = [loss for record in records if record.kind == "gap" for loss in losses_of(record)]
    if gone := Ranges((loss.first, loss.last) for loss in told if loss.reason == GONE):
        _owe(connection, _owed(connection).split(gone)[1])
    for loss in told:
        span = (loss.first, loss.last)
        connection.execute("DELETE FROM records WHERE seq BETWEEN ? AND ? AND state=?", (*span, DROPPED))
        connection.execute("DELETE FROM lost WHERE first>=? AND last<=?", span)
    return erase(connection, records)


def keep(connection: sqlite3.Connection, records: Sequence[Record], state: int) -> None:
    """Within a transaction: these records, in this state."""
    connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?,?)", [_row(one, state) for one in records])


def _row(record: Record, state: int) -> tuple[Any, ...]:
    number, lane = kind_number(record.kind), LANES.index(record.lane)
    return (record.seq, number, lane, state, record.boot, record.t_us, record.hash, record.raw)
