"""What a running terminal knows of itself and its car at this moment, as maps that JSON can say. Changes nothing."""

import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from agent import __version__
from agent.core import Sample
from agent.desk.logbook import Logbook, guarded
from agent.rooms import Rooms
from agent.settings import Settings, settings_id
from agent.sources.gauges import Gauges, age_s
from drivers.batch import SIGNALS

CATALOGUE = Path(__file__).resolve().parents[2] / "config" / "signals.toml"
DIAG_BYTES_MAX = 60_000
"""Of `diag` as JSON: under the 64 KiB that a message may have, with room for what stands around it."""

SAID_BYTES = 60
"""What it takes to say what was left off."""

OF_RECEIVER = ("lat", "lon", "gnss_speed", "course", "hdop", "sats")
"""Signals told as the receiver's, where places are thinned out by the words of keys (agent/ledger/privacy.py)."""

OF_SENSOR = ("accel_x", "accel_y", "accel_z")


@dataclass(slots=True)
class Known:
    """What can be told. `is_mounted`: it is known how the motion sensor sits; `checked`: the last health record."""

    rooms: Rooms
    reported: Callable[[], Mapping[str, Any]]
    is_mounted: bool = False
    gauges: Gauges = field(default_factory=Gauges)
    logbook: Logbook = field(default_factory=Logbook)
    checked: Mapping[str, Any] | None = None


def identity(known: Known, now_us: int) -> dict[str, Any]:
    """Who this is."""
    rooms = known.rooms
    reading = rooms.timekeeper.reading
    return {
        "software": f"tbox {__version__}",
        "device": rooms.device.hex(),
        "name": rooms.settings.device.name,
        "boot": rooms.boot,
        "up_s": round((now_us - rooms.start_us) / 1e6, 1),
        "vehicle": rooms.vehicle,
        "settings": settings_id(rooms.settings),
        "time_us": None if reading is None else reading.utc_us + now_us - reading.boot_us,
        "is_time_vouched": reading is not None and reading.u_us is not None,
        "reported": _plain(known.reported()),
    }


def live(known: Known, now_us: int) -> dict[str, Any]:
    """What is known now. Of what was never told, or is too old to be used, the value is None."""
    rooms = known.rooms
    sample = rooms.core.snapshot(now_us)
    told_us = dict(zip(SIGNALS, rooms.core.told_us(), strict=True))
    asking, missing = rooms.asking.health(now_us), rooms.rack.missing()
    return {
        "boot": rooms.boot,
        "up_s": round((now_us - rooms.start_us) / 1e6, 1),
        "trip": rooms.account.trip_seq,
        "engine": sample.engine,
        "signals": _signals(sample, told_us, now_us),
        "gnss": _receiver(sample, told_us, now_us) | {"is_there": _is_there(rooms, "gnss", missing)},
        "imu": {
            "is_there": _is_there(rooms, "imu", missing),
            "is_mounted": known.is_mounted,
            "age_s": age_s(max(told_us[name] or 0 for name in OF_SENSOR) or None, now_us),
        },
        "supply": {"is_there": _is_there(rooms, "supply", missing), "volt": _rounded(sample.value("battery"))},
        "power": rooms.upkeep.health()["power"],
        "sources": {
            name: {"is_there": name not in missing} | _source(known, name, asking.get(name, {}), now_us)
            for name in rooms.rack.counters()
        },
        "identity": {what: text for line in asking.values() for what, text in line["identity"].items()},
        "link": _link(rooms),
        "health": known.checked,
    }


def diagnosis(known: Known, now_us: int) -> dict[str, Any]:
    """What somebody far away needs to find out what is wrong; `left_off` says what had no room."""
    rooms = known.rooms
    vitals = rooms.counting.vitals(now_us)
    told: dict[str, Any] = {
        "versions": identity(known, now_us) | {"python": sys.version.split()[0]},
        "slots": _plain(known.reported()),
        "link": _link(rooms),
        "counters": _plain(msgspec.to_builtins(vitals)),
        "settings": shown(rooms.settings),
        "log": [],
        "left_off": [],
    }
    return cut(told, known.logbook.lines(), DIAG_BYTES_MAX)


def cut(told: dict[str, Any], lines: list[str], most: int) -> dict[str, Any]:
    """With as many of the newest lines as there is room for; without settings or counters, where those are too much."""
    room, first = most - SAID_BYTES, len(lines)
    for name in ("settings", "counters", "slots"):
        if _size(told) > room:
            told = told | {name: None, "left_off": [*told["left_off"], name]}
    room -= _size(told)
    while first and room >= (size := len(json.dumps(lines[first - 1])) + 2):
        room, first = room - size, first - 1
    left_off = [*told["left_off"], f"{first} older lines of the log"] if first else told["left_off"]
    return told | {"log": lines[first:], "left_off": left_off}


def shown(settings: Settings) -> dict[str, Any]:
    """Effective settings that may leave the terminal: no setting is a secret, but an address may carry a login."""
    told: dict[str, Any] = _without(msgspec.to_builtins(settings))
    return told


def _without(told: Any) -> Any:
    """The same with logins taken out of addresses; options of an adapter's driver by their names alone."""
    if isinstance(told, dict):
        return {name: sorted(inner) if name == "options" else _without(inner) for name, inner in told.items()}
    if isinstance(told, list | tuple):
        return [_without(inner) for inner in told]
    return guarded(told) if isinstance(told, str) else told


def _signals(sample: Sample, told_us: Mapping[str, int | None], now_us: int) -> dict[str, Any]:
    """The catalogue's signals but the receiver's."""
    return {
        name: {
            "vss": row["vss"] or None,
            "unit": row["unit"],
            "value": _rounded(sample.value(name)),
            "age_s": age_s(told_us[name], now_us),
        }
        for name, row in _catalogue().items()
        if name not in OF_RECEIVER
    }


def _receiver(sample: Sample, told_us: Mapping[str, int | None], now_us: int) -> dict[str, Any]:
    lat_deg, lon_deg, speed_mps, course_deg, hdop, sats = (sample.value(name) for name in OF_RECEIVER)
    return {
        "lat_deg": None if lat_deg is None else round(lat_deg, 7),
        "lon_deg": None if lon_deg is None else round(lon_deg, 7),
        "speed_mps": _rounded(speed_mps),
        "course_deg": _rounded(course_deg),
        "hdop": _rounded(hdop),
        "sats": sats,
        "age_s": age_s(told_us["lat"], now_us),
    }


def _source(known: Known, name: str, line: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """A device: how it goes, what it counted, why nothing is asked of it."""
    rooms = known.rooms
    counters = rooms.rack.counters()[name]
    can = next((can for can in rooms.settings.can if can.channel == name), None)
    bitrate = line.get("way", {}).get("bitrate") or (can.bitrate if can else 0)
    told = known.gauges.told(name, now_us, None if can is None else can.number, bitrate)
    return told | {
        "dropped": counters.get("dropped", 0),
        "errors": counters.get("errors", 0),
        "losses": counters["losses"],
        "failures": counters["failures"],
        "bitrate": bitrate or None,
        "silent": line.get("reason"),
    }


def _link(rooms: Rooms) -> dict[str, Any]:
    delivery = rooms.delivery
    return {
        "state": delivery.uplink.state,
        "said": guarded(delivery.said),
        "waiting": delivery.waiting,
        "queued": delivery.writer.depth,
    }


def _is_there(rooms: Rooms, name: str, missing: list[str]) -> bool | None:
    """Whether the device is there; None: none is set up."""
    return None if name not in rooms.rack.counters() else name not in missing


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _plain(told: Any) -> Any:
    """As JSON can say it: bytes as hex."""
    if isinstance(told, bytes):
        return told.hex()
    if isinstance(told, Mapping):
        return {str(name): _plain(inner) for name, inner in told.items()}
    return [_plain(inner) for inner in told] if isinstance(told, list | tuple) else told


def _size(told: object) -> int:
    return len(json.dumps(told))


@cache
def _catalogue() -> dict[str, dict[str, Any]]:
    """Unit and VSS name of each signal; read when somebody asks first."""
    return tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
