"""Receivers that are not there: a pty for a GNSS port, a socket for gpsd, and what a test hears of a source."""

import json
import os
import pty
import select
import socket
import termios
import time
import tty
from collections.abc import Callable
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

from drivers.gnss.ublox import frame
from drivers.source import Source
from tests.packed import told

DEADLINE_S = 30.0
Fix = tuple[int, str, bool, list[float | None]]

UBX = b"\xb5b\x01\x07\x05\x00$GPRM\x00\x00"
SIRF = b"\xa0\xa2\x00\x03$$$\x01\x02\xb0\xb3"
CLOCK = "2026-11-22T08:18:36.000Z"
PLACE = "3751.6500,S,14507.3600,E"
VERSION = {"class": "VERSION", "release": "3.22", "rev": "3.22", "proto_major": 3, "proto_minor": 14}


def sentence(body: str) -> bytes:
    """An NMEA sentence with checksum and line end."""
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()


def burst(clock: str, day: str = "221126", knots: float = 10.0) -> bytes:
    """What a receiver says of a moment: GGA, GSA, GSV, RMC."""
    return b"".join(
        sentence(body)
        for body in (
            f"GPGGA,{clock},{PLACE},1,08,1.1,59.9,M,,M,,",
            "GPGSA,A,3,10,28,09,13,,,,,,,,,03.4,01.7,03.0",
            "GPGSV,1,1,04,28,14,150,41,09,15,254,41,10,43,192,47,13,06,081,35",
            f"GPRMC,{clock},A,{PLACE},{knots:05.1f},360.0,{day},,,A",
        )
    )


def tpv(clock: str | None = CLOCK, mode: int = 3, device: str = "/dev/a", **more: Any) -> dict[str, Any]:
    """Report of a position, as gpsd's."""
    place = {"lat": -37.86, "lon": 145.12, "speed": 5.0, "track": 90.0} | more if mode > 1 else more
    return {"class": "TPV", "device": device, "mode": mode} | ({"time": clock} if clock else {}) | place


def sky(device: str = "/dev/a", **more: Any) -> dict[str, Any]:
    """Report of the satellites, as gpsd's."""
    return {"class": "SKY", "device": device} | more


def second(number: int) -> str:
    """A time in the minute of CLOCK."""
    return f"2026-11-22T08:18:{number:02}.000Z"


def answer(asked: bytes, *, is_granted: bool) -> bytes:
    """What a u-blox answers to a frame: UBX-ACK-ACK or UBX-ACK-NAK."""
    return frame(0x0501 if is_granted else 0x0500, asked[2:4])


class Port:
    """A receiver on a pty; `path` stays the same when it is plugged in again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master = self._slave = -1

    def plug(self) -> "Port":
        """Be there."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self._slave))
        return self

    def unplug(self) -> None:
        """Be gone."""
        for fd in (self._master, self._slave):
            if fd >= 0:
                os.close(fd)
        self._master = self._slave = -1
        self.path.unlink(missing_ok=True)

    def say(self, *words: bytes) -> None:
        """Send bytes, each word at once."""
        for word in words:
            os.write(self._master, word)

    def asked(self) -> bytes:
        """What was sent to the receiver meanwhile."""
        try:
            return os.read(self._master, 4096)
        except BlockingIOError:
            return b""

    @property
    def speed(self) -> int:
        """The line's speed, as termios has it (termios.B9600)."""
        return int(termios.tcgetattr(self._slave)[4])


class Daemon:
    """A gpsd of our own on a port of its own; `open` again after `close` takes the same one."""

    def __init__(self, path: str = "") -> None:
        self._path = path
        self._place: Any = path or ("127.0.0.1", 0)
        self._server: socket.socket | None = None
        self._client: socket.socket | None = None

    @property
    def address(self) -> str:
        """Where it is."""
        return self._path or f"127.0.0.1:{self._place[1]}"

    def open(self) -> "Daemon":
        """Run."""
        self._server = socket.socket(socket.AF_UNIX if self._path else socket.AF_INET)
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._server.bind(self._place)
        self._server.listen()
        self._place = self._server.getsockname()
        return self

    def greet(self, greeting: dict[str, Any] = VERSION) -> "Daemon":
        """Take a client and say who this is."""
        assert self._server is not None
        self._server.settimeout(DEADLINE_S)
        self._client, _ = self._server.accept()
        self._client.settimeout(DEADLINE_S)
        self.say(greeting)
        return self

    def say(self, *reports: dict[str, Any] | bytes) -> None:
        """Report."""
        assert self._client is not None
        for report in reports:
            line = report if isinstance(report, bytes) else json.dumps(report, separators=(",", ":")).encode() + b"\r\n"
            self._client.sendall(line)

    def asked(self) -> bytes:
        """What the client sent, as soon as it sends."""
        assert self._client is not None
        return self._client.recv(4096)

    def close(self) -> None:
        """End."""
        for one in (self._client, self._server):
            if one is not None:
                one.close()
        self._client = self._server = None


def hear(source: Source, count: int, meanwhile: Callable[[], object] = lambda: None) -> list[Fix]:
    """So many fixes, at least; AssertionError when they do not come."""
    fixes: list[Fix] = []
    until(lambda: bool(fixes.extend(ready(source, 0.02)) or len(fixes) >= count), meanwhile, lambda: str(fixes))
    return fixes


def ready(source: Source, wait_s: float = 0.0) -> list[Fix]:
    """What is there within a while."""
    if select.select([source.fileno()], [], [], wait_s)[0]:
        return list(told(source.read()))
    return []


def until(
    is_so: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None, why: Callable[[], str] = str
) -> None:
    """Wait for a condition."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline_s, f"not within {DEADLINE_S} s: {why()}"
        meanwhile()
