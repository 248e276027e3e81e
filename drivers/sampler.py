"""A sensor that is asked rather than listened to: a thread takes one reading every period and fills a bounded queue.

A thread, since an attribute in sysfs is often a conversation over I2C that blocks for milliseconds.
"""

import errno
import time
from collections.abc import Callable
from threading import Event, Thread

from drivers.errors import DeviceError
from drivers.inbox import Inbox

HELD_INPUTS = 1024
ERRORS_MAX = 10
"""So many readings in a row that failed: the device is taken as gone."""

GONE = (errno.ENODEV, errno.ENXIO, errno.ENOENT)


class Sampler:
    """A Source (drivers.source). `sample` gives one reading as packed inputs, possibly none.

    What it raises is counted: an OSError of a device that has gone, or ERRORS_MAX failures in a row, end the source
    with a DeviceError. `tell` adds counters of the sensor's own.
    """

    def __init__(
        self, name: str, period_s: float, sample: Callable[[], bytes], tell: Callable[[], dict[str, int]]
    ) -> None:
        self.name = name
        self._period_s, self._sample, self._tell = period_s, sample, tell
        self._inbox = Inbox(HELD_INPUTS)
        self._counters = {"readings": 0, "unread": 0, "errors": 0}
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"tbox-{name}", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when a reading has come."""
        return self._inbox.fileno()

    def read(self) -> bytes:
        """Give the readings that have come; DeviceError when the device went."""
        return self._inbox.take()

    def counters(self) -> dict[str, int]:
        """Tell readings taken, those nobody fetched in time, those that failed, and the sensor's own."""
        return self._counters | self._tell()

    def close(self) -> None:
        """Stop asking."""
        self._stopping.set()
        self._thread.join()
        self._inbox.close()

    def _run(self) -> None:
        due_s = time.monotonic()
        failed = 0
        while not self._stopping.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + self._period_s, time.monotonic())
            try:
                self._take(self._sample())
                failed = 0
            except (OSError, ValueError) as error:
                failed += 1
                self._counters["errors"] += 1
                if failed >= ERRORS_MAX or getattr(error, "errno", None) in GONE:
                    self._inbox.fail(DeviceError(f"{self.name}: went while it was read: {error}"))
                    return

    def _take(self, packed: bytes) -> None:
        self._counters["readings"] += 1
        if packed and not self._inbox.put(packed):
            self._counters["unread"] += 1
