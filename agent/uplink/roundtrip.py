"""One message to the broker and back, as this terminal would send it; and what the platform says it stored.

It speaks for itself, beside a daemon that may run: a client id of its own, a clean session, no will, and a topic that
nobody keeps, tbox/v1/<id>/probe.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.errors import SettingsError
from agent.uplink.broker import (
    VersionMemory,
    explain_failure,
    explain_refusal,
    make_context,
    name_of,
    port_of,
    read_password,
)

if TYPE_CHECKING:
    from agent.settings import Mqtt

PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
WAIT_S = 15.0
"""Longest for a broker's word; half of it while another version is left to try."""

RECEIPT_S = 2.0
"""A retained message comes at once after the subscription; so long it is waited for."""

UNSUPPORTED_VERSION = 0x84


@dataclass(slots=True)
class Trip:
    """What became of it. `failure`: why it did not come back, "what; fix". `receipt`: the platform's, as it came."""

    broker: str
    version: str = ""
    back_ms: float | None = None
    failure: str = ""
    receipt: bytes | None = None
    may_be_version: bool = field(default=False, repr=False)


def send(mqtt: "Mqtt", device: str, *, wants_receipt: bool, memory: Path | None = None, client_id: str = "") -> Trip:
    """Connect, subscribe, publish, wait for it. `client_id`: the daemon's own may be used only while it does not run.

    Nothing is raised: what went wrong stands in the trip.
    """
    versions = (mqtt.version,) if mqtt.version != "auto" else VersionMemory(memory).order(name_of(mqtt))
    trip = Trip(name_of(mqtt))
    for version in versions:
        trip = _Call(mqtt, device, version, client_id or f"{device}-doctor", wants_receipt=wants_receipt).run(
            WAIT_S if version == versions[-1] else WAIT_S / 2
        )
        if not trip.failure or not trip.may_be_version:
            break
    return trip


class _Call:
    """One connection in one version of MQTT."""

    def __init__(self, mqtt: "Mqtt", device: str, version: str, client_id: str, *, wants_receipt: bool) -> None:
        self._mqtt, self._wants_receipt = mqtt, wants_receipt
        self._probe, self._receipt = f"tbox/v1/{device}/probe", f"tbox/v1/{device}/receipt"
        self._token = os.urandom(8).hex().encode()
        self._trip = Trip(name_of(mqtt), version)
        self._is_heard = False
        self._sent_s = self._back_s = 0.0
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if version == "5" else True,
            protocol=PROTOCOLS[version],
            reconnect_on_failure=False,
        )
        self._client.connect_timeout = WAIT_S
        self._socket: object = None
        self._client.on_socket_open = self._on_socket_open
        self._client.on_socket_register_write = _leave_writing  # else a write that fails hides the alert to be read
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    def run(self, wait_s: float) -> Trip:
        """All of it, within this time."""
        try:
            self._connect()
            self._turn(time.monotonic() + wait_s)
        except SettingsError as why:
            self._trip.failure = str(why)
        except UnicodeError:
            self._trip.failure = f"{self._trip.broker} cannot be a host; check mqtt.host"
        except OSError as error:
            self._trip.failure = explain_failure(self._trip.broker, error).reason
        self._client.disconnect()
        return self._trip

    def _connect(self) -> None:
        """TCP, TLS and CONNECT."""
        context = make_context(self._mqtt)
        if context is not None:
            self._client.tls_set_context(context)
        if self._mqtt.username:
            self._client.username_pw_set(self._mqtt.username, read_password(self._mqtt))
        self._client.connect(self._mqtt.host, port_of(self._mqtt), self._mqtt.keepalive_s)

    def _turn(self, until_s: float) -> None:
        """Until everything was heard, the connection ended, or the time is up."""
        while not self._is_done() and time.monotonic() < until_s:
            if self._client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        if self._trip.back_ms is None and not self._trip.failure:
            self._explain_silence()

    def _is_done(self) -> bool:
        """Whether there is nothing more to wait for."""
        if self._trip.failure or self._trip.back_ms is None:
            return bool(self._trip.failure)
        has_receipt = not self._wants_receipt or self._trip.receipt is not None
        return has_receipt or time.monotonic() - self._back_s > RECEIPT_S

    def _explain_silence(self) -> None:
        """It ended, or time ran out, without a word about why."""
        broker, failure = self._trip.broker, getattr(self._socket, "failure", None)
        if failure is not None:
            self._trip.failure = explain_failure(broker, failure).reason
        elif self._sent_s:
            topic = self._probe
            self._trip.failure = f"{broker} took a message and did not bring it back; allow this user to read {topic}"
        elif self._is_heard:
            self._trip.failure = f"{broker} ended the connection; allow this user to use {self._probe}"
        else:
            self._trip.may_be_version = True
            hint = "its log says why; does this port expect TLS, or a certificate from us?"
            self._trip.failure = f"{broker} gives no answer to MQTT {self._trip.version}; {hint}"

    def _refuse(self, reason: ReasonCode) -> None:
        self._trip.failure = explain_refusal(self._trip.broker, reason).reason

    def _on_socket_open(self, _client: Client, _userdata: object, opened: object) -> None:
        """Kept, because a TLS alert stays with it when paho has let it go."""
        self._socket = opened

    def _on_connect(self, client: Client, _userdata: object, _flags: object, reason: ReasonCode, _more: Any) -> None:
        """Accepted: listen to what we are about to say, and to the platform."""
        if reason.is_failure:
            self._trip.may_be_version = reason.value == UNSUPPORTED_VERSION
            self._refuse(reason)
            return
        self._is_heard = True
        topics = [self._probe, *([self._receipt] if self._wants_receipt else [])]
        client.subscribe([(topic, 1) for topic in topics])

    def _on_subscribe(
        self, client: Client, _userdata: object, _packet_id: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        """Now it can come back."""
        refused = next((reason for reason in reasons if reason.is_failure), None)
        if refused is not None:
            self._refuse(refused)
            return
        self._sent_s = time.monotonic()
        client.publish(self._probe, self._token, qos=1)

    def _on_publish(self, _client: Client, _userdata: object, _packet_id: int, reason: ReasonCode, _more: Any) -> None:
        """The broker took it, or did not."""
        if reason.is_failure:
            self._refuse(reason)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        """It is back; or the platform's word."""
        if message.topic == self._receipt:
            self._trip.receipt = bytes(message.payload)
        elif message.payload == self._token:
            self._back_s = time.monotonic()
            self._trip.back_ms = (self._back_s - self._sent_s) * 1000


def _leave_writing(_client: Client, _userdata: object, _socket: object) -> None:
    """Nothing to do: paho's loop writes, after it has read."""
