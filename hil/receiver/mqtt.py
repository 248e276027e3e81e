"""In and out by MQTT 5: receivers of one group share what comes; it is acknowledged only when it is stored."""

import queue
import sys
from collections import deque
from collections.abc import Sequence
from time import monotonic

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.codec import LANES
from hil.receiver.door import Message

KEEPALIVE_S = 30
WINDOW = 2000
"""Messages under way to one receiver. A broker may allow less: mosquitto 20, unless max_inflight_messages says more."""
SESSION_S = 86_400
"""So long a broker keeps what is meant for a receiver that is away."""
SEND_S = 5.0
"""So long a broker may take for a round of receipts."""


Broker = tuple[str, int]
"""Host and port."""


class Teller:
    """The way out: receipts, retained. MQTT 3.1.1 will do."""

    def __init__(self, brokers: Sequence[Broker]) -> None:
        """Connect in the background, again and again; to the next of these where one is not there."""
        self._brokers = deque(brokers)
        self._until_s = 0.0
        self._connect()

    def send(self, receipts: Sequence[tuple[str, bytes]]) -> bool:
        """Publish (terminal, receipt); whether the broker has them all within SEND_S."""
        if not self._client.is_connected():
            if len(self._brokers) > 1 and monotonic() > self._until_s:
                self.close()
                self._brokers.rotate(-1)
                self._connect()
            return False
        self._until_s = monotonic() + SEND_S
        told = [self._client.publish(f"tbox/v1/{one}/receipt", text, qos=1, retain=True) for one, text in receipts]
        until_s = monotonic() + SEND_S
        for one in told:
            if one.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return False
            one.wait_for_publish(max(0.0, until_s - monotonic()))
        return all(one.is_published() for one in told)

    def _connect(self) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.max_inflight_messages_set(0)
        self._client.connect_async(*self._brokers[0], KEEPALIVE_S)
        self._client.loop_start()
        self._until_s = monotonic() + SEND_S

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


class MqttDoor:
    """A session that the broker keeps under this name, in a group that shares the terminals' messages."""

    def __init__(self, host: str, port: int, name: str, group: str) -> None:
        """Connect in the background, again and again."""
        self._messages: queue.Queue[Message] = queue.Queue()
        self._group, self._round = group, 0
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"tbox-receiver-{name}",
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: print(f"taking records from {host}:{port}", file=sys.stderr, flush=True)
        self._client.on_message = self._came
        self._client.connect_async(host, port, KEEPALIVE_S, clean_start=False, properties=_wishes())
        self._client.loop_start()
        self._teller = Teller([(host, port)])

    def take(self, most: int, wait_s: float) -> list[Message]:
        """Messages in their order, `most` at most; waits so long for the first."""
        taken: list[Message] = []
        try:
            taken.append(self._messages.get(timeout=wait_s))
            while len(taken) < most:
                taken.append(self._messages.get_nowait())
        except queue.Empty:
            pass
        return taken

    def done(self, messages: Sequence[Message]) -> None:
        """The broker may forget them; those of an earlier connection it sends again."""
        for message in messages:
            came_round, mid = message.mark
            if came_round == self._round:
                self._client.ack(mid, 1)

    def send(self, receipts: Sequence[tuple[str, bytes]]) -> bool:
        """Publish (terminal, receipt), retained; whether the broker has them all."""
        return self._teller.send(receipts)

    def close(self) -> None:
        """Let go of the broker; the session stays."""
        self._client.disconnect()
        self._client.loop_stop()
        self._teller.close()

    def _subscribe(
        self, client: Client, _data: object, _flags: ConnectFlags, _reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._round += 1
        client.subscribe([(f"$share/{self._group}/tbox/v1/+/{lane}", 1) for lane in LANES])

    def _came(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        mark = (self._round, message.mid)
        self._messages.put(Message(message.topic, bytes(message.payload), monotonic(), mark))


def _wishes() -> Properties:
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wishes.SessionExpiryInterval = SESSION_S
    wishes.ReceiveMaximum = WINDOW
    return wishes
