"""What a u-blox is asked for: exact frames, one at a time, another way when one is refused, never again and again."""

import struct

import pytest

from drivers.gnss.ublox import ANSWER_US, HZ_MAX, MESSAGE, NAV5, NAVX5, RATE, VALSET, Ublox, carried_hz, checksum, frame
from tests.receivers import answer


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        pytest.param(
            frame(RATE, struct.pack("<HHH", 100, 1, 1)), "b5 62 06 08 06 00 64 00 01 00 01 00 7a 12", id="10 Hz"
        ),
        pytest.param(
            frame(RATE, struct.pack("<HHH", 200, 1, 1)), "b5 62 06 08 06 00 c8 00 01 00 01 00 de 6a", id="5 Hz"
        ),
        pytest.param(frame(MESSAGE, b"\xf0\x01\x00"), "b5 62 06 01 03 00 f0 01 00 fb 11", id="no GLL"),
        pytest.param(answer(frame(RATE, b""), is_granted=True), "b5 62 05 01 02 00 06 08 16 3f", id="acknowledged"),
    ],
)
def test_frames_are_those_that_u_blox_publishes(made: bytes, wanted: str) -> None:
    assert made.hex(" ") == wanted


def conversation(ublox: Ublox, grants: set[int]) -> list[int]:
    """What is asked, by class and id, when only these kinds are granted."""
    asked, came = [], b""
    while frame_ := ublox.step(came, 0):
        body = frame_[2:-2]
        assert frame_[:2] == b"\xb5b"
        assert frame_[-2:] == checksum(body)
        assert int.from_bytes(body[2:4], "little") == len(body) - 4
        asked.append(int.from_bytes(body[:2], "big"))
        came = b"noise\xb5" + answer(frame_, is_granted=asked[-1] in grants) + b"$GP"
    return asked


def test_a_new_u_blox_is_asked_by_keys() -> None:
    ublox = Ublox(10, dead_reckoning=True)
    assert conversation(ublox, {VALSET}) == [VALSET] * 4
    assert (ublox.acknowledged, ublox.refused) == (4, 0)


def test_an_old_u_blox_is_asked_by_messages() -> None:
    ublox = Ublox(10, dead_reckoning=True)
    old = {RATE, MESSAGE, NAV5, NAVX5}
    wanted = [VALSET, RATE, VALSET, *[MESSAGE] * 6, VALSET, NAV5, VALSET, NAVX5]
    assert conversation(ublox, old) == wanted
    assert (ublox.acknowledged, ublox.refused) == (9, 4)


def test_one_that_refuses_all_is_left_alone() -> None:
    ublox = Ublox(10, dead_reckoning=True)
    assert conversation(ublox, set()) == [VALSET, RATE, VALSET, MESSAGE, VALSET, NAV5, VALSET, NAVX5]
    assert (ublox.acknowledged, ublox.refused) == (0, 8)
    assert ublox.step(b"", 10 * ANSWER_US) == b""


def test_keys_and_values_are_as_the_interface_description_says() -> None:
    ublox = Ublox(10, dead_reckoning=True)
    rate = ublox.step(b"", 0)
    assert rate[6:-2].hex(" ") == "00 01 00 00 01 00 21 30 64 00 02 00 21 30 01 00"
    sentences = ublox.step(answer(rate, is_granted=True), 0)
    values = sentences[10:-2]
    table = {values[i : i + 4][::-1].hex(): values[i + 4] for i in range(0, len(values), 5)}
    assert table["209100ac"] == table["209100ae"] == table["209100bb"] == table["209100bd"] == 1
    assert table["209100c0"] == table["209100c5"] == 10
    assert table["209100ca"] == table["209100b1"] == 0
    model = ublox.step(answer(sentences, is_granted=True), 0)
    assert model[6:-2].hex(" ") == "00 01 00 00 21 00 11 20 04"
    fusion = ublox.step(answer(model, is_granted=True), 0)
    assert fusion[6:-2].hex(" ") == "00 01 00 00 01 00 08 10 01"


def test_old_messages_for_dead_reckoning_touch_nothing_else() -> None:
    ublox, frames, came = Ublox(0, dead_reckoning=True), [], b""
    while one := ublox.step(came, 0):
        frames.append(one[6:-2])
        came = answer(one, is_granted=False)
    assert frames[1] == b"\x01\x00\x04" + bytes(33)
    assert frames[3] == b"\x02\x00\x00\x00\x40\x00\x00\x00" + bytes(31) + b"\x01"


def test_no_answer_counts_as_refused() -> None:
    ublox = Ublox(10, dead_reckoning=False)
    first = ublox.step(b"", 0)
    assert ublox.step(answer(frame(NAV5, b""), is_granted=True), ANSWER_US - 1) == b""
    assert ublox.step(answer(first, is_granted=True)[:-1] + b"!", ANSWER_US - 1) == b""
    assert ublox.step(b"", ANSWER_US)[2:4] == b"\x06\x08"
    assert (ublox.acknowledged, ublox.refused) == (0, 1)


def test_an_answer_in_two_pieces_counts_once() -> None:
    ublox = Ublox(1, dead_reckoning=False)
    word = answer(ublox.step(b"", 0), is_granted=True)
    assert ublox.step(word[:7], 1) == b""
    second = ublox.step(word[7:], 2)
    assert second[2:4] == b"\x06\x8a"
    assert ublox.step(b"", 3) == b""
    assert ublox.acknowledged == 1


@pytest.mark.parametrize(
    ("hz", "baud", "wanted"),
    [
        (10, 4800, 1), (10, 9600, 1), (10, 38400, 10), (25, 38400, 14), (10, 115200, 10), (25, 115200, 25),
        (99, 0, HZ_MAX), (5, 0, 5), (1, 9600, 1),
    ],
)  # fmt: skip
def test_the_rate_is_what_the_line_carries(hz: int, baud: int, wanted: int) -> None:
    assert carried_hz(hz, baud) == wanted
