"""The decode table in C: numbers of every kind, multiplexers, which message a frame is, OBD-II answers."""

import math
import random
import struct
from dataclasses import replace

import pytest

from agent._core import ffi, lib
from agent.maps.compile import compile_obd
from agent.vehicle import ALWAYS, ANY_CHANNEL, BIG_ENDIAN, BY_PGN, FLOAT, LIMITED, OBD, OBD_ID, PGN, PLAIN, SIGNED
from drivers.batch import EXTENDED
from tests.tables import ANSWERS, SHORT, UNKNOWN, Told, cut, decode, decoded, found, obd, plain, same, table

# ---- numbers --------------------------------------------------------------------------------------------------------


def test_any_cut_is_the_bits_of_the_frame_read_as_one_big_number() -> None:
    dice = random.Random(1)
    for _ in range(3000):
        length = dice.choice((1, 2, 8, 12, 64))
        bits = dice.randint(1, min(64, 8 * length))
        at = dice.randint(0, 8 * length - bits)
        data = dice.randbytes(length)
        is_big, is_signed = dice.random() < 0.5, dice.random() < 0.5
        if is_big:
            raw = int.from_bytes(data, "big") >> (8 * length - at - bits) & (1 << bits) - 1
            start = 8 * (at // 8) + 7 - at % 8
        else:
            raw, start = int.from_bytes(data, "little") >> at & (1 << bits) - 1, at
        wanted = raw - (1 << bits) if is_signed and raw >> (bits - 1) else raw
        made = table(plain(cut(start, bits, BIG_ENDIAN * is_big | SIGNED * is_signed), length=length))
        assert decoded(made, data) == [("S", float(wanted), True)]


def test_every_half_precision_number_is_what_ieee_754_says() -> None:
    names, c_table = ["S"], table(plain(cut(0, 16, FLOAT), length=2)).as_c(ffi)
    for raw in range(0x10000):
        data = raw.to_bytes(2, "little")
        told = decode(c_table, names, 0, data, 1)
        wanted = struct.unpack("<e", data)[0]
        assert isinstance(told, list)
        assert same(told[0][1], wanted)
        assert told[0][2] == math.isfinite(wanted)


@pytest.mark.parametrize(
    ("code", "number", "valid"),
    [
        pytest.param("f", 1.5, True, id="single"),
        pytest.param("d", -1e300, True, id="double"),
        pytest.param("f", math.inf, False, id="infinity is no value"),
        pytest.param("d", math.nan, False, id="not a number is no value"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_come_in_both_orders(code: str, number: float, valid: bool, order: str) -> None:
    data = struct.pack(order + code, number)
    flags, start = (FLOAT, 0) if order == "<" else (FLOAT | BIG_ENDIAN, 7)
    told = decoded(table(plain(cut(start, 8 * len(data), flags), length=len(data))), data)
    assert isinstance(told, list)
    assert [(same(value, number), ok) for _, value, ok in told] == [(True, valid)]


@pytest.mark.parametrize(
    ("raw", "valid"),
    [
        pytest.param(9, False, id="just under the minimum"),
        pytest.param(10, True, id="at the minimum"),
        pytest.param(20, True, id="at the maximum"),
        pytest.param(21, False, id="just over the maximum"),
    ],
)
def test_limits_hold_for_the_scaled_value(raw: int, valid: bool) -> None:
    limited = cut(0, 8, LIMITED, scale=0.5, offset=1.0, min=6.0, max=11.0)
    assert decoded(table(plain(limited)), bytes([raw] + [0] * 7)) == [("S", raw * 0.5 + 1, valid)]


@pytest.mark.parametrize(("flag", "valid"), [(0, False), (1, True)])
def test_a_validity_signal_of_zero_makes_a_value_invalid(flag: int, valid: bool) -> None:
    made = table(plain(cut(0, 1, name="ok"), cut(8, 8, valid_cut=0)))
    assert decoded(made, bytes([flag, 7] + [0] * 6)) == [("ok", flag, True), ("S", 7, valid)]


def test_a_validity_signal_that_is_not_in_the_frame_makes_a_value_invalid() -> None:
    made = table(
        plain(cut(0, 4, name="mux"), cut(4, 1, name="ok", mux_cut=0, mux_from=1, mux_to=1), cut(8, 8, valid_cut=1))
    )
    assert decoded(made, bytes([0x10, 7] + [0] * 6)) == [("mux", 0, True), ("S", 7, False)]
    assert decoded(made, bytes([0x11, 7] + [0] * 6)) == [("mux", 1, True), ("ok", 1, True), ("S", 7, True)]


@pytest.mark.parametrize(
    ("first", "names"),
    [
        pytest.param(0x00, ["outer"], id="no branch"),
        pytest.param(0x12, ["outer", "inner", "low"], id="the lower end of a range"),
        pytest.param(0x42, ["outer", "inner", "low"], id="the upper end of a range"),
        pytest.param(0x52, ["outer", "inner"], id="just over a range"),
        pytest.param(0x13, ["outer"], id="the inner selector is not there"),
    ],
)
def test_multiplexers_nest_and_take_ranges(first: int, names: list[str]) -> None:
    made = table(
        plain(
            cut(0, 4, name="outer"),
            cut(4, 4, name="inner", mux_cut=0, mux_from=2, mux_to=2),
            cut(8, 8, name="low", mux_cut=1, mux_from=1, mux_to=4),
        )
    )
    told = decoded(made, bytes([first] + [0] * 7))
    assert isinstance(told, list)
    assert [name for name, _, _ in told] == names


def test_a_frame_shorter_than_its_message_is_short_and_a_longer_one_is_not() -> None:
    made = table(plain(cut(0, 8), length=4))
    assert decoded(made, bytes(3)) == SHORT
    assert decoded(made, bytes(4)) == decoded(made, bytes(8)) == [("S", 0, True)]


def test_a_message_of_no_bytes_says_nothing_and_is_not_short() -> None:
    assert decoded(table(plain(length=0)), b"") == []


def test_no_more_is_written_than_there_is_room_for() -> None:
    made = table(plain(cut(0, 8, name="a"), cut(8, 8, name="b"), cut(16, 8, name="c")))
    assert decoded(made, bytes(8), room=2) == [("a", 0, True), ("b", 0, True)]


def test_no_more_of_an_answer_is_written_than_there_is_room_for() -> None:
    assert decoded(compile_obd(), bytes.fromhex("0441145AC0000000"), room=1) == [("0114", 0.45, True)]


def test_the_cuts_of_an_answer_end_with_it_whatever_the_next_message_is() -> None:
    speed = cut(7, 8, BIG_ENDIAN, name="speed", mux_from=0x0D, mux_to=0x0D, bytes=1)
    other = cut(0, 8, name="other", mux_from=0x0D)
    made = table(replace(ANSWERS, channel=0, cuts=(speed,)), replace(plain(other), channel=1))
    assert decoded(made, bytes.fromhex("03410D3200000000")) == [("speed", 50, True)]


# ---- finding --------------------------------------------------------------------------------------------------------

SORTED = table(
    plain(identifier=0x100, channel=0),
    plain(identifier=0x100 | EXTENDED, channel=0),
    plain(identifier=0x100, channel=2),
    plain(identifier=0x7EA, channel=2),
    plain(identifier=0x100, channel=ANY_CHANNEL),
    replace(ANSWERS, channel=ANY_CHANNEL),
)


@pytest.mark.parametrize(
    ("channel", "identifier", "index"),
    [
        pytest.param(0, 0x100, 0, id="its own channel"),
        pytest.param(0, 0x100 | EXTENDED, 1, id="a wide identifier is another"),
        pytest.param(2, 0x100, 2, id="another channel"),
        pytest.param(1, 0x100, 4, id="a channel with nothing of its own"),
        pytest.param(1, 0x100 | EXTENDED, -1, id="unknown there"),
        pytest.param(0, 0x101, -1, id="unknown anywhere"),
        pytest.param(ANY_CHANNEL, 0x101, -1, id="unknown on any"),
        pytest.param(0, 0x7E7, -1, id="just under the answers"),
        pytest.param(0, 0x7E8, 5, id="the first answer"),
        pytest.param(0, 0x7EF, 5, id="the last answer"),
        pytest.param(0, 0x7F0, -1, id="just over the answers"),
        pytest.param(2, 0x7EA, 3, id="a DBC goes before OBD"),
        pytest.param(0, 0x18DAF100 | EXTENDED, 5, id="the first wide answer"),
        pytest.param(0, 0x18DAF1FF | EXTENDED, 5, id="the last wide answer"),
        pytest.param(0, 0x18DAF200 | EXTENDED, -1, id="just over the wide answers"),
        pytest.param(0, 0x7E8 | EXTENDED, -1, id="an answer's number on a wide identifier"),
    ],
)
def test_the_message_of_a_frame(channel: int, identifier: int, index: int) -> None:
    assert found(SORTED, channel, identifier) == index


def test_an_empty_table_finds_nothing() -> None:
    assert found(table(), 0, 0x7E8) == -1


# ---- OBD-II answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param("03410D32AAAAAAAA", [("010D", 50, True)], id="speed"),
        pytest.param("03410D32", [("010D", 50, True)], id="a frame without padding"),
        pytest.param("03410D3200000000CCCCCCCC", [("010D", 50, True)], id="a length in the first byte of a long frame"),
        pytest.param("04410C1AF8000000", [("010C", 1726, True)], id="two bytes, big-endian"),
        pytest.param("0641A600000BB800", [("01A6", 300, True)], id="four bytes"),
        pytest.param("0641320000AAAAAA", [("0132", 0, True)], id="more bytes than the PID has are not believed"),
        pytest.param("044132FFFC000000", [("0132", -1, True)], id="signed"),
        pytest.param("0441145AC0000000", [("0114", 0.45, True), ("0114.trim", 50, True)], id="two values in one PID"),
        pytest.param("06410C1AF80D3200", [("010C", 1726, True), ("010D", 50, True)], id="two PIDs in one frame"),
        pytest.param("0741045105800D32", [("0104", 81 * (100 / 255), True), ("0105", 88, True), ("010D", 50, True)],
                     id="three PIDs in one frame"),
        pytest.param("05410D320C1A0000", [("010D", 50, True)], id="a second PID that is torn is not believed"),
        pytest.param("05410D32FE000000", [("010D", 50, True)], id="a second PID nobody knows"),
        pytest.param("0341FE0000000000", UNKNOWN, id="an unknown PID"),
        pytest.param("0349020100000000", UNKNOWN, id="another service"),
        pytest.param("037F010000000000", UNKNOWN, id="a refusal"),
        pytest.param("1014490201314847", UNKNOWN, id="a first frame"),
        pytest.param("2147434D38323633", UNKNOWN, id="a consecutive frame"),
        pytest.param("3000000000000000", UNKNOWN, id="flow control"),
        pytest.param("0041000000000000", UNKNOWN, id="a length of 0"),
        pytest.param("0341", SHORT, id="a torn frame"),
        pytest.param("03410D", SHORT, id="one byte too few"),
        pytest.param("02410D3200000000", SHORT, id="a length that ends before the value"),
        pytest.param("03410C1AF8000000", SHORT, id="a length that ends within the value"),
        pytest.param("0141000000000000", SHORT, id="a length that ends before the PID"),
        pytest.param("09410D3200000000", SHORT, id="a length longer than the frame"),
        pytest.param("", SHORT, id="no byte at all"),
        pytest.param("0003410D3200000000000000", [("010D", 50, True)], id="the CAN FD form"),
        pytest.param("000C410D32000000", UNKNOWN, id="the CAN FD form in eight bytes is none"),
        pytest.param("000C410D3200000000000000", SHORT, id="the CAN FD form with a length too long"),
    ],
)  # fmt: skip
def test_an_answer_to_service_01(data: str, told: Told) -> None:
    assert obd(data) == told


def test_the_constants_of_the_header_are_those_of_python() -> None:
    assert (lib.TBOX_NO_SIGNAL, lib.TBOX_ALWAYS, lib.TBOX_ANY_CHANNEL) == (0xFFFF, ALWAYS, ANY_CHANNEL)
    assert (lib.TBOX_CUT_SIGNED, lib.TBOX_CUT_FLOAT, lib.TBOX_CUT_BIG_ENDIAN, lib.TBOX_CUT_LIMITED) == (
        SIGNED, FLOAT, BIG_ENDIAN, LIMITED,
    )  # fmt: skip
    assert (lib.TBOX_MESSAGE_PLAIN, lib.TBOX_MESSAGE_OBD, lib.TBOX_MESSAGE_PGN) == (PLAIN, OBD, PGN)
    assert (lib.TBOX_OBD_ID, lib.TBOX_EXTENDED, lib.TBOX_BY_PGN) == (OBD_ID, EXTENDED, BY_PGN)
