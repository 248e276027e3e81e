"""From a device's own stamps to boot time, whatever its clock; where they make no sense, from the time of reading."""

import time
from collections.abc import Sequence
from itertools import pairwise

AHEAD_US = 1_000_000
BEHIND_US = 60_000_000
"""A batch whose newest stamp is further from now is not stamped by the clock the device names."""

PAUSE_STEPS = 2
HOLE_STEPS = 1.9


class Stamps:
    """Boot times of samples, microseconds, strictly ascending.

    `clock` as `time` numbers it, None where records carry no stamp; `step_us` between samples, as the device says.
    `restamped`: samples whose stamp was not used, `missed`: samples that holes between stamps would have held.
    """

    def __init__(self, clock: int | None, step_us: float) -> None:
        self.restamped = self.missed = 0
        self._clock, self._step_us = clock, step_us
        self._last_us: int | None = None

    def boot(self, stamps_ns: Sequence[int] | None, count: int, now_us: int) -> list[int]:
        """Times of `count` samples, read now; `stamps_ns` as the device told them, on its clock."""
        times = self._converted(stamps_ns) if stamps_ns is not None and self._clock is not None else []
        last_us = times[0] - 1 if times and self._last_us is None else self._last_us
        if times and now_us - BEHIND_US <= times[-1] <= now_us + AHEAD_US and _ascends(last_us, times):
            self._count_missed(times)
        else:
            times = self._spread(count, now_us)
            self.restamped += count if stamps_ns is not None else 0
        self._last_us = times[-1]
        return times

    def _converted(self, stamps_ns: Sequence[int]) -> list[int]:
        """The same moments on CLOCK_BOOTTIME; the clocks are compared each time, since one may be stepped."""
        if self._clock is None or self._clock == time.CLOCK_BOOTTIME:
            return [stamp // 1000 for stamp in stamps_ns]
        ahead_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(self._clock)
        return [(stamp + ahead_ns) // 1000 for stamp in stamps_ns]

    def _spread(self, count: int, now_us: int) -> list[int]:
        """Evenly up to now: since the sample before, or, after a pause, at the device's own rate."""
        last_us = now_us - round(count * self._step_us) if self._last_us is None else self._last_us
        step_us = (now_us - last_us) / count
        if step_us > PAUSE_STEPS * self._step_us:
            step_us = self._step_us
        step_us = max(step_us, 1.0)
        first_us = max(now_us - (count - 1) * step_us, last_us + 1)
        return [round(first_us + i * step_us) for i in range(count)]

    def _count_missed(self, times: Sequence[int]) -> None:
        for before_us, at_us in pairwise(times if self._last_us is None else (self._last_us, *times)):
            if at_us - before_us > HOLE_STEPS * self._step_us:
                self.missed += round((at_us - before_us) / self._step_us) - 1


def _ascends(last_us: int | None, times: Sequence[int]) -> bool:
    """Whether each is later than the one before it."""
    return all(before < at for before, at in pairwise(times if last_us is None else (last_us, *times)))
