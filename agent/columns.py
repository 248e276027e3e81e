"""Samples as columns: exact at each signal's own resolution, in about five bits a value.

The body of a `samples` record (`trip` and others may stand beside):

    start_us   time of the first row          count     rows
    step_us    time from row to row           columns   name -> bytes, one column each

A column is a head of whole bytes, then bits, most significant first, zeros to the last byte's end:

    1 byte    bits 7..6 predictor, bit 5 has gaps, bits 4..0 Rice parameter k (31: every residual is 0, no bits follow)
    varint    mantissa of the resolution              }  resolution = mantissa * 10^exponent
    1 byte    exponent + 128                          }
    if gaps:  runs of rows, varints: present, missing, present, ... until `count` is reached
    varint    first value, zigzag (predictor LINEAR: another varint, the step to the second value, when there is one)
    bits      a residual for every further value that is present

Values are integers in units of the resolution. The residual is the value minus what the predictor says from the present
values before: STEADY the first number in the head (which then is no value itself, but the level they lie around),
PREVIOUS the last value, LINEAR the last value and its last step. Residuals are zigzag numbers u, Rice coded: u >> k
ones, a zero, the k low bits of u; with ESCAPE or more ones to write: ESCAPE ones and then u in 64 bits.
A varint has seven bits a byte, the lowest first, the top bit set on all bytes but the last. Zigzag: 0, -1, 1, -2, ...
become 0, 1, 2, 3, ... A column without any value has gaps over all rows and nothing behind them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from agent.codec import CodecError

STEADY, PREVIOUS, LINEAR = range(3)
GAPS = 0x20
ALL_ZERO = 31
ESCAPE = 24
ESCAPE_BITS = 64
K_MAX = 30
COUNT_MAX = 65_536
COLUMNS_MAX = 256
CELLS_MAX = 2**20
VALUE_MAX = 2**53
EXPONENT_BIAS = 128


@dataclass(frozen=True, slots=True)
class Columns:
    """A chunk of samples: row i of every column is the value at start_us + i * step_us, or None."""

    start_us: int
    step_us: int
    columns: dict[str, list[float | None]]
    resolution: dict[str, float]


def encode_columns(
    start_us: int, step_us: int, columns: Mapping[str, Sequence[float | None]], resolution: Mapping[str, float]
) -> dict[str, Any]:
    """The body of a samples record. CodecError: unequal lengths, no resolution, a value too large or not finite."""
    counts = {len(cells) for cells in columns.values()}
    if len(counts) != 1 or not 1 <= max(counts) <= COUNT_MAX or len(columns) > COLUMNS_MAX:
        raise CodecError(f"columns need one length from 1 to {COUNT_MAX}, and at most {COLUMNS_MAX} of them")
    packed = {name: _encode(name, cells, resolution.get(name, 0.0)) for name, cells in columns.items()}
    return {"start_us": start_us, "step_us": step_us, "count": counts.pop(), "columns": packed}


def decode_columns(body: Mapping[str, Any]) -> Columns:
    """The samples of a body, each the multiple of its resolution nearest to what was measured; or CodecError."""
    start_us, step_us, count, packed = (body.get(name) for name in ("start_us", "step_us", "count", "columns"))
    if type(start_us) is not int or type(step_us) is not int or type(count) is not int or not 1 <= count <= COUNT_MAX:
        raise CodecError(f"samples without start_us, step_us and a count from 1 to {COUNT_MAX}")
    if not isinstance(packed, Mapping) or len(packed) > COLUMNS_MAX or len(packed) * count > CELLS_MAX:
        raise CodecError(f"samples without a map of at most {COLUMNS_MAX} columns")
    columns: dict[str, list[float | None]] = {}
    resolution: dict[str, float] = {}
    for name, data in packed.items():
        if not isinstance(data, bytes):
            raise CodecError(f"the column {name!s:.40} is not bytes")
        try:
            columns[name], resolution[name] = _decode(data, count)
        except (IndexError, OverflowError) as error:
            raise CodecError(f"the column {name:.40} is cut off or damaged") from error
    return Columns(start_us, step_us, columns, resolution)


def _encode(name: str, cells: Sequence[float | None], resolution: float) -> bytes:
    """One column's bytes."""
    mantissa, exponent = _scale(name, resolution)
    present = [_in_steps(name, cell, resolution) for cell in cells if cell is not None]
    has_gaps = len(present) < len(cells)
    scale = [*_varint(mantissa), exponent + EXPONENT_BIAS]
    gaps = [byte for run in _runs_of(cells) for byte in _varint(run)] if has_gaps else []
    if not present:
        return bytes([GAPS | ALL_ZERO, *scale, *gaps])
    predictor, seeds, residuals = min(_predictions(present), key=_cost)
    k = _best_k(residuals)
    seed_bytes = [byte for seed in seeds for byte in _varint(_zigzag(seed))]
    head = bytes([predictor << 6 | GAPS * has_gaps | k, *scale, *gaps, *seed_bytes])
    return head if k == ALL_ZERO else head + _rice(residuals, k)


def _scale(name: str, resolution: float) -> tuple[int, int]:
    """The resolution as mantissa and exponent of ten, exactly as it is written in decimals."""
    if not (math.isfinite(resolution) and resolution > 0):
        raise CodecError(f"the column {name:.40} needs a resolution above 0")
    _, digits, exponent = Decimal(repr(float(resolution))).normalize().as_tuple()
    assert isinstance(exponent, int)
    if not -EXPONENT_BIAS <= exponent < EXPONENT_BIAS:
        raise CodecError(f"the column {name:.40} has the resolution {resolution}, which is out of range")
    return int("".join(map(str, digits))), exponent


def _in_steps(name: str, cell: float, resolution: float) -> int:
    """The value in whole steps of the resolution."""
    steps = cell / resolution
    if not abs(steps) <= VALUE_MAX:
        raise CodecError(f"the column {name:.40} has the value {cell}, which is out of range")
    return round(steps)


def _runs_of(cells: Iterable[float | None]) -> list[int]:
    """Lengths of the runs of rows, present and missing in turn, present first."""
    runs = [0]
    for cell in cells:
        if (cell is not None) != (len(runs) % 2 == 1):
            runs.append(0)
        runs[-1] += 1
    return runs


def _predictions(present: list[int]) -> list[tuple[int, list[int], list[int]]]:
    """For each predictor: its number, the seeds in the head, the residuals as zigzag numbers."""
    level = sorted(present)[len(present) // 2]
    steps = [after - before for before, after in pairwise(present)]
    bends = [after - before for before, after in pairwise(steps)]
    return [
        (PREVIOUS, present[:1], [_zigzag(step) for step in steps]),
        (LINEAR, present[:1] + steps[:1], [_zigzag(bend) for bend in bends]),
        (STEADY, [level], [_zigzag(number - level) for number in present]),
    ]


def _cost(prediction: tuple[int, list[int], list[int]]) -> int:
    """Bits of the seeds and residuals."""
    _, seeds, residuals = prediction
    k = _best_k(residuals)
    return 8 * sum(len(_varint(_zigzag(seed))) for seed in seeds) + (0 if k == ALL_ZERO else _rice_bits(residuals, k))


def _best_k(residuals: list[int]) -> int:
    """The Rice parameter with the fewest bits; ALL_ZERO when no bits are needed."""
    if not any(residuals):
        return ALL_ZERO
    mean_bits = (sum(residuals) // len(residuals)).bit_length()
    return min(range(min(K_MAX, mean_bits) + 1), key=lambda k: _rice_bits(residuals, k))


def _rice_bits(residuals: list[int], k: int) -> int:
    return sum((u >> k) + 1 + k if u >> k < ESCAPE else ESCAPE + ESCAPE_BITS for u in residuals)


def _rice(residuals: list[int], k: int) -> bytes:
    """The residuals' bits as whole bytes."""
    bits = length = 0
    for u in residuals:
        high = u >> k
        if high < ESCAPE:
            code, size = ((1 << high) - 1) << (k + 1) | u & ((1 << k) - 1), high + 1 + k
        else:
            code, size = ((1 << ESCAPE) - 1) << ESCAPE_BITS | u, ESCAPE + ESCAPE_BITS
        bits, length = bits << size | code, length + size
    spare = -length % 8
    return (bits << spare).to_bytes((length + spare) // 8, "big")


def _decode(data: bytes, count: int) -> tuple[list[float | None], float]:
    """One column's values and resolution; IndexError when the data end too early, CodecError when they cannot be."""
    predictor, k = data[0] >> 6, data[0] & 31
    mantissa, at = _read_varint(data, 1)
    exponent, at = data[at] - EXPONENT_BIAS, at + 1
    runs = [count]
    if data[0] & GAPS:
        runs, at = _read_runs(data, at, count)
    total = sum(runs[::2])
    numbers: list[int] = []
    if total:
        numbers, at = _read_numbers(data, at, predictor, k, total)
    if at != len(data) or predictor > LINEAR or not mantissa:
        raise CodecError("a column with an unknown predictor, without a resolution, or with bytes left over")
    rows = iter([_times(number, mantissa, exponent) for number in numbers])
    cells = [next(rows) if place % 2 == 0 else None for place, run in enumerate(runs) for _ in range(run)]
    return cells, _times(1, mantissa, exponent)


def _read_numbers(data: bytes, at: int, predictor: int, k: int, total: int) -> tuple[list[int], int]:
    """The column's `total` values in steps, and where the data end."""
    seed_count = 1 if predictor != LINEAR or total == 1 else 2
    seeds = []
    for _ in range(seed_count):
        u, at = _read_varint(data, at)
        seeds.append(_unzigzag(u))
    left = total if predictor == STEADY else total - seed_count
    residuals, at = ([0] * left, at) if k == ALL_ZERO else _read_rice(data, at, k, left)
    if predictor == STEADY:
        return [seeds[0] + residual for residual in residuals], at
    numbers = seeds[:1]
    step = seeds[1] if seed_count == 2 else 0
    numbers += [seeds[0] + step] if seed_count == 2 else []
    for residual in residuals:
        step = step + residual if predictor == LINEAR else residual
        numbers.append(numbers[-1] + step)
    return numbers, at


def _read_rice(data: bytes, at: int, k: int, total: int) -> tuple[list[int], int]:
    """`total` residuals from the bits at byte `at`, and the byte behind them."""
    bits = "".join(f"{byte:08b}" for byte in data[at:])
    place, residuals = 0, []
    for _ in range(total):
        zero = bits.find("0", place, place + ESCAPE)
        if zero < 0:
            head, size = 0, ESCAPE_BITS
            place += ESCAPE
        else:
            head, size = zero - place, k
            place = zero + 1
        if place + size > len(bits):
            raise IndexError(place)
        low = int(bits[place : place + size] or "0", 2)
        residuals.append(_unzigzag(low if zero < 0 else head << k | low))
        place += size
    return residuals, at + (place + 7) // 8


def _read_runs(data: bytes, at: int, count: int) -> tuple[list[int], int]:
    runs: list[int] = []
    while sum(runs) < count:
        run, at = _read_varint(data, at)
        if not run and runs:
            raise CodecError("a column with an empty run")
        runs.append(run)
    if sum(runs) != count:
        raise CodecError("a column whose runs are longer than the chunk")
    return runs, at


def _times(number: int, mantissa: int, exponent: int) -> float:
    """Number times mantissa times ten to the exponent, rounded once."""
    return number * mantissa / 10**-exponent if exponent < 0 else float(number * mantissa * 10**exponent)


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def _unzigzag(u: int) -> int:
    return u >> 1 if u & 1 == 0 else -(u >> 1) - 1


def _varint(number: int) -> list[int]:
    """Seven bits a byte, the lowest first."""
    groups = [number & 127]
    while number := number >> 7:
        groups[-1] |= 128
        groups.append(number & 127)
    return groups


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at byte `at`, and where the next thing begins; at most 64 bits."""
    number = 0
    for shift in range(0, 70, 7):
        number |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return number, at
    raise CodecError("a column with a number that is too long")
