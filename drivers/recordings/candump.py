"""candump's log, as written by can-utils, socketcand, CANedge converters and python-can.

    (1436509052.249713) can0 7E8#03410D32            classic; 3 hex digits: 11 bits, 8: 29 bits
    (1436509052.249713) can0 18DAF110##1AABB         FD: one digit of flags, up to 64 bytes
    (1436509052.249713) can0 7E8#R4                  remote
    (1436509052.249713) can0 20000080#0000000000000000   error: CAN_ERR_FLAG in the identifier
    (1436509052.249713)  can0  7E8   [4]  03 41 0D 32    candump -ta on a screen

Lines as programs write them are read in C (native/candump.h), what that leaves here. A busy hour is 14 million lines:
python-can's reader takes 50 s for them, this 3.

A direction (` R`, ` T`) may follow. A channel's number is the digits its name ends with (can0, vcan1); where these are
missing or taken, the lowest free number, in order of appearance.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from drivers._candump import ffi, lib
from drivers.batch import ERROR, EXTENDED, FD, INPUT_BYTES, REMOTE, frame
from drivers.text import Tally

ANY = re.compile(
    r"\s*\((?P<second>\d{1,11})\.(?P<fraction>\d{1,9})\)\s+(?P<channel>\S+)\s+(?P<id>[0-9A-Fa-f]{8}|[0-9A-Fa-f]{3})"
    r"(?:#(?:#(?P<fd>[0-9A-Fa-f])(?P<fd_data>[0-9A-Fa-f]{0,128})|(?P<remote>R)[0-9A-Fa-f]?(?:_[0-9A-Fa-f])?"
    r"|(?P<data>[0-9A-Fa-f]{0,16})(?:_[0-9A-Fa-f])?)"
    r"|\s+\[(?P<length>\d{1,2})\]\s*(?:(?P<request>remote request)|(?P<bytes>(?:\s[0-9A-Fa-f]{2}){0,64})))"
    r"(?:\s+(?:[RT]|ERRORFRAME))?\s*$"
)
ERROR_BIT = 0x20000000
STANDARD_MAX = 0x7FF
EXTENDED_MAX = 0x1FFFFFFF

ROOM = 4096
"""Inputs read in C at once."""


class Channels(dict[str, int]):
    """Numbers of bus names: their last digits, else the lowest free."""

    def __missing__(self, name: str) -> int:
        """Give a name that is new its number; ValueError when all 256 are taken."""
        digits = re.search(r"\d{1,3}$", name)
        taken = set(self.values())
        wanted = int(digits[0]) if digits else 0
        if wanted in taken or wanted > 255:
            wanted = next((n for n in range(256) if n not in taken), 256)
        if wanted > 255:
            raise ValueError("more than 256 channels")
        self[name] = wanted
        return wanted


@lru_cache(maxsize=4096)
def identifier(digits: str) -> tuple[int, int]:
    """Identifier with EXTENDED, and flags, from 3 or 8 hex digits; ValueError when too large."""
    number = int(digits, 16)
    if len(digits) == 3:
        if number > STANDARD_MAX:
            raise ValueError(digits)
        return number, 0
    if number & ERROR_BIT and number <= ERROR_BIT | EXTENDED_MAX:
        return number & EXTENDED_MAX, ERROR
    if number > EXTENDED_MAX:
        raise ValueError(digits)
    return number | EXTENDED, 0


class Fast:
    """The reader in C, and the bus names it knows."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._learnt = 0
        self._self = ffi.new("tbox_candump_t *")
        self._room = bytearray(ROOM * INPUT_BYTES)
        self._inputs = ffi.from_buffer("uint8_t[]", self._room, require_writable=True)
        self._at = ffi.new("size_t *")

    def read(self, block: bytes, at: int) -> tuple[bytes, int]:
        """Frames of the lines from `at` on, as far as it goes, and where it stopped."""
        self._at[0] = at
        text = ffi.from_buffer("char[]", block)
        count = lib.tbox_candump_read(self._self, text, len(block), self._at, self._inputs, ROOM)
        return bytes(memoryview(self._room)[: count * INPUT_BYTES]), self._at[0]

    def learn(self) -> None:
        """Take over names that are new among the channels, where there is room for them."""
        for name, number in islice(self._channels.items(), self._learnt, None):
            raw, count = name.encode("latin-1"), self._self.count
            if len(raw) <= lib.CANDUMP_NAME_BYTES and count < lib.CANDUMP_CHANNELS:
                channel = self._self.channels[count]
                channel.name[0 : len(raw)] = raw
                channel.length, channel.number = len(raw), number
                self._self.count += 1
        self._learnt = len(self._channels)


def read(blocks: Iterable[bytes], tally: Tally) -> Iterator[bytes]:
    """Frames of a log, packed, a batch a block of whole lines; lines that are none are counted."""
    channels = Channels()
    fast = Fast(channels)
    for block in blocks:
        frames, at = [], 0
        read, first = 0, 0
        while at < len(block):
            some, at = fast.read(block, at)
            frames.append(some)
            read += len(some) // INPUT_BYTES
            if at < len(block) and len(some) < ROOM * INPUT_BYTES:
                at, text = _line(block, at)
                first = first or tally.lines_read - block.count(b"\n")
                frames.append(_slowly(text, first + read, channels, tally))
                fast.learn()
                read += 1
        if packed := b"".join(frames):
            yield packed


def _line(block: bytes, at: int) -> tuple[int, str]:
    """Where the next line begins, and this one."""
    end = block.find(b"\n", at)
    end = len(block) if end < 0 else end
    return end + 1, block[at:end].decode("latin-1").replace("\r", "")


def _slowly(line: str, number: int, channels: Channels, tally: Tally) -> bytes:
    """A line that C left: its frame, nothing, or one more that is bad."""
    try:
        return parse(line, channels)
    except ValueError:
        tally.bad(number)
        return b""


def parse(line: str, channels: Channels) -> bytes:
    """What a line says: its frame, or nothing where it is empty or a comment; ValueError when it is bad."""
    if not line or line.startswith("#"):
        return b""
    found = ANY.match(line)
    if found is None:
        raise ValueError(line)
    t_us = int(found["second"]) * 1_000_000 + int(found["fraction"].ljust(6, "0")[:6])
    number, flags = identifier(found["id"])
    payload = bytes.fromhex(found["fd_data"] or found["data"] or found["bytes"] or "")
    if found["fd"] or len(payload) > 8:
        flags |= FD
    if found["remote"] or found["request"]:
        flags |= REMOTE
    elif found["length"] and int(found["length"]) != len(payload):
        raise ValueError(line)
    return frame(t_us, channels[found["channel"]], number, payload, flags)
