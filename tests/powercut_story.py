"""A story of a store: an outbox and its writer put to use as the loop does, with a diary of what they say."""

import os
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from agent.codec import Record, decode
from agent.ledger.key import KEY_NAME, load_or_make
from agent.outbox import outbox, writer
from agent.outbox.outbox import BUDGET_BYTES_MIN, Outbox
from agent.outbox.store import STORE_NAME
from agent.outbox.writer import News, Writer
from tests.accounts import ledger
from tests.powercut_look import Told

WAIT_S, TURN_S = 30.0, 0.05
FILL = 640
"""Records of 600 bytes that use up most of the budget."""

RESERVE_STEP = 16
"""Numbers are reserved every few groups, not once in a drive; and a confirmation does not wait for company."""


def hurry() -> None:
    """Let calls that are rare in a terminal come often, and all of them in the same order."""
    outbox.RESERVE_STEP = RESERVE_STEP
    writer.CONFIRM_WAIT_S = 0.0


class Author:
    """Gives a writer records, as the loop does, and writes down what the writer says."""

    def __init__(self, folder: Path, luck: Random, diary: int) -> None:
        self.luck, self._diary = luck, diary
        outbox = Outbox.open(folder / STORE_NAME, BUDGET_BYTES_MIN, "first boot")
        key = load_or_make(folder / KEY_NAME)
        self.book = ledger(outbox.boot, outbox.tail(), key)
        self._begin = outbox.tail().next_seq
        self.writer = Writer(outbox)
        self._synced_upto = self._begin - 1
        self.put(self.book.start(0, {}))

    def drive(self, count: int) -> None:
        """So many records, some confirmed, some dropped for want of room."""
        while self.book.tail.next_seq < self._begin + count:
            self.put([one for _ in range(self.luck.randrange(1, 4)) for one in self._some()])
            if self.luck.random() < 0.7:
                self.settle()
            if self.luck.random() < 0.2:
                self._confirm()

    def fill(self) -> None:
        """Most of the budget."""
        for _ in range(FILL // 40):
            self.put([one for _ in range(40) for one in self.book.number("samples", 1, self.data())])
            self.settle()

    def deliver_again(self) -> None:
        """All that was delivered is asked for again, in two parts."""
        self.settle()
        self.deliver(0, self._synced_upto)
        for span in ((0, self._synced_upto // 2), (self._synced_upto // 2 + 1, self._synced_upto)):
            self.ask_again([span])

    def ask_again(self, spans: Sequence[tuple[int, int]]) -> None:
        """These are to be delivered once more."""
        for first, last in spans:
            self.tell("ask", first, last)
        self.writer.reopen(spans)
        self.wait(lambda news: news.is_reopened)
        self.settle()

    def close(self) -> None:
        """In order."""
        self.settle()
        assert self.writer.close(), self.writer.failure

    def _some(self) -> list[Record]:
        """What a drive makes."""
        kind = self.luck.choice(("samples", "samples", "event", "health", "trip_end"))
        return self.book.number(kind, 1, self.data() if kind == "samples" else {"event": "idling", "end_us": 1})

    def data(self) -> dict[str, bytes]:
        """What samples hold."""
        return {"data": self.luck.randbytes(600)}

    def put(self, records: Sequence[Record]) -> None:
        """Into the writer."""
        journal = b"" if any(one.kind == "trip_end" for one in records) else str(records[-1].seq).encode()
        self.tell("put", journal.hex(), *(one.raw.hex() for one in records))
        assert self.writer.put(records, journal)

    def settle(self) -> None:
        """Until all that was put is synced, and what had to be dropped for it is said."""
        self.wait(lambda _: self.writer.is_settled)
        while self._hear() or not self.writer.is_settled:
            self.wait(lambda _: self.writer.is_settled)

    def wait(self, is_enough: Callable[[News], bool]) -> None:
        """Until the writer has told that."""
        give_up_s = time.monotonic() + WAIT_S
        while not is_enough(self._hear()):
            assert time.monotonic() < give_up_s, "the writer does not come to an end"
            select.select([self.writer.fileno()], [], [], TURN_S)

    def _hear(self) -> News:
        """The news; what is synced is written down, what was dropped is said."""
        news = self.writer.take()
        if news.synced:
            self._synced_upto = max(seq for seq, _ in news.synced)
            self.tell("synced", self._synced_upto)
        if news.is_reopened:
            self.tell("reopen")
        if gaps := self.book.gaps(1, news.losses):
            self.put(gaps)
        return news

    def _confirm(self) -> None:
        """Some of what was synced is delivered."""
        if self._synced_upto > 0:
            last = self.luck.randrange(self._synced_upto)
            self.deliver(max(0, last - self.luck.randrange(300)), last)

    def deliver(self, first: int, last: int) -> None:
        """These are delivered."""
        self.tell("confirm", first, last)
        self.writer.confirm(range(first, last + 1))

    def tell(self, *words: object) -> None:
        """Into the diary."""
        os.write(self._diary, " ".join(map(str, words)).encode() + b"\n")


def hear(told: Told, line: str) -> None:
    """A line of the diary."""
    what, *words = line.split(" ")
    if what == "put":
        told.put([decode(bytes.fromhex(word)) for word in words[1:]], bytes.fromhex(words[0]))
    elif what == "synced":
        told.synced_upto = int(words[0])
    elif what == "reopen":
        told.reopen()
    elif what == "erase":
        told.erasing = {int(word) for word in words}
    else:
        {"confirm": told.confirm, "ask": told.ask}[what](int(words[0]), int(words[1]))
