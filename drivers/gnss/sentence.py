"""One NMEA 0183 sentence and what it tells of a moment.

    $GPRMC,081836.00,A,3751.6500,S,14507.3600,E,010.0,360.0,130998,,,A*7B      date, position, knots, course
    $GPGGA,081836.00,3751.6500,S,14507.3600,E,1,08,1.1,59.9,M,,M,,*7F          position, satellites, HDOP
    $GPGSV,3,1,12,28,14,150,41,09,15,254,41,10,43,192,47,13,06,081,36*7A       satellites in view, C/N0 of each

A parser of our own, since the sentences are few and split on commas: what takes thought is which of them belong
together and what date they bear (drivers.gnss.nmea), and no library (pynmeagps, pynmea2) does that. The first two
letters are the talker: GP, GL, GA, GB one system's satellites, GN all of them together.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import reduce
from operator import xor

from drivers.batch import fix

SENTENCE = re.compile(r"\$([A-Z0-9]{2,12},[^*$\r\n]*)\*([0-9A-Fa-f]{2})")
TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(?:\.(\d*))?\Z")
DEGREES = re.compile(r"(\d{1,3})([0-5]\d(?:\.\d*)?)\Z")
NUMBER = re.compile(r"-?\d{1,6}(?:\.\d*)?\Z|-?\.\d+\Z")
DATE = re.compile(r"(\d\d)(\d\d)(\d\d)\Z")
FOUR_DIGITS = re.compile(r"\d{4}\Z")
DAY_US = 86_400_000_000
SAME_US = 6_000
"""Times this near are one moment: some receivers round to 10 ms in one sentence and not in the other."""

KNOT_MPS = 1852 / 3600
CENTURY_YEAR = 80
"""RMC has two digits of the year: from here on they are 19.., before 20.. (GPS began in 1980)."""

NOWHERE = (None, None)
BY_GLL, BY_GGA, BY_RMC = 1, 2, 3
"""Whose position goes before another's."""

Pair = tuple[float | None, float | None]


@dataclass(slots=True)
class Epoch:
    """What the sentences of one moment say together. `clock_day` may be the guess of a receiver without a fix."""

    of_day_us: int
    heard_us: int = 0
    """When its first sentence came; 0 in a log, which does not say."""

    rank: int = 0
    day: int | None = None
    clock_day: int | None = None
    active: bool | None = None
    quality: bool | None = None
    position: Pair = NOWHERE
    motion: Pair = NOWHERE
    hdop: float | None = None
    used: dict[str, float] = field(default_factory=dict)
    """Satellites used, by talker."""

    cn0_dbhz: float | None = None

    def is_same(self, other: "Epoch | None") -> bool:
        """Whether the other is of this moment."""
        return other is not None and abs(self.of_day_us - other.of_day_us) < SAME_US

    def joined(self, other: "Epoch") -> "Epoch":
        """Take over what another sentence of this moment knows; RMC's position goes before GGA's, that before GLL's."""
        if other.position != NOWHERE and (other.rank > self.rank or self.position == NOWHERE):
            self.position = other.position
        if other.rank > self.rank:
            self.rank, self.of_day_us = other.rank, other.of_day_us
        for name in ("day", "clock_day", "active"):
            told = getattr(other, name)
            if told is not None:
                setattr(self, name, told)
        if other.quality is not None:
            self.quality = other.quality or bool(self.quality)
        if other.active is not None and other.motion != NOWHERE:
            self.motion = other.motion
        self.note_hdop(other.hdop)
        self.used |= other.used
        return self

    def note_hdop(self, hdop: float | None) -> None:
        """Several systems' sentences: the best is that of all together, or nearest to it. 0 is no HDOP."""
        if hdop is not None and hdop > 0:
            self.hdop = hdop if self.hdop is None else min(self.hdop, hdop)

    @property
    def is_valid(self) -> bool:
        """Whether the receiver vouches for a position. RMC's status decides, where there is one."""
        return bool(self.quality if self.active is None else self.active) and None not in self.position

    @property
    def sats(self) -> float | None:
        """Satellites used: what GN says, else the systems' own added up."""
        return self.used.get("GN", sum(self.used.values()) if self.used else None)

    def packed(self, t_us: int) -> bytes:
        """A fix; void ones have no position and no motion."""
        valid = self.is_valid
        place = (*self.position, *self.motion) if valid else (None,) * 4
        return fix(t_us, [*place, self.hdop, self.sats, self.cn0_dbhz], valid=valid)


def sound(text: str) -> Iterator[list[str]]:
    """Fields of every sentence in this text whose checksum is right; the first is talker and type."""
    for found in SENTENCE.finditer(text):
        if is_sound(found[1], found[2]):
            yield found[1].split(",")


def is_sound(body: str, checksum: str) -> bool:
    """Whether the two hexadecimal digits are the exclusive or of all bytes before them."""
    return reduce(xor, body.encode("latin-1")) == int(checksum, 16)


def of_moment(fields: list[str]) -> Epoch | None:
    """What a sentence with a time tells; None when it is not read or knows no time yet. ValueError: malformed."""
    read = READ.get(fields[0][2:])
    clock = fields[5 if fields[0][2:] == "GLL" else 1 :][:1]
    if read is None or not clock or not clock[0]:
        return None
    return read(Epoch(_of_day_us(clock[0])), fields)


def zda(fields: list[str]) -> tuple[int, int] | None:
    """ZDA, the clock: time of day in microseconds and days since 1970; None when it does not know.

    Type, time, day, month, year. ValueError: malformed.
    """
    if len(fields) < 5:
        raise ValueError("ZDA")
    if not fields[1] or not fields[4]:
        return None
    if not FOUR_DIGITS.match(fields[4]) or not DATE.match(fields[3] + fields[2] + "00"):
        raise ValueError(fields[4])
    return _of_day_us(fields[1]), _days(date(int(fields[4]), int(fields[3]), int(fields[2])))


def vtg(fields: list[str]) -> Pair:
    """VTG, motion without a time: m/s and degrees from north. ValueError: malformed.

    Type, course, T, magnetic course, M, knots, N, km/h, K, mode.
    """
    if len(fields) < 8:
        raise ValueError("VTG")
    if fields[9:10] == ["N"]:
        return NOWHERE
    return _mps(fields[5]), number(fields[1])


def number(text: str) -> float | None:
    """A plain decimal; None when empty."""
    if not text:
        return None
    if not NUMBER.match(text):
        raise ValueError(text)
    return float(text)


def _mps(knots: str) -> float | None:
    """Knots as m/s."""
    told = number(knots)
    return None if told is None else told * KNOT_MPS


def _of_day_us(text: str) -> int:
    """hhmmss.sss as microseconds of the day; the leap second 23:59:60 is the next day's first, as POSIX counts."""
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


def _position(fields: Sequence[str]) -> Pair:
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


def _rmc(epoch: Epoch, fields: list[str]) -> Epoch:
    """Type, time, status, latitude, side, longitude, side, knots, course, ddmmyy, variation, side, mode."""
    if len(fields) < 10:
        raise ValueError("RMC")
    epoch.rank = BY_RMC
    epoch.active = fields[2] == "A" and fields[12:13] != ["N"]
    epoch.clock_day = _day(fields[9])
    if epoch.active:
        epoch.position = _position(fields[3:7])
        epoch.motion = (_mps(fields[7]), number(fields[8]))
        epoch.day = epoch.clock_day
    return epoch


def _gga(epoch: Epoch, fields: list[str]) -> Epoch:
    """Type, time, latitude, side, longitude, side, quality (GNS: a letter a system), satellites, HDOP."""
    if len(fields) < 9:
        raise ValueError("GGA")
    epoch.rank = BY_GGA
    epoch.quality = fields[6].strip("N") not in ("", "0")
    if epoch.quality:
        epoch.position = _position(fields[2:6])
    used = number(fields[7])
    if used is not None and used >= 0:
        epoch.used[fields[0][:2]] = used
    epoch.note_hdop(number(fields[8]))
    return epoch


def _gll(epoch: Epoch, fields: list[str]) -> Epoch:
    """Type, latitude, side, longitude, side, time, status (old ones have none), mode."""
    epoch.rank = BY_GLL
    epoch.quality = fields[6:7] in ([], ["A"]) and fields[7:8] != ["N"]
    if epoch.quality:
        epoch.position = _position(fields[1:5])
    return epoch


READ: dict[str, Callable[[Epoch, list[str]], Epoch]] = {"RMC": _rmc, "GGA": _gga, "GNS": _gga, "GLL": _gll}
"""Sentences that make a moment, by type."""
