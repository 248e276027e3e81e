"""Faults of the bus, by name: frames that nobody should send, at their times. Pure, and the same for the same seed.

error_frames   `size` error frames a second (100 without one), as SocketCAN reports them: bus errors; `what` = "warning"
               or "passive": the controller counted so many that it changes its state; "arbitration": it gave way to
               another frame, which is no error
bus_off        the controller takes itself off the bus and says so; until it says that it was restarted, nobody sends or
               hears anything
babbling_id    a broken unit sends the highest priority 0x000, `size` times a second (1,000 without one)
full_load      foreign traffic on many identifiers, `size` frames a second (3,500 without one), which is about all that
               fits on 500 kbit/s beside the car's own
tester         a workshop's tester asks for the engine speed, `size` times a second (5 without one)
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hil.scenes.scenario_table import FaultTable

ERRORS = {
    "": (0x008, bytes(8)),
    "warning": (0x004, bytes([0, 0x0C, 0, 0, 0, 0, 96, 96])),
    "passive": (0x004, bytes([0, 0x30, 0, 0, 0, 0, 128, 128])),
    "arbitration": (0x002, bytes([12, 0, 0, 0, 0, 0, 0, 0])),
}
"""Classes of error frames and what they say (linux/can/error.h): a protocol violation; the controller's state, both
ways, and its counters; the bit at which it gave way."""
BUS_OFF, RESTARTED = 0x040, 0x100
RATES = {"error_frames": 100.0, "babbling_id": 1000.0, "full_load": 3500.0, "tester": 5.0}
FOREIGN = range(0x280, 0x380)
"""Identifiers of full load: none of the car's."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A frame that a fault puts on the bus."""

    time_s: float
    identifier: int
    data: bytes
    is_error: bool = False


class BusFaults:
    """All that are planned for a drive."""

    def __init__(self, faults: Sequence[FaultTable], seed: int) -> None:
        self._faults = [fault for fault in faults if fault.name in RATES]
        self._offs = [fault for fault in faults if fault.name == "bus_off"]
        self._told = sorted((stray for fault in self._offs for stray in _words(fault)), key=lambda stray: stray.time_s)
        self._sent = [0] * len(self._faults)
        self._random = random.Random(seed)  # noqa: S311 # it must repeat

    def until(self, time_s: float) -> list[Stray]:
        """Those before this time that were not taken yet, in order."""
        found = [stray for number in range(len(self._faults)) for stray in self._of(number, time_s)]
        words = [stray for stray in self._told if stray.time_s < time_s]
        found = words + [stray for stray in found if not self.is_off(stray.time_s)]
        self._told = self._told[len(words) :]
        return sorted(found, key=lambda stray: stray.time_s)

    def is_off(self, time_s: float) -> bool:
        """Whether the terminal's controller is off the bus."""
        return any(fault.from_s <= time_s < fault.until_s for fault in self._offs)

    def _of(self, number: int, time_s: float) -> Iterator[Stray]:
        fault = self._faults[number]
        rate, end_s = fault.size or RATES[fault.name], min(time_s, fault.until_s)
        while (at_s := fault.from_s + self._sent[number] / rate) < end_s:
            self._sent[number] += 1
            yield self._stray(fault, at_s)

    def _stray(self, fault: FaultTable, time_s: float) -> Stray:
        name = fault.name
        if name == "error_frames":
            return Stray(time_s, *ERRORS[fault.what], is_error=True)
        if name == "tester":
            return Stray(time_s, 0x7DF, bytes([2, 0x01, 0x0C, 0, 0, 0, 0, 0]))
        if name == "babbling_id":
            return Stray(time_s, 0x000, b"\xff" * 8)
        return Stray(time_s, self._random.choice(FOREIGN), self._random.randbytes(8))


def _words(fault: FaultTable) -> Iterator[Stray]:
    """What a controller says as it goes off the bus, and as it comes back."""
    yield Stray(fault.from_s, BUS_OFF, bytes(8), is_error=True)
    yield Stray(fault.until_s, RESTARTED, bytes(8), is_error=True)
