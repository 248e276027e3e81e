"""The events of a drive, each on a card: what it was, what was measured, what the rule asks, how sure it is. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from agent.page.plot import Line, Mark, clock
from agent.page.plot_event import Level, close_up
from agent.page.words import CALM, EVENT_WORDS, SOURCE_WORDS, VALUE_UNITS, WAY_WORDS, distance, lasting, plain
from agent.replay.windows import span

G_MPS2 = 9.80665
CALM_AROUND_S = 12.0
"""What is shown before and after an event that is long."""
SIGNS = {"harsh_braking": (-1,), "harsh_acceleration": (1,), "harsh_cornering": (1, -1)}
"""Which way an event pushes, by the ISO 8855 axis it is judged on."""
BLOWS = ("crash", "impact", "parked_impact")

Thing = Mapping[str, Any]


def cards(own: Sequence[tuple[int, Thing]], origin_s: float, samples: Sequence[Thing]) -> str:
    """Every event on a card of its own; `samples` stand in where an event has no rows around it."""
    if not own:
        return '<p class="lead">No events.</p>'
    told = "".join(_card(number, event, origin_s, samples) for number, event in own)
    return f'<h3>Events</h3><div class="cards">{told}</div>'


def mark(number: int, event: Thing) -> Mark:
    """The event on a plot."""
    place = (event.get("lat_deg"), event.get("lon_deg"))
    known = (float(place[0]), float(place[1])) if place[0] is not None and place[1] is not None else None
    words = f"{_words(event)}: {_strength(event)}"
    return Mark(number, _style(event), float(event["start_s"]), float(event["end_s"]), known, words)


def curve(rows: Sequence[Thing], key: str, scale: float = 1.0) -> list[tuple[float, float | None]]:
    """One cell of each row over time."""
    pairs = ((float(row["time_s"]), row.get(key)) for row in rows)
    return [(time_s, None if height is None else height * scale) for time_s, height in pairs]


def knows(rows: Sequence[Thing], key: str) -> bool:
    """Whether any row has this cell."""
    return any(row.get(key) is not None for row in rows)


def _card(number: int, event: Thing, origin_s: float, samples: Sequence[Thing]) -> str:
    facts = "".join(f"<div><dt>{name}</dt><dd>{escape(words)}</dd></div>" for name, words in _facts(event))
    style = _style(event)
    pill = "" if event["event"] in CALM else f'<span class="pill">{escape(str(event["severity"]))}</span>'
    return (
        f'<article class="card {style}" id="event-{number}"><h4><span class="badge {style}">{number}</span>'
        f"{escape(_words(event))}{pill}</h4>"
        f'<p class="strong">{escape(_strength(event))}<time>{clock(float(event["start_s"]), origin_s)}</time></p>'
        f"{_near(event, samples)}{_decided(event)}<dl>{facts}</dl>{_rule(event)}</article>"
    )


def _near(event: Thing, samples: Sequence[Thing]) -> str:
    """The seconds around it: the acceleration that was judged with its levels, and the speed."""
    start_s, end_s = float(event["start_s"]), float(event["end_s"])
    around = (start_s - CALM_AROUND_S, end_s + CALM_AROUND_S) if event["event"] in CALM else span(dict(event))
    rows = event.get("window") or [row for row in samples if around[0] <= row["time_s"] <= around[1]]
    lines = [Line("Speed", "speed", curve(rows, "speed_mps", 3.6))]
    if event["event"] == "speeding" and knows(rows, "limit_mps"):
        lines.append(Line("Limit", "limit", curve(rows, "limit_mps", 3.6)))
    return _force(event, rows, around) + close_up(lines, around, (start_s, end_s), _limits(event), "km/h")


def _force(event: Thing, rows: Sequence[Thing], around: tuple[float, float]) -> str:
    """The acceleration around a harsh event or a blow."""
    if event["event"] not in SIGNS and event["event"] not in BLOWS:
        return ""
    side = event["event"] == "harsh_cornering" or event.get("direction") in ("left", "right")
    keys = ("left_mps2", "measured_left_mps2") if side else ("forward_mps2", "measured_mps2")
    lines = [
        Line(name, style, curve(rows, key))
        for name, style, key in zip(("Estimated", "Measured"), ("forward", "measured"), keys, strict=True)
        if knows(rows, key)
    ]
    unit = "m/s² to the left" if side else "m/s² forward"
    return close_up(lines, around, (float(event["start_s"]), float(event["end_s"])), _levels(event), unit)


def _levels(event: Thing) -> list[Level]:
    """The threshold of a harsh event, on the side it went."""
    rule, signs = event.get("settings"), SIGNS.get(event["event"], ())
    if event.get("direction") in ("left", "right"):
        signs = (1,) if event["direction"] == "left" else (-1,)
    height = rule.get("threshold_mps2") if rule else None
    return [] if height is None else [Level(sign * height, f"{sign * height:+.2f}") for sign in signs]


def _limits(event: Thing) -> list[Level]:
    """The limit that was broken, where a setting told it."""
    limit_mps = (event.get("settings") or {}).get("limit_mps")
    return [Level(limit_mps * 3.6, f"limit {limit_mps * 3.6:.0f}")] if limit_mps else []


def _decided(event: Thing) -> str:
    """What was measured, beside what the rule asks for."""
    rows = "".join(
        f"<tr><th>{name}</th><td>{escape(was)}</td><td>{escape(asked)}</td></tr>" for name, was, asked in _tests(event)
    )
    head = "<tr><th></th><th>was</th><th>needed</th></tr>"
    return f'<table class="decided">{head}{rows}</table>' if rows else ""


def _tests(event: Thing) -> Iterator[tuple[str, str, str]]:
    """Each thing that was looked at: its name, what it was, what the rule needs."""
    rule: Thing = event.get("settings") or {}
    lasted_s, peak = float(event["end_s"]) - float(event["start_s"]), event.get("peak_mps2")
    if peak is not None:
        yield "Peak", f"{peak:.2f} m/s²", _needed(rule, "threshold_mps2", "m/s²")
    if event["event"] in BLOWS and event.get("delta_v_mps") is not None:
        yield "Δv", f"{abs(event['delta_v_mps']) * 3.6:.0f} km/h", _needed(rule, "delta_v_mps", "km/h", 3.6)
    lasted = f"{lasted_s:.2f} s" if lasted_s < 1 else f"{lasted_s:.1f} s"
    yield "Lasted", lasted, _needed(rule, "hold_s", "s")
    is_exit = event["event"] == "harsh_acceleration"
    gate = event.get("exit_mps" if is_exit else "entry_mps")
    if gate is not None and event["event"] in SIGNS:
        name = "Speed at its end" if is_exit else "Speed before"
        yield name, f"{gate * 3.6:.0f} km/h", _needed(rule, "min_speed_mps", "km/h", 3.6)


def _needed(rule: Thing, key: str, unit: str, scale: float = 1.0) -> str:
    """A setting as a demand; a dash where it is not known."""
    digits = 0 if unit == "km/h" else 3
    return f"≥ {round(rule[key] * scale, digits):g} {unit}" if rule.get(key) is not None else "–"  # noqa: RUF001  (a dash)


def _rule(event: Thing) -> str:
    """All settings of the rule, folded away, and which set of rules it is."""
    told = "".join(f"<li>{escape(words)}</li>" for words in event.get("settings_words") or ())
    named = f"<li>set of rules {escape(str(event['rules']))}</li>" if event.get("rules") else ""
    return f"<details><summary>The rule</summary><ul>{told}{named}</ul></details>" if told or named else ""


def _facts(event: Thing) -> Iterator[tuple[str, str]]:
    """What else is known of an event."""
    if event["event"] not in CALM and event.get("entry_mps") is not None and event.get("exit_mps") is not None:
        yield "Speed", f"{event['entry_mps'] * 3.6:.0f} → {event['exit_mps'] * 3.6:.0f} km/h"
    if event.get("rule"):
        yield "Decided by", WAY_WORDS.get(str(event["rule"]), plain(str(event["rule"])))
    if event.get("direction"):
        yield ("Blow from" if event["event"] in BLOWS else "Direction"), str(event["direction"])
    sources = [SOURCE_WORDS.get(source, str(source)) for source in event.get("sources") or ()]
    yield "Seen by", ", ".join(sources) or "unknown"
    if event.get("confidence") is not None:
        yield "Confidence", f"{event['confidence'] * 100:.0f} %"
    if event.get("delta_v_s") is not None:
        yield "Δv reached after", f"{event['delta_v_s'] * 1000:.0f} ms"
    if event.get("lat_deg") is not None and event.get("lon_deg") is not None:
        yield "Place", f"{event['lat_deg']:.5f}, {event['lon_deg']:.5f}"
    if event.get("dv_clipped"):
        yield "Sensor", "at its limit: at least this much"
    if event.get("locked"):
        yield "Evidence", "locked"


def _strength(event: Thing) -> str:
    """How much, in the measure of its kind."""
    lasted = lasting(float(event["end_s"]) - float(event["start_s"]))
    peak, change = event.get("peak_mps2"), event.get("delta_v_mps")
    if event.get("rule") == "absent":
        return f"at least {distance(event['value'])} driven without the terminal"
    if event.get("value") is not None and event["event"] in VALUE_UNITS:
        return f"{event['value']:.{1 if abs(event['value']) < 100 else 0}f} {VALUE_UNITS[event['event']]}"
    if event["event"] in CALM:
        return lasted
    words = [f"{peak / G_MPS2:.{2 if peak < 2 * G_MPS2 else 0}f} g"] if peak is not None else []
    if event["event"] == "crash" and change is not None:
        words.insert(0, f"Δv {abs(change) * 3.6:.0f} km/h")
    return ", ".join(words) or lasted


def _style(event: Thing) -> str:
    """The colour of an event: how severe it was, or calm."""
    return "calm" if event["event"] in CALM else {"low": "low", "medium": "medium"}.get(str(event["severity"]), "high")


def _words(event: Thing) -> str:
    words = EVENT_WORDS.get(str(event["event"]), plain(str(event["event"])).capitalize())
    side = event.get("direction")
    return f"{words}, {side}" if side in ("left", "right") and event["event"] == "harsh_cornering" else words
