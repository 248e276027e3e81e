"""The whole crash matrix (`make crashes`): every pulse, rate, range, direction, mounting, noise and speed signal, once each."""

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import product

from tests.pulses import HIT_S, PULSES, RANGES_G, RATES_HZ, Box, Struck, fault, found
from tests.road import KMH, LEVEL, Matrix, Timed
from tests.test_native_mounting import oblique, right_angles

SIDES_DEG = (*range(0, 360, 30), 45, 135, 225, 315)
SPEEDS = {
    "10 Hz": (10.0, 0.0, 0.0),
    "1 Hz, whole km/h": (1.0, KMH, 0.0),
    "2 Hz, late": (2.0, KMH, 0.3),
    "none": (0.0, 0.0, 0.0),
}


def mounts() -> list[Matrix]:
    """As the vehicle, right angles, and tilts."""
    return [LEVEL, *right_angles()[1::6], oblique(0.7, 0.4, -1.2), oblique(2.4, 0.955, 0.785), oblique(-1.9, -0.3, 2.6)]


def cases() -> Iterator[tuple[str, Struck, Box, list[Timed], float]]:
    """(name, blow, box, speed, loss the speed shows)."""
    ways = list(product(mounts(), SPEEDS, (0.0, 0.5), (True, False)))
    for i, (name, hz, range_g, side) in enumerate(product(PULSES, RATES_HZ, RANGES_G, SIDES_DEG)):
        for step in range(3):
            mount, speed, noise, knows = ways[(i * 17 + step * 29 + 5) % len(ways)]
            struck = Struck(name, side)
            rows = struck.says(*SPEEDS[speed])
            loss = (
                max(0.0, struck.speed(HIT_S - 0.1) - min(struck.speed(HIT_S + k / 100) for k in range(35)))
                if rows
                else 0.0
            )
            what = f"{name} {hz} Hz range {range_g} side {side} mount {mounts().index(mount)} speed {speed} noise {noise} knows {knows}"
            yield what, struck, Box(hz, mount, range_g, noise, knows), rows, loss


def main() -> int:
    """0 when every crash is found as it was."""
    wrong: Counter[str] = Counter()
    count = 0
    for what, struck, box, rows, loss in cases():
        crashes, _ = found(box.core(), rows, box.feels(struck.force))
        count += 1
        problem = fault(struck, box, crashes, loss)
        if problem:
            wrong[problem.split(":")[0]] += 1
            print(f"{what}: {problem}", flush=True)
    print(f"{count - wrong.total()} of {count} crashes are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
