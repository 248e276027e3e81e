"""What a run leaves to the next: the open trip, the account of driving and rest, whether it ended in order. Pure."""

from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from agent.codec import CodecError, decode, pack, unpack
from agent.setup import Rest
from agent.world.clock import Stamp

ROTATION_CELLS = 9
SQUARE = 1e-6
"""Off by no more are unit vectors at right angles that were written down."""

EVERY_US = 300_000_000
"""A parked car's account of rest is written down this often: what it rests longer is measured as time gone by."""


@dataclass(frozen=True, slots=True)
class Left:
    """What an earlier run left. `samples` and `trip_end` are bodies of records, None without an open trip."""

    boot: int
    stamp: Stamp
    rest: Rest
    is_clean: bool
    samples: dict[str, Any] | None = None
    trip_end: dict[str, Any] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    """What deciders want to know again: how the car is asked, its trouble codes, the battery's account."""

    def journal(self) -> bytes:
        """As it is kept on flash."""
        return pack(asdict(self))

    def power_cut(self, now: Stamp, rules: str) -> dict[str, Any]:
        """The event that this run did not end in order; on the same kernel boot its supply may have held."""
        gone_us = self.stamp.gone_us(now)
        nothing = dict.fromkeys(
            (
                "peak_mps2",
                "entry_mps",
                "exit_mps",
                "delta_v_mps",
                "delta_v_s",
                "lat_deg",
                "lon_deg",
                "direction",
                "rule",
            )
        )
        return {
            "event": "power_cut",
            "trip": self.trip_end["trip"] if self.trip_end else None,
            "rules": rules,
            "boot": self.boot,
            "start_us": self.stamp.boot_us,
            "end_us": self.stamp.boot_us,
            "severity": "low",
            "confidence": 0.5 if self.stamp.kernel == now.kernel else 1.0,
            "sources": ["vehicle"],
            "dv_clipped": False,
            "locked": False,
            "value": None if gone_us is None else round(gone_us / 1e6, 3),
            **nothing,
        }


def left_by(journal: bytes | None) -> Left | None:
    """What the journal says; None when it is empty or not ours."""
    if not journal:
        return None
    try:
        return msgspec.convert(unpack(journal), Left)
    except (CodecError, msgspec.ValidationError):
        return None


def rotation_of(record: bytes | None) -> tuple[float, ...] | None:
    """How the sensor was mounted by the newest calibration record (row-major, sensor to vehicle); None: not known.

    The core checks it against gravity at the first stand and solves anew when the box was moved.
    """
    try:
        body = decode(record).body if record else {}
        rotation = msgspec.convert(body.get("rotation"), tuple[float, ...])
    except (CodecError, msgspec.ValidationError):
        return None
    return rotation if len(rotation) == ROTATION_CELLS and is_rotation(rotation) else None


def is_rotation(cells: tuple[float, ...]) -> bool:
    """Whether the rows are unit vectors at right angles."""
    rows = [cells[i : i + 3] for i in (0, 3, 6)]
    dots = [sum(a * b for a, b in zip(rows[i], rows[j], strict=True)) - (i == j) for i in range(3) for j in range(3)]
    return all(abs(dot) < SQUARE for dot in dots)
