"""What a platform reads out of PostgreSQL: devices, trips, events, the way of a trip, records. Read-only."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from agent.codec import CodecError, decode
from agent.columns import decode_columns
from agent.outbox.recordfile import frame

Row = dict[str, Any]

_DEVICES = """
SELECT (SELECT min(terminal) FROM terminals t WHERE t.device = d.device) AS terminal, encode(d.device, 'hex') AS device,
    d.first_seen, d.last_seen, upper(d.settled) AS numbers,
    d.settled = int8multirange(int8range(0, upper(d.settled))) AS is_whole,
    (SELECT count(*) FROM trips WHERE trips.device = d.device AND end_us IS NOT NULL) AS trips,
    (SELECT coalesce(sum(distance_m), 0) / 1000 FROM trips WHERE trips.device = d.device) AS distance_km,
    (SELECT count(*) FROM events WHERE events.device = d.device) AS events,
    (SELECT count(*) FROM gaps WHERE gaps.device = d.device) AS gaps
FROM devices d WHERE %(device)s::bytea IS NULL OR d.device = %(device)s ORDER BY terminal
"""
_TRIPS = """
SELECT encode(device, 'hex') AS device, trip, utc_of(device, boot, start_us) AS start_utc,
    utc_of(device, boot, end_us) AS end_utc, ((end_us::numeric - start_us) / 1e6)::float8 AS lasts_s, distance_m, score,
    end_reason, summary
FROM trips WHERE end_us IS NOT NULL AND (%(device)s::bytea IS NULL OR device = %(device)s)
    AND (%(trip)s::int8 IS NULL OR trip = %(trip)s) ORDER BY device, trip
"""
_EVENTS = """
SELECT encode(device, 'hex') AS device, seq, kind, trip, utc_of(device, boot, start_us) AS start_utc,
    ((end_us::numeric - start_us) / 1e6)::float8 AS lasts_s, severity, lat_deg, lon_deg, body,
    (SELECT count(*) FROM evidence e WHERE e.device = events.device AND e.event = events.seq) AS evidence
FROM events WHERE (%(device)s::bytea IS NULL OR device = %(device)s)
    AND (%(trip)s::int8 IS NULL OR trip = %(trip)s) ORDER BY device, seq
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which part of the fleet: None is all of it."""

    device: bytes | None = None
    trip: int | None = None


ALL = Chosen()


class Library:
    """One connection that can only read. psycopg.Error comes through."""

    def __init__(self, address: str) -> None:
        """`address` as libpq takes it."""
        self._connection = psycopg.connect(address, autocommit=True, row_factory=dict_row)
        self._connection.read_only = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def devices(self, chosen: Chosen = ALL) -> list[Row]:
        """Each with its figures, by name."""
        return self._rows(_DEVICES, chosen)

    def trips(self, chosen: Chosen = ALL) -> list[Row]:
        """Those that have ended; `summary` is what a trip is priced on."""
        return self._rows(_TRIPS, chosen)

    def events(self, chosen: Chosen = ALL) -> list[Row]:
        """What the rules found; `evidence`: how many parts of evidence there are."""
        return self._rows(_EVENTS, chosen)

    def gaps(self, device: bytes) -> list[Row]:
        """Numbers that will never come, and why."""
        return self._rows(
            "SELECT first, last, kind, reason FROM gaps WHERE device = %(device)s ORDER BY first", Chosen(device)
        )

    def device_of(self, terminal: str) -> bytes | None:
        """The device behind this name."""
        query = "SELECT device FROM terminals WHERE terminal = %s"
        row = self._connection.execute(query, (terminal,)).fetchone()
        return row["device"] if row else None

    def way(self, device: bytes, trip: int) -> Iterator[Row]:
        """The samples of a trip, a row a second: time_utc (None: nobody knows), and each signal that was told."""
        query = "SELECT boot, raw FROM samples WHERE device = %s AND trip = %s ORDER BY seq"
        for chunk in self._connection.execute(query, (device, trip)).fetchall():
            try:
                body = decode(chunk["raw"]).body
                columns = decode_columns(body)
            except (CodecError, KeyError):
                continue
            begin = self._utc(device, int(body.get("boot", chunk["boot"])), columns.start_us)
            for number, cells in enumerate(zip(*columns.columns.values(), strict=True)):
                time_utc = begin and begin + timedelta(microseconds=number * columns.step_us)
                yield {"time_utc": time_utc, **dict(zip(columns.columns, cells, strict=True))}

    def records(self, device: bytes, trip: int | None = None) -> Iterator[bytes]:
        """Frames as `tbox verify` and `tbox report` read them: all of a device, or all that a trip's report needs."""
        query = "SELECT raw FROM records WHERE device = %s ORDER BY seq"
        values: tuple[object, ...] = (device,)
        if trip is not None:
            query = (
                "SELECT raw FROM records r WHERE device = %s AND (about = %s OR seq = %s"
                " OR kind IN ('clock', 'calibration') OR (kind = 'evidence' AND about IN"
                " (SELECT seq FROM events e WHERE e.device = r.device AND e.trip = %s))) ORDER BY seq"
            )
            values = (device, trip, trip, trip)
        with self._connection.transaction(), self._connection.cursor("records") as cursor:
            for row in cursor.execute(query, values):
                yield frame(row["raw"])

    def _utc(self, device: bytes, boot: int, at_us: int) -> datetime | None:
        row = self._connection.execute("SELECT utc_of(%s, %s, %s) AS utc", (device, boot, at_us)).fetchone()
        return row["utc"] if row else None

    def _rows(self, query: str, chosen: Chosen) -> list[Row]:
        values = {"device": chosen.device, "trip": chosen.trip}
        return self._connection.execute(query, values).fetchall()
