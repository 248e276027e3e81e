"""A GNSS receiver at a serial port that is a pty: NMEA 0183 once a second, with the date it believes in.

gnss_week    its date is 1024 weeks too early: its count of weeks ran over, and its makers did not foresee it

What other faults do to satellites is seen here too (car_faults.py).
"""

import contextlib
import math
import os
import pty
import tty
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from pathlib import Path

from hil.car.car_faults import CarFaults
from hil.car.road import Moment
from hil.scenes.scenario_table import FaultTable

EVERY_S = 1.0
KNOT_MPS = 1852 / 3600
ROLLOVER = timedelta(weeks=1024)


class Receiver:
    """`link` is made to point at the end that a terminal opens. What nobody reads is lost."""

    def __init__(self, link: Path, faults: Sequence[FaultTable]) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        link.symlink_to(os.ttyname(self._slave))
        self._link = link
        self._weeks = [fault for fault in faults if fault.name == "gnss_week"]
        self._faults = CarFaults([fault for fault in faults if fault.name in ("gnss_jam", "gnss_spoof")])
        self._due_s = 0.0

    def step(self, moment: Moment, utc_us: int) -> None:
        """Tell of this moment, which truly is at `utc_us`, when it is time."""
        if moment.time_s < self._due_s:
            return
        self._due_s += EVERY_S
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, self.said(moment, utc_us))

    def said(self, moment: Moment, utc_us: int) -> bytes:
        """RMC and GGA of a moment."""
        now = datetime.fromtimestamp(utc_us / 1e6, UTC)
        if any(fault.from_s <= moment.time_s < fault.until_s for fault in self._weeks):
            now -= ROLLOVER
        latitude, longitude = moment.position_deg
        values = self._faults.spoil(moment.time_s, {"LATITUDE": latitude})
        at = f"{_degrees(values['LATITUDE'], 'NS', 2)},{_degrees(longitude, 'EW', 3)}"
        of_day, motion = f"{now:%H%M%S}.{now.microsecond // 10_000:02d}", f"{moment.gnss_mps / KNOT_MPS:.2f}"
        if self._faults.is_silent(moment.time_s, "POSITION"):
            told = (f"GPRMC,{of_day},V,,,,,,,{now:%d%m%y},,,N", f"GPGGA,{of_day},,,,,0,00,99.9,,M,,M,,")
        else:
            course = f"{math.degrees(moment.state.heading_rad) % 360:.1f}"
            rmc = f"GPRMC,{of_day},A,{at},{motion},{course},{now:%d%m%y},,,A"
            told = (rmc, f"GPGGA,{of_day},{at},1,11,0.9,10.0,M,,M,,")
        return b"".join(map(_sentence, told))

    def close(self) -> None:
        """Take it away."""
        self._link.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)


def _degrees(value: float, sides: str, digits: int) -> str:
    """Degrees and minutes as NMEA has them, and the side of the equator or of Greenwich."""
    whole, minutes = divmod(round(abs(value) * 60, 5), 60)
    return f"{int(whole):0{digits}d}{minutes:08.5f},{sides[value < 0]}"


def _sentence(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode("ascii")
