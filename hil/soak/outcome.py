"""What came of a soak, wherever it ran: the same shape from every place, as JSON too; and its statistics. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from hil.outcome import Account

WARM_S = 30.0
"""So long memory may grow: caches fill, the first trip opens, the ring before a crash is touched once."""
WARM_SHARE = 0.3
"""Of a shorter soak this share."""
LINE_S = 30.0
"""A shorter stretch has no line: the ring before a crash is still filling."""
APART_US = 400_000
"""An event ends within this of the frame that ended it; the next such frame is a second away."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is asked for: seconds, frames a second on each of the two buses, frames a system call."""

    place: str
    lasts_s: float
    rate: int
    batch: int


class Bus(Struct, frozen=True, kw_only=True):
    """One bus: frames the flood sent, frames the terminal says it received, and those it says the kernel dropped."""

    name: str
    kind: str
    sent: int
    received: int
    dropped: int


class Look(Struct, frozen=True, array_like=True):
    """One look at the running terminal. Frames: sent so far, both buses. Waiting: records not yet delivered."""

    time_s: float
    resident_mib: float
    anonymous_mib: float
    waiting: int
    frames: int


class Timed(Struct, frozen=True, array_like=True):
    """One event: when its last frame was handed to the bus, how long until it was on flash and at the subscriber.

    None: the store was not seen with it.
    """

    time_s: float
    flash_ms: float | None
    broker_ms: float


class SoakOutcome(Struct, frozen=True, kw_only=True):
    """All that is judged and shown. `counters`: the conserved ones that the last seal signs."""

    plan: Plan
    took_s: float
    flooded_s: float = 0.0
    late_s: float = 0.0
    """The flood stood still for so long because the machine was late."""
    refused: int = 0
    """System calls of the flood that the kernel did not take."""
    is_cut_short: bool = False
    buses: tuple[Bus, ...] = ()
    counters: dict[str, int] = {}
    looks: tuple[Look, ...] = ()
    closed_s: tuple[float, ...] = ()
    """When the flood ended an event."""
    timed: tuple[Timed, ...] = ()
    cpu_share: float | None = None
    turn_ms: float = 0.0
    """The longest turn of the terminal's loop, once it is warm: for so long nothing was read."""
    account: Account | None = None
    exit_codes: tuple[int, ...] = ()
    trouble: str = ""
    log: str = ""

    def write(self, path: Path) -> None:
        """As JSON, whole or not at all."""
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(self))
        part.replace(path)

    @property
    def warm_s(self) -> float:
        """When the terminal counts as warm."""
        return min(WARM_S, WARM_SHARE * self.flooded_s)

    @property
    def warm_looks(self) -> tuple[Look, ...]:
        """Looks since then."""
        return tuple(look for look in self.looks if look.time_s >= self.warm_s)

    @property
    def warm_timed(self) -> tuple[Timed, ...]:
        """Events since then."""
        return tuple(one for one in self.timed if one.time_s >= self.warm_s)


def read(path: Path) -> SoakOutcome:
    """What `write` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=SoakOutcome)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The least-squares line's rise for one unit across; 0 where there is none."""
    if len(points) < 2:
        return 0.0
    mid_x, mid_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    wide = sum((x - mid_x) ** 2 for x, _ in points)
    return sum((x - mid_x) * (y - mid_y) for x, y in points) / wide if wide else 0.0


def later_rise(points: Sequence[tuple[float, float]]) -> tuple[float, bool]:
    """What the later half of it rises along its line, and whether it is long enough to have one."""
    later = points[len(points) // 2 :]
    if not later:
        return 0.0, False
    lasts_s = later[-1][0] - later[0][0]
    return slope(later) * lasts_s, lasts_s >= LINE_S


def quantile(values: Iterable[float], share: float) -> float:
    """The value that this share of them does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def ended_by(end_us: int, closed_us: Sequence[int]) -> int | None:
    """Of the times, in order, at which events were ended on the bus, the one that ended this event; None: none did."""
    at = bisect_left(closed_us, end_us)
    near = [one for one in closed_us[max(0, at - 1) : at + 1] if abs(one - end_us) <= APART_US]
    return min(near, key=lambda one: abs(one - end_us), default=None)
