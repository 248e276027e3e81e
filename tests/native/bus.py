"""A bus like a modern car's, made from a seed: 60 identifiers at their own cycle times, 7 signals a frame, 2,400 frames/s.

Both byte orders, signed and unsigned, 1 to 16 bits wide, packed without gaps. 15 signals feed the catalogue and follow a
drive with harsh braking, cornering and a stand; the other 405 change in every frame.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from agent.maps import compile  # noqa: A004 - the room's name
from agent.vehicle import Message, Table
from drivers import batch
from tests.road import AT_15, Road, cruise, us

SEED = 3
CYCLES_MS = (*[10] * 10, *[20] * 20, *[50] * 10, *[100] * 14, *[200] * 3, *[1000] * 3)
WIDTHS = (
    (16, 12, 10, 8, 8, 4, 2),
    (16, 16, 8, 8, 4, 4, 1),
    (12, 12, 12, 12, 8, 4, 2),
    (8,) * 7,
    (16, 16, 8, 4, 2, 1, 1),
)
JITTER_US = 300
DRIVE = Road([*AT_15, (3, -4, 0), *cruise(10), (2, 2, 0), (3, 0, 4.2), (5, 1, 0), (8, -2.0, 0), (6, 0, 0)])


@dataclass(frozen=True)
class Signal:
    """A signal of the DBC. `first` counts bits from the frame's first one, in its byte order."""

    name: str
    first: int
    bits: int
    is_big: bool
    is_signed: bool
    scale: float
    offset: float
    unit: str

    def line(self) -> str:
        """It as the DBC says it."""
        start = self.first // 8 * 8 + 7 - self.first % 8 if self.is_big else self.first
        kind = f"{start}|{self.bits}@{int(not self.is_big)}{'+-'[self.is_signed]}"
        return f' SG_ {self.name} : {kind} ({self.scale:.10g},{self.offset:.10g}) [0|0] "{self.unit}" X'

    def raw(self, value: float) -> int:
        """The bits that stand for a value, as near as they can."""
        number = round((value - self.offset) / self.scale)
        low, high = (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.is_signed else (0, (1 << self.bits) - 1)
        return min(max(number, low), high) & ((1 << self.bits) - 1)


@dataclass(frozen=True)
class Frame:
    """A message of the DBC and how often it is sent."""

    id: int
    cycle_us: int
    signals: list[Signal]

    @property
    def name(self) -> str:
        """It in the DBC."""
        return f"M{self.id:03X}"


@dataclass(frozen=True)
class Feed:
    """A catalogue signal of the bus: in which message (by cycle, then order), how it is coded, what it says by time."""

    message: int
    bits: int
    is_signed: bool
    scale: float
    offset: float
    unit: str
    at: Callable[[float], float]


def _felt(axis: int) -> Callable[[float], float]:
    return lambda at: (DRIVE.at(at)[1], DRIVE.at(at)[2], 9.80665)[axis] + 0.05 * math.sin(at * (31 + axis))


def _yaw(at: float) -> float:
    speed, _, left = DRIVE.at(at)
    return left / speed if speed > 1 else 0.0


FEEDS: dict[str, Feed] = {
    "accel_x": Feed(13, 12, True, 0.02, 0, "m/s2", _felt(0)),
    "accel_y": Feed(13, 12, True, 0.02, 0, "m/s2", _felt(1)),
    "accel_z": Feed(13, 12, True, 0.02, 0, "m/s2", _felt(2)),
    "gyro_z": Feed(14, 16, True, 0.0002, 0, "rad/s", _yaw),
    "rpm": Feed(2, 16, False, 0.25, 0, "rpm", lambda at: 800 + DRIVE.at(at)[0] * 90),
    "throttle": Feed(2, 8, False, 0.4, 0, "%", lambda at: max(0.0, 15 * DRIVE.at(at)[1])),
    "speed": Feed(10, 16, False, 0.01, 0, "km/h", lambda at: DRIVE.at(at)[0] * 3.6),
    "yaw_rate": Feed(11, 12, True, 0.001, 0, "rad/s", _yaw),
    "brake": Feed(12, 1, False, 1, 0, "", lambda at: float(DRIVE.at(at)[1] < -0.5)),
    "load": Feed(30, 8, False, 0.4, 0, "%", lambda _: 30.0),
    "ignition": Feed(40, 1, False, 1, 0, "", lambda _: 1.0),
    "coolant": Feed(40, 8, False, 1, -40, "degC", lambda _: 88.0),
    "battery": Feed(41, 8, False, 0.1, 0, "V", lambda _: 14.1),
    "fuel": Feed(54, 8, False, 0.4, 0, "%", lambda _: 61.0),
    "odometer": Feed(57, 16, False, 10, 0, "m", lambda _: 123450.0),
}
"""In the order they lie in their messages."""


def messages() -> list[Frame]:
    """The bus; always the same."""
    luck = Random(SEED)
    ids = luck.sample(range(0x080, 0x6F0), len(CYCLES_MS))
    return [Frame(ids[at], cycle * 1000, _signals(luck, at)) for at, cycle in enumerate(CYCLES_MS)]


def _signals(luck: Random, at: int) -> list[Signal]:
    feeds = [(name, feed) for name, feed in FEEDS.items() if feed.message == at]
    fit = [list(widths) for widths in WIDTHS if _holds(list(widths), [feed.bits for _, feed in feeds])]
    widths, is_big, first, made = luck.choice(fit), luck.random() < 0.5, 0, []
    luck.shuffle(widths)
    for place, bits in enumerate(widths):
        fed = next((pair for pair in feeds if pair[1].bits == bits), None)
        if fed:
            feeds.remove(fed)
            name, feed = fed
            made.append(Signal(name, first, bits, is_big, feed.is_signed, feed.scale, feed.offset, feed.unit))
        else:
            scale, offset = luck.choice([1, 0.5, 0.1, 0.01]), luck.choice([0, 0, -40])
            made.append(
                Signal(f"s{at}_{place}", first, bits, is_big, bits > 4 and luck.random() < 0.3, scale, offset, "")
            )
        first += bits
    return made


def _holds(widths: list[int], wanted: list[int]) -> bool:
    for bits in wanted:
        if bits not in widths:
            return False
        widths.remove(bits)
    return True


def dbc() -> str:
    """It as a DBC."""
    rows = ['VERSION ""', "BS_:", "BU_: X"]
    for frame in messages():
        rows += [f"BO_ {frame.id} {frame.name}: 8 X", *(signal.line() for signal in frame.signals), ""]
    return "\n".join(rows) + "\n"


def write_map(folder: Path) -> Path:
    """DBC and vehicle map of what a terminal listens to; where the map is."""
    (folder / "bus.dbc").write_text(dbc())
    rows = ['[vehicle]\nname = "Modern"\n[[source]]\nchannel = 0\ndbc = "bus.dbc"']
    at = messages()
    rows += [f'[signal.{name}]\nmessage = "{at[feed.message].name}"\nsignal = "{name}"' for name, feed in FEEDS.items()]
    path = folder / "bus.toml"
    path.write_text("\n".join(rows) + "\n")
    return path


def tables(folder: Path) -> tuple[Table, Table]:
    """The table of every signal, and that of a terminal; the catalogue is fed alike by both."""
    mapped = compile.compile_map(write_map(folder))
    every = compile.compile_dbc(folder / "bus.dbc")
    fed = {message.id: message for message in mapped.messages}
    return replace(every, messages=tuple(_joined(message, fed.get(message.id)) for message in every.messages)), mapped


def _joined(message: Message, fed: Message | None) -> Message:
    cuts = {cut.name: cut for cut in fed.cuts} if fed else {}
    return replace(message, channel=0, cuts=tuple(cuts.get(cut.name, cut) for cut in message.cuts))


Timed = tuple[int, int, bytes]
"""Time in us, identifier, data."""


def traffic(seconds: float) -> list[Timed]:
    """What is on the bus, in order of time."""
    luck = Random(SEED + 1)
    rows = [row for frame in messages() for row in _sent(luck, frame, seconds)]
    return sorted(rows)


def _sent(luck: Random, frame: Frame, seconds: float) -> Iterator[Timed]:
    fed = [signal for signal in frame.signals if signal.name in FEEDS]
    is_big = frame.signals[0].is_big
    begin_us = luck.randrange(frame.cycle_us)
    for due_us in range(begin_us, us(seconds), frame.cycle_us):
        t_us = due_us + luck.randrange(JITTER_US)
        word = luck.getrandbits(64)
        for signal in fed:
            shift = 64 - signal.first - signal.bits if is_big else signal.first
            word &= ~(((1 << signal.bits) - 1) << shift)
            word |= signal.raw(FEEDS[signal.name].at(t_us / 1e6 % DRIVE.seconds)) << shift
        yield t_us, frame.id, word.to_bytes(8, "big" if is_big else "little")


def packed(rows: list[Timed]) -> bytes:
    """Frames as inputs."""
    return b"".join(batch.frame(t_us, 0, identifier, data) for t_us, identifier, data in rows)


def candump(rows: list[Timed], times: int, start_s: int = 1_700_000_000) -> Iterator[str]:
    """The same, again and again, as candump's log."""
    span_us = us(DRIVE.seconds)
    tails = [(t_us, f") can0 {identifier:03X}#{data.hex().upper()}\n") for t_us, identifier, data in rows]
    for turn in range(times):
        offset_us = start_s * 1_000_000 + turn * span_us
        yield "".join([f"({(at := offset_us + t_us) // 1000000}.{at % 1000000:06d}{tail}" for t_us, tail in tails])
