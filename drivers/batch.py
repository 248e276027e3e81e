"""The one shape every driver hands on: a batch of inputs, each 80 bytes, as the core takes them (native/tbox.h)."""

import math
import struct
from collections.abc import Iterable

SIGNALS = (
    "speed", "rpm", "throttle", "load", "brake", "coolant", "fuel", "battery", "odometer", "ignition",
    "accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z", "lat", "lon", "gnss_speed", "course",
    "hdop", "sats", "speed_limit", "yaw_rate", "airbag",
)  # fmt: skip
"""The catalogue's signals, in the core's order; config/signals.toml says unit, range and VSS name of each."""

SIGNAL_INDEX = {name: index for index, name in enumerate(SIGNALS)}

FRAME, VALUE, IMU, FIX, TICK = range(5)
EXTENDED = 0x80000000
FD, ERROR, REMOTE = 1, 2, 4
INPUT_BYTES = 80

_FRAME = struct.Struct("=qIBBBB64s")
_VALUE = struct.Struct("=qIBBBBd56x")
_NUMBERS = struct.Struct("=qIBBBB7d8x")
_TICK = struct.Struct("=qIBBBB64x")


def frame(t_us: int, channel: int, identifier: int, data: bytes, flags: int = 0) -> bytes:
    """A CAN frame as an input; an extended identifier carries EXTENDED."""
    return _FRAME.pack(t_us, identifier, FRAME, channel, len(data), flags, data)


def value(t_us: int, signal: int, number: float) -> bytes:
    """One decoded value of the catalogue, in the catalogue's unit."""
    return _VALUE.pack(t_us, signal, VALUE, 0, 0, 0, number)


def imu(t_us: int, numbers: Iterable[float | None]) -> bytes:
    """Specific force x, y, z (m/s²) and angular rate x, y, z (rad/s) on sensor axes; None: not there."""
    return _present(t_us, IMU, 0, numbers)


def fix(t_us: int, numbers: Iterable[float | None], *, valid: bool) -> bytes:
    """Latitude, longitude (degrees), speed (m/s), course (degrees), HDOP, satellites, C/N0 (dB-Hz); None: not there."""
    return _present(t_us, FIX, int(valid), numbers)


def tick(t_us: int) -> bytes:
    """Only time passes."""
    return _TICK.pack(t_us, 0, TICK, 0, 0, 0)


def _present(t_us: int, kind: int, length: int, numbers: Iterable[float | None]) -> bytes:
    """An input of up to seven numbers, with a bit for each that is there."""
    cells = list(numbers)
    cells += [None] * (7 - len(cells))
    bits = sum(1 << i for i, cell in enumerate(cells) if cell is not None)
    return _NUMBERS.pack(t_us, 0, kind, 0, length, bits, *(math.nan if cell is None else cell for cell in cells))
