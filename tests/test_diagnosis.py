"""One way into the car: it is found, asked, lost and found again; what is known outlives a start."""

from dataclasses import replace
from typing import Any

import pytest

from agent.asking.agenda import NEVER_US
from agent.asking.diagnosis import Census, Diagnosis, Open
from agent.asking.search import BITRATES, LISTEN_US
from agent.asking.silence import Rule, Signs
from drivers.batch import EXTENDED
from drivers.bus.diagnostic import Answer, Request
from tests.garage import MS, FakeEcu, S, engine, poller

RULE = Rule(listen_only=False, tester_s=60.0, engine_off_s=60.0, floor_v=11.8, charging_v=13.2)
THERE = Signs(is_there=True, is_proved=False, voltage_v=14.1)
FAST, SLOW = BITRATES
BITMAPS = Request(0x01, b"\0")
WIDE = EXTENDED | 0x18DAF110
TRAFFIC = Census(frames_11=3)


class Bench:
    """A decider, the time, and units that answer after 10 ms."""

    def __init__(self, *ecus: FakeEcu, rates: tuple[int, ...] = BITRATES, kept: dict[str, Any] | None = None) -> None:
        self.it = Diagnosis(RULE, poller(), rates, kept)
        self.ecus = ecus
        self.now_us = 100 * S
        self.signs = THERE
        self.did: list[Open | Request] = []
        self.told: list[dict[str, Any]] = []
        self._coming: list[Answer] = []

    def turn(self, after_us: int = 20 * MS, census: Census = Census(), **signs: Any) -> Open | Request | None:  # noqa: B008  (it never changes)
        """Time goes by, then once round."""
        self.now_us += after_us
        self.signs = replace(self.signs, is_proved=self.it.is_proved or not self.it.way, **signs)
        came, self._coming = [answer for answer in self._coming if answer.t_us <= self.now_us], []
        self.told += self.it.hear(self.now_us, came)
        did = self.it.step(self.now_us, self.signs, census)
        if did is not None:
            self.did.append(did)
        if isinstance(did, Request):
            self._coming = [answer for ecu in self.ecus if (answer := self._answer(ecu, did)) is not None]
        return did

    def run(self, seconds: float, census: Census = Census()) -> list[Open | Request]:  # noqa: B008  (it never changes)
        """Turns for so long; what was done meanwhile."""
        before = len(self.did)
        for _ in range(round(seconds * 50)):
            self.turn(census=census)
        return self.did[before:]

    def _answer(self, ecu: FakeEcu, request: Request) -> Answer | None:
        is_wide = bool(ecu.identifier & EXTENDED)
        is_meant = request.to == ecu.asked_on or (not request.to and self.it.is_extended == is_wide)
        payload = ecu.answer(request) if is_meant else None
        return None if payload is None else Answer(self.now_us + 10 * MS, ecu.identifier, payload)


def asked(did: list[Open | Request]) -> list[Request]:
    return [one for one in did if isinstance(one, Request)]


def opened(did: list[Open | Request]) -> list[Open]:
    return [one for one in did if isinstance(one, Open)]


def test_a_silent_bus_is_heard_at_every_rate_then_asked_at_each_in_both_widths() -> None:
    bench = Bench()
    assert bench.run(2 * LISTEN_US / S) == [Open(FAST, listen_only=True), Open(SLOW, listen_only=True)]
    did = bench.run(4.5)
    assert opened(did)[:4] == [Open(FAST, False), Open(FAST, False), Open(SLOW, False), Open(SLOW, False)]
    assert asked(did) == [BITMAPS] * 4
    assert opened(did)[4:] == [Open(FAST, listen_only=True)], "nobody answered: it listens again"
    assert asked(bench.run(60)) == [], "one sweep for one wake"


@pytest.mark.parametrize(
    ("ecu", "is_wide"),
    [pytest.param(engine(), False, id="11 bits"), pytest.param(engine(identifier=WIDE), True, id="29 bits")],
)
def test_who_answers_is_polled(ecu: FakeEcu, is_wide: bool) -> None:
    bench = Bench(ecu)
    bench.run(12)
    assert bench.it.is_proved
    assert bench.it.is_extended == is_wide
    assert bench.it.health(bench.now_us)["way"] == {"bitrate": FAST, "is_extended": is_wide}
    assert set(bench.it.identity.values()) >= {"1HGCM82633A004352"}
    assert 0x0D in bench.it.supported[ecu.identifier]
    assert len(asked(bench.run(5))) > 50


def test_frames_say_which_rate_it_is_without_a_word() -> None:
    bench = Bench(engine())
    assert bench.turn() == Open(FAST, listen_only=True)
    assert bench.turn(census=Census(errors=2)) is None
    assert bench.turn(census=Census(errors=1)) == Open(SLOW, listen_only=True), "noise: another rate"
    bench.turn()
    did = [bench.turn(census=TRAFFIC) for _ in range(3)]
    assert did[-2:] == [Open(SLOW, listen_only=False), BITMAPS]


def test_with_the_engine_off_nothing_is_asked_and_nothing_opened_but_to_listen() -> None:
    bench = Bench(engine())
    bench.signs = replace(THERE, voltage_v=12.3)
    did = bench.run(60)
    assert asked(did) == []
    assert {how.listen_only for how in opened(did)} == {True}
    assert bench.it.silence.reason == "engine_off"
    assert bench.it.wake_us() == NEVER_US


def test_the_time_in_which_a_bus_is_opened_does_not_count() -> None:
    bench = Bench(engine())
    bench.turn()
    assert bench.turn(after_us=10 * S) is None, "it took 10 s to open, and now it is heard for 3 s"
    assert bench.turn(after_us=LISTEN_US - 1) is None
    assert bench.turn(after_us=1) == Open(SLOW, listen_only=True)


def test_a_question_waits_for_its_bus_however_long_that_takes_to_open() -> None:
    bench = Bench(engine(), rates=(FAST,))
    bench.turn()
    bench.turn()
    assert bench.turn(after_us=LISTEN_US) == Open(FAST, listen_only=False)
    assert bench.it.wake_us() == 0, "at once"
    assert bench.turn(after_us=20 * S) == BITMAPS
    bench.turn()
    assert bench.it.is_proved
    assert bench.it.is_extended is False


def test_an_answer_of_the_other_width_is_no_answer() -> None:
    bench = Bench(rates=(FAST,))
    bench.run(3.2)
    bench.run(1.1)
    assert bench.it.is_extended, "11 bits were not answered, 29 are asked"
    bench.it.hear(bench.now_us, [Answer(bench.now_us, 0x7E8, b"\x41\0\xff\xff\xff\xff")])
    bench.turn()
    assert not bench.it.is_proved


def test_a_question_is_not_sent_when_it_was_forbidden_while_its_bus_was_opened() -> None:
    bench = Bench(engine(), rates=(FAST,))
    while bench.did[-1:] != [Open(FAST, listen_only=False)]:
        bench.turn()
    assert bench.turn(foreign=1) is None
    assert asked(bench.run(59)) == []


def test_a_question_that_did_not_go_is_tried_again_while_its_time_lasts() -> None:
    bench = Bench(rates=(FAST,))
    while not asked(bench.did):
        bench.turn()
    bench.it.refused(bench.now_us, asked(bench.did)[-1], "bus")
    assert bench.turn() == BITMAPS


def test_a_request_that_did_not_go_is_the_pollers() -> None:
    bench = Bench(engine(), rates=(FAST,))
    bench.run(6)
    while not isinstance(request := bench.turn(), Request):
        pass
    before = bench.it.poller.counters()["refused"]
    bench.it.refused(bench.now_us, request, "bus")
    assert bench.it.poller.counters()["refused"] == before + 1


def test_a_lost_bus_is_another_one_which_is_heard_before_it_is_asked() -> None:
    bench = Bench(engine())
    bench.run(12)
    assert bench.it.is_proved
    assert bench.turn(is_there=False) == Open(FAST, listen_only=True), "it only listens when it comes back"
    assert (bench.it.way, bench.it.identity, bench.it.supported) == (None, {}, {})
    assert bench.it.health(bench.now_us)["units"] == {}
    assert bench.run(3600) == [], "time does not go by for what is not there"
    assert bench.turn(is_there=True) is None
    assert bench.run(LISTEN_US / S - 0.1) == [], "it is heard for as long as any"
    did = bench.run(1)
    assert did[:2] == [Open(FAST, listen_only=False), BITMAPS], "and the way that was known is tried at once"
    assert bench.it.is_proved


def test_a_question_dies_with_its_bus() -> None:
    bench = Bench(engine(), rates=(FAST,))
    while bench.did[-1:] != [Open(FAST, listen_only=False)]:
        bench.turn()
    bench.turn(is_there=False)
    assert bench.turn(is_there=True) is None
    assert asked(bench.run(2)) == []


@pytest.mark.parametrize(
    ("signs", "reason", "again_s"),
    [
        pytest.param({"errors": 1}, "bus_error", 1, id="error frames"),
        pytest.param({"is_bus_off": True}, "bus_off", 5, id="bus-off"),
        pytest.param({"foreign": 1}, "tester", 60, id="another tester"),
    ],
)
def test_a_fault_silences_and_passes(signs: dict[str, Any], reason: str, again_s: float) -> None:
    bench = Bench(engine(), rates=(FAST,))
    bench.run(6)
    assert not isinstance(bench.turn(**signs), Request)
    bench.signs = replace(bench.signs, is_bus_off=False)
    assert bench.it.silence.reason == reason
    assert asked(bench.run(again_s - 0.1)) == []
    assert len(asked(bench.run(1))) > 5
    assert bench.it.health(bench.now_us)["silences"][reason] == 1


def test_with_the_engine_everything_is_read_anew() -> None:
    bench = Bench(engine(), rates=(FAST,))
    bench.run(10)
    bench.turn(voltage_v=12.3)
    assert len(asked(bench.run(65))) > 100, "60 s more"
    assert asked(bench.run(10)) == []
    bench.turn(voltage_v=14.0)
    assert {0x03, 0x09} <= {request.service for request in asked(bench.run(5))}


def test_what_is_known_outlives_a_start_and_is_not_told_twice() -> None:
    unit = engine(codes={3: [b"\x03\x01"], 7: [], 0x0A: []})
    first = Bench(unit)
    first.run(20)
    assert [(body["dtc"], body["code"]) for body in first.told if body["dtc"] == "appeared"] == [("appeared", "P0301")]
    kept = first.it.state()
    assert kept["way"] == [FAST, False]
    second = Bench(unit, kept=kept)
    assert second.it.state() == kept
    did = second.run(LISTEN_US / S + 0.2)
    assert did[:3] == [Open(FAST, listen_only=True), Open(FAST, listen_only=False), BITMAPS]
    second.run(20)
    assert [body for body in second.told if body["dtc"] == "appeared"] == []
    unit.codes[3] = []
    second.run(30)
    assert [(body["dtc"], body["code"]) for body in second.told if body["dtc"] != "lamp"] == [("cleared", "P0301")]


def test_the_way_is_remembered_while_it_is_lost() -> None:
    bench = Bench(engine(identifier=WIDE))
    bench.run(12)
    bench.turn(is_there=False)
    assert bench.it.state()["way"] == [FAST, True]


def test_a_way_at_a_rate_that_is_set_otherwise_now_is_not_tried() -> None:
    bench = Bench(engine(), rates=(SLOW,), kept={"way": [FAST, False]})
    assert bench.turn() == Open(SLOW, listen_only=True)


def test_an_adapter_finds_its_car_and_says_so() -> None:
    bench = Bench(engine(), rates=())
    bench.it.step(bench.now_us, THERE, Census())
    assert bench.it.silence.reason == "not_proved"
    did = bench.run(5)
    assert opened(did) == []
    assert len(asked(did)) > 50
    assert bench.it.identity
    lost = replace(THERE, is_proved=False)
    assert bench.it.step(bench.now_us + S, lost, Census()) is None
    assert bench.it.identity == {}, "the next may be another car"
    assert bench.it.state()["way"] is None
