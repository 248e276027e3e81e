"""How far the car went without the terminal: what odometer and place say before and after it was away. Pure.

It was away from a restart back to the last word of the run before, and from the moment its supply was gone until the
supply is back. What it drove itself meanwhile, and how coarse the odometer counts, is taken off, so the distance told
is the least there was. The odometer decides; the place only where no odometer is told, because a terminal in somebody's
bag has a place too.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from agent.core import Event, Sample
from agent.world.ground import metres

TOLD_M = 200.0
"""Less is no absence worth telling: a car that is shunted, an agent that starts anew in mid-drive."""

OWN_SHARE = 0.03
"""Our own way may be this much too short: tyres, and an odometer that tells too much."""

PLACE_M = 100.0
"""Two fixes may be off by so much together, first fixes after a start among them."""

ODOMETER_US = 600_000_000
"""So long an odometer is waited for that was told before: it may have to be asked for, once the engine runs."""

STEPS_M = (1000.0, 100.0, 10.0)
"""How coarse odometers count (SAE J1979 PID A6: 0.1 km; clusters: 1 km)."""

SUPPLY_V = 9.0
"""So much shows that it is connected (native/unplugged.c)."""

FASTEST_MPS = 70.0
"""A way that asks for more is another car's odometer, a wild reading or a wild fix."""

AHEAD = 1.2
"""It may go faster by this until the next word."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the car was last known to be. `at_us`: on the axis of the run that asks, None where no time is known."""

    at_us: int | None = None
    odometer_m: float | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None
    unseen_m: float = 0.0
    """How far it may have gone since: what was driven until the next word would have been written down."""


NOWHERE = Whereabouts()


class Absence:
    """Once a second `step`; it tells an event when the terminal is back and the car has gone far."""

    def __init__(self, before: Whereabouts = NOWHERE) -> None:
        """`before`: what an earlier run left."""
        self._before: Whereabouts | None = before
        self._last = NOWHERE
        self._back: Sample | None = None
        self._own_m = self._speed_mps = 0.0
        self._needs_supply = False

    def unplugged(self) -> None:
        """The supply is gone: from here on it is away."""
        if self._before is None:
            self._before, self._back, self._needs_supply = self._last, None, True

    def step(self, sample: Sample) -> Event | None:
        """A second; the event of an absence that is over, once."""
        self._speed_mps = sample.value("speed") or 0.0
        before = self._before
        if before is None:
            self._last = _seen(sample, self._last)
            return None
        if not self._is_back(sample):
            return None
        self._back = self._back or sample
        self._own_m = sample.distance_m - self._back.distance_m
        has_time = sample.at_us - self._back.at_us < ODOMETER_US
        if before.odometer_m is not None and sample.value("odometer") is None and has_time:
            return None
        self._before, self._last = None, _seen(sample, NOWHERE)
        return _told(before, sample, self._own_m, self._back.at_us)

    def kept(self, word_s: float) -> dict[str, Any]:
        """What a later run needs; such a word is kept every `word_s` seconds, and until the next it may go on."""
        ahead_m = AHEAD * self._speed_mps * word_s
        if self._before is not None:
            return asdict(replace(self._before, unseen_m=self._before.unseen_m + self._own_m + ahead_m))
        return asdict(replace(self._last, unseen_m=ahead_m))

    def _is_back(self, sample: Sample) -> bool:
        """Whether it is in the car again, and something tells where that is."""
        volt = sample.value("battery")
        if volt is None and self._needs_supply:
            return sample.value("odometer") is not None
        return (volt is None or volt >= SUPPLY_V) and _knows(sample)


def whereabouts(kept: dict[str, Any], gone_us: int | None, now_us: int) -> Whereabouts:
    """What an earlier run kept, its time on this run's axis: `gone_us` ago, None: nobody knows."""
    return replace(msgspec.convert(kept, Whereabouts), at_us=None if gone_us is None else now_us - gone_us)


def _seen(sample: Sample, last: Whereabouts) -> Whereabouts:
    """The newest of each that is known."""
    odometer_m, place = sample.value("odometer"), (sample.value("lat"), sample.value("lon"))
    lat_deg, lon_deg = place if None not in place else (last.lat_deg, last.lon_deg)
    return Whereabouts(
        at_us=sample.at_us if _knows(sample) else last.at_us,
        odometer_m=last.odometer_m if odometer_m is None else odometer_m,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
    )


def _knows(sample: Sample) -> bool:
    """Whether anything tells where the car is."""
    return sample.value("odometer") is not None or sample.value("lat") is not None


def _told(before: Whereabouts, sample: Sample, own_m: float, back_us: int) -> Event | None:
    """The event, if it was far enough."""
    own_m = own_m * (1 + OWN_SHARE) + before.unseen_m
    odometer_m = sample.value("odometer")
    if before.odometer_m is not None and odometer_m is not None:
        far_m, source = odometer_m - before.odometer_m - _step_m(before.odometer_m, odometer_m) - own_m, "vehicle"
    else:
        far_m, source = _apart_m(before, sample) - PLACE_M - own_m, "gnss"
    if far_m < TOLD_M or (before.at_us is not None and far_m > FASTEST_MPS * (sample.at_us - before.at_us) / 1e6):
        return None
    return Event(
        at_us=sample.at_us,
        name="unplugged",
        start_us=back_us if before.at_us is None else min(before.at_us, back_us),
        end_us=back_us,
        peak_mps2=None,
        entry_mps=None,
        exit_mps=None,
        delta_v_mps=None,
        delta_v_s=None,
        severity="medium",
        confidence=1.0 if source == "vehicle" else 0.5,
        sources=(source,),
        lat_deg=sample.value("lat"),
        lon_deg=sample.value("lon"),
        direction=None,
        dv_clipped=False,
        locked=False,
        rule="absent",
        value=far_m,
    )


def _step_m(*told_m: float) -> float:
    """How coarse these were counted; 0: as fine as they come."""
    return next((step_m for step_m in STEPS_M if all(told % step_m == 0.0 for told in told_m)), 0.0)


def _apart_m(before: Whereabouts, sample: Sample) -> float:
    """How far apart both places are, straight; 0 where one is not known."""
    lat_deg, lon_deg = sample.value("lat"), sample.value("lon")
    if before.lat_deg is None or before.lon_deg is None or lat_deg is None or lon_deg is None:
        return 0.0
    return metres((before.lat_deg, before.lon_deg), (lat_deg, lon_deg))
