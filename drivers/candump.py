"""candump's log, as written by can-utils, socketcand, CANedge converters and python-can.

    (1436509052.249713) can0 7E8#03410D32            classic; 3 hex digits: 11 bits, 8: 29 bits
    (1436509052.249713) can0 18DAF110##1AABB         FD: one digit of flags, up to 64 bytes
    (1436509052.249713) can0 7E8#R4                  remote
    (1436509052.249713) can0 20000080#0000000000000000   error: CAN_ERR_FLAG in the identifier
    (1436509052.249713)  can0  7E8   [4]  03 41 0D 32    candump -ta on a screen

A direction (` R`, ` T`) may follow. A channel's number is the digits its name ends with (can0, vcan1); where these are
missing or taken, the lowest free number, in order of appearance.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from drivers.batch import ERROR, EXTENDED, FD, REMOTE, frame
from drivers.text import Tally

CLASSIC = re.compile(r"\((\d{1,11})\.(\d{6})\) (\S+) ([0-9A-Fa-f]{8}|[0-9A-Fa-f]{3})#([0-9A-Fa-f]{0,16})(?: [RT])?$")
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


def read(blocks: Iterable[list[str]], tally: Tally) -> Iterator[bytes]:
    """Frames of a log, packed, a batch a block; lines that are none are counted."""
    channels = Channels()
    for lines in blocks:
        frames = []
        for number, line in enumerate(lines, start=tally.lines_read - len(lines) + 1):
            try:
                if found := CLASSIC.match(line):
                    second, fraction, name, digits, data = found.groups()
                    number_, flags = identifier(digits)
                    frames.append(frame(int(second + fraction), channels[name], number_, bytes.fromhex(data), flags))
                elif line and not line.startswith("#"):
                    frames.append(_unusual(line, channels))
            except ValueError:
                tally.bad(number)
        if frames:
            yield b"".join(frames)


def _unusual(line: str, channels: Channels) -> bytes:
    """Whatever is not the plain classic line; ValueError when it is no frame at all."""
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
