"""What a control unit's answer tells beside signals: what it supports, who it is, its trouble codes, its lamp. Pure.

41 PID data | 42 PID frame data | 43/47/4A count codes | 49 InfoType count data | 62 identifier data | 7F service why
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent.obd import answers as obd
from drivers.bus.diagnostic import NEGATIVE, Answer, Request

POSITIVE = 0x40
"""What an answer adds to the service it answers (SAE J1979)."""

BITMAP_PIDS = 0x20
"""A bitmap tells of so many PIDs, and its last bit whether there is another."""

ECHOES = {0x01: 1, 0x02: 2, 0x09: 1, 0x22: 2}
"""How many bytes of the request its answer repeats after the service."""


@dataclass(frozen=True, slots=True)
class Supported:
    """One bitmap of what a unit answers to: of `service`, the PIDs (or InfoTypes) from `base` + 1 to `base` + 32."""

    t_us: int
    ecu: int
    service: int
    base: int
    pids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Identity:
    """A text of service 09. `what`: "0902" VIN, "0904" calibration ids (a space between), "090A" the unit's name."""

    t_us: int
    ecu: int
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Codes:
    """All trouble codes a unit has now, sorted. `service`: "03" stored, "07" pending, "0A" permanent."""

    t_us: int
    ecu: int
    service: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Monitors:
    """Monitor status since codes were cleared (PID 01): the lamp, how many codes, and all four bytes as they came."""

    t_us: int
    ecu: int
    is_lamp_on: bool
    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FramePart:
    """One PID of the freeze frame (service 02, frame 0)."""

    t_us: int
    ecu: int
    pid: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Freeze:
    """The whole freeze frame of a unit: the code that stored it, and the bytes of each PID."""

    t_us: int
    ecu: int
    code: str
    parts: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Data:
    """What a map's data identifier holds (service 22)."""

    t_us: int
    ecu: int
    identifier: int
    data: bytes


Finding = Supported | Identity | Codes | Monitors | FramePart | Freeze | Data


def finding(answer: Answer) -> Finding | None:
    """What this answer tells; None: only values, a refusal, or nothing that makes sense."""
    payload, told = answer.payload, (answer.t_us, answer.ecu)
    match payload[0] - POSITIVE if payload else 0:
        case 0x01 | 0x09 if len(payload) >= 2 and payload[1] % BITMAP_PIDS == 0:
            return _supported(answer)
        case 0x01 if len(payload) == 6 and payload[1] == 0x01:
            return Monitors(*told, bool(payload[2] & 0x80), payload[2] & 0x7F, payload[2:])
        case 0x02 if len(payload) >= 4 and payload[2] == 0:
            return FramePart(*told, payload[1], payload[3:])
        case 0x22 if len(payload) >= 4:
            return Data(*told, int.from_bytes(payload[1:3], "big"), payload[3:])
    return _in_words(answer)


def _supported(answer: Answer) -> Supported | None:
    """A bitmap of four bytes; in service 09 older units send a count before it."""
    service, base, bits = answer.payload[0] - POSITIVE, answer.payload[1], answer.payload[2:]
    if service == 0x09 and len(bits) == 5:
        bits = bits[1:]
    if len(bits) != 4:
        return None
    return Supported(answer.t_us, answer.ecu, service, base, frozenset(bitmap(base, bits)))


def _in_words(answer: Answer) -> Identity | Codes | None:
    """Texts and trouble codes."""
    words = obd.text(answer.payload)
    if words is None:
        return None
    what, said = words
    if what.startswith("09"):
        return Identity(answer.t_us, answer.ecu, what, said)
    return Codes(answer.t_us, answer.ecu, what, tuple(sorted(set(said.split()))))


def bitmap(base: int, bits: bytes) -> Iterator[int]:
    """The PIDs that four bytes name: the top bit of the first is `base` + 1."""
    number = int.from_bytes(bits, "big")
    return (base + place for place in range(1, BITMAP_PIDS + 1) if number >> (BITMAP_PIDS - place) & 1)


def answers(request: Request, payload: bytes) -> bool:
    """Whether these bytes answer this request, well or badly."""
    if payload[:1] == bytes([NEGATIVE]):
        return payload[1:2] == bytes([request.service])
    echo = request.data[: ECHOES.get(request.service, 0)]
    return payload[: 1 + len(echo)] == bytes([request.service + POSITIVE]) + echo
