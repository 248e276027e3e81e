"""The daemon: the one file that knows all rooms. `turn` is the product, once round."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from agent import __version__, vehicle
from agent.codec import Record
from agent.core import Calibration, Core, Event, Output, Sample
from agent.counting import Counting
from agent.desk.certifying import facts
from agent.desk.desk_socket import DeskSocket
from agent.desk.enquiries import Enquiries
from agent.desk.mailbox import new_challenge
from agent.evidence.evidence import Evidence
from agent.health import Health, Systemd
from agent.ledger.key import Signer
from agent.outbox.outbox import Outbox
from agent.outbox.writer import Writer
from agent.power.upkeep import Upkeep
from agent.remembering import Remembering
from agent.rights.clerk import Clerk
from agent.rights.spool import Spool
from agent.rooms import Rooms
from agent.settings import Settings, rules_id
from agent.slots.slot_files import Slot
from agent.slots.slot_watch import Books, SlotWatch
from agent.sources.sources import open_asking, open_film, open_rack
from agent.trip import terms
from agent.trip.absence import Absence, whereabouts
from agent.trip.account import Account
from agent.trip.alone import beside_if_it_loads
from agent.trip.resume import Left, left_by, rotation_of
from agent.trip.trip import EventFound, Moment, TripEnded, Trips
from agent.uplink.delivery import Delivery
from agent.uplink.exchange import SUBSCRIBED
from agent.uplink.mqtt import Link
from agent.uplink.opening import open_ledger, open_uplink
from agent.world import clock
from agent.world.timekeeping import Timekeeper
from agent.yard.bound import Bound, told_in
from agent.yard.install import Facts
from drivers.batch import tick

log = logging.getLogger("tbox")

WAIT_S = 0.25
"""Longest wait for an input; a parked car's loop turns this often."""

GATHER_S = 0.008
"""While inputs come, a turn is this long at least, so that frames are taken in batches; well under the 15 ms from the
last frame to its synced record. Writer and link end it sooner."""

TEND_US = 50_000
"""Where nothing happens, what is kept and told is looked after this often, not with every batch."""

LEAVE_S = 5.0
"""At an orderly end the link gets this long to deliver what is there; of real time, which a recording's is not."""


class Agent:
    """All rooms of a running terminal, and the loop over them."""

    def __init__(
        self,
        settings: Settings,
        table: vehicle.Table,
        outbox: Outbox,
        slot: Slot | None = None,
        words: Sequence[str] = (),
    ) -> None:
        """`slot`: the bundle these settings are from, too; `words`: how a command line names them (--config, --set)."""
        state_dir = Path(settings.device.state_dir)
        key, self.ledger = open_ledger(settings, table, outbox)
        self.settings, self.boot = settings, outbox.boot
        self.device = settings.device.name or key.device.hex()
        bounds = settings.samples.bounds if settings.samples.mode == "bounded" else None
        self.bound = Bound(state_dir, outbox.within(told_in))
        self.account = Account(self.ledger, settings.samples, rules_id(settings.detect), bounds, self.bound.tie)
        state: dict[str, Any] = {"boot": outbox.boot, "versions": {"tbox": __version__}, "key": key.public.hex()}
        state["challenge"] = new_challenge()
        link = Link(settings.mqtt, self.device, state, subscribed=SUBSCRIBED, memory=state_dir / "broker.json")
        uplink = open_uplink(settings.uplink, outbox, key.device)
        self.stamp, left = clock.stamp(), left_by(outbox.recovered())
        gone_us = left.stamp.gone_us(self.stamp) if left else None
        rest = (left.rest, gone_us) if left else None
        rotation = rotation_of(outbox.calibration())
        self.core = Core(settings, table, rotation, rest=rest)
        self.shadow = beside_if_it_loads(settings, table, rotation, rest)
        now_us, kept = clock.boot_us(), left.kept if left else {}
        self.evidence = Evidence(settings, table, self.core, self.ledger, outbox.boot)
        self.evidence.resume(now_us, kept.get("evidence", []), gone_us, outbox.calibration())
        absence = Absence(whereabouts(kept.get("place", {}), gone_us, now_us))
        self.trips = Trips(settings.trip, terms.load(settings, table), absence)
        self.health, self.systemd = Health(settings.health.period_s, now_us), Systemd()
        self.held = self._first_records(now_us, table.name, left) + self.evidence.recover(outbox.captured(), now_us)
        self.delivery = Delivery(Writer(outbox), uplink, link)
        clips = Path(settings.camera.folder or state_dir / "camera") / "clips"
        self.clerk = Clerk(Spool(state_dir), self.ledger, self.delivery, self._facts, clips)
        door = DeskSocket(state_dir)
        self.rack = open_rack(settings, table, (*self.delivery.filenos, door.fileno()))
        uplink.allowance.resume(now_us / 1e6, kept.get("sent", []), None if gone_us is None else gone_us / 1e6)
        self.upkeep = Upkeep(settings, now_us, kept.get("power", {}), open_film(settings, self.ledger, self.held))
        self.asking = open_asking(settings, table, self.rack, kept.get("asking", {}))
        self.counting = Counting(self.core, self.rack, self.delivery, self.asking, self.upkeep, self.evidence)
        self.timekeeper = Timekeeper(outbox.boot, self._receiver_utc)
        rooms = self._rooms(key, table, now_us)
        self.remembering = Remembering(rooms, now_us)
        books = Books(self.ledger, self.delivery, self.counting.signs)
        self.slots = SlotWatch(slot, settings, table, books, now_us)
        self.enquiries = Enquiries(door, rooms, state["challenge"], self.slots.reported, words)
        self.enquiries.known.is_mounted = rotation is not None or settings.imu.mounting == "vehicle"
        self.is_stopping, self._tend_us = False, 0

    def run(self) -> None:
        """Turn until told to stop; then close the account properly."""
        self.systemd.ready()
        while not (self.is_stopping or self.slots.wants_restart):
            self.turn()
        self.systemd.stopping(is_for_good=self.is_stopping)
        self._stop()

    def turn(self) -> None:
        """Once round: what the car said, what it means, what is kept, what is told."""
        batch = self._heard()
        now_us = clock.boot_us()
        for body in self.asking.turn(now_us, batch):
            self.held += self._trouble(body, now_us)
        if batch:
            self.enquiries.gauges.hear(batch)
        inputs = batch + tick(now_us)
        self.shadow.feed(inputs)
        for output in self.core.feed(inputs):
            self.held += self._meaning(output, now_us)
        if records := self.evidence.turn(now_us, self.held):
            self.held += records
            self.remembering.now(now_us)
        if self.held or self.evidence.pending or self.rack.is_woken or now_us >= self._tend_us:
            self._tend(now_us)
        self.health.turned(now_us)
        if batch:
            self.delivery.wait(GATHER_S)

    def _tend(self, now_us: int) -> None:
        """What is due, kept and told."""
        self._tend_us = now_us + TEND_US
        self.held += self._due(now_us) + self.enquiries.turn(now_us)
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
        moments = self.shadow.step(output, self.trips.step(output))
        records = [record for moment in moments for record in self._moment(moment, now_us)]
        match output:
            case Sample():
                records += self.account.sample(output)
                self._note(output, now_us)
            case Calibration():
                self.enquiries.known.is_mounted = True
                records += self.account.calibration(output, now_us)
            case Event():
                log.info("%s (%s) at %.1f s", output.name, output.severity, output.start_us / 1e6)
                self.upkeep.show(output, now_us, self.timekeeper.utc_us(now_us))
        return records

    def _moment(self, moment: Moment, now_us: int) -> list[Record]:
        """The records of a moment; a crash has evidence, a trip's end clears the journal."""
        if isinstance(moment, TripEnded):
            self.ledger.count(self.counting.frames(), self.evidence.losses)
            self.remembering.idle(now_us)
            log.info("trip of %.3f km ended: %s", moment.summary["distance_m"] / 1000, moment.summary["end_reason"])
        records = self.account.moment(moment, now_us)
        if isinstance(moment, EventFound):
            self.upkeep.film.found(moment.event, records[0].seq)
            records += self.evidence.found(moment.event, records[0].seq, now_us)
        return records

    def _note(self, sample: Sample, now_us: int) -> None:
        """A second went by: what may be asked, what runs, whether to sleep, what must survive a power cut."""
        self.asking.note(sample)
        self.enquiries.gauges.note(now_us, self.rack.counters())
        self.upkeep.note(sample, self.counting.heard(), is_queue_empty=not self.delivery.waiting)
        self.remembering.note(sample, now_us)

    def _trouble(self, body: dict[str, Any], now_us: int) -> list[Record]:
        """A trouble code or the lamp; that it was told is kept with it, so that nobody is told again."""
        self.remembering.now(now_us)
        log.info("%s", " ".join(str(body[name]) for name in ("dtc", "code", "kind", "ecu") if name in body))
        return self.ledger.number("dtc", now_us, {"trip": self.account.trip_seq, **body})

    def _rooms(self, key: Signer, table: vehicle.Table, now_us: int) -> Rooms:
        """What others gather something from."""
        return Rooms(
            settings=self.settings, boot=self.boot, device=key.device, vehicle=table.name, start_us=now_us,
            core=self.core, rack=self.rack, asking=self.asking, trips=self.trips, account=self.account,
            ledger=self.ledger, evidence=self.evidence, delivery=self.delivery, upkeep=self.upkeep,
            counting=self.counting, timekeeper=self.timekeeper,
        )  # fmt: skip

    def _due(self, now_us: int) -> list[Record]:
        """What the time of day asks for: clock, health, a seal."""
        records: list[Record] = []
        is_driving = self.account.is_driving
        if reading := self.timekeeper.turn(now_us):
            self.trips.date(self.timekeeper.dated)
            records += self.clerk.turn(now_us, reading) + self.slots.turn(now_us, is_driving=is_driving)
            records += self.bound.turn(self.ledger, now_us, self.asking.health(now_us), self.account.trip_seq)
            if body := self.timekeeper.due(reading, is_driving=is_driving):
                records += self.ledger.number("clock", now_us, body)
        if self.health.is_due(now_us, is_heard=self.delivery.uplink.state == "up"):
            body = self.health.body(now_us, self.counting.vitals(now_us)) | self.bound.health()
            self.enquiries.known.checked = body
            records += self.ledger.number("health", now_us, body)
        if self.ledger.due(now_us, is_parked=not is_driving):
            self.ledger.count(self.counting.frames(), self.evidence.losses)
            records.append(self.ledger.seal(now_us))
        return records

    def _facts(self, now_us: int) -> Facts:
        """What an install certificate says of this terminal."""
        return facts(self.enquiries.known, self.bound, now_us)

    def _receiver_utc(self) -> tuple[int, int, int] | None:
        """UTC beside boot time as a receiver told it, with the bound of its error."""
        told = getattr(self.rack.source("gnss"), "utc", None)
        return None if told is None else told()

    def _keep(self, now_us: int) -> None:
        """Hand records to the writer; what it has no room for is held, and nothing more is read meanwhile."""
        self.held += self.ledger.gaps(now_us, self.delivery.news())
        pending = self.evidence.pending
        journal = self.remembering.journal
        is_any = self.held or pending or journal is not None
        if is_any and self.delivery.writer.put(self.held, journal, pending):
            self.held, self.remembering.journal, self.evidence.pending = [], None, []

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
        for moment in self.shadow.finish(self.trips.finish(self.core.snapshot(now_us), "agent_stopped")):
            self.held += self._moment(moment, now_us)
        self.held += self.evidence.finish(now_us)
        self.ledger.count(self.counting.frames(), self.evidence.losses)
        self.held.append(self.ledger.seal(now_us))
        self.remembering.idle(now_us, is_clean=True)
        self._leave()
        self.enquiries.close()
        self.delivery.close()
        self.rack.close()
        self.upkeep.close()
        self.systemd.close()

    def _leave(self) -> None:
        """Until everything is on flash, and, for LEAVE_S at most, told: what is not goes at the next start."""
        until_s = time.monotonic() + LEAVE_S
        while True:
            now_us = clock.boot_us()
            self._keep(now_us)
            self._tell(now_us)
            if not self.held and (self.delivery.is_done or time.monotonic() > until_s):
                return
            self.delivery.wait(GATHER_S)
