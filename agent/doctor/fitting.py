"""How well a vehicle map fits a bus: what of it was seen, in range, and whether the speed is a car's. Pure.

The map's table is asked frame by frame, and the core that judges drives reads the same frames beside it: what it would
reject (checksums, short frames) counts against the map.
"""

import struct
from dataclasses import dataclass, replace
from statistics import median

from agent._core import ffi, lib
from agent.core import Core, Sample
from agent.settings import defaults
from agent.vehicle import ANY_CHANNEL, NO_SIGNAL, Table
from drivers.batch import ERROR, FRAME, REMOTE, SIGNALS

_INPUT = struct.Struct("=qIBBBB64s")

CAR_MPS2, CAR_MPS = 15.0, 2.0
"""No car changes its speed faster, beside one step of a coarse signal."""

WILD_SHARE = 0.01
INVALID_SHARE = 0.05
NEAR_S = 2.0

ODOMETER_M = 2000.0
ODOMETER_SHARE = 0.15
"""Over so many metres speed and odometer agree to this."""

STEPS_MAX = 1000


@dataclass(slots=True)
class Heard:
    """One signal of the catalogue, as this map reads it; in the catalogue's unit."""

    name: str
    values: int = 0
    valid: int = 0
    first_us: int = 0
    last_us: int = 0
    last: float | None = None
    least: float = 0.0
    most: float = 0.0
    wild: int = 0
    steps_s: list[float] | None = None
    _changed_us: int = 0

    def take(self, t_us: int, value: float, *, is_valid: bool) -> None:
        """One decoded value."""
        self.values += 1
        if not is_valid:
            return
        if self.last is None:
            self.first_us, self.least, self.most = t_us, value, value
            self.steps_s = []
        elif value != self.last:
            self._step(t_us, value)
        self.valid += 1
        self.last, self.last_us = value, t_us
        self.least, self.most = min(self.least, value), max(self.most, value)

    @property
    def in_range(self) -> float:
        """Share of the values that can be used."""
        return self.valid / self.values if self.values else 0.0

    @property
    def refresh_s(self) -> float | None:
        """How often the value changes while it does, in the middle; None: it never changed."""
        return median(self.steps_s) if self.steps_s else None

    @property
    def rate_hz(self) -> float | None:
        """How often it comes; None: once at most."""
        return (self.valid - 1) * 1e6 / (self.last_us - self.first_us) if self.last_us > self.first_us else None

    def _step(self, t_us: int, value: float) -> None:
        """The value changed."""
        assert self.last is not None
        assert self.steps_s is not None
        since_s = (t_us - self.last_us) / 1e6
        self.wild += since_s <= NEAR_S and abs(value - self.last) > CAR_MPS2 * since_s + CAR_MPS
        if self._changed_us and len(self.steps_s) < STEPS_MAX:
            self.steps_s.append((t_us - self._changed_us) / 1e6)
        self._changed_us = t_us


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a map fits. `share` from 0 to 1: signals that gave values in range, of all the map has."""

    name: str
    messages_seen: int
    messages: int
    signals: tuple[Heard, ...]
    rejected: dict[str, int]
    decoded: int
    speed_doubt: str

    @property
    def share(self) -> float:
        """Signals heard and in range; frames that do not prove themselves lower it."""
        good = sum(heard.valid > 0 and heard.in_range >= 1 - INVALID_SHARE for heard in self.signals)
        bad = sum(self.rejected.values())
        proved = self.decoded / (self.decoded + bad) if self.decoded + bad else 0.0
        return good / len(self.signals) * proved if self.signals else 0.0

    @property
    def is_good(self) -> bool:
        """Whether a drive can be judged with it."""
        return not self.speed_doubt and self.share >= 0.5


class Fitter:
    """Reads a bus by one map. `take` batches, then `fit`."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._c = table.as_c(ffi)
        self._core = Core(defaults(), table)
        self._cuts = [cut for message in table.messages for cut in message.cuts]
        self._out = ffi.new("tbox_decoded_t[]", max((len(message.cuts) for message in table.messages), default=1))
        self._seen: set[int] = set()
        named = dict.fromkeys(cut.signal for cut in self._cuts if cut.signal != NO_SIGNAL)
        self._heard = {signal: Heard(SIGNALS[signal]) for signal in sorted(named)}
        self._way_m: list[tuple[float, float]] = []

    def take(self, batch: bytes) -> None:
        """Frames, and whatever else came; only frames count."""
        for output in self._core.feed(batch):
            if isinstance(output, Sample):
                self._note(output)
        for t_us, identifier, kind, channel, length, flags, body in _INPUT.iter_unpack(batch):
            if kind == FRAME and not flags & (ERROR | REMOTE):
                self._frame(t_us, channel, identifier, body[:length])

    def fit(self) -> Fit:
        """What was found up to now."""
        counters = self._core.counters()
        rejected = {reason: counters["rejected"][reason] for reason in ("short", "checksum", "counter")}
        return Fit(
            name=self.table.name,
            messages_seen=len(self._seen),
            messages=len(self.table.messages),
            signals=tuple(self._heard.values()),
            rejected={reason: count for reason, count in rejected.items() if count},
            decoded=counters["decoded"],
            speed_doubt=self._doubt(),
        )

    def _frame(self, t_us: int, channel: int, identifier: int, data: bytes) -> None:
        message = lib.tbox_table_find(self._c.table, channel, identifier)
        if message < 0:
            return
        found = lib.tbox_table_decode(self._c.table, message, data, len(data), self._out, len(self._out))
        if found >= 0:
            self._seen.add(message)
        for told in self._out[0 : max(found, 0)]:
            signal = self._cuts[told.cut].signal
            if signal != NO_SIGNAL:
                self._heard[signal].take(t_us, told.value, is_valid=bool(told.valid))

    def _note(self, sample: Sample) -> None:
        """Driven by speed and by the odometer, at the first and the last second that has both."""
        odometer_m = sample.value("odometer")
        if odometer_m is not None:
            self._way_m = [*self._way_m[:1], (sample.distance_m, odometer_m)]

    def _doubt(self) -> str:
        """What is wrong with the speed; empty: nothing that shows."""
        speed = next((heard for heard in self._heard.values() if heard.name == "speed"), None)
        if speed is None:
            return "the map has no speed"
        if not speed.values:
            return "no frame carried the speed"
        if speed.in_range < 1 - INVALID_SHARE:
            return f"{100 * (1 - speed.in_range):.0f} % of the speeds are out of range"
        if speed.wild > max(1.0, WILD_SHARE * speed.valid):
            return f"the speed jumps as no car does ({speed.wild} of {speed.valid} values)"
        return self._odometer_doubt()

    def _odometer_doubt(self) -> str:
        """Speed against odometer, where the way is long enough."""
        if len(self._way_m) < 2:
            return ""
        (driven_from_m, odometer_from_m), (driven_m, odometer_m) = self._way_m
        by_speed_m, by_odometer_m = driven_m - driven_from_m, odometer_m - odometer_from_m
        if max(by_speed_m, by_odometer_m) < ODOMETER_M:
            return ""
        if abs(by_speed_m - by_odometer_m) <= ODOMETER_SHARE * max(by_speed_m, by_odometer_m):
            return ""
        return f"{by_speed_m / 1000:.1f} km by speed, but {by_odometer_m / 1000:.1f} km by the odometer"


def on_channel(table: Table, channel: int) -> Table:
    """The table as if its one bus were this one; that of a car with several buses as it is."""
    if len({message.channel for message in table.messages} - {ANY_CHANNEL}) != 1:
        return table
    messages = (
        message if message.channel == ANY_CHANNEL else replace(message, channel=channel) for message in table.messages
    )
    return replace(table, messages=tuple(sorted(messages, key=lambda message: (message.channel, message.id))))


def best(fits: list[Fit]) -> Fit | None:
    """The map that fits best, if one does: the greater share, then the greater count of values."""
    good = [fit for fit in fits if fit.is_good]
    return max(good, key=lambda fit: (fit.share, sum(heard.valid for heard in fit.signals)), default=None)
