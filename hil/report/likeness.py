"""Do two ways through the agent, `tbox run` and `tbox replay`, tell the same of one input? Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from hil.outcome import EventFound, Outcome, TripFound
from hil.scenes.scenario_table import ExpectTable

ALIKE = ("kind", "direction", "severity", "rule", "is_locked", "sources")
"""What of an event is the same, whatever its stamps."""
ONE_WAY = "is told one way only"
NOBODY = EventFound(kind="", start_s=0.0, end_s=0.0)


@dataclass(frozen=True, slots=True)
class Slack:
    """How far two tellings may lie apart: moments of events and of trips, ways as a share and beside it, sizes."""

    moment_s: float
    trip_s: float
    way_share: float
    way_m: float
    size: float
    sizes: tuple[str, ...]


EXACT = Slack(2e-6, 2e-6, 0.0, 0.0011, 0.0011, ("peak_mps2", "delta_v_mps", "value"))
"""Recorded stamps pass through whole; `tbox replay` rounds to 0.001."""
SAMPLE_S = 1.0


def slack(expect: ExpectTable, place: str) -> Slack:
    """Where each frame gets its own stamp from the kernel, only nearly the same can be asked for.

    A trip may begin with a sample, and samples stand at whole seconds of an axis that begins somewhere else. A machine
    that is late makes the way longer.
    """
    if place == "process":
        return EXACT
    return Slack(expect.tolerance_s, expect.tolerance_s + SAMPLE_S, 0.1, 2.0, 0.5, ("peak_mps2",))


def differences(expect: ExpectTable, outcome: Outcome) -> Iterator[str]:
    """What is told otherwise, in sentences: events, trips, and what became of the frames."""
    other = outcome.other
    assert other is not None, "ask only where there is one"
    most = slack(expect, outcome.place)
    pairs = zip_longest(_in_order(outcome.events), _in_order(other.events))
    for number, (event, its) in enumerate(pairs):
        for why in _event(event, its, most):
            named = event or its or NOBODY
            yield f"event {number}, {named.kind} at {named.start_s:.2f} s: {why}"
    for number, (trip, its_trip) in enumerate(zip_longest(outcome.trips, other.trips)):
        is_last = number == len(outcome.trips) - 1
        for why in _trip(trip, its_trip, most, is_last=is_last):
            yield f"trip {number}: {why}"
    if most is EXACT and outcome.counters != other.counters:
        yield f"frames: {outcome.counters}, the other way {other.counters}"


def _in_order(events: Sequence[EventFound]) -> list[EventFound]:
    """A rule that waits longer tells later of what began before."""
    return sorted(events, key=lambda event: (event.start_s, event.kind))


def _event(one: EventFound | None, two: EventFound | None, most: Slack) -> Iterator[str]:
    if one is None or two is None:
        yield ONE_WAY
        return
    for name in ALIKE:
        if getattr(one, name) != getattr(two, name):
            yield f"{name} {getattr(one, name)}, the other way {getattr(two, name)}"
    yield from _moments(one, two, most.moment_s)
    for name in most.sizes:
        yield from _number(name, getattr(one, name), getattr(two, name), most.size)


def _trip(one: TripFound | None, two: TripFound | None, most: Slack, *, is_last: bool) -> Iterator[str]:
    """The last one's reason is its own: there the input ends for one, and the terminal is stopped for the other."""
    if one is None or two is None:
        yield ONE_WAY
        return
    yield from _moments(one, two, most.trip_s)
    yield from _number("distance_m", one.distance_m, two.distance_m, most.way_share * two.distance_m + most.way_m)
    if one.end_reason != two.end_reason and not is_last:
        yield f"ended {one.end_reason}, the other way {two.end_reason}"


def _moments(one: EventFound | TripFound, two: EventFound | TripFound, most_s: float) -> Iterator[str]:
    yield from _number("start_s", one.start_s, two.start_s, most_s)
    yield from _number("end_s", one.end_s, two.end_s, most_s)


def _number(name: str, one: float | None, two: float | None, most: float) -> Iterator[str]:
    """Nearly the same, or known to neither."""
    if (one is None) != (two is None) or (one is not None and two is not None and abs(one - two) > most):
        yield f"{name} {one}, the other way {two}"
