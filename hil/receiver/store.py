"""What a platform keeps, in one SQLite file: records once each, what is settled of a device, what was refused."""

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from agent.codec import Record, decode
from agent.key import Signer, device_of
from agent.receipt import Ranges, Receipt, signed
from agent.recordfile import frame
from hil.receiver.intake import Arrival, Known, covered, fault, links_of, public_of, read

_SCHEMA = """
CREATE TABLE IF NOT EXISTS platform (epoch TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS devices (terminal TEXT PRIMARY KEY, device BLOB NOT NULL, public BLOB,
    settled TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (device BLOB, seq INTEGER, kind TEXT NOT NULL, boot INTEGER NOT NULL,
    t_us INTEGER NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (device, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (device BLOB, raw BLOB, PRIMARY KEY (device, raw)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (terminal TEXT NOT NULL, lane TEXT NOT NULL, reason TEXT NOT NULL,
    payload BLOB NOT NULL, UNIQUE (terminal, lane, payload));
"""


class PlatformStore:
    """One file, one writer. Nothing is promised before `batch` has left its transaction."""

    def __init__(self, path: Path, *, is_restored: bool = False, key: Signer | None = None) -> None:
        """`is_restored`: the file is a backup; a new epoch tells the terminals so. `key` signs receipts."""
        self._key = key
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)
        if is_restored:
            self._connection.execute("DELETE FROM platform")
        row = self._connection.execute("SELECT epoch FROM platform").fetchone()
        self.epoch: str = row[0] if row else uuid.uuid4().hex
        if not row:
            self._connection.execute("INSERT INTO platform VALUES (?)", (self.epoch,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """All of it is kept, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def take(self, arrived: Arrival) -> str:
        """Within a batch: keep what arrived; empty, or why it was refused. Again is nothing."""
        record = read(arrived)
        reason = record if isinstance(record, str) else fault(record, self._known(arrived.terminal, record))
        if reason:
            values = (arrived.terminal, arrived.lane, reason, arrived.payload)
            self._connection.execute("INSERT OR IGNORE INTO refused VALUES (?,?,?,?)", values)
        elif not isinstance(record, str):
            self._keep(arrived.terminal, record)
        return reason

    def receipt(self, terminal: str) -> bytes:
        """What is settled of this terminal, as `agent/receipt.py` reads it."""
        receipt = Receipt(self._settled(terminal), self.epoch)
        told = self._one("SELECT device FROM devices WHERE terminal=?", terminal)
        if self._key is None or told is None:
            return receipt.text()
        last = self._one("SELECT hash FROM records WHERE device=? AND seq=?", told[0], receipt.upto)
        return signed(receipt, self._key, told[0], time.time_ns() // 1000, last[0] if last else b"").text()

    def terminals(self) -> list[str]:
        """All that ever sent something whole."""
        return [name for (name,) in self._connection.execute("SELECT terminal FROM devices ORDER BY terminal")]

    def counts(self) -> dict[str, int]:
        """Records, devices, refused."""
        tables = ("records", "devices", "refused")
        return {name: self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608  (three names)

    def export(self, terminal: str) -> Iterator[bytes]:
        """The records of a terminal in order, as the file that `tbox verify` reads."""
        query = "SELECT raw FROM records JOIN devices USING (device) WHERE terminal=? ORDER BY seq"
        for (raw,) in self._connection.execute(query, (terminal,)):
            yield frame(raw)

    def refused(self) -> list[tuple[str, str, str]]:
        """Terminal, lane and reason of what was refused."""
        return self._connection.execute("SELECT terminal, lane, reason FROM refused").fetchall()

    def _keep(self, terminal: str, record: Record) -> None:
        """The record once, and what is settled with it."""
        row = (record.device, record.seq, record.kind, record.boot, record.t_us, record.prev, record.hash, record.raw)
        self._connection.execute("INSERT OR IGNORE INTO records VALUES (?,?,?,?,?,?,?,?)", row)
        settled = self._settled(terminal)
        for first, last in covered(record):
            settled.add(first, last)
        links = [(record.device, link.raw) for link in links_of(record)]
        self._connection.executemany("INSERT OR IGNORE INTO links VALUES (?,?)", links)
        public = public_of(record)
        if public is not None and device_of(public) != record.device:
            public = None
        values = (terminal, record.device, public, json.dumps(list(settled)))
        self._connection.execute(
            "INSERT INTO devices VALUES (?,?,?,?) ON CONFLICT (terminal) DO UPDATE"
            " SET public = coalesce(excluded.public, public), settled = excluded.settled",
            values,
        )

    def _settled(self, terminal: str) -> Ranges:
        row = self._connection.execute("SELECT settled FROM devices WHERE terminal=?", (terminal,)).fetchone()
        return Ranges((first, last) for first, last in json.loads(row[0])) if row else Ranges()

    def _known(self, terminal: str, record: Record) -> Known:
        device, public = self._one("SELECT device, public FROM devices WHERE terminal=?", terminal) or (None, None)
        same = self._one("SELECT raw FROM records WHERE device=? AND seq=?", record.device, record.seq)
        before = self._one("SELECT hash FROM records WHERE device=? AND seq=?", record.device, record.seq - 1)
        after = self._one("SELECT prev FROM records WHERE device=? AND seq=?", record.device, record.seq + 1)
        links = self._connection.execute("SELECT raw FROM links WHERE device=?", (record.device,)).fetchall()
        return Known(
            same=same[0] if same else None,
            hash_before=before[0] if before else None,
            prev_after=after[0] if after else None,
            device=device,
            public=public,
            links=tuple(decode(raw) for (raw,) in links),
        )

    def _one(self, query: str, *values: object) -> tuple[bytes, ...] | None:
        row: tuple[bytes, ...] | None = self._connection.execute(query, values).fetchone()
        return row
