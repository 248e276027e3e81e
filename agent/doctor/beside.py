"""Looking at a terminal while `tbox run` runs on it: which devices it has for itself, and checks by what it tells.

A serial adapter, a receiver's port and a motion sensor's buffer belong to one process. Nothing is asked of a car the
agent listens to: it would take us for another tester, and fall silent. What it knows it says over its desk
(agent/desk/reading.py's `live`), and that is judged by the doctor's own checks, as far as they are made for it. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace as with_

from agent.doctor import checkup
from agent.doctor.checkup import Check, failed, passed, skipped
from agent.settings import Can, Settings
from agent.sources.hearing import Fix, Text
from agent.vehicle import NO_SIGNAL, Table
from drivers.batch import SIGNALS

QUIET_S = 5.0
"""A bus that gave nothing for so long is silent."""

ASKED_S = 5.0
"""A running car that can say its VIN, and is asked, has said it by then."""

SHARE_MIN = 0.5
"""Of the map's signals, as fitting.py has it."""

IDLE = ("engine_off", "low_voltage")
"""Reasons not to ask that a running engine ends."""

Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """What the agent has for itself: buses, ports of adapters, the receiver's port, the motion sensor."""

    buses: tuple[Can, ...] = ()
    adapters: tuple[str, ...] = ()
    has_receiver: bool = False
    has_sensor: bool = False

    @property
    def is_car(self) -> bool:
        """Whether the car, or a part of it, is only heard by the agent."""
        return bool(self.buses or self.adapters)

    @property
    def names(self) -> list[str]:
        """Each, for people."""
        beside = (("gnss", self.has_receiver), ("imu", self.has_sensor))
        return [*(can.channel for can in self.buses), *self.adapters, *(name for name, is_so in beside if is_so)]


def leave(settings: Settings, read: Told) -> tuple[Settings, Held]:
    """What can be heard beside the agent, and what is its own. `read`: what it told; nothing: all may be its own.

    A device of these settings that the agent does not have is nobody's, and a car it does not listen to may be asked.
    """
    has = set(read.get("sources") or ()) if read else None
    names = [*(can.channel for can in settings.can), *(elm.port for elm in settings.elm), "gnss", "imu"]
    taken = {name for name in names if has is None or name in has}
    buses = tuple(can for can in settings.can if can.interface != "socketcan" and can.channel in taken)
    adapters = tuple(elm for elm in settings.elm if elm.port in taken)
    has_receiver, has_sensor = bool(settings.gnss.port), bool(settings.imu.device)
    held = Held(
        buses, tuple(elm.port for elm in adapters),
        has_receiver=has_receiver and "gnss" in taken, has_sensor=has_sensor and "imu" in taken,
    )  # fmt: skip
    left = with_(
        settings, can=tuple(can for can in settings.can if can not in buses),
        elm=tuple(elm for elm in settings.elm if elm not in adapters),
        gnss=with_(settings.gnss, port="") if held.has_receiver else settings.gnss,
        imu=with_(settings.imu, device="") if held.has_sensor else settings.imu,
        obd=with_(settings.obd, ask="never") if taken - {"gnss", "imu"} else settings.obd,
    )  # fmt: skip
    return left, held


def is_enough(read: Told, held: Held) -> bool:
    """Whether the agent told all that it can: each bus heard, a speed, and the VIN, or long enough none."""
    sources = [_source(read, name) for name in (*(can.channel for can in held.buses), *held.adapters)]
    is_proved = all(source.get("silent") != "not_proved" for source in sources)
    is_asked = bool(_vins(read)) or (is_proved and float(read.get("up_s") or 0.0) >= ASKED_S)
    is_told = all(map(_is_heard, sources)) and _value(read, "speed") is not None
    return is_asked and (is_told or bool(_why_idle(read)))


def checks(held: Held, before: Told, after: Told, table: Table, *, floor_v: float, may_ask: bool) -> Iterator[Check]:
    """By what the agent told when it was asked first and last. Those of shared devices are not here."""
    for can in held.buses:
        yield _bus(can, _source(before, can.channel), _source(after, can.channel))
    for port in held.adapters:
        yield checkup.check_adapter(port, _state(_source(after, port)))
    if held.is_car:
        yield _map(table, after, _why_idle(after))
    yield _vin(after, may_ask=may_ask)
    yield _speed(after, _why_idle(after))
    if held.has_sensor:
        yield _sensor(after)
    if held.has_receiver:
        yield checkup.check_gnss(list(_fixes(after)), 0, is_fitted=True)
    volt = (after.get("supply") or {}).get("volt")
    yield checkup.check_voltage([] if volt is None else [volt], floor_v)


def mute(held: Held) -> list[Check]:
    """The agent runs and does not answer: nobody can say how its devices are."""
    fix = "wait a minute, it may be starting; then systemctl restart tbox"
    return [
        failed("agent", "tbox run is there, but does not answer", fix),
        *(skipped(f"device {name}", "tbox run has it open") for name in held.names),
    ]


def merged(own: Sequence[Check], told: Sequence[Check], held: Held) -> Iterator[Check]:
    """One check of each name: what was heard here, unless only the agent can know it, or we could not hear it."""
    by_agent = {check.name: check for check in told}
    only = {f"bus {can.channel}" for can in held.buses} | {f"adapter {port}" for port in held.adapters}
    only |= {"vehicle map"} if held.is_car else set()
    only |= {"motion sensor"} if held.has_sensor else set()
    only |= {"GNSS"} if held.has_receiver else set()
    names = {check.name for check in own} - only
    yield from (check for check in told if check.name not in names)
    for check in own:
        if check.name in only or (check.name == "bus" and held.is_car):
            continue
        is_left_out = check.verdict == "SKIP" or (check.verdict == "FAIL" and held.is_car)
        yield by_agent[check.name] if is_left_out and check.name in by_agent else check


# ---- one by one -----------------------------------------------------------------------------------------------------


def _bus(can: Can, before: Told, after: Told) -> Check:
    name = f"bus {can.channel}"
    if not after.get("is_there"):
        return checkup.check_bus(can.channel, None, 0.0, missing="tbox run cannot open it: it is not there")
    frames, errors = (max(0, after.get(key, 0) - before.get(key, 0)) for key in ("frames", "errors"))
    if errors > checkup.ERROR_SHARE_MAX * (frames + errors):
        words = f"{errors} error frames beside {frames} good ones"
        return failed(name, words, "the bit rate is wrong, CAN high and low are swapped, or a terminator is missing")
    if not _is_heard(after):
        why = after.get("silent")
        if why in IDLE:
            return skipped(name, "nothing comes, and nothing is asked while the engine is off")
        return checkup.check_bus(can.channel, None, QUIET_S)
    load, words = after.get("load_pct"), f"{after.get('frames_per_s', 0):.0f} frames/s"
    share = "" if load is None else f", {load:.0f} % of {after.get('bitrate')} bit/s"
    return passed(name, f"{words}{share}, as tbox run hears it")


def _map(table: Table, read: Told, idle: str) -> Check:
    """Whether the signals of the map have values now."""
    cuts = {cut.signal for message in table.messages for cut in message.cuts if cut.signal != NO_SIGNAL}
    names = [SIGNALS[signal] for signal in sorted(cuts)]
    told = [name for name in names if _value(read, name) is not None]
    words = f"{table.name}: {len(told)} of {len(names)} signals, as tbox run reads them"
    if "speed" in told and len(told) >= SHARE_MIN * len(names):
        return passed("vehicle map", words)
    if idle:
        return skipped("vehicle map", idle)
    return failed("vehicle map", words, "try tbox vehicle probe, or another map")


def _vin(read: Told, *, may_ask: bool) -> Check:
    return checkup.check_vin([Text("0902", vin) for vin in _vins(read)], may_ask=may_ask)


def _speed(read: Told, idle: str) -> Check:
    speed_mps = _value(read, "speed")
    if speed_mps is None:
        return skipped("speed", idle) if idle else checkup.check_speed([])
    gnss_mps = (read.get("gnss") or {}).get("speed_mps")
    beside = "no receiver to hold it against" if gnss_mps is None else f"the receiver {gnss_mps * 3.6:.0f} km/h"
    return passed("speed", f"{speed_mps * 3.6:.0f} km/h; {beside}")


def _sensor(read: Told) -> Check:
    """Gravity's size; the noise about it would take more than one look."""
    axes = [_value(read, f"accel_{axis}") for axis in "xyz"]
    if not (read.get("imu") or {}).get("is_there"):
        return checkup.check_imu([], is_fitted=True, moves=False)
    known = [axis for axis in axes if axis is not None]
    if len(known) < len(axes):
        return failed("motion sensor", "it tells nothing", "is the device there, and its driver loaded?")
    gravity = sum(axis * axis for axis in known) ** 0.5
    words = f"gravity {gravity:.2f} m/s2"
    if (_value(read, "speed") or 0.0) > 0.0:
        return skipped("motion sensor", f"{words}; stand still to judge gravity and noise")
    if abs(gravity - checkup.GRAVITY_MPS2) > 2 * checkup.GRAVITY_TOLERANCE_MPS2:
        return failed("motion sensor", words, "its scale or unit is wrong (g for m/s2?), or an axis is dead")
    return passed("motion sensor", words)


def _fixes(read: Told) -> Iterator[Fix]:
    """The newest word of the receiver; its age is told, so the moment to hold it against is 0."""
    told = read.get("gnss") or {}
    age_s = told.get("age_s")
    if told.get("is_there") and (age_s is not None or told.get("sats") is not None):
        at_us = -round((age_s or 0.0) * 1e6)
        yield Fix(at_us, told.get("lat_deg") is not None, told.get("speed_mps"), told.get("hdop"), told.get("sats"))


# ---- what it told ---------------------------------------------------------------------------------------------------


def _source(read: Told, name: str) -> Told:
    return dict((read.get("sources") or {}).get(name) or {})


def _value(read: Told, name: str) -> float | None:
    value = ((read.get("signals") or {}).get(name) or {}).get("value")
    return None if value is None else float(value)


def _vins(read: Told) -> list[str]:
    return [str(text) for what, text in (read.get("identity") or {}).items() if what.startswith("0902")]


def _is_heard(source: Told) -> bool:
    age_s = source.get("last_frame_age_s")
    return bool(source.get("is_there")) and age_s is not None and age_s <= QUIET_S


def _state(source: Told) -> str:
    """As drivers.elm.elm tells it."""
    if not source.get("is_there"):
        return ""
    if _is_heard(source):
        return "car"
    return "waiting" if source.get("silent") in IDLE else "silent"


def _why_idle(read: Told) -> str:
    """Why an engine that is off hides something; empty: it is none."""
    reasons = {str(source.get("silent")) for source in (read.get("sources") or {}).values()}
    return "nothing is asked while the engine is off: start it" if reasons & set(IDLE) else ""
