"""How much may be sent on a metered link in any 24 hours, and what is held back when it runs out. Pure.

Bytes are added up by the hour; in no 24 hours that begin with one is more than the allowance spent on what it can hold
back. Samples stop first, so that what is priced and settled on still goes: events and evidence always do.
"""

from collections import deque
from collections.abc import Sequence

HOUR_S = 3600.0
HOURS = 25
"""So many begun hours reach back 24 whole ones at least."""

SHARES = {"samples": 0.6, "health": 0.7, "trip": 0.9}
"""How much of the allowance may be spent before a lane is held back; the others never are."""

PACKET_BYTES = 200
"""What a record costs beside its own bytes: topic and header of the PUBLISH, its PUBACK, TLS records (29 bytes each),
TCP and IP headers (40 bytes each) there and back."""


class Allowance:
    """Of a link that may carry `day_bytes` in 24 hours; 0: as much as it can."""

    def __init__(self, day_bytes: int) -> None:
        self._day_bytes = day_bytes
        self._hours: deque[tuple[int, int]] = deque()  # number of the hour, bytes in it; oldest first
        self._spent = 0

    @property
    def spent_bytes(self) -> int:
        """In the last 24 hours and the begun one, as of the last `step`."""
        return self._spent

    def step(self, now_s: float) -> None:
        """Let go of hours that are over."""
        hour = int(now_s // HOUR_S)
        while self._hours and self._hours[0][0] <= hour - HOURS:
            self._spent -= self._hours.popleft()[1]

    def holds(self, lane: str, size: int) -> bool:
        """Whether a record of this lane and size must wait."""
        share = SHARES.get(lane)
        if not self._day_bytes or share is None:
            return False
        return self._spent + size + PACKET_BYTES > share * self._day_bytes

    def spend(self, now_s: float, size: int) -> None:
        """A record of this size is sent, or sent again."""
        hour, cost = int(now_s // HOUR_S), size + PACKET_BYTES
        if self._hours and self._hours[-1][0] == hour:
            cost += self._hours.pop()[1]
        self._hours.append((hour, cost))
        self._spent += size + PACKET_BYTES

    def kept(self, now_s: float) -> list[list[int]]:
        """What a later run must know: hours ago, and the bytes spent then."""
        hour = int(now_s // HOUR_S)
        return [[hour - then, size] for then, size in self._hours] if self._day_bytes else []

    def resume(self, now_s: float, kept: Sequence[Sequence[int]], gone_s: float | None) -> None:
        """Go on from an earlier run that ended `gone_s` ago; None: nobody knows, so it counts as spent just now."""
        hour, gone = int(now_s // HOUR_S), int((gone_s or 0.0) // HOUR_S)
        for ago, size in kept:
            then = hour - (0 if gone_s is None else ago + gone)
            self._hours.append((then, size))
            self._spent += size
        self.step(now_s)
