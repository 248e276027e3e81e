"""What a crash leaves: the pre-event ring in parts, within a day's allowance. Pure.

False alarms must not push true evidence out of the store, so evidence has its own bytes a day
(store.evidence_mb_per_day); what goes beyond is counted, and a seal says so. The allowance begins anew with each start
of the agent.
"""

import zlib
from collections import deque
from typing import Any

PART_BYTES = 60_000
DAY_US = 86_400_000_000
OVER = "evidence over the day's allowance"


class Evidence:
    """Bodies of evidence records."""

    def __init__(self, day_bytes: int) -> None:
        self._day_bytes = day_bytes
        self._taken: deque[tuple[int, int]] = deque()
        self.losses: dict[str, int] = {}

    def bodies(self, event_seq: int, ring: bytes, now_us: int) -> list[dict[str, Any]]:
        """The ring (native/tbox.h, `tbox_freeze`) of an event, deflated, in parts of at most 60,000 bytes."""
        packed = zlib.compress(ring, 6) if ring else b""
        if not self._allows(len(packed), now_us):
            self.losses[OVER] = self.losses.get(OVER, 0) + 1
            return []
        parts = [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)]
        return [
            {"event": event_seq, "part": n, "parts": len(parts), "form": "ring", "packed": "deflate", "data": part}
            for n, part in enumerate(parts)
        ]

    def _allows(self, size: int, now_us: int) -> bool:
        """Whether so many bytes more fit into the last 24 hours."""
        while self._taken and now_us - self._taken[0][0] >= DAY_US:
            self._taken.popleft()
        if sum(taken for _, taken in self._taken) + size > self._day_bytes:
            return False
        self._taken.append((now_us, size))
        return True
