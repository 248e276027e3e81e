"""From samples and events to drives: when one began, what happened in it, when and why it ended. Pure.

A trip begins when the engine runs or speed reaches 5 km/h, is numbered once it has gone 5 m (backdated), and ends when
nothing has moved for 300 s with the engine off or unknown (DETECTION, "Trips"; the numbers are settings). Times are
microseconds of the samples' axis.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from agent.core import Calibration, Event, Output, Sample
from agent.settings import Trip as TripRule
from agent.trip.absence import Absence
from agent.trip.contrast import Differed
from agent.trip.odometer import Odometer
from agent.trip.pricing import Pricing
from agent.trip.terms import Terms
from agent.world.hours import Dated, Hours

AT_ONCE = ("crash", "impact", "rollover", "parked_impact", "tow", "unplugged")
"""Events that do not wait to learn whether their trip will be one."""


@dataclass(frozen=True, slots=True)
class TripStarted:
    """A trip was numbered; `start_us` lies before."""

    trip: int
    start_us: int


@dataclass(frozen=True, slots=True)
class EventFound:
    """An event, and the trip it belongs to, if any."""

    event: Event
    trip: int | None


@dataclass(frozen=True, slots=True)
class TripEnded:
    """A trip is over: what an insurer prices on, keys as in DESIGN 6 with times in microseconds."""

    trip: int
    summary: dict[str, Any]


Moment = TripStarted | EventFound | TripEnded | Differed


@dataclass(slots=True)
class _Open:
    """A drive that has begun; numbered once it has gone far enough."""

    start_us: int
    base: Sample
    pricing: Pricing
    trip: int | None = None
    held: list[Event] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    max_speed_mps: float = 0.0
    engine_known: bool = False
    odometer_m: tuple[float, float] | None = None


class Trips:
    """Feed it the core's outputs in order; it says what they mean."""

    def __init__(self, rule: TripRule, terms: Terms | None = None, absence: Absence | None = None) -> None:
        self._rule, self._terms = rule, terms or Terms()
        self._hours = Hours(self._terms.timezone)
        self._odometer = Odometer()
        self.absence = absence or Absence()
        self._dated: Dated | None = None
        self._next = 0
        self._open: _Open | None = None
        self._last: Sample | None = None
        self._rest: Sample | None = None

    def date(self, dated: Dated | None) -> None:
        """From now on this makes the samples' time UTC; None: nobody knows."""
        self._dated = dated

    def step(self, output: Output) -> list[Moment]:
        """One output of the core; what it means for the drive."""
        if isinstance(output, Event):
            return self._event(output)
        if isinstance(output, Calibration):
            return []
        back = self.absence.step(output)
        moments: list[Moment] = [] if back is None else [EventFound(back, None)]
        moments += self._sample(output)
        if _stands(output, self._last):
            self._rest = output
        self._last = output
        return moments

    def finish(self, end: Sample, reason: str) -> list[Moment]:
        """Nothing more will come after `end`: the open trip ends for this reason."""
        moments = self._sample(end)
        if self._open is not None:
            moments += self._end(end, reason)
        return moments

    @property
    def trip(self) -> int | None:
        """The index of the open trip, once it is numbered."""
        return None if self._open is None else self._open.trip

    def interim(self, now: Sample, reason: str) -> dict[str, Any] | None:
        """The summary of the open, numbered trip as if it ended now for this reason; None when there is none."""
        if self._open is None or self._open.trip is None:
            return None
        return self._summary(self._open, now, reason)

    def _event(self, event: Event) -> list[Moment]:
        if event.name == "unplugged":
            self.absence.unplugged()
        if self._open is None:
            return [EventFound(event, None)]
        if self._open.trip is None and event.name not in AT_ONCE:
            self._open.held.append(event)
            return []
        moments: list[Moment] = [self._found(self._open, event)]
        if event.name == "unplugged" and self._last is not None:
            moments += self._end(self._last, "unplugged")
        return moments

    def _found(self, drive: _Open, event: Event) -> EventFound:
        inside = drive.trip is not None and event.start_us >= drive.start_us
        if inside:
            drive.counts[event.name] = drive.counts.get(event.name, 0) + 1
            drive.pricing.event(event)
        return EventFound(event, drive.trip if inside else None)

    def _sample(self, sample: Sample) -> list[Moment]:
        if self._open is None:
            self._open = self._begun(sample)
        self._odometer.step(sample)
        if self._open is None:
            return []
        _note(self._open, sample)
        self._open.pricing.second(sample, self._dated)
        moments: list[Moment] = []
        if self._open.trip is None and sample.distance_m - self._open.base.distance_m >= self._rule.min_distance_m:
            moments = self._number(self._open)
        if self._open.trip is None and sample.engine == "off" and _stands(sample, self._last):
            return self._drop()
        return moments + self._end(sample, "stopped") if self._is_over(sample) else moments

    def _begun(self, sample: Sample) -> _Open | None:
        """The drive that begins with this sample, if one does."""
        speed_mps = sample.max_speed_mps or 0.0
        base = self._rest or _beginning(sample)
        if speed_mps >= self._rule.start_mps:
            since_us = sample.at_us - (sample.moving_us - base.moving_us)
            motion_us = since_us if sample.motion_last_us is None else sample.motion_last_us
            return self._opened(min(since_us, motion_us), base)
        if sample.engine == "on":
            base = self._last or base
            return self._opened(min(sample.at_us, max(base.at_us, sample.at_us - 1_000_000)), base)
        return None

    def _opened(self, start_us: int, base: Sample) -> _Open:
        return _Open(start_us, base, Pricing(self._terms, self._hours, base))

    def _number(self, drive: _Open) -> list[Moment]:
        """It has gone far enough: a trip. What happened since its begin belongs to it."""
        drive.trip, self._next = self._next, self._next + 1
        held, drive.held = drive.held, []
        return [TripStarted(drive.trip, drive.start_us), *(self._found(drive, event) for event in held)]

    def _drop(self) -> list[Moment]:
        """It was no trip; its events stand alone."""
        assert self._open is not None
        held, self._open = self._open.held, None
        return [EventFound(event, None) for event in held]

    def _is_over(self, sample: Sample) -> bool:
        """Nothing moved for long enough and the engine does not run."""
        assert self._open is not None
        if sample.engine == "on":
            return False
        since_us = sample.motion_last_us or self._open.start_us
        if sample.engine == "unknown":
            since_us = max(since_us, sample.engine_last_us or since_us)
        return sample.at_us - since_us >= round(self._rule.end_s * 1e6)

    def _end(self, sample: Sample, reason: str) -> list[Moment]:
        drive = self._open
        assert drive is not None
        if drive.trip is None:
            return self._drop()
        self._open, self._rest = None, sample
        return [TripEnded(drive.trip, self._summary(drive, sample, reason))]

    def _summary(self, drive: _Open, now: Sample, reason: str) -> dict[str, Any]:
        base, limit_us = drive.base, now.limit_known_us - drive.base.limit_known_us
        moved_us = [t for t in (now.motion_last_us, now.engine_last_us) if t is not None and t >= drive.start_us]
        summary = {
            "start_us": drive.start_us,
            "end_us": max(moved_us, default=drive.start_us),
            "distance_m": round(now.distance_m - base.distance_m, 3),
            "moving_us": now.moving_us - base.moving_us,
            "idle_us": now.idle_us - base.idle_us if drive.engine_known else None,
            "max_speed_mps": round(drive.max_speed_mps, 3),
            "over_limit_us": now.over_limit_us - base.over_limit_us if limit_us else None,
            "over_limit_m": round(now.over_limit_m - base.over_limit_m, 3) if limit_us else None,
            "judged_us": now.judged_us - base.judged_us,
            "end_reason": reason,
            "events": dict(sorted(drive.counts.items())),
            "odometer": _odometer(drive, round(now.distance_m - base.distance_m, 3)),
        }
        pricing = drive.pricing.summary(summary, now)
        return {**summary, "pricing": {**pricing, "odometer": self._odometer.told()}}


def _beginning(sample: Sample) -> Sample:
    """What the totals were before the first input."""
    return replace(
        sample,
        distance_m=0.0,
        over_limit_m=0.0,
        over_limit_us=0,
        limit_known_us=0,
        moving_us=0,
        idle_us=0,
        judged_us=0,
        fatigue_us=0,
    )


def _stands(sample: Sample, before: Sample | None) -> bool:
    """Nothing moved since the sample before, or ever."""
    return sample.moving_us == (before.moving_us if before else 0)


def _note(drive: _Open, sample: Sample) -> None:
    """What must be remembered of every sample."""
    drive.max_speed_mps = max(drive.max_speed_mps, sample.max_speed_mps or 0.0)
    drive.engine_known |= sample.engine != "unknown"
    told_m = sample.value("odometer")
    if told_m is not None:
        drive.odometer_m = (drive.odometer_m[0] if drive.odometer_m else told_m, told_m)


def _odometer(drive: _Open, distance_m: float) -> dict[str, float | None]:
    """The vehicle's own count beside ours; `scale` is its way per metre of ours."""
    if drive.odometer_m is None:
        return {"start_m": None, "end_m": None, "distance_m": None, "difference_m": None, "scale": None}
    start_m, end_m = drive.odometer_m
    way_m = end_m - start_m
    return {
        "start_m": round(start_m, 1),
        "end_m": round(end_m, 1),
        "distance_m": round(way_m, 1),
        "difference_m": round(distance_m - way_m, 1),
        "scale": round(way_m / distance_m, 4) if distance_m > 0 else None,
    }
