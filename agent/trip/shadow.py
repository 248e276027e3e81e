"""Candidate rules beside the active ones, in a core of their own: what they would have told, and nothing else.

The candidate's core takes the same batches, has no ring, and is asked for its events alone: price, score, evidence,
lights and the active rules know nothing of it. What differs (contrast.py) is told when it is sure:

    trip_end.shadow    {rules, differences: {event: {only_active | only_candidate | severity: count}}}; there without
                       any difference too, so that drives in the shadow can be counted
    config record      {trip, shadow: {rules, active, differences: [...], more}}: each difference by itself,
                       ENTRIES_MAX in one; `more` were left out

It is a `config` record because the candidate is part of a configuration and this says how it does: the fleet decides by
it what is switched on. An `event` is what is priced, so a difference must never be one; a `health` record has a form of
its own and the newest replaces the others, which would lose these. When the store is full, config records go before
events and trips. `trip` is there where it belongs to one, and is erased with it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from agent.core import Core, Event, Output, Sample
from agent.errors import SettingsError
from agent.settings import Ring, Settings, rules_id
from agent.settings.file import Layer, from_file, read, with_release
from agent.settings.rules import Detect
from agent.setup import Rest
from agent.trip.contrast import Differed, contrast, counted
from agent.trip.trip import Moment, TripEnded, TripStarted
from agent.vehicle import Table

PENDING_MAX = 256
"""So many events wait for a partner at most; then what is there is compared."""

WAIT_US = 600_000_000
"""Where nobody drives, an event waits this long for its partner."""

END_US = 2**63 - 1
"""After everything."""


def load(path: Path, settings: Settings) -> Detect:
    """The rules of a file of nothing but [detect.*] tables, else as in these settings. SettingsError."""
    said = from_file(path)
    if odd := sorted(said.data.keys() - {"detect"}):
        raise SettingsError(
            f"{said.place((odd[0],))}: candidate rules are [detect.*] and nothing else; take the rest out"
        )
    active = Layer("the active rules", {"detect": msgspec.to_builtins(settings.detect)})
    return read(None, between=(active, replace(said, data=with_release(said.data)))).settings.detect


class Shadow:
    """Feed it each batch before the active core takes that, then each of the active core's outputs, in order."""

    def __init__(
        self,
        detect: Detect,
        settings: Settings,
        table: Table,
        *,
        rotation: tuple[float, ...] | None = None,
        rest: tuple[Rest, int | None] | None = None,
    ) -> None:
        """`detect`: the candidate rules; the rest is what the active core was made with."""
        self._rules, self._active = rules_id(detect), rules_id(settings.detect)
        chosen = msgspec.structs.replace(settings, detect=detect, ring=Ring(before_s=0.0))
        self._core = Core(chosen, table, rotation, rest=rest)
        self._told: list[Event] = []
        self._candidates: list[Event] = []
        self._start_us: int | None = None
        self._trip: int | None = None
        self._counts: Counter[tuple[str, str]] = Counter()

    def feed(self, batch: bytes) -> None:
        """The same inputs, before the active core takes them."""
        self._candidates += [one for one in self._core.feed(batch) if isinstance(one, Event)]

    def step(self, output: Output, moments: list[Moment]) -> list[Moment]:
        """An output of the active core and what it meant: the same, with what differed before the trip's end."""
        if isinstance(output, Event):
            self._told.append(output)
        moments = [told for moment in moments for told in self._moment(moment, output.at_us)]
        if isinstance(output, Sample) and (self._told or self._candidates) and self._is_due(output.at_us):
            moments += self._differed(output.at_us)
        return moments

    def finish(self, moments: list[Moment]) -> list[Moment]:
        """The active core has finished, and this is what it meant: nothing waits any more."""
        self._candidates += [one for one in self._core.finish() if isinstance(one, Event)]
        return [*(told for moment in moments for told in self._moment(moment, END_US)), *self._differed(END_US)]

    def _moment(self, moment: Moment, at_us: int) -> Iterator[Moment]:
        """A trip's end carries what differed in it."""
        if isinstance(moment, TripStarted):
            self._trip, self._start_us = moment.trip, moment.start_us
        if isinstance(moment, TripEnded):
            yield from self._differed(at_us)
            shadow = {"rules": self._rules, "differences": counted(self._counts)}
            moment = replace(moment, summary={**moment.summary, "shadow": shadow})
            self._trip = self._start_us = None
            self._counts.clear()
        yield moment

    def _is_due(self, at_us: int) -> bool:
        """Whether to compare before a trip ends: too many wait, or nobody drives and one waited long enough."""
        waiting_us = [one.at_us for one in (*self._told, *self._candidates) if one.at_us < at_us]
        is_old = self._trip is None and min(waiting_us, default=at_us) < at_us - WAIT_US
        return is_old or len(waiting_us) > PENDING_MAX

    def _differed(self, before_us: int) -> Iterator[Differed]:
        """Compare what was told before this time. That is whole in both: each tells in the order of time."""
        differences = contrast(*(_cut(events, before_us) for events in (self._told, self._candidates)))
        since_us = END_US if self._start_us is None else self._start_us
        inside = tuple(one for one in differences if one.event.start_us >= since_us)
        outside = tuple(one for one in differences if one.event.start_us < since_us)
        self._counts.update((one.event.name, one.kind) for one in inside)
        for trip, found in ((None, outside), (self._trip, inside)):
            if found:
                yield Differed(trip, self._rules, self._active, found)


def _cut(events: list[Event], before_us: int) -> list[Event]:
    """Take those out that were told before this time."""
    taken = [one for one in events if one.at_us < before_us]
    del events[: len(taken)]
    return taken
