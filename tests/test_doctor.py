"""`tbox doctor` on a whole terminal: a car that answers, sensors, a real broker; and on one where all is wrong."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import can
import pytest

from agent.doctor import doctor
from agent.doctor.checkup_terminal import check_broker
from agent.ledger.key import KEY_NAME, load_or_make
from agent.outbox.store import STORE_NAME, Reserve, write_reserve
from agent.settings import Can, Device, Mqtt, Recording, Settings, Uplink, Vehicle
from agent.settings.obd import Elm
from agent.uplink import roundtrip
from agent.uplink.broker import VersionMemory
from agent.uplink.roundtrip import send
from agent.world import clock
from hil.car.ecu import VIN, Readings, engine
from hil.car.ecu_bus import car, serve
from hil.car.elm import Elm as Adapter
from hil.car.elm_chip import Car
from tests.brokers import Amqtt, Certificates, Front, Mosquitto, Process, Subscriber, free_port
from tests.links import plain, secure

WAIT_S = 30.0


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def known_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock somebody keeps right, which a build machine's may not be."""
    reading = clock.Reading(0, 1_800_000_000_000_000, 4_000, "ntp")
    monkeypatch.setattr("agent.doctor.doctor.clock.read_clocks", lambda: reading)


@contextmanager
def answering(bus: can.BusABC) -> Iterator[None]:
    """A car that stands with a running engine, patient with a busy machine."""
    ecus, over = car(Readings(rpm=800, coolant_c=90)), threading.Event()
    for port in ecus.ports:
        port.habits.flow_us = round(WAIT_S * 1e6)
    thread = threading.Thread(target=serve, args=(bus, ecus, over.is_set))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def sensors(path: Path, *, gravity: float = 9.8, battery_v: float = 14.1, sats: int = 9, seconds: int = 60) -> Path:
    """What a motion sensor, a receiver and a voltmeter say at rest, ten times a second."""
    head = "time_s,accel_x_mps2,accel_y_mps2,accel_z_mps2,lat_deg,lon_deg,gnss_speed_mps,hdop,sats,battery_v\n"
    rows = (f"{at / 10},0.1,-0.2,{gravity},48.1,11.5,0.05,0.9,{sats},{battery_v}\n" for at in range(seconds * 10))
    path.write_text(head + "".join(rows))
    return path


def verdicts(told: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in told["checks"]}


# ---- the whole ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("known_clock")
def test_a_sound_terminal_passes(
    mosquitto: Process,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("drivers.bus.isotp.CONSECUTIVE_US", round(WAIT_S * 1e6))
    monkeypatch.setattr("agent.doctor.gathering.ASK_S", 5.0)
    monkeypatch.setattr("agent.doctor.checkup_terminal.SYNC_MS_MAX", 60_000.0)  # however busy the disk is
    device = load_or_make(tmp_path / KEY_NAME).device.hex()
    write_reserve(tmp_path / STORE_NAME, Reserve(device, 100))
    settings = Settings(
        device=Device(state_dir=str(tmp_path)),
        can=(Can(channel="sound", interface="virtual", listen_only=False),),
        recording=Recording(paths=(str(sensors(tmp_path / "sensors.csv")),)),
        mqtt=plain(mosquitto.port),
        uplink=Uplink(confirm="receipt"),
    )
    with Subscriber(mosquitto.port, "nothing") as platform:
        platform.publish(f"tbox/v1/{device}/receipt", b'{"upto": 41, "epoch": 3}')
    with can.Bus(interface="virtual", channel="sound") as bus, answering(bus):
        code = doctor.doctor(settings, 1.0, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (code, told["failed"]) == (0, 0), told
    assert verdicts(told) == dict.fromkeys(
        ("bus sound", "bus recording", "vehicle map", "VIN", "speed", "motion sensor", "GNSS", "voltage", "device key",
         "broker", "receipt", "store", "clock", "disk"), "PASS",
    )  # fmt: skip
    words = {check["name"]: check["words"] for check in told["checks"]}
    assert words["VIN"] == VIN
    assert words["receipt"] == "the platform stored up to record 41, epoch 3"
    assert words["motion sensor"].startswith("gravity 9.80 m/s2, noise 0.000 m/s2, 10 Hz")
    assert not list(tmp_path.glob(".doctor-*"))


def test_where_all_is_wrong_each_line_says_what_helps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate = tmp_path / "client.crt"
    certificate.write_text("no certificate")
    settings = Settings(
        device=Device(name="car1", state_dir=str(tmp_path / "none")),
        can=(Can(channel=str(tmp_path / "adapter"), interface="slcan"),),
        recording=Recording(paths=(str(sensors(tmp_path / "s.csv", gravity=1.0, battery_v=9.0, sats=2)),)),
        vehicle=Vehicle(map="rav4.toml"),
        mqtt=Mqtt(
            host="127.0.0.1", port=free_port(), cert_file=str(certificate), key_file=str(tmp_path / "none.key"),
            ca_file=str(tmp_path / "none.crt"),
        ),
    )  # fmt: skip
    assert doctor.doctor(settings, 1.5, as_json=False) == 1
    out, err = capsys.readouterr()
    lines = {line[6:].split("  ")[0]: line for line in out.splitlines()}
    failing = {name for name, line in lines.items() if line.startswith("FAIL")}
    assert failing == {
        f"bus {tmp_path / 'adapter'}", "bus recording", "speed", "motion sensor", "GNSS", "voltage", "broker", "store",
        "clock", "disk", "mqtt.cert_file", "mqtt.ca_file",
    } - ({"clock"} if "FAIL  clock" not in out else set())  # fmt: skip
    assert all("; fix: " in lines[name] for name in failing)
    assert lines["VIN"].endswith("not asked for: listen-only")
    starts = {line.index(line[6:].removeprefix(name).strip()) for name, line in lines.items()}
    assert len(starts) == 1, "words stand below each other"
    assert err == "", "nothing but the verdict, where nobody watches"


def test_a_terminal_without_a_key_is_not_given_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(device=Device(state_dir=str(tmp_path)), mqtt=Mqtt(tls=False, port=free_port()))
    doctor.doctor(settings, 0.1, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (verdicts(told)["broker"], verdicts(told)["bus"]) == ("SKIP", "SKIP")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("known_clock")
def test_a_key_that_cannot_be_used_is_one_failure_with_its_fix(tmp_path: Path) -> None:
    load_or_make(tmp_path / KEY_NAME)
    (tmp_path / KEY_NAME).chmod(0o640)
    first, *others = doctor.terminal(Settings(device=Device(state_dir=str(tmp_path))), has_gnss=False)
    assert (first.name, first.verdict) == ("device key", "FAIL")
    assert "others may read" in first.words
    assert first.fix == f"type: chmod 600 {tmp_path / KEY_NAME}"
    assert [check.verdict for check in others[:2]] == ["SKIP", "SKIP"]


def test_a_car_behind_an_adapter_is_asked_through_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.doctor.gathering.ASK_S", WAIT_S)
    adapter = Adapter(tmp_path / "port", Car({0x7E8: engine(Readings(speed_kmh=88, rpm=2150))}))
    settings = Settings(
        device=Device(state_dir=str(tmp_path)), elm=(Elm(port=str(adapter.link), protocol="6"),), mqtt=Mqtt(tls=False)
    )
    try:
        doctor.doctor(settings, 3.0, as_json=True)
    finally:
        adapter.close()
    told = json.loads(capsys.readouterr().out)
    words = {check["name"]: (check["verdict"], check["words"]) for check in told["checks"]}
    assert words[f"adapter {adapter.link}"] == ("PASS", "a car answers")
    assert words["VIN"] == ("PASS", VIN)
    assert words["speed"] == ("PASS", "88 km/h; no receiver to hold it against")


def test_an_adapter_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(device=Device(state_dir=str(tmp_path)), elm=(Elm(port=str(tmp_path / "none")),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent.doctor.gathering.ASK_S", 0.1)
        assert doctor.doctor(settings, 0.1, as_json=True) == 1
    assert verdicts(json.loads(capsys.readouterr().out))[f"adapter {tmp_path / 'none'}"] == "FAIL"


def test_control_c_lets_every_device_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def tell(words: str) -> None:
        said.append(words)
        if len(said) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("agent.doctor.doctor.progress", lambda: tell)
    settings = Settings(
        device=Device(state_dir=str(tmp_path)),
        can=(Can(channel="interrupted", interface="virtual"),),
        recording=Recording(paths=(str(sensors(tmp_path / "sensors.csv")),)),
    )
    with pytest.raises(KeyboardInterrupt):
        doctor.doctor(settings, WAIT_S, as_json=False)
    assert said[-1] == "", "the line on the terminal is wiped"
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("tbox-")]


def test_a_car_that_is_parked_is_not_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(
        device=Device(state_dir=str(tmp_path)), can=(Can(channel="asleep", interface="virtual", listen_only=False),)
    )
    with can.Bus(interface="virtual", channel="asleep") as bus:
        doctor.doctor(settings, 0.2, as_json=True)
        assert bus.recv(0) is None
    assert verdicts(json.loads(capsys.readouterr().out))["VIN"] == "SKIP"


# ---- the broker -----------------------------------------------------------------------------------------------------


def test_a_message_goes_there_and_back_beside_the_daemons_own_link(mosquitto: Process) -> None:
    with Subscriber(mosquitto.port, "tbox/v1/car1/#") as everything:
        trip = send(plain(mosquitto.port), "car1", wants_receipt=False)
        assert (trip.version, trip.failure, trip.receipt) == ("5", "", None)
        assert trip.back_ms is not None
        topic, _ = everything.take()
        assert topic == "tbox/v1/car1/probe"
        assert everything.messages.empty(), "no state, no will"


def test_a_broker_of_3_1_1_is_spoken_to_in_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roundtrip, "WAIT_S", 8.0)
    with Amqtt(tmp_path) as broker:
        trip = send(plain(broker.port), "car1", wants_receipt=False)
        assert (trip.version, trip.failure) == ("3.1.1", "")
        memory = tmp_path / "broker.json"
        VersionMemory(memory).learn(f"127.0.0.1:{broker.port}", "3.1.1")
        assert send(plain(broker.port), "car1", wants_receipt=False, memory=memory).version == "3.1.1"


def test_tls_with_a_client_certificate_is_used(certificates: Certificates, tmp_path: Path) -> None:
    with Mosquitto(tmp_path, certificates.listener()) as broker:
        assert send(secure(broker.port, certificates), "car1", wants_receipt=False).failure == ""
        refused = send(secure(broker.port, certificates, client="stranger"), "car1", wants_receipt=False)
        unknown = send(
            secure(broker.port, certificates, ca_file=certificates.cert("other-ca")), "car1", wants_receipt=False
        )
    assert "refuses this terminal's certificate" in refused.failure
    assert "name that authority's certificate in mqtt.ca_file" in unknown.failure
    assert all(check_broker(trip).fix for trip in (refused, unknown))


ACL = """allow_anonymous true
acl_file {acl}
"""


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        ("topic write tbox/v1/car1/#", "allow this user to read tbox/v1/car1/probe"),
        ("topic read tbox/v1/car1/#", "says that we are not authorised"),
    ],
)
def test_a_right_that_is_missing_is_named(
    tmp_path: Path, rights: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roundtrip, "WAIT_S", 5.0)
    acl = tmp_path / "acl"
    acl.write_text(rights + "\n")
    acl.chmod(0o644)
    with Mosquitto(tmp_path, ACL.format(acl=acl).splitlines()) as broker:
        assert words in send(plain(broker.port), "car1", wants_receipt=False).failure


def test_a_broker_that_hangs_up_or_says_nothing_is_told(mosquitto: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roundtrip, "WAIT_S", 2.0)
    with Front(mosquitto.port, refuse={5: b"", 4: b""}) as front:
        trip = send(plain(front.port), "car1", wants_receipt=False)
        assert "gives no answer to MQTT" in trip.failure
        assert front.levels == [5, 4]
    assert "refuses the connection" in send(plain(free_port()), "car1", wants_receipt=False).failure


def test_without_a_receipt_the_wait_is_short(mosquitto: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roundtrip, "RECEIPT_S", 0.1)
    trip = send(plain(mosquitto.port), "car-without", wants_receipt=True)
    assert (trip.failure, trip.receipt) == ("", None)
