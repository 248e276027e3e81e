"""How often: the budget of requests, that of flow control, and clocks that go astray."""

import random
from itertools import pairwise

import pytest

from drivers.guard import Guard

SECOND_US = 1_000_000


def frame(text: str) -> bytes:
    return bytes.fromhex(text)


def requests(asking: Guard, times_us: list[int], text: str = "02 01 0C 00 00 00 00 00") -> str:
    """Which of the requests at these times pass: a point, or r for rate."""
    return "".join(asking.frame(t_us, 0x7E0, frame(text))[:1] or "." for t_us in times_us)


@pytest.mark.parametrize(
    ("rate", "times_us", "wanted"),
    [
        pytest.param(20, [0] * 7, ".....rr", id="a quarter second's at once, no more"),
        pytest.param(20, [0] * 6 + [49_999, 50_000, 50_001], ".....rr.r", id="the next when its time has come"),
        pytest.param(1, [0, 999_999, 1_000_000, 1_999_999, 2_000_000], ".r.r.", id="one a second: one at once"),
        pytest.param(0.1, [0, 9_999_999, 10_000_000], ".r.", id="one in ten seconds"),
        pytest.param(8, [0] * 3 + [3600 * SECOND_US] * 3, "..r..r", id="an hour's rest gives no more than a start"),
        pytest.param(8, [0] * 2 + [1 << 62] * 3, "..r..r"[:2] + "..r", id="nor does all the time there is"),
        pytest.param(8, [5 * SECOND_US] * 3 + [0] * 3 + [5_124_999, 5_125_000], "..rrrrr.", id="time that goes back"),
        pytest.param(8, [-(1 << 63)] * 2 + [(1 << 63) - 1] * 3, "....r", id="from one end of time to the other"),
        pytest.param(100, [0] * 27, "." * 25 + "rr", id="the highest rate"),
    ],
)
def test_requests_pass_at_the_rate_that_was_set_and_no_faster(rate: float, times_us: list[int], wanted: str) -> None:
    assert requests(Guard((), rate), times_us) == wanted


def test_in_no_time_more_requests_pass_than_rate_and_reserve_allow() -> None:
    luck, asking = random.Random(3), Guard((), 20)
    times_us, now_us, latest_us = [], 0, 0
    for _ in range(20_000):
        now_us += luck.choice([0, 100, 5_000, 40_000, luck.randrange(400_000)]) - luck.choice([0, 0, 0, 60_000])
        latest_us = max(latest_us, now_us)
        if asking.frame(now_us, 0x7DF, frame("01 03")) == "":
            times_us.append(latest_us)
    assert len(times_us) > 5000
    for first, last in pairwise([0, *range(6, len(times_us), 6)]):
        assert times_us[last] - times_us[first] >= (last - first - 5) * SECOND_US // 20


def test_flow_control_does_not_use_up_requests_but_has_a_limit_of_its_own() -> None:
    asking = Guard((), 4)
    assert requests(asking, [0] * 51, "30 00 00") == "." * 50 + "r"
    assert requests(asking, [9_999, 10_000, 10_000], "30 00 00") == "r.r"
    assert requests(asking, [10_000] * 2) == ".r"
    assert asking.counters() == dict.fromkeys(asking.counters(), 0) | {"requests": 1, "flows": 51, "refused_rate": 4}


def test_what_is_refused_costs_nothing() -> None:
    asking = Guard((), 4)
    assert requests(asking, [0] * 9, "01 04") == "s" * 9
    assert requests(asking, [0] * 2) == ".r"
