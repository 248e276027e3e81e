"""One drive, or several, as one HTML page that needs nothing else: for a phone, a desk, a sheet of paper. Pure.

Trips and events are dicts as `tbox replay --json` writes them; samples, and what events have besides, are as
agent/replay/drives.py describes them; counters are named numbers, in groups or not.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from agent.page import score as page_score
from agent.page.cards import cards, curve, knows, mark
from agent.page.plot import CLOCK_FROM_S, Line, clock, time_chart
from agent.page.plot_track import track
from agent.page.style import STYLE
from agent.page.words import END_WORDS, REASON_WORDS, counted, date, distance, lasting, plain, speed

MARGIN_S = 3.0
FORWARD = (("Estimated", "forward", "forward_mps2"), ("Measured by the sensor", "measured", "measured_mps2"))
LEFT = (("Estimated", "left", "left_mps2"), ("Measured by the sensor", "measured", "measured_left_mps2"))

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
    heading = f"<h2>Trip {index + 1} of {of}</h2>" if of > 1 else '<h2 class="quiet">The trip</h2>'
    told = f"{page_score.score(trip.get('pricing'))}{cards(own, span[0] + MARGIN_S, samples)}{page_score.pricing(trip)}"
    return (
        f"<section>{heading}{_tiles(trip, len(own))}{_plots(inside, span, own, span[0] + MARGIN_S)}{told}</section>\n"
    )


def _rest_section(alone: Sequence[tuple[int, Thing]], samples: Sequence[Thing], trips: Sequence[Thing]) -> str:
    """What belongs to no trip; without any trip, all there is."""
    if not samples and not alone:
        return "<section><p>Nothing was driven, and nothing happened.</p></section>\n"
    times = [float(sample["time_s"]) for sample in samples] + [float(event["start_s"]) for _, event in alone]
    span = (min(times), max(times) + 1)
    heading = (
        "<h2>Outside any trip</h2>"
        if trips
        else '<h2 class="quiet">What was told</h2><p class="lead">No trip in this input: the car was not driven.</p>'
    )
    plots = "" if trips else _plots(samples, span, alone, span[0])
    return f"<section>{heading}{plots}{cards(alone, span[0], samples)}</section>\n"


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
    value = ((trip.get("pricing") or {}).get("score") or {}).get("value")
    if value is not None:
        tiles.append(("Score", f"{value:.0f} of 100"))
    cells = "".join(f"<div><dt>{name}</dt><dd>{escape(words)}</dd></div>" for name, words in tiles)
    start_s, end_s, reason = float(trip["start_s"]), float(trip["end_s"]), str(trip.get("end_reason", ""))
    ended = escape(END_WORDS.get(reason, plain(reason)))
    lead = f"{clock(start_s, start_s)} to {clock(end_s, start_s)}; ended: {ended}."
    return f'<dl class="tiles">{cells}</dl><p class="lead">{lead}</p>'


def _plots(
    samples: Sequence[Thing], span: tuple[float, float], own: Sequence[tuple[int, Thing]], origin_s: float
) -> str:
    """Speed, acceleration, engine, the way: whichever is known."""
    marks, times = [mark(number, event) for number, event in own], (*span, origin_s)
    parts = []
    if knows(samples, "speed_mps"):
        lines = [Line("Speed", "speed", curve(samples, "speed_mps", 3.6))]
        if knows(samples, "limit_mps"):
            lines.append(Line("Limit", "limit", curve(samples, "limit_mps", 3.6)))
        parts.append(_figure("Speed", time_chart(lines, times, marks, unit="km/h", axis=(0.0, 20.0))))
    for name, told in (("Acceleration, forward", FORWARD), ("Acceleration, to the left", LEFT)):
        lines = [Line(line, style, curve(samples, key)) for line, style, key in told if knows(samples, key)]
        if lines:
            parts.append(_figure(name, time_chart(lines, times, marks, unit="m/s²")))
    if knows(samples, "rpm"):
        engine = Line("Engine", "engine", curve(samples, "rpm"))
        chart = time_chart([engine], times, marks, unit="1/min", axis=(0.0, 1000.0))
        parts.append(_figure("Engine speed", chart, "short"))
    places = [(s["lat_deg"], s["lon_deg"]) for s in samples if None not in (s.get("lat_deg"), s.get("lon_deg"))]
    if len(set(places)) > 1:
        parts.append(_figure("The way", track(places, marks), "way"))
    return f'<div class="figures">{"".join(parts)}</div>'


def _figure(name: str, inside: str, style: str = "") -> str:
    return f'<figure class="{style}"><figcaption>{name}</figcaption>{inside}</figure>'


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
    for name, told in counters.items():
        if isinstance(told, Mapping):
            reasons = ", ".join(
                f"{REASON_WORDS.get(reason, plain(reason))} {told[reason]}" for reason in told if told[reason]
            )
            yield plain(name).capitalize(), reasons or "none"
        elif name != "record":
            yield plain(name).capitalize(), counted(told)


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<footer><ul>{items}</ul></footer>\n" if items else ""
