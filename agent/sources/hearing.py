"""What came while a person waits for a verdict: buses, sensor, receiver, counted and kept in short. Pure."""

import struct
from collections import deque
from dataclasses import dataclass, field

from agent.obd import answers as obd
from drivers.batch import ERROR, EXTENDED, FIX, FRAME, IMU, REMOTE

_INPUT = struct.Struct("=qIBBBB64s")
_NUMBERS = struct.Struct("=6d")

FORCES_MAX = 20_000
"""Readings of the motion sensor that are kept: the newest 20 s at 1 kHz."""

FRAME_BITS, FRAME_BITS_EXTENDED, STUFFING = 47, 67, 1.1
"""Bits of a classic frame beside its data, with the pause behind it (ISO 11898-1); a tenth is stuffed on average."""


@dataclass(slots=True)
class Ident:
    """One identifier of a bus."""

    frames: int = 0
    first_us: int = 0
    last_us: int = 0
    bytes_max: int = 0

    @property
    def rate_hz(self) -> float | None:
        """How often it comes; None: it came once."""
        return None if self.last_us <= self.first_us else (self.frames - 1) * 1e6 / (self.last_us - self.first_us)


@dataclass(slots=True)
class Bus:
    """One bus. `bits` estimates what its frames took of it."""

    frames: int = 0
    errors: int = 0
    bits: float = 0.0
    ids: dict[int, Ident] = field(default_factory=dict)
    fd: int = 0


@dataclass(frozen=True, slots=True)
class Fix:
    """One word of the receiver; None: not told."""

    t_us: int
    is_valid: bool
    speed_mps: float | None
    hdop: float | None
    sats: float | None


@dataclass(frozen=True, slots=True)
class Text:
    """What a control unit said in words, to whoever asked: "0902" and a VIN, say."""

    what: str
    words: str


class Hearing:
    """All of it. `take` batches as drivers hand them on; then look."""

    def __init__(self) -> None:
        self.buses: dict[int, Bus] = {}
        self.forces: deque[tuple[int, tuple[float, float, float]]] = deque(maxlen=FORCES_MAX)
        self.fixes: deque[Fix] = deque(maxlen=FORCES_MAX)
        self.texts: dict[Text, None] = {}
        self.inputs = 0
        self._words: dict[int, obd.Assembler] = {}

    def take(self, batch: bytes) -> None:
        """Count what is in a batch."""
        for t_us, identifier, kind, channel, length, flags, body in _INPUT.iter_unpack(batch):
            self.inputs += 1
            if kind == FRAME:
                self._frame(t_us, channel, identifier, flags, body[:length])
            elif kind == IMU:
                self._force(t_us, flags, _NUMBERS.unpack_from(body))
            elif kind == FIX:
                self._fix(t_us, flags, _NUMBERS.unpack_from(body), is_valid=bool(length))

    @property
    def frames(self) -> int:
        """Good frames of all buses."""
        return sum(bus.frames for bus in self.buses.values())

    def _frame(self, t_us: int, channel: int, identifier: int, flags: int, data: bytes) -> None:
        bus = self.buses.setdefault(channel, Bus())
        if flags & ERROR:
            bus.errors += 1
            return
        bus.frames += 1
        bits = FRAME_BITS_EXTENDED if identifier & EXTENDED else FRAME_BITS
        bus.bits += (bits + 8 * len(data)) * STUFFING
        bus.fd += len(data) > 8
        ident = bus.ids.setdefault(identifier, Ident(first_us=t_us))
        ident.frames, ident.last_us = ident.frames + 1, t_us
        ident.bytes_max = max(ident.bytes_max, len(data))
        if not flags & REMOTE and obd.is_answer(identifier):
            message = self._words.setdefault(channel, obd.Assembler()).put(t_us, identifier, data)
            told = obd.text(message) if message else None
            if told is not None and told[1]:
                self.texts[Text(*told)] = None

    def _force(self, t_us: int, there: int, numbers: tuple[float, ...]) -> None:
        if there & 7 == 7:
            self.forces.append((t_us, (numbers[0], numbers[1], numbers[2])))

    def _fix(self, t_us: int, there: int, numbers: tuple[float, ...], *, is_valid: bool) -> None:
        told = [number if there >> place & 1 else None for place, number in enumerate(numbers)]
        self.fixes.append(Fix(t_us, is_valid, told[2], told[4], told[5]))
