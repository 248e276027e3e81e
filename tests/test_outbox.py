"""What was kept is there after anything; what was not kept left no trace."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.codec import LANES, Record, decode
from agent.errors import StorageError
from agent.ledger.ledger import BUDGET, DAMAGED, ERASED, GONE, Ledger, Loss, losses_of
from agent.ledger.receipt import Ranges
from agent.outbox.outbox import BUDGET_BYTES_MIN, RESERVE_STEP, Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.recovery import check_log
from agent.outbox.store import STORE_NAME, DamagedError, read_reserve, set_aside, write_reserve
from agent.proof.proof import check
from agent.settings import Uplink
from agent.uplink.opening import open_uplink
from tests.accounts import KEY, drive, framed, ledger, two_boots

LARGE = 64_000_000


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / STORE_NAME


@pytest.fixture
def outbox(store: Path) -> Iterator[Outbox]:
    opened = Outbox.open(store, LARGE, "first boot")
    yield opened
    opened.close()


def started(outbox: Outbox) -> Ledger:
    """A ledger that goes on with the outbox, its first records kept."""
    book = ledger(outbox.boot, outbox.tail())
    outbox.append(book.start(0, {}))
    return book


def everything(outbox: Outbox) -> list[tuple[int, bytes]]:
    return sorted(row for lane in LANES for row in outbox.pending(lane, -1, 100_000))


def test_records_come_back_byte_for_byte_lane_by_lane_in_order(outbox: Outbox) -> None:
    outbox.append(two_boots())
    assert everything(outbox) == [(record.seq, record.raw) for record in two_boots()]
    assert [seq for seq, _ in outbox.pending("samples", -1, 9)] == [3, 6, 12, 15]
    assert [seq for seq, _ in outbox.pending("samples", 3, 2)] == [6, 12]
    assert outbox.depth() == {"evidence": 0, "event": 8, "trip": 4, "health": 2, "samples": 4}


def test_the_account_goes_on_after_a_restart(store: Path) -> None:
    first = Outbox.open(store, LARGE, "first boot")
    first.append(two_boots(), b"in the middle of a trip")
    first.close()
    second = Outbox.open(store, LARGE, "second boot")
    assert second.tail() == first.tail()
    assert second.recovered() == b"in the middle of a trip"
    assert second.depth() == first.depth()
    assert second.reports == []
    second.close()


def test_boots_of_the_machine_are_counted_and_restarts_within_one_are_not(store: Path) -> None:
    seen = []
    for machine in ("a", "a", "b", "a", "", ""):
        opened = Outbox.open(store, LARGE, machine)
        seen.append((opened.boot, opened.is_same_boot))
        opened.close()
    assert seen == [(1, False), (1, True), (2, False), (3, False), (4, False), (5, False)]


def test_the_journal_is_replaced_and_cleared(outbox: Outbox) -> None:
    assert outbox.recovered() is None
    outbox.append([], b"one")
    outbox.append([], b"two")
    assert outbox.recovered() == b"two"
    outbox.append(two_boots())
    assert outbox.recovered() == b"two"
    outbox.append([], b"")
    assert outbox.recovered() is None


def test_a_record_that_does_not_follow_is_our_fault_and_changes_nothing(outbox: Outbox) -> None:
    outbox.append(two_boots()[:5])
    with pytest.raises(AssertionError, match="seq 6 does not follow 4"):
        outbox.append(two_boots()[6:])
    with pytest.raises(AssertionError, match="not chained"):
        outbox.append(_unchained(outbox))
    assert outbox.tail().next_seq == 5


def _unchained(outbox: Outbox) -> list[Record]:
    """A record with the right number on the wrong chain."""
    other = ledger()
    for _ in range(outbox.tail().next_seq):
        other.number("health", 0, {})
    return other.number("health", 0, {})


def test_what_is_confirmed_is_not_pending_and_the_chain_goes_on(outbox: Outbox) -> None:
    outbox.append(two_boots())
    outbox.confirm([3, 4, 3, 99, -5])
    assert [seq for seq, _ in everything(outbox)] == [seq for seq in range(18) if seq not in (3, 4)]
    assert outbox.depth() == {"evidence": 0, "event": 7, "trip": 4, "health": 2, "samples": 3}
    outbox.confirm_ranges([(0, 10**30), (-(10**30), 10**30)])
    assert everything(outbox) == []
    assert sum(outbox.depth().values()) == 0
    assert outbox.tail().next_seq == 18


def test_a_receipt_confirms_everything_up_to_it_and_its_islands(outbox: Outbox) -> None:
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 2), (5, 6), (9, 9)])
    assert [seq for seq, _ in everything(outbox)] == [3, 4, 7, 8, *range(10, 18)]


def test_confirmed_trips_stay_to_be_shown_but_health_gives_back_its_bytes(outbox: Outbox, store: Path) -> None:
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 17)])
    pile = read_pile(store)
    assert sorted(pile.stubs) == [5, 14]
    assert check([pile]).is_good


def test_old_history_goes_but_the_key_stays(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.outbox.budget.HISTORY_RECORDS", 10)
    outbox = Outbox.open(store, LARGE)
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 17)])
    pile = read_pile(store)
    assert [record.seq for record in pile.records] == [0, 8, 9, 10, 11, 12, 13, 15, 16, 17]
    assert pile.first == 8
    report = check([pile])
    assert report.is_good
    assert report.notes[0] == "begins with seq 8; what came before is not in it"
    outbox.close()


def test_history_stays_while_something_older_is_not_delivered(
    outbox: Outbox, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.outbox.budget.HISTORY_RECORDS", 1)
    outbox.append(two_boots())
    outbox.confirm([seq for seq in range(18) if seq != 4])
    assert [seq for seq, _ in everything(outbox)] == [4]
    assert check([read_pile(store)]).is_good
    assert read_pile(store).first == 0


def test_what_a_restored_platform_lost_is_delivered_again_and_what_is_not_here_is_said_once(store: Path) -> None:
    outbox = Outbox.open(store, LARGE, "a")
    records = two_boots()
    outbox.append(records)
    outbox.confirm_ranges([(0, 17)])
    assert (everything(outbox), outbox.delivered_upto) == ([], 17)
    gone = outbox.reopen([(2, 9), (12, 40)])
    stubs = [one for one in records if one.kind == "health"]
    assert [(loss.first, loss.kind, loss.hashes, loss.reason) for loss in gone] == [
        (one.seq, "health", (one.hash,), GONE) for one in stubs
    ]
    again = [one for one in records if one.seq in (*range(2, 10), *range(12, 18)) and one.kind != "health"]
    assert everything(outbox) == [(one.seq, one.raw) for one in again]
    assert sum(outbox.depth().values()) == len(again)
    assert outbox.delivered_upto == 1
    book = ledger(2, outbox.tail())
    outbox.append(book.gaps(0, gone))
    assert outbox.reopen([(2, 17)]) == []
    outbox.close()
    assert Outbox.open(store, LARGE, "b").reopen([(0, 17)]) == []
    arrived = sorted([*records[:2], *again, *records[10:12]], key=lambda one: one.seq)
    (store.parent / "arrived").write_bytes(framed([*arrived, *map(decode, _raws(store))]))
    report = check([read_pile(store.parent / "arrived")])
    assert report.problems == []
    assert {entry["reason"] for entry in report.dropped} == {GONE}


def _raws(store: Path) -> list[bytes]:
    with sqlite3.connect(store) as connection:
        return [raw for (raw,) in connection.execute("SELECT raw FROM records WHERE seq>17 ORDER BY seq")]


def test_each_commit_is_on_flash_before_it_returns(outbox: Outbox) -> None:
    assert outbox._one("PRAGMA journal_mode") == ("wal",)
    assert outbox._one("PRAGMA synchronous") == (2,)


def fill(outbox: Outbox, book: Ledger, count: int, rng: random.Random) -> int:
    """Drives with samples that do not compress, until `count` records; gaps are numbered as they come. Drops, counted."""
    dropped = 0
    while book.tail.next_seq < count:
        records = book.number("trip_start", 1, {})
        for _ in range(10):
            records += book.number("samples", 1, {"data": rng.randbytes(600)})
            records += book.number("health", 1, {"data": rng.randbytes(40)})
        records += book.number("event", 1, {"event": "idling"}) + book.number("trip_end", 1, {})
        losses = outbox.append(records)
        dropped += sum(loss.last - loss.first + 1 for loss in losses)
        while losses:
            losses = outbox.append(book.gaps(1, losses))
    return dropped


def test_over_budget_the_oldest_samples_go_first_and_every_loss_is_accounted_for(store: Path) -> None:
    outbox = Outbox.open(store, 1_000_000)
    book = started(outbox)
    dropped = fill(outbox, book, 4000, random.Random(1))
    assert outbox.used_bytes() <= 1_000_000
    assert store.stat().st_size <= 1_000_000 + 64 * 1024
    report = check([read_pile(store)])
    assert report.problems == []
    assert sum(entry["last"] - entry["first"] + 1 for entry in report.dropped) == dropped > 500
    assert {(entry["kind"], entry["reason"]) for entry in report.dropped} == {("samples", BUDGET)}
    kept = [seq for seq, _ in outbox.pending("samples", -1, 100_000)]
    assert min(kept) > max(entry["last"] for entry in report.dropped)
    assert outbox.depth()["samples"] == len(kept)
    assert outbox.losses() == []
    outbox.close()


def test_events_trip_ends_and_seals_outlast_samples_and_health(store: Path) -> None:
    outbox = Outbox.open(store, 650_000)
    book = started(outbox)
    fill(outbox, book, 4000, random.Random(2))
    pile = read_pile(store)
    kinds = {entry["kind"] for entry in check([pile]).dropped}
    assert kinds == {"samples", "health"}
    assert check([pile]).problems == []
    outbox.close()


def test_the_seal_of_a_gap_outlasts_other_seals_so_that_every_loss_is_vouched_for(store: Path) -> None:
    outbox = Outbox.open(store, BUDGET_BYTES_MIN)
    book = started(outbox)
    lost: list[Loss] = []
    while not any(loss.kind == "seal" for loss in lost):
        records = [] if lost else book.number("samples", 1, {"data": bytes(20_000)})
        for _ in range(10 if lost else 0):
            records += [*book.number("event", 1, {}), book.seal(1)]
        while records:
            losses = outbox.append(records)
            lost += losses
            records = book.gaps(1, losses)
    report = check([read_pile(store)])
    told = {(entry["first"], entry["last"], entry["kind"]) for entry in report.dropped}
    assert told == {(loss.first, loss.last, loss.kind) for loss in lost}
    assert report.problems == []
    outbox.close()


def test_a_loss_that_no_gap_covered_before_the_power_went_is_told_at_the_next_start(store: Path) -> None:
    outbox = Outbox.open(store, BUDGET_BYTES_MIN)
    book = started(outbox)
    losses: list[Loss] = []
    while not losses:
        losses = outbox.append(book.number("samples", 1, {"data": os.urandom(2000)}))
    outbox.close()
    again = Outbox.open(store, BUDGET_BYTES_MIN)
    assert again.losses() == losses
    again.append(ledger(again.boot, again.tail()).gaps(1, again.losses()))
    assert again.losses() == []
    again.close()


def test_a_dropped_record_that_a_receipt_covers_needs_no_gap(store: Path) -> None:
    outbox = Outbox.open(store, BUDGET_BYTES_MIN)
    book = started(outbox)
    losses: list[Loss] = []
    while not losses:
        losses = outbox.append(book.number("samples", 1, {"data": os.urandom(2000)}))
    outbox.confirm_ranges([(0, losses[0].last)])
    assert outbox.losses() == []
    outbox.close()


def test_confirmed_history_gives_way_before_anything_is_dropped(store: Path) -> None:
    outbox = Outbox.open(store, BUDGET_BYTES_MIN)
    book = started(outbox)
    for _ in range(700):
        assert outbox.append(book.number("event", 1, {"data": os.urandom(1000)})) == []
        outbox.confirm_ranges([(0, book.tail.next_seq - 20)])
    assert outbox.used_bytes() <= BUDGET_BYTES_MIN
    outbox.close()


def test_what_says_that_records_are_gone_keeps_its_bytes_however_little_room_there_is(store: Path) -> None:
    outbox = Outbox.open(store, BUDGET_BYTES_MIN)
    book = started(outbox)
    outbox.append(book.number("trip_start", 1, {}))  # never delivered
    outbox.append(book.number("samples", 1, {}))
    outbox.append(book.gaps(2, [Loss(3, 3, "samples", ERASED, (outbox.tail().head,))]))
    for _ in range(700):
        outbox.append(book.number("event", 3, {"data": os.urandom(1000)}))
        outbox.confirm_ranges([(4, book.tail.next_seq - 1)])
    assert check([read_pile(store)]).problems == []
    outbox.close()


def test_when_only_the_protected_is_left_it_says_so_and_keeps_what_it_has(store: Path) -> None:
    outbox = Outbox.open(store, BUDGET_BYTES_MIN)
    book = started(outbox)
    kept = 0
    with pytest.raises(StorageError, match=r"raise store\.budget_mb"):  # noqa: PT012  (it is not known which one)
        for _ in range(1000):
            outbox.append([book._number("gap", 1, {"data": os.urandom(4000)})])
            kept += 1
    assert kept > 50
    there = everything(outbox)
    assert [seq for seq, _ in there] == list(range(outbox.tail().next_seq))
    outbox.close()


def test_a_second_writer_is_refused_and_a_reader_is_not(outbox: Outbox, store: Path) -> None:
    outbox.append(two_boots())
    with pytest.raises(StorageError, match=f"another tbox .process {os.getpid()}. writes here"):
        Outbox.open(store, LARGE)
    assert len(read_pile(store).records) == 18


def test_when_the_writer_is_gone_the_next_may_write(store: Path) -> None:
    Outbox.open(store, LARGE).close()
    second = Outbox.open(store, LARGE)
    second.close()
    second.close()


def test_what_a_restored_platform_lost_and_is_gone_is_said_after_a_restart_too(store: Path) -> None:
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 17)])
    gone = outbox.reopen([(0, 17)])
    assert gone
    assert all(loss.reason == GONE for loss in gone)
    outbox.close()
    again = Outbox.open(store, LARGE, "b")
    assert again.losses() == gone
    again.append(ledger(again.boot, again.tail()).gaps(0, gone))
    assert again.losses() == []
    again.close()


def test_what_was_erased_before_it_was_delivered_is_not_said_to_have_been_delivered(store: Path) -> None:
    outbox = Outbox.open(store, LARGE, "a")
    book = started(outbox)
    outbox.append(book.number("samples", 1, {}))
    outbox.append(book.gaps(2, [Loss(2, 2, "samples", ERASED, (outbox.tail().head,))]))
    outbox.confirm_ranges([(0, 4)])
    assert outbox.reopen([(0, 4)]) == []
    outbox.close()


def test_a_platform_that_was_restored_before_this_start_is_sent_what_had_overtaken_the_backlog(store: Path) -> None:
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 1), (4, 5), (7, 7)])
    outbox.close()
    again = Outbox.open(store, LARGE, "b")
    confirming = open_uplink(Uplink(confirm="receipt"), again, KEY.device).confirming
    confirming.receipt(b'{"upto": 1, "epoch": 1}', 17)
    assert confirming.take_lost() == [(4, 5), (7, 7)]
    again.close()


def test_what_a_gap_record_said_is_said_again_when_that_is_gone_too(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.outbox.budget.HISTORY_RECORDS", 1)
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 17)])
    book = ledger(outbox.boot, outbox.tail())
    outbox.append(book.gaps(0, outbox.reopen([(0, 17)])))
    assert outbox.reopen([(0, 17)]) == [], "the gap record is here and says so"
    outbox.append(book.number("health", 1, {}))
    outbox.append(book.number("health", 1, {}))
    outbox.confirm_ranges([(0, outbox.tail().next_seq - 1)])
    said = Ranges((loss.first, loss.last) for loss in outbox.reopen([(0, outbox.tail().next_seq - 1)]))
    here = [seq for seq, _ in everything(outbox)]
    assert [seq for seq in range(outbox.tail().next_seq) if seq not in said] == here, "restored again, it knows nothing"
    outbox.close()


@pytest.mark.parametrize(("reserved", "goes_on"), [(18, 19), (19, 19), (20, 20)])
def test_where_all_was_saved_of_a_lost_store_a_gap_still_says_that_the_chain_begins_anew(
    store: Path, monkeypatch: pytest.MonkeyPatch, reserved: int, goes_on: int
) -> None:
    monkeypatch.setattr("agent.outbox.outbox.RESERVE_STEP", reserved - 18)
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(two_boots())
    outbox.close()
    write_reserve(store, replace(read_reserve(store), is_open=True))  # as if its log were gone
    again = Outbox.open(store, LARGE, "b")
    assert again.tail().next_seq == goes_on
    assert [(loss.first, loss.last, loss.reason) for loss in again.losses()] == [(18, goes_on - 1, DAMAGED)]
    book = ledger(again.boot, again.tail())
    again.append(book.start(0, {}) + book.gaps(0, again.losses()) + drive(book, 5))
    assert [seq for seq, _ in everything(again)][:18] == list(range(18))
    again.close()
    assert check([read_pile(store)]).problems == []


def test_what_was_delivered_before_a_store_was_lost_is_not_missing_after_it(store: Path) -> None:
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 17)])
    outbox.close()
    set_aside(store)
    again = Outbox.open(store, LARGE, "b")
    book = started(again)
    again.append(book.gaps(1, again.losses()))
    assert check([read_pile(store)]).problems == []
    assert again.losses() == []
    again.close()


def test_a_record_that_rotted_in_a_whole_page_is_not_delivered_but_told(store: Path) -> None:
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(two_boots())
    outbox.close()
    rotten = two_boots()[13].raw
    store.write_bytes(store.read_bytes().replace(rotten, rotten[:-1] + bytes([rotten[-1] ^ 1])))
    outbox = Outbox.open(store, LARGE, "b")
    assert [seq for seq, _ in outbox.pending("event", 9, 2)] == [10, 17]
    assert outbox.depth()["event"] == 7
    assert outbox.losses() == [Loss(13, 13, "", DAMAGED, ())]
    outbox.close()


def test_a_new_store_whose_making_was_cut_off_is_not_set_aside_too(store: Path) -> None:
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(two_boots())
    outbox.close()
    write_reserve(store, replace(read_reserve(store), is_open=True))
    with pytest.raises(DamagedError, match="its log"):
        check_log(store)
    set_aside(store)
    store.touch(0o600)  # the power goes here
    check_log(store)
    again = Outbox.open(store, LARGE, "b")
    assert [seq for seq, _ in everything(again)] == list(range(18))
    again.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_set_aside_and_no_number_is_used_again(store: Path, seed: int) -> None:
    rng = random.Random(seed)
    outbox = Outbox.open(store, LARGE, "a")
    outbox.append(two_boots())
    outbox.confirm_ranges([(0, 9)])
    outbox.close()
    content = bytearray(store.read_bytes())
    if seed == 0:
        content = bytearray(b"garbage" * 1000)
    elif seed == 1:
        content = content[: len(content) // 2]
    else:
        for page in range(4096, len(content), 4096):
            content[page : page + 64] = rng.randbytes(64)
    store.write_bytes(content)
    again = Outbox.open(store, LARGE, "b")
    assert "set aside as outbox.db.damaged-" in again.reports[0]
    assert bytes(content) in [path.read_bytes() for path in store.parent.glob("outbox.db.damaged-*Z")]
    assert again.boot == 2
    assert again.tail().next_seq == 18 + RESERVE_STEP
    assert again.losses()[0].reason == DAMAGED
    assert again.losses()[0].last == again.tail().next_seq - 1
    assert again.losses()[0].hashes == ()
    again.close()


def test_after_a_lost_store_the_receiver_can_tell_what_is_lost_and_all_else_still_holds(store: Path) -> None:
    outbox = Outbox.open(store, LARGE, "a")
    delivered = list(two_boots())
    outbox.append(delivered)
    outbox.close()
    store.unlink()
    again = Outbox.open(store, LARGE, "b")
    book = ledger(again.boot, again.tail())
    fresh = book.start(0, {}) + book.gaps(0, again.losses()) + drive(book, 5)
    again.append(fresh)
    assert again.losses() == []
    again.close()
    for name, records in (("whole", delivered + fresh), ("tail lost", delivered[:12] + fresh)):
        pile = read_pile(_written(store.parent / name, records))
        report = check([pile])
        assert report.problems == []
        assert report.dropped[0]["reason"] == DAMAGED


def _written(path: Path, records: list[Record]) -> Path:
    path.write_bytes(framed(records))
    return path


def test_an_emptied_file_does_not_start_the_account_anew(store: Path) -> None:
    outbox = Outbox.open(store, LARGE)
    outbox.append(two_boots())
    outbox.close()
    store.write_bytes(b"")
    again = Outbox.open(store, LARGE)
    assert again.tail().next_seq == 18 + RESERVE_STEP
    assert again.tail().device == KEY.device
    assert "the store was lost" in again.reports[0]
    again.close()


def test_a_damaged_reserve_is_made_anew_from_a_whole_store_but_not_guessed_without_one(store: Path) -> None:
    outbox = Outbox.open(store, LARGE)
    outbox.append(two_boots())
    outbox.close()
    reserve = store.with_name("outbox.db.reserve")
    reserve.write_bytes(b"\xff{")
    again = Outbox.open(store, LARGE)
    assert again.tail().next_seq == 18
    assert "made anew" in again.reports[0]
    again.close()
    reserve.write_bytes(b'{"seq": -1}')
    store.unlink()
    with pytest.raises(StorageError, match="move the whole folder away"):
        Outbox.open(store, LARGE)


def test_only_the_newest_damaged_files_are_kept(store: Path) -> None:
    for _ in range(5):
        store.write_bytes(b"garbage" * 100)
        Outbox.open(store, LARGE).close()
    assert len(list(store.parent.glob("outbox.db.damaged-*"))) == 2


def test_a_database_of_something_else_is_refused_and_left_alone(store: Path) -> None:
    with sqlite3.connect(store) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(StorageError, match="no store of tbox"):
        Outbox.open(store, LARGE)
    with sqlite3.connect(store) as other:
        assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_store_of_a_newer_program_is_refused_and_left_alone(store: Path) -> None:
    Outbox.open(store, LARGE).close()
    with sqlite3.connect(store) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match="made by a newer tbox"):
        Outbox.open(store, LARGE)


@pytest.mark.parametrize("pages", range(6))
def test_a_full_disk_is_said_and_nothing_is_half_there(store: Path, pages: int) -> None:
    outbox = Outbox.open(store, LARGE)
    outbox.append(two_boots()[:8], b"journal")
    (now,) = outbox._one("PRAGMA page_count")
    outbox._connection.execute(f"PRAGMA max_page_count = {now + pages}")
    book = ledger(2, outbox.tail())
    records = [record for _ in range(60) for record in book.number("samples", 1, {"data": os.urandom(600)})]
    tail = outbox.tail()
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        outbox.append(records, b"another")
    assert (outbox.tail(), outbox.recovered(), len(everything(outbox))) == (tail, b"journal", 8)
    outbox._connection.execute("PRAGMA max_page_count = 100000")
    outbox.append(records, b"another")
    assert len(everything(outbox)) == 68
    outbox.close()


def test_a_file_that_may_not_grow_is_said_and_nothing_is_half_there(store: Path) -> None:
    outbox = Outbox.open(store, LARGE)
    book = started(outbox)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    acknowledged = 2
    try:
        with pytest.raises(StorageError, match=r"outbox\.db: the disk"):  # noqa: PT012  (it is not known which one)
            for _ in range(1000):
                outbox.append(book.number("samples", 1, {"data": os.urandom(1000)}))
                acknowledged += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    outbox.close()
    again = Outbox.open(store, LARGE)
    assert [seq for seq, _ in everything(again)] == list(range(acknowledged))
    again.close()


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="check the disk and the folder's rights"):
        Outbox.open(tmp_path / "file" / STORE_NAME, LARGE)


def test_the_log_beside_the_store_stays_small(outbox: Outbox, store: Path) -> None:
    book = started(outbox)
    for _ in range(300):
        outbox.append(book.number("samples", 1, {"data": os.urandom(20_000)}))
    assert store.with_name("outbox.db-wal").stat().st_size <= 2 * 1024 * 1024


def test_the_store_belongs_to_its_owner_only(outbox: Outbox, store: Path) -> None:
    outbox.append(two_boots())
    assert {
        path.name: path.stat().st_mode & 0o077 for path in store.parent.iterdir() if path.name != "first"
    } == dict.fromkeys(("outbox.db", "outbox.db-shm", "outbox.db-wal", "outbox.db.lock", "outbox.db.reserve"), 0)


CHILD = """
import os, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from tests.accounts import KEY, ledger
from agent.outbox.outbox import Outbox
outbox = Outbox.open(Path(sys.argv[1]), 600_000)
book = ledger(outbox.boot, outbox.tail())
losses = outbox.losses()
records = book.start(0, {}) + book.gaps(0, losses)
while True:
    losses = outbox.append(records, str(records[-1].seq).encode())
    os.write(1, b"".join(b"%d %s\\n" % (record.seq, record.hash.hex().encode()) for record in records))
    records = book.gaps(0, losses) or book.number("samples", 1, {"data": os.urandom(800)})
    records += book.number("trip_end" if records[-1].seq % 7 == 0 else "event", 1, {})
    if records[-1].seq % 5 == 0:
        outbox.confirm_ranges([(0, records[-1].seq - 300)])
"""


def test_killed_at_any_moment_nothing_acknowledged_is_lost_renumbered_or_skipped(store: Path) -> None:
    rng = random.Random(6)
    acknowledged: dict[int, str] = {}
    top = Path(__file__).parent.parent
    for _ in range(30):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(store)], stdout=subprocess.PIPE, cwd=top)
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(rng.randrange(1, 120))]
        child.kill()
        told += child.stdout.readlines()
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        for line in told:
            if line.endswith(b"\n"):
                seq, digest = line.split()
                assert int(seq) not in acknowledged, "a number was used twice"
                acknowledged[int(seq)] = digest.decode()
    pile = read_pile(store)
    assert check([pile]).problems == []
    outbox = Outbox.open(store, 600_000)
    assert outbox.reports == []
    tail = outbox.tail()
    assert max(acknowledged) < tail.next_seq
    hashes = {record.seq: record.hash.hex() for record in pile.records}
    hashes |= {seq: digest.hex() for seq, (_, digest) in pile.stubs.items()}
    for loss in (loss for record in pile.records if record.kind == "gap" for loss in losses_of(record)):
        hashes |= {loss.first + n: digest.hex() for n, digest in enumerate(loss.hashes)}
    held = {seq: digest for seq, digest in acknowledged.items() if seq >= outbox._floor() or seq in hashes}
    assert {seq: hashes[seq] for seq in held} == held
    pending = dict(everything(outbox))
    assert all(decode(raw).seq == seq for seq, raw in pending.items())
    assert int(outbox.recovered() or b"-1") in (tail.next_seq - 1, tail.next_seq - 2)
    outbox.close()
