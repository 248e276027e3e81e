"""Delivered trips give their bytes back when they are old, by clocks that somebody vouches for, and only they do."""

from pathlib import Path
from typing import Any

import pytest

from agent.ledger.ledger import Tail
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.retention import DAY_US, cutoffs, give_back
from agent.outbox.store import STORE_NAME
from agent.proof.proof import check
from tests.accounts import drive, ledger

START_UTC_US = 1_760_000_000_000_000
HOUR_US = 3_600_000_000


def clock(boot: int, boot_us: int, utc_us: int, u_us: int | None = 0) -> dict[str, Any]:
    return {"boot": boot, "boot_us": boot_us, "utc_us": utc_us, "u_us": u_us}


@pytest.mark.parametrize(("clocks", "wanted"), [
    pytest.param([clock(1, 0, START_UTC_US)], {1: 0}, id="just as old as the clock record"),
    pytest.param([clock(1, 5, START_UTC_US + 5)], {1: 0}, id="on that boot's axis"),
    pytest.param([clock(1, 0, START_UTC_US, 700)], {1: -700}, id="surely older: the bound of its error is taken off"),
    pytest.param([clock(1, 0, START_UTC_US - 20_000)], {1: 19_998}, id="and what the quartz may have drifted"),
    pytest.param([clock(1, 0, START_UTC_US, 700), clock(1, 9, START_UTC_US + 9, 3)], {1: -3}, id="the surest counts"),
    pytest.param([clock(1, 0, START_UTC_US, None)], {}, id="nobody vouches for it"),
    pytest.param([clock(1, 0, START_UTC_US), clock(2, 0, START_UTC_US + 50)], {1: 0, 2: -50}, id="each boot its own"),
    pytest.param([{"boot": 1}, {"boot": True, "boot_us": 0, "utc_us": 1, "u_us": 1}], {}, id="malformed ones"),
])  # fmt: skip
def test_what_is_older_than_a_moment(clocks: list[dict[str, Any]], wanted: dict[int, int]) -> None:
    assert cutoffs(clocks, START_UTC_US) == wanted


class Weeks:
    """A trip a day, each in a boot of its own, with a clock record."""

    def __init__(self, store: Path, days: int, undated: frozenset[int] = frozenset()) -> None:
        self.outbox, tail = Outbox.open(store, 64_000_000), Tail()
        self.ends: list[int] = []
        for day in range(days):
            book = ledger(day + 1, tail)
            told = book.start(1, {"software": "tbox"})
            u_us = None if day in undated else 1000
            utc_us = 4_000_000 if day in undated else START_UTC_US + day * DAY_US
            told += book.number("clock", 2, clock(day + 1, 0, utc_us, u_us))
            told += drive(book, HOUR_US)
            self.outbox.append(told)
            self.ends.append(told[-1].seq)
            tail = book.tail

    def keep(self, days: float, today: int) -> int:
        """How many gave their bytes back on this day."""
        return int(self.outbox.within(lambda store: give_back(store, START_UTC_US + round((today - days) * DAY_US))))

    def readable(self) -> list[int]:
        """Days of which the trip can still be read."""
        query = "SELECT seq FROM records WHERE raw IS NOT NULL AND kind=6"
        ends = {seq for (seq,) in self.outbox._connection.execute(query)}
        return [day for day, last in enumerate(self.ends) if ends & set(range(last - 3, last + 1))]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / STORE_NAME


def test_weeks_of_delivered_trips_stay_as_long_as_they_may(store: Path) -> None:
    weeks = Weeks(store, 21)
    weeks.outbox.confirm_ranges([(0, weeks.ends[-1])])
    assert weeks.keep(30, today=20) == 0
    assert weeks.readable() == list(range(21))
    assert weeks.keep(7, today=20) > 0
    assert weeks.readable() == list(range(13, 21))
    assert weeks.keep(7, today=20) == 0
    weeks.outbox.close()
    assert check([read_pile(store)]).problems == []


def test_what_is_not_delivered_stays_whatever_its_age(store: Path) -> None:
    weeks = Weeks(store, 10)
    weeks.outbox.confirm_ranges([(0, weeks.ends[2])])
    weeks.keep(1, today=400)
    assert weeks.readable() == list(range(3, 10))
    assert sum(weeks.outbox.depth().values()) == weeks.ends[-1] - weeks.ends[2]
    weeks.outbox.close()


def test_a_boot_that_nobody_dated_goes_with_the_next_that_somebody_did(store: Path) -> None:
    weeks = Weeks(store, 6, undated=frozenset({1, 5}))
    weeks.outbox.confirm_ranges([(0, weeks.ends[-1])])
    weeks.keep(4.5, today=6)
    assert weeks.readable() == [1, 2, 3, 4, 5]
    weeks.keep(3.5, today=6)
    assert weeks.readable() == [3, 4, 5]
    weeks.keep(1, today=400)
    assert weeks.readable() == [5]
    weeks.outbox.close()


def test_many_give_their_bytes_back_a_few_at_a_time(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.outbox.retention.ROWS", 7)
    weeks = Weeks(store, 10)
    weeks.outbox.confirm_ranges([(0, weeks.ends[-1])])
    counts = []
    while (count := weeks.keep(1, today=400)) > 0:
        counts.append(count)
    assert set(counts[:-1]) == {7}
    assert weeks.readable() == []
    weeks.outbox.close()
