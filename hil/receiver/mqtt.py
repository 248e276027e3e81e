"""The way in: an MQTT client that acknowledges a message only when what it said is stored."""

import queue
from collections.abc import Sequence
from typing import Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.codec import LANES

CLIENT_ID = "tbox-receiver"
KEEPALIVE_S = 30
QUEUE_MAX = 10_000
"""More than the broker's window ever holds."""


class Door:
    """A session that the broker keeps: what was not acknowledged comes again after a crash of this end."""

    def __init__(self, host: str, port: int, client_id: str = CLIENT_ID) -> None:
        """Connect in the background, again and again."""
        self._messages: queue.Queue[MQTTMessage] = queue.Queue(QUEUE_MAX)
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            clean_session=False,
            manual_ack=True,
        )
        self._client.on_connect = _subscribe
        self._client.on_message = lambda _client, _data, message: self._messages.put(message)
        self._client.connect_async(host, port, KEEPALIVE_S)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, most: int, wait_s: float) -> list[MQTTMessage]:
        """Messages in their order, `most` at most; waits so long for the first."""
        taken: list[MQTTMessage] = []
        try:
            taken.append(self._messages.get(timeout=wait_s))
            while len(taken) < most:
                taken.append(self._messages.get_nowait())
        except queue.Empty:
            pass
        return taken

    def done(self, messages: Sequence[MQTTMessage]) -> None:
        """Their content is stored: the broker may forget them."""
        for message in messages:
            self._client.ack(message.mid, message.qos)

    def tell(self, terminal: str, receipt: bytes) -> None:
        """A receipt, retained."""
        self._client.publish(f"tbox/v1/{terminal}/receipt", receipt, qos=1, retain=True)


def _subscribe(
    client: Client, _data: object, _flags: ConnectFlags, _reason: ReasonCode, _more: Properties | None
) -> None:
    client.subscribe([(f"tbox/v1/+/{lane}", 1) for lane in LANES])
