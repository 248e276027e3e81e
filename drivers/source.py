"""What every live driver is to the loop: something to wait on, and a batch of inputs when it is ready."""

import time
from typing import Protocol


def boot_us() -> int:
    """CLOCK_BOOTTIME: microseconds since the kernel started, suspend included; no wall clock moves it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Source(Protocol):
    """A device that is read. Times of its inputs are CLOCK_BOOTTIME microseconds."""

    name: str

    def fileno(self) -> int:
        """Give a descriptor that is readable when `read` has something."""
        ...

    def read(self) -> bytes:
        """Take what has come, as packed inputs (drivers.batch), oldest first; possibly none. Never blocks.

        Raises DeviceError when the device went; the source is closed by its owner then, as always.
        """
        ...

    def counters(self) -> dict[str, int]:
        """Totals that only grow: frames, dropped, errors and whatever else the device tells."""
        ...

    def close(self) -> None:
        """Let the device go; a second call does nothing."""
        ...
