"""A car that crashes, with all that a terminal does of it but wait: core, ledger, evidence, store, turn by turn."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from agent.capture.capture import Row
from agent.capture.ring import Entry, entries
from agent.codec import Record
from agent.core import Core, Event
from agent.evidence.evidence import Evidence
from agent.ledger.ledger import Tail
from agent.settings import Settings
from agent.settings.file import load
from agent.vehicle import Table
from drivers import batch
from tests.accounts import ledger
from tests.pulses import HIT_S, Struck
from tests.road import G, value

SETTINGS = load(None, ["imu.mounting=vehicle", "ring.frames_per_s=600"])
TABLE = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
START_S, END_S = -30.0, HIT_S + 21.0
BLOW_S = HIT_S
TURN_US = 20_000
SHIFT_US = 100_000_000
"""Times of the drive are moved by so much, so that all are positive."""

BLOW_US = round(BLOW_S * 1e6) + SHIFT_US

Force = Callable[[float], tuple[float, float, float]]


def _us(at_s: float) -> int:
    return round(at_s * 1e6) + SHIFT_US


class Driven(Protocol):
    """Whatever comes in of a drive, each with its time."""

    def inputs(self) -> Iterator[tuple[int, bytes]]:
        """In order."""


@dataclass(frozen=True)
class Drive:
    """What a sensor feels, on vehicle axes, and how fast the wheels turn."""

    force: Force
    speed: Callable[[float], float]

    def inputs(self) -> Iterator[tuple[int, bytes]]:
        """In order: the sensor at 100 Hz, 200 frames/s, speed and more at 10 Hz, a place each second."""
        for n in range(round((END_S - START_S) * 200)):
            at_s = START_S + n / 200
            now_us = _us(at_s)
            yield now_us, batch.frame(now_us, n % 2, 0x100 + n % 7, n.to_bytes(8, "little")[: 3 + n % 6])
            if n % 2 == 0:
                x, y, z = self.force(at_s)
                yield now_us, batch.imu(now_us, [x, y, z + G, 0.0, 0.0, 0.0])
            if n % 20 == 0:
                braking = BLOW_S - 2 <= at_s < BLOW_S
                for name, number in (("speed", self.speed(at_s)), ("rpm", 2000.0), ("brake", float(braking))):
                    yield now_us, value(now_us / 1e6, name, number)
            if n % 200 == 0:
                place = (-1.0 - at_s * 1e-4, -1.0 + math.sin(at_s / 20) * 1e-3, 15.0, 180.0, 0.8, 9.0)
                yield now_us, batch.fix(now_us, place, valid=True)


def struck() -> Drive:
    """A measured pulse from the front, at 57 km/h."""
    hit = Struck("camry", 0.0)
    return Drive(hit.force, hit.speed)


def jolted() -> Drive:
    """A knock of 3 g for 30 ms that nothing confirms; it drives on."""

    def force(at_s: float) -> tuple[float, float, float]:
        return (-3 * G if BLOW_S <= at_s < BLOW_S + 0.03 else 0.25 * math.sin(2 * at_s), 0.0, 0.0)

    return Drive(force, lambda _: 15.0)


@cache
def inputs_of(drive: Callable[[], Driven]) -> tuple[tuple[int, bytes], ...]:
    """Its inputs, made once."""
    return tuple(drive().inputs())


class Terminal:
    """Feeds a drive to a core and keeps what evidence says, record by record and row by row."""

    def __init__(
        self, drive: Callable[[], Driven] = struck, settings: Settings = SETTINGS, tail: Tail | None = None
    ) -> None:
        self.settings = settings
        self.book = ledger(tail=tail)
        self.core = Core(settings, TABLE)
        self.evidence = Evidence(settings, TABLE, self.core, self.book, 1)
        self.records: list[Record] = self.book.start(0, {"software": "tbox test"}) if tail is None else []
        self.rows: dict[int, bytes] = {}
        self.events: list[tuple[Event, int]] = []
        self._inputs = inputs_of(drive)
        self._at = 0

    def drive(
        self, until_us: int = _us(END_S), each: Callable[[int], None] = lambda _: None, turn_us: int = TURN_US
    ) -> None:
        """Turn after turn; `each` sees the time after every one, once all of it is kept."""
        now_us = self._inputs[self._at][0] if self._at < len(self._inputs) else until_us
        while now_us < until_us:
            now_us += turn_us
            first = self._at
            while self._at < len(self._inputs) and self._inputs[self._at][0] <= now_us:
                self._at += 1
            self.turn(b"".join(put for _, put in self._inputs[first : self._at]), now_us)
            each(now_us)

    def turn(self, came: bytes, now_us: int) -> None:
        """Once round."""
        for output in self.core.feed(came + batch.tick(now_us)):
            if isinstance(output, Event):
                self.found(output, now_us)
        self.keep(self.evidence.turn(now_us, self.records[-1:]))

    def found(self, event: Event, now_us: int) -> None:
        """An event, numbered."""
        (record,) = self.book.number("event", now_us, {"event": event.name})
        self.events.append((event, record.seq))
        self.keep([record, *self.evidence.found(event, record.seq, now_us)])

    def keep(self, records: Sequence[Record]) -> None:
        """As the store does, in one go."""
        self.records += records
        for changes in self.evidence.pending:
            self.rows = {} if changes.is_cleared else self.rows
            self.rows |= dict(changes.rows)
            for key in changes.gone:
                self.rows.pop(key, None)
        self.evidence.pending = []

    def left(self) -> list[Row]:
        """What a power cut would leave of the rows now."""
        return sorted(self.rows.items())


def came_in(drive: Callable[[], Driven], from_us: int, upto_us: int) -> list[Entry]:
    """What the ring should hold of this time."""
    return list(entries(ring_of(drive, from_us, upto_us)))


def ring_of(drive: Callable[[], Driven], from_us: int, upto_us: int) -> bytes:
    """The same as the ring has it."""
    core = Core(load(None, ["ring.before_s=120", "ring.frames_per_s=2000"]), TABLE)
    core.feed(b"".join(put for t_us, put in inputs_of(drive) if from_us <= t_us <= upto_us))
    return core.freeze(1 << 24)
