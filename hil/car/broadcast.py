"""What the car of a scenario tells at each moment: frames as its DBC has them, or rows of decoded values. Seeded."""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import cantools.database
from cantools.database.can import Database, Message, Signal

from hil.car.car import DBC, GYRO_NOISE_RADPS, ODOMETER_M, PERIODS, ROAD_NOISE_MPS2, SENSOR_NOISE_MPS2, mount, turn
from hil.car.car_faults import CarFaults
from hil.car.road import Moment
from hil.scenes.scenario_table import Scenario

STEP_S = 0.01
SLOW_S = 0.1
FIX_S = 1.0
IMU_STEP_S = 0.1
"""Rows that come more seldom tell nothing of the acceleration sensor: it would miss what it is there for."""

NAN = math.nan

Frame = tuple[int, bytes]
Packer = Callable[[float], int]
"""A value → its bits, in place, in the frame's 64 bits read little-endian."""

COLUMNS = {
    "speed_mps": "SPEED", "rpm": "RPM", "throttle_pct": "THROTTLE", "load_pct": "LOAD", "brake": "BRAKE",
    "coolant_c": "COOLANT", "fuel_pct": "FUEL", "battery_v": "BATTERY", "odometer_m": "ODOMETER",
    "ignition": "IGNITION", "speed_limit_mps": "LIMIT",
}  # fmt: skip
FIXES = {
    "lat_deg": "LATITUDE", "lon_deg": "LONGITUDE", "gnss_speed_mps": "GNSS_SPEED", "course_deg": "GNSS_COURSE",
    "hdop": "HDOP", "sats": "SATELLITES",
}  # fmt: skip
SENSED = {
    "accel_x_mps2": "ACCEL_X", "accel_y_mps2": "ACCEL_Y", "accel_z_mps2": "ACCEL_Z",
    "gyro_x_radps": "GYRO_X", "gyro_y_radps": "GYRO_Y", "gyro_z_radps": "GYRO_Z",
}  # fmt: skip
HEADER = ("time_s", *COLUMNS, *FIXES, *SENSED)


class Senses:
    """Every value the car knows at a moment, with the noise of its sensors and its faults."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 # noise, and it must repeat
        self._mounting = mount(*scenario.mounting_deg)
        self.faults = CarFaults(scenario.fault)

    def at(self, moment: Moment) -> dict[str, float]:
        """Values by the names of the DBC, and LIMIT in m/s where one is known."""
        state = moment.state
        latitude, longitude = moment.position_deg
        values = {
            "SPEED": state.speed_mps * 3.6,
            "YAW_RATE": state.yaw_radps,
            "BRAKE": float(state.braking),
            "RPM": state.rpm,
            "THROTTLE": state.throttle_pct,
            "LOAD": state.load_pct,
            "COOLANT": state.coolant_c,
            "ODOMETER": ODOMETER_M + state.distance_m,
            "BATTERY": moment.supply_v,
            "FUEL": moment.fuel_pct,
            "IGNITION": float(state.engine),
            "AIRBAG": float(state.airbag),
            "LATITUDE": latitude,
            "LONGITUDE": longitude,
            "GNSS_SPEED": moment.gnss_mps,
            "GNSS_COURSE": math.degrees(state.heading_rad) % 360,
            "HDOP": 0.9,
            "SATELLITES": 11.0,
            "ACCEL_VALID": 1.0,
            "GYRO_VALID": 1.0,
            **self._inertial(moment),
        }
        return self.faults.spoil(moment.time_s, values)

    def _inertial(self, moment: Moment) -> dict[str, float]:
        """What the sensors feel, on the box's own axes."""
        gauss, shake = self._random.gauss, SENSOR_NOISE_MPS2
        shake += ROAD_NOISE_MPS2 if moment.state.speed_mps > 1 else 0.0
        fx, fy, fz = moment.force
        rx, ry, rz = moment.rate
        force = turn(self._mounting, (fx + gauss(0, shake), fy + gauss(0, shake), fz + gauss(0, shake)))
        noise = GYRO_NOISE_RADPS
        rate = turn(self._mounting, (rx + gauss(0, noise), ry + gauss(0, noise), rz + gauss(0, noise)))
        return dict(zip(SENSED.values(), (*force, *rate), strict=True))


class Broadcast:
    """Frames of a scenario's car, the same for the same seed."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        database = cantools.database.load_file(DBC)
        assert isinstance(database, Database)
        self._senses = Senses(scenario, seed)
        self._packed = {message.name: _Packed(message) for message in database.messages}
        self._step = -1

    def frames(self, moment: Moment) -> list[Frame]:
        """What is broadcast at this step of 10 ms, and what became due since the last one that was asked for."""
        before, step = self._step, round(moment.time_s / STEP_S)
        self._step = step
        due = [(name, every) for name, every in PERIODS.items() if before // every != step // every]
        values = self._senses.at(moment)
        if moment.is_silent:
            return []
        is_silent = self._senses.faults.is_silent
        return [
            self._packed[name].frame(values, step // every % 16)
            for name, every in due
            if not is_silent(moment.time_s, name)
        ]


class _Packed:
    """One message, prepared: what cantools would encode, some twenty times as fast."""

    def __init__(self, message: Message) -> None:
        self._id, self._bytes = message.frame_id, message.length
        self._parts = [(signal.name, _packer(signal)) for signal in message.signals]

    def frame(self, values: dict[str, float], counter: int) -> Frame:
        bits = 0
        for name, pack in self._parts:
            bits |= pack(counter if name == "COUNTER" else values[name])
        return self._id, bits.to_bytes(self._bytes, "little")


def _packer(signal: Signal) -> Packer:
    """How this signal's value becomes bits; one beyond its range is cut to it, as a sensor does."""
    scale, offset, length = float(signal.scale), float(signal.offset), signal.length
    low = -math.inf if signal.minimum is None else float(signal.minimum)
    high = math.inf if signal.maximum is None else float(signal.maximum)
    mask = (1 << length) - 1
    if signal.byte_order == "little_endian":
        start = signal.start
        return lambda value: (round((min(high, max(low, value)) - offset) / scale) & mask) << start
    first, size = signal.start // 8, (length + 7) // 8
    assert length % 8 == 0, "whole bytes are all that this car has"
    assert signal.start % 8 == 7, "whole bytes are all that this car has"

    def swapped(value: float) -> int:
        raw = round((min(high, max(low, value)) - offset) / scale) & mask
        return int.from_bytes(raw.to_bytes(size, "big"), "little") << 8 * first

    return swapped


def rows(scenario: Scenario, seed: int, moments: Iterable[Moment]) -> Iterator[str]:
    """The drive as the CSV of the contract, its header first. A box without supply is off the bus too."""
    senses = Senses(scenario, seed)
    yield ",".join(HEADER)
    slow_s = fix_s = -1.0
    for moment in moments:
        if moment.is_silent:
            continue
        values, time_s = senses.at(moment), moment.time_s
        values["SPEED"] = moment.state.speed_mps
        is_slow, is_fix = time_s >= slow_s - 1e-6, time_s >= fix_s - 1e-6
        slow_s, fix_s = (time_s + SLOW_S if is_slow else slow_s), (time_s + FIX_S if is_fix else fix_s)
        is_seen = is_fix and not senses.faults.is_silent(time_s, "POSITION")
        values["LIMIT"] = NAN if moment.limit_mps is None else moment.limit_mps
        heard = COLUMNS.values() if moment.supply_v else ("BATTERY",)
        cells = [_cell(values[name]) if is_slow and name in heard else "" for name in COLUMNS.values()]
        cells += [_cell(values[name], 7) for name in FIXES.values()] if is_seen else [""] * len(FIXES)
        cells += _sensed(values, moment.step_s)
        yield f"{time_s:.6f},{','.join(cells)}"


def _sensed(values: dict[str, float], step_s: float) -> Sequence[str]:
    return [_cell(values[name]) for name in SENSED.values()] if step_s <= IMU_STEP_S else [""] * len(SENSED)


def _cell(value: float, digits: int = 4) -> str:
    return "" if value != value else f"{value:.{digits}f}".rstrip("0").rstrip(".")  # noqa: PLR0124 (NaN: not known)
