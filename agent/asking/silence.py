"""Whether we may transmit on the car's bus now, and the reason why not. Pure: signs and time in, a word out.

Every silence has a reason, the first of these that holds:

    listen_only   the setting
    no_bus        the device is not there
    bus_off       the controller took itself off the bus; quiet for a while after it came back, longer each time
    bus_error     error frames on the bus; the same
    tester        somebody else asks: quiet at once, until 60 s after the last request that was not ours
    low_voltage   supply under the floor
    engine_off    nothing says that the car runs
    not_proved    neither the map nor an answer has shown yet that we are on the right bus at the right speed

A car runs when its voltage shows that it is charged, when an ignition line says so, or when speed, revolutions or the
ignition say so while its bus is awake. When all of that is over for `engine_off_s`, we fall silent. Where nothing says
either, and the bus is awake by itself, a look is allowed: LOOK_US of asking when the bus wakes, and after every
`engine_off_s` that it stays awake. A bus that is asleep is left alone.
"""

from dataclasses import dataclass
from typing import Any

REASONS = ("listen_only", "no_bus", "bus_off", "bus_error", "tester", "low_voltage", "engine_off", "not_proved")

AWAKE_US = 10_000_000
"""A bus that was silent for this long is asleep."""

MOVING_MPS = 1.39
"""A car that moves like this (5 km/h) runs; below, position noise does too."""

LOOK_US = 10_000_000
"""How long we ask to learn whether an engine runs of which nothing is known."""

ABOVE_FLOOR_V = 0.5
"""So far above the floor the supply is good again."""

FORGET_US = 60_000_000
"""A low voltage that nobody tells any more is believed for this long."""

ERROR_US_MIN, OFF_US_MIN, FAULT_US_MAX = 1_000_000, 5_000_000, 60_000_000
"""Quiet after error frames, and after bus-off: the first time, and at most."""

CALM_US = 60_000_000
"""A fault that comes back within this after we did doubles the quiet."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the settings say."""

    listen_only: bool
    tester_s: float
    engine_off_s: float
    floor_v: float
    charging_v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What is known now. Counts are totals that only grow, but begin anew when a device is opened again; None: unknown.

    `errors` counts error frames, `foreign` diagnostic requests of others, `frames` all frames heard. `ignition` is what
    the bus told, `ignition_line` a wire; `speed_mps` may be any source's.
    """

    is_there: bool
    is_bus_off: bool = False
    is_proved: bool
    errors: int = 0
    foreign: int = 0
    frames: int = 0
    ignition: bool | None = None
    ignition_line: bool | None = None
    rpm: float | None = None
    speed_mps: float | None = None
    voltage_v: float | None = None


class Count:
    """A total that is watched: whether it grew since the last look. A smaller one began anew."""

    def __init__(self) -> None:
        self._last = 0

    def grew(self, total: int) -> bool:
        """Whether there is more of it now."""
        before, self._last = self._last, total
        return total > (before if total >= before else 0)


class Fault:
    """Quiet after a fault of the bus: until it has been over for a time that doubles when it comes back soon."""

    def __init__(self, least_us: int) -> None:
        self.recoveries = 0
        self._least_us = self._quiet_us = least_us
        self._until_us: int | None = None
        self._over_us = -CALM_US

    def step(self, now_us: int, *, is_hit: bool) -> bool:
        """Whether we are quiet because of it."""
        if is_hit:
            if self._until_us is None:
                came_back = now_us - self._over_us < CALM_US
                self._quiet_us = min(self._quiet_us * 2, FAULT_US_MAX) if came_back else self._least_us
            self._until_us = now_us + self._quiet_us
        elif self._until_us is not None and now_us >= self._until_us:
            self._until_us, self._over_us = None, now_us
            self.recoveries += 1
        return self._until_us is not None


class Supply:
    """Whether the supply is too low to ask: under the floor, until it is well above it."""

    def __init__(self, floor_v: float) -> None:
        self._floor_v = floor_v
        self._is_low = False
        self._told_us = 0

    def step(self, now_us: int, voltage_v: float | None) -> bool:
        """Whether it is too low now."""
        if voltage_v is not None:
            self._told_us = now_us
            self._is_low = voltage_v < self._floor_v + (ABOVE_FLOOR_V if self._is_low else 0.0)
        elif now_us - self._told_us >= FORGET_US:
            self._is_low = False
        return self._is_low


class Running:
    """Whether the car runs, as far as anybody can tell without asking it."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._off_us = round(rule.engine_off_s * 1e6)
        self._frames = Count()
        self.is_awake = False
        """Whether the bus carried a frame lately."""
        self.says: bool | None = None
        """What the signs say at this moment."""
        self._frame_us: int | None = None
        self._until_us: int | None = None
        """Running until then, if nothing says so again; None: not running."""
        self._silent_us = 0

    def step(self, now_us: int, signs: Signs) -> bool:
        """Whether it runs, or did so short enough ago, or is being looked at."""
        was_awake = self.is_awake
        if self._frames.grew(signs.frames):
            self._frame_us = now_us
        self.is_awake = self._frame_us is not None and now_us - self._frame_us < AWAKE_US
        self.says = self._told(signs)
        if self.says:
            self._until_us = now_us + self._off_us
        elif self._until_us is not None and now_us >= self._until_us:
            self._until_us, self._silent_us = None, now_us
        elif self._until_us is None and self.says is None and self.is_awake:
            is_due = not was_awake or now_us - self._silent_us >= self._off_us
            self._until_us = now_us + LOOK_US if is_due else None
        return self._until_us is not None

    def _told(self, signs: Signs) -> bool | None:
        """What the signs say: it runs, it does not, or None: nothing. A voltage or a stand alone says no "not"."""
        is_charged = signs.voltage_v is not None and signs.voltage_v >= self._rule.charging_v
        is_moving = self.is_awake and signs.speed_mps is not None and signs.speed_mps >= MOVING_MPS
        told = [signs.ignition_line]
        if self.is_awake:
            told += [signs.ignition, None if signs.rpm is None else signs.rpm > 0]
        if is_charged or is_moving or True in told:
            return True
        return False if False in told else None


class Silence:
    """The decider. `step` gives the reason to be silent, empty: we may ask."""

    def __init__(self, rule: Rule) -> None:
        self.reason = "not_proved"
        self.since_us = 0
        """When this reason, or none, began to hold."""
        self._rule = rule
        self._errors, self._foreign = Count(), Count()
        self._bus_off, self._bus_error = Fault(OFF_US_MIN), Fault(ERROR_US_MIN)
        self._supply, self._running = Supply(rule.floor_v), Running(rule)
        self._tester_until_us = 0
        self._counts = dict.fromkeys(REASONS, 0)

    @property
    def may_probe(self) -> bool:
        """Whether the search may ask: only the proof is missing, and a bus that is silent is one of a car that runs."""
        return self.reason in ("", "not_proved") and (self._running.is_awake or self._running.says is True)

    def step(self, now_us: int, signs: Signs) -> str:
        """Take in what is known now."""
        if self._foreign.grew(signs.foreign):
            self._tester_until_us = now_us + round(self._rule.tester_s * 1e6)
        holds = {
            "listen_only": self._rule.listen_only,
            "no_bus": not signs.is_there,
            "bus_off": self._bus_off.step(now_us, is_hit=signs.is_bus_off),
            "bus_error": self._bus_error.step(now_us, is_hit=self._errors.grew(signs.errors)),
            "tester": now_us < self._tester_until_us,
            "low_voltage": self._supply.step(now_us, signs.voltage_v),
            "engine_off": not self._running.step(now_us, signs),
            "not_proved": not signs.is_proved,
        }
        reason = next((word for word in REASONS if holds[word]), "")
        if reason != self.reason:
            self.reason, self.since_us = reason, now_us
            if reason:
                self._counts[reason] += 1
        return reason

    def health(self, now_us: int) -> dict[str, Any]:
        """For health: the reason ("": we ask) and for how long it has held, how often each began, recoveries."""
        return {
            "reason": self.reason,
            "for_us": now_us - self.since_us,
            "silences": {word: count for word, count in self._counts.items() if count},
            "recoveries": {"bus_off": self._bus_off.recoveries, "bus_error": self._bus_error.recoveries},
        }
