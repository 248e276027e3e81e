"""The terminal itself: when it sleeps and by which command, what runs meanwhile, and what the driver is shown.

Power and notice decide; hooks, lights and buzzers act. Everything here is optional: without settings nothing happens.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.camera.blind import Blind
from agent.codec import Record
from agent.core import Event, Sample
from agent.errors import StorageError
from agent.power import awake
from agent.power.duty import Account, Resume, Signs, Suspend
from agent.power.notice import Notice, minute_of
from agent.power.power import Power
from agent.settings import Settings
from agent.world.hours import zone
from drivers.hook import Hook
from drivers.indicator import open_indicator

if TYPE_CHECKING:
    from agent.camera.camera import Film

SHAKEN_MPS2 = 0.5
"""A parked car whose acceleration changes by this within a second was moved."""

AXES = ("accel_x", "accel_y", "accel_z")

log = logging.getLogger("tbox")


class Upkeep:
    """Once a second `note`; each turn `tend`. `wanted` is the suspend that waits until everything is on flash."""

    def __init__(
        self, settings: Settings, now_us: int, kept: Mapping[str, Any], film: "Film | Blind | None" = None
    ) -> None:
        self.film = film or Blind()
        self.film.resume(now_us, kept.get("film", []))
        hooks, timeout_s = settings.power.hooks, settings.power.hooks.timeout_s
        self._power = Power(settings.power, now_us, msgspec.convert(kept, Account))
        self._notice, self._zone = Notice(settings.notice), zone(settings.device.timezone)
        self._hooks = {
            name: Hook(argv, timeout_s=timeout_s)
            for name, argv in (
                ("suspend", hooks.suspend),
                ("off", hooks.off or hooks.suspend),
                ("resume", hooks.resume),
                ("radio_on", hooks.radio_on),
                ("radio_off", hooks.radio_off),
            )
        }
        shown = settings.indicator
        self._indicator = open_indicator(
            shown.lights,
            pwm=shown.pwm,
            tone_hz=shown.tone_hz,
            command=shown.command,
            command_timeout_s=shown.command_timeout_s,
        )
        self._before: Sample | None = None
        self._frames = 0
        self._has_radio = True
        self._state_dir = Path(settings.device.state_dir)
        self._is_kept, self._why_not = False, ""
        self.wanted: Suspend | None = None

    def note(self, sample: Sample, frames: int, *, is_queue_empty: bool) -> None:
        """A second went by: what is known now decides what runs. `frames`: heard on all buses, ever."""
        self._stay(sample.at_us)
        ignition = sample.value("ignition")
        plan = self._power.step(
            sample.at_us,
            Signs(
                engine=sample.engine,
                ignition=None if ignition is None else ignition >= 0.5,
                speed_mps=sample.value("speed"),
                volt=sample.value("battery"),
                is_bus_active=frames > self._frames,
                is_shaken=self._before is not None and _change_mps2(self._before, sample) >= SHAKEN_MPS2,
                is_queue_empty=is_queue_empty,
            ),
        )
        self._frames, self._before = frames, sample
        self._set_radio(is_on=plan.run.radio)
        if plan.state != "asleep":
            self.wanted = None
        match plan.action:
            case Suspend() as suspend:
                log.info("to sleep: %s", plan.reason)
                self.wanted = suspend
            case Resume():
                self._hooks["resume"].start()

    def sleep(self, now_us: int) -> None:
        """Everything is on flash: run the hook that suspends, which ends when Linux runs again."""
        suspend, self.wanted = self.wanted, None
        assert suspend is not None
        words = {"wake_s": str(suspend.wake_after_s), "wake_on": ",".join(suspend.wake_on)}
        if not self._hooks["off" if suspend.is_off else "suspend"].start(words):
            self._power.refused(now_us, "its command cannot be run")

    def show(self, event: Event, now_us: int, utc_us: int | None) -> None:
        """An event was found: perhaps the driver is told. `utc_us`: what time it is, where that is known."""
        minute = None if utc_us is None else minute_of(utc_us, self._zone)
        told = self._notice.step(now_us, event.name, event.severity, event.end_us, minute)
        if told is not None:
            self._indicator.show(told.kind, told.severity)

    def tend(self, now_us: int, waiting: int = 0, *, is_settled: bool = True) -> list[Record]:
        """Look after lights, commands and the camera; the records of what that saved.

        `waiting`: records that are not delivered; `is_settled`: all others are on flash.
        """
        now_s = now_us / 1e6
        self._indicator.tend(now_s)
        for name, hook in self._hooks.items():
            for ended in hook.tend(now_s):
                if name in ("suspend", "off") and ended.is_good:
                    self._power.woke(now_us, "a wake source")
                elif name in ("suspend", "off"):
                    self._power.refused(now_us, f"{ended.command} ended with {ended.exit_code}")
        return self.film.turn(now_us, self._power.plan.state, waiting, is_settled=is_settled)

    def find(self, seconds: int) -> bool:
        """Blink for so long, so that the box is found; False: there is nothing to blink with."""
        return self._indicator.find(seconds)

    def stay(self, now_us: int, seconds: float) -> str:
        """Do not sleep for so long, from now on. Empty, or why not; 0 ends it."""
        return self._power.stay(now_us, seconds)

    def staying(self, seconds: int) -> Callable[[object], dict[str, Any]]:
        """What writes that down, so that it outlives a restart; to be done where a slow disk makes nobody wait."""

        def write(_store: object) -> dict[str, Any]:
            try:
                awake.write(self._state_dir, seconds)
            except StorageError as why:
                return {"error": str(why)}
            return {"seconds": seconds}

        return write

    def kept(self) -> dict[str, Any]:
        """What must outlive a start: the battery's account, and what clips took of their day's allowance."""
        told: dict[str, Any] = msgspec.to_builtins(self._power.account)
        film = self.film.kept()
        return told | ({"film": film} if film else {})

    def health(self) -> dict[str, Any]:
        """State and reason of the power decider; what was told to the driver, and why other things were not."""
        told = {"power": self._power.told(), "notice": dict(self._notice.counts), "shown": self._indicator.counters()}
        return told | self.film.health()

    def close(self) -> None:
        """Lights out, commands ended, nobody films."""
        self.film.close()
        self._indicator.close()
        for hook in self._hooks.values():
            hook.close()

    def _stay(self, now_us: int) -> None:
        """Whether a technician keeps it awake (`tbox awake`); why not is said once."""
        left_s = awake.left_s(self._state_dir)
        why_not = self._power.stay(now_us, left_s) if left_s or self._is_kept else ""
        if why_not and why_not != self._why_not:
            log.warning("it is not kept awake: %s", why_not)
        self._is_kept, self._why_not = left_s > 0, why_not

    def _set_radio(self, *, is_on: bool) -> None:
        """One command after the other: on and off at once would leave either."""
        if is_on != self._has_radio and not any(self._hooks[name].is_running for name in ("radio_on", "radio_off")):
            self._hooks["radio_on" if is_on else "radio_off"].start()
            self._has_radio = is_on


def _change_mps2(before: Sample, after: Sample) -> float:
    """The largest change of any axis; 0 where one of them is not told."""
    pairs = [(before.value(axis), after.value(axis)) for axis in AXES]
    return max((abs(b - a) for a, b in pairs if a is not None and b is not None), default=0.0)
