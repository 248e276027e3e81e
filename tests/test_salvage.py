"""What is saved of a damaged store: every whole record, and nothing that is not one."""

import random
import shutil
from pathlib import Path

import pytest

from agent.codec import Record
from agent.ledger.ledger import DAMAGED
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.salvage import PAGE_BYTES, records_in
from agent.outbox.store import STORE_NAME
from agent.proof.proof import check
from tests.accounts import drive, framed, ledger, two_boots

LARGE = 64_000_000


def long_account() -> list[Record]:
    """Forty drives, and records from nothing to several pages long."""
    book = ledger()
    records = book.start(0, {})
    for number in range(40):
        records += drive(book, number * 1_000_000_000)
        part = {"event": 1, "part": 0, "parts": 1, "data": random.Random(number).randbytes(number * 1500)}
        records += book.number("evidence", number * 1_000_000_000, part)
    return records


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """The files of a store that was not closed: half of the account in the database, the newest in its log only."""
    folder, records = tmp_path_factory.mktemp("crashed"), long_account()
    outbox = Outbox.open(folder / "open" / STORE_NAME, LARGE, "a")
    for at in range(0, len(records), 20):
        outbox.append(records[at : at + 20], bytes(10_000))
    shutil.copytree(folder / "open", folder / "left")
    outbox.close()
    assert (folder / "left" / f"{STORE_NAME}-wal").stat().st_size > 100_000
    return folder / "left", records


def copied(crashed: tuple[Path, list[Record]], folder: Path) -> Path:
    shutil.copytree(crashed[0], folder / "state")
    return folder / "state" / STORE_NAME


def raws(records: dict[int, Record]) -> dict[int, bytes]:
    return {seq: record.raw for seq, record in records.items()}


def test_of_a_whole_store_everything_is_found_in_database_and_log(crashed: tuple[Path, list[Record]]) -> None:
    folder, records = crashed
    assert raws(records_in(folder / STORE_NAME)) == {record.seq: record.raw for record in records}


def test_a_destroyed_page_costs_what_was_in_it(crashed: tuple[Path, list[Record]], tmp_path: Path) -> None:
    store, records = copied(crashed, tmp_path), {one.seq: one.raw for one in crashed[1]}
    whole = bytearray(store.read_bytes())
    store.with_name(f"{STORE_NAME}-wal").unlink()
    there = raws(records_in(store))
    costs = []
    for at in range(0, len(whole), 7 * PAGE_BYTES):
        store.write_bytes(whole[:at] + bytes(PAGE_BYTES) + whole[at + PAGE_BYTES :])
        left = raws(records_in(store))
        assert left.items() <= records.items()
        costs.append(len(there) - len(left))
    assert 0 <= max(costs) < 25
    assert sum(costs) > 10


@pytest.mark.parametrize("seed", range(8))
def test_however_it_is_spoilt_nothing_is_found_that_was_never_written(
    crashed: tuple[Path, list[Record]], tmp_path: Path, seed: int
) -> None:
    store, records = copied(crashed, tmp_path), {one.seq: one.raw for one in crashed[1]}
    luck = random.Random(seed)
    for path in (store, store.with_name(f"{STORE_NAME}-wal")):
        content = bytearray(path.read_bytes())
        for _ in range(luck.choice([1, 30, 1000, 30_000])):
            content[luck.randrange(len(content))] = luck.randrange(256)
        path.write_bytes(content[: luck.randrange(len(content))] if seed % 2 else content)
    assert raws(records_in(store)).items() <= records.items()


@pytest.mark.parametrize("content", [b"", b"x", bytes(PAGE_BYTES), b"\x0d" * 3 * PAGE_BYTES], ids=len)
def test_of_rubbish_nothing_is_found(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STORE_NAME).write_bytes(content)
    (tmp_path / f"{STORE_NAME}-wal").write_bytes(content)
    assert records_in(tmp_path / STORE_NAME) == {}


def test_a_damaged_store_gives_its_records_to_the_next_and_the_account_says_what_is_gone(
    crashed: tuple[Path, list[Record]], tmp_path: Path
) -> None:
    store, records = copied(crashed, tmp_path), crashed[1]
    content = bytearray(store.read_bytes())
    for at in (1, 6, 9):
        content[at * PAGE_BYTES : (at + 1) * PAGE_BYTES] = random.Random(at).randbytes(PAGE_BYTES)
    content[:16] = bytes(16)
    store.write_bytes(content)
    again = Outbox.open(store, LARGE, "b")
    lanes = [again.pending(lane, -1, 10_000) for lane in ("evidence", "event", "trip", "health", "samples")]
    saved = dict(row for lane in lanes for row in lane)
    assert 0.8 * len(records) < len(saved) < len(records)
    assert saved.items() <= {one.seq: one.raw for one in records}.items()
    assert f"{len(saved)} records were saved" in again.reports[1]
    book = ledger(again.boot, again.tail())
    losses = again.losses()
    assert {loss.reason for loss in losses} == {DAMAGED}
    fresh = book.start(0, {}) + book.gaps(0, losses) + drive(book, 5)
    again.append(fresh)
    again.close()
    arrived = [one for one in records if one.seq in saved] + fresh
    (tmp_path / "arrived").write_bytes(framed(arrived))
    report = check([read_pile(tmp_path / "arrived")])
    assert report.problems == []
    missing = {one.seq for one in records} - saved.keys()
    told = {seq for entry in report.dropped for seq in range(entry["first"], entry["last"] + 1)}
    assert missing <= told
    assert told.isdisjoint(saved)


def test_a_log_that_somebody_deleted_is_noticed_and_no_number_is_used_twice(
    crashed: tuple[Path, list[Record]], tmp_path: Path
) -> None:
    store, records = copied(crashed, tmp_path), crashed[1]
    store.with_name(f"{STORE_NAME}-wal").unlink()
    again = Outbox.open(store, LARGE, "b")
    assert "its log outbox.db-wal is gone, and the newest records with it; set aside as" in again.reports[0]
    assert again.tail().next_seq > records[-1].seq
    assert again.losses()[-1].last == again.tail().next_seq - 1
    again.close()
    assert Outbox.open(store, LARGE, "b").reports == []


def test_a_store_that_was_closed_needs_no_log(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path / STORE_NAME, LARGE, "a")
    outbox.append(two_boots())
    outbox.close()
    assert not (tmp_path / f"{STORE_NAME}-wal").exists()
    again = Outbox.open(tmp_path / STORE_NAME, LARGE, "b")
    assert again.reports == []
    assert again.tail().next_seq == len(two_boots())
