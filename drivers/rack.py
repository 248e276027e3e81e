"""All sources of a terminal as one: awaited together, read, and opened again when they were lost."""

import logging
import selectors
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from drivers.errors import DeviceError, DriverError
from drivers.source import Source

RETRY_S_MIN = 0.5
RETRY_S_MAX = 5.0
"""So that data come again within 10 s of a device that is back, with what it needs to begin."""

log = logging.getLogger(__name__)

Opener = Callable[[], Source]
"""Opens a device; DeviceError when it is not there."""


@dataclass(slots=True)
class _Slot:
    """A device that may come and go."""

    name: str
    open: Opener
    source: Source | None = None
    wait_s: float = RETRY_S_MIN
    retry_at_s: float = 0.0
    losses: int = 0
    failures: int = 0
    is_told: bool = True
    """Whether it is said that it is open: when it came, not when it was opened another way."""


class Rack:
    """Reads every source that has something; a lost one is tried again, the next time later unless it gave something.

    Raises DriverError for one that can never be opened, when it is made; later that is a failure like any other.
    `clock`: seconds, always forward.
    """

    def __init__(
        self,
        openers: Mapping[str, Opener],
        wake_fds: Iterable[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots = [_Slot(name, opener) for name, opener in openers.items()]
        self._selector = selectors.DefaultSelector()
        self._clock = clock
        self._is_begun = False
        self.is_woken = False
        """Whether a wake descriptor called when it was last read."""
        for fd in wake_fds:
            self._selector.register(fd, selectors.EVENT_READ, None)
        self._open_missing()
        self._is_begun = True

    def read(self, wait_s: float) -> bytes:
        """What came within `wait_s` seconds, as packed inputs; empty when nothing did or a wake descriptor called."""
        self._open_missing()
        slots = [key.data for key, _ in self._selector.select(wait_s)]
        ready = [slot for slot in slots if slot is not None]
        self.is_woken = len(ready) < len(slots)
        return b"".join(self._read(slot) for slot in ready)

    def source(self, name: str) -> Source | None:
        """The device of this name; None while it is not there."""
        return next((slot.source for slot in self._slots if slot.name == name), None)

    def reopen(self, name: str, opener: Opener) -> None:
        """Open a device another way from now on, at once if it is there; that is no loss."""
        for slot in self._slots:
            if slot.name == name:
                slot.open = opener
                if slot.source is not None:
                    self._let_go(slot)
                    self._try_open(slot)

    def missing(self) -> list[str]:
        """Devices that are not there now."""
        return [slot.name for slot in self._slots if slot.source is None]

    def counters(self) -> dict[str, dict[str, int]]:
        """What each source counted since it was opened; how often it was lost, and how often it could not be opened."""
        return {
            slot.name: (slot.source.counters() if slot.source else {})
            | {"losses": slot.losses, "failures": slot.failures}
            for slot in self._slots
        }

    def close(self) -> None:
        """Let go of every device."""
        for slot in self._slots:
            self._let_go(slot)
        self._selector.close()

    def _open_missing(self) -> None:
        now_s = self._clock()
        for slot in self._slots:
            if slot.source is None and now_s >= slot.retry_at_s:
                self._try_open(slot)

    def _try_open(self, slot: _Slot) -> None:
        try:
            slot.source = slot.open()
        except DriverError as why:
            if not (self._is_begun or isinstance(why, DeviceError)):
                raise
            if slot.wait_s == RETRY_S_MIN:
                log.warning("%s: %s; trying again", slot.name, why)
            slot.failures, slot.is_told = slot.failures + 1, True
            self._wait(slot)
            return
        if slot.is_told:
            log.info("%s: open", slot.name)
        slot.is_told = False
        self._selector.register(slot.source.fileno(), selectors.EVENT_READ, slot)

    def _wait(self, slot: _Slot) -> None:
        """Try later, and each time later still until it gives something."""
        slot.retry_at_s = self._clock() + slot.wait_s
        slot.wait_s = min(slot.wait_s * 2, RETRY_S_MAX)

    def _read(self, slot: _Slot) -> bytes:
        assert slot.source is not None
        try:
            batch = slot.source.read()
        except DeviceError as why:
            log.warning("%s: lost: %s", slot.name, why)
            self._let_go(slot)
            slot.losses, slot.is_told = slot.losses + 1, True
            self._wait(slot)
            return b""
        if batch:
            slot.wait_s = RETRY_S_MIN
        return batch

    def _let_go(self, slot: _Slot) -> None:
        """Close the device, if it is there."""
        if slot.source is not None:
            self._selector.unregister(slot.source.fileno())
            slot.source.close()
            slot.source = None
