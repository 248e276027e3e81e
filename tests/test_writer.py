"""The loop never waits for flash, and flash never loses what the loop was told is safe."""

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.capture.captured import Caught
from agent.codec import Record
from agent.errors import StorageError
from agent.ledger.ledger import Loss
from agent.outbox.outbox import BUDGET_BYTES_MIN, Outbox
from agent.outbox.store import STORE_NAME
from agent.outbox.writer import CONFIRM_WAIT_S, News, Writer
from tests.accounts import ledger, two_boots

PATIENCE_S = 10.0


class SlowDisk:
    """Holds each commit of an outbox until it is let go."""

    def __init__(self, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.reached = threading.Event()
        self.groups: list[int] = []
        append = outbox.append

        def held(records: list[Record], journal: bytes | None = None, changes: Caught = ()) -> list[Loss]:
            self.reached.set()
            assert self.free.wait(PATIENCE_S)
            self.groups.append(len(records))
            return append(records, journal, changes)

        monkeypatch.setattr(outbox, "append", held)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox.open(tmp_path / STORE_NAME, 64_000_000)
    yield opened
    opened.close()


@pytest.fixture
def writer(outbox: Outbox) -> Iterator[Writer]:
    made = Writer(outbox)
    yield made
    made.close()


def taken(writer: Writer, is_enough: Callable[[News], Any]) -> News:
    """The news, gathered until there is enough of it; waits on the wake descriptor as the loop does."""
    gathered = News()
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_enough(gathered):
        assert select.select([writer], [], [], deadline_s - time.monotonic())[0], "no news"
        news = writer.take()
        gathered.synced += news.synced
        gathered.fetched += news.fetched
        gathered.losses += news.losses
    return gathered


def until_settled(writer: Writer) -> None:
    """Wait until the depth counts all that was put."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not writer.is_settled:
        assert time.monotonic() < deadline_s, "never settled"


def test_what_was_confirmed_just_before_is_opened_again_too(writer: Writer, outbox: Outbox) -> None:
    writer.put(two_boots())
    taken(writer, lambda news: len(news.synced) == 18)
    writer.confirm([1, 2])
    writer.reopen([(1, 2)])
    assert select.select([writer], [], [], PATIENCE_S)[0]
    assert writer.take().is_reopened
    writer.close()
    assert outbox.depth()["event"] + outbox.depth()["trip"] == 12


def test_what_is_told_as_synced_is_in_the_store(writer: Writer, outbox: Outbox) -> None:
    assert writer.put(two_boots()[:8])
    assert writer.put(two_boots()[8:])
    news = taken(writer, lambda news: len(news.synced) == 18)
    assert news.synced == [(record.seq, record.lane) for record in two_boots()]
    writer.fetch("trip", -1, 3)
    rows = taken(writer, lambda news: news.fetched).fetched
    assert rows == [(("trip", -1, 3), [(seq, two_boots()[seq].raw) for seq in (2, 7, 11)])]
    assert writer.depth["trip"] == 4
    assert writer.used_bytes > 0


def test_a_slow_disk_never_holds_up_the_loop_and_makes_larger_groups(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(outbox, monkeypatch)
    writer = Writer(outbox)
    began_s = time.monotonic()
    for record in two_boots():
        assert writer.put([record])
        disk.reached.wait(PATIENCE_S)
    assert not writer.take()
    assert time.monotonic() - began_s < 1
    assert not writer.is_settled
    disk.free.set()
    taken(writer, lambda news: len(news.synced) == 18)
    until_settled(writer)
    assert sum(writer.depth.values()) == 18
    assert disk.groups == [1, 17]
    assert writer.close()


def test_when_too_much_waits_it_says_so_and_takes_nothing(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(outbox, monkeypatch)
    writer = Writer(outbox, queue_bytes=100)
    assert writer.put(two_boots()[:3])
    assert not writer.put(two_boots()[3:])
    disk.free.set()
    taken(writer, lambda news: len(news.synced) == 3)
    assert writer.put(two_boots()[3:])
    taken(writer, lambda news: len(news.synced) == 15)
    assert outbox.tail().next_seq == 18
    assert writer.close()


def test_what_belongs_together_is_never_parted_and_a_group_stays_small(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(outbox, monkeypatch)
    writer, book = Writer(outbox), ledger()
    for _ in range(6):
        assert writer.put([record for _ in range(2) for record in book.number("event", 0, {"data": bytes(60_000)})])
    disk.free.set()
    taken(writer, lambda news: len(news.synced) == 12)
    assert set(disk.groups) <= {2, 4}
    assert writer.close()


def test_the_journal_goes_with_the_records(writer: Writer, outbox: Outbox) -> None:
    writer.put(two_boots(), b"first")
    writer.put([], b"second")
    assert writer.close()
    again = Outbox.open(outbox.path, 64_000_000)
    assert again.recovered() == b"second"
    again.close()


def test_confirmations_wait_for_company_but_not_for_long(writer: Writer) -> None:
    writer.put(two_boots())
    taken(writer, lambda news: len(news.synced) == 18)
    began_s = time.monotonic()
    writer.confirm([2])
    writer.confirm([0, 4])
    while sum(writer.depth.values()) != 15:
        assert time.monotonic() - began_s < PATIENCE_S
        threading.Event().wait(0.01)
    assert time.monotonic() - began_s >= CONFIRM_WAIT_S * 0.9


def test_confirmations_are_not_lost_when_it_closes(writer: Writer, outbox: Outbox) -> None:
    writer.put(two_boots())
    writer.confirm(range(17))
    assert writer.close()
    again = Outbox.open(outbox.path, 64_000_000)
    assert sum(again.depth().values()) == 1
    again.close()


def test_what_was_dropped_is_told_so_that_a_gap_can_be_numbered(tmp_path: Path) -> None:
    writer = Writer(Outbox.open(tmp_path / STORE_NAME, BUDGET_BYTES_MIN))
    book = ledger()
    writer.put(book.start(0, {}))
    for _ in range(400):
        assert writer.put(book.number("samples", 0, {"data": os.urandom(2000)}))
    losses = taken(writer, lambda news: news.losses).losses
    writer.put(book.gaps(0, losses))
    assert writer.close()


def test_losses_of_an_earlier_run_are_the_first_news(tmp_path: Path) -> None:
    path = tmp_path / STORE_NAME
    outbox = Outbox.open(path, BUDGET_BYTES_MIN)
    book = ledger()
    losses: list[Loss] = []
    while not losses:
        losses = outbox.append(book.number("samples", 0, {"data": os.urandom(2000)}))
    outbox.close()
    writer = Writer(Outbox.open(path, BUDGET_BYTES_MIN))
    assert taken(writer, lambda news: news.losses).losses == losses
    writer.close()


def test_a_disk_that_fails_is_the_loops_to_know(outbox: Outbox) -> None:
    outbox._connection.execute("PRAGMA max_page_count = 1")
    writer = Writer(outbox)
    assert writer.put(ledger().number("health", 0, {"data": bytes(50_000)}))
    assert select.select([writer], [], [], PATIENCE_S)[0]
    with pytest.raises(StorageError, match="the disk is full"):
        taken(writer, lambda news: False)
    with pytest.raises(StorageError, match="the disk is full"):
        writer.put([])
    assert isinstance(writer.failure, StorageError)
    assert not writer.close()


def test_what_was_synced_before_a_failure_is_still_told(outbox: Outbox) -> None:
    writer = Writer(outbox)
    writer.put(two_boots()[:8])
    taken_before = taken(writer, lambda news: len(news.synced) == 8)
    assert taken_before.synced[-1] == (7, "trip")
    writer.put(two_boots()[9:])
    with pytest.raises(AssertionError, match="seq 9 does not follow 7"):
        taken(writer, lambda news: False)
    writer.close()


def test_closing_has_a_bound(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(outbox, monkeypatch)
    writer = Writer(outbox)
    writer.put(two_boots())
    assert disk.reached.wait(PATIENCE_S)
    assert not writer.close(timeout_s=0.05)
    disk.free.set()
    assert writer.close()
    assert writer.close()


def test_what_is_written_to_flash_is_counted(writer: Writer) -> None:
    """Pages of the log, then of the database: more than was put, and not many times as much."""
    for number in range(40):
        assert writer.put([], bytes([number]) * 20_000)
        until_settled(writer)
    assert 40 * 20_000 < writer.written_bytes < 3 * 40 * 20_000
