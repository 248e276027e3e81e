"""What the fleet's pages are made of: their look, where one is, tables that are cards on a phone. Pure."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

from agent.page.style import STYLE as REPORT_STYLE
from hil.receiver.library import Row

WHERE_STYLE = """
.where{display:flex;flex-wrap:wrap;gap:0 8px;font-size:.9rem;color:var(--soft);margin-bottom:6px}
.where a{color:var(--speed);display:inline-block;padding:12px 0;margin:-12px 0}
.where>*+*::before{content:"/";color:var(--soft);margin-right:8px}
@media print{.where{display:none}}
"""
STYLE = f"""{REPORT_STYLE}{WHERE_STYLE}
:root{{--well:#0a7a5d}}@media(prefers-color-scheme:dark){{:root{{--well:#3ecfa6}}}}
a{{color:var(--speed)}}:focus-visible{{outline:3px solid var(--speed);outline-offset:2px}}
.bad{{color:var(--high);font-weight:650}}.good{{color:var(--well);font-weight:650}}
.list{{background:var(--card);border:1px solid var(--line);border-radius:14px;overflow-x:auto}}
.list table{{border-collapse:collapse;width:100%}}
.list th,.list td{{padding:9px 14px;text-align:left;white-space:nowrap;font-variant-numeric:tabular-nums}}
.list tr+tr>*,.list tbody tr>*{{border-top:1px solid var(--line)}}
.list th{{color:var(--soft);font-size:.8rem;font-weight:600}}.list .n{{text-align:right}}
.list .low{{color:var(--low)}}.list .medium{{color:var(--medium)}}.list .high{{color:var(--high);font-weight:650}}
.list tbody tr:hover{{background:var(--back)}}
@media(max-width:640px){{.list thead{{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}}
.list tr{{display:grid;grid-template-columns:1fr 1fr;gap:2px 18px;padding:4px 14px 12px}}
.list tbody tr+tr{{border-top:1px solid var(--line)}}.list tbody tr>*{{border:0}}
.list td,.list .n{{display:flex;justify-content:space-between;align-items:center;gap:8px;padding:2px 0;
font-size:.92rem}}
.list td::before{{content:attr(data-head);color:var(--soft)}}.list td:empty{{display:none}}
.list td:first-child{{grid-column:1/-1;font-size:1.05rem;font-weight:600}}.list td:first-child::before{{content:none}}
.list td.row{{grid-column:1/-1}}.list td a{{padding:12px 0;margin:-6px 0}}}}
"""

Column = tuple[str, str, Callable[[Row], str]]
"""Its head, how it stands (n: to the right; row: a line of its own on a phone), and how a cell comes of a row."""


def page(title: str, lead: str, where: str, sections: Sequence[str]) -> str:
    """A page of ours; `lead`, `where` and sections are HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{where}<header><h1>{escape(title)}</h1><p>{lead}</p></header>"
        f"{''.join(sections)}</main></body></html>"
    )


def led(report: str, where: str) -> str:
    """A page that `tbox report` made, with the way back on it."""
    return report.replace("</style>", f"{WHERE_STYLE}</style>", 1).replace("<main>", f"<main>{where}", 1)


def way_back(*steps: tuple[str, str], here: str) -> str:
    """From the fleet to here: (address, words) of each page above."""
    links = "".join(f'<span><a href="{escape(url, quote=True)}">{escape(words)}</a></span>' for url, words in steps)
    return f'<nav class="where" aria-label="Where you are">{links}<span aria-current="page">{escape(here)}</span></nav>'


def table(name: str, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """The rows; a sentence where there are none. The roles stay a table's where its rows are shown as cards."""
    if not rows:
        return "<p>None.</p>"
    lines = "".join(_lines(columns, rows))
    return f'<div class="list" tabindex="0" role="group" aria-label="{name}"><table role="table">{lines}</table></div>'


def _lines(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    heads = "".join(f'<th scope="col" role="columnheader" class="{style}">{head}</th>' for head, style, _ in columns)
    yield f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead><tbody role="rowgroup">'
    for row in rows:
        cells = (
            f'<td role="cell" class="{style}" data-head="{head}">{make(row)}</td>' for head, style, make in columns
        )
        yield f'<tr role="row">{"".join(cells)}</tr>'
    yield "</tbody>"


# ---- cells -----------------------------------------------------------------------------------------------------------


def whole(row: Row) -> str:
    """Whether a vehicle's account has a hole."""
    return '<span class="good">whole</span>' if row["is_whole"] else '<span class="bad">records missing</span>'


def time(value: Any) -> str:
    """To the minute."""
    return escape(f"{value:%Y-%m-%d %H:%M} UTC") if value else "not known"


def number(value: float | None, digits: int) -> str:
    """With so many digits after the point."""
    return "&ndash;" if value is None else f"{value:,.{digits}f}"


def link(row: Row, where: str, words: str) -> str:
    """To a page below this vehicle's."""
    return f'<a href="{escape(vehicle_url(row["terminal"]) + where, quote=True)}">{words}</a>'


def vehicle_url(terminal: str) -> str:
    """A vehicle's page."""
    return f"/vehicle/{terminal}"


def severity(row: Row) -> str:
    """In its colour."""
    told = escape(str(row["severity"] or ""), quote=True)
    return f'<span class="{told}">{told}</span>' if told else ""


def words(text: object) -> str:
    """A name of ours, to read."""
    return escape(str(text or "").replace("_", " "))


VEHICLES: Sequence[Column] = (
    ("Vehicle", "", lambda row: link(row, "", escape(row["terminal"]))),
    ("Account", "row", whole),
    ("Trips", "n", lambda row: number(row["trips"], 0)),
    ("km", "n", lambda row: number(row["distance_km"], 1)),
    ("Events", "n", lambda row: number(row["events"], 0)),
    ("Last heard", "row", lambda row: time(row["last_seen"])),
)
TRIPS: Sequence[Column] = (
    ("Begin", "", lambda row: link(row, f"/trip/{row['trip']}", time(row["start_utc"]))),
    ("Trip", "n", lambda row: str(row["trip"])),
    ("Minutes", "n", lambda row: number(row["lasts_s"] and float(row["lasts_s"]) / 60, 0)),
    ("km", "n", lambda row: number(row["distance_m"] and row["distance_m"] / 1000, 1)),
    ("Score", "n", lambda row: number(row["score"], 0)),
    ("End", "row", lambda row: words(row["end_reason"])),
)
EVENTS: Sequence[Column] = (
    ("Event", "", lambda row: words(row["kind"])),
    ("Begin", "row", lambda row: time(row["start_utc"])),
    ("Severity", "", severity),
    ("Trip", "n", lambda row: "" if row["trip"] is None else link(row, f"/trip/{row['trip']}", str(row["trip"]))),
    ("Evidence", "row", lambda row: link(row, f"/evidence/{row['seq']}", "open") if row["evidence"] else ""),
)
GAPS: Sequence[Column] = (
    ("From", "", lambda row: str(row["first"])),
    ("To", "n", lambda row: str(row["last"])),
    ("Kind", "", lambda row: words(row["kind"])),
    ("Reason", "row", lambda row: escape(row["reason"])),
)
