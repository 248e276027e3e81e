"""Faults of the terminal's wall clock. Each changes the kernel it runs in.

clock_step      it jumps by `size` seconds, and back at its end; nobody vouches for it
ntp_step        it is `size` seconds wrong until NTP sets it right at the end, and vouches for it
rtc_1970        the box starts without a battery: its clock says 1970 until NTP sets it right at the end

The last two, from 0 s on: before the terminal starts. Later, rtc_1970 cuts the power first.
"""

import ctypes
import time
from dataclasses import dataclass

from hil.faults.switch import Stage, Switch
from hil.scenes.scenario_table import FaultTable

LOST = ("ntp_step", "rtc_1970")
KEPT_ERROR_US = 5_000
BOOTED_S = 60.0
"""What the clock of a box without a battery says when it is switched on; the kernel takes none before its own start."""
ADJ_MAXERROR, ADJ_ESTERROR, ADJ_STATUS = 0x0004, 0x0008, 0x0010
STA_UNSYNC = 0x0040


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
class Wall:
    """The wall clock, beside the truth: what makes boot time UTC, in seconds."""

    offset_s: float

    @classmethod
    def now(cls) -> "Wall":
        """As it stands, which is right."""
        return cls(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))

    def spoil(self, fault: FaultTable) -> None:
        """Make it wrong, as this fault has it."""
        offset_s = self.offset_s + fault.size if fault.name == "ntp_step" else BOOTED_S
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_BOOTTIME) + offset_s)

    def mend(self, *, is_kept: bool) -> None:
        """Set it right; `is_kept`: and let the kernel say that somebody keeps it so."""
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_BOOTTIME) + self.offset_s)
        state = _Timex(modes=ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR, status=0 if is_kept else STA_UNSYNC)
        state.maxerror = state.esterror = KEPT_ERROR_US
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state)) < 0:
            raise OSError(ctypes.get_errno(), "adjtimex")


def switches(live: Stage) -> dict[str, Switch]:
    """Each by its name."""
    wall = Wall.now()
    return {
        "clock_step": Switch(lambda fault: step(fault.size), lambda fault: step(-fault.size)),
        **{name: _lost(name, wall, live) for name in LOST},
    }


def _lost(name: str, wall: Wall, live: Stage) -> Switch:
    """A clock that is wrong from the begin or later, until NTP mends it."""

    def prepare() -> None:
        for fault in live.scenario.fault:
            if fault.name == name and not fault.from_s:
                wall.spoil(fault)

    def begin(fault: FaultTable) -> None:
        if fault.from_s and name == "rtc_1970":
            live.terminal.kill()
        if fault.from_s:
            wall.spoil(fault)
        if fault.from_s and name == "rtc_1970":
            live.terminal.start()

    return Switch(begin, lambda _: wall.mend(is_kept=True), prepare, lambda: wall.mend(is_kept=False))


def step(seconds: float) -> None:
    """Move the wall clock."""
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
