"""Faults of the bus as the bench makes them, what a scenario may say of them, and how it is judged."""

from typing import Any

import msgspec
import pytest

from agent.codec import ZEROS, Record, make
from hil.books import Books, silences
from hil.car.bus_faults import BusFaults
from hil.faults.live_faults import refusal
from hil.outcome import Account, Live, Outcome
from hil.places.in_process import _candump, _Watch, stray_line
from hil.report.verdict import judge
from hil.scenes.contradictions import contradictions
from hil.scenes.scenario_table import FaultTable, Scenario


def fault(name: str, **more: Any) -> FaultTable:
    return msgspec.convert({"name": name, "from_s": 1.0, "to_s": 2.0, **more}, FaultTable)


def scenario(*faults: FaultTable, **more: Any) -> Scenario:
    table = {"title": "t", "why": "w.", "places": ["kernel"], "drive": [{"label": "a", "lasts_s": 4}], "expect": {}}
    return msgspec.structs.replace(msgspec.convert(table | more, Scenario), fault=faults)


# ---- the bus ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "line"),
    [
        pytest.param("", "20000008#0000000000000000", id="a protocol violation"),
        pytest.param("warning", "20000004#000C000000006060", id="96 errors either way"),
        pytest.param("passive", "20000004#0030000000008080", id="128 errors either way"),
        pytest.param("arbitration", "20000002#0C00000000000000", id="it gave way"),
    ],
)
def test_error_frames_say_what_happened(what: str, line: str) -> None:
    (stray,) = BusFaults([fault("error_frames", what=what, size=1)], 1).until(4.0)
    assert stray_line(stray) == f"(1.000000) can0 {line}"


def test_a_controller_that_is_off_says_so_once_and_hears_nothing_until_it_is_back() -> None:
    faults = BusFaults([fault("bus_off"), fault("tester", from_s=0.5, to_s=3.0, size=2)], 1)
    told = [stray for step in range(1, 400) for stray in faults.until(step * 0.01)]
    assert [(stray.time_s, stray.identifier, stray.is_error) for stray in told] == [
        (0.5, 0x7DF, False),
        (1.0, 0x040, True),
        (2.0, 0x100, True),
        (2.0, 0x7DF, False),
        (2.5, 0x7DF, False),
    ]
    assert [faults.is_off(time_s) for time_s in (0.99, 1.0, 1.99, 2.0)] == [False, True, True, False]


def test_the_log_of_a_drive_has_no_frame_while_the_controller_is_off() -> None:
    lines = list(_candump(scenario(fault("bus_off"), places=["process"]), 1, _Watch()))
    off = [line for line in lines if "(1." in line]
    assert off == ["(1.000000) can0 20000040#0000000000000000"]
    assert sum("(2." in line for line in lines) == sum("(3." in line for line in lines) + 1


# ---- what a scenario may say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "more", "words"),
    [
        (fault("certificate_expired"), {}, "nobody shows one; write tls = true"),
        (fault("certificate_wrong"), {"tls": True}, "what is one of name, authority"),
        (fault("certificate_wrong", what="name"), {"tls": True}, ""),
        (fault("dns_failure"), {}, 'the broker has no name; write settings = { "mqtt.host" = "broker.test" }'),
        (fault("dns_failure", what="silent"), {"settings": {"mqtt.host": "broker.test"}}, ""),
        (fault("dns_failure", what="deaf"), {"settings": {"mqtt.host": "broker.test"}}, "what is one of nothing, silent"),
        (fault("gnss_week"), {}, "there is no receiver; write receiver = true"),
        (fault("error_frames", what="active"), {}, "what is one of nothing, warning, passive, arbitration"),
        (fault("trouble_code", what="P0301"), {"ecus": "narrow"}, ""),
    ],
)  # fmt: skip
def test_a_fault_of_what_is_not_there_is_said(one: FaultTable, more: dict[str, Any], words: str) -> None:
    said = list(contradictions(scenario(one, **more)))
    assert said == ([f"fault[0] ({one.name}): {words}"] if words else [])


def test_a_recording_has_no_receiver() -> None:
    recorded = scenario(drive=[], recording=[{"path": "x.log"}], receiver=True)
    assert "receiver: it needs the simulated car to tell where it is; leave it out" in list(contradictions(recorded))


@pytest.mark.parametrize("name", ["dns_failure", "ntp_step", "rtc_1970", "clock_step"])
def test_what_would_change_this_machine_is_refused_outside_of_a_kernel(name: str) -> None:
    assert refusal([fault(name)], "vcan") == f"{name} would change this machine: run it with --place kernel"
    assert refusal([fault(name)], "kernel") == ""


# ---- books and verdict -----------------------------------------------------------------------------------------------


def record(kind: str, seq: int, **body: Any) -> Record:
    return make(kind, b"12345678", 1, seq, seq * 1000, ZEROS, body)


def books(*told: Record) -> Books:
    made = Books()
    made.utc_us = 1_000_000_000
    truth: dict[str, Any] = {"speed_mps": 1, "forward_mps2": 0, "left_mps2": 0, "rpm": 800, "distance_m": 5, "heard": 0}
    truth |= {"at_us": 0, "time_s": 0.0}
    made.see(truth, waiting=0)
    for one in told:
        made.inbox.take(f"tbox/v1/x/{one.lane}", one.raw)
        made.note(one, one.seq * 1_000_000)
    return made


class Gone:
    """A terminal that has ended."""

    exit_codes = (0,)

    def log(self) -> str:
        """Its words."""
        return "silent: bus_off"


CLOCKS: list[dict[str, Any]] = [
    {"boot_us": 1_000, "utc_us": 1_000_001_000, "u_us": None, "source": "system"},
    {"boot_us": 2_000, "utc_us": 1_000_502_000, "u_us": 400, "source": "ntp"},
    {"boot_us": 3_000, "utc_us": 1_000_303_000, "u_us": 400, "source": "ntp"},
    {"boot_us": 4_000, "utc_us": 9_000_004_000, "u_us": 900, "source": "gnss"},
]


@pytest.mark.parametrize(
    ("clocks", "off_s"),
    [
        pytest.param([], None, id="none"),
        pytest.param(CLOCKS[:1], 0.0, id="nobody vouches"),
        pytest.param(CLOCKS[:2], 0.5, id="who knows goes first"),
        pytest.param(CLOCKS[:3], 0.3, id="the last of equals"),
        pytest.param(CLOCKS, 0.3, id="who knows best"),
    ],
)
def test_a_boot_is_dated_by_the_clock_record_that_knows_best(clocks: list[dict[str, Any]], off_s: float | None) -> None:
    made = books(*(record("clock", seq, **body) for seq, body in enumerate(clocks)))
    assert made._utc_error_s() == off_s


def test_the_books_know_when_records_came_and_why_it_was_silent() -> None:
    lines = {"can0": {"silences": {"bus_off": 2, "tester": 1}}, "can1": {"silences": {"bus_off": 1}}}
    made = books(record("boot", 0), record("clock", 1, **CLOCKS[0]), record("health", 2, asking=lines))
    live: Live = made.outcome({}, Gone(), "up")["live"]  # type: ignore[arg-type]  # as much of one as is looked at
    assert live.arrived_by == ((0.0, 1), (1.0, 2), (2.0, 3))
    assert live.clocks == ("system",)
    assert live.silences == silences({"asking": lines}) == {"bus_off": 3, "tester": 1}


ACCOUNT = Account(
    records=9, devices=1, missing=(), faults=(), redelivered=0, seals=1, starts=1, verify_code=0, verify_words=""
)
LIVE = Live(
    account=ACCOUNT, exit_codes=(0,), arrived_by=((0.5, 1), (5.0, 2), (5.0, 3)), silences={"bus_off": 2},
    clocks=("system", "ntp"), utc_error_s=0.3, log="vcan0: silent: bus_off\n",
)  # fmt: skip
FRAMES = {"in": 10, "decoded": 7, "unmapped": 0, "rejected": 0, "dropped": 3}


@pytest.mark.parametrize(
    ("expect", "bad"),
    [
        pytest.param({"arrives": [{"from_s": 1, "to_s": 4.9, "most": 0}]}, "", id="nothing came"),
        pytest.param({"arrives": [{"from_s": 1, "to_s": 5, "most": 1}]}, "at most 1 records arrived from 1 to 5 s", id="too much came"),
        pytest.param({"says": ["silent: bus_off"]}, "", id="it said so"),
        pytest.param({"says": ["silent: tester"]}, 'says "silent: tester"', id="it did not"),
        pytest.param({"silences": {"bus_off": 2}}, "", id="silent twice"),
        pytest.param({"silences": {"bus_off": 3}}, "silent for bus_off at least 3 times", id="not thrice"),
        pytest.param({"silences": {"tester": 1}}, "silent for tester at least 1 time", id="for another reason"),
        pytest.param({"clocks": ["system", "ntp"]}, "", id="one step"),
        pytest.param({"clocks": ["system"]}, "clock records: system", id="a step too many"),
        pytest.param({"utc_error_s": 0.3}, "", id="dated"),
        pytest.param({"utc_error_s": 0.29}, "dated within 0.29 s", id="dated wrongly"),
        pytest.param({"dropped_max": 3}, "", id="as many lost as may be"),
        pytest.param({"dropped_max": 2}, "at most 2 frames dropped", id="more"),
    ],
)  # fmt: skip
def test_what_is_expected_of_the_link_the_silence_and_the_time_is_judged(expect: dict[str, Any], bad: str) -> None:
    outcome = Outcome(scenario="x", place="kernel", seed=1, took_s=1, drive_s=4, counters=FRAMES, live=LIVE)
    findings = judge(scenario(expect=expect), outcome)
    assert [finding.name for finding in findings if not finding.holds] == ([bad] if bad else [])
