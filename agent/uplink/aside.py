"""Records that a broker does not take step aside, so that others pass. Pure.

MQTT 5 says how large a packet may be: what is larger is passed over as long as this broker says so. Others hang up on a
record of a size or kind they do not like, some without a word: what was first in flight when LINKS_MAX links in a row
ended waits AGAIN_S before it is tried again, and after each link that ends at it again twice as long.
"""

from typing import NamedTuple

LINKS_MAX = 3
AGAIN_S, AGAIN_S_MAX = 10.0, 3600.0
ASIDE_MAX = 16
"""Where more than these would wait, something else is wrong with the link."""


class Waiting(NamedTuple):
    """A record that stepped aside, and until when."""

    again_s: float
    lane: str
    payload: bytes


class Aside:
    """`bytes_max` is the largest record the broker takes; 0: it did not say."""

    def __init__(self) -> None:
        self.bytes_max = self.too_large = 0
        self.waiting: dict[int, Waiting] = {}
        self._known: dict[int, float] = {}
        self._first, self._links = -1, 0
        self._news: list[str] = []

    def passes_over(self, seq: int, payload: bytes) -> bool:
        """Whether this record is not for this link; that is counted, and told of the first."""
        if not self.bytes_max or len(payload) <= self.bytes_max:
            return seq in self.waiting
        if not self.too_large:
            sizes = f"has {len(payload)} bytes, and this broker takes {self.bytes_max}"
            self._news.append(f"record {seq} {sizes}: what is larger waits until that limit is raised")
        self.too_large += 1
        return True

    def broke(self, now_s: float, seq: int, lane: str, payload: bytes) -> None:
        """A link ended while this record was the first in flight."""
        self._links = self._links + 1 if seq == self._first else 1
        self._first = seq
        if seq not in self._known and len(self._known) < ASIDE_MAX and self._links >= LINKS_MAX:
            self._known[seq] = AGAIN_S
            what = f"record {seq} ({lane}, {len(payload)} bytes) was under way when {LINKS_MAX} links ended"
            self._news.append(f"{what}: it waits and others pass; is it too large for the broker?")
        if seq in self._known:
            self.waiting[seq] = Waiting(now_s + self._known[seq], lane, payload)
            self._known[seq] = min(2 * self._known[seq], AGAIN_S_MAX)

    def arrived(self, seq: int) -> None:
        """The broker took it."""
        self._known.pop(seq, None)

    def due(self, now_s: float) -> list[tuple[int, Waiting]]:
        """What may be tried again, once."""
        found = [(seq, one) for seq, one in self.waiting.items() if now_s >= one.again_s]
        for seq, _ in found:
            del self.waiting[seq]
        return found

    def begin_again(self) -> None:
        """Every lane is read from its beginning."""
        self.waiting.clear()
        self.too_large = 0

    def news(self) -> list[str]:
        """Sentences for the log, once."""
        news, self._news = self._news, []
        return news
