"""Does this configuration fit this car? Judged from what was heard of it with the new settings. Pure but for `listen`.

Each check is the doctor's or is made like one of his. Those of DECIDING speak of the configuration: where one fails, it
is not put into force. The others speak of the installation (antenna, broker, clock): they are told and do not decide,
because a bundle shall go in where there is no signal. SKIP is a check that could not be made, with what would make it
possible; it never counts as passed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent.doctor import beside, doctor
from agent.doctor.beside import Held
from agent.doctor.checkup import Check, failed, is_vin, passed, skipped
from agent.doctor.fitting import Fit
from agent.doctor.gathering import Gathered, gather
from agent.maps import maps
from agent.run import has_source
from agent.settings import Settings
from agent.slots.trial import has_broadcast
from agent.trip import terms
from agent.vehicle import Table

DECIDING = frozenset({"identifiers", "vehicle map", "speed", "odometer", "VIN", "link"})
CAR = frozenset({"vehicle map", "speed", "VIN"})
"""The doctor's checks that are judged anew here."""

FRAMES_MIN = 200
"""Fewer frames are the chatter of a sleeping car: no map can be judged by them."""

ODOMETER_M_MAX = 3e9
"""Three million kilometres: no car has driven farther."""

NOTHING_S = 0.1
"""Where there is nothing to listen to."""

ON = "switch the ignition on, start the engine, and flash again"
AGENTS = "tbox run has it open: it is judged while on trial"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the car's VIN: `typed` by a person, `heard` by the running agent; empty: not."""

    typed: str = ""
    heard: str = ""

    @property
    def vin(self) -> str:
        """The car's word before a person's; empty: nobody knows."""
        return self.heard or self.typed

    @property
    def is_by_hand(self) -> bool:
        """Whether only a person says so."""
        return bool(self.typed) and not self.heard


@dataclass(frozen=True, slots=True)
class Mute:
    """Why a map that has to be asked for would hear nothing; whether only the running agent hears the car."""

    words: str
    is_held: bool = False


def try_it(
    settings: Settings, known: Known, tell: Callable[[str], None], running: Mapping[str, Any] | None
) -> tuple[Known, list[Check]]:
    """Listen to the car with these settings, look at the terminal; what is known of the car then. SettingsError.

    `running`: what tbox run, which goes on, tells of the devices it has; None: it does not run.
    """
    table = maps.load(Path(settings.vehicle.map), in_child=True)
    terms.load(settings, table)
    heard, held = (settings, Held()) if running is None else beside.leave(settings, running)
    checks = [skipped(f"device {name}", AGENTS) for name in held.names]
    gathered = gather(heard, table, settings.flash.check_s if has_source(heard) else NOTHING_S, tell)
    mute = Mute(why_mute(settings, is_beside=heard.obd != settings.obd), is_held=held.is_car)
    judged = judge(heard, table, gathered, known, mute)
    checks += [check for check in judged if check.name != "bus" or not held.is_car]
    tell("calling the broker, looking at the terminal")
    checks += doctor.terminal(settings, has_gnss=bool(gathered.hearing.fixes))
    vins = {text.words for text in gathered.hearing.texts if text.what == "0902"}
    return replace(known, heard=vins.pop() if len(vins) == 1 else known.heard), checks


def judge(settings: Settings, table: Table, gathered: Gathered, known: Known, mute: Mute) -> list[Check]:
    """Of the car: ids seen, map, speed, odometer, VIN, and what the doctor says beside."""
    fit, frames = gathered.fitter.fit(), gathered.hearing.frames
    silence = why_silent(table, fit, frames, mute)
    doctors = list(doctor.car(settings, gathered))
    made = {check.name: check for check in doctors}
    car = [check_ids(fit, frames, silence)]
    car += [_unless(silence, made[name]) for name in ("vehicle map", "speed")]
    odometer_m = [one for sample in gathered.samples if (one := sample.value("odometer")) is not None]
    car.append(skipped("odometer", silence) if silence and not odometer_m else check_odometer(odometer_m))
    car.append(check_vin(known, [text.words for text in gathered.hearing.texts if text.what == "0902"]))
    return [*(check for check in doctors if check.name not in CAR), *car]


def why_mute(settings: Settings, *, is_beside: bool) -> str:
    """Why a map that has to be asked for would hear nothing; `is_beside`: tbox run listens to it."""
    if settings.obd.ask == "never" or not (settings.elm or any(not can.listen_only for can in settings.can)):
        return "this map is asked for, and the settings only listen ([[can]] listen_only, obd.ask)"
    if is_beside:
        return "the car is not asked by two at once: tbox run asks it while on trial"
    return f"the car did not answer: {ON}"


def why_silent(table: Table, fit: Fit, frames: int, mute: Mute) -> str:
    """Why the map cannot be judged now; empty: it can."""
    if fit.messages_seen:
        return ""
    if mute.is_held and not frames:
        return AGENTS
    if has_broadcast(table):
        if not frames:
            return f"the bus is silent: check plug and wires, {ON}"
        return f"only {frames} frames came, a car asleep: {ON}" if frames < FRAMES_MIN else ""
    return mute.words


def check_ids(fit: Fit, frames: int, silence: str) -> Check:
    """Whether the map's messages are on this bus."""
    words = f"{fit.messages_seen} of the map's {fit.messages} seen"
    if silence:
        return skipped("identifiers", silence)
    if not fit.messages_seen:
        told = f"none of the map's {fit.messages} among {frames} frames"
        return failed("identifiers", told, "this map is for another car: take its bundle, or try tbox vehicle probe")
    return passed("identifiers", words)


def check_odometer(told_m: Sequence[float]) -> Check:
    """Whether it is one: not negative, not absurd, never going back."""
    if not told_m:
        return skipped("odometer", "the car does not tell it, or not within this time")
    words = f"{told_m[-1] / 1000:.1f} km"
    if any(not 0 <= one <= ODOMETER_M_MAX for one in told_m):
        return failed("odometer", words, "no car has driven that: the map reads it wrongly")
    if any(after < before for before, after in pairwise(told_m)):
        return failed("odometer", f"{words}, and it went back", "the map reads it wrongly, or two units tell it")
    return passed("odometer", words)


def check_vin(known: Known, heard: Sequence[str]) -> Check:
    """Whether the car is the one that was meant; by hand is said."""
    told = list(dict.fromkeys([*heard, *([known.heard] if known.heard else [])]))
    if len(told) > 1:
        return failed("VIN", " and ".join(told), "two cars answer, or a unit was swapped: ask the workshop")
    if told and not is_vin(told[0]):
        return failed("VIN", f"{told[0]} is none", "a unit was swapped or never coded: ask the workshop")
    if told and known.typed and told[0] != known.typed:
        fix = "look at the plate on the dashboard: wrong car, or a typing error"
        return failed("VIN", f"the car says {told[0]}, typed was {known.typed}", fix)
    if told:
        return passed("VIN", told[0])
    if known.typed:
        return passed("VIN", f"{known.typed}, typed by hand: the car did not say it")
    return skipped("VIN", f"the car did not tell it: {ON}, or give it with --vin")


def check_link(checks: Sequence[Check], *, was_up: bool) -> Iterator[Check]:
    """The broker was reached before, and is not with these settings: then it is the settings."""
    broker = next((check for check in checks if check.name == "broker"), None)
    if broker is not None and broker.verdict == "FAIL" and was_up:
        yield failed("link", f"the broker is reached now, but not with these settings: {broker.words}", broker.fix)


def _unless(silence: str, check: Check) -> Check:
    """What does not pass only because nothing could be heard was not judged."""
    return replace(check, verdict="SKIP", words=silence, fix="") if silence and check.verdict != "PASS" else check
