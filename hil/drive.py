"""How the simulated car moves: legs of a drive in, its state every 10 ms out. Pure: the same legs, the same drive."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

STEP_S = 0.01
JERK_MPS3 = 15.0
"""How fast a foot changes the acceleration; a blow does not ask for leave."""
IDLE_RPM = 800.0
WARM_C = 90.0
METRES_PER_DEGREE = 111_195.0
ORIGIN_DEG = (-1.0, -1.0)
"""Where every drive begins: an invented place, in the open sea south of the Gulf of Guinea."""
GEARS = ((4.5, 520.0), (9.0, 290.0), (14.0, 195.0), (20.0, 145.0), (math.inf, 105.0))
"""Up to this speed (m/s), this many turns a minute for each m/s."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of a drive: for `lasts_s` the driver wants these accelerations (m/s²); braking stops at standstill.

    `blow_mps` makes it a collision: the car loses this much speed in one half sine over the whole leg.
    """

    label: str
    lasts_s: float
    forward_mps2: float = 0.0
    left_mps2: float = 0.0
    blow_mps: float = 0.0
    engine: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """The car at one moment. Axes are ISO 8855; `east_m`, `north_m` from the origin; heading from north, clockwise."""

    time_s: float = 0.0
    leg: int = 0
    speed_mps: float = 0.0
    forward_mps2: float = 0.0
    left_mps2: float = 0.0
    yaw_radps: float = 0.0
    heading_rad: float = 0.6
    east_m: float = 0.0
    north_m: float = 0.0
    distance_m: float = 0.0
    coolant_c: float = 62.0
    engine: bool = True
    airbag: bool = False

    @property
    def braking(self) -> bool:
        """Whether a foot is on the brake pedal."""
        return self.forward_mps2 < -0.4 or (self.speed_mps == 0 and self.engine)

    @property
    def rpm(self) -> float:
        """Engine speed: the gear's, idling at the least, 0 with the engine off."""
        ratio = next(ratio for upto_mps, ratio in GEARS if self.speed_mps < upto_mps)
        return max(IDLE_RPM, ratio * self.speed_mps) if self.engine else 0.0

    @property
    def throttle_pct(self) -> float:
        """Pedal position that goes with this acceleration at this speed."""
        if not self.engine or self.braking:
            return 0.0
        return min(100.0, max(0.0, 6 + 0.7 * self.speed_mps + 15 * self.forward_mps2))

    @property
    def load_pct(self) -> float:
        """Calculated engine load."""
        return min(100.0, 18 + 0.8 * self.throttle_pct) if self.engine else 0.0

    @property
    def position_deg(self) -> tuple[float, float]:
        """Latitude and longitude, on a sphere flat near the equator."""
        latitude, longitude = ORIGIN_DEG
        return latitude + self.north_m / METRES_PER_DEGREE, longitude + self.east_m / METRES_PER_DEGREE


def drive(legs: Sequence[Leg]) -> Iterator[State]:
    """Every state of the drive, one each STEP_S, the first at time 0."""
    state = State(engine=legs[0].engine)
    yield state
    for number, leg in enumerate(legs):
        state = replace(state, leg=number, engine=leg.engine)
        steps = round(leg.lasts_s / STEP_S)
        for step in range(1, steps + 1):
            state = advance(state, leg, step / steps)
            yield state


def advance(state: State, leg: Leg, share: float, step_s: float = STEP_S) -> State:
    """The state one step later; `share` is how much of the leg is over then, 0..1."""
    if leg.blow_mps:
        forward = -leg.blow_mps * math.pi / (2 * leg.lasts_s) * math.sin(math.pi * share)
    else:
        forward = _slew(state.forward_mps2, leg.forward_mps2, step_s)
    speed = state.speed_mps + (state.forward_mps2 + forward) / 2 * step_s
    if speed <= 0:
        forward, speed = max(0.0, forward), 0.0
    left = _slew(state.left_mps2, leg.left_mps2, step_s) if speed > 1 else 0.0
    moved = (state.speed_mps + speed) / 2 * step_s
    return _moved(
        replace(
            state,
            time_s=round(state.time_s + step_s, 6),
            speed_mps=speed,
            forward_mps2=forward,
            left_mps2=left,
            yaw_radps=left / speed if left else 0.0,
            coolant_c=min(WARM_C, state.coolant_c + 0.12 * step_s),
            airbag=state.airbag or (leg.blow_mps > 6 and share > 0.3),
        ),
        moved,
        step_s,
    )


def _moved(state: State, moved_m: float, step_s: float) -> State:
    """The state after `moved_m` along its heading, which turns with the yaw rate."""
    heading = state.heading_rad - state.yaw_radps * step_s
    return replace(
        state,
        heading_rad=heading,
        east_m=state.east_m + moved_m * math.sin(heading),
        north_m=state.north_m + moved_m * math.cos(heading),
        distance_m=state.distance_m + moved_m,
    )


def _slew(now_mps2: float, wanted_mps2: float, step_s: float) -> float:
    """Acceleration one step nearer to what is wanted."""
    reach = JERK_MPS3 * step_s
    return now_mps2 + min(reach, max(-reach, wanted_mps2 - now_mps2))
