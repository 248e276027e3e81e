"""The shapes of asking: what a request's bytes are, and that everything that can be asked fits the one protocol."""

import pytest

from drivers.batch import EXTENDED
from drivers.bus.can_asker import HELD_ANSWERS, CanAsker
from drivers.bus.diagnostic import FUNCTIONAL, Answer, Request

ENGINE = 0x7E8
SPEED = b"\x03\x41\x0d\x32\xaa\xaa\xaa\xaa"


@pytest.mark.parametrize(
    ("request_", "payload"),
    [
        pytest.param(Request(0x01, b"\x0d"), b"\x01\x0d", id="a value"),
        pytest.param(Request(0x02, b"\x0c\x00"), b"\x02\x0c\x00", id="a value of the freeze frame"),
        pytest.param(Request(0x03), b"\x03", id="stored codes"),
        pytest.param(Request(0x22, b"\xf1\x90", 0x7E0), b"\x22\xf1\x90", id="a data identifier"),
    ],
)
def test_a_request_is_its_service_then_what_it_asks_for(request_: Request, payload: bytes) -> None:
    assert request_.payload == payload


def test_a_request_is_to_everybody_unless_it_says_to_whom() -> None:
    assert Request(0x03).to == FUNCTIONAL


class Bus:
    """What was sent on it, and what it says to the next frame."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int, bytes]] = []
        self.says = ""

    def __call__(self, t_us: int, identifier: int, data: bytes) -> str:
        """Take a frame."""
        self.sent.append((t_us, identifier, data))
        return self.says


@pytest.fixture
def bus() -> Bus:
    return Bus()


def test_a_bus_is_asked_on_boot_time_and_tells_its_answers_once(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.bus.can_asker.boot_us", lambda: 77)
    asker = CanAsker(bus, channel=2)
    assert asker.ask(Request(0x01, b"\x0d")) == ""
    assert bus.sent == [(77, 0x7DF, b"\x02\x01\x0d\xcc\xcc\xcc\xcc\xcc")]
    asker.hear([(90, 2, ENGINE, 0, SPEED), (91, 1, ENGINE, 0, SPEED)])
    assert asker.answers() == [Answer(90, ENGINE, b"\x41\x0d\x32")]
    assert asker.answers() == []


def test_a_search_may_change_the_width_of_functional_requests(bus: Bus) -> None:
    asker = CanAsker(bus)
    assert not asker.extended
    asker.extended = True
    asker.ask(Request(0x01, b"\0"))
    assert asker.extended
    assert bus.sent[0][1] == 0x18DB33F1 | EXTENDED


def test_why_a_request_did_not_go_out_is_told(bus: Bus) -> None:
    bus.says = "rate"
    asker = CanAsker(bus)
    assert asker.ask(Request(0x03)) == "rate"
    assert asker.counters()["refused"] == 1


def test_another_testers_requests_are_counted(bus: Bus) -> None:
    asker = CanAsker(bus)
    asker.hear([(5, 0, 0x7DF, 0, b"\x02\x01\x0c"), (6, 0, 0x7E1, 0, b"\x01\x03")])
    assert asker.foreign() == 2


def test_answers_nobody_takes_are_dropped_oldest_first_and_counted(bus: Bus) -> None:
    asker = CanAsker(bus)
    for t_us in range(HELD_ANSWERS + 3):
        asker.hear([(t_us, 0, ENGINE, 0, SPEED)])
    assert asker.counters()["dropped"] == 3
    assert [answer.t_us for answer in asker.answers()] == list(range(3, HELD_ANSWERS + 3))
    asker.hear([(t_us, 0, ENGINE, 0, SPEED) for t_us in range(HELD_ANSWERS + 2)])
    assert asker.counters()["dropped"] == 5
    assert len(asker.answers()) == HELD_ANSWERS


def test_a_message_that_was_not_gone_on_with_does_not_keep_the_bus_busy(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_us = 0
    monkeypatch.setattr("drivers.bus.can_asker.boot_us", lambda: now_us)
    asker = CanAsker(bus)
    asker.ask(Request(0x09, b"\x02"))
    asker.hear([(10, 0, ENGINE, 0, b"\x10\x14\x49\x02\x01\x31\x48\x47")])
    assert asker.ask(Request(0x03)) == "busy"
    now_us = 1_000_011
    assert asker.answers() == []
    assert asker.counters()["timeout"] == 1
    assert asker.ask(Request(0x03)) == ""
