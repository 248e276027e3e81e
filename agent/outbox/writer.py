"""The one thread that waits for flash, so that the loop never does.

The loop puts records in and asks for others; when `fileno()` is readable, `take()` has news. Records that wait are
committed together, up to GROUP_BYTES: a slow disk makes larger groups, not a longer queue of syncs. They are bounded:
`put` says no when too much waits, and whoever was told no keeps them and reads no further. Confirmations wait up to
CONFIRM_WAIT_S for company, which spares the flash; one lost with the power only means that a record is sent again.
"""

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from agent.capture import captured
from agent.capture.captured import Caught
from agent.codec import Record
from agent.ledger.ledger import Loss
from agent.outbox.outbox import Outbox

QUEUE_BYTES = 4 * 1024 * 1024
GROUP_BYTES = 256 * 1024
CONFIRM_WAIT_S = 1.0
CONFIRMS_MAX = 256
CLOSE_S = 10.0

Request = tuple[str, int, int]
"""Lane, number above which, rows at most."""

Rows = list[tuple[int, bytes]]
Question = Callable[[sqlite3.Connection], Any]


@dataclass(slots=True)
class News:
    """What the thread has done since the loop last asked."""

    synced: list[tuple[int, str]] = field(default_factory=list)  # number and lane, now safe to publish
    fetched: list[tuple[Request, Rows]] = field(default_factory=list)  # what was asked, and the rows, lowest first
    losses: list[Loss] = field(default_factory=list)  # dropped: the ledger must number gap records for them
    answered: list[tuple[str, Any]] = field(default_factory=list)  # name of what was asked, and what came of it
    is_reopened: bool = False  # what `reopen` asked for is done

    def __bool__(self) -> bool:
        return bool(self.synced or self.fetched or self.losses or self.answered or self.is_reopened)


@dataclass(slots=True)
class _Put:
    """Records that belong together, and the journal as it is after them."""

    records: Sequence[Record]
    journal: bytes | None
    changes: Caught
    size: int


class Writer:
    """Owns the outbox from here on; every method returns at once but `close`. Use it from one thread, the loop's."""

    def __init__(self, outbox: Outbox, queue_bytes: int = QUEUE_BYTES) -> None:
        self._outbox = outbox
        self._queue_bytes = queue_bytes
        self._waiting_bytes = 0
        self._unsettled = 0
        self._puts: deque[_Put] = deque()
        self._fetches: list[Request] = []
        self._questions: list[tuple[str, Question]] = []
        self._confirms: list[tuple[int, int]] = []
        self._reopens: list[tuple[int, int]] = []
        self._confirm_by_s = 0.0
        self._news = News(losses=outbox.losses())
        self._depth = outbox.depth()
        self._used_bytes = outbox.used_bytes()
        self._written_bytes = 0
        self._failure: BaseException | None = None
        self._is_closing = False
        self._turn = threading.Condition()
        self._wake = os.eventfd(int(bool(self._news)), os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when `take` has something, or raises."""
        return self._wake

    def put(self, records: Sequence[Record], journal: bytes | None = None, changes: Caught = ()) -> bool:
        """Keep these, in one transaction (and the journal; b"" clears it); False, and nothing is taken: too much waits.

        `changes` are of what is caught of a crash. Raises what made the thread stop, a StorageError if the disk did.
        """
        with self._turn:
            self._raise_failure()
            if self._waiting_bytes >= self._queue_bytes:
                return False
            size = sum(len(record.raw) for record in records) + captured.size(changes)
            put = _Put(tuple(records), journal, tuple(changes), size)
            self._waiting_bytes += put.size
            self._unsettled += 1
            self._puts.append(put)
            self._turn.notify()
        return True

    def fetch(self, lane: str, after_seq: int, limit: int) -> None:
        """Ask for unconfirmed records of a lane beyond a number; they come in `News.fetched`."""
        with self._turn:
            self._fetches.append((lane, after_seq, limit))
            self._turn.notify()

    def confirm(self, seqs: Iterable[int]) -> None:
        """These are delivered."""
        with self._turn:
            if not self._confirms:
                self._confirm_by_s = monotonic() + CONFIRM_WAIT_S
            self._confirms += [(seq, seq) for seq in seqs]
            self._turn.notify()

    def reopen(self, spans: Iterable[tuple[int, int]]) -> None:
        """These are to be delivered again, as far as they are here; what is not comes in `News.losses`.

        What was confirmed before may be among them, and is seen to first.
        """
        with self._turn:
            self._confirm_by_s = 0.0
            self._reopens += spans
            self._turn.notify()

    def ask(self, name: str, do: Question) -> None:
        """Do this in a transaction of its own (`Outbox.within`); what it returns comes in `News.answered`."""
        with self._turn:
            self._questions.append((name, do))
            self._turn.notify()

    def take(self) -> News:
        """The news, once; raises what made the thread stop when there is no more."""
        with self._turn:
            news, self._news = self._news, News()
            if not news:
                self._raise_failure()
            if self._failure is None:
                self._quieten()
        return news

    @property
    def failure(self) -> BaseException | None:
        """Why the thread stopped; None while it works."""
        return self._failure

    @property
    def depth(self) -> dict[str, int]:
        """Synced records waiting for confirmation, by lane."""
        return dict(self._depth)

    @property
    def is_settled(self) -> bool:
        """Whether all that was put is synced and counted in `depth`."""
        return self._unsettled == 0

    @property
    def used_bytes(self) -> int:
        """Bytes of the store in use, as of the last commit."""
        return self._used_bytes

    @property
    def written_bytes(self) -> int:
        """Bytes written to the store since the start, its log included: what wears the flash."""
        return self._written_bytes

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Write what waits and close the outbox; False when the disk did not manage in time. Raises no failure."""
        with self._turn:
            self._is_closing = True
            self._turn.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1
        return self._failure is None

    def _run(self) -> None:
        """The thread: work as long as there is any, and hand any failure to the loop."""
        try:
            try:
                while self._step():
                    pass
            finally:
                self._outbox.close()
        except BaseException as error:  # noqa: BLE001  the loop raises it again, whatever it is
            with self._turn:
                self._failure = error
                self._ring()

    def _step(self) -> bool:
        """Wait for work and do a portion of it; False when there will be no more."""
        with self._turn:
            while not (self._puts or self._fetches or self._reopens or self._questions or self._confirms_due()):
                if self._is_closing:
                    return False
                self._turn.wait(self._patience_s())
            group = self._next_group()
            fetches, self._fetches = self._fetches, []
            reopens, self._reopens = self._reopens, []
            questions, self._questions = self._questions, []
            confirms: list[tuple[int, int]] = []
            if self._confirms_due():
                confirms, self._confirms = self._confirms, []
        if group:
            self._keep(group)
        if confirms:
            self._outbox.confirm_ranges(confirms)
        gone = self._outbox.reopen(reopens) if reopens else []
        answers = [(name, self._outbox.within(do)) for name, do in questions]
        rows = [(request, self._outbox.pending(*request)) for request in fetches]
        with self._turn:
            self._depth, self._used_bytes = self._outbox.depth(), self._outbox.used_bytes()
            self._written_bytes = _written_bytes()
            self._unsettled -= len(group)
            self._news.fetched += rows
            self._news.losses += gone
            self._news.answered += answers
            self._news.is_reopened |= bool(reopens)
            self._ring()
        return True

    def _next_group(self) -> list[_Put]:
        """What is committed next: whole puts in order, one at least, up to GROUP_BYTES."""
        group: list[_Put] = []
        size = 0
        while self._puts and (not group or size + self._puts[0].size <= GROUP_BYTES):
            group.append(self._puts.popleft())
            size += group[-1].size
        return group

    def _keep(self, group: list[_Put]) -> None:
        """Commit, and say at once what is safe to publish."""
        records = [record for put in group for record in put.records]
        journals = [put.journal for put in group if put.journal is not None]
        changes = [change for put in group for change in put.changes]
        losses = self._outbox.append(records, journals[-1] if journals else None, changes)
        with self._turn:
            self._waiting_bytes -= sum(put.size for put in group)
            self._news.synced += [(record.seq, record.lane) for record in records]
            self._news.losses += losses
            self._ring()

    def _confirms_due(self) -> bool:
        """Whether the confirmations have waited long enough for company."""
        enough = len(self._confirms) >= CONFIRMS_MAX or self._is_closing or monotonic() >= self._confirm_by_s
        return bool(self._confirms) and enough

    def _patience_s(self) -> float | None:
        return max(0.0, self._confirm_by_s - monotonic()) if self._confirms else None

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _ring(self) -> None:
        """Make `fileno` readable, if there is something."""
        if self._news or self._failure is not None:
            os.eventfd_write(self._wake, 1)

    def _quieten(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)


def _written_bytes() -> int:
    """What this thread has handed to write calls (proc(5), wchar); 0 where the kernel does not count it."""
    try:
        lines = Path("/proc/thread-self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("wchar:")), 0)
