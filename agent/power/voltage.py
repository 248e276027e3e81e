"""What the supply voltage says of a car, and whether it may be believed. Pure: readings and times in, a verdict out.

A 12 V lead battery at rest shows 12.7 V full, 12.2 V half and 11.8 V empty; charged it shows 13.2 to 15.2 V with the
generator's ripple; under a starter it falls under 10 V for seconds; a smart generator may let it be 12.4 V at speed. A
sensor that is not connected, stuck or wrongly scaled shows anything, and is found by what contradicts it.
"""

from dataclasses import dataclass

from agent.settings.power import Power

ALIVE_V, MOST_V = 6.0, 36.0
"""Outside of it no reading is one: under 6 V no terminal runs, over 36 V no battery of 12 or 24 V is."""

ENGINE_V = 10.0
"""With less no engine's electronics run (12 V); a starter goes lower, for seconds."""

CHARGING_V, CHARGING_V_MAX, RESTING_V = 13.2, 15.5, 13.0
"""Charging begins and ends; over the most it is no generator."""

TRUCK_V = 18.0
"""Over it the system is one of 24 V, and a reading counts half."""

SMOOTH_S = 15.0
"""Time constant of the average that the floor is held against: lamps and door locks pass."""

SAME_V = 0.02
"""Readings nearer to each other than this are the same one: an ADC of 10 bits over 30 V steps wider."""

COLD_C, COLD_V_MAX = 10.0, 0.4
"""Under it the floor rises, at most so much: a battery at -20 degC has half of its power, an engine wants twice."""

STEP_S_MAX = 10.0
"""A longer time between two readings counts as so much: the terminal slept."""

CRANK_S = 5.0
CONTRADICTED_S = 30.0
BELIEVED_S = 60.0
STUCK_S = 300.0
ALONE_S, ALONE_OFF_S = 14_400.0, 3600.0
"""So long charging counts while nothing else says that the engine runs, or while the engine is known to be off: a
charger, a car that charges from the grid, or a sensor that reads too high."""

TRUCK_S = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What the supply says now. `volt` in terms of 12 V, smoothed; None: nothing that can be believed, `doubt` why."""

    volt: float | None
    is_low: bool = False
    is_unsure: bool = False
    """On the other side of the floor, not yet for long enough."""
    is_charging: bool = False
    doubt: str = ""


class Held:
    """How long something has been so, in time that was lived through."""

    def __init__(self) -> None:
        self.for_s = 0.0

    def step(self, is_so: bool, since_s: float) -> float:
        """Seconds it has been so by now; 0 when it is not."""
        self.for_s = self.for_s + since_s if is_so else 0.0
        return self.for_s


class Supply:
    """The decider. `is_low` at first: what an earlier run knew."""

    def __init__(self, settings: Power, *, is_low: bool = False) -> None:
        self._settings = settings
        self._is_low = is_low
        self._is_truck = self._is_charging = False
        self._last_us: int | None = None
        self._smooth: float | None = None
        self._trust = Trust()
        self._below, self._above, self._truck, self._charge, self._rest = (Held() for _ in range(5))

    def step(self, now_us: int, volt: float | None, engine: str, *, is_moving: bool, cold_c: float | None) -> Reading:
        """Take a reading in; `engine` as core.Sample says it, `is_moving` by speed or shaking, `cold_c` in degC."""
        since_s = 0.0 if self._last_us is None else min((now_us - self._last_us) / 1e6, STEP_S_MAX)
        was_asleep = self._last_us is None or (now_us - self._last_us) / 1e6 > STEP_S_MAX
        self._last_us = now_us
        if volt is None:
            return self._nothing("no supply voltage is measured")
        volt = self._as_12_v(volt, since_s)
        doubt = self._trust.step(volt, since_s, engine, is_moving=is_moving, is_charging=self._is_charging)
        if doubt:
            return self._nothing(doubt)
        if not ALIVE_V <= volt <= MOST_V:
            return Reading(self._smooth, self._is_low, is_charging=self._is_charging)
        share = 1.0 if was_asleep or self._smooth is None else since_s / (SMOOTH_S + since_s)
        self._smooth = volt if self._smooth is None else self._smooth + share * (volt - self._smooth)
        self._note_charge(volt, since_s)
        return self._judged(self._smooth, since_s, cold_c)

    def _as_12_v(self, volt: float, since_s: float) -> float:
        """Half of it in a 24 V system. Once seen it stays one: its starter draws it under the limit too."""
        if self._truck.step(TRUCK_V < volt <= MOST_V, since_s) >= TRUCK_S and not self._is_truck:
            self._is_truck, self._smooth = True, None
        return volt / 2 if self._is_truck or TRUCK_V < volt <= MOST_V else volt

    def _note_charge(self, volt: float, since_s: float) -> None:
        """Whether a generator or a charger is at work: ripple and short loads do not change it."""
        if self._charge.step(CHARGING_V <= volt <= CHARGING_V_MAX, since_s) >= CRANK_S:
            self._is_charging = True
        if self._rest.step(volt < RESTING_V, since_s) >= CONTRADICTED_S:
            self._is_charging = False

    def _judged(self, volt: float, since_s: float, cold_c: float | None) -> Reading:
        """Against the floor, held on either side of it."""
        floor_v = self._settings.floor_v
        if cold_c is not None:
            floor_v += min(max(0.0, COLD_C - cold_c) * self._settings.cold_v_per_k, COLD_V_MAX)
        below_s = self._below.step(volt < floor_v, since_s)
        above_s = self._above.step(volt >= floor_v + self._settings.hysteresis_v, since_s)
        if below_s >= self._settings.hold_s:
            self._is_low = True
        elif above_s >= min(self._settings.hold_s, CONTRADICTED_S) or self._is_charging:
            self._is_low = False
        is_unsure = above_s > 0.0 if self._is_low else volt < floor_v
        return Reading(volt, self._is_low, is_unsure, self._is_charging)

    def _nothing(self, doubt: str) -> Reading:
        """Nothing to go by."""
        self._smooth, self._is_charging = None, False
        for held in (self._below, self._above, self._charge, self._rest):
            held.step(is_so=False, since_s=0.0)
        return Reading(None, self._is_low, doubt=doubt)


class Trust:
    """Finds the sensor that is wrong by what contradicts it; it is believed again when it makes sense for a minute."""

    def __init__(self) -> None:
        self._doubt = ""
        self._same_v: float | None = None
        self._ran_s = self._rested_s = 0.0
        self._impossible, self._starved, self._sense, self._alone = (Held() for _ in range(4))

    def step(self, volt: float, since_s: float, engine: str, *, is_moving: bool, is_charging: bool) -> str:
        """Why this reading is not believed; empty: it is."""
        is_high = is_charging or (bool(self._doubt) and volt >= RESTING_V)
        alone_s = self._alone.step(is_high and engine != "on" and not is_moving, since_s)
        found = self._found(volt, since_s, engine, alone_s)
        if found:
            self._doubt = found
        makes_sense = not found and (ENGINE_V + 1 if engine == "on" else ALIVE_V) <= volt <= CHARGING_V_MAX
        if self._sense.step(makes_sense, since_s) >= BELIEVED_S:
            self._doubt = ""
        return self._doubt

    def _found(self, volt: float, since_s: float, engine: str, alone_s: float) -> str:
        """What contradicts the reading now."""
        is_impossible = not ALIVE_V <= volt <= MOST_V
        impossible_s = self._impossible.step(is_impossible, since_s)
        starved_s = self._starved.step(volt < ENGINE_V and engine == "on", since_s)
        if impossible_s > CRANK_S or (is_impossible and self._doubt):
            return f"the supply reads {volt:.1f} V, with which no terminal runs"
        if starved_s >= CONTRADICTED_S:
            return f"the supply reads {volt:.1f} V while the engine runs"
        if self._is_stuck(volt, since_s, engine):
            return f"the supply reads {volt:.2f} V, engine on or off: stuck"
        if alone_s >= (ALONE_OFF_S if engine == "off" else ALONE_S):
            return f"the supply reads {volt:.1f} V and nothing else says that the engine runs"
        return ""

    def _is_stuck(self, volt: float, since_s: float, engine: str) -> bool:
        """The same reading through minutes of a running engine and minutes of one at rest."""
        if self._same_v is None or abs(volt - self._same_v) > SAME_V:
            self._same_v, self._ran_s, self._rested_s = volt, 0.0, 0.0
        if engine == "on":
            self._ran_s += since_s
        else:
            self._rested_s += since_s
        return min(self._ran_s, self._rested_s) >= STUCK_S
