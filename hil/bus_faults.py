"""Faults of the bus, by name: frames that nobody should send, at their times. Pure, and the same for the same seed.

error_frames   `size` error frames a second (100 without one): bus errors, as SocketCAN reports them
babbling_id    a broken unit sends the highest priority 0x000, `size` times a second (1,000 without one)
full_load      foreign traffic on many identifiers, `size` frames a second (3,500 without one), which is about all that
               fits on 500 kbit/s beside the car's own
tester         a workshop's tester asks for the engine speed, `size` times a second (5 without one)
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hil.scenario_file import FaultTable

ERROR_ID = 0x008
"""Error class "controller and bus": a protocol violation (linux/can/error.h)."""
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
        self._sent = [0] * len(self._faults)
        self._random = random.Random(seed)  # noqa: S311 # it must repeat

    def until(self, time_s: float) -> list[Stray]:
        """Those before this time that were not taken yet, in order."""
        found = [stray for number in range(len(self._faults)) for stray in self._of(number, time_s)]
        return sorted(found, key=lambda stray: stray.time_s)

    def _of(self, number: int, time_s: float) -> Iterator[Stray]:
        fault = self._faults[number]
        rate, end_s = fault.size or RATES[fault.name], min(time_s, fault.until_s)
        while (at_s := fault.from_s + self._sent[number] / rate) < end_s:
            self._sent[number] += 1
            yield self._stray(fault.name, at_s)

    def _stray(self, name: str, time_s: float) -> Stray:
        if name == "error_frames":
            return Stray(time_s, ERROR_ID, bytes(8), is_error=True)
        if name == "tester":
            return Stray(time_s, 0x7DF, bytes([2, 0x01, 0x0C, 0, 0, 0, 0, 0]))
        if name == "babbling_id":
            return Stray(time_s, 0x000, b"\xff" * 8)
        return Stray(time_s, self._random.choice(FOREIGN), self._random.randbytes(8))
