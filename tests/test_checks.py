"""Frames that must prove themselves: checksums of makers and AUTOSAR's E2E profiles, counters."""

import gzip
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cantools.database
import pytest

from agent._core import ffi, lib
from agent.core import Core
from agent.maps import maps
from agent.settings.file import load
from agent.vehicle import BIG_ENDIAN, CHECKS, COUNTERS_MAX, PLAIN, Cut, Message, Table
from drivers import batch
from drivers.batch import EXTENDED
from tests.tables import cut, table

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RAV4 = DATA / "comma2k19" / "rav4_60s_bus0.log.gz"
TOYOTA = DATA / "dbc" / "toyota_new_mc_pt_generated.dbc"
NONE = Cut(name="", unit="", start_bit=0, bits=0)


def checked(kind: str, checksum: Cut = NONE, counter: Cut = NONE, **more: object) -> Message:
    """A message with a speed in byte 2 or 3, proven this way."""
    made = Message(name="M", id=0x100, channel=0, length=4, kind=PLAIN, cuts=(cut(0, 4), checksum, counter),
                   check=CHECKS.index(kind))  # fmt: skip
    return replace(made, **more)


def right(message: Message, frame: str, identifier: int = 0x100) -> bool:
    """Whether the checksum in this frame is what it must be."""
    data, c_table = bytes.fromhex(frame), table(message).as_c(ffi)
    assert lib.tbox_table_check(c_table.table)
    told = message.cuts[-2]
    number = int.from_bytes(data, "big" if told.flags & BIG_ENDIAN else "little")
    shift = 8 * (len(data) - told.start_bit // 8) - 8 + told.start_bit % 8 - told.bits + 1
    wanted = number >> (shift if told.flags & BIG_ENDIAN else told.start_bit) & (1 << told.bits) - 1
    return bool(lib.tbox_table_checksum(c_table.table, 0, identifier, data, len(data)) == wanted)


BYTE_0 = cut(0, 8)
COUNTER = cut(8, 4, max=15.0)
ZEROS, UP = (0,) * 16, tuple(range(16))
TSK_06 = (0xC4, 0xE2, 0x4F, 0xE4, 0xF8, 0x2F, 0x56, 0x81, 0x9F, 0xE5, 0x83, 0x44, 0x05, 0x3F, 0x97, 0xDF)
P2 = checked("e2e_p2", BYTE_0, COUNTER)
LWI_01, TSK = replace(P2, data_ids=(0x86,) * 16), replace(P2, data_ids=TSK_06)
P1 = checked("e2e_p1", BYTE_0, replace(COUNTER, max=14.0), data_ids=(0x23, 0x01))
P5 = checked("e2e_p5", cut(0, 16), cut(16, 8, max=255.0), data_ids=(0x34, 0x12))
AT_8 = replace(P5, length=16, cuts=(P5.cuts[0], cut(64, 16), cut(80, 8, max=255.0)))
HONDA = checked("honda", cut(35, 4, BIG_ENDIAN), cut(37, 2, BIG_ENDIAN, max=3.0), length=5)
HYUNDAI = checked("hyundai", cut(56, 4), cut(60, 2, max=3.0), length=8)
HYUNDAI_FD = checked("hyundai_fd", cut(0, 16), cut(16, 8, max=255.0), length=8)


@pytest.mark.parametrize(
    ("message", "identifier", "frame"),
    [
        # the autosar-e2e project's own vectors for profile 1 (data id 0x123, mode "both"), 2 and 5 (data id 0x1234)
        pytest.param(P1, 0, "cc00000000000000", id="E2E profile 1, counter 0"),
        pytest.param(P1, 0, "9101000000000000", id="E2E profile 1, counter 1"),
        pytest.param(replace(P2, data_ids=ZEROS), 0, "4501000000000000", id="E2E profile 2, zeros"),
        pytest.param(replace(P2, data_ids=UP), 0, "bc02020304050607", id="E2E profile 2, a list of ids, counter 2"),
        pytest.param(replace(P2, data_ids=UP), 0, "6101020304050607", id="E2E profile 2, a list of ids, counter 1"),
        pytest.param(replace(P2, length=8, data_ids=UP, cuts=(cut(56, 8), cut(0, 4, max=15.0))), 0, "02020304050607bc", id="E2E profile 2, the same bytes with the checksum behind them"),
        pytest.param(P5, 0, "1cca000000000000", id="E2E profile 5, counter 0"),
        pytest.param(P5, 0, "cf8d010000000000", id="E2E profile 5, counter 1"),
        pytest.param(AT_8, 0, "00000000000000002891000000000000", id="E2E profile 5 at an offset of 8 bytes"),
        # frames recorded from Volkswagens, in commaai/opendbc's test_checksums.py
        pytest.param(LWI_01, 0x86, "6b00bd0000000000", id="MQB steering angle, counter 0"),
        pytest.param(LWI_01, 0x86, "7b04312003000000", id="MQB steering angle, counter 4"),
        pytest.param(LWI_01, 0x86, "600f62c000000000", id="MQB steering angle, counter 15"),
        pytest.param(TSK, 0x120, "c10000020008ff21", id="MQB cruise control, ids by counter: 0"),
        pytest.param(TSK, 0x120, "340100020008ff21", id="MQB cruise control, ids by counter: 1"),
        pytest.param(TSK, 0x120, "fe0800020008ff21", id="MQB cruise control, ids by counter: 8"),
        pytest.param(TSK, 0x120, "0b0f00020008ff21", id="MQB cruise control, ids by counter: 15"),
        # the sums that test states for LKAS_HUD, whose nibbles sum to 10, on a standard and an extended identifier
        pytest.param(HONDA, 0x33D, "410500000b", id="Honda, counter 0"),
        pytest.param(HONDA, 0x33D, "410500001a", id="Honda, counter 1"),
        pytest.param(HONDA, 0x33D, "4105000038", id="Honda, counter 3"),
        pytest.param(replace(HONDA, length=8, cuts=(cut(0, 4), cut(59, 4, BIG_ENDIAN), NONE)), 0x33DA | EXTENDED,
                     "4105000000000004", id="Honda, extended, counter 0"),
        # by the published formula, worked out by hand
        pytest.param(HYUNDAI, 0x260, "0000000000000000", id="Hyundai, zeros"),
        pytest.param(HYUNDAI, 0x260, "123456780000001b", id="Hyundai, nibbles that sum to 37"),
        pytest.param(HYUNDAI_FD, 0, "295f000000000000", id="Hyundai FD, zeros: the constant of 8 bytes"),
        pytest.param(replace(HYUNDAI_FD, length=16), 0, "1d04" + "00" * 14, id="Hyundai FD, zeros: the constant of 16 bytes"),
        pytest.param(replace(HYUNDAI_FD, length=24), 0, "9d81" + "00" * 22, id="Hyundai FD, zeros: the constant of 24 bytes"),
        pytest.param(replace(HYUNDAI_FD, length=9), 0xF138, "8769" + b"1234567".hex(), id="Hyundai FD, as Python's crc_hqx"),
        pytest.param(checked("toyota", cut(63, 8, BIG_ENDIAN), length=8), 0x12345678 | EXTENDED, "000000000000001c",
                     id="Toyota, the sum of an extended identifier and the length"),
        pytest.param(replace(HYUNDAI_FD, length=32), 0, "5b9f" + "00" * 30, id="Hyundai FD, zeros: the constant of 32 bytes"),
        pytest.param(replace(HYUNDAI_FD, length=12), 0, "0000" + "00" * 10, id="Hyundai FD, zeros, a length without a constant"),
        # CRC-16/XMODEM of "123456789" is 0x31C3: seven bytes of frame, then the identifier
        pytest.param(replace(HYUNDAI_FD, length=9), 0x3938, "c331" + b"1234567".hex(), id="Hyundai FD, the check of its CRC"),
    ],
)  # fmt: skip
def test_a_published_frame_is_right_and_any_flipped_bit_wrong(message: Message, identifier: int, frame: str) -> None:
    assert right(message, frame, identifier)
    number, bits = int(frame, 16), 4 * len(frame)
    wrong = [bit for bit in range(bits) if not right(message, f"{number ^ 1 << bit:0{len(frame)}x}", identifier)]
    assert len(wrong) == bits


# ---- counters -------------------------------------------------------------------------------------------------------


def fed(made: Table, frames: Sequence[bytes], identifier: int = 0x100) -> dict[str, int]:
    """Frames through the core: how many were decoded, and rejected by reason; conserved."""
    core = Core(load(None, []), made)
    core.feed(b"".join(batch.frame(1000 * i, 0, identifier, frame) for i, frame in enumerate(frames)))
    told = core.counters()
    assert told["frames_in"] == len(frames) == told["decoded"] + told["unmapped"] + sum(told["rejected"].values())
    return {"decoded": told["decoded"]} | {why: count for why, count in told["rejected"].items() if count}


def counting(low: int, high: int, counters: str) -> dict[str, int]:
    """Frames with these counters, a hexadecimal digit each."""
    made = table(checked("counter", counter=cut(8, 4, min=float(low), max=float(high))))
    return fed(made, [bytes([0, int(digit, 16), 0, 0]) for digit in counters])


@pytest.mark.parametrize(
    ("low", "high", "counters", "told"),
    [
        pytest.param(0, 15, "0123456789abcdef01", {"decoded": 18}, id="round it goes"),
        pytest.param(0, 15, "9", {"decoded": 1}, id="the first may be any"),
        pytest.param(0, 15, "3345", {"decoded": 3, "counter": 1}, id="one that stands still"),
        pytest.param(0, 15, "3333", {"decoded": 1, "counter": 3}, id="a stuck sender"),
        pytest.param(0, 15, "19ab", {"decoded": 4}, id="half a round lost"),
        pytest.param(0, 15, "1abc", {"decoded": 3, "counter": 1}, id="just over half a round: it went back"),
        pytest.param(0, 15, "5456", {"decoded": 3, "counter": 1}, id="back by one, then on"),
        pytest.param(0, 14, "cde01", {"decoded": 5}, id="fifteen values"),
        pytest.param(0, 14, "de01f23", {"decoded": 6, "counter": 1}, id="a value that is none says nothing"),
        pytest.param(1, 15, "ef12", {"decoded": 4}, id="from one on"),
        pytest.param(1, 15, "ef012", {"decoded": 4, "counter": 1}, id="from one on, a zero"),
        pytest.param(1, 15, "01", {"decoded": 1, "counter": 1}, id="from one on, a zero is no first"),
        pytest.param(0, 14, "f1", {"decoded": 1, "counter": 1}, id="up to fourteen, a fifteen is no first"),
    ],
)
def test_a_counter_steps_on(low: int, high: int, counters: str, told: dict[str, int]) -> None:
    assert counting(low, high, counters) == told


def test_a_wrong_checksum_says_nothing_about_the_counter() -> None:
    made = table(replace(P2, data_ids=UP))
    good = [bytes.fromhex("6101020304050607"), bytes.fromhex("bc02020304050607")]
    wrong = bytes.fromhex("6109020304050607")
    assert fed(made, [good[0], wrong, good[1]]) == {"decoded": 2, "checksum": 1}


def test_a_short_frame_is_short_whatever_its_checksum() -> None:
    assert fed(table(replace(P2, data_ids=UP, length=8)), [bytes.fromhex("61010203040506")]) == {
        "decoded": 0,
        "short": 1,
    }


def test_each_message_has_a_counter_of_its_own() -> None:
    counter = cut(8, 4, max=15.0)
    made = table(*(checked("counter", counter=counter, id=0x100 + i, slot=i) for i in range(2)))
    core = Core(load(None, []), made)
    core.feed(b"".join(batch.frame(i, 0, 0x100 + i % 2, bytes([0, i // 2, 0, 0])) for i in range(8)))
    assert core.counters()["decoded"] == 8


# ---- which checks are trusted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "sound"),
    [
        pytest.param(P2, True, id="a checksum and a counter"),
        pytest.param(replace(P2, check=len(CHECKS)), False, id="an unknown check"),
        pytest.param(replace(P2, cuts=(BYTE_0, cut(7, 8), COUNTER)), False, id="a checksum across two bytes"),
        pytest.param(replace(P2, cuts=(BYTE_0, cut(0, 7), COUNTER)), False, id="a checksum too narrow"),
        pytest.param(replace(P2, cuts=(BYTE_0, cut(24, 8), COUNTER)), True, id="a checksum in the last byte"),
        pytest.param(replace(P2, cuts=(BYTE_0, cut(32, 8), COUNTER)), False, id="a checksum behind the frame"),
        pytest.param(replace(P2, cuts=(BYTE_0, cut(0, 8, 1), COUNTER)), False, id="a signed checksum"),
        pytest.param(replace(P2, cuts=(BYTE_0, BYTE_0, NONE)), False, id="profile 2 without a counter"),
        pytest.param(replace(P2, cuts=(BYTE_0, BYTE_0, replace(COUNTER, max=0.0))), False, id="a counter of one value"),
        pytest.param(replace(P2, cuts=(BYTE_0, BYTE_0, cut(8, 16, max=65535.0))), True, id="a counter of sixteen bits"),
        pytest.param(replace(P2, cuts=(BYTE_0, BYTE_0, cut(8, 17, max=65535.0))), False, id="a counter of seventeen bits"),
        pytest.param(replace(P2, cuts=(BYTE_0, BYTE_0, cut(8, 16, max=65536.0))), False, id="a counter that counts too far"),
        pytest.param(replace(P2, cuts=(BYTE_0, BYTE_0, cut(29, 4, max=15.0))), False, id="a counter behind the frame"),
        pytest.param(replace(P2, cuts=(BYTE_0, BYTE_0, replace(COUNTER, min=-1.0))), False, id="a counter below 0"),
        pytest.param(replace(P2, slot=COUNTERS_MAX - 1), True, id="the last slot"),
        pytest.param(replace(P2, slot=COUNTERS_MAX), False, id="a slot too many"),
        pytest.param(checked("toyota", cut(24, 8)), True, id="no counter"),
        pytest.param(checked("counter"), False, id="a counter that is none"),
        pytest.param(checked("counter", BYTE_0, COUNTER), False, id="only a counter, with a checksum"),
        pytest.param(HONDA, True, id="half a byte"),
        pytest.param(replace(HONDA, cuts=(BYTE_0, cut(34, 4, BIG_ENDIAN), NONE)), False, id="half a byte across two"),
    ],
)  # fmt: skip
def test_a_check_is_trusted_only_when_it_is_sound(message: Message, sound: bool) -> None:
    c_table = table(message).as_c(ffi)  # kept: it owns what is checked
    assert lib.tbox_table_check(c_table.table) == sound


def test_cuts_of_a_check_beyond_the_array_are_found() -> None:
    c_table = table(P2).as_c(ffi)
    c_table.table.cut_count = 2
    assert not lib.tbox_table_check(c_table.table)


def test_the_kinds_are_those_of_the_header() -> None:
    names = ("NONE", *(name.upper() for name in CHECKS[1:]))
    assert [getattr(lib, f"TBOX_CHECK_{name}") for name in names] == list(range(lib.TBOX_CHECKS))
    assert lib.TBOX_COUNTERS_MAX == COUNTERS_MAX


# ---- a real car -----------------------------------------------------------------------------------------------------


def recorded() -> list[tuple[int, bytes]]:
    """Identifier and data of a minute of a RAV4."""
    with gzip.open(RAV4, "rt") as log:
        parts = [line.split()[2].split("#") for line in log]
    return [(int(identifier, 16), bytes.fromhex(data)) for identifier, data in parts]


@pytest.mark.skipif(not RAV4.exists(), reason="the recordings are not beside the project")
def test_every_whole_frame_of_a_toyota_is_right_and_a_flipped_bit_is_not() -> None:
    frames, dice, compared = recorded(), random.Random(4), 0
    for theirs in cantools.database.load_file(TOYOTA, strict=False).messages:
        found = [data for identifier, data in frames if identifier == theirs.frame_id and len(data) == theirs.length]
        if "CHECKSUM" in theirs.signal_tree and found:
            place = theirs.get_signal_by_name("CHECKSUM")
            message = checked("toyota", cut(place.start, 8, BIG_ENDIAN), id=theirs.frame_id, length=theirs.length)
            flipped = [
                (int.from_bytes(data) ^ 1 << dice.randrange(8 * len(data))).to_bytes(len(data)) for data in found
            ]
            assert fed(table(message), found, theirs.frame_id) == {"decoded": len(found)}
            assert fed(table(message), flipped, theirs.frame_id) == {"decoded": 0, "checksum": len(found)}
            compared += len(found)
    assert compared == 12_624


@pytest.mark.skipif(not RAV4.exists(), reason="the recordings are not beside the project")
def test_the_rav4_map_checks_its_speed() -> None:
    made = maps.load(Path("rav4.toml"))
    assert {m.name: CHECKS[m.check] for m in made.messages if m.check} == {"SPEED": "toyota", "GAS_PEDAL": "toyota"}
    speeds = [data for identifier, data in recorded() if identifier == 180]
    assert fed(made, speeds, 180) == {"decoded": 2480, "short": 7}
