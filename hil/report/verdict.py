"""From what came of a scenario to PASS or FAIL: one finding for each expectation, with the reason. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hil.outcome import Account, EventFound, Live, Outcome
from hil.report.likeness import differences, slack
from hil.scenes.scenario_table import EventTable, ExpectTable, Scenario, SpanTable, TripTable


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation: its name, whether it holds, why or why not."""

    name: str
    holds: bool
    words: str


def judge(scenario: Scenario, outcome: Outcome) -> list[Finding]:
    """Everything that was expected, in the order of the file."""
    if outcome.trouble:
        return [Finding("runs", holds=False, words=outcome.trouble)]
    expect = scenario.expect
    findings = [*_events(expect, outcome.events), *_trips(expect, outcome), *_frames(expect, outcome)]
    findings += _likeness(expect, outcome)
    if outcome.live is not None:
        findings += [
            *account_findings(outcome.live.account, expect.restarts + (0 if outcome.live.is_box else 1)),
            *_behaviour(outcome.live, expect),
        ]
    return findings


def matching(table: EventTable, events: Iterable[EventFound]) -> list[EventFound]:
    """The events that are what this expectation asks for."""
    return [event for event in events if not _mismatch(table, event)]


def _events(expect: ExpectTable, events: Sequence[EventFound]) -> Iterator[Finding]:
    """Each expected event so many times; none of those that must not be."""
    for table in expect.event:
        found = matching(table, events)
        name = f"{table.count} x {_described(table)}"
        yield Finding(name, len(found) == table.count, _seen(found) or _nearest(table, events))
    for kind in expect.never:
        bad = [event for event in events if event.kind == kind]
        yield Finding(f"never {kind}", not bad, _seen(bad) or "none")
    if expect.only:
        others = [event for event in events if not any(not _mismatch(table, event) for table in expect.event)]
        yield Finding("no other event", not others, _seen(others) or "none")


def _described(table: EventTable) -> str:
    """The expectation in words."""
    parts = [table.kind, *(word for word in (table.direction, table.severity, table.rule) if word)]
    parts += ["locked" if table.is_locked else "not locked"] if table.is_locked is not None else []
    parts += [f"of {table.value:g} ± {table.share:.1%}"] if table.value is not None else []
    if table.to_s is not None:
        parts.append(f"between {table.from_s:g} and {table.to_s:g} s")
    elif table.from_s:
        parts.append(f"from {table.from_s:g} s on")
    return " ".join(parts)


def _mismatch(table: EventTable, event: EventFound) -> str:
    """What is different about an event; empty: nothing."""
    if event.kind != table.kind:
        return event.kind
    if not table.from_s <= event.start_s <= (table.to_s or event.start_s):
        return f"at {event.start_s:.2f} s"
    asked = ((table.direction, event.direction), (table.severity, event.severity), (table.rule, event.rule))
    for wanted, was in asked:
        if wanted is not None and wanted != was:
            return str(was)
    if table.is_locked is not None and table.is_locked != event.is_locked:
        return "locked" if event.is_locked else "not locked"
    if table.value is not None:
        is_near = event.value is not None and abs(event.value - table.value) <= table.share * abs(table.value)
        return "" if is_near else f"of {event.value:g}" if event.value is not None else "of no value"
    return ""


def _nearest(table: EventTable, events: Iterable[EventFound]) -> str:
    """What came instead, when nothing fits."""
    same = [event for event in events if event.kind == table.kind]
    if same:
        return "none like it: " + "; ".join(f"{told(event)} ({_mismatch(table, event)})" for event in same)
    return f"none; there were: {', '.join(sorted({event.kind for event in events})) or 'no events'}"


def _subject(words: str) -> str:
    """The lamp, or which code of which kind: of each the order counts, between them the car's answers decide."""
    head, _, rest = words.partition(" ")
    return head if head == "lamp" else rest


def _between(table: SpanTable, totals: Iterable[tuple[float, int]], what: str) -> Finding:
    """As many as expected in this time, of what only grows."""
    first, last = (
        max((count for at_s, count in totals if at_s <= t_s), default=0) for t_s in (table.from_s, table.to_s)
    )
    least = f"at least {table.least}" if table.least else ""
    most = "" if table.most is None else f"at most {table.most}"
    name = f"{' and '.join(filter(None, (least, most)))} {what} from {table.from_s:g} to {table.to_s:g} s"
    count = last - first
    return Finding(name, table.least <= count <= (count if table.most is None else table.most), f"{count}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _seen(events: Sequence[EventFound]) -> str:
    return "; ".join(told(event) for event in events)


def told(event: EventFound) -> str:
    """An event in short."""
    parts = [event.kind, event.direction or "", event.severity or ""]
    size = f" of {event.value:.6g}" if event.value is not None else ""
    size = f" {event.peak_mps2:.1f} m/s²" if event.peak_mps2 is not None else size
    return f"{' '.join(part for part in parts if part)}{size} at {event.start_s:.2f} s"


def _trips(expect: ExpectTable, outcome: Outcome) -> Iterator[Finding]:
    """As many trips as expected, each like its table; all of the way."""
    if expect.trip is not None:
        count = len(outcome.trips)
        yield Finding(_counted(len(expect.trip), "trip"), count == len(expect.trip), f"{count} ended")
        for number, (table, trip) in enumerate(zip(expect.trip, outcome.trips, strict=False)):
            yield from _trip(number, table, trip.distance_m, trip.end_reason)
    if expect.distance_share is not None:
        true_m = outcome.truth[-1].distance_m if outcome.truth else 0.0
        told_m = sum(trip.distance_m for trip in outcome.trips)
        words = f"{told_m:.1f} m, truly {true_m:.1f} m"
        yield Finding("all of the way", abs(told_m - true_m) <= expect.distance_share * true_m, words)


def _trip(number: int, table: TripTable, distance_m: float, reason: str) -> Iterator[Finding]:
    if table.distance_m is not None:
        is_near = abs(distance_m - table.distance_m) <= table.share * table.distance_m
        yield Finding(f"trip {number}: {table.distance_m:g} m ± {table.share:.0%}", is_near, f"{distance_m:.1f} m")
    if table.end_reason is not None:
        yield Finding(f"trip {number} ended: {table.end_reason}", reason == table.end_reason, reason)


def _frames(expect: ExpectTable, outcome: Outcome) -> Iterator[Finding]:
    """No frame unaccounted for."""
    frames = outcome.counters
    used = sum(count for name, count in frames.items() if name != "in")
    words = ", ".join(f"{count} {name}" for name, count in frames.items() if name != "in")
    yield Finding("frames conserved", bool(frames) and frames["in"] == used, f"{frames.get('in', 0)} in = {words}")
    for name, least in (
        ("rejected", expect.rejected_min),
        ("unmapped", expect.unmapped_min),
        ("dropped", expect.dropped_min),
    ):
        if least:
            count = frames.get(name, 0)
            yield Finding(f"at least {least} frames {name}", count >= least, f"{count}")
    if expect.dropped_max is not None:
        count = frames.get("dropped", 0)
        yield Finding(f"at most {expect.dropped_max} frames dropped", count <= expect.dropped_max, f"{count}")


def _likeness(expect: ExpectTable, outcome: Outcome) -> Iterator[Finding]:
    """The live way and replay tell the same."""
    if expect.same_as_replay:
        found = list(differences(expect, outcome)) if outcome.other else ["there is nothing to lay beside it"]
        name = f"tbox run and tbox replay tell the same, within {slack(expect, outcome.place).moment_s:g} s"
        words = f"{_counted(len(outcome.events), 'event')}, {_counted(len(outcome.trips), 'trip')}"
        yield Finding(name, not found, "; ".join(found[:3]) or words)


def account_findings(account: Account, starts: int) -> Iterator[Finding]:
    """Everything that was recorded arrived, once, and verifies."""
    yield Finding("one device", account.devices == 1, f"{account.devices}")
    missing = ", ".join(map(str, account.missing[:10]))
    words = f"{account.records} records, {f'missing {missing}' if missing else 'none missing'}"
    yield Finding("no record lost", not account.missing and account.records > 0, words)
    again = f"{account.redelivered} delivered twice, known by their number"
    yield Finding("each on its lane", not account.faults, "; ".join(account.faults[:3]) or again)
    yield Finding("sealed", account.seals > 0, _counted(account.seals, "seal"))
    words = account.verify_words if account.verify_code else "exit code 0"
    yield Finding("tbox verify accepts it", account.verify_code == 0, words)
    yield Finding(_counted(starts, "start"), account.starts == starts, f"{account.starts}")


def _behaviour(live: Live, expect: ExpectTable) -> Iterator[Finding]:
    """What it told, how it behaved on the bus, and how it ended."""
    for kind, wanted in expect.records.items():
        count = live.kinds.get(kind, 0)
        yield Finding(f"at least {wanted} {kind} records", count >= wanted, f"{count}")
    yield from (_between(table, live.heard_by, "frames sent") for table in expect.sends)
    yield from (_between(table, live.arrived_by, "records arrived") for table in expect.arrives)
    yield from _words(expect, live)
    if expect.silence:
        yield Finding("silent on the bus", live.heard == 0, f"{live.heard} frames that are not the car's")
    if expect.link is not None:
        yield Finding(f"link: {expect.link}", live.link == expect.link, live.link or "none")
    if not live.is_box:
        yield _ended(live.exit_codes, expect.exit_codes)
    yield Finding("the bench lost no frame", live.car_dropped == 0, f"{live.car_dropped}")


def _words(expect: ExpectTable, live: Live) -> Iterator[Finding]:
    """What it said of the car, of itself and of the time."""
    if expect.trouble is not None:
        words = "; ".join(live.trouble) or "none"
        is_told = sorted(live.trouble, key=_subject) == sorted(expect.trouble, key=_subject)
        yield Finding(f"trouble told: {'; '.join(expect.trouble) or 'none'}", is_told, words)
    for words in expect.says:
        yield Finding(f'says "{words}"', words in live.log, "in its log" if words in live.log else "not in its log")
    for reason, least in expect.silences.items():
        count = live.silences.get(reason, 0)
        yield Finding(f"silent for {reason} at least {_counted(least, 'time')}", count >= least, f"{count}")
    if expect.clocks is not None:
        name = f"clock records: {', '.join(expect.clocks)}"
        yield Finding(name, live.clocks == expect.clocks, ", ".join(live.clocks) or "none")
    if expect.utc_error_s is not None:
        off_s = live.utc_error_s
        words = "no clock record" if off_s is None else f"{off_s:g} s off"
        yield Finding(
            f"dated within {expect.utc_error_s:g} s", off_s is not None and off_s <= expect.utc_error_s, words
        )


def _ended(codes: Sequence[int], wanted: Sequence[int]) -> Finding:
    """With which exit codes, and the last of them."""
    words = ", ".join(f"{count} x {code}" for code, count in Counter(codes).items())
    is_good = set(codes) == set(wanted) and codes[-1] == wanted[-1]
    return Finding(f"ended with {' and '.join(map(str, wanted))}", is_good, words or "never")
