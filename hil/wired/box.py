"""A terminal that is a box elsewhere: nothing of it is ours to start, end or look into, but its records arrive.

It has driven before and goes on afterwards, and it runs on a clock of its own. So its account begins with the first
record after those that were there when the drive began, and its clock is laid on ours by the quickest record of all:
times are late by what that one took to arrive, some tens of milliseconds.
"""

from pathlib import Path
from time import monotonic

import msgpack

from agent.codec import Record
from hil.books import Books
from hil.subscriber import Inbox
from hil.terminal import Plug, Terminal

QUIET_S = 2.0
"""A box that says nothing for so long waits for a car: what it had of earlier drives has come."""


class Box(Terminal):
    """What `Live` needs of a terminal, for one that is only heard: no process of it is here."""

    def __init__(self, folder: Path, inbox: "BoxInbox") -> None:
        super().__init__(folder, Plug(), 0, {})
        self._inbox = inbox

    def start(self) -> None:
        """It runs already."""

    def begin(self) -> None:
        """The drive begins: what it has sent until now is of earlier ones."""
        self._inbox.begin()

    def is_ready(self) -> bool:
        """Whether it says that it is there, and has told what it had to tell."""
        return self._inbox.is_reporting() and self._inbox.quiet_s() > QUIET_S

    def is_starting(self) -> bool:
        """Nobody outside of it knows."""
        return False

    def is_running(self) -> bool:
        """As far as anybody knows."""
        return True

    def has_told(self) -> bool:
        """It does not say what waits: the account shows it."""
        return True

    def tend(self, now_s: float) -> None:
        """Its own service manager does."""


class BoxInbox(Inbox):
    """Of one device; `begin` says that what comes from now on is of this drive."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self._last_before: int | None = None
        self._highest_seq = -1
        self._came_s = monotonic()

    def quiet_s(self) -> float:
        """How long nothing came."""
        return monotonic() - self._came_s

    def is_reporting(self) -> bool:
        """Whether this device says that it is online; where none was named, the first that does is meant."""
        if not self.device:
            self.device = next(iter(self.reporting()), "")
        return self.device in self.reporting()

    def reporting(self) -> list[str]:
        """Ids of all that say so."""
        return sorted(id_ for id_, state in self.states.items() if isinstance(state, dict) and state.get("online"))

    def begin(self) -> None:
        """What has come until now belongs to earlier drives."""
        self._last_before = self._highest_seq
        self.records.clear()
        self.redelivered = 0

    def take(self, topic: str, payload: bytes) -> Record | None:
        """One message of this device; the record when it is a new one, of this drive."""
        _, _, device, name = topic.split("/", 3)
        if device != self.device and name != "state":
            return None
        self._came_s = monotonic()
        record = super().take(topic, payload)
        if record is None:
            return None
        self._highest_seq = max(self._highest_seq, record.seq)
        if self._last_before is not None and record.seq <= self._last_before:
            del self.records[record.device, record.seq]
            return None
        return record

    def framed(self) -> bytes:
        """As an export: a part of an account, in order from its first record on, with the device's key."""
        records = sorted(self.records.values(), key=lambda record: record.seq)
        key = self.states.get(self.device, {}).get("key", "")
        head = {"public": bytes.fromhex(key), "first": records[0].seq if records else 0}
        return b"".join(msgpack.packb(content) for content in (msgpack.packb(head), *(one.raw for one in records)))

    def missing(self, device: bytes) -> list[int]:
        """Numbers between those of this drive that have not arrived."""
        here = {seq for known, seq in self.records if known == device}
        first = min(here, default=0) if self._last_before in (None, -1) else (self._last_before or 0) + 1
        return sorted(set(range(first, max(here, default=-1) + 1)) - here)


class BoxBooks(Books):
    """Books on a box: its times are turned to ours."""

    is_box = True

    def __init__(self, device: str) -> None:
        super().__init__()
        self.inbox = self.box = BoxInbox(device)

    def note(self, record: Record, now_us: int) -> None:
        """A new record arrived; the quickest tells how far our clock is ahead of its."""
        ahead_us = now_us - record.t_us
        self.ahead_us = min(self.ahead_us, ahead_us) if self.ahead_us else ahead_us
        super().note(record, now_us)
