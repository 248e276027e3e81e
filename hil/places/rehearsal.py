"""Recordings through the whole live way, as fast as it goes: `tbox run --recorded`, its store, a broker, a subscriber.

The terminal is the unmodified agent with a state of its own. Its time is the recording's, so what it tells can be laid
beside what `tbox replay` tells, to the digit.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from hil.bench import Staged
from hil.books import account
from hil.outcome import Live, Told, event_found, trip_found
from hil.subscriber import Inbox, Subscriber
from hil.terminal import Plug, Setting, Terminal
from hil.wires import broker as brokers

START_S = 30.0
READ_S = 300.0
SETTLE_S = 20.0
"""How long what was told last may take to arrive."""
TURN_S = 0.02
READ = "recording: all of it was read"
"""What tbox says at the end of one."""
LOG_CHARACTERS = 20_000


class RehearsalError(Exception):
    """It came to no end; the text says why."""


class Rehearsal(Staged):
    """A broker, a subscriber, a terminal that reads these recordings."""

    def __init__(self, recordings: Sequence[Path], settings: Mapping[str, Setting]) -> None:
        self._recordings, self._settings = tuple(recordings), settings

    def _start(self, stack: ExitStack) -> None:
        """In the order in which they need each other."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tbox-hil-")))
        broker = brokers.start(folder)
        stack.callback(broker.stop)
        self._subscriber = Subscriber(brokers.HOST, broker.port, broker.version, lambda _: None)
        stack.callback(self._subscriber.close)
        _wait(lambda: self._subscriber.wait_until_subscribed(TURN_S), "the subscriber", START_S)
        self._terminal = Terminal(folder, Plug(recordings=self._recordings), broker.port, self._settings)
        stack.callback(self._terminal.close)
        self._terminal.start()
        _wait(self._terminal.is_ready, "tbox run", START_S)

    def drive(self, trips: int) -> tuple[Told, Live]:
        """Until all was read and what it meant has arrived: so many trips, if they come."""
        _wait(lambda: self._is_read() and self._is_heard(), "the end of the recording", READ_S)
        self._terminal.stop()
        give_up_s = time.monotonic() + SETTLE_S
        while not self._is_complete(trips) and time.monotonic() < give_up_s:
            time.sleep(TURN_S)
        with self._subscriber.lock:
            return _told(self._subscriber.inbox), self._live(self._subscriber.inbox)

    def _is_read(self) -> bool:
        return self._terminal.is_ready() and READ in self._terminal.log()

    def _is_heard(self) -> bool:
        """Whether anything has arrived: a terminal that ends before it knows of its link tells at its next start."""
        with self._subscriber.lock:
            return bool(self._subscriber.inbox.records)

    def _is_complete(self, trips: int) -> bool:
        """Sealed at last, nothing missing."""
        with self._subscriber.lock:
            inbox = self._subscriber.inbox
            ends, seals = inbox.bodies("trip_end"), inbox.bodies("seal")
            last = max((seq for _, seq in inbox.records), default=-1)
            is_sealed = bool(seals) and seals[-1].seq == last
            return len(ends) >= trips and is_sealed and not any(map(inbox.missing, {who for who, _ in inbox.records}))

    def _live(self, inbox: Inbox) -> Live:
        kinds = [record.kind for record in inbox.records.values()]
        return Live(
            account=account(inbox),
            exit_codes=tuple(self._terminal.exit_codes),
            kinds={kind: kinds.count(kind) for kind in sorted(set(kinds))},
            log=self._terminal.log()[-LOG_CHARACTERS:],
        )


def rehearse(recordings: Sequence[Path], settings: Mapping[str, Setting], trips: int) -> tuple[Told, Live]:
    """What a terminal tells of these recordings. RehearsalError, TerminalError, BrokerError."""
    with Rehearsal(recordings, settings) as rehearsal:
        return rehearsal.drive(trips)


def _told(inbox: Inbox) -> Told:
    """Events and trips on the recording's axis, the counters of the last seal."""
    seals = inbox.bodies("seal")
    return Told(
        events=tuple(
            event_found(one.body, one.body["start_us"] / 1e6, one.body["end_us"] / 1e6) for one in inbox.bodies("event")
        ),
        trips=tuple(
            trip_found(one.body, one.body["start_us"] / 1e6, one.body["end_us"] / 1e6)
            for one in inbox.bodies("trip_end")
        ),
        counters=dict(seals[-1].body["frames"]) if seals else {},
    )


def _wait(holds: Callable[[], bool], what: str, most_s: float) -> None:
    """Until it holds. RehearsalError when it never does."""
    give_up_s = time.monotonic() + most_s
    while not holds():
        if time.monotonic() > give_up_s:
            raise RehearsalError(f"{what} did not come within {most_s:.0f} s")
        time.sleep(TURN_S)
