"""Diagnostic questions and answers (SAE J1979, ISO 14229): the shapes every way of asking shares, CAN or adapter."""

from dataclasses import dataclass
from typing import Protocol

from drivers.batch import EXTENDED

FUNCTIONAL = 0
"""`Request.to` for everybody: 0x7DF, or 0x18DB33F1 where identifiers have 29 bits."""

NEGATIVE = 0x7F
"""First byte of a refusal; the service refused and the reason follow (ISO 14229-1, A.1)."""

RESPONSE_PENDING = 0x78
"""The reason that says: wait, the answer comes later."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question. `data` is a PID, a PID with a frame number, or a data identifier, big-endian."""

    service: int
    data: bytes = b""
    to: int = FUNCTIONAL
    """FUNCTIONAL, or the CAN identifier that one control unit listens to (with EXTENDED of drivers.batch: 29 bits)."""

    @property
    def payload(self) -> bytes:
        """The question's bytes, without any transport's."""
        return bytes([self.service]) + self.data


@dataclass(frozen=True, slots=True)
class Answer:
    """One control unit's whole answer: 41 0D 32, or 7F 01 12. `t_us` is the boot time of its last frame."""

    t_us: int
    ecu: int
    """The identifier it answered on: 0x7E8.., or 0x18DAF1xx | EXTENDED."""
    payload: bytes


def request_id(ecu: int) -> int | None:
    """The identifier a unit is asked on, by the one it answers on (ISO 15765-4); None: no unit answers there."""
    if ecu & ~0x7 == 0x7E8:
        return ecu - 8
    if ecu & ~0xFF == EXTENDED | 0x18DAF100 and ecu & 0xFF != 0xF1:
        return EXTENDED | 0x18DA00F1 | (ecu & 0xFF) << 8
    return None


def answer_id(tester: int) -> int | None:
    """The identifier a unit answers on, by the one it is asked on; None: nobody is asked there."""
    if tester & ~0x7 == 0x7E0:
        return tester + 8
    if tester & ~0xFF00 == EXTENDED | 0x18DA00F1 and tester & 0xFF00 != 0xF100:
        return EXTENDED | 0x18DAF100 | tester >> 8 & 0xFF
    return None


class Asker(Protocol):
    """What can be asked. It carries requests out and keeps no schedule: one in flight is its user's rule."""

    def ask(self, request: Request) -> str:
        """Send a question. Empty when it went out, else why not: the guard's reason, "bus" or "busy"."""
        ...

    def answers(self) -> list[Answer]:
        """What came since the last call, oldest first, to anybody's question."""
        ...

    def foreign(self) -> int:
        """Count diagnostic requests ever heard that were not ours: another tester's."""
        ...
