"""What checking an account found: a report, and each thing in it that does not hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

RANGES_MAX = 10


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not hold, and at which record (None: at none that could be read)."""

    seq: int | None
    kind: str
    problem: str

    def __str__(self) -> str:
        if self.seq is None:
            return self.problem
        return f"seq {self.seq} ({self.kind}): {self.problem}" if self.kind else f"seq {self.seq}: {self.problem}"


@dataclass(slots=True)
class Report:
    """What was found. `notes` are facts a reader should know that are no fault.

    `keys`: those of the device, each with its id and the first seq it may seal. `fleet`: whose certificate holds, for
    which name, since when. `confirmed`: what the platform signed to have stored, and when.
    """

    device: str = ""
    key: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    fleet: dict[str, Any] | None = None
    confirmed: dict[str, Any] | None = None
    records: int = 0
    first: int = 0
    last: int = 0
    boots: list[int] = field(default_factory=list)
    seals: int = 0
    sealed_upto: int = -1
    unsealed: int = 0
    duplicates: int = 0
    elsewhere: int = 0
    dropped: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything that could be checked holds."""
        return not self.problems


def told(counts: Mapping[Any, Any]) -> str:
    """Counts by kind in words: "2 event, 1 seal"."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items(), key=str)) or "nothing"


def ranges(seqs: Iterable[int]) -> str:
    """Numbers in words: "seq 3, 7..9"."""
    runs: list[list[int]] = []
    for seq in sorted(seqs):
        if runs and runs[-1][1] == seq - 1:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    shown = [f"{first}" if first == last else f"{first}..{last}" for first, last in runs[:RANGES_MAX]]
    return f"seq {', '.join(shown)}" + (f" and {len(runs) - RANGES_MAX} more" if len(runs) > RANGES_MAX else "")
