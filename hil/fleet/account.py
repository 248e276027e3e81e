"""What a virtual terminal has to tell: drives one after the other, numbered, chained and sealed with its own key. Pure.

A drive is DRIVE_MIN minutes: its start, a chunk of samples a minute, now and then an event, health and clock, and its
end, which is sealed. Samples are in the columns a terminal sends, of a few ways that terminals share: encoding them
anew for each would be the generator's whole time.
"""

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from agent.codec import Record
from agent.columns import encode_columns
from agent.ledger.key import DeviceKey
from agent.ledger.ledger import Identity, Ledger, Tail
from agent.trip.account import RESOLUTION

DRIVE_MIN = 20
MINUTE_US = 60_000_000
START_US = 1_000_000
DEGREE_M = 111_320.0
"""A degree of latitude."""
UTC_US = 1_800_000_000_000_000
EVENTS = ("harsh_braking", "harsh_acceleration", "harsh_cornering", "idling")
ROWS = 60


class Minute(NamedTuple):
    """What a car was like: a body of columns, how far it came, and where it is at the end."""

    columns: dict[str, Any]
    distance_m: float
    lat_deg: float
    lon_deg: float


class Way:
    """A car on its way, somewhere between standing and 120 km/h; a minute of it is encoded when first asked for."""

    def __init__(self, random: Random) -> None:
        self._random, self._minutes = random, list[Minute]()
        self._speed, self._course = random.uniform(0, 30), random.uniform(0, math.tau)
        self._lat, self._lon, self._coolant = random.uniform(30, 50), random.uniform(90, 120), random.uniform(70, 95)

    def minute(self, number: int) -> Minute:
        """The one that begins so many minutes after START_US."""
        while len(self._minutes) <= number:
            self._minutes.append(self._next())
        return self._minutes[number]

    def _next(self) -> Minute:
        rows = [self._row() for _ in range(ROWS)]
        names = ("speed", "rpm", "throttle", "coolant", "lat", "lon")
        told = dict(zip(names, zip(*rows, strict=True), strict=True))
        known = {name: column for name, column in told.items() if name in RESOLUTION}
        columns = encode_columns(START_US + len(self._minutes) * MINUTE_US, 1_000_000, known, RESOLUTION)
        return Minute(columns, sum(told["speed"]), self._lat, self._lon)

    def _row(self) -> tuple[float, ...]:
        """A second later."""
        self._speed = speed = min(max(self._speed + self._random.gauss(0, 0.5), 0), 33)
        self._course += self._random.gauss(0, 0.03)
        self._lat += speed * math.cos(self._course) / DEGREE_M
        self._lon += speed * math.sin(self._course) / (DEGREE_M * math.cos(math.radians(self._lat)))
        return speed, 800 + 70 * speed, 10 + speed, self._coolant, self._lat, self._lon


def pool(count: int, seed: int) -> list[Way]:
    """`count` ways for a fleet to share."""
    return [Way(Random(f"{seed} way {number}")) for number in range(count)]  # noqa: S311  (no secret)


class VirtualAccount:
    """One terminal's ledger, and the drives in it."""

    def __init__(self, number: int, seed: int, ways: Sequence[Way]) -> None:
        """`number`: which terminal of the fleet; the same seed gives the same key and the same account."""
        self._random = Random(f"{seed} terminal {number}")  # noqa: S311  (keys of nobody)
        self.key = DeviceKey(self._random.randbytes(32))
        self._ledger = Ledger(self.key, 1, Tail(), Identity("tbox fleet", "virtual"))
        self._way = ways[number % len(ways)]
        self._t_us = START_US
        self._told = self._tell()
        self.made, self.head = 0, b""

    def next(self) -> Record:
        """The next record."""
        record = next(self._told)
        self.made, self.head = self.made + 1, record.hash
        return record

    def _tell(self) -> Iterator[Record]:
        body = {"software": "tbox fleet", "vehicle": "virtual", "is_clean": True, "recorded": False}
        yield from self._ledger.start(self._t_us, body)
        while True:
            yield from self._drive()

    def _drive(self) -> Iterator[Record]:
        number, random, begin_us = self._ledger.number, self._random, self._t_us
        (start,) = number("trip_start", begin_us, {"start_us": begin_us})
        trip, distance_m, counts = start.seq, 0.0, dict[str, int]()
        yield from [start, *number("clock", self._t_us, self._clock())]
        for minute in range(DRIVE_MIN):
            driven = self._way.minute((self._t_us - START_US) // MINUTE_US)
            self._t_us += MINUTE_US
            distance_m += driven.distance_m
            yield from number("samples", self._t_us, {"trip": trip, **driven.columns})
            if random.random() < 0.2:
                kind = random.choice(EVENTS)
                counts[kind] = counts.get(kind, 0) + 1
                yield from number("event", self._t_us, self._event(kind, trip, driven))
            if minute % 5 == 4:
                yield from number("health", self._t_us, {"queued": 0, "uptime_us": self._t_us})
            if self._ledger.due(self._t_us):
                yield self._ledger.seal(self._t_us)
        end = {"start_us": begin_us, "end_us": self._t_us, "distance_m": round(distance_m, 1), "end_reason": "stopped"}
        yield from number("trip_end", self._t_us, {"trip": trip, "events": counts, **end})

    def _clock(self) -> dict[str, Any]:
        return {"boot": 1, "boot_us": self._t_us, "utc_us": UTC_US + self._t_us, "u_us": 1000, "source": "gnss"}

    def _event(self, kind: str, trip: int, driven: Minute) -> dict[str, Any]:
        at_us, size = self._t_us - 3_000_000, round(self._random.uniform(3, 6), 3)
        where = {"lat_deg": round(driven.lat_deg, 6), "lon_deg": round(driven.lon_deg, 6)}
        return {
            "event": kind, "trip": trip, "start_us": at_us, "end_us": at_us + 800_000, "peak_mps2": size,
            "severity": "low", "confidence": 0.9, "sources": ["speed"], **where,
        }  # fmt: skip
