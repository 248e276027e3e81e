"""What is caught of a crash: at once in pieces for flash, and once it is sure in parts for records. Pure.

From the moment a crash may have begun, what the ring holds is put to flash in slices, the newest first, and what comes
every EVERY_US: rows that nobody has numbered yet. When it is a crash they become parts, in the order of time; when it
is none they go. A power cut leaves the rows, and `resumed` goes on from them.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agent.capture.ring import cut, first_us
from agent.codec import CodecError, pack, unpack

EVERY_US = 100_000
"""What came is put to flash this often; a turn of the loop and a sync on top of it stay well under 0.5 s."""

PART_BYTES = 60_000
"""Of the ring in one part, before it is deflated: incompressible it still fits into 64 KiB."""

SLICES_AT_ONCE = 4
PARTS_AT_ONCE = 2
"""So much is deflated, or numbered, in one turn of the loop: a few milliseconds."""

LEVEL = 6
HEAD_KEY = 0

Row = tuple[int, bytes]
"""On flash: a key, and deflated records of the ring. Keys are in the order of time; HEAD_KEY says what it is about."""


@dataclass(slots=True)
class Changes:
    """Of the rows on flash, in this order: all go, these are put, these keys go."""

    is_cleared: bool = False
    rows: list[Row] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.is_cleared or self.rows or self.gone)


@dataclass(slots=True)
class Head:
    """What is being caught, in times of `boot`. `event`: its number once it is sure; `part`: that of the next part."""

    boot: int
    blow_us: int
    about: dict[str, Any]
    event: int | None = None
    until_us: int = 0
    part: int = 0
    is_capped: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """How long before and after, and how many deflated bytes at most."""

    before_us: int
    after_us: int
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the evidence: deflated records of the ring from `from_us` on."""

    number: int
    from_us: int | None
    packed: bytes
    is_last: bool
    is_capped: bool = False
    """Not all there was fitted."""


@dataclass(slots=True)
class _Piece:
    raw: bytes
    packed: bytes


class Capture:
    """One at a time. What `step` returns must be kept in one go.

    `packed_bytes`: of what is held, deflated; `is_held_back`: as `begin` was told.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._todo: list[bytes] = []
        self._pieces: dict[int, _Piece] = {}
        self._tail = bytearray()
        self._key = self._tail_us = self._heard_us = self.packed_bytes = self._before_bytes = 0
        self._is_told, self._is_full, self.is_held_back = True, False, False
        self._changes = Changes()
        self.head: Head | None = None
        """None: nothing is being caught."""

    @classmethod
    def resumed(cls, rule: Rule, rows: Sequence[Row]) -> "Capture":
        """On what a power cut left: it ends where its rows end. Without a whole head nothing is caught."""
        self = cls(rule)
        kept = dict(rows)
        try:
            self.head = msgspec.convert(unpack(kept.pop(HEAD_KEY, b"")), Head)
            self._pieces = {key: _Piece(zlib.decompress(kept[key]), kept[key]) for key in sorted(kept)}
        except (CodecError, msgspec.ValidationError, zlib.error):
            self.head = None
        if self.head is not None:
            self.head.until_us = 0
        self._key = max(kept, default=0) + 1
        self._changes.is_cleared = bool(rows) and self.head is None
        return self

    def begin(self, head: Head, now_us: int, slices: Iterable[bytes], *, is_held_back: bool = False) -> None:
        """A crash may have begun: this is what the ring holds of before, in slices of whole records.

        `is_held_back`: nothing goes to flash before it is sure.
        """
        self._drop()
        self.head, self.is_held_back = head, is_held_back
        head.until_us = head.blow_us + self._rule.after_us
        self._todo = [part for one in slices for part in ([one] if len(one) <= PART_BYTES else cut(one, PART_BYTES))]
        self._key, self._tail_us, self._heard_us = len(self._todo) + 1, now_us, now_us
        self._before_bytes = (
            self._rule.most_bytes * self._rule.before_us // (self._rule.before_us + self._rule.after_us)
        )
        self._is_told = self._is_full = False

    def hear(self, ring: bytes, now_us: int) -> None:
        """What came since; after the last second it is none of it. A turn that comes late brings what came before."""
        if self.head is not None and self._heard_us < self.head.until_us and not self._is_full:
            self._tail += ring
            self._heard_us = now_us

    def confirm(self, event: int, blow_us: int) -> int:
        """It is this event; the event it is of. A second one while the first is being caught makes it longer."""
        assert self.head is not None
        self.head.event = event if self.head.event is None else self.head.event
        self.head.until_us = max(self.head.until_us, blow_us + self._rule.after_us)
        self._is_told = False
        return self.head.event

    def reject(self) -> None:
        """It was none, or there is no room for it: nothing stays."""
        self._drop()
        self.head = None

    def take_number(self) -> int:
        """The number of a part that is not of the ring."""
        assert self.head is not None
        self.head.part += 1
        self._is_told = False
        return self.head.part - 1

    def around(self, from_us: int) -> list[bytes]:
        """What is held and not numbered yet, from about this time on, in pieces of whole records."""
        pieces = [self._pieces[key].raw for key in sorted(self._pieces)]
        held = [raw for raw in (*self._todo, *pieces, bytes(self._tail)) if raw]
        first = max((i for i, raw in enumerate(held) if first_us(raw) <= from_us), default=0)
        return held[first:]

    def is_due(self, now_us: int) -> bool:
        """Whether it is over: nothing more belongs to it."""
        return self.head is not None and now_us >= self.head.until_us

    def step(self, now_us: int, *, is_open: bool = False, is_numbered: bool = True) -> tuple[Changes, list[Part]]:
        """What changes on flash, and the parts to be numbered now, if they may be. `is_open`: it may still go on."""
        parts: list[Part] = []
        head = self.head
        if head is not None:
            self._pack_old()
            self._pack_new(now_us)
            if head.event is not None and is_numbered and not self._todo:
                parts = self._parts(is_over=self.is_due(now_us) and not is_open)
        if self.head is not None and not self._is_told:
            self._changes.rows.append((HEAD_KEY, pack(msgspec.to_builtins(self.head, builtin_types=(bytes,)))))
            self._is_told = True
        return self._take_changes(), parts

    def _take_changes(self) -> Changes:
        """What is to be kept now; of what is held back only that earlier rows go."""
        changes, self._changes = self._changes, Changes()
        if not self._is_unsure_and_held:
            return changes
        self._changes.rows = changes.rows
        return Changes(is_cleared=changes.is_cleared)

    @property
    def _is_unsure_and_held(self) -> bool:
        """Nothing of it is on flash."""
        return self.is_held_back and self.head is not None and self.head.event is None

    def _drop(self) -> None:
        is_any_there = self.head is not None and not self._is_unsure_and_held
        self._changes = Changes(is_cleared=is_any_there or self._changes.is_cleared)
        self._todo, self._pieces, self._tail, self.packed_bytes = [], {}, bytearray(), 0

    def _pack_old(self) -> None:
        """Some slices of what was before; the newest are the most worth, so the oldest go without room."""
        for _ in range(min(SLICES_AT_ONCE, len(self._todo))):
            if not self._put(len(self._todo), self._todo.pop(), self._before_bytes):
                self._todo = []
                return

    def _pack_new(self, now_us: int) -> None:
        """What came, when it is time."""
        assert self.head is not None
        if not self._tail or (now_us - self._tail_us < EVERY_US and now_us < self.head.until_us):
            return
        raw, self._tail, self._tail_us = bytes(self._tail), bytearray(), now_us
        for one in cut(raw, PART_BYTES):
            self._is_full = self._is_full or not self._put(self._key, one, self._rule.most_bytes)
            self._key += 1

    def _put(self, key: int, raw: bytes, most_bytes: int) -> bool:
        """A row of its own; False, and said so, where there is no room."""
        assert self.head is not None
        packed = zlib.compress(raw, LEVEL)
        if self.packed_bytes + len(packed) > most_bytes:
            self._is_told &= self.head.is_capped
            self.head.is_capped = True
            return False
        self.packed_bytes += len(packed)
        self._pieces[key] = _Piece(raw, packed)
        self._changes.rows.append((key, packed))
        return True

    def _parts(self, *, is_over: bool) -> list[Part]:
        """Groups of pieces that are as long as a part may be; when it is over, the rest too."""
        assert self.head is not None
        parts: list[Part] = []
        groups = self._groups()
        for keys in groups[: PARTS_AT_ONCE if is_over else max(0, min(PARTS_AT_ONCE, len(groups) - 1))]:
            parts.append(self._part([self._pieces.pop(key) for key in keys], is_last=is_over and not self._pieces))
            self._changes.gone += keys
        if is_over and not groups:
            parts.append(self._part([], is_last=True))
        if parts:
            self._is_told = False
        if is_over and not self._pieces:
            self.reject()  # all of it is in records now
        return parts

    def _part(self, pieces: Sequence[_Piece], *, is_last: bool) -> Part:
        assert self.head is not None
        number, raw = self.take_number(), b"".join(piece.raw for piece in pieces)
        packed = pieces[0].packed if len(pieces) == 1 else zlib.compress(raw, LEVEL)
        return Part(number, first_us(raw) if raw else None, packed, is_last, self.head.is_capped)

    def _groups(self) -> list[list[int]]:
        """Keys in the order of time, as many together as a part holds."""
        groups: list[list[int]] = []
        size = 0
        for key in sorted(self._pieces):
            if not groups or size + len(self._pieces[key].raw) > PART_BYTES:
                groups.append([])
                size = 0
            groups[-1].append(key)
            size += len(self._pieces[key].raw)
        return groups
