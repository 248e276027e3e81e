"""A clerk with a real store and writer, a link that takes nothing unless it is told to, and the time in one's hand."""

import select
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

from agent.codec import Record
from agent.ledger.ledger import Ledger
from agent.ledger.privacy import Blur
from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.outbox.writer import Writer
from agent.rights.clerk import Clerk
from agent.rights.requests import Answer, Request
from agent.rights.spool import Spool, fetch, put
from agent.settings import Uplink as UplinkSettings
from agent.settings.privacy import Privacy
from agent.uplink.delivery import Delivery
from agent.uplink.uplink import Uplink
from agent.world.clock import Reading
from agent.yard.install import Facts
from tests.accounts import IDENTITY, KEY
from tests.test_delivery import FakeLink

WAIT_S = 30.0


class Office:
    """What the loop does for the clerk, a second a turn."""

    def __init__(self, folder: Path, keep_days: int = 0) -> None:
        self.folder, self.now_us, self.facts = folder, 0, Facts("tbox 0.1.0", "5e77195", "Test")
        outbox = Outbox.open(folder / STORE_NAME, 64_000_000, "a")
        rule = Blur(Privacy(keep_days=keep_days))
        self.book = Ledger(KEY, outbox.boot, outbox.tail(), IDENTITY, blur=rule)
        stored = outbox.tail().next_seq - 1
        uplink = Uplink(
            UplinkSettings(window=4, ack_s=3600),
            stored_upto=stored,
            rng=Random(1),
            delivered_upto=outbox.delivered_upto,
        )
        self.link = FakeLink()
        self.delivery = Delivery(Writer(outbox), uplink, cast("Any", self.link))
        self.clerk = Clerk(Spool(folder), self.book, self.delivery, lambda _: self.facts, folder / "clips")
        self.utc_us: int | None = None
        self.made: list[Record] = []

    def keep(self, records: list[Record]) -> None:
        """These are numbered: on flash with them."""
        assert not records or self.delivery.writer.put(records)
        self.until(lambda: not records or self.delivery.synced_upto >= records[-1].seq)

    def turn(self) -> None:
        """A second."""
        self.now_us += 1_000_000
        reading = Reading(self.now_us, self.utc_us or 0, None if self.utc_us is None else 1000, "ntp")
        records = self.clerk.turn(self.now_us, reading)
        self.made += records
        if records:
            assert self.delivery.writer.put(records)
        losses = self.delivery.news()
        assert losses == []
        self.delivery.tell(self.now_us / 1e6)

    def until(self, condition: Callable[[], bool]) -> None:
        """Turn until it is so."""
        give_up_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < give_up_s
            self.turn()
            select.select([self.delivery.writer.fileno()], [], [], 0.01)

    def ask(self, request: Request) -> Answer:
        """Put the request, turn until it is answered."""
        name, answers = put(self.folder, request), list[Answer]()
        self.until(lambda: answers.extend(filter(None, [fetch(self.folder, name)])) or bool(answers))
        return answers[0]

    def close(self) -> None:
        """Everything on flash."""
        assert self.delivery.writer.close()
