"""gpsd's reports: the last of a moment counts, satellites come along, nonsense is never a fix."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.gnss.gpsd_reports import MOMENT_US, NOTHING, SKY_US, SWITCH_US, Reports, parsed
from tests.packed import told
from tests.receivers import CLOCK, second, sky, tpv


def moments(*reports: dict[str, Any], device: str = "", every_us: int = 1000) -> list[tuple]:
    """What reports that came one after the other make: (valid, place, hdop, sats)."""
    put = Reports(device)
    done = [one for number, report in enumerate(reports) for one in put.hear(report, number * every_us)]
    return [(one.is_valid, one.place, one.hdop, one.sats) for one in done + put.close()]


@pytest.mark.parametrize(
    ("report", "is_valid"),
    [
        pytest.param(tpv(mode=0), False, id="mode 0"),
        pytest.param(tpv(mode=1), False, id="mode 1"),
        pytest.param(tpv(mode=1) | {"lat": 1.0, "lon": 1.0}, False, id="mode 1 with a stale position"),
        pytest.param(tpv(mode=2), True, id="mode 2"),
        pytest.param(tpv(mode=3), True, id="mode 3"),
        pytest.param(tpv(None), True, id="no time"),
        pytest.param(tpv(lat=90.0), True, id="the pole"),
        pytest.param(tpv(lat=90.1), False, id="beyond the pole"),
        pytest.param(tpv(lon=-180.1), False, id="beyond the date line"),
        pytest.param(tpv(lat=math.nan), False, id="not a number"),
        pytest.param(tpv(lat=True), False, id="a truth for a number"),
        pytest.param(tpv(lat="1.0"), False, id="a text for a number"),
        pytest.param({"class": "TPV", "device": "/dev/a", "mode": 3}, False, id="no position"),
    ],
)
def test_modes_two_and_three_with_a_position_are_a_fix(report: dict[str, Any], is_valid: bool) -> None:
    ((valid, place, _, _),) = moments(report)
    assert (valid, place != NOTHING) == (is_valid, is_valid)


@pytest.mark.parametrize(
    ("clocks", "every_us", "count"),
    [
        pytest.param([CLOCK, CLOCK], 1000, 1, id="one time"),
        pytest.param([None, CLOCK, CLOCK], 1000, 1, id="the first lacks it"),
        pytest.param([CLOCK, None], 1000, 2, id="the second lacks it"),
        pytest.param([CLOCK, second(37)], 1000, 2, id="two times"),
        pytest.param([None, None], MOMENT_US - 1, 1, id="within a second"),
        pytest.param([None, None], MOMENT_US, 2, id="a second apart"),
    ],
)
def test_reports_of_one_time_are_one_moment(clocks: list[str | None], every_us: int, count: int) -> None:
    assert len(moments(*(tpv(clock) for clock in clocks), every_us=every_us)) == count


@pytest.mark.parametrize(
    ("report", "motion"),
    [
        pytest.param(tpv(), (5.0, 90.0), id="both"),
        pytest.param(tpv(speed=-1), (None, 90.0), id="no negative speed"),
        pytest.param(tpv(track=360.5), (5.0, None), id="no course over 360"),
        pytest.param({key: told for key, told in tpv().items() if key != "speed"}, (None, 90.0), id="no speed told"),
    ],
)
def test_motion_is_what_the_report_says(report: dict[str, Any], motion: tuple) -> None:
    ((_, place, _, _),) = moments(report)
    assert place[2:] == motion


@pytest.mark.parametrize(
    ("reports", "wanted"),
    [
        pytest.param([sky(hdop=1.1, uSat=8), tpv()], (1.1, 8.0), id="before the position"),
        pytest.param([tpv(), sky(hdop=1.1, uSat=8)], (1.1, 8.0), id="after it"),
        pytest.param(
            [sky(satellites=[{"used": True}, {"used": False}, {"used": True}]), tpv()], (None, 2.0), id="counted"
        ),
        pytest.param([sky(hdop=1.1, uSat=8), sky(hdop=1.2), tpv()], (1.2, 8.0), id="a report of the dilution alone"),
        pytest.param([sky(hdop=0.0, uSat=-1), tpv()], (None, None), id="nonsense"),
        pytest.param([sky(device="/dev/b", hdop=9.0), tpv()], (None, None), id="of another receiver"),
    ],
)
def test_satellites_come_from_sky(reports: list[dict[str, Any]], wanted: tuple) -> None:
    assert moments(*reports, device="/dev/a")[-1][2:] == wanted


def test_satellites_told_long_ago_say_nothing() -> None:
    for late_us, wanted in ((SKY_US, 1.1), (SKY_US + 1, None)):
        ((_, _, hdop, _),) = moments(sky(hdop=1.1), tpv(), every_us=late_us)
        assert hdop == wanted


def test_the_four_loudest_satellites_tell_how_loud_it_is() -> None:
    put = Reports("")
    loud = [{"PRN": n, "ss": ss} for n, ss in enumerate((44.0, 20.0, 40.0, 36.0, 32.0, 0.0))]
    assert put.cn0_dbhz is None
    put.hear(sky(satellites=[*loud, {"PRN": 9}, 7]), 0)
    assert put.cn0_dbhz == (44 + 40 + 36 + 32) / 4
    put.hear(tpv(), 0)
    (moment,) = put.close()
    assert struct.unpack_from("=7d", moment.packed(), 16)[6] == 38.0
    put.hear(sky(satellites=[{"PRN": 1, "ss": 20.0}]), 0)
    assert put.cn0_dbhz == 5.0


def test_one_receiver_of_several_is_followed() -> None:
    a, b = tpv(device="/dev/a", lat=1.0), tpv(device="/dev/b", lat=2.0)
    assert [place[0] for _, place, _, _ in moments(a, b)] == [1.0]
    assert [place[0] for _, place, _, _ in moments(a, b, device="/dev/b")] == [2.0]
    assert [place[0] for _, place, _, _ in moments(a, b | {"time": second(37)}, every_us=SWITCH_US + 1)] == [1.0, 2.0]
    gone = {"class": "DEVICE", "path": "/dev/a", "activated": 0}
    assert [(valid, place[0]) for valid, place, _, _ in moments(a, gone, b)] == [
        (True, 1.0),
        (False, None),
        (True, 2.0),
    ]


REPORTS = st.dictionaries(
    st.sampled_from(["class", "device", "path", "mode", "time", "lat", "lon", "speed", "track", "hdop", "uSat", "satellites", "activated"]),
    st.one_of(
        st.sampled_from(["TPV", "SKY", "DEVICE", "VERSION", "/dev/a", CLOCK, 3, [{"ss": 1}], [{"used": 1, "ss": "x"}, 5]]),
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers(), max_size=3),
    ),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(REPORTS, max_size=12), st.integers(0, 10**7))
def test_any_reports_make_sound_fixes_or_none(reports: list[dict[str, Any]], every_us: int) -> None:
    put = Reports("")
    done = [one for n, report in enumerate(reports) for one in put.hear(report, n * every_us)] + put.close()
    for one in done:
        ((_, _, valid, numbers),) = told(one.packed())
        assert all(number is None or math.isfinite(number) for number in numbers)
        assert valid == (numbers[0] is not None and numbers[1] is not None)
        assert not valid or (abs(numbers[0]) <= 90 and abs(numbers[1]) <= 180)
        assert one.utc_us is None or valid


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_line_is_a_report_or_none(line: bytes) -> None:
    assert isinstance(parsed(line), dict)
    assert parsed(b'{"class":"TPV"}' + line.replace(b"\n", b" ").strip() + b"!") == {}
