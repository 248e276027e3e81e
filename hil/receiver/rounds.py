"""The receiver's work, round after round: take, store, acknowledge; now and then say what is stored. In this order."""

import sys
import time
from collections.abc import Callable, Sequence

from hil.receiver import figures
from hil.receiver.door import Door, Message, RefusedError
from hil.receiver.intake import Arrival, arrival
from hil.receiver.store import Store

BATCH = 2000
WAIT_S = 0.2
GATHER_S = 0.1
"""So long a batch grows once it has begun: a transaction costs the same for one record as for fifty."""
NAP_S = 0.01
TELL_S = 1.0
AGAIN_S = 1.0
"""Between tries while broker or database is not there."""


class Rounds:
    """`faults` are the errors of the store after which it is opened again, and the batch at hand taken again."""

    def __init__(self, open_store: Callable[[], Store], door: Door, faults: tuple[type[Exception], ...]) -> None:
        """The store is opened here: what is wrong with it at the start is an error."""
        self._open_store, self._door, self._faults = open_store, door, faults
        self._store: Store | None = open_store()
        self._store.tell_again()
        self._held: list[Message] = []
        self._tell_s = 0.0
        self._was_open = False

    def run(self, is_over: Callable[[], bool]) -> None:
        """Until it is over. RefusedError: the broker does not want us, and has not wanted us yet."""
        figures.UP.set(1)
        while not is_over():
            try:
                self._round()
            except RefusedError as why:
                if not self._was_open:
                    raise
                self._wait("broker", why)
            except ConnectionError as why:
                self._wait("broker", why)
            except self._faults as why:
                self._drop()
                self._wait("database", why)
        figures.UP.set(0)

    def counts(self) -> dict[str, int]:
        """What is in the store, and what cannot be known while it is not there is left out."""
        return self._store.counts() if self._store else {}

    def close(self) -> None:
        """Let go of both."""
        self._drop()
        self._door.close()

    def _round(self) -> None:
        if self._store is None:
            self._store = self._open_store()
        if not self._held:
            self._gather()
        if arrived := _arrivals(self._held):
            judged = self._store.take(arrived)
            figures.count(judged, time.monotonic() - self._held[0].came_s)
            for one in judged.refused:
                _say(f"refused: {one.arrived.terminal} {one.arrived.lane}: {one.reason}")
        self._door.done(self._held)
        self._held = []
        if time.monotonic() >= self._tell_s:
            figures.RECEIPTS.inc(self._store.tell(self._door.send))
            self._tell_s = time.monotonic() + TELL_S

    def _gather(self) -> None:
        self._held = self._door.take(BATCH, WAIT_S)
        self._was_open = True
        until_s = time.monotonic() + GATHER_S
        while 0 < len(self._held) < BATCH and time.monotonic() < until_s:
            time.sleep(NAP_S)
            self._held += self._door.take(BATCH - len(self._held), 0.0)

    def _wait(self, which: str, why: Exception) -> None:
        figures.FAULTS.labels(which).inc()
        _say(f"{which}: {' '.join(str(why).split())}; trying again")
        time.sleep(AGAIN_S)

    def _drop(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()


def _arrivals(messages: Sequence[Message]) -> list[Arrival]:
    return [one for message in messages if (one := arrival(message.topic, message.payload))]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
