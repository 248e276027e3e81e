"""GNSS straight from a serial port: NMEA 0183 in, one fix a moment out, as soon as its last sentence came.

A receiver tells a moment in a burst of sentences, then is quiet. The moment ends when the burst does: after 50 ms
without a byte, sooner when the next begins; a receiver that pauses within its burst is given more. A fix bears the boot
time of its first sentence's first byte. The speed of the line is found by listening, and nothing is sent before NMEA
was heard: the port may be something else.
"""

import os
import select
import termios
from collections.abc import Sequence
from pathlib import Path

import serial

from drivers.batch import fix
from drivers.errors import DeviceError, DriverError
from drivers.gnss.nmea import Moments
from drivers.gnss.sentence import DAY_US, Epoch
from drivers.gnss.stream import Stream
from drivers.gnss.ublox import Ublox, carried_hz
from drivers.gnss.utc import BUILT, Moment, Utc, us_of
from drivers.source import boot_us
from drivers.timer import Quiet

BAUDS = (9600, 38400, 115200, 4800)
PROBE_US = 1_500_000
"""So long one speed is listened to: every receiver of 1 Hz says something within it."""

LOST_US = 10_000_000
"""Bytes but no sentence for so long: the receiver was reset to another speed, which is looked for."""

READ_BYTES = 4096

OPEN_ERRORS = (serial.SerialException, OSError, termios.error)


def open_port(
    path: str, *, baud: int = 0, hz: int = 0, dead_reckoning: bool = False, floor_us: int = us_of(BUILT)
) -> "GnssPort":
    """Open a receiver's port. `baud` 0: one of BAUDS is found. `hz` (0: as it is) and `dead_reckoning` ask a u-blox.

    `floor_us` is a UTC surely past. DeviceError when the port is not there, DriverError for a speed that no port has.
    """
    bauds = (baud,) if baud else BAUDS
    try:
        port = serial.Serial(path, bauds[0], timeout=0, exclusive=True)
    except ValueError as why:
        raise DriverError(f"GNSS {path}: cannot be set to {bauds[0]} baud: {why}") from why
    except OPEN_ERRORS as why:
        raise DeviceError(f"GNSS {path}: cannot be opened: {why}: plugged in? in the group dialout?") from why
    return GnssPort(port, bauds, (hz, dead_reckoning), floor_us)


class GnssPort:
    """A Source (drivers.source) of fixes."""

    def __init__(self, port: serial.Serial, bauds: Sequence[int], wanted: tuple[int, bool], floor_us: int) -> None:
        self.name = str(port.port)
        self.cn0_dbhz: float | None = None
        """Carrier-to-noise of the four loudest satellites at the last moment; None: not told."""

        self._port, self._bauds, self._wanted = port, bauds, wanted
        self._fd = port.fileno()
        self._dialled = 0
        self._is_found = len(bauds) == 1
        self._sound_us = 0
        self._stream, self._moments, self._utc = Stream(), Moments(), Utc(floor_us)
        self._ublox: Ublox | None = None
        self._is_valid = False
        self._gone: DeviceError | None = None
        self._counters = {"fixes": 0, "void": 0, "sentences": 0, "malformed": 0}
        self._quiet = Quiet()
        self._poll = select.epoll()
        for fd in (self._fd, self._quiet.fileno()):
            self._poll.register(fd, select.EPOLLIN)
        if not self._is_found:
            self._quiet.set(PROBE_US)

    @property
    def baud(self) -> int:
        """The speed that is listened to."""
        return self._bauds[self._dialled]

    def fileno(self) -> int:
        """Readable when bytes came, or a moment or a search is over."""
        return self._poll.fileno()

    def read(self) -> bytes:
        """Give the fixes that are whole. A receiver that went says so with a void fix, then DeviceError is raised."""
        if self._gone is not None:
            raise self._gone
        now_us = boot_us()
        came = self._received()
        fixes = self._heard(came, now_us) if came else []
        if self._quiet.has_come():
            fixes += self._timed()
        return b"".join(fixes) + (self._farewell(now_us) if self._gone else b"")

    def utc(self) -> Moment | None:
        """UTC beside boot time by the best message of the last minute with a fix; None before the first."""
        return self._utc.best()

    def counters(self) -> dict[str, int]:
        """Tell fixes and void ones; sentences: all, with a bad checksum (errors), malformed, late; bytes skipped."""
        told = self._counters | {
            "errors": self._stream.errors,
            "late": self._moments.late,
            "skipped_bytes": self._stream.skipped,
            "rollovers": self._utc.rollovers,
        }
        if self._ublox is not None:
            told |= {"acknowledged": self._ublox.acknowledged, "refused": self._ublox.refused}
        return told

    def close(self) -> None:
        """Let the port go."""
        self._poll.close()
        self._quiet.close()
        self._port.close()

    def _received(self) -> bytes:
        """Bytes that have come. pyserial's mode gives no error where none have: ready but empty means gone."""
        if self._fd not in dict(self._poll.poll(0)):
            return b""
        try:
            came = os.read(self._fd, READ_BYTES)
            if came:
                return came
            why = "hung up"
        except OSError as error:
            why = str(error)
        self._gone = DeviceError(f"GNSS {self.name}: went while it was read: {why}")
        return b""

    def _heard(self, came: bytes, now_us: int) -> list[bytes]:
        """The fixes that bytes complete."""
        done: list[Epoch | None] = []
        late = self._moments.late
        for fields, heard_us in self._stream.feed(came, now_us):
            self._counters["sentences"] += 1
            self._sound_us, self._is_found = now_us, True
            try:
                done.append(self._moments.hear(fields, heard_us))
            except ValueError:
                self._counters["malformed"] += 1
        if self._is_found:
            self._quiet.heard(was_over=self._moments.late > late)
            self._ask(came, now_us)
            self._search_again(now_us)
        return self._packed(done)

    def _timed(self) -> list[bytes]:
        """Quiet after a burst ends the moment, a longer one the position; a search's turn ends with the next speed."""
        if not self._is_found:
            self._dial()
            return []
        self._quiet.over()
        last = self._packed([self._moments.close()])
        return last or self._voided(boot_us())

    def _packed(self, done: Sequence[Epoch | None]) -> list[bytes]:
        """Moments as fixes; what they say of the time is noted."""
        epochs = [epoch for epoch in done if epoch is not None]
        for epoch in epochs:
            self._is_valid, self.cn0_dbhz = epoch.is_valid, epoch.cn0_dbhz
            self._counters["fixes" if epoch.is_valid else "void"] += 1
            if epoch.is_valid and epoch.clock_day is not None and epoch.of_day_us < DAY_US:
                self._utc.hear(epoch.heard_us, epoch.clock_day * DAY_US + epoch.of_day_us)
        return [epoch.packed(epoch.heard_us) for epoch in epochs]

    def _farewell(self, now_us: int) -> bytes:
        """What is left to say of a receiver that went: its open moment, and that there is no position any more."""
        last = self._packed([self._moments.close()])
        last += self._voided(now_us)
        if not last and self._gone is not None:
            raise self._gone
        return b"".join(last)

    def _voided(self, now_us: int) -> list[bytes]:
        """Say that there is no position any more, once."""
        if not self._is_valid:
            return []
        self._is_valid = False
        self._counters["void"] += 1
        return [fix(now_us, (), valid=False)]

    def _search_again(self, now_us: int) -> None:
        """Look for another speed when this one gives only nonsense now."""
        if len(self._bauds) > 1 and now_us - self._sound_us > LOST_US:
            self._is_found = False
            self._dial()

    def _dial(self) -> None:
        """Listen at the next speed."""
        self._dialled = (self._dialled + 1) % len(self._bauds)
        self._stream.clear()
        self._quiet.set(PROBE_US)
        try:
            self._port.baudrate = self.baud
        except (*OPEN_ERRORS, ValueError) as why:
            self._gone = DeviceError(f"GNSS {self.name}: cannot be set to {self.baud} baud: {why}")

    def _ask(self, came: bytes, now_us: int) -> None:
        """Ask a u-blox for what is wanted, once it was heard speaking NMEA."""
        hz, dead_reckoning = self._wanted
        if not (hz or dead_reckoning) or not self._sound_us:
            return
        if self._ublox is None:
            is_usb = Path(self.name).resolve().name.startswith("ttyACM")
            self._ublox = Ublox(hz and carried_hz(hz, 0 if is_usb else self.baud), dead_reckoning=dead_reckoning)
        wanted = self._ublox.step(came, now_us)
        if wanted:
            try:
                os.write(self._fd, wanted)
            except OSError as why:
                self._gone = DeviceError(f"GNSS {self.name}: went while it was written to: {why}")
