"""A world for the uplink: flash that lags, links that break, a broker that acknowledges late, a platform with receipts.

Everything happens in a queue of moments, from one seed; a week takes a fraction of a second.
"""

import heapq
import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count, islice, takewhile
from random import Random

from agent.ledger.receipt import Ranges
from agent.settings import Uplink as UplinkSettings
from agent.uplink.exchange import LANES, Acked, Answer, Confirm, Connect, LinkDown, LinkUp, Message, Publish, Reopen
from agent.uplink.uplink import LIVE_S, Uplink

ROWS = 64
"""More than are ever wanted at once."""

MIX = ("samples",) * 12 + ("event",) * 6 + ("health",) * 4 + ("trip",) * 2 + ("evidence",)
"""How often the lanes get a record."""


class World:
    """Records are made by `make`; the rest goes by itself while `run` lets the time pass."""

    def __init__(self, seed: int, settings: UplinkSettings, *, latency_s: float = 0.1, rate_bps: float = 1e9) -> None:
        self.rng = Random(seed)
        self.settings = settings
        self.latency_s = latency_s
        self.rate_bps = rate_bps
        self.now_s = 0.0
        self.made: dict[int, tuple[str, float]] = {}
        self.synced: set[int] = set()
        self.rows: dict[str, OrderedDict[int, bytes]] = {lane: OrderedDict() for lane in LANES}
        self.sent: list[tuple[int, str]] = []
        self.overtook: dict[int, bool] = {}
        self._before_upto = -1
        self.confirmed: Counter[int] = Counter()
        self.acked_s: dict[int, float] = {}
        self.in_flight: set[int] = set()
        self.most_in_flight = 0
        self.stored = Ranges()
        self.epoch = 0
        self.keeps_session = True
        self.is_reachable = True
        self.is_living = False
        self._link = 0
        self._busy_s = 0.0
        self._synced_s = 0.0
        self._moments: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._next_seq = count()
        self._answers: list[Answer] = []
        self.uplink = Uplink(settings, stored_upto=-1, rng=self.rng)

    def restart(self) -> None:
        """The agent was killed and starts again on what is on flash."""
        self.drop("killed")
        self._answers.clear()
        for seq in self.made.keys() - self.synced:
            self.made.pop(seq)
        self._before_upto = max(self.synced, default=-1)
        self.uplink = Uplink(self.settings, stored_upto=self._before_upto, rng=self.rng)

    def later(self, wait_s: float, moment: Callable[[], None]) -> None:
        """Let something happen."""
        heapq.heappush(self._moments, (self.now_s + wait_s, next(self._order), moment))

    def make(self, lane: str, size: int = 200, sync_s: float = 0.01) -> int:
        """A record comes into being and is on flash a little later, in order."""
        seq = next(self._next_seq)
        self.made[seq] = (lane, self.now_s)

        def sync() -> None:
            if seq in self.made:
                self.rows[lane][seq] = bytes(size)
                self.synced.add(seq)
                self.uplink.synced([(seq, lane)])

        self._synced_s = max(self._synced_s, self.now_s + sync_s)
        self.later(self._synced_s - self.now_s, sync)
        return seq

    def store(self, lanes: Iterable[str], size: int) -> None:
        """Records of an earlier start: a backlog."""
        for lane in lanes:
            seq = next(self._next_seq)
            self.made[seq] = (lane, self.now_s)
            self.rows[lane][seq] = bytes(size)
            self.synced.add(seq)
        self.uplink = Uplink(self.settings, stored_upto=max(self.synced, default=-1), rng=self.rng)

    def load(self, lanes: Mapping[str, Iterable[tuple[int, bytes]]], next_seq: int) -> None:
        """What a store holds, as a backlog; new records are numbered from `next_seq` on."""
        for lane, rows in lanes.items():
            self.rows[lane] = OrderedDict(rows)
            self.made |= dict.fromkeys(self.rows[lane], (lane, self.now_s))
            self.synced |= self.rows[lane].keys()
        self._next_seq = count(next_seq)
        self.uplink = Uplink(self.settings, stored_upto=next_seq - 1, rng=self.rng)

    def drop(self, reason: str = "lost") -> None:
        """The link breaks: what is under way in either direction may be gone."""
        if self._link:
            self._link = 0
            self.in_flight.clear()
            self._answers.append(LinkDown(reason))

    def receipt(self) -> None:
        """The platform says what it has, retained."""
        spans = list(self.stored)
        upto = spans.pop(0)[1] if spans and spans[0][0] == 0 else -1
        payload = json.dumps({"upto": upto, "also": spans, "epoch": self.epoch}).encode()
        if self._link:
            self._answers.append(Message("receipt", payload))

    def run(self, until_s: float) -> None:
        """Let the time pass."""
        while True:
            self._turn()
            wake_s = self.uplink.wake_s()
            next_s = self._moments[0][0] if self._moments else until_s
            next_s = min(next_s, until_s if wake_s is None else max(wake_s, self.now_s))
            if any(self.rows.values()):  # so that what waits grows old in time
                next_s = min(next_s, self.now_s + LIVE_S / 8)
            if self._answers or self.uplink.wants():
                next_s = self.now_s
            if next_s >= until_s:
                self.now_s = until_s
                return
            self.now_s = next_s
            while self._moments and self._moments[0][0] <= self.now_s:
                heapq.heappop(self._moments)[2]()

    def _turn(self) -> None:
        """What the daemon does once round."""
        answers, self._answers = self._answers, []
        self.uplink.hear(self.now_s, answers)
        for want in self.uplink.wants():
            self.uplink.offer(want, self._beyond(self.rows[want.lane], want.after_seq)[: want.limit])
        for action in self.uplink.step(self.now_s):
            match action:
                case Connect():
                    self.later(self.latency_s, partial(self._connected, self.uplink))
                case Publish(seq, lane, payload):
                    self._publish(seq, lane, payload)
                case Reopen():
                    self.uplink.reopened()
                case Confirm(seqs):
                    self.confirmed.update(seqs)
                    for seq in seqs:
                        self.rows[self.made[seq][0]].pop(seq, None)

    def _beyond(self, rows: OrderedDict[int, bytes], after_seq: int) -> list[tuple[int, bytes]]:
        """Those beyond a number, or the first of them."""
        last = next(reversed(rows), -1)
        if last - after_seq < ROWS:
            late = takewhile(lambda row: row[0] > after_seq, reversed(rows.items()))
            return list(late)[::-1]
        return list(islice(((seq, raw) for seq, raw in rows.items() if seq > after_seq), ROWS))

    def _connected(self, uplink: Uplink) -> None:
        """The try succeeds or fails."""
        if uplink is not self.uplink:
            return
        if not self.is_reachable:
            self._answers.append(LinkDown("no network"))
            return
        self._link = next(self._order)
        self._busy_s = self.now_s
        self._answers.append(LinkUp("sim:1", "5", session_present=self.keeps_session))
        self.keeps_session = True
        self.receipt()

    def _publish(self, seq: int, lane: str, payload: bytes) -> None:
        """A record leaves: at once, then at the link's rate, then half the latency each way."""
        assert seq in self.synced, "published before it was on flash"
        assert self.rows[lane][seq] == payload, "published what was confirmed before"
        assert seq not in self.in_flight
        self.in_flight.add(seq)
        self._note_age(seq)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        link = self._link
        self._busy_s = max(self._busy_s, self.now_s) + len(payload) / self.rate_bps

        def arrive() -> None:
            if self._link == link:
                self.sent.append((seq, lane))
                self.stored.add(seq)
                self.later(self.latency_s / 2, acknowledge)

        def acknowledge() -> None:
            if self._link == link:
                self.in_flight.discard(seq)
                self.acked_s.setdefault(seq, self.now_s)
                self._answers.append(Acked(seq))

        self.later(self._busy_s - self.now_s + self.latency_s / 2, arrive)

    def first_published(self, lane: str, *, is_live: bool) -> list[int]:
        """Numbers of a lane that were surely live, or surely backlog, when they were published first; in that order."""
        return [seq for seq, was_live in self.overtook.items() if was_live is is_live and self.made[seq][0] == lane]

    def _note_age(self, seq: int) -> None:
        """Whether it is live or backlog that is published for the first time; near the border between them, neither."""
        age_s, is_before = self.now_s - self.made[seq][1], seq <= self._before_upto
        is_first = seq == self._before_upto + 1
        if not is_first and (is_before or not LIVE_S * 7 / 8 < age_s < LIVE_S * 5 / 4):
            self.overtook.setdefault(seq, not is_before and age_s < LIVE_S)

    def live(self, seconds: float, every_s: float = 60.0, lost_every_s: float = 900.0, gone_s: float = 600.0) -> None:
        """Ordinary life: records come, links break, and the network is away for a while. All times are means."""

        def again(mean_s: float, moment: Callable[[], None]) -> None:
            if self.is_living:
                self.later(self.rng.expovariate(1 / mean_s), moment)

        def make() -> None:
            for _ in range(self.rng.randrange(4)):
                sync_s = self.rng.choice((0.005, 0.005, 0.005, 2.0))
                self.make(self.rng.choice(MIX), self.rng.randrange(50, 2000), sync_s)
            again(every_s, make)

        def lose() -> None:
            self.drop()
            self.is_reachable = self.rng.random() < 0.5
            again(gone_s, back)
            again(lost_every_s, lose)

        def back() -> None:
            self.is_reachable = True

        self.is_living = True
        make()
        lose()
        self.run(self.now_s + seconds)
        self.is_living, self.is_reachable = False, True
