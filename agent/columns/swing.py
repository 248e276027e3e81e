"""The points that reconstruct a curve: as few as a swinging door lets be, each line within the tolerance of all values.

From a kept point the door's two leaves, the steepest and the flattest line that still pass every later value within the
tolerance, close with each value. The farthest value where a point of the lattice lies between them is kept next.
(E. H. Bristol, "Swinging door trending: adaptive trend recording?", ISA 1990, with the ends on a lattice.)
"""

import math
from collections.abc import Sequence


def swing(rows: Sequence[int], numbers: Sequence[int], tolerance: float, lattice: int) -> tuple[list[int], list[int]]:
    """Places of the kept points, and what they are in counts of `lattice`, which is at most twice the tolerance."""
    kept, counts = [0], [_nearest(numbers[0], lattice)]
    while kept[-1] < len(rows) - 1:
        place, count = _next(rows, numbers, tolerance, lattice, (kept[-1], counts[-1]))
        kept.append(place)
        counts.append(count)
    return kept, counts


def _next(
    rows: Sequence[int], numbers: Sequence[int], tolerance: float, lattice: int, anchor: tuple[int, int]
) -> tuple[int, int]:
    """The kept point after the anchor."""
    first, level = anchor[0], anchor[1] * lattice
    flat, steep = -math.inf, math.inf
    found = (first + 1, _nearest(numbers[first + 1], lattice))
    for place in range(first + 1, len(rows)):
        far, rise = rows[place] - rows[first], numbers[place] - level
        flat, steep = max(flat, (rise - tolerance) / far), min(steep, (rise + tolerance) / far)
        if flat > steep:
            break
        least, most = math.ceil((level + flat * far) / lattice), math.floor((level + steep * far) / lattice)
        if least <= most:
            found = place, min(max(_nearest(numbers[place], lattice), least), most)
    return found


def _nearest(number: int, lattice: int) -> int:
    return (2 * number + lattice) // (2 * lattice)
