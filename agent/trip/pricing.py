"""What an insurer prices a trip on, summed up second by second and told at any time. Pure.

Distances are summed in whole millimetres and times in whole microseconds, so the bands add up to the distance exactly
and a summary in between changes nothing. Told numbers come from + - x / and square roots only and are rounded.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from typing import Any

from agent.core import SEVERITIES, Event, Sample
from agent.trip.score import EVENT_PARTS, rate, score
from agent.trip.terms import Terms
from agent.world.ground import Place, metres
from agent.world.hours import Dated, Hours

NIGHT_HOURS = frozenset({22, 23, 0, 1, 2, 3, 4})
"""22:00 to 05:00 (DETECTION, "Trips")."""

PUSH_MPS2 = 0.1
"""Acceleration that counts as positive in RPA (Regulation (EU) 2017/1151, annex IIIA, appendix 7a, 3.1.3)."""

LEVELS = 30
"""Fuel levels averaged at each end of a trip: the fuel moves in its tank, and OBD-II tells it in steps of 0.4 %."""

FIX_STEP_US = 3_000_000
"""Fixes farther apart than this are not joined."""
JUMP_M = 20.0
"""Two fixes are joined when they lie at most this much beyond twice our own way apart; else one of them jumped."""


@dataclass(slots=True)
class _Satellites:
    """The way by satellites beside ours, over the same seconds."""

    way_mm: int = 0
    ours_mm: int = 0
    place: Place | None = None
    at_us: int = 0

    def step(self, sample: Sample, way_mm: int) -> None:
        """A second in which we went `way_mm`."""
        lat, lon = sample.value("lat"), sample.value("lon")
        if lat is None or lon is None:
            self.place = None
            return
        here, before = (lat, lon), self.place
        if before is not None and way_mm > 0 and sample.at_us - self.at_us <= FIX_STEP_US:
            step_m = metres(before, here)
            if step_m <= JUMP_M + way_mm * 0.002:
                self.way_mm += round(step_m * 1000)
                self.ours_mm += way_mm
        self.place, self.at_us = here, sample.at_us

    def told(self) -> dict[str, float | None]:
        """Both ways, their difference (ours minus theirs) and their relation; None without fixes."""
        known = self.ours_mm > 0
        return {
            "distance_m": self.way_mm / 1000 if known else None,
            "over_m": self.ours_mm / 1000 if known else None,
            "difference_m": (self.ours_mm - self.way_mm) / 1000 if known else None,
            "scale": round(self.way_mm / self.ours_mm, 4) if known else None,
        }


@dataclass(slots=True)
class _Fuel:
    """Fuel levels at both ends of the trip, in percent."""

    first: list[float] = field(default_factory=list)
    last: deque[float] = field(default_factory=lambda: deque(maxlen=LEVELS))

    def step(self, sample: Sample) -> None:
        """A second."""
        level = sample.value("fuel")
        if level is not None:
            self.last.append(level)
            if len(self.first) < LEVELS:
                self.first.append(level)

    def told(self, tank_l: float | None) -> dict[str, float | str | None]:
        """Levels, litres, and why there are no litres."""
        if not self.first:
            return {"start_pct": None, "end_pct": None, "used_l": None, "reason": "no fuel level was told"}
        start, end = sum(self.first) / len(self.first), sum(self.last) / len(self.last)
        used_l = None if tank_l is None or end > start else round((start - end) / 100 * tank_l, 2)
        reason = "the map names no tank_l" if tank_l is None else "the level rose" if end > start else None
        return {"start_pct": round(start, 2), "end_pct": round(end, 2), "used_l": used_l, "reason": reason}


@dataclass(slots=True)
class _Push:
    """How hard it is driven lengthwise: squares of the acceleration while moving, and work against inertia."""

    squares: int = 0
    seconds: int = 0
    work: int = 0
    way_mm: int = 0

    def step(self, sample: Sample, way_mm: int) -> None:
        """A second in motion; acceleration in whole mm/s²."""
        forward = sample.forward_mps2
        if forward is None:
            return
        mmps2 = round(forward * 1000)
        self.squares += mmps2 * mmps2
        self.seconds += 1
        self.way_mm += way_mm
        if forward > PUSH_MPS2:
            self.work += mmps2 * way_mm

    def rms_mps2(self) -> float | None:
        """Root mean square, not weighted by frequency: 1 Hz holds nothing that ISO 2631-1 (6.1) would weigh down."""
        return round(sqrt(self.squares / self.seconds) / 1000, 3) if self.seconds else None

    def rpa_mps2(self) -> float | None:
        """Relative positive acceleration: sum of v x a+ x dt over the distance (Regulation (EU) 2017/1151)."""
        return round(self.work / self.way_mm / 1000, 3) if self.way_mm else None


class Pricing:
    """One trip's account. `base` is the sample before its first second."""

    def __init__(self, terms: Terms, hours: Hours, base: Sample) -> None:
        self._terms, self._hours, self._base, self._last = terms, hours, base, base
        edges = terms.formula.speed_bands_kmh
        self._bands_mm = [0] * (len(edges) + 1)
        self._hours_mm = [0] * 24
        self._source: str | None = None
        self._events: dict[str, dict[str, int]] = {}
        self._certain: dict[str, float] = {}
        self._satellites, self._fuel, self._push = _Satellites(), _Fuel(), _Push()

    def second(self, sample: Sample, dated: Dated | None) -> None:
        """One sample of the trip, in order; `dated` makes its time UTC."""
        last, self._last = self._last, sample
        way_mm, moving_us = self._mm(sample) - self._mm(last), sample.moving_us - last.moving_us
        if way_mm:
            self._bands_mm[self._band(sample.distance_m - last.distance_m, moving_us)] += way_mm
            self._note_hour(sample.at_us, way_mm, dated)
        if moving_us:
            self._push.step(sample, way_mm)
        self._satellites.step(sample, way_mm)
        self._fuel.step(sample)

    def event(self, event: Event) -> None:
        """One event of the trip."""
        counts = self._events.setdefault(event.name, dict.fromkeys(SEVERITIES, 0))
        counts[event.severity] += 1
        weight: float = getattr(self._terms.formula.severity, event.severity)
        self._certain[event.name] = self._certain.get(event.name, 0.0) + weight * round(event.confidence, 2)

    def summary(self, trip: Mapping[str, Any], now: Sample) -> dict[str, Any]:
        """The account as it stands; `trip` is its summary by the names of DESIGN 6, times in microseconds."""
        limit_us = now.limit_known_us - self._base.limit_known_us
        moving_us, distance_m = trip["moving_us"], trip["distance_m"]
        told: dict[str, Any] = {
            "duration_us": trip["end_us"] - trip["start_us"],
            "speed_bands": self._bands(),
            **self._by_hour(),
            "events": {name: self._counted(name, distance_m) for name in sorted(self._events)},
            "limit_known_us": limit_us,
            "over_limit_share": round(trip["over_limit_us"] / limit_us, 4) if limit_us else None,
            "rms_mps2": self._push.rms_mps2(),
            "rpa_mps2": self._push.rpa_mps2(),
            "judged_share": round(min(1.0, trip["judged_us"] / moving_us), 4) if moving_us else None,
            "fuel": self._fuel.told(self._terms.tank_l),
            "gnss": self._satellites.told(),
            "fatigue_us": now.fatigue_us - self._base.fatigue_us,
        }
        measures = self._measures(told, distance_m)
        told["score"] = score(self._terms.formula, measures, distance_m, told["judged_share"])
        return told

    def _mm(self, sample: Sample) -> int:
        """The way since the trip's begin; rounded as its distance is."""
        return round(round(sample.distance_m - self._base.distance_m, 3) * 1000)

    def _band(self, way_m: float, moving_us: int) -> int:
        """Which band the mean speed of a second lies in; a band holds its lower edge."""
        speed_kmh = round(way_m * 3.6e6 / moving_us, 3) if moving_us else 0.0
        return sum(speed_kmh >= edge for edge in self._terms.formula.speed_bands_kmh)

    def _note_hour(self, at_us: int, way_mm: int, dated: Dated | None) -> None:
        utc_us = dated.utc_us(at_us) if dated else None
        if dated and utc_us is not None:
            self._hours_mm[self._hours.at(utc_us)] += way_mm
            self._source = dated.source

    def _bands(self) -> list[dict[str, float | None]]:
        """Distance by band; the last has no end."""
        edges = (0.0, *self._terms.formula.speed_bands_kmh, None)
        return [
            {"from_kmh": low, "to_kmh": high, "distance_m": way_mm / 1000}
            for (low, high), way_mm in zip(pairwise(edges), self._bands_mm, strict=True)
        ]

    def _by_hour(self) -> dict[str, Any]:
        """Distance by local hour, as far as the time of day was known; None where it never was."""
        dated_mm, night_mm = sum(self._hours_mm), sum(self._hours_mm[hour] for hour in NIGHT_HOURS)
        return {
            "timezone": self._terms.timezone,
            "clock": self._source,
            "dated_m": dated_mm / 1000,
            "hours_m": [way_mm / 1000 for way_mm in self._hours_mm] if dated_mm else None,
            "night_m": night_mm / 1000 if dated_mm else None,
            "night_share": round(night_mm / dated_mm, 4) if dated_mm else None,
        }

    def _counted(self, name: str, distance_m: float) -> dict[str, float | int | None]:
        """One kind of event: how many of each severity, and how often on 100 km where the trip is long enough."""
        counts, is_long = self._events[name], distance_m >= self._terms.formula.min_distance_m
        per_100_km = round(sum(counts.values()) * 100_000 / distance_m, 2) if is_long else None
        return {**counts, "per_100_km": per_100_km}

    def _measures(self, told: Mapping[str, Any], distance_m: float) -> dict[str, tuple[float | None, str]]:
        """What the parts of the score rest on, each with its reason."""
        measures: dict[str, tuple[float | None, str]] = {name: self._harsh(name, distance_m) for name in EVENT_PARTS}
        over, night, rms = told["over_limit_share"], told["night_share"], told["rms_mps2"]
        minutes = told["fatigue_us"] / 60e6
        measures["speeding"] = _share(over, "of the time with a known limit was above it", "no limit was known")
        measures["fatigue"] = (minutes, f"{minutes:.0f} min at the wheel too long without a rest")
        measures["night"] = _share(night, "of the distance between 22:00 and 05:00", "the time of day was not known")
        rough = f"root mean square {rms:.2f} m/s² while moving" if rms is not None else "acceleration was not known"
        measures["roughness"] = (rms, rough)
        return measures

    def _harsh(self, name: str, distance_m: float) -> tuple[float, str]:
        """Events of one kind per 100 km, by severity and confidence."""
        counts, weight = self._events.get(name, {}), self._certain.get(name, 0.0)
        kinds = ", ".join(f"{number} {severity}" for severity, number in counts.items() if number)
        return rate(self._terms.formula, weight, distance_m), kinds or "none"


def _share(share: float | None, words: str, unknown: str) -> tuple[float | None, str]:
    """A share in percent, said."""
    return (None, unknown) if share is None else (share * 100, f"{share * 100:.1f} % {words}")
