"""OBD-II answers in a log: ISO 15765-2 messages put together, identities and trouble codes as text."""

from dataclasses import dataclass

from drivers.batch import EXTENDED

TIMEOUT_US = 1_000_000
"""A consecutive frame later than this belongs to no first frame (N_Cr, ISO 15765-2)."""

SINGLE, FIRST, CONSECUTIVE = 0, 1, 2
TROUBLE_CODES = {0x43: "03", 0x47: "07", 0x4A: "0A"}
"""Answers to stored, pending and permanent trouble codes."""

IDENTITIES = {0x02: 17, 0x04: 16, 0x0A: 20}
"""Service 09: VIN, calibration ids, unit name, and how long one item is (SAE J1979, InfoTypes)."""


@dataclass(slots=True)
class Pending:
    """A message of which more is to come."""

    size: int
    data: bytearray
    next: int
    last_us: int


class Assembler:
    """Frames in, whole messages out; each control unit on its own, so that they may interleave.

    A message with a frame lost, late, short or out of order is dropped: nothing is made up.
    """

    def __init__(self) -> None:
        self._pending: dict[int, Pending] = {}

    def put(self, t_us: int, identifier: int, data: bytes) -> bytes | None:
        """The message this frame completes. Frames of others than control units complete none."""
        if not data or not is_answer(identifier):
            return None
        kind = data[0] >> 4
        if kind == CONSECUTIVE:
            return self._continue(t_us, identifier, data)
        if kind == SINGLE:
            self._pending.pop(identifier, None)
            return _single(data)
        if kind == FIRST:
            self._begin(t_us, identifier, data)
        return None

    def _begin(self, t_us: int, identifier: int, data: bytes) -> None:
        """A first frame: whatever was pending of this unit is lost."""
        self._pending.pop(identifier, None)
        size = (data[0] & 0xF) << 8 | data[1] if len(data) >= 8 else 0
        if size > len(data) - 2:
            self._pending[identifier] = Pending(size, bytearray(data[2:]), 1, t_us)

    def _continue(self, t_us: int, identifier: int, data: bytes) -> bytes | None:
        message = self._pending.get(identifier)
        if message is None:
            return None
        missing = message.size - len(message.data)
        is_whole = len(data) - 1 >= min(missing, 7)
        if data[0] & 0xF != message.next or t_us - message.last_us > TIMEOUT_US or not is_whole:
            del self._pending[identifier]
            return None
        message.data += data[1 : 1 + missing]
        message.next, message.last_us = (message.next + 1) & 0xF, t_us
        if len(message.data) < message.size:
            return None
        del self._pending[identifier]
        return bytes(message.data)


def is_answer(identifier: int) -> bool:
    """Whether a control unit answers on this identifier (ISO 15765-4): 0x7E8..0x7EF, 0x18DAF100..0x18DAF1FF."""
    return identifier & ~0x7 == 0x7E8 or identifier & ~0xFF == EXTENDED | 0x18DAF100


def single_frame(message: bytes) -> bytes | None:
    """The frame a message would be, had it come in one, as the decode table reads it. None: too long for CAN FD."""
    if len(message) > 62:
        return None
    return bytes([len(message)]) + message if len(message) <= 7 else bytes([0, len(message)]) + message


def text(message: bytes) -> tuple[str, str] | None:
    """What an answer tells in words: ("0902", "1HGCM82633A004352"), ("03", "P0133 C0300"); None: no such words."""
    service = message[0] if message else 0
    if service in TROUBLE_CODES and len(message) >= 2:
        return TROUBLE_CODES[service], " ".join(_codes(message))
    if service == 0x49 and len(message) >= 3 and message[1] in IDENTITIES:
        words = _identities(message[3:], IDENTITIES[message[1]])
        return (f"09{message[1]:02X}", " ".join(words)) if words else None
    return None


def _single(data: bytes) -> bytes | None:
    """The message of a single frame, or of the CAN FD form of one."""
    at, size = (2, data[1]) if data[0] == 0 and len(data) > 8 else (1, data[0])
    return data[at : at + size] if 0 < size <= len(data) - at else None


def _codes(message: bytes) -> list[str]:
    """Trouble codes (SAE J2012): a count, then two bytes each. P0000 is padding."""
    pairs = [message[at : at + 2] for at in range(2, min(len(message) - 1, 2 + 2 * message[1]), 2)]
    return [trouble_code(pair) for pair in pairs if any(pair)]


def trouble_code(pair: bytes) -> str:
    """Two bytes as a trouble code: area, digit, three hexadecimal digits."""
    return f"{'PCBU'[pair[0] >> 6]}{pair[0] >> 4 & 3}{pair[0] & 0xF:X}{pair[1]:02X}"


def _identities(data: bytes, size: int) -> list[str]:
    """Texts of a fixed length, without what fills them up."""
    items = [data[at : at + size] for at in range(0, len(data), size)]
    texts = [item.rstrip(b"\xff\xaa").replace(b"\0", b"").decode("ascii", "replace").strip() for item in items]
    return ["".join(letter if letter.isprintable() else "?" for letter in text) for text in texts if text]
