"""Rooms that read what strangers wrote, fed with spoilt bytes: `python -m tests.fuzz_rooms 1000000 [ROOM...]`.

Each input must be taken, or refused with the room's own error; a whole account that passes `verify` must be the true one.
The seed is printed; the same seed gives the same inputs, however many processes share them. What is spoilt is mostly as
it was: whether a signature holds, and what a whole record says, is asked once (`remember`).
"""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import cache, lru_cache, partial
from pathlib import Path

import nacl.bindings

from agent.codec import ZEROS
from agent.desk import commands, desired
from agent.errors import BundleError, InputError
from agent.ledger.fleet import Certificate
from agent.ledger.key import DeviceKey
from agent.ledger.key_chain import told_of
from agent.ledger.receipt import Ranges, Receipt, ReceiptError, parse_receipt, signed
from agent.outbox import recordfile
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import head_frame, read_pile
from agent.outbox.salvage import records_in
from agent.outbox.store import STORE_NAME
from agent.proof.proof import check
from agent.proof.vouching import Known as Keys
from agent.setup import NO_REST
from agent.trip.resume import Left, left_by
from agent.trust import archive
from agent.trust.bundle import Bundle
from agent.world.clock import Stamp
from hil.receiver.intake import Arrival, Known, fault, read
from tests import remotes
from tests.accounts import KEY, framed, rotated, two_boots
from tests.fleets import ANNA, BEN, bundle_of, roster_form, signed_roster, trust_of
from tests.powercut_shim import fast_folder

SEED = 20261122
PORTION = 5_000
JOBS = 2
REMEMBERED = 4096
TRUST = trust_of(signed_roster(roster_form(threshold=1), [ANNA]))
NEXT = signed_roster(roster_form(2, revoked=[BEN], threshold=1), [ANNA])
BUNDLE = bundle_of(
    {"tbox.toml": b"[trip]\nend_s = 200\n", "maps/van.toml": b"x", "trust/acme.json": NEXT.text()}, [ANNA]
)
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

    def bundle(self, dice: Dice) -> None:
        """What lies on a technician's stick: spoilt as a whole, or one entry of it; only the true one is trusted."""
        entries = dict(BUNDLE.entries())
        name = dice.choice((*entries, ""))
        try:
            raw = archive.compose(entries | {name: spoilt(dice, entries[name])}) if name else spoilt(dice, BUNDLE.raw())
            bundle = Bundle.read(raw)
            TRUST.check(bundle, None)
        except BundleError:
            return
        assert bundle.content == BUNDLE.content, "a bundle that was never signed"

    def trust(self, dice: Dice) -> None:
        """A trust document: only what the root keys signed takes over."""
        try:
            learned = TRUST.learned([spoilt(dice, NEXT.text())])
        except BundleError:
            return
        assert learned.rosters["acme"].form in (TRUST.rosters["acme"].form, NEXT.form), "nobody signed that"

    def command(self, dice: Dice) -> None:
        """What a broker sends as a command: only what the fleet signed is done, with the numbers that it signed."""
        try:
            order = commands.parse("indicator", spoilt(dice, remotes.INDICATOR), remotes.TOPIC)
        except commands.OrderError:
            return
        verdict, memory = commands.decide(order, remotes.DEVICE, remotes.TRUST, commands.Memory(), remotes.NOW)
        assert order.response.startswith("response"), "an answer that goes elsewhere"
        if not verdict.reason:
            assert (verdict.args, list(memory.taken)) == ({"seconds": 5}, [f"{1:032x}"]), "done, and nobody signed that"

    def desired(self, dice: Dice) -> None:
        """What a broker sends as a desired configuration: a document and a bundle within bounds, or nothing."""
        with suppress(desired.DesiredError):
            document = desired.parse(spoilt(dice, remotes.DESIRED))
            assert 0 < len(document.name) <= desired.DOCUMENT_MAX

    def receiver(self, dice: Dice) -> None:
        """What a terminal sends: beside its neighbours only the true record is taken."""
        records = two_boots()
        seq = dice.randrange(len(records))
        record = read(Arrival("car", records[seq].lane, spoilt(dice, records[seq].raw)))
        if isinstance(record, str) or record.seq != seq:
            return
        before = records[seq - 1].hash if seq else ZEROS
        after = records[seq + 1].prev if seq + 1 < len(records) else None
        is_tail = after is None and record.kind != "seal"
        """Nothing that is signed or comes after it speaks against it yet."""
        if not fault(record, Known(None, before, after, KEY.device, KEY.public)) and not is_tail:
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


def fuzz(name: str, room: Callable[[Dice], None], count: int, seed: int = SEED, first: int = 0) -> None:
    """So many inputs, from this number on. An AssertionError, or any other, names the input's number."""
    for number in range(first, first + count):
        try:
            room(random.Random(seed * 1_000_003 + number))
        except Exception as error:
            raise AssertionError(f"{name}: input {number} of seed {seed}: {error!r}") from error


def remember() -> None:
    """Answers of two pure functions, for they take half of the time."""
    for room, name in ((nacl.bindings, "crypto_sign_open"), (recordfile, "decode")):
        setattr(room, name, lru_cache(REMEMBERED)(getattr(room, name)))


def portion(folder: Path, name: str, count: int, first: int) -> int:
    """In a process of its own: so many inputs of a room; how many they were."""
    own = folder / str(os.getpid())
    own.mkdir(exist_ok=True)
    fuzz(name, getattr(rooms_in(own), name), count, first=first)
    return count


@cache
def rooms_in(folder: Path) -> Rooms:
    """All rooms, made once a process."""
    remember()
    return Rooms(folder)


def share_out(pool: ProcessPoolExecutor, folder: Path, name: str, count: int) -> None:
    """So many inputs of a room, and what came of it."""
    begin_s, done = time.monotonic(), 0
    firsts = range(0, count, PORTION)
    sizes = [min(PORTION, count - first) for first in firsts]
    for size in pool.map(partial(portion, folder, name), sizes, firsts):
        done += size
        print(f"\r{name}: {done} of {count}", end="", file=sys.stderr, flush=True)
    rate = count / (time.monotonic() - begin_s)
    print(f"\r{name}: {count} inputs, seed {SEED}, {rate:.0f} a second: nothing found", flush=True)


def main(words: list[str]) -> int:
    """Every room, or those named."""
    count, *names = words or ["1000000"]
    known = [name for name in vars(Rooms) if not name.startswith("_")]
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder, ProcessPoolExecutor(JOBS) as pool:
        for name in names or known:
            share_out(pool, Path(folder), name, int(count))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
