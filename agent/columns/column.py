"""One column of samples as a value: which rows have one, which points are kept, the numbers, and what they count.

__init__.py says how it looks in bits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from agent.codec import CodecError
from agent.columns import predictor
from agent.columns.rice import Reader, Writer, rice_bits
from agent.columns.steps import read_step, write_step

FLAGS = 5
GAPS, KEPT, COARSE, ROUND, ALONG = (1 << place for place in reversed(range(FLAGS)))
TURN_DEG = 360
KEPT_K_MAX = 12

Cells = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Along:
    """Offsets are reckoned from speed and course: `scale` as reckoning.py says."""

    scale: int
    east: bool


@dataclass(frozen=True, slots=True)
class Column:
    """`runs`: rows present, missing, present ...; `kept`: places among the present ones with a number, None: all."""

    step: Fraction
    runs: Sequence[int]
    numbers: Sequence[int]
    coarse: int = 1
    kept: Sequence[int] | None = None
    is_round: bool = False
    along: Along | None = None

    @property
    def rows(self) -> list[int]:
        """The rows that have a value."""
        starts = accumulate(self.runs, initial=0)
        turns = zip(starts, self.runs, strict=False)
        return [row for place, (start, run) in enumerate(turns) if place % 2 == 0 for row in range(start, start + run)]

    def told(self, offsets: Sequence[int] | None = None) -> list[float | None]:
        """The value of every row; `offsets` for a column that goes along with others."""
        cells: list[float | None] = [None] * sum(self.runs)
        for row, number, share in self._points():
            total = number * self.coarse + (offsets[row] * share if offsets else 0)
            up, down = total * self.step.numerator, share * self.step.denominator
            cells[row] = (up % (TURN_DEG * down) if self.is_round else up) / down
        return cells

    def _points(self) -> Iterator[tuple[int, int, int]]:
        """Each row that has a value, its number times a share, and the share: straight lines between kept points."""
        rows = self.rows
        if self.kept is None:
            yield from zip(rows, self.numbers, [1] * len(rows), strict=True)
            return
        yield from zip(rows[:1], self.numbers[:1], (1,), strict=False)
        for (first, last), (begin, end) in zip(pairwise(self.kept), pairwise(self.numbers), strict=True):
            start, share = rows[first], rows[last] - rows[first]
            for row in rows[first + 1 : last + 1]:
                yield row, begin * share + (end - begin) * (row - start), share


def runs_of(cells: Iterable[float | None]) -> list[int]:
    """Lengths of the runs of rows, present and missing in turn, present first."""
    runs = [0]
    for cell in cells:
        if (cell is not None) != (len(runs) % 2 == 1):
            runs.append(0)
        runs[-1] += 1
    return runs


def write(out: Writer, column: Column, usual: Fraction) -> None:
    """The column's bits; `usual` is the step of its signal."""
    flags = (
        GAPS * (len(column.runs) > 1)
        | KEPT * (column.kept is not None)
        | COARSE * (column.coarse != 1)
        | ROUND * column.is_round
        | ALONG * (column.along is not None)
    )
    is_plain = not flags and column.step == usual
    out.put(not is_plain, 1)
    if not is_plain:
        out.put(flags != 0, 1)
        out.put(flags, FLAGS if flags else 0)
        write_step(out, column.step)
    for number in (*(column.runs if flags & GAPS else ()), *((column.coarse,) if flags & COARSE else ())):
        out.put_number(number)
    if column.kept is not None and column.numbers:
        _write_kept(out, column.kept)
    if column.along:
        out.put(column.along.east, 1)
        out.put_number(column.along.scale)
    if column.numbers:
        predictor.write(out, predictor.plan(column.numbers))


def read(bits: Reader, count: int, usual: Fraction) -> Column:
    """A column of so many rows; IndexError when the bits end too early, CodecError when they cannot be."""
    is_plain = not bits.take(1)
    flags = 0 if is_plain or not bits.take(1) else bits.take(FLAGS)
    step = usual if is_plain else read_step(bits)
    runs = _read_runs(bits, count) if flags & GAPS else [count]
    coarse = bits.take_number() if flags & COARSE else 1
    total = sum(runs[::2])
    kept = _read_kept(bits, total) if flags & KEPT else None
    along = Along(east=bits.take(1) == 1, scale=bits.take_number()) if flags & ALONG else None
    wanted = total if kept is None else len(kept)
    numbers = predictor.read(bits, wanted) if wanted else []
    return Column(step, runs, numbers, coarse, kept, bool(flags & ROUND), along)


def _write_kept(out: Writer, kept: Sequence[int]) -> None:
    """Distances from each kept point to the next."""
    distances = [after - before - 1 for before, after in pairwise(kept)]
    k = min(range(KEPT_K_MAX), key=lambda k: rice_bits(distances, k, follows=False)) if distances else 0
    out.put(k, predictor.K_BITS)
    out.put_rice(distances, k, follows=False)


def _read_kept(bits: Reader, total: int) -> list[int]:
    """Places of the kept ones among `total`."""
    if not total:
        return []
    k, kept = bits.take(predictor.K_BITS), [0]
    while kept[-1] < total - 1:
        kept.append(kept[-1] + 1 + bits.take_rice(1, k, follows=False)[0])
    if kept[-1] != total - 1:
        raise CodecError("a column whose kept points lie outside")
    return kept


def _read_runs(bits: Reader, count: int) -> list[int]:
    runs: list[int] = []
    left = count
    while left > 0:
        run = bits.take_number()
        if not run and runs:
            raise CodecError("a column with an empty run")
        runs.append(run)
        left -= run
    if left:
        raise CodecError("a column whose runs are longer than the chunk")
    return runs
