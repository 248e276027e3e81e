"""The candump reader in C and the one in Python tell the same of any text, and C reads nearly all that programs write."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.batch import INPUT_BYTES
from drivers.recordings import candump
from drivers.recordings.candump import ROOM, Channels, Fast
from drivers.text import Tally, line_texts

LINES = (
    "(1436509052.249713) can0 7E8#03410D32",
    "(1436509052.249713) vcan12 18DAF110#0102030405060708 R",
    "(0.000000) can1 7FF# T",
    "(12345678901.999999) can0 20000080#0000000000000000",
    "(1436509052.249713) can0 18DAF110##1AABB",
    "(1436509052.249713) can0 123##0" + "5A" * 64,
    "(1436509052.249713) can0 7E8#R4",
    "(1436509052.2497)  can7  7E8   [4]  03 41 0D 32",
    "# a comment",
    "",
    "(1.000001) a_bus_with_a_long_name 123#00",
    "(1.000001) can0 123#0",
    "(1.000001) can0 800#00",
    "(1.000001) can0 3FFFFFFF#00",
    "(1.000001) can0 40000000#00",
    "(1.000001) can0 123#001122334455667788",
    "(1.000001) can0 123#00_9",
)
ODD = "\r \t#(.)\0\x85\xa0gRT9Ff\xb2"


def slowly(block: bytes) -> tuple[bytes, list[int]]:
    """Every line in Python: the frames, and the lines that are bad."""
    frames, bad, channels = [], [], Channels()
    for number, line in enumerate(line_texts(block), start=1):
        try:
            frames.append(candump.parse(line, channels))
        except ValueError:
            bad.append(number)
    return b"".join(frames), bad


def fast(block: bytes) -> tuple[bytes, int, int]:
    """As a recording is read: the frames, how many lines are bad, the first of them."""
    tally = Tally(Path("x"), lines_read=block.count(b"\n") + 1)
    return b"".join(candump.read([block], tally)), tally.lines_bad, tally.first_bad


def damaged(luck: random.Random, line: str) -> str:
    """A line with up to three letters taken out, put in or exchanged."""
    for _ in range(luck.randrange(4)):
        at = luck.randrange(len(line) + 1)
        line = (
            line[:at]
            + luck.choice(["", luck.choice(ODD), luck.choice("0123456789abcDEF")])
            + line[at + luck.randrange(2) :]
        )
    return line


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("end", ["", "\r", "\n", "\r\n"])
def test_both_readers_tell_the_same_of_a_line(line: str, end: str) -> None:
    block = (line + end).encode("latin-1")
    frames, bad = slowly(block)
    assert fast(block) == (frames, len(bad), bad[0] if bad else 0)


@pytest.mark.parametrize("seed", range(40))
def test_both_readers_tell_the_same_of_damaged_logs(seed: int) -> None:
    luck = random.Random(seed)
    text = "\n".join(damaged(luck, luck.choice(LINES)) for _ in range(300))
    frames, bad = slowly(text.encode("latin-1"))
    assert frames
    assert bad
    assert fast(text.encode("latin-1")) == (frames, len(bad), bad[0])


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(st.characters(max_codepoint=255), max_size=40)), max_size=12))
def test_both_readers_tell_the_same_of_any_text(lines: list[str]) -> None:
    block = "\n".join(lines).encode("latin-1")
    frames, bad = slowly(block)
    assert fast(block) == (frames, len(bad), bad[0] if bad else 0)


def test_more_frames_than_fit_at_once_are_all_read() -> None:
    lines = [f"({at}.000000) can0 123#{at % 256:02X}" for at in range(2 * ROOM + 3)]
    frames, bad = slowly("\n".join(lines).encode())
    assert len(frames) == len(lines) * INPUT_BYTES
    assert fast("\n".join(lines).encode()) == (frames, len(bad), 0)


def test_more_buses_than_c_knows_are_read_all_the_same() -> None:
    lines = [f"(1.000000) bus{at} 123#{at:02X}" for at in range(40)] * 2
    frames, _ = slowly("\n".join(lines).encode())
    assert fast("\n".join(lines).encode())[0] == frames


@pytest.mark.parametrize("line", LINES[:6])
def test_what_programs_write_is_read_in_c(line: str) -> None:
    channels = Channels()
    name = line.split()[1]
    reader, number = Fast(channels), channels[name]
    reader.learn()
    some, at = reader.read(line.encode(), 0)
    assert some == candump.parse(line, Channels({name: number}))
    assert at > len(line) - 1


def test_c_stops_at_a_bus_it_does_not_know_yet() -> None:
    line = LINES[0].encode()
    assert Fast(Channels()).read(line + b"\n" + line, 0) == (b"", 0)


def test_a_line_that_ends_within_the_name_of_its_channel_is_bad() -> None:
    assert fast(b"(1.000001) can0 123#00\n(1.000002) can\n")[1:] == (1, 2)
