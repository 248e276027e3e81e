"""A car that drives second by second, as the trip room hears of it: samples written by hand."""

from dataclasses import dataclass, field
from typing import Any

from agent.core import Event, Sample
from agent.settings import Trip as TripRule
from agent.trip.terms import Terms
from agent.trip.trip import TripEnded, Trips
from agent.vehicle import Table
from drivers.batch import SIGNALS

S = 1_000_000
EMPTY = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
KMH = 1 / 3.6
NOON_US = 1_750_000_000_000_000 // 86_400_000_000 * 86_400_000_000 + 12 * 3_600_000_000
"""Noon UTC of a day in June 2025."""
START = Sample(
    at_us=0, values=(None,) * len(SIGNALS), forward_mps2=None, left_mps2=None, distance_m=0.0, over_limit_m=0.0,
    over_limit_us=0, limit_known_us=0, moving_us=0, idle_us=0, judged_us=0, motion_last_us=None, engine_last_us=None,
    max_speed_mps=None, engine="unknown",
)  # fmt: skip


def told(**signals: float | None) -> tuple[float | None, ...]:
    return tuple(signals.get(name) for name in SIGNALS)


@dataclass
class Car:
    """Drives second by second."""

    trips: Trips = field(default_factory=lambda: Trips(TripRule()))
    now: Sample = START
    ended: list[dict[str, Any]] = field(default_factory=list)

    def go(self, seconds: int, kmh: float, *, forward: float | None = 0.0, judged: bool = True, **more: Any) -> "Car":
        """So many seconds at this speed; `limit` (km/h), `fatigue_us` and signals by name go along."""
        limit, fatigue_us = more.pop("limit", None), more.pop("fatigue_us", 0)
        for _ in range(seconds):
            before, at_us = self.now, self.now.at_us + S
            moved, over = S * (kmh >= 1), limit is not None and kmh > limit
            self.now = Sample(
                at_us=at_us, values=told(speed=kmh * KMH, **more), forward_mps2=forward, left_mps2=None,
                distance_m=before.distance_m + kmh * KMH, over_limit_m=before.over_limit_m + kmh * KMH * over,
                over_limit_us=before.over_limit_us + S * over, limit_known_us=before.limit_known_us + S * (limit is not None),
                moving_us=before.moving_us + moved, idle_us=0, judged_us=before.judged_us + moved * judged,
                motion_last_us=at_us if moved else before.motion_last_us, engine_last_us=None, max_speed_mps=kmh * KMH,
                engine="unknown", fatigue_us=fatigue_us,
            )  # fmt: skip
            self.step(self.now)
        return self

    def step(self, output: Sample | Event) -> "Car":
        """An output of the core."""
        self.ended += [moment.summary for moment in self.trips.step(output) if isinstance(moment, TripEnded)]
        return self

    def event(self, name: str, severity: str = "low", confidence: float = 1.0) -> "Car":
        """Something was found in the second before."""
        return self.step(found(name, self.now.at_us, severity, confidence))

    def summary(self) -> dict[str, Any]:
        """The open trip as it stands."""
        interim = self.trips.interim(self.now, "test")
        assert interim is not None
        return interim

    def pricing(self) -> dict[str, Any]:
        """Its part for pricing."""
        return self.summary()["pricing"]


def found(name: str, at_us: int, severity: str, confidence: float) -> Event:
    return Event(
        at_us=at_us, name=name, start_us=at_us, end_us=at_us, peak_mps2=4.0, entry_mps=15.0, exit_mps=11.0,
        delta_v_mps=-4.0, delta_v_s=None, severity=severity, confidence=confidence, sources=("speed",), lat_deg=None,
        lon_deg=None, direction=None, dv_clipped=False, locked=False,
    )  # fmt: skip


def priced(**changed: Any) -> Car:
    return Car(Trips(TripRule(), Terms(**changed)))


def points(car: Car) -> dict[str, float]:
    return {part["part"]: part["points"] for part in car.pricing()["score"]["parts"] if part["points"]}
