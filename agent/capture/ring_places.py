"""Places in the pre-event ring (ring.py): fixes, decoded values, frames that carry either. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

from agent.capture.ring import AT_KIND, HEAD, NUMBERS, Entry, entries, places
from agent.vehicle import ANY_CHANNEL, Table, pgn_id
from drivers.batch import EXTENDED, FIX, FRAME, SIGNAL_INDEX, VALUE

PLACES = frozenset(SIGNAL_INDEX[name] for name in ("lat", "lon", "course"))
LAT, LON, COURSE = 0, 1, 3
"""Numbers of a fix."""

Cell = Callable[[float | None, float | None], tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class Thinned:
    """`frames`: channel and id of the messages that carry a place by the vehicle's map."""

    frames: frozenset[tuple[int, int]] = frozenset()

    @classmethod
    def of(cls, table: Table) -> Self:
        """Those of this vehicle."""
        told = [one for one in table.messages if any(cut.signal in PLACES for cut in one.told)]
        return cls(frozenset((one.channel, one.id) for one in told))

    def ring(self, raw: bytes, cell: Cell | None) -> bytes:
        """Whole records of the ring without places; with `cell`, fixes stay where it puts them. CodecError: no ring."""
        return b"".join(self._told(raw, cell))

    def _told(self, raw: bytes, cell: Cell | None) -> Iterator[bytes]:
        """Record by record; most are as they were, so that a part takes a few milliseconds."""
        for at, size in places(raw):
            kind, record = raw[at + AT_KIND], raw[at : at + size]
            if kind == FIX:
                if cell is not None:
                    yield from (_packed(_coarse(one, cell)) for one in entries(record))
                continue
            _, id_, _, channel, _, _ = HEAD.unpack_from(record)
            if not (kind == VALUE and id_ in PLACES) and not (kind == FRAME and self._tells(channel, id_)):
                yield record

    def _tells(self, channel: int, id_: int) -> bool:
        """Whether such a frame carries a place."""
        if not self.frames:
            return False
        ids = (id_, pgn_id(id_)) if id_ & EXTENDED else (id_,)
        return any((bus, one) in self.frames for bus in (channel, ANY_CHANNEL) for one in ids)


def _coarse(fix: Entry, cell: Cell) -> Entry:
    """The fix at a coarse place, without its course."""
    numbers = list(fix.numbers)
    numbers[LAT], numbers[LON] = cell(numbers[LAT], numbers[LON])
    numbers[COURSE] = None
    flags = sum(1 << place for place, number in enumerate(numbers) if number is not None) | fix.flags & ~0x3F
    return replace(fix, flags=flags, payload=NUMBERS.pack(*(0.0 if one is None else one for one in numbers)))


def _packed(one: Entry) -> bytes:
    """As the ring has it."""
    head = HEAD.pack(one.t_us, one.id, one.kind, one.channel, one.length, one.flags)
    return head + one.payload + bytes(-len(one.payload) % 8)
