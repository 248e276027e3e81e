"""What crash evidence may take of the flash in any 24 hours, so that false alarms keep no true one out. Pure.

Three allowances, none of which takes from another: evidence of events; as much again for those whose change of velocity
locks them (GB 39732), so that a real crash has room after any number of small ones; and what is put to flash of alarms
that come to nothing. A restart gives none of them again.
"""

from collections import deque
from collections.abc import Sequence

DAY_US = 86_400_000_000


class Allowance:
    """Bytes in the last 24 hours."""

    def __init__(self, day_bytes: int) -> None:
        self._day_bytes = day_bytes
        self._taken: deque[tuple[int, int]] = deque()

    def takes(self, size: int, now_us: int) -> bool:
        """Whether so many bytes more fit; if so they are counted."""
        if not self.has(size, now_us):
            return False
        self.count(size, now_us)
        return True

    def has(self, size: int, now_us: int) -> bool:
        """Whether so many bytes more fit."""
        while self._taken and now_us - self._taken[0][0] >= DAY_US:
            self._taken.popleft()
        return sum(taken for _, taken in self._taken) + size <= self._day_bytes

    def count(self, size: int, now_us: int) -> None:
        """So many were taken."""
        self._taken.append((now_us, size))

    def kept(self, now_us: int) -> list[list[int]]:
        """What a later run must know: how long ago, in microseconds, and the bytes then."""
        return [[now_us - then, size] for then, size in self._taken if now_us - then < DAY_US]

    def resume(self, now_us: int, kept: Sequence[Sequence[int]], gone_us: int | None) -> None:
        """Go on from an earlier run that ended `gone_us` ago; None: nobody knows, so it counts as taken just now."""
        self._taken.extend((now_us - (0 if gone_us is None else ago + gone_us), size) for ago, size in kept)


class Daily:
    """The three of them: `events`, `locked`, `alarms`."""

    def __init__(self, events_bytes: int, alarms_bytes: int) -> None:
        self.events, self.locked = Allowance(events_bytes), Allowance(events_bytes)
        self.alarms = Allowance(alarms_bytes)

    def takes(self, size: int, now_us: int, *, is_locked: bool) -> bool:
        """Whether so many bytes of evidence more fit; a locked event has the other allowance when one is used up."""
        return self.events.takes(size, now_us) or (is_locked and self.locked.takes(size, now_us))

    def kept(self, now_us: int) -> list[list[int]]:
        """What a later run must know: how long ago, the bytes then, and of which allowance."""
        return [[*entry, which] for which, one in enumerate(self._all()) for entry in one.kept(now_us)]

    def resume(self, now_us: int, kept: Sequence[Sequence[int]], gone_us: int | None) -> None:
        """Go on from an earlier run, as Allowance.resume; entries of none of the three are left out."""
        for which, one in enumerate(self._all()):
            one.resume(now_us, [entry[:2] for entry in kept if [*entry[2:], 0][0] == which], gone_us)

    def _all(self) -> tuple[Allowance, Allowance, Allowance]:
        return self.events, self.locked, self.alarms
