"""The log of dm-log-writes: what a disk was told, in the order in which it lasts; the disk after a power cut. Pure.

All numbers are little-endian, all places in sectors of the size that the first one tells (the kernel's document
admin-guide/device-mapper/log-writes; struct log_write_super and log_write_entry of its drivers/md/dm-log-writes.c):

    sector 0   magic u64   version u64   entries u64   sector size u32
    entry      sector u64   sectors u64   flags u64   bytes of the mark u64   mark   (padded to a sector)
               its data, `sectors` long; none of a DISCARD

A FUA write is logged when it is done, a plain write with the flush that made it lasting, just before it. So the disk
must hold what stands before a flush, a FUA write or a mark; of the plain writes before a flush it may hold any part,
sector by sector, as long as the flush has not come back.
"""

import mmap
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

MAGIC, VERSION = 0x6A736677736872, 1
SUPER, ENTRY = struct.Struct("<QQQI"), struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8

Buffer = bytes | bytearray | memoryview | mmap.mmap

Piece = tuple[int, int]
"""Number of an entry, and of a sector within it."""


class LogError(Exception):
    """The log is none, or is torn; the text says where."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request: `data` begins at byte `place` of the disk. A mark has a text; a flush has neither."""

    place: int
    size: int
    sector_bytes: int
    flags: int
    data: memoryview
    mark: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it lasts only with the next flush."""
        return bool(self.size) and not self.flags & (FUA | MARK)

    @property
    def is_point(self) -> bool:
        """Whether all that stands up to here lasts."""
        return bool(self.flags & (FLUSH | FUA))


@dataclass(frozen=True, slots=True)
class Cut:
    """The disk when the power went: the first `upto` entries whole, and of those after them these pieces."""

    upto: int
    pieces: tuple[Piece, ...] = ()


def entries(log: Buffer) -> Iterator[Entry]:
    """All of a log, in order. LogError."""
    view = memoryview(log)
    if len(view) < SUPER.size:
        raise LogError("the log is empty")
    magic, version, count, sector = SUPER.unpack_from(view)
    if (magic, version) != (MAGIC, VERSION) or sector < ENTRY.size or sector % 512:
        raise LogError("this is no log of dm-log-writes, version 1")
    at = sector
    for number in range(count):
        if at + sector > len(view):
            raise LogError(f"the log ends at entry {number} of {count}")
        place, sectors, flags, length = ENTRY.unpack_from(view, at)
        mark = bytes(view[at + ENTRY.size : at + ENTRY.size + length]) if flags & MARK else b""
        begin = at + sector
        at = begin + (0 if flags & DISCARD else sectors * sector)
        if at > len(view) or len(mark) > sector - ENTRY.size:
            raise LogError(f"the log ends in entry {number} of {count}")
        text = mark.rstrip(b"\0").decode(errors="replace")
        yield Entry(place * sector, sectors * sector, sector, flags, view[begin:at], text)


def written(log: Sequence[Entry], cut: Cut, begin: int = 0) -> Iterator[tuple[int, bytes | memoryview]]:
    """What a cut leaves on the disk, as (byte of the disk, content) in order; whole entries only from `begin` on."""
    for entry in log[begin : cut.upto]:
        yield entry.place, entry.data or bytes(entry.size)
    for number, sector in cut.pieces:
        entry = log[number]
        at, size = sector * entry.sector_bytes, entry.sector_bytes
        yield entry.place + at, entry.data[at : at + size] or bytes(size)


def replay(log: Sequence[Entry], cut: Cut, disk: bytearray, begin: int = 0) -> None:
    """Write that onto a disk's bytes."""
    for place, content in written(log, cut, begin):
        disk[place : place + len(content)] = content


def points(log: Sequence[Entry]) -> list[int]:
    """How many entries last at each flush and each FUA write."""
    return [number + 1 for number, entry in enumerate(log) if entry.is_point]


def torn(log: Sequence[Entry], point: int, luck: Random) -> Cut | None:
    """A cut while the disk was on its way to this point, or None where nothing was on its way.

    It keeps some whole writes, some in part, some not at all: of the plain ones before a flush, or of the FUA write.
    """
    first = point - 1
    if log[first].size:
        on_way = [first]
    else:
        while first and log[first - 1].is_plain:
            first -= 1
        on_way = list(range(first, point - 1))
    pieces: list[Piece] = []
    for number in on_way:
        sectors = range(log[number].size // log[number].sector_bytes)
        share = luck.choice((0.0, 0.5, 0.9, 1.0))
        pieces += [(number, sector) for sector in sectors if luck.random() < share]
    return Cut(first, tuple(pieces)) if on_way else None


def marks(log: Sequence[Entry]) -> list[str]:
    """What was marked, in order."""
    return [entry.mark for entry in log if entry.flags & MARK]
