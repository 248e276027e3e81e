"""OBD-II answers: ISO 15765-2 put together, SAE J1979's formulas, identities and trouble codes as text."""

import random
from collections.abc import Iterable, Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

import obd as python_obd
import pytest
from obd.codes import FUEL_TYPES, OBD_COMPLIANCE

from agent.maps.compile import compile_obd
from agent.obd.answers import TIMEOUT_US, Assembler, single_frame, text, trouble_code
from agent.obd.pids import PIDS
from agent.replay.decode import Decoder
from drivers.batch import EXTENDED

ENGINE, GEARBOX, WIDE = 0x7E8, 0x7E9, EXTENDED | 0x18DAF110
VIN = b"\x49\x02\x01" + b"1HGCM82633A004352"
PARTS = [b"\x10\x14" + VIN[:6], b"\x21" + VIN[6:13], b"\x22" + VIN[13:20]]

Heard = tuple[int, int, bytes]


def messages(frames: Iterable[Heard]) -> list[bytes]:
    assembler = Assembler()
    return [message for frame in frames if (message := assembler.put(*frame)) is not None]


def sent(identifier: int, *parts: bytes, start_us: int = 0, step_us: int = 10_000) -> list[Heard]:
    return [(start_us + i * step_us, identifier, part) for i, part in enumerate(parts)]


# ---- ISO 15765-2 ----------------------------------------------------------------------------------------------------

LONG = bytes(i & 0xFF for i in range(160))
LONG_PARTS = [b"\x10\xa0" + LONG[:6]] + [bytes([0x20 | n & 15]) + LONG[7 * n - 1 : 7 * n + 6] for n in range(1, 23)]


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        pytest.param(sent(ENGINE, b"\x03\x41\x0d\x32\xaa\xaa\xaa\xaa"), [b"\x41\x0d\x32"], id="a single frame"),
        pytest.param(sent(ENGINE, b"\x00\x09" + VIN[:9]), [VIN[:9]], id="a single frame of CAN FD"),
        pytest.param(sent(ENGINE, *PARTS), [VIN], id="three frames"),
        pytest.param(sent(WIDE, *PARTS), [VIN], id="29 bits"),
        pytest.param(sent(ENGINE, *LONG_PARTS), [LONG], id="a sequence that goes round"),
        pytest.param(sorted([*sent(ENGINE, *PARTS), *sent(GEARBOX, *PARTS, start_us=4_000)]), [VIN, VIN],
                     id="two units interleaved"),
        pytest.param(sent(ENGINE, PARTS[0], b"\x30\x00\x00", *PARTS[1:]), [VIN], id="flow control in between"),
        pytest.param(sent(0x7E0, *PARTS), [], id="a tester's own request"),
        pytest.param(sent(0x7E8 | EXTENDED, *PARTS), [], id="no answer's identifier"),
        pytest.param(sent(ENGINE, PARTS[0], PARTS[2]), [], id="a frame lost"),
        pytest.param(sent(ENGINE, PARTS[0], PARTS[2], PARTS[1]), [], id="two frames in the wrong order"),
        pytest.param(sent(ENGINE, *PARTS[1:]), [], id="the first frame lost"),
        pytest.param(sent(ENGINE, PARTS[0], PARTS[1], PARTS[1], PARTS[2]), [], id="a frame twice"),
        pytest.param(sent(ENGINE, PARTS[0], PARTS[1][:6], PARTS[2]), [], id="a frame that is short"),
        pytest.param(sent(ENGINE, PARTS[0], *PARTS), [VIN], id="begun again"),
        pytest.param(sent(ENGINE, PARTS[0], b"\x02\x41\x0d", *PARTS[1:]), [b"\x41\x0d"], id="a single frame ends it"),
        pytest.param(sent(ENGINE, *PARTS, step_us=TIMEOUT_US), [VIN], id="at the time limit"),
        pytest.param(sent(ENGINE, *PARTS, step_us=TIMEOUT_US + 1), [], id="just over the time limit"),
        pytest.param(sent(ENGINE, PARTS[0], *PARTS[:1], PARTS[2], *PARTS), [VIN], id="whole after a broken one"),
        pytest.param(sent(ENGINE, b"", b"\x10", b"\x10\x14\x49", b"\x00", b"\x08\x41", b"\x21"), [], id="torn frames"),
        pytest.param(sent(ENGINE, b"\x10\x05\x49\x02\x01\x31\x32\x33"), [], id="a first frame that should be single"),
    ],
)  # fmt: skip
def test_messages_are_put_together_or_dropped(frames: list[Heard], told: list[bytes]) -> None:
    assert messages(frames) == told


def test_any_message_cut_into_frames_comes_back() -> None:
    dice = random.Random(2)
    for size in [1, 6, 7, 8, 13, 14, 20, 62, 63, 4095]:
        message = dice.randbytes(size)
        if size <= 7:
            frames = [bytes([size]) + message]
        else:
            frames = [bytes([0x10 | size >> 8, size & 0xFF]) + message[:6]]
            frames += [bytes([0x20 | n & 15]) + message[7 * n - 1 : 7 * n + 6] for n in range(1, (size + 7) // 7)]
        assert messages(sent(ENGINE, *frames)) == [message]


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        pytest.param(bytes(7), b"\x07" + bytes(7), id="fits a classic frame"),
        pytest.param(bytes(8), b"\x00\x08" + bytes(8), id="fits a CAN FD frame"),
        pytest.param(bytes(62), b"\x00\x3e" + bytes(62), id="just fits"),
        pytest.param(bytes(63), None, id="just too long"),
    ],
)
def test_a_message_as_one_frame(message: bytes, frame: bytes | None) -> None:
    assert single_frame(message) == frame


# ---- text -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "told"),
    [
        pytest.param(VIN, ("0902", "1HGCM82633A004352"), id="VIN"),
        pytest.param(b"\x49\x04\x01CB6015A0" + bytes(8), ("0904", "CB6015A0"), id="calibration id"),
        pytest.param(b"\x49\x04\x02CB6015A0" + bytes(8) + b"37805-RBB-J530" + bytes(2), ("0904", "CB6015A0 37805-RBB-J530"),
                     id="two calibration ids"),
        pytest.param(b"\x49\x0a\x01ECM\0-EngineControl\0\0", ("090A", "ECM-EngineControl"), id="unit name"),
        pytest.param(b"\x49\x04\x01" + bytes(16), None, id="nothing but padding"),
        pytest.param(b"\x49\x04\x01AB\x01CD" + b"\xff" * 11, ("0904", "AB?CD"), id="what is no letter"),
        pytest.param(b"\x49\x00\x55\x40\0\0", None, id="supported identities"),
        pytest.param(b"\x49\x02", None, id="cut off"),
        pytest.param(b"\x43\x02\x01\x33\xc3\x00", ("03", "P0133 U0300"), id="stored codes"),
        pytest.param(b"\x47\x01\x04\x20", ("07", "P0420"), id="pending codes"),
        pytest.param(b"\x4a\x01\x41\x23", ("0A", "C0123"), id="permanent codes"),
        pytest.param(b"\x43\x00", ("03", ""), id="no codes"),
        pytest.param(b"\x43\x02\x01\x33\x00\x00", ("03", "P0133"), id="a code of zeros is padding"),
        pytest.param(b"\x43\x01\x01\x33\x04\x20", ("03", "P0133"), id="bytes after the count are padding"),
        pytest.param(b"\x43\x03\x01\x33\x04", ("03", "P0133"), id="half a code is none"),
        pytest.param(b"\x43", None, id="no count"),
        pytest.param(b"\x41\x0d\x32", None, id="a value"),
        pytest.param(b"", None, id="nothing"),
    ],
)  # fmt: skip
def test_an_answer_in_words(message: bytes, told: tuple[str, str] | None) -> None:
    assert text(message) == told


@pytest.mark.parametrize(
    ("pair", "code"), [("0133", "P0133"), ("3fff", "P3FFF"), ("4300", "C0300"), ("9a2f", "B1A2F"), ("c100", "U0100")]
)
def test_a_trouble_code_is_its_two_bytes(pair: str, code: str) -> None:
    assert trouble_code(bytes.fromhex(pair)) == code


# ---- SAE J1979 ------------------------------------------------------------------------------------------------------

DECODER = Decoder(compile_obd())


def told(*data: int) -> dict[str, float]:
    frame = single_frame(bytes([0x41, *data]))
    assert frame is not None
    return {signal: float(value) for _, _, signal, value in DECODER.rows((0, 0, ENGINE, frame))}


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ((0x01, 0x83, 7, 0xE5, 0), {"0101": 0x8307E500, "0101.lamp": 1, "0101.codes": 3}),
        ((0x03, 2, 0), {"0103": 2, "0103.system2": 0}),
        ((0x0A, 100), {"010A": 300}),
        ((0x0E, 0), {"010E": -64}),
        ((0x14, 0x5A, 0), {"0114": 0.45, "0114.trim": -100}),
        ((0x1C, 6), {"011C": 6}),
        ((0x24, 0x80, 0, 0x40, 0), {"0124": 1, "0124.voltage": 2}),
        ((0x32, 0x80, 0), {"0132": -8192}),
        ((0x34, 0x80, 0, 0x80, 0), {"0134": 1, "0134.current": 0}),
        ((0x44, 0x80, 0), {"0144": 1}),
        ((0x4F, 1, 2, 3, 4), {"014F": 1, "014F.voltage": 2, "014F.current": 3, "014F.pressure": 40}),
        ((0x51, 4), {"0151": 4}),
        ((0x54, 0xFF, 0xFF), {"0154": -1}),
        ((0x61, 0), {"0161": -125}),
        ((0x62, 225), {"0162": 100}),
        ((0x63, 1, 0x2C), {"0163": 300}),
        ((0x9D, 0, 100, 0, 50), {"019D": 2, "019D.vehicle": 1}),
        ((0xA4, 0x0F, 0x40, 0x0D, 0xAC), {"01A4": 3.5}),
        ((0xA6, 0, 0x18, 0x6A, 0), {"01A6": 160000}),
    ],
)
def test_values_that_python_obd_does_not_tell(data: tuple[int, ...], values: dict[str, float]) -> None:
    assert told(*data) == pytest.approx(values, rel=1e-12)


SIZES = {row.pid: row.size for row in PIDS}
BOUNDARIES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
NOT_COMPARED = {0x12, 0x32, 0x54}
"""12 is words there, and raises for unknown ones. 32, 54: two's complement here, as SAE J1979 says; there the low byte
of one is signed by itself, the other is offset by 32767."""

OTHER_PART = dict.fromkeys(range(0x24, 0x2C), ("voltage", 2e-5)) | dict.fromkeys(range(0x34, 0x3C), ("current", 1e-9))
"""The first value is the ratio here, there it is left out. Their volt is 8/65535 of a step, ours 8/65536."""

TOLERANCES = {0x44: 6e-4}
"""0.0000305 there, which is 2/65536 rounded."""


def parsed(service: int, data: bytes) -> Any:
    """What python-OBD makes of an answer."""
    return python_obd.commands[service][data[1]].decode([SimpleNamespace(data=bytearray(data))])


def theirs(data: bytes) -> float | None:
    """The same where it is a number."""
    answer = parsed(1, data)
    return float(answer.magnitude) if hasattr(answer, "magnitude") else None


def tries(pid: int) -> Iterator[bytes]:
    """Answers with every boundary in every byte, and some by chance."""
    dice = random.Random(pid)
    for values in product(BOUNDARIES, repeat=min(SIZES[pid], 3)):
        yield bytes([0x41, pid, *values]).ljust(2 + SIZES[pid], b"\x80")
    for _ in range(20):
        yield bytes([0x41, pid]) + dice.randbytes(SIZES[pid])


def test_the_formulas_are_those_of_python_obd() -> None:
    compared = set()
    for pid in sorted(pid for pid in SIZES.keys() - NOT_COMPARED if python_obd.commands.has_pid(1, pid)):
        part, tolerance = OTHER_PART.get(pid, ("", TOLERANCES.get(pid, 1e-9)))
        name = f"01{pid:02X}.{part}" if part else f"01{pid:02X}"
        for data in tries(pid):
            wanted = theirs(data)
            if wanted is not None:
                assert told(*data[1:])[name] == pytest.approx(wanted, rel=tolerance, abs=1e-12), data.hex()
                compared.add(pid)
    assert len(compared) == 79


def test_lamp_codes_and_bitmaps_are_those_of_python_obd() -> None:
    for data in tries(0x01):
        values, status = told(*data[1:]), parsed(1, data)
        assert (values["0101.lamp"], values["0101.codes"]) == (status.MIL, status.DTC_count)
    for pid in (0x00, 0x20, 0x40):
        for data in tries(pid):
            assert f"{int(told(*data[1:])[f'01{pid:02X}']):032b}" == str(parsed(1, data))


@pytest.mark.parametrize(("pid", "words"), [(0x1C, OBD_COMPLIANCE), (0x51, FUEL_TYPES)])
def test_a_number_that_stands_for_words_is_that_of_python_obd(pid: int, words: list[str]) -> None:
    for number, word in enumerate(words):
        data = bytes([0x41, pid, number])
        assert told(*data[1:])[f"01{pid:02X}"] == number
        assert parsed(1, data) in (word, None)


def test_every_trouble_code_is_that_of_python_obd() -> None:
    for pair in product(range(256), repeat=2):
        wanted = parsed(1, bytes([0x41, 0x02, *pair]))
        assert trouble_code(bytes(pair)) == (wanted[0].upper() if wanted else "P0000")


@pytest.mark.parametrize("command", [python_obd.commands.GET_DTC, python_obd.commands.GET_CURRENT_DTC])
def test_lists_of_trouble_codes_are_those_of_python_obd(command: Any) -> None:
    dice = random.Random(4)
    for count in range(40):
        answer = bytes([command.mode | 0x40, count]) + dice.randbytes(2 * count)
        wanted = command.decode([SimpleNamespace(data=bytearray(answer))])
        assert text(answer) == (f"{command.mode:02X}", " ".join(code.upper() for code, _ in wanted))


EATEN = "\\x012"
"""python-OBD means to strip \\x00, \\x01 and \\x02 from a text's ends, and takes these letters and digits with them."""


@pytest.mark.parametrize(
    ("type_", "size", "words"),
    [
        (0x02, 17, "WVWZZZ3CZWE689725"),
        (0x02, 17, "1HGCM82633A004352"),
        (0x02, 17, "SHORTVIN"),
        (0x04, 16, "37805-RBB-J53"),
        (0x04, 16, "CB6015A0"),
    ],
)
def test_vin_and_calibration_id_are_those_of_python_obd(type_: int, size: int, words: str) -> None:
    for padded in (words.ljust(size, "\0"), words.rjust(size, "\0")):
        answer = bytes([0x49, type_, 1]) + padded.encode()
        assert text(answer) == (f"09{type_:02X}", words)
        assert parsed(9, answer).decode() == words.strip(EATEN)


def test_the_values_of_a_pid_agree_on_its_length_and_have_names_of_their_own() -> None:
    assert all(row.size == SIZES[row.pid] for row in PIDS)
    assert len({row.name for row in PIDS}) == len(PIDS)
