"""What the agent is in the middle of, on flash: one row in a page of its own.

It is put every few seconds of driving, more often than all else together, and each page of the database that a
transaction changes is written whole. In a table with others it cost four pages, here it costs one.
"""

import sqlite3
from pathlib import Path

from agent.outbox.store import guarded

_TABLE = "CREATE TABLE IF NOT EXISTS journal (one INTEGER PRIMARY KEY, content BLOB NOT NULL)"
_MOVE = "INSERT OR REPLACE INTO journal SELECT 1, content FROM account WHERE name='journal'"


def make_table(connection: sqlite3.Connection) -> None:
    """In a store that has none yet; the journal of one made before this table moves to it."""
    connection.execute(_TABLE)
    if connection.execute(_MOVE).rowcount:
        connection.execute("DELETE FROM account WHERE name='journal'")


def put(connection: sqlite3.Connection, content: bytes) -> None:
    """Within a transaction: in place of the one before; b"": there is none."""
    connection.execute("INSERT OR REPLACE INTO journal VALUES (1, ?)", (content,))


def stored(connection: sqlite3.Connection, path: Path) -> bytes | None:
    """As it was last put; None when there is none."""
    with guarded(path):
        row = connection.execute("SELECT content FROM journal").fetchone()
    return row[0] if row and row[0] else None
