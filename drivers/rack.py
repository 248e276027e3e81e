"""All sources of a terminal as one: awaited together, read, and opened again when they were lost."""

import logging
import selectors
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from drivers.errors import DeviceError
from drivers.source import Source

RETRY_S_MIN = 0.5
RETRY_S_MAX = 10.0

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


class Rack:
    """Reads every source that has something; a lost one is tried again with back-off, at most every 10 s."""

    def __init__(self, openers: Mapping[str, Opener], wake_fds: Iterable[int] = ()) -> None:
        self._slots = [_Slot(name, opener) for name, opener in openers.items()]
        self._selector = selectors.DefaultSelector()
        self.is_woken = False
        """Whether a wake descriptor called when it was last read."""
        for fd in wake_fds:
            self._selector.register(fd, selectors.EVENT_READ, None)
        self._open_missing()

    def read(self, wait_s: float) -> bytes:
        """What came within `wait_s` seconds, as packed inputs; empty when nothing did or a wake descriptor called."""
        self._open_missing()
        slots = [key.data for key, _ in self._selector.select(wait_s)]
        ready = [slot for slot in slots if slot is not None]
        self.is_woken = len(ready) < len(slots)
        return b"".join(self._read(slot) for slot in ready)

    def missing(self) -> list[str]:
        """Devices that are not there now."""
        return [slot.name for slot in self._slots if slot.source is None]

    def counters(self) -> dict[str, dict[str, int]]:
        """What each source counted since it was opened, and how often it was lost."""
        return {s.name: (s.source.counters() if s.source else {}) | {"losses": s.losses} for s in self._slots}

    def close(self) -> None:
        """Let go of every device."""
        for slot in self._slots:
            if slot.source is not None:
                slot.source.close()
                slot.source = None
        self._selector.close()

    def _open_missing(self) -> None:
        now_s = time.monotonic()
        for slot in self._slots:
            if slot.source is None and now_s >= slot.retry_at_s:
                self._try_open(slot, now_s)

    def _try_open(self, slot: _Slot, now_s: float) -> None:
        try:
            slot.source = slot.open()
        except DeviceError as why:
            if slot.wait_s == RETRY_S_MIN:
                log.warning("%s: %s; trying again", slot.name, why)
            slot.retry_at_s = now_s + slot.wait_s
            slot.wait_s = min(slot.wait_s * 2, RETRY_S_MAX)
            return
        log.info("%s: open", slot.name)
        slot.wait_s = RETRY_S_MIN
        self._selector.register(slot.source.fileno(), selectors.EVENT_READ, slot)

    def _read(self, slot: _Slot) -> bytes:
        assert slot.source is not None
        try:
            return slot.source.read()
        except DeviceError as why:
            log.warning("%s: lost: %s", slot.name, why)
            self._selector.unregister(slot.source.fileno())
            slot.source.close()
            slot.source, slot.losses = None, slot.losses + 1
            slot.retry_at_s = time.monotonic() + slot.wait_s
            return b""
