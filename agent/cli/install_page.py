"""The install certificate as a page: for a screen, for paper, for a PDF. Pure; it needs nothing else."""

import datetime as dt
from collections.abc import Iterator
from html import escape

from agent.codec import Record
from agent.doctor.checkup import waits
from agent.page.style import STYLE
from agent.page.words import CLOCK_WORDS, UNKNOWN
from agent.proof.finding import Report
from agent.world.dating import Moment

SOURCES = {"read": "read from the car", "by_hand": "entered by hand", "unknown": ""}
VERDICTS = {"PASS": ("good", "low"), "FAIL": ("does not hold", "high"), "SKIP": ("left out", "calm")}

MORE_STYLE = """
header{display:flex;justify-content:space-between;gap:24px;align-items:flex-start}
.code{flex:0 0 150px;background:#fff;border:1px solid var(--line);border-radius:14px;padding:4px}
.code svg{display:block;width:100%;height:auto}.code *{vector-effect:none}
.verdict{display:inline-block;border-radius:9px;padding:3px 12px;font-weight:650;color:var(--on)}
.verdict{background:var(--forward)}
.verdict.high{background:var(--high)}
.verdict.calm{background:var(--calm)}
.hand{color:var(--medium);font-weight:650}
.panel{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:4px 16px}
.panel table{width:100%;border-spacing:0}
.panel th,.panel td{text-align:left;font-weight:400;padding:7px 12px 7px 0;border-top:1px solid var(--line);
vertical-align:top;overflow-wrap:anywhere}
.panel tr:first-child>*{border-top:0}.panel th{color:var(--soft);width:32%}
td.mark{width:8.5em;font-weight:650}.mark.low{color:var(--forward)}.mark.high{color:var(--high)}
.mark.calm{color:var(--calm)}
code{font-size:.8rem;overflow-wrap:anywhere}
.sign{display:grid;grid-template-columns:1fr 1fr;gap:40px;margin-top:56px}
.sign div{border-top:1px solid var(--ink);padding-top:6px;color:var(--soft);font-size:.85rem}
@media(max-width:560px){header{display:block}.code{max-width:150px;margin-top:12px}.sign{gap:20px}
.checks tr{display:grid;grid-template-columns:1fr auto;border-top:1px solid var(--line);padding:6px 0}
.checks tr:first-child{border-top:0}.panel .checks th,.panel .checks td{border:0;padding:2px 0;width:auto}
.panel .checks th{color:var(--ink);font-weight:650}.checks td:last-child{grid-column:1/-1}}
@media print{@page{size:A4;margin:14mm}h2{margin:18px 0 6px;break-after:avoid}
.panel th,.panel td{padding:4px 10px 4px 0}
.sign{margin-top:40px}}
"""


def page(told: Record, moment: Moment | None, seal: Record | None, report: Report, code: str, software: str) -> str:
    """The page of this record. `code`: a QR code as inline SVG; `software`: what makes this page."""
    body = told.body
    title = f"Installation {body.get('plate') or body.get('vin') or told.device.hex()}"
    verdict, style = _verdict([(name, words) for name, verdict, words in body["checks"] if verdict == "FAIL"])
    rows = "".join(_check(*check) for check in body["checks"])
    checks = f'<table class="checks">{rows}</table>' if rows else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{MORE_STYLE}</style></head>\n<body><main>\n"
        f'<header><div><h1>{escape(title)}</h1><p>{escape(_when(moment))}</p><p><span class="verdict {style}">'
        f'{escape(verdict)}</span></p></div><div class="code">{code}</div></header>\n'
        f"{_section('Vehicle', _rows(_vehicle(told)))}{_section('Terminal', _rows(_terminal(told)))}"
        f"{_section('Checks', checks or '<p>None were made.</p>')}"
        f"{_section('Proof', _rows(_proof(told, seal, report)))}"
        f'<div class="sign"><div>{escape(body["technician"])}, technician</div><div>Customer</div></div>'
        f"<footer><p>Printed by {escape(software)} from record {told.seq} of device {told.device.hex()}; "
        "tbox verify checks the account it stands in.</p></footer></main></body></html>\n"
    )


def _verdict(failed: list[tuple[str, str]]) -> tuple[str, str]:
    """The whole in words, and its colour, from name and words of each check that failed."""
    bad = [name for name, words in failed if not waits(name, words)]
    if bad:
        return f"does not hold: {', '.join(bad)}", "high"
    later = ", ".join(name for name, _ in failed)
    return (f"proven; waits for a signal: {later}", "calm") if failed else ("proven", "")


def _section(name: str, inside: str) -> str:
    return f'<section><h2>{name}</h2><div class="panel">{inside}</div></section>\n'


def _rows(pairs: Iterator[tuple[str, str]]) -> str:
    """`inside` of each pair is HTML already."""
    return f"<table>{''.join(f'<tr><th>{escape(name)}</th><td>{inside}</td></tr>' for name, inside in pairs)}</table>"


def _check(name: str, verdict: str, words: str) -> str:
    told, style = VERDICTS.get(verdict, (verdict, "calm"))
    return (
        f'<tr><th>{escape(name)}</th><td class="mark {style}">{escape(told)}</td><td>{escape(words)}</td></tr>'
    )  # fmt: skip


def _when(moment: Moment | None) -> str:
    if moment is None:
        return "The terminal did not know the time."
    utc = dt.datetime.fromtimestamp(moment.utc_us / 1e6, dt.UTC)
    sure = "nobody vouches for this clock" if moment.u_us is None else CLOCK_WORDS.get(moment.source, moment.source)
    return f"{utc:%-d %B %Y, %H:%M} UTC ({sure})"


def _sourced(words: str, source: str) -> str:
    """A value and where it is from; by hand stands out."""
    if source == "unknown":
        return UNKNOWN
    style = ' class="hand"' if source == "by_hand" else ""
    return f"{escape(words)} <span{style}>({SOURCES[source]})</span>"


def _vehicle(told: Record) -> Iterator[tuple[str, str]]:
    body = told.body
    yield "Plate", escape(body["plate"] or UNKNOWN)
    yield "VIN", _sourced(body["vin"], body["vin_source"])
    metres = body["odometer_m"]
    yield "Odometer", _sourced("" if metres is None else f"{metres / 1000:,.0f} km", body["odometer_source"])
    yield "Vehicle map", escape(body["vehicle"])
    if body["note"]:
        yield "Note", escape(body["note"])
    for name, sha256 in body["photos"]:
        yield "Photo", f"{escape(name)}<br><code>SHA-256 {sha256}</code>"


def _terminal(told: Record) -> Iterator[tuple[str, str]]:
    body, bundle = told.body, told.body["bundle"]
    yield "Device", f"<code>{told.device.hex()}</code>"
    yield "Software", escape(body["software"])
    name = bundle.get("bundle")
    words = f"{name} {bundle.get('version')}, {bundle.get('state')}" if name else "none: the machine's own file"
    yield "Bundle", escape(words)
    yield "Settings", f"<code>{escape(body['settings'])}</code>"
    yield "Motion sensor", "calibrated" if body["calibrated"] else "not calibrated yet: drive some minutes"
    yield "Binding", escape(body["binding"] or "not bound")


def _proof(told: Record, seal: Record | None, report: Report) -> Iterator[tuple[str, str]]:
    yield "Record", f"{told.seq}<br><code>SHA-256 {told.hash.hex()}</code>"
    if seal is not None:
        yield "Sealed by", f"record {seal.seq}, key <code>{bytes(seal.body.get('key', b'')).hex()}</code>"
        yield "Signature", f"<code>{bytes(seal.body.get('signature', b'')).hex()}</code>"
    is_sealed = report.is_good and report.sealed_upto >= told.seq
    yield "The account", "holds, and this record is sealed" if is_sealed else escape("; ".join(_faults(report)))


def _faults(report: Report) -> list[str]:
    return [str(problem) for problem in report.problems[:3]] or ["this record is not sealed yet"]
