"""UTC as a receiver tells it, beside boot time: what the clock room may date records by where no NTP reaches.

A receiver sends the time of a fix some while after it: 20 ms to most of a second, differently every time. The message
that took least is the best witness, so the least difference of the last minute is kept. What that one took is not known
without a pulse per second, hence U_US. A receiver that started without memory may be wrong by some leap seconds until
it has heard them from a satellite, which takes 13 minutes at most.
"""

from datetime import UTC, datetime
from typing import NamedTuple

U_US = 1_000_000
"""Bound of the error: the fix was earlier than its message, by a second at most."""

KEPT_US = 60_000_000
"""So long the best witness stands; quartz drifts by 20 µs/s, a millisecond in that time."""

STEP_US = 1_500_000
"""A difference that grew by more was no delay: the receiver learnt its leap seconds, or another date."""

ROLLOVER_US = 1024 * 7 * 86_400_000_000
"""GPS counts weeks to 1024: a receiver older than its makers foresaw tells a date so much too early, or twice that."""

BUILT = "2026-11-01"
"""No terminal is older than its software: an earlier date is one that rolled over."""


def us_of(day: str) -> int:
    """Microseconds since 1970 at the beginning of this day, yyyy-mm-dd."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000


class Moment(NamedTuple):
    """Both clocks at one instant; `u_us` bounds the error of `utc_us`."""

    boot_us: int
    utc_us: int
    u_us: int


class Utc:
    """What valid fixes told of the time. `floor_us` is a moment that is surely past."""

    def __init__(self, floor_us: int) -> None:
        self.rollovers = 0
        """Fixes whose date had rolled over."""

        self._floor_us = floor_us
        self._best: Moment | None = None

    def hear(self, boot_us: int, utc_us: int) -> None:
        """A valid fix of `utc_us` whose first byte came at `boot_us`."""
        if utc_us < self._floor_us:
            self.rollovers += 1
            utc_us += -(-(self._floor_us - utc_us) // ROLLOVER_US) * ROLLOVER_US
        moment, best = Moment(boot_us, utc_us, U_US), self._best
        if best is not None and boot_us - best.boot_us < KEPT_US:
            later_us = (boot_us - utc_us) - (best.boot_us - best.utc_us)
            if 0 <= later_us <= STEP_US:
                return
        self._best = moment

    def best(self) -> Moment | None:
        """The best witness of the last minute with a fix; None before the first dated one."""
        return self._best
