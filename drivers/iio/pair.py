"""Accelerometer and gyroscope as two devices of one chip, each with a buffer of its own: put together by time."""

from collections import deque
from collections.abc import Iterator, Sequence

from drivers.iio.sensor import NO_ROW, Row

HOLD_US = 40_000
"""A force waits so long for the rate of its moment; the core waits 50 ms for samples that belong to a blow."""

LIVE_US = 1_000_000
"""A gyroscope that has been silent for longer is not waited for."""

NEAR_US = 50_000
"""A rate further away in time says nothing of this moment."""

HELD = 4096
NEVER_US = -(1 << 62)

Timed = tuple[int, Row]


class Pairing:
    """Takes samples of both, each in order of time; gives each force with the nearest rate, none where that is far."""

    def __init__(self) -> None:
        self._forces: deque[Timed] = deque()
        self._rates: deque[Timed] = deque(maxlen=HELD)

    def take(self, forces: Sequence[Timed], rates: Sequence[Timed]) -> Iterator[tuple[int, Row, Row]]:
        """What can be told now: time, force, rate."""
        self._forces.extend(forces)
        self._rates.extend(rates)
        rated_us = self._rates[-1][0] if self._rates else NEVER_US
        while self._forces:
            t_us, force = self._forces[0]
            newest_us = self._forces[-1][0]
            if t_us > rated_us and newest_us - t_us < HOLD_US and newest_us - rated_us < LIVE_US:
                return
            self._forces.popleft()
            yield t_us, force, self._rate(t_us)

    def _rate(self, t_us: int) -> Row:
        """The rate nearest to a moment; what lies before it is let go, since no earlier moment will be asked for."""
        while len(self._rates) > 1 and self._rates[1][0] <= t_us:
            self._rates.popleft()
        near = min(
            (self._rates[i] for i in range(min(2, len(self._rates)))),
            key=lambda rate: abs(rate[0] - t_us),
            default=None,
        )
        return near[1] if near is not None and abs(near[0] - t_us) <= NEAR_US else NO_ROW
