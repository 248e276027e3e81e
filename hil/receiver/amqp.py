"""In by AMQP 0.9.1: a durable quorum queue bound to `amq.topic`, where RabbitMQ's MQTT plugin puts what terminals say.

All receivers consume the one queue. Receipts go out by MQTT, since only that is retained for terminals that are away.
"""

import sys
import time
from collections.abc import Sequence

import pika
from pika.exceptions import AMQPError

from agent.codec import LANES
from hil.receiver.door import Message
from hil.receiver.mqtt import Broker, Teller

QUEUE = "tbox-records"
WINDOW = 2000
_MQTT = str.maketrans("./", "/.")
"""The plugin exchanges the two in topics."""


class AmqpDoor:
    """A consumer of the queue; it is made and bound where it is not there yet."""

    def __init__(self, addresses: Sequence[str], tell: Sequence[Broker]) -> None:
        """`addresses` as amqp://user:password@host:port/, one a node, tried in this order."""
        self._nodes = [pika.URLParameters(address) for address in addresses]
        self._teller = Teller(tell)
        self._round = 0
        self._connection: pika.BlockingConnection | None = None

    def take(self, most: int, wait_s: float) -> list[Message]:
        """Messages in their order, `most` at most; waits so long for the first. ConnectionError: there is no wire."""
        taken: list[Message] = []
        try:
            channel = self._channel()
            for method, _, body in channel.consume(QUEUE, inactivity_timeout=wait_s):
                if method is None:
                    break
                topic = str(method.routing_key).translate(_MQTT)
                taken.append(Message(topic, body, time.monotonic(), (self._round, method.delivery_tag)))
                if len(taken) >= most or not channel.get_waiting_message_count():
                    break
        except (AMQPError, OSError) as why:
            self._drop()
            raise ConnectionError(f"{type(why).__name__}: {why}") from None
        return taken

    def done(self, messages: Sequence[Message]) -> None:
        """The broker may forget them; those of an earlier connection it has given to another, or gives again."""
        tags = [tag for came_round, tag in (message.mark for message in messages) if came_round == self._round]
        if not tags or self._connection is None:
            return
        try:
            self._open.basic_ack(tags[-1], multiple=True)
        except (AMQPError, OSError):
            self._drop()

    def send(self, receipts: Sequence[tuple[str, bytes]]) -> bool:
        """Publish (terminal, receipt), retained; whether the broker has them all."""
        return self._teller.send(receipts)

    def close(self) -> None:
        """Let go of the broker: what was not acknowledged goes to another."""
        self._drop()
        self._teller.close()

    def _channel(self) -> "pika.adapters.blocking_connection.BlockingChannel":
        if self._connection is None:
            self._connection = pika.BlockingConnection(self._nodes)
            self._round += 1
            self._open = self._connection.channel()
            self._open.basic_qos(prefetch_count=WINDOW)
            self._open.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
            for lane in LANES:
                self._open.queue_bind(QUEUE, "amq.topic", f"tbox.v1.*.{lane}")
            print(f"taking records from the queue {QUEUE}", file=sys.stderr, flush=True)
        return self._open

    def _drop(self) -> None:
        """Forget the connection; the next `take` makes another."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except (AMQPError, OSError):
                return
