"""One lane, read from two places of the outbox: what is new, and the backlog behind it. Pure.

What is numbered above `edge` is new and goes first, in order; what is not is backlog and goes in order within itself.
So a new record never waits for older ones of its own lane. The edge only rises: when the next new record has grown old,
all that is old is left to the backlog, which passes over what was sent as new before.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from agent.uplink.exchange import Want

Row = tuple[int, bytes]
"""A record's number and its bytes."""


@dataclass(slots=True)
class Place:
    """Rows read and not yet sent, the last number read, and whether the outbox may have more."""

    after_seq: int
    has_more: bool = True
    ready: deque[Row] = field(default_factory=deque)


class Lane:
    """Two places of reading. Between `edge` and what `new` has read stands nothing that is backlog."""

    def __init__(self, name: str, edge: int) -> None:
        """All up to the number `edge` (-1: nothing) is backlog."""
        self.name = name
        self.edge = edge
        self.new, self.old = Place(edge), Place(-1, has_more=edge >= 0)

    def wants(self, limit: int) -> list[Want]:
        """What to read: at each place up to `limit` rows ahead."""
        places = [place for place in (self.new, self.old) if place.has_more and len(place.ready) < limit]
        return [Want(self.name, place.after_seq, limit - len(place.ready)) for place in places]

    def offer(
        self, want: Want, rows: Sequence[Row], stored_upto: int, is_passed_over: Callable[[int, bytes], bool]
    ) -> None:
        """Rows that answer a want, lowest first; those not on flash yet are left, a late answer is not taken.

        What `is_passed_over` says, such as backlog that went as new before, does not go.
        """
        place, upto = (self.new, stored_upto) if want.after_seq >= self.edge else (self.old, self.edge)
        if want.after_seq != place.after_seq:
            return
        place.has_more = len(rows) >= want.limit
        for seq, payload in rows:
            if seq > upto:
                break
            place.after_seq = seq
            if not is_passed_over(seq, payload):
                place.ready.append((seq, payload))
        if place is self.old and rows and rows[-1][0] >= self.edge:
            place.has_more = False

    def grow_old(self, upto: int) -> None:
        """What is up to this number is backlog."""
        new = self.new
        while new.ready and new.ready[0][0] <= upto:
            new.ready.popleft()
        self.edge, new.after_seq, self.old.has_more = upto, max(new.after_seq, upto), True

    def take_back(self, rows: Iterable[Row]) -> None:
        """These were sent in vain: they go again, in order; the backlog's as far as it will not come to them."""
        ordered = sorted(rows)
        self.new.ready.extendleft(reversed([row for row in ordered if row[0] > self.edge]))
        again = [row for row in ordered if row[0] <= min(self.edge, self.old.after_seq)]
        self.old.ready = deque(sorted([*again, *self.old.ready]))
        self.old.has_more |= any(self.old.after_seq < seq <= self.edge for seq, _ in ordered)
