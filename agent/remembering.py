"""The journal: what of all rooms must survive a power cut (agent/trip/resume.py), gathered when it is due."""

from typing import Any

from agent.core import Sample
from agent.rooms import Rooms
from agent.setup import Rest
from agent.trip.resume import EVERY_US, Left
from agent.world import clock


class Remembering:
    """`journal` is what waits to be put on flash; None: what is there is good enough."""

    def __init__(self, rooms: Rooms, now_us: int) -> None:
        self._rooms, self._rule = rooms, rooms.settings.samples
        self._at_us = 0
        self.journal: bytes | None = None
        self.idle(now_us)

    def note(self, sample: Sample, now_us: int) -> None:
        """A second went by: every `samples.journal_s` what must survive; of a car without a trip seldom."""
        rooms = self._rooms
        if rooms.upkeep.wanted is not None or rooms.asking.is_unsaved():
            self.journal = self._left(rooms.trips.interim(sample, "power_cut"), sample.rest)
        if now_us - self._at_us < self._rule.journal_s * 1e6:
            return
        interim = rooms.trips.interim(sample, "power_cut")
        if interim is not None or now_us - self._at_us >= EVERY_US:
            self.journal, self._at_us = self._left(interim, sample.rest), now_us

    def now(self, now_us: int) -> None:
        """Not waiting for a second to end."""
        snapshot = self._rooms.core.snapshot(now_us)
        self.journal = self._left(self._rooms.trips.interim(snapshot, "power_cut"), snapshot.rest)

    def idle(self, now_us: int, *, is_clean: bool = False) -> None:
        """No trip is open. `is_clean`: this run ends in order."""
        self.journal = self._left(None, self._rooms.core.snapshot(now_us).rest, is_clean=is_clean)

    def _left(self, interim: dict[str, Any] | None, rest: Rest, *, is_clean: bool = False) -> bytes:
        """The journal as of now."""
        rooms, now_us = self._rooms, clock.boot_us()
        kept = {
            "asking": rooms.asking.state(),
            "power": rooms.upkeep.kept(),
            "sent": rooms.delivery.uplink.allowance.kept(now_us / 1e6),
            "evidence": rooms.evidence.allowance.kept(now_us),
            "place": rooms.ledger.blur.kept(rooms.trips.absence.kept(self._rule.journal_s)),
        }
        return rooms.account.left(interim, Left(rooms.boot, clock.stamp(), rest, is_clean, kept=kept)).journal()
