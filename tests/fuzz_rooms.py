"""Rooms that read what strangers wrote, fed with spoilt bytes: `python -m tests.fuzz_rooms 1000000 [ROOM...]`.

Each input must be taken, or refused with the room's own error; a whole account that passes `verify` must be the true one.
The seed is printed; the same seed gives the same inputs.
"""

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent.clock import Stamp
from agent.codec import ZEROS
from agent.errors import InputError
from agent.fleet import Certificate
from agent.key import DeviceKey
from agent.key_chain import told_of
from agent.outbox import Outbox
from agent.proof import check
from agent.receipt import Ranges, Receipt, ReceiptError, parse_receipt, signed
from agent.recordfile import head_frame, read_pile
from agent.resume import Left, left_by
from agent.salvage import records_in
from agent.setup import NO_REST
from agent.store import STORE_NAME
from agent.vouching import Known as Keys
from hil.receiver.intake import Arrival, Known, fault, read
from tests.accounts import KEY, framed, rotated, two_boots

SEED = 20261122
TOLD_S = 10.0
FLEET, PLATFORM = DeviceKey(bytes([70]) * 32), DeviceKey(bytes([80]) * 32)
Dice = random.Random


def spoilt(dice: Dice, data: bytes) -> bytes:
    """A few changes: bytes altered, cut, doubled, put in, exchanged."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 5, 20))):
        at = dice.randrange(len(out) + 1)
        match dice.randrange(5):
            case 0 if at < len(out):
                out[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(out):
                out[at] = dice.choice((0, 0x7F, 0x80, 0xC0, 0xC1, 0xDF, 0xFF, dice.randrange(256)))
            case 2:
                del out[at : at + dice.choice((1, 2, 8, 1000))]
            case 3:
                out[at:at] = out[at : at + dice.choice((1, 2, 8, 64))]
            case _:
                out[at:at] = dice.randbytes(dice.choice((1, 2, 4, 9)))
    return bytes(out)


class Rooms:
    """Each method takes one spoilt input; what it asserts is the room's promise."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "spoilt"
        self._records = {one.seq: one.raw for one in two_boots()}
        self._account = framed(two_boots())
        self._three_keys = {one.seq: one.raw for one in rotated()}
        self._vouched = _vouched()
        self._receipt = b'{"upto": 41, "also": [[50, 60], [70, 70]], "epoch": "3f"}'
        self._journal = Left(3, Stamp("k", 5, 7), NO_REST, is_clean=False, trip_end={"trip": 4}).journal()
        self._store = _store(folder)

    def verify(self, dice: Dice) -> None:
        """What a receiver wrote: read, checked; good only if it is what the device made, from its begin to some seal."""
        data = spoilt(dice, self._account)
        self._file.write_bytes(data)
        try:
            report = check([read_pile(self._file)], Keys(KEY.public))
        except InputError:
            return
        if report.is_good:
            there = {one.seq: one.raw for one in read_pile(self._file).records}
            assert there.items() <= self._records.items(), "an altered account was called good"
            assert there.keys() >= set(range(min(there), report.sealed_upto + 1)), "a hole was called good"

    def rotated(self, dice: Dice) -> None:
        """The same of an account with three keys, a fleet's certificate and a platform's receipt at its head."""
        self._file.write_bytes(spoilt(dice, self._vouched))
        try:
            pile = read_pile(self._file)
        except InputError:
            return
        report = check([pile], Keys(KEY.public, FLEET.public, PLATFORM.public))
        if report.is_good and pile.is_export:
            there = {one.seq: one.raw for one in pile.records}
            assert there.items() <= self._three_keys.items(), "an altered account was called good"
            assert there.keys() >= set(range(min(there), report.sealed_upto + 1)), "a hole was called good"
            assert (report.fleet or {})["name"] == "B-TB 42", "a fleet that vouches for nothing of the kind"
            assert report.confirmed is None or report.confirmed["upto"] == 20, "a receipt that was never signed"

    def receipt(self, dice: Dice) -> None:
        """What a broker sends: at most what was ever made is believed."""
        try:
            receipt = parse_receipt(spoilt(dice, self._receipt), upto_max=99)
        except ReceiptError:
            return
        assert all(0 <= first <= last <= 99 for first, last in receipt.stored)

    def journal(self, dice: Dice) -> None:
        """What a power cut left."""
        left = left_by(spoilt(dice, self._journal))
        assert left is None or isinstance(left.rest.driven_us, int)

    def salvage(self, dice: Dice) -> None:
        """A damaged store: only true records come out of it."""
        self._file.write_bytes(spoilt(dice, self._store))
        found = {seq: one.raw for seq, one in records_in(self._file).items()}
        assert found.items() <= self._records.items(), "a record that was never made"

    def receiver(self, dice: Dice) -> None:
        """What a terminal sends: beside its neighbours only the true record is taken."""
        records = two_boots()
        seq = dice.randrange(len(records))
        record = read(Arrival("car", records[seq].lane, spoilt(dice, records[seq].raw)))
        if isinstance(record, str) or record.seq != seq:
            return
        before = records[seq - 1].hash if seq else ZEROS
        after = records[seq + 1].prev if seq + 1 < len(records) else None
        if not fault(record, Known(None, before, after, KEY.device, KEY.public)):
            assert record.raw == records[seq].raw, f"another record {seq} was taken"


def _vouched() -> bytes:
    """An export of the account with three keys."""
    receipt = signed(Receipt(Ranges([(0, 20)]), "3f"), PLATFORM, KEY.device, 7, rotated()[20].hash)
    certificate = Certificate.signed(FLEET, KEY.device, KEY.public, "B-TB 42", 7)
    told = {"chain": told_of(map(rotated().__getitem__, (9, 18))), "certificate": certificate.told()}
    return head_frame(KEY.public, 0, told | {"receipt": receipt.text()}) + framed(rotated())


def _store(folder: Path) -> bytes:
    """A small store, whole in one file."""
    outbox = Outbox.open(folder / "state" / STORE_NAME, 64_000_000, "a")
    outbox.append(two_boots())
    outbox.close()
    content = (folder / "state" / STORE_NAME).read_bytes()
    shutil.rmtree(folder / "state")
    return content


def fuzz(name: str, room: Callable[[Dice], None], count: int, seed: int = SEED) -> float:
    """So many inputs; inputs a second. An AssertionError, or any other, names the input's number."""
    begin_s = told_s = time.monotonic()
    for number in range(count):
        try:
            room(random.Random(seed * 1_000_003 + number))
        except Exception as error:
            raise AssertionError(f"{name}: input {number} of seed {seed}: {error!r}") from error
        if time.monotonic() - told_s > TOLD_S:
            told_s = time.monotonic()
            print(f"{name}: {number} of {count}", file=sys.stderr, flush=True)
    return count / (time.monotonic() - begin_s)


def main(words: list[str]) -> int:
    """Every room, or those named."""
    count, *names = words or ["100000"]
    with tempfile.TemporaryDirectory() as folder:
        rooms = Rooms(Path(folder))
        known = [name for name in vars(Rooms) if not name.startswith("_")]
        for name in names or known:
            rate = fuzz(name, getattr(rooms, name), int(count))
            print(f"{name}: {count} inputs, seed {SEED}, {rate:.0f} a second: nothing found", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
