"""Samples as columns: exact at each signal's own resolution in some five bits a value, or within a bound in some two.

The body of a `samples` record has one entry of this room, `columns` (`trip` and others may stand beside): bytes, to be
read as bits (rice.py: what a number is, zigzag), in this order:

    8 bits     FORM
    1 bit      1: rows are a second apart, on whole seconds. 0: two numbers, step_us and start_us % step_us
    number     zigzag of start_us // step_us, the time of the first row
    number     count of rows, less one
    number     signals of the catalogue that have a column: bit i is the i-th of drivers.batch.SIGNALS
    number     how many further columns there are; of each: a number, how many bytes its name has, and the name in UTF-8
    columns    one after the other, signals in the catalogue's order, then the others
    zeros      to the end of the last byte

A column (column.py) is

    1 bit      0: in the usual step of its signal (steps.py), and none of the next three
    1 bit      0: none of the next
    5 bits     each 1 where that is so: GAPS, KEPT, COARSE, ROUND, ALONG
    step       5 bits, its place in steps.py; 31: two numbers, numerator and denominator of the step
    GAPS       rows that have a value: numbers, lengths of runs, present, missing, present, ... until `count` is reached
    COARSE     number: the column counts this many steps as one
    KEPT       only some points are kept, the first and the last value always; 5 bits k, then in Rice's code with this k
               the distance from each to the next, in rows that have a value, less one. No values: nothing
    ALONG      1 bit (0 north, 1 east), a number `scale`: reckoning.py has offsets from the columns speed, course
    numbers    of the kept points, or of all values (predictor.py). No values: nothing

A value is its number times the step; between two kept points that of the straight line over rows, not rounded. Then
offsets are added (before the step is applied), and what is ROUND is reduced to 0 <= value < 360.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.codec import CodecError
from agent.columns import column as one
from agent.columns.choice import Beside, Chosen, Way, choose
from agent.columns.column import Cells, Column
from agent.columns.reckoning import offsets
from agent.columns.rice import Reader, Writer, unzigzag, zigzag
from agent.columns.steps import usual_step
from drivers.batch import SIGNAL_INDEX, SIGNALS

FORM = 2
FORM_BITS = 8
COUNT_MAX = 4096
COLUMNS_MAX = 64
CELLS_MAX = 2**16
NAME_BYTES_MAX = 64
TIME_MAX_US = 2**62
VALUE_MAX = 2**53
USUAL_STEP_US = 1_000_000
ROUND = frozenset({"course"})
"""Directions: 359.9 is next to 0."""
ALONG = {"lat": False, "lon": True}
"""What speed and course foretell; True: to the east."""
UNKNOWN = "signal-"
"""Begins the name of a signal that a later program's catalogue has; its number follows."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A chunk of samples: row i of every column is the value at start_us + i * step_us, or None.

    `resolution` is what a column counts: the sensor's own step where it was recognised.
    """

    start_us: int
    step_us: int
    columns: dict[str, list[float | None]]
    resolution: dict[str, float]


def encode_columns(
    start_us: int,
    step_us: int,
    columns: Mapping[str, Sequence[float | None]],
    resolution: Mapping[str, float],
    bounds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The body of a samples record: every value comes back within half of its resolution, or its bound if that is more.

    CodecError: unequal lengths, no resolution, a value too large or not finite, too many columns or rows.
    """
    counts = {len(cells) for cells in columns.values()}
    if len(counts) != 1 or not 1 <= max(counts) <= COUNT_MAX or len(columns) > COLUMNS_MAX:
        raise CodecError(f"columns need one length from 1 to {COUNT_MAX}, and at most {COLUMNS_MAX} of them")
    count = counts.pop()
    if count * len(columns) > CELLS_MAX or not 0 < step_us < TIME_MAX_US or not abs(start_us) < TIME_MAX_US:
        raise CodecError(f"more than {CELLS_MAX} cells, or times that cannot be")
    known = sorted((name for name in columns if name in SIGNAL_INDEX), key=SIGNALS.index)
    others = [name for name in columns if name not in SIGNAL_INDEX]
    out = Writer()
    out.put(FORM, FORM_BITS)
    mask = sum(1 << SIGNALS.index(name) for name in known)
    rest_us = start_us % step_us
    usual = step_us == USUAL_STEP_US and not rest_us
    out.put(usual, 1)
    for number in (*(() if usual else (step_us, rest_us)), zigzag(start_us // step_us), count - 1, mask, len(others)):
        out.put_number(number)
    for name in others:
        _write_name(out, name)
    chosen = choose_all(step_us, columns, resolution, bounds or {})
    for name in known + others:
        out.put_bits(chosen[name].bits)
    return {"columns": out.whole()}


def decode_columns(body: Mapping[str, Any]) -> Columns:
    """The samples of a body, exact or bounded alike; CodecError, and nothing else, for what is not one."""
    packed = body.get("columns")
    if not isinstance(packed, bytes) or not packed:
        raise CodecError("samples without columns in bytes (a map of columns is of an earlier program)")
    if packed[0] != FORM:
        raise CodecError(f"samples in the form {packed[0]}, and this program reads {FORM}")
    try:
        return _decode(Reader(packed[1:]))
    except (IndexError, UnicodeDecodeError) as error:
        raise CodecError("samples that are cut off or damaged") from error


def choose_all(
    step_us: int,
    columns: Mapping[str, Cells],
    resolution: Mapping[str, float],
    bounds: Mapping[str, float],
) -> dict[str, Chosen]:
    """Every column's bits; first what others are foretold from."""
    chosen: dict[str, Chosen] = {}
    lat_deg = next((cell for cell in columns.get("lat", ()) if cell is not None), None)
    for name in sorted(columns, key=lambda name: name in ALONG):
        size, cells = resolution.get(name, 0.0), columns[name]
        if not (0 < size < float("inf")):
            raise CodecError(f"the column {name:.40} needs a resolution above 0")
        if not all(cell is None or abs(cell / size) <= VALUE_MAX for cell in cells):
            raise CodecError(f"the column {name:.40} has a value that is out of range")
        way = Way(usual_step(name), name in ROUND)
        if name in ALONG and lat_deg is not None and "speed" in chosen and "course" in chosen:
            beside = Beside(step_us, chosen["speed"].told, chosen["course"].told, lat_deg, ALONG[name])
            way = Way(usual_step(name), beside=beside)
        chosen[name] = choose(cells, size, bounds.get(name, 0.0), way)
    return chosen


def _decode(bits: Reader) -> Columns:
    """What stands behind the form."""
    step_us, rest_us = (USUAL_STEP_US, 0) if bits.take(1) else (bits.take_number(), bits.take_number())
    start, last, mask, more = (bits.take_number() for _ in range(4))
    names = [SIGNALS[place] if place < len(SIGNALS) else f"{UNKNOWN}{place}" for place in _places(mask)]
    total, count = len(names) + more, last + 1
    if total > COLUMNS_MAX or count > COUNT_MAX or total * count > CELLS_MAX:
        raise CodecError(f"samples of more than {CELLS_MAX} cells")
    names += [_read_name(bits) for _ in range(more)]
    found = {name: one.read(bits, count, usual_step(name)) for name in names}
    bits.end()
    if len(found) != total or rest_us >= step_us:
        raise CodecError("samples with a column twice, or with times that cannot be")
    told = {name: column.told() for name, column in found.items() if column.along is None}
    told |= {name: _told_along(column, told) for name, column in found.items() if column.along is not None}
    start_us = unzigzag(start) * step_us + rest_us
    steps = {name: float(column.step * column.coarse) for name, column in found.items()}
    return Columns(start_us, step_us, {name: told[name] for name in names}, steps)


def _told_along(column: Column, told: Mapping[str, Cells]) -> list[float | None]:
    """A column that is reckoned from speed and course."""
    assert column.along is not None
    if "speed" not in told or "course" not in told:
        raise CodecError("a column that goes along with others, which are not there")
    moved = offsets(told["speed"], told["course"], column.along.scale, east=column.along.east)
    return column.told(moved)


def _places(mask: int) -> Iterator[int]:
    return (place for place in range(mask.bit_length()) if mask >> place & 1)


def _write_name(out: Writer, name: str) -> None:
    spelt = name.encode()
    if len(spelt) > NAME_BYTES_MAX:
        raise CodecError(f"the name {name:.40} is longer than {NAME_BYTES_MAX} bytes")
    out.put_number(len(spelt))
    for byte in spelt:
        out.put(byte, 8)


def _read_name(bits: Reader) -> str:
    return bytes(bits.take(8) for _ in range(bits.take_number())).decode()
