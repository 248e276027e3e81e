"""A soak as one HTML page that needs nothing else: the verdict, frames, queue, memory and latencies over time. Pure."""

from collections.abc import Iterator, Sequence

from hil.report import page_parts
from hil.report.chart import Band, Line, chart, clock
from hil.report.page_signals import rates
from hil.report.verdict import Finding
from hil.soak.outcome import SoakOutcome, later_rise
from hil.soak.verdict import latency_words

TITLE = "Soak: two full buses"
LEAD = "The agent reads a classic and an FD bus to the brim; nothing is lost, and its memory stays as it is."
FLASH_MS, BROKER_MS = 15, 30
"""What 99 of 100 may take at most, where nothing else runs."""
SLOW = {
    "kernel": ", and not here: a system call takes some 50 µs in this place, and flood, agent, broker and subscriber "
    "share one processor of it; make bench ARGS=daemon measures it"
}
PLACES = {
    "pair": "this machine; datagrams that carry struct can_frame",
    "vcan": "this machine's vcan0 and vcan1",
    "kernel": "vcan0 and vcan1 of a kernel that comes along",
}


def page(outcome: SoakOutcome, findings: Sequence[Finding], again: str) -> str:
    """The page. The same arguments give the same bytes."""
    plan = outcome.plan
    asked = clock(plan.lasts_s)
    facts = (
        ("place", f"{plan.place}: {PLACES[plan.place]}"),
        ("each bus", f"{plan.rate:,} frames/s, {plan.batch} a call"),
        ("flooded", f"{clock(outcome.flooded_s)} of {asked}" if outcome.is_cut_short else asked),
        ("took", f"{outcome.took_s:.1f} s"),
    )
    return page_parts.document(
        TITLE,
        [
            page_parts.header(TITLE, LEAD, findings, facts),
            page_parts.expected(findings),
            f"<h2>While it ran</h2>{''.join(_plots(outcome))}\n" if len(outcome.looks) > 1 else "",
            page_parts.tables(list(_tables(outcome))),
            page_parts.again(again),
            page_parts.log(outcome.log[:2000]),
        ],
    )


def _plots(outcome: SoakOutcome) -> Iterator[str]:
    """Histograms, then what there was over time."""
    timed, place = outcome.warm_timed, SLOW.get(outcome.plan.place, "")
    flash = [one.flash_ms for one in timed if one.flash_ms is not None]
    broker = [one.broker_ms for one in timed]
    for name, values, most_ms in (
        ("An event's last frame to its record on flash", flash, FLASH_MS),
        ("An event's last frame to the subscriber at the broker", broker, BROKER_MS),
    ):
        note = f"{latency_words(values)}; p99 aimed at: {most_ms} ms on a machine with nothing else to do{place}"
        yield page_parts.histogram(name, values, "events", note)
    span = (0.0, max(outcome.flooded_s, outcome.looks[-1].time_s))
    warming = [Band("warming", 0.0, outcome.warm_s, "warming up: not judged")]
    looks = outcome.looks
    memory = [
        Line("Resident", "speed", [(look.time_s, look.resident_mib) for look in looks]),
        Line("Anonymous", "forward", [(look.time_s, look.anonymous_mib) for look in looks]),
    ]
    yield chart("Memory of tbox run", memory, span, "MiB", warming)
    queue = [Line("Records waiting on the terminal", "left", [(look.time_s, look.waiting) for look in looks])]
    yield chart("Queue", queue, span, "records", warming)
    late = [Line("To the subscriber", "speed", [(one.time_s, one.broker_ms) for one in outcome.timed])]
    yield chart("Latency of each event", late, span, "ms", warming)
    frames = [Line("Both buses", "engine", rates([(look.time_s, look.frames) for look in looks]))]
    yield chart("Frames sent", frames, span, "frames/s", warming)


def _tables(outcome: SoakOutcome) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for bus in outcome.buses:
        counts = (("sent", bus.sent), ("received", bus.received), ("dropped by the kernel", bus.dropped))
        yield f"{bus.kind} bus {bus.name}", [(name, f"{count:,}") for name, count in counts]
    yield "Frames, as sealed", [(name, f"{count:,}") for name, count in outcome.counters.items()]
    looks = outcome.warm_looks
    lines = (
        ("resident", [(look.time_s, look.resident_mib) for look in looks]),
        ("anonymous", [(look.time_s, look.anonymous_mib) for look in looks]),
    )
    rises = [(name, *later_rise(points)) for name, points in lines]
    rise = [(f"{name}, line of its later half", f"{rise:+.2f} MiB") for name, rise, is_long in rises if is_long]
    cpu = "unknown" if outcome.cpu_share is None else f"{outcome.cpu_share:.1%} of a core"
    yield (
        "The terminal",
        [
            ("processor", cpu),
            *rise,
            ("longest turn of its loop", f"{outcome.turn_ms:.0f} ms"),
            ("the machine was late", f"{outcome.late_s:.2f} s"),
        ],
    )
