"""Moments dated by clock records: stories of clocks that are wrong, set late, stepped, or never right at all."""

from typing import Any

import pytest

from agent.world.clock import Reading
from agent.world.dating import Dating, Moment

S = 1_000_000
T0 = 1_763_800_000 * S
"""A UTC that can be right."""
WEEK = 604_800 * S


def clock(boot_s: float, utc_us: int, u_us: int | None, source: str = "ntp", boot: int = 1) -> dict[str, Any]:
    return Reading(round(boot_s * S), utc_us, u_us, source).body(boot)


def at(dating: Dating, boot_s: float, boot: int = 1) -> Moment | None:
    return dating.moment(boot, round(boot_s * S))


def test_before_the_first_fix_is_dated_afterwards_with_what_a_quartz_may_drift() -> None:
    dating = Dating([clock(1, 5 * S, None, "system"), clock(3600, T0, 1 * S, "gnss")])
    assert at(dating, 0) == Moment(T0 - 3600 * S, 1 * S + 360_000, "gnss")
    assert at(dating, 3600) == Moment(T0, 1 * S, "gnss")


def test_a_clock_that_was_never_set_dates_nothing() -> None:
    dating = Dating([clock(1, 5 * S, None, "system"), clock(601, 605 * S, None, "system")])
    assert not dating
    assert at(dating, 300) is None


def test_a_whole_trip_without_a_fix_has_the_systems_word_and_nobody_vouches() -> None:
    dating = Dating([clock(1, T0, None, "system"), clock(601, T0 + 600 * S, None, "system")])
    assert at(dating, 300) == Moment(T0 + 299 * S, None, "system")


def test_another_boot_says_nothing_of_this_one() -> None:
    assert at(Dating([clock(1, T0, 1000, boot=2)]), 1, boot=1) is None


@pytest.mark.parametrize(
    "step_s", [7200, -7200, 1024 * 604_800, -1024 * 604_800], ids=["on", "back", "weeks on", "weeks back"]
)
def test_a_wrong_clock_that_is_set_right_later_is_not_believed(step_s: int) -> None:
    told = [
        clock(10, T0 + 10 * S + step_s * S, None, "system"),
        clock(500, T0 + 500 * S, 2000),
        clock(1100, T0 + 1100 * S, 1500),
    ]
    for boot_s in (0, 10, 400, 500, 900, 1100, 5000):
        moment = at(Dating(told), boot_s)
        assert moment is not None
        assert moment.utc_us == T0 + round(boot_s * S)
        assert moment.u_us is not None


def test_the_surest_there_decides_not_the_surest_of_all() -> None:
    dating = Dating([clock(0, T0, 1000), clock(36_000, T0 + 36_000 * S + 900_000, 500_000)])
    assert at(dating, 100) == Moment(T0 + 100 * S, 11_000, "ntp")
    late = at(dating, 36_000)
    assert late == Moment(T0 + 36_000 * S + 900_000, 500_000, "ntp")
    assert late.u_us < 1000 + 36_000 * S // 10_000  # what the first one's quartz may have drifted by then


def test_a_leap_second_is_stepped_over_where_the_records_of_both_sides_are_as_sure() -> None:
    """The clock repeats a second: each side has its own record, and the middle is off by the second it is about."""
    dating = Dating([clock(0, T0, 1000), clock(1200, T0 + 1199 * S, 1000)])
    assert at(dating, 100) == Moment(T0 + 100 * S, 11_000, "ntp")
    assert at(dating, 1100) == Moment(T0 + 1099 * S, 11_000, "ntp")


@pytest.mark.parametrize(
    "body", [{}, {"boot": 1}, {"boot": "1", "boot_us": 0, "utc_us": T0}, {"boot": 1, "boot_us": 0, "utc_us": 1.5}]
)
def test_a_malformed_clock_record_dates_nothing(body: dict[str, Any]) -> None:
    assert not Dating([body])
