"""ASC, BLF, TRC, MF4 through python-can: the frames python-can wrote come back; damage is counted, not fatal."""

import gzip
import random
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import can
import pytest
from can.io import ASCWriter, BLFWriter, TRCWriter

from drivers.batch import ERROR, EXTENDED, FD, REMOTE
from drivers.errors import RecordingError
from drivers.recordings import can_log
from drivers.recordings.recording import open_recordings
from tests.packed import drained, frames, read

START_S = 1_600_000_000.0
HEAD = "date Mon Sep 30 15:06:13.191 2019\nbase hex  timestamps {}\ninternal events logged\nBegin Triggerblock\n"


def drive(count: int = 50) -> list[can.Message]:
    """Classic frames of two widths."""
    return [
        can.Message(
            timestamp=START_S + i / 8,
            arbitration_id=0x18DAF110 if i % 2 else 0x7E8,
            is_extended_id=bool(i % 2),
            data=bytes([3, 0x41, 0x0D, i % 256]),
            channel=0,
        )
        for i in range(count)
    ]


def written(folder: Path, writer: Callable, name: str, messages: list[can.Message]) -> Path:
    path = folder / name
    with writer(path) as log:
        for message in messages:
            log(message)
    return path


@pytest.mark.parametrize(
    ("writer", "name", "stamped"), [(ASCWriter, "asc", 0), (BLFWriter, "blf", 1), (TRCWriter, "trc", 1)]
)
def test_what_python_can_wrote_is_read_back(tmp_path: Path, writer: Callable, name: str, stamped: int) -> None:
    path = written(tmp_path, writer, f"drive.{name}", drive())
    recording = open_recordings([path.rename(tmp_path / "drive.log")])
    got = frames(drained(recording))
    assert recording.formats == [name]
    assert recording.warnings == []
    assert [one[1:] for one in got] == [
        (0, 0x18DAF110 | EXTENDED if i % 2 else 0x7E8, bytes([3, 0x41, 0x0D, i]), 0) for i in range(50)
    ]
    times = [one[0] for one in got]
    assert [t - times[0] for t in times] == [i * 125_000 for i in range(50)]
    assert (times[0] > 1e15) == bool(stamped)


@pytest.mark.parametrize("name", ["blf", "asc"])
def test_fd_error_and_remote_frames_are_marked(tmp_path: Path, name: str) -> None:
    messages = [
        can.Message(timestamp=START_S, arbitration_id=1, is_extended_id=False, data=bytes(64), is_fd=True, channel=1),
        can.Message(timestamp=START_S + 1, is_error_frame=True, channel=0),
        can.Message(
            timestamp=START_S + 2, arbitration_id=3, is_extended_id=False, is_remote_frame=True, dlc=4, channel=0
        ),
    ]
    path = written(tmp_path, {"blf": BLFWriter, "asc": ASCWriter}[name], f"x.{name}", messages)
    got = frames(read(path))
    assert [(channel, data, flags) for _, channel, _, data, flags in got] == [
        (1, bytes(64), FD),
        (0, got[1][3], ERROR),
        (0, b"", REMOTE),
    ]


def test_zipped_logs_are_read_too(tmp_path: Path) -> None:
    for writer, name in ((ASCWriter, "a.asc"), (BLFWriter, "b.blf"), (TRCWriter, "c.trc")):
        path = written(tmp_path, writer, name, drive())
        zipped = tmp_path / f"{name}.zipped"
        zipped.write_bytes(gzip.compress(path.read_bytes()))
        assert read(zipped) == read(path)


def test_asc_stamps_that_count_from_the_line_before_are_added_up(tmp_path: Path) -> None:
    deltas = [0.5, 0.25, 0.125, 1.0]
    lines = [f"   {d:.6f} 1  7E8             Rx   d 2 03 41\n" for d in deltas]
    lines.insert(2, "   0.125000 1  Statistic: D 0 R 0 XD 0 XR 0 E 0 O 0 B 0.00%\n")
    path = tmp_path / "x"
    path.write_text(HEAD.format("relative") + "".join(lines))
    assert [one[0] for one in frames(read(path))] == [500_000, 750_000, 1_000_000, 2_000_000]


def test_asc_lines_that_are_broken_are_counted_and_the_rest_read(tmp_path: Path) -> None:
    good = "   {}.000000 1  7E8             Rx   d 2 03 41\n"
    lines = [
        good.format(1),
        "   2.0 1  ZZZ  Rx   d 2 03 41\n",
        "rubbish\n",
        good.format(3),
        "   4.0 1  7E8  Rx   d\n",
        good.format(5),
    ]
    path = tmp_path / "x"
    path.write_text(HEAD.format("absolute") + "".join(lines) + "End TriggerBlock\n")
    recording = open_recordings([path])
    assert [one[0] for one in frames(drained(recording))] == [1_000_000, 3_000_000, 5_000_000]
    assert recording.counters["lines_bad"] == 3
    assert "the first is line 6" in recording.warnings[0]


def test_trc_1_0_without_a_header_and_with_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("     1)   100.5     0300 2 11 22\n     2)   101     0300 2 zz 22\n     3)   102.0 18DAF110 1 33\n")
    recording = open_recordings([path])
    assert frames(drained(recording)) == [
        (100_500, 0, 0x300, b"\x11\x22", 0),
        (102_000, 0, 0x18DAF110 | EXTENDED, b"\x33", 0),
    ]
    assert recording.counters["lines_bad"] == 1


def test_a_torn_blf_gives_what_comes_before(tmp_path: Path) -> None:
    path = written(tmp_path, BLFWriter, "x.blf", drive(20_000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    recording = open_recordings([path])
    assert 0 < len(frames(drained(recording))) < 20_000


@pytest.mark.parametrize(("writer", "name"), [(ASCWriter, "asc"), (BLFWriter, "blf"), (TRCWriter, "trc")])
def test_damage_never_does_more_than_be_counted(tmp_path: Path, writer: Callable, name: str) -> None:
    whole = written(tmp_path, writer, f"x.{name}", drive(200)).read_bytes()
    luck = random.Random(11)
    path = tmp_path / f"damaged.{name}"
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(luck.randrange(12)):
            content[luck.randrange(len(content))] = luck.randrange(256)
        path.write_bytes(content[: luck.randrange(len(content))])
        try:
            recording = open_recordings([path], name)
        except RecordingError as error:
            assert f"damaged.{name}" in str(error)  # noqa: PT017 - either end is good, and each has its own promise
            continue
        assert len(drained(recording)) % 80 == 0


def test_mf4_without_its_reader_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(can_log, "find_spec", lambda name: None)
    path = tmp_path / "x.mf4"
    path.write_bytes(b"MDF     4.10    ".ljust(200, b"\0"))
    with pytest.raises(RecordingError, match=r"x\.mf4: .*pip install 'tbox-agent\[mf4\]'"):
        open_recordings([path])


@pytest.mark.skipif(find_spec("asammdf") is None, reason="asammdf is not installed (the extra mf4)")
def test_mf4_is_read_back(tmp_path: Path) -> None:
    from can.io import MF4Writer  # noqa: PLC0415 - needs asammdf

    path = written(tmp_path, MF4Writer, "x.mf4", drive())
    got = frames(read(path))
    assert [one[3][3] for one in got] == list(range(50))
    assert [one[2] for one in got[:2]] == [0x7E8, 0x18DAF110 | EXTENDED]
    assert got[-1][0] - got[0][0] == pytest.approx(49 * 125_000, abs=1)
