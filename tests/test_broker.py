"""What goes wrong with a broker: each fault is one sentence that names host:port and the fix, and no secret is told."""

import base64
import errno
import hashlib
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.errors import SettingsError
from agent.settings import Mqtt
from agent.uplink.broker import explain_failure
from agent.uplink.exchange import LinkDown, LinkUp
from agent.uplink.mqtt import Link
from tests.brokers import Certificates, Front, Mosquitto, Process, Subscriber, free_port
from tests.links import STATE, Driver, plain, secure

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Process]:
    with Mosquitto(tmp_path_factory.mktemp("secured"), certificates.listener()) as broker:
        yield broker


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Wants user "car1" with PASSWORD, or user "mute" with the same, who may not publish."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "passwords").write_text(password_line("car1") + password_line("mute"))
    (folder / "rights").write_text("user car1\ntopic readwrite tbox/v1/car1/#\n")
    lines = ["allow_anonymous false", f"password_file {folder}/passwords", f"acl_file {folder}/rights"]
    with Mosquitto(folder, lines) as broker:
        yield broker


def password_line(user: str) -> str:
    """A line of mosquitto's password file: PBKDF2 with SHA-512."""
    salt = b"twelve bytes"
    digest = hashlib.pbkdf2_hmac("sha512", PASSWORD.encode(), salt, 101)
    return f"{user}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


def secret(folder: Path, text: bytes, mode: int = 0o600) -> str:
    path = folder / "password"
    path.write_bytes(text)
    path.chmod(mode)
    return str(path)


# Certificates


def test_a_broker_and_a_terminal_that_trust_each_other_connect(secured: Process, certificates: Certificates) -> None:
    for host in ("localhost", "127.0.0.1"):
        with Driver(secure(secured.port, certificates, host=host)) as driver:
            assert driver.wait(LinkUp).broker == f"{host}:{secured.port}"


@pytest.mark.parametrize(
    ("client", "word"),
    [("stranger", "unknown ca"), ("expired", "certificate expired"), ("", "certificate required")],
)
def test_a_refused_certificate_of_ours_is_said_and_slows_down(
    secured: Process, certificates: Certificates, client: str, word: str
) -> None:
    with Driver(secure(secured.port, certificates, client)) as driver:
        down = driver.wait(LinkDown)
    assert down.is_auth
    assert f"localhost:{secured.port} refuses this terminal's certificate (" in down.reason
    assert word in down.reason
    assert "set mqtt.cert_file and mqtt.key_file" in down.reason


@pytest.mark.parametrize("ca_file", ["other-ca", ""], ids=["another authority", "the system's authorities"])
def test_a_broker_of_an_unknown_authority_is_not_trusted(
    secured: Process, certificates: Certificates, ca_file: str
) -> None:
    path = certificates.cert(ca_file) if ca_file else ""
    with Driver(secure(secured.port, certificates, ca_file=path)) as driver:
        unknown = "comes from an authority unknown here; name that authority's certificate in mqtt.ca_file"
        reason = f"the certificate of localhost:{secured.port} {unknown}"
        assert driver.take() == LinkDown(reason, is_auth=True)


@pytest.mark.parametrize(
    ("server", "word"),
    [("misnamed", "is for another name; set mqtt.host"), ("late", "has expired; renew it at the broker")],
)
def test_a_broker_with_a_wrong_certificate_is_not_trusted(
    certificates: Certificates, tmp_path: Path, server: str, word: str
) -> None:
    lines = certificates.listener(server)
    with Mosquitto(tmp_path, lines) as broker, Driver(secure(broker.port, certificates)) as driver:
        down = driver.wait(LinkDown)
        assert f"the certificate of localhost:{broker.port} {word}" in down.reason
        assert down.is_auth


def test_a_certificate_that_is_not_valid_yet_waits_for_the_clock_only() -> None:
    early = ssl.SSLCertVerificationError(1, "certificate verify failed")
    early.verify_code, early.verify_message = 9, "certificate is not yet valid"
    down = explain_failure("b:1", early)
    assert down == LinkDown("the certificate of b:1 is not valid yet; is this terminal's clock right?", is_auth=False)


def test_tls_to_a_port_without_it_is_said(mosquitto: Process, certificates: Certificates) -> None:
    with Driver(secure(mosquitto.port, certificates)) as driver:
        assert "mqtt.tls = false" in driver.wait(LinkDown).reason


def test_no_tls_to_a_port_with_it_is_said(secured: Process) -> None:
    with Driver(plain(secured.port)) as driver:
        assert "does this port expect TLS" in driver.wait(LinkDown).reason


# Who we are


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_password_in_the_file_opens_the_broker(guarded: Process, tmp_path: Path, version: str) -> None:
    path = secret(tmp_path, PASSWORD.encode() + b"\n")
    with Driver(plain(guarded.port, username="car1", password_file=path, version=version)) as driver:
        assert driver.wait(LinkUp).version == version


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_wrong_password_is_said_and_slows_down_and_is_not_told(
    guarded: Process, tmp_path: Path, version: str
) -> None:
    path = secret(tmp_path, b"battery staple")
    driver = Driver(plain(guarded.port, username="car1", password_file=path, version=version))
    with driver:
        down = driver.wait(LinkDown)
    assert down.is_auth
    assert down.reason.startswith(f"127.0.0.1:{guarded.port} ")
    assert "authorised" in down.reason or "password" in down.reason
    assert "staple" not in f"{down!r} {vars(driver.link)!r}"


def test_a_user_who_may_not_publish_is_told_so(guarded: Process, tmp_path: Path) -> None:
    path = secret(tmp_path, PASSWORD.encode())
    with Driver(plain(guarded.port, username="mute", password_file=path)) as driver:
        down = driver.wait(LinkDown)
    assert down.is_auth
    assert "allow this user and client id to connect and to use tbox/v1/<its id>/#" in down.reason


def test_a_refused_subscription_is_told(mosquitto: Process) -> None:
    def refuse(data: bytes) -> bytes:
        return re.sub(rb"\x90\x03(..)\x01", b"\x90\x03\\1\x80", data, flags=re.DOTALL)

    with (
        Front(mosquitto.port, tamper=refuse) as front,
        Subscriber(mosquitto.port, "tbox/v1/car1/state") as other,
        Driver(plain(front.port, version="3.1.1"), subscribed=["receipt"]) as driver,
    ):
        assert driver.wait(LinkDown).reason.startswith(f"127.0.0.1:{front.port} refused us")
        while b'"online": true' in other.take()[1]:
            pass  # in the end the will tells that nobody is there


@pytest.mark.parametrize(
    ("code", "word", "is_auth"),
    [
        (0x8E, "serves another client with our client id; give each terminal its own device.name", True),
        (0x8B, "is shutting down; it will be tried again", False),
        (0x93, "ended the connection: Receive maximum exceeded", False),
    ],
)
def test_a_broker_that_says_why_it_hangs_up_is_quoted(mosquitto: Process, code: int, word: str, is_auth: bool) -> None:
    def hang_up(data: bytes) -> bytes:
        return data + bytes([0xE0, 2, code, 0]) if data.startswith(b"\x40") else data  # after the first PUBACK

    with Front(mosquitto.port, tamper=hang_up) as front, Driver(plain(front.port, version="5")) as driver:
        driver.wait(LinkUp)
        assert driver.take() == LinkDown(f"127.0.0.1:{front.port} {word}", is_auth=is_auth)


# Where it is


@pytest.mark.parametrize(
    ("host", "word"),
    [
        ("127.0.0.1", "refuses the connection, nothing listens there; start the broker, or check mqtt.port"),
        ("broker.invalid", "has no address; check mqtt.host, and this terminal's DNS and network"),
        ("no..name", "cannot be a host; check mqtt.host"),
    ],
)
def test_a_broker_that_is_not_there_is_said(host: str, word: str) -> None:
    port = free_port()
    with Driver(plain(port, host=host)) as driver:
        assert driver.take() == LinkDown(f"{host}:{port} {word}")


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (TimeoutError(), "does not answer"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "is out of reach (Network is unreachable)"),
    ],
)
def test_a_network_that_is_not_there_is_said(error: OSError, word: str) -> None:
    assert explain_failure("broker.example:8883", error).reason.startswith(f"broker.example:8883 {word}")


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(200), b"\x20\xff\xff\xff\xff", b"\x20\x02\x00\x05\x30\x02\x00\x09"],
    ids=["a web server", "zeros", "an endless packet", "a refusal and rubbish"],
)
def test_rubbish_from_the_other_side_ends_the_try_and_nothing_else(mosquitto: Process, answer: bytes) -> None:
    with Front(mosquitto.port, refuse={5: answer, 4: answer}) as front, Driver(plain(front.port)) as driver:
        assert str(front.port) in driver.wait(LinkDown).reason
        driver.link.connect()
        driver.wait(LinkDown)


# Files, before anything opens


def _secure(folder: Path, certificates: Certificates, **more: Any) -> Mqtt:
    (folder / "junk.pem").write_text("junk")
    (folder / "junk.pem").chmod(0o600)
    junk = str(folder / "junk.pem")
    return secure(8883, certificates, **{key: junk if path == "junk" else path for key, path in more.items()})


BAD_FILES: dict[str, tuple[Callable[[Path, Certificates], Mqtt], str]] = {
    "no password file": (lambda f, _: plain(1, username="x", password_file=str(f / "no")), "No such file"),
    "a password anyone may read": (
        lambda f, _: plain(1, username="x", password_file=secret(f, b"x", 0o644)),
        "others may use .*password .mode 0644.; do: chmod 600",
    ),
    "a password without a user": (lambda f, _: plain(1, password_file=secret(f, b"x")), "mqtt.username is not"),
    "a password that is no text": (
        lambda f, _: plain(1, username="x", password_file=secret(f, b"\xff")),
        "is not UTF-8",
    ),
    "no authority file": (
        lambda f, c: _secure(f, c, ca_file="/nowhere/ca.pem"),
        "mqtt.ca_file: /nowhere/ca.pem cannot",
    ),
    "an authority that is no PEM": (
        lambda f, c: _secure(f, c, ca_file="junk"),
        "mqtt.ca_file: .*junk.pem cannot be used",
    ),
    "a certificate without key": (lambda f, c: _secure(f, c, key_file=""), "set both or neither"),
    "a key of another certificate": (
        lambda f, c: _secure(f, c, key_file=c.key("server")),
        r"mqtt.cert_file, mqtt.key_file: .* \(KEY_VALUES_MISMATCH\)",
    ),
    "a certificate that is no PEM": (lambda f, c: _secure(f, c, cert_file="junk"), "must be PEM, not encrypted"),
    "an encrypted key": (lambda f, c: _secure(f, c, key_file=c.encrypted("client", f)), "must be PEM, not encrypted"),
    "a key anyone may read": (
        lambda f, c: _secure(f, c, key_file=c.cert("client")),
        "mqtt.key_file: others may use .* chmod 600",
    ),
}


@pytest.mark.parametrize(("make", "word"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_file_that_cannot_serve_is_an_error_of_the_settings(
    certificates: Certificates, tmp_path: Path, make: Callable[[Path, Certificates], Mqtt], word: str
) -> None:
    with pytest.raises(SettingsError, match=word):
        Link(make(tmp_path, certificates), "car1", STATE)


def test_a_file_that_goes_bad_later_ends_the_try(mosquitto: Process, tmp_path: Path) -> None:
    path = Path(secret(tmp_path, b"x"))
    driver = Driver(plain(mosquitto.port, username="x", password_file=str(path)))
    path.unlink()
    with driver:
        down = driver.wait(LinkDown)
    assert down.reason.startswith(f"127.0.0.1:{mosquitto.port} is not tried: mqtt.password_file: {path} cannot be read")
