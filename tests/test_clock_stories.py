"""Whatever clocks do, numbers say what came first; and no date is further from the truth than it says."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.codec import Record
from agent.ledger.ledger import Ledger
from agent.outbox.recordfile import Pile
from agent.proof.proof import check
from agent.world.clock import DRIFT_SHARE, Reading, is_due
from agent.world.dating import Dating
from tests.accounts import ledger

S = 1_000_000
T0_US = 1_763_800_000 * S
WEEK_S = 604_800
DRIFT_MOST = 10**6 // DRIFT_SHARE - 1
STEPS_S = (1, -1, 7200, -7200, 1024 * WEEK_S, -1024 * WEEK_S, -T0_US // S)
"""A leap second, hours, a receiver's weeks that begin anew, back to 1970."""

WORDS = st.one_of(
    st.tuples(st.just("step"), st.sampled_from(STEPS_S)),
    st.tuples(st.just("pass"), st.integers(0, 4000)),
    st.tuples(st.just("trust"), st.sampled_from([None, 1000, 2_000_000])),
    st.tuples(st.just("boot"), st.none()),
    st.tuples(st.just("record"), st.sampled_from(["event", "samples", "health", "trip_end"])),
)


@dataclass
class Terminal:
    """A terminal whose wall clock does what it is told, and the records it makes meanwhile."""

    records: list[Record] = field(default_factory=list)
    made: list[tuple[int, str]] = field(default_factory=list)
    _wall_us: int = T0_US
    _u_us: int | None = None

    def __post_init__(self) -> None:
        self._begin(ledger())

    def tell(self, word: str, value: Any) -> None:
        """One thing that happens; then what the daemon does each second."""
        if word == "boot":
            self._begin(ledger(self._book.tail.boot + 1, self._book.tail))
        elif word == "trust":
            self._u_us = value
        elif word == "record":
            self.made.append((len(self.made), str(value)))
            self.records += self._book.number(str(value), self._boot_us, {"number": len(self.made) - 1})
        else:
            self._boot_us += value * S if word == "pass" else 0
            self._wall_us += value * S
        self._clock()

    def _begin(self, book: Ledger) -> None:
        self._book, self._boot_us = book, S
        self._last: Reading | None = None
        self.records += book.start(self._boot_us, {})

    def _clock(self) -> None:
        now = Reading(self._boot_us, self._wall_us, self._u_us, "system" if self._u_us is None else "ntp")
        if is_due(self._last, now, is_driving=True):
            self._last = now
            self.records += self._book.number("clock", self._boot_us, now.body(self._book.tail.boot))


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=60))
def test_no_clock_changes_numbers_or_order(words: list[tuple[str, Any]]) -> None:
    terminal = Terminal()
    for word in [*words, ("record", "trip_end")]:  # the seal that follows vouches for all of it
        terminal.tell(*word)
    records = terminal.records
    assert [record.seq for record in records] == list(range(len(records)))
    shuffled = sorted(records, key=lambda record: record.hash)
    told = sorted((one for one in shuffled if "number" in one.body), key=lambda record: record.seq)
    assert [(one.body["number"], one.kind) for one in told] == terminal.made
    assert all(a.t_us <= b.t_us for a, b in pairwise(records) if a.boot == b.boot)
    assert check([Pile("told", records)]).problems == []


@settings(max_examples=200, deadline=None)
@given(
    drift=st.integers(-DRIFT_MOST, DRIFT_MOST),
    marks=st.lists(
        st.tuples(st.integers(0, 10**5), st.integers(1, 10**7), st.floats(-1, 1), st.sampled_from((0, *STEPS_S))),
        min_size=1, max_size=12,
    ),
    at_s=st.integers(0, 10**5),
)  # fmt: skip
def test_a_date_that_somebody_vouches_for_is_as_near_the_truth_as_it_says(
    drift: int, marks: list[tuple[int, int, float, int]], at_s: int
) -> None:
    """Clocks that are vouched for are within their bound; the others lie as they like. Quartz drifts, parts per million."""

    def true_us(boot_us: int) -> int:
        return T0_US + boot_us + boot_us * drift // 10**6

    clocks = []
    for boot_s, u_us, share, lie_s in marks:
        right_us = true_us(boot_s * S)
        vouched = Reading(boot_s * S, right_us + int(share * u_us), u_us, "ntp")
        clocks.append((vouched if lie_s == 0 else Reading(boot_s * S, right_us + lie_s * S, None, "system")).body(1))
    moment = Dating(clocks).moment(1, at_s * S)
    if any(body["u_us"] is not None for body in clocks):
        assert moment is not None
        assert moment.u_us is not None
        assert abs(moment.utc_us - true_us(at_s * S)) <= moment.u_us + 2
    elif moment is not None:
        assert moment.u_us is None
