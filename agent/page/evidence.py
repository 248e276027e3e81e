"""One crash as a page for a claims handler: what happened, what was measured and what not, how to check it. Pure.

Every figure is one of the sealed records, or computed from what they hold. It needs nothing else and prints on paper.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from agent.evidence.claim import Claim
from agent.page import exhibits as page_exhibits
from agent.page import summary as page_summary
from agent.page import weighed as page_weighed
from agent.page.cards import curve, knows
from agent.page.plot import Line, Mark
from agent.page.plot_pulse import pulse_chart
from agent.page.plot_track import track
from agent.page.proof import proof
from agent.page.style import STYLE
from agent.page.words import EVENT_WORDS, UNKNOWN, plain

G_MPS2 = 9.80665
BEFORE_ROWS = 5
"""Of the table's rows each fifth is printed: 2 Hz, as the rules have it; the record holds them all."""
DELTA_ROWS = 9
"""Beside each other; more do not fit on paper."""
PULSE_S = (-0.05, 0.3)
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
TURNED = (("Forward", "forward", "forward_mps2"), ("To the left", "lateral", "left_mps2"))
BY_SENSOR = (("Sensor x", "forward", "x"), ("Sensor y", "lateral", "y"), ("Sensor z", "engine", "z"))
"""Where nobody knows how it sits, any of its axes may be the one that was struck."""
Thing = Mapping[str, Any]

MORE_STYLE = """
.facts{margin:0;padding:0;list-style:none}.facts li{padding:7px 0;border-top:1px solid var(--line)}
.facts li:first-child{border:0}
.facts b{min-width:9.5em;padding-right:1em;color:var(--soft);font-weight:400}
.facts li:has(>b){display:grid;grid-template-columns:auto minmax(0,1fr)}
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
.two .x.odd{display:none}
@media(max-width:560px){.facts li:has(>b){display:block}.facts b{display:block}}
@media print{.way .map{max-width:330px!important}.panel{break-inside:avoid}
h2,h3,.lead{break-after:avoid}.wide{overflow:visible}.wide table{font-size:.74rem}a{color:inherit}}
"""


def page(claim: Claim, source: str, timezone: str, software: str) -> str:
    """The page. `source`: the file the records are from; `timezone`: an IANA name; `software`: what makes this page."""
    name = str(claim.event["event"])
    title = f"{EVENT_WORDS.get(name, plain(name).capitalize())}, {page_summary.title(claim, timezone)}"
    parts = [
        f"<header><h1>{escape(title)}</h1><p>{escape(page_summary.lead(claim))}</p></header>",
        page_summary.tiles(claim),
        _section("What happened", page_summary.facts(claim, timezone)),
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


def _figures(claim: Claim) -> str:
    """The blow near by, the seconds around it, the way."""
    table = claim.dossier.table or {}
    least = ", at least this: the sensor was at the end of its range" if claim.event.get("dv_clipped") else ""
    figures = [_pulse(claim, table), _change(table, f"Change of velocity{least}")]
    near = [figure for figure in figures if figure]
    parts = [f'<div class="two">{"".join(near)}</div>'] if near else []
    parts.append(_around(claim, SPEEDS, "Speed, seconds before and after the blow", "km/h"))
    parts.append(_around(claim, PEDALS, "Pedals", "%"))
    mark = Mark(1, "high", 0.0, 0.0, page_summary.place(claim), "the blow")
    places = [place for _, place in claim.way]
    if len(set(places)) > 1:
        first_s, last_s = claim.caught_s
        name = f"The way, {-first_s:.0f} s before to {last_s:.0f} s after; 1 is where it happened"
        parts.append(_figure(name, track(places, [mark]), "way"))
    return f'<section><h2>Measured</h2><div class="figures">{"".join(part for part in parts if part)}</div></section>\n'


def _figure(name: str, inside: str, style: str = "") -> str:
    return f'<figure class="{style}"><figcaption>{escape(name)}</figcaption>{inside}</figure>'


def _pulse(claim: Claim, table: Thing) -> str:
    """Specific force over milliseconds."""
    rows = [row for row in claim.pulse if row["time_s"] is not None]
    if len(rows) < 2:
        return ""
    lines = [
        Line(name, style, [(row["time_s"] or 0.0, (row[key] or 0.0) / G_MPS2) for row in rows])
        for name, style, key in (TURNED if claim.is_turned else BY_SENSOR)
    ]
    clipped = table.get("sensor", {}).get("clipped_mps2")
    limit = None if clipped is None else clipped / G_MPS2
    return _figure("Specific force", pulse_chart(lines, PULSE_S, "g", limit))


def _change(table: Thing, name: str) -> str:
    """Change of velocity from time zero on."""
    delta = table.get("delta", {})
    told = ((name, style, delta.get(key, [])) for name, style, key in DELTA)
    lines = [
        Line(name, style, [(i / 100, None if cell is None else cell * 3.6) for i, cell in enumerate(cells)])
        for name, style, cells in told
        if any(cell is not None for cell in cells)
    ]
    return _figure(name, pulse_chart(lines, (0.0, 0.25), "km/h")) if lines else ""


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
    own = "" if claim.dossier.first is None else (
        f" It was caught with event {claim.dossier.first}, whose table the record holds; this one was made from what "
        "was caught, when this page was made: time zero is 20 ms before the first sample over the threshold."
    )  # fmt: skip
    words = f"""{table["standard"]}. A dash is "not measured".{own}"""
    return f'<p class="lead">{escape(words)}</p>{_before(table)}{_deltas(table)}'


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
    least = " (at least: the sensor was at the end of its range)" if table["sensor"]["clipped_mps2"] is not None else ""
    words = f"Largest within 300 ms{least}: {'; '.join(most) or 'not measured'}."
    return "".join(grids) + f'<p class="lead">{escape(words)}</p>'


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
