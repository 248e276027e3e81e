"""How the car of a scenario moves, and what a box in it would feel: legs in, a moment every step out. Pure."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hil import ROOT
from hil.car.bumps import G_MPS2, Vector, felt
from hil.drive import Leg, State, advance
from hil.scenes import recorded
from hil.scenes.scenario_table import LegTable, Scenario

FUEL_PCT = 61.0
CHARGING_V, RESTING_V = 14.1, 12.6
PULL_PER_S = 2.0
"""How hard the driver of a speed trace pulls back to it: m/s² for each m/s off."""
TYRES_MPS2 = 9.0
AIRBAG_MPS = 6.0
WEIGHT_ROLLING = 0.3
"""What is left of gravity's push while the car tumbles."""
SIDES = {"front": (-1.0, 0.0), "rear": (1.0, 0.0), "left": (0.0, -1.0), "right": (0.0, 1.0)}
"""Where a blow from this side pushes: forward, left."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The car at one moment. `force`: specific force, gravity included; `rate`: rad/s; both on vehicle axes."""

    state: State
    force: Vector = (0.0, 0.0, G_MPS2)
    rate: Vector = (0.0, 0.0, 0.0)
    roll_rad: float = 0.0
    pitch_rad: float = 0.0
    fuel_pct: float = FUEL_PCT
    supply_v: float = CHARGING_V
    limit_mps: float | None = None
    carried_m: float = 0.0
    gnss_mps: float = 0.0
    is_silent: bool = False
    step_s: float = 0.01

    @property
    def time_s(self) -> float:
        """Since the begin."""
        return self.state.time_s

    @property
    def position_deg(self) -> tuple[float, float]:
        """Where it is, on wheels or on a truck."""
        return replace(self.state, north_m=self.state.north_m + self.carried_m).position_deg


def moments(scenario: Scenario) -> Iterator[Moment]:
    """The whole drive, the first at time 0."""
    now = Moment(State(engine=scenario.drive[0].engine), step_s=scenario.drive[0].step_s or scenario.step_s)
    yield now
    for number, table in enumerate(scenario.drive):
        now = replace(
            now,
            state=replace(now.state, leg=number, engine=table.engine),
            fuel_pct=now.fuel_pct if table.fuel_pct is None else table.fuel_pct,
            limit_mps=now.limit_mps if table.limit_kmh is None else table.limit_kmh / 3.6,
            step_s=table.step_s or scenario.step_s,
        )
        for now in _leg(now, table, scenario):  # noqa: B020 (the last moment of a leg begins the next)
            yield now


def lasts_s(scenario: Scenario) -> float:
    """How long the drive, or the recording in its place, is."""
    if scenario.recording:
        return recorded.lasts_s(scenario.recording)
    return sum(leg.lasts_s or trace_s(_trace(leg)) for leg in scenario.drive)


def read_trace(path: Path) -> list[tuple[float, float]]:
    """Seconds and m/s of a cycle, from its columns cycSecs and cycMps."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(float(row["cycSecs"]), float(row["cycMps"])) for row in csv.DictReader(file)]


def trace_s(trace: Sequence[tuple[float, float]]) -> float:
    """How long it is."""
    return trace[-1][0] - trace[0][0]


def _trace(leg: LegTable) -> list[tuple[float, float]]:
    return read_trace(ROOT / leg.trace)


def _leg(now: Moment, table: LegTable, scenario: Scenario) -> Iterator[Moment]:
    """One leg, step by step."""
    trace = _trace(table) if table.trace else []
    lasts = table.lasts_s or trace_s(trace)
    steps = max(1, round(lasts / now.step_s))
    wanted = _wanted(table)
    roll, pitch = now.roll_rad, now.pitch_rad
    for step in range(1, steps + 1):
        share = step / steps
        if trace:
            wanted = _following(wanted, trace, now.state.speed_mps, (step - 1) * now.step_s)
        state = advance(now.state, wanted, share, now.step_s)
        if table.blow_mps > AIRBAG_MPS and share > 0.3:
            state = replace(state, airbag=True)
        now = replace(
            now,
            state=state,
            roll_rad=_towards(roll, table.roll_deg, share),
            pitch_rad=_towards(pitch, table.pitch_deg, share),
            supply_v=_supply(table),
            carried_m=now.carried_m + table.carried_mps * now.step_s,
            gnss_mps=table.carried_mps or state.speed_mps,
            is_silent=table.is_silent,
        )
        yield _feel(now, table, share, (now.roll_rad - roll) / (share * lasts), scenario)


def _wanted(table: LegTable) -> Leg:
    """The leg as the driver, or a blow along the car, makes it."""
    along = SIDES[table.blow_from][0]
    blow_mps = -along * table.blow_mps if table.blow_mps else 0.0
    return Leg(table.label, table.lasts_s, table.forward_mps2, table.left_mps2, blow_mps, table.engine)


def _following(leg: Leg, trace: Sequence[tuple[float, float]], speed_mps: float, at_s: float) -> Leg:
    """What a driver wants who has this speed and follows the trace."""
    index = min(int(at_s), len(trace) - 2)
    (start_s, from_mps), (end_s, to_mps) = trace[index], trace[index + 1]
    slope = (to_mps - from_mps) / (end_s - start_s)
    target = from_mps + slope * (at_s + trace[0][0] - start_s)
    wanted = slope + PULL_PER_S * (target - speed_mps)
    return replace(leg, forward_mps2=min(TYRES_MPS2, max(-TYRES_MPS2, wanted)))


def _towards(from_rad: float, to_deg: float | None, share: float) -> float:
    return from_rad if to_deg is None else from_rad + (math.radians(to_deg) - from_rad) * share


def _supply(table: LegTable) -> float:
    if table.supply_v is not None:
        return table.supply_v
    return CHARGING_V if table.engine else RESTING_V


def _feel(now: Moment, table: LegTable, share: float, roll_radps: float, scenario: Scenario) -> Moment:
    """The same moment, with what a box feels: motion, gravity, a blow from the side, bumps."""
    state, bump = now.state, felt(scenario.bump, now.time_s)
    side = SIDES[table.blow_from][1] * table.blow_mps
    blow = side * math.pi / (2 * table.lasts_s) * math.sin(math.pi * share) if side else 0.0
    weight = G_MPS2 * (WEIGHT_ROLLING if abs(roll_radps) > 0.5 else 1.0)
    force = (
        state.forward_mps2 + weight * math.sin(now.pitch_rad) + bump[0],
        state.left_mps2 + blow + weight * math.sin(now.roll_rad) * math.cos(now.pitch_rad) + bump[1],
        weight * math.cos(now.roll_rad) * math.cos(now.pitch_rad) + bump[2],
    )
    return replace(now, force=force, rate=(roll_radps if table.roll_deg is not None else 0.0, 0.0, state.yaw_radps))
