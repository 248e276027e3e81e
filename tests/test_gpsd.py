"""gpsd: reports are one fix a moment; gpsd and its receivers may come and go; nonsense is counted and never a fix."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drivers import timer
from drivers.errors import DeviceError
from drivers.gnss.gnss import open_gnss
from drivers.gnss.gpsd import LINE_BYTES, WATCH, Gpsd, open_gpsd
from drivers.gnss.nmea import read as read_lines
from drivers.rack import Rack
from drivers.recordings.recording import open_recordings
from drivers.source import boot_us
from drivers.text import Tally
from tests.packed import drained, told
from tests.receivers import CLOCK, Daemon, Port, burst, hear, ready, second, sky, tpv, until

GPSD = shutil.which("gpsd") or shutil.which("gpsd", path="/usr/sbin:/usr/local/sbin")
GPSFAKE = ["/usr/bin/python3", "-c"]
"""The distribution's Python has the module that gpsfake is made of (python3-gps); the program drags in a desktop."""

FEED = """
import sys
from gps import fake
session = fake.TestSession(prefix="", port=int(sys.argv[1]), options="-n")
session.spawn()
session.gps_add(sys.argv[2], pred=lambda *_: True)
session.run()
"""
LOG = Path(__file__).resolve().parents[2] / "shared/data/gpsd/bu353s4.log"


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon().open()
    yield daemon
    daemon.close()


@pytest.fixture
def gpsd(daemon: Daemon) -> Iterator[Gpsd]:
    """A client that has asked for reports."""
    client = open_gpsd(daemon.address)
    daemon.greet()
    until(lambda: not ready(client, 0.02) and client.counters()["reports"] == 1)
    assert daemon.asked() == WATCH
    yield client
    client.close()


def test_reports_of_one_moment_are_one_fix_stamped_when_the_first_came(daemon: Daemon, gpsd: Gpsd) -> None:
    before_us = boot_us()
    daemon.say(tpv(mode=2), sky(hdop=1.1, uSat=8), tpv(speed=7.0))
    (one,) = hear(gpsd, 1)
    assert one[1:] == ("fix", True, [-37.86, 145.12, 7.0, 90.0, 1.1, 8.0])
    assert before_us <= one[0] <= boot_us()


def test_a_moment_ends_without_waiting_for_the_next(daemon: Daemon, gpsd: Gpsd) -> None:
    daemon.say(tpv())
    assert len(hear(gpsd, 1)) == 1
    daemon.say(tpv(second(37)), tpv(second(38)))
    assert [one[3][0] for one in hear(gpsd, 2)] == [-37.86, -37.86]


def test_a_moment_told_again_is_left_out_and_more_time_is_given(daemon: Daemon, gpsd: Gpsd) -> None:
    daemon.say(tpv())
    hear(gpsd, 1)
    daemon.say(tpv(speed=9.0), tpv(second(37), speed=6.0))
    assert [one[3][2] for one in hear(gpsd, 1)] == [6.0]
    assert gpsd.counters()["late"] == 1
    assert gpsd._quiet.gap_us == 2 * timer.GAP_US


def test_a_receiver_that_gpsd_lost_is_one_void_fix_then_silence(daemon: Daemon, gpsd: Gpsd) -> None:
    daemon.say(tpv(), {"class": "DEVICE", "path": "/dev/a", "activated": 0})
    daemon.say(
        {"class": "DEVICE", "path": "/dev/a", "activated": 0}, {"class": "DEVICE", "path": "/dev/b", "activated": 0}
    )
    assert [one[2] for one in hear(gpsd, 2)] == [True, False]
    daemon.say({"class": "DEVICE", "path": "/dev/a", "activated": CLOCK}, tpv(second(40)))
    assert [one[2] for one in hear(gpsd, 1)] == [True]


def test_silence_is_a_void_fix_once(daemon: Daemon, gpsd: Gpsd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer, "SILENT_US", 20_000)
    daemon.say(tpv())
    assert [one[2] for one in hear(gpsd, 2)] == [True, False]
    assert ready(gpsd, 0.2) == []
    daemon.say(tpv(second(40)))
    assert hear(gpsd, 1)[0][2] is True


def test_lines_that_are_no_reports_are_counted(daemon: Daemon, gpsd: Gpsd) -> None:
    before = gpsd.counters()["errors"]
    daemon.say(b'{"class":"TPV","mode":3,,}\n', b"\xff\xfe\n", b"[" * 5000 + b"\n", b"[1]\n", b'{"a":1}\n')
    daemon.say({"class": "ERROR", "message": "no"}, b"\r\n", tpv())
    hear(gpsd, 1)
    assert gpsd.counters()["errors"] - before == 6


def test_a_line_without_end_does_not_fill_the_memory(daemon: Daemon, gpsd: Gpsd) -> None:
    for _ in range(4):
        daemon.say(b"x" * LINE_BYTES)
        ready(gpsd, 0.05)
        assert len(gpsd._begun) <= LINE_BYTES
    daemon.say(b"\n", tpv())
    hear(gpsd, 1)
    assert gpsd.counters()["errors"] >= 2


def test_utc_is_told_beside_boot_time(daemon: Daemon, gpsd: Gpsd) -> None:
    assert gpsd.utc() is None
    daemon.say(tpv(mode=1))
    hear(gpsd, 1)
    assert gpsd.utc() is None
    before_us = boot_us()
    daemon.say(tpv())
    hear(gpsd, 1)
    boot, utc, u = gpsd.utc() or (0, 0, 0)
    assert before_us <= boot <= boot_us()
    assert utc == round(datetime(2026, 11, 22, 8, 18, 36, tzinfo=UTC).timestamp() * 1e6)
    assert u == 1_000_000


@pytest.mark.parametrize("greeting", [{"class": "VERSION", "proto_major": 4}, tpv(), {"220": "ftp"}])
def test_another_service_there_is_a_device_error(daemon: Daemon, greeting: dict[str, Any]) -> None:
    client = open_gpsd(daemon.address)
    daemon.greet(greeting)
    with pytest.raises(DeviceError, match="no gpsd of protocol 3"):
        hear(client, 1)
    client.close()


def test_a_path_is_a_socket(tmp_path: Path) -> None:
    daemon = Daemon(str(tmp_path / "gpsd.sock")).open()
    client = open_gpsd(daemon.address)
    daemon.greet().say(tpv())
    assert hear(client, 1)[0][2] is True
    client.close()
    daemon.close()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "/nowhere/gpsd.sock", "gpsd", "127.0.0.1:x"])
def test_no_gpsd_is_a_device_error_that_names_it(address: str) -> None:
    with pytest.raises(DeviceError, match=f"gpsd at {address}: cannot be reached"):
        open_gpsd(address)


def test_a_gpsd_may_be_absent_come_go_and_return(daemon: Daemon) -> None:
    address = daemon.address
    daemon.close()
    rack = Rack({"gpsd": lambda: open_gpsd(address)})
    assert rack.missing() == ["gpsd"]
    heard: list[bool] = []

    def turn() -> None:
        heard.extend(one[2] for one in told(rack.read(0.02)))

    for _ in range(2):
        daemon.open()
        until(lambda: not rack.missing(), turn)
        daemon.greet().say(tpv())
        until(lambda: heard == [True], turn)
        daemon.close()
        until(lambda: rack.missing() == ["gpsd"], turn)
        assert heard == [True, False]
        heard.clear()
    assert rack.counters()["gpsd"]["losses"] == 2
    rack.close()


def test_without_gpsd_the_port_is_taken(daemon: Daemon, tmp_path: Path) -> None:
    port = Port(tmp_path / "ttyGNSS").plug()
    source = open_gnss(gpsd=daemon.address, port=str(port.path))
    assert source.name == "gpsd"
    source.close()
    daemon.close()
    source = open_gnss(gpsd=daemon.address, port=str(port.path), baud=9600)
    assert source.name == str(port.path)
    source.close()
    port.unplug()
    with pytest.raises(DeviceError, match="gpsd"):
        open_gnss(gpsd=daemon.address)


@pytest.mark.skipif(GPSD is None, reason="gpsd is not installed")
def test_a_real_gpsd_tells_the_receivers_fixes_and_survives_a_restart(tmp_path: Path) -> None:
    bursts = drive_of_a_log() or [burst(f"0818{n:02}.00", knots=n) for n in range(60)]
    lines = [line.decode("latin-1") for one in bursts for line in one.split(b"\r\n")]
    wanted = [one[3] for one in told(b"".join(read_lines([lines], Tally(tmp_path)))) if one[2]]
    port = Port(tmp_path / "ttyGNSS").plug()
    port.path.chmod(0o666)  # gpsd gives up its rights before it opens a receiver again
    is_over = threading.Event()

    def drive() -> None:
        for one in itertools.cycle(bursts):
            if is_over.wait(0.05):
                return
            port.asked()
            port.say(one)

    driver = threading.Thread(target=drive)
    driver.start()
    number = free_port()
    rack = Rack({"gpsd": lambda: open_gpsd(f"127.0.0.1:{number}")})
    try:
        for _ in range(2):
            with running(number, port.path):
                heard: list[tuple] = []
                until(lambda: len(heard) >= 20, lambda: heard.extend(told(rack.read(0.05))), lambda: str(heard))  # noqa: B023
            until(lambda: rack.missing() == ["gpsd"], lambda: rack.read(0.05))
            right = [one for one in heard if one[2] and any(is_same(one[3], there) for there in wanted)]
            assert len(right) >= 15, heard
    finally:
        is_over.set()
        driver.join()
        rack.close()
        port.unplug()


@pytest.mark.skipif(GPSD is None, reason="gpsd is not installed")
@pytest.mark.skipif(not LOG.exists(), reason="the recordings are not beside the project")
def test_a_gpsd_fed_by_gpsfake_tells_the_logs_fixes(tmp_path: Path) -> None:
    if subprocess.run([*GPSFAKE, "import gps.fake"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("gpsfake is not installed")
    wanted = [one[3] for one in told(drained(open_recordings([LOG]))) if one[2]]
    number = free_port()
    place = os.environ | {"TMPDIR": str(tmp_path.parent)}  # for a socket, whose path must be short
    words = [*GPSFAKE, FEED, str(number), str(LOG)]
    fake = subprocess.Popen(words, stderr=subprocess.DEVNULL, env=place, start_new_session=True)
    rack = Rack({"gpsd": lambda: open_gpsd(f"127.0.0.1:{number}")})
    heard: list[tuple] = []
    try:
        until(lambda: len(heard) >= 30, lambda: heard.extend(told(rack.read(0.05))), lambda: str(heard))
    finally:
        rack.close()
        os.killpg(fake.pid, signal.SIGKILL)  # and the gpsd it started; asked nicely, it may wait for that for ever
        fake.wait(30)
    right = [one for one in heard if one[2] and any(is_same(one[3], there) for there in wanted)]
    assert len(right) >= 25, heard


def is_same(numbers: list[float | None], wanted: list[float | None]) -> bool:
    """Position and speed; a course of 360 degrees is 0 to gpsd."""
    is_here = numbers[:2] == pytest.approx(wanted[:2], abs=1e-6)
    return is_here and numbers[2] is not None and numbers[2] == pytest.approx(wanted[2], abs=1e-2)


def drive_of_a_log() -> list[bytes]:
    """The bursts of a receiver's log, where it lies beside the project."""
    if not LOG.exists():
        return []
    lines = [line + b"\r\n" for line in LOG.read_bytes().splitlines() if line.startswith(b"$")]
    starts = [number for number, line in enumerate(lines) if line.startswith(b"$GPGGA")]
    return [b"".join(lines[start:end]) for start, end in itertools.pairwise([*starts, len(lines)])]


def free_port() -> int:
    """A port that was free a moment ago: gpsd cannot be told to take any."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class running:  # noqa: N801 - reads as the statement it is
    """A gpsd in the foreground that only listens to its receiver."""

    def __init__(self, number: int, path: Path) -> None:
        self._command = [GPSD or "gpsd", "-N", "-n", "-b", "-S", str(number), os.path.realpath(path)]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
