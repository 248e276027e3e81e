"""Verdicts: each expectation can hold and can fail, with its reason; JUnit, the page."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from hil.books import trouble_words
from hil.outcome import Account, EventFound, Live, Outcome, TripFound, TruthRow
from hil.report.junit import Result, junit
from hil.report.page import page
from hil.report.verdict import Finding, judge
from hil.scenes.scenario_table import Scenario

FRAMES = {"in": 10, "decoded": 6, "unmapped": 2, "rejected": 1, "dropped": 1}
TRUTH = (TruthRow(0, 0, 0, 0, 800, 0), TruthRow(30, 10, 1, 0, 2000, 1000))
BRAKING = EventFound(kind="harsh_braking", start_s=12.0, end_s=14.0, severity="medium", peak_mps2=5.0, value=1000.0)
CRASH = EventFound(kind="crash", start_s=20.0, end_s=20.1, severity="high", direction="front", is_locked=True)
TRIP = TripFound(start_s=1.0, end_s=30.0, distance_m=1000.0, end_reason="stopped")
ACCOUNT = Account(
    records=9, devices=1, missing=(), faults=(), redelivered=1, seals=2, starts=1, verify_code=0, verify_words=""
)
LIVE = Live(
    account=ACCOUNT, exit_codes=(0,), depths=((0.0, 1), (30.0, 0)), latencies_ms=(3.0, 70.0, 99_000.0), log="<log>"
)


def scenario(**expect: Any) -> Scenario:
    table = {
        "title": "A <test>", "why": "To try it.", "places": ["live"], "drive": [{"label": "a", "lasts_s": 30}],
        "fault": [{"name": "link_cut", "from_s": 5, "to_s": 9}], "expect": expect,
    }  # fmt: skip
    return msgspec.convert(table, Scenario)


def outcome(**more: Any) -> Outcome:
    told = {"events": (BRAKING, CRASH), "trips": (TRIP,), "counters": FRAMES, "truth": TRUTH, **more}
    return Outcome(scenario="x", place="live", seed=1, took_s=1.0, drive_s=30.0, **told)


def account(**more: Any) -> Live:
    return msgspec.structs.replace(LIVE, account=msgspec.structs.replace(ACCOUNT, **more))


def failed(findings: list[Finding]) -> list[str]:
    return [finding.name for finding in findings if not finding.holds]


def event(**more: Any) -> dict[str, Any]:
    return {"event": [{"kind": "harsh_braking", **more}]}


@pytest.mark.parametrize(
    ("expect", "bad"),
    [
        pytest.param(event(from_s=12, to_s=13, severity="medium"), [], id="as it came"),
        pytest.param(event(to_s=11.99), ["1 x harsh_braking between 0 and 11.99 s"], id="too late"),
        pytest.param(event(from_s=12.01), ["1 x harsh_braking from 12.01 s on"], id="too early"),
        pytest.param(event(count=2), ["2 x harsh_braking"], id="too few"),
        pytest.param(event(severity="high"), ["1 x harsh_braking high"], id="not as severe"),
        pytest.param({"event": [{"kind": "crash", "direction": "rear"}]}, ["1 x crash rear"], id="another side"),
        pytest.param({"event": [{"kind": "crash", "is_locked": False}]}, ["1 x crash not locked"], id="locked"),
        pytest.param({"event": [{"kind": "crash", "rule": "roll"}]}, ["1 x crash roll"], id="another rule"),
        pytest.param({"event": [{"kind": "tow"}]}, ["1 x tow"], id="none at all"),
        pytest.param(event(value=990.0, share=0.02), [], id="a value within 2 %"),
        pytest.param(event(value=970.0), ["1 x harsh_braking of 970 ± 2.0%"], id="a value beyond 2 %"),
        pytest.param({"event": [{"kind": "crash", "value": 1.0}]}, ["1 x crash of 1 ± 2.0%"], id="no value"),
        pytest.param({"never": ["tow"]}, [], id="never, and none"),
        pytest.param({"never": ["crash"]}, ["never crash"], id="never, but one"),
        pytest.param({**event(), "only": True}, ["no other event"], id="another one besides"),
        pytest.param({"trip": [{"distance_m": 981, "end_reason": "stopped"}]}, [], id="a trip within 2 %"),
        pytest.param({"trip": [{"distance_m": 979}]}, ["trip 0: 979 m ± 2%"], id="a trip beyond 2 %"),
        pytest.param({"trip": [{"end_reason": "unplugged"}]}, ["trip 0 ended: unplugged"], id="another reason"),
        pytest.param({"trip": []}, ["0 trips"], id="a trip too many"),
        pytest.param({"distance_share": 0.01}, [], id="all of the way"),
        pytest.param({"rejected_min": 1, "unmapped_min": 2}, [], id="counted"),
        pytest.param({"rejected_min": 2, "unmapped_min": 3}, ["at least 2 frames rejected", "at least 3 frames unmapped"], id="not counted"),
        pytest.param({"dropped_max": 1}, [], id="as many dropped as may be"),
        pytest.param({"dropped_max": 0}, ["at most 0 frames dropped"], id="one dropped too many"),
    ],
)  # fmt: skip
def test_an_expectation_holds_or_does_not(expect: dict[str, Any], bad: list[str]) -> None:
    assert failed(judge(scenario(**expect), outcome())) == bad


@pytest.mark.parametrize(
    ("live", "bad"),
    [
        pytest.param(LIVE, [], id="all is well"),
        pytest.param(account(devices=2), ["one device"], id="two devices"),
        pytest.param(account(missing=(3,)), ["no record lost"], id="a record lost"),
        pytest.param(account(records=0), ["no record lost"], id="no record"),
        pytest.param(account(faults=("twice",)), ["each on its lane"], id="other bytes under a number"),
        pytest.param(account(seals=0), ["sealed"], id="no seal"),
        pytest.param(account(verify_code=1, verify_words="broken"), ["tbox verify accepts it"], id="a broken chain"),
        pytest.param(account(starts=2), ["1 start"], id="a restart nobody asked for"),
        pytest.param(msgspec.structs.replace(LIVE, heard=1), ["silent on the bus"], id="it spoke"),
        pytest.param(msgspec.structs.replace(LIVE, exit_codes=(0, -9)), ["ended with 0"], id="it was killed"),
        pytest.param(msgspec.structs.replace(LIVE, car_dropped=1), ["the bench lost no frame"], id="the bench failed"),
    ],
)
def test_a_live_run_is_judged_by_its_account_too(live: Live, bad: list[str]) -> None:
    assert failed(judge(scenario(), outcome(live=live))) == bad


HEARD = msgspec.structs.replace(
    LIVE, heard=9, heard_by=((0.0, 0), (4.0, 5), (10.0, 9)), trouble=("lamp on",), kinds={"event": 2}
)


@pytest.mark.parametrize(
    ("expect", "bad"),
    [
        pytest.param({"sends": [{"from_s": 4, "to_s": 9.9, "most": 0}]}, [], id="silent between"),
        pytest.param({"sends": [{"from_s": 4, "to_s": 10, "most": 3}]}, ["at most 3 frames sent from 4 to 10 s"], id="not silent"),
        pytest.param({"sends": [{"from_s": 0, "to_s": 4, "least": 5}]}, [], id="asked enough"),
        pytest.param({"sends": [{"from_s": 0, "to_s": 3.9, "least": 1}]}, ["at least 1 frames sent from 0 to 3.9 s"], id="too late"),
        pytest.param({"trouble": ["lamp on"]}, [], id="told"),
        pytest.param({"records": {"event": 2}}, [], id="enough records"),
        pytest.param({"records": {"event": 3, "evidence": 1}}, ["at least 3 event records", "at least 1 evidence records"], id="too few records"),
        pytest.param({"trouble": []}, ["trouble told: none"], id="told for nothing"),
        pytest.param({"trouble": ["appeared P1 stored", "lamp on"]}, ["trouble told: appeared P1 stored; lamp on"], id="half"),
        pytest.param({"trouble": ["lamp on", "lamp off"]}, ["trouble told: lamp on; lamp off"], id="half of it"),
    ],
)  # fmt: skip
def test_what_is_asked_and_what_the_car_complains_of_is_judged(expect: dict[str, Any], bad: list[str]) -> None:
    assert failed(judge(scenario(silence=False, **expect), outcome(live=HEARD))) == bad


@pytest.mark.parametrize(
    ("told", "is_good"),
    [
        (("lamp on", "appeared P1 stored", "lamp off", "cleared P1 stored"), True),
        (("appeared P1 stored", "lamp on", "cleared P1 stored", "lamp off"), True),
        (("cleared P1 stored", "lamp on", "appeared P1 stored", "lamp off"), False),
        (("appeared P1 stored", "lamp off", "cleared P1 stored", "lamp on"), False),
    ],
)
def test_of_each_code_and_of_the_lamp_the_order_counts(told: tuple[str, ...], is_good: bool) -> None:
    live = msgspec.structs.replace(LIVE, trouble=told)
    expect = ["appeared P1 stored", "lamp on", "lamp off", "cleared P1 stored"]
    assert (not failed(judge(scenario(trouble=expect), outcome(live=live)))) == is_good


@pytest.mark.parametrize(
    "bodies",
    [
        [{"freeze": {"010C": 800}}, {"kind": "pending"}],
        [{}, {"kind": "pending"}, {"dtc": "freeze"}],
    ],
)
def test_a_freeze_frame_stands_by_its_code_whenever_it_came(bodies: list[dict[str, Any]]) -> None:
    code = {"dtc": "appeared", "code": "P0301", "kind": "stored", "freeze": None}
    words = trouble_words([{**code, **body} for body in bodies] + [{"dtc": "lamp", "is_on": True}])
    assert words == ("appeared P0301 stored", "freeze P0301", "appeared P0301 pending", "lamp on")


@pytest.mark.parametrize("counters", [{}, {**FRAMES, "in": 11}])
def test_frames_that_are_not_conserved_are_a_failure(counters: dict[str, int]) -> None:
    assert failed(judge(scenario(), outcome(counters=counters))) == ["frames conserved"]


def test_a_way_that_is_missing_is_a_failure() -> None:
    half = msgspec.structs.replace(TRIP, distance_m=500.0)
    assert failed(judge(scenario(distance_share=0.05), outcome(trips=(half,)))) == ["all of the way"]


def test_a_run_in_trouble_has_one_finding_and_its_reason() -> None:
    assert judge(scenario(never=["crash"]), outcome(trouble="it broke")) == [
        Finding("runs", holds=False, words="it broke")
    ]


def test_junit_has_a_case_for_each_expectation_and_the_command_for_a_failure() -> None:
    findings = judge(scenario(never=["crash"]), outcome())
    results = [Result("x", "live", 1.0, findings, "python -m hil run x"), Result("y", "", skipped="no data")]
    root = ET.fromstring(junit(results))
    assert (root.get("tests"), root.get("failures")) == (str(len(findings)), "1")
    (failure,) = root.iter("failure")
    assert failure.text == "python -m hil run x"
    assert [skipped.get("message") for skipped in root.iter("skipped")] == ["no data"]


def test_the_page_says_everything_and_needs_nothing_else() -> None:
    expect = {"never": ["crash"], **event(from_s=11, to_s=13)}
    told, found = scenario(**expect), outcome(live=LIVE)
    text = page(told, found, judge(told, found), "python -m hil run x --seed 1")
    assert text == page(told, found, judge(told, found), "python -m hil run x --seed 1")
    for words in (
        "FAIL: 1 of ",
        "A &lt;test&gt;",
        "never crash",
        "link_cut",
        "&lt;log&gt;",
        "over 30000 ms",
        "hil run x",
    ):
        assert words in text
    assert not re.search(r'(?:src|href)="(?!#)|@import|url\(', text)
    assert re.findall(r'class="badge ([a-z]*)"', text) == ["", "bad", "", "bad"]
    drive, signals = text.split("Every signal of the car")
    assert drive.count('rect class="expected"') == 1
    assert drive.count('rect class="fault"') == 5
    for name in ("Speed", "Rpm", "Accel x", "Gyro z", "Latitude", "Ignition"):
        assert f">{name} <" in signals
    assert signals.count("<svg") == signals.count('rect class="fault"') == signals.count('rect class="expected"')


def test_a_page_of_a_run_that_came_to_nothing_says_so() -> None:
    told, found = scenario(), outcome(trouble="no broker", truth=(), events=(), counters={}, trips=())
    assert "no broker" in page(told, found, judge(told, found), "again")
