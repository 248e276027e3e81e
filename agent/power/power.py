"""What of this terminal runs, and when it sleeps: driving, settling, parked, asleep. It decides; hooks and rooms act.

driving   the engine runs, the car moves, the ignition is on, or a generator charges: everything runs
settling  after it: the trip ends and is told; nothing is asked of the car any more
parked    awake beside a parked car: it keeps watch, or looks round after something woke it
asleep    suspended, or switched off when the battery is at its floor or its allowance is spent

What is taken from a parked car is added up from the draw of each state. At the floor of the voltage, or when that sum
reaches its budget (a smaller one while no voltage is believed), everything stops but a rare look, until the car is
driven. So a wrong sensor costs a known charge at most.
"""

from agent.power.duty import NO_ACCOUNT, RUNS, Account, Plan, Resume, Run, Signs, State, Suspend
from agent.power.voltage import Reading, Supply
from agent.power.waking import SOURCES, Alarms
from agent.settings.power import Power as PowerSettings

MOVES_MPS = 1.39
"""5 km/h: a car at this speed is driven (DETECTION, trips)."""

STANDS_S = 600.0
"""An engine that is said to run in a car that stood so long at the floor does not charge, or does not run."""

LOOK_S = 20.0
"""Awake at least this long after something woke it: bus, driver and generator have shown themselves by then."""

TALK_S = 120.0
"""The radio stays on at most this long beside a parked car to empty the outbox."""

QUIET_S, QUIET_S_MAX = 10.0, 1800.0
"""It goes to sleep when bus and sensor were quiet so long; after the most without the one that is not."""

DRY_LOOK_S, DEAF_S = 604_800, 86_400
"""With nothing left to take it looks once a week, and listens for who calls; three times in vain: to the voltage only,
for a day."""

IN_VAIN_MAX = 3

RISE_V = 0.4
"""A voltage that rose by this since the terminal went to sleep is charged, whatever the sensor's error."""

REFUSED_S_MIN, REFUSED_S_MAX = 60.0, 3600.0
"""A hook that failed is tried again after the least, doubling to the most."""

AH_PER_MA_S = 1 / 3.6e6


class Power:
    """The decider. A turn of the daemon: `step`, do what the plan says; after a suspend `woke`, or `refused`."""

    def __init__(self, settings: PowerSettings, now_us: int, account: Account = NO_ACCOUNT) -> None:
        self._settings = settings
        self._supply = Supply(settings, is_low=account.is_low)
        self._reading = Reading(None, account.is_low)
        self._alarms = Alarms(settings.heartbeat_s)
        self._spent_ah, self._rest_v, self._in_vain = account.spent_ah, account.rest_v, account.in_vain
        self._last_us = self._since_us = self._moved_us = self._talk_us = now_us
        self._stirred_us = {"can": now_us, "motion": now_us}
        self._stay_until_us = self._retry_us = self._timer_us = now_us
        self._refused_s = REFUSED_S_MIN
        self._is_resuming = False
        self.refusals = 0
        state: State = "parked" if self._is_dry() else "settling"
        self._woken_by = "a start" if state == "parked" else ""
        self.plan = Plan(state, RUNS[state], "it starts")

    @property
    def account(self) -> Account:
        """To be kept before a suspend, and handed to the next start."""
        is_low = self._reading.is_low
        return Account(spent_ah=self._spent_ah, is_low=is_low, rest_v=self._rest_v, in_vain=self._in_vain)

    def step(self, now_us: int, signs: Signs) -> Plan:
        """What should run now."""
        moves = signs.speed_mps is not None and signs.speed_mps >= MOVES_MPS
        is_moving, cold_c = moves or signs.is_shaken, signs.temperature_c
        self._reading = self._supply.step(now_us, signs.volt, signs.engine, is_moving=is_moving, cold_c=cold_c)
        self._moved_us = now_us if moves else self._moved_us
        self._spend(now_us, signs, moves=moves)
        self._stirred_us |= {"can": now_us} if signs.is_bus_active else {}
        self._stirred_us |= {"motion": now_us} if signs.is_shaken else {}
        if not self._settings.enabled:
            self.plan = Plan("driving", RUNS["driving"], "power.enabled = false: it never sleeps")
            return self.plan
        if self.plan.state == "asleep" and self._timer_us <= now_us:
            self._wake(now_us, "timer")  # only who cannot be suspended gets here
        state, reason = self._decided(now_us, signs, moves=moves)
        action = self._entered(now_us, state)
        self.plan = Plan(state, self._run(now_us, state, signs), reason, action)
        return self.plan

    def woke(self, now_us: int, by: str) -> None:
        """A suspend ended: "timer", "can", "motion", "voltage", or another word where nobody knows."""
        self._spent_ah += self._asleep_ma() * (now_us - self._last_us) / 1e6 * AH_PER_MA_S
        self._last_us, self._refused_s = now_us, REFUSED_S_MIN
        self._alarms.rang(now_us, by)
        self._is_resuming = True
        self._wake(now_us, by)

    def refused(self, now_us: int, why: str) -> None:
        """The hook did not suspend: stay up, and try again later."""
        self.refusals += 1
        self._retry_us = now_us + round(self._refused_s * 1e6)
        self._refused_s = min(self._refused_s * 2, REFUSED_S_MAX)
        self._wake(now_us, f"a hook that failed ({why})")

    def stay(self, now_us: int, for_s: float) -> str:
        """Somebody works on the terminal: awake for so long. Empty, or why not; 0 ends it."""
        if self._is_dry():
            return self._dry_reason()
        if for_s > self._settings.stay_s_max:
            return f"{for_s:.0f} s are too long: power.stay_s_max = {self._settings.stay_s_max:.0f}"
        self._stay_until_us = now_us + round(for_s * 1e6)
        return ""

    def told(self) -> dict[str, object]:
        """For health: volts in terms of 12 V, charge in Ah, wakes by source."""
        volt, doubt = self._reading.volt, self._reading.doubt
        told = {"state": self.plan.state, "reason": self.plan.reason, "doubt": doubt, "refusals": self.refusals}
        volts = {"volt": None if volt is None else round(volt, 2), "spent_ah": round(self._spent_ah, 3)}
        return told | volts | {"wakes": dict(self._alarms.counts)}

    def _spend(self, now_us: int, signs: Signs, *, moves: bool) -> None:
        """Charge taken, or given back by driving."""
        since_s, self._last_us = (now_us - self._last_us) / 1e6, now_us
        if signs.engine == "on" or moves or (self._reading.is_charging and self._has_risen()):
            self._spent_ah = max(0.0, self._spent_ah - self._settings.charge_a * since_s / 3600)
            return
        draw = self._settings.draw
        self._spent_ah += (draw.awake_ma if self.plan.run.radio else draw.parked_ma) * since_s * AH_PER_MA_S

    def _asleep_ma(self) -> float:
        """What is drawn while suspended, or switched off."""
        draw = self._settings.draw
        return draw.off_ma if self._is_dry() and self._settings.hooks.off else draw.asleep_ma

    def _is_spent(self) -> bool:
        """Whether the allowance is used up: smaller without a voltage."""
        most_ah = self._settings.blind_ah if self._reading.volt is None else self._settings.budget_ah
        return self._spent_ah >= most_ah

    def _is_dry(self) -> bool:
        """Whether nothing more may be taken."""
        return self._reading.is_low or self._is_spent()

    def _dry_reason(self) -> str:
        """Why nothing more may be taken."""
        if self._reading.is_low:
            volt = "" if self._reading.volt is None else f" ({self._reading.volt:.2f} V)"
            return f"the battery is at its floor{volt}"
        blind = f"; {self._reading.doubt}" if self._reading.doubt else ""
        return f"{self._spent_ah:.1f} Ah were taken since the car was driven, all that may be{blind}"

    def _has_risen(self) -> bool:
        """Whether the voltage is higher than the battery's own was, so that a sensor's error is no generator."""
        volt = self._reading.volt
        return volt is not None and self._rest_v is not None and volt >= self._rest_v + RISE_V

    def _life(self, now_us: int, signs: Signs, *, moves: bool) -> str:
        """Why the car is in use; empty: it is not. Where nothing more may be taken, less counts."""
        if moves:
            return "it moves"
        is_driving = self.plan.state == "driving"
        stood_s = (now_us - max(self._moved_us, self._since_us)) / 1e6 if is_driving else 0.0
        if signs.engine == "on" and not (self._reading.is_low and stood_s >= STANDS_S):
            return "the engine runs"
        if self._reading.is_charging and signs.engine != "off" and (self._has_risen() or not self._is_spent()):
            return "a generator charges"
        return "the ignition is on" if signs.ignition and not self._is_dry() else ""

    def _decided(self, now_us: int, signs: Signs, *, moves: bool) -> tuple[State, str]:
        """State and reason."""
        life = self._life(now_us, signs, moves=moves)
        if life:
            return "driving", life
        if self._is_dry():
            why = self._looks(now_us) if self.plan.state == "parked" else ""
            return ("parked", why) if why else ("asleep", self._dry_reason())
        if now_us < self._stay_until_us:
            return "parked", "it is kept awake for service"
        if self.plan.state in ("driving", "settling"):
            why = self._settles(now_us, signs)
            if why:
                return "settling", why
        why = self._awake_for(now_us, signs)
        return ("parked", why) if why else ("asleep", "the car is parked")

    def _settles(self, now_us: int, signs: Signs) -> str:
        """Why everything stays on after a drive; empty: it was long enough."""
        since_s = (now_us - self._since_us) / 1e6 if self.plan.state == "settling" else 0.0
        if since_s < self._settings.settle_s:
            return "the car was in use just now"
        return "records wait" if not signs.is_queue_empty and since_s < self._settings.settle_s_max else ""

    def _awake_for(self, now_us: int, signs: Signs) -> str:
        """Why a parked car's terminal is awake; empty: no reason."""
        if self.plan.state == "asleep":
            return "" if self._settings.hooks.suspend else self._stirs(now_us)
        why = self._looks(now_us)
        if why:
            return why
        parked_s = self._parked_s(now_us)
        if self._talks(now_us, signs):
            return "records wait"
        if not self._woken_by and self._keeps_watch() and parked_s < self._settings.watch_s:
            return "it keeps watch"
        return self._stirs(now_us) if parked_s < QUIET_S_MAX else ""

    def _looks(self, now_us: int) -> str:
        """Why it looks round, the battery full or not."""
        if now_us < self._retry_us:
            return "it could not be put to sleep"
        if self._reading.is_unsure:
            return "the voltage crossed the floor: a passing load, or the battery?"
        return f"woken by {self._woken_by}" if self._woken_by and self._parked_s(now_us) < LOOK_S else ""

    def _parked_s(self, now_us: int) -> float:
        """How long it is parked, awake."""
        return (now_us - self._since_us) / 1e6 if self.plan.state == "parked" else 0.0

    def _keeps_watch(self) -> bool:
        """Whether the battery is good for it."""
        return self._reading.volt is not None and self._reading.volt >= self._settings.watch_v

    def _stirs(self, now_us: int) -> str:
        """The car is not quiet."""
        return "the car is not quiet" if now_us - max(self._stirred_us.values()) < QUIET_S * 1e6 else ""

    def _talks(self, now_us: int, signs: Signs) -> bool:
        """Whether the radio is worth its current beside a parked car: a chattering bus alone is not."""
        has_time = now_us - self._talk_us < TALK_S * 1e6
        return has_time and not signs.is_queue_empty and self._woken_by != "can"

    def _run(self, now_us: int, state: State, signs: Signs) -> Run:
        """What runs in this state."""
        if state == "parked":
            return RUNS[state]._replace(radio=self._talks(now_us, signs) or now_us < self._stay_until_us)
        return RUNS[state]._replace(listen=state != "asleep" or not self._settings.hooks.suspend)

    def _wake(self, now_us: int, by: str) -> None:
        """Awake beside the car: look round, and talk if there is something to say."""
        self._woken_by, self._since_us, self._talk_us = by, now_us, now_us
        self.plan = Plan("parked", RUNS["parked"], f"woken by {by}")

    def _entered(self, now_us: int, state: State) -> Suspend | Resume | None:
        """What the change of state asks for."""
        before, resume = self.plan.state, Resume() if self._is_resuming else None
        self._is_resuming = False
        if state == before:
            return resume
        self._since_us = now_us
        if state == "driving":
            self._alarms.drove()
            self._in_vain = 0
        if state != "asleep":
            self._woken_by, self._talk_us = "", now_us
            return resume
        self._rest_v = self._reading.volt
        suspend = self._suspend(now_us)
        self._timer_us = now_us + round((suspend.wake_after_s or DRY_LOOK_S) * 1e6)
        return suspend if self._settings.hooks.suspend else None

    def _suspend(self, now_us: int) -> Suspend:
        """How long, and what may wake it."""
        if self._is_dry():
            self._in_vain += 1 if self._in_vain < IN_VAIN_MAX else -1
            is_deaf = self._in_vain >= IN_VAIN_MAX
            is_off = bool(self._settings.hooks.off)
            return Suspend(DEAF_S, ("voltage",), is_off) if is_deaf else Suspend(DRY_LOOK_S, SOURCES, is_off)
        for source, stirred_us in self._stirred_us.items():
            if now_us - stirred_us < QUIET_S * 1e6:
                self._alarms.leave_out(now_us, source)
        return Suspend(*self._alarms.set(now_us, self._reading.volt))
