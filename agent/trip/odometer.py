"""How the vehicle counts its metres against ours. Pure."""

from agent.core import Sample

SCALE_FROM_M = 1000.0
"""The odometer's scale rests on this much at least."""
STRAY_SHARE = 0.2
"""Between two steps of the odometer our count differs by at most this share of it ..."""
STRAY_M = 50.0
"""... and this much; else one of the two missed something and the stretch is left out."""


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
