"""The broker seen from here: where it is, how it is trusted, which MQTT it speaks, and what went wrong with it."""

import contextlib
import json
import socket
import ssl
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from paho.mqtt.reasoncodes import ReasonCode

from agent.errors import SettingsError
from agent.uplink.exchange import LinkDown

if TYPE_CHECKING:
    from agent.settings import Mqtt

VERSIONS = ("5", "3.1.1")
"""In the order in which they are tried."""

KNOWN_S = 604_800.0
"""So long it is remembered which of them a broker speaks."""

CERTIFICATE_FAULTS = {
    9: "is not valid yet; is this terminal's clock right?",
    10: "has expired; renew it at the broker, or set this terminal's clock",
    18: "is signed by nobody else; name it, or the authority it should come from, in mqtt.ca_file",
    19: "comes from an authority unknown here; name that authority's certificate in mqtt.ca_file",
    20: "comes from an authority unknown here; name that authority's certificate in mqtt.ca_file",
    21: "comes from an authority unknown here; name that authority's certificate in mqtt.ca_file",
    62: "is for another name; set mqtt.host to a name that it carries",
    64: "is for another address; set mqtt.host to a name that it carries",
}
"""By OpenSSL's X509_V_ERR number, `man verify`."""

NOT_YET_VALID = 9
"""This one passes without anybody's help, as soon as the clock is right."""

FAILURES: tuple[tuple[type[OSError], str], ...] = (
    (ssl.SSLError, "does not speak TLS as it should; set mqtt.port to its TLS port, or mqtt.tls = false"),
    (
        ConnectionResetError,
        "hung up; if it has no TLS at this port, set mqtt.port to its TLS port, or mqtt.tls = false",
    ),
    (socket.gaierror, "has no address; check mqtt.host, and this terminal's DNS and network"),
    (ConnectionRefusedError, "refuses the connection, nothing listens there; start the broker, or check mqtt.port"),
    (TimeoutError, "does not answer; check mqtt.host and mqtt.port, the network, and firewalls"),
)
"""What it means that no connection came about; the first that fits."""

REFUSALS = {
    0x80: "refused us without a reason; its log says why",
    0x84: "does not speak this version of MQTT; set mqtt.version to one that it speaks",
    0x85: "does not accept our client id; allow it there, or set device.name",
    0x86: "refused user name or password; check mqtt.username and the file in mqtt.password_file",
    0x87: "says that we are not authorised; allow this user and client id to connect and to use tbox/v1/<its id>/#",
    0x88: "is not available now; its log says why",
    0x89: "is busy; it will be tried again",
    0x8A: "has banned this client; allow it there",
    0x8B: "is shutting down; it will be tried again",
    0x8C: "wants another way of authentication; only user name, password and certificate are known here",
    0x8E: "serves another client with our client id; give each terminal its own device.name",
    0x95: "takes no message as large as one of ours; raise its limits for packets and messages",
    0x97: "refused because a quota is used up; raise it there",
    0x9A: "keeps no retained messages; allow them there",
    0x9B: "does not take QoS 1; allow it there",
    0x9C: "wants us at another broker; set mqtt.host to it",
    0x9D: "wants us at another broker; set mqtt.host to it",
    0x9F: "counts too many connections; it will be tried again",
    0xA2: "allows no wildcard in subscriptions; allow tbox/v1/<its id>/command/+ there",
}
"""What a reason code means for who set this up, MQTT 5 section 2.4."""

AUTH_REFUSALS = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C, 0x8E})
"""Codes that stay until somebody changes a setting, here or there."""

ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "DECRYPT_ERROR", "ACCESS_DENIED", "HANDSHAKE_FAILURE")
"""Parts of OpenSSL's names of the alerts (RFC 8446 section 6.2) with which a broker turns our certificate down."""


class WatchedSocket(ssl.SSLSocket):
    """Keeps the alert that a TLS 1.3 broker sends after the handshake; paho would only tell that the link was lost."""

    failure: ssl.SSLError | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As in ssl, but the failure is kept."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.failure = error
            raise


def port_of(mqtt: "Mqtt") -> int:
    """The port, where none is set the usual one."""
    return mqtt.port or (8883 if mqtt.tls else 1883)


def name_of(mqtt: "Mqtt") -> str:
    """How a sentence names the broker: host:port."""
    return f"{mqtt.host}:{port_of(mqtt)}"


def read_password(mqtt: "Mqtt") -> str | None:
    """What stands in the password file, without its line end; None without a file. Raises SettingsError."""
    if not mqtt.password_file:
        return None
    if not mqtt.username:
        raise SettingsError("mqtt.password_file is set, but mqtt.username is not; MQTT has no password without a user")
    _check_secret("mqtt.password_file", mqtt.password_file)
    try:
        return Path(mqtt.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingsError(f"mqtt.password_file: {mqtt.password_file} is not UTF-8 text") from None


def make_context(mqtt: "Mqtt") -> ssl.SSLContext | None:
    """How the broker must prove itself and we prove ourselves; None without TLS. Raises SettingsError."""
    if not mqtt.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=mqtt.ca_file or None)
    except OSError as error:
        raise SettingsError(f"mqtt.ca_file: {mqtt.ca_file} {_unusable(error)}") from None
    context.sslsocket_class = WatchedSocket
    if bool(mqtt.cert_file) != bool(mqtt.key_file):
        raise SettingsError("mqtt.cert_file and mqtt.key_file go together; set both or neither")
    if mqtt.cert_file:
        _check_secret("mqtt.key_file", mqtt.key_file)
        try:
            context.load_cert_chain(mqtt.cert_file, mqtt.key_file, password="")  # never ask at a terminal
        except OSError as error:
            files = f"{mqtt.cert_file} with {mqtt.key_file}"
            raise SettingsError(f"mqtt.cert_file, mqtt.key_file: {files} {_unusable(error)}") from None
    return context


def _check_secret(key: str, path: str) -> None:
    """A secret must be there, and its owner's alone."""
    try:
        mode = stat.S_IMODE(Path(path).stat().st_mode)
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise SettingsError(f"{key}: {path} {_unusable(error)}") from None
    if mode & 0o077:
        raise SettingsError(f"{key}: others may use {path} (mode {mode:04o}); do: chmod 600 {path}")


def _unusable(error: OSError) -> str:
    """Why a file cannot be used."""
    if isinstance(error, ssl.SSLError):
        return (
            f"cannot be used ({error.reason or 'no PEM'}); it must be PEM, not encrypted, and key and certificate match"
        )
    return f"cannot be read: {error.strerror}"


def explain_failure(broker: str, error: OSError) -> LinkDown:
    """Why no connection came about, or why it broke, in a sentence with the fix."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = CERTIFICATE_FAULTS.get(error.verify_code, f"is not accepted here: {error.verify_message}")
        return LinkDown(f"the certificate of {broker} {fault}", is_auth=error.verify_code != NOT_YET_VALID)
    if isinstance(error, ssl.SSLError) and any(alert in str(error.reason) for alert in ALERTS):
        why = str(error.reason).lower().replace("_", " ")
        fix = "set mqtt.cert_file and mqtt.key_file to one that it trusts"
        return LinkDown(f"{broker} refuses this terminal's certificate ({why}); {fix}", is_auth=True)
    for kind, meaning in FAILURES:
        if isinstance(error, kind):
            return LinkDown(f"{broker} {meaning}")
    return LinkDown(f"{broker} is out of reach ({error.strerror or error}); check this terminal's network")


def explain_refusal(broker: str, reason: ReasonCode) -> LinkDown:
    """What a broker meant by a reason code of CONNACK, SUBACK, PUBACK or DISCONNECT."""
    meaning = REFUSALS.get(reason.value, f"ended the connection: {reason.getName()}")
    return LinkDown(f"{broker} {meaning}", is_auth=reason.value in AUTH_REFUSALS)


class VersionMemory:
    """Which version a broker was found to speak, in a small JSON file {"host:port": "3.1.1"}; path None: forgetful.

    What is older than KNOWN_S is found out anew: a broker may have been renewed, or a bad link have looked like it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        if path is not None:
            with contextlib.suppress(OSError, ValueError):  # missing or broken: it is learnt again
                known = json.loads(path.read_text(encoding="utf-8"))
                is_new = abs(time.time() - path.stat().st_mtime) < KNOWN_S
                self._known = known if isinstance(known, dict) and is_new else {}

    def order(self, broker: str) -> tuple[str, ...]:
        """The versions to try, most promising first."""
        return tuple(sorted(VERSIONS, key=lambda version: version != self._known.get(broker, VERSIONS[0])))

    def learn(self, broker: str, version: str) -> None:
        """This broker speaks this version; written only when that is news."""
        if self._known.get(broker, VERSIONS[0]) == version:
            return
        self._known[broker] = version
        if self._path is not None:
            fresh = self._path.with_suffix(".new")
            with contextlib.suppress(OSError):  # a full disk costs one try more at the next start
                fresh.write_text(json.dumps(self._known), encoding="utf-8")
                fresh.replace(self._path)
