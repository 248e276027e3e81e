"""What a terminal hears and is told while somebody waits for the doctor's verdict: every source the settings name.

Buses are opened whole, without the filters of the vehicle map, so that what else is there can be told. Where asking is
allowed, the car is asked for what its map wants and for its VIN, as the daemon would.
"""

import logging
import select
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import cast

from msgspec.structs import replace

from agent.asking.asking import Asking
from agent.asking.wants import wants_of
from agent.core import Core, Sample
from agent.doctor.fitting import Fitter
from agent.doctor.interview import Interview, signs_of
from agent.doctor.probe import shipped
from agent.errors import SettingsError
from agent.settings import Can, Settings
from agent.sources.hearing import Bus, Hearing, Text
from agent.sources.lines import make_lines
from agent.sources.openers import make_guard
from agent.sources.sources import open_rack
from agent.vehicle import Table
from agent.world import clock
from drivers.batch import tick
from drivers.bus.can import open_can
from drivers.bus.can_asker import CanAsker
from drivers.errors import DeviceError, DriverError
from drivers.source import Source

WAIT_S = 0.02
ASK_S = 15.0
"""Asking takes this long at least: a slow car, or an adapter that looks for its protocol."""


@dataclass(slots=True)
class Line:
    """A bus of the settings: opened, or why not."""

    can: Can
    source: Source | None = None
    asker: CanAsker | None = None
    missing: str = ""


@dataclass(slots=True)
class Gathered:
    """What was heard of the car. `missing`: sources that are not there; `adapters`: the state of each by its port."""

    seconds: float
    fitter: Fitter
    others: dict[str, Fitter]
    core: Core
    lines: list[Line] = field(default_factory=list)
    hearing: Hearing = field(default_factory=Hearing)
    samples: list[Sample] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    adapters: dict[str, str] = field(default_factory=dict)
    now_us: int = 0

    def take(self, batch: bytes) -> None:
        """One batch, to everybody."""
        self.now_us = clock.boot_us()
        self.hearing.take(batch)
        for fitter in (self.fitter, *self.others.values()):
            fitter.take(batch)
        outputs = self.core.feed(batch + tick(self.now_us))
        self.samples += [output for output in outputs if isinstance(output, Sample)]


class Gathering:
    """All sources, open. Use `gather`."""

    def __init__(self, settings: Settings, table: Table, stack: ExitStack, tell: Callable[[str], None]) -> None:
        self._settings, self._table, self._tell = settings, table, tell
        self.gathered = Gathered(0.0, Fitter(table), shipped(0), Core(settings, table))
        rest = replace(settings, can=())
        self._rack = open_rack(rest, table, ())
        stack.callback(self._rack.close)
        self._asking = Asking(make_lines(rest, table, self._rack, {}), self._rack)
        self.gathered.lines = [self._line(can, stack) for can in settings.can]

    def run(self, seconds: float) -> Gathered:
        """Listen, then ask."""
        gathered, begun_us = self.gathered, clock.boot_us()
        self._listen(seconds, f"listening for {seconds:.0f} s")
        if self._settings.elm:
            self._listen(ASK_S, "waiting for an adapter", until=self._are_told)
            self._listen(seconds, "asking through an adapter")
        for line in gathered.lines:
            if line.asker is not None and not line.missing:
                self._tell(f"asking on {line.can.channel}")
                self._ask(line, line.asker, max(ASK_S, seconds))
        self._note()
        gathered.seconds = (clock.boot_us() - begun_us) / 1e6
        return gathered

    def _listen(self, seconds: float, words: str, until: Callable[[], bool] = lambda: False) -> None:
        """For so long, or until it is so."""
        until_us = clock.boot_us() + round(seconds * 1e6)
        while clock.boot_us() < until_us and not until():
            self._tell(f"{words}, {self.gathered.hearing.inputs} inputs")
            self.read()

    def read(self, wait_s: float = WAIT_S) -> bytes:
        """What has come from anywhere within this time."""
        rest = self._rack.read(0.0)
        there = {line.source.fileno(): line for line in self.gathered.lines if line.source and not line.missing}
        batch = rest
        for fd in select.select(list(there), [], [], 0.0 if rest else wait_s)[0]:
            try:
                batch += cast("Source", there[fd].source).read()
            except DeviceError as why:
                there[fd].missing = str(why)
        self.gathered.take(batch)
        if self.gathered.samples:
            self._asking.note(self.gathered.samples[-1])
        for _ in self._asking.turn(self.gathered.now_us, rest):
            pass  # trouble codes are the daemon's to tell
        return batch

    def _line(self, can: Can, stack: ExitStack) -> Line:
        """A bus, opened whole: no identifier is filtered out."""
        may_ask = not can.listen_only and self._settings.obd.ask != "never"
        guard = make_guard(self._settings, self._table, can.number) if may_ask else None
        try:
            source = open_can(
                can.interface, can.channel, number=can.number, bitrate=can.bitrate or None, fd=can.fd,
                listen_only=not may_ask, options=can.options, guard=guard,
            )  # fmt: skip
        except DeviceError as why:
            return Line(can, missing=str(why))
        except DriverError as why:
            raise SettingsError(f"can: {why}") from None
        stack.callback(source.close)
        return Line(can, source, CanAsker(source.send, channel=can.number) if guard else None)

    def _ask(self, line: Line, asker: CanAsker, seconds: float) -> None:
        """Who are you, and what do you tell? The guard, and a silence with its reasons, decide what goes out."""
        gathered, obd = self.gathered, self._settings.obd
        bus = gathered.hearing.buses.setdefault(line.can.number, Bus())
        talk = Interview(
            asker,
            bus,
            self.read,
            wants=wants_of(self._table, line.can.number),
            signs=lambda: signs_of(gathered.core.snapshot(gathered.now_us)),
            obd=obd,
        )
        vin = talk.run(seconds).vin
        if vin:
            gathered.hearing.texts[Text("0902", vin)] = None

    def _are_told(self) -> bool:
        """Whether every adapter's car said who it is."""
        return all(any(what.startswith("0902") for what in line.diagnosis.identity) for line in self._asking.lines)

    def _note(self) -> None:
        """What became of the sources beside the buses."""
        gathered = self.gathered
        gathered.missing = self._rack.missing()
        for elm in self._settings.elm:
            gathered.adapters[elm.port] = str(getattr(self._rack.source(elm.port), "state", ""))
        for line in self._asking.lines:
            for what, words in line.diagnosis.identity.items():
                gathered.hearing.texts[Text(what[:4], words)] = None


def gather(settings: Settings, table: Table, seconds: float, tell: Callable[[str], None]) -> Gathered:
    """Listen to everything the settings name; then ask, where asking is allowed. SettingsError."""
    with ExitStack() as stack:
        for name in ("drivers.rack", "tbox"):  # what is missing is a check of its own
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        return Gathering(settings, table, stack, tell).run(seconds)
