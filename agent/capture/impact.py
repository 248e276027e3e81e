"""The event of a blow in which the power went before it was judged. Pure."""

from collections.abc import Mapping
from typing import Any

from agent.capture.capture import Head
from agent.capture.ring import entries
from agent.codec import CodecError
from agent.settings.rules import Crash
from drivers.batch import FIX

CONFIDENCE = 0.5
NUMBERS_THERE = 3
"""The bits of a fix's latitude and longitude."""


def impact(head: Head, table: Mapping[str, Any], raw: bytes, rule: Crash) -> dict[str, Any]:
    """The body of its event, by the table of the blow and what was caught (records of the ring)."""
    delta, blow, sensor = table["delta"], table["blow"], table["sensor"]
    most = delta["horizontal_most"]
    change_mps = most["mps"] if most else None
    speeds = [speed for speed in table["before"]["speed_mps"] if speed is not None]
    lat_deg, lon_deg, last_us = _last(raw)
    return {
        "event": "impact",
        "trip": head.about.get("trip"),
        "rules": head.about.get("rules", ""),
        "boot": head.boot,
        "start_us": head.blow_us,
        "end_us": max(last_us or 0, head.blow_us),
        "peak_mps2": blow["horizontal_mps2"],
        "entry_mps": speeds[-1] if speeds else None,
        "exit_mps": None,
        "delta_v_mps": change_mps,
        "delta_v_s": most["at_us"] / 1e6 if most else None,
        "severity": _severity(change_mps or 0.0, rule),
        "confidence": CONFIDENCE,
        "sources": ["imu"] if sensor["source"] else ["speed"],
        "lat_deg": lat_deg,
        "lon_deg": lon_deg,
        "direction": _side(delta),
        "dv_clipped": sensor["clipped_mps2"] is not None,
        "locked": (change_mps or 0.0) >= rule.lock_mps,
        "rule": "power_cut",
        "value": None,
    }


def _last(raw: bytes) -> tuple[float | None, float | None, int | None]:
    """The last place that was told, and when the last of anything was."""
    place: tuple[float | None, float | None] = (None, None)
    last_us: int | None = None
    try:
        for entry in entries(raw):
            last_us = entry.t_us
            if entry.kind == FIX and entry.length and entry.flags & NUMBERS_THERE == NUMBERS_THERE:
                place = (entry.numbers[0], entry.numbers[1])
    except CodecError:
        pass  # what was whole before it counts
    return (*place, last_us)


def _severity(change_mps: float, rule: Crash) -> str:
    return "high" if change_mps >= rule.high_mps else "medium" if change_mps >= rule.medium_mps else "low"


def _side(delta: Mapping[str, Any]) -> str | None:
    """Where the blow came from: a car pushed back was struck in front."""
    along, across = delta["longitudinal_most"], delta["lateral_most"]
    if along is None or across is None:
        return None
    if abs(along["mps"]) >= abs(across["mps"]):
        return "front" if along["mps"] < 0 else "rear"
    return "left" if across["mps"] < 0 else "right"
