"""What is asked of the car, of whom and when: tables for each rule, rides with simulated units, budget and shares."""

from pathlib import Path
from random import Random

import pytest

from agent.asking.wants import Want, WantData, wants_of
from agent.maps.maps import load
from agent.obd.ecu import ANSWER_US_MAX
from agent.obd.findings import Supported, finding
from drivers.batch import EXTENDED
from drivers.bus.diagnostic import FUNCTIONAL, Answer, Request
from tests.garage import (
    MS,
    RPM,
    SLOW_CAR,
    SPEED,
    WANTS,
    Ride,
    S,
    engine,
    gaps,
    gearbox,
    most_in_a_second,
    poller,
)

# What the map wants


def test_the_shipped_map_wants_speed_ten_times_a_second_and_what_is_slow_seldom_enough_to_stay_fresh() -> None:
    assert wants_of(load(Path("obd2.toml")), 0) == (
        Want(0x0D, 100 * MS),
        Want(0x0C, 250 * MS),
        Want(0x04, 1 * S),
        Want(0x11, 1 * S),
        *(Want(pid, 4 * S) for pid in (0x05, 0x2F, 0x42, 0xA6)),
    )


# Who is there, and what they support


def test_first_everybody_is_asked_what_they_support_and_then_only_what_somebody_does() -> None:
    ride = Ride(poller(), engine(values={4: b"\x40", RPM: b"\x1a\xf8", SPEED: b"\x32", 0x42: b"\x36\xb0"})).run(60)
    assert ride.asked[0] == (0, Request(0x01, b"\0"))
    assert {asked.data[0] for _, asked in ride.asked if asked.service == 1} == {0, 0x20, 0x40, 4, RPM, SPEED, 0x42}


def test_nothing_is_asked_while_it_is_not_allowed() -> None:
    ride = Ride(poller(), engine())
    ride.may_ask = False
    assert ride.run(60).asked == []


def test_every_unit_tells_its_own_bitmaps() -> None:
    found = Ride(poller(), engine(values={RPM: b"\0\0", 0x21: b"\0\0"}), gearbox()).run(5).finds(Supported)
    assert {(told.ecu, told.base, told.pids) for told in found if told.service == 1} == {
        (0x7E8, 0x00, frozenset({RPM, 0x20})),
        (0x7E8, 0x20, frozenset({0x21})),
        (0x7E9, 0x00, frozenset({0x01, SPEED})),
    }


def test_a_unit_that_answers_ten_times_later_than_the_first_is_found_as_well() -> None:
    ride = Ride(poller(), engine(delay_us=(5 * MS, 5 * MS)), gearbox(values={0x5C: b"\x80"}, delay_us=SLOW_CAR))
    assert {told.ecu for told in ride.run(10).finds(Supported)} == {0x7E8, 0x7E9}


def test_a_unit_whose_answer_was_lost_is_found_at_the_next_look() -> None:
    ride = Ride(poller(), engine(), gearbox(is_deaf=True)).run(5)
    ride.ecus[0x7E9].is_deaf = False
    assert {told.ecu for told in ride.run(31).finds(Supported)} == {0x7E8, 0x7E9}


def test_a_dead_bus_is_asked_ever_more_seldom_but_often_enough_to_find_it_within_10_s() -> None:
    ride = Ride(poller(), engine(is_deaf=True)).run(60)
    assert [round(gap / S) for gap in gaps(ride.asks(1))] == [2, 3, 5, 7, 7, 7, 7, 7, 7, 7]
    assert {asked.data for _, asked in ride.asked} == {b"\0"}


def test_29_bit_units_are_asked_on_their_own_identifiers() -> None:
    units = [engine(identifier=EXTENDED | 0x18DAF110), gearbox(identifier=EXTENDED | 0x18DAF118)]
    ride = Ride(poller(), *units).run(10)
    assert {asked.to for _, asked in ride.asked if asked.data == bytes([SPEED])} == {EXTENDED | 0x18DA10F1}


def test_answers_from_identifiers_of_no_control_unit_are_nobodys() -> None:
    ride = Ride(poller(), engine()).run(5)
    ride.say(Answer(ride.now_us + 1, 0x123, b"\x41\x00\xff\xff\xff\xff"))
    assert set(ride.run(5).poller.health(ride.now_us)) == {"7E8"}


# Budget, one in flight


@pytest.mark.parametrize("delay_us", [(5 * MS, 5 * MS), (5 * MS, 300 * MS)])
@pytest.mark.parametrize("requests_per_s", [1, 3.5, 20, 50])
def test_the_budget_holds_over_any_second(requests_per_s: float, delay_us: tuple[int, int]) -> None:
    wants = tuple(Want(want.pid, want.period_us // 10) for want in WANTS)
    ride = Ride(poller(wants=wants, requests_per_s=requests_per_s), engine(delay_us=delay_us), gearbox()).run(120)
    times = [at for at, _ in ride.asked]
    assert most_in_a_second(times) <= requests_per_s + 1 - (requests_per_s % 1 == 0)
    assert len(times) <= 120 * requests_per_s + 1


@pytest.mark.parametrize("turn_us", [0, 8 * MS])
@pytest.mark.parametrize("delay_us", [(5 * MS, 5 * MS), (30 * MS, 50 * MS), (150 * MS, 200 * MS), SLOW_CAR])
def test_the_next_request_waits_for_the_answers_to_the_one_before(delay_us: tuple[int, int], turn_us: int) -> None:
    second = gearbox(delay_us=(delay_us[0], delay_us[1] + 5 * MS))
    ride = Ride(poller(), engine(delay_us=delay_us), second, turn_us=turn_us).run(120)
    assert ride.owed.count(0) == len(ride.owed)
    assert ride.poller.counters()["timeouts"] == 0


def test_while_nobody_answers_the_next_request_waits_until_the_time_is_over() -> None:
    asking = poller()
    assert asking.step(0, may_ask=True) == Request(0x01, b"\0")
    assert asking.step(ANSWER_US_MAX - 1, may_ask=True) is None
    assert asking.wake_us() == ANSWER_US_MAX
    assert asking.counters()["timeouts"] == 0
    assert asking.step(ANSWER_US_MAX, may_ask=True) is None
    assert asking.counters()["timeouts"] == 1


def test_when_all_who_can_have_answered_the_next_request_goes_at_once() -> None:
    asking = poller(wants=(Want(SPEED, 5 * MS),), requests_per_s=1000)
    ride = Ride(asking, engine(delay_us=(5 * MS, 5 * MS)), gearbox(delay_us=(7 * MS, 7 * MS))).run(30)
    assert set(gaps(ride.asks(1, bytes([SPEED]))[20:40])) == {5 * MS}
    at = ride.asks(1, b"\1")[-1]
    assert min(after for after, _ in ride.asked if after > at) - at == 7 * MS


# Shares


@pytest.mark.parametrize("delay_us", [(5 * MS, 15 * MS), (20 * MS, 45 * MS)])
def test_where_the_car_is_quick_enough_everything_comes_as_often_as_it_is_wanted(delay_us: tuple[int, int]) -> None:
    ride = Ride(poller(), engine(delay_us=delay_us)).run(600)
    for want in WANTS:
        came = ride.times(want.pid)[20:]
        assert len(came) >= 0.95 * (595 * S / want.period_us - 20), f"{want.pid:02X}"
        assert max(gaps(came)) <= 2 * want.period_us, f"{want.pid:02X}"


def test_on_a_slow_car_speed_gets_the_most_and_nothing_grows_stale() -> None:
    ride = Ride(poller(), engine(delay_us=SLOW_CAR)).run(600)
    counts = {want.pid: len(ride.times(want.pid)) for want in WANTS}
    assert counts[SPEED] >= 0.4 * len(ride.asked)
    assert counts[SPEED] >= 2 * counts[RPM] >= 4 * counts[0x04]
    for pid in (0x05, 0x2F, 0x42, 0xA6):
        assert max(gaps(ride.times(pid))) < 10 * S


def test_with_a_small_budget_speed_gets_the_most_too() -> None:
    ride = Ride(poller(requests_per_s=2), engine()).run(600)
    assert len(ride.times(SPEED)) >= 0.35 * len(ride.asked)
    assert all(len(ride.times(SPEED)) > len(ride.times(want.pid)) for want in WANTS[1:])


# Several units


def test_where_two_units_tell_the_speed_only_the_first_is_asked() -> None:
    ride = Ride(poller(), engine(), gearbox()).run(60)
    speeds = [answer.ecu for answer in ride.answered if answer.payload[:2] == bytes([0x41, SPEED])]
    assert set(speeds) == {0x7E8}
    assert {asked.to for _, asked in ride.asked if asked.data == bytes([SPEED])} == {0x7E0}
    assert {asked.to for _, asked in ride.asked if asked.data == bytes([RPM])} == {FUNCTIONAL}


def test_behind_a_gateway_that_passes_only_the_functional_identifier_speed_comes_all_the_same() -> None:
    ride = Ride(poller(), engine(is_hidden=True), gearbox(is_hidden=True)).run(60)
    assert len(ride.times(SPEED)) > 500
    assert len([asked for _, asked in ride.asked if asked.to != FUNCTIONAL]) <= 4


def test_an_adapter_that_is_slow_to_change_identifiers_is_asked_by_the_functional_one_only() -> None:
    ride = Ride(poller(is_addressed=False), engine(), gearbox()).run(30)
    assert {asked.to for _, asked in ride.asked} == {FUNCTIONAL}


def test_when_the_first_unit_falls_silent_the_second_tells_the_speed() -> None:
    ride = Ride(poller(), engine(), gearbox()).run(30)
    ride.ecus[0x7E8].is_deaf = True
    since_us = ride.now_us
    ride.run(30)
    late = [answer.t_us for answer in ride.answered if answer.payload[:2] == b"\x41\x0d" and answer.t_us > since_us]
    assert late[0] - since_us < 3 * S
    assert max(gaps(late)) < 3 * S
    assert len(late) > 150


# Beginning anew


def test_after_the_bus_was_lost_everything_begins_anew() -> None:
    ride = Ride(poller(), engine()).run(30)
    ride.poller.forget()
    since = len(ride.asked)
    ride.run(10)
    assert ride.asked[since][1] == Request(0x01, b"\0")
    assert ride.asks(9, b"\2")[-1] > 30 * S


def test_after_a_silence_asking_goes_on_at_once_and_no_unit_is_blamed() -> None:
    ride = Ride(poller(), engine()).run(10)
    ride.may_ask = False
    ride.run(60)
    ride.may_ask = True
    since_us = ride.now_us
    assert min(at for at in ride.run(5).times(SPEED) if at > since_us) - since_us < S // 2
    assert ride.poller.counters()["timeouts"] <= 1


# Anything may come


def test_no_answer_whatever_upsets_it() -> None:
    rng = Random(4)
    ride = Ride(poller(WantData(0x7B3, 0x1234, S)), engine(), gearbox())
    heads = (0x41, 0x42, 0x43, 0x47, 0x49, 0x4A, 0x62, 0x7F)
    for at_us in range(0, 60 * S, 20 * MS):
        head = bytes([rng.choice(heads), rng.choice((0, 1, 2, 9, 0x20, SPEED))])
        payload = (head + rng.randbytes(rng.randrange(8)))[: rng.randrange(11)]
        ride.say(Answer(at_us, rng.choice((0x7E8, 0x7E9, 0x7EF, 0x7BB, 0x123)), payload))
    ride.run(60)
    assert most_in_a_second([at for at, _ in ride.asked]) <= 20
    assert len(ride.times(SPEED)) > 50


@pytest.mark.parametrize("payload", [b"", b"\x41", b"\x41\0\1", b"\x7f", b"\x49\0\1", b"\x62\1", b"\x43", b"\x10"])
def test_what_is_cut_short_tells_nothing(payload: bytes) -> None:
    assert finding(Answer(0, 0x7E8, payload)) is None
