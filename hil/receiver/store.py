"""What a platform keeps in one SQLite file: records once each, what is settled of a device, what was refused."""

import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

from agent.codec import Record, decode
from agent.ledger.key import Signer
from agent.ledger.receipt import SPANS_TOLD, Ranges, Receipt, signed
from agent.outbox.recordfile import frame
from hil.receiver.batch import Book, Judged, Mark, Place, judge, read_all, records_in, wanted
from hil.receiver.intake import Arrival, links_of

Send = Callable[[Sequence[tuple[str, bytes]]], bool]
"""Publish these receipts, (terminal, text); whether the broker has them all."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS platform (epoch TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS terminals (terminal TEXT PRIMARY KEY, device BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS devices (device BLOB PRIMARY KEY, public BLOB, settled TEXT NOT NULL,
    is_told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (device BLOB, seq INTEGER, kind TEXT NOT NULL, boot INTEGER NOT NULL,
    t_us INTEGER NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (device, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (device BLOB, raw BLOB, PRIMARY KEY (device, raw)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (terminal TEXT NOT NULL, lane TEXT NOT NULL, reason TEXT NOT NULL,
    payload BLOB NOT NULL, UNIQUE (terminal, lane, payload));
"""


class Store(Protocol):
    """What the receiver's loop needs of a platform's memory."""

    def take(self, arrived: Sequence[Arrival]) -> Judged:
        """Keep what is new, in one transaction: once it returns, all of it is safe."""

    def tell(self, send: Send) -> int:
        """Send the receipts of terminals of which something was stored since; how many."""

    def tell_again(self) -> None:
        """Every terminal is told once more."""

    def export(self, terminal: str) -> Iterator[bytes]:
        """The records of a terminal in order, as the file that `tbox verify` reads."""

    def counts(self) -> dict[str, int]:
        """Records, devices, refused."""

    def close(self) -> None:
        """Let go of it."""


def receipt_of(stored: Ranges, epoch: str, key: Signer | None, device: bytes, head: bytes) -> bytes:
    """The receipt as it is published, of the lowest spans; signed where there is a key and the device is known."""
    receipt = Receipt(Ranges(islice(stored, SPANS_TOLD)), epoch)
    if key is None or not device:
        return receipt.text()
    return signed(receipt, key, device, time.time_ns() // 1000, head).text()


class PlatformStore:
    """One file, one writer."""

    def __init__(
        self, path: Path, *, is_restored: bool = False, key: Signer | None = None, fleet: bytes | None = None
    ) -> None:
        """`is_restored`: the file is a backup; a new epoch tells the terminals so. `key` signs receipts."""
        self._key, self._fleet = key, fleet
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
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def take(self, arrived: Sequence[Arrival]) -> Judged:
        """Keep what is new, in one transaction."""
        readings = read_all(arrived)
        with self._transaction():
            books = self._books({record.device for record in records_in(readings)})
            owners = self._owners({one.terminal for one in arrived})
            judged = judge(readings, owners, books, self._marks(wanted(readings, books)), self._fleet)
            self._write(judged)
        return judged

    def tell(self, send: Send) -> int:
        """Send what is news, and remember that it was sent once the broker has it."""
        untold = "SELECT terminal FROM terminals JOIN devices USING (device) WHERE NOT is_told ORDER BY terminal"
        terminals = self._column(untold)
        if not terminals or not send([(terminal, self.receipt(terminal)) for terminal in terminals]):
            return 0
        self._connection.execute("UPDATE devices SET is_told = 1")
        return len(terminals)

    def tell_again(self) -> None:
        """Every terminal is told once more."""
        self._connection.execute("UPDATE devices SET is_told = 0")

    def receipt(self, terminal: str) -> bytes:
        """What is settled of this terminal's device, as `agent/ledger/receipt.py` reads it."""
        device = self._owners([terminal]).get(terminal, b"")
        settled = self._books([device])[device].settled if device else Ranges()
        head = self._column(
            "SELECT hash FROM records WHERE device=? AND seq=?", device, Receipt(settled, self.epoch).upto
        )
        return receipt_of(settled, self.epoch, self._key, device, head[0] if head else b"")

    def counts(self) -> dict[str, int]:
        """Records, devices, refused."""
        tables = ("records", "devices", "refused")
        return {name: self._column(f"SELECT count(*) FROM {name}")[0] for name in tables}  # noqa: S608  (three names)

    def export(self, terminal: str) -> Iterator[bytes]:
        """The records of a terminal in order, as the file that `tbox verify` reads."""
        query = "SELECT raw FROM records JOIN terminals USING (device) WHERE terminal=? ORDER BY seq"
        for (raw,) in self._connection.execute(query, (terminal,)):
            yield frame(raw)

    def refused(self) -> list[tuple[str, str, str]]:
        """Terminal, lane and reason of what was refused."""
        return self._connection.execute("SELECT terminal, lane, reason FROM refused").fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it is kept, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _write(self, judged: Judged) -> None:
        """A batch as it was judged."""
        refused = [(one.arrived.terminal, one.arrived.lane, one.reason, one.arrived.payload) for one in judged.refused]
        self._connection.executemany("INSERT OR IGNORE INTO refused VALUES (?,?,?,?)", refused)
        self._connection.executemany(
            "INSERT INTO records VALUES (?,?,?,?,?,?,?,?)", [_row(record, digest) for record, digest in judged.kept]
        )
        links = [(record.device, link.raw) for record, _ in judged.kept for link in links_of(record)]
        self._connection.executemany("INSERT OR IGNORE INTO links VALUES (?,?)", links)
        self._connection.executemany("INSERT OR IGNORE INTO terminals VALUES (?,?)", judged.owners.items())
        books = [(device, judged.books[device]) for device in judged.news]
        self._connection.executemany(
            "INSERT INTO devices VALUES (?,?,?,0) ON CONFLICT (device) DO UPDATE"
            " SET public = excluded.public, settled = excluded.settled, is_told = 0",
            [(device, book.public, json.dumps(list(book.settled))) for device, book in books],
        )

    def _owners(self, terminals: Iterable[str]) -> dict[str, bytes]:
        """The devices behind these topics, where something came before."""
        query = "SELECT device FROM terminals WHERE terminal=?"
        found = {terminal: self._column(query, terminal) for terminal in terminals}
        return {terminal: column[0] for terminal, column in found.items() if column}

    def _books(self, devices: Iterable[bytes]) -> dict[bytes, Book]:
        """What is known of these accounts."""
        found: dict[bytes, Book] = {}
        for device in devices:
            query = "SELECT public, settled FROM devices WHERE device=?"
            for public, settled in self._connection.execute(query, (device,)):
                links = [decode(raw) for raw in self._column("SELECT raw FROM links WHERE device=?", device)]
                found[device] = Book(public, links, Ranges((first, last) for first, last in json.loads(settled)))
        return found

    def _marks(self, places: Iterable[Place]) -> dict[Place, Mark]:
        """Of these records, those that are stored."""
        query = "SELECT hash, prev FROM records WHERE device=? AND seq=?"
        rows = ((place, self._connection.execute(query, place).fetchone()) for place in places)
        return {place: Mark(*row) for place, row in rows if row}

    def _column(self, query: str, *values: object) -> list[Any]:
        return [value for (value,) in self._connection.execute(query, values)]


def _row(record: Record, digest: bytes) -> tuple[object, ...]:
    return (record.device, record.seq, record.kind, record.boot, record.t_us, record.prev, digest, record.raw)
