"""What time of day it is: by whoever vouches for it, looked up once a second, written down when it is due."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent.world import clock

if TYPE_CHECKING:
    from agent.world.hours import Dated

EVERY_US = 1_000_000


class Timekeeper:
    """`told` gives UTC beside boot time as a receiver has it, with the bound of its error; None: it has none."""

    def __init__(self, boot: int, told: Callable[[], tuple[int, int, int] | None]) -> None:
        self._boot, self._told = boot, told
        self._at_us = 0
        self._written: clock.Reading | None = None
        self.reading: clock.Reading | None = None
        self.dated: Dated | None = None

    def turn(self, now_us: int) -> clock.Reading | None:
        """The clocks, when a second went by since they were read last."""
        if now_us - self._at_us < EVERY_US:
            return None
        self._at_us = now_us
        self.reading = clock.vouched(clock.read_clocks(), self._told())
        self.dated = self.reading.dated()
        return self.reading

    def due(self, reading: clock.Reading, *, is_driving: bool) -> dict[str, Any] | None:
        """The body of the clock record that is due; it counts as written."""
        if not clock.is_due(self._written, reading, is_driving=is_driving):
            return None
        self._written = reading
        return reading.body(self._boot)

    def vouched_us(self, now_us: int) -> int | None:
        """UTC now, as far as somebody vouches for it."""
        reading = self.reading
        return None if reading is None or reading.u_us is None else reading.utc_us + now_us - reading.boot_us

    def utc_us(self, at_us: int) -> int | None:
        """A moment of boot time in UTC; None where no clock was ever set."""
        return None if self.dated is None else self.dated.utc_us(at_us)
