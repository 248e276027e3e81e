"""Devices that are plugged in and pulled out, by a clock that a test turns."""

import os

from drivers.errors import DeviceError, DriverError
from drivers.source import Source

INPUT = bytes(80)


class FakeSource:
    """Always readable. Gives an input each time, or nothing, or dies."""

    def __init__(self, gives: bytes = INPUT) -> None:
        self.name = "fake"
        self.gives = gives
        self.is_dead = False
        self.is_closed = False
        self._fd = os.eventfd(1)

    def fileno(self) -> int:
        """Readable."""
        return self._fd

    def read(self) -> bytes:
        """What it gives."""
        if self.is_dead:
            raise DeviceError("it was pulled out")
        return self.gives

    def counters(self) -> dict[str, int]:
        """As a bus has them."""
        return {"frames": 7}

    def close(self) -> None:
        """Once only."""
        assert not self.is_closed, "once"
        self.is_closed = True
        os.close(self._fd)


class Plug:
    """Where a device may be. `opened` holds each that was opened; `why` is what is wrong with the next."""

    def __init__(self) -> None:
        self.opened: list[FakeSource] = []
        self.tried_s: list[float] = []
        self.why: DriverError | None = None
        self.gives = INPUT
        self.now_s = 1000.0

    def open(self) -> Source:
        """As the rack does it."""
        self.tried_s.append(self.now_s)
        if self.why is not None:
            raise self.why
        self.opened.append(FakeSource(self.gives))
        return self.opened[-1]

    def clock(self) -> float:
        """Seconds."""
        return self.now_s
