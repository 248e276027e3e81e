"""Keeping the store within its bytes: what is forgotten when, what goes first, what is remembered of it."""

import json
import sqlite3
from collections.abc import Iterable, Sequence

from agent.codec import LANES, kind_name, kind_number, lane_of
from agent.errors import StorageError
from agent.ledger.ledger import BUDGET, Loss
from agent.outbox.store import DROPPED, KEPT, PENDING

EVICTION = (
    ("samples",),
    ("health", "command"),
    ("dtc", "calibration", "config", "install", "binding", "boot", "clock"),
    ("event", "trip_start", "trip_end"),
    ("seal",),
    ("evidence",),
)
"""What is dropped first when the budget is used up, oldest first in each group; the rest, `key` and `gap`, never is."""

HISTORY_RECORDS = 20_000
HISTORY_KINDS = (
    "boot", "clock", "trip_start", "samples", "event", "command", "trip_end", "dtc", "key", "gap", "seal", "install",
    "binding",
)  # fmt: skip
"""What keeps its bytes when it is confirmed, until it is HISTORY_RECORDS numbers old or its room is needed."""

SLACK = 32
ROWS = 32

_KEY, _SEAL, _GAP = kind_number("key"), kind_number("seal"), kind_number("gap")
_PROVING = json.dumps([_KEY, _SEAL, _GAP])
"""What keeps its bytes as long as it is here: without them what is here could not be proven."""

_VOUCHING = (_SEAL, _GAP, kind_number("evidence"))
"""The seal right after a gap or evidence is not dropped: without it nobody would vouch for them."""

_HISTORY = frozenset(kind_number(kind) for kind in HISTORY_KINDS)

_DELETE_OLDEST = """DELETE FROM records WHERE seq IN
    (SELECT seq FROM records WHERE seq<? AND kind!=? ORDER BY seq LIMIT ?)"""
_OLDEST_KEPT = """SELECT seq FROM records WHERE state=? AND raw IS NOT NULL
    AND kind NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?"""
_OLDEST = """SELECT seq, kind, hash FROM records WHERE state=? AND lane IN (SELECT value FROM json_each(?))
    AND kind IN (SELECT value FROM json_each(?)) AND NOT (kind=? AND EXISTS
        (SELECT 1 FROM records AS before WHERE before.seq=records.seq-1 AND before.kind IN (?,?)))
    ORDER BY seq LIMIT ?"""
_ISLANDS = """SELECT min(seq), max(seq) FROM
    (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS run FROM records WHERE state=? AND seq>?) GROUP BY run"""
_WAITING = "SELECT seq, lane, kind FROM records WHERE state=? AND seq IN (SELECT value FROM json_each(?))"
_KEEP = "UPDATE records SET state=? WHERE seq IN (SELECT value FROM json_each(?))"
_FORGET = "DELETE FROM records WHERE kind!=? AND seq < (SELECT max(seq) FROM records WHERE kind=? AND seq<=?)"
_BARE = """SELECT seq, kind, lane, ?, boot, t_us, hash, NULL FROM records
    WHERE seq IN (SELECT value FROM json_each(?))"""

Stub = tuple[int, int, bytes]
"""What is left of a dropped record: its number, its kind's number, its hash."""


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the database in use: what is held against the budget. Its log adds at most about 2 MiB."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)


def floor_seq(connection: sqlite3.Connection, next_seq: int) -> int:
    """The lowest number that is not KEPT; `next_seq` when all are."""
    query = "SELECT min(seq) FROM records WHERE state=? AND lane=?"
    places = [(state, lane) for state in (PENDING, DROPPED) for lane in range(len(LANES))]
    found = [connection.execute(query, place).fetchone()[0] for place in places]
    return min((seq for seq in found if seq is not None), default=next_seq)


def islands(connection: sqlite3.Connection, upto: int) -> list[tuple[int, int]]:
    """What is KEPT above this number, as spans."""
    return connection.execute(_ISLANDS, (KEPT, upto)).fetchall()


def make_room(connection: sqlite3.Connection, budget_bytes: int, need_bytes: int, next_seq: int) -> list[Loss]:
    """Within a transaction: room for this much. History goes first, then what EVICTION says; returns what was dropped.

    StorageError when what is left may not be dropped.
    """

    def has_room(bytes_: int) -> bool:
        return used_bytes(connection) + bytes_ <= budget_bytes

    if has_room(need_bytes):
        return []
    ample_bytes = need_bytes + budget_bytes // SLACK
    floor = floor_seq(connection, next_seq)
    while not has_room(ample_bytes) and _prune(connection, floor):
        pass
    dropped: list[Stub] = []
    while not has_room(ample_bytes) and (rows := _drop(connection)):
        dropped += rows
    if not has_room(need_bytes):
        raise StorageError(
            f"the store's {budget_bytes} bytes are full of what may not be dropped; raise store.budget_mb"
        )
    return runs(sorted(dropped))


def runs(stubs: Iterable[Stub], reason: str = BUDGET) -> list[Loss]:
    """Stubs in order, as losses of records in a row and of one kind."""
    found: list[tuple[int, int, list[bytes]]] = []
    for seq, kind, digest in stubs:
        if found and found[-1][1] == kind and found[-1][0] + len(found[-1][2]) == seq:
            found[-1][2].append(digest)
        else:
            found.append((seq, kind, [digest]))
    return [Loss(first, first + len(all_) - 1, kind_name(kind), reason, tuple(all_)) for first, kind, all_ in found]


def settle(connection: sqlite3.Connection, seqs: Sequence[int], next_seq: int) -> list[str]:
    """Within a transaction: these rows are confirmed, history that is too old goes; the lane of each that was pending.

    What is forgotten ends at a seal, so that what is left can be proven from its first seal on.
    """
    waiting = connection.execute(_WAITING, (PENDING, json.dumps(seqs))).fetchall()
    strip(connection, [seq for seq, _, kind in waiting if kind not in _HISTORY], KEPT)
    connection.execute(_KEEP, (KEPT, json.dumps(seqs)))
    old = min(next_seq - HISTORY_RECORDS, floor_seq(connection, next_seq))
    connection.execute(_FORGET, (_KEY, _SEAL, old))
    return [LANES[lane] for _, lane, _ in waiting]


def strip(connection: sqlite3.Connection, seqs: Iterable[int], state: int) -> None:
    """Leave only stubs of these rows, in this state. Deleted and put back: an update would free no page of the file."""
    rows = connection.execute(_BARE, (state, json.dumps(list(seqs)))).fetchall()
    connection.executemany("DELETE FROM records WHERE seq=?", [row[:1] for row in rows])
    connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?,?)", rows)


def _prune(connection: sqlite3.Connection, floor: int) -> bool:
    """Some of the oldest history goes, or at least its bytes; whether there was any."""
    if connection.execute(_DELETE_OLDEST, (floor, _KEY, ROWS)).rowcount:
        return True
    seqs = [seq for (seq,) in connection.execute(_OLDEST_KEPT, (KEPT, _PROVING, ROWS))]
    strip(connection, seqs, KEPT)
    return bool(seqs)


def _drop(connection: sqlite3.Connection) -> list[Stub]:
    """The next few rows to give up, now stubs; empty when only the protected are left."""
    for group in EVICTION:
        lanes = json.dumps(sorted({LANES.index(lane_of(kind)) for kind in group}))
        kinds = json.dumps([kind_number(kind) for kind in group])
        if rows := connection.execute(_OLDEST, (PENDING, lanes, kinds, *_VOUCHING, ROWS)).fetchall():
            strip(connection, (seq for seq, _, _ in rows), DROPPED)
            return rows
    return []
