"""Events of two sets of rules over the same inputs: which the other set does not tell, which it judges otherwise. Pure.

Two events are one when they are of a kind and their windows overlap; each has one partner at most. Events come in the
order of the time at which they were told (`at_us`), each set's for itself: how the inputs were cut into batches
changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.core import Event

ONLY_ACTIVE, ONLY_CANDIDATE, SEVERITY = "only_active", "only_candidate", "severity"

ENTRIES_MAX = 64
"""Told one by one in a record, at most: 12 KB."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An event that only one of the sets tells, or that both tell with different severity."""

    active: Event | None
    candidate: Event | None

    @property
    def kind(self) -> str:
        """ONLY_ACTIVE, ONLY_CANDIDATE or SEVERITY."""
        if self.active is None:
            return ONLY_CANDIDATE
        return ONLY_ACTIVE if self.candidate is None else SEVERITY

    @property
    def event(self) -> Event:
        """The active one where there is one."""
        told = self.active or self.candidate
        assert told is not None
        return told

    def body(self) -> dict[str, Any]:
        """An entry of a record; severities are None where that set told nothing."""
        told = self.event
        return {
            "difference": self.kind,
            "event": told.name,
            "start_us": told.start_us,
            "end_us": told.end_us,
            "active": self.active and self.active.severity,
            "candidate": self.candidate and self.candidate.severity,
            "peak_mps2": None if told.peak_mps2 is None else round(told.peak_mps2, 3),
            "value": None if told.value is None else round(told.value, 3),
        }


@dataclass(frozen=True, slots=True)
class Differed:
    """What differed, of one trip (its index) or of none; `rules` and `active`: ids of the two sets."""

    trip: int | None
    rules: str
    active: str
    differences: tuple[Difference, ...]

    def body(self) -> dict[str, Any]:
        """For a record: ENTRIES_MAX of them, and how many more there were."""
        entries = [one.body() for one in self.differences[:ENTRIES_MAX]]
        more = len(self.differences) - len(entries)
        return {"rules": self.rules, "active": self.active, "differences": entries, "more": more}


def contrast(active: Iterable[Event], candidate: Iterable[Event]) -> list[Difference]:
    """All differences, by their start."""
    ours, theirs = _by_kind(active), _by_kind(candidate)
    found = [
        Difference(*pair)
        for name in ours.keys() | theirs.keys()
        for pair in _pairs(ours.get(name, []), theirs.get(name, []))
        if pair[0] is None or pair[1] is None or pair[0].severity != pair[1].severity
    ]
    return sorted(found, key=lambda one: (one.event.start_us, one.event.name, one.kind))


def counted(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """How many by the event's name, then by kind of difference; what is 0 is left out."""
    told: dict[str, dict[str, int]] = {}
    for (name, kind), count in sorted(counts.items()):
        told.setdefault(name, {})[kind] = count
    return told


def _by_kind(events: Iterable[Event]) -> Mapping[str, Sequence[Event]]:
    kinds: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda one: (one.start_us, one.end_us)):
        kinds.setdefault(event.name, []).append(event)
    return kinds


def _pairs(ours: Sequence[Event], theirs: Sequence[Event]) -> Iterator[tuple[Event | None, Event | None]]:
    """Both in order: the first two that overlap are one, else the one that is over first stands alone."""
    mine = other = 0
    while mine < len(ours) and other < len(theirs):
        a, b = ours[mine], theirs[other]
        does_overlap = a.start_us <= b.end_us and b.start_us <= a.end_us
        is_first = a.end_us < b.end_us
        yield (a if does_overlap or is_first else None, b if does_overlap or not is_first else None)
        mine += does_overlap or is_first
        other += does_overlap or not is_first
    yield from ((a, None) for a in ours[mine:])
    yield from ((None, b) for b in theirs[other:])
