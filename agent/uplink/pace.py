"""How much backlog may be under way: what the link carries in about a second, so that what is live hardly waits. Pure.

Between the shortest answer there was, which is the way there and back, and what an answer takes now lies what waited
before it. Where that is more than LATE_S the bytes are halved, else they grow slowly, up to BACKLOG_BYTES.
"""

import math

BACKLOG_BYTES = 16384
"""Backlog in flight at most, plus one record: under a second of a link of 20 kB/s."""

STEP_BYTES = 256
"""By which they grow; and the least, which is one record at a time anyhow."""

LATE_S = 1.5


class Pace:
    """`bytes_max`: backlog goes while less than this is in flight."""

    def __init__(self) -> None:
        self.bytes_max = BACKLOG_BYTES
        self._least_s = math.inf

    def begin(self) -> None:
        """Another link: the way may be another."""
        self._least_s = math.inf

    def answered(self, took_s: float) -> None:
        """The broker acknowledged backlog that was sent so long ago."""
        self._least_s = min(self._least_s, took_s)
        is_late = took_s - self._least_s > LATE_S
        now_bytes = self.bytes_max // 2 if is_late else self.bytes_max + STEP_BYTES
        self.bytes_max = min(max(now_bytes, STEP_BYTES), BACKLOG_BYTES)
