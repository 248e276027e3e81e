"""A page read as a browser reads it, and a drive to put on one."""

from html.parser import HTMLParser
from typing import Any

import msgspec

from agent.page.page import page
from agent.settings.rule_words import sentences
from agent.settings.rules import Crash, Harsh
from agent.vehicle import Table

UTC_S = 1_767_261_600.0
TABLE = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
VOID = {"meta", "line", "rect", "polyline", "br", "link", "img"}


class Reader(HTMLParser):
    """Reads a page as a browser does: its elements, their attributes, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "an element is left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element opens."""
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that holds nothing."""
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """The innermost element closes."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text."""
        self.words.append(data)

    def all(self, tag: str, style: str = "") -> list[dict[str, str | None]]:
        """Attributes of every element of this tag and class."""
        return [told for name, told in self.seen if name == tag and style in (told.get("class") or "")]

    @property
    def text(self) -> str:
        """All text."""
        return " ".join(self.words)


def event(name: str, start_s: float, **told: Any) -> dict[str, Any]:
    base = {
        "record": "event", "event": name, "start_s": start_s, "end_s": start_s + 2.0, "peak_mps2": 5.0, "entry_mps": 20.0,
        "exit_mps": 10.0, "delta_v_mps": -10.0, "delta_v_s": None, "severity": "medium", "confidence": 0.9,
        "sources": ["speed", "imu"], "lat_deg": -1.0, "lon_deg": -1.0, "direction": None, "trip": 0,
    }  # fmt: skip
    return base | told


ODOMETER = {"start_m": 905_000.0, "end_m": 905_905.0, "distance_m": 905.0, "difference_m": -5.0, "scale": 1.0056}
SCORE = {
    "value": 83.4, "band": "good", "reason": None, "formula": "f" * 16, "parts": [
        {"part": "harsh_braking", "measure": 16.6, "unit": "", "points": 16.6, "cap": 25.0, "reason": "2 low, 1 high"},
        {"part": "speeding", "measure": None, "unit": "", "points": 0.0, "cap": 25.0, "reason": "no limit was known"},
        {"part": "roughness", "measure": 0.5, "unit": "", "points": 0.0, "cap": 5.0, "reason": "root mean square 0.50"},
    ],
}  # fmt: skip
PRICING: dict[str, Any] = {
    "duration_s": 60.0, "timezone": "Europe/Paris", "clock": "ntp", "dated_m": 900.0, "hours_m": [0.0] * 23 + [900.0],
    "night_m": 900.0, "night_share": 1.0, "limit_known_s": 60.0, "over_limit_share": 0.25, "rms_mps2": 0.71,
    "rpa_mps2": 0.123, "judged_share": 0.9, "fatigue_s": 125.0, "score": SCORE, "odometer": {"scale": 1.0056, "over_m": 52e3},
    "speed_bands": [{"from_kmh": 0.0, "to_kmh": 30.0, "distance_m": 100.0}, {"from_kmh": 30.0, "to_kmh": None, "distance_m": 800.0}],
    "events": {"harsh_braking": {"low": 2, "medium": 0, "high": 1, "per_100_km": 16.6}},
    "fuel": {"start_pct": 60.0, "end_pct": 58.0, "used_l": 1.0, "reason": None},
    "gnss": {"distance_m": 897.0, "over_m": 900.0, "difference_m": 3.0, "scale": 0.9967},
}  # fmt: skip


def trip(**told: Any) -> dict[str, Any]:
    base = {
        "record": "trip", "trip": 0, "start_s": UTC_S, "end_s": UTC_S + 60.0, "distance_m": 900.0, "moving_s": 50.0,
        "idle_s": 10.0, "max_speed_mps": 25.0, "over_limit_s": 15.0, "over_limit_m": 200.0, "judged_s": 45.0,
        "end_reason": "stopped", "events": {}, "odometer": ODOMETER, "pricing": PRICING,
    }  # fmt: skip
    return base | told


def sample(time_s: float, **told: Any) -> dict[str, Any]:
    base = {
        "time_s": time_s, "speed_mps": 15.0, "forward_mps2": 0.1, "left_mps2": -0.1, "rpm": 2000.0,
        "lat_deg": -1.0 + (time_s - UTC_S) * 1e-5, "lon_deg": -1.0 + (time_s - UTC_S) * 2e-5,
    }  # fmt: skip
    return base | told


EVENTS = [
    event("harsh_acceleration", UTC_S + 3),
    event("harsh_cornering", UTC_S + 10, direction="left", severity="low", peak_mps2=4.0),
    event(
        "harsh_braking",
        UTC_S + 20,
        severity="high",
        peak_mps2=6.2,
        settings=msgspec.to_builtins(Harsh()),
        settings_words=list(sentences(Harsh())),
        rules="abc",
    ),
    event("idling", UTC_S + 30, end_s=UTC_S + 42.0, peak_mps2=None, delta_v_mps=None),
    event(
        "crash",
        UTC_S + 50,
        peak_mps2=188.5,
        delta_v_mps=12.0,
        severity="high",
        direction="front",
        locked=True,
        settings=msgspec.to_builtins(Crash()),
    ),
]
SAMPLES = [sample(UTC_S + second) for second in range(60)]
COUNTERS = {
    "record": "counters", "frames_in": 12345, "rejected": {"short": 2, "error_frame": 0}, "lines_bad": 3,
    "not_judged": {"crash_vertical": 4, "crash_short": 0},
}  # fmt: skip


def full() -> str:
    return page("Drive", [trip()], EVENTS, SAMPLES, COUNTERS, notes=["A note."])
