"""A receiver on a serial port: one fix a burst, at once; found at its speed; it may come and go; nonsense is no fix."""

import termios
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers import timer
from drivers.errors import DeviceError, DriverError
from drivers.gnss import port as gnss_port
from drivers.gnss.port import GnssPort, open_port
from drivers.gnss.utc import Moment
from drivers.rack import Rack
from drivers.source import boot_us
from tests.packed import told
from tests.receivers import PLACE, SIRF, UBX, Port, answer, burst, hear, ready, sentence, until

HERE = [pytest.approx(-37.8608333, abs=1e-6), pytest.approx(145.1226667, abs=1e-6)]
GARBLED = b"\x80\xfe$\x00x"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    port = Port(tmp_path / "ttyGNSS").plug()
    yield port
    port.unplug()


@pytest.fixture
def source(port: Port) -> Iterator[GnssPort]:
    source = open_port(str(port.path), baud=9600)
    yield source
    source.close()


def talk() -> Iterator[bytes]:
    """A receiver second by second."""
    return (burst(f"08{number // 60 % 60:02}{number % 60:02}.00") for number in range(10**6))


def utc_us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def test_a_burst_is_one_fix_stamped_when_it_began(port: Port, source: GnssPort) -> None:
    before_us = boot_us()
    port.say(burst("081836.00"))
    (one,) = hear(source, 1)
    assert one[1:] == ("fix", True, [*HERE, pytest.approx(5.14444, abs=1e-4), 360.0, 1.1, 8.0])
    assert before_us <= one[0] <= boot_us() - timer.GAP_US
    assert source.cn0_dbhz == 41.0


def test_the_next_burst_ends_the_one_before_at_once(
    port: Port, source: GnssPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    source._quiet.gap_us = 60_000_000
    port.say(burst("081836.00"), burst("081837.00"))
    assert len(hear(source, 1)) == 1
    assert ready(source) == []


def test_bytes_one_by_one_are_the_same_fix(port: Port, source: GnssPort) -> None:
    source._quiet.gap_us = 60_000_000
    for byte in burst("081836.00") + burst("081837.00")[:90]:
        port.say(bytes([byte]))
        fixes = ready(source, 0.5)
        if fixes:
            break
    assert fixes[0][3] == [*HERE, pytest.approx(5.14444, abs=1e-4), 360.0, 1.1, 8.0]


def test_a_receiver_that_pauses_within_its_burst_is_given_more_time(port: Port, source: GnssPort) -> None:
    first, rest = burst("081836.00")[:68], burst("081836.00")[68:]
    port.say(first)
    hear(source, 1)
    port.say(rest)
    until(lambda: ready(source, 0.02) == [] and source.counters()["late"] == 1)
    assert source._quiet.gap_us == 2 * timer.GAP_US
    assert source.counters()["fixes"] == 1
    for _ in range(9):
        source._quiet.heard(was_over=True)
    assert source._quiet.gap_us == timer.GAP_US_MAX


@pytest.mark.parametrize(
    ("waste", "counted"),
    [
        pytest.param(b"\xff\x00noise", {"skipped_bytes": 7}, id="noise"),
        pytest.param(UBX + SIRF, {"skipped_bytes": len(UBX + SIRF)}, id="UBX and SiRF with $ in them"),
        pytest.param(sentence("GPRMC,1").replace(b"1*", b"2*"), {"errors": 1}, id="a wrong checksum"),
        pytest.param(sentence(f"GPRMC,256199,A,{PLACE},1,2,221126"), {"malformed": 1}, id="no time of day"),
        pytest.param(burst("081836.00")[:40], {"skipped_bytes": 40}, id="a torn sentence"),
        pytest.param(b"$" + b"A" * 5000, {"skipped_bytes": 5001}, id="a sentence without end"),
    ],
)
def test_what_is_no_sentence_is_skipped_and_counted(
    port: Port, source: GnssPort, waste: bytes, counted: dict[str, int]
) -> None:
    for piece in (waste[:4000], waste[4000:], burst("081837.00"), waste[:4000], waste[4000:], burst("081838.00")):
        port.say(piece)
        ready(source, 0.02)
    until(lambda: ready(source, 0.02) == [] and source.counters()["fixes"] == 2)
    assert {name: source.counters()[name] for name in counted} == {name: 2 * count for name, count in counted.items()}


def test_a_void_moment_is_a_void_fix(port: Port, source: GnssPort) -> None:
    port.say(sentence("GPRMC,081836.00,V,,,,,,,221126,,,N"))
    ((_, _, valid, numbers),) = hear(source, 1)
    assert (valid, numbers[:4]) == (False, [None] * 4)
    assert source.utc() is None


def test_a_silent_receiver_is_one_void_fix(port: Port, source: GnssPort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer, "SILENT_US", 20_000)
    port.say(burst("081836.00"))
    assert [one[2] for one in hear(source, 2)] == [True, False]
    assert ready(source, 0.2) == []
    assert source.counters()["void"] == 1


def test_an_unplugged_receiver_is_a_void_fix_then_an_error(port: Port, source: GnssPort) -> None:
    source._quiet.gap_us = 60_000_000
    port.say(burst("081836.00"))
    until(lambda: ready(source, 0.02) == [] and source.counters()["sentences"] == 4)
    port.unplug()
    assert [one[2] for one in hear(source, 2)] == [True, False]
    with pytest.raises(DeviceError, match="went while it was read"):
        source.read()


def test_a_receiver_may_be_absent_come_go_and_return(port: Port) -> None:
    port.unplug()
    rack = Rack({"gnss": lambda: open_port(str(port.path), baud=9600)})
    assert rack.missing() == ["gnss"]
    heard: list[bool] = []

    def turn() -> None:
        heard.extend(one[2] for one in told(rack.read(0.02)))

    for _ in range(2):
        port.plug()
        until(lambda: not rack.missing(), turn)
        port.say(burst("081836.00"))
        until(lambda: heard == [True], turn)
        port.unplug()
        until(lambda: rack.missing() == ["gnss"], turn)
        assert heard == [True, False]
        heard.clear()
    assert rack.counters()["gnss"]["losses"] == 2
    rack.close()


@pytest.mark.parametrize("speed", [9600, 38400, 115200, 4800])
def test_the_receivers_speed_is_found(port: Port, monkeypatch: pytest.MonkeyPatch, speed: int) -> None:
    monkeypatch.setattr(gnss_port, "PROBE_US", 60_000)
    wanted = getattr(termios, f"B{speed}")
    source = open_port(str(port.path))
    bursts = talk()
    fixes = hear(source, 1, lambda: port.say(next(bursts) if port.speed == wanted else GARBLED))
    assert source.baud == speed
    assert fixes[0][2] is True
    source.close()


def test_a_receiver_reset_to_another_speed_is_found_again(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gnss_port, "PROBE_US", 60_000)
    monkeypatch.setattr(gnss_port, "LOST_US", 200_000)
    source = open_port(str(port.path))
    for speed in (termios.B9600, termios.B115200):
        bursts = talk()
        hear(source, 1, lambda: port.say(next(bursts) if port.speed == speed else GARBLED))  # noqa: B023 - called here
    assert source.baud == 115200
    source.close()


@pytest.mark.parametrize(
    ("path", "baud", "error"),
    [("/dev/nowhere", 9600, DeviceError), ("/dev/null", 9600, DeviceError), ("/dev/null", -1, DriverError)],
)
def test_what_cannot_be_opened_says_why(path: str, baud: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=path):
        open_port(path, baud=baud)


def test_a_port_has_one_reader(port: Port, source: GnssPort) -> None:
    with pytest.raises(DeviceError, match="cannot be opened"):
        open_port(str(port.path), baud=9600)


def test_a_receiver_tells_utc_beside_boot_time(port: Port, source: GnssPort) -> None:
    before_us = boot_us()
    port.say(burst("081836.00"))
    ((t_us, *_),) = hear(source, 1)
    assert source.utc() == Moment(t_us, utc_us("2026-11-22T08:18:36"), 1_000_000)
    assert t_us >= before_us


@pytest.mark.parametrize(
    ("day", "wanted", "rollovers"),
    [
        pytest.param("221126", "2026-11-22", 0, id="as it is"),
        pytest.param("080407", "2026-11-22", 1, id="1024 weeks back"),
        pytest.param("230887", "2026-11-22", 1, id="2048 weeks back"),
        pytest.param("011126", "2026-11-01", 0, id="the day it was built"),
        pytest.param("311026", "2046-06-16", 1, id="the day before"),
    ],
)
def test_a_date_that_rolled_over_is_put_right_and_counted(
    port: Port, source: GnssPort, day: str, wanted: str, rollovers: int
) -> None:
    port.say(burst("081836.00", day))
    hear(source, 1)
    assert (source.utc() or Moment(0, 0, 0)).utc_us == utc_us(f"{wanted}T08:18:36")
    assert source.counters()["rollovers"] == rollovers


def test_a_leap_second_is_a_fix_and_tells_no_time(port: Port, source: GnssPort) -> None:
    port.say(burst("235960.00", "311226"))
    assert [one[2] for one in hear(source, 1)] == [True]
    assert source.utc() is None


def test_a_year_ends_with_a_leap_second(port: Port, source: GnssPort) -> None:
    port.say(burst("235959.00", "311226"), burst("235960.00", "311226"), burst("000000.00", "010127"))
    assert [one[2] for one in hear(source, 3)] == [True] * 3
    assert (source.utc() or Moment(0, 0, 0)).utc_us in (utc_us("2026-12-31T23:59:59"), utc_us("2027-01-01"))


def test_zda_dates_a_receiver_without_rmc(port: Port, source: GnssPort) -> None:
    port.say(sentence(f"GPGGA,081836.00,{PLACE},1,08,1.1,59.9,M,,M,,") + sentence("GPZDA,081836.00,22,11,2026,00,00"))
    hear(source, 1)
    assert (source.utc() or Moment(0, 0, 0)).utc_us == utc_us("2026-11-22T08:18:36")


def test_a_port_asks_only_after_it_has_heard_a_receiver(port: Port) -> None:
    source = open_port(str(port.path), baud=115200, hz=10)
    port.say(b"ELM327 v1.5\r\n>" * 20)
    assert ready(source, 0.5) == []
    assert port.asked() == b""
    port.say(burst("081836.00"))
    asked = b""

    def answered() -> bool:
        nonlocal asked
        asked = port.asked() or asked
        if asked:
            port.say(answer(asked, is_granted=True))
            asked = b""
        ready(source, 0.02)
        return source.counters().get("acknowledged") == 2

    until(answered)
    assert source.counters()["refused"] == 0
    source.close()


def test_nothing_is_sent_unasked(port: Port, source: GnssPort) -> None:
    port.say(burst("081836.00"))
    hear(source, 1)
    assert port.asked() == b""
    assert "refused" not in source.counters()


def test_descriptors_are_given_back(port: Port) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        source = open_port(str(port.path), baud=9600)
        source.close()
        source.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
