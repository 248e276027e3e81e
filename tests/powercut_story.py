"""A story of a store: an outbox and its writer put to use as the loop does, with a diary of what they say."""

import os
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import agent.outbox
import agent.writer
from agent.codec import Record, decode
from agent.key import KEY_NAME, load_or_make
from agent.outbox import BUDGET_BYTES_MIN, Outbox
from agent.store import STORE_NAME
from agent.writer import News, Writer
from tests.accounts import ledger
from tests.powercut_look import Told

WAIT_S, TURN_S = 30.0, 0.05
FILL = 640
"""Records of 600 bytes that use up most of the budget."""

RESERVE_STEP = 16
"""Numbers are reserved every few groups, not once in a drive; and a confirmation does not wait for company."""


def hurry() -> None:
    """Let calls that are rare in a terminal come often, and all of them in the same order."""
    agent.outbox.RESERVE_STEP = RESERVE_STEP
    agent.writer.CONFIRM_WAIT_S = 0.0


class Author:
    """Gives a writer records, as the loop does, and writes down what the writer says."""

    def __init__(self, folder: Path, luck: Random, diary: int) -> None:
        self._luck, self._diary = luck, diary
        outbox = Outbox.open(folder / STORE_NAME, BUDGET_BYTES_MIN, "first boot")
        key = load_or_make(folder / KEY_NAME)
        self._book = ledger(outbox.boot, outbox.tail(), key)
        self._begin = outbox.tail().next_seq
        self._writer = Writer(outbox)
        self._synced_upto = self._begin - 1
        self._put(self._book.start(0, {}))

    def drive(self, count: int) -> None:
        """So many records, some confirmed, some dropped for want of room."""
        while self._book.tail.next_seq < self._begin + count:
            self._put([one for _ in range(self._luck.randrange(1, 4)) for one in self._some()])
            if self._luck.random() < 0.7:
                self._settle()
            if self._luck.random() < 0.2:
                self._confirm()

    def fill(self) -> None:
        """Most of the budget."""
        for _ in range(FILL // 40):
            self._put([one for _ in range(40) for one in self._book.number("samples", 1, self._data())])
            self._settle()

    def deliver_again(self) -> None:
        """All that was delivered is asked for again, in two parts."""
        self._settle()
        self._deliver(0, self._synced_upto)
        for first, last in ((0, self._synced_upto // 2), (self._synced_upto // 2 + 1, self._synced_upto)):
            self._tell("ask", first, last)
            self._writer.reopen([(first, last)])
            self._wait(lambda news: news.is_reopened)
            self._settle()

    def close(self) -> None:
        """In order."""
        self._settle()
        assert self._writer.close(), self._writer.failure

    def _some(self) -> list[Record]:
        """What a drive makes."""
        kind = self._luck.choice(("samples", "samples", "event", "health", "trip_end"))
        return self._book.number(kind, 1, self._data() if kind == "samples" else {"event": "idling", "end_us": 1})

    def _data(self) -> dict[str, bytes]:
        return {"data": self._luck.randbytes(600)}

    def _put(self, records: Sequence[Record]) -> None:
        journal = b"" if any(one.kind == "trip_end" for one in records) else str(records[-1].seq).encode()
        self._tell("put", journal.hex(), *(one.raw.hex() for one in records))
        assert self._writer.put(records, journal)

    def _settle(self) -> None:
        """Until all that was put is synced, and what had to be dropped for it is said."""
        self._wait(lambda _: self._writer.is_settled)
        while self._hear() or not self._writer.is_settled:
            self._wait(lambda _: self._writer.is_settled)

    def _wait(self, is_enough: Callable[[News], bool]) -> None:
        """Until the writer has told that."""
        give_up_s = time.monotonic() + WAIT_S
        while not is_enough(self._hear()):
            assert time.monotonic() < give_up_s, "the writer does not come to an end"
            select.select([self._writer.fileno()], [], [], TURN_S)

    def _hear(self) -> News:
        """The news; what is synced is written down, what was dropped is said."""
        news = self._writer.take()
        if news.synced:
            self._synced_upto = max(seq for seq, _ in news.synced)
            self._tell("synced", self._synced_upto)
        if news.is_reopened:
            self._tell("reopen")
        if gaps := self._book.gaps(1, news.losses):
            self._put(gaps)
        return news

    def _confirm(self) -> None:
        """Some of what was synced is delivered."""
        if self._synced_upto > 0:
            last = self._luck.randrange(self._synced_upto)
            self._deliver(max(0, last - self._luck.randrange(300)), last)

    def _deliver(self, first: int, last: int) -> None:
        self._tell("confirm", first, last)
        self._writer.confirm(range(first, last + 1))

    def _tell(self, *words: object) -> None:
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
    else:
        {"confirm": told.confirm, "ask": told.ask}[what](int(words[0]), int(words[1]))
