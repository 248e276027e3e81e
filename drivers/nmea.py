"""NMEA 0183 as a receiver's log: RMC, GGA and GNS of one UTC moment are one fix, ZDA tells a date; no more is used.

    $GPRMC,081836.00,A,3751.6500,S,14507.3600,E,010.0,360.0,130998,,,A*7B      date, position, knots, course
    $GPGGA,081836.00,3751.6500,S,14507.3600,E,1,08,1.1,59.9,M,,M,,*7F          position, satellites, HDOP

A parser of our own, since the sentences are few and split on commas: what takes thought is which of them belong
together and what date they bear, and no library (pynmeagps, pynmea2) does that. A sentence counts only with its
checksum right; one may stand behind other bytes, as in logs that mix NMEA with a receiver's binary protocol.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import reduce
from operator import xor

from drivers.batch import fix
from drivers.text import Tally

SENTENCE = re.compile(r"\$([A-Z0-9]{2}([A-Z0-9]{1,10}),[^*$]*)\*([0-9A-Fa-f]{2})")
TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(?:\.(\d*))?$")
DEGREES = re.compile(r"(\d{1,3})([0-5]\d(?:\.\d*)?)$")
NUMBER = re.compile(r"-?\d{1,6}(?:\.\d*)?$|-?\.\d+$")
DATE = re.compile(r"(\d\d)(\d\d)(\d\d)$")
DAY_US = 86_400_000_000
KNOT_MPS = 1852 / 3600
CENTURY_YEAR = 80
"""RMC has two digits of the year: from here on they are 19.., before 20.. (GPS began in 1980)."""

UNDATED_MAX = 36_000
"""So many fixes (an hour at 10 Hz) wait for the first date; a log without any is taken as 1970-01-01."""


@dataclass(slots=True)
class Epoch:
    """What the sentences of one moment say together. `clock_day` may be the guess of a receiver without a fix."""

    of_day_us: int
    day: int | None = None
    clock_day: int | None = None
    active: bool | None = None
    quality: bool | None = None
    position: tuple[float | None, float | None] = (None, None)
    motion: tuple[float | None, float | None] = (None, None)
    hdop: float | None = None
    sats: float | None = None

    def joined(self, other: "Epoch") -> "Epoch":
        """Take over what another sentence of this moment knows; the position of RMC goes before GGA's."""
        if other.active is not None or self.position == (None, None):
            self.position = other.position
        for name in ("day", "clock_day", "active", "quality", "hdop", "sats"):
            told = getattr(other, name)
            if told is not None:
                setattr(self, name, told)
        if other.active is not None:
            self.motion = other.motion
        return self

    def packed(self, t_us: int) -> bytes:
        """A fix; void ones have no position and no motion. RMC's status decides, where there is one."""
        valid = bool(self.quality if self.active is None else self.active) and None not in self.position
        place = (*self.position, *self.motion) if valid else (None,) * 4
        return fix(t_us, [*place, self.hdop, self.sats], valid=valid)


@dataclass(slots=True)
class Receiver:
    """Sentences in, fixes out, dated."""

    open: Epoch | None = None
    last_us: int | None = None
    undated: list[Epoch] = field(default_factory=list)
    guessed: bool = False

    def hear(self, line: str) -> list[bytes]:
        """Take one line; the fixes it completes. ValueError when it holds no sound sentence."""
        found = SENTENCE.search(line)
        if found is None or reduce(xor, found[1].encode("latin-1")) != int(found[3], 16):
            raise ValueError(line)
        fields = found[1].split(",")
        if found[2] not in READ or not fields[1]:
            return []  # not ours, or the receiver does not know the time yet
        told = READ[found[2]](Epoch(_of_day_us(fields[1])), fields)
        if found[2] == "ZDA":
            self.last_us = _on_day(told, None) if self.last_us is None and told.day is not None else self.last_us
            return []
        done = [] if self.open is None or self.open.of_day_us == told.of_day_us else self.close()
        self.open = told if self.open is None else self.open.joined(told)
        return done

    def close(self) -> list[bytes]:
        """End the open epoch; what is dated now."""
        if self.open is None:
            return []
        self.undated.append(self.open)
        known = self.open.day is not None or self.last_us is not None
        self.open = None
        return self.dated() if known or len(self.undated) >= UNDATED_MAX else []

    def dated(self) -> list[bytes]:
        """All that waited, on the days nearest to the date that is known."""
        stamps: list[int] = []
        near_us = self.last_us
        if near_us is None and self.undated and self.undated[-1].day is None:
            self.undated[-1].day = next((e.clock_day for e in reversed(self.undated) if e.clock_day is not None), None)
            self.guessed |= self.undated[-1].day is None
        for epoch in reversed(self.undated):
            near_us = _on_day(epoch, near_us)
            stamps.append(near_us)
        fixes = [epoch.packed(t_us) for epoch, t_us in zip(self.undated, reversed(stamps), strict=True)]
        self.last_us = stamps[0] if stamps else self.last_us
        self.undated.clear()
        return fixes


def read(blocks: Iterable[list[str]], tally: Tally) -> Iterator[bytes]:
    """Fixes of a log, packed; lines without a sound sentence are counted."""
    receiver = Receiver()
    for lines in blocks:
        fixes: list[bytes] = []
        for number, line in enumerate(lines, start=tally.lines_read - len(lines) + 1):
            try:
                if line and not line.startswith("#"):
                    fixes += receiver.hear(line)
            except ValueError:
                tally.bad(number)
        if fixes:
            yield b"".join(fixes)
    rest = b"".join([*receiver.close(), *receiver.dated()])
    if receiver.guessed:
        tally.remark = "tells no date, taken as 1970-01-01"
    if rest:
        yield rest


def _on_day(epoch: Epoch, near_us: int | None) -> int:
    """UTC microseconds of an epoch: on its own date, else on the day that brings it nearest to another moment."""
    if epoch.day is not None:
        return epoch.day * DAY_US + epoch.of_day_us
    days = 0 if near_us is None else (near_us - epoch.of_day_us + DAY_US // 2) // DAY_US
    return days * DAY_US + epoch.of_day_us


def _of_day_us(text: str) -> int:
    """hhmmss.sss as microseconds of the day."""
    found = TIME.match(text)
    if found is None:
        raise ValueError(text)
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
    return seconds * 1_000_000 + int((found[4] or "").ljust(6, "0")[:6])


def _day(text: str) -> int | None:
    """Ddmmyy as days since 1970; None when empty."""
    if not text:
        return None
    found = DATE.match(text)
    if found is None:
        raise ValueError(text)
    year = int(found[3]) + (1900 if int(found[3]) >= CENTURY_YEAR else 2000)
    return _days(date(year, int(found[2]), int(found[1])))


def _days(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - datetime.fromtimestamp(0, UTC).date()).days


def _position(fields: Sequence[str]) -> tuple[float | None, float | None]:
    """ddmm.mmmm,N,dddmm.mmmm,E as degrees; None when empty."""
    return _degrees(fields[0], fields[1], "NS", 90.0), _degrees(fields[2], fields[3], "EW", 180.0)


def _degrees(text: str, side: str, sides: str, limit: float) -> float | None:
    """One coordinate, with its sign."""
    if not text:
        return None
    found = DEGREES.match(text)
    if found is None or len(side) != 1 or side not in sides:
        raise ValueError(text)
    size = int(found[1]) + float(found[2]) / 60
    if size > limit:
        raise ValueError(text)
    return -size if side == sides[1] else size


def _number(text: str) -> float | None:
    """A plain decimal; None when empty."""
    if not text:
        return None
    if not NUMBER.match(text):
        raise ValueError(text)
    return float(text)


def _rmc(epoch: Epoch, fields: list[str]) -> Epoch:
    """Time, status, latitude, side, longitude, side, knots, course, ddmmyy, variation, side, mode."""
    if len(fields) < 10:
        raise ValueError("RMC")
    epoch.active = fields[2] == "A" and fields[12:13] != ["N"]
    epoch.clock_day = _day(fields[9])
    if epoch.active:
        knots = _number(fields[7])
        epoch.position = _position(fields[3:7])
        epoch.motion = (None if knots is None else knots * KNOT_MPS, _number(fields[8]))
        epoch.day = epoch.clock_day
    return epoch


def _gga(epoch: Epoch, fields: list[str]) -> Epoch:
    """Time, latitude, side, longitude, side, quality (GNS: a letter a system), satellites, HDOP."""
    if len(fields) < 9:
        raise ValueError("GGA")
    epoch.quality = fields[6].strip("N") not in ("", "0")
    if epoch.quality:
        epoch.position = _position(fields[2:6])
    epoch.sats, epoch.hdop = _number(fields[7]), _number(fields[8])
    return epoch


def _zda(epoch: Epoch, fields: list[str]) -> Epoch:
    """Time, day, month, year."""
    if len(fields) < 5:
        raise ValueError("ZDA")
    if fields[4]:
        epoch.day = _days(date(int(fields[4]), int(fields[3]), int(fields[2])))
    return epoch


READ: dict[str, Callable[[Epoch, list[str]], Epoch]] = {"RMC": _rmc, "GGA": _gga, "GNS": _gga, "ZDA": _zda}
