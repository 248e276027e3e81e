"""In and out by MQTT 5: receivers of one group share what comes; it is acknowledged only when it is stored."""

import sys
from collections import deque
from collections.abc import Sequence
from time import monotonic

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.codec import LANES
from hil.receiver.access import Access
from hil.receiver.door import Message, RefusedError
from hil.receiver.line import Broker, Line, Taker

WINDOW = 2000
"""Messages under way to one receiver. A broker may allow less: mosquitto 20, unless max_inflight_messages says more."""
SESSION_S = 86_400
"""So long a broker keeps what is meant for a receiver that is away."""
SEND_S = 5.0
"""So long a broker may take for a round of receipts."""
TURN_S = 0.1


class Teller:
    """The way out: receipts, retained. MQTT 3.1.1 will do."""

    def __init__(self, brokers: Sequence[Broker], access: Access) -> None:
        """To the next of these brokers where one is not there."""
        self._brokers, self._access = deque(brokers), access
        self._renew()

    def open(self) -> bool:
        """Whether there is a connection; why there is none is said. RefusedError."""
        try:
            self._line.turn(0.0)
            self._line.open()
        except ConnectionError as why:
            print(f"receipts: {why}", file=sys.stderr, flush=True)
            return False
        return True

    def send(self, receipts: Sequence[tuple[str, bytes]]) -> bool:
        """Publish (terminal, receipt); whether the broker has them all within SEND_S. RefusedError."""
        if not self.open():
            return False
        told = [self._client.publish(f"tbox/v1/{one}/receipt", text, qos=1, retain=True) for one, text in receipts]
        until_s = monotonic() + SEND_S
        while monotonic() < until_s and self._client.is_connected():
            if all(one.rc == MQTTErrorCode.MQTT_ERR_SUCCESS and one.is_published() for one in told):
                return True
            self._line.turn(TURN_S)
        self.close()
        self._renew()
        return False

    def close(self) -> None:
        """Leave."""
        self._line.close()

    def _renew(self) -> None:
        """A client that has nothing to say: what it did not bring out, another receiver may have overtaken."""
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self._line = Line(self._client, self._brokers, self._access)


class MqttDoor:
    """A session that the broker keeps under this name, in a group that shares the terminals' messages."""

    def __init__(self, broker: Broker, access: Access, name: str, group: str) -> None:
        """Nothing is asked of the broker before the first `take`."""
        self._client = Taker(f"tbox-receiver-{name}")
        self._client.on_subscribe = self._subscribed
        self._line = Line(self._client, deque([broker]), access, _wishes())
        self._teller = Teller([broker], access)
        self._broker, self._group, self._round = broker, group, 0
        self._refused = ""

    def take(self, most: int, wait_s: float) -> list[Message]:
        """Messages in their order, `most` at most; waits so long for the first. ConnectionError, RefusedError."""
        came = self._client.came
        if self._line.open():
            self._round += 1
            came.clear()
            self._client.subscribe([(f"$share/{self._group}/tbox/v1/+/{lane}", 1) for lane in LANES])
        if not came:
            self._line.turn(wait_s)
        seen = 0
        while seen < len(came) < most:  # each reading takes one message, as long as there are any
            seen = len(came)
            self._client.loop_read()
        if self._refused:
            raise RefusedError(self._refused)
        taken, came[:most] = came[:most], []
        now_s = monotonic()
        return [Message(topic, payload, now_s, (self._round, mid)) for topic, payload, mid in taken]

    def done(self, messages: Sequence[Message]) -> None:
        """The broker may forget them; those of an earlier connection it sends again."""
        for message in messages:
            came_round, mid = message.mark
            if mid and came_round == self._round:  # 0: sent at QoS 0, which nobody answers
                self._client.ack(mid, 1)
        self._line.flush()

    def send(self, receipts: Sequence[tuple[str, bytes]]) -> bool:
        """Publish (terminal, receipt), retained; whether the broker has them all."""
        return self._teller.send(receipts)

    def close(self) -> None:
        """Let go of the broker; the session stays."""
        self._line.close()
        self._teller.close()

    def _subscribed(
        self, _client: Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _more: Properties | None
    ) -> None:
        host, port = self._broker
        no = [str(reason) for reason in reasons if reason.is_failure]
        self._refused = f"{host}:{port}: what terminals tell is not for this login: {no[0]}" if no else ""
        if not no:
            print(f"taking records from {host}:{port}", file=sys.stderr, flush=True)


def _wishes() -> Properties:
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wishes.SessionExpiryInterval = SESSION_S
    wishes.ReceiveMaximum = WINDOW
    return wishes
