"""Recordings with their own stamps, as fast as they are read. Nothing else may be read beside them: time is theirs.

`now_us` is the stamp of the newest input that was handed on; after the last one time stands still.
"""

import logging
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from drivers.batch import INPUT_BYTES
from drivers.errors import RecordingError
from drivers.recordings.merge import times_us
from drivers.recordings.recording import open_recordings

SPAN_US = 1_000_000
"""So much of it is handed on at once,"""

INPUTS_MIN = 512
"""or so many inputs where they are rare: a terminal's turn takes some milliseconds, however little it hears."""

log = logging.getLogger(__name__)


class Readable(Protocol):
    """What can be read so: a recording."""

    start_us: int

    @property
    def is_utc(self) -> bool:
        """Whether its axis is UTC since 1970."""
        ...

    def batches(self, size: int = 4096) -> Iterator[bytes]:
        """Give packed inputs in order of time."""
        ...

    @property
    def counters(self) -> dict[str, int]:
        """Totals."""
        ...


class Recorded:
    """A Source (drivers.source) whose times are the recording's own. Nothing is ever dropped."""

    def __init__(self, recording: Readable) -> None:
        self.name = "recording"
        self.is_utc, self.start_us = recording.is_utc, recording.start_us
        self._recording = recording
        self._batches = recording.batches()
        self._held, self._is_read = b"", False
        self._now_us = recording.start_us
        self._fd = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def now_us(self) -> int:
        """Where it is."""
        return self._now_us

    def fileno(self) -> int:
        """Readable until all was read."""
        return self._fd

    def read(self) -> bytes:
        """Give what comes next; empty from its end on."""
        self._fill()
        if not self._held:
            return b""
        times = times_us(self._held)
        count = max(bisect_right(times, times[0] + SPAN_US), min(INPUTS_MIN, len(times)))
        given, self._held = self._held[: count * INPUT_BYTES], self._held[count * INPUT_BYTES :]
        self._now_us = max(self._now_us, times[count - 1])
        return given

    def counters(self) -> dict[str, int]:
        """Tell what the recording counted so far; nothing is dropped."""
        return {**self._recording.counters, "dropped": 0}

    def close(self) -> None:
        """Let it go."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _fill(self) -> None:
        """Hold what is handed on next; after all of it nothing calls any more."""
        while not self._is_read and not self._is_enough():
            try:
                batch = next(self._batches, b"")
            except RecordingError as why:
                log.warning("recording: cannot be read further: %s", why)
                batch = b""
            self._held += batch
            if not batch and self._held:
                return
            if not batch:
                self._is_read = True
                os.eventfd_read(self._fd)
                log.info("recording: all of it was read")

    def _is_enough(self) -> bool:
        if len(self._held) <= INPUTS_MIN * INPUT_BYTES:
            return False
        times = times_us(self._held)
        return times[-1] - times[0] > SPAN_US


def recorded(paths: Sequence[Path]) -> Recorded:
    """Open recordings, merged on one axis of time. RecordingError."""
    return Recorded(open_recordings(paths))
