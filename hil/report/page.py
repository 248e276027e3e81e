"""One run as one HTML page that needs nothing else: the verdict and why, signals against time, counters. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

from hil.outcome import EventFound, Live, Outcome
from hil.report import page_parts
from hil.report.chart import Band, Line, Mark, chart, clock
from hil.report.page_signals import frame_counts, load_plot, signal_plots
from hil.report.verdict import Finding, matching
from hil.scenes.scenario_table import FaultTable, Scenario


def page(scenario: Scenario, outcome: Outcome, findings: Sequence[Finding], again: str) -> str:
    """The page. The same arguments give the same bytes."""
    facts = (
        ("scenario", outcome.scenario),
        ("place", outcome.place),
        ("seed", str(outcome.seed)),
        ("drive", clock(outcome.drive_s)),
        ("took", f"{outcome.took_s:.1f} s"),
    )
    live = outcome.live
    return page_parts.document(
        scenario.title,
        [
            page_parts.header(scenario.title, scenario.why, findings, facts),
            page_parts.expected(findings),
            _plots(scenario, outcome),
            _events(scenario, outcome),
            page_parts.tables(_tables(outcome)),
            page_parts.again(again),
            page_parts.log("" if live is None else live.log),
        ],
    )


def _plots(scenario: Scenario, outcome: Outcome) -> str:
    """What the car really did, with what was expected and found; the queue and the latency of a live run."""
    truth = outcome.truth
    if len(truth) < 2:
        return ""
    span = (0.0, max(outcome.drive_s, truth[-1].time_s))
    bands = [*_expected(scenario, span[1]), *_faults(scenario)]
    marks = [Mark(number, style, event.start_s, event.kind) for number, style, event in numbered(scenario, outcome)]
    found = [
        Band(f"found {style}", one.start_s, one.end_s, one.kind, is_thin=True)
        for _, style, one in numbered(scenario, outcome)
    ]
    speed = [Line("Speed", "speed", [(row.time_s, row.speed_mps * 3.6) for row in truth])]
    force = [
        Line("Forward", "forward", [(row.time_s, row.forward_mps2) for row in truth]),
        Line("To the left", "left", [(row.time_s, row.left_mps2) for row in truth]),
    ]
    engine = [Line("Engine", "engine", [(row.time_s, row.rpm) for row in truth])]
    figures = [
        chart("Speed", speed, span, "km/h", bands, marks),
        chart("Acceleration", force, span, "m/s²", [*_faults(scenario), *found]),
        chart("Engine speed", engine, span, "1/min", [*_faults(scenario), *found]),
    ]
    figures += _buses(scenario, outcome, span)
    if outcome.live is not None:
        figures += _live_plots(outcome.live, span, _faults(scenario))
    keys = '<span><i class="key box expected"></i> expected here</span>' if scenario.expect.event else ""
    keys += "".join(f'<span><i class="key box fault"></i> {_told(fault)}</span>' for fault in scenario.fault)
    keys += "<span>numbers, and bars at the top: events found</span>" if outcome.events else ""
    legend = f'<p class="legend">{keys}</p>' if keys else ""
    signals = signal_plots(scenario, outcome.seed, span, [*bands, *found])
    return f"<h2>What the car did</h2>{legend}{''.join(figures)}\n{signals}"


def _buses(scenario: Scenario, outcome: Outcome, span: tuple[float, float]) -> Iterator[str]:
    """How full the bus was; rows, and an adapter, have none."""
    if scenario.feed == "frames" and scenario.adapter == "none":
        live = outcome.live
        counts = live.loads if live is not None and live.loads else frame_counts(scenario, outcome.seed)
        yield load_plot(counts, span, _faults(scenario))


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
    note = "from when a record was numbered, which is before it was on flash; redelivered ones once"
    yield page_parts.histogram("Latency: record to subscriber", live.latencies_ms, "records", note)


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


def _tables(outcome: Outcome) -> list[tuple[str, list[tuple[str, str]]]]:
    """Trips, frames, and what was not judged; what a live run accounts for."""
    trips = [
        (f"{clock(trip.start_s)} to {clock(trip.end_s)}", f"{trip.distance_m:.0f} m, {trip.end_reason}")
        for trip in outcome.trips
    ]
    frames = [(name, f"{count}") for name, count in outcome.counters.items()]
    rejected = [(name.replace("_", " "), f"{count}") for name, count in outcome.not_judged.items() if count]
    told = [("Trips", trips), ("Frames", frames), ("Not judged, by reason", rejected)]
    return told if outcome.live is None else [*told, ("The account", _account(outcome.live))]


def _account(live: Live) -> list[tuple[str, str]]:
    told = live.account
    return [
        ("records", f"{told.records}"),
        ("missing", f"{len(told.missing)}"),
        ("delivered twice", f"{told.redelivered}"),
        ("seals", f"{told.seals}"),
        ("starts", f"{told.starts}"),
        ("foreign frames on the bus", f"{live.heard}"),
    ]
