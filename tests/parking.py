"""A car for the power decider: its battery, weather, driver, and this terminal's hooks; weeks pass in a moment.

The battery: charge in Ah of what its age left of it, resting voltage by charge and temperature, surface charge after a
drive, self-discharge that doubles every 10 K. The car takes its own quiescent current, this terminal what its state
draws. Everything follows from one seed; the same car without a terminal is the same seed with `draws` False.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from agent.power.duty import Account, Plan, Signs, Suspend
from agent.power.power import Power
from agent.settings.power import Hooks
from agent.settings.power import Power as PowerSettings

DAY_S = 86_400.0
AWAKE_S, ASLEEP_S = 5.0, 600.0
"""Steps of the simulation."""

CURVE = ((-0.25, 10.5), (0.0, 11.8), (0.25, 12.0), (0.5, 12.2), (0.75, 12.45), (1.0, 12.7))
"""Charge → resting voltage of a 12 V lead battery at 25 degC; under 0 it is damaged and falls fast."""

WITH_HOOKS = PowerSettings(hooks=Hooks(suspend=("sleep", "{wake_s}"), off=("off", "{wake_s}")))
NO_OFF = PowerSettings(hooks=Hooks(suspend=("sleep", "{wake_s}")))


@dataclass(kw_only=True)
class Battery:
    """A lead battery; `charge` from 1 (full) down; `age` from 0 (new) to 1: half the capacity, twice the loss."""

    capacity_ah: float = 60.0
    age: float = 0.0
    charge: float = 0.95
    surface_v: float = 0.0

    @property
    def left_ah(self) -> float:
        """What its age left of its capacity."""
        return self.capacity_ah * (1 - 0.5 * self.age)

    def rest_v(self, celsius: float) -> float:
        """Voltage without load, without surface charge."""
        charge = min(max(self.charge, CURVE[0][0]), 1.0)
        low, high = next((a, b) for a, b in pairwise(CURVE) if charge <= b[0])
        share = (charge - low[0]) / (high[0] - low[0])
        return low[1] + share * (high[1] - low[1]) + 0.0015 * (celsius - 25)

    def pass_time(self, step_s: float, load_ma: float, celsius: float) -> None:
        """Discharge by a load and by itself."""
        share_a_month = 0.04 * (1 + self.age) * 2 ** ((celsius - 25) / 10)
        self.charge -= load_ma / 1000 * step_s / 3600 / self.left_ah + share_a_month * step_s / (30 * DAY_S)
        self.surface_v *= math.exp(-step_s / 7200)

    def take_charge(self, step_s: float, ampere: float) -> None:
        """What a generator brings in."""
        self.charge = min(1.0, self.charge + ampere * 0.85 * step_s / 3600 / self.left_ah)
        self.surface_v = 0.3


@dataclass(kw_only=True)
class Sensor:
    """How a voltage becomes a reading: right, with noise and the steps of an ADC; or as a wrong sensor has it."""

    noise_v: float = 0.03
    step_v: float = 0.05
    wrong: Callable[[float], float | None] = float

    def read(self, volt: float, rng: Random) -> float | None:
        """What is measured."""
        told = self.wrong(volt + rng.gauss(0, self.noise_v))
        return None if told is None else round(told / self.step_v) * self.step_v


@dataclass(kw_only=True)
class Car:
    """One car through weeks.

    `drives(day)` gives (start, length) in seconds of that day. The bus of the parked car speaks up every `chatter_s`
    (0: never). A smart generator rests at 12.4 V for minutes at a time. `nominal` 2: a system of 24 V.
    """

    seed: int
    settings: PowerSettings = WITH_HOOKS
    battery: Battery = field(default_factory=Battery)
    sensor: Sensor = field(default_factory=Sensor)
    mean_c: float = 10.0
    swing_c: float = 6.0
    quiescent_ma: float = 20.0
    drives: Callable[[int], tuple[tuple[float, float], ...]] = lambda _day: ()
    chatter_s: float = 0.0
    tells_engine: bool = True
    is_smart: bool = False
    draws: bool = True
    nominal: int = 1

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.now_s = 0.0
        self.power = Power(self.settings, 0)
        self.plan: Plan = self.power.plan
        self.account = Account()
        self.asleep: Suspend | None = None
        self.slept_s = 0.0
        self.taken_ah = self.parked_ah = 0.0
        self.low_ma_s = 0.0
        self.lowest_v = 99.0
        self.crossed_s: float | None = None
        self.states: list[tuple[float, str, str]] = []
        self.wakes = 0
        self.driven_s = self.seen_s = 0.0
        self._today: tuple[int, tuple[tuple[float, float], ...]] = (-1, ())

    def run(self, days: float) -> "Car":
        """Let the time pass."""
        until_s = self.now_s + days * DAY_S
        while self.now_s < until_s:
            self._pass(min(self._pace_s(), until_s - self.now_s))
        return self

    @property
    def celsius(self) -> float:
        """Cold at night."""
        return self.mean_c + self.swing_c * math.sin(2 * math.pi * self.now_s / DAY_S)

    @property
    def is_driven(self) -> bool:
        """Whether somebody drives it now."""
        day = int(self.now_s // DAY_S)
        if self._today[0] != day:
            self._today = (day, self.drives(day))
        second = self.now_s - day * DAY_S
        return any(start <= second < start + length for start, length in self._today[1])

    def _pace_s(self) -> float:
        """Steps are long while nothing happens."""
        is_still = self.asleep is not None or not self.draws
        return ASLEEP_S if is_still and not self.is_driven else AWAKE_S

    def _ma(self) -> float:
        """What the terminal draws now."""
        draw = self.settings.draw
        if not self.draws:
            return 0.0
        if self.asleep is not None:
            return draw.off_ma if self.asleep.is_off else draw.asleep_ma
        return draw.awake_ma if self.plan.run.radio or self.plan.run.poll else draw.parked_ma

    def _pass(self, step_s: float) -> None:
        """One step of everything."""
        load_ma, driven = self._ma(), self.is_driven
        self.battery.pass_time(step_s, load_ma + self.quiescent_ma, self.celsius)
        if driven:
            self.battery.take_charge(step_s, 12.0)
            self.driven_s += step_s
            self.seen_s += step_s * (self.plan.state == "driving" and self.asleep is None)
        self.now_s += step_s
        self.taken_ah += load_ma * step_s / 3.6e6
        self.parked_ah = 0.0 if driven else self.parked_ah + load_ma * step_s / 3.6e6
        self._watch(step_s, load_ma)
        if self.draws:
            self._live(step_s, driven=driven)

    def _watch(self, step_s: float, load_ma: float) -> None:
        """What the tests want to know of the battery."""
        rest_v = self.battery.rest_v(25.0)
        self.lowest_v = min(self.lowest_v, rest_v)
        if rest_v <= 11.8:
            self.crossed_s = self.now_s if self.crossed_s is None else self.crossed_s
            self.low_ma_s += load_ma * step_s

    def _live(self, step_s: float, *, driven: bool) -> None:
        """The terminal: asleep until somebody calls, else a turn of its loop."""
        now_us = round(self.now_s * 1e6)
        if self.asleep is not None:
            self.slept_s += step_s
            by = self._caller(self.asleep, driven=driven)
            if not by:
                return
            self._wake(now_us, by)
        self.plan = self.power.step(now_us, self._signs(driven=driven))
        if not self.states or self.states[-1][1] != self.plan.state:
            self.states.append((self.now_s, self.plan.state, self.plan.reason))
        if isinstance(self.plan.action, Suspend):
            self.asleep, self.slept_s, self.account = self.plan.action, 0.0, self.power.account

    def _wake(self, now_us: int, by: str) -> None:
        """It goes on, or starts anew where it was switched off."""
        assert self.asleep is not None
        self.wakes += 1
        if self.asleep.is_off:
            self.power = Power(self.settings, now_us, self.account)
        else:
            self.power.woke(now_us, by)
        self.asleep = None

    def _caller(self, how: Suspend, *, driven: bool) -> str:
        """Who wakes it now; empty: nobody."""
        if driven:
            return next((source for source in ("can", "motion", "voltage") if source in how.wake_on), "")
        if self.chatter_s and "can" in how.wake_on and self.rng.random() < ASLEEP_S / self.chatter_s:
            return "can"
        return "timer" if how.wake_after_s and self.slept_s >= how.wake_after_s else ""

    def _volt(self, *, driven: bool) -> float:
        """At the terminal's plug."""
        if driven and self.is_smart and int(self.now_s) % 900 < 600:
            return 12.4 + self.rng.uniform(-0.1, 0.1)
        if driven:
            return 14.1 + self.rng.uniform(-0.25, 0.25)
        return self.battery.rest_v(self.celsius) + self.battery.surface_v - 0.02

    def _signs(self, *, driven: bool) -> Signs:
        """What the rooms of the terminal know."""
        volt = self.sensor.read(self._volt(driven=driven) * self.nominal, self.rng)
        signs = Signs(volt=volt, temperature_c=self.celsius, is_queue_empty=self.rng.random() < 0.1)
        if driven and self.tells_engine:
            return replace(signs, engine="on", ignition=True, speed_mps=13.0, is_bus_active=True, is_shaken=True)
        return replace(signs, is_bus_active=bool(self.chatter_s) and self.rng.random() < 0.2)
