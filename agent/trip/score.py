"""From what a trip measured to an explained score, 0 to 100. The formula is data: config/score.toml."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from agent.errors import SettingsError

SHIPPED = Path(__file__).resolve().parents[2] / "config"
"""Formulas that come with the program; a bare name means one of these."""

UNITS = {
    "harsh_braking": "weighted events per 100 km",
    "harsh_acceleration": "weighted events per 100 km",
    "harsh_cornering": "weighted events per 100 km",
    "speeding": "% of the time above the limit",
    "fatigue": "min at the wheel too long",
    "night": "% of the distance at night",
    "roughness": "m/s² root mean square",
}
"""The parts a formula may have, and what each measures."""

EVENT_PARTS = ("harsh_braking", "harsh_acceleration", "harsh_cornering")

Amount = Annotated[float, Meta(ge=0, le=1e9)]
FULL = 100.0


class Severity(Struct, frozen=True, forbid_unknown_fields=True):
    """What an event counts."""

    low: Amount = 1.0
    medium: Amount = 2.0
    high: Amount = 4.0


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """points = min(cap, max(0, measure - free) x weight)."""

    free: Amount = 0.0
    weight: Amount = 0.0
    cap: Annotated[float, Meta(ge=0, le=FULL)] = 0.0


class Parts(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them, in the order they are told."""

    harsh_braking: Part = Part(weight=1.0, cap=25.0)
    harsh_acceleration: Part = Part(weight=0.8, cap=15.0)
    harsh_cornering: Part = Part(weight=0.8, cap=15.0)
    speeding: Part = Part(weight=1.0, cap=25.0)
    fatigue: Part = Part(weight=0.25, cap=10.0)
    night: Part = Part(weight=0.05, cap=5.0)
    roughness: Part = Part(free=0.7, weight=15.0, cap=5.0)


class Band(Struct, frozen=True, forbid_unknown_fields=True):
    """A word for a score that reaches `from`."""

    word: str
    start: Annotated[float, Meta(ge=0, le=FULL)] = msgspec.field(name="from")


class Formula(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file; config/score.toml says what each number means."""

    min_distance_m: Annotated[float, Meta(ge=1, le=1e9)] = 2000.0
    min_judged_share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    min_rate_distance_m: Annotated[float, Meta(ge=1, le=1e9)] = 10_000.0
    speed_bands_kmh: Annotated[tuple[Amount, ...], Meta(min_length=1, max_length=20)] = (30.0, 50.0, 70.0, 90.0, 120.0)
    severity: Severity = Severity()
    part: Parts = Parts()
    band: tuple[Band, ...] = (Band("very good", 90.0), Band("good", 75.0), Band("fair", 50.0), Band("poor", 0.0))

    @property
    def id(self) -> str:
        """Names the formula: 16 hex digits of SHA-256 over it as JSON, the same on every machine."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


def load(name: str) -> Formula:
    """The formula of a file; a bare name is one of those shipped. SettingsError: it is missing or wrong."""
    path = SHIPPED / name if Path(name).name == name and (SHIPPED / name).is_file() else Path(name)
    try:
        formula = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Formula)
    except OSError as why:
        raise SettingsError(f"{path}: score formula cannot be read: {why.strerror}; shipped is score.toml") from None
    except (ValueError, RecursionError) as why:  # TOML, UTF-8 and msgspec all complain so
        raise SettingsError(f"{path}: score formula: {why}") from None
    if any(low >= high for low, high in pairwise((0.0, *formula.speed_bands_kmh))):
        raise SettingsError(f"{path}: score formula: speed_bands_kmh must rise from above 0")
    return formula


def rate(formula: Formula, weight: float, distance_m: float) -> float:
    """Weighted events per 100 km, over at least the formula's shortest distance."""
    return weight * 100_000.0 / max(distance_m, formula.min_rate_distance_m)


def score(
    formula: Formula, measures: Mapping[str, tuple[float | None, str]], distance_m: float, judged_share: float | None
) -> dict[str, Any]:
    """The score with its parts; `measures` gives each part's measure, or None, and a sentence about it.

    `value` is None, with a reason, when the trip is too short or too poorly judged.
    """
    reason = _why_not(formula, distance_m, judged_share)
    parts = [] if reason else list(_parts(formula, measures))
    value = None if reason else round(max(0.0, FULL - sum(part["points"] for part in parts)), 1)
    words = (band.word for band in formula.band if value is not None and value >= band.start)
    return {"value": value, "band": next(words, None), "reason": reason, "formula": formula.id, "parts": parts}


def _why_not(formula: Formula, distance_m: float, judged_share: float | None) -> str | None:
    """Why there is no score; None when there is one."""
    if distance_m < formula.min_distance_m:
        return f"too short: {distance_m / 1000:.1f} km, at least {formula.min_distance_m / 1000:.1f} km are needed"
    share = judged_share or 0.0
    if share < formula.min_judged_share:
        need = f"at least {formula.min_judged_share * 100:.0f} % are needed"
        return f"too poorly judged: {share * 100:.0f} % of the driving, {need}"
    return None


def _parts(formula: Formula, measures: Mapping[str, tuple[float | None, str]]) -> Iterator[dict[str, Any]]:
    """Each part: what was measured, what it costs, why."""
    for name, unit in UNITS.items():
        part: Part = getattr(formula.part, name)
        measure, reason = measures[name]
        points = 0.0 if measure is None else min(part.cap, max(0.0, measure - part.free) * part.weight)
        yield {
            "part": name,
            "measure": None if measure is None else round(measure, 3),
            "unit": unit,
            "points": round(points, 2),
            "cap": part.cap,
            "reason": reason,
        }
