"""GNSS by gpsd: its JSON reports, one fix a moment.

    < {"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}
    > ?WATCH={"enable":true,"json":true};
    < {"class":"TPV", ... and so on: drivers.gnss.gpsd_reports

A client of our own, since none on PyPI fits a loop that must not block: gpsd-py3 and gpsdclient read a buffered file
of a blocking socket (a descriptor does not show what the buffer holds), gps there is a copy of 2019 that prints, and
gps3 was given up in 2016. What they would spare is a connect, a line split and json.loads.
"""

import select
import socket
from collections.abc import Mapping
from typing import Any

from drivers.batch import fix
from drivers.errors import DeviceError
from drivers.gnss.gpsd_reports import Reports, Told, parsed
from drivers.gnss.utc import BUILT, Moment, Utc, us_of
from drivers.source import boot_us
from drivers.timer import Quiet

ADDRESS = "127.0.0.1:2947"
WATCH = b'?WATCH={"enable":true,"json":true};\r\n'
PROTOCOL = 3
LINE_BYTES = 1 << 16
"""gpsd's longest report has 10 KiB."""

READ_BYTES = 1 << 16
CONNECT_S = 0.2
"""The loop waits no longer for an answer; gpsd runs here or next door."""

DEAD_MS = 20_000
"""A host that does not acknowledge for so long is gone."""


def open_gpsd(address: str = ADDRESS, *, device: str = "", floor_us: int = us_of(BUILT)) -> "Gpsd":
    """Reach gpsd at host:port, or at a socket's path. `device`: which of its receivers; empty: the first that reports.

    `floor_us` is a UTC surely past. DeviceError when nobody answers.
    """
    try:
        return Gpsd(_connected(address), address, device, floor_us)
    except (OSError, ValueError) as why:
        raise DeviceError(f"gpsd at {address}: cannot be reached: {why}: does it run?") from why


class Gpsd:
    """A Source (drivers.source) of fixes; each bears the boot time at which the first report of its moment came."""

    def __init__(self, link: socket.socket, address: str, device: str, floor_us: int) -> None:
        self.name = "gpsd"
        self._link, self._address = link, address
        self._is_greeted = False
        self._is_valid = False
        self._gone: DeviceError | None = None
        self._begun = b""
        self._reports, self._utc = Reports(device), Utc(floor_us)
        self._counters = {"fixes": 0, "void": 0, "reports": 0, "errors": 0}
        self._quiet = Quiet()
        self._poll = select.epoll()
        for fd in (link.fileno(), self._quiet.fileno()):
            self._poll.register(fd, select.EPOLLIN)

    @property
    def cn0_dbhz(self) -> float | None:
        """Carrier-to-noise of the four loudest satellites, as last told; None: not told."""
        return self._reports.cn0_dbhz

    def fileno(self) -> int:
        """Readable when a report came or a moment is over."""
        return self._poll.fileno()

    def read(self) -> bytes:
        """Give the fixes that are whole. A gpsd that went says so with a void fix, then DeviceError is raised."""
        if self._gone is not None:
            raise self._gone
        now_us = boot_us()
        came = self._received()
        done: list[Told] = []
        if came:
            done = self._heard(came, now_us)
        elif self._quiet.has_come():
            return self._timed(now_us)
        return self._packed(done) + (self._farewell(now_us) if self._gone else b"")

    def utc(self) -> Moment | None:
        """UTC beside boot time by the best report of the last minute with a fix; None before the first."""
        return self._utc.best()

    def counters(self) -> dict[str, int]:
        """Tell fixes and void ones; reports: all, late, of other receivers; lines not understood (errors)."""
        more = {"late": self._reports.late, "others": self._reports.others, "rollovers": self._utc.rollovers}
        return self._counters | more

    def close(self) -> None:
        """Let gpsd go."""
        self._poll.close()
        self._quiet.close()
        self._link.close()

    def _received(self) -> bytes:
        """Bytes that have come."""
        try:
            came = self._link.recv(READ_BYTES)
            if came:
                return came
            why = "it closed the connection"
        except BlockingIOError:
            return b""
        except OSError as error:
            why = str(error)
        self._lose(why)
        return b""

    def _lose(self, why: str) -> None:
        self._gone = DeviceError(f"gpsd at {self._address}: lost: {why}")

    def _heard(self, came: bytes, now_us: int) -> list[Told]:
        """The moments that bytes complete."""
        late = self._reports.late
        *lines, self._begun = (self._begun + came).split(b"\n")
        if len(self._begun) > LINE_BYTES:
            self._begun = b""
            self._counters["errors"] += 1
        done = [told for line in lines if line.strip() for told in self._taken(parsed(line), now_us)]
        self._quiet.heard(was_over=self._reports.late > late)
        return done

    def _taken(self, report: Mapping[str, Any], now_us: int) -> list[Told]:
        """The moments that a report ended."""
        self._counters["reports"] += 1
        if not self._is_greeted:
            self._greet(report)
            return []
        if report.get("class") in (None, "ERROR"):
            self._counters["errors"] += 1
        return self._reports.hear(report, now_us)

    def _greet(self, report: Mapping[str, Any]) -> None:
        """The first line must be gpsd's; then its reports are asked for."""
        if report.get("class") != "VERSION" or report.get("proto_major") != PROTOCOL:
            self._lose(f"this is no gpsd of protocol {PROTOCOL}")
            return
        self._is_greeted = True
        try:
            self._link.send(WATCH)
        except OSError as why:
            self._lose(str(why))

    def _packed(self, done: list[Told]) -> bytes:
        """Moments as fixes; what they say of the time is noted."""
        for told in done:
            self._is_valid = told.is_valid
            self._counters["fixes" if told.is_valid else "void"] += 1
            utc_us = told.utc_us
            if utc_us is not None:
                self._utc.hear(told.heard_us, utc_us)
        return b"".join(told.packed() for told in done)

    def _farewell(self, now_us: int) -> bytes:
        """What is left to say of a gpsd that went: its open moment, and that there is no position any more."""
        last = self._packed(self._reports.close())
        last += self._voided(now_us)
        if not last and self._gone is not None:
            raise self._gone
        return last

    def _timed(self, now_us: int) -> bytes:
        """Quiet after reports ends their moment, a longer one the position: gpsd may not tell that a receiver went."""
        self._quiet.over()
        return self._packed(self._reports.close()) or self._voided(now_us)

    def _voided(self, now_us: int) -> bytes:
        """Say that there is no position any more, once."""
        if not self._is_valid:
            return b""
        self._is_valid = False
        self._counters["void"] += 1
        return fix(now_us, (), valid=False)


def _connected(address: str) -> socket.socket:
    """A socket that has reached gpsd. OSError, ValueError."""
    if address.startswith("/"):
        return _towards(socket.AF_UNIX, address)
    host, _, port = address.rpartition(":")
    failure: OSError = OSError("no address")
    for family, _, _, _, place in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM):
        try:
            return _towards(family, place)
        except OSError as why:
            failure = why
    raise failure


def _towards(family: int, place: Any) -> socket.socket:
    """A connected socket that does not block from now on."""
    link = socket.socket(family, socket.SOCK_STREAM)
    try:
        link.settimeout(CONNECT_S)
        link.connect(place)
        link.setblocking(False)
        if family != socket.AF_UNIX:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DEAD_MS // 2000)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_MS)
    except OSError:
        link.close()
        raise
    return link
