"""What a virtual terminal has to tell: drives one after the other, numbered, chained and sealed with its own key. Pure.

A drive is DRIVE_MIN minutes: its start, a chunk of samples a minute, now and then an event, health and clock, and its
end, which is sealed. Samples are a minute of a virtual drive each, out of a pool that all terminals share, in the
columns a terminal sends: encoding them anew for each would be the generator's whole time.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from agent.account import RESOLUTION
from agent.codec import Record
from agent.columns import encode_columns
from agent.key import DeviceKey
from agent.ledger import Identity, Ledger, Tail

DRIVE_MIN = 20
MINUTE_US = 60_000_000
UTC_US = 1_800_000_000_000_000
EVENTS = ("harsh_braking", "harsh_acceleration", "harsh_cornering", "idling")
ROWS = 60


def pool(count: int, seed: int) -> list[dict[str, Any]]:
    """`count` minutes of sample columns: speed, engine, position and what goes with them, as a walk."""
    seeds = (f"{seed} minute {number}" for number in range(count))
    return [_minute(Random(one)) for one in seeds]  # noqa: S311  (no secret)


def _minute(random: Random) -> dict[str, Any]:
    """Sixty rows of a car that is somewhere between standing and 120 km/h."""
    speed, rows = random.uniform(0, 30), []
    lat, lon, coolant = random.uniform(30, 50), random.uniform(90, 120), random.uniform(70, 95)
    for _ in range(ROWS):
        speed = min(max(speed + random.gauss(0, 0.5), 0), 33)
        lat, lon = lat + speed * 6e-6, lon + speed * 4e-6
        rows.append((speed, 800 + 70 * speed, 10 + speed, coolant, lat, lon))
    names = ("speed", "rpm", "throttle", "coolant", "lat", "lon")
    known = {name: column for name, column in zip(names, zip(*rows, strict=True), strict=True) if name in RESOLUTION}
    return encode_columns(0, 1_000_000, known, RESOLUTION)


class VirtualAccount:
    """One terminal's ledger, and the drives in it."""

    def __init__(self, number: int, seed: int, minutes: Sequence[dict[str, Any]]) -> None:
        """`number`: which terminal of the fleet; the same seed gives the same key and the same account."""
        self._random = Random(f"{seed} terminal {number}")  # noqa: S311  (keys of nobody)
        self.key = DeviceKey(self._random.randbytes(32))
        self._ledger = Ledger(self.key, 1, Tail(), Identity("tbox fleet", "virtual"))
        self._minutes = minutes
        self._t_us = 1_000_000
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
            self._t_us += MINUTE_US
            distance_m += random.uniform(200, 1500)
            yield from number("samples", self._t_us, {"trip": trip, **random.choice(self._minutes)})
            if random.random() < 0.2:
                kind = random.choice(EVENTS)
                counts[kind] = counts.get(kind, 0) + 1
                yield from number("event", self._t_us, self._event(kind, trip))
            if minute % 5 == 4:
                yield from number("health", self._t_us, {"queued": 0, "uptime_us": self._t_us})
            if self._ledger.due(self._t_us):
                yield self._ledger.seal(self._t_us)
        end = {"start_us": begin_us, "end_us": self._t_us, "distance_m": round(distance_m, 1), "end_reason": "stopped"}
        yield from number("trip_end", self._t_us, {"trip": trip, "events": counts, **end})

    def _clock(self) -> dict[str, Any]:
        return {"boot": 1, "boot_us": self._t_us, "utc_us": UTC_US + self._t_us, "u_us": 1000, "source": "gnss"}

    def _event(self, kind: str, trip: int) -> dict[str, Any]:
        at_us, size = self._t_us - 3_000_000, round(self._random.uniform(3, 6), 3)
        where = {"lat_deg": round(self._random.uniform(30, 50), 6), "lon_deg": round(self._random.uniform(90, 120), 6)}
        return {
            "event": kind, "trip": trip, "start_us": at_us, "end_us": at_us + 800_000, "peak_mps2": size,
            "severity": "low", "confidence": 0.9, "sources": ["speed"], **where,
        }  # fmt: skip
