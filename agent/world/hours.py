"""Which hour of the local day a moment lies in. Pure, but for the time zone data of the system."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

QUARTER_US = 900_000_000
"""Every time zone in use is ahead of UTC by whole quarters of an hour."""

CLOCK_FROM_US = 1_577_836_800_000_000
"""2020-01-01: an earlier UTC is that of a clock nobody set."""


@dataclass(frozen=True, slots=True)
class Dated:
    """What makes an axis of time UTC: add `offset_us`. `source` says who knows it: ntp, gnss, system, recording."""

    offset_us: int
    source: str

    def utc_us(self, at_us: int) -> int | None:
        """The moment in UTC; None where the clock was never set."""
        utc_us = at_us + self.offset_us
        return utc_us if utc_us >= CLOCK_FROM_US or self.source == "recording" else None


class Hours:
    """The local hours of a time zone (IANA name)."""

    def __init__(self, timezone: str) -> None:
        self._zone = zone(timezone)
        self._quarter = -1
        self._hour = 0

    def at(self, utc_us: int) -> int:
        """The local hour, 0 to 23; looked up once a quarter of an hour."""
        quarter = utc_us // QUARTER_US
        if quarter != self._quarter:
            self._quarter = quarter
            self._hour = local_time(quarter * QUARTER_US, self._zone).hour
        return self._hour


def local_time(utc_us: int, zone: tzinfo) -> datetime:
    """A moment in UTC as the clock on the wall there. Added up, since a C library may end in 2038 (32-bit ARM)."""
    return (EPOCH + timedelta(microseconds=utc_us)).astimezone(zone)


def zone(timezone: str) -> tzinfo:
    """A time zone by its IANA name; UTC needs no data. KeyError, ValueError or OSError: there is none of this name."""
    return UTC if timezone == "UTC" else ZoneInfo(timezone)
