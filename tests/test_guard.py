"""What may leave for the car: only the list, only at the rate that was set, and nothing of a guard that was not made."""

import random
from pathlib import Path
from typing import Any

import pytest

from drivers._guard import ffi, lib
from drivers.batch import ERROR, EXTENDED, FD, REMOTE
from drivers.errors import DriverError
from drivers.guard import REASONS, REQUESTS_PER_S_MAX, UDS_IDS_MAX, Guard
from tests.native.guard_prove import UDS, UDS_IDS, asked, program, sample
from tests.native.guard_words import FILLINGS, OBD, is_allowed

BODY, HVAC = 0x6F1, EXTENDED | 0x17FC0076
"""Identifiers outside of OBD, named for service 22."""


def guard() -> Guard:
    return Guard((BODY, 0x7E4, HVAC), 100)


def frame(text: str) -> bytes:
    return bytes.fromhex(text)


PASSING = [
    pytest.param(0x7DF, "02 01 0C 00 00 00 00 00", id="one PID to everybody"),
    pytest.param(0x7DF, "07 01 0C 0D 04 05 10 11", id="six PIDs"),
    pytest.param(0x7E0, "02 01 0C", id="no padding"),
    pytest.param(0x7E7, "02 01 0C 55 55 55 55 55", id="padding 55"),
    pytest.param(0x7E7, "02 01 0C AA AA AA AA AA", id="padding AA"),
    pytest.param(0x7E7, "02 01 0C CC CC CC CC CC", id="padding CC"),
    pytest.param(0x7E0, "03 02 0C 00 00 00 00 00", id="one value of a freeze frame"),
    pytest.param(0x7E0, "07 02 0C 00 0D 00 04 00", id="three values of a freeze frame"),
    pytest.param(0x7DF, "01 03 00 00 00 00 00 00", id="stored codes"),
    pytest.param(0x7DF, "01 07", id="pending codes"),
    pytest.param(0x7DF, "01 0A CC CC CC CC CC CC", id="permanent codes"),
    pytest.param(0x7DF, "02 09 02 00 00 00 00 00", id="VIN"),
    pytest.param(EXTENDED | 0x18DB33F1, "02 01 00 00 00 00 00 00", id="29 bits to everybody"),
    pytest.param(EXTENDED | 0x18DA10F1, "02 01 00 00 00 00 00 00", id="29 bits to one"),
    pytest.param(EXTENDED | 0x18DAFFF1, "02 01 00 00 00 00 00 00", id="29 bits to the last"),
    pytest.param(0x7E0, "30 00 00 00 00 00 00 00", id="flow control"),
    pytest.param(0x7E7, "30 00 00", id="flow control without padding"),
    pytest.param(EXTENDED | 0x18DA10F1, "30 00 00 CC CC CC CC CC", id="flow control with 29 bits"),
    pytest.param(BODY, "03 22 F1 90 00 00 00 00", id="a data identifier of a named unit"),
    pytest.param(0x7E4, "03 22 01 01", id="a named unit that is one of OBD's"),
    pytest.param(0x7E4, "02 01 0C 00 00 00 00 00", id="OBD of a named unit"),
    pytest.param(HVAC, "03 22 01 01 AA AA AA AA", id="a named unit with 29 bits"),
]

REFUSED = [
    pytest.param(0x7E8, "02 01 0C 00 00 00 00 00", "identifier", id="where answers come"),
    pytest.param(0x7DE, "02 01 0C 00 00 00 00 00", "identifier", id="just under everybody"),
    pytest.param(0x7E0 | EXTENDED, "02 01 0C 00 00 00 00 00", "identifier", id="7E0 with 29 bits"),
    pytest.param(0x7E0 | 0x40000000, "02 01 0C 00 00 00 00 00", "identifier", id="the kernel's bit of a remote frame"),
    pytest.param(0x7E0 | 0x20000000, "02 01 0C 00 00 00 00 00", "identifier", id="the kernel's bit of an error"),
    pytest.param(0x18DB33F1, "02 01 00 00 00 00 00 00", "identifier", id="29 bits without the mark"),
    pytest.param(EXTENDED | 0x18DAF110, "02 01 00 00 00 00 00 00", "identifier", id="where 29 bits' answers come"),
    pytest.param(EXTENDED | 0x18DB33F2, "02 01 00 00 00 00 00 00", "identifier", id="another tester's"),
    pytest.param(EXTENDED | 0x58DB33F1, "02 01 00 00 00 00 00 00", "identifier", id="more than 29 bits"),
    pytest.param(0x7DF, "01 04 00 00 00 00 00 00", "service", id="clear codes"),
    pytest.param(0x7DF, "02 08 01 00 00 00 00 00", "service", id="control of a system"),
    pytest.param(0x7DF, "02 05 01 00 00 00 00 00", "service", id="oxygen sensors"),
    pytest.param(0x7DF, "02 06 01 00 00 00 00 00", "service", id="test results"),
    pytest.param(0x7E0, "02 10 03 00 00 00 00 00", "service", id="session"),
    pytest.param(0x7E0, "02 11 01 00 00 00 00 00", "service", id="reset"),
    pytest.param(0x7E0, "04 14 FF FF FF 00 00 00", "service", id="clear diagnostic information"),
    pytest.param(0x7E0, "03 19 02 0C 00 00 00 00", "service", id="read diagnostic information"),
    pytest.param(0x7E0, "02 27 01 00 00 00 00 00", "service", id="security access"),
    pytest.param(0x7E0, "04 2E F1 90 00 00 00 00", "service", id="write"),
    pytest.param(0x7E0, "04 31 01 FF 00 00 00 00", "service", id="routine"),
    pytest.param(0x7E0, "02 3E 80 00 00 00 00 00", "service", id="tester present"),
    pytest.param(0x7E0, "02 41 0C 00 00 00 00 00", "service", id="an answer"),
    pytest.param(0x7E0, "03 22 F1 90 00 00 00 00", "identifier", id="service 22 to a unit that is not named"),
    pytest.param(0x7DF, "03 22 F1 90 00 00 00 00", "identifier", id="service 22 to everybody"),
    pytest.param(BODY, "02 01 0C 00 00 00 00 00", "identifier", id="OBD to a named unit outside of it"),
    pytest.param(BODY, "30 00 00 00 00 00 00 00", "identifier", id="flow control to a named unit outside of OBD"),
    pytest.param(BODY, "01 22 00 00 00 00 00 00", "length", id="no data identifier"),
    pytest.param(0x123, "", "identifier", id="nothing to nobody"),
    pytest.param(0x7E0, "10", "segment", id="a byte of a first frame"),
    pytest.param(0x7E0, "10 14 09 02 00 00 00 00 00", "length", id="a first frame of nine bytes"),
    pytest.param(0x7DF, "02 04", "length", id="clear codes, cut off"),
    pytest.param(BODY, "02 22 F1 00 00 00 00 00", "length", id="half a data identifier"),
    pytest.param(BODY, "05 22 F1 90 F1 91 00 00", "length", id="two data identifiers"),
    pytest.param(0x7DF, "01 01 00 00 00 00 00 00", "length", id="no PID"),
    pytest.param(0x7E0, "02 02 0C 00 00 00 00 00", "length", id="a freeze frame without its number"),
    pytest.param(0x7E0, "01 02 00 00 00 00 00 00", "length", id="a freeze frame of nothing"),
    pytest.param(0x7DF, "02 03 00 00 00 00 00 00", "length", id="stored codes and one byte"),
    pytest.param(0x7DF, "03 09 02 04 00 00 00 00", "length", id="two information types"),
    pytest.param(0x7DF, "01 09 00 00 00 00 00 00", "length", id="no information type"),
    pytest.param(0x7DF, "00 00 00 00 00 00 00 00", "length", id="a single frame of nothing"),
    pytest.param(0x7DF, "", "length", id="no bytes"),
    pytest.param(0x7DF, "02 01", "length", id="shorter than it says"),
    pytest.param(0x7DF, "02 01 0C 00", "length", id="neither padded nor exact"),
    pytest.param(0x7DF, "02 01 0C 00 00 00 00", "length", id="padded to seven"),
    pytest.param(0x7DF, "02 01 0C 00 00 00 00 00 00", "length", id="nine bytes"),
    pytest.param(0x7DF, "02 01 0C FF FF FF FF FF", "padding", id="padding FF"),
    pytest.param(0x7DF, "02 01 0C 00 00 00 00 55", "padding", id="mixed padding"),
    pytest.param(0x7DF, "02 01 0C 0D 00 00 00 00", "padding", id="a byte behind the end"),
    pytest.param(0x7DF, "08 01 0C 0D 04 05 10 11", "segment", id="eight bytes in one frame"),
    pytest.param(0x7E0, "10 09 01 0C 0D 04 05 10", "segment", id="first frame"),
    pytest.param(0x7E0, "21 09 01 0C 0D 04 05 10", "segment", id="consecutive frame"),
    pytest.param(0x7E0, "31 00 00 00 00 00 00 00", "segment", id="flow control: wait"),
    pytest.param(0x7E0, "32 00 00 00 00 00 00 00", "segment", id="flow control: too much"),
    pytest.param(0x7E0, "30 01 00 00 00 00 00 00", "segment", id="flow control with blocks"),
    pytest.param(0x7E0, "30 00 01 00 00 00 00 00", "segment", id="flow control with pauses"),
    pytest.param(0x7E0, "30 00", "segment", id="half a flow control"),
    pytest.param(0x7E0, "30 00 00 00", "length", id="flow control padded to four"),
    pytest.param(0x7E0, "30 00 00 01 01 01 01 01", "padding", id="flow control and something else"),
    pytest.param(0x7DF, "30 00 00 00 00 00 00 00", "identifier", id="flow control to everybody"),
    pytest.param(EXTENDED | 0x18DB33F1, "30 00 00", "identifier", id="flow control to everybody, 29 bits"),
]


@pytest.mark.parametrize(("identifier", "text"), PASSING)
def test_what_is_on_the_list_passes(identifier: int, text: str) -> None:
    assert guard().frame(0, identifier, frame(text)) == ""
    assert is_allowed(identifier, frame(text), frozenset((BODY, 0x7E4, HVAC)))


@pytest.mark.parametrize(("identifier", "text", "reason"), REFUSED)
def test_nothing_else_passes_and_it_is_said_why(identifier: int, text: str, reason: str) -> None:
    refusing = guard()
    assert refusing.frame(0, identifier, frame(text)) == reason
    assert not is_allowed(identifier, frame(text), frozenset((BODY, 0x7E4, HVAC)))
    assert {name: n for name, n in refusing.counters().items() if n} == {f"refused_{reason}": 1}


@pytest.mark.parametrize("flags", [FD, ERROR, REMOTE, FD | REMOTE, 0x80, 8])
def test_only_classic_data_frames_pass(flags: int) -> None:
    assert guard().frame(0, 0x7DF, frame("02 01 0C 00 00 00 00 00"), flags) == "kind"


@pytest.mark.parametrize(
    ("identifier", "data", "flags"),
    [(1 << 32, bytes(8), 0), (-1, bytes(8), 0), (0x7DF, bytes(65), 0), (0x7DF, bytes(8), 256), (0x7DF, bytes(8), -1)],
)
def test_what_can_be_no_frame_at_all_is_refused_before_it_is_cut_to_fit(
    identifier: int, data: bytes, flags: int
) -> None:
    assert guard().frame(0, identifier, data, flags) == "kind"


def test_a_sample_of_the_proof_whose_whole_is_make_guard(tmp_path: Path) -> None:
    count, passed = asked(program(tmp_path / "guard_all"), sample(seed=1))
    assert count > 200_000_000
    assert passed > 20_000


@pytest.mark.parametrize("seed", range(4))
def test_frames_near_the_list_pass_exactly_when_they_are_on_it(seed: int) -> None:
    luck = random.Random(seed)
    targets, state = [*OBD, *UDS], unlimited()
    for _ in range(4000):
        identifier = luck.choice(targets) ^ luck.choice([0, 0, 0, 0, 1 << luck.randrange(32)])
        used = luck.randrange(1, 9)
        data = bytearray(
            [used - 1, *luck.choices([1, 2, 3, 7, 9, 10, 0x22, 4, luck.randrange(256)]), *luck.randbytes(6)]
        )
        data[:1] = luck.choice([data[:1], data[:1], b"\x30", luck.randbytes(1)])
        data[used:] = bytes([luck.choice([*FILLINGS, 1, 0xFF])] * (8 - used))
        sent = bytes(data[: luck.choice([8, 8, used, luck.randrange(9)])])
        passes = lib.tbox_guard_frame(state, identifier, sent, len(sent), 0) == 0
        assert passes == is_allowed(identifier, sent, UDS_IDS), f"{identifier:X} {sent.hex(' ')}"


def unlimited() -> Any:
    """A guard of C, whose list can be asked without its budget. Its memory lives as long as the module."""
    KEPT.append(memory := ffi.new("uint64_t[]", lib.tbox_guard_size() // 8))
    state = ffi.cast("tbox_guard_t *", memory)
    assert lib.tbox_guard_init(state, ffi.new("uint32_t[]", list(UDS)), len(UDS), 1000)
    return state


KEPT: list[object] = []


def test_memory_of_zeros_refuses_everything() -> None:
    memory = ffi.new("uint64_t[]", lib.tbox_guard_size() // 8)
    state = ffi.cast("tbox_guard_t *", memory)
    unset = REASONS.index("unset")
    assert lib.tbox_guard_send(state, 0, 0x7DF, frame("02 01 0C 00 00 00 00 00"), 8, 0) == unset
    for line in (b"ATZ", b"0100", b"", b"ATI"):
        assert lib.tbox_guard_say(state, 0, line, len(line)) == unset
        assert lib.tbox_guard_line(state, line, len(line)) == unset


def test_a_guard_is_made_once_and_then_never_again() -> None:
    state = unlimited()
    more = ffi.new("uint32_t[]", [0x700])
    assert not lib.tbox_guard_init(state, more, 1, 100_000)
    assert lib.tbox_guard_frame(state, 0x700, frame("03 22 F1 90"), 4, 0) == REASONS.index("identifier")
    assert lib.tbox_guard_frame(state, UDS[0], frame("03 22 F1 90"), 4, 0) == 0


def test_no_byte_behind_a_frame_is_looked_at() -> None:
    length = REASONS.index("length")
    assert lib.tbox_guard_frame(unlimited(), 0x7E0, frame("10 14 09 02"), 0, 0) == length
    assert lib.tbox_guard_frame(unlimited(), 0x7E0, frame("01 04"), 1, 0) == length


def test_what_lay_in_memory_before_is_nothing_the_guard_knows() -> None:
    memory = ffi.new("uint8_t[]", b"\x01" * lib.tbox_guard_size())
    state = ffi.cast("tbox_guard_t *", memory)
    assert lib.tbox_guard_init(state, ffi.new("uint32_t[]", 0), 0, 1000)
    assert lib.tbox_guard_line(state, b"0100", 4) == REASONS.index("adapter")
    totals = ffi.new("tbox_guard_counters_t *")
    lib.tbox_guard_counters(state, totals)
    assert (totals.requests, totals.commands, list(totals.refused)) == (0, 0, [0] * len(REASONS))


def test_a_guard_that_could_not_be_made_refuses_everything() -> None:
    memory = ffi.new("uint64_t[]", lib.tbox_guard_size() // 8)
    state = ffi.cast("tbox_guard_t *", memory)
    assert not lib.tbox_guard_init(state, ffi.new("uint32_t[]", [BODY, 0x7E8]), 2, 1000)
    assert lib.tbox_guard_frame(state, 0x7DF, frame("01 03"), 2, 0) == REASONS.index("unset")


@pytest.mark.parametrize(("millirequests_per_s", "made"), [(0, False), (1, True), (100_000, True), (100_001, False)])
def test_a_guard_is_made_for_up_to_a_hundred_requests_a_second(millirequests_per_s: int, made: bool) -> None:
    memory = ffi.new("uint64_t[]", lib.tbox_guard_size() // 8)
    state = ffi.cast("tbox_guard_t *", memory)
    assert lib.tbox_guard_init(state, ffi.new("uint32_t[]", 0), 0, millirequests_per_s) == made


@pytest.mark.parametrize(
    ("uds_ids", "rate"),
    [
        pytest.param((0,), 10, id="identifier 0"),
        pytest.param((0x800,), 10, id="more than 11 bits"),
        pytest.param((EXTENDED | 0x20000000,), 10, id="more than 29 bits"),
        pytest.param((0x7E8,), 10, id="where answers come"),
        pytest.param((0x7EF,), 10, id="where the last answers come"),
        pytest.param((EXTENDED | 0x18DAF100,), 10, id="where 29 bits' answers come"),
        pytest.param((EXTENDED | 0x18DAF1FF,), 10, id="where the last of 29 bits' answers come"),
        pytest.param((0x700, -1), 10, id="a negative one"),
        pytest.param((1 << 32,), 10, id="more than 32 bits"),
        pytest.param(range(0x600, 0x601 + UDS_IDS_MAX), 10, id="too many"),
        pytest.param((), 0, id="no request at all"),
        pytest.param((), -1, id="a negative rate"),
        pytest.param((), 0.0004, id="less than a thousandth"),
        pytest.param((), REQUESTS_PER_S_MAX + 0.001, id="too often"),
        pytest.param((), float("nan"), id="no number"),
    ],
)
def test_what_no_guard_can_be_made_of(uds_ids: range, rate: float) -> None:
    with pytest.raises(DriverError, match="no guard for"):
        Guard(uds_ids, rate)


@pytest.mark.parametrize(
    "identifier",
    [1, 0x7F0, 0x7E7, 0x7FF, EXTENDED, EXTENDED | 0x18DAF000, EXTENDED | 0x18DAF200, EXTENDED | 0x1FFFFFFF],
)
def test_an_identifier_that_can_be_named_is_asked_with_service_22(identifier: int) -> None:
    assert Guard((identifier,)).frame(0, identifier, frame("03 22 F1 90")) == ""


def test_as_many_identifiers_as_there_is_room_for_are_each_asked() -> None:
    named = range(0x600, 0x600 + UDS_IDS_MAX)
    full = Guard(named, 100)
    assert [full.frame(at * 1_000_000, one, frame("03 22 F1 90")) for at, one in enumerate(named)] == [""] * UDS_IDS_MAX


def test_every_reason_has_a_word_of_its_own() -> None:
    assert len(set(REASONS)) == len(REASONS) == lib.TBOX_GUARD_REASONS
    assert [ffi.string(lib.tbox_guard_word(reason)) for reason in (-1, len(REASONS))] == [b"unknown"] * 2
