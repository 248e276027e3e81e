"""The pre-event ring, read: its records, as native/ring.h lays them out. Pure.

A record is {int64 t_us, uint32 id, uint8 kind, channel, length, flags} and a payload, padded with zeros to 8 bytes: a
frame's data, a value's number, or the six numbers of an acceleration sample or a fix. Little-endian, doubles.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from agent.codec import CodecError
from drivers.batch import FIX, FRAME, IMU, INPUT_BYTES, VALUE

HEAD = struct.Struct("<qIBBBB")
NUMBERS = struct.Struct("<6d")
TIME = struct.Struct("<q")
USUAL_BYTES = HEAD.size + 8
AT_KIND, AT_LENGTH, AT_FLAGS = 12, 14, 15
PAYLOAD_BYTES = {VALUE: 8, IMU: 48, FIX: 48}
DATA_BYTES_MAX = 64
USUAL_LENGTH = 8
PADS = tuple(bytes(INPUT_BYTES - size) for size in range(INPUT_BYTES + 1))


@dataclass(frozen=True, slots=True)
class Entry:
    """One input as it was kept; `payload` without its padding."""

    t_us: int
    id: int
    kind: int
    channel: int
    length: int
    flags: int
    payload: bytes

    @property
    def numbers(self) -> tuple[float | None, ...]:
        """Of an acceleration sample or a fix: its six numbers; None: not there."""
        told = NUMBERS.unpack(self.payload)
        return tuple(number if self.flags >> i & 1 else None for i, number in enumerate(told))

    @property
    def input(self) -> bytes:
        """As an input of the core."""
        head = HEAD.pack(self.t_us, self.id, self.kind, self.channel, self.length, self.flags)
        return (head + self.payload).ljust(INPUT_BYTES, b"\0")

    @property
    def record(self) -> bytes:
        """As the ring keeps it."""
        return self.input[: HEAD.size + (len(self.payload) + 7 & ~7)]


def entries(raw: bytes) -> Iterator[Entry]:
    """Every record, as it came. CodecError: this is no ring."""
    for at, _ in places(raw):
        t_us, id_, kind, channel, length, flags = HEAD.unpack_from(raw, at)
        size = length if kind == FRAME else PAYLOAD_BYTES[kind]
        yield Entry(t_us, id_, kind, channel, length, flags, raw[at + HEAD.size : at + HEAD.size + size])


def between(raw: bytes, from_us: int, upto_us: int) -> list[tuple[int, bytes]]:
    """Those of a time, as inputs of the core, each with its time; of many frames, so it is quick."""
    found: list[tuple[int, bytes]] = []
    for at, size in places(raw):
        t_us = TIME.unpack_from(raw, at)[0]
        if from_us <= t_us <= upto_us:
            found.append((t_us, raw[at : at + size] + PADS[size]))
    return found


def inputs(raw: bytes) -> bytes:
    """The same as a batch for the core (a fix without its carrier-to-noise, which the ring does not keep)."""
    return b"".join([raw[at : at + size] + PADS[size] for at, size in places(raw)])


def cut(raw: bytes, most: int) -> list[bytes]:
    """In slices of whole records, none longer than `most` bytes."""
    starts, size = [0], 0
    for at, step in places(raw):
        if size + step > most:
            starts.append(at)
            size = 0
        size += step
    return [raw[start:end] for start, end in zip(starts, [*starts[1:], len(raw)], strict=True) if end > start]


def first_us(raw: bytes) -> int:
    """The time of its first record."""
    return int(HEAD.unpack_from(raw)[0])


def places(raw: bytes) -> Iterator[tuple[int, int]]:
    """Where each record begins, and its bytes."""
    at, end = 0, len(raw)
    while at < end:
        if at + USUAL_BYTES <= end and raw[at + AT_KIND] == FRAME and raw[at + AT_LENGTH] == USUAL_LENGTH:
            size = USUAL_BYTES
        else:
            size = _size(raw, at) if at + HEAD.size <= end else 0
            if not size or at + size > end:
                raise CodecError("a ring that is cut off or damaged")
        yield at, size
        at += size


def _size(raw: bytes, at: int) -> int:
    """Bytes of the record at this place; 0: none is so."""
    kind, length = raw[at + AT_KIND], raw[at + AT_LENGTH]
    payload = length if kind == FRAME else PAYLOAD_BYTES.get(kind, DATA_BYTES_MAX + 1)
    return 0 if payload > DATA_BYTES_MAX else HEAD.size + (payload + 7 & ~7)
