"""Inputs as a test likes to see them: the packed 80 bytes taken apart again, and recordings read in one line."""

import struct
from collections.abc import Iterator
from pathlib import Path

from drivers.batch import FIX, FRAME, IMU, SIGNALS
from drivers.recordings.recording import Recording, open_recordings

FRAME_PARTS = struct.Struct("=qIBBBB64s")
NUMBER_PARTS = struct.Struct("=qIBBBB6d16x")

Frame = tuple[int, int, int, bytes, int]
"""Time, channel, identifier, data, flags."""


def frames(batch: bytes) -> list[Frame]:
    """Every frame of a batch."""
    parts = (FRAME_PARTS.unpack_from(batch, start) for start in range(0, len(batch), 80))
    return [
        (t, chan, ident, data[:length], flags) for t, ident, kind, chan, length, flags, data in parts if kind == FRAME
    ]


def told(batch: bytes) -> Iterator[tuple]:
    """Values as (time, signal, number), fixes as (time, "fix", valid, numbers), IMU as (time, "imu", numbers)."""
    for start in range(0, len(batch), 80):
        t_us, number, kind, _, length, bits, *numbers = NUMBER_PARTS.unpack_from(batch, start)
        there = [number if bits >> place & 1 else None for place, number in enumerate(numbers)]
        if kind == FIX:
            yield t_us, "fix", bool(length), there
        elif kind == IMU:
            yield t_us, "imu", there
        elif kind != FRAME:
            yield t_us, SIGNALS[number], numbers[0]


def drained(recording: Recording) -> bytes:
    """All inputs of a recording."""
    return b"".join(recording.batches())


def read(*paths: Path, format: str | None = None) -> bytes:  # noqa: A002 - as open_recordings has it
    """All inputs of some recordings."""
    return drained(open_recordings(paths, format))
