"""Catching what may be a crash: on flash at once, in parts when it is sure, gone when it was none."""

import shutil
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.capture.capture import (
    EVERY_US,
    PART_BYTES,
    PARTS_AT_ONCE,
    SLICES_AT_ONCE,
    Capture,
    Changes,
    Head,
    Part,
    Rule,
)
from agent.capture.ring import HEAD, cut, entries, first_us, inputs
from agent.codec import CodecError, Record
from agent.core import Alarm, Core
from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.settings.file import load
from drivers import batch
from tests.wrecks import BLOW_US, TABLE, Terminal, jolted, struck

S = 1_000_000
RULE = Rule(30 * S, 15 * S, 10**6)


def ring(first: int, count: int) -> bytes:
    """So many records of the ring, 1 ms apart from `first` ms on."""
    return b"".join(
        HEAD.pack(n * 1000, n, batch.FRAME, 0, 8, 0) + n.to_bytes(8, "big") for n in range(first, first + count)
    )


def begun(rule: Rule = RULE, before: bytes = b"", blow_us: int = 50 * S) -> Capture:
    """One of a blow, with this of before it."""
    capture = Capture(rule)
    capture.begin(Head(1, blow_us, {}), blow_us, [before])
    return capture


def packed(changes: Changes) -> dict[int, bytes]:
    """The records put, by their row's key."""
    return {key: zlib.decompress(content) for key, content in changes.rows if key}


def all_of(parts: list[Part]) -> bytes:
    """What parts hold."""
    return b"".join(zlib.decompress(part.packed) for part in parts)


def test_what_a_late_turn_brings_is_caught_too_and_nothing_after_it() -> None:
    capture = begun()
    capture.confirm(7, 50 * S)
    capture.hear(ring(50_000, 10_000), 60 * S)
    capture.hear(ring(60_000, 7_000), 67 * S)
    capture.hear(ring(67_000, 10), 67 * S + EVERY_US)
    parts = [part for _ in range(20) for part in capture.step(68 * S)[1]]
    assert all_of(parts) == ring(50_000, 17_000)


def test_what_was_before_goes_to_flash_in_slices_the_newest_first() -> None:
    before = ring(0, 25_000)
    capture = begun(before=before)
    first = packed(capture.step(50 * S)[0])
    assert list(first) == [10, 9, 8, 7]
    assert first[10].endswith(before[-24:])
    rows = dict(first)
    while len(rows) < 10:
        rows |= packed(capture.step(50 * S)[0])
    assert b"".join(rows[key] for key in sorted(rows)) == before
    assert len(first) == SLICES_AT_ONCE


@pytest.mark.parametrize(
    ("after_us", "count"),
    [
        pytest.param(EVERY_US - 1, 0, id="not yet"),
        pytest.param(EVERY_US, 100, id="when it is time"),
    ],
)
def test_what_comes_goes_to_flash_every_tenth_of_a_second(after_us: int, count: int) -> None:
    capture = begun()
    capture.step(50 * S)
    capture.hear(ring(50_000, 100), 50 * S)
    put = packed(capture.step(50 * S + after_us)[0])
    assert b"".join(put.values()) == ring(50_000, count)


def test_nothing_is_numbered_before_it_is_sure_and_then_in_the_order_of_time() -> None:
    before, after = ring(0, 5000), ring(50_000, 2000)
    capture = begun(before=before)
    capture.hear(after, 50 * S)
    _, early = capture.step(51 * S)
    assert early == []
    assert capture.confirm(7, 50 * S) == 7
    found: list[Part] = []
    while capture.head is not None:
        found += capture.step(65 * S)[1]
    assert all_of(found) == before + after
    assert [part.number for part in found] == list(range(len(found)))
    assert [part.is_last for part in found] == [False] * (len(found) - 1) + [True]
    assert max(len(zlib.decompress(part.packed)) for part in found) <= PART_BYTES


def test_a_part_is_numbered_when_it_is_full_and_its_rows_go() -> None:
    capture = begun(before=ring(0, 2500))
    capture.confirm(7, 50 * S)
    put, parts = capture.step(50 * S)
    assert (sorted(packed(put)), parts, put.gone) == ([1], [], [])
    capture.hear(ring(50_000, 10), 50 * S)
    put, parts = capture.step(51 * S)
    assert (all_of(parts), put.gone) == (ring(0, 2500), [1])


def test_it_numbers_only_so_many_at_once() -> None:
    capture = begun(before=ring(0, 50_000))
    capture.confirm(7, 50 * S)
    sizes = [len(capture.step(50 * S)[1]) for _ in range(14)]
    assert sizes == [0, 0, 0, 0, *([PARTS_AT_ONCE] * 9), 1]


def test_it_goes_on_while_another_blow_is_open() -> None:
    capture = begun()
    capture.confirm(7, 50 * S)
    assert capture.step(66 * S, is_open=True)[1] == []
    assert capture.head is not None
    (last,) = capture.step(66 * S)[1]
    assert (last.is_last, last.from_us, capture.is_due(99 * S)) == (True, None, False)


def test_what_was_rejected_goes_from_flash_and_leaves_no_trace() -> None:
    capture = begun(before=ring(0, 5000))
    capture.step(50 * S)
    capture.reject()
    changes, parts = capture.step(51 * S)
    assert (changes.is_cleared, changes.rows, parts) == (True, [], [])
    assert not capture.step(52 * S)[0]


def test_without_room_the_oldest_of_before_and_the_last_of_after_are_left_out() -> None:
    size = len(zlib.compress(ring(0, 2500), 6))
    capture = begun(replace(RULE, most_bytes=size * 9 // 2), ring(0, 12_500))
    capture.confirm(7, 50 * S)
    found: list[Part] = []
    for at in range(40):
        capture.hear(ring(50_000 + at * 500, 500), 50 * S + at * 400_000)
        found += capture.step(50 * S + at * 400_000)[1]
    while capture.head is not None:
        found += capture.step(70 * S)[1]
    numbers = [entry.id for entry in entries(all_of(found))]
    assert numbers[0] == 5000
    assert numbers == [*range(5000, 12_500), *range(50_000, numbers[-1] + 1)]
    assert sum(len(part.packed) for part in found) <= size * 9 // 2
    assert found[-1].is_capped


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(0, b"\xc1")], id="its head is no msgpack"),
        pytest.param([(0, b"\x80")], id="its head is another map"),
        pytest.param([(1, zlib.compress(b"x"))], id="its head is gone"),
    ],
)
def test_of_rows_without_a_whole_head_nothing_is_made(rows: list[tuple[int, bytes]]) -> None:
    capture = Capture.resumed(RULE, rows)
    assert capture.head is None
    assert capture.step(1)[0].is_cleared


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(ring(0, 1)[:-1], id="cut in its payload"),
        pytest.param(ring(0, 1)[:15], id="cut in its head"),
        pytest.param(HEAD.pack(1, 1, batch.TICK, 0, 0, 0) + bytes(64), id="of no kind that is kept"),
        pytest.param(HEAD.pack(1, 1, batch.FRAME, 0, 65, 0) + bytes(72), id="longer than any frame"),
    ],
)
def test_what_is_no_ring_is_refused(raw: bytes) -> None:
    with pytest.raises(CodecError):
        list(entries(raw))
    with pytest.raises(CodecError):
        cut(raw, 1000)


def test_a_ring_is_read_and_fed_again_as_it_came() -> None:
    put = batch.frame(1, 2, 0x123, b"abc", batch.FD) + batch.value(2, 4, 0.5) + batch.imu(3, [1.0, None, 3.0])
    core = Core(load(None, []), TABLE)
    core.feed(put + batch.tick(4))
    raw = core.freeze(1000)
    told = list(entries(raw))
    assert [(one.t_us, one.kind) for one in told] == [(1, batch.FRAME), (2, batch.VALUE), (3, batch.IMU)]
    assert (told[0].payload, told[0].channel, told[0].flags, first_us(raw)) == (b"abc", 2, batch.FD, 1)
    assert told[2].numbers == (1.0, None, 3.0, None, None, None)
    again = Core(load(None, []), TABLE)
    again.feed(inputs(raw))
    assert again.freeze(1000) == raw
    assert b"".join(one.input for one in told) == inputs(raw)


def test_the_core_says_how_far_its_ring_is_and_the_newest_bytes_are_what_came() -> None:
    core = Core(load(None, ["ring.before_s=1", "ring.frames_per_s=10"]), TABLE)
    assert core.alarm() == Alarm(None, 0)
    for n in range(30):
        before = core.alarm().ringed
        came = batch.frame(n, 0, n, bytes(n % 9)) + batch.value(n, 4, n / 8)
        core.feed(came)
        grew = core.alarm().ringed - before
        assert inputs(core.freeze(grew)) == came
    assert core.alarm().ringed == 48 * 30 - 8 * len([n for n in range(30) if n % 9 == 0])


@pytest.mark.parametrize(("drive", "from_us", "upto_us"), [(struck, 20_000, 250_000), (jolted, 10_000, 10 * S)])
def test_the_alarm_is_open_from_the_blow_until_it_is_judged(drive: object, from_us: int, upto_us: int) -> None:
    terminal = Terminal(struck if drive is struck else jolted)
    opened: list[int] = []

    def look(now_us: int) -> None:
        blow_us = terminal.core.alarm().blow_us
        if blow_us is not None:
            assert blow_us == pytest.approx(BLOW_US, abs=30_000)
            opened.append(now_us - BLOW_US)

    terminal.drive(each=look)
    assert opened[0] <= from_us + 40_000
    assert opened[-1] == pytest.approx(upto_us, abs=50_000)


class Stored(Terminal):
    """Keeps it all in a real store."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.outbox = Outbox.open(path, 64_000_000)
        self.outbox.append(self.records)

    def keep(self, records: Sequence[Record]) -> None:
        """In one transaction."""
        self.outbox.append(records, None, self.evidence.pending)
        super().keep(records)


def test_a_copy_of_the_store_at_any_moment_opens_and_tells_what_was_caught(tmp_path: Path) -> None:
    terminal, copies = Stored(tmp_path / STORE_NAME), list[tuple[int, Path]]()

    def copy(now_us: int) -> None:
        if BLOW_US - S <= now_us <= BLOW_US + 20 * S and (now_us - BLOW_US) % 700_000 < 20_000:
            folder = tmp_path / str(now_us)
            folder.mkdir()
            for file in tmp_path.glob(f"{STORE_NAME}*"):
                shutil.copy(file, folder)
            copies.append((now_us, folder))

    terminal.drive(BLOW_US + 20 * S, each=copy)
    terminal.outbox.close()
    assert len(copies) >= 28
    for now_us, folder in copies:
        opened = Outbox.open(folder / STORE_NAME, 64_000_000, "another boot")
        again = Terminal(tail=opened.tail())
        records = again.evidence.recover(opened.captured(), 1)
        opened.append(records, None, again.evidence.pending)
        there = opened.pending("evidence", -1, 1000)
        assert opened.captured() == []
        assert bool(there) == (now_us > BLOW_US), (now_us - BLOW_US) / S
        opened.close()
