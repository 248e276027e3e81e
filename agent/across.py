"""What outlasts a trip: time at the wheel without a rest, and how the vehicle counts its metres against us. Pure."""

from agent.core import Sample

REST_US = 1_200_000_000
"""A stand this long is a rest ..."""
FATIGUE_US = 14_400_000_000
"""... and driving longer than this without one is too long (road traffic law of China, implementing rules, art. 62:
20 min after 4 h)."""

CREEP_MPS = 1.39
"""The last speed before a rest is under this (5 km/h); after a faster one data is missing: no rest is assumed."""

SCALE_FROM_M = 1000.0
"""The odometer's scale rests on this much at least."""
STRAY_SHARE = 0.2
"""Between two steps of the odometer our count differs by at most this share of it ..."""
STRAY_M = 50.0
"""... and this much; else one of the two missed something and the stretch is left out."""


class Wheel:
    """Time at the wheel: moving time since the last rest. It counts from the start of this run."""

    def __init__(self) -> None:
        self.fatigue_us = 0
        """Moving time beyond 4 h since a rest, summed up; it only grows."""
        self._since_rest_us = self._moving_us = 0
        self._motion_us: int | None = None
        self._speed_mps = 0.0

    def step(self, sample: Sample) -> None:
        """A sample; a rest shows as a stand between two motions."""
        if self._rested(sample.motion_last_us):
            self._since_rest_us = 0
        before_us = self._since_rest_us
        self._since_rest_us += sample.moving_us - self._moving_us
        self.fatigue_us += max(self._since_rest_us, FATIGUE_US) - max(before_us, FATIGUE_US)
        self._moving_us, self._motion_us = sample.moving_us, sample.motion_last_us
        if sample.max_speed_mps is not None:
            self._speed_mps = sample.max_speed_mps

    def _rested(self, motion_us: int | None) -> bool:
        """Whether a rest lies before this newest motion."""
        if motion_us is None or self._motion_us is None:
            return False
        return motion_us - self._motion_us >= REST_US and self._speed_mps < CREEP_MPS


class Odometer:
    """The vehicle's metres per metre of ours, from one step of its odometer to the next: their size blurs nothing."""

    def __init__(self) -> None:
        self.way_m = 0.0
        """What the scale rests on, in the vehicle's metres."""
        self._ours_m = 0.0
        self._told_m: float | None = None
        self._step: tuple[float, float] | None = None

    def told(self) -> dict[str, float | None]:
        """The scale, and how much of the vehicle's way since the start of this run it rests on."""
        return {"scale": self.scale, "over_m": round(self.way_m, 1)}

    @property
    def scale(self) -> float | None:
        """The vehicle's distance over ours; None while it is not known well enough."""
        return round(self.way_m / self._ours_m, 4) if self.way_m >= SCALE_FROM_M and self._ours_m > 0 else None

    def step(self, sample: Sample) -> None:
        """A sample; what counts is the moment the odometer moves on."""
        told_m = sample.value("odometer")
        if told_m is None:
            return
        if self._told_m is not None and told_m != self._told_m:
            self._learn(told_m, sample.distance_m)
        self._told_m = told_m

    def _learn(self, told_m: float, ours_m: float) -> None:
        """The odometer stepped: the stretch since its step before."""
        if self._step is not None:
            way_m, own_m = told_m - self._step[0], ours_m - self._step[1]
            if way_m > 0 and abs(way_m - own_m) <= STRAY_M + STRAY_SHARE * way_m:
                self.way_m += way_m
                self._ours_m += own_m
        self._step = (told_m, ours_m)
