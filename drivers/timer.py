"""A moment to wake up at, as a descriptor: what a source waits for when no byte will come (timerfd_create(2)).

Python has no such call before 3.13, so the C library is asked for it.
"""

import ctypes
import os
import struct

GAP_US = 50_000
GAP_US_MAX = 400_000
SILENT_US = 5_000_000
"""A receiver that says nothing for so long has no position to tell: five moments of the slowest usual rate."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_BOOTTIME = 7  # CLOCK_BOOTTIME in <linux/time.h>
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_SPEC = struct.Struct("@llll")
"""struct itimerspec: interval and first expiry, each in seconds and nanoseconds."""


class Timer:
    """Readable once, a while after it was set."""

    def __init__(self) -> None:
        self._fd = _LIBC.timerfd_create(_BOOTTIME, _NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def fileno(self) -> int:
        """Give the descriptor that is readable when the time has come."""
        return int(self._fd)

    def set(self, after_us: int) -> None:
        """Come in so many microseconds, not when it was to come before; 0: never."""
        spec = _SPEC.pack(0, 0, after_us // 1_000_000, after_us % 1_000_000 * 1000)
        if _LIBC.timerfd_settime(self._fd, 0, spec, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def has_come(self) -> bool:
        """Whether it came since the last call; it is silent afterwards."""
        try:
            return bool(os.read(self._fd, 8))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Give the descriptor back; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


class Quiet(Timer):
    """Comes when nothing was heard for a while: a burst is over. The while doubles when the burst was not over yet."""

    def __init__(self) -> None:
        super().__init__()
        self.gap_us = GAP_US

    def heard(self, *, was_over: bool = False) -> None:
        """Something came; `was_over`: it belongs to a burst that was taken for over."""
        if was_over:
            self.gap_us = min(self.gap_us * 2, GAP_US_MAX)
        self.set(self.gap_us)

    def over(self) -> None:
        """The burst was over: come again if the next does not."""
        self.set(SILENT_US)
