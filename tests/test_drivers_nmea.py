"""NMEA: what belongs to one moment is one fix, on UTC; torn and void sentences are no position."""

import json
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from drivers.nmea import read as read_lines
from drivers.recording import open_recordings
from drivers.text import Tally
from tests.packed import read, told

GPSD = Path(__file__).resolve().parents[2] / "shared/data/gpsd"
KNOT_MPS = 1852 / 3600
PLACE = "3751.6500,S,14507.3600,E"


def sentence(body: str) -> str:
    return f"${body}*{reduce(xor, body.encode()):02X}"


def utc_us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def fixes(*lines: str) -> list[tuple]:
    tally = Tally(Path("log"), lines_read=len(lines))
    return list(told(b"".join(read_lines([list(lines)], tally))))


def rmc(clock: str, date: str, status: str = "A") -> str:
    return sentence(f"GPRMC,{clock},{status},{PLACE},010.0,360.0,{date},,,A")


def gga(clock: str, quality: int = 1) -> str:
    return sentence(f"GPGGA,{clock},{PLACE},{quality},08,1.1,59.9,M,,M,,")


def test_gga_and_rmc_of_one_moment_are_one_fix() -> None:
    (one,) = fixes(gga("081836.00"), rmc("081836.00", "130998"))
    assert one[:3] == (utc_us("1998-09-13T08:18:36"), "fix", True)
    assert one[3] == pytest.approx([-37.8608333333, 145.1226666667, 10 * KNOT_MPS, 360, 1.1, 8])
    assert fixes(rmc("081836", "130998"), gga("081836.000")) == [one]


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("0000.0000,N,00000.0000,E", (0.0, 0.0)),
        ("8959.9999,S,17959.9999,W", (-(89 + 59.9999 / 60), -(179 + 59.9999 / 60))),
        ("4807.038,N,01131.000,E", (48.1173, 11.0 + 31 / 60)),
        ("4807.0381234,N,01131.,W", (48 + 7.0381234 / 60, -11 - 31 / 60)),
    ],
)
def test_degrees_minutes_and_sides(place: str, wanted: tuple) -> None:
    (one,) = fixes(sentence(f"GNRMC,000000,A,{place},,,010100,,"))
    assert one[3][:4] == [pytest.approx(wanted[0], abs=1e-12), pytest.approx(wanted[1], abs=1e-12), None, None]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([rmc("081836", "130998", "V")], id="RMC says void"),
        pytest.param([rmc("081836", "130998", "V"), gga("081836")], id="RMC decides"),
        pytest.param([sentence(f"GPRMC,081836,A,{PLACE},1,2,130998,,,N")], id="mode N"),
        pytest.param([gga("081836", quality=0)], id="GGA without a fix"),
        pytest.param([sentence("GPRMC,081836,A,,,,,,,130998,,,A")], id="no position in it"),
        pytest.param([sentence("GPRMC,081836,V,36000.0000,N,72000.0000,E,0.0,,130998,,")], id="void nonsense"),
    ],
)
def test_a_void_moment_is_one_fix_without_position(lines: list[str]) -> None:
    (one,) = fixes(*lines)
    assert one[2] is False
    assert one[3][:4] == [None, None, None, None]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(rmc("081836", "130998").replace("3751", "3752"), id="wrong checksum"),
        pytest.param(rmc("081836", "130998")[:-3], id="no checksum"),
        pytest.param(rmc("081836", "130998")[:40], id="torn"),
        pytest.param(rmc("256199", "130998"), id="no time of day"),
        pytest.param(rmc("081836", "311398"), id="no date"),
        pytest.param(rmc("081836", "1309-8"), id="a minus in the date"),
        pytest.param(sentence("GPRMC,081836,A,9100.0,N,00000.0,E,1,2,130998,,"), id="beyond the pole"),
        pytest.param(sentence("GPRMC,081836,A,3760.0,N,00000.0,E,1,2,130998,,"), id="60 minutes"),
        pytest.param(sentence("GPRMC,081836,A,3751.0,X,00000.0,E,1,2,130998,,"), id="no such side"),
        pytest.param(sentence("GPRMC,081836,A,3751.0,N,00000.0,E,1e9,2,130998,,"), id="no speed"),
        pytest.param(sentence("GPRMC,081836,A"), id="short"),
        pytest.param("\xb5b\x01\x07\x00\x00binary", id="binary"),
    ],
)
def test_a_broken_sentence_makes_no_fix_and_is_counted(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(f"{line}\n{rmc('081837', '130998')}\n".encode("latin-1"))
    recording = open_recordings([path], "nmea")
    assert [one[0] for one in told(b"".join(recording.batches()))] == [utc_us("1998-09-13T08:18:37")]
    assert recording.counters["lines_bad"] == 1


def test_a_sentence_behind_binary_bytes_is_read() -> None:
    assert len(fixes("\xb5b\x01\x07" + rmc("081836", "130998"))) == 1


def test_moments_before_the_first_date_get_the_day_that_fits() -> None:
    times = [one[0] for one in fixes(gga("235958"), gga("235959"), gga("000000"), rmc("000001", "010120"))]
    assert times == [
        utc_us(t) for t in ("2019-12-31T23:59:58", "2019-12-31T23:59:59", "2020-01-01", "2020-01-01T00:00:01")
    ]


def test_midnight_without_a_date_goes_on_the_next_day() -> None:
    times = [one[0] for one in fixes(rmc("235959", "311219"), gga("000000"), gga("000001"))]
    assert times[1] - times[0] == times[2] - times[1] == 1_000_000


def test_zda_tells_the_date_where_rmc_does_not() -> None:
    lines = [sentence("GPZDA,081835,13,09,1998,00,00"), gga("081836")]
    assert [one[0] for one in fixes(*lines)] == [utc_us("1998-09-13T08:18:36")]


def test_a_void_receivers_date_is_used_where_there_is_no_other() -> None:
    assert [one[0] for one in fixes(rmc("081836", "130998", "V"))] == [utc_us("1998-09-13T08:18:36")]


def test_a_log_without_any_date_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(gga("000010") + "\n")
    recording = open_recordings([path])
    assert [one[0] for one in told(b"".join(recording.batches()))] == [10_000_000]
    assert recording.warnings == [f"{path}: tells no date, taken as 1970-01-01"]


@pytest.mark.skipif(not GPSD.is_dir(), reason="the recordings are not beside the project")
def test_receivers_of_the_world_agree_with_gpsd() -> None:
    right, wrong = 0, []
    for log in sorted(GPSD.glob("*.log")):
        found = {round(t_us / 1e6 % 86400, 2): numbers for t_us, _, valid, numbers in told(read(log)) if valid}
        for line in log.with_suffix(".log.chk").read_text(errors="replace").splitlines():
            report = json.loads(line) if line.startswith('{"class":"TPV"') else {}
            if report.get("mode", 0) < 2 or not {"time", "lat", "lon"} <= report.keys():
                continue
            clock = datetime.fromisoformat(report["time"]).timestamp()
            told_here = found.get(round(clock % 86400, 2))
            if told_here is None:
                continue  # gpsd had it of a sentence we pass over
            same = told_here[:2] == pytest.approx([report["lat"], report["lon"]], abs=1e-6)
            right, wrong = right + same, wrong + ([] if same else [(log.name, report["time"])])
    assert right > 550
    assert len(wrong) < 0.02 * right, wrong
