"""What is caught of a crash that may be one, on flash: rows without a number, which a power cut leaves."""

import sqlite3
from collections.abc import Sequence

from agent.capture.capture import Changes, Row

Caught = Sequence[Changes]
"""What changes of the rows, one after the other."""

_TABLE = "CREATE TABLE IF NOT EXISTS captured (key INTEGER PRIMARY KEY, content BLOB NOT NULL)"


def make_table(connection: sqlite3.Connection) -> None:
    """In a store that has none yet."""
    connection.execute(_TABLE)


def change(connection: sqlite3.Connection, changes: Caught) -> None:
    """Within a transaction: these, one after the other."""
    for one in changes:
        if one.is_cleared:
            connection.execute("DELETE FROM captured")
        connection.executemany("INSERT OR REPLACE INTO captured VALUES (?,?)", one.rows)
        connection.executemany("DELETE FROM captured WHERE key=?", [(key,) for key in one.gone])


def rows(connection: sqlite3.Connection) -> list[Row]:
    """All there is, by key."""
    return connection.execute("SELECT key, content FROM captured ORDER BY key").fetchall()


def size(changes: Caught) -> int:
    """Bytes that these put."""
    return sum(len(content) for one in changes for _, content in one.rows)
