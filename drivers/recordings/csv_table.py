"""The CSV of the contract: a header of known columns with their units in the name, one row a moment, in any order.

Accelerations and rates of a row are one IMU input; position, GNSS speed, course, HDOP and satellites one fix; each
other cell is a value of its own. Within one moment: values in the catalogue's order, then the fix, then the IMU, so
that one table and the same columns spread over several give the same inputs.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite

from drivers.batch import SIGNAL_INDEX, fix, imu, value
from drivers.errors import RecordingError
from drivers.recordings.merge import key
from drivers.text import Tally

TIME = "time_s"
TIME_S_MAX = 1e11
"""Beyond this a stamp is no number of seconds (it would be the year 5138)."""

IMU_COLUMNS = ("accel_x_mps2", "accel_y_mps2", "accel_z_mps2", "gyro_x_radps", "gyro_y_radps", "gyro_z_radps")
FIX_COLUMNS = ("lat_deg", "lon_deg", "gnss_speed_mps", "course_deg", "hdop", "sats")
SWITCHES = ("brake", "ignition")
SWITCHED = (None, 0.0, 1.0)
NOTHING = [None] * 6
VALUE_COLUMNS = {
    "speed_mps": "speed",
    "rpm": "rpm",
    "throttle_pct": "throttle",
    "load_pct": "load",
    "brake": "brake",
    "coolant_c": "coolant",
    "fuel_pct": "fuel",
    "battery_v": "battery",
    "odometer_m": "odometer",
    "ignition": "ignition",
    "speed_limit_mps": "speed_limit",
}
COLUMNS = (TIME, *VALUE_COLUMNS, *FIX_COLUMNS, *IMU_COLUMNS)
BATCH = 4096


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row what stands; -1: nowhere."""

    width: int
    time: int
    values: tuple[tuple[int, int], ...]
    switches: tuple[int, ...]
    fix: tuple[int, ...]
    imu: tuple[int, ...]


def columns(header: Sequence[str], tally: Tally) -> Columns:
    """Understand a header; RecordingError names a column that is unknown, double or missing, and the nearest known."""
    names = [name.strip() for name in header]
    for place, name in enumerate(names):
        if name not in COLUMNS:
            raise RecordingError(f"{tally.path}: unknown column {_named(name, place)}{_nearest(name)}")
        if name in names[:place]:
            raise RecordingError(f'{tally.path}: column "{name}" stands there twice: take one out')
    if TIME not in names:
        raise RecordingError(f'{tally.path}: the column "{TIME}" is missing: seconds on one axis')
    at = {name: place for place, name in enumerate(names)}
    values = sorted((SIGNAL_INDEX[signal], at[name]) for name, signal in VALUE_COLUMNS.items() if name in at)
    return Columns(
        width=len(names),
        time=at[TIME],
        values=tuple(values),
        switches=tuple(at[name] for name in SWITCHES if name in at),
        fix=tuple(at.get(name, -1) for name in FIX_COLUMNS),
        imu=tuple(at.get(name, -1) for name in IMU_COLUMNS),
    )


def _named(name: str, place: int) -> str:
    """A column's name, or where it stands when it has none."""
    return f'"{name}"' if name else f"number {place + 1}, which has no name"


def _nearest(name: str) -> str:
    """What was meant, perhaps; else all there is."""
    near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.5)
    return f': did you mean "{near[0]}"?' if near else f": known are {' '.join(COLUMNS)}"


def read(blocks: Iterable[list[str]], tally: Tally) -> Iterator[bytes]:
    """Inputs of a table in order of time; rows that are none are counted."""
    lines = ((number, line) for number, line in enumerate(chain.from_iterable(blocks), start=1) if line.strip())
    at = columns(_cells(next(lines, (0, ""))[1]), tally)
    inputs: list[bytes] = []
    for number, line in lines:
        try:
            inputs += _inputs(_cells(line), at)
        except ValueError:
            tally.bad(number)
    inputs.sort(key=key)
    for start in range(0, len(inputs), BATCH):
        yield b"".join(inputs[start : start + BATCH])


def _cells(line: str) -> list[str]:
    """Cells of a row. No number holds a comma or a line end, so quotes are only taken off."""
    cells = line.split(",")
    return [cell.strip(' \t"') for cell in cells] if '"' in line or " " in line or "\t" in line else cells


def _inputs(cells: list[str], at: Columns) -> list[bytes]:
    """Inputs of one row; ValueError when a cell is no number, or there are too many or too few."""
    if len(cells) != at.width:
        raise ValueError("cells")
    numbers = [_number(cell) for cell in cells]
    t_us = _stamp_us(numbers[at.time])
    if any(numbers[place] not in SWITCHED for place in at.switches):
        raise ValueError("a switch is 0 or 1")
    told = [value(t_us, signal, cell) for signal, place in at.values if (cell := numbers[place]) is not None]
    numbers.append(None)  # place -1
    here = [numbers[place] for place in at.fix]
    if here != NOTHING:
        told.append(fix(t_us, here, valid=None not in here[:2] or here[2] is not None))
    felt = [numbers[place] for place in at.imu]
    if felt != NOTHING:
        told.append(imu(t_us, felt))
    return told


def _stamp_us(time_s: float | None) -> int:
    """Microseconds; a row without time is none."""
    if time_s is None or abs(time_s) > TIME_S_MAX:
        raise ValueError("time")
    return round(time_s * 1e6)


def _number(cell: str) -> float | None:
    """A cell's number, None when empty; ValueError for anything else. Python's 1_000 is no number here."""
    if not cell:
        return None
    number = float(cell)
    if not isfinite(number) or "_" in cell:
        raise ValueError(cell)
    return number
