"""Faults of the car's own sensors and units, by name: values in, spoilt values out. Pure.

imu_stuck      the acceleration sensor and the gyroscope repeat what they said when it began
imu_saturated  they clip at `size` g (8 without one), and at 125 degrees/s
gnss_jam       no fix: nothing is told of the satellites
gnss_spoof     fixes from a place `size` m to the north (20,000 without one), in good quality
missing_ecu    the unit that sends the message `what` is silent
trouble_code   the engine's unit finds the fault `what`, stores its code; finds it healed at the end, if there is one
adapter_gone   the serial adapter is pulled out, and put back at the end
answers_torn   so many of the consecutive frames of long answers are lost: the share `size` (0.3 without one)
codes_cleared  a workshop clears the codes of the engine's unit: permanent ones stay
"""

import math
from collections.abc import Mapping, Sequence

from hil.car.ecu import Ecu
from hil.drive import METRES_PER_DEGREE
from hil.scenes.scenario_table import FaultTable

FORCES = ("ACCEL_X", "ACCEL_Y", "ACCEL_Z")
RATES = ("GYRO_X", "GYRO_Y", "GYRO_Z")
SATELLITES = ("POSITION", "COURSE")
G_MPS2 = 9.80665
TORN_SHARE = 0.3
RATE_RADPS = math.radians(125)


class CarFaults:
    """All that are planned for a drive; knows what a stuck sensor said last."""

    def __init__(self, faults: Sequence[FaultTable]) -> None:
        self._faults = faults
        self._stuck: dict[str, float] = {}

    def spoil(self, time_s: float, values: dict[str, float]) -> dict[str, float]:
        """The values as the car tells them at this moment."""
        active = {fault.name: fault for fault in self._faults if fault.from_s <= time_s < fault.until_s}
        if "imu_stuck" in active:
            self._stuck = self._stuck or {name: values[name] for name in (*FORCES, *RATES)}
            values |= self._stuck
        else:
            self._stuck = {}
        if "imu_saturated" in active:
            values |= _clipped(values, (active["imu_saturated"].size or 8.0) * G_MPS2)
        if "gnss_spoof" in active:
            away_m = active["gnss_spoof"].size or 20_000.0
            values["LATITUDE"] += away_m / METRES_PER_DEGREE
        return values

    def is_silent(self, time_s: float, message: str) -> bool:
        """Whether nobody sends this message now."""
        return any(
            (fault.name == "missing_ecu" and fault.what == message)
            or (fault.name == "gnss_jam" and message in SATELLITES)
            for fault in self._faults
            if fault.from_s <= time_s < fault.until_s
        )


def torn_share(faults: Sequence[FaultTable], time_s: float) -> float:
    """Share of consecutive frames that are lost now."""
    torn = (fault for fault in faults if fault.name == "answers_torn" and fault.from_s <= time_s < fault.until_s)
    return max((fault.size or TORN_SHARE for fault in torn), default=0.0)


class Troubles:
    """Trouble codes of one unit, as they come and go in a drive."""

    def __init__(self, faults: Sequence[FaultTable], ecu: Ecu) -> None:
        self._faults = [fault for fault in faults if fault.name == "trouble_code"]
        self._clearings = [fault.from_s for fault in faults if fault.name == "codes_cleared"]
        self._found: set[str] = set()
        self._ecu = ecu

    def step(self, time_s: float) -> None:
        """What is found, cleared or healed, by now."""
        for fault in self._faults:
            is_there = fault.from_s <= time_s and not fault.from_s < fault.to_s <= time_s
            if is_there and fault.what not in self._found:
                self._found.add(fault.what)
                self._ecu.confirm(fault.what)
            elif not is_there and fault.what in self._found:
                self._found.remove(fault.what)
                self._ecu.trouble.heal(fault.what)
        while self._clearings and self._clearings[0] <= time_s:
            del self._clearings[0]
            self._ecu.trouble.clear()


def _clipped(values: Mapping[str, float], most_mps2: float) -> dict[str, float]:
    """As a sensor with this range says it."""
    ranges = dict.fromkeys(FORCES, most_mps2) | dict.fromkeys(RATES, RATE_RADPS)
    return {name: min(most, max(-most, values[name])) for name, most in ranges.items()}
