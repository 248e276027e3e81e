"""The running agent and its slot: whether it proved itself, whether another one is in force now, what is told of it.

An agent never changes its settings while it runs: it ends in order and starts anew (agent/start.py).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.codec import Record
from agent.errors import StorageError
from agent.settings import Settings, settings_id
from agent.slots import slot_files, slots
from agent.slots.slot_files import Slot
from agent.slots.slots import State
from agent.slots.trial import Signs, Trial, has_broadcast
from agent.vehicle import Table

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger
    from agent.uplink.delivery import Delivery

log = logging.getLogger("tbox")


@dataclass(frozen=True, slots=True)
class Books:
    """Where it is told, when that is on flash, and what was counted."""

    ledger: "Ledger"
    delivery: "Delivery"
    signs: Callable[[], Signs]


class SlotWatch:
    """Once a second `turn`; what it returns must be kept. `slot` is what this process runs on; None: no bundle."""

    def __init__(self, slot: Slot | None, settings: Settings, table: Table, books: Books, now_us: int) -> None:
        self._running = slot.content if slot else None
        self._books, self._settings_id = books, settings_id(settings)
        self._state_dir = Path(settings.device.state_dir)
        self._trial: Trial | None = None
        if slot is not None and slot.is_trial:
            needs_link, is_heard = slot.content.linked, has_broadcast(table)
            self._trial = Trial(settings.flash, now_us, has_broadcast=is_heard, needs_link=needs_link)
        self._stamp = (0, 0)
        self._state = State()
        self._seq: int | None = None
        self.wants_restart = False

    def turn(self, now_us: int, *, is_driving: bool) -> list[Record]:
        """A second went by. A change that the platform ordered waits for the end of the drive."""
        try:
            self._look()
            if self._state.content != self._running:
                self.wants_restart = not (is_driving and self._is_patient())
                return []
            if self._trial is not None and self._state.is_trial:
                self._judge(self._trial, now_us)
                return []
            return self._tell(now_us)
        except StorageError as why:
            log.warning("%s", why)
            return []

    def reported(self) -> dict[str, object]:
        """For `config/reported`: read back from what runs."""
        return slots.reported(self._state, self._running, self._settings_id)

    def _look(self) -> None:
        stamp = slot_files.stamp(self._state_dir)
        if stamp != self._stamp:
            self._stamp = stamp
            self._state = slot_files.read(self._state_dir)

    def _is_patient(self) -> bool:
        content = self._state.content
        return content is not None and content.how == "mqtt" and self._state.is_trial

    def _judge(self, trial: Trial, now_us: int) -> None:
        """Proved, failed, or not known yet."""
        verdict = trial.step(now_us, self._books.signs())
        if verdict is None:
            return
        if verdict:
            log.warning("this configuration is taken back: %s", verdict)
        else:
            log.info("this configuration has proved itself")
        self._change(lambda state: slots.revert(state, verdict) if verdict else slots.confirm(state))

    def _tell(self, now_us: int) -> list[Record]:
        """The news as a `config` record; that it was told is noted once it is on flash."""
        news = self._state.news
        if news is None or news.is_told:
            return []
        if self._seq is None:
            records = self._books.ledger.number("config", now_us, self.reported())
            self._seq = records[-1].seq
            return records
        if self._books.delivery.synced_upto >= self._seq:
            self._seq = None
            self._change(slots.told)
        return []

    def _change(self, step: Callable[[State], State]) -> None:
        """One step, unless somebody was quicker."""
        running = self._running
        self._state = slot_files.change(
            self._state_dir, lambda state: step(state) if state.content == running else state
        )
