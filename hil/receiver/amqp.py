"""In by AMQP 0.9.1: a durable quorum queue bound to `amq.topic`, where RabbitMQ's MQTT plugin puts what terminals say.

All receivers consume the one queue. Receipts go out by MQTT, since only that is retained for terminals that are away.
"""

import ssl
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import pika
from pika.exceptions import AMQPError, AuthenticationError, ProbableAccessDeniedError, ProbableAuthenticationError

from agent.codec import LANES
from agent.errors import UsageError
from hil.receiver.access import Access
from hil.receiver.door import NOT_TRUSTED, Message, RefusedError
from hil.receiver.line import Broker
from hil.receiver.mqtt import Teller

QUEUE = "tbox-records"
WINDOW = 2000
_MQTT = str.maketrans("./", "/.")
"""The plugin exchanges the two in topics."""
_REFUSALS = (AuthenticationError, ProbableAuthenticationError, ProbableAccessDeniedError)


def node_of(address: str, access: Access) -> pika.ConnectionParameters:
    """A node at amqp://host:port/, with TLS at amqps://host:port/. UsageError: it is none, or a login is in it."""
    scheme = "amqp" if access.context is None else "amqps"
    parts = urlsplit(address)
    if "@" in parts.netloc:
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        raise UsageError(f"--queue {where}: a login does not belong there; give --user and --password-file")
    if parts.scheme != scheme or not parts.hostname:
        raise UsageError(
            f"--queue {address}: write {scheme}://HOST[:PORT]/; amqps goes with --tls or --ca, amqp without"
        )
    try:
        node = pika.URLParameters(address)
    except ValueError as why:
        raise UsageError(f"--queue {address}: {why}") from None
    if access.context is not None:
        node.ssl_options = pika.SSLOptions(access.context, parts.hostname)
    if access.user:
        node.credentials = pika.PlainCredentials(access.user, access.password)
    elif access.has_cert:
        node.credentials = pika.credentials.ExternalCredentials()
    return node


class AmqpDoor:
    """A consumer of the queue; it is made and bound where it is not there yet."""

    def __init__(self, addresses: Sequence[str], tell: Sequence[Broker], access: Access) -> None:
        """`addresses` as `node_of` takes them, tried in this order."""
        self._nodes = [node_of(address, access) for address in addresses]
        self._teller = Teller(tell, access)
        self._round = 0
        self._connection: pika.BlockingConnection | None = None

    def take(self, most: int, wait_s: float) -> list[Message]:
        """Messages in their order, `most` at most; waits so long for the first. ConnectionError, RefusedError."""
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
            raise self._failure(why) from None
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
            self._teller.open()
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

    def _failure(self, why: Exception) -> Exception:
        """What it means that there is no connection."""
        names = ", ".join(f"{node.host}:{node.port}" for node in self._nodes)
        if isinstance(why, _REFUSALS):
            return RefusedError(f"{names}: refused; is --user with its password known there, and may it use the queue?")
        if fault := _certificate_fault(why):
            return RefusedError(f"{names}: {NOT_TRUSTED.format(fault)}")
        return ConnectionError(f"{names}: {type(why).__name__} {why}".rstrip())


def _certificate_fault(why: BaseException | None) -> str:
    """What TLS found wrong, however deep pika wrapped it; empty: that is not it."""
    if isinstance(why, ssl.SSLCertVerificationError):
        return why.verify_message
    inner = [*getattr(why, "args", ()), getattr(why, "exception", None), getattr(why, "__cause__", None)]
    return next((fault for one in inner if isinstance(one, BaseException) and (fault := _certificate_fault(one))), "")
