"""What is known of one control unit: how long it is waited for, when it rests, what it supports and refuses."""

import pytest

from agent.obd.ecu import (
    ANSWER_US_MAX,
    ANSWER_US_MIN,
    MISSES_MAX,
    PHYSICAL_TRIES,
    REFUSALS_MAX,
    REST_US_MAX,
    REST_US_MIN,
    Ecu,
    name,
)
from agent.obd.findings import Supported
from drivers.batch import EXTENDED
from drivers.bus.diagnostic import request_id
from tests.garage import MS


def quick() -> Ecu:
    """A unit that is known to answer within 10 ms."""
    ecu = Ecu(0x7E8)
    for _ in range(50):
        ecu.answered(0, 10 * MS, is_physical=False)
    return ecu


def miss(ecu: Ecu, times: int, now_us: int = 1000, *, is_physical: bool = False) -> Ecu:
    for _ in range(times):
        ecu.missed(now_us, is_physical=is_physical)
    return ecu


@pytest.mark.parametrize(
    ("ecu", "to", "called"),
    [
        (0x7E8, 0x7E0, "7E8"),
        (0x7EF, 0x7E7, "7EF"),
        (EXTENDED | 0x18DAF110, EXTENDED | 0x18DA10F1, "18DAF110"),
    ],
)
def test_each_unit_is_asked_on_its_own_identifier(ecu: int, to: int, called: str) -> None:
    assert (request_id(ecu), name(ecu)) == (to, called)


@pytest.mark.parametrize(("misses", "rests"), [(MISSES_MAX - 1, False), (MISSES_MAX, True)])
def test_a_unit_rests_after_three_misses_in_a_row(misses: int, rests: bool) -> None:
    ecu = Ecu(0x7E8)
    for _ in range(misses):
        ecu.missed(1000, is_physical=False)
    assert (ecu.rest_until_us == 1000 + REST_US_MIN) is rests
    ecu.answered(2000, None, is_physical=False)
    assert ecu.rest_until_us == 0


@pytest.mark.parametrize(
    ("delays_ms", "timeout_us"),
    [
        pytest.param([], ANSWER_US_MAX, id="nothing learned: the upper bound"),
        pytest.param([10] * 50, ANSWER_US_MIN, id="quick and steady: twice P2CAN"),
        pytest.param([60] * 80, 110 * MS, id="over P2CAN and steady: 50 ms more than it takes"),
        pytest.param([300], 950 * MS, id="one answer: four times half of it"),
        pytest.param([960] * 50, ANSWER_US_MAX, id="never over the upper bound"),
    ],
)
def test_an_answer_is_waited_for_as_long_as_was_learned(delays_ms: list[int], timeout_us: int) -> None:
    ecu = Ecu(0x7E8)
    for delay_ms in delays_ms:
        ecu.answered(0, delay_ms * MS, is_physical=False)
    assert abs(ecu.timeout_us - timeout_us) < 100


def test_each_miss_doubles_what_is_waited() -> None:
    ecu = Ecu(0x7E8)
    for _ in range(50):
        ecu.answered(0, 10 * MS, is_physical=False)
    ecu.missed(0, is_physical=False)
    assert ecu.timeout_us == 2 * ANSWER_US_MIN


def test_an_answer_in_time_ends_the_count_of_misses() -> None:
    ecu = miss(quick(), MISSES_MAX - 1)
    ecu.answered(2000, None, is_physical=False)
    assert ecu.timeout_us == ANSWER_US_MIN
    assert miss(ecu, MISSES_MAX - 1).rest_until_us == 0


def test_something_that_came_too_late_ends_the_rest_but_the_wait_stays_long() -> None:
    ecu = miss(quick(), MISSES_MAX + 1)
    ecu.heard(5000)
    assert (ecu.rest_until_us, ecu.answered_us) == (0, 5000)
    assert ecu.timeout_us == ANSWER_US_MIN << (MISSES_MAX - 1)
    assert miss(ecu, 1).rest_until_us == 1000 + REST_US_MIN


def test_rests_double_up_to_their_longest() -> None:
    ecu = miss(quick(), MISSES_MAX - 1)
    rests = [miss(ecu, 1).rest_until_us - 1000 for _ in range(5)]
    assert rests == [REST_US_MIN, 2 * REST_US_MIN, 4 * REST_US_MIN, REST_US_MAX, REST_US_MAX]


@pytest.mark.parametrize(("misses", "is_physical"), [(PHYSICAL_TRIES - 1, True), (PHYSICAL_TRIES, False)])
def test_a_unit_that_never_answered_on_its_own_identifier_is_asked_by_the_functional_one(
    misses: int, is_physical: bool
) -> None:
    ecu = miss(quick(), misses, is_physical=True)
    assert ecu.is_physical is is_physical
    assert ecu.timeout_us == ANSWER_US_MIN


def test_a_unit_that_has_answered_on_its_own_identifier_is_missed_like_any_other() -> None:
    ecu = quick()
    ecu.answered(0, None, is_physical=True)
    miss(ecu, MISSES_MAX, is_physical=True)
    assert ecu.is_physical
    assert ecu.rest_until_us > 0


@pytest.mark.parametrize(("pid", "is_supported"), [(0, True), (1, True), (2, False), (0x20, True), (0x21, False)])
def test_it_supports_what_its_bitmaps_name(pid: int, is_supported: bool) -> None:
    ecu = Ecu(0x7E8)
    assert ecu.tell(Supported(0, 0x7E8, 1, 0, frozenset({1, 0x20})))
    assert not ecu.tell(Supported(0, 0x7E8, 1, 0, frozenset({1, 0x20})))
    assert ecu.supports(1, pid) is is_supported
    assert ecu.values(1) == [1]


@pytest.mark.parametrize(("times", "is_refused"), [(REFUSALS_MAX - 1, False), (REFUSALS_MAX, True)])
def test_what_it_refuses_twice_it_does_not_do_until_the_next_ignition(times: int, is_refused: bool) -> None:
    ecu = Ecu(0x7E8)
    ecu.tell(Supported(0, 0x7E8, 1, 0, frozenset({5, 6})))
    for _ in range(times):
        ecu.refuse(1, b"\x05")
    assert ecu.supports(1, 5) is not is_refused
    assert ecu.supports(1, 6)
    ecu.renew()
    assert ecu.supports(1, 5)


def test_an_answer_takes_a_refusal_back() -> None:
    ecu = Ecu(0x7E8)
    ecu.refuse(3, b"")
    ecu.accept(3, b"")
    ecu.refuse(3, b"")
    assert not ecu.refuses(3, b"")
