"""The log of a disk read and replayed; what a power cut may leave; faults of the disk as switches."""

import queue
import signal
import struct
import threading
from random import Random
from typing import Any

import msgspec
import pytest

from hil.faults import flash, live_faults
from hil.faults.block_log import DISCARD, FLUSH, FUA, MARK, Cut, LogError, entries, marks, points, replay, torn
from hil.faults.box_faults import Box
from hil.faults.live_faults import LiveFaults, refusal
from hil.faults.switch import Switch
from hil.scenes.scenario_table import FaultTable

SECTOR = 512
HEAD = struct.pack("<QQQI", 0x6A736677736872, 1, 0, SECTOR)


def logged(*made: tuple[int, bytes, int] | str | int, count: int | None = None) -> bytes:
    """A log: writes as (sector, data, flags), marks as text, others (a flush) as flags."""
    parts = []
    for one in made:
        if isinstance(one, str):
            parts.append((struct.pack("<QQQQ", 0, 0, MARK, len(one)) + one.encode()).ljust(SECTOR, b"\0"))
        elif isinstance(one, int):
            parts.append(struct.pack("<QQQQ", 7, 0, one, 0).ljust(SECTOR, b"\0"))
        else:
            sector, data, flags = one
            size = len(data) // SECTOR
            parts.append(struct.pack("<QQQQ", sector, size, flags, 0).ljust(SECTOR, b"\0"))
            parts.append(b"" if flags & DISCARD else data)
    head = struct.pack("<QQQI", 0x6A736677736872, 1, len(made) if count is None else count, SECTOR)
    return head.ljust(SECTOR, b"\0") + b"".join(parts)


def sector(letter: str, count: int = 1) -> bytes:
    return letter.encode() * SECTOR * count


LOG = logged(
    (0, sector("a", 2), 0), (2, sector("b"), 0), FLUSH, (0, sector("c"), FUA), "synced:1", (3, sector("d", 2), 0), FLUSH
)


def text(disk: bytearray) -> str:
    """The first letter of each sector."""
    return "".join(chr(disk[at]) for at in range(0, len(disk), SECTOR))


def after(cut: Cut) -> str:
    disk = bytearray(sector(".", 6))
    replay(list(entries(LOG)), cut, disk)
    return text(disk)


@pytest.mark.parametrize(
    ("cut", "disk"),
    [
        pytest.param(Cut(0), "......", id="nothing"),
        pytest.param(Cut(1), "aa....", id="one write"),
        pytest.param(Cut(4), "cab...", id="a later write over it"),
        pytest.param(Cut(7), "cabdd.", id="everything"),
        pytest.param(Cut(4, ((5, 1),)), "cab.d.", id="one sector of a write that was on its way"),
        pytest.param(Cut(0, ((1, 0), (0, 1))), ".ab...", id="sectors of two"),
    ],
)
def test_a_log_gives_the_disk_at_any_entry(cut: Cut, disk: str) -> None:
    assert after(cut) == disk


def test_what_is_discarded_is_gone_and_has_no_data_in_the_log() -> None:
    disk = bytearray(sector("x", 3))
    log = list(entries(logged((1, sector("-", 2), DISCARD), (0, sector("y"), 0))))
    replay(log, Cut(2), disk)
    assert disk == sector("y") + bytes(2 * SECTOR)


def test_flushes_and_fua_writes_are_the_points_at_which_a_disk_is_known() -> None:
    log = list(entries(LOG))
    assert points(log) == [3, 4, 7]
    assert [entry.place for entry in log[:2]] == [0, 1024]
    assert marks(log) == ["synced:1"]
    assert marks(log[:4]) == []


def test_on_the_way_to_a_flush_any_part_of_the_plain_writes_before_it_is_there_and_nothing_else() -> None:
    log, luck = list(entries(LOG)), Random(1)
    found = {after(torn(log, 3, luck) or Cut(0)) for _ in range(300)}
    assert found == {x + y + z + "..." for x in "a." for y in "a." for z in "b."}
    found = {after(torn(log, 7, luck) or Cut(0)) for _ in range(300)}
    assert found == {"cab" + x + y + "." for x in "d." for y in "d."}
    found = {after(torn(log, 4, luck) or Cut(0)) for _ in range(300)}
    assert found == {"cab...", "aab..."}


def test_nothing_is_on_its_way_to_a_second_flush() -> None:
    assert torn(list(entries(logged((0, sector("a"), 0), FLUSH, FLUSH))), 3, Random(1)) is None


@pytest.mark.parametrize(
    ("log", "words"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(bytes(SECTOR), "no log", id="zeros"),
        pytest.param(HEAD.replace(b"\x01", b"\x02", 1).ljust(SECTOR, b"\0"), "version 1", id="another version"),
        pytest.param(LOG[:-1], "ends", id="one byte short"),
        pytest.param(LOG[: 2 * SECTOR], "ends in entry 0 of 7", id="no data"),
        pytest.param(logged(FLUSH, count=2), "ends at entry 1 of 2", id="an entry short"),
    ],
)
def test_a_log_that_is_none_or_torn_is_said(log: bytes, words: str) -> None:
    with pytest.raises(LogError, match=words):
        list(entries(log))


def fault(name: str, from_s: float, to_s: float = 0.0, after: str = "") -> FaultTable:
    return msgspec.convert({"name": name, "from_s": from_s, "to_s": to_s, "after": after}, FaultTable)


@pytest.mark.parametrize(
    ("names", "place", "words"),
    [
        pytest.param(["power_cut"], "kernel", "", id="in a kernel of its own"),
        pytest.param(["power_cut"], "vcan", "power_cut would change this machine", id="not on this machine"),
        pytest.param(["clock_step", "low_memory"], "live", "clock_step and low_memory would change", id="two"),
        pytest.param(["power_cut", "power_cut"], "kernel", "", id="the same disk cut twice"),
        pytest.param(["sync_stall", "power_cut"], "kernel", "make it two scenarios", id="one disk, two faults"),
        pytest.param(["kill_agent", "starved"], "live", "", id="harmless"),
    ],
)
def test_what_changes_the_machine_is_refused_there(names: list[str], place: str, words: str) -> None:
    faults = [fault(name, number) for number, name in enumerate(names)]
    assert words in refusal(faults, place)
    assert bool(refusal(faults, place)) == bool(words)


def test_a_tool_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash, "SYSTEM_PATH", "/nowhere")
    assert refusal([fault("power_cut", 0)], "kernel").endswith("install dmsetup and e2fsprogs (Debian's packages)")
    assert refusal([fault("starved", 0)], "kernel") == ""


def test_a_fault_is_prepared_once_begun_and_ended_when_due_and_taken_away_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []

    def switch(name: str) -> Switch:
        words = (f"begin {name}", f"end {name}", f"prepare {name}", f"close {name}")
        begin, end, prepare, close = ((lambda *_, word=word: said.append(word)) for word in words)
        return Switch(begin, end, prepare, close)

    known = {name: switch(name) for name in ("power_cut", "link_cut", "starved")}
    monkeypatch.setattr(live_faults, "switches", lambda _: known)
    planned = [("power_cut", 1.0, 2.0), ("link_cut", 1.5, 9.0), ("power_cut", 3.0, 0.0), ("imu_stuck", 1.0, 2.0)]
    live: Any = None
    faults = LiveFaults([fault(*words) for words in planned], live)
    faults.prepare()
    told = {}
    for now_s in (0.9, 1.0, 1.9, 2.0, 3.0):
        before = len(said)
        faults.step(now_s)
        told[now_s] = said[before:]
    faults.end()
    faults.close()
    assert told == {
        0.9: [],
        1.0: ["begin power_cut"],
        1.9: ["begin link_cut"],
        2.0: ["end power_cut"],
        3.0: ["begin power_cut", "end power_cut"],
    }
    assert said[:2] == ["prepare power_cut", "prepare link_cut"]
    assert said[-3:] == ["end link_cut", "close link_cut", "close power_cut"]


class Site:
    """What a fault looks at: the records that have arrived, and a terminal that takes signals."""

    def __init__(self) -> None:
        self.lock, self.kinds = threading.Lock(), list[str]()
        self.subscriber = self.inbox = self.terminal = self
        self.signals: queue.SimpleQueue[int] = queue.SimpleQueue()

    def bodies(self, kind: str) -> list[str]:
        """Those of a kind."""
        return [one for one in self.kinds if one == kind]

    def send_signal(self, number: int) -> None:
        """It takes it."""
        self.signals.put(number)


def test_a_fault_waits_with_its_whole_length_for_the_record_it_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    cut = Switch(lambda _: said.append("begin"), lambda _: said.append("end"))
    monkeypatch.setattr(live_faults, "switches", lambda _: {"link_cut": cut})
    live: Any = Site()
    faults = LiveFaults([fault("link_cut", 1.0, 3.0, after="trip_start")], live)
    live.kinds += ["boot", "key"]
    faults.step(0.9)
    assert faults.waiting(0.9) == [], "it is not due"
    faults.step(2.5)
    assert faults.waiting(2.5) == ["link_cut never began: no trip_start record arrived"]
    assert said == []
    live.kinds.append("trip_start")
    faults.step(2.6)
    assert said == ["begin"]
    assert faults.waiting(2.6) == []
    faults.step(4.5)
    assert said == ["begin"]
    faults.step(4.6)
    assert said == ["begin", "end"]


def test_one_that_is_starved_stops_and_goes_and_goes_at_last() -> None:
    live: Any = Site()
    box = Box(live)
    box.starve(fault("starved", 0.0, 1.0))
    assert live.signals.get(timeout=30) == signal.SIGSTOP
    box.feed(fault("starved", 0.0, 1.0))
    assert live.signals.get(timeout=30) == signal.SIGCONT
    assert live.signals.empty()
