"""What is asked of the account beside the drive: the driver's requests, one at a time, and how long trips stay here.

A request is read, looked up in the store by the writer, numbered, and answered once its records are on flash; only then
its file goes, so a restart begins it again.
"""

from collections.abc import Callable
from pathlib import Path

from agent.codec import Record
from agent.ledger.ledger import Ledger
from agent.outbox import erasure, retention
from agent.rights.requests import Answer, Contest, Erase, Request
from agent.rights.spool import Spool
from agent.uplink.delivery import Delivery
from agent.world.clock import Reading
from agent.yard import install
from agent.yard.install import Facts, Install, RefusedError

RETAIN_EVERY_US = 600_000_000
"""So often some of what is too old gives its bytes back."""


class Clerk:
    """Once a second `turn`; what it returns must be kept."""

    def __init__(
        self, spool: Spool, ledger: Ledger, delivery: Delivery, facts: Callable[[int], Facts], clips: Path
    ) -> None:
        """`facts`: what this terminal knows of itself at a boot time, for a certificate; `clips`: the camera's."""
        self._clips = clips
        self._spool, self._ledger, self._delivery, self._facts = spool, ledger, delivery, facts
        self._asked: tuple[str, Request] | None = None
        self._upto: int | None = None
        self._retain_us = 0

    def turn(self, now_us: int, reading: Reading) -> list[Record]:
        """A second went by: go on with the request at hand, or look for one."""
        self._retain(now_us, reading)
        if self._asked is None:
            self._look()
            return []
        if self._upto is not None:
            if self._delivery.synced_upto >= self._upto:
                self._finish()
            return []
        found = self._delivery.found(self._asked[0])
        return [] if found is None else self._decide(*self._asked, found, now_us)

    def _look(self) -> None:
        """Take up the oldest request; the writer looks up what it is about."""
        self._asked = self._spool.next()
        match self._asked:
            case (name, Contest(event)):
                self._delivery.ask(name, lambda store: erasure.contested(store, event, name))
            case (name, Erase(trip)):
                self._delivery.ask(name, lambda store: erasure.of_trip(store, trip))
            case (name, Install()):
                self._delivery.ask(name, lambda store: install.asked(store, name))

    def _decide(self, name: str, request: Request, found: object, now_us: int) -> list[Record]:
        """Number what it makes, or say why not."""
        records: list[Record] = []
        if isinstance(request, Contest) and found == erasure.FREE:
            body = {"command": "contest", "event": request.event, "text": request.text, "request": name}
            records = [*self._ledger.number("command", now_us, body), self._ledger.seal(now_us)]
        elif isinstance(request, Install) and found == install.FREE:
            return self._certify(name, request, now_us)
        elif isinstance(found, list):
            erasure.forget_clips(self._clips, found)
            records = self._ledger.gaps(now_us, found)
        elif found == erasure.NOTED:
            self._finish()
        else:
            self._answer(is_done=False, text=str(found))
        self._upto = records[-1].seq if records else None
        return records

    def _certify(self, name: str, said: Install, now_us: int) -> list[Record]:
        """The `install` record and its seal; none where the car says another thing than the technician."""
        try:
            body = install.body_of(said, self._facts(now_us), name)
        except RefusedError as why:
            self._answer(is_done=False, text=str(why))
            return []
        records = [*self._ledger.number("install", now_us, body), self._ledger.seal(now_us)]
        self._upto = records[-1].seq
        return records

    def _finish(self) -> None:
        """It is on flash."""
        assert self._asked is not None
        match self._asked[1]:
            case Contest(event):
                self._answer(is_done=True, text=f"your note stands in the account, beside event {event}")
            case Erase(trip):
                self._delivery.uplink.reread()
                self._answer(is_done=True, text=f"trip {trip} is erased here; what was sent before is elsewhere")
            case Install():
                self._answer(is_done=True, text="the installation stands in the account, sealed by this terminal")

    def _answer(self, *, is_done: bool, text: str) -> None:
        assert self._asked is not None
        self._spool.answer(self._asked[0], Answer(is_done, text))
        self._asked = self._upto = None

    def _retain(self, now_us: int, reading: Reading) -> None:
        """What is too old gives its bytes back, where somebody vouches for the time of day."""
        keep_us = self._ledger.blur.rule.keep_days * retention.DAY_US
        if not keep_us or reading.u_us is None or now_us < self._retain_us:
            return
        self._retain_us = now_us + RETAIN_EVERY_US
        before_us = reading.utc_us - keep_us
        self._delivery.ask("", lambda store: retention.give_back(store, before_us))
