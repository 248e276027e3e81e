"""One run as one HTML page that needs nothing else: the verdict and why, signals against time, counters. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

from hil.chart import Band, Line, Mark, bars, chart, clock
from hil.outcome import EventFound, Live, Outcome
from hil.page_style import STYLE
from hil.scenario_file import FaultTable, Scenario
from hil.verdict import Finding, matching

LATENCIES_MS = (5, 10, 20, 50, 100, 200, 500, 1000, 5000, 30_000)


def page(scenario: Scenario, outcome: Outcome, findings: Sequence[Finding], again: str) -> str:
    """The page. The same arguments give the same bytes."""
    parts = [
        _header(scenario, outcome, findings),
        _findings(findings),
        _plots(scenario, outcome),
        _events(scenario, outcome),
        _counters(outcome),
        f"<h2>The same again</h2><pre>{escape(again)}</pre>",
        _log(outcome.live),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(scenario.title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        f"{''.join(parts)}</main></body></html>\n"
    )


def _header(scenario: Scenario, outcome: Outcome, findings: Sequence[Finding]) -> str:
    bad = sum(not finding.holds for finding in findings)
    words, style = (f"FAIL: {bad} of {len(findings)}", "bad") if bad else (f"PASS: all {len(findings)}", "good")
    facts = (
        ("scenario", outcome.scenario),
        ("place", outcome.place),
        ("seed", str(outcome.seed)),
        ("drive", clock(outcome.drive_s)),
        ("took", f"{outcome.took_s:.1f} s"),
    )
    told = "".join(f"<span>{name} <b>{escape(value)}</b></span>" for name, value in facts)
    return (
        f'<header><span class="verdict {style}">{words}</span><h1>{escape(scenario.title)}</h1>'
        f'<p class="lead">{escape(scenario.why)}</p><div class="facts">{told}</div></header>\n'
    )


def _findings(findings: Sequence[Finding]) -> str:
    """One row an expectation, those that do not hold first."""
    rows = "".join(
        f'<tr class="{"good" if finding.holds else "bad"}"><td class="sign">{"✓" if finding.holds else "✗"}</td>'
        f"<th>{escape(finding.name)}</th><td>{escape(finding.words)}</td></tr>"
        for finding in sorted(findings, key=lambda finding: finding.holds)
    )
    return f"<h2>Expected</h2><table>{rows}</table>\n"


def _plots(scenario: Scenario, outcome: Outcome) -> str:
    """What the car really did, with what was expected and found; the queue and the latency of a live run."""
    truth = outcome.truth
    if len(truth) < 2:
        return ""
    span = (0.0, max(outcome.drive_s, truth[-1].time_s))
    bands = [*_expected(scenario, span[1]), *_faults(scenario)]
    marks = [Mark(number, style, event.start_s, event.kind) for number, style, event in numbered(scenario, outcome)]
    speed = [Line("Speed", "speed", [(row.time_s, row.speed_mps * 3.6) for row in truth])]
    force = [
        Line("Forward", "forward", [(row.time_s, row.forward_mps2) for row in truth]),
        Line("To the left", "left", [(row.time_s, row.left_mps2) for row in truth]),
    ]
    engine = [Line("Engine", "engine", [(row.time_s, row.rpm) for row in truth])]
    figures = [
        chart("Speed", speed, span, "km/h", bands, marks),
        chart("Acceleration", force, span, "m/s²", _faults(scenario)),
        chart("Engine speed", engine, span, "1/min", _faults(scenario)),
    ]
    if outcome.live is not None:
        figures += _live_plots(outcome.live, span, _faults(scenario))
    keys = '<span><i class="key box expected"></i> expected here</span>' if scenario.expect.event else ""
    keys += "".join(f'<span><i class="key box fault"></i> {_told(fault)}</span>' for fault in scenario.fault)
    keys += "<span>numbers: events found</span>" if outcome.events else ""
    legend = f'<p class="legend">{keys}</p>' if keys else ""
    return f"<h2>What the car did</h2>{legend}{''.join(figures)}\n"


def _told(fault: FaultTable) -> str:
    """A fault and when it is."""
    what = f" {fault.what}" if fault.what else ""
    until = f" to {clock(fault.to_s)}" if fault.to_s > fault.from_s else ""
    return escape(f"{fault.name.replace('_', ' ')}{what}, {clock(fault.from_s)}{until}")


def _expected(scenario: Scenario, end_s: float) -> Iterator[Band]:
    for table in scenario.expect.event:
        if table.to_s is not None or table.from_s:
            yield Band("expected", table.from_s, table.to_s or end_s, f"expected: {table.kind}")


def _faults(scenario: Scenario) -> list[Band]:
    return [Band("fault", fault.from_s, fault.until_s, fault.name) for fault in scenario.fault]


def numbered(scenario: Scenario, outcome: Outcome) -> list[tuple[int, str, EventFound]]:
    """Events in order of time; green: expected; red: must not be; grey: nobody asked."""
    expect = scenario.expect
    wanted = [id(event) for table in expect.event for event in matching(table, outcome.events)]
    found = []
    for number, event in enumerate(sorted(outcome.events, key=lambda event: event.start_s), start=1):
        is_bad = event.kind in expect.never or expect.only
        found.append((number, "" if id(event) in wanted else "bad" if is_bad else "other", event))
    return found


def _live_plots(live: Live, span: tuple[float, float], faults: Sequence[Band]) -> Iterator[str]:
    """How many records waited on the terminal, and how long each took to the broker."""
    if live.depths:
        depths = [Line("Records waiting on the terminal", "speed", live.depths)]
        yield chart("Queue", depths, span, "records", faults)
    if len(live.heard_by) > 1:
        yield chart(
            "Asked by the terminal", [Line("Frames, in sum", "left", _steps(live, span))], span, "frames", faults
        )
    if live.latencies_ms:
        edges = (0, *LATENCIES_MS)
        counts = [
            (f"{low} to {high} ms", sum(low <= one < high for one in live.latencies_ms))
            for low, high in zip(edges, LATENCIES_MS, strict=False)
        ]
        counts.append((f"over {LATENCIES_MS[-1]} ms", sum(one >= LATENCIES_MS[-1] for one in live.latencies_ms)))
        last = max(number for number, (_, count) in enumerate(counts) if count)
        yield bars("From the moment to the subscriber", counts[: last + 1], "records")


def _steps(live: Live, span: tuple[float, float]) -> list[tuple[float, float]]:
    """Counts over time, level between two of them."""
    before, points = 0, []
    for time_s, count in live.heard_by:
        points += [(time_s, float(before)), (time_s, float(count))]
        before = count
    return [*points, (span[1], float(before))]


def _events(scenario: Scenario, outcome: Outcome) -> str:
    """Every event, numbered as on the plot."""
    rows = "".join(
        f'<tr id="event-{number}"><td><span class="badge {style}">{number}</span></td><th>{escape(event.kind)}</th>'
        f'<td class="n">{clock(event.start_s)}</td><td class="n">{event.end_s - event.start_s:.2f} s</td>'
        f"<td>{escape(_size(event))}</td></tr>"
        for number, style, event in numbered(scenario, outcome)
    )
    head = "<thead><tr><th></th><th>event</th><th>at</th><th>long</th><th>how</th></tr></thead>"
    return (
        f'<h2>Events found</h2><table class="narrow">{head}{rows}</table>\n'
        if rows
        else "<h2>Events found</h2><p>None.</p>\n"
    )


def _size(event: EventFound) -> str:
    parts = [event.direction or "", event.severity or ""]
    parts += [f"{event.peak_mps2:.1f} m/s²"] if event.peak_mps2 is not None else []
    parts += [f"Δv {abs(event.delta_v_mps) * 3.6:.0f} km/h"] if event.delta_v_mps is not None else []
    parts += [f"by {event.rule}"] if event.rule else []
    return ", ".join(part for part in parts if part)


def _counters(outcome: Outcome) -> str:
    """Trips, frames, and what was not judged, beside each other."""
    trips = [
        (f"{clock(trip.start_s)} to {clock(trip.end_s)}", f"{trip.distance_m:.0f} m, {trip.end_reason}")
        for trip in outcome.trips
    ]
    frames = [(name, f"{count}") for name, count in outcome.counters.items()]
    rejected = [(name.replace("_", " "), f"{count}") for name, count in outcome.not_judged.items() if count]
    tables = [
        f"<div><h2>{name}</h2><table>{_rows(rows)}</table></div>"
        for name, rows in (
            ("Trips", trips),
            ("Frames", frames),
            ("Not judged, by reason", rejected),
            *_account(outcome),
        )
        if rows
    ]
    return f'<div class="pair">{"".join(tables)}</div>\n'


def _account(outcome: Outcome) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    if outcome.live is None:
        return
    told = outcome.live.account
    yield (
        "The account",
        [
            ("records", f"{told.records}"),
            ("missing", f"{len(told.missing)}"),
            ("delivered twice", f"{told.redelivered}"),
            ("seals", f"{told.seals}"),
            ("starts", f"{told.starts}"),
            ("foreign frames on the bus", f"{outcome.live.heard}"),
        ],
    )


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    return "".join(f'<tr><th>{escape(name)}</th><td class="n">{escape(words)}</td></tr>' for name, words in rows)


def _log(live: Live | None) -> str:
    return f"<h2>What tbox run wrote</h2><pre>{escape(live.log)}</pre>\n" if live is not None and live.log else ""
