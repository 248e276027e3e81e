"""What the service page shows of the car and the box, out of what the daemon reads; and what is in the way. Pure.

Situations are named as the page's words are: each has a screen of its own with what to do.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from agent.doctor.checkup import is_vin

HEARD_S = 3.0
"""A bus that said nothing for so long is silent."""

SPAN_S = 6.0
"""Error frames are held against good frames over so long."""

ERROR_SHARE_MAX = 0.01
ASKED_S = 20.0
"""A car that is asked for its VIN has answered by then."""

BESIDE = ("gnss", "imu", "supply", "camera")
"""Sources that are no bus."""

SHOWN = ("speed", "rpm", "battery", "coolant", "fuel", "throttle", "odometer", "load")
"""Signals shown first, in this order, once they were told; of the others those that have a value."""

ALWAYS = ("speed", "rpm")
"""Shown even where nothing ever told them: somebody looks for them."""

IDENTITY = ("software", "device", "name", "vehicle", "settings", "up_s", "reported")
"""What is told of the box."""

WAY = (("heard", "live"), ("configured", "flash"), ("checked", "check"), ("paired", "papers"), ("certified", "papers"))
"""The steps of an installation, and the place of the page where each is done."""

Colour = Literal["good", "note", "bad", "none"]
COLOURS: Mapping[str, Colour] = {
    "no_daemon": "bad",
    "no_bus_set": "note",
    "no_adapter": "bad",
    "wrong_cable": "bad",
    "no_bus": "bad",
    "engine_off": "note",
    "no_vin": "note",
    "no_signal": "note",
    "ready": "good",
}
"""Every situation, the gravest first, and its colour."""

Thing = Mapping[str, Any]


class Watch:
    """Remembers what each bus counted a while ago: whether errors come now, not whether they once did."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, dict[str, tuple[int, int]]]] = deque()

    def note(self, now_s: float, sources: Thing) -> dict[str, bool]:
        """Whether each bus is full of errors, by the last SPAN_S."""
        counts = {name: (int(told["frames"]), int(told["errors"])) for name, told in sources.items()}
        self._seen.append((now_s, counts))
        while len(self._seen) > 2 and self._seen[1][0] <= now_s - SPAN_S:
            self._seen.popleft()
        before = self._seen[0][1]
        return {name: _is_bad(before.get(name, (0, 0)), now) for name, now in counts.items()}


def live(read: Thing, who: Thing, bad: Mapping[str, bool]) -> dict[str, Any]:
    """What the page shows; `read` and `who` as the desk tells them, empty where no daemon answers."""
    buses = [_bus(name, told, is_bad=bad.get(name, False)) for name, told in buses_of(read).items()]
    found = list(situations(read, buses))
    return {
        "situations": [{"name": name, "colour": COLOURS[name]} for name in found],
        "is_heard": any(bus["colour"] == "good" for bus in buses),
        "vin": vin_of(read),
        "engine": read.get("engine"),
        "signals": signals(read),
        "buses": buses,
        "gnss": read.get("gnss"),
        "imu": read.get("imu"),
        "link": read.get("link"),
        "trip": read.get("trip"),
        "who": {name: who.get(name) for name in IDENTITY},
    }


def way(told: Thing, done: Mapping[str, bool]) -> list[dict[str, Any]]:
    """From a bare box to a proven installation: each step, whether it is done, and where on the page."""
    reported = told["who"].get("reported") or {}
    known = {
        "heard": bool(told["is_heard"]),
        "configured": bool(reported.get("bundle")) and reported.get("state") != "trial",
        **done,
    }
    return [{"name": name, "done": known.get(name, False), "place": place} for name, place in WAY]


def is_sound(lines: Sequence[Thing]) -> bool:
    """Whether the doctor, by the lines of his job, found nothing that stands against the installation."""
    checks = [line["check"] for line in lines if "check" in line]
    return bool(checks) and not any(check["verdict"] == "FAIL" and check.get("decides", True) for check in checks)


def situations(read: Thing, buses: list[dict[str, Any]]) -> Iterator[str]:
    """What is in the way, the gravest first; "ready" where nothing is."""
    found = [name for name, is_so in _faults(read, buses).items() if is_so]
    yield from found or ["ready"]


def buses_of(read: Thing) -> dict[str, Any]:
    """Sources that are buses or adapters."""
    return {name: told for name, told in (read.get("sources") or {}).items() if name not in BESIDE}


def vin_of(read: Thing) -> str | None:
    """The VIN the car told; None: none, or none that can be one."""
    texts = [str(text) for what, text in (read.get("identity") or {}).items() if what.startswith("0902")]
    return next((text for text in texts if is_vin(text)), None)


def signals(read: Thing) -> list[dict[str, Any]]:
    """Name, unit and value of what is shown: the usual ones, and whatever else has a value."""
    told = read.get("signals") or {}
    names = [name for name in SHOWN if name in told and (name in ALWAYS or told[name].get("age_s") is not None)]
    names += [name for name, one in told.items() if name not in SHOWN and one["value"] is not None]
    return [{"name": name, "unit": told[name]["unit"], "value": told[name]["value"]} for name in names]


def trip(told: Thing) -> dict[str, Any]:
    """A line of the list of trips."""
    score = ((told.get("pricing") or {}).get("score") or {}).get("value")
    names = ("trip", "start_utc", "end_utc", "start_us", "end_us", "distance_m", "end_reason", "delivered")
    return {name: told.get(name) for name in names} | {
        "events": sum((told.get("events") or {}).values()),
        "score": score,
    }


def _faults(read: Thing, buses: list[dict[str, Any]]) -> dict[str, bool]:
    """Each situation but the good one, and whether it is so."""
    states = {bus["state"] for bus in buses}
    is_heard = "heard" in states
    may_tell = read.get("engine") != "off" and float(read.get("up_s") or 0) >= ASKED_S
    return {
        "no_daemon": not read,
        "no_bus_set": bool(read) and not buses,
        "no_adapter": states == {"gone"},
        "wrong_cable": "errors" in states,
        "no_bus": not is_heard and "silent" in states,
        "engine_off": is_heard and read.get("engine") == "off",
        "no_vin": is_heard and may_tell and vin_of(read) is None,
        "no_signal": bool(read) and (read.get("link") or {}).get("state") != "up",
    }


def _bus(name: str, told: Thing, *, is_bad: bool) -> dict[str, Any]:
    """One bus as it is shown."""
    age_s = told.get("last_frame_age_s")
    state = "heard"
    if not told.get("is_there", True):
        state = "gone"
    elif is_bad:
        state = "errors"
    elif age_s is None or age_s > HEARD_S:
        state = "silent"
    shown = ("frames_per_s", "load_pct", "bitrate", "frames", "errors", "dropped", "silent", "last_frame_age_s")
    colour = {"heard": "good", "silent": "bad", "errors": "bad", "gone": "bad"}[state]
    return {"name": name, "state": state, "colour": colour, **{key: told.get(key) for key in shown}}


def _is_bad(before: tuple[int, int], now: tuple[int, int]) -> bool:
    """More than a hundredth of what came were errors."""
    frames, errors = (max(0, new - old) for new, old in zip(now, before, strict=True))
    return errors > ERROR_SHARE_MAX * (frames + errors)
