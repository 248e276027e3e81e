"""One connection to the broker, from CONNECT to its end, as one paho-mqtt client that never tries again by itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.uplink.broker import explain_failure, explain_refusal, make_context, name_of, port_of, read_password
from agent.uplink.exchange import LANES, Answer, LinkDown, LinkUp, Message

if TYPE_CHECKING:
    from agent.settings import Mqtt

PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}

CONNECT_S = 15.0
"""Longest wait for TCP and TLS; a 2G link needs some of it."""

SESSION_S = 604800
"""The broker keeps our session, with what came for us, for a week (MQTT 5; 3.1.1 leaves it to the broker)."""

MESSAGE_BYTES_MAX = 65536
"""A longer message from the broker is dropped."""

DESIRED = "config/desired"
DESIRED_BYTES_MAX = 4 * 1024 * 1024 + MESSAGE_BYTES_MAX
"""A desired configuration is a bundle, of 4 MiB at most, and some words; what is longer is refused (MQTT 5)."""

ONLY_NEW = 1
"""Retain handling (MQTT 5 section 3.8.3.1): a retained message comes with a new subscription, not with each link."""

SOON_S = 10.0
"""A connection that was lost sooner than this is worth a look at the broker's log."""

LOOP_S = 1.0
"""How often paho looks after its keep-alive; everything else wakes it at once."""

PUBLISHES_MAX = 65535
"""Most that may be unanswered, where the broker allows all that MQTT has numbers for."""

HEAD_BYTES = 10
"""Most that a PUBLISH has beside topic and payload, without properties."""

UNSUPPORTED_VERSION = 0x84


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: the id in topics, which is the client id too, and the retained state while here and when gone."""

    device: str
    online: bytes
    offline: bytes

    def topic(self, name: str) -> str:
        """The full topic of a lane, of state, of receipt and so on."""
        return f"tbox/v1/{self.device}/{name}"


@dataclass(frozen=True, slots=True)
class Puback:
    """The broker acknowledged the publish with this packet id."""

    packet_id: int


class Paho(Client):
    """Publishes that a broker has no room for wait in paho."""

    def allow(self, receive_maximum: int) -> None:
        """So many may be unanswered; paho itself lets nobody say so once it is connected, when the broker does."""
        self._max_inflight_messages = receive_maximum


Tell = Callable[[Answer | Puback], None]


class Session:
    """One connection. `run` belongs to the link's thread, `publish` and `stop` to the daemon's."""

    def __init__(self, mqtt: "Mqtt", identity: Identity, version: str, subscribed: Sequence[str], tell: Tell) -> None:
        self._mqtt = mqtt
        self._identity = identity
        self._version = version
        self._subscribed = subscribed
        self._tell = tell
        self._broker = name_of(mqtt)
        self._socket: Any = None
        self._state_packet = 0
        self._up: LinkUp | None = None
        self._down: LinkDown | None = None
        self._is_stopping = False
        self.may_be_version = False
        self.connack_s = 0.0
        self._packet_bytes_max, self._sent_s = 0, 0.0
        self._client: Paho | None = self._make_client()

    @property
    def is_up(self) -> bool:
        """Whether the broker accepted us, ever."""
        return self._up is not None

    def run(self, connack_s: float) -> LinkDown:
        """Connect and serve until the end; gives back why it ended. Raises SettingsError when a file went bad."""
        client = self._client
        assert client is not None, "a session runs once"
        try:
            self._connect(client)
            self._sent_s = time.monotonic()
            self._serve(client, self._sent_s + connack_s)
        except OSError as error:
            return explain_failure(self._broker, error)
        except UnicodeError:
            return LinkDown(f"{self._broker} cannot be a host; check mqtt.host")
        finally:
            self._client = None  # the last reference: paho closes its sockets as it goes
        return self._down or self._explain_silence()

    def publish(self, name: str, payload: bytes) -> int | None:
        """Hand over one record, QoS 1, without waiting; its packet id comes back in Puback. None: no connection."""
        client = self._client
        return None if client is None else client.publish(self._identity.topic(name), payload, qos=1).mid

    def say(self, name: str, payload: bytes, correlation: bytes, *, retain: bool) -> None:
        """Hand over what is no record, QoS 1, without waiting; what the broker does not get is lost."""
        client, properties = self._client, None
        if client is None or 0 < self._room_bytes(name) < len(payload) + len(correlation):
            return
        if correlation and self._version == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # as in _connect
            properties.CorrelationData = correlation
        client.publish(self._identity.topic(name), payload, qos=1, retain=retain, properties=properties)

    def _room_bytes(self, name: str) -> int:
        """For what is said on this topic, where the broker limits its packets; else 0."""
        beside_bytes = HEAD_BYTES + len(self._identity.topic(name).encode())
        return max(1, self._packet_bytes_max - beside_bytes) if self._packet_bytes_max else 0

    def stop(self, wait_s: float) -> None:
        """Say that we are leaving, wait for the broker's answer, and disconnect; without one, let the will tell."""
        client = self._client
        if client is None or not client.is_connected():
            self._is_stopping = True
            return
        state = client.publish(self._identity.topic("state"), self._identity.offline, qos=1, retain=True)
        if state.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            state.wait_for_publish(wait_s)
            if state.is_published():
                client.disconnect()
                return
        self._is_stopping = True

    def drop(self, reason: str) -> None:
        """End it as if the link had broken, within LOOP_S."""
        self._down = LinkDown(f"{self._broker}: {reason}; the connection is given up")
        self._is_stopping = True

    def _serve(self, client: Client, until_s: float) -> None:
        """Turn paho's loop until the connection ends, or has not been accepted in time."""
        while not self._is_stopping and client.loop(LOOP_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            if self._up is None and time.monotonic() > until_s:
                return

    def _make_client(self) -> Paho:
        """A paho client with our callbacks; what it limits is what the broker says."""
        client = Paho(
            CallbackAPIVersion.VERSION2,
            client_id=self._identity.device,
            clean_session=None if self._version == "5" else False,
            protocol=PROTOCOLS[self._version],
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.allow(PUBLISHES_MAX)
        client.will_set(self._identity.topic("state"), self._identity.offline, qos=1, retain=True)
        client.on_socket_open = self._on_socket_open
        client.on_socket_register_write = _leave_writing  # without it, two threads would write to one socket
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _connect(self, client: Client) -> None:
        """TCP, TLS and CONNECT; secrets are read only here."""
        context = make_context(self._mqtt)
        if context is not None:
            client.tls_set_context(context)
        if self._mqtt.username:
            client.username_pw_set(self._mqtt.username, read_password(self._mqtt))
        address = (self._mqtt.host, port_of(self._mqtt), self._mqtt.keepalive_s)
        if self._version != "5":
            client.connect(*address)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no annotation there
        properties.SessionExpiryInterval = SESSION_S
        properties.MaximumPacketSize = DESIRED_BYTES_MAX
        client.connect(*address, clean_start=False, properties=properties)

    def _explain_silence(self) -> LinkDown:
        """The connection ended, or was never answered, and the broker gave no reason."""
        if (failure := getattr(self._socket, "failure", None)) is not None:
            return explain_failure(self._broker, failure)
        if self._up is not None:
            is_soon = time.monotonic() - self._sent_s < SOON_S
            hint = " after seconds; if that goes on, its log says why: another client with our id, a message it refuses"
            return LinkDown(f"the connection to {self._broker} was lost{hint if is_soon else ''}")
        self.may_be_version = True
        hint = "its log says why; does this port expect TLS, or a certificate from us?"
        return LinkDown(f"{self._broker} gives no answer to MQTT {self._version}; {hint}")

    def _refuse(self, reason: ReasonCode) -> None:
        """The broker said no: remember why, and leave without a word, so that its will tells that we are gone."""
        self._down = explain_refusal(self._broker, reason)
        self._is_stopping = True

    def _on_socket_open(self, _client: Client, _userdata: object, opened: object) -> None:
        self._socket = opened

    def _on_connect(
        self, client: Client, _userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        """Accepted: subscribe and say that we are here. Or refused."""
        self.connack_s = time.monotonic() - self._sent_s
        if reason.is_failure:
            self._down = explain_refusal(self._broker, reason)
            self.may_be_version = reason.value == UNSUPPORTED_VERSION
            return
        receive_maximum = getattr(properties, "ReceiveMaximum", PUBLISHES_MAX)
        assert self._client is not None
        self._client.allow(receive_maximum)
        self._packet_bytes_max = getattr(properties, "MaximumPacketSize", 0)
        bytes_max = min(self._room_bytes(lane) for lane in LANES)
        self._up = LinkUp(self._broker, self._version, flags.session_present, receive_maximum, bytes_max)
        for name in self._subscribed:
            self._subscribe(client, name)
        state = client.publish(self._identity.topic("state"), self._identity.online, qos=1, retain=True)
        self._state_packet = state.mid

    def _subscribe(self, client: Client, name: str) -> None:
        """A bundle that lies there is fetched once, not with each connection, where the broker can tell them apart."""
        topic = self._identity.topic(name)
        if name == DESIRED and self._version == "5":
            client.subscribe(topic, options=SubscribeOptions(qos=1, retainHandling=ONLY_NEW))
        else:
            client.subscribe(topic, qos=1)

    def _on_subscribe(
        self, _client: Client, _userdata: object, _packet_id: int, reasons: list[ReasonCode], _properties: Properties
    ) -> None:
        """The broker must let us have what we handle."""
        for reason in reasons:
            if reason.is_failure:
                self._refuse(reason)

    def _on_publish(
        self, _client: Client, _userdata: object, packet_id: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        """An acknowledgement; that of our state opens the link."""
        if reason.is_failure:
            self._refuse(reason)
        elif packet_id == self._state_packet:
            if self._up is not None and self._down is None:
                self._tell(self._up)
        else:
            self._tell(Puback(packet_id))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        """Something for us."""
        name, properties = message.topic.removeprefix(self._identity.topic("")), message.properties
        response, correlation = getattr(properties, "ResponseTopic", ""), getattr(properties, "CorrelationData", b"")
        self._tell(Message(name, bytes(message.payload), response, correlation, bool(message.retain)))

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        """MQTT 5 brokers may say why they end it."""
        if flags.is_disconnect_packet_from_server and self._down is None:
            self._down = explain_refusal(self._broker, reason)


def _leave_writing(_client: Client, _userdata: object, _socket: object) -> None:
    """Nothing to do: paho's loop in the link's thread writes."""
