"""A virtual terminal: what it has, what is under way, what the platform has; in a session with a broker.

Receipt mode, as DESIGN 4: a record is gone here when a receipt covers it. Time is an argument; bytes go in and out.
"""

import math
from collections import deque
from collections.abc import Iterator

from agent.codec import Record
from agent.ledger.receipt import parse_receipt
from hil.fleet import packets
from hil.fleet.account import VirtualAccount

WINDOW = 20
AGAIN_S = 20.0
"""What has no receipt for so long goes again: a broker that was killed took it to the grave."""
SUBSCRIBE_MID = packets.MID_MAX


class VirtualTerminal:
    """`name` is its id in topics."""

    def __init__(self, name: str, account: VirtualAccount) -> None:
        self.name, self.account = name, account
        self.is_up = False
        self.latencies_s: list[float] = []
        """From the making of a record to the receipt that covers it."""
        self.sent = self.sent_again = 0
        self._topics = {
            lane: packets.topic_bytes(f"tbox/v1/{name}/{lane}")
            for lane in ("evidence", "event", "trip", "health", "samples")
        }
        self._held: dict[int, tuple[Record, float]] = {}
        self._queue: deque[int] = deque()
        self._under_way: dict[int, int] = {}
        self._unsure: set[int] = set()
        self._mid = 0
        self._news_s = 0.0
        self._reader = packets.Reader()

    @property
    def waiting(self) -> int:
        """Records that the platform has not said to have."""
        return len(self._held)

    def make(self, now_s: float) -> Record:
        """Something happened: a record more."""
        record = self.account.next()
        self._held[record.seq] = record, now_s
        self._queue.append(record.seq)
        return record

    def hello(self) -> bytes:
        """What a new connection begins with."""
        self._reader, self.is_up = packets.Reader(), False
        self._unsure.update(self._under_way.values())
        self._queue.extendleft(sorted(self._under_way.values(), reverse=True))
        self._under_way.clear()
        return packets.connect(self.name) + packets.subscribe(SUBSCRIBE_MID, f"tbox/v1/{self.name}/receipt")

    def heard(self, data: bytes, now_s: float) -> bytes:
        """Bytes came; what is to be answered."""
        return b"".join(self._answers(data, now_s))

    def due(self, now_s: float) -> bytes:
        """What goes now: as much as the window has room for."""
        if not self.is_up:
            return b""
        if self._held and not self._queue and not self._under_way and now_s - self._news_s > AGAIN_S:
            self._queue.extend(self._held)
            self._unsure.update(self._held)
            self._news_s = now_s
        return b"".join(self._publishes())

    def _publishes(self) -> Iterator[bytes]:
        while self._queue and len(self._under_way) < WINDOW:
            seq = self._queue.popleft()
            if seq not in self._held:
                continue
            self._mid = self._mid % (SUBSCRIBE_MID - 1) + 1
            self._under_way[self._mid] = seq
            record = self._held[seq][0]
            self.sent += 1
            self.sent_again += seq in self._unsure
            yield packets.publish(self._mid, self._topics[record.lane], record.raw)

    def _answers(self, data: bytes, now_s: float) -> Iterator[bytes]:
        for packet in self._reader.feed(data):
            if packet.kind == packets.PUBACK:
                self._under_way.pop(packets.mid_of(packet), None)
            elif packet.kind == packets.CONNACK:
                self.is_up, self._news_s = packet.rest[1:2] == b"\0", now_s
            elif packet.kind == packets.PUBLISH:
                topic, payload, mid = packets.message_of(packet)
                if topic.endswith("/receipt"):
                    self._receipt(payload, now_s)
                if mid:
                    yield packets.puback(mid)

    def _receipt(self, payload: bytes, now_s: float) -> None:
        self._news_s = now_s
        stored = parse_receipt(payload, upto_max=2**62).stored
        for seq in [seq for seq in self._held if seq in stored]:
            self.latencies_s.append(now_s - self._held.pop(seq)[1])
            self._unsure.discard(seq)


def share(latencies_s: list[float], part: float) -> float:
    """The value under which this part of them lies; `latencies_s` in order. NaN: there is none."""
    return latencies_s[min(len(latencies_s) - 1, math.floor(part * len(latencies_s)))] if latencies_s else math.nan
