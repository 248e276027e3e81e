"""Plays a recording as if it were hardware: each input comes when it is due, with its stamp moved onto boot time."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from threading import Event, Thread
from typing import Protocol

from drivers.batch import INPUT_BYTES
from drivers.errors import DeviceError, DriverError
from drivers.inbox import Inbox
from drivers.recordings.merge import times_us
from drivers.source import boot_us

TURN_S = 0.002
"""Inputs due within it come together: at 4,000 frames/s a wake-up for each would cost more than reading them."""

HELD_INPUTS = 65_536
"""More than this is not laid out for a reader that does not come: playing waits."""

WORDS = INPUT_BYTES // 8


class Playable(Protocol):
    """What can be played: a recording."""

    start_us: int

    def batches(self, size: int = 4096) -> Iterator[bytes]:
        """Give packed inputs in order of time."""
        ...

    @property
    def counters(self) -> dict[str, int]:
        """Totals."""
        ...


class Player:
    """A Source (drivers.source). After the last input it stays silent and `ended` is true; nothing is ever dropped."""

    def __init__(self, recording: Playable, speed: float) -> None:
        if not 0 < speed < float("inf"):
            raise DriverError(f"speed {speed}: must be over 0; 1 is as it was, 10 ten times as fast")
        self.name = "recording"
        self._recording = recording
        self._speed = speed
        self._inbox = Inbox(HELD_INPUTS)
        self._stopping = Event()
        self._played = False
        self._inputs = 0
        self._origin_us = boot_us()
        self._thread = Thread(target=self._play, name="tbox-player", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether all of it was played and read."""
        return self._played and not self._inbox.held

    def fileno(self) -> int:
        """Readable when an input is due."""
        return self._inbox.fileno()

    def read(self) -> bytes:
        """Give what is due by now. DeviceError when the recording turned out to be unreadable further on."""
        packed = self._inbox.take()
        self._inputs += len(packed) // INPUT_BYTES
        return packed

    def counters(self) -> dict[str, int]:
        """Tell inputs handed on, and what the recording counted so far."""
        return {**self._recording.counters, "inputs": self._inputs, "dropped": 0}

    def close(self) -> None:
        """Stop playing."""
        self._stopping.set()
        self._thread.join()
        self._inbox.close()

    def _play(self) -> None:
        """Read and hand on, in a thread: reading a recording blocks."""
        try:
            for batch in self._recording.batches():
                if not self._hand_on(self._moved(batch)):
                    return
        except DriverError as error:
            self._inbox.fail(DeviceError(str(error)))
        self._played = True
        self._inbox.wake()

    def _moved(self, batch: bytes) -> bytes:
        """The batch with boot times: distances kept exactly at speed 1, else to the microsecond."""
        words = array("q", batch)
        for place in range(0, len(words), WORDS):
            delta_us = words[place] - self._recording.start_us
            words[place] = self._origin_us + (delta_us if self._speed == 1 else round(delta_us / self._speed))
        return words.tobytes()

    def _hand_on(self, batch: bytes) -> bool:
        """Put each input into the inbox when it is due; False when playing was stopped."""
        times = times_us(batch)
        at = 0
        while at < len(times):
            wait_s = (times[at] - boot_us()) / 1e6
            if self._stopping.wait(max(wait_s, 0.0 if wait_s < -TURN_S else TURN_S)):
                return False
            due = max(at + 1, bisect_right(times, boot_us(), lo=at))
            if self._inbox.put(batch[at * INPUT_BYTES : due * INPUT_BYTES]):
                at = due
        return True
