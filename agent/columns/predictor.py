"""What a column's next number will be, as far as those before it tell: eight filters, and the cheapest of them.

Numbers are taken relative to the column's seed, and before the first there were zeros. A filter (a, b, c) says

    (a * last + b * the one before + c * the one before that + 8) >> 4       (>> rounds down, of negative numbers too)

    0 (0)           they lie around a level      4 (4)   }
    1 (16)          the last one again           5 (8)   } they come back to a level, slower and slower
    2 (32, -16)     the last step again          6 (12)  }
    3 (44, -40, 12) the last bend, damped        7 (24, -8) half of the last step again

Where the seed is a level (0, 4, 5, 6), it is the median, and every number has a residual; else the seed is the first
number, which needs none. Residuals are zigzag numbers. The filters are those that were best together on recordings and
random walks; eight more would save less than their longer name costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.columns.rice import Reader, Writer, number_bits, rice_bits, unzigzag, zigzag

FILTERS = ((0, 0, 0), (16, 0, 0), (32, -16, 0), (44, -40, 12), (4, 0, 0), (8, 0, 0), (12, 0, 0), (24, -8, 0))
LEVELS = frozenset({0, 4, 5, 6})
FILTER_BITS = 3
K_BITS = 5
ALL_SEED = 31
"""Instead of a Rice parameter: every number is the seed, and nothing follows it."""
K_MAX = 30
FINALISTS = 2
"""Filters whose bits are counted; the others lose by the sum of their residuals."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a row of numbers is written: `k` ALL_SEED needs neither filter nor residuals."""

    bits: int
    seed: int
    k: int = ALL_SEED
    filter: int = 0
    follows: bool = False
    residuals: Sequence[int] = ()


def plan(numbers: Sequence[int]) -> Plan:
    """The cheapest way to write them; there is at least one."""
    low, high = min(numbers), max(numbers)
    if low == high:
        return Plan(number_bits(zigzag(low)) + K_BITS, low)
    level = sorted(numbers)[len(numbers) // 2]
    tries = [(which, level if which in LEVELS else numbers[0]) for which in range(len(FILTERS))]
    rows = [(which, seed, residuals_of(numbers, which, seed)) for which, seed in tries]
    rows.sort(key=lambda row: sum(row[2]))
    return min((_coded(*row) for row in rows[:FINALISTS]), key=lambda made: made.bits)


def write(out: Writer, made: Plan) -> None:
    """Seed, parameter, filter, residuals."""
    out.put_number(zigzag(made.seed))
    out.put(made.k, K_BITS)
    if made.k != ALL_SEED:
        out.put(made.filter, FILTER_BITS)
        out.put(made.follows, 1)
        out.put_rice(made.residuals, made.k, follows=made.follows)


def read(bits: Reader, count: int) -> list[int]:
    """So many numbers, at least one."""
    seed, k = unzigzag(bits.take_number()), bits.take(K_BITS)
    if k == ALL_SEED:
        return [seed] * count
    which, follows = bits.take(FILTER_BITS), bits.take(1) == 1
    first = [] if which in LEVELS else [seed]
    a, b, c = FILTERS[which]
    last = before = third = 0
    numbers = first
    for u in bits.take_rice(count - len(first), k, follows=follows):
        last, before, third = (a * last + b * before + c * third + 8 >> 4) + unzigzag(u), last, before
        numbers.append(last + seed)
    return numbers


def _coded(which: int, seed: int, residuals: Sequence[int]) -> Plan:
    """One filter with its best parameter."""
    about = (sum(residuals) // len(residuals)).bit_length()
    usual = sorted(residuals)[len(residuals) // 2].bit_length()
    ks = {min(max(0, k), K_MAX) for k in (about - 2, about - 1, about, about + 1, usual - 1)}
    tries = [(rice_bits(residuals, k, follows=follows), k, follows) for k in ks for follows in (False, True)]
    bits, k, follows = min(tries)
    bits += number_bits(zigzag(seed)) + K_BITS + FILTER_BITS + 1
    return Plan(bits, seed, k, which, follows, residuals)


def residuals_of(numbers: Sequence[int], which: int, seed: int) -> list[int]:
    """What the filter does not foresee."""
    a, b, c = FILTERS[which]
    near = [number - seed for number in numbers]
    first = [0, *near]
    rows = zip(near, first, [0, *first], [0, 0, *first], strict=False)
    left = [x - (a * last + b * before + c * third + 8 >> 4) for x, last, before, third in rows]
    return [zigzag(number) for number in (left if which in LEVELS else left[1:])]
