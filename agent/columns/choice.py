"""Which column tells these cells in the fewest bits: exact, or within a bound.

A column is tried as it is, and where it may go along with speed and course, so too. With a bound there are more ways:
a coarser lattice whose half is within it, and kept points (swing.py) on lattices of several sizes. What is chosen
was decoded and held against the cells: no way that breaks the bound is taken, and the exact one is always left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from agent.columns import column as columns
from agent.columns.column import TURN_DEG, Along, Cells, Column
from agent.columns.reckoning import offsets, scale_of
from agent.columns.rice import Writer
from agent.columns.steps import own_step
from agent.columns.swing import swing

LATTICES = (1, 2)
"""The lattice of kept points is the tolerance, or its half."""
SLACK = 1e-9
FAR = 2**53
"""Coarser lattices, and offsets beyond, are left alone."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What foretells a position: speed and course, as decoded; about where this is, and which way it counts."""

    step_us: int
    speed: Cells
    course: Cells
    lat_deg: float
    east: bool


@dataclass(frozen=True, slots=True)
class Way:
    """What is known of a column's signal: its usual step, whether it is a direction, what foretells it."""

    usual: Fraction
    is_round: bool = False
    beside: Beside | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A column's bits, as text, and the cells as they are decoded."""

    bits: str
    told: Cells


def choose(cells: Cells, resolution: float, bound: float, way: Way) -> Chosen:
    """The shortest; `bound` 0: exact."""
    base = _exact(cells, resolution, is_round=way.is_round)
    if not base.numbers:
        return _chosen(base, None, way)
    found: list[Chosen] = []
    for exact, moved in _starts(base, way.beside):
        found.append(_chosen(exact, moved, way))
        if bound > resolution / 2:
            is_round = way.is_round and all(cell is None or 0 <= cell <= TURN_DEG for cell in cells)
            loose = replace(exact, is_round=is_round)
            tries = (_chosen(column, moved, way) for column in _within(loose, cells, bound, moved))
            found += [made for made in tries if _holds(cells, made.told, bound, is_round=is_round)]
    return min(found, key=lambda made: len(made.bits))


def _exact(cells: Cells, resolution: float, *, is_round: bool) -> Column:
    """Every value, in the coarsest step that tells it; directions go on past north."""
    step, numbers = own_step([cell for cell in cells if cell is not None], resolution)
    runs = columns.runs_of(cells)
    turn = TURN_DEG / step
    if is_round and turn.denominator == 1 and all(0 <= number <= turn for number in numbers):
        unrolled = _unrolled(numbers, int(turn))
        return Column(step, runs, unrolled, is_round=unrolled != numbers)
    return Column(step, runs, numbers)


def _unrolled(numbers: Sequence[int], turn: int) -> list[int]:
    """The same directions without a jump at north: each the nearest turn of itself to the one before."""
    unrolled = list(numbers[:1])
    for number in numbers[1:]:
        unrolled.append(unrolled[-1] + (number - unrolled[-1] + turn // 2) % turn - turn // 2)
    return unrolled


def _starts(base: Column, beside: Beside | None) -> Iterator[tuple[Column, list[int] | None]]:
    """The exact column as it is, and along with speed and course; the offsets that then are added."""
    yield base, None
    if beside is None or not any(beside.speed):
        return
    scale = scale_of(base.step, beside.step_us, beside.lat_deg, east=beside.east)
    moved = offsets(beside.speed, beside.course, scale, east=beside.east)
    if max(map(abs, moved)) > FAR:
        return
    numbers = [number - moved[row] for row, number in zip(base.rows, base.numbers, strict=True)]
    yield replace(base, numbers=numbers, along=Along(scale, beside.east)), moved


def _within(exact: Column, cells: Cells, bound: float, moved: list[int] | None) -> Iterator[Column]:
    """Columns that should keep the bound."""
    off = max(_distances(cells, exact.told(moved), is_round=exact.is_round))
    tolerance = (bound - off) / float(exact.step) * (1 - SLACK)
    coarse = int(min(2 * tolerance, FAR))
    if coarse > 1:
        numbers = [(2 * number + coarse) // (2 * coarse) for number in exact.numbers]
        yield replace(exact, coarse=coarse, numbers=numbers)
    for lattice in sorted({max(1, int(min(tolerance, FAR) / parts)) for parts in LATTICES}):
        if lattice <= 2 * tolerance:
            kept, numbers = swing(exact.rows, exact.numbers, tolerance, lattice)
            yield replace(exact, coarse=lattice, kept=kept, numbers=numbers)


def _chosen(column: Column, moved: list[int] | None, way: Way) -> Chosen:
    out = Writer()
    columns.write(out, column, way.usual)
    return Chosen(str(out), column.told(moved))


def _holds(cells: Cells, told: Cells, bound: float, *, is_round: bool) -> bool:
    return all(distance <= bound for distance in _distances(cells, told, is_round=is_round))


def _distances(cells: Cells, told: Cells, *, is_round: bool) -> Iterator[float]:
    """How far what is told lies from each cell; of directions the shorter way round."""
    for cell, number in zip(cells, told, strict=True):
        if cell is not None and number is not None:
            far = abs(number - cell)
            yield min(far, TURN_DEG - far) if is_round else far
