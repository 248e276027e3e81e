"""Units that do not answer, answer late or refuse: who is asked again, when, and whom it costs nothing."""

import pytest

from agent.asking.poller import PENDING_US, PENDING_US_MAX
from agent.asking.wants import Want, WantData
from agent.obd.ecu import ANSWER_US_MAX, ANSWER_US_MIN
from agent.obd.findings import Identity
from drivers.bus.diagnostic import Answer, Request
from tests.garage import MS, SPEED, Ride, S, engine, gaps, gearbox, poller

# Silence of units


def test_a_unit_that_does_not_answer_is_asked_ever_more_seldom_and_found_within_10_s() -> None:
    ride = Ride(poller(), engine()).run(30)
    ride.ecus[0x7E8].is_deaf = True
    asked = len(ride.asked)
    ride.run(60)
    assert 8 <= len(ride.asked) - asked <= 15
    ride.ecus[0x7E8].is_deaf = False
    since_us = ride.now_us
    ride.run(10)
    assert ride.times(SPEED)[-1] > since_us
    assert len([at for at in ride.times(SPEED) if at > since_us]) > 25


def test_a_unit_that_rests_is_asked_again_as_soon_as_anything_comes_from_it() -> None:
    ride = Ride(poller(), engine(is_deaf=False)).run(30)
    ride.ecus[0x7E8].is_deaf = True
    ride.run(25)
    assert ride.poller.health(ride.now_us)["7E8"]["is_resting"]
    ride.ecus[0x7E8].is_deaf = False
    ride.say(Answer(ride.now_us + 1, 0x7E8, b"\x62\xf1\x90\0"))
    since_us = ride.now_us
    assert any(since_us < at < since_us + S // 2 for at in ride.run(1).times(SPEED))


def test_a_pid_that_is_named_but_never_answered_does_not_cost_the_others_their_share() -> None:
    car = engine()
    ride = Ride(poller(), car)
    ride.run(1)
    del car.values[0x11]
    car.values[0x12] = b""
    ride.run(600)
    assert len(ride.times(SPEED)) > 5500
    assert len(ride.asks(1, b"\x11")) < 60


def test_after_a_silence_or_at_an_ignition_a_unit_that_rests_is_asked_at_once() -> None:
    for begin in ("silence", "ignition"):
        ride = Ride(poller(), engine()).run(30)
        ride.ecus[0x7E8].is_deaf = True
        ride.run(26)
        assert ride.poller.health(ride.now_us)["7E8"]["is_resting"]
        since_us = ride.now_us
        if begin == "ignition":
            ride.poller.renew(ride.now_us)
        else:
            ride.may_ask = False
            since_us = ride.run(0.2).now_us
            ride.may_ask = True
        ride.run(0.3)
        assert any(at >= since_us for at, _ in ride.asked), begin


def test_late_answers_are_counted_and_lengthen_the_wait() -> None:
    car = engine()
    ride = Ride(poller(), car).run(30)
    car.delay_us = (290 * MS, 300 * MS)
    ride.run(60)
    counters = ride.poller.counters()
    assert counters["unasked"] > 0
    assert counters["timeouts"] <= 10
    assert 280 * MS < ride.poller.health(ride.now_us)["7E8"]["answer_us"] < 305 * MS


# Refusals


@pytest.mark.parametrize(
    ("reason", "least", "most"),
    [(0x11, 2, 2), (0x12, 2, 2), (0x31, 2, 2), (0x33, 2, 2), (0x21, 90, 201), (0x22, 2, 2)],
)
def test_what_a_unit_refuses_is_not_asked_again_and_what_it_puts_off_is_asked_later(
    reason: int, least: int, most: int
) -> None:
    wants = (Want(0x05, 1 * S), Want(SPEED, 100 * MS))
    car = engine(negative={b"\x01\x05": reason})
    ride = Ride(poller(wants=wants), car).run(100)
    asked = len(ride.asks(1, b"\x05"))
    assert least <= asked <= most
    assert ride.poller.counters()["negative"] == asked
    assert len(ride.times(SPEED)) > 900


def test_a_refusal_that_was_meant_for_another_tester_costs_nothing() -> None:
    ride = Ride(poller(), engine()).run(5)
    for second in range(5, 60, 2):
        ride.say(Answer(second * S, 0x7E8, b"\x7f\x01\x12"))
    ride.run(60)
    assert max(gaps(ride.times(SPEED)[20:])) < S


def test_a_refusal_of_a_unit_that_was_not_asked_is_none_of_ours() -> None:
    ride = Ride(poller(), engine(), gearbox()).run(5)
    for tick in range(2000):
        ride.say(Answer(5 * S + tick * 25 * MS, 0x7E9, b"\x7f\x01\x12"))
    ride.run(55)
    assert max(gaps(ride.times(SPEED)[20:])) < S
    assert ride.poller.counters()["negative"] < 20


def test_what_was_refused_is_asked_again_in_the_next_ignition_cycle() -> None:
    car = engine(negative={b"\x01\x05": 0x12})
    ride = Ride(poller(), car).run(20)
    car.negative.clear()
    ride.poller.renew(ride.now_us)
    assert len(ride.run(20).times(0x05)) >= 4


def test_response_pending_is_waited_for_and_nothing_else_is_asked() -> None:
    asking = poller()
    assert asking.step(0, may_ask=True) is not None
    for at in range(1, 5):
        asking.heard(at * 4 * S, [Answer(at * 4 * S, 0x7E8, b"\x7f\x01\x78")])
        assert asking.step(at * 4 * S, may_ask=True) is None
    assert asking.step(16 * S + PENDING_US - 1, may_ask=True) is None
    assert asking.heard(20 * S, [Answer(20 * S, 0x7E8, b"\x41\0\0\x18\0\0")]) != []
    assert asking.step(20 * S + ANSWER_US_MIN, may_ask=True) is not None


def test_a_refusal_after_response_pending_ends_the_wait() -> None:
    asking = poller(WantData(0x7B3, 0x1234, 10 * S), wants=())
    assert asking.step(0, may_ask=True) == Request(0x01, b"\0")
    assert asking.step(ANSWER_US_MAX, may_ask=True) == Request(0x22, b"\x12\x34", 0x7B3)
    asking.heard(2 * S, [Answer(2 * S, 0x7BB, b"\x7f\x22\x78")])
    assert asking.wake_us() == 2 * S + PENDING_US
    asking.heard(3 * S, [Answer(3 * S, 0x7BB, b"\x7f\x22\x21")])
    assert asking.wake_us() < 4 * S


def test_a_data_identifier_that_is_refused_now_and_then_is_still_asked() -> None:
    asking = poller(WantData(0x7B3, 0x1234, S), wants=())
    told = [b"\x7f\x22\x31", b"\x62\x12\x34\1"] * 10
    asked = 0
    for now_us in range(0, 60 * S, 50 * MS):
        request = asking.step(now_us, may_ask=True)
        if request is not None and request.service == 0x22 and asked < len(told):
            asking.heard(now_us + 1, [Answer(now_us + 1, 0x7BB, told[asked])])
            asked += 1
    assert asked == len(told)


def test_response_pending_without_end_is_given_up_after_30_s() -> None:
    asking = poller()
    assert asking.step(0, may_ask=True) is not None
    for second in range(1, 30):
        asking.heard(second * S, [Answer(second * S, 0x7E8, b"\x7f\x01\x78")])
    assert asking.wake_us() == PENDING_US_MAX
    asking.step(PENDING_US_MAX, may_ask=True)
    assert asking.counters()["timeouts"] == 1


def test_units_that_often_say_response_pending_are_still_heard() -> None:
    ride = Ride(poller(), engine(pends=0.02), gearbox(pends=0.02)).run(600)
    assert len(ride.times(SPEED)) > 600
    assert max(gaps(ride.times(SPEED))) < 15 * S
    assert ride.owed.count(0) / len(ride.owed) > 0.99


@pytest.mark.parametrize("why", ["bus", "busy", "rate"])
def test_a_request_that_cannot_go_out_now_is_tried_again_with_growing_pauses(why: str) -> None:
    ride = Ride(poller(), engine()).run(10)
    asked = len(ride.asked)
    ride.refuses = why
    ride.run(20)
    assert len(ride.asked) == asked
    assert 18 <= ride.poller.counters()["refused"] <= 30
    ride.refuses = ""
    since_us = ride.now_us
    assert any(since_us < at < since_us + 2 * S for at in ride.run(5).times(SPEED))


def test_what_is_wanted_once_is_not_lost_when_it_could_not_go_out() -> None:
    ride = Ride(poller(wants=()), engine()).run(0.01)
    ride.refuses = "bus"
    ride.run(10)
    ride.refuses = ""
    assert len(ride.run(15).finds(Identity)) == 2


def test_what_went_out_came_back_or_did_not_go_is_counted() -> None:
    ride = Ride(poller(), engine()).run(10)
    ride.refuses = "bus"
    ride.run(10)
    counters = ride.poller.counters()
    assert counters["asked"] == len(ride.asked)
    assert counters["answers"] == len(ride.answered)
    assert counters["refused"] > 5
    assert counters["unasked"] == counters["timeouts"] == counters["negative"] == counters["pending"] == 0


def test_what_the_guard_refuses_by_its_rule_is_never_asked_again() -> None:
    asking = poller(WantData(0x123, 0xF190, 1 * S), wants=())
    request = asking.step(0, may_ask=True)
    assert request is not None
    first, asked = request, []
    for now_us in range(0, 10 * S, 10 * MS):
        request = first if now_us == 0 else asking.step(now_us, may_ask=True)
        if request is not None and request.service == 0x22:
            asked.append(request)
            asking.refused(now_us, request, "identifier")
    assert asked == [Request(0x22, b"\xf1\x90", 0x123)]
