"""How closely a body may tell where the car is: no place leaves the ledger finer than the consent allows. Pure.

A tier (agent/settings/privacy.py) is exact, coarse or none. Coarse: latitude and longitude are those of the middle of a
cell of at least `privacy.coarse_m` a side, in rows of equal latitude; a direction of travel goes, because with the
speed beside it the way could be drawn again. None: neither is told.

Bodies are walked through by the names of their keys, whatever their kind and however deep, so a new body is covered the
day it is written. Columns of samples are packed: the account thins them out before, and the entry refuses what it did
not. A part of the ring is unpacked, thinned out record by record, and packed again; other bytes that are longer than a
signature could be anything, and are withheld.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from agent.capture.ring_places import Thinned
from agent.codec import CodecError
from agent.columns import decode_columns, encode_columns
from agent.settings.privacy import Privacy, Tier
from agent.world.ground import EQUATOR_M, RADIANS, cosine_of

DEGREE_M = EQUATOR_M * RADIANS
DIGITS = 6
"""Of a coarse place, as samples count degrees: it comes back as it was."""

LATITUDES = {"lat": "lon", "latitude": "longitude"}
"""Words of keys, and what stands in their place in the key of the longitude that belongs to it."""
LONGITUDES = frozenset({"lon", "lng", "longitude"})
COURSES = frozenset({"course", "heading", "bearing"})
PLACES = frozenset({"place", "position", "location", "coordinates", "geohash", "gps", "track", "route", "nmea"})
"""What is told under these is a place in a form nobody here knows: only maps under them are walked on."""

EXACT: Tier = "exact"
OF_KIND: Mapping[str, str] = {"event": "event", "samples": "samples", "evidence": "evidence"}
"""The key of privacy.<consent> by kind; all others are `other`."""

BYTES_MAX = 64
"""Longer than a hash, a key or a signature."""

ALL = Privacy()
NO_FRAMES = Thinned()

Cells = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Blur:
    """The rule, and the frames (channel, identifier) that carry a place on this car's buses."""

    rule: Privacy = ALL
    thinned: Thinned = NO_FRAMES

    def tier(self, kind: str) -> Tier:
        """How closely records of this kind may tell a place."""
        told: Tier = getattr(self.rule.places, OF_KIND.get(kind, "other"))
        return told

    def body(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """What of this body may leave. Columns of samples must be thinned out already."""
        tier = self.tier(kind)
        if tier == EXACT:
            return body
        told: dict[str, Any] = self._walk(body, tier)
        if kind == "samples":
            assert self._is_thin(body), "samples that tell more than the consent allows"
            told["columns"] = body["columns"]
        elif kind == "evidence":
            told |= {name: self._ring(part, body, tier) for name, part in body.items() if _is_opaque(part)}
        return told

    def columns(self, columns: Mapping[str, Cells]) -> dict[str, Cells]:
        """Columns of samples, thinned out."""
        tier = self.tier("samples")
        if tier == EXACT:
            return dict(columns)
        told = {name: cells for name, cells in columns.items() if name not in ("lat", "lon", "course")}
        if tier == "coarse" and "lat" in columns and "lon" in columns:
            pairs = [self.cell(lat, lon) for lat, lon in zip(columns["lat"], columns["lon"], strict=True)]
            told |= {"lat": [lat for lat, _ in pairs], "lon": [lon for _, lon in pairs]}
        return told

    def bounds(self, bounds: Mapping[str, float]) -> dict[str, float]:
        """Of columns; a coarse place stays in the middle of its cell."""
        is_exact = self.tier("samples") == EXACT
        return {name: bound for name, bound in bounds.items() if is_exact or name not in ("lat", "lon")}

    def resampled(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Samples that an earlier run packed, as they may be told now; None: nothing is left of them."""
        if self.tier("samples") == EXACT:
            return dict(body)
        try:
            chunk = decode_columns(body)
        except CodecError:
            return None
        columns = self.columns(chunk.columns)
        told = {name: cells for name, cells in columns.items() if any(cell is not None for cell in cells)}
        if not told:
            return None
        return {**body, **encode_columns(chunk.start_us, chunk.step_us, told, chunk.resolution)}

    def kept(self, place: Mapping[str, Any]) -> dict[str, Any]:
        """A place that stays on this terminal, for the next run: exactly or not at all."""
        tier: Tier = EXACT if self.tier("") == EXACT else "none"
        told: dict[str, Any] = self._walk(place, tier) if tier != EXACT else dict(place)
        return told

    def cell(self, lat_deg: float | None, lon_deg: float | None) -> tuple[float | None, float | None]:
        """The middle of the cell this place is in; None for what is no latitude or longitude."""
        if not _is_within(lat_deg, 90.0):
            return None, None
        rows = max(1, math.floor(180.0 * DEGREE_M / self.rule.coarse_m))
        middle_deg = _middle(lat_deg, 90.0, rows)
        columns = max(1, math.floor(360.0 * DEGREE_M * cosine_of(middle_deg * RADIANS) / self.rule.coarse_m))
        east_deg = _middle(lon_deg, 180.0, columns) if _is_within(lon_deg, 180.0) else None
        return round(middle_deg, DIGITS), None if east_deg is None else round(east_deg, DIGITS)

    def _walk(self, told: Any, tier: Tier) -> Any:
        """The same with every place in it at this tier."""
        if isinstance(told, Mapping):
            return {name: self._entry(name, told, tier) for name in told}
        if isinstance(told, list | tuple):
            return [self._walk(inner, tier) for inner in told]
        return b"" if _is_opaque(told) else told

    def _entry(self, name: str, beside: Mapping[str, Any], tier: Tier) -> Any:
        """One entry of a map."""
        words, inner = name.lower().split("_"), beside[name]
        if COURSES.intersection(words):
            return None
        if LONGITUDES.intersection(words) or LATITUDES.keys() & set(words):
            return self._degrees(words, beside, inner) if tier == "coarse" else None
        if PLACES.intersection(words) and not _is_maps(inner):
            return None
        return self._walk(inner, tier)

    def _degrees(self, words: Sequence[str], beside: Mapping[str, Any], inner: Any) -> Any:
        """A latitude or longitude, or a list of them, coarse; None without the other one beside it."""
        is_lat = not LONGITUDES.intersection(words)
        other = next((beside[name] for name in beside if _is_pair(words, name.lower().split("_"))), None)
        if isinstance(inner, list | tuple) and isinstance(other, list | tuple) and len(inner) == len(other):
            pairs = zip(inner, other, strict=True) if is_lat else zip(other, inner, strict=True)
            return [self.cell(*pair)[not is_lat] for pair in pairs]
        return self.cell(inner, other)[0] if is_lat else self.cell(other, inner)[1]

    def _is_thin(self, body: Mapping[str, Any]) -> bool:
        """Whether columns tell no more than they may: thinned out again they are the same."""
        chunk = decode_columns(body)
        thin = self.columns(chunk.columns)
        return thin.keys() == chunk.columns.keys() and all(
            _is_near(cells, thin[name], chunk.resolution[name]) for name, cells in chunk.columns.items()
        )

    def _ring(self, packed: bytes, body: Mapping[str, Any], tier: Tier) -> bytes:
        """A deflated part of the ring, thinned out; nothing of one in another form."""
        try:
            raw = zlib.decompress(packed) if body.get("packed") == "deflate" else b""
            cell = self.cell if tier == "coarse" else None
            return zlib.compress(self.thinned.ring(raw, cell)) if body.get("form") == "ring" and raw else b""
        except (zlib.error, CodecError):
            return b""


def _middle(told_deg: float, most_deg: float, count: int) -> float:
    """The middle of the one of `count` equal strips from -most_deg to most_deg that this lies in."""
    step_deg = 2.0 * most_deg / count
    return -most_deg + (min(count - 1, math.floor((told_deg + most_deg) / step_deg)) + 0.5) * step_deg


def _is_within(told: Any, most_deg: float) -> TypeGuard[float]:
    """Whether this is a number of degrees; NaN is none."""
    return isinstance(told, int | float) and not isinstance(told, bool) and abs(told) <= most_deg


def _is_pair(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether these are the words of the key that belongs to a latitude's or longitude's."""
    pairs = {**LATITUDES, "lng": "lat"} | {lon: lat for lat, lon in LATITUDES.items()}
    return list(others) == [pairs.get(word, word) for word in words]


def _is_maps(inner: Any) -> bool:
    """A map, or a list of maps only."""
    entries = inner if isinstance(inner, list | tuple) else [inner]
    return all(isinstance(entry, Mapping) for entry in entries)


def _is_opaque(told: Any) -> bool:
    """Bytes that may say anything."""
    return isinstance(told, bytes) and len(told) > BYTES_MAX


def _is_near(cells: Cells, thin: Cells, step: float) -> bool:
    """Whether no cell is more than a step off."""
    return all(
        (a is None) == (b is None) and (a is None or b is None or abs(a - b) <= step)
        for a, b in zip(cells, thin, strict=True)
    )
