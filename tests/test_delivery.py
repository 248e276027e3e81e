"""From flash to the broker: nothing is told before it is synced, nothing twice, and what waits is known."""

import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from agent.codec import Record
from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.outbox.writer import Writer
from agent.settings import Uplink as UplinkSettings
from agent.uplink.delivery import Delivery
from agent.uplink.exchange import Acked, Answer, LinkDown, LinkUp, Publish
from agent.uplink.uplink import Uplink
from tests.accounts import two_boots
from tests.test_writer import SlowDisk

WAIT_S = 30.0
UP = LinkUp("broker", "5", session_present=False)
RECORDS = list(two_boots())


class FakeLink:
    """Says what a test lets it say, and acknowledges when it is asked to."""

    def __init__(self) -> None:
        self.connects = 0
        self.published: list[Publish] = []
        self.is_closed = False
        self.says: list[Answer] = []

    def fileno(self) -> int:
        """As good as any: the test does not wait on it."""
        return 0

    def answers(self) -> list[Answer]:
        """What came."""
        came, self.says = self.says, []
        return came

    def connect(self) -> None:
        """Only counted."""
        self.connects += 1

    def publish(self, publish: Publish) -> None:
        """Only kept."""
        self.published.append(publish)

    def close(self) -> None:
        """Only noted."""
        self.is_closed = True


class Bench:
    """A delivery whose disk and link are held by the test."""

    def __init__(self, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.disk = SlowDisk(outbox, monkeypatch)
        uplink = Uplink(UplinkSettings(window=50), stored_upto=outbox.tail().next_seq - 1, rng=Random(1))
        self.link = FakeLink()
        self.it = Delivery(Writer(outbox), uplink, cast("Any", self.link))
        self.now_s = 0.0

    def until(self, condition: Callable[[], bool]) -> None:
        """Turns of the loop."""
        late_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < late_s, self.it.said
            self.turn()
            select.select([self.it.writer], [], [], 0.01)

    def turn(self) -> None:
        """One."""
        self.now_s += 0.01
        assert self.it.news() == []
        self.it.tell(self.now_s)

    def seqs(self) -> list[int]:
        """What was published."""
        return [publish.seq for publish in self.link.published]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(Outbox.open(tmp_path / STORE_NAME, 64_000_000), monkeypatch)
    yield made
    made.disk.free.set()
    made.it.close()
    assert made.link.is_closed


def put(bench: Bench, records: list[Record]) -> None:
    assert bench.it.writer.put(records)


def test_nothing_is_told_before_it_is_synced(bench: Bench) -> None:
    bench.turn()
    assert bench.link.connects == 1
    bench.link.says = [UP]
    put(bench, RECORDS[:3])
    assert bench.disk.reached.wait(WAIT_S)
    for _ in range(20):
        bench.turn()
    assert bench.seqs() == []
    assert not bench.it.is_done
    bench.disk.free.set()
    bench.until(lambda: sorted(bench.seqs()) == [0, 1, 2])


def test_what_is_acknowledged_waits_no_more_and_is_told_once(bench: Bench) -> None:
    bench.disk.free.set()
    bench.turn()
    bench.link.says = [UP]
    put(bench, RECORDS)
    bench.until(lambda: len(bench.seqs()) == len(RECORDS))
    assert bench.it.waiting == len(RECORDS)
    assert not bench.it.is_done, "the link is up, and they wait"
    bench.link.says = [Acked(seq) for seq in bench.seqs()]
    bench.until(lambda: bench.it.is_done)
    assert bench.it.waiting == 0
    assert sorted(bench.seqs()) == [record.seq for record in RECORDS]


def test_without_a_link_it_is_done_when_all_is_on_flash(bench: Bench) -> None:
    put(bench, RECORDS[:3])
    bench.turn()
    bench.link.says = [LinkDown("no broker at 127.0.0.1: is it running?")]
    bench.turn()
    assert bench.it.said.startswith("no broker")
    assert not bench.it.is_done
    bench.disk.free.set()
    bench.until(lambda: bench.it.is_done)
    assert (bench.it.waiting, bench.seqs()) == (3, [])


def test_a_link_that_falls_while_rows_are_read_delays_and_doubles_nothing(bench: Bench) -> None:
    bench.disk.free.set()
    put(bench, RECORDS)
    for _ in range(5):
        bench.turn()
        bench.link.says = [UP]
        bench.turn()
        bench.link.says = [LinkDown("it fell")]
        bench.turn()
        bench.now_s += 100.0
    bench.link.published.clear()
    bench.turn()
    bench.link.says = [UP]
    bench.until(lambda: len(bench.seqs()) == len(RECORDS))
    for _ in range(10):
        bench.turn()
    assert sorted(bench.seqs()) == [record.seq for record in RECORDS]


def test_a_lane_is_asked_for_once_until_the_disk_answers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bench, RECORDS[:3])
    assert bench.disk.reached.wait(WAIT_S)
    lanes: list[str] = []
    fetch = bench.it.writer.fetch

    def counted(lane: str, after_seq: int, limit: int) -> None:
        lanes.append(lane)
        fetch(lane, after_seq, limit)

    monkeypatch.setattr(bench.it.writer, "fetch", counted)
    bench.turn()
    bench.link.says = [UP]
    for _ in range(20):
        bench.turn()
    assert sorted(lanes) == sorted(set(lanes)), "each once"
    assert lanes
