"""Several recordings on one axis: in order of time, and the same whatever the order they were named in."""

import heapq
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from drivers.batch import FIX, FRAME, IMU, INPUT_BYTES, TICK, VALUE
from drivers.text import Tally

LATE_US = 1_000_000
"""Inputs of one recording that stand out of order by up to this are put in order."""

HELD_INPUTS = 65_536
"""At most so many wait for it, however close their stamps stand."""

NEVER_US = -(1 << 62)
BATCH = 4096
_KEY = struct.Struct("=qIB")
_ORDER = {FRAME: 0, VALUE: 1, FIX: 2, IMU: 3, TICK: 4}


def key(packed: bytes) -> tuple[int, int, int]:
    """Order of an input: its time; within one moment frames, values in the catalogue's order, fix, IMU."""
    t_us, number, kind = _KEY.unpack_from(packed)
    return t_us, _ORDER[kind], number if kind == VALUE else 0


def times_us(batch: bytes) -> list[int]:
    """Times of a batch's inputs."""
    return memoryview(batch).cast("q")[:: INPUT_BYTES // 8].tolist()


def split(batch: bytes) -> list[bytes]:
    """A batch's inputs, each by itself."""
    return [batch[start : start + INPUT_BYTES] for start in range(0, len(batch), INPUT_BYTES)]


def ordered(batches: Iterable[bytes], tally: Tally) -> Iterator[bytes]:
    """Put inputs in order of time that are late by up to LATE_US; of later ones those that can be, the rest is counted.

    Where all is in order it costs one comparison of times. Logs of several buses rarely are, to the microsecond.
    """
    held = b""
    newest_us = told_us = NEVER_US
    for batch in batches:
        held += batch
        times = times_us(held)
        if times != (right := sorted(times)):
            pieces = split(held)
            pieces.sort(key=_time_us)
            held, times = b"".join(pieces), right
        tally.late += bisect_left(times, told_us)
        newest_us = max(newest_us, times[-1])
        sure = max(bisect_left(times, newest_us - LATE_US), len(times) - HELD_INPUTS)
        if sure > 0:
            told_us = max(told_us, times[sure - 1])
            yield held[: sure * INPUT_BYTES]
            held = held[sure * INPUT_BYTES :]
    if held:
        yield held


def merged(streams: Sequence[Iterable[bytes]]) -> Iterator[bytes]:
    """Batches of several streams as one, in order of time; equal keys in the order of the streams."""
    inputs = heapq.merge(*(_singly(stream) for stream in streams), key=key)
    while some := b"".join(islice(inputs, BATCH)):
        yield some


def _singly(batches: Iterable[bytes]) -> Iterator[bytes]:
    """Inputs one by one."""
    for batch in batches:
        yield from split(batch)


def _time_us(packed: bytes) -> int:
    """Time of an input."""
    return key(packed)[0]
