"""NMEA: what belongs to one moment is one fix, on UTC; torn and void sentences are no position."""

import struct
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from drivers.gnss.nmea import Moments
from drivers.gnss.nmea import read as read_lines
from drivers.gnss.sentence import sound
from drivers.gnss.sky import KEPT
from drivers.recordings.recording import open_recordings
from drivers.text import Tally
from tests.packed import told

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


def told_by(*bodies: str) -> tuple:
    """The one fix of these sentences: (valid, numbers)."""
    (one,) = fixes(*map(sentence, bodies))
    return one[2:]


GGA, RMC = f"GGA,081836.00,{PLACE}", f"RMC,081836.00,A,{PLACE},010.0,360.0,130998,,,A"


@pytest.mark.parametrize(
    ("bodies", "hdop", "sats"),
    [
        pytest.param([f"GP{GGA},1,08,1.1,,M,,M,,", f"GL{GGA},1,02,1.1,,M,,M,,"], 1.1, 10, id="two systems add up"),
        pytest.param([f"GL{GGA},1,02,1.9,,M,,M,,", f"GP{GGA},1,08,1.1,,M,,M,,"], 1.1, 10, id="in any order"),
        pytest.param(
            [f"GP{GGA},1,05,1.3,,M,,M,,", f"GN{GGA.replace('GGA', 'GNS')},AAN,09,0.9,,,,"], 0.9, 9, id="GN has all"
        ),
        pytest.param([f"GP{GGA},1,08,1.1,,M,,M,,", f"GL{GGA},0,00,99.9,,M,,M,,"], 1.1, 8, id="one without a fix"),
        pytest.param([f"GB{GGA},1,08,0.0,,M,,M,,"], None, 8, id="no HDOP is 0"),
        pytest.param([f"GN{RMC}", "GNGSA,A,3,1,2,3,4,,,,,,,,,1.8,0.9,1.5"], 0.9, None, id="HDOP of GSA"),
        pytest.param([f"GP{GGA},1,-8,1.1,,M,,M,,"], 1.1, None, id="no number of satellites"),
    ],
)
def test_several_talkers_are_one_fix(bodies: list[str], hdop: float | None, sats: float | None) -> None:
    valid, numbers = told_by(*bodies)
    assert (valid, *numbers[4:]) == (True, hdop, sats)
    assert numbers[:2] == [pytest.approx(-37.8608333, abs=1e-6), pytest.approx(145.1226667, abs=1e-6)]


@pytest.mark.parametrize(
    ("bodies", "motion"),
    [
        pytest.param(
            [f"GP{GGA},1,08,1.1,,M,,M,,", "GPVTG,90.0,T,,M,020.0,N,037.0,K,A"], (20 * KNOT_MPS, 90.0), id="without RMC"
        ),
        pytest.param([f"GP{RMC}", "GPVTG,90.0,T,,M,020.0,N,037.0,K,A"], (10 * KNOT_MPS, 360.0), id="RMC goes before"),
        pytest.param(["GPVTG,90.0,T,,M,020.0,N,037.0,K,A", f"GP{RMC}"], (10 * KNOT_MPS, 360.0), id="before a moment"),
        pytest.param([f"GP{GGA},1,08,1.1,,M,,M,,", "GPVTG,90.0,T,,M,020.0,N,037.0,K,N"], (None, None), id="mode N"),
    ],
)
def test_vtg_is_the_motion_of_a_receiver_without_rmc(bodies: list[str], motion: tuple) -> None:
    assert tuple(told_by(*bodies)[1][2:4]) == motion


@pytest.mark.parametrize(
    ("status", "wanted"), [(",A,A", True), (",A", True), ("", True), (",V,N", False), (",A,N", False), (",V", False)]
)
def test_gll_alone_is_a_position(status: str, wanted: bool) -> None:
    assert told_by(f"GPGLL,{PLACE},081836.00{status}")[0] is wanted


def test_gll_with_a_time_of_its_own_makes_no_fix_beside_rmc() -> None:
    before, after = (sentence(f"GPGLL,{PLACE},{clock},A,A") for clock in ("081835.00", "081837.00"))
    assert len(fixes(before, rmc("081836.00", "130998"), after, gga("081836.00"))) == 1


@pytest.mark.parametrize(
    ("order", "minutes"),
    [("RMC GGA GLL", 1), ("GLL GGA RMC", 1), ("GGA RMC GLL", 1), ("GLL GGA", 2), ("GGA GLL", 2), ("GLL", 3)],
)
def test_rmcs_position_goes_before_ggas_and_that_before_glls(order: str, minutes: int) -> None:
    said = {
        "RMC": "GPRMC,081836,A,3701.0,N,00000.0,E,1,2,130998,,,A",
        "GGA": "GPGGA,081836,3702.0,N,00000.0,E,1,08,1.1,,M,,M,,",
        "GLL": "GPGLL,3703.0,N,00000.0,E,081836,A,A",
    }
    assert told_by(*(said[kind] for kind in order.split()))[1][0] == pytest.approx(37 + minutes / 60)


@pytest.mark.parametrize(("clock", "count"), [("081836.006", 2), ("081836.005", 1), ("081836", 1), ("081835.995", 1)])
def test_times_rounded_otherwise_are_one_moment(clock: str, count: int) -> None:
    assert len(fixes(rmc("081836.00", "130998"), gga(clock))) == count


def test_the_leap_second_is_the_next_days_first() -> None:
    lines = [
        rmc("235959.00", "311216"),
        rmc("235960.00", "311216"),
        rmc("000000.00", "010117"),
        rmc("000001.00", "010117"),
    ]
    new_year = utc_us("2017-01-01")
    assert [one[0] - new_year for one in fixes(*lines)] == [-1_000_000, 0, 0, 1_000_000]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("GPZDA,081835,13,09,19980,00,00", id="a year of five digits"),
        pytest.param("GPZDA,081835,13,09,99999999999999999999,00,00", id="a year beyond all"),
        pytest.param("GPZDA,081835,31,02,1998,00,00", id="no such day"),
        pytest.param("GPZDA,081835,13", id="a short ZDA"),
        pytest.param("GPVTG,90.0,T,,M,2e1,N,037.0,K,A", id="no plain number"),
        pytest.param("GPVTG,90.0", id="a short VTG"),
        pytest.param("GPGSV,1,1,04,28,14,150,loud", id="no C/N0"),
        pytest.param(f"GPGLL,{PLACE.replace('E', 'Q')},081836.00,A,A", id="no such side"),
    ],
)
def test_a_malformed_sentence_with_a_right_checksum_is_counted(tmp_path: Path, body: str) -> None:
    path = tmp_path / "log"
    path.write_text(f"{rmc('081836', '130998')}\n{sentence(body)}\n{rmc('081837', '130998')}\n")
    recording = open_recordings([path], "nmea")
    assert len(list(told(b"".join(recording.batches())))) == 2
    assert recording.counters["lines_bad"] == 1


def loudness(*lines: str) -> float | None:
    """Carrier-to-noise at the moment that the last line ends."""
    moments = Moments()
    done = [moments.hear(fields) for line in lines for fields in sound(line)]
    last = moments.close() or done[-1]
    assert last is not None
    packed = last.packed(0)
    assert bool(packed[15] & 64) is (last.cn0_dbhz is not None)
    assert last.cn0_dbhz in (None, struct.unpack_from("=7d", packed, 16)[6])
    return last.cn0_dbhz


GSV = "GSV,3,1,12,28,14,150,41,09,15,254,41,10,43,192,47,13,06,081,36"


@pytest.mark.parametrize(
    ("bodies", "cn0_dbhz"),
    [
        pytest.param([], None, id="never told"),
        pytest.param([f"GP{GSV}"], (41 + 41 + 47 + 36) / 4, id="four"),
        pytest.param([f"GP{GSV}", "GPGSV,3,2,12,02,56,323,44,04,41,024,"], (47 + 44 + 41 + 41) / 4, id="the loudest"),
        pytest.param([f"GP{GSV}", "GLGSV,1,1,01,70,56,323,50"], (50 + 47 + 41 + 41) / 4, id="of all systems"),
        pytest.param([f"GP{GSV}", f"GP{GSV},8"], (47 + 47 + 41 + 41) / 4, id="on two signals"),
        pytest.param([f"GP{GSV}", "GPGSV,1,1,02,02,56,323,,04,41,024,20"], 5.0, id="told anew"),
        pytest.param([f"GP{GSV}", "GPGSV,1,1,00"], 0.0, id="none in view"),
    ],
)
def test_how_loud_the_satellites_are(bodies: list[str], cn0_dbhz: float | None) -> None:
    assert loudness(rmc("081836", "130998"), *map(sentence, bodies)) == cn0_dbhz


def test_satellites_not_told_for_long_are_not_heard() -> None:
    for seconds, wanted in ((KEPT - 1, 41.25), (KEPT, None)):
        later = [rmc(f"0819{second:02}", "130998") for second in range(seconds)]
        assert loudness(sentence(f"GP{GSV}"), rmc("081836", "130998"), *later) == wanted
