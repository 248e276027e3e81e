"""The journal's place on flash."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.outbox.outbox import Outbox
from agent.outbox.store import PAGE_BYTES, STORE_NAME

FRAME_BYTES = PAGE_BYTES + 24
"""What a page takes in SQLite's log."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / STORE_NAME


@pytest.fixture
def outbox(store: Path) -> Iterator[Outbox]:
    opened = Outbox.open(store, 64_000_000, "first boot")
    yield opened
    opened.close()


def log_bytes(store: Path) -> int:
    return store.with_name(store.name + "-wal").stat().st_size


@pytest.mark.parametrize(("size", "pages"), [(700, 1), (4000, 1), (4100, 4)], ids=["small", "a page", "more"])
def test_putting_it_anew_writes_the_pages_it_stands_on_and_no_other(
    outbox: Outbox, store: Path, size: int, pages: int
) -> None:
    outbox.append([], bytes(size))
    before = log_bytes(store)
    for number in range(10):
        outbox.append([], bytes([number]) * (size - number))
    assert log_bytes(store) - before <= 10 * pages * FRAME_BYTES


def test_one_of_a_store_made_before_it_had_its_place_is_found(store: Path) -> None:
    Outbox.open(store, 64_000_000, "first boot").close()
    with closing(sqlite3.connect(store)) as old:
        old.executescript("DROP TABLE journal; INSERT INTO account VALUES ('journal', CAST('of a trip' AS BLOB));")
    for _ in range(2):
        again = Outbox.open(store, 64_000_000, "first boot")
        assert again.recovered() == b"of a trip"
        again.append([], b"of a trip")
        again.close()
    with closing(sqlite3.connect(store)) as new:
        assert new.execute("SELECT count(*) FROM account WHERE name='journal'").fetchone() == (0,)
