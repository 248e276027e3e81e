"""The soak's parts: what the flood sends, how it is counted, when it is a failure, its page."""

import os
import re
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.codec import ZEROS, Record, make
from drivers.bus.socketcan import SocketCan
from hil.books import boot_us
from hil.outcome import Account
from hil.report.page_signals import rates
from hil.soak import flood
from hil.soak.books import SoakBooks
from hil.soak.outcome import Bus, Look, Plan, SoakOutcome, Timed, ended_by, quantile, read, slope
from hil.soak.page import page
from hil.soak.soak import Buses
from hil.soak.verdict import judge, latency_words
from hil.soak.watch import Flash, memory_mib
from hil.wires import soak_wire
from tests.packed import frames

DEVICE = b"12345678"
RATE = 500
WAIT_S = 30.0
PLAN = Plan(place="pair", lasts_s=120.0, rate=100, batch=4)
ACCOUNT = Account(
    records=9, devices=1, missing=(), faults=(), redelivered=0, seals=2, starts=1, verify_code=0, verify_words=""
)
BUSES = (
    Bus(name="1", kind="classic", sent=12_000, received=12_000, dropped=0),
    Bus(name="2", kind="64-byte FD", sent=12_000, received=12_000, dropped=0),
)
GOOD = SoakOutcome(
    plan=PLAN,
    took_s=130.0,
    flooded_s=120.0,
    buses=BUSES,
    counters={"in": 24_000, "decoded": 4000, "unmapped": 20_000, "rejected": 0, "dropped": 0},
    looks=tuple(Look(float(at), 40.0, 26.0, at % 3, at * 200) for at in range(120)),
    closed_s=tuple(at + 0.4 for at in range(120)),
    timed=tuple(Timed(at + 0.4, 5.0, 8.0) for at in range(120)),
    cpu_share=0.031,
    account=ACCOUNT,
    exit_codes=(0,),
    log="<log>",
)


def spoilt(**more: Any) -> SoakOutcome:
    return msgspec.structs.replace(GOOD, **more)


def bus(**more: int) -> tuple[Bus, ...]:
    return (msgspec.structs.replace(BUSES[0], **more), BUSES[1])


def memory(mib: Callable[[int], float]) -> tuple[Look, ...]:
    return tuple(msgspec.structs.replace(look, resident_mib=mib(at)) for at, look in enumerate(GOOD.looks))


def failed(outcome: SoakOutcome) -> list[str]:
    return [finding.name for finding in judge(outcome) if not finding.holds]


CONSERVED = ["classic bus: no frame lost"]


@pytest.mark.parametrize(
    ("outcome", "bad"),
    [
        pytest.param(GOOD, [], id="as it must be"),
        pytest.param(spoilt(trouble="no broker"), ["runs"], id="nothing came of it"),
        pytest.param(spoilt(flooded_s=133.3), [], id="nine tenths of the rate"),
        pytest.param(spoilt(flooded_s=134.0), ["classic bus at 100 frames/s", "64-byte FD bus at 100 frames/s"], id="less"),
        pytest.param(spoilt(buses=bus(received=11_999)), CONSERVED, id="a frame went nobody knows where"),
        pytest.param(spoilt(buses=bus(received=11_999, dropped=1)), CONSERVED, id="a frame was dropped and counted"),
        pytest.param(spoilt(buses=bus(received=12_001)), CONSERVED, id="a frame too many"),
        pytest.param(spoilt(buses=bus(sent=12_001)), [*CONSERVED, "the seal states what was sent"], id="not sealed"),
        pytest.param(spoilt(counters={"in": 24_000, "decoded": 23_999}), ["frames conserved"], id="not conserved"),
        pytest.param(spoilt(looks=memory(lambda at: 40 + max(0, at - 75) * 0.99 / 44)), [], id="almost 1 MiB in its later half"),
        pytest.param(spoilt(looks=memory(lambda at: 40 + max(0, at - 75) * 1.01 / 44)), ["resident memory flat"], id="more than that"),
        pytest.param(spoilt(looks=memory(lambda at: 40 + min(at, 74) * 3.9 / 74)), [], id="what is bounded fills"),
        pytest.param(spoilt(looks=memory(lambda at: 44.0 if at == 70 else 40.0)), [], id="a swing"),
        pytest.param(spoilt(looks=memory(lambda at: 44.1 if at == 70 else 40.0)), ["resident memory flat"], id="a wide swing"),
        pytest.param(spoilt(looks=memory(lambda at: 40.0 + min(at, 29))), [], id="while it warms up it may grow"),
        pytest.param(spoilt(looks=()), ["resident memory flat", "anonymous memory flat"], id="never looked at"),
        pytest.param(spoilt(timed=GOOD.timed[:-1]), [], id="the last event was still open"),
        pytest.param(spoilt(timed=GOOD.timed[:-2]), ["each event told"], id="two events were not told"),
        pytest.param(spoilt(exit_codes=(-9,)), ["ended with 0"], id="it was killed"),
        pytest.param(spoilt(account=msgspec.structs.replace(ACCOUNT, missing=(3,))), ["no record lost"], id="a record lost"),
        pytest.param(spoilt(account=msgspec.structs.replace(ACCOUNT, starts=2)), ["1 start"], id="it started anew"),
    ],
)  # fmt: skip
def test_a_soak_holds_its_promises_or_does_not(outcome: SoakOutcome, bad: list[str]) -> None:
    assert failed(outcome) == bad


@pytest.mark.parametrize(
    ("points", "rise"),
    [
        pytest.param([], 0.0, id="none"),
        pytest.param([(1.0, 9.0)], 0.0, id="one"),
        pytest.param([(2.0, 9.0), (2.0, 11.0)], 0.0, id="no time between"),
        pytest.param([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)], 2.0, id="a line"),
        pytest.param([(0.0, 1.0), (1.0, 0.0), (2.0, 1.0)], 0.0, id="up and down"),
    ],
)
def test_the_slope_is_that_of_the_least_squares_line(points: list[tuple[float, float]], rise: float) -> None:
    assert slope(points) == pytest.approx(rise)


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.501, 51), (0.9, 90), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_a_quantile_is_the_nearest_rank(share: float, value: int) -> None:
    assert quantile(range(100, 0, -1), share) == value


@pytest.mark.parametrize(
    ("end_us", "closed_us"),
    [
        pytest.param(990_000, 1_000_000, id="ended by the frame after it"),
        pytest.param(1_000_300, 1_000_000, id="stamped after the batch was handed over"),
        pytest.param(600_000, 1_000_000, id="as far away as it may be"),
        pytest.param(599_999, None, id="too far away"),
        pytest.param(2_200_000, 2_000_000, id="after the last"),
        pytest.param(2_400_001, None, id="long after the last"),
    ],
)
def test_an_event_is_laid_beside_the_frame_that_ended_it(end_us: int, closed_us: int | None) -> None:
    assert ended_by(end_us, [1_000_000, 2_000_000]) == closed_us
    assert ended_by(end_us, []) is None


def record(kind: str, seq: int, **body: Any) -> Record:
    return make(kind, DEVICE, 1, seq, seq * 1000, ZEROS, body)


def arrived(books: SoakBooks, *records: Record) -> SoakBooks:
    for one in records:
        books.inbox.take(f"tbox/v1/x/{one.lane}", one.raw)
        books.note(one, 1_020_000)
    return books


def test_the_books_lay_frames_sent_beside_frames_received_and_events_beside_their_last_frame() -> None:
    books = SoakBooks()
    books.hear({"sent": {"1": 30, "2": 20}, "closed": [[7, 1_000_000]]})
    assert not books.is_counted(), "nobody has said how many arrived"
    first = {"1": {"frames": 28, "dropped": 1}, "2": {"frames": 20, "dropped": 0}}
    arrived(books, record("boot", 0), record("health", 1, sources=first, cpu_us=1))
    assert not books.is_counted(), "one is missing"
    second = {**first, "1": {"frames": 28, "dropped": 2}}
    over = record("event", 3, event="over_rev", end_us=990_000)
    arrived(
        books, record("health", 2, sources=second, cpu_us=2), over, record("event", 4, event="crash", end_us=990_000)
    )
    assert books.is_counted()
    assert books.timed({3: 1_008_000}) == [Timed(1.0, 8.0, 20.0)]
    assert books.timed({3: 1_030_000}) == [Timed(1.0, 20.0, 20.0)], "the store was looked at late"
    assert books.timed({}) == [Timed(1.0, None, 20.0)], "it was not seen there"
    assert not books.is_complete(), "no seal"
    assert arrived(books, record("seal", 5)).is_complete()
    assert not arrived(books, record("seal", 7)).is_complete(), "6 is missing"


def test_the_flood_is_what_its_descriptions_say_and_ends_an_event_a_second() -> None:
    for dbc, shape, own in ((flood.CLASSIC_DBC, flood.CLASSIC, 3), (flood.FD_DBC, flood.FD, 1)):
        made = flood.content(dbc, shape, RATE)
        assert len(made) == RATE * 10
        assert {len(frame) for frame, _ in made} == {shape.size}
        identifiers = [int.from_bytes(frame[:4], "little") for frame, _ in made]
        assert sum(identifier not in flood.STRANGERS for identifier in identifiers) == own * flood.LOOP_TICKS
        ends = [at for at, (_, is_end) in enumerate(made) if is_end]
        assert ends == ([] if shape is flood.CLASSIC else [200 + RATE * second for second in range(10)])


@pytest.mark.parametrize("is_fd", [False, True])
def test_what_a_batch_sends_is_read_as_it_was(is_fd: bool) -> None:
    (port,) = soak_wire.free_ports(1)
    link = soak_wire.Wire(str(port), fd=is_fd)
    source = SocketCan(link, "x", 0)  # type: ignore[arg-type]
    dbc, shape = (flood.FD_DBC, flood.FD) if is_fd else (flood.CLASSIC_DBC, flood.CLASSIC)
    made = flood.content(dbc, shape, RATE)
    wire = flood.Wire(str(port), made, shape.size)
    for count in (250, 100, 1):  # less than fit into a socket at once
        wire.send(count)
        got: list[Any] = []
        while len(got) < count and select.select([link.fileno()], [], [], WAIT_S)[0]:
            got += frames(source.read())
        first = wire.sent - count
        assert [frame[3] for frame in got] == [told[8 : 8 + told[4]] for told, _ in made[first : wire.sent]]
    assert (wire.sent, wire.refused, source.counters()["unstamped"]) == (351, 0, 0)
    assert [number for number, _ in wire.closed] == ([0] if is_fd else [])
    wire.close()
    source.close()


def test_a_bus_that_nobody_reads_is_tried_again() -> None:
    (port,) = soak_wire.free_ports(1)
    wire = flood.Wire(str(port), [(bytes(16), False)] * 4, 16)
    for _ in range(10):
        wire.send(1)
    assert wire.refused > 0
    assert wire.sent + wire.refused == 10
    wire.close()


def test_python_can_finds_the_wire_as_a_plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    soak_wire.offer(tmp_path)
    words = [sys.executable, "-c", "import can; print(can.Bus('0', interface='socketcan', fd=True).fileno())"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert int(done.stdout) >= 0, done.stderr


def test_the_settings_name_both_buses_and_read_them_whole() -> None:
    assert Buses().table().count("listen_only = false") == 2
    assert '"vcan0"' in Buses().table()
    assert "fd = true" in Buses(classic="1", fd="2").table().split('"2"')[1]


def test_frames_a_second_are_level_between_two_counts() -> None:
    assert rates([(0.0, 0), (0.5, 50), (1.0, 100), (2.0, 400)]) == [(0.0, 100), (1.0, 100), (1.0, 300), (2.0, 300)]
    assert rates([]) == []


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    GOOD.write(tmp_path / "soak.json")
    assert read(tmp_path / "soak.json") == GOOD


def test_the_page_says_everything_and_needs_nothing_else() -> None:
    text = page(GOOD, judge(GOOD), "python -m hil soak")
    assert text == page(GOOD, judge(GOOD), "python -m hil soak")
    for words in (
        "PASS: all 16", "12,000", "Memory of tbox run", "Queue", "record on flash", "5 to 10 ms", "p99 8.0", "3.1% of a core",
        "+0.00 MiB", "&lt;log&gt;", "python -m hil soak", "2:00",
    ):  # fmt: skip
        assert words in text
    assert not re.search(r'(?:src|href)="(?!#)|@import|url\(', text)
    bad = spoilt(trouble="no <broker>", looks=(), timed=(), buses=(), account=None, counters={})
    assert "no &lt;broker&gt;" in page(bad, judge(bad), "again")
    short = spoilt(is_cut_short=True, flooded_s=65.0)
    assert "1:05 of 2:00" in page(short, judge(short), "again")


def test_latencies_in_short() -> None:
    assert latency_words([3.0, 1.0, 2.0]) == "p50 2.0, p90 3.0, p99 3.0, max 3.0 ms"
    assert latency_words([]) == "none"


def test_a_record_is_on_flash_when_another_reader_of_the_store_sees_it(tmp_path: Path) -> None:
    store = tmp_path / "outbox.db"
    watch = Flash(store)

    def seen(count: int) -> bool:
        give_up_s = time.monotonic() + WAIT_S
        while len(watch.synced_us) < count and time.monotonic() < give_up_s:
            time.sleep(0.001)
        return list(watch.synced_us) == list(range(count))

    writer = sqlite3.connect(store, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE other (x)")  # the index is there, the table is not yet
    before_us = boot_us()
    writer.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY)")
    writer.execute("INSERT INTO records VALUES (0), (1)")
    assert seen(2)
    writer.execute("BEGIN")
    writer.execute("INSERT INTO records VALUES (2)")
    assert len(watch.synced_us) == 2, "it is not committed"
    writer.execute("COMMIT")
    assert seen(3)
    assert before_us <= watch.synced_us[0] <= watch.synced_us[2] <= boot_us()
    watch.close()
    writer.close()


def test_memory_is_what_the_kernel_says() -> None:
    resident_mib, anonymous_mib = memory_mib(os.getpid())
    assert resident_mib > anonymous_mib > 0
    assert memory_mib(2**22 + 1) == (0.0, 0.0), "nobody has this number"
