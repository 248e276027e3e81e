"""How the records of a buffered IIO device lie in its stream (Linux: Documentation/driver-api/iio/buffers.rst).

element   scan_elements/in_accel_x_type   "le:s12/16>>4": byte order, sign, bits / bits stored, shift to the right;
                                          "X2" behind the bits stored: that many of them
          scan_elements/in_accel_x_index  its place among those that are switched on
record    each at a multiple of its own size, the whole a multiple of the biggest
"""

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers import sysfs
from drivers.errors import DeviceError

_TYPE = re.compile(r"(le|be):([su])(\d+)/(\d+)(?:X(\d+))?>>(\d+)")
_CODES = {8: "b", 16: "h", 32: "i", 64: "q"}


@dataclass(frozen=True, slots=True)
class Element:
    """A channel of a record. `name` as in "accel_x" or "timestamp"."""

    name: str
    index: int
    is_big_endian: bool
    is_signed: bool
    bits: int
    stored_bits: int
    repeat: int
    shift: int

    @property
    def size(self) -> int:
        """Bytes it takes in a record."""
        return self.stored_bits // 8 * self.repeat

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest number it can say."""
        if self.is_signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1

    @property
    def is_whole(self) -> bool:
        """Whether the number is all that is stored."""
        return self.shift == 0 and self.bits == self.stored_bits

    @property
    def code(self) -> str:
        """How `struct` reads what is stored; of several the first counts."""
        code = _CODES[self.stored_bits]
        code = code if self.is_signed and self.is_whole else code.upper()
        return code + f"{self.size - self.stored_bits // 8}x" * (self.repeat > 1)


def element(folder: Path, name: str) -> Element | None:
    """The element of this name as the device tells it; None where it has none. DeviceError for one that is unknown."""
    scan = folder / "scan_elements"
    told = sysfs.text(scan / f"in_{name}_type")
    if told is None:
        return None
    found = _TYPE.fullmatch(told)
    index = sysfs.number(scan / f"in_{name}_index")
    if found is None or index is None or int(found[4]) not in _CODES or not 1 <= int(found[3]) <= int(found[4]):
        raise DeviceError(f"{folder.name}: cannot read elements of the type {told!r} (in_{name})")
    return Element(
        name=name,
        index=int(index),
        is_big_endian=found[1] == "be",
        is_signed=found[2] == "s",
        bits=int(found[3]),
        stored_bits=int(found[4]),
        repeat=int(found[5] or 1),
        shift=int(found[6]),
    )


class Scan:
    """The layout of a record, and the reading of many at once."""

    def __init__(self, elements: Iterable[Element]) -> None:
        self.elements = tuple(sorted(elements, key=lambda element: element.index))
        self.record_bytes, places = _laid(self.elements)
        self._parts = [part for order in "<>" if (part := _Part(order, self.elements, places, self.record_bytes)).names]

    def columns(self, records: bytes) -> dict[str, Sequence[int]]:
        """A column of numbers for each element; `records` are whole ones, at least one."""
        return {name: column for part in self._parts for name, column in part.columns(records)}


class _Part:
    """The elements of one byte order: a struct over the whole record that skips the others."""

    def __init__(self, order: str, elements: Sequence[Element], places: Sequence[int], record_bytes: int) -> None:
        pattern, end = order, 0
        mine = [pair for pair in zip(elements, places, strict=True) if pair[0].is_big_endian == (order == ">")]
        for one, place in mine:
            pattern += f"{place - end}x{one.code}"
            end = place + one.size
        self._struct = struct.Struct(f"{pattern}{record_bytes - end}x")
        self._cuts = [_cut(one) for one, _ in mine]
        self.names = [one.name for one, _ in mine]

    def columns(self, records: bytes) -> Iterable[tuple[str, Sequence[int]]]:
        columns = zip(*self._struct.iter_unpack(records), strict=True)
        for name, cut, column in zip(self.names, self._cuts, columns, strict=True):
            yield name, column if cut is None else [cut(stored) for stored in column]


def _laid(elements: Sequence[Element]) -> tuple[int, list[int]]:
    """Bytes of a record, and where each element begins."""
    places: list[int] = []
    end = 0
    for one in elements:
        places.append(-(-end // one.size) * one.size)
        end = places[-1] + one.size
    most = max(one.size for one in elements)
    return -(-end // most) * most, places


def _cut(one: Element) -> Callable[[int], int] | None:
    """How the number is cut out of what is stored; None: it is all of it."""
    if one.is_whole:
        return None
    mask = (1 << one.bits) - 1
    sign = 1 << (one.bits - 1) if one.is_signed else 0
    shift = one.shift
    return lambda stored: ((stored >> shift & mask) ^ sign) - sign
