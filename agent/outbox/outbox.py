"""What is kept on flash: each record synced before anything may be told, deleted when confirmed, never half there.

A row's state is PENDING (to be delivered), KEPT (confirmed: what `tbox trips` shows keeps its bytes, the rest is a stub
of number, kind and hash), or DROPPED (over budget: a stub until a gap record covers it). KEPT rows go, oldest first,
once they are HISTORY_RECORDS numbers old or their room is needed. Not safe for use by two threads at once.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agent.capture import captured
from agent.capture.capture import Row
from agent.capture.captured import Caught
from agent.codec import LANES, CodecError, Record, lane_of, pack, unpack
from agent.ledger.ledger import Loss, Tail
from agent.ledger.receipt import Ranges
from agent.outbox.budget import floor_seq, make_room, settle, used_bytes
from agent.outbox.erasure import wipe
from agent.outbox.journal import make_table, put, stored
from agent.outbox.recovery import check_log, cover, go_on_after, keep, losses, reopen, stored_reserve, waiting
from agent.outbox.store import (
    KEPT,
    PENDING,
    DamagedError,
    Reserve,
    guarded,
    machine_boot,
    open_writable,
    set_aside,
    take_lock,
    write_reserve,
)

RESERVE_STEP = 4096
ROW_BYTES = 160
CONFIRM_ROWS = 512
BUDGET_BYTES_MIN = 512 * 1024


class Outbox:
    """The one writer of the store. Make it with `Outbox.open`; every failure of the disk is a StorageError.

    `boot` is the count to number records with; `is_same_boot` says the agent was restarted within it (the time axis
    goes on); `reports` are sentences a person should read; `budget_bytes` bounds the database.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int, budget_bytes: int) -> None:
        self.path = path
        self.budget_bytes = max(budget_bytes, BUDGET_BYTES_MIN)
        self.boot = 0
        self.is_same_boot = False
        self.reports: list[str] = []
        self._connection = connection
        self._lock = lock
        self._reserve, self._tail = Reserve(), Tail()
        self._depth = dict.fromkeys(LANES, 0)

    @classmethod
    def open(cls, path: Path, budget_bytes: int, machine: str | None = None) -> "Outbox":
        """Open or make the store, set a damaged one aside, count the boot. `reports` says what a person should know.

        `machine` names this boot of the machine (default: the kernel's boot id); the count rises when it changed.
        """
        lock, machine = take_lock(path), machine if machine is not None else machine_boot()
        try:
            try:
                return cls._attempt(path, lock, budget_bytes, machine)
            except DamagedError as error:
                report = f"{error}; set aside as {set_aside(path).name}, a new one begins"
            outbox = cls._attempt(path, lock, budget_bytes, machine)
        except BaseException:
            os.close(lock)
            raise
        outbox.reports.insert(0, report)
        return outbox

    @classmethod
    def _attempt(cls, path: Path, lock: int, budget_bytes: int, machine: str) -> "Outbox":
        """The outbox on the database that is there, or DamagedError."""
        check_log(path)
        connection = open_writable(path)
        try:
            outbox = cls(path, connection, lock, budget_bytes)
            outbox._begin(machine)
        except BaseException:
            connection.close()
            raise
        return outbox

    @property
    def delivered_upto(self) -> int:
        """All up to this number was confirmed; -1: nothing."""
        return self._lowest_open() - 1

    def tail(self) -> Tail:
        """Where the account on flash stands."""
        return self._tail

    def recovered(self) -> bytes | None:
        """The journal as it was last put: what the agent was in the middle of. None when there is none."""
        return stored(self._connection, self.path)

    def calibration(self) -> bytes | None:
        """The newest calibration record ever kept, delivered or not."""
        return self._load("calibration")

    def captured(self) -> list[Row]:
        """What was being caught of a crash when an earlier run ended."""
        with guarded(self.path):
            return captured.rows(self._connection)

    def append(self, records: Sequence[Record], journal: bytes | None = None, changes: Caught = ()) -> list[Loss]:
        """Records, the journal if given (b"": clear it), what is caught, in one synced transaction; what it displaced.

        The records go on from the tail. When this raises, nothing of it is in the store.
        """
        tail = self._tail
        for record in records:
            assert record.seq == tail.next_seq, f"seq {record.seq} does not follow {tail.next_seq - 1}"
            assert record.prev == tail.head, f"seq {record.seq} is not chained to the record before"
            tail = tail.after(record)
        self._reserve_upto(tail)
        with self._transaction():
            need_bytes = sum(len(one.raw) + ROW_BYTES for one in records) + len(journal or b"") + captured.size(changes)
            losses = make_room(self._connection, self.budget_bytes, need_bytes, self._tail.next_seq)
            keep(self._connection, records, PENDING)
            erased = cover(self._connection, records)
            captured.change(self._connection, changes)
            for record in (record for record in records if record.kind == "calibration"):
                self._save("calibration", record.raw)
            if journal is not None:
                put(self._connection, journal)
            if records:
                self._save("tail", pack(asdict(tail)))
        self._tail = tail
        if any(record.kind == "gap" for record in records):
            wipe(self._connection, self.path, self._reserve)
        for record in records:
            self._depth[record.lane] += 1
        for lane in erased:
            self._depth[lane] -= 1
        for loss in losses:
            self._depth[lane_of(loss.kind)] -= loss.last - loss.first + 1
        return losses

    def pending(self, lane: str, after_seq: int, limit: int) -> list[tuple[int, bytes]]:
        """Unconfirmed records of a lane with higher numbers than `after_seq` (-1: all), oldest first."""
        with self._transaction():
            rows, damaged = waiting(self._connection, lane, after_seq, limit)
        self._depth[lane] -= damaged
        return rows

    def confirm(self, seqs: Iterable[int]) -> None:
        """These are delivered: their bytes go, or become history. Unknown and confirmed ones are passed over."""
        self.confirm_ranges([(seq, seq) for seq in seqs])

    def confirm_ranges(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Everything from..to in each range is delivered; what lies outside the store is passed over."""
        floor, last_seq = self._floor(), self._tail.next_seq - 1
        seqs: set[int] = set()
        query = "SELECT seq FROM records WHERE seq BETWEEN ? AND ? AND state!=?"
        with guarded(self.path):
            for first, last in ranges:
                span = (max(first, floor), min(last, last_seq))
                seqs.update(seq for (seq,) in self._connection.execute(query, (*span, KEPT)))
        ordered = sorted(seqs)
        for at in range(0, len(ordered), CONFIRM_ROWS):
            with self._transaction():
                settled = settle(self._connection, ordered[at : at + CONFIRM_ROWS], self._tail.next_seq)
            for lane in settled:
                self._depth[lane] -= 1

    def reopen(self, spans: Iterable[tuple[int, int]]) -> list[Loss]:
        """Deliver these once more, as far as their bytes are here; what is not, unless a gap record here says so."""
        used = Ranges([(0, self._tail.next_seq - 1)])
        with self._transaction():
            opened, gone = reopen(self._connection, Ranges(spans).split(used)[0])
        for lane in opened:
            self._depth[lane] += 1
        return gone

    def within(self, do: Callable[[sqlite3.Connection], Any]) -> Any:
        """Do this in one synced transaction; it may read anything, and change what is confirmed. What it returns."""
        with self._transaction():
            return do(self._connection)

    def losses(self) -> list[Loss]:
        """What was dropped or lost and no gap record covers yet."""
        with guarded(self.path):
            return losses(self._connection)

    def depth(self) -> dict[str, int]:
        """Records waiting for confirmation, by lane."""
        return dict(self._depth)

    def used_bytes(self) -> int:
        """Bytes of the database in use: what is held against the budget (its log adds at most about 2 MiB)."""
        with guarded(self.path):
            return used_bytes(self._connection)

    def close(self) -> None:
        """Let go of the store; idempotent."""
        if self._lock < 0:
            return
        try:
            with guarded(self.path):
                write_reserve(self.path, replace(self._reserve, floor=self._lowest_open(), is_open=False))
                self._connection.close()
        finally:
            os.close(self._lock)
            self._lock = -1

    def _begin(self, machine: str) -> None:
        """Read where the account stands, or where it must go on after a lost store; count the boot."""
        tail = self._stored_tail()
        reserve, told = stored_reserve(self.path, is_whole=tail is not None)
        self.reports += told
        with self._transaction():
            captured.make_table(self._connection)
            make_table(self._connection)
            if tail is None:
                tail, report = go_on_after(self._connection, self.path, reserve)
                self.reports += [report] if report else []
            self.is_same_boot = self._load("machine") == machine.encode()
            counted = max(int(self._load("boot") or b"0"), tail.boot, reserve.boot)
            self.boot = counted + (not self.is_same_boot)
            self._tail = tail
            numbers = (max(reserve.seq, tail.next_seq), self.boot, self._lowest_open())
            self._reserve = Reserve(tail.device.hex(), *numbers)
            write_reserve(self.path, self._reserve)
            self._save("machine", machine.encode())
            self._save("boot", str(self.boot).encode())
            self._save("tail", pack(asdict(tail)))
            counts = "SELECT lane, count(*) FROM records WHERE state=? GROUP BY lane"
            for lane, count in self._connection.execute(counts, (PENDING,)):
                self._depth[LANES[lane]] = count
        self._reserve = replace(self._reserve, is_open=True)
        write_reserve(self.path, self._reserve)
        wipe(self._connection, self.path, self._reserve)

    def _stored_tail(self) -> Tail | None:
        """The tail in the database, None in a new one; DamagedError when it does not fit the records."""
        content = self._load("tail")
        (kept,), (lost,) = self._one("SELECT max(seq) FROM records"), self._one("SELECT max(last) FROM lost")
        last = kept if lost is None or (kept is not None and kept > lost) else lost
        try:
            tail = Tail(**unpack(content)) if content is not None else None
        except (CodecError, TypeError) as error:
            raise DamagedError(f"{self.path}: the end of the account cannot be read: {error}") from error
        if last is not None and (tail is None or last + 1 != tail.next_seq):
            raise DamagedError(f"{self.path}: the records do not fit the end of the account")
        return tail

    def _reserve_upto(self, tail: Tail) -> None:
        """Before numbers beyond the reserve are stored, the reserve is moved, synced."""
        if tail.next_seq > self._reserve.seq:
            numbers = (tail.next_seq + RESERVE_STEP, self.boot, self._lowest_open())
            reserve = Reserve(tail.device.hex(), *numbers, is_open=True)
            write_reserve(self.path, reserve)
            self._reserve = reserve

    def _floor(self) -> int:
        with guarded(self.path):
            return floor_seq(self._connection, self._tail.next_seq)

    def _lowest_open(self) -> int:
        """The floor, or lower where a lost store left a range that no gap record covers yet."""
        (first,) = self._one("SELECT min(first) FROM lost")
        return self._floor() if first is None else min(first, self._floor())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it, synced, or nothing of it and a StorageError."""
        with guarded(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _one(self, query: str, *arguments: object) -> tuple[Any, ...]:
        with guarded(self.path):
            row: tuple[Any, ...] = self._connection.execute(query, arguments).fetchone()
        return row

    def _load(self, name: str) -> bytes | None:
        with guarded(self.path):
            row = self._connection.execute("SELECT content FROM account WHERE name=?", (name,)).fetchone()
        return row[0] if row and row[0] else None

    def _save(self, name: str, content: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO account VALUES (?,?)", (name, content))
