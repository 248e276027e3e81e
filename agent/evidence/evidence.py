"""What a crash leaves: all from 30 s before to 15 s after it, in records of at most 64 KiB, and the table of the blow.

The core tells when a crash may have begun; from then on all is caught (agent/capture/capture.py), and numbered when the
event is. False alarms must not push true evidence out of the store, so evidence has its own bytes a day
(daily.py); what goes beyond is counted, and a seal says so. Alarms that come to nothing have theirs too: once
they are used up, what is caught waits in memory until it is sure. Pure, but for the core it asks.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from agent.capture.capture import PART_BYTES, Capture, Changes, Head, Part, Row, Rule
from agent.capture.impact import impact
from agent.codec import Record, decode, pack
from agent.core import Core, Event
from agent.evidence import edr
from agent.evidence.daily import Daily
from agent.ledger.ledger import Ledger
from agent.settings import Ring, Settings, rules_id
from agent.setup import RING_FRAME_BYTES
from agent.trip.resume import rotation_of
from agent.vehicle import Table

MARK_US = 500_000
MARKS_LONGER_US = 60_000_000
"""How long after a blow it may be judged a crash: marks of the ring are kept so much longer than it is wanted."""

BUDGET_SHARE = 4
"""What is being caught may not be dropped, so it never fills more of the store's budget than one part in so many."""

OVER = "evidence over the day's allowance"
CAPPED = "evidence over its size"
WITH_EVIDENCE = ("crash", "rollover")
REFERRED = ("boot", "clock", "calibration", "trip_start")
"""Records that the evidence refers to by their number: who, when, how the sensor sits, which trip."""

LEVEL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class Evidence:
    """Catches, and makes records of what it caught. `pending` is to be put to flash together with the records."""

    def __init__(self, settings: Settings, table: Table, core: Core, ledger: Ledger, boot: int) -> None:
        ring, store = settings.ring, settings.store
        most_bytes = min(store.evidence_mb * 1_000_000, store.budget_mb * 1_000_000 // BUDGET_SHARE)
        self._rule = Rule(round(ring.before_s * 1e6), round(ring.after_s * 1e6), most_bytes)
        self._settings, self._table, self._core, self._ledger, self._boot = settings, table, core, ledger, boot
        self._is_on = bool(ring.before_s and ring.frames_per_s and store.evidence_mb_per_day and store.evidence_mb)
        self._capture = Capture(self._rule)
        self._marks: deque[tuple[int, int]] = deque([(0, 0)])
        self._heard = 0
        self._blow_us: int | None = None
        self._refs: dict[str, int] = {}
        self._rotation: tuple[float, ...] | None = LEVEL if settings.imu.mounting == "vehicle" else None
        self._making: edr.Making | None = None
        self.allowance = Daily(store.evidence_mb_per_day * 1_000_000, store.alarms_mb_per_day * 1_000_000)
        self.losses: dict[str, int] = {}
        self.counters = {"alarms": 0, "alarms_rejected": 0, "alarms_not_written": 0}
        """Since the start: blows that may have been a crash, those that were none, those that flash was spared of."""
        self.pending: list[Changes] = []

    def _note(self, records: Iterable[Record]) -> None:
        """These were numbered: evidence refers to some."""
        for record in records:
            if record.kind in REFERRED:
                self._refs[record.kind] = record.seq
            if record.kind == "trip_end":
                self._refs.pop("trip_start", None)
            if record.kind == "calibration":
                self._rotation = rotation_of(record.raw) or self._rotation

    def resume(
        self, now_us: int, kept: Sequence[Sequence[int]], gone_us: int | None, calibration: bytes | None
    ) -> None:
        """Go on from an earlier run: what it took of the day's allowance, and the newest calibration record."""
        self.allowance.resume(now_us, kept, gone_us)
        if rotation_of(calibration) is not None and calibration is not None:
            self._note([decode(calibration)])

    def turn(self, now_us: int, numbered: Iterable[Record] = ()) -> list[Record]:
        """The core was fed, and these were numbered: catch what came, number what is due."""
        self._note(numbered)
        if not self._is_on:
            return []
        alarm, capture = self._core.alarm(), self._capture
        if capture.head is not None:
            capture.hear(self._core.freeze(alarm.ringed - self._heard), now_us)
            if capture.head.event is None and alarm.blow_us != self._blow_us:
                self._reject(now_us)
        self._heard = alarm.ringed
        if capture.head is None and alarm.blow_us not in (None, self._blow_us):
            self._begin(alarm.blow_us or 0, now_us)
        self._blow_us = alarm.blow_us
        self._mark(now_us)
        return self._step(now_us, is_open=alarm.blow_us is not None)

    def found(self, event: Event, seq: int, now_us: int) -> list[Record]:
        """An event was numbered; of some kinds there is evidence, which `turn` will tell."""
        if event.name not in WITH_EVIDENCE or not self._is_on:
            return []
        if self._capture.head is None:
            self._begin(event.start_us, now_us)
        assert self._capture.head is not None
        self._capture.head.about["locked"] = event.locked or self._capture.head.about.get("locked", False)
        first = self._capture.confirm(seq, event.start_us)
        if first == seq:
            return []
        same = {"event": seq, "part": 0, "parts": 1, "form": "same", "see": first}
        return self._ledger.numbers("evidence", now_us, [same])

    def finish(self, now_us: int) -> list[Record]:
        """The agent ends: what is sure is numbered as far as it goes, the rest goes."""
        head = self._capture.head
        if head is None:
            return []
        ringed = self._core.alarm().ringed
        self._capture.hear(self._core.freeze(ringed - self._heard), now_us)
        self._heard = ringed
        if head.event is None:
            self._reject(now_us)
        return self._all(now_us)

    def recover(self, rows: Sequence[Row], now_us: int) -> list[Record]:
        """What a power cut in mid-crash left: where nothing was sure yet, an `impact` with its evidence."""
        self._capture = Capture.resumed(self._rule, rows)
        head, records = self._capture.head, list[Record]()
        if head is not None and head.event is None:
            raw = b"".join(self._capture.around(head.blow_us - self._rule.before_us))
            body = impact(head, edr.finished(self._table_of(head)), raw, self._settings.detect.crash)
            records = self._ledger.number("event", now_us, body)
            self._capture.confirm(records[0].seq, head.blow_us)
        return records + self._all(now_us)

    def _begin(self, blow_us: int, now_us: int) -> None:
        """From the ring as far back as it is wanted; where it began earlier, or is smaller, as far as it goes."""
        ringed = self._core.alarm().ringed
        since = next((at for t_us, at in reversed(self._marks) if t_us <= blow_us - self._rule.before_us), 0)
        about = {
            "trip": self._refs.get("trip_start"),
            "rules": rules_id(self._settings.detect),
            "refs": dict(self._refs),
            "rotation": self._rotation,
            "not_judged": self._core.counters()["not_judged"],
        }
        room = min(
            ringed - since, round(self._settings.ring.before_s * self._settings.ring.frames_per_s) * RING_FRAME_BYTES
        )
        self._heard, self._making = ringed, None
        slices, is_spared = self._slices(self._core.freeze(room)), not self.allowance.alarms.has(1, now_us)
        self._capture.begin(Head(self._boot, blow_us, about), now_us, slices, is_held_back=is_spared)
        self.counters["alarms"] += 1
        self.counters["alarms_not_written"] += is_spared

    def _reject(self, now_us: int) -> None:
        """It was none; what flash took of it counts."""
        if not self._capture.is_held_back:
            self.allowance.alarms.count(self._capture.packed_bytes, now_us)
        self.counters["alarms_rejected"] += 1
        self._capture.reject()

    def _slices(self, ring: bytes) -> Iterator[bytes]:
        """The ring, as far as it is now, cut where it was at the marks, in slices of about a part."""
        start, end = 0, 0
        for _, at in self._marks:
            place = len(ring) - (self._heard - at)
            if place - start > PART_BYTES and end > start:
                yield ring[start:end]
                start = end
            end = max(end, place)
        yield from (part for part in (ring[start:end], ring[end:]) if part)

    def _mark(self, now_us: int) -> None:
        """Remember how far the ring was, as long as somebody may ask."""
        if now_us - self._marks[-1][0] >= MARK_US or self._heard - self._marks[-1][1] >= PART_BYTES // 2:
            self._marks.append((now_us, self._heard))
        while len(self._marks) > 2 and self._marks[1][0] < now_us - self._rule.before_us - MARKS_LONGER_US:
            self._marks.popleft()

    def _step(self, now_us: int, *, is_open: bool) -> list[Record]:
        """The table as soon as it can be told, a step of it at a time, then part after part."""
        capture, head = self._capture, self._capture.head
        bodies: list[dict[str, Any]] = []
        if head is not None and self._is_table_due(head, now_us):
            self._making = self._making or self._table_of(head)
            if (table := edr.next_of(self._making)) is not None:
                bodies.append({**self._body(head, capture.take_number(), "table"), **_refers(head), "table": table})
        changes, parts = capture.step(now_us, is_open=is_open, is_numbered=head is not None and head.part > 0)
        if head is not None:
            bodies += [self._body(head, part.number, "ring") | _ring(part) for part in parts]
        if changes:
            self.pending.append(changes)
        is_locked = head is not None and bool(head.about.get("locked"))
        kept = [body for body in bodies if self._fits(body, now_us, is_locked=is_locked)]
        return self._ledger.numbers("evidence", now_us, kept) if kept else []

    def _all(self, now_us: int) -> list[Record]:
        """All that is left, now."""
        records: list[Record] = []
        while (head := self._capture.head) is not None:
            head.until_us = now_us
            records += self._step(now_us, is_open=False)
        return records + self._step(now_us, is_open=False)

    def _fits(self, body: Mapping[str, Any], now_us: int, *, is_locked: bool) -> bool:
        """Whether there is room for it today; once there is none, the rest of it goes too."""
        if body.get("is_capped") and body["parts"] is not None:
            self._lose(CAPPED)
        if self.allowance.takes(len(pack(body)), now_us, is_locked=is_locked):
            return True
        if self._capture.head is not None or not self.losses.get(OVER):
            self._lose(OVER)
        self._capture.reject()
        return False

    def _is_table_due(self, head: Head, now_us: int) -> bool:
        """It is the first part of an event, once all that it tells of was caught."""
        is_caught = now_us >= head.blow_us + edr.AFTER_US or self._capture.is_due(now_us)
        return head.event is not None and head.part == 0 and is_caught

    def _lose(self, reason: str) -> None:
        self.losses[reason] = self.losses.get(reason, 0) + 1

    def _body(self, head: Head, number: int, form: str) -> dict[str, Any]:
        """What every piece of evidence says of itself."""
        earlier = {"boot": head.boot} if head.boot != self._boot else {}
        return {"event": head.event, "part": number, "parts": None, "form": form, **earlier}

    def _table_of(self, head: Head) -> edr.Making:
        """The blow as event-data-recorder rules have it."""
        bare = msgspec.structs.replace(self._settings, ring=Ring(before_s=0))
        rotation = head.about["rotation"]
        core = Core(bare, self._table, None if rotation is None else tuple(rotation))
        return edr.steps(self._capture.around(head.blow_us - edr.LOOK_BACK_US), head.blow_us, core, rotation)


def _ring(part: Part) -> dict[str, Any]:
    """A part of what was caught."""
    return {
        "parts": part.number + 1 if part.is_last else None,
        "packed": "deflate",
        "from_us": part.from_us,
        "is_capped": part.is_capped,
        "data": part.packed,
    }


def _refers(head: Head) -> dict[str, Any]:
    """What a table refers to."""
    return {"refs": head.about["refs"], "not_judged": head.about["not_judged"]}
