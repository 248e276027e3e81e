"""From what came of a soak to PASS or FAIL: one finding for each promise, with the reason. Pure.

Latencies are told and not judged: how quick a machine is that others use too says little of the agent.
"""

from collections.abc import Iterator

from hil.report.verdict import Finding, account_findings
from hil.soak.outcome import Bus, SoakOutcome, later_rise, quantile

GROWTH_MIB = 1.0
"""What memory may rise along the least-squares line of a soak's later half, or in each hour of a longer one.

In the first half it fills what is bounded: the ring before a crash, and the store's cache of pages (1 MiB), which takes
half an hour with an event a second. A leak of 600 bytes an event would be seen.
"""
SWING_MIB = 4.0
"""Between the least and the most of it once the terminal is warm."""
RATE_SHARE = 0.9
"""The flood must have been so much of what was asked for, or it tried too little."""
MISSED_MOST = 1
"""The event that was open at the end."""
SHARES = (0.5, 0.9, 0.99)


def judge(outcome: SoakOutcome) -> list[Finding]:
    """Everything a soak promises."""
    if outcome.trouble or outcome.account is None:
        return [Finding("runs", holds=False, words=outcome.trouble or "nothing came of it")]
    return [
        *_rate(outcome),
        *(_counted(bus) for bus in outcome.buses),
        *_conserved(outcome),
        *_memory(outcome),
        _events(outcome),
        *account_findings(outcome.account, starts=1),
        Finding("ended with 0", outcome.exit_codes == (0,), ", ".join(map(str, outcome.exit_codes)) or "never"),
    ]


def latency_words(values: list[float]) -> str:
    """The histogram in short."""
    if not values:
        return "none"
    told = [f"p{share * 100:.0f} {quantile(values, share):.1f}" for share in SHARES]
    return ", ".join([*told, f"max {max(values):.1f} ms"])


def _rate(outcome: SoakOutcome) -> Iterator[Finding]:
    """Whether the buses were as full as was asked for."""
    asked = outcome.plan.rate
    for bus in outcome.buses:
        rate = bus.sent / outcome.flooded_s if outcome.flooded_s else 0.0
        words = f"{rate:,.0f}/s over {outcome.flooded_s:.0f} s"
        yield Finding(f"{bus.kind} bus at {asked:,} frames/s", rate >= RATE_SHARE * asked, words)


def _counted(bus: Bus) -> Finding:
    """Every frame sent was received, and none is unaccounted for."""
    words = f"{bus.sent:,} sent = {bus.received:,} received"
    words += f" + {bus.dropped:,} dropped" if bus.dropped else ""
    stray = bus.sent - bus.received - bus.dropped
    words += f", {stray:,} unaccounted for" if stray else ""
    return Finding(f"{bus.kind} bus: no frame lost", bus.sent == bus.received > 0 and not bus.dropped, words)


def _conserved(outcome: SoakOutcome) -> Iterator[Finding]:
    """The sealed counters agree with the flood's."""
    frames, sent = outcome.counters, sum(bus.sent for bus in outcome.buses)
    used = sum(count for name, count in frames.items() if name != "in")
    words = " + ".join(f"{count:,} {name}" for name, count in frames.items() if name != "in")
    holds = bool(frames) and frames["in"] == used
    yield Finding("frames conserved", holds, f"{frames.get('in', 0):,} in = {words}")
    yield Finding("the seal states what was sent", frames.get("in") == sent, f"{sent:,} sent")


def _memory(outcome: SoakOutcome) -> Iterator[Finding]:
    """Flat once it is warm."""
    looks = outcome.warm_looks
    hours = max(1.0, outcome.flooded_s / 3600)
    later_hours = max(1.0, outcome.flooded_s / 7200)
    for name, points in (
        ("resident", [(look.time_s, look.resident_mib) for look in looks]),
        ("anonymous", [(look.time_s, look.anonymous_mib) for look in looks]),
    ):
        if not points:
            yield Finding(f"{name} memory flat", holds=False, words="never looked at")
            continue
        rise, is_long = later_rise(points)
        swing = max(mib for _, mib in points) - min(mib for _, mib in points)
        words = f"{points[-1][1]:.1f} MiB, most less least {swing:.2f} MiB, "
        words += f"along the line of its later half {rise:+.2f} MiB" if is_long else "too short for more"
        is_flat = swing <= SWING_MIB * hours and (rise <= GROWTH_MIB * later_hours or not is_long)
        yield Finding(f"{name} memory flat", is_flat, words)


def _events(outcome: SoakOutcome) -> Finding:
    """Each event that the flood ended was told."""
    ended = sum(at_s >= outcome.warm_s for at_s in outcome.closed_s)
    told = len(outcome.warm_timed)
    words = f"{told} of {ended}; to the broker {latency_words([one.broker_ms for one in outcome.warm_timed])}"
    return Finding("each event told", 0 <= ended - told <= MISSED_MOST and told > 0, words)
