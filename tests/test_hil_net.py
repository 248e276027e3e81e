"""Faults of network and clock as the bench makes them: certificates, names, the wall clock, a receiver's date."""

import ctypes
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from drivers.gnss.nmea import Moments
from drivers.gnss.sentence import DAY_US, Epoch, sound
from hil.car.gnss import Receiver
from hil.car.road import Moment
from hil.drive import State
from hil.faults import clock_faults, live_faults, net_faults
from hil.scenes.scenario_table import FaultTable, Scenario
from hil.subscriber import Subscriber
from hil.wires import broker as brokers
from hil.wires import tls
from hil.wires.broker import Broker, BrokerError
from hil.wires.tls import Certificates, TlsError

UTC_US = 1_795_000_000_000_000
"""In November 2026."""


def fault(name: str, **more: Any) -> FaultTable:
    return msgspec.convert({"name": name, "from_s": 1.0, "to_s": 2.0, **more}, FaultTable)


def scenario(*faults: FaultTable, **more: Any) -> Scenario:
    table = {"title": "t", "why": "w.", "places": ["kernel"], "expect": {}, **more}
    made = msgspec.convert({"drive": [{"label": "a", "lasts_s": 4}], **table}, Scenario)
    return msgspec.structs.replace(made, fault=faults)


# ---- certificates ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("tls"))
    try:
        made.cert(tls.AUTHORITY)
    except TlsError as why:
        pytest.skip(str(why))
    return made


@pytest.fixture
def secured(tmp_path: Path, certificates: Certificates) -> Iterator[Broker]:
    if brokers.find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    broker = brokers.start(tmp_path, certificates=certificates)
    yield broker
    broker.stop()


def shaken(broker: Broker, certificates: Certificates, *, has_own: bool = True) -> str:
    """What becomes of a handshake: why it failed; empty: it did not."""
    context = ssl.create_default_context(cafile=str(certificates.cert(tls.AUTHORITY)))
    if has_own:
        context.load_cert_chain(certificates.cert(tls.CLIENT), certificates.key(tls.CLIENT))
    try:
        with (
            socket.create_connection((brokers.HOST, broker.port), 10) as plain,
            context.wrap_socket(plain, server_hostname=tls.BROKER_NAME) as sock,
        ):
            sock.sendall(bytes.fromhex("100d00044d5154540402003c000161"))
            return "" if sock.recv(4)[0] == 0x20 else "hung up"
    except ssl.SSLCertVerificationError as why:
        return str(why.verify_message)
    except OSError as why:  # an alert, or the hang-up that follows it
        return str(why)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (tls.GOOD, ""),
        (tls.EXPIRED, "certificate has expired"),
        (tls.OTHER_NAME, "Hostname mismatch"),
        (tls.UNKNOWN, "unable to get local issuer certificate"),
    ],
)
def test_a_broker_begins_anew_with_the_certificate_it_is_told(
    secured: Broker, certificates: Certificates, shown: str, words: str
) -> None:
    secured.stop()
    other = secured.again(shown)
    try:
        assert (other.port, other.inner_port) == (secured.port, secured.inner_port)
        assert shaken(other, certificates).startswith(words)
        assert bool(shaken(other, certificates)) == bool(words)
    finally:
        other.stop()


def test_a_broker_with_certificates_lets_nobody_in_without_one(secured: Broker, certificates: Certificates) -> None:
    assert shaken(secured, certificates) == ""
    assert shaken(secured, certificates, has_own=False) != ""


def test_tls_that_cannot_be_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerError, match="TLS needs mosquitto"):
        brokers.start(tmp_path, embedded=True, certificates=Certificates(tmp_path))
    with pytest.raises(TlsError, match="openssl req ended with 1"):
        tls._openssl("req", "-nonsense")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(TlsError, match="apt-get install openssl"):
        Certificates(tmp_path).settings()


def stage(folder: Path, told: list[str]) -> Any:
    """What a fault touches of a live scenario; what is done to it lands in `told`."""

    def note(word: str) -> Any:
        return lambda *more: told.append(" ".join((word, *more)))

    broker = SimpleNamespace(stop=note("stop"), doors=SimpleNamespace(lines=note("make")))
    broker.again = lambda shown: (told.append(f"again {shown}"), broker)[1]  # type: ignore[func-returns-value]
    terminal = SimpleNamespace(state=folder / "state", kill=note("kill"), start=note("start"))
    relay = SimpleNamespace(cut=note("cut"), mend=note("mend"), is_whole=True)
    subscriber = SimpleNamespace(close=note("close"), catch_up=lambda _: told.append("catch up"))
    return SimpleNamespace(
        broker=broker, relay=relay, subscriber=subscriber, terminal=terminal, subscribe=note("subscribe"), scenario=None
    )


def test_a_fault_of_certificates_shows_a_wrong_one_and_then_a_good_one(tmp_path: Path) -> None:
    told: list[str] = []
    switch = net_faults.switches(stage(tmp_path, told))["certificate_wrong"]
    switch.prepare()
    switch.begin(fault("certificate_wrong", what="authority"))
    switch.end(fault("certificate_wrong"))
    anew = ("cut", "catch up", "close", "stop", "again {}", "subscribe", "mend")
    assert told[:2] == ["make other-name", "make unknown"]
    assert told[2:] == [word.format(shown) for shown in ("unknown", "good") for word in anew]


def test_a_link_that_is_cut_stays_so_when_the_broker_begins_anew(tmp_path: Path) -> None:
    told: list[str] = []
    live = stage(tmp_path, told)
    live.relay.is_whole = False
    net_faults.show(live, tls.EXPIRED)
    assert told == ["cut", "catch up", "close", "stop", "again expired", "subscribe"]


def test_a_broker_hands_on_what_it_has_taken_before_it_goes(tmp_path: Path) -> None:
    told: list[str] = []
    live_faults.end_broker(stage(tmp_path, told))
    assert told == ["cut", "catch up", "close", "stop"]


def test_a_subscriber_has_caught_up_when_its_own_word_is_back(tmp_path: Path) -> None:
    broker = brokers.start(tmp_path)
    taken: list[object] = []
    listening = Subscriber(brokers.HOST, broker.port, broker.version, taken.append)
    try:
        assert listening.wait_until_subscribed(30)
        assert listening.catch_up(30)
        broker.stop()
        assert not listening.catch_up(0.2), "nobody hands it back"
    finally:
        listening.close()
        broker.stop()


# ---- names -----------------------------------------------------------------------------------------------------------


def test_a_name_is_forgotten_and_known_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(net_faults, "call", lambda *words: told.append(" ".join(words)))
    monkeypatch.setattr(net_faults, "DNS_PORT", 0)
    hosts = tmp_path / "hosts"
    switch = net_faults.switches(stage(tmp_path, told))["dns_failure"]
    switch.prepare()
    assert told[0] == f"mount --bind {hosts} /etc/hosts"
    assert hosts.read_text() == "127.0.0.1 localhost\n127.0.0.1 broker.test\n"
    for what in ("", "silent"):
        switch.begin(fault("dns_failure", what=what))
        assert "broker.test" not in hosts.read_text()
        switch.end(fault("dns_failure"))
        assert "broker.test" in hosts.read_text()
    switch.close()
    assert told[-3:] == ["umount /etc/hosts", "umount /etc/resolv.conf", "umount /etc/nsswitch.conf"]


def test_who_is_silent_takes_questions_and_answers_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net_faults, "DNS_PORT", 0)
    names = net_faults.Names(tmp_path)
    names.forget(fault("dns_failure", what="silent"))
    assert names._asked is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect(names._asked.getsockname())
        asker.send(b"who?")
        assert names._asked.recv(9) == b"who?"
        names.know(fault("dns_failure"))
        asker.settimeout(30)
        asker.send(b"who?")
        with pytest.raises(ConnectionRefusedError):
            asker.recv(9)


# ---- the wall clock --------------------------------------------------------------------------------------------------


class Walls:
    """How far off the wall clock is set, in seconds; whether somebody vouches for it then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[Any] = []
        self._true_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        monkeypatch.setattr(time, "clock_settime", self._set)
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(adjtimex=self._adjust))

    def _set(self, _clock: int, utc_s: float) -> None:
        boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        off_s = round((utc_s - boot_s - self._true_s) / 10) * 10
        self.told.append("1970" if utc_s - boot_s == pytest.approx(60, abs=5) else off_s)

    def _adjust(self, state: Any) -> int:
        self.told.append("kept" if state._obj.status == 0 else "not kept")
        return 0


@pytest.mark.parametrize(
    ("one", "told"),
    [
        pytest.param(fault("ntp_step", from_s=0, size=-90), ["prepared", -90, "begun", "ended", 0, "kept", "closed", 0, "not kept"], id="wrong from the begin"),
        pytest.param(fault("ntp_step", size=90), ["prepared", "begun", 90, "ended", 0, "kept", "closed", 0, "not kept"], id="wrong later"),
        pytest.param(fault("rtc_1970", from_s=0), ["prepared", "1970", "begun", "ended", 0, "kept", "closed", 0, "not kept"], id="no battery"),
        pytest.param(fault("rtc_1970"), ["prepared", "begun", "kill", "1970", "start", "ended", 0, "kept", "closed", 0, "not kept"], id="no battery, and no power later"),
    ],
)  # fmt: skip
def test_a_clock_is_wrong_until_somebody_sets_it_right(
    one: FaultTable, told: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = Walls(monkeypatch)
    live = stage(tmp_path, walls.told)
    live.scenario = scenario(one)
    switch = clock_faults.switches(live)[one.name]
    for word, act in (("prepared", switch.prepare), ("begun", lambda: switch.begin(one))):
        walls.told.append(word)
        act()
    for word, act in (("ended", lambda: switch.end(one)), ("closed", switch.close)):
        walls.told.append(word)
        act()
    assert walls.told == told


# ---- the receiver ----------------------------------------------------------------------------------------------------


def heard(receiver: Receiver, time_s: float) -> Epoch:
    """What a terminal makes of the moment."""
    moments = Moments()
    for line in receiver.said(Moment(State(time_s=time_s, heading_rad=0.5), gnss_mps=10.0), UTC_US).splitlines():
        for fields in sound(line.decode()):
            moments.hear(fields)
    epoch = moments.close()
    assert epoch is not None
    return epoch


def test_a_receiver_tells_where_and_when_and_its_weeks_run_over(tmp_path: Path) -> None:
    faults = [fault("gnss_week"), fault("gnss_jam", from_s=3, to_s=4), fault("gnss_spoof", from_s=5, to_s=6)]
    receiver = Receiver(tmp_path / "gnss", faults)
    days = {}
    for time_s in (0.0, 1.0, 2.0, 5.0):
        epoch = heard(receiver, time_s)
        assert epoch.is_valid
        assert epoch.clock_day is not None
        days[time_s] = epoch.clock_day
        assert epoch.clock_day * DAY_US + epoch.of_day_us == pytest.approx(
            UTC_US - (1024 * 7 * DAY_US if time_s == 1.0 else 0), abs=10_000
        )
        assert epoch.position == pytest.approx((-1.0 + (20_000 / 111_195 if time_s == 5.0 else 0), -1.0), abs=1e-6)
        assert epoch.motion[0] == pytest.approx(10.0, abs=0.01)
    assert days[0.0] - days[1.0] == timedelta(weeks=1024).days
    assert not heard(receiver, 3.0).is_valid
    receiver.close()
    assert not (tmp_path / "gnss").exists()
