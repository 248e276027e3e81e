"""The door of the service page: a PIN good once, tries that run out, sessions, the token, the idle end. Time is an argument."""

import pytest

from agent.service.door import (
    PIN_COUNT,
    SESSIONS_MAX,
    Door,
    Entry,
    Pin,
    Session,
    digits_of,
    may_change,
    shown,
)

IDLE_S = 900.0
RIGHT, WRONG = "123456", "123457"
PIN = Pin.of(RIGHT, b"salt" * 4)


def door(tries: int = 5) -> Door:
    made = Door(tries, IDLE_S, 0.0)
    made.renew(PIN)
    return made


def enter(at: Door, digits: str, now_s: float, number: int = 0) -> Entry:
    return at.enter(digits, bytes([number]) * 32, bytes([number + 100]) * 32, now_s)


def test_the_right_pin_opens_once() -> None:
    at = door()
    entry = enter(at, RIGHT, 0.0)
    assert entry.refusal == ""
    assert entry.session is not None
    assert at.session("00" * 32) == entry.session
    assert enter(at, RIGHT, 10.0).refusal == "void"


def test_without_a_printed_pin_nobody_comes_in() -> None:
    at = Door(5, IDLE_S, 0.0)
    assert (at.state, enter(at, "", 0.0).refusal) == ("void", "void")


def test_wrong_tries_wait_ever_longer_and_then_the_pin_is_void() -> None:
    at, now_s, told = door(tries=5), 0.0, []
    for _ in range(5):
        entry = enter(at, WRONG, now_s)
        told.append((entry.refusal, entry.wait_s, entry.left))
        now_s += entry.wait_s
    assert told == [("wrong", 1.0, 4), ("wrong", 2.0, 3), ("wrong", 4.0, 2), ("wrong", 8.0, 1), ("void", 0.0, 0)]
    assert enter(at, RIGHT, now_s + 100).refusal == "void"
    at.renew(PIN)
    assert enter(at, RIGHT, now_s + 100).refusal == ""


@pytest.mark.parametrize(
    ("now_s", "refusal"),
    [pytest.param(0.999, "wait", id="just too soon"), pytest.param(1.0, "", id="after the wait")],
)
def test_the_next_try_waits_even_if_it_is_right(now_s: float, refusal: str) -> None:
    at = door()
    enter(at, WRONG, 0.0)
    assert enter(at, RIGHT, now_s).refusal == refusal


def test_a_try_that_came_too_soon_costs_no_try() -> None:
    at = door(tries=3)
    enter(at, WRONG, 0.0)
    assert [enter(at, WRONG, 0.1).refusal for _ in range(50)] == ["wait"] * 50
    assert enter(at, WRONG, 1.0).left == 1


@pytest.mark.parametrize(
    ("now_s", "left_s"),
    [pytest.param(IDLE_S - 1, 1.0, id="just before"), pytest.param(IDLE_S, 0.0, id="at the end")],
)
def test_it_ends_when_nobody_touched_it(now_s: float, left_s: float) -> None:
    assert door().left_s(now_s) == left_s


def test_a_touch_begins_the_wait_anew() -> None:
    at = door()
    at.touch(500.0)
    assert at.left_s(IDLE_S) == 500.0


def test_a_wrong_pin_is_no_touch() -> None:
    at = door()
    enter(at, WRONG, 800.0)
    assert at.left_s(800.0) == 100.0


def test_one_session_too_many_puts_the_oldest_out() -> None:
    at = door()
    for number in range(SESSIONS_MAX + 1):
        at.renew(PIN)
        enter(at, RIGHT, 0.0, number)
    there = [at.session(f"{number:02x}" * 32) is not None for number in range(SESSIONS_MAX + 1)]
    assert there == [False] + [True] * SESSIONS_MAX


def test_who_left_is_out() -> None:
    at = door()
    session = enter(at, RIGHT, 0.0).session
    assert session is not None
    at.leave(session)
    assert at.session("00" * 32) is None


@pytest.mark.parametrize(
    ("token", "may"),
    [("ab" * 32, True), ("ab" * 31 + "ac", False), ("", False), (None, False), ("ж", False)],
)
def test_a_change_needs_the_sessions_own_token(token: str | None, may: bool) -> None:
    assert may_change(Session("name", "ab" * 32), token) is may


def test_what_is_kept_of_a_pin_and_a_session_opens_nothing() -> None:
    at = door()
    entry = enter(at, RIGHT, 0.0)
    assert entry.session is not None
    assert RIGHT.encode() not in PIN.digest + PIN.salt
    assert at.session(entry.session.name) is None


@pytest.mark.parametrize(
    ("words", "digits"),
    [("123 456", "123456"), (" 12-34-56\n", "123456"), ("\u0661\u0662456", "456"), ("1" * 99, "1" * 32)],
)
def test_a_pin_may_be_typed_however_it_is_set(words: str, digits: str) -> None:
    assert digits_of(words) == digits


@pytest.mark.parametrize(("number", "words"), [(0, "000 000"), (42, "000 042"), (PIN_COUNT - 1, "999 999")])
def test_a_pin_is_shown_in_two_groups(number: int, words: str) -> None:
    assert shown(number) == words
