"""The daemon: the one file that knows all rooms. `turn` is the product, once round."""

import logging
import os
import select
import signal
import sys
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from agent import __version__, clock, maps, terms, vehicle
from agent.account import Account
from agent.codec import Record
from agent.core import Calibration, Core, Event, Output, Sample
from agent.errors import SettingsError
from agent.evidence import Evidence
from agent.exchange import Confirm, Connect, Publish, Want
from agent.health import Health, Systemd, Vitals, process
from agent.key import KEY_NAME, load_or_make
from agent.ledger import Identity, Ledger
from agent.mqtt import Link
from agent.outbox import STORE_NAME, Outbox
from agent.resume import EVERY_US, Left, left_by, rotation_of
from agent.settings import Settings, rules_id, settings_id
from agent.setup import RING_FRAME_BYTES, Rest
from agent.sources import open_rack
from agent.trip import EventFound, Moment, TripEnded, Trips
from agent.uplink import Uplink
from agent.writer import Writer
from drivers.batch import tick

log = logging.getLogger("tbox")

WAIT_S = 0.25
"""Longest wait for an input; a parked car's loop turns this often."""

GATHER_S = 0.008
"""While inputs come, a turn is this long at least, so that frames are taken in batches; well under the 15 ms from the
last frame to its synced record. Writer and link end it sooner."""

TEND_US = 50_000
"""Where nothing happens, what is kept and told is looked after this often, not with every batch."""

LEAVE_US = 5_000_000
"""At an orderly end the link gets this long to deliver what is there."""

WITH_EVIDENCE = ("crash", "rollover")
CLOCK_US = 1_000_000
SUBSCRIBED = ("receipt",)


class Agent:
    """All rooms of a running terminal, and the loop over them."""

    def __init__(self, settings: Settings, table: vehicle.Table, outbox: Outbox) -> None:
        state_dir = Path(settings.device.state_dir)
        key = load_or_make(state_dir / KEY_NAME)
        self.settings, self.boot = settings, outbox.boot
        self.device = settings.device.name or key.device.hex()
        software = f"tbox {__version__}"
        self.ledger = Ledger(key, outbox.boot, outbox.tail(), Identity(software, settings_id(settings)))
        self.account = Account(self.ledger, settings.samples, rules_id(settings.detect))
        self.evidence = Evidence(settings.store.evidence_mb_per_day * 1_000_000)
        state = {"boot": outbox.boot, "versions": {"tbox": __version__}, "key": key.public.hex()}
        self.link = Link(settings.mqtt, self.device, state, subscribed=SUBSCRIBED, memory=state_dir / "broker.json")
        self.uplink = Uplink(settings.uplink, stored_upto=outbox.tail().next_seq - 1, rng=Random(os.urandom(8)))  # noqa: S311  (spreads a fleet, hides nothing)
        self.stamp, left = clock.stamp(), left_by(outbox.recovered())
        rest = (left.rest, left.stamp.gone_us(self.stamp)) if left else None
        self.core = Core(settings, table, rotation_of(outbox.calibration()), rest=rest)
        self.trips = Trips(settings.trip, terms.load(settings, table))
        now_us = clock.boot_us()
        self.health, self.systemd = Health(settings.health.period_s, now_us), Systemd()
        self.held = self._first_records(now_us, table.name, left)
        self.writer = Writer(outbox)
        self.rack = open_rack(settings, table, (self.link.fileno(), self.writer.fileno()))
        self.is_stopping = False
        self._link_said = "not connected yet"
        self._asked: dict[str, Want] = {}
        self._clock: clock.Reading | None = None
        self._clock_us = self._journal_us = self._tend_us = 0
        self._journal: bytes | None = self._left(None, self.core.snapshot(now_us).rest)

    def run(self) -> None:
        """Turn until told to stop; then close the account properly."""
        self.systemd.ready()
        while not self.is_stopping:
            self.turn()
        self.systemd.stopping()
        self._stop()

    def turn(self) -> None:
        """Once round: what the car said, what it means, what is kept, what is told."""
        batch = self._heard()
        now_us = clock.boot_us()
        for output in self.core.feed(batch + tick(now_us)):
            self.held += self._meaning(output, now_us)
        if self.held or self.rack.is_woken or now_us >= self._tend_us:
            self._tend(now_us)
        self.health.turned(now_us)
        if batch:
            select.select([self.link.fileno(), self.writer.fileno()], [], [], GATHER_S)

    def _tend(self, now_us: int) -> None:
        """What is due, kept and told."""
        self._tend_us = now_us + TEND_US
        self.held += self._due(now_us)
        self._keep(now_us)
        self._tell(now_us / 1e6)
        self.systemd.beat(now_us)

    def _heard(self) -> bytes:
        """What the car said; nothing is read while the writer has no room for what it meant."""
        if not self.held:
            return self.rack.read(WAIT_S)
        select.select([self.writer.fileno()], [], [], GATHER_S)
        return b""

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Ask the loop to end after this turn."""
        self.is_stopping = True

    def _first_records(self, now_us: int, vehicle_name: str, left: Left | None) -> list[Record]:
        """Who starts here, and what an earlier boot left open."""
        body = {"software": f"tbox {__version__}", "vehicle": vehicle_name, "is_clean": left is None or left.is_clean}
        return self.ledger.start(now_us, body) + self.account.recover(left, self.stamp, now_us)

    def _meaning(self, output: Output, now_us: int) -> list[Record]:
        """What is written down of an output of the core."""
        moments = self.trips.step(output)
        records = [record for moment in moments for record in self._moment(moment, now_us)]
        match output:
            case Sample():
                records += self.account.sample(output)
                self._note_journal(output, now_us)
            case Calibration():
                records += self.account.calibration(output, now_us)
            case Event():
                log.info("%s (%s) at %.1f s", output.name, output.severity, output.start_us / 1e6)
        return records

    def _moment(self, moment: Moment, now_us: int) -> list[Record]:
        """The records of a moment; a crash takes the ring along, a trip's end clears the journal."""
        if isinstance(moment, TripEnded):
            self.ledger.count(self._frames(), self.evidence.losses)
            self._journal = self._left(None, self.core.snapshot(now_us).rest)
            log.info("trip of %.3f km ended: %s", moment.summary["distance_m"] / 1000, moment.summary["end_reason"])
        records = self.account.moment(moment, now_us)
        if isinstance(moment, EventFound) and moment.event.name in WITH_EVIDENCE:
            bodies = self.evidence.bodies(records[0].seq, self._ring(), now_us)
            records += self.account.evidence(bodies, now_us)
        return records

    def _ring(self) -> bytes:
        """The pre-event ring; empty where it is switched off."""
        ring = self.settings.ring
        return self.core.freeze(round(ring.before_s * ring.frames_per_s) * RING_FRAME_BYTES)

    def _note_journal(self, sample: Sample, now_us: int) -> None:
        """What must survive a power cut, every `samples.journal_s`; of a car without a trip seldom."""
        if now_us - self._journal_us < self.settings.samples.journal_s * 1e6:
            return
        interim = self.trips.interim(sample, "power_cut")
        if interim is not None or now_us - self._journal_us >= EVERY_US:
            self._journal, self._journal_us = self._left(interim, sample.rest), now_us

    def _left(self, interim: dict[str, Any] | None, rest: Rest, *, is_clean: bool = False) -> bytes:
        """The journal as of now."""
        return self.account.left(interim, rest, clock.stamp(), self.boot, is_clean=is_clean).journal()

    def _due(self, now_us: int) -> list[Record]:
        """What the time of day asks for: clock, health, a seal."""
        records: list[Record] = []
        is_driving = self.account.is_driving
        if now_us - self._clock_us >= CLOCK_US:
            self._clock_us, reading = now_us, clock.read_clocks()
            self.trips.date(reading.dated())
            if clock.is_due(self._clock, reading, is_driving=is_driving):
                self._clock = reading
                records += self.ledger.number("clock", now_us, reading.body(self.boot))
        if self.health.is_due(now_us):
            records += self.ledger.number("health", now_us, self.health.body(now_us, self._vitals()))
        if is_driving and self.ledger.due(now_us):
            self.ledger.count(self._frames(), self.evidence.losses)
            records.append(self.ledger.seal(now_us))
        return records

    def _keep(self, now_us: int) -> None:
        """Hand records to the writer; what it has no room for is held, and nothing more is read meanwhile."""
        news = self.writer.take()
        self.held += self.ledger.gaps(now_us, news.losses)
        for (lane, after_seq, limit), rows in news.fetched:
            want = self._asked.pop(lane, None)
            if want == (lane, after_seq, limit) and any(now.after_seq == after_seq for now in self._wants(lane)):
                self.uplink.offer(want, rows)
        self.uplink.synced(news.synced)
        if (self.held or self._journal is not None) and self.writer.put(self.held, self._journal):
            self.held, self._journal = [], None

    def _wants(self, lane: str) -> list[Want]:
        """What the uplink wants of this lane now."""
        return [want for want in self.uplink.wants() if want.lane == lane]

    def _tell(self, now_s: float) -> None:
        """Hear the link, do what the uplink decides."""
        for sentence in self.uplink.hear(now_s, self.link.answers()):
            log.info("%s", sentence)
            self._link_said = sentence
        self.systemd.status(f"{sum(self.writer.depth.values())} records waiting; {self._link_said}")
        for want in self.uplink.wants():
            if want.lane not in self._asked:
                self._asked[want.lane] = want
                self.writer.fetch(*want)
        for action in self.uplink.step(now_s):
            match action:
                case Connect():
                    self.link.connect()
                case Publish():
                    self.link.publish(action)
                case Confirm(seqs):
                    self.writer.confirm(seqs)

    def _stop(self) -> None:
        """An orderly end: the open trip is closed with its reason, everything is on flash, the broker knows."""
        now_us = clock.boot_us()
        for output in self.core.finish():
            self.held += self._meaning(output, now_us)
        for moment in self.trips.finish(self.core.snapshot(now_us), "agent_stopped"):
            self.held += self._moment(moment, now_us)
        self.held.append(self.ledger.seal(now_us))
        self._journal = self._left(None, self.core.snapshot(now_us).rest, is_clean=True)
        self._leave(now_us)
        self.writer.close()
        self.link.close()
        self.rack.close()
        self.systemd.close()

    def _leave(self, since_us: int) -> None:
        """Until everything is on flash, and, for LEAVE_US at most, told: what is not goes at the next start."""
        while True:
            now_us = clock.boot_us()
            self._keep(now_us)
            self._tell(now_us / 1e6)
            is_told = self.uplink.state != "up" or not any(self.writer.depth.values())
            is_done = self.writer.is_settled and is_told
            if not self.held and (is_done or now_us - since_us > LEAVE_US):
                return
            self.systemd.beat(now_us)
            select.select([self.link.fileno(), self.writer.fileno()], [], [], GATHER_S)

    def _frames(self) -> dict[str, int]:
        """The conserved frame counters a seal states."""
        core = self.core.counters()
        dropped = sum(counters.get("dropped", 0) for counters in self.rack.counters().values())
        frames = {"in": core["frames_in"] + dropped, "decoded": core["decoded"], "unmapped": core["unmapped"]}
        return frames | {"rejected": sum(core["rejected"].values()), "dropped": dropped}

    def _vitals(self) -> Vitals:
        """What every room counted."""
        return Vitals(
            core=self.core.counters(),
            sources=self.rack.counters(),
            queued=self.writer.depth,
            store_bytes=self.writer.used_bytes,
            link=self.uplink.state,
            uplink=self.uplink.counters(),
            process=process(),
        )


def run(settings: Settings) -> int:
    """The command: everything is checked before anything runs. SettingsError, StorageError, or 0 after a stop."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if not settings.can and not settings.recording.paths:
        raise SettingsError('nothing to read: add a [[can]] table, e.g. channel = "can0" (see config/tbox.toml)')
    table = maps.load(Path(settings.vehicle.map), in_child=True)
    terms.load(settings, table)
    state_dir = Path(settings.device.state_dir)
    outbox = Outbox.open(state_dir / STORE_NAME, settings.store.budget_mb * 1_000_000)
    for report in outbox.reports:
        log.warning("%s", report)
    agent = Agent(settings, table, outbox)
    signal.signal(signal.SIGTERM, agent.stop)
    signal.signal(signal.SIGINT, agent.stop)
    log.info("tbox %s, device %s, boot %d", __version__, agent.device, agent.boot)
    agent.run()
    return 0
