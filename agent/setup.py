"""From settings to the C core's setup: what is judged, by which numbers, and what an earlier run left."""

import math
from dataclasses import dataclass
from typing import Any

from agent import _core
from agent.settings import Settings
from agent.settings.rules import Detect, Harsh
from agent.vehicle import Table

ffi = _core.ffi

POWERTRAINS = ("combustion", "hybrid", "electric")
RING_FRAME_BYTES = 24


@dataclass(frozen=True, slots=True)
class Rest:
    """The account of driving and rest, for a later run to go on from (native/rest.h)."""

    driven_us: int = 0
    rest_us: int = 0
    odometer_m: float | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None
    is_unsure: bool = False
    may_have_rested: bool = False


NO_REST = Rest()
"""Nothing driven, nothing known."""


def make_setup(settings: Settings, table: Table, rotation: tuple[float, ...] | None, keep: list[Any]) -> Any:
    """The C setup of these settings; what it points to is put in `keep`."""
    detect, setup = settings.detect, ffi.new("tbox_setup_t *")
    c_table = table.as_c(ffi)
    keep.append(c_table)
    setup.table = c_table.table[0]
    for name, rule in (
        ("braking", detect.harsh_braking),
        ("acceleration", detect.harsh_acceleration),
        ("cornering", detect.harsh_cornering),
    ):
        _harsh(getattr(setup, name), rule)
    setup.idling = (detect.idling.max_speed_mps, _us(detect.idling.hold_s), detect.idling.enabled)
    speeding, crash = detect.speeding, detect.crash
    setup.speeding = (
        speeding.limit_mps, speeding.margin_mps, speeding.hysteresis_mps, _us(speeding.hold_s), speeding.enabled
    )  # fmt: skip
    setup.crash = (
        crash.threshold_mps2, crash.delta_v_mps, crash.medium_mps, crash.high_mps, crash.lock_mps,
        crash.speed_loss_mps2, _us(crash.hold_s), _us(crash.confirm_s), crash.enabled,
    )  # fmt: skip
    _watch(setup, detect, table)
    setup.ring_us = _us(settings.ring.before_s)
    setup.ring_bytes = round(settings.ring.before_s * settings.ring.frames_per_s) * RING_FRAME_BYTES
    setup.powertrain = POWERTRAINS.index(settings.vehicle.powertrain or table.powertrain)
    setup.mounted = settings.imu.mounting == "vehicle"
    setup.has_rotation = rotation is not None
    if rotation is not None:
        setup.rotation = rotation
    return setup


def _watch(setup: Any, detect: Detect, table: Table) -> None:
    """The rules that watch the car and the box."""
    limit_rpm = detect.over_rev.limit_rpm or table.limit_rpm
    over, cold, fatigue, roll, tow = detect.over_rev, detect.cold_rev, detect.fatigue, detect.rollover, detect.tow
    setup.over_rev = (limit_rpm, over.hysteresis_rpm, _us(over.hold_s), over.enabled)
    setup.cold_rev = (limit_rpm * cold.limit_share, cold.coolant_c, _us(cold.hold_s), cold.enabled)
    setup.fatigue = (_us(fatigue.driving_s), _us(fatigue.warning_s), _us(fatigue.rest_s), fatigue.enabled)
    holds_us = _us(roll.roll_hold_s), _us(roll.attitude_hold_s)
    setup.rollover = (roll.roll_deg, roll.attitude_deg, *holds_us, roll.enabled)
    setup.parked_impact = (detect.parked_impact.threshold_mps2, detect.parked_impact.enabled)
    setup.tow = (tow.tilt_deg, tow.min_speed_mps, _us(tow.hold_s), tow.enabled)
    low, gone, hot = detect.low_battery, detect.unplugged, detect.overheat
    setup.low_battery = (low.threshold_v, low.hysteresis_v, _us(low.hold_s), low.enabled)
    setup.unplugged = (gone.threshold_v, 0.0, _us(gone.hold_s), gone.enabled)
    setup.overheat = (hot.threshold_c, hot.hysteresis_c, _us(hot.hold_s), hot.enabled)
    for out, rule in ((setup.refuel, detect.refuel), (setup.fuel_drop, detect.fuel_drop)):
        out.threshold_pct, out.settle_us, out.enabled = rule.threshold_pct, _us(rule.settle_s), rule.enabled
    loss, jamming = detect.gnss_loss, detect.gnss_jamming
    setup.gnss = (jamming.jump_m, _us(loss.hold_s), loss.enabled, jamming.enabled)


def go_on(out: Any, rest: Rest, gone_us: int | None) -> None:
    """The account of an earlier run, to go on from."""
    for name in ("driven_us", "rest_us", "is_unsure", "may_have_rested"):
        setattr(out, name, getattr(rest, name))
    out.is_there = True
    out.gone_us = -1 if gone_us is None else gone_us
    for name in ("odometer_m", "lat_deg", "lon_deg"):
        told = getattr(rest, name)
        setattr(out, name, math.nan if told is None else told)


def _harsh(out: Any, rule: Harsh) -> None:
    """One harsh rule, in the core's units."""
    for name in ("threshold_mps2", "release_mps2", "medium_mps2", "high_mps2", "min_speed_mps", "enabled"):
        setattr(out, name, getattr(rule, name))
    out.hold_us, out.refractory_us = _us(rule.hold_s), _us(rule.refractory_s)


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
