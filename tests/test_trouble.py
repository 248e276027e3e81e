"""Which records trouble codes, lamp and freeze frames make: two reads, units apart, across restarts, another car."""

import msgpack
import pytest

from agent.codec import make
from agent.obd.findings import Codes, Finding, Freeze, Identity, Monitors
from agent.obd.trouble import Body, Trouble

S = 1_000_000
ENGINE, GEARBOX = 0x7E8, 0x7E9
FRAME = ((0x0C, b"\x1a\xf8"), (0x0D, b"\x32"))
NUMBERS = {"010C": 1726.0, "010D": 50.0}


def codes(second: int, *found: str, ecu: int = ENGINE, service: str = "03") -> Codes:
    return Codes(second * S, ecu, service, found)


def lamp(second: int, *, is_on: bool, count: int = 0) -> Monitors:
    return Monitors(second * S, ENGINE, is_on, count, bytes([is_on << 7 | count, 0, 0, 0]))


def told(*findings: Finding, trouble: Trouble | None = None) -> list[str]:
    """Records in short: "appeared P0133 stored 7E8"."""
    decider = trouble or Trouble()
    return [_short(body) for found in findings for body in decider.step([found])]


def _short(body: Body) -> str:
    if body["dtc"] == "lamp":
        return f"lamp {'on' if body['is_on'] else 'off'} {body['ecu']}"
    return " ".join(str(body[key]) for key in ("dtc", "code", "kind", "ecu") if key in body)


@pytest.mark.parametrize(
    ("reads", "records"),
    [
        pytest.param([("P0133",)], [], id="one read is none"),
        pytest.param([("P0133",), ()], [], id="nor is one that the next does not bear out"),
        pytest.param([("P0133",), (), ("P0133",)], [], id="nor two with one between"),
        pytest.param([("P0133",)] * 2, ["appeared P0133 stored 7E8"], id="two in a row are"),
        pytest.param([("P0133",)] * 5, ["appeared P0133 stored 7E8"], id="told once"),
        pytest.param([("P0133",)] * 2 + [()], ["appeared P0133 stored 7E8"], id="gone for one read: still there"),
        pytest.param(
            [("P0133",)] * 2 + [()] * 2, ["appeared P0133 stored 7E8", "cleared P0133 stored 7E8"], id="gone for two"
        ),
        pytest.param(
            [("P0133",), ("C0300", "P0133"), ("C0300", "P0133")],
            ["appeared P0133 stored 7E8", "appeared C0300 stored 7E8"],
            id="each counts its own reads",
        ),
        pytest.param(
            [("P0300", "P0133")] * 2, ["appeared P0133 stored 7E8", "appeared P0300 stored 7E8"], id="in order"
        ),
    ],
)
def test_two_reads_in_a_row_make_a_record(reads: list[tuple[str, ...]], records: list[str]) -> None:
    assert told(*(codes(second, *found) for second, found in enumerate(reads))) == records


@pytest.mark.parametrize(("service", "kind"), [("03", "stored"), ("07", "pending"), ("0A", "permanent")])
def test_each_service_has_its_kind(service: str, kind: str) -> None:
    [body] = Trouble().step([codes(5, "P0133", service=service), codes(15, "P0133", service=service)])
    assert body == {"dtc": "appeared", "code": "P0133", "kind": kind, "ecu": "7E8", "at_us": 5 * S, "freeze": None}


def test_a_pending_code_that_becomes_a_stored_one_is_told_as_both() -> None:
    reads: list[Finding] = [
        codes(0, "P0133", service="07"),
        codes(10, "P0133", service="07"),
        codes(20, "P0133"),
        codes(30, "P0133"),
    ]
    reads += [codes(31, service="07"), codes(41, service="07")]
    assert told(*reads) == ["appeared P0133 pending 7E8", "appeared P0133 stored 7E8", "cleared P0133 pending 7E8"]


def test_a_unit_that_does_not_answer_clears_nothing_and_units_are_apart() -> None:
    both: list[Finding] = [
        codes(0, "P0133"),
        codes(0, "P0700", ecu=GEARBOX),
        codes(10, "P0133"),
        codes(10, "P0700", ecu=GEARBOX),
    ]
    alone: list[Finding] = [codes(second, "P0700", ecu=GEARBOX) for second in range(20, 90, 10)]
    assert told(*both, *alone) == ["appeared P0133 stored 7E8", "appeared P0700 stored 7E9"]
    assert told(codes(0, "P0133"), codes(5, "P0133", ecu=GEARBOX)) == []


def test_the_lamp_is_told_when_two_reads_agree() -> None:
    reads: list[Finding] = [
        lamp(0, is_on=False),
        lamp(10, is_on=True, count=1),
        lamp(20, is_on=False),
        lamp(30, is_on=True, count=2),
    ]
    assert told(*reads) == []
    trouble = Trouble()
    trouble.step(reads)
    assert trouble.step([lamp(40, is_on=True, count=2)]) == [
        {"dtc": "lamp", "is_on": True, "codes": 2, "ecu": "7E8", "at_us": 30 * S}
    ]
    assert told(lamp(50, is_on=False), lamp(60, is_on=False), trouble=trouble) == ["lamp off 7E8"]


def test_a_freeze_frame_rides_with_the_code_that_stored_it() -> None:
    trouble = Trouble()
    reads: list[Finding] = [
        codes(0, "P0133", "P0300"),
        Freeze(5 * S, ENGINE, "P0133", FRAME),
        codes(10, "P0133", "P0300"),
    ]
    assert [(body["code"], body["freeze"]) for body in trouble.step(reads)] == [("P0133", NUMBERS), ("P0300", None)]
    assert told(Freeze(20 * S, ENGINE, "P0133", FRAME), trouble=trouble) == []


def test_a_freeze_frame_that_comes_late_follows_its_code_once() -> None:
    trouble = Trouble()
    trouble.step([codes(0, "P0133"), codes(10, "P0133")])
    late = Freeze(12 * S, ENGINE, "P0133", FRAME)
    assert trouble.step([late, late]) == [
        {"dtc": "freeze", "code": "P0133", "ecu": "7E8", "at_us": 12 * S, "freeze": NUMBERS}
    ]


def test_a_code_that_comes_back_has_its_new_freeze_frame_told() -> None:
    trouble = Trouble()
    trouble.step([codes(0, "P0133"), codes(10, "P0133"), Freeze(12 * S, ENGINE, "P0133", FRAME)])
    trouble.step([codes(20), codes(30), codes(40, "P0133"), Freeze(45 * S, ENGINE, "P0133", FRAME[:1])])
    [body] = trouble.step([codes(50, "P0133")])
    assert body["freeze"] == {"010C": 1726.0}


def test_a_code_that_comes_back_does_not_bring_the_frame_of_before() -> None:
    trouble = Trouble()
    trouble.step([codes(0, "P0133"), Freeze(5 * S, ENGINE, "P0133", FRAME), codes(10, "P0133"), codes(20), codes(30)])
    [body] = trouble.step([codes(40, "P0133"), codes(50, "P0133")])
    assert body["freeze"] is None
    [late] = trouble.step([Freeze(55 * S, ENGINE, "P0133", FRAME[:1])])
    assert late["freeze"] == {"010C": 1726.0}


def test_a_pending_code_that_clears_leaves_the_frame_of_the_stored_one_told() -> None:
    trouble = Trouble()
    both: list[Finding] = [codes(0, "P0133"), codes(0, "P0133", service="07"), Freeze(5 * S, ENGINE, "P0133", FRAME)]
    trouble.step([*both, codes(10, "P0133"), codes(10, "P0133", service="07")])
    reads: list[Finding] = [codes(20, service="07"), codes(30, service="07"), Freeze(40 * S, ENGINE, "P0133", FRAME)]
    assert told(*reads, trouble=trouble) == ["cleared P0133 pending 7E8"]


def test_a_freeze_frame_of_a_code_that_nobody_tells_is_kept_to_itself() -> None:
    assert told(Freeze(0, ENGINE, "P0133", FRAME)) == []


def test_what_was_told_is_not_told_again_after_a_restart() -> None:
    trouble = Trouble()
    trouble.step([codes(0, "P0133"), Freeze(5 * S, ENGINE, "P0133", FRAME), codes(10, "P0133")])
    trouble.step([lamp(0, is_on=True), lamp(10, is_on=True), Identity(11 * S, ENGINE, "0902", "1HGCM82633A004352")])
    state = msgpack.unpackb(msgpack.packb(trouble.state()))
    again = Trouble(state)
    reads: list[Finding] = [
        codes(0, "P0133"),
        Freeze(1, ENGINE, "P0133", FRAME),
        codes(1, "P0133"),
        lamp(1, is_on=True),
        lamp(2, is_on=True),
    ]
    assert told(*reads, trouble=again) == []
    assert again.state() == trouble.state()
    assert told(codes(3), codes(4), trouble=again) == ["cleared P0133 stored 7E8"]


@pytest.mark.parametrize(
    ("vin", "records"),
    [
        pytest.param("1HGCM82633A004352", [], id="the same car"),
        pytest.param("WVWZZZ1JZXW000001", ["appeared P0133 stored 7E8"], id="another car: its codes are new"),
        pytest.param("1HGCM8263", [], id="half a VIN says nothing"),
    ],
)
def test_another_car_has_codes_of_its_own(vin: str, records: list[str]) -> None:
    trouble = Trouble()
    trouble.step([Identity(0, ENGINE, "0902", "1HGCM82633A004352"), codes(0, "P0133"), codes(10, "P0133")])
    reads: list[Finding] = [Identity(20, ENGINE, "0902", vin), codes(20, "P0133"), codes(30, "P0133")]
    assert told(*reads, trouble=trouble) == records


def test_codes_of_another_car_are_not_cleared_but_forgotten() -> None:
    trouble = Trouble()
    trouble.step([Identity(0, ENGINE, "0902", "1HGCM82633A004352"), codes(0, "P0133"), codes(10, "P0133")])
    assert told(Identity(20, ENGINE, "0902", "WVWZZZ1JZXW000001"), codes(20), codes(30), trouble=trouble) == []


def test_every_body_fits_a_record() -> None:
    reads: list[Finding] = [
        codes(0, "P0133"),
        Freeze(5 * S, ENGINE, "P0133", FRAME),
        codes(10, "P0133"),
        lamp(0, is_on=True),
    ]
    bodies = Trouble().step([*reads, lamp(5, is_on=True)])
    assert len(bodies) == 2
    for seq, body in enumerate(bodies):
        assert make("dtc", bytes(8), 1, seq, 0, bytes(32), body).body == body
