"""On a claims page: what the car's network said, what nobody measured, how certain it is, what else it may be. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from agent.claim import Claim
from agent.page_words import REASON_WORDS, SOURCE_WORDS, counted, plain, speed

G_MPS2 = 9.80665
STANDING_MPS = 0.5
"""Under this the rules ask the car's own speed, or its airbag (native/crash.c)."""
RUNNING_RPM = 50.0
"""Less is noise of a standing engine (native/moment.c)."""
FELL_US = 60_000
"""So long weightless, and the box fell (native/pulse.c)."""
UNMEASURED = "not measured"
SILENT_S = 14.0
"""A bus whose last frame came earlier than this after the blow fell silent within what was caught."""
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
        f"{f', {bus.errors} error frames' if bus.errors else ''}; {_end(bus.last_s)}."
        for bus in claim.buses
    ]
    if not words:
        words = ["No frame of a vehicle bus was caught."]
    after = [row for row in claim.rows if (row["time_s"] or 0.0) > 0]
    slow = (row["time_s"] for row in after if row["speed_mps"] is not None and row["speed_mps"] < STANDING_MPS)
    stop_s = next(slow, None)
    if stop_s is not None:
        words.append(f"Its speed read 0 from {stop_s:.1f} s after the blow on.")
    off_s = next((row["time_s"] for row in after if row["rpm"] is not None and row["rpm"] < RUNNING_RPM), None)
    if off_s is not None:
        words.append(f"Its engine stood {off_s:.1f} s after the blow.")
    return [*words, *(f"Trouble: {code}." for code in claim.codes)]


def _end(last_s: float) -> str:
    return "to the end of what was caught" if last_s >= SILENT_S else f"silent from {last_s:+.1f} s on"


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
        yield "No acceleration sensor was heard: there is no pulse, and the change of velocity is that of the speed."
    elif table["delta"]["longitudinal_most"] is None:
        yield "How the sensor sits in the car was not known: the blow has a size, but no direction."
    if not claim.way:
        yield "No place was told by a receiver in these seconds."
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
    largest, clipped = sensor["largest_mps2"], sensor["clipped_mps2"]
    if clipped is not None:
        yield f"It was at the end of its range, {clipped / G_MPS2:.1f} g: velocity changed by at least what is told."
    elif largest is not None:
        yield f"It never was at the end of its range; its largest number was {largest / G_MPS2:.1f} g."
    yield "Its mounting was solved and is on record." if claim.is_turned else "Its mounting was not known."


def _certain(claim: Claim) -> Iterator[str]:
    event = claim.event
    sources = [SOURCE_WORDS.get(one, plain(one)) for one in event.get("sources", [])]
    yield f"Confidence {event['confidence'] * 100:.0f} %, agreed on by: {', '.join(sources) or 'nobody'}."
    if event.get("rule") == "power_cut":
        yield "The terminal lost its power before the rules could confirm or reject it: this was caught until then."
    elif event["event"] == "impact":
        yield "The blow was felt, but nothing confirmed it within its time: no stop, no loss of speed, no airbag."
    else:
        yield "A blow was felt, and confirmed by the size of its change of velocity, or by what the car did then."
    entry, leaves, change = event.get("entry_mps"), event.get("exit_mps"), event.get("delta_v_mps")
    if entry is not None and leaves is not None and change is not None:
        felt = f"the change of velocity is {abs(change) * 3.6:.0f} km/h"
        yield f"The car's speed went from {speed(entry)} to {speed(leaves)}; {felt}."
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
    yield (
        "Pothole, kerb", "more force from below than across",
        UNMEASURED if flat is None or high is None else f"{high / G_MPS2:.1f} g below, {flat / G_MPS2:.1f} g across",
        "not known" if flat is None or high is None else "possible" if high > flat else "no",
    )  # fmt: skip
    yield (
        "Box dropped or torn off", "weightless for 60 ms or more before",
        UNMEASURED if fell is None else f"{fell / 1000:.0f} ms weightless",
        "not known" if fell is None else "possible" if fell >= FELL_US else "no",
    )  # fmt: skip
    entry = event.get("entry_mps")
    yield (
        "Handled, door slammed, tow", "the car stands, and nothing moves it",
        "speed not known" if entry is None else f"{speed(entry)} before",
        "not known" if entry is None else "weighed: it stood" if entry < STANDING_MPS else "no",
    )  # fmt: skip
    samples = sensor.get("samples", 0)
    yield (
        "A fault of the sensor", "one sample alone, or a constant",
        f"{samples} samples around it, over the threshold for {(event['end_us'] - event['start_us']) / 1000:.0f} ms",
        "no" if event["end_us"] > event["start_us"] else "possible",
    )  # fmt: skip


def _turned_down(claim: Claim) -> str:
    """What the rules turned down since the terminal started: how they judge what is none."""
    parts = claim.dossier.parts
    told: Thing = next((one.body["not_judged"] for one in parts if "not_judged" in one.body), {})
    words = [f"{REASON_WORDS.get(name, plain(name))} {told[name]}" for name in told if name.startswith("crash_")]
    if not words:
        return ""
    return f'<p class="lead">Since its start this terminal turned down as no crash: {escape(", ".join(words))}.</p>'
