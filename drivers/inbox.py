"""From a thread that blocks on a device to the loop that must not: a bounded queue with a descriptor to wait on."""

import os
from collections import deque
from threading import Lock

from drivers.batch import INPUT_BYTES
from drivers.errors import DeviceError


class Inbox:
    """Holds at most `limit` inputs. One thread puts, one takes."""

    def __init__(self, limit: int) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = Lock()
        self._pieces: deque[bytes] = deque()
        self._failure: DeviceError | None = None
        self._limit = limit
        self.held = 0

    def fileno(self) -> int:
        """Give the descriptor that is readable while something is in here."""
        return self._fd

    def put(self, packed: bytes) -> bool:
        """Take inputs in; False, and nothing taken, when there is no room for them all."""
        count = len(packed) // INPUT_BYTES
        with self._lock:
            if self.held + count > self._limit:
                return False
            self._pieces.append(packed)
            self.held += count
            self._call()
        return True

    def fail(self, failure: DeviceError) -> None:
        """Tell the taker, behind all that was put, that there will be no more."""
        with self._lock:
            self._failure = failure
            self._call()

    def wake(self) -> None:
        """Let the taker look, though there may be nothing."""
        with self._lock:
            self._call()

    def take(self) -> bytes:
        """Give all there is; raises the failure once all before it was taken."""
        with self._lock:
            packed = b"".join(self._pieces)
            if not packed and self._failure is not None:
                raise self._failure
            self._pieces.clear()
            self.held = 0
            if self._fd >= 0 and self._failure is None:
                self._hush()
        return packed

    def close(self) -> None:
        """Give the descriptor back; what is put from now on is only kept."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _call(self) -> None:
        """Make the descriptor readable."""
        if self._fd >= 0:
            os.eventfd_write(self._fd, 1)

    def _hush(self) -> None:
        """Make it silent again."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return  # nobody had called
