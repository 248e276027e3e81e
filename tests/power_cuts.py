"""The power goes at any write: the store must come back whole, with all that it had said was safe.

    python -m tests.power_cuts [--seed N] [--records N] [--cuts N] [--block BYTES]

In a kernel that comes along, the agent's writer fills a store on ext4 over dm-log-writes, with marks in the log of what
it reported as synced and what was confirmed. Then the disk is made as it was at flushes of that log, and on the way to
them, with some sectors written and some not; each time it is mounted, the store opened, looked at, and written to.
"""

import argparse
import json
import os
import select
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from agent.codec import Record
from agent.errors import TboxError
from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.outbox.writer import Writer
from hil import kernel
from hil.faults import block_log
from hil.faults.block_log import Cut, Entry
from hil.faults.flash import Flash, Slot
from tests.accounts import ledger
from tests.powercut_look import Told, look, prove

ROOT = Path(__file__).resolve().parent.parent
BUDGET_BYTES = 700_000
WAIT_S, TURN_S = 30.0, 0.05
SUPERBLOCK_AT = 1024
BAD_MAX = 5
PROVE_EVERY = 20
"""`tbox verify` looks at every record: this often."""
TELL_EVERY = 250
LIMIT_S = 3600.0


@dataclass(slots=True)
class Story:
    """What was done on the disk: its log, the disk before it, and the records by number."""

    log: list[Entry]
    disk: bytearray
    records: dict[int, Record]
    journals: dict[int, bytes]


class Author:
    """Gives a writer records, as the loop does, and marks in the disk's log what the writer says."""

    def __init__(self, flash: Flash, luck: Random) -> None:
        outbox = Outbox.open(flash.folder / STORE_NAME, BUDGET_BYTES, "first boot")
        self._flash, self._luck = flash, luck
        self._book = ledger(outbox.boot, outbox.tail())
        self._writer = Writer(outbox)
        self._synced_upto = -1
        self.records: dict[int, Record] = {}
        self.journals: dict[int, bytes] = {}

    def write(self, count: int) -> None:
        """So many records, some confirmed, some dropped for want of room."""
        self._put(self._book.start(0, {}))
        while self._book.tail.next_seq < count:
            self._put([one for _ in range(self._luck.randrange(1, 4)) for one in self._some()])
            if self._luck.random() < 0.7:
                self._settle()
            if self._luck.random() < 0.1:
                self._confirm()
        self._settle()
        assert self._writer.close(), self._writer.failure

    def _some(self) -> list[Record]:
        """What a drive makes."""
        kind = self._luck.choice(("samples", "samples", "samples", "event", "health", "trip_end"))
        body = {"data": self._luck.randbytes(600)} if kind == "samples" else {"event": "idling", "end_us": 1}
        return self._book.number(kind, 1, body)

    def _put(self, records: Sequence[Record]) -> None:
        self.records |= {one.seq: one for one in records}
        self.journals[records[-1].seq] = str(records[-1].seq).encode()
        assert self._writer.put(records, self.journals[records[-1].seq])

    def _settle(self) -> None:
        """Until all that was put is synced."""
        give_up_s = time.monotonic() + WAIT_S
        while self._hear() or not self._writer.is_settled:
            assert time.monotonic() < give_up_s, "the writer does not come to an end"
            select.select([self._writer.fileno()], [], [], TURN_S)

    def _hear(self) -> bool:
        """Whether there was news: what is synced is marked, what was dropped is said."""
        news = self._writer.take()
        if news.synced:
            self._synced_upto = max(seq for seq, _ in news.synced)
            self._flash.mark(f"synced:{self._synced_upto}")
        if gaps := self._book.gaps(1, news.losses):
            self._put(gaps)
        return bool(news)

    def _confirm(self) -> None:
        """A span of what was synced is delivered."""
        if self._synced_upto > 0:
            last = self._luck.randrange(self._synced_upto)
            first = max(0, last - self._luck.randrange(300))
            self._flash.mark(f"confirmed:{first}:{last}")
            self._writer.confirm(range(first, last + 1))


def tell(folder: Path, luck: Random, count: int, block_bytes: int) -> Story:
    """Fill a store; what the disk was told meanwhile."""
    flash = Flash(folder / "mounted", folder / "files", block_bytes)
    flash.make("logged")
    author = Author(flash, luck)
    author.write(count)
    flash.unmount()
    story = Story(flash.log(), flash.first(), author.records, author.journals)
    flash.mount("plain")
    flash.close()
    return story


def plan(log: Sequence[Entry], count: int, luck: Random) -> list[Cut]:
    """So many cuts, in order: at flushes, and on the way to them."""
    at = [Cut(point) for point in block_log.points(log)]
    rounds = 1 + 2 * count // len(at)
    way = [torn for _ in range(rounds) for cut in at if (torn := block_log.torn(log, cut.upto, luck))]
    way = [cut for cut in way if not _tears_superblock(log, cut)]
    luck.shuffle(way)
    chosen = luck.sample(at, min(len(at), count // 3))
    return sorted(chosen + way[: count - len(chosen)], key=lambda cut: cut.upto)


def _tears_superblock(log: Sequence[Entry], cut: Cut) -> bool:
    """Whether it keeps one sector of ext4's superblock without the other: no small disk survives that, it has no copy."""
    pieces = set(cut.pieces)
    for number in {number for number, _ in pieces}:
        first = (SUPERBLOCK_AT - log[number].place) // log[number].sector_bytes
        if ((number, first) in pieces) != ((number, first + 1) in pieces):
            return True
    return False


def hear(told: Told, mark: str) -> None:
    """One mark of the log."""
    what, *numbers = mark.split(":")
    if what == "synced":
        told.synced_upto = int(numbers[0])
    elif what == "confirmed":
        told.confirm(int(numbers[0]), int(numbers[1]))


def try_all(story: Story, cuts: Sequence[Cut], folder: Path) -> Iterator[str]:
    """Each cut: what is wrong with it, in a line; empty: nothing."""
    slot = Slot(folder / "slot", folder / "files")
    told, done = Told(story.records, story.journals), 0
    for number, cut in enumerate(cuts, 1):
        block_log.replay(story.log, Cut(cut.upto), story.disk, done)
        for mark in block_log.marks(story.log[done : cut.upto]):
            hear(told, mark)
        done = cut.upto
        try:
            with slot.holding(story.disk, block_log.written(story.log, cut, done)) as mounted:
                found = list(look(mounted / STORE_NAME, told, BUDGET_BYTES))
                found += prove(mounted / STORE_NAME, told) if number % PROVE_EVERY == 0 else []
        except (TboxError, OSError) as why:
            found = [str(why)]
        yield f"entry {cut.upto}, {len(cut.pieces)} sectors after it: {'; '.join(found[:3])}" if found else ""
    slot.close()


def inside(options: argparse.Namespace) -> int:
    """All of it; 0 when nothing was wrong."""
    luck = Random(options.seed)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="power-cuts-", ignore_cleanup_errors=True) as name:
        begin_s = time.monotonic()
        story = tell(Path(name), luck, options.records, options.block)
        cuts = plan(story.log, options.cuts, luck)
        points = len(block_log.points(story.log))
        print(f"{len(story.records)} records, {points} flushes, {time.monotonic() - begin_s:.1f} s", flush=True)
        begin_s, number = time.monotonic(), 0
        for number, words in enumerate(try_all(story, cuts, Path(name)), 1):
            bad += bool(words)
            if words:
                print(f"cut {number}: {words}", flush=True)
            if number % TELL_EVERY == 0 or number == len(cuts):
                print(f"{number} cuts, {bad} bad, {time.monotonic() - begin_s:.1f} s", flush=True)
            if bad == BAD_MAX:
                break
    print(json.dumps({"part": "block", "cuts": number, "bad": bad, "took_s": round(time.monotonic() - begin_s, 1)}))
    return 1 if bad else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Boot and run it; in there, run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.power_cuts", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=1500, help="how many are written")
    parser.add_argument("--cuts", type=int, default=3000)
    parser.add_argument("--block", type=int, default=4096, choices=(1024, 4096), help="block size of ext4, in bytes")
    options = parser.parse_args(arguments)
    if kernel.is_inside():
        return inside(options)
    if not kernel.is_here():
        print(
            "no kernel to bring along: install user-mode-linux, kmod and iproute2 (Debian's packages)", file=sys.stderr
        )
        return 69
    words = [f"--{name}={value}" for name, value in vars(options).items()]
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    with tempfile.TemporaryDirectory(prefix="power-cuts-", dir=ROOT / "out") as name:
        command = [sys.executable, "-m", "tests.power_cuts", *words]
        done = kernel.run(command, Path(name), environment=environment, limit_s=LIMIT_S)
    print(done.said, end="")
    return 1 if done.code is None else done.code


if __name__ == "__main__":
    sys.exit(main())
