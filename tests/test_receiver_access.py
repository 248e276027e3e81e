"""The receiver and brokers that ask who it is: TLS, certificates, logins; what does not fit is said once, in one line."""

import argparse
import base64
import hashlib
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pika
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.errors import SettingsError, UsageError
from hil.receiver import access, rounds
from hil.receiver.__main__ import _parser, _store
from hil.receiver.access import PASSWORD, Access, hidden
from hil.receiver.amqp import AmqpDoor, node_of
from hil.receiver.door import Message, RefusedError
from hil.receiver.mqtt import MqttDoor, Teller
from hil.receiver.rounds import Rounds
from hil.receiver.store import PlatformStore
from hil.wires import tls
from tests.accounts import two_boots
from tests.brokers import Front, Mosquitto, Subscriber, free_port
from tests.test_guides import blocks
from tests.test_receiver import CAR, ROOT, WAIT_S, stored

USER, SECRET = "receiver", "correct horse"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tls.Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    return tls.Certificates(tmp_path_factory.mktemp("certificates"))


def login(folder: Path, may: str = "readwrite #") -> list[str]:
    """Lines of a mosquitto that knows USER alone; the file is as mosquitto_passwd writes it (PBKDF2, SHA-512)."""
    salt = bytes(12)
    known = hashlib.pbkdf2_hmac("sha512", SECRET.encode(), salt, 101)
    told = "$".join(base64.b64encode(one).decode() for one in (salt, known))
    (folder / "users").write_text(f"{USER}:$7$101${told}\n")
    (folder / "rights").write_text(f"user {USER}\ntopic {may}\n")
    lines = [f"password_file {folder / 'users'}", f"acl_file {folder / 'rights'}", "allow_anonymous false"]
    return [*lines, "max_inflight_messages 0"]


@pytest.fixture
def broker(certificates: tls.Certificates, tmp_path: Path) -> Iterator[Mosquitto]:
    """It shows a certificate, and wants one and a login."""
    with Mosquitto(tmp_path, [*certificates.listener(tls.GOOD).splitlines(), *login(tmp_path)]) as running:
        yield running


def secret(folder: Path, text: str = SECRET) -> Path:
    path = folder / "password"
    path.touch(mode=0o600)
    path.write_text(f"{text}\n")
    return path


def trusting(certificates: tls.Certificates, ca: str = tls.AUTHORITY) -> list[str]:
    cert, key = certificates.cert(tls.CLIENT), certificates.key(tls.CLIENT)
    return ["--ca", str(certificates.cert(ca)), "--cert", str(cert), "--cert-key", str(key)]


def told(*words: object) -> Access:
    parser = argparse.ArgumentParser()
    access.add_to(parser)
    return Access.read(parser.parse_args([str(word) for word in words]))


@contextmanager
def receiver(folder: Path, port: int, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "hil.receiver", "--store", str(folder / "p.db"), "--broker", f"localhost:{port}"]
    process = subprocess.Popen(
        [*command, *words], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


# MQTT


def test_records_come_in_and_receipts_go_out_behind_tls_certificate_and_login(
    certificates: tls.Certificates, broker: Mosquitto, tmp_path: Path
) -> None:
    words = [*trusting(certificates), "--user", USER, "--password-file", str(secret(tmp_path))]
    receipts: list[bytes] = []
    terminal = Client(CallbackAPIVersion.VERSION2)
    terminal.tls_set(*(str(one) for one in _client_of(certificates)))
    terminal.username_pw_set(USER, SECRET)
    terminal.on_message = lambda _client, _data, message: receipts.append(message.payload)
    with receiver(tmp_path, broker.port, *words) as process:
        assert process.stderr is not None
        assert "taking records" in process.stderr.readline()
        terminal.connect("localhost", broker.port)
        terminal.subscribe(f"tbox/v1/{CAR}/receipt", qos=1)
        terminal.loop_start()
        for record in two_boots():
            terminal.publish(f"tbox/v1/{CAR}/{record.lane}", record.raw, qos=1).wait_for_publish(WAIT_S)
        until(lambda: any(b'"upto": 17' in one for one in receipts))
    terminal.disconnect()
    terminal.loop_stop()
    assert stored(tmp_path / "p.db") == 18


def _client_of(certificates: tls.Certificates) -> tuple[Path, Path, Path]:
    return certificates.cert(tls.AUTHORITY), certificates.cert(tls.CLIENT), certificates.key(tls.CLIENT)


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it."""
    pause, until_s = threading.Event(), time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < until_s
        pause.wait(0.05)


@pytest.mark.parametrize(
    ("ca", "password", "says"),
    [
        pytest.param(tls.STRANGER, SECRET, "its certificate is not good here", id="another authority"),
        pytest.param(tls.AUTHORITY, "wrong horse", "Not authorized; is --user", id="another password"),
    ],
)
def test_a_broker_that_does_not_fit_ends_it_with_one_line(
    certificates: tls.Certificates, broker: Mosquitto, tmp_path: Path, ca: str, password: str, says: str
) -> None:
    words = [*trusting(certificates, ca), "--user", USER, "--password-file", str(secret(tmp_path, password))]
    with receiver(tmp_path, broker.port, *words) as process:
        said = process.communicate(timeout=WAIT_S)[1]
    assert (process.returncode, len(said.splitlines())) == (78, 1)
    assert f"localhost:{broker.port}: " in said
    assert says in said
    assert password not in said


@pytest.mark.parametrize("shown", [tls.EXPIRED, tls.OTHER_NAME, tls.UNKNOWN])
def test_a_certificate_that_is_none_of_this_brokers_is_not_trusted(
    certificates: tls.Certificates, tmp_path: Path, shown: str
) -> None:
    with Mosquitto(tmp_path, [*certificates.listener(shown).splitlines(), "allow_anonymous true"]) as running:
        door = MqttDoor(("localhost", running.port), told(*trusting(certificates)), "1", "tbox")
        with pytest.raises(RefusedError, match="its certificate is not good here"):
            door.take(1, 0.0)
        door.close()


def test_tls_where_none_is_spoken_is_said(tmp_path: Path, certificates: tls.Certificates) -> None:
    with Mosquitto(tmp_path) as running:
        door = MqttDoor(("localhost", running.port), told(*trusting(certificates)), "1", "tbox")
        with pytest.raises(ConnectionError, match=f"localhost:{running.port}: .*is this its port for TLS"):
            door.take(1, 0.0)
        door.close()


def test_a_broker_that_wants_our_certificate_and_gets_none_is_tried_again(
    certificates: tls.Certificates, broker: Mosquitto
) -> None:
    door = MqttDoor(("localhost", broker.port), told("--ca", certificates.cert(tls.AUTHORITY)), "1", "tbox")
    with pytest.raises(ConnectionError, match="a certificate of ours"):
        door.take(1, 0.0)
    door.close()


def _denied(data: bytes) -> bytes:
    """The broker's answer to a subscription, as if each topic were denied (MQTT 5, 3.9.3: 0x87, not authorized)."""
    return data.replace(b"\0" + b"\x01" * 5, b"\0" + b"\x87" * 5)


def test_who_may_not_hear_the_terminals_is_told_so(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as running, Front(running.port, tamper=_denied) as front:
        door = MqttDoor(("localhost", front.port), Access(), "1", "tbox")
        with pytest.raises(RefusedError, match="what terminals tell is not for this login: Not authorized"):
            until(lambda: bool(door.take(1, 1.0)))
        door.close()


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("has_property", [False, True])
def test_a_message_is_read_and_acknowledged_whatever_it_brings_along(
    tmp_path: Path, qos: int, has_property: bool
) -> None:
    more = Properties(PacketTypes.PUBLISH)
    if has_property:
        more.UserProperty = ("from", "somebody else")
    sender = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    with Mosquitto(tmp_path) as running:
        door = MqttDoor(("localhost", running.port), Access(), "1", "tbox")
        assert door.take(1, 1.0) == []
        sender.connect("localhost", running.port)
        sender.loop_start()
        for number in range(3):
            taken: list[Message] = []
            sender.publish(f"tbox/v1/{CAR}/event", b"\0%d" % number, qos=qos, properties=more)
            until(lambda taken=taken: bool(taken.extend(door.take(9, 0.2)) or taken))
            assert [(one.topic, one.payload) for one in taken] == [(f"tbox/v1/{CAR}/event", b"\0%d" % number)]
            door.done(taken)
        sender.disconnect()
        sender.loop_stop()
        assert door.take(1, 0.5) == []
        assert {one.mark[0] for one in taken} == {1}
        door.close()
    assert running.log.read_text().count("New client connected") == 2


def test_receipts_find_the_broker_that_is_there_and_one_that_is_not_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = free_port()
    with Mosquitto(tmp_path, login(tmp_path)) as running:
        teller = Teller([("localhost", absent), ("localhost", running.port)], Access(user=USER, password=SECRET))
        assert [teller.send([(CAR, b"{}")]) for _ in range(2)] == [False, True]
        assert f"receipts: localhost:{absent}: Connection refused" in capsys.readouterr().err
        running.kill()
        assert not teller.send([(CAR, b"{}")])
        running.start()
        until(lambda: teller.send([(CAR, b"{}")]))
        teller.close()
        with pytest.raises(RefusedError):
            Teller([("localhost", running.port)], Access(user=USER, password="x")).open()


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError), socket.create_connection(("localhost", port), 1):
        return True
    return False


def test_the_guides_listener_lets_a_receiver_hear_all_and_say_receipts_only(
    certificates: tls.Certificates, tmp_path: Path
) -> None:
    files = {block.word: block.text for block in blocks(ROOT / "config" / "guides" / "operator.md")}
    login(tmp_path)
    (tmp_path / "receivers.acl").write_text(files["receivers.acl"])
    port, text = free_port(), files["receivers.conf"]
    places = {"listener 8884": f"listener {port}", "/etc/mosquitto/receivers.acl": str(tmp_path / "receivers.acl")}
    places |= {"/etc/mosquitto/ca.pem": str(certificates.cert(tls.AUTHORITY))}
    places |= {"/etc/mosquitto/broker.pem": str(certificates.cert(tls.GOOD))}
    places |= {"/etc/mosquitto/broker.key": str(certificates.key(tls.GOOD))}
    for there, here in (places | {"/etc/mosquitto/receivers.passwd": str(tmp_path / "users")}).items():
        assert there in text, there
        text = text.replace(there, here)
    given = told("--ca", certificates.cert(tls.AUTHORITY), "--user", USER, "--password-file", secret(tmp_path))
    heard: list[bool] = []
    with Mosquitto(tmp_path, ["per_listener_settings true", "allow_anonymous true", *text.splitlines()]) as running:
        until(lambda: is_open(port))  # mosquitto opens its listeners one after the other
        door = MqttDoor(("localhost", port), given, "1", "tbox")
        assert door.take(1, 1.0) == []
        assert door.send([(CAR, b"{}")])
        with Subscriber(running.port, f"tbox/v1/{CAR}/receipt") as terminal:
            assert terminal.take() == (f"tbox/v1/{CAR}/receipt", b"{}")
            terminal.publish(f"tbox/v1/{CAR}/event", b"x")
            until(lambda: bool(door.take(1, 1.0)))
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_publish = lambda _c, _d, _mid, reason, _more: heard.append(reason.is_failure)
        client.tls_set(str(certificates.cert(tls.AUTHORITY)))
        client.username_pw_set(USER, SECRET)
        client.connect("localhost", port)
        client.publish(f"tbox/v1/{CAR}/command/ping", b"x", qos=1)
        until(lambda: client.loop(0.1) == 0 and bool(heard))
        door.close()
    assert heard == [True]


class Stubborn:
    """A door that gives nothing, and says no at these turns."""

    def __init__(self, refuses: Sequence[bool]) -> None:
        self.turns = list(refuses)

    def take(self, most: int, wait_s: float) -> list[Message]:
        """Nothing."""
        if self.turns.pop(0):
            raise RefusedError("no")
        return []

    def done(self, messages: Sequence[Message]) -> None:
        """Nothing was."""

    def send(self, receipts: Sequence[tuple[str, bytes]]) -> bool:
        """None has to be."""
        return True

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.mark.parametrize(("turns", "ends"), [((True, False), True), ((False, True, True, False), False)])
def test_a_broker_that_says_no_at_first_ends_it_and_one_that_does_so_later_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: Sequence[bool], ends: bool
) -> None:
    monkeypatch.setattr(rounds, "AGAIN_S", 0.0)
    door = Stubborn(turns)
    work = Rounds(lambda: PlatformStore(tmp_path / "p.db"), door, (sqlite3.Error,))
    if ends:
        with pytest.raises(RefusedError):
            work.run(lambda: not door.turns)
    else:
        work.run(lambda: not door.turns)
    work.close()


def test_a_disk_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = [sqlite3.OperationalError("database or disk is full")]

    def tell(_store: PlatformStore, _send: object) -> int:
        if fails:
            raise fails.pop()
        return 0

    monkeypatch.setattr(rounds, "AGAIN_S", 0.0)
    monkeypatch.setattr(PlatformStore, "tell", tell)
    door = Stubborn([False] * 2)
    open_store, faults = _store(_parser().parse_args(["--store", str(tmp_path / "p.db")]))
    work = Rounds(open_store, door, faults)
    work.run(lambda: not door.turns)
    assert not fails
    work.close()


# What is told of it


def test_a_password_comes_from_a_file_or_the_environment_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "from outside")
    by_file = told("--user", USER, "--password-file", secret(tmp_path))
    by_environment = told("--user", USER)
    assert (by_file.password, by_environment.password, told().password) == (SECRET, "from outside", "")
    assert SECRET not in repr(by_file)


WRONG: dict[str, tuple[list[str], type[Exception], str]] = {
    "half a pair": (["--cert", "x.pem"], UsageError, "--cert and --cert-key go together"),
    "no user": (["--password-file", "{folder}/password"], UsageError, "no password without a --user"),
    "no authority": (["--ca", "{folder}/no.pem"], SettingsError, "no.pem: No such file"),
    "no certificates in it": (["--ca", "{folder}/password"], SettingsError, "give certificates in PEM"),
    "everybody's password": (["--user", "x", "--password-file", "{folder}/open"], SettingsError, "chmod 600"),
    "no password": (["--user", "x", "--password-file", "{folder}/no"], SettingsError, "no: No such file"),
    "no text": (["--user", "x", "--password-file", "{folder}/bytes"], SettingsError, "is not UTF-8 text"),
    "another's key": (
        ["--cert", "{folder}/../certs/terminal.crt", "--cert-key", "{folder}/../certs/stranger.key"],
        SettingsError,
        "the key is not this certificate's",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_used_is_named_by_its_option(certificates: tls.Certificates, tmp_path: Path, name: str) -> None:
    words, error, says = WRONG[name]
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "certs").symlink_to(certificates.folder)
    certificates.cert(tls.CLIENT)
    certificates.cert(tls.STRANGER)
    secret(folder)
    (folder / "open").write_text("x")
    (folder / "open").chmod(0o640)
    (folder / "bytes").touch(mode=0o600)
    (folder / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(error, match=says):
        told(*(word.format(folder=folder) for word in words))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://tbox:s3c:ret@db/x: down", "postgresql://tbox:***@db/x: down"),
        ("postgresql://db.example:5432/x", "postgresql://db.example:5432/x"),
        ("host=db password=secret user=x", "host=db password=*** user=x"),
    ],
)
def test_a_databases_password_is_not_printed(text: str, shown: str) -> None:
    assert hidden(text) == shown


# AMQP


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("amqp://receiver:secret@rabbit1/", "--queue amqp://rabbit1/: a login does not belong there"),
        ("amqps://rabbit1/", "write amqp://HOST"),
        ("rabbit1", "write amqp://HOST"),
        ("amqp://rabbit1:x/", "--queue amqp://rabbit1:x/"),
    ],
)
def test_an_address_of_a_queue_that_is_none_is_a_usage_error(address: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        node_of(address, Access())
    assert "secret" not in str(caught.value)


def test_a_node_is_asked_by_login_or_by_certificate(certificates: tls.Certificates) -> None:
    context = ssl.create_default_context()
    named = node_of("amqps://rabbit1/", Access(context, USER, SECRET, has_cert=True))
    assert (named.port, named.ssl_options.server_hostname) == (5671, "rabbit1")
    assert (named.credentials.username, named.credentials.password) == (USER, SECRET)
    vouched = node_of("amqps://rabbit1/", Access(context, has_cert=True))
    assert vouched.credentials.TYPE == "EXTERNAL"
    assert node_of("amqp://rabbit1/", Access()).ssl_options is None


@contextmanager
def peer(speak: Callable[[socket.socket], None]) -> Iterator[int]:
    """Somebody who listens, and speaks so to each who comes."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                with closing(server.accept()[0]) as wire, suppress(OSError):
                    speak(wire)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(WAIT_S)


def _hang_up_at_login(wire: socket.socket) -> None:
    """As RabbitMQ does when the password is wrong, to a client that was not told of a better way."""
    wire.recv(8)
    start = pika.spec.Connection.Start(server_properties={}, mechanisms="PLAIN", locales="en_US")
    wire.sendall(pika.frame.Method(0, start).marshal())
    wire.recv(4096)


def test_a_login_that_the_queues_broker_refuses_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with peer(_hang_up_at_login) as port:
        door = AmqpDoor([f"amqp://127.0.0.1:{port}/"], [("127.0.0.1", free_port())], Access(user=USER, password=SECRET))
        with pytest.raises(RefusedError, match="is --user with its password known there") as caught:
            door.take(1, 0.1)
        door.close()
    assert SECRET not in str(caught.value)


def test_a_queues_broker_with_anothers_certificate_is_not_trusted(certificates: tls.Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert(tls.UNKNOWN), certificates.key(tls.UNKNOWN))

    def shake_hands(wire: socket.socket) -> None:
        with context.wrap_socket(wire, server_side=True) as safe:
            safe.recv(8)

    with peer(shake_hands) as port:
        given = told("--ca", certificates.cert(tls.AUTHORITY))
        door = AmqpDoor([f"amqps://localhost:{port}/"], [("127.0.0.1", free_port())], given)
        with pytest.raises(RefusedError, match="its certificate is not good here"):
            door.take(1, 0.1)
        door.close()


def test_a_queue_that_is_not_there_is_tried_again() -> None:
    door = AmqpDoor([f"amqp://127.0.0.1:{free_port()}/"], [("127.0.0.1", free_port())], Access())
    with pytest.raises(ConnectionError):
        door.take(1, 0.1)
    door.close()


def test_a_password_on_the_command_line_is_refused(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "hil.receiver",
        "--store",
        "p.db",
        "--broker",
        "localhost",
        "--queue",
        "amqp://a:secret@b/",
    ]
    done = subprocess.run(
        words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "secret" not in done.stderr
