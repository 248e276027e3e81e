"""Recordings: told by content, read whole or as far as they go, counted, on one axis in any order."""

import gzip
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.batch import ERROR, EXTENDED, FD, INPUT_BYTES, REMOTE
from drivers.errors import RecordingError
from drivers.recordings.candump import Channels
from drivers.recordings.merge import times_us
from drivers.recordings.recording import open_recordings
from tests.packed import drained, frames, read, told

LOG = "".join(f"({1000 + i / 10:.6f}) can0 7E8#03410D{i % 200:02X}\n" for i in range(1000))
TABLE = "time_s,speed_mps\n" + "".join(f"{i / 10},{i % 30}\n" for i in range(1000))


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode("latin-1") if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        pytest.param("(1.5) can0 7E8#03410D32", (1_500_000, 0, 0x7E8, b"\x03\x41\x0d\x32", 0), id="short fraction"),
        pytest.param("(1.000002) can1 7e8#", (1_000_002, 1, 0x7E8, b"", 0), id="no data, small letters"),
        pytest.param("(1.000002) vcan0 18DAF110#01", (1_000_002, 0, 0x18DAF110 | EXTENDED, b"\x01", 0), id="29 bits"),
        pytest.param("(1.000002) can0 00000001#01", (1_000_002, 0, 1 | EXTENDED, b"\x01", 0), id="29 bits, small id"),
        pytest.param("(1.000002) can0 123##3AABB", (1_000_002, 0, 0x123, b"\xaa\xbb", FD), id="FD"),
        pytest.param("(1.000002) can0 123##0" + "11" * 64, (1_000_002, 0, 0x123, b"\x11" * 64, FD), id="FD, 64 bytes"),
        pytest.param("(1.000002) can0 123#R", (1_000_002, 0, 0x123, b"", REMOTE), id="remote"),
        pytest.param("(1.000002) can0 123#R8", (1_000_002, 0, 0x123, b"", REMOTE), id="remote with length"),
        pytest.param("(1.000002) can0 20000080#00000000", (1_000_002, 0, 0x80, bytes(4), ERROR), id="error frame"),
        pytest.param("(1.000002) can0 123#1122 R", (1_000_002, 0, 0x123, b"\x11\x22", 0), id="direction"),
        pytest.param("(1.000002)  can0  123   [2]  11 22", (1_000_002, 0, 0x123, b"\x11\x22", 0), id="candump -ta"),
        pytest.param("(1.0) can0 123 [0] remote request", (1_000_000, 0, 0x123, b"", REMOTE), id="candump -ta, remote"),
        pytest.param("(1.000002) can0 123#1122\r", (1_000_002, 0, 0x123, b"\x11\x22", 0), id="CRLF"),
        pytest.param("(1.123456789) can0 123#11", (1_123_456, 0, 0x123, b"\x11", 0), id="nanoseconds are cut"),
    ],
)
def test_a_candump_line_is_this_frame(tmp_path: Path, line: str, wanted: tuple) -> None:
    assert frames(read(write(tmp_path, "x", line + "\n"))) == [wanted]


@pytest.mark.parametrize(
    "line",
    [
        "(1.0) can0 7E8#03410D5",
        "(1.0) can0 FFF#00",
        "(1.0) can0 FFFFFFFF#00",
        "(1.0) can0 7E8#001122334455667788",
        "(1.0) can0 12345#00",
        "(x) can0 7E8#00",
        "(1.0) can0",
        "(1.0) can0 123 [3] 11 22",
        "(1.0) can0 123##1" + "00" * 65,
        "not a frame",
    ],
)
def test_what_is_no_frame_is_counted_with_its_line(tmp_path: Path, line: str) -> None:
    recording = open_recordings([write(tmp_path, "x.log", f"(1.0) can0 123#00\n\n{line}\n(2.0) can0 123#00\n")])
    assert len(frames(drained(recording))) == 2
    assert recording.counters == {"lines_read": 4, "lines_bad": 1, "inputs": 2}
    assert recording.warnings == [
        f"{tmp_path}/x.log: 1 of 4 lines not understood and left out, the first is line 3",
    ]


def test_a_bus_has_the_number_its_name_ends_with_or_the_lowest_free() -> None:
    channels = Channels()
    assert [channels[name] for name in ("can1", "vcan0", "can0", "elm", "can1")] == [1, 0, 2, 3, 1]


def test_the_257th_bus_of_a_log_is_a_bad_line() -> None:
    channels = Channels()
    for number in range(256):
        assert channels[f"bus{chr(97 + number % 26)}{'x' * number}"] == number
    with pytest.raises(ValueError, match="256"):
        channels["one more"]


def test_cells_of_a_row_become_values_a_fix_and_an_imu_in_this_order(tmp_path: Path) -> None:
    table = (
        "time_s,gyro_z_radps,accel_x_mps2,sats,lat_deg,lon_deg,brake,rpm,speed_mps\n"
        "12.5,0.25,-1.5,9,48.5,-11.25,1,1500,3.5\n"
    )
    assert list(told(read(write(tmp_path, "x", table)))) == [
        (12_500_000, "speed", 3.5),
        (12_500_000, "rpm", 1500),
        (12_500_000, "brake", 1),
        (12_500_000, "fix", True, [48.5, -11.25, None, None, None, 9]),
        (12_500_000, "imu", [-1.5, None, None, None, None, 0.25]),
    ]


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        pytest.param(",,,", [], id="nothing in the row"),
        pytest.param("0,,,", [("speed", 0.0)], id="zero is a value"),
        pytest.param(",48,,", [("fix", False)], id="half a position is no valid fix"),
        pytest.param(",48,11,", [("fix", True)], id="a position is"),
        pytest.param(",,,7", [("fix", True)], id="a GNSS speed alone too"),
    ],
)
def test_an_empty_cell_is_no_value_now(tmp_path: Path, cells: str, wanted: list) -> None:
    path = write(tmp_path, "x", f"time_s,speed_mps,lat_deg,lon_deg,gnss_speed_mps\n1,{cells}\n9,1,,,\n")
    assert [one[1:3] for one in told(read(path))][:-1] == wanted


def test_rows_need_not_be_in_order(tmp_path: Path) -> None:
    head, *rows = TABLE.splitlines()
    random.Random(7).shuffle(rows)
    assert read(write(tmp_path, "a", "\n".join([head, *rows]))) == read(write(tmp_path, "b", TABLE))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(TABLE.replace("\n", "\r\n"), id="CRLF"),
        pytest.param("\xef\xbb\xbf" + TABLE, id="byte-order mark"),
        pytest.param(TABLE.removesuffix("\n"), id="no last line end"),
        pytest.param("\n\n" + TABLE, id="empty lines in front"),
        pytest.param(TABLE.replace("time_s,speed_mps", '"time_s", "speed_mps"'), id="quotes"),
    ],
)
def test_a_table_is_the_same_however_it_is_written(tmp_path: Path, other: str) -> None:
    assert read(write(tmp_path, "a", other)) == read(write(tmp_path, "b", TABLE))


@pytest.mark.parametrize(
    "row",
    ["2,fast,", "x,1,", "2,nan,", "2,inf,", "2,1_0,", "2,1", "2,1,,", ",1,", "1e12,1,", "2,1,0.5", "2,\xb2,"],
)
def test_a_row_that_is_none_is_counted_and_nothing_of_it_taken(tmp_path: Path, row: str) -> None:
    recording = open_recordings([write(tmp_path, "x", f"time_s,speed_mps,brake\n1,5,0\n{row}\n")])
    assert [one[0] for one in told(drained(recording))] == [1_000_000, 1_000_000]
    assert recording.counters["lines_bad"] == 1
    assert "the first is line 3" in recording.warnings[0]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        pytest.param("time_s,speed_mph", 'unknown column "speed_mph": did you mean "speed_mps"?', id="nearest"),
        pytest.param("time_s,Speed_mps", 'unknown column "Speed_mps": did you mean "speed_mps"?', id="capital"),
        pytest.param("t,speed_mps", 'unknown column "t"', id="time misnamed"),
        pytest.param("time_s,xyzzy", "known are time_s speed_mps rpm", id="nothing near"),
        pytest.param("speed_mps,rpm", 'the column "time_s" is missing', id="no time"),
        pytest.param("time_s,rpm,rpm", 'column "rpm" stands there twice', id="twice"),
        pytest.param("time_s,rpm,", "unknown column number 3, which has no name", id="nameless"),
    ],
)
def test_a_wrong_header_is_an_error_that_names_file_column_and_fix(tmp_path: Path, header: str, said: str) -> None:
    path = write(tmp_path, "drive.csv", f"{header}\n1,2\n")
    with pytest.raises(RecordingError) as caught:
        open_recordings([path])
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(4096), id="noughts"),
        pytest.param(random.Random(1).randbytes(100_000), id="noise"),
        pytest.param(b"Dear Sir,\nthe car was parked.\n" * 50, id="prose"),
        pytest.param(b"time_s,speed_mps\n", id="header only"),
        pytest.param(b"time_s,speed_mps\nx,y\n", id="no good row"),
        pytest.param(b"\x1f\x8b\x08\x00" + LOG[:300].encode(), id="gzip's head only"),
        pytest.param(gzip.compress(b""), id="nothing zipped"),
        pytest.param(b"LOGG" + bytes(200), id="BLF's magic only"),
        pytest.param(b"$GPRMC,,V,,,,,,,,,,N*53\n", id="a receiver that knows nothing"),
    ],
)
def test_what_holds_no_input_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "what", content)
    with pytest.raises(RecordingError, match="what"):
        open_recordings([path])


def test_missing_folder_and_unknown_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"gone\.csv: there is no such file"):
        open_recordings([tmp_path / "gone.csv"])
    with pytest.raises(RecordingError, match="is a folder: name the recordings"):
        open_recordings([tmp_path])
    with pytest.raises(RecordingError, match="unknown format 'xml': known are candump asc blf trc mf4 nmea csv"):
        open_recordings([write(tmp_path, "x", LOG)], "xml")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (LOG, "candump"),
        (TABLE, "csv"),
        ("$GPZDA,152504.50,09,12,2009,00,00*65\n", ""),
        ("# a comment first\n$GPGGA,152505.00,5547.82113,N,02334.14130,E,1,04,2.72,37.0,M,26.9,M,,*6B\n", "nmea"),
    ],
)
def test_content_tells_the_type(tmp_path: Path, content: str, wanted: str) -> None:
    for name, stored in (("a.blf", content.encode()), ("b", gzip.compress(content.encode()))):
        path = write(tmp_path, name, stored)
        if wanted:
            assert open_recordings([path]).formats == [wanted]
        else:
            with pytest.raises(RecordingError, match="read as nmea"):
                open_recordings([path])


def test_format_overrides_content(tmp_path: Path) -> None:
    path = write(tmp_path, "x", "free text about the log\n" * 5000 + LOG)
    with pytest.raises(RecordingError, match="its content is none of candump"):
        open_recordings([path])
    assert len(frames(read(path, format="candump"))) == 1000


@pytest.mark.parametrize("keep", [0.999, 0.5, 0.1])
def test_a_torn_gzip_is_read_up_to_there(tmp_path: Path, keep: float) -> None:
    luck = random.Random(3)
    log = "".join(f"({1000 + i}.000000) can0 7E8#{luck.randbytes(8).hex()}\n" for i in range(30_000))
    zipped = gzip.compress(log.encode())
    recording = open_recordings([write(tmp_path, "x.gz", zipped[: int(len(zipped) * keep)])])
    batch = drained(recording)
    assert 0.9 * keep < len(frames(batch)) / 30_000 < 1
    assert batch == read(write(tmp_path, "x", log))[: len(batch)]
    assert recording.truncated
    assert recording.counters["lines_bad"] == 0
    assert recording.warnings == [f"{tmp_path}/x.gz: its end is torn, read up to there"]


def test_a_gzip_with_a_flipped_bit_keeps_what_comes_before(tmp_path: Path) -> None:
    zipped = bytearray(gzip.compress(LOG.encode()))
    zipped[-6] ^= 0xFF  # the checksum: all lines are read, and the end is not trusted
    recording = open_recordings([write(tmp_path, "x.gz", bytes(zipped))])
    assert len(frames(drained(recording))) == 1000
    assert recording.truncated


def test_gzip_members_in_a_row_are_one_log(tmp_path: Path) -> None:
    half = LOG.index("\n", len(LOG) // 2) + 1
    zipped = gzip.compress(LOG[:half].encode()) + gzip.compress(LOG[half:].encode()) + bytes(512)
    recording = open_recordings([write(tmp_path, "x.gz", zipped)])
    assert drained(recording) == read(write(tmp_path, "x", LOG))
    assert not recording.truncated


def test_columns_in_several_files_give_the_inputs_of_one(tmp_path: Path) -> None:
    both = write(
        tmp_path, "both", "time_s,speed_mps,accel_x_mps2\n" + "".join(f"{i / 10},{i},{-i}\n" for i in range(99))
    )
    speed = write(tmp_path, "speed", "time_s,speed_mps\n" + "".join(f"{i / 10},{i}\n" for i in range(99)))
    imu = write(tmp_path, "imu", "time_s,accel_x_mps2\n" + "".join(f"{i / 10},{-i}\n" for i in range(99)))
    assert read(both) == read(speed, imu) == read(imu, speed)


def test_parts_in_any_order_are_the_log_they_were(tmp_path: Path) -> None:
    lines = LOG.splitlines(keepends=True)
    parts = [write(tmp_path, f"{n}", "".join(lines[n * 250 : n * 250 + 250])) for n in range(4)]
    whole = read(write(tmp_path, "whole", LOG))
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]):
        assert read(*(parts[n] for n in order)) == whole


@pytest.mark.parametrize(
    ("start_s", "meets"),
    [
        pytest.param(1099.9 + 3600, True, id="an hour after the end"),
        pytest.param(1099.9 + 3600.1, False, id="more than an hour"),
        pytest.param(1050, True, id="overlap"),
        pytest.param(1.7e9, False, id="another axis"),
    ],
)
def test_spans_must_meet(tmp_path: Path, start_s: float, meets: bool) -> None:
    first = write(tmp_path, "first", LOG)
    second = write(tmp_path, "second", f"({start_s:.6f}) can0 7E8#00\n")
    if meets:
        assert len(frames(read(second, first))) == 1001
        return
    with pytest.raises(RecordingError, match=r"second: begins .* h after .*first has ended: .*not on one axis"):
        open_recordings([second, first])


def test_frames_late_by_less_than_a_second_are_put_in_order(tmp_path: Path) -> None:
    luck = random.Random(5)
    times = [i / 100 + luck.random() * 0.9 for i in range(20_000)]
    recording = open_recordings([write(tmp_path, "x", "".join(f"({t:.6f}) can0 123#00\n" for t in times))])
    got = times_us(drained(recording))
    assert got == sorted(got)
    assert len(got) == 20_000
    assert recording.warnings == []


def test_a_clock_set_back_in_a_log_is_told_and_nothing_lost(tmp_path: Path) -> None:
    times = [*range(100, 40_100), *range(50, 100)]
    recording = open_recordings([write(tmp_path, "x", "".join(f"({t}.0) can0 123#00\n" for t in times))])
    assert len(frames(drained(recording))) == 40_050
    assert recording.warnings == [f"{tmp_path}/x: 50 inputs stand more than 1 s out of order"]


def test_batches_hold_no_more_than_asked(tmp_path: Path) -> None:
    sizes = [len(batch) // INPUT_BYTES for batch in open_recordings([write(tmp_path, "x", LOG)]).batches(300)]
    assert max(sizes) == 300
    assert sum(sizes) == 1000


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=st.sampled_from([LOG[:2000], TABLE[:2000], "time_s,lat_deg,brake\n1,2,1\n" * 20]),
    cut=st.integers(0, 2000),
    noise=st.lists(st.tuples(st.integers(0, 1999), st.binary(min_size=1, max_size=4)), max_size=20),
    zipped=st.booleans(),
)
def test_no_damage_does_more_than_be_counted(tmp_path: Path, source: str, cut: int, noise: list, zipped: bool) -> None:
    content = bytearray(gzip.compress(source.encode()) if zipped else source.encode())
    for at, waste in noise:
        content[at : at + len(waste)] = waste
    path = write(tmp_path, "damaged", bytes(content[:cut]))
    for wanted in (None, "candump", "csv", "nmea", "asc", "trc", "blf"):
        try:
            recording = open_recordings([path], wanted)
        except RecordingError as error:
            assert "damaged" in str(error)  # noqa: PT017 - either end is good, and each has its own promise
            continue
        batch = drained(recording)
        assert len(batch) % INPUT_BYTES == 0
        assert len(batch) // INPUT_BYTES == recording.counters["inputs"] > 0


def test_candump_is_read_at_a_quarter_of_a_million_frames_a_second(tmp_path: Path) -> None:
    path = write(tmp_path, "x", LOG * 50)
    started_s = time.process_time()
    read(path)
    assert 50_000 / (time.process_time() - started_s) > 100_000  # two fifths of what it should be, for slow machines
