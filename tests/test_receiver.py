"""The reference receiver with a terminal's own outbox, uplink and link: what is promised is stored, whatever breaks."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from agent.codec import Record, make
from agent.ledger.key import DeviceKey, load_or_make
from agent.ledger.ledger import GONE, Ledger, Loss
from agent.ledger.receipt import Ranges, parse_receipt
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import RECEIPT, read_pile
from agent.outbox.store import STORE_NAME
from agent.outbox.writer import Writer
from agent.proof.proof import check
from agent.settings import Uplink as UplinkSettings
from agent.uplink.confirming import Confirming
from agent.uplink.delivery import Delivery
from agent.uplink.mqtt import Link
from agent.uplink.opening import open_uplink
from hil.receiver.intake import Arrival, Known, arrival, fault, read
from hil.receiver.store import PlatformStore, receipt_of
from tests.accounts import IDENTITY, KEY, OTHER_KEY, drive, ledger, rotated, two_boots
from tests.brokers import Mosquitto
from tests.links import STATE, plain

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 60.0
CAR = "car1"


# What is taken and what is not


def known(seq: int, **more: bytes) -> Known:
    """What a store that has all but this record knows of its neighbours."""
    records = two_boots()
    before = records[seq - 1].hash if seq else None
    after = records[seq + 1].prev if seq + 1 < len(records) else None
    return Known(hash_before=before, prev_after=after, device=KEY.device, public=KEY.public, **more)


def altered(record: Record, **more: object) -> Record:
    fields = {name: getattr(record, name) for name in ("kind", "device", "boot", "seq", "t_us", "prev", "body")}
    return make(**(fields | more))


@pytest.mark.parametrize("seq", range(18))
def test_every_true_record_fits_between_its_neighbours_and_again(seq: int) -> None:
    record = two_boots()[seq]
    assert read(Arrival(CAR, record.lane, record.raw)) == record
    assert fault(record, known(seq)) == ""
    assert fault(record, known(seq, same=record.hash)) == ""
    assert fault(record, Known()) == ""


FORGED = {
    "another device": (altered(two_boots()[4], device=OTHER_KEY.device), {}, "of device"),
    "other content, taken": (altered(two_boots()[4], t_us=7), {"same": two_boots()[4].hash}, "is taken"),
    "other content": (altered(two_boots()[4], t_us=7), {}, "the record after it"),
    "exchanged": (altered(two_boots()[4], prev=bytes(31) + b"x"), {}, "the record before it"),
    "a seal that is not the device's": (
        altered(two_boots()[17], body=dict(two_boots()[17].body) | {"signature": bytes(64)}), {}, "another's signature"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_was_forged_is_refused_with_the_reason(name: str) -> None:
    record, more, words = FORGED[name]
    assert words in fault(record, known(record.seq, **more))


@pytest.mark.parametrize(
    ("lane", "payload", "words"),
    [("event", b"\x98\x01", "no record"), ("trip", two_boots()[0].raw, "a key on the lane trip")],
)
def test_what_is_no_record_of_its_lane_is_refused(lane: str, payload: bytes, words: str, tmp_path: Path) -> None:
    with PlatformStore(tmp_path / "platform.db") as store:
        judged = store.take([Arrival(CAR, lane, payload)] * 2)
        assert [words in one.reason for one in judged.refused] == [True, True]
        assert len(store.refused()) == 1
        assert store.receipt(CAR).startswith(b'{"upto": -1, "also": []')


NAMELESS, NUL = f"tbox/v1/{'a' * 65}/event", "tbox/v1/a\0/event"


@pytest.mark.parametrize("topic", ["tbox/v1/a", "tbox/v2/a/event", "x/v1/a/event", "tbox/v1/a/b/c", NAMELESS, NUL])
def test_other_topics_are_nothing_for_a_receiver(topic: str) -> None:
    assert arrival(topic, b"") is None


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_and_again_all_is_stored_once_and_the_receipt_says_so(tmp_path: Path, seed: int) -> None:
    records = [*two_boots(), *two_boots()]
    Random(seed).shuffle(records)
    with PlatformStore(tmp_path / "platform.db") as store:
        for record in records:
            assert store.take([Arrival(CAR, record.lane, record.raw)]).refused == []
        assert store.counts() == {"records": 18, "devices": 1, "refused": 0}
        assert b'"upto": 17, "also": []' in store.receipt(CAR)


@pytest.mark.parametrize("seed", range(2))
def test_an_account_under_three_keys_is_stored_in_any_order_of_lanes(tmp_path: Path, seed: int) -> None:
    records = list(rotated())
    Random(seed).shuffle(records)
    records.sort(key=lambda one: one.seq if one.lane == "event" else -1)
    with PlatformStore(tmp_path / "platform.db") as store:
        for record in records:
            assert store.take([Arrival(CAR, record.lane, record.raw)]).refused == []
        assert store.counts() == {"records": 28, "devices": 1, "refused": 0}


def replaced_key_seals() -> Record:
    book = ledger(1, _tail_of(list(rotated()[:11])))
    return book.seal(6)


def stranger_hands_over() -> Record:
    book = Ledger(DeviceKey(bytes(31) + b"\x09", KEY.device), 1, _tail_of(list(rotated()[:11])), IDENTITY)
    return book.rotate(5, OTHER_KEY, "stolen")[0]


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        pytest.param(replaced_key_seals, "which was replaced at seq 9", id="a seal by a key that was replaced"),
        pytest.param(stranger_hands_over, "a handover that the key before it did not sign", id="a stranger's handover"),
    ],
)
def test_what_the_key_in_force_did_not_sign_is_refused(tmp_path: Path, forge: Callable[[], Record], words: str) -> None:
    with PlatformStore(tmp_path / "platform.db") as store:
        assert store.take([Arrival(CAR, record.lane, record.raw) for record in rotated()[:11]]).refused == []
        (refused,) = store.take([Arrival(CAR, "event", forge().raw)]).refused
    assert words in refused.reason


def test_a_receipt_is_signed_for_the_device_and_the_record_it_ends_with(tmp_path: Path) -> None:
    platform = load_or_make(tmp_path / "platform.key")
    with PlatformStore(tmp_path / "platform.db", key=platform) as store:
        assert b"signature" not in store.receipt(CAR)
        store.take([Arrival(CAR, record.lane, record.raw) for record in two_boots()[:9]])
        receipt = parse_receipt(store.receipt(CAR), upto_max=17)
    assert receipt.is_by(platform.public, KEY.device)
    assert receipt.word is not None
    assert (receipt.upto, receipt.word.head) == (8, two_boots()[8].hash)
    assert abs(receipt.word.time_us / 1e6 - time.time()) < 3600


def test_what_a_gap_says_is_gone_counts_as_settled(tmp_path: Path) -> None:
    records = list(two_boots())
    book = ledger(2, _tail_of(records))
    records += book.gaps(9, [Loss(3, 4, "samples", "over budget", (records[3].hash, records[4].hash))])
    with PlatformStore(tmp_path / "platform.db") as store:
        store.take([Arrival(CAR, record.lane, record.raw) for record in records[:3] + records[5:]])
        assert b'"upto": 19, "also": []' in store.receipt(CAR)


def _tail_of(records: list[Record]) -> object:
    tail = ledger().tail
    for record in records:
        tail = tail.after(record)
    return tail


def test_of_very_many_islands_a_receipt_tells_the_lowest_and_nothing_above_counts_as_lost() -> None:
    room = Confirming("receipt", -1, 900.0)
    for seq in (0, 4000, 8000):
        room.acked(seq)
    stored = Ranges((seq, seq) for seq in range(0, 40_000, 4))
    assert room.receipt(receipt_of(stored, "e", None, b"", b""), 40_000) == (False, "")
    assert list(room.ready) == [(0, 0), (4000, 4000)]
    more = Ranges([*stored, *((seq, seq) for seq in range(2, 1000, 4))])  # now what is told ends before 4000
    assert room.receipt(receipt_of(more, "e", None, b"", b""), 40_000) == (False, "")
    assert list(room.ready) == [(0, 0), (4000, 4000)]
    fewer = Ranges((seq, seq) for seq in range(4, 40_000, 4))
    assert room.receipt(receipt_of(fewer, "e", None, b"", b""), 40_000)[0]


# End to end


class Terminal:
    """A terminal's outbox, writer, uplink and link, and the ledger that fills them."""

    def __init__(self, state: Path, port: int, platform: bytes = b"") -> None:
        self._outbox = Outbox.open(state / STORE_NAME, 64_000_000, "a")
        self.book = ledger(self._outbox.boot, self._outbox.tail())
        settings = UplinkSettings(
            confirm="receipt", backoff_s_min=0.1, backoff_s_max=0.2, receipt_s=1.0, platform_key=platform.hex()
        )
        uplink = open_uplink(settings, self._outbox, KEY.device)
        link = Link(plain(port), CAR, STATE, subscribed=("receipt",))
        self.delivery = Delivery(Writer(self._outbox), uplink, link)
        self.put(self.book.start(0, {}))

    def put(self, records: list[Record]) -> None:
        """Keep these."""
        assert self.delivery.writer.put(records)

    def turn_until(self, is_so: Callable[[], bool]) -> None:
        """Round and round until it is."""
        until_s = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < until_s, f"{self.delivery.said}; {self.delivery.uplink.counters()}"
            self.delivery.wait(0.05)
            losses = self.delivery.news()
            if losses:
                self.put(self.book.gaps(1, losses))
            self.delivery.tell(time.monotonic())

    def is_empty(self) -> bool:
        """Whether all is delivered."""
        return self.delivery.writer.is_settled and self.delivery.waiting == 0


@contextmanager
def receiver(store: Path, port: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "hil.receiver", "--store", str(store), "--broker", f"127.0.0.1:{port}", *more]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)


def stored(store: Path) -> int:
    if not store.exists():
        return 0
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def exported(store: Path, folder: Path) -> Path:
    words = [sys.executable, "-m", "hil.receiver", "--store", str(store), "--export", CAR]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    (folder / "records").write_bytes(done.stdout)
    return folder / "records"


def test_a_receiver_that_is_killed_again_and_again_stores_every_record_once(tmp_path: Path) -> None:
    store = tmp_path / "platform.db"
    with Mosquitto(tmp_path) as broker:
        terminal = Terminal(tmp_path / "state", broker.port)
        for trip in range(40):
            terminal.put(drive(terminal.book, trip * 1_000_000_000))
        for share in (0.2, 0.5, 0.8):
            with receiver(store, broker.port) as process:
                terminal.turn_until(lambda share=share: stored(store) > share * 282)
                process.kill()
        with receiver(store, broker.port):
            terminal.turn_until(terminal.is_empty)
        terminal.delivery.close()
    report = check([read_pile(exported(store, tmp_path))])
    assert (report.problems, report.records, report.dropped) == ([], 282, [])


def test_a_platform_restored_from_an_old_backup_is_made_whole_as_far_as_the_terminal_can(tmp_path: Path) -> None:
    store, backup = tmp_path / "platform.db", tmp_path / "backup.db"
    with Mosquitto(tmp_path) as broker:
        terminal = Terminal(tmp_path / "state", broker.port)
        with receiver(store, broker.port):
            terminal.put(drive(terminal.book, 0))
            terminal.turn_until(terminal.is_empty)
        shutil.copy(store, backup)
        with receiver(store, broker.port):
            for trip in range(1, 4):
                terminal.put(drive(terminal.book, trip * 1_000_000_000))
            terminal.turn_until(terminal.is_empty)
        with receiver(backup, broker.port, "--restored"):
            terminal.turn_until(lambda: "restored" in terminal.delivery.said)
            terminal.turn_until(lambda: not terminal.is_empty())
            terminal.turn_until(terminal.is_empty)
        terminal.delivery.close()
    report = check([read_pile(exported(backup, tmp_path))])
    assert report.problems == []
    assert [(entry["kind"], entry["reason"]) for entry in report.dropped] == [("health", GONE)] * 3
    assert report.records == 2 + 4 * 7 + 2 - 3


def test_where_the_platform_is_known_its_word_ends_up_on_the_terminal(tmp_path: Path) -> None:
    store, key = tmp_path / "platform.db", tmp_path / "platform.key"
    platform = load_or_make(key)
    with Mosquitto(tmp_path) as broker:
        terminal = Terminal(tmp_path / "state", broker.port, platform.public)
        with receiver(store, broker.port):
            terminal.turn_until(lambda: terminal.delivery.uplink.counters()["receipts_bad"] > 0)
            assert not terminal.is_empty()
        with receiver(store, broker.port, "--key", str(key)):
            terminal.turn_until(terminal.is_empty)
            terminal.turn_until(lambda: RECEIPT in read_pile(tmp_path / "state" / STORE_NAME).vouched)
        terminal.delivery.close()
    kept = read_pile(tmp_path / "state" / STORE_NAME).vouched[RECEIPT]
    assert parse_receipt(kept, upto_max=9).is_by(platform.public, KEY.device)


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--store", "no/folder/p.db", "--broker", "localhost:1"), 74, "give a file in a folder that is there"),
        (("--store", "p.db", "--broker", "localhost:x"), 2, "the port is a number"),
        (("--store", "p.db"), 2, "give either --broker or --export"),
        (("--store", "p.db", "--export", "nobody"), 66, "--export nobody: nothing of it is stored there"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, more: tuple[str, ...], code: int, says: str) -> None:
    words = [sys.executable, "-m", "hil.receiver", *more]
    done = subprocess.run(
        words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
