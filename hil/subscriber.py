"""The other end: takes what arrives at the broker, decodes it, keeps the books on it. It knows the wire format only.

A record is known by (device, seq). The same bytes again are a redelivery, which QoS 1 allows and this end drops; other
bytes under a known number, a lane that does not fit the kind, a record that does not decode: each is a fault, in words.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.codec import LANES, CodecError, Record, decode

TOPICS = "tbox/v1/+/#"
ECHO = "bench/echo"
KEEPALIVE_S = 30


@dataclass(slots=True)
class Inbox:
    """What has arrived. `records` keeps the first delivery of each (device, seq), in order of arrival."""

    records: dict[tuple[bytes, int], Record] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    redelivered: int = 0

    def take(self, topic: str, payload: bytes) -> Record | None:
        """One message; the record when it is a new one."""
        _, _, device, name = topic.split("/", 3)
        if name in LANES:
            return self._take_record(name, payload)
        if name == "state":
            self._take_state(device, payload)
        return None

    def is_online(self) -> bool:
        """Whether a terminal says so, and its last will does not say otherwise."""
        return any(isinstance(state, dict) and state.get("online") is True for state in self.states.values())

    def missing(self, device: bytes) -> list[int]:
        """Numbers from 0 to the highest of this device that have not arrived."""
        here = {seq for known, seq in self.records if known == device}
        return sorted(set(range(max(here, default=-1) + 1)) - here)

    def bodies(self, kind: str) -> list[Record]:
        """The records of a kind, lowest number first."""
        return sorted((r for r in self.records.values() if r.kind == kind), key=lambda record: record.seq)

    def framed(self) -> bytes:
        """The exact bytes of every record as it came, each as a msgpack bin: the file `tbox verify` reads."""
        return b"".join(msgpack.packb(record.raw) for record in self.records.values())

    def _take_record(self, lane: str, payload: bytes) -> Record | None:
        try:
            record = decode(payload)
        except CodecError as error:
            self.faults.append(f"a message on the lane {lane} is no record: {error}")
            return None
        known = self.records.get((record.device, record.seq))
        if known is not None:
            self._again(known, record)
            return None
        self._check_lane(lane, record)
        self.records[record.device, record.seq] = record
        return record

    def _again(self, known: Record, record: Record) -> None:
        if known.raw == record.raw:
            self.redelivered += 1
        else:
            self.faults.append(f"record {record.seq} came twice with different bytes")

    def _check_lane(self, lane: str, record: Record) -> None:
        """It came on the lane of its kind."""
        if record.lane != lane:
            self.faults.append(f"record {record.seq} ({record.kind}) came on the lane {lane}, not {record.lane}")

    def _take_state(self, device: str, payload: bytes) -> None:
        try:
            self.states[device] = json.loads(payload)
        except ValueError:
            self.faults.append(f"the state of {device} is no JSON")


class Subscriber:
    """An MQTT client that fills an inbox from a thread of its own; look at the inbox with `lock` held."""

    def __init__(
        self, host: str, port: int, version: str, on_record: Callable[[Record], None], inbox: Inbox | None = None
    ) -> None:
        """Subscribe; `version` is "5" or "3.1.1". `on_record` is called, in that thread, for each new record.

        An `inbox` that is given is filled further.
        """
        self.inbox = Inbox() if inbox is None else inbox
        self.lock = threading.Lock()
        self._on_record = on_record
        self._subscribed, self._caught_up = threading.Event(), threading.Event()
        self.protocol = MQTTProtocolVersion.MQTTv5 if version == "5" else MQTTProtocolVersion.MQTTv311
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench", protocol=self.protocol)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._answered
        self._client.on_message = self._heard
        self._client.connect(host, port, KEEPALIVE_S)
        self._client.loop_start()

    def wait_until_subscribed(self, wait_s: float) -> bool:
        """Whether the broker has agreed before this many seconds are over."""
        return self._subscribed.wait(wait_s)

    def catch_up(self, wait_s: float) -> bool:
        """Whether all that the broker has taken by now has come here before this many seconds are over.

        It hands on in order, so a word of one's own comes back after it.
        """
        self._caught_up.clear()
        self._client.publish(ECHO, qos=1)
        return self._caught_up.wait(wait_s)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(TOPICS, 1), (ECHO, 1)])

    def _answered(self, *_: object) -> None:
        self._subscribed.set()

    def _heard(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == ECHO:
            self._caught_up.set()
            return
        with self.lock:
            record = self.inbox.take(message.topic, bytes(message.payload))
        if record is not None:
            self._on_record(record)
