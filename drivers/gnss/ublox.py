"""What a u-blox receiver may be asked for: a higher rate, the sentences we read, dead reckoning for a car. UBX frames.

    B5 62   class  id   length, 2 bytes   payload ...   checksum A  B       (Fletcher over class .. payload)
    05 01 = acknowledged, 05 00 = refused; payload: class and id of what was asked

Receivers from generation 9 on take keys and values (UBX-CFG-VALSET), those before have a message for each purpose: the
first is tried, then the second. Only the receiver's working memory is written: a power cut takes everything back.
Source: u-blox's interface descriptions of F9 (keys) and of u-blox 8 / M8 (the older messages).
"""

import re
import struct
from collections import deque
from collections.abc import Iterable

HZ_MAX = 25
ANSWER_US = 1_000_000
"""A receiver that knows the message answers within this time, says u-blox."""

RATE, VALSET, MESSAGE, NAV5, NAVX5 = 0x0608, 0x068A, 0x0601, 0x0624, 0x0623
ACK = re.compile(rb"\xb5\x62(\x05[\x00\x01]\x02\x00(..))(..)", re.DOTALL)
ACK_BYTES = 10

KEY_RATE_MEAS, KEY_RATE_NAV = 0x30210001, 0x30210002
KEY_DYNMODEL, KEY_USE_SF = 0x20110021, 0x10080001
AUTOMOTIVE = 4
RAM = 1

SENTENCES = {"RMC": (4, 0x209100AC), "GGA": (0, 0x209100BB), "GSA": (2, 0x209100C0), "GSV": (3, 0x209100C5),
             "GLL": (1, 0x209100CA), "VTG": (5, 0x209100B1)}  # fmt: skip
"""Message id in class F0, and the key of its rate on UART1; the key on USB is 2 more."""

EVERY, SECONDLY = ("RMC", "GGA"), ("GSA", "GSV")

SKY_BYTES = 1_400
"""GSA and GSV of four systems, once a second."""

MOMENT_BYTES = 164
"""RMC and GGA at their longest."""


def frame(kind: int, payload: bytes) -> bytes:
    """A UBX frame; `kind` is class and id."""
    body = struct.pack(">H", kind) + struct.pack("<H", len(payload)) + payload
    return b"\xb5\x62" + body + checksum(body)


def checksum(body: bytes) -> bytes:
    """Fletcher's sum as UBX has it: of class, id, length and payload."""
    a = b = 0
    for byte in body:
        a = (a + byte) & 0xFF
        b = (b + a) & 0xFF
    return bytes((a, b))


def carried_hz(hz: int, baud: int) -> int:
    """The rate that a line of so many bauds carries (10 bits a byte); 0 bauds: a line without a speed, USB."""
    if not baud:
        return min(hz, HZ_MAX)
    return max(1, min(hz, HZ_MAX, (baud // 10 - SKY_BYTES) // MOMENT_BYTES))


class Ublox:
    """Asks one thing after the other and hears whether it was granted. Pure: bytes and time in, bytes out."""

    def __init__(self, hz: int, *, dead_reckoning: bool) -> None:
        self.acknowledged = 0
        self.refused = 0
        """Refused, or not answered within ANSWER_US."""

        self._wishes = deque(_wishes(hz, dead_reckoning=dead_reckoning))
        self._frames: deque[bytes] = deque()
        self._asked = b""
        self._asked_us = 0
        self._tail = b""

    def step(self, came: bytes, now_us: int) -> bytes:
        """Hear what came; what is to be sent now, mostly nothing."""
        answer = self._answer(came)
        if self._asked and answer is None and now_us - self._asked_us < ANSWER_US:
            return b""
        if self._asked:
            self._settle(bool(answer))
        self._asked, self._asked_us = self._next(), now_us
        return self._asked

    def _answer(self, came: bytes) -> bool | None:
        """Whether what is asked now was granted; None: no answer to it among these bytes."""
        text = self._tail + came
        self._tail = text[-(ACK_BYTES - 1) :]
        for body, kind, check in ACK.findall(text):
            if check == checksum(body) and kind == self._asked[2:4]:
                self._tail = b""
                return bool(body[1])
        return None

    def _settle(self, is_granted: bool) -> None:
        """Count the answer; a wish that was granted needs no other way, one that was refused takes the next."""
        if is_granted:
            self.acknowledged += 1
        else:
            self.refused += 1
            self._frames.clear()
        if is_granted and not self._frames and self._wishes:
            self._wishes.popleft()

    def _next(self) -> bytes:
        """The next frame of this way, or of the next way, or of the next wish."""
        while not self._frames and self._wishes:
            ways = self._wishes[0]
            if ways:
                self._frames.extend(ways.popleft())
            else:
                self._wishes.popleft()
        return self._frames.popleft() if self._frames else b""


def _wishes(hz: int, *, dead_reckoning: bool) -> Iterable[deque[list[bytes]]]:
    """Each wish with its ways, each way as frames that must all be granted."""
    if hz:
        yield deque([_keys((KEY_RATE_MEAS, "H", _period_ms(hz)), (KEY_RATE_NAV, "H", 1)), _rate(hz)])
        yield deque([_sentence_keys(hz), _sentences(hz)])
    if dead_reckoning:
        yield deque([_keys((KEY_DYNMODEL, "B", AUTOMOTIVE)), [_automotive()]])
        yield deque([_keys((KEY_USE_SF, "B", 1)), [_fusion()]])


def _period_ms(hz: int) -> int:
    return 1000 // hz


def _keys(*items: tuple[int, str, int]) -> list[bytes]:
    """UBX-CFG-VALSET: version, layers, 2 reserved, then key and value each."""
    values = b"".join(struct.pack("<I" + size, key, setting) for key, size, setting in items)
    return [frame(VALSET, bytes((0, RAM, 0, 0)) + values)]


def _rate(hz: int) -> list[bytes]:
    """UBX-CFG-RATE: ms between measurements, measurements a fix, aligned to GPS time."""
    return [frame(RATE, struct.pack("<HHH", _period_ms(hz), 1, 1))]


def _divisor(name: str, hz: int) -> int:
    """With every how many fixes a sentence comes; 0: never."""
    return 1 if name in EVERY else hz if name in SECONDLY else 0


def _sentence_keys(hz: int) -> list[bytes]:
    """The sentences we read, on UART1 and USB."""
    return _keys(*((key + usb, "B", _divisor(name, hz)) for name, (_, key) in SENTENCES.items() for usb in (0, 2)))


def _sentences(hz: int) -> list[bytes]:
    """UBX-CFG-MSG, one a sentence: class F0, id, rate on the port that asks."""
    return [frame(MESSAGE, bytes((0xF0, ident, _divisor(name, hz)))) for name, (ident, _) in SENTENCES.items()]


def _automotive() -> bytes:
    """UBX-CFG-NAV5: only the dynamic model (mask bit 0)."""
    return frame(NAV5, struct.pack("<HB33x", 1, AUTOMOTIVE))


def _fusion() -> bytes:
    """UBX-CFG-NAVX5 version 2: only automotive dead reckoning (second mask, bit 6) at byte 39."""
    return frame(NAVX5, struct.pack("<HHI31xB", 2, 0, 1 << 6, 1))
