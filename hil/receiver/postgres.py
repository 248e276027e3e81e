"""What a platform keeps in PostgreSQL, however many receivers write there: each batch is one transaction.

Nothing is locked while a batch is judged; at its end the accounts it touched grow by what it settles, in the order of
their ids, so two receivers wait for each other's last step at most and never in a circle. Receipts are told by one
receiver at a time, from what is committed, so they never go backwards.
"""

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha256
from importlib.resources import files
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb, set_json_dumps

from agent.codec import decode
from agent.ledger.key import Signer
from agent.ledger.receipt import Ranges, Receipt
from agent.outbox.recordfile import frame
from hil.receiver.batch import Book, Judged, Mark, Place, judge, read_all, records_in, wanted
from hil.receiver.contents import Clock, Event, Gap, Row, Trip, about, rows_of
from hil.receiver.intake import Arrival, links_of
from hil.receiver.store import Send, receipt_of

TELLER = 0x74626F78
"""The advisory lock of whoever tells receipts."""

TELL_MAX = 5000
"""Receipts of one round: the lock on these accounts must not last long."""

_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS arriving (device bytea, seq int8, month date, kind text, boot int8, t_us int8,
    about int8, prev bytea, hash bytea, raw bytea) ON COMMIT DELETE ROWS
"""
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""NUL as JSON writes it: behind an even number of backslashes, or these words would be part of a text."""
_TYPES = ("bytea", "int8", "date", "text", "int8", "int8", "int8", "bytea", "bytea", "bytea")

_WRITE: dict[type, str] = {
    Trip: "INSERT INTO trips VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s) ON CONFLICT (device, trip) DO UPDATE SET"
    " start_us = coalesce(excluded.start_us, trips.start_us), end_us = coalesce(excluded.end_us, trips.end_us),"
    " end_reason = coalesce(excluded.end_reason, trips.end_reason),"
    " distance_m = coalesce(excluded.distance_m, trips.distance_m), score = coalesce(excluded.score, trips.score),"
    " summary = coalesce(excluded.summary, trips.summary)",
    Event: "INSERT INTO events VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s) ON CONFLICT DO NOTHING",
    Gap: "INSERT INTO gaps VALUES (%s,%s,%s,%s,%s) ON CONFLICT DO NOTHING",
    Clock: "INSERT INTO clocks VALUES (%s,%s,%s,%s,%s) ON CONFLICT DO NOTHING",
}


class PostgresStore:
    """One connection. psycopg's errors come through: what was not committed must be taken again."""

    def __init__(
        self, address: str, *, is_restored: bool = False, key: Signer | None = None, fleet: bytes | None = None
    ) -> None:
        """`address` as libpq takes it, e.g. postgresql://host/tbox; otherwise as `PlatformStore`."""
        self._key, self._fleet = key, fleet
        self._months: set[date] = set()
        self._connection = psycopg.connect(address, autocommit=True)
        set_json_dumps(_json, self._connection)
        with self._connection.transaction():
            self._do("SELECT pg_advisory_xact_lock(%s)", TELLER + 1)
            self._make_tables()
            if is_restored:
                self._do("DELETE FROM platform")
                self._do("UPDATE devices SET is_told = false")
            self._do("INSERT INTO platform SELECT %s WHERE NOT EXISTS (SELECT FROM platform)", uuid.uuid4().hex)
        self._do(_STAGE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def take(self, arrived: Sequence[Arrival]) -> Judged:
        """Keep what is new, in one transaction."""
        readings = read_all(arrived)
        records = records_in(readings)
        months = self._months_of({(record.device, record.boot) for record in records})
        with self._connection.transaction():
            books = self._books({record.device for record in records})
            owners = self._owners({one.terminal for one in arrived})
            judged = judge(readings, owners, books, self._marks(wanted(readings, books)), self._fleet)
            self._write(judged, months)
        return judged

    def tell(self, send: Send) -> int:
        """Send what is news, unless another receiver is at it; told is what the broker has."""
        with self._connection.transaction():
            if not self._one("SELECT pg_try_advisory_xact_lock(%s)", TELLER):
                return 0
            told = self._do(
                "UPDATE devices SET is_told = true WHERE device IN (SELECT device FROM devices WHERE NOT is_told"
                " ORDER BY device LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING device, settled::text",
                TELL_MAX,
            ).fetchall()
            if not told:
                return 0
            settled = {device: spans_in(text) for device, text in told}
            if not send(self._receipts(settled)):
                raise psycopg.Rollback
            return len(told)
        return 0

    def tell_again(self) -> None:
        """Every terminal is told once more."""
        self._do("UPDATE devices SET is_told = false WHERE is_told")

    def counts(self) -> dict[str, int]:
        """Records, devices, refused."""
        tables = {"records": "records", "devices": "devices", "refused": "dead_letters"}
        counted = sql.SQL("SELECT count(*) FROM {}")
        return {
            name: self._connection.execute(counted.format(sql.Identifier(table))).fetchall()[0][0]
            for name, table in tables.items()
        }

    def export(self, terminal: str) -> Iterator[bytes]:
        """The records of a terminal in order, as the file that `tbox verify` reads."""
        query = "SELECT raw FROM records JOIN terminals USING (device) WHERE terminal = %s ORDER BY seq"
        with self._connection.transaction(), self._connection.cursor("export") as cursor:
            for (raw,) in cursor.execute(query, (terminal,)):
                yield frame(raw)

    def _make_tables(self) -> None:
        """Bring the database to this form, unless it has it: that waits for whoever writes, and they for us."""
        schema = files("hil.receiver").joinpath("schema.sql").read_bytes()
        form = sha256(schema).hexdigest()
        if self._one("SELECT obj_description(to_regclass('platform'), 'pg_class')") != form:
            self._connection.execute(schema)
            self._connection.execute(sql.SQL("COMMENT ON TABLE platform IS {}").format(form))

    def _receipts(self, settled: dict[bytes, Ranges]) -> list[tuple[str, bytes]]:
        """The receipts of these devices, for each name a device has in topics."""
        epoch = self._one("SELECT epoch FROM platform")
        heads = (
            {}
            if self._key is None
            else self._marks((device, Receipt(one, epoch).upto) for device, one in settled.items())
        )
        names = self._do("SELECT terminal, device FROM terminals WHERE device = ANY(%b)", list(settled)).fetchall()
        told = []
        for terminal, device in names:
            head = heads.get((device, Receipt(settled[device], epoch).upto))
            told.append((terminal, receipt_of(settled[device], epoch, self._key, device, head.hash if head else b"")))
        return told

    def _write(self, judged: Judged, months: dict[tuple[bytes, int], date]) -> None:
        """A batch as it was judged, each table in the order of its key; the accounts last."""
        with self._connection.cursor() as cursor:
            with cursor.copy("COPY arriving FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(_TYPES)
                for one, digest in judged.kept:
                    month, it = months[one.device, one.boot], about(one)
                    row = (one.device, one.seq, month, one.kind, one.boot, one.t_us, it, one.prev, digest, one.raw)
                    copy.write_row(row)
            cursor.execute("INSERT INTO records SELECT * FROM arriving ORDER BY device, seq ON CONFLICT DO NOTHING")
            ordered = sorted((record for record, _ in judged.kept), key=lambda record: (record.device, record.seq))
            rows = [row for record in ordered for row in rows_of(record)]
            for kind, query in _WRITE.items():
                if fitting := [_adapted(row) for row in rows if type(row) is kind]:
                    cursor.executemany(query, fitting)
            if links := [(record.device, link.raw) for record in ordered for link in links_of(record)]:
                cursor.executemany("INSERT INTO links VALUES (%s,%s) ON CONFLICT DO NOTHING", links)
            self._bury(cursor, judged)
            self._settle(cursor, judged)

    def _bury(self, cursor: psycopg.Cursor[Any], judged: Judged) -> None:
        """What was refused, once each."""
        letters = [
            (came.terminal, sha256(came.payload).digest(), came.lane, _text(reason), came.payload)
            for came, reason in ((one.arrived, one.reason) for one in judged.refused)
        ]
        if letters:
            cursor.executemany(
                "INSERT INTO dead_letters VALUES (%s,%s,%s,%s,%s) ON CONFLICT (terminal, digest)"
                " DO UPDATE SET times = dead_letters.times + 1",
                sorted(letters),
            )

    def _settle(self, cursor: psycopg.Cursor[Any], judged: Judged) -> None:
        """The accounts grow."""
        owners = sorted(judged.owners.items())
        cursor.execute(
            "INSERT INTO terminals SELECT * FROM unnest(%b::text[], %b::bytea[]) ON CONFLICT DO NOTHING",
            ([name for name, _ in owners], [device for _, device in owners]),
        )
        news = sorted(judged.news.items())
        cursor.execute(
            "INSERT INTO devices SELECT d, p, s::int8multirange"
            " FROM unnest(%b::bytea[], %b::bytea[], %b::text[]) AS n (d, p, s)"
            " ON CONFLICT (device) DO UPDATE SET public = coalesce(devices.public, excluded.public), is_told = false,"
            " settled = devices.settled + excluded.settled, last_seen = now()",
            (
                [device for device, _ in news],
                [judged.books[device].public for device, _ in news],
                [text_of(spans) for _, spans in news],
            ),
        )

    def _months_of(self, boots: Iterable[tuple[bytes, int]]) -> dict[tuple[bytes, int], date]:
        """The month of each boot: the one in which it was first heard of. Its partition is there afterwards.

        Apart from the batch's transaction, which then locks nothing that another's needs in another order.
        """
        ordered = sorted(boots)
        arrays = [device for device, _ in ordered], [boot for _, boot in ordered]
        self._do(
            "INSERT INTO boots SELECT d, b, date_trunc('month', now()) FROM unnest(%b::bytea[], %b::int8[]) AS n (d, b)"
            " WHERE NOT EXISTS (SELECT FROM boots WHERE device = d AND boot = b) ORDER BY d, b"
            " ON CONFLICT DO NOTHING",
            *arrays,
        )
        rows = self._do(
            "SELECT device, boot, month FROM unnest(%b::bytea[], %b::int8[]) AS n (device, boot)"
            " JOIN boots USING (device, boot)",
            *arrays,
        )
        months = {(device, boot): month for device, boot, month in rows}
        for month in {*months.values()} - self._months:
            self._partition(month)
        return months

    def _partition(self, month: date) -> None:
        """The part of `records` for this month."""
        name = sql.Identifier(f"records_{month:%Y_%m}")
        create = sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF records FOR VALUES IN ({})")
        with self._connection.transaction():
            self._do("SELECT pg_advisory_xact_lock(%s)", TELLER + 1)
            self._connection.execute(create.format(name, sql.Literal(month)))
        self._months.add(month)

    def _owners(self, terminals: Iterable[str]) -> dict[str, bytes]:
        """The devices behind these topics, where something came before."""
        rows = self._do("SELECT terminal, device FROM terminals WHERE terminal = ANY(%b)", list(terminals))
        return dict(rows.fetchall())

    def _books(self, devices: Iterable[bytes]) -> dict[bytes, Book]:
        """What is known of these accounts."""
        asked = list(devices)
        rows = self._do("SELECT device, public, settled::text FROM devices WHERE device = ANY(%b)", asked)
        books = {device: Book(public, [], spans_in(text)) for device, public, text in rows}
        for device, raw in self._do("SELECT device, raw FROM links WHERE device = ANY(%b)", asked):
            books[device].links.append(decode(raw))
        return books

    def _marks(self, places: Iterable[Place]) -> dict[Place, Mark]:
        """Of these records, those that are stored."""
        asked = list(places)
        rows = self._do(
            "SELECT r.device, r.seq, r.hash, r.prev FROM unnest(%b::bytea[], %b::int8[]) AS n (d, s)"
            " JOIN records r ON r.device = d AND r.seq = s",
            [device for device, _ in asked],
            [seq for _, seq in asked],
        )
        return {(device, seq): Mark(its_hash, prev) for device, seq, its_hash, prev in rows}

    def _do(self, query: str, *values: object) -> psycopg.Cursor[Any]:
        return self._connection.execute(query, values, binary=True)

    def _one(self, query: str, *values: object) -> Any:
        return self._do(query, *values).fetchall()[0][0]


def spans_in(text: str) -> Ranges:
    """The numbers of a PostgreSQL multirange, as in "{[0,5),[7,8)}"."""
    bounds = [int(word) for word in text.strip("{}").replace("[", "").replace(")", "").split(",") if word]
    return Ranges((first, after - 1) for first, after in zip(bounds[::2], bounds[1::2], strict=True))


def text_of(spans: Ranges) -> str:
    """The same the other way round."""
    return "{" + ",".join(f"[{first},{last + 1})" for first, last in spans) + "}"


def _adapted(row: Row) -> tuple[object, ...]:
    """A row with its body as JSON."""
    return tuple(Jsonb(one) if isinstance(one, dict) else _text(one) if isinstance(one, str) else one for one in row)


def _text(told: str) -> str:
    """Without NUL, which PostgreSQL has no place for."""
    return told.replace("\0", "")


def _json(body: object) -> str:
    """A body of msgpack as JSON: bytes as hex, text without NUL."""
    told = json.dumps(body, default=lambda one: one.hex() if isinstance(one, bytes) else str(one))
    return _NUL.sub(r"\1", told)
