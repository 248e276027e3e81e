"""`tbox vehicle probe` on a bus that talks, answers or is silent; `tbox vehicle check` on logs; how a map is judged."""

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import can
import pytest

from agent.doctor import probe, tap
from agent.doctor.fitting import Fitter, best, on_channel
from agent.doctor.interview import Interview
from agent.doctor.tap import bus_of, find_rate, rates_of, tapped
from agent.errors import DeviceAbsentError, InputError, SettingsError
from agent.maps import maps
from agent.settings import Can, Settings
from agent.sources.hearing import Bus, Hearing, Text
from agent.vehicle import ANY_CHANNEL
from drivers.batch import ERROR, EXTENDED, fix, frame, imu
from drivers.recordings.recording import open_recordings
from hil.car.ecu import VIN, Readings
from hil.car.ecu_bus import WIDE, Ecus, car, serve
from hil.wires.wire import Adapter

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
RAV4 = DATA / "comma2k19" / "rav4_60s_bus0.log.gz"
CSS = DATA / "css_canedge" / "matlab_3BA199E2_165_00000001-60FEB68B.log.gz"
with_recordings = pytest.mark.skipif(not RAV4.exists(), reason="the recordings are not beside the project")
WAIT_S = 30.0

ANSWERS = ((0x0D, b"\x32"), (0x0C, b"\x1f\x40"), (0x11, b"\x40"), (0x04, b"\x40"), (0x05, b"\x80"), (0x2F, b"\x90"))
"""What somebody else's tester makes a car at 50 km/h say, PID and bytes."""


def answer(pid: int, told: bytes) -> bytes:
    return bytes([2 + len(told), 0x41, pid]) + told


@contextmanager
def running(work: Callable[[Callable[[], bool]], None]) -> Iterator[None]:
    """Something that goes on beside the test, until it is over."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over.is_set,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def talking(bus: can.BusABC, frames: Sequence[tuple[int, bytes]]) -> Callable[[Callable[[], bool]], None]:
    """Somebody sends these, round and round."""

    def work(is_over: Callable[[], bool]) -> None:
        while not is_over():
            for identifier, told in frames:
                bus.send(can.Message(arbitration_id=identifier, data=told, is_extended_id=False))
            time.sleep(0.01)  # the pace of a bus, not a wait for something

    return work


@pytest.fixture
def bus(request: pytest.FixtureRequest) -> Iterator[can.BusABC]:
    with can.Bus(interface="virtual", channel=request.node.name) as virtual:
        yield virtual


@pytest.fixture
def listened(request: pytest.FixtureRequest) -> Can:
    return Can(channel=request.node.name, interface="virtual", number=3)


def units(*, wide: bool = False) -> Ecus:
    """A car that answers, patient with a busy machine."""
    ecus = car(Readings(speed_kmh=50, rpm=2000), wide=wide)
    for port in ecus.ports:
        port.habits.flow_us = round(WAIT_S * 1e6)
    return ecus


# ---- probe ----------------------------------------------------------------------------------------------------------


def test_a_bus_that_talks_is_told_with_its_map(
    bus: can.BusABC, listened: Can, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [(0x7E8, answer(*told)) for told in ANSWERS] + [(0x123, bytes(8))]
    with running(talking(bus, frames)):
        assert probe.probe(listened, 1.0, ask=False, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["map"], told["vin"], told["silence"]) == ("obd2.toml", None, "not_asked")
    assert [ident["id"] for ident in told["ids"]] == ["123", "7E8"]
    assert told["frames"] >= 7
    speed = told["maps"]["obd2.toml"]["signals"]["speed"]
    assert speed["last"] == pytest.approx(50 / 3.6, abs=1e-3)
    assert told["maps"]["rav4.toml"]["speed_doubt"] == "no frame carried the speed"


@with_recordings
def test_a_map_of_frames_is_told_from_one_of_answers(
    bus: can.BusABC, listened: Can, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = next(open_recordings([RAV4]).batches())
    frames = [
        (identifier, body[:length])
        for _, identifier, _, _, length, _, body in struct.iter_unpack("=qIBBBB64s", batch)
        if identifier < 0x800
    ]
    with running(talking(bus, frames[:300])):
        assert probe.probe(listened, 2.0, ask=False, as_json=False) == 0
    told = capsys.readouterr().out
    assert "map    rav4.toml fits, " in told
    assert "map    obd2.toml does not fit, 0 %: no frame carried the speed" in told


def test_a_silent_bus_fits_nothing(bus: can.BusABC, listened: Can, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.probe(listened, 0.1, ask=False, as_json=False) == 1
    told = capsys.readouterr().out
    assert "nothing in 0 s, 0 error frames: is the ignition on?" in told
    assert "VIN    not asked for (--ask, with the ignition on)" in told
    assert bus.recv(0) is None, "nothing was sent"


@pytest.mark.parametrize("wide", [False, True])
def test_a_silent_car_tells_who_it_is_when_it_is_asked(
    bus: can.BusABC, listened: Can, capsys: pytest.CaptureFixture[str], wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.bus.isotp.CONSECUTIVE_US", round(WAIT_S * 1e6))  # however busy the machine is
    monkeypatch.setattr("agent.doctor.interview.QUIET_US", 5_000_000)
    ecus = units(wide=wide)
    with running(lambda is_over: serve(bus, ecus, is_over)):
        assert probe.probe(listened, 0.1, ask=True, as_json=False) == 0
    told = capsys.readouterr().out
    assert "map    obd2.toml fits: the car tells its speed when it is asked" in told
    assert f"VIN    {VIN}" in told
    engine = "18DAF110" if wide else "7E8"
    pids = next(line for line in told.splitlines() if line.startswith(f"PIDs   {engine}: "))
    assert {"0C", "0D", "42", "A6"} <= set(pids.split()[2:])


def test_an_answer_in_json(
    bus: can.BusABC, listened: Can, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.bus.isotp.CONSECUTIVE_US", round(WAIT_S * 1e6))
    monkeypatch.setattr("agent.doctor.interview.QUIET_US", 5_000_000)
    ecus = units()
    with running(lambda is_over: serve(bus, ecus, is_over)):
        probe.probe(listened, 0.1, ask=True, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["vin"], told["silence"], told["bitrate"]) == (VIN, None, None)
    assert set(told["pids"]) == {"7E8", "7E9"}


def test_a_device_that_is_not_there_ends_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(DeviceAbsentError, match="cannot be opened"):
        probe.probe(Can(channel=str(tmp_path / "none"), interface="slcan"), 1.0, ask=False, as_json=False)


def test_an_interface_that_does_not_exist_is_a_matter_of_settings() -> None:
    with pytest.raises(SettingsError, match="no CAN interface"):
        probe.probe(Can(channel="x", interface="telepathy"), 1.0, ask=False, as_json=False)


# ---- bit rate -------------------------------------------------------------------------------------------------------


class Rated(Adapter):
    """An adapter on a bus of 250 kbit/s: at another rate no frame comes through."""

    def __init__(self, link: Path) -> None:
        self.rates: list[str] = []
        self.sent: list[can.Message] = []
        super().__init__(link)

    def _obey(self, line: str) -> None:
        if line[:1] == "S":
            self.rates.append(line)
        super()._obey(line)

    def chatter(self, is_over: Callable[[], bool]) -> None:
        """The bus as the adapter hears it."""
        while not is_over():
            told = self.recv(0.01)
            self.sent += [told] if told else []
            if self.rates[-1:] == ["S5"]:
                self.send(can.Message(arbitration_id=0x100, data=b"\1", is_extended_id=False))


def test_the_bit_rate_is_found_by_listening_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.asking.search.LISTEN_US", 1_500_000)
    adapter = Rated(tmp_path / "adapter")
    channel = Can(channel=str(adapter.link), interface="slcan", options={"sleep_after_open": 0.0})
    said: list[str] = []
    with adapter, running(adapter.chatter):
        assert find_rate(channel, said.append) == 250_000
    assert said == ["listening at 500000 bit/s", "listening at 250000 bit/s"]
    assert adapter.sent == []


@pytest.mark.parametrize(
    ("told", "rates"),
    [
        (Can(interface="slcan"), (500_000, 250_000)),
        (Can(interface="slcan", bitrate=125_000), (125_000,)),
        (Can(interface="socketcan"), (0,)),
        (Can(interface="socketcan", setup=True), (500_000, 250_000)),
        (Can(interface="socketcan", setup=True, bitrate=125_000), (125_000,)),
        (Can(interface="gs_usb"), (0,)),
    ],
)
def test_rates_are_tried_only_where_listening_does_no_harm(told: Can, rates: tuple[int, ...]) -> None:
    assert rates_of(told) == rates


def test_a_link_that_is_ours_is_set_up_for_the_tap_and_left_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, bool]] = []
    monkeypatch.setattr(tap, "set_up", lambda name, rate, listen_only: told.append((name, rate, listen_only)))
    monkeypatch.setattr(tap, "open_can", lambda *_, **__: MagicMock())
    with tapped(Can(setup=True), 250_000, may_send=True):
        assert told == [("can0", 250_000, False)]
    assert told[1:] == [("can0", 250_000, True)]


def test_a_bit_rate_that_socketcan_would_not_use_is_refused() -> None:
    with pytest.raises(SettingsError, match="ip link set can0 up type can bitrate 250000"), tapped(Can(), 250_000):
        pass


BUSES = (Can(channel="can0", number=0), Can(channel="can1", number=1, bitrate=250_000))


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ({}, BUSES[0]),
        ({"channel": "can1"}, BUSES[1]),
        ({"channel": "can1", "bitrate": 500_000}, Can(channel="can1", number=1, bitrate=500_000)),
        ({"channel": "/dev/ttyACM0", "interface": "slcan"}, Can(channel="/dev/ttyACM0", interface="slcan")),
    ],
)
def test_the_bus_that_is_meant(named: dict[str, Any], meant: Can) -> None:
    assert bus_of(Settings(can=BUSES), **named) == meant


def test_without_any_bus_the_way_to_name_one_is_told() -> None:
    with pytest.raises(SettingsError, match="--channel"):
        bus_of(Settings())


# ---- asking ---------------------------------------------------------------------------------------------------------


def test_without_a_word_about_the_ignition_a_silent_bus_is_left_alone(bus: can.BusABC, listened: Can) -> None:
    hearing = Hearing()
    with tapped(listened, 0, may_send=True) as tap:
        assert tap.asker is not None
        learnt = Interview(tap.asker, hearing.buses.setdefault(3, Bus()), tap.read).run(0.5)
    assert learnt.silence == "engine_off"
    assert bus.recv(0) is None


# ---- hearing --------------------------------------------------------------------------------------------------------


def test_everything_that_comes_is_counted() -> None:
    hearing = Hearing()
    hearing.take(
        frame(0, 0, 0x100, bytes(8))
        + frame(500_000, 0, 0x100, bytes(4))
        + frame(1_000_000, 0, 0x100 | EXTENDED, bytes(8))
        + frame(1_000_000, 1, 0, b"", ERROR)
        + imu(2_000_000, (0.0, 0.0, 9.81))
        + imu(2_000_000, (0.0, None, 9.81))
        + fix(3_000_000, (1.0, 2.0, 3.0, None, 0.9, 7.0), valid=True)
    )
    assert (hearing.frames, hearing.inputs) == (3, 7)
    assert hearing.buses[0].ids[0x100].rate_hz == 2.0
    assert hearing.buses[0].ids[0x100 | EXTENDED].rate_hz is None
    assert hearing.buses[0].bits == pytest.approx((47 + 64 + 47 + 32 + 67 + 64) * 1.1)
    assert (hearing.buses[1].errors, hearing.buses[1].ids) == (1, {})
    assert [force for _, force in hearing.forces] == [(0.0, 0.0, 9.81)]
    assert [(told.is_valid, told.speed_mps, told.hdop, told.sats) for told in hearing.fixes] == [(True, 3.0, 0.9, 7.0)]


def test_what_a_car_tells_another_tester_is_heard() -> None:
    hearing = Hearing()
    message = b"\x49\x02\x01" + VIN.encode()
    parts = [bytes([0x10, len(message)]) + message[:6], b"\x21" + message[6:13], b"\x22" + message[13:20]]
    for number, part in enumerate(parts):
        hearing.take(frame(number * 10_000, 0, 0x7E8, part))
    assert list(hearing.texts) == [Text("0902", VIN)]


# ---- fitting --------------------------------------------------------------------------------------------------------


def speeds(*legs: tuple[float, int], step_s: float = 0.1, odometer: bool = False) -> bytes:
    """OBD-II answers of a car at (km/h, so many of them)."""
    batch, at_us, way_m = b"", 1_000_000, 0.0
    for kmh, count in legs:
        for _ in range(count):
            at_us += round(step_s * 1e6)
            way_m += kmh / 3.6 * step_s
            batch += frame(at_us, 0, 0x7E8, answer(0x0D, bytes([round(kmh)])))
            if odometer:
                batch += frame(at_us, 0, 0x7E8, answer(0xA6, round(way_m / 200).to_bytes(4, "big")))
    return batch


OBD = Path("obd2.toml")


@pytest.mark.parametrize(
    ("batch", "doubt"),
    [
        pytest.param(speeds((50, 100)), "", id="steady"),
        pytest.param(speeds(*[(kmh, 1) for kmh in range(0, 200, 5)]), "", id="as fast as a car can"),
        pytest.param(
            speeds((0, 50), (200, 50), (0, 50)), "the speed jumps as no car does (2 of 150 values)", id="jumps"
        ),
        pytest.param(speeds((0, 5), (200, 5)), "", id="a single jump"),
        pytest.param(frame(0, 0, 0x7E8, answer(0x0C, b"\0\0")), "no frame carried the speed", id="no speed"),
        pytest.param(speeds((100, 3000), odometer=True), "8.3 km by speed, but 4.2 km by the odometer", id="odometer"),
        pytest.param(speeds((100, 600), odometer=True), "", id="too short a way for the odometer"),
    ],
)
def test_a_speed_that_is_no_cars_is_found(batch: bytes, doubt: str) -> None:
    fitter = Fitter(maps.load(OBD))
    fitter.take(batch)
    assert fitter.fit().speed_doubt == doubt


def test_a_map_without_a_speed_is_of_no_use(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('[vehicle]\nname = "x"\n[[source]]\nobd = true\n[signal.rpm]\npid = "0C"\n')
    fitter = Fitter(maps.load(tmp_path / "map.toml"))
    assert fitter.fit().speed_doubt == "the map has no speed"
    assert best([fitter.fit()]) is None


def test_of_two_maps_that_fit_the_better_is_chosen() -> None:
    poor, good = Fitter(maps.load(OBD)), Fitter(maps.load(OBD))
    for fitter, pids in ((poor, ANSWERS[:4]), (good, ANSWERS)):
        for number, told in enumerate(pids):
            fitter.take(frame(number * 10_000, 0, 0x7E8, answer(*told)))
    fits = [poor.fit(), good.fit()]
    assert [fit.share for fit in fits] == [0.5, 0.75]
    assert best(fits) is fits[1]


def test_a_map_is_moved_to_the_bus_that_is_probed() -> None:
    rav4 = maps.load(Path("rav4.toml"))
    assert {message.channel for message in on_channel(rav4, 3).messages} == {3}
    assert {message.channel for message in on_channel(maps.load(OBD), 3).messages} == {ANY_CHANNEL}


# ---- check ----------------------------------------------------------------------------------------------------------


def log_of(path: Path, batch: bytes) -> Path:
    """The same frames as a candump log."""
    rows = struct.iter_unpack("=qIBBBB64s", batch)
    path.write_text(
        "".join(
            f"({t / 1e6:.6f}) can0 {number & ~WIDE:03X}#{body[:size].hex()}\n"
            for t, number, _, _, size, _, body in rows
        )
    )
    return path


def test_a_log_is_held_against_a_map_signal_by_signal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = log_of(tmp_path / "drive.log", speeds((36, 10), (45, 10)))
    assert probe.check(OBD, log, form=None, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "OBD-II: 1 of 1 messages seen"
    assert lines[2].split() == ["speed", "20", "100.0", "%", "10.0", "Hz", "never", "10.00", "12.50", "12.50", "m/s"]
    assert lines[3].split() == ["rpm", "0", "-", "-", "-", "-", "-", "-", "1/min"]
    assert lines[-1] == "PASS  speed"


def test_a_log_without_the_speed_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = log_of(tmp_path / "drive.log", frame(0, 0, 0x7E8, answer(0x0C, b"\x1f\x40")))
    assert probe.check(OBD, log, form=None, as_json=True) == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["speed_doubt"] == "no frame carried the speed"
    assert told["signals"]["rpm"] | {"values": 1, "last": 2000.0, "rate_hz": None} == told["signals"]["rpm"]


def test_an_input_without_frames_is_no_log(tmp_path: Path) -> None:
    table = tmp_path / "drive.csv"
    table.write_text("time_s,speed_mps\n0,1\n")
    with pytest.raises(InputError, match="holds no CAN frame"):
        probe.check(OBD, table, form=None, as_json=False)


@with_recordings
@pytest.mark.parametrize(
    ("file", "log", "code", "words"),
    [
        ("rav4.toml", RAV4, 0, "rejected: 88 short"),
        ("obd2.toml", RAV4, 1, "FAIL  speed: no frame carried the speed"),
        ("obd2.toml", CSS, 0, "PASS  speed"),
        ("rav4.toml", CSS, 1, "FAIL  speed: no frame carried the speed"),
    ],
)
def test_real_logs_fit_their_own_map_only(
    file: str, log: Path, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe.check(Path(file), log, form=None, as_json=False) == code
    assert words in capsys.readouterr().out
