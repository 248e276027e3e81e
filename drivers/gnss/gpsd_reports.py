"""gpsd's JSON reports (gpsd_json(5), protocol 3), put together to moments.

    {"class":"SKY","device":"/dev/ttyS0","hdop":1.1,"uSat":8,"satellites":[{"PRN":5,"ss":41.0,"used":true}, ...]}
    {"class":"TPV","device":"/dev/ttyS0","mode":3,"time":"2022-10-18T11:32:58.000Z","lat":..,"lon":..,"speed":..}
    {"class":"DEVICE","path":"/dev/ttyS0","activated":0}                                    the receiver went

gpsd may report one moment several times, as the receiver's sentences come in, with a speed of its own making in the
first of them: the last report of a moment counts. Pure: reports and time in, moments out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drivers.batch import fix
from drivers.gnss.sky import CN0_MAX_DBHZ, loudness_dbhz

SKY_US = 10_000_000
"""Satellites told longer ago say nothing of this moment."""

MOMENT_US = 1_000_000
"""Reports of one moment come within a second; without a time on them they would not end."""

SWITCH_US = 10_000_000
"""Of several receivers one is followed; another takes over when it was not heard for so long."""

NOTHING = (None, None, None, None)


@dataclass(slots=True)
class Told:
    """What the reports of one moment say. `clock` is gpsd's text of its time, None where it tells none."""

    heard_us: int
    clock: str | None
    is_valid: bool
    place: tuple[float | None, ...]
    """Latitude, longitude, speed, course."""

    hdop: float | None = None
    sats: float | None = None
    cn0_dbhz: float | None = None

    def goes_on(self, later: "Told") -> bool:
        """Whether a later report is of this moment: of its time, or of the time that this one lacks."""
        return self.clock in (None, later.clock) and later.heard_us - self.heard_us < MOMENT_US

    def packed(self) -> bytes:
        """A fix; void ones have no position and no motion."""
        return fix(self.heard_us, [*self.place, self.hdop, self.sats, self.cn0_dbhz], valid=self.is_valid)

    @property
    def utc_us(self) -> int | None:
        """The fix's own time; None when it is void, tells none, or tells a leap second."""
        try:
            clock = datetime.fromisoformat(self.clock or "")
            return round(clock.replace(tzinfo=UTC).timestamp() * 1e6) if self.is_valid else None
        except (ValueError, OverflowError):
            return None


class Reports:
    """Reports of the receiver called `device`; when that is empty, of the first that reports."""

    def __init__(self, device: str) -> None:
        self.open: Told | None = None
        self.cn0_dbhz: float | None = None
        self.others = 0
        """Reports of receivers that are not followed."""

        self.late = 0
        """Reports that came after their moment was closed."""

        self._wanted = self._device = device
        self._device_us: int | None = None
        self._closed: Told | None = None
        self._sky: tuple[float | None, float | None] = (None, None)
        self._sky_us = 0

    def hear(self, report: Mapping[str, Any], now_us: int) -> list[Told]:
        """Take a report that came at `now_us`; the moments it ended."""
        kind = report.get("class")
        if kind == "DEVICE":
            return self._device_told(report, now_us)
        if kind in ("TPV", "SKY") and self._is_ours(str(report.get("device", "")), now_us):
            if kind == "TPV":
                return self._position(report, now_us)
            self._note_sky(report, now_us)
        return []

    def close(self) -> list[Told]:
        """End the open moment."""
        done, self.open = self.open, None
        if done is None:
            return []
        self._closed = done
        if done.heard_us - self._sky_us <= SKY_US:
            done.hdop, done.sats = self._sky
            done.cn0_dbhz = self.cn0_dbhz
        return [done]

    def _device_told(self, report: Mapping[str, Any], now_us: int) -> list[Told]:
        """A receiver came or went; when ours went there is no position any more."""
        if report.get("activated") or report.get("path") != self._device or self._device_us is None:
            return []
        self._device_us = None
        return [*self.close(), Told(now_us, None, is_valid=False, place=NOTHING)]

    def _is_ours(self, device: str, now_us: int) -> bool:
        """Whether this receiver is the one we follow."""
        if not self._wanted and (self._device_us is None or now_us - self._device_us > SWITCH_US):
            self._device, self._closed = device, None
        if device != self._device:
            self.others += 1
            return False
        self._device_us = now_us
        return True

    def _position(self, report: Mapping[str, Any], now_us: int) -> list[Told]:
        """A TPV report: the open moment anew, or the next one; modes 0 and 1 are void."""
        told = _told(report, now_us)
        if self.open is not None and self.open.goes_on(told):
            told.heard_us = self.open.heard_us
            self.open = told
            return []
        if self._is_late(told):
            self.late += 1
            return []
        done = self.close()
        self.open = told
        return done

    def _is_late(self, told: Told) -> bool:
        """Whether this moment is closed already, and not as a void one that is valid now."""
        before = self._closed
        is_told = self.open is None and before is not None and told.clock is not None and told.clock == before.clock
        return is_told and before is not None and (before.is_valid or not told.is_valid)

    def _note_sky(self, report: Mapping[str, Any], now_us: int) -> None:
        """What is known of the satellites; a report without their list keeps what was."""
        told = report.get("satellites")
        satellites = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
        used = _number(report, "uSat", 0, 999)
        if used is None and satellites:
            used = float(sum(one.get("used") is True for one in satellites))
        hdop = _number(report, "hdop", 0.01, 1000)
        before = self._sky if now_us - self._sky_us <= SKY_US else (None, None)
        self._sky = (before[0] if hdop is None else hdop, before[1] if used is None else used)
        self._sky_us = now_us
        if satellites:
            loud = [_number(one, "ss", 0, CN0_MAX_DBHZ) for one in satellites]
            self.cn0_dbhz = loudness_dbhz(cn0 for cn0 in loud if cn0 is not None)


def parsed(line: bytes) -> dict[str, Any]:
    """A report; empty when this is none."""
    try:
        report = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def _told(report: Mapping[str, Any], now_us: int) -> Told:
    """A TPV report by itself."""
    mode = _number(report, "mode", 0, 9) or 0
    place = (_number(report, "lat", -90, 90), _number(report, "lon", -180, 180))
    clock = report.get("time")
    is_valid = mode >= 2 and None not in place
    motion = (_number(report, "speed", 0, 10_000), _number(report, "track", 0, 360))
    return Told(now_us, clock if isinstance(clock, str) else None, is_valid, (*place, *motion) if is_valid else NOTHING)


def _number(report: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    """A number of a report within its range; None when it is not there or nonsense."""
    told = report.get(name)
    if isinstance(told, bool) or not isinstance(told, int | float) or not least <= told <= most:
        return None
    return float(told)
