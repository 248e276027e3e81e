"""On a claims page: what the car's network said, what nobody measured, how certain it is, what else it may be. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from agent.evidence.claim import Claim
from agent.page.summary import changed, is_felt
from agent.page.words import REASON_WORDS, SOURCE_WORDS, WAY_WORDS, counted, plain, speed

G_MPS2 = 9.80665
STANDING_MPS = 0.5
"""Under this the rules ask the car's own speed, or its airbag (native/crash.c)."""
RUNNING_RPM = 50.0
"""Less is noise of a standing engine (native/moment.c)."""
FELL_US = 60_000
"""So long weightless, and the box fell (native/pulse.c)."""
UNMEASURED = "not measured"
NO = "no sign of it"
SILENT_S = 1.0
"""A bus whose last frame came so long before the last of anything that was caught fell silent within it."""
SHORT_S = 10.0
"""What was caught goes on for 15 s after a blow, as a rule."""
ASKED_HZ = 99.0
"""Samples that the event-data-recorder rules ask for."""
SIGNALS = {
    "speed_mps": "the car's speed", "gnss_speed_mps": "the receiver's speed", "brake": "the brake pedal",
    "throttle_pct": "the throttle", "rpm": "the engine's speed",
}  # fmt: skip

Thing = Mapping[str, Any]


def sections(claim: Claim) -> str:
    """All four."""
    parts = (
        ("What the car's own network said", _network(claim)),
        ("What was not measured", list(_unmeasured(claim))),
        ("The sensor", list(_sensor(claim))),
        ("How certain, and why", list(_certain(claim))),
    )
    lists = "".join(f"<section><h2>{name}</h2>{_list(words)}</section>\n" for name, words in parts)
    return f"{lists}<section><h2>Other causes that were weighed</h2>{_causes(claim)}</section>\n"


def _list(words: list[str]) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in words or ["nothing"])
    return f'<ul class="facts panel">{items}</ul>'


def _network(claim: Claim) -> list[str]:
    """Frames per bus, when they ended, what was pressed, codes."""
    words = [
        f"Bus {bus.number}: {counted(bus.frames)} frames of {bus.identifiers} identifiers"
        f"{f', {bus.errors} error frames' if bus.errors else ''}; {_end(bus.last_s, claim.caught_s[1])}."
        for bus in claim.buses
    ]
    if not words:
        words = ["No frame of a vehicle bus was caught."]
    if (stop_s := _stopped_s(claim, "speed_mps", STANDING_MPS)) is not None:
        words.append(f"{stop_s:.1f} s after the blow its speed first read 0.")
    if (off_s := _stopped_s(claim, "rpm", RUNNING_RPM)) is not None:
        words.append(f"{off_s:.1f} s after the blow its engine first stood.")
    return [*words, *(f"Trouble: {code}." for code in claim.codes)]


def _stopped_s(claim: Claim, name: str, least: float) -> float | None:
    """When it first was under this after the blow; None: it never was, or had been so just before."""
    told = [(row["time_s"] or 0.0, cell) for row in claim.rows if (cell := row[name]) is not None]
    before = [cell for at_s, cell in told if at_s <= 0]
    if not before or before[-1] < least:
        return None
    return next((at_s for at_s, cell in told if at_s > 0 and cell < least), None)


def _end(last_s: float, caught_s: float) -> str:
    is_whole = caught_s - last_s < SILENT_S
    return "to the end of what was caught" if is_whole else f"silent from {last_s:+.1f} s on"


def _unmeasured(claim: Claim) -> Iterator[str]:
    table = claim.dossier.table
    if table is None:
        yield "The table of the blow is not among these records."
        return
    for key, name in SIGNALS.items():
        cells = table["before"].get(key, [])
        if not any(cell is not None for cell in cells):
            yield f"In the 5 s before the blow nobody told {name}."
        elif None in cells:
            yield f"In the 5 s before the blow {name} was not told all the time."
    if table["sensor"]["source"] is None:
        yield "No acceleration sensor was heard: there is no pulse, only a loss of speed."
    elif table["delta"]["longitudinal_most"] is None:
        yield "How the sensor sits in the car was not known: the blow has a size, but no direction."
    if not claim.way:
        yield "No place was told by a receiver in these seconds."
    if claim.caught_s[1] < SHORT_S:
        yield f"What was caught ends {claim.caught_s[1]:.1f} s after the blow."
    yield from (f"Of this evidence {words}." for words in claim.dossier.missing)
    yield "Seat belts, occupants and the road's slope are not part of this record."


def _sensor(claim: Claim) -> Iterator[str]:
    sensor: Thing = (claim.dossier.table or {}).get("sensor", {})
    if not sensor.get("source"):
        yield "There was none."
        return
    where = "in the terminal" if sensor["source"] == "imu" else "of the vehicle, told on its bus"
    rate = sensor["rate_hz"]
    yield f"An acceleration sensor {where}, {'at an unknown rate' if rate is None else f'{rate:.0f} samples a second'}."
    if rate is not None and rate < ASKED_HZ:
        yield "The rules ask for 100: between samples the change of velocity is a straight line; a peak may be missed."
    largest, clipped = sensor["largest_mps2"], sensor["clipped_mps2"]
    if clipped is not None:
        yield f"It was at the end of its range, {clipped / G_MPS2:.1f} g: the table tells the least there was."
    elif largest is not None:
        yield f"It never was at the end of its range; its largest number was {largest / G_MPS2:.1f} g."
    if claim.is_turned:
        yield "Its mounting was known and is on record."
    elif (claim.dossier.table or {})["delta"]["longitudinal_most"] is not None:
        yield "Its mounting was known; the record of it is not among these."
    else:
        yield "Its mounting was not known."


def _certain(claim: Claim) -> Iterator[str]:
    event = claim.event
    sources = [SOURCE_WORDS.get(one, plain(one)) for one in event.get("sources", [])]
    yield f"Confidence {event['confidence'] * 100:.0f} %, agreed on by: {', '.join(sources) or 'nobody'}."
    if event.get("rule") == "power_cut":
        yield "The terminal lost its power before the rules could confirm or reject it: this was caught until then."
    elif event["event"] == "impact":
        yield "The blow was felt, but nothing confirmed it within its time: no stop, no loss of speed, no airbag."
    elif event["event"] == "rollover":
        yield f"Its attitude changed and stayed so, by {WAY_WORDS.get(str(event.get('rule')), 'the sensor')}."
    elif is_felt(claim):
        yield "A blow was felt, and confirmed by the size of its change of velocity, or by what the car did then."
    else:
        yield "No sensor felt a blow: the speed fell faster than brakes can make it, and stayed near 0."
    entry, leaves, change = event.get("entry_mps"), event.get("exit_mps"), changed(claim).words
    if entry is not None and leaves is not None and change:
        yield f"The car's speed went from {speed(entry)} to {speed(leaves)}; {change}."
    yield f"Judged by the rules {event.get('rules', '')}; the settings of that time are named by the seal."


def _causes(claim: Claim) -> str:
    """Each other cause: what speaks for it, what was measured, what follows."""
    rows = "".join(
        f"<tr><th>{escape(cause)}</th><td>{escape(sign)}</td><td>{escape(was)}</td><td>{escape(so)}</td></tr>"
        for cause, sign, was, so in _weighed(claim)
    )
    head = "<tr><th>Cause</th><th>Would show as</th><th>Was</th><th>So</th></tr>"
    frame = '<div class="wide panel weighed" tabindex="0" role="group" aria-label="Other causes">'
    return f"{frame}<table>{head}{rows}</table></div>{_turned_down(claim)}"


def _weighed(claim: Claim) -> Iterator[tuple[str, str, str, str]]:
    table = claim.dossier.table or {}
    blow, sensor, event = table.get("blow", {}), table.get("sensor", {}), claim.event
    flat, high, fell = blow.get("horizontal_mps2"), blow.get("vertical_mps2"), blow.get("fell_us")
    if event["event"] != "rollover":
        is_known = flat is not None and high is not None
        yield (
            "Pothole, bump", "more force from below than across",
            f"{high / G_MPS2:.1f} g below, {flat / G_MPS2:.1f} g across" if is_known else UNMEASURED,
            "not known" if not is_known else "possible" if high > flat else NO,
        )  # fmt: skip
    yield (
        "Box dropped or torn off", "weightless for 60 ms or more before",
        UNMEASURED if fell is None else f"{fell / 1000:.0f} ms weightless",
        "not known" if fell is None else "possible" if fell >= FELL_US else NO,
    )  # fmt: skip
    entry = event.get("entry_mps")
    yield (
        "Handled, door slammed, tow", "the car stands, and nothing moves it",
        "speed not known" if entry is None else f"{speed(entry)} before",
        "not known" if entry is None else "weighed: it stood" if entry < STANDING_MPS else NO,
    )  # fmt: skip
    samples, lasted_ms = sensor.get("samples", 0), (event["end_us"] - event["start_us"]) / 1000
    yield (
        "A fault of the sensor", "one sample alone, or a constant",
        f"{samples} samples around it, over the threshold for {lasted_ms:.0f} ms" if samples else UNMEASURED,
        "not known" if not samples else NO if lasted_ms > 0 else "possible",
    )  # fmt: skip


def _turned_down(claim: Claim) -> str:
    """What the rules turned down since the terminal started: how they judge what is none."""
    parts = claim.dossier.parts
    told: Thing = next((one.body["not_judged"] for one in parts if isinstance(one.body.get("not_judged"), dict)), {})
    words = [f"{REASON_WORDS.get(name, plain(name))} {told[name]}" for name in told if name.startswith("crash_")]
    if not words:
        return ""
    return f'<p class="lead">Since its start this terminal turned down as no crash: {escape(", ".join(words))}.</p>'
