"""Boot time, wall time, and when their relation is written down. Physics runs on the first; it dates the records."""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.world.hours import CLOCK_FROM_US, Dated

if TYPE_CHECKING:
    from drivers.recordings.recorded import Recorded

STEP_US = 100_000
"""A wall clock that moved this much against boot time was stepped."""

GNSS_STEP_US = 500_000
"""A receiver's word comes with a delay that varies by some tenths of a second."""

DRIFT_SHARE = 10_000
"""Quartz drifts by one part of so many at most."""

EVERY_US = 600_000_000
"""While driving the relation is written down this often: quartz drifts some 20 µs/s, 12 ms in that time."""

TRIES = 3
_UNSYNCHRONISED = 0x0040  # STA_UNSYNC in <sys/timex.h>
_LIBC = ctypes.CDLL(None)


class _Timex(ctypes.Structure):
    """The head of struct timex (adjtimex(2)), and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one instant. `u_us` bounds the error of utc_us; None: nobody vouches for it.

    `source` is "ntp" when the kernel says that chrony, timesyncd or the like keeps its clock right, "gnss" where only a
    receiver knows, else "system".
    """

    boot_us: int
    utc_us: int
    u_us: int | None
    source: str

    def dated(self) -> Dated:
        """What makes boot time UTC by this reading."""
        return Dated(self.utc_us - self.boot_us, self.source)

    def body(self, boot: int) -> dict[str, Any]:
        """The body of a clock record of this boot."""
        return {
            "boot": boot,
            "boot_us": self.boot_us,
            "utc_us": self.utc_us,
            "u_us": self.u_us,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment to measure from in a later run: the kernel's boot, its time, and UTC where somebody vouches for it."""

    kernel: str
    boot_us: int
    utc_us: int | None

    def gone_us(self, now: "Stamp") -> int | None:
        """Time gone by until now; None: it cannot be known."""
        if self.kernel and self.kernel == now.kernel:
            return max(0, now.boot_us - self.boot_us)
        if self.utc_us is None or now.utc_us is None or now.utc_us < self.utc_us:
            return None
        return now.utc_us - self.utc_us


def stamp() -> Stamp:
    """This moment."""
    reading = read_clocks()
    return Stamp(_kernel_boot(), reading.boot_us, None if reading.u_us is None else reading.utc_us)


class _Hands:
    """What tells the time of this process: the kernel, or a recording in place of a car (`tbox run --recorded`)."""

    recorded: "Recorded | None" = None
    ahead_us: int = 0
    """What makes the recording's time UTC."""


def follow(recorded: "Recorded | None") -> None:
    """From now on time is where this recording is; None: the kernel's again. Nothing else may be read meanwhile."""
    _Hands.recorded = recorded
    if recorded is not None:
        _Hands.ahead_us = 0 if recorded.is_utc else time.time_ns() // 1000 - recorded.start_us


def followed() -> "Recorded | None":
    """The recording that tells the time; None: the kernel does."""
    return _Hands.recorded


def boot_us() -> int:
    """Microseconds since the kernel started, suspend included (CLOCK_BOOTTIME). Never steps."""
    if _Hands.recorded is not None:
        return _Hands.recorded.now_us()
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def utc_us() -> int:
    """Microseconds since 1970 UTC, as the wall clock has it now."""
    if _Hands.recorded is not None:
        return _Hands.recorded.now_us() + _Hands.ahead_us
    return time.time_ns() // 1000


def read_clocks() -> Reading:
    """Both clocks at one instant: the closest of a few tries, so that a switch to another process does no harm."""
    pairs = ((boot_us(), utc_us(), boot_us()) for _ in range(TRIES))
    before_us, wall_us, after_us = min(pairs, key=lambda pair: pair[2] - pair[0])
    is_set = _Hands.recorded is None and wall_us >= CLOCK_FROM_US  # chrony follows a receiver whose weeks ran over, too
    error_us = _kernel_error_us() if is_set else None
    if error_us is not None:
        error_us += after_us - before_us
    return Reading((before_us + after_us) // 2, wall_us, error_us, "system" if error_us is None else "ntp")


def vouched(now: Reading, told: tuple[int, int, int] | None) -> Reading:
    """The reading; where nobody keeps the wall clock right, by a receiver's word: boot time, UTC, error bound."""
    if now.u_us is not None or told is None:
        return now
    boot_us, utc_us, u_us = told
    age_us = now.boot_us - boot_us
    return Reading(now.boot_us, utc_us + age_us, u_us + age_us // DRIFT_SHARE, "gnss")


def is_due(last: Reading | None, now: Reading, *, is_driving: bool) -> bool:
    """Whether a clock record is due: at the start, after a step, when trust changed, every 10 min of driving."""
    if last is None or last.source != now.source:
        return True
    moved_us = (now.utc_us - now.boot_us) - (last.utc_us - last.boot_us)
    step_us = GNSS_STEP_US if now.source == "gnss" else STEP_US
    return abs(moved_us) > step_us or (is_driving and now.boot_us - last.boot_us >= EVERY_US)


def _kernel_boot() -> str:
    """Names this boot of the kernel; empty where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _kernel_error_us() -> int | None:
    """The kernel's bound for the error of its clock (adjtimex(2)); None while nothing keeps it right."""
    state = _Timex()
    if _LIBC.adjtimex(ctypes.byref(state)) < 0 or state.status & _UNSYNCHRONISED:
        return None
    return int(state.maxerror)
