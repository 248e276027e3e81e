"""MQTT 3.1.1 in bytes, as little of it as thousands of terminals need (OASIS MQTT 3.1.1, chapters 2 and 3). Pure.

A client library costs some 100 µs a message in Python, which on one machine with broker, receivers and database is
more than all of these together; a load that is limited by its generator says nothing.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
KEEPALIVE_S = 120
MID_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Packet:
    """What came: its type, flags, and all behind the fixed header."""

    kind: int
    flags: int
    rest: bytes


def connect(name: str, user: str = "", password: str = "") -> bytes:
    """A session that the broker keeps, under this name."""
    flags = 0xC0 if user else 0x00
    login = _text(user) + _text(password) if user else b""
    return _packet(0x10, _text("MQTT") + bytes([4, flags]) + struct.pack(">H", KEEPALIVE_S) + _text(name) + login)


def subscribe(mid: int, topic: str) -> bytes:
    """At QoS 1."""
    return _packet(0x82, struct.pack(">H", mid) + _text(topic) + b"\x01")


def publish(mid: int, topic: bytes, payload: bytes, *, again: bool = False) -> bytes:
    """At QoS 1; `topic` as `topic_bytes` made it."""
    return _packet(0x3A if again else 0x32, b"".join((topic, struct.pack(">H", mid), payload)))


def topic_bytes(topic: str) -> bytes:
    """A topic as it stands in a publish packet."""
    return _text(topic)


def puback(mid: int) -> bytes:
    """The answer to a message at QoS 1."""
    return b"\x40\x02" + struct.pack(">H", mid)


def message_of(packet: Packet) -> tuple[str, bytes, int]:
    """Topic, payload and number of a publish; 0: at QoS 0."""
    (length,) = struct.unpack_from(">H", packet.rest)
    topic, at = packet.rest[2 : 2 + length].decode(), 2 + length
    if not packet.flags & 0x06:
        return topic, packet.rest[at:], 0
    return topic, packet.rest[at + 2 :], struct.unpack_from(">H", packet.rest, at)[0]


def mid_of(packet: Packet) -> int:
    """The number in an acknowledgement."""
    return int(struct.unpack_from(">H", packet.rest)[0])


class Reader:
    """Bytes in, whole packets out."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Packet]:
        """All packets that are whole with these bytes."""
        buffer, at = self._buffer + data, 0
        while (end := _end(buffer, at)) is not None:
            body, after = end
            yield Packet(buffer[at] >> 4, buffer[at] & 0x0F, buffer[body:after])
            at = after
        self._buffer = buffer[at:]


def _end(buffer: bytes, at: int) -> tuple[int, int] | None:
    """Where the packet's rest begins and ends; None: it is not whole yet."""
    length = shift = 0
    for index in range(at + 1, min(at + 5, len(buffer))):
        length |= (buffer[index] & 0x7F) << shift
        shift += 7
        if not buffer[index] & 0x80:
            return (index + 1, index + 1 + length) if index + 1 + length <= len(buffer) else None
    return None


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _packet(head: int, rest: bytes) -> bytes:
    length, size = len(rest), bytearray()
    while True:
        length, seven = length >> 7, length & 0x7F
        size.append(seven | (0x80 if length else 0))
        if not length:
            return bytes([head]) + bytes(size) + rest
