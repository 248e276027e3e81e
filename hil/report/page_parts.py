"""What every page of the bench is made of: its frame, the verdict, tables, a histogram of latencies. Pure."""

from collections.abc import Sequence
from html import escape

from hil.report.chart import bars
from hil.report.page_style import STYLE
from hil.report.verdict import Finding

LATENCIES_MS = (1, 2, 5, 10, 15, 20, 30, 50, 100, 200, 500, 1000, 5000, 30_000)
"""The buckets' upper ends."""


def document(title: str, parts: Sequence[str]) -> str:
    """The page."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        f"{''.join(parts)}</main></body></html>\n"
    )


def header(title: str, lead: str, findings: Sequence[Finding], facts: Sequence[tuple[str, str]]) -> str:
    """Verdict, title, what it is about, how it was run."""
    bad = sum(not finding.holds for finding in findings)
    words, style = (f"FAIL: {bad} of {len(findings)}", "bad") if bad else (f"PASS: all {len(findings)}", "good")
    told = "".join(f"<span>{name} <b>{escape(value)}</b></span>" for name, value in facts)
    return (
        f'<header><span class="verdict {style}">{words}</span><h1>{escape(title)}</h1>'
        f'<p class="lead">{escape(lead)}</p><div class="facts">{told}</div></header>\n'
    )


def expected(findings: Sequence[Finding]) -> str:
    """One row an expectation, those that do not hold first."""
    told = "".join(
        f'<tr class="{"good" if finding.holds else "bad"}"><td class="sign">{"✓" if finding.holds else "✗"}</td>'
        f"<th>{escape(finding.name)}</th><td>{escape(finding.words)}</td></tr>"
        for finding in sorted(findings, key=lambda finding: finding.holds)
    )
    return f"<h2>Expected</h2><table>{told}</table>\n"


def tables(told: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """Small tables beside each other; empty ones are left out."""
    made = "".join(f"<div><h2>{escape(name)}</h2><table>{_rows(rows)}</table></div>" for name, rows in told if rows)
    return f'<div class="pair">{made}</div>\n'


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    return "".join(f'<tr><th>{escape(name)}</th><td class="n">{escape(words)}</td></tr>' for name, words in rows)


def again(command: str) -> str:
    """The command that does it once more."""
    return f"<h2>The same again</h2><pre>{escape(command)}</pre>"


def log(text: str) -> str:
    """What the terminal wrote."""
    return f"<h2>What tbox run wrote</h2><pre>{escape(text)}</pre>\n" if text else ""


def histogram(name: str, values_ms: Sequence[float], unit: str, note: str = "") -> str:
    """How many of them took how long, from the first bucket that has any to the last; empty: there are none."""
    if not values_ms:
        return ""
    edges = (0, *LATENCIES_MS)
    counts = [
        (f"{low} to {high} ms", sum(low <= one < high for one in values_ms))
        for low, high in zip(edges, LATENCIES_MS, strict=False)
    ]
    counts.append((f"over {LATENCIES_MS[-1]} ms", sum(one >= LATENCIES_MS[-1] for one in values_ms)))
    used = [number for number, (_, count) in enumerate(counts) if count]
    return bars(name, counts[used[0] : used[-1] + 1], unit, note)
