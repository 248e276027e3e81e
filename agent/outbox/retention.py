"""How long delivered records of trips stay readable on this terminal (privacy.keep_days); then only their hashes stay.

What is not delivered yet stays, whatever its age. Numbers, not clocks, say what came first: the newest record that is
surely too old, by clock records somebody vouches for, and all before it are too old. So a boot that nobody dated goes
with the next one that somebody did.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from agent.codec import CodecError, decode, kind_number
from agent.outbox.budget import strip
from agent.outbox.store import KEPT
from agent.world.clock import DRIFT_SHARE

DAY_US = 86_400_000_000
ROWS = 512
"""At most so many give their bytes back at once; the others later."""

OF_TRIPS = ("trip_start", "samples", "event", "evidence", "trip_end", "dtc", "command")
"""What gives its bytes back; keys, clocks, seals and gaps prove the rest."""

_CLOCKS = "SELECT raw FROM records WHERE kind=? AND raw IS NOT NULL ORDER BY seq"
_NEWEST = "SELECT max(seq) FROM records WHERE boot=? AND t_us<=?"
_OLD = """SELECT seq FROM records WHERE seq<=? AND state=? AND raw IS NOT NULL
    AND kind IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?"""


def cutoffs(clocks: Iterable[Mapping[str, Any]], before_utc_us: int) -> dict[int, int]:
    """For each boot that is dated: the time of that boot up to which a record is surely older than this. Pure.

    `clocks` are bodies of clock records. The surest of several tells most: the latest time counts.
    """
    found: dict[int, int] = {}
    for body in clocks:
        numbers = [body.get(name) for name in ("boot", "boot_us", "utc_us", "u_us")]
        if not all(type(one) is int for one in numbers):
            continue  # nobody vouches for it
        boot, boot_us, utc_us, u_us = body["boot"], body["boot_us"], body["utc_us"], body["u_us"]
        at_us = boot_us + before_utc_us - utc_us
        sure_us = at_us - u_us - abs(at_us - boot_us) // DRIFT_SHARE
        found[boot] = max(sure_us, found.get(boot, sure_us))
    return found


def give_back(connection: sqlite3.Connection, before_utc_us: int) -> int:
    """Within a transaction: delivered records of trips that are older give their bytes back, some of them; how many."""
    told = cutoffs(_clocks(connection), before_utc_us)
    newest = [connection.execute(_NEWEST, (boot, at_us)).fetchone()[0] for boot, at_us in told.items()]
    upto = max((seq for seq in newest if seq is not None), default=-1)
    kinds = json.dumps([kind_number(kind) for kind in OF_TRIPS])
    old = [seq for (seq,) in connection.execute(_OLD, (upto, KEPT, kinds, ROWS))]
    strip(connection, old, KEPT)
    return len(old)


def _clocks(connection: sqlite3.Connection) -> Iterable[Mapping[str, Any]]:
    """Bodies of the clock records that are here."""
    for (raw,) in connection.execute(_CLOCKS, (kind_number("clock"),)).fetchall():
        try:
            yield decode(raw).body
        except CodecError:
            continue
