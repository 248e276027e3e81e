"""The score of a drive explained, and what else an insurer prices it on. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from agent.page.words import CLOCK_WORDS, PART_WORDS, UNKNOWN, counted, distance, lasting, plain

Thing = Mapping[str, Any]


def score(pricing: Thing | None) -> str:
    """The score, and what each part cost, why; nothing where the trip was not priced."""
    told = (pricing or {}).get("score")
    if not told:
        return ""
    if told["value"] is None:
        words = f"None: {escape(str(told['reason']))}."
        return f'<h3>Score</h3><div class="score"><p class="lead">{words}</p></div>'
    parts = "".join(_part(part) for part in told["parts"])
    note = f"100 minus these points; formula {escape(str(told['formula']))}."
    return (
        f'<h3>Score</h3><div class="score"><p class="value"><b>{told["value"]:.0f}</b> of 100'
        f"<span>{escape(str(told['band'] or ''))}</span></p><ul>{parts}</ul>"
        f'<p class="lead">{note}</p></div>'
    )


def pricing(trip: Thing) -> str:
    """Distance by speed and hour, and the other figures."""
    told = trip.get("pricing")
    if not told:
        return ""
    figures = f'<div class="figures pair">{_bands(told["speed_bands"])}{_hours(told)}</div>'
    rows = "".join(f"<tr><th>{name}</th><td>{escape(words)}</td></tr>" for name, words in _rows(trip, told))
    return f'<h3>For pricing</h3>{figures}<div class="quality"><table>{rows}</table></div>'


def _part(part: Thing) -> str:
    """One part of the score: what it cost of what it can cost."""
    name = escape(PART_WORDS.get(str(part["part"]), plain(str(part["part"])).capitalize()))
    share = part["points"] / part["cap"] if part["cap"] else 0.0
    lost = f"−{part['points']:.1f}" if part["points"] else "0" if part["measure"] is not None else UNKNOWN  # noqa: RUF001  (minus)
    return (
        f'<li><b>{name}</b><span class="lost">{lost} <small>of {part["cap"]:g}</small></span>'
        f"{_bar(share)}<small>{escape(str(part['reason']))}</small></li>"
    )


def _bands(bands: Sequence[Thing]) -> str:
    """Distance by speed, as bars."""
    most = max((band["distance_m"] for band in bands), default=0.0) or 1.0
    rows = "".join(
        f"<li><span>{_band_words(band)}</span>{_bar(band['distance_m'] / most)}"
        f"<span>{distance(band['distance_m'])}</span></li>"
        for band in bands
    )
    return f'<figure class="bands"><figcaption>Distance by speed, km/h</figcaption><ul>{rows}</ul></figure>'


def _bar(share: float) -> str:
    """A bar, filled to this share."""
    return f'<i class="bar"><i style="width:{share * 100:.1f}%"></i></i>'


def _band_words(band: Thing) -> str:
    if band["to_kmh"] is None:
        return f"over {band['from_kmh']:g}"
    return f"{band['from_kmh']:g} to {band['to_kmh']:g}"


def _hours(told: Thing) -> str:
    """Distance by hour of the local day, as columns; night is dark."""
    hours, zone = told.get("hours_m"), escape(str(told["timezone"]))
    if not hours:
        words = "The time of day was not known."
        return f'<figure class="hours"><figcaption>Distance by hour</figcaption><p class="lead">{words}</p></figure>'
    most = max(hours) or 1.0
    columns = "".join(
        f'<i class="{"night" if hour >= 22 or hour < 5 else "day"}" style="height:{max(way_m / most * 100, 1):.1f}%"'
        f' title="{hour}:00, {distance(way_m)}"></i>'
        for hour, way_m in enumerate(hours)
    )
    marks = "".join(f"<span>{hour}</span>" for hour in (0, 6, 12, 18, 24))
    return (
        f'<figure class="hours"><figcaption>Distance by hour, {zone}</figcaption>'
        f'<div class="columns">{columns}</div><p class="marks">{marks}</p></figure>'
    )


def _rows(trip: Thing, told: Thing) -> Iterator[tuple[str, str]]:
    """The other figures, each in words."""
    for name, kinds in told["events"].items():
        often = f", {kinds['per_100_km']:.1f} on 100 km" if kinds["per_100_km"] is not None else ""
        sizes = ", ".join(f"{kinds[size]} {size}" for size in ("low", "medium", "high") if kinds[size])
        yield escape(plain(name).capitalize()), f"{sizes}{often}"
    if told["over_limit_share"] is None:
        yield "Over the limit", "no limit was known"
    else:
        share = f"{told['over_limit_share'] * 100:.1f} % of the {lasting(told['limit_known_s'])} a limit was known"
        yield "Over the limit", f"{lasting(trip['over_limit_s'])}, {distance(trip['over_limit_m'])}: {share}"
    if told["night_share"] is not None:
        clock = CLOCK_WORDS.get(str(told["clock"]), str(told["clock"]))
        yield (
            "At night, 22 to 5 h",
            f"{distance(told['night_m'])} ({told['night_share'] * 100:.0f} %), time from {clock}",
        )
    yield "Beyond 4 h without rest", lasting(told["fatigue_s"])
    if told["rms_mps2"] is not None:
        push = f", relative positive acceleration {told['rpa_mps2']:.3f} m/s²" if told["rpa_mps2"] is not None else ""
        yield "Smoothness", f"root mean square {told['rms_mps2']:.2f} m/s²{push}"
    yield "Fuel", _fuel(told["fuel"])
    yield from _ways(trip, told)


def _fuel(fuel: Thing) -> str:
    """Litres, or why there are none."""
    if fuel["start_pct"] is None:
        return str(fuel["reason"])
    levels = f"level {fuel['start_pct']:.1f} → {fuel['end_pct']:.1f} %"
    return (
        f"{fuel['used_l']:.1f} l, {levels}" if fuel["used_l"] is not None else f"{levels}; no litres: {fuel['reason']}"
    )


def _ways(trip: Thing, told: Thing) -> Iterator[tuple[str, str]]:
    """Our distance beside the vehicle's and the satellites'."""
    odometer, gnss, learned = trip.get("odometer") or {}, told["gnss"], told["odometer"]
    if odometer.get("difference_m") is not None:
        start, end = (counted(round(odometer[key] / 1000)) for key in ("start_m", "end_m"))
        away_m = round(odometer["difference_m"], 1) + 0.0
        yield (
            "Against the odometer",
            f"{away_m:+.1f} m of {odometer['distance_m']:.0f} m; it went from {start} to {end} km",
        )
    if learned["scale"] is not None:
        yield "Odometer's scale", f"{learned['scale']:.4f} of ours, learned over {distance(learned['over_m'])}"
    if gnss["difference_m"] is not None:
        yield (
            "Against the satellites",
            f"{gnss['difference_m']:+.1f} m of {gnss['distance_m']:.0f} m in the same seconds",
        )
