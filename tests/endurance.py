"""`python -m tests.endurance`: weeks out of reach, through account, ledger and outbox, in seconds; then the link is back.

A day has 8 h of driving in trips of 40 min (tests/walks.py), each of another walk, with health, clock records and seals
as the daemon makes them where nobody hears it, an event every 7 min, and the evidence of a crash (tests/wrecks.py) in some
days. The records of a day are made once; each further day says the same at its own time, under numbers and a boot of
its own. What is in the store in the end is counted, verified, and drained over a link of 20 kB/s while the car drives on.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.codec import LANES, Record
from agent.core import Core
from agent.health import Health
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.finding import Report
from agent.proof.proof import check
from agent.settings import Uplink as UplinkSettings
from agent.settings import defaults
from tests.accounts import ledger
from tests.driven import DAY_S, TRIP_S, Line, S, crash, day, vitals
from tests.world import World
from tests.wrecks import SETTINGS, TABLE

GROUP = 96
"""Records committed together, to spare the tester's disk; the terminal commits each by itself."""

RATE_BPS, LATENCY_S, LIVE_EVERY_S, LIVE_BYTES = 20_000, 0.1, 5.0, 600
LIVE_LANES = ("event", "health", "samples", "trip")
HOUR_S, MINUTE_S = 3600, 60
NO_CRASH: Mapping[int, int] = {}
DEFAULT_BYTES = defaults().store.budget_mb * 1_000_000
PROTECTED = ("event", "trip_start", "trip_end", "evidence", "seal", "gap", "key")
ALL = (*PROTECTED, "boot", "clock", "health", "samples")
STAYS: tuple[tuple[str, int, int, Mapping[int, int], tuple[str, ...]], ...] = (
    ("default budget", 7, DEFAULT_BYTES, {3: 0}, ALL),
    ("default budget", 30, DEFAULT_BYTES, {3: 0, 12: 2_000_000, 25: 0}, ALL),
    ("4 MB", 7, 4_000_000, {3: 0}, PROTECTED),
    ("4 MB, a crash on a full bus", 7, 4_000_000, {3: 2_000_000}, PROTECTED),
    ("4 MB", 14, 4_000_000, {3: 0, 12: 0}, PROTECTED),
    ("4 MB, more than it can hold", 30, 4_000_000, {3: 0, 12: 0, 25: 0}, ("evidence", "gap", "key")),
)
"""Name, days, bytes of the store, crashes, kinds of which nothing may be dropped."""


@dataclass(slots=True)
class Story:
    """What was made of a stay out of reach, and what is left of it."""

    days: int
    made: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    raw_bytes: Counter[str] = field(default_factory=Counter)
    used_bytes: int = 0
    took_s: float = 0.0
    report: Report | None = None

    def add(self, records: Sequence[Record]) -> None:
        """These were numbered."""
        self.made.update(record.kind for record in records)
        for record in records:
            self.raw_bytes[record.kind] += len(record.raw)

    def gone(self, kind: str) -> int:
        """Records of a kind that were made and are not here any more."""
        return self.made[kind] - self.left[kind]


def out_of_reach(
    folder: Path, days: int, budget_bytes: int, lines: Sequence[Line], *, crashes: Mapping[int, int] = NO_CRASH
) -> Story:
    """Fill a store; `crashes` says of some days (from 0) how long the data of their evidence is, 0: as it comes."""
    story, begin_s = Story(days), time.monotonic()
    for number in range(days):
        outbox = Outbox.open(folder / STORE_NAME, budget_bytes, f"day {number}")
        writer = Author(outbox, story)
        writer.drive(lines)
        if number in crashes:
            writer.crash(lines[-1].at_us, crashes[number])
        writer.commit()
        story.used_bytes = outbox.used_bytes()
        outbox.close()
    story.took_s = time.monotonic() - begin_s
    pile = read_pile(folder / STORE_NAME)
    story.left.update(record.kind for record in pile.records)
    story.report = check([pile])
    return story


class Author:
    """Numbers what a day says, as the daemon does, and puts it into the store."""

    def __init__(self, outbox: Outbox, story: Story) -> None:
        self._outbox, self._story = outbox, story
        self._book = ledger(outbox.boot, outbox.tail())
        self._held: list[Record] = self._book.start(S, {"software": "tbox test", "is_clean": True})
        self._trip: int | None = None
        self._health = Health(defaults().health.period_s, 0)

    def drive(self, lines: Sequence[Line]) -> None:
        """A day."""
        for line in lines:
            if line.kind == "health" and not self._is_told(line.at_us):
                continue
            if self._trip is not None and self._book.due(line.at_us):
                self._held.append(self._book.seal(line.at_us))
            body = {**line.body, "trip": self._trip} if "trip" in line.body else line.body
            self._held += self._book.number(line.kind, line.at_us, body)
            if line.kind in ("trip_start", "trip_end"):
                self._trip = self._held[-1].seq if line.kind == "trip_start" else None
            if len(self._held) >= GROUP:
                self.commit()

    def _is_told(self, at_us: int) -> bool:
        """Whether health is told now, as nobody hears it."""
        if not self._health.is_due(at_us, is_heard=False):
            return False
        self._health.body(at_us, vitals(Core(SETTINGS, TABLE)))
        return True

    def crash(self, now_us: int, data_bytes: int) -> None:
        """A crash at the end of the day."""
        (event,) = self._book.number("event", now_us, {"event": "crash"})
        self._held.append(event)
        for body in crash(data_bytes):
            self._held += self._book.numbers("evidence", now_us, [{**body, "event": event.seq}])

    def commit(self) -> None:
        """Into the store; what it had to drop is told at once."""
        while self._held:
            self._story.add(self._held)
            losses = self._outbox.append(self._held)
            self._held = self._book.gaps(self._held[-1].t_us, losses)


@dataclass(slots=True)
class Drain:
    """How the store emptied once the link was back, and how long live records took, in seconds, in order, by lane."""

    hours: float
    live_s: dict[str, list[float]]


def drain(folder: Path, budget_bytes: int) -> Drain:
    """All that is in the store over a link of RATE_BPS, while records are made live; then it is confirmed there."""
    outbox = Outbox.open(folder / STORE_NAME, budget_bytes, "the link is back")
    world = World(1, UplinkSettings(), latency_s=LATENCY_S, rate_bps=RATE_BPS)
    world.load({lane: outbox.pending(lane, -1, -1) for lane in LANES}, outbox.tail().next_seq)
    backlog, live = set(world.made), list[int]()

    def make() -> None:
        if not backlog <= world.confirmed.keys():
            live.append(world.make(LIVE_LANES[len(live) % len(LIVE_LANES)], LIVE_BYTES))
            world.later(LIVE_EVERY_S, make)

    make()
    while not backlog <= world.confirmed.keys():
        world.run(world.now_s + MINUTE_S)
    world.run(world.now_s + MINUTE_S)
    outbox.confirm(backlog)
    assert sum(outbox.depth().values()) == 0, "not all of it was delivered"
    outbox.close()
    waited_s: dict[str, list[float]] = {lane: [] for lane in LIVE_LANES}
    for seq in live:
        lane, made_s = world.made[seq]
        waited_s[lane].append(world.acked_s[seq] - made_s)
    hours = max(world.acked_s[seq] for seq in backlog) / HOUR_S
    return Drain(hours, {lane: sorted(times) for lane, times in waited_s.items()})


def lines_of(name: str, story: Story, gone: Drain) -> Iterator[str]:
    """A story told."""
    assert story.report is not None
    good = "good" if story.report.is_good else "FAILED"
    yield f"{name}: {story.days} days x 8 h, {sum(story.made.values())} records, simulated in {story.took_s:.1f} s"
    yield f"  store {story.used_bytes / 1e6:.1f} MB; verify: {good}, {len(story.report.dropped)} spans dropped, accounted"
    for kind, made in sorted(story.made.items()):
        size = story.raw_bytes[kind] / made
        yield f"  {kind:12} {made:6} made of {size:6.0f} bytes, {story.left[kind]:6} here, {story.gone(kind):6} dropped"
    yield f"  drained in {gone.hours:.2f} h at {RATE_BPS / 1000:.0f} kB/s; live records of a lane, acknowledged after"
    for lane, times in gone.live_s.items():
        p50, p99, most = (times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.99, 1.0))
        yield f"  {lane:12} {len(times):6} of them, p50 {p50:7.2f} s, p99 {p99:7.2f} s, most {most:7.2f} s"


def main() -> int:
    """Print what became of each stay; 1 when one is not as it must be."""
    lines, wrong = day(DAY_S, DAY_S // TRIP_S), 0
    for name, days, budget_bytes, crashes, must_keep in STAYS:
        with tempfile.TemporaryDirectory() as made:
            story = out_of_reach(Path(made), days, budget_bytes, lines, crashes=crashes)
            print("\n".join(lines_of(name, story, drain(Path(made), budget_bytes))), end="\n\n", flush=True)
        assert story.report is not None
        wrong += not story.report.is_good or any(story.gone(kind) for kind in must_keep)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
