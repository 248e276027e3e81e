"""What may be published now, in what order, and what may be forgotten. It decides; others send, read and delete.

Order. A record is published only after its row is on flash. Of the lanes the highest goes first: evidence, event, trip,
health, samples. Within a lane live records go by number, and so does the backlog (lanes.py).

Backlog. A record is live for LIVE_S after it was synced, then it is backlog; what was stored before this start is
backlog. Evidence of this start stays live, and so does its first record, which tells whose account it is. Each free
place in the window goes to the highest lane that has a live record, and only when there is none to backlog, which holds
at most half of the window and what the link carries in about a second (pace.py). So long a live record waits
behind backlog, however long the backlog is.

On a metered link (`uplink.day_mb`) a lane whose share of the day is spent waits. A link on which nothing was
acknowledged for `uplink.ack_s` is left: what stands between may answer pings for a broker that is gone. A record that
the broker does not take steps aside (aside.py).

When the platform was restored (confirming.py), or the broker forgot our session, all that is still here is
published again, in order; for brokers that always forget, not more often than `uplink.receipt_s`.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from random import Random
from typing import Literal, NamedTuple

from agent.settings import Uplink as UplinkSettings
from agent.uplink.allowance import Allowance
from agent.uplink.aside import Aside
from agent.uplink.backoff import Backoff
from agent.uplink.confirming import Confirming
from agent.uplink.exchange import (
    LANES,
    Acked,
    Action,
    Answer,
    Confirm,
    Connect,
    Drop,
    Keep,
    LinkDown,
    LinkUp,
    Message,
    Publish,
    Reopen,
    Want,
)
from agent.uplink.lanes import Lane, Place
from agent.uplink.pace import Pace

LIVE_S = 60.0
"""Younger than this a record is live: the length of a chunk of samples, so the last minute counts as now."""

CONFIRM_MAX = 256
"""Most records confirmed in one step, so that deleting them stays a short transaction."""


class Flight(NamedTuple):
    """A record that was published and not yet acknowledged."""

    lane: Lane
    payload: bytes
    is_backlog: bool
    sent_s: float


class Uplink:
    """The decider. A turn of the daemon: `synced`, `hear`, `offer` what it `wants`, then do what `step` says.

    `stored_upto` is the last number in the outbox when it was opened (-1: empty); all of those are on flash. Up to
    `delivered_upto` everything was confirmed.
    """

    def __init__(self, settings: UplinkSettings, *, stored_upto: int, rng: Random, delivered_upto: int = -1) -> None:
        self._settings = settings
        self._window = settings.window
        self._backoff = Backoff(settings, rng)
        self._lanes = {name: Lane(name, stored_upto) for name in LANES}
        self.allowance = Allowance(settings.day_mb * 1_000_000)
        self._aside, self._pace = Aside(), Pace()
        self._held_back: frozenset[str] = frozenset()
        self._flights: dict[int, Flight] = {}
        self._stored_upto = stored_upto
        self._backlog_upto = self._before_upto = stored_upto
        self._marks: deque[tuple[float, int]] = deque()
        self.confirming = Confirming(settings.confirm, delivered_upto, settings.receipt_s)
        self._must_rewind = self._is_reopening = False
        self.state: Literal["down", "connecting", "up", "leaving"] = "down"
        self.reason = "not yet tried"
        self._since_s = self._answered_s = self._forgotten_s = -math.inf
        self._retry_at_s = -math.inf
        self._counters = dict.fromkeys(("published", "republished", "acked", "confirmed", "links", "losses"), 0)
        self._counters |= dict.fromkeys(("auth_failures", "rewinds"), 0)

    def synced(self, rows: Iterable[tuple[int, str]]) -> None:
        """These records (seq, lane) are on flash now, and so is every one before them."""
        for seq, lane in rows:
            self._stored_upto = max(self._stored_upto, seq)
            self._lanes[lane].new.has_more = True

    def hear(self, now_s: float, answers: Iterable[Answer]) -> list[str]:
        """Take in what the link told, in its order; gives back sentences for the log."""
        said = self._news_of_allowance()
        for answer in answers:
            match answer:
                case LinkUp():
                    said += self._link_up(now_s, answer)
                case LinkDown():
                    said += self._link_down(now_s, answer)
                case Acked(seq):
                    self._acked(now_s, seq)
                    self._answered_s = now_s
                case Message("receipt", payload):
                    said += self._receipt(payload)
        self._must_rewind |= self.state == "up" and self.confirming.is_in_vain(now_s)
        self._rewind_if_quiet()
        return said + self._aside.news()

    def reopened(self) -> None:
        """What `Reopen` asked for is done."""
        self._is_reopening = False

    def reread(self) -> None:
        """What was read and is not sent yet may be there no more: every lane is read again from its beginning."""
        self._must_rewind = True

    def wants(self) -> list[Want]:
        """What to read from the outbox and `offer` before the next step; bounded to two windows a lane."""
        if self.state != "up":
            return []
        return [want for lane in self._lanes.values() for want in lane.wants(self._window)]

    def offer(self, want: Want, rows: Sequence[tuple[int, bytes]]) -> None:
        """Rows (seq, record) that answer a want, lowest first.

        Rows not yet on flash are left for later, and an answer that came too late (the lane went on or began again
        since) is passed over. When rows are read beside the loop, offer what was read before telling what was synced
        since: `synced` makes the lane be read again.
        """
        self._lanes[want.lane].offer(want, rows, self._stored_upto, self._is_passed_over)

    def step(self, now_s: float) -> list[Action]:
        """What to do now, in this order."""
        self._grow_old(now_s)
        self.allowance.step(now_s)
        for seq, one in self._aside.due(now_s):
            self._lanes[one.lane].take_back([(seq, one.payload)])
        receipt = self.confirming.to_keep(now_s)
        actions: list[Action] = [] if receipt is None else [Keep(receipt)]
        if self.confirming.lost:
            self._is_reopening = True
            actions.append(Reopen(tuple(self.confirming.take_lost())))
        if self.confirming.ready:
            seqs = self.confirming.ready.take(CONFIRM_MAX)
            self._counters["confirmed"] += len(seqs)
            actions.append(Confirm(seqs))
        if self.state == "down" and now_s >= self._retry_at_s:
            self.state = "connecting"
            actions.append(Connect())
        if self._is_unanswered(now_s):
            self.state = "leaving"
            actions += [Drop(f"nothing was acknowledged for {self._settings.ack_s:.0f} s")]
        if self.state == "up" and not self._must_rewind:
            actions += self._fill_window(now_s)
        return actions

    def wake_s(self) -> float | None:
        """When `step` has something to do without hearing anything; None: not before it hears."""
        if self.confirming.ready or self.confirming.lost:
            return -math.inf
        return self._retry_at_s if self.state == "down" else None

    def counters(self) -> dict[str, int]:
        """For health: what was done since the start, and what is under way."""
        now = {"in_flight": len(self._flights), "unreceipted": len(self.confirming.held)}
        now |= {"aside": len(self._aside.waiting), "too_large": self._aside.too_large}
        now |= {"day_bytes": self.allowance.spent_bytes, "lanes_held": len(self._held_back)}
        return self._counters | self.confirming.counts | now

    def _link_up(self, now_s: float, up: LinkUp) -> list[str]:
        """The window opens; what the broker may have forgotten is sent again."""
        self.state, self.reason, self._since_s, self._answered_s = "up", "", now_s, now_s
        self._window = min(self._settings.window, up.receive_maximum)
        self._counters["links"] += 1
        self._pace.begin()
        self._must_rewind |= up.bytes_max != self._aside.bytes_max
        self._aside.bytes_max = up.bytes_max
        if self.confirming.held and not up.session_present and now_s - self._forgotten_s >= self._settings.receipt_s:
            self._must_rewind, self._forgotten_s = True, now_s
        return [f"connected to {up.broker} with MQTT {up.version}"]

    def _link_down(self, now_s: float, down: LinkDown) -> list[str]:
        """Whatever was not answered is published again; a try comes later."""
        if self._flights and not down.is_auth:
            seq, first = next(iter(self._flights.items()))
            self._aside.broke(now_s, seq, first.lane.name, first.payload)
        back = [(seq, one) for seq, one in self._flights.items() if seq not in self._aside.waiting]
        for lane in self._lanes.values():
            lane.take_back((seq, flight.payload) for seq, flight in back if flight.lane is lane)
        self._counters["republished"] += len(self._flights)
        self._counters["losses"] += self.state in ("up", "leaving")
        self._counters["auth_failures"] += down.is_auth
        self._flights.clear()
        if self.state == "up" and now_s - self._since_s >= self._settings.backoff_s_max:
            self._backoff.reset()
        wait_s = self._backoff.next_s(is_auth=down.is_auth)
        is_news = down.reason != self.reason
        self.state, self.reason, self._retry_at_s = "down", down.reason, now_s + wait_s
        slowly = "; trying only every" if down.is_auth else "; trying again in"
        return [f"{down.reason}{slowly} {wait_s:.0f} s"] if is_news else []

    def _acked(self, now_s: float, seq: int) -> None:
        """The broker has it: done, or held until the platform has it too."""
        if (flight := self._flights.pop(seq, None)) is None:
            return
        if flight.is_backlog:
            self._pace.answered(now_s - flight.sent_s)
        self._counters["acked"] += 1
        self._aside.arrived(seq)
        self._backoff.reset()
        self.confirming.acked(seq)

    def _receipt(self, payload: bytes) -> list[str]:
        """What the platform has is confirmed as far as the broker acknowledged it; what it lost goes again."""
        is_restored, sentence = self.confirming.receipt(payload, self._stored_upto)
        self._must_rewind |= is_restored
        return [sentence] if sentence else []

    def _rewind_if_quiet(self) -> None:
        """Once nothing is in flight, nor to be opened again, read every lane from its beginning again."""
        if not self._must_rewind or self._is_reopening or self.confirming.lost or self._flights:
            return
        self._must_rewind = False
        self._counters["rewinds"] += 1
        self.confirming.begin_again()
        self._aside.begin_again()
        for name in self._lanes:
            self._lanes[name] = Lane(name, self._backlog_upto)

    def _grow_old(self, now_s: float) -> None:
        """Move the mark between backlog and live, in steps of an eighth of LIVE_S."""
        if not self._marks or now_s - self._marks[-1][0] >= LIVE_S / 8:
            self._marks.append((now_s, self._stored_upto))
        while self._marks[0][0] <= now_s - LIVE_S:
            self._backlog_upto = self._marks.popleft()[1]
            if not self._marks:
                self._marks.append((now_s, self._stored_upto))
        for lane in self._lanes.values():
            if lane.new.ready and not self._is_live(lane):
                lane.grow_old(self._backlog_upto)

    def _is_live(self, lane: Lane) -> bool:
        """Whether the next new record goes first: it is young, or evidence of this start, or says who starts here."""
        seq = lane.new.ready[0][0]
        stays = seq > self._before_upto and (lane.name == "evidence" or seq == self._before_upto + 1)
        return stays or seq > self._backlog_upto

    def _is_passed_over(self, seq: int, payload: bytes) -> bool:
        """Whether this record is on its way or there, or not for this link."""
        is_sent = seq in self._flights or seq in self.confirming.held or seq in self.confirming.ready
        return is_sent or self._aside.passes_over(seq, payload)

    def _is_unanswered(self, now_s: float) -> bool:
        """Whether the link seems up and takes nothing."""
        return self.state == "up" and bool(self._flights) and now_s - self._answered_s >= self._settings.ack_s

    def _news_of_allowance(self) -> list[str]:
        """What the allowance holds back since now, or no more."""
        heads = [(lane, place) for lane in self._lanes.values() for place in (lane.new, lane.old) if place.ready]
        held = frozenset(lane.name for lane, place in heads if self._is_held(lane, place))
        before, self._held_back = self._held_back, held
        spent = f"{self.allowance.spent_bytes / 1e6:.1f} of {self._settings.day_mb} MB of 24 hours are spent"
        return [f"{name} held back: {spent} (uplink.day_mb)" for name in sorted(held - before)]

    def _fill_window(self, now_s: float) -> Iterable[Publish]:
        """Records for the free places."""
        if not self._flights:
            self._answered_s = now_s
        while len(self._flights) < self._window and (next_ := self._next()) is not None:
            lane, place = next_
            seq, payload = place.ready.popleft()
            self._flights[seq] = Flight(lane, payload, place is lane.old, now_s)
            self._counters["published"] += 1
            self.allowance.spend(now_s, len(payload))
            yield Publish(seq, lane.name, payload)

    def _next(self) -> tuple[Lane, Place] | None:
        """Whose next record goes: the highest lane's live one, else backlog as far as it has room."""
        places = [(lane, lane.new) for lane in self._lanes.values() if lane.new.ready and self._is_live(lane)]
        if self._has_backlog_room():
            places += [(lane, lane.old) for lane in self._lanes.values()]
        return next((one for one in places if one[1].ready and not self._is_held(*one)), None)

    def _is_held(self, lane: Lane, place: Place) -> bool:
        """Whether the allowance makes the next record there wait."""
        return self.allowance.holds(lane.name, len(place.ready[0][1]))

    def _has_backlog_room(self) -> bool:
        """Whether backlog may use one more place of the window."""
        sizes = [len(flight.payload) for flight in self._flights.values() if flight.is_backlog]
        return len(sizes) < max(1, self._window // 2) and sum(sizes) < self._pace.bytes_max
