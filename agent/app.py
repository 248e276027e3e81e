"""The daemon: the one file that knows all rooms. `turn` is the product, once round."""

import logging
from pathlib import Path
from types import FrameType
from typing import Any

from agent import __version__, clock, hours, terms, vehicle
from agent.absence import Absence, whereabouts
from agent.account import Account
from agent.clerk import Clerk
from agent.codec import Record
from agent.core import Calibration, Core, Event, Output, Sample
from agent.delivery import Delivery
from agent.evidence import Evidence
from agent.health import Health, Systemd, Vitals, process
from agent.mqtt import Link
from agent.opening import open_ledger, open_uplink
from agent.outbox import Outbox
from agent.resume import EVERY_US, Left, left_by, rotation_of
from agent.settings import Settings, rules_id
from agent.setup import Rest
from agent.sources import open_asking, open_film, open_rack
from agent.spool import Spool
from agent.trip import EventFound, Moment, TripEnded, Trips
from agent.upkeep import Upkeep
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

CLOCK_US = 1_000_000
SUBSCRIBED = ("receipt",)


class Agent:
    """All rooms of a running terminal, and the loop over them."""

    def __init__(self, settings: Settings, table: vehicle.Table, outbox: Outbox) -> None:
        state_dir = Path(settings.device.state_dir)
        key, self.ledger = open_ledger(settings, table, outbox)
        self.settings, self.boot = settings, outbox.boot
        self.device = settings.device.name or key.device.hex()
        samples = settings.samples
        bounds = samples.bounds if samples.mode == "bounded" else None
        self.account = Account(self.ledger, samples, rules_id(settings.detect), bounds)
        state = {"boot": outbox.boot, "versions": {"tbox": __version__}, "key": key.public.hex()}
        link = Link(settings.mqtt, self.device, state, subscribed=SUBSCRIBED, memory=state_dir / "broker.json")
        uplink = open_uplink(settings.uplink, outbox, key.device)
        self.stamp, left = clock.stamp(), left_by(outbox.recovered())
        gone_us = left.stamp.gone_us(self.stamp) if left else None
        rest = (left.rest, gone_us) if left else None
        self.core = Core(settings, table, rotation_of(outbox.calibration()), rest=rest)
        now_us, kept = clock.boot_us(), left.kept if left else {}
        self.evidence = Evidence(settings, table, self.core, self.ledger, outbox.boot)
        self.evidence.resume(now_us, kept.get("evidence", []), gone_us, outbox.calibration())
        absence = Absence(whereabouts(kept.get("place", {}), gone_us, now_us))
        self.trips = Trips(settings.trip, terms.load(settings, table), absence)
        self.health, self.systemd = Health(settings.health.period_s, now_us), Systemd()
        self.held = self._first_records(now_us, table.name, left) + self.evidence.recover(outbox.captured(), now_us)
        self.delivery = Delivery(Writer(outbox), uplink, link)
        self.clerk = Clerk(Spool(state_dir), self.ledger, self.delivery)
        self.rack = open_rack(settings, table, self.delivery.filenos)
        uplink.allowance.resume(now_us / 1e6, kept.get("sent", []), None if gone_us is None else gone_us / 1e6)
        self.upkeep = Upkeep(settings, now_us, kept.get("power", {}), open_film(settings, self.ledger, self.held))
        self.asking = open_asking(settings, table, self.rack, kept.get("asking", {}))
        self.is_stopping = False
        self._clock: clock.Reading | None = None
        self._dated: hours.Dated | None = None
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
        for body in self.asking.turn(now_us, batch):
            self.held += self._trouble(body, now_us)
        for output in self.core.feed(batch + tick(now_us)):
            self.held += self._meaning(output, now_us)
        if records := self.evidence.turn(now_us, self.held):
            self.held, self._journal = self.held + records, self._now_left(now_us)
        if self.held or self.evidence.pending or self.rack.is_woken or now_us >= self._tend_us:
            self._tend(now_us)
        self.health.turned(now_us)
        if batch:
            self.delivery.wait(GATHER_S)

    def _tend(self, now_us: int) -> None:
        """What is due, kept and told."""
        self._tend_us = now_us + TEND_US
        self.held += self._due(now_us)
        self._keep(now_us)
        self._tell(now_us)
        is_settled = not self.held and self.delivery.writer.is_settled
        self.held += self.upkeep.tend(now_us, self.delivery.waiting, is_settled=is_settled)
        if self.upkeep.wanted is not None and is_settled and not self.held:
            self.upkeep.sleep(now_us)

    def _heard(self) -> bytes:
        """What the car said; nothing is read while the writer has no room for what it meant."""
        if not self.held:
            return self.rack.read(self.asking.wait_s(clock.boot_us(), WAIT_S))
        self.delivery.wait(GATHER_S)
        return b""

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Ask the loop to end after this turn."""
        self.is_stopping = True

    def _first_records(self, now_us: int, vehicle_name: str, left: Left | None) -> list[Record]:
        """Who starts here, and what an earlier boot left open."""
        body = {
            "software": f"tbox {__version__}",
            "vehicle": vehicle_name,
            "is_clean": left is None or left.is_clean,
            "recorded": clock.followed() is not None or bool(self.settings.recording.paths),
        }
        return self.ledger.start(now_us, body) + self.account.recover(left, self.stamp, now_us)

    def _meaning(self, output: Output, now_us: int) -> list[Record]:
        """What is written down of an output of the core."""
        moments = self.trips.step(output)
        records = [record for moment in moments for record in self._moment(moment, now_us)]
        match output:
            case Sample():
                self._note(output)
                records += self.account.sample(output)
                self._note_journal(output, now_us)
            case Calibration():
                records += self.account.calibration(output, now_us)
            case Event():
                log.info("%s (%s) at %.1f s", output.name, output.severity, output.start_us / 1e6)
                self.upkeep.show(output, now_us, self._dated.utc_us(now_us) if self._dated else None)
        return records

    def _moment(self, moment: Moment, now_us: int) -> list[Record]:
        """The records of a moment; a crash has evidence, a trip's end clears the journal."""
        if isinstance(moment, TripEnded):
            self.ledger.count(self._frames(), self.evidence.losses)
            self._journal = self._left(None, self.core.snapshot(now_us).rest)
            log.info("trip of %.3f km ended: %s", moment.summary["distance_m"] / 1000, moment.summary["end_reason"])
        records = self.account.moment(moment, now_us)
        if isinstance(moment, EventFound):
            self.upkeep.film.found(moment.event, records[0].seq)
            records += self.evidence.found(moment.event, records[0].seq, now_us)
        return records

    def _note(self, sample: Sample) -> None:
        """A second went by: what may be asked, what runs, whether to sleep."""
        self.asking.note(sample)
        frames = sum(counters.get("frames", 0) for counters in self.rack.counters().values())
        self.upkeep.note(sample, frames, is_queue_empty=not self.delivery.waiting)
        if self.upkeep.wanted is not None or self.asking.is_unsaved():
            self._journal = self._left(self.trips.interim(sample, "power_cut"), sample.rest)

    def _trouble(self, body: dict[str, Any], now_us: int) -> list[Record]:
        """A trouble code or the lamp; that it was told is kept with it, so that nobody is told again."""
        self._journal = self._now_left(now_us)
        log.info("%s", " ".join(str(body[name]) for name in ("dtc", "code", "kind", "ecu") if name in body))
        return self.ledger.number("dtc", now_us, {"trip": self.account.trip_seq, **body})

    def _note_journal(self, sample: Sample, now_us: int) -> None:
        """What must survive a power cut, every `samples.journal_s`; of a car without a trip seldom."""
        if now_us - self._journal_us < self.settings.samples.journal_s * 1e6:
            return
        interim = self.trips.interim(sample, "power_cut")
        if interim is not None or now_us - self._journal_us >= EVERY_US:
            self._journal, self._journal_us = self._left(interim, sample.rest), now_us

    def _now_left(self, now_us: int) -> bytes:
        """The journal, not waiting for a second to end."""
        snapshot = self.core.snapshot(now_us)
        return self._left(self.trips.interim(snapshot, "power_cut"), snapshot.rest)

    def _left(self, interim: dict[str, Any] | None, rest: Rest, *, is_clean: bool = False) -> bytes:
        """The journal as of now."""
        sent = self.delivery.uplink.allowance.kept(clock.boot_us() / 1e6)
        kept = {"asking": self.asking.state(), "power": self.upkeep.kept(), "sent": sent}
        kept["evidence"] = self.evidence.allowance.kept(clock.boot_us())
        kept["place"] = self.ledger.blur.kept(self.trips.absence.kept(self.settings.samples.journal_s))
        return self.account.left(interim, Left(self.boot, clock.stamp(), rest, is_clean, kept=kept)).journal()

    def _due(self, now_us: int) -> list[Record]:
        """What the time of day asks for: clock, health, a seal."""
        records: list[Record] = []
        is_driving = self.account.is_driving
        if now_us - self._clock_us >= CLOCK_US:
            self._clock_us = now_us
            reading = clock.vouched(clock.read_clocks(), self._receiver_utc())
            self._dated = reading.dated()
            self.trips.date(self._dated)
            records += self.clerk.turn(now_us, reading)
            if clock.is_due(self._clock, reading, is_driving=is_driving):
                self._clock = reading
                records += self.ledger.number("clock", now_us, reading.body(self.boot))
        if self.health.is_due(now_us):
            records += self.ledger.number("health", now_us, self.health.body(now_us, self._vitals()))
        if is_driving and self.ledger.due(now_us):
            self.ledger.count(self._frames(), self.evidence.losses)
            records.append(self.ledger.seal(now_us))
        return records

    def _receiver_utc(self) -> tuple[int, int, int] | None:
        """UTC beside boot time as a receiver told it, with the bound of its error."""
        told = getattr(self.rack.source("gnss"), "utc", None)
        return None if told is None else told()

    def _keep(self, now_us: int) -> None:
        """Hand records to the writer; what it has no room for is held, and nothing more is read meanwhile."""
        self.held += self.ledger.gaps(now_us, self.delivery.news())
        pending = self.evidence.pending
        is_any = self.held or pending or self._journal is not None
        if is_any and self.delivery.writer.put(self.held, self._journal, pending):
            self.held, self._journal, self.evidence.pending = [], None, []

    def _tell(self, now_us: int) -> None:
        """What may go now goes; systemd hears how it stands."""
        self.delivery.tell(now_us / 1e6)
        self.systemd.status(f"{self.delivery.waiting} records waiting; {self.delivery.said}")
        self.systemd.beat(now_us)

    def _stop(self) -> None:
        """An orderly end: the open trip is closed with its reason, everything is on flash, the broker knows."""
        now_us = clock.boot_us()
        for output in self.core.finish():
            self.held += self._meaning(output, now_us)
        for moment in self.trips.finish(self.core.snapshot(now_us), "agent_stopped"):
            self.held += self._moment(moment, now_us)
        self.held += self.evidence.finish(now_us)
        self.ledger.count(self._frames(), self.evidence.losses)
        self.held.append(self.ledger.seal(now_us))
        self._journal = self._left(None, self.core.snapshot(now_us).rest, is_clean=True)
        self._leave(now_us)
        self.delivery.close()
        self.rack.close()
        self.upkeep.close()
        self.systemd.close()

    def _leave(self, since_us: int) -> None:
        """Until everything is on flash, and, for LEAVE_US at most, told: what is not goes at the next start."""
        while True:
            now_us = clock.boot_us()
            self._keep(now_us)
            self._tell(now_us)
            if not self.held and (self.delivery.is_done or now_us - since_us > LEAVE_US):
                return
            self.delivery.wait(GATHER_S)

    def _frames(self) -> dict[str, int]:
        """The conserved frame counters a seal states."""
        core = self.core.counters()
        dropped = sum(counters.get("dropped", 0) for counters in self.rack.counters().values())
        frames = {"in": core["frames_in"] + dropped, "decoded": core["decoded"], "unmapped": core["unmapped"]}
        return frames | {"rejected": sum(core["rejected"].values()), "dropped": dropped}

    def _vitals(self) -> Vitals:
        """What every room counted."""
        snapshot = self.core.snapshot(clock.boot_us())
        return Vitals(
            core=self.core.counters(),
            sources=self.rack.counters(),
            queued=self.delivery.writer.depth,
            store_bytes=self.delivery.writer.used_bytes,
            flash={"written_bytes": self.delivery.writer.written_bytes, "driven_us": snapshot.moving_us},
            link=self.delivery.uplink.state,
            uplink=self.delivery.uplink.counters(),
            process=process(),
            asking=self.asking.health(clock.boot_us()),
            upkeep=self.upkeep.health(),
        )
