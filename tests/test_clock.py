"""Boot time and wall time, and when their relation is written down."""

import time

import pytest

from agent.world import clock
from agent.world.clock import Reading, is_due, read_clocks
from agent.world.hours import CLOCK_FROM_US

MIN_US = 60_000_000
LAST = Reading(boot_us=5_000_000, utc_us=1_700_000_000_000_000, u_us=1000, source="ntp")


def later(by_us: int, stepped_us: int = 0, source: str = "ntp") -> Reading:
    return Reading(LAST.boot_us + by_us, LAST.utc_us + by_us + stepped_us, 1000, source)


@pytest.mark.parametrize(
    ("now", "is_driving", "due"),
    [
        pytest.param(later(MIN_US), True, False, id="nothing happened"),
        pytest.param(later(MIN_US, 100_000), True, False, id="moved by 100 ms: slewed, not stepped"),
        pytest.param(later(MIN_US, 100_001), True, True, id="stepped forward by more"),
        pytest.param(later(MIN_US, -100_001), False, True, id="stepped back, parked"),
        pytest.param(later(MIN_US, -50 * 365 * 86_400_000_000), True, True, id="back to 1970"),
        pytest.param(later(10 * MIN_US - 1), True, False, id="just under 10 min of driving"),
        pytest.param(later(10 * MIN_US), True, True, id="10 min of driving"),
        pytest.param(later(600 * MIN_US), False, False, id="10 h parked"),
        pytest.param(later(MIN_US, 0, "system"), False, True, id="nobody vouches for it any more"),
    ],
)
def test_a_clock_record_is_written_when_something_changed(now: Reading, is_driving: bool, due: bool) -> None:
    assert is_due(LAST, now, is_driving=is_driving) is due


def test_the_first_reading_is_always_written() -> None:
    assert is_due(None, LAST, is_driving=False)


def test_the_body_has_the_names_of_the_contract() -> None:
    assert LAST.body(7) == {
        "boot": 7,
        "boot_us": 5_000_000,
        "utc_us": 1_700_000_000_000_000,
        "u_us": 1000,
        "source": "ntp",
    }


@pytest.mark.parametrize(
    ("now", "told", "expected"),
    [
        pytest.param(
            Reading(9_000_000, 5, 2000, "ntp"), (1, 2, 3), Reading(9_000_000, 5, 2000, "ntp"), id="a kept clock"
        ),
        pytest.param(
            Reading(9_000_000, 5, None, "system"), None, Reading(9_000_000, 5, None, "system"), id="nobody knows"
        ),
        pytest.param(
            Reading(61_000_000, 5, None, "system"),
            (1_000_000, 1_700_000_000_000_000, 1_000_000),
            Reading(61_000_000, 1_700_000_060_000_000, 1_006_000, "gnss"),
            id="a receiver knew a minute ago",
        ),
    ],
)
def test_a_receiver_dates_where_nobody_else_vouches(
    now: Reading, told: tuple[int, int, int] | None, expected: Reading
) -> None:
    assert clock.vouched(now, told) == expected


@pytest.mark.parametrize(
    ("moved_us", "due"), [pytest.param(500_000, False, id="at"), pytest.param(500_001, True, id="over")]
)
def test_a_receivers_varying_delay_is_no_step(moved_us: int, due: bool) -> None:
    first, then = Reading(0, 10**15, 10**6, "gnss"), Reading(10**6, 10**15 + 10**6 + moved_us, 10**6, "gnss")
    assert is_due(first, then, is_driving=False) is due


def test_both_clocks_are_read_at_one_instant() -> None:
    boot_before, utc_before = clock.boot_us(), clock.utc_us()
    reading = read_clocks()
    boot_after, utc_after = clock.boot_us(), clock.utc_us()
    assert boot_before <= reading.boot_us <= boot_after
    assert utc_before <= reading.utc_us <= utc_after


def test_a_pause_in_one_try_does_not_spoil_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    boots, walls = (
        iter([0, 900_000, 1_000_000, 1_000_010, 1_100_000, 1_150_000]),
        iter([LAST.utc_us + 10, LAST.utc_us + 500, LAST.utc_us + 520]),
    )
    monkeypatch.setattr(clock, "boot_us", lambda: next(boots))
    monkeypatch.setattr(clock, "utc_us", lambda: next(walls))
    monkeypatch.setattr(clock, "_kernel_error_us", lambda: 2000)
    assert read_clocks() == Reading(1_000_005, LAST.utc_us + 500, 2010, "ntp")


@pytest.mark.parametrize(
    ("utc_us", "error_us"),
    [pytest.param(LAST.utc_us, None, id="nobody"), pytest.param(CLOCK_FROM_US - 1, 1000, id="a rollover's")],
)
def test_a_clock_nobody_keeps_right_has_no_bound(
    monkeypatch: pytest.MonkeyPatch, utc_us: int, error_us: int | None
) -> None:
    monkeypatch.setattr(clock, "_kernel_error_us", lambda: error_us)
    monkeypatch.setattr(clock, "utc_us", lambda: utc_us)
    reading = read_clocks()
    assert (reading.u_us, reading.source) == (None, "system")


def test_the_kernels_bound_agrees_with_its_own_state() -> None:
    state = clock._Timex()
    assert clock._LIBC.adjtimex(clock.ctypes.byref(state)) in range(6)
    assert 0 <= state.maxerror <= 16_000_000  # NTP_PHASE_LIMIT caps it
    assert (clock._kernel_error_us() is None) == bool(state.status & 0x40)


def test_boot_time_counts_in_microseconds() -> None:
    assert abs(clock.boot_us() / 1e6 - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1.0
