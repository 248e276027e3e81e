"""One crash as a page for a claims handler: what happened, what was measured and what not, how to check it. Pure.

Every figure is one of the sealed records, or computed from what they hold. It needs nothing else and prints on paper.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from agent import page_exhibits, page_weighed
from agent.claim import Claim
from agent.hours import zone
from agent.page_cards import curve, knows
from agent.page_proof import proof
from agent.page_style import STYLE
from agent.page_words import CLOCK_WORDS, EVENT_WORDS, UNKNOWN, speed
from agent.plot import Line, Mark
from agent.plot_pulse import pulse_chart
from agent.plot_track import track

G_MPS2 = 9.80665
BEFORE_ROWS = 5
"""Of the table's rows each fifth is printed: 2 Hz, as the rules have it; the record holds them all."""
DELTA_ROWS = 9
"""Beside each other; more do not fit on paper."""
PULSE_S = (-0.05, 0.3)
SIDES = {"front": "from the front", "rear": "from behind", "left": "from the left", "right": "from the right"}
COLUMNS = (
    ("speed_mps", "Speed, km/h", 3.6),
    ("gnss_speed_mps", "Receiver, km/h", 3.6),
    ("brake", "Brake", 1.0),
    ("throttle_pct", "Throttle, %", 1.0),
    ("rpm", "Engine, 1/min", 1.0),
)
DELTA = (
    ("Forward", "forward", "longitudinal_mps"),
    ("To the left", "lateral", "lateral_mps"),
    ("Size", "engine", "horizontal_mps"),
)
SPEEDS = (("By the car", "speed", "speed_mps", 3.6), ("By the receiver", "forward", "gnss_mps", 3.6))
PEDALS = (("Throttle", "engine", "throttle_pct", 1.0), ("Brake pressed", "limit", "brake", 100.0))
Thing = Mapping[str, Any]

MORE_STYLE = """
.facts{margin:0;padding:0;list-style:none}.facts li{padding:7px 0;border-top:1px solid var(--line)}
.facts li:first-child{border:0}
.facts b{display:inline-block;min-width:9.5em;padding-right:1em;color:var(--soft);font-weight:400}
.panel{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:12px 16px;margin-top:14px}
.wide{overflow-x:auto}.wide table{border-spacing:0;font-size:.82rem;font-variant-numeric:tabular-nums;width:100%}
.wide th,.wide td{text-align:right;font-weight:400;padding:3px 8px;border-bottom:1px solid var(--grid);
white-space:nowrap}
.wide th:first-child,.wide td:first-child{text-align:left}.wide th{color:var(--soft)}
.weighed td,.weighed th{white-space:normal;text-align:left;vertical-align:top}
code{font-size:.78rem;overflow-wrap:anywhere}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:14px}
.said{margin:0;white-space:pre-line;overflow-wrap:anywhere}.facts small{color:var(--soft)}
.wrong{color:var(--high);font-weight:650}
polyline.lateral{stroke:var(--left)}.key.lateral{background:var(--left)}
@media(max-width:560px){.facts b{display:block}}
@media print{.two .x.odd{display:none}.way .map{max-width:330px!important}.panel{break-inside:avoid}
h2,h3,.lead{break-after:avoid}.wide{overflow:visible}.wide table{font-size:.74rem}a{color:inherit}}
"""


def page(claim: Claim, source: str, timezone: str, software: str) -> str:
    """The page. `source`: the file the records are from; `timezone`: an IANA name; `software`: what makes this page."""
    title = f"{EVENT_WORDS[str(claim.event['event'])]}, {_when(claim, timezone)[0]}"
    parts = [
        f"<header><h1>{escape(title)}</h1><p>{escape(_lead(claim))}</p></header>",
        _tiles(claim),
        _section("What happened", _facts(claim, timezone)),
        page_exhibits.contested(claim, timezone),
        _figures(claim),
        _section("In the terms of event data recorders", _tables(claim)),
        page_weighed.sections(claim),
        page_exhibits.camera(claim),
        proof(claim, source, software),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{MORE_STYLE}</style></head>\n<body><main>\n"
        f"{''.join(parts)}</main></body></html>\n"
    )


def _section(name: str, inside: str) -> str:
    return f"<section><h2>{name}</h2>{inside}</section>\n" if inside else ""


def _when(claim: Claim, timezone: str) -> tuple[str, str]:
    """The moment in local time, and in UTC with what is known of its error."""
    if claim.moment is None:
        return f"{claim.dossier.blow_us / 1e6:.1f} s after the terminal started", "not known: no clock record dates it"
    utc = dt.datetime.fromtimestamp(claim.moment.utc_us / 1e6, dt.UTC)
    local = utc.astimezone(zone(timezone))
    u_us = claim.moment.u_us
    sure = "nobody vouches for this clock" if u_us is None else f"give or take {max(u_us, 1000) / 1e6:.3f} s"
    source = CLOCK_WORDS.get(claim.moment.source, claim.moment.source)
    return f"{local:%-d %B %Y, %H:%M:%S} ({timezone})", f"{utc:%Y-%m-%d %H:%M:%S.%f}"[
        :-3
    ] + f" UTC, by {source}, {sure}"


def _lead(claim: Claim) -> str:
    """It in a sentence."""
    event = claim.event
    side = SIDES.get(str(event.get("direction")), "from an unknown side")
    moving = f" at {speed(event['entry_mps'])}" if event.get("entry_mps") is not None else ""
    changed = abs(event["delta_v_mps"]) * 3.6 if event.get("delta_v_mps") is not None else None
    least = "at least " if event.get("dv_clipped") else ""
    lost = "" if changed is None else f"; its velocity changed by {least}{changed:.0f} km/h"
    cut = " The power went before it was judged." if event.get("rule") == "power_cut" else ""
    return f"The car was struck {side}{moving}{lost}.{cut}"


def _tiles(claim: Claim) -> str:
    event = claim.event
    peak, change = event.get("peak_mps2"), event.get("delta_v_mps")
    tiles = (
        ("Speed before", speed(event.get("entry_mps"))),
        ("Speed after", speed(event.get("exit_mps"))),
        ("Change of velocity", UNKNOWN if change is None else f"{abs(change) * 3.6:.0f} km/h"),
        ("Peak", UNKNOWN if peak is None else f"{peak / G_MPS2:.1f} g"),
        ("Struck from", str(event.get("direction") or UNKNOWN)),
        ("Severity", str(event.get("severity"))),
        ("How certain", f"{event['confidence'] * 100:.0f} %"),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{escape(words)}</dd></div>" for name, words in tiles)
    return f'<dl class="tiles">{cells}</dl>'


def _facts(claim: Claim, timezone: str) -> str:
    event = claim.event
    local, utc = _when(claim, timezone)
    place = _place(claim)
    facts = [
        ("When", local),
        ("UTC", utc),
        ("Where", UNKNOWN if place is None else f"{place[0]:.6f}, {place[1]:.6f} (WGS 84)"),
        ("How fast", f"{speed(event.get('entry_mps'))} just before the blow"),
        ("Braking before", _braking(claim)),
        ("After it", f"{speed(event.get('exit_mps'))} when the event was judged"),
    ]
    items = "".join(f"<li><b>{name}</b>{escape(words)}</li>" for name, words in facts)
    return f'<ul class="facts panel">{items}</ul>'


def _place(claim: Claim) -> tuple[float, float] | None:
    """The last fix before the blow, else that of the event."""
    before = [place for at_s, place in claim.way if at_s <= 0]
    if before:
        return before[-1]
    lat_deg, lon_deg = claim.event.get("lat_deg"), claim.event.get("lon_deg")
    return None if lat_deg is None or lon_deg is None else (lat_deg, lon_deg)


def _braking(claim: Claim) -> str:
    """By the brake signal, and by the speed, in the 5 s before."""
    before = (claim.dossier.table or {}).get("before", {})
    brake = list(before.get("brake", []))
    speeds = [cell for cell in before.get("speed_mps", []) if cell is not None]
    step_s = before.get("step_us", 0) / 1e6
    if not any(cell is not None for cell in brake):
        words = "the brake pedal was not told"
    else:
        since = next((i for i in range(len(brake)) if all(cell == 1 for cell in brake[i:])), None)
        pressed = sum(1 for cell in brake if cell == 1) * step_s
        words = "the pedal was not pressed at the blow" if since is None else (
            f"pedal pressed for the last {(len(brake) - 1 - since) * step_s:.1f} s"
        )  # fmt: skip
        words += f" ({pressed:.1f} s of 5 s)" if since is None and pressed else ""
    if len(speeds) > 1:
        words += f"; speed went from {speeds[0] * 3.6:.0f} to {speeds[-1] * 3.6:.0f} km/h in the 5 s before"
    return words


def _figures(claim: Claim) -> str:
    """The blow near by, the seconds around it, the way."""
    table = claim.dossier.table or {}
    figures = [_pulse(claim, table), _change(table)]
    near = [figure for figure in figures if figure]
    parts = [f'<div class="two">{"".join(near)}</div>'] if near else []
    parts.append(_around(claim, SPEEDS, "Speed, seconds before and after the blow", "km/h"))
    parts.append(_around(claim, PEDALS, "Pedals", "%"))
    mark = Mark(1, "high", 0.0, 0.0, _place(claim), "the blow")
    places = [place for _, place in claim.way]
    if len(set(places)) > 1:
        parts.append(_figure("The way, 30 s before to 15 s after; 1 is the blow", track(places, [mark]), "way"))
    return f'<section><h2>Measured</h2><div class="figures">{"".join(part for part in parts if part)}</div></section>\n'


def _figure(name: str, inside: str, style: str = "") -> str:
    return f'<figure class="{style}"><figcaption>{escape(name)}</figcaption>{inside}</figure>'


def _pulse(claim: Claim, table: Thing) -> str:
    """Specific force over milliseconds."""
    rows = [row for row in claim.pulse if row["time_s"] is not None]
    if len(rows) < 2:
        return ""
    names = ("Forward", "To the left") if claim.is_turned else ("Sensor x", "Sensor y")
    lines = [
        Line(name, style, [(row["time_s"] or 0.0, (row[key] or 0.0) / G_MPS2) for row in rows])
        for name, style, key in zip(names, ("forward", "lateral"), ("forward_mps2", "left_mps2"), strict=True)
    ]
    clipped = table.get("sensor", {}).get("clipped_mps2")
    limit = None if clipped is None else clipped / G_MPS2
    return _figure("The blow: specific force", pulse_chart(lines, PULSE_S, "g", limit))


def _change(table: Thing) -> str:
    """Change of velocity from time zero on."""
    delta = table.get("delta", {})
    told = ((name, style, delta.get(key, [])) for name, style, key in DELTA)
    lines = [
        Line(name, style, [(i / 100, None if cell is None else cell * 3.6) for i, cell in enumerate(cells)])
        for name, style, cells in told
        if any(cell is not None for cell in cells)
    ]
    return _figure("Change of velocity", pulse_chart(lines, (0.0, 0.25), "km/h")) if lines else ""


def _around(claim: Claim, told: Sequence[tuple[str, str, str, float]], name: str, unit: str) -> str:
    """Curves over all the seconds; empty where nobody told any of them."""
    rows = [row for row in claim.rows if row["time_s"] is not None]
    lines = [
        Line(words, style, curve(rows, key, scale)) for words, style, key, scale in told if knows(rows, key)
    ]  # fmt: skip
    if not lines:
        return ""
    span = (rows[0]["time_s"] or 0.0, rows[-1]["time_s"] or 0.0)
    return _figure(name, pulse_chart(lines, span, unit), "" if unit == "km/h" else "short")


def _tables(claim: Claim) -> str:
    """The seconds before at 2 Hz, the change of velocity at 100 Hz, the largest."""
    table = claim.dossier.table
    if table is None:
        return '<p class="lead">The table is not among these records.</p>'
    return f'<p class="lead">{escape(table["standard"])}. A dash is "not measured".</p>{_before(table)}{_deltas(table)}'


def _before(table: Thing) -> str:
    before = table["before"]
    count = len(before["speed_mps"])
    seconds = [f"{i / 10 - 5:+.1f} s".replace("+0.0", "0") for i in range(0, count, BEFORE_ROWS)]
    rows = [
        (name, [_cell(cell, scale, 0) for cell in before.get(key, [])[::BEFORE_ROWS]]) for key, name, scale in COLUMNS
    ]
    return _grid(["Before the blow", *seconds], rows)


def _deltas(table: Thing) -> str:
    delta = table["delta"]
    names = {"longitudinal": "Longitudinal", "lateral": "Lateral", "horizontal": "Size"}
    grids = []
    for first in range(0, len(delta["horizontal_mps"]), DELTA_ROWS):
        span = slice(first, first + DELTA_ROWS)
        rows = [
            (f"{words}, km/h", [_cell(cell, 3.6, 1) for cell in delta[f"{name}_mps"][span]])
            for name, words in names.items()
        ]
        grids.append(_grid(["Change after", *(f"{i * 10} ms" for i in range(first, first + len(rows[0][1])))], rows))
    most = [
        f"{words.lower()} {one['mps'] * 3.6:+.1f} km/h at {one['at_us'] / 1000:.0f} ms"
        for name, words in names.items()
        if isinstance(one := delta.get(f"{name}_most"), dict)
    ]
    return "".join(grids) + f'<p class="lead">Largest within 300 ms: {escape("; ".join(most) or "not measured")}.</p>'


def _cell(cell: float | None, scale: float, digits: int) -> str:
    return UNKNOWN if cell is None else f"{cell * scale + 0.0:.{digits}f}"


def _grid(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for name, cells in rows
    )
    name = escape(f"{head[0]} {head[1]} to {head[-1]}")
    table = f"<table><tr>{top}</tr>{body}</table>"
    return f'<div class="wide panel" tabindex="0" role="group" aria-label="{name}">{table}</div>'
