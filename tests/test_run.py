"""The daemon as a process of its own, a recording at true speed for a car, a real mosquitto for a broker."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hil.subscriber import Subscriber
from hil.wires.relay import Relay
from tests.brokers import Mosquitto

WAIT_S = 90.0
FAST = "[samples]\nchunk_s = 3\njournal_s = 1\n[health]\nperiod_s = 1\n[uplink]\nbackoff_s_min = 0.2\nbackoff_s_max = 0.5\n"


def drive(seconds: int) -> str:
    """CSV at 10 Hz: off at 2 m/s² to 20 m/s, then so on with small waves, a brake of 5 m/s² for 2 s on the way."""
    speeds, speed = [], 0.0
    for tenth in range(seconds * 10):
        rate = 2.0 if tenth < 50 else -5.0 if 80 <= tenth < 100 else (0.25 if tenth // 20 % 2 else -0.25)
        speed = max(0.0, speed + (rate if tenth >= 10 else 0.0) / 10)
        speeds.append(speed)
    return "time_s,speed_mps,rpm\n" + "".join(f"{n / 10:.1f},{v:.3f},1500\n" for n, v in enumerate(speeds))


class Terminal:
    """A folder with settings and a state; started, killed and started again."""

    def __init__(self, folder: Path, port: int, seconds: int = 25, more: str = FAST) -> None:
        self.folder = folder
        self.log = folder / "tbox.log"
        (folder / "drive.csv").write_text(drive(seconds))
        self.config = folder / "tbox.toml"
        self.config.write_text(
            f'{more}[device]\nstate_dir = "state"\n[recording]\npaths = ["drive.csv"]\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n'
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        """`tbox run`, its words kept in a file."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agent.cli", "run", "--config", str(self.config), *more], stderr=log
            )

    def stop(self) -> int:
        """As a service manager does; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def kill(self) -> None:
        """As a power cut does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)


@contextmanager
def listening(port: int) -> Iterator[Subscriber]:
    """Somebody at the broker who keeps the books."""
    subscriber = Subscriber("127.0.0.1", port, "5", lambda _: None)
    assert subscriber.wait_until_subscribed(WAIT_S)
    try:
        yield subscriber
    finally:
        subscriber.close()


@contextmanager
def running(terminal: Terminal) -> Iterator[Terminal]:
    """Start it, and leave nothing behind."""
    terminal.start()
    try:
        yield terminal
    finally:
        if terminal.process is not None and terminal.process.poll() is None:
            terminal.kill()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it."""
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, f"waited {WAIT_S:.0f} s for {what}"
        time.sleep(0.02)


def have(subscriber: Subscriber, kind: str, count: int = 1) -> Callable[[], bool]:
    """Whether so many records of a kind have arrived."""

    def check() -> bool:
        with subscriber.lock:
            return len(subscriber.inbox.bodies(kind)) >= count

    return check


def assert_complete(subscriber: Subscriber, folder: Path) -> None:
    """Every number once, on its lane, and the chain proves it."""
    with subscriber.lock:
        inbox = subscriber.inbox
        (device,) = {device for device, _ in inbox.records}
        assert inbox.faults == []
        assert inbox.missing(device) == []
        (folder / "received.tbox").write_bytes(inbox.framed())
    told = subprocess.run(
        [sys.executable, "-m", "agent.cli", "verify", str(folder / "received.tbox")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_drive_arrives_whole_and_the_brake_in_it(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        listening(broker.port) as subscriber,
        running(Terminal(tmp_path, broker.port)) as terminal,
    ):
        until(have(subscriber, "event"), "the brake")
        until(have(subscriber, "health", 2), "health")
        assert terminal.stop() == 0
        until(have(subscriber, "trip_end"), "the end of the trip, told before the daemon left")
        (end,) = subscriber.inbox.bodies("trip_end")
        (brake,) = subscriber.inbox.bodies("event")
        assert end.body["end_reason"] == "agent_stopped"
        assert end.body["events"] == {"harsh_braking": 1}
        assert 40 < end.body["distance_m"] < 55
        assert brake.body["trip"] == end.body["trip"] == subscriber.inbox.bodies("trip_start")[0].seq
        assert brake.body["peak_mps2"] == pytest.approx(5.0, abs=0.4)
        assert_complete(subscriber, tmp_path)


def test_kill_in_mid_drive_loses_nothing_confirmed_and_closes_the_trip(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        listening(broker.port) as subscriber,
        running(Terminal(tmp_path, broker.port)) as terminal,
    ):
        until(have(subscriber, "samples"), "the first samples")
        until(have(subscriber, "event"), "the brake, 40 m on")
        until(have(subscriber, "health", 9), "some seconds more")
        terminal.kill()
        known = set(subscriber.inbox.records)
        terminal.start()
        until(have(subscriber, "trip_end"), "the trip that was cut off")
        until(have(subscriber, "trip_start", 2), "the next trip")
        assert terminal.stop() == 0
        cut = subscriber.inbox.bodies("trip_end")[0]
        assert cut.body["end_reason"] == "power_cut"
        assert cut.body["trip"] == subscriber.inbox.bodies("trip_start")[0].seq
        assert cut.body["distance_m"] > 20
        assert known <= set(subscriber.inbox.records)
        assert_complete(subscriber, tmp_path)


def test_a_lost_link_delays_and_loses_nothing(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, listening(broker.port) as subscriber:
        relay = Relay(broker.port)
        with running(Terminal(tmp_path, relay.port)) as terminal:
            until(have(subscriber, "trip_start"), "the trip")
            relay.cut()
            count = len(subscriber.inbox.records)
            until(lambda: "harsh_braking" in terminal.log.read_text(), "the brake, found without a link")
            assert len(subscriber.inbox.records) == count
            relay.mend()
            until(have(subscriber, "event"), "the brake, delivered")
            assert terminal.stop() == 0
            assert_complete(subscriber, tmp_path)
        relay.close()


def refused(folder: Path, config: str, *words: str) -> tuple[int, str]:
    """A `tbox run` that must end by itself: its exit code and its last line."""
    (folder / "tbox.toml").write_text(config)
    command = [sys.executable, "-m", "agent.cli", "run", "--config", str(folder / "tbox.toml"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("config", "code", "naming"),
    [
        pytest.param("", 78, r"\[\[can\]\]", id="nothing to read"),
        pytest.param('[[can]]\ninterface = "sockecan"\n', 78, r"sockecan.*socketcan", id="unknown interface"),
        pytest.param('[vehicle]\nmap = "gone.toml"\n[[can]]\n', 78, r"gone\.toml", id="missing map"),
        pytest.param('[recording]\npaths = ["gone.csv"]\n', 78, r"gone\.csv", id="missing recording"),
        pytest.param('[[can]]\n[mqtt]\nca_file = "gone.pem"\n', 78, r"gone\.pem", id="missing certificate"),
        pytest.param("[[can]]\nbit_rate = 1\n", 78, r"tbox\.toml:2.*bitrate", id="unknown key"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(tmp_path: Path, config: str, code: int, naming: str) -> None:
    told = refused(tmp_path, f'{config}\n[device]\nstate_dir = "state"\n')
    assert told[0] == code
    assert re.search(naming, told[1]), told[1]


def test_a_store_that_cannot_be_written_is_74(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    code, line = refused(tmp_path, '[[can]]\n[device]\nstate_dir = "state"\n')
    assert (code, "state" in line) == (74, True)


def test_an_absent_device_is_waited_for(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, 1)
    terminal.config.write_text(
        '[[can]]\nchannel = "none0"\n[mqtt]\nport = 1\ntls = false\n[device]\nstate_dir = "state"\n'
    )
    with running(terminal):
        until(lambda: "none0" in terminal.log.read_text(), "a word about the device")
        assert terminal.process is not None
        assert terminal.process.poll() is None
        assert terminal.stop() == 0


def test_the_second_daemon_on_a_store_is_refused(tmp_path: Path) -> None:
    with running(Terminal(tmp_path, 1)) as terminal:
        until(lambda: "boot 1" in terminal.log.read_text(), "the first daemon")
        code, line = refused(tmp_path, terminal.config.read_text())
        assert (code, "another" in line) == (74, True), line
        assert terminal.stop() == 0


def test_nothing_heavy_is_loaded_by_a_terminal(tmp_path: Path) -> None:
    """DESIGN 9: neither cantools, obd nor cryptography of the web in a running terminal."""
    code = "import sys, agent.run; print(sorted({'cantools', 'obd', 'pint', 'numpy', 'rich'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, cwd=tmp_path, check=True
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr
