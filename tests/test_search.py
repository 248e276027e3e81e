"""How the bus is found: what is listened to, what is asked and when nothing is, on every kind of bus."""

from dataclasses import dataclass, field, replace

import pytest

from agent.asking.search import (
    ANSWER_US,
    BITRATES,
    ERRORS_MIN,
    FRAMES_MIN,
    LISTEN_US,
    QUESTION,
    Ask,
    Found,
    Heard,
    Listen,
    Search,
    Way,
)
from drivers.bus.diagnostic import FUNCTIONAL

MS = 1000
S = 1_000_000
CLASSIC_500, WIDE_500 = Way(500_000, False), Way(500_000, True)
CLASSIC_250, WIDE_250 = Way(250_000, False), Way(250_000, True)
SWEEP = [CLASSIC_500, WIDE_500, CLASSIC_250, WIDE_250]


@dataclass
class FakeBus:
    """A bus of one rate: `frames_11` and `frames_29` a second, units that answer one width or none."""

    bitrate: int = 500_000
    frames_11: int = 0
    frames_29: int = 0
    is_extended: bool | None = None
    adapter: int = 0
    """The rate the adapter is set to now; 0: as it is."""
    heard: Heard = field(default_factory=Heard)
    said: list[Listen | Ask | Found] = field(default_factory=list)

    def run(self, search: Search, seconds: float, *, may_probe: bool, from_s: float = 0.0) -> list[Way]:
        """Let time pass in steps of 50 ms; which ways were asked."""
        asked = []
        for now_us in range(round(from_s * S), round((from_s + seconds) * S), 50 * MS):
            self._pass()
            action = search.step(now_us, self.heard, may_probe=may_probe)
            if action is None:
                continue
            self.said.append(action)
            if isinstance(action, Found):
                continue
            self.heard = Heard()
            self.adapter = action.way.bitrate if isinstance(action, Ask) else action.bitrate
            if isinstance(action, Ask):
                asked.append(action.way)
                self._answer(action.way)
        return asked

    def _pass(self) -> None:
        """Time for a twentieth of a second's frames; at a wrong rate each of them is an error."""
        if self.adapter in (0, self.bitrate):
            self.heard = replace(
                self.heard,
                frames_11=self.heard.frames_11 + self.frames_11 // 20,
                frames_29=self.heard.frames_29 + self.frames_29 // 20,
            )
        else:
            self.heard = replace(self.heard, errors=self.heard.errors + (self.frames_11 + self.frames_29) // 20)

    def _answer(self, way: Way) -> None:
        if way.bitrate in (0, self.bitrate):
            self.heard = replace(self.heard, answers=int(way.is_extended == self.is_extended))
        else:
            self.heard = replace(self.heard, errors=ERRORS_MIN)


@pytest.mark.parametrize("is_extended", [False, True])
@pytest.mark.parametrize("bitrate", BITRATES)
def test_a_bus_with_traffic_is_found_by_listening_and_asked_only_at_its_own_rate(
    bitrate: int, is_extended: bool
) -> None:
    bus, search = FakeBus(bitrate, frames_11=1000, is_extended=is_extended), Search()
    asked = bus.run(search, 20, may_probe=True)
    assert search.result == Way(bitrate, is_extended)
    assert asked == [Way(bitrate, False), Way(bitrate, True)][: 1 + is_extended]
    assert bus.said[-1] == Found(Way(bitrate, is_extended))
    assert Found(Way(bitrate)) in bus.said


def test_where_29_bits_are_heard_they_are_asked_first() -> None:
    bus, search = FakeBus(frames_11=20, frames_29=1000, is_extended=True), Search()
    assert bus.run(search, 20, may_probe=True) == [WIDE_500]


def test_without_leave_the_rate_is_found_and_nothing_is_asked_until_there_is() -> None:
    bus, search = FakeBus(frames_11=1000, is_extended=False), Search()
    assert bus.run(search, 60, may_probe=False) == []
    assert search.result == Way(500_000)
    assert bus.run(search, 5, may_probe=True, from_s=60) == [CLASSIC_500]
    assert search.result == CLASSIC_500


@pytest.mark.parametrize(("bitrate", "is_extended"), [(way.bitrate, way.is_extended) for way in SWEEP])
def test_a_silent_bus_is_asked_once_at_each_rate_and_width_after_all_were_heard(
    bitrate: int, is_extended: bool
) -> None:
    bus, search = FakeBus(bitrate, is_extended=is_extended), Search()
    asked = bus.run(search, 60, may_probe=True)
    assert bus.said[:2] == [Listen(500_000), Listen(250_000)]
    assert search.result == Way(bitrate, is_extended)
    assert asked[-1] == search.result
    assert len(set(asked)) == len(asked)


def test_on_a_bus_with_traffic_an_answer_that_was_lost_costs_a_pause_and_not_the_drive() -> None:
    bus, search = FakeBus(frames_11=1000), Search()
    assert bus.run(search, 100, may_probe=True) == [CLASSIC_500, WIDE_500] * 4
    bus.is_extended = True
    assert bus.run(search, 200, may_probe=True, from_s=100) == [CLASSIC_500, WIDE_500]
    assert search.result == WIDE_500


def test_the_pauses_between_two_rounds_double_up_to_five_minutes() -> None:
    bus, search = FakeBus(frames_11=1000), Search((0,))
    rounds = len(bus.run(search, 3600, may_probe=True)) // 2
    assert rounds == 1 + 5 + (3600 - 10 * 31) // 300


def test_a_round_begins_a_pause_after_the_end_of_the_one_before() -> None:
    search, asked, now_us = Search((0,)), [], 0
    heard = Heard(frames_11=FRAMES_MIN)
    for now_us in range(0, 16 * S, 500 * MS):
        action = search.step(now_us, heard, may_probe=True)
        if isinstance(action, Ask):
            asked.append((now_us / S, action.way.is_extended))
    assert asked == [(1.0, False), (2.0, True), (13.0, False), (14.0, True)]


@pytest.mark.parametrize(
    ("heard", "is_found"),
    [
        pytest.param(Heard(answers=1, errors=ERRORS_MIN - 1), True, id="a few errors beside the answer"),
        pytest.param(Heard(answers=1, errors=ERRORS_MIN), False, id="errors enough for another rate"),
    ],
)
def test_an_answer_among_errors(heard: Heard, is_found: bool) -> None:
    search = Search((0,))
    search.step(0, Heard(), may_probe=True)
    assert search.step(LISTEN_US, Heard(), may_probe=True) == Ask(Way(0, False))
    search.step(LISTEN_US + 1, heard, may_probe=True)
    assert (search.result == Way(0, False)) is is_found


@pytest.mark.parametrize(("errors", "said"), [(ERRORS_MIN - 1, None), (ERRORS_MIN, Listen(0))])
def test_errors_after_a_question_end_the_questions_at_this_rate(errors: int, said: Listen | None) -> None:
    search = Search((0,))
    search.step(0, Heard(), may_probe=True)
    search.step(LISTEN_US, Heard(), may_probe=True)
    assert search.step(LISTEN_US + 1, Heard(errors=errors), may_probe=True) == said


def test_where_both_widths_are_heard_alike_11_bits_are_asked_first() -> None:
    assert FakeBus(frames_11=500, frames_29=500, is_extended=False).run(Search(), 9, may_probe=True) == [CLASSIC_500]


def test_a_silent_bus_is_not_asked_without_leave() -> None:
    bus = FakeBus(is_extended=False)
    assert bus.run(Search(), 600, may_probe=False) == []
    assert [said.bitrate for said in bus.said if isinstance(said, Listen)][:4] == [500_000, 250_000, 500_000, 250_000]


def test_one_sweep_for_each_time_the_car_wakes() -> None:
    bus, search = FakeBus(bitrate=125_000), Search()
    assert bus.run(search, 600, may_probe=True) == [CLASSIC_500, CLASSIC_250]
    assert bus.run(search, 600, may_probe=False, from_s=600) == []
    assert bus.run(search, 600, may_probe=True, from_s=1200) == [CLASSIC_500, CLASSIC_250]


def test_where_nobody_answers_and_nothing_is_wrong_all_four_are_asked_once() -> None:
    bus, search = FakeBus(), Search((0,))
    assert bus.run(search, 600, may_probe=True) == [Way(0, False), Way(0, True)]
    assert search.result is None


def test_a_bus_that_wakes_after_the_sweep_is_found_by_listening() -> None:
    bus, search = FakeBus(), Search((0,))
    bus.run(search, 60, may_probe=True)
    bus.frames_11 = 500
    bus.run(search, 60, may_probe=True, from_s=60)
    assert search.result == Way(0)


def test_nothing_is_ever_sent_at_a_rate_at_which_errors_were_heard() -> None:
    bus = FakeBus(bitrate=125_000, frames_11=1000)
    assert bus.run(Search(), 600, may_probe=True) == []


@pytest.mark.parametrize(
    ("heard", "is_found"),
    [
        pytest.param(Heard(frames_11=FRAMES_MIN - 1), False, id="just too few frames"),
        pytest.param(Heard(frames_11=FRAMES_MIN), True, id="enough frames"),
        pytest.param(Heard(frames_11=1, frames_29=FRAMES_MIN - 1), True, id="of both widths together"),
        pytest.param(Heard(frames_11=FRAMES_MIN, errors=FRAMES_MIN), False, id="as many errors"),
        pytest.param(Heard(frames_11=FRAMES_MIN + 1, errors=FRAMES_MIN), True, id="fewer errors than frames"),
    ],
)
def test_what_counts_as_traffic(heard: Heard, is_found: bool) -> None:
    search = Search()
    assert search.step(0, Heard(), may_probe=False) == Listen(500_000)
    assert (search.step(LISTEN_US - 1, heard, may_probe=False) == Found(Way(500_000))) is is_found


@pytest.mark.parametrize(
    ("at_us", "errors", "said"),
    [
        (LISTEN_US - 1, 0, None),
        (LISTEN_US, 0, Listen(250_000)),
        (1, ERRORS_MIN - 1, None),
        (1, ERRORS_MIN, Listen(250_000)),
    ],
)
def test_the_next_rate_is_heard_after_a_while_or_as_soon_as_this_one_is_wrong(
    at_us: int, errors: int, said: Listen | None
) -> None:
    search = Search()
    search.step(0, Heard(), may_probe=False)
    assert search.step(at_us, Heard(errors=errors), may_probe=False) == said


def test_an_answer_is_waited_for_a_second() -> None:
    search = Search((0,))
    search.step(0, Heard(), may_probe=True)
    assert search.step(LISTEN_US, Heard(), may_probe=True) == Ask(Way(0, False))
    assert search.step(LISTEN_US + ANSWER_US - 1, Heard(), may_probe=True) is None
    assert search.step(LISTEN_US + ANSWER_US, Heard(), may_probe=True) == Ask(Way(0, True))
    assert search.step(LISTEN_US + ANSWER_US + 1, Heard(answers=1), may_probe=True) == Found(Way(0, True))


def test_the_question_is_which_pids_are_supported_of_everybody() -> None:
    assert (QUESTION.payload, QUESTION.to) == (b"\x01\0", FUNCTIONAL)


# What was remembered


def test_a_remembered_way_is_heard_first_and_asked_first() -> None:
    bus, search = FakeBus(250_000, frames_11=1000, is_extended=True), Search(remembered=WIDE_250)
    assert bus.run(search, 20, may_probe=True) == [WIDE_250]
    assert bus.said[0] == Listen(250_000)


def test_on_a_silent_bus_the_remembered_way_is_asked_before_other_rates_are_heard() -> None:
    bus, search = FakeBus(250_000, is_extended=True), Search(remembered=WIDE_250)
    assert bus.run(search, 20, may_probe=True) == [WIDE_250]
    assert bus.said == [Listen(250_000), Ask(WIDE_250), Found(WIDE_250)]


def test_a_remembered_way_that_no_longer_holds_costs_one_question_of_the_sweep() -> None:
    bus, search = FakeBus(500_000, is_extended=True), Search(remembered=WIDE_250)
    assert bus.run(search, 60, may_probe=True) == [WIDE_250, CLASSIC_500, WIDE_500]
    assert search.result == WIDE_500


def test_a_remembered_way_is_not_asked_where_another_rate_carries_traffic() -> None:
    bus, search = FakeBus(500_000, frames_11=1000, is_extended=True), Search(remembered=WIDE_250)
    assert bus.run(search, 60, may_probe=True) == [CLASSIC_500, WIDE_500]


def test_a_remembered_rate_the_interface_cannot_be_set_to_is_passed_over() -> None:
    bus, search = FakeBus(is_extended=False), Search((0,), remembered=CLASSIC_250)
    assert bus.run(search, 20, may_probe=True) == [Way(0, False)]


def test_after_the_bus_was_lost_it_is_searched_again_but_the_sweep_stays_spent() -> None:
    bus, search = FakeBus(), Search((0,))
    bus.run(search, 60, may_probe=True)
    search.restart()
    assert bus.run(search, 60, may_probe=True, from_s=60) == []
    assert bus.said[-1] == Listen(0)
