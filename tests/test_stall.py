"""A disk on which no sync comes back, under the whole daemon: the bus is read on, nothing is lost, nothing told early."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agent import app
from agent.capture.captured import Caught
from agent.codec import Record
from agent.ledger.ledger import Loss
from agent.maps.maps import load
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.proof import check
from agent.settings import defaults
from agent.world import clock
from drivers import batch

PATIENCE_S = 30.0
BATCH_FRAMES = 32
TURNS, TURNS_MOST = 40, 100_000


class Terminal:
    """A daemon whose bus always has frames, and whose disk can stand still."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shipped, self.store = defaults(), folder / STORE_NAME
        device = msgspec.structs.replace(shipped.device, state_dir=str(folder))
        chosen = msgspec.structs.replace(
            shipped, device=device, mqtt=msgspec.structs.replace(shipped.mqtt, tls=False, port=1)
        )
        self.batches = 0
        self.free, self.reached = threading.Event(), threading.Event()
        self.free.set()
        outbox = Outbox.open(self.store, 2**26)
        self._append = outbox.append
        monkeypatch.setattr(outbox, "append", self._held)
        self.agent = app.Agent(chosen, load(Path("obd2.toml")), outbox)
        monkeypatch.setattr(self.agent.rack, "read", self._read)

    def end(self) -> None:
        """The disk goes on, the daemon ends in order, and what is on flash holds."""
        self.free.set()
        self.agent.stop()
        self.agent.run()
        assert check([read_pile(self.store)]).problems == []

    def turns(self, is_over: Callable[[], bool]) -> None:
        """Turns of the loop, until this."""
        for _ in range(TURNS_MOST):
            self.agent.turn()
            if is_over():
                return
        pytest.fail("the loop turns and does nothing")

    def _read(self, _wait_s: float) -> bytes:
        """Frames, and with them something that must be kept."""
        now_us = clock.boot_us()
        self.batches += 1
        self.agent.held += self.agent.ledger.number("command", now_us, {"command": "none"})
        return b"".join(batch.frame(now_us, 0, 0x100, bytes(8)) for _ in range(BATCH_FRAMES))

    def _held(self, records: list[Record], journal: bytes | None = None, changes: Caught = ()) -> list[Loss]:
        if not self.free.is_set():
            self.reached.set()
        assert self.free.wait(PATIENCE_S), "the loop waited for the disk"
        return self._append(records, journal, changes)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    made = Terminal(tmp_path, monkeypatch)
    yield made
    made.free.set()
    made.agent.delivery.writer.close()


def test_while_no_sync_comes_back_the_loop_reads_on_and_loses_no_frame(terminal: Terminal) -> None:
    agent = terminal.agent
    terminal.free.clear()
    terminal.turns(terminal.reached.is_set)
    synced_upto, before = agent.delivery.synced_upto, terminal.batches
    terminal.turns(lambda: terminal.batches == before + TURNS)
    assert not terminal.free.is_set()
    assert agent.core.counters()["frames_in"] == terminal.batches * BATCH_FRAMES
    assert agent.delivery.synced_upto == synced_upto
    terminal.end()
    kinds = [record.kind for record in read_pile(terminal.store).records]
    assert kinds.count("command") == terminal.batches


def test_the_loop_reads_on_only_as_long_as_there_is_room_for_what_it_means(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = terminal.agent
    monkeypatch.setattr(agent.delivery.writer, "_queue_bytes", 2000)
    terminal.free.clear()
    terminal.turns(lambda: bool(agent.held))
    before = terminal.batches
    for _ in range(5):
        agent.turn()
    assert terminal.batches == before
    terminal.free.set()
    terminal.turns(lambda: terminal.batches > before)
    terminal.end()
