"""One drive, or several, as one HTML page that needs nothing else: for a phone, a desk, a sheet of paper. Pure.

Trips and events are dicts as `tbox replay --json` writes them; samples are dicts with `time_s` and any of `speed_mps,
forward_mps2, left_mps2, lat_deg, lon_deg, rpm`; counters are named numbers, in groups or not.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from agent.page_style import STYLE
from agent.page_words import CALM, END_WORDS, EVENT_WORDS, SOURCE_WORDS, counted, date, distance, lasting, plain, speed
from agent.plot import CLOCK_FROM_S, Line, Mark, clock, spark, time_chart, track

G_MPS2 = 9.80665
AROUND_S = 12.0
"""What is shown before and after an event on its card."""
MARGIN_S = 3.0

Thing = Mapping[str, Any]


def page(
    title: str,
    trips: Sequence[Thing],
    events: Sequence[Thing],
    samples: Sequence[Thing],
    counters: Thing,
    *,
    notes: Sequence[str] = (),
) -> str:
    """The page. `notes` are sentences about where it comes from and what was checked. Same arguments, same bytes."""
    numbered = list(enumerate(sorted(events, key=lambda event: float(event["start_s"])), start=1))
    sections = [_trip_section(trip, index, len(trips), numbered, samples) for index, trip in enumerate(trips)]
    alone = [(number, event) for number, event in numbered if not _belongs(event, trips)]
    if alone or not trips:
        sections.append(_rest_section(alone, samples, trips))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        f"{_header(title, trips, samples)}{''.join(sections)}{_quality(trips, counters)}{_notes(notes)}"
        "</main></body></html>\n"
    )


def _header(title: str, trips: Sequence[Thing], samples: Sequence[Thing]) -> str:
    starts = [float(thing[key]) for things, key in ((trips, "start_s"), (samples, "time_s")) for thing in things[:1]]
    when = f"<p>{date(starts[0])}</p>" if starts and starts[0] >= CLOCK_FROM_S else ""
    return f"<header><h1>{escape(title)}</h1>{when}</header>\n"


def _trip_section(
    trip: Thing, index: int, of: int, numbered: Sequence[tuple[int, Thing]], samples: Sequence[Thing]
) -> str:
    """One trip: its figures, its plots, its events."""
    number = trip.get("trip", index)
    own = [(n, event) for n, event in numbered if event.get("trip") == number]
    span = (float(trip["start_s"]) - MARGIN_S, float(trip["end_s"]) + MARGIN_S)
    inside = [sample for sample in samples if span[0] <= sample["time_s"] <= span[1]]
    heading = f"<h2>Trip {index + 1} of {of}</h2>" if of > 1 else ""
    cards = _cards(own, span[0] + MARGIN_S, samples)
    return (
        f"<section>{heading}{_tiles(trip, len(own))}{_plots(inside, span, own, span[0] + MARGIN_S)}{cards}</section>\n"
    )


def _rest_section(alone: Sequence[tuple[int, Thing]], samples: Sequence[Thing], trips: Sequence[Thing]) -> str:
    """What belongs to no trip; without any trip, all there is."""
    if not samples and not alone:
        return "<section><p>Nothing was driven, and nothing happened.</p></section>\n"
    times = [float(sample["time_s"]) for sample in samples] + [float(event["start_s"]) for _, event in alone]
    span = (min(times), max(times) + 1)
    heading = (
        "<h2>Outside any trip</h2>" if trips else '<p class="lead">No trip in this input: the car was not driven.</p>'
    )
    plots = "" if trips else _plots(samples, span, alone, span[0])
    return f"<section>{heading}{plots}{_cards(alone, span[0], samples)}</section>\n"


def _belongs(event: Thing, trips: Sequence[Thing]) -> bool:
    return any(event.get("trip") == trip.get("trip", index) for index, trip in enumerate(trips))


def _tiles(trip: Thing, events: int) -> str:
    """The figures of a trip, largest first."""
    distance_m, moving_s = float(trip["distance_m"]), trip.get("moving_s")
    tiles = [
        ("Distance", distance(distance_m)),
        ("Duration", lasting(float(trip["end_s"]) - float(trip["start_s"]))),
        ("Driving", lasting(moving_s)),
        ("Idling", lasting(trip.get("idle_s"))),
        ("Top speed", speed(trip.get("max_speed_mps"))),
        ("Average", speed(distance_m / moving_s if moving_s else None)),
        ("Events", str(events)),
    ]
    if trip.get("over_limit_s") is not None:
        tiles.append(("Over the limit", lasting(trip["over_limit_s"])))
    cells = "".join(f"<div><dt>{name}</dt><dd>{escape(words)}</dd></div>" for name, words in tiles)
    start_s, end_s, reason = float(trip["start_s"]), float(trip["end_s"]), str(trip.get("end_reason", ""))
    ended = escape(END_WORDS.get(reason, plain(reason)))
    lead = f"{clock(start_s, start_s)} to {clock(end_s, start_s)}; ended: {ended}."
    return f'<dl class="tiles">{cells}</dl><p class="lead">{lead}</p>'


def _plots(
    samples: Sequence[Thing], span: tuple[float, float], own: Sequence[tuple[int, Thing]], origin_s: float
) -> str:
    """Speed, acceleration, engine, the way: whichever is known."""
    marks = [_mark(number, event) for number, event in own]
    parts = []
    if _knows(samples, "speed_mps"):
        speed = Line("Speed", "speed", _curve(samples, "speed_mps", 3.6))
        parts.append(_figure("Speed", time_chart([speed], (*span, origin_s), marks, unit="km/h", axis=(0.0, 20.0))))
    lines = [
        Line(name, style, _curve(samples, key, 1.0))
        for name, style, key in (("Forward", "forward", "forward_mps2"), ("To the left", "left", "left_mps2"))
        if _knows(samples, key)
    ]
    if lines:
        parts.append(_figure("Acceleration", time_chart(lines, (*span, origin_s), marks, unit="m/s²")))
    if _knows(samples, "rpm"):
        engine = Line("Engine", "engine", _curve(samples, "rpm", 1.0))
        parts.append(
            _figure(
                "Engine speed",
                time_chart([engine], (*span, origin_s), marks, unit="1/min", axis=(0.0, 1000.0)),
                "short",
            )
        )
    places = [(s["lat_deg"], s["lon_deg"]) for s in samples if None not in (s.get("lat_deg"), s.get("lon_deg"))]
    if len(set(places)) > 1:
        parts.append(_figure("The way", track(places, marks), "way"))
    return f'<div class="figures">{"".join(parts)}</div>'


def _figure(name: str, inside: str, style: str = "") -> str:
    return f'<figure class="{style}"><figcaption>{name}</figcaption>{inside}</figure>'


def _cards(own: Sequence[tuple[int, Thing]], origin_s: float, samples: Sequence[Thing]) -> str:
    """Every event on a card of its own."""
    if not own:
        return '<p class="lead">No events.</p>'
    speed = Line("Speed", "speed", _curve(samples, "speed_mps", 3.6))
    cards = "".join(_card(number, event, origin_s, speed) for number, event in own)
    return f'<h3>Events</h3><div class="cards">{cards}</div>'


def _card(number: int, event: Thing, origin_s: float, speed: Line) -> str:
    start_s, end_s = float(event["start_s"]), float(event["end_s"])
    facts = "".join(f"<div><dt>{name}</dt><dd>{escape(words)}</dd></div>" for name, words in _facts(event))
    curve = spark(speed, (start_s - AROUND_S, end_s + AROUND_S), (start_s, end_s))
    style = _style(event)
    pill = "" if event["event"] in CALM else f'<span class="pill">{escape(str(event["severity"]))}</span>'
    return (
        f'<article class="card {style}" id="event-{number}"><h4><span class="badge {style}">{number}</span>'
        f"{escape(_words(event))}{pill}</h4>"
        f'<p class="strong">{escape(_strength(event))}<time>{clock(start_s, origin_s)}</time></p>'
        f"{curve}<dl>{facts}</dl></article>"
    )


def _facts(event: Thing) -> Iterator[tuple[str, str]]:
    """What else is known of an event."""
    lasted_s = float(event["end_s"]) - float(event["start_s"])
    if event.get("peak_mps2") is not None:
        yield "Peak", f"{event['peak_mps2']:.1f} m/s²"
    if event["event"] not in CALM:
        if event.get("entry_mps") is not None and event.get("exit_mps") is not None:
            yield "Speed", f"{event['entry_mps'] * 3.6:.0f} → {event['exit_mps'] * 3.6:.0f} km/h"
        yield "Lasted", f"{lasted_s:.2f} s" if lasted_s < 1 else f"{lasted_s:.1f} s"
    if event.get("direction"):
        yield ("Blow from" if event["event"] in ("crash", "impact") else "Direction"), str(event["direction"])
    sources = [SOURCE_WORDS.get(source, str(source)) for source in event.get("sources") or ()]
    yield "Seen by", ", ".join(sources) or "unknown"
    if event.get("confidence") is not None:
        yield "Confidence", f"{event['confidence'] * 100:.0f} %"
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
    if event["event"] in CALM:
        return lasted
    words = [f"{peak / G_MPS2:.{2 if peak < 2 * G_MPS2 else 0}f} g"] if peak is not None else []
    if event["event"] == "crash" and change is not None:
        words.insert(0, f"Δv {abs(change) * 3.6:.0f} km/h")
    return ", ".join(words) or lasted


def _quality(trips: Sequence[Thing], counters: Thing) -> str:
    """How good the data was that all this rests on."""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(words)}</td></tr>" for name, words in _quality_rows(trips, counters)
    )
    return f'<section class="quality"><h3>Data quality</h3><table>{rows}</table></section>\n' if rows else ""


def _quality_rows(trips: Sequence[Thing], counters: Thing) -> Iterator[tuple[str, str]]:
    moving_s = sum(float(trip.get("moving_s") or 0) for trip in trips)
    judged_s = [float(trip["judged_s"]) for trip in trips if trip.get("judged_s") is not None]
    if judged_s and moving_s:
        yield "Driving that could be judged", f"{min(1.0, sum(judged_s) / moving_s) * 100:.0f} %"
    for trip in trips:
        odometer = trip.get("odometer") or {}
        if odometer.get("difference_m") is not None:
            difference_m = round(odometer["difference_m"], 1) + 0.0
            yield (
                "Distance against the odometer",
                f"{difference_m:+.1f} m of {odometer['distance_m']:.0f} m",
            )
    for name, told in counters.items():
        if isinstance(told, Mapping):
            reasons = ", ".join(f"{plain(reason)} {number}" for reason, number in told.items() if number)
            yield plain(name).capitalize(), reasons or "none"
        elif name != "record":
            yield plain(name).capitalize(), counted(told)


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<footer><ul>{items}</ul></footer>\n" if items else ""


def _mark(number: int, event: Thing) -> Mark:
    place = (event.get("lat_deg"), event.get("lon_deg"))
    known = (float(place[0]), float(place[1])) if place[0] is not None and place[1] is not None else None
    words = f"{_words(event)}: {_strength(event)}"
    return Mark(number, _style(event), float(event["start_s"]), float(event["end_s"]), known, words)


def _style(event: Thing) -> str:
    """The colour of an event: how severe it was, or calm."""
    return "calm" if event["event"] in CALM else {"low": "low", "medium": "medium"}.get(str(event["severity"]), "high")


def _words(event: Thing) -> str:
    words = EVENT_WORDS.get(str(event["event"]), plain(str(event["event"])).capitalize())
    side = event.get("direction")
    return f"{words}, {side}" if side in ("left", "right") and event["event"] == "harsh_cornering" else words


def _knows(samples: Sequence[Thing], key: str) -> bool:
    return any(sample.get(key) is not None for sample in samples)


def _curve(samples: Sequence[Thing], key: str, scale: float) -> list[tuple[float, float | None]]:
    pairs = ((float(sample["time_s"]), sample.get(key)) for sample in samples)
    return [(time_s, None if height is None else height * scale) for time_s, height in pairs]
