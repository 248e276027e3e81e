"""A connection to an MQTT broker that works while it is asked to: no thread, so no message changes hands on its way.

paho reads and writes here in the caller's thread. Two threads in one Python cost a message more than its decoding.
"""

import select
import socket
import ssl
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hil.receiver.access import Access
from hil.receiver.door import NOT_TRUSTED, RefusedError

Broker = tuple[str, int]
"""Host and port."""

KEEPALIVE_S = 30
CONNECT_S = 5.0
QOS, QOS_1, NO_PROPERTY = 0x06, 0x02, b"\0"
LASTING = frozenset({"Bad user name or password", "Not authorized", "Banned", "Client identifier not valid"})
"""Refusals that stay until somebody changes something."""


class Came(NamedTuple):
    """A message: its topic, its bytes, and the number that acknowledges it."""

    topic: str
    payload: bytes
    mid: int


class Taker(Client):
    """A client of MQTT 5 that acknowledges by hand; `came` holds what was read and nobody took yet.

    For every message paho makes two tables of all the properties there are, more than half of what a message costs.
    Terminals' messages have no property, so they are read here; if paho names this otherwise one day, it is only slow.
    """

    def __init__(self, name: str) -> None:
        """`name` is that of the session."""
        super().__init__(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
        )
        self.came: list[Came] = []
        self.on_message = self._add

    def _handle_publish(self) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        at = 2 + int.from_bytes(packet[:2], "big")
        if self._in_packet["command"] & QOS != QOS_1 or packet[at + 2 : at + 3] != NO_PROPERTY:
            return super()._handle_publish()
        mid = int.from_bytes(packet[at : at + 2], "big")
        self.came.append(Came(packet[2:at].decode(errors="replace"), bytes(packet[at + 3 :]), mid))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _add(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.came.append(Came(message.topic, bytes(message.payload), message.mid))


class Line:
    """The wire of a client."""

    def __init__(
        self, client: Client, brokers: deque[Broker], access: Access, wishes: Properties | None = None
    ) -> None:
        """Each try takes the next broker. `wishes`: of MQTT 5, and the session goes on where it was."""
        self._client, self._brokers, self._wishes = client, brokers, wishes
        self._answer: ReasonCode | None = None
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(0)
        client.on_connect = self._answered
        client.on_socket_register_write = _leave
        if access.context is not None:
            client.tls_set_context(access.context)
        if access.user:
            client.username_pw_set(access.user, access.password)

    def open(self) -> bool:
        """Be connected; whether the connection is a new one. ConnectionError, RefusedError."""
        if self._client.is_connected():
            return False
        host, port = self._brokers[0]
        self._brokers.rotate(-1)
        try:
            if self._wishes is None:
                self._client.connect(host, port, KEEPALIVE_S)
            else:
                self._client.connect(host, port, KEEPALIVE_S, clean_start=False, properties=self._wishes)
        except OSError as why:
            raise _failure(f"{host}:{port}", why) from None
        self._await_answer(f"{host}:{port}")
        return True

    def turn(self, wait_s: float) -> None:
        """Send what waits, wait so long for something to read, and read a piece of it."""
        self.flush()
        wire = self._client.socket()
        if wire is None:
            return
        if not (isinstance(wire, ssl.SSLSocket) and wire.pending()):
            select.select([wire], [wire] if self._client.want_write() else [], [], wait_s)
        self._client.loop_read()
        self._client.loop_misc()

    def flush(self) -> None:
        """Send what waits, in as few pieces as it fits in."""
        wire = self._client.socket()
        if isinstance(wire, socket.socket) and self._client.want_write():
            with suppress(OSError):  # it fell meanwhile
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                self._client.loop_write()
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def close(self) -> None:
        """Leave; a session stays."""
        self._client.disconnect()
        self.flush()

    def _await_answer(self, name: str) -> None:
        self._answer, until_s = None, monotonic() + CONNECT_S
        while self._answer is None:
            self.turn(0.1)
            if self._answer is None and (self._client.socket() is None or monotonic() > until_s):
                raise ConnectionError(f"{name}: no answer; does it want TLS (--ca), or a certificate of ours (--cert)?")
        if self._answer.is_failure:
            words = f"{name}: {self._answer}"
            if self._answer.getName() in LASTING:
                raise RefusedError(f"{words}; is --user with its password known there, or --cert?")
            raise ConnectionError(words)

    def _answered(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._answer = reason


def _failure(name: str, why: OSError) -> Exception:
    """What it means that no connection came about."""
    if isinstance(why, ssl.SSLCertVerificationError):
        return RefusedError(f"{name}: {NOT_TRUSTED.format(why.verify_message)}")
    if isinstance(why, ssl.SSLError) and not isinstance(why, ssl.SSLEOFError):
        return RefusedError(f"{name}: no TLS ({why.reason}); is this its port for TLS?")
    hint = "; is this its port for TLS?" if isinstance(why, ConnectionResetError | ssl.SSLEOFError) else ""
    return ConnectionError(f"{name}: {why.strerror or why}{hint}")


def _leave(*_: object) -> None:
    """When paho asks who writes: `flush` does."""
