"""On a claims page: what happened, when, where, how fast and how hard, in a sentence, figures and facts. Pure.

What a sensor at the end of its range felt is told as the least there was, and what only the speed says as a loss of
speed: braking after the blow is in it.
"""

import datetime as dt
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from agent.evidence.claim import Claim
from agent.page.words import CLOCK_WORDS, UNKNOWN, WAY_WORDS, speed
from agent.world.hours import zone

G_MPS2 = 9.80665
SIDES = {"front": "from the front", "rear": "from behind", "left": "from the left", "right": "from the right"}
BLOW_S = 0.25
"""A blow is over by then, as a rule (native/pulse.c)."""
AGAIN_MAX = 3


class Change(NamedTuple):
    """What the blow did to the velocity: the figure's name, the figure, a half sentence."""

    name: str
    figure: str
    words: str


def title(claim: Claim, timezone: str) -> str:
    """The local time of it."""
    if claim.moment is None:
        return f"{claim.dossier.blow_us / 1e6:.1f} s after the terminal started"
    local = dt.datetime.fromtimestamp(claim.moment.utc_us / 1e6, dt.UTC).astimezone(zone(timezone))
    doubt = ", by a clock that nobody vouches for" if claim.moment.u_us is None else ""
    return f"{local:%-d %B %Y, %H:%M:%S} ({timezone}{doubt})"


def _utc(claim: Claim) -> str:
    """In UTC, with what is known of its error."""
    if claim.moment is None:
        return "not known: no clock record dates it"
    u_us = claim.moment.u_us
    utc = f"{dt.datetime.fromtimestamp(claim.moment.utc_us / 1e6, dt.UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    sure = "nobody vouches for this clock" if u_us is None else f"give or take {max(u_us, 1000) / 1e6:.3f} s"
    return f"{utc} UTC, by {CLOCK_WORDS.get(claim.moment.source, claim.moment.source)}, {sure}"


def is_felt(claim: Claim) -> bool:
    """Whether an acceleration sensor felt it."""
    return "imu" in claim.event.get("sources", [])


def is_least(claim: Claim) -> bool:
    """Whether more happened than was felt: the sensor was at the end of its range, or the power went meanwhile."""
    return bool(claim.event.get("dv_clipped")) or claim.caught_s[1] < BLOW_S


def changed(claim: Claim) -> Change:
    """The change of velocity, and what it rests on."""
    event = claim.event
    if event["event"] == "rollover":
        return Change("Turned by", UNKNOWN if event.get("value") is None else f"{event['value']:.0f}°", "")
    if event.get("delta_v_mps") is None:
        return Change("Change of velocity", UNKNOWN, "")
    told = f"{abs(event['delta_v_mps']) * 3.6:.0f} km/h"
    if not is_felt(claim):
        return Change("Loss of speed", told, f"its speed fell by {told} within {event.get('delta_v_s') or 0.0:.1f} s")
    if not is_least(claim):
        return Change("Change of velocity", told, f"its velocity changed by {told}")
    return Change("Change of velocity", f"≥ {told}", f"its velocity changed by at least {told}")


def lead(claim: Claim) -> str:
    """It in a sentence, or two."""
    return _told(claim) + (" A recording stood for the car: this was a trial." if claim.is_recorded else "")


def _told(claim: Claim) -> str:
    event = claim.event
    moving = f" at {speed(event['entry_mps'])}" if event.get("entry_mps") is not None else ""
    if event["event"] == "rollover":
        way = WAY_WORDS.get(str(event.get("rule")), "its attitude")
        return f"The car turned over{moving}, by {changed(claim).figure}; told by {way}."
    side = SIDES.get(str(event.get("direction")), "from an unknown side")
    what = f"The car was struck {side}" if event["event"] == "crash" else f"A blow {side} was felt"
    if not is_felt(claim):
        what = "The car lost speed faster than brakes can make it"
    words = changed(claim).words
    cut = " The power went before it was judged." if event.get("rule") == "power_cut" else ""
    return f"{what}{moving}{words and '; '}{words}.{cut}"


def tiles(claim: Claim) -> str:
    """The figures."""
    event, change = claim.event, changed(claim)
    peak, least = event.get("peak_mps2"), "≥ " if is_least(claim) else ""
    told = [
        ("Speed before", speed(event.get("entry_mps"))),
        ("Speed after", speed(event.get("exit_mps"))),
        (change.name, change.figure),
        (
            "Peak" if is_felt(claim) else "Hardest loss of speed",
            UNKNOWN if peak is None else f"{least}{peak / G_MPS2:.1f} g",
        ),
        ("Struck from", str(event.get("direction") or UNKNOWN)),
        ("Severity", str(event.get("severity"))),
        ("How certain", f"{event['confidence'] * 100:.0f} %"),
    ]
    if event["event"] == "rollover":
        told = [one for one in told if one[0] not in ("Peak", "Struck from")]
    cells = "".join(f"<div><dt>{name}</dt><dd>{escape(words)}</dd></div>" for name, words in told)
    return f'<dl class="tiles">{cells}</dl>'


def facts(claim: Claim, timezone: str) -> str:
    """When, where, how fast, braking, what came after."""
    leaves = claim.event.get("exit_mps")
    told = [
        ("When", title(claim, timezone)),
        ("UTC", _utc(claim)),
        ("Where", _where(claim)),
        ("How fast", f"{speed(claim.event.get('entry_mps'))}, the last that was told before it"),
        ("Braking before", "; ".join(_braking(claim))),
        ("After it", f"{speed(leaves)} when the event was judged" if leaves is not None else "not known"),
        *(("Another blow", words) for words in _others(claim)),
    ]
    items = "".join(f"<li><b>{name}</b>{escape(words)}</li>" for name, words in told)
    return f'<ul class="facts panel">{items}</ul>'


def place(claim: Claim) -> tuple[float, float] | None:
    """The last fix before the blow, else that of the event."""
    before = [place for at_s, place in claim.way if at_s <= 0]
    if before:
        return before[-1]
    lat_deg, lon_deg = claim.event.get("lat_deg"), claim.event.get("lon_deg")
    return None if lat_deg is None or lon_deg is None else (lat_deg, lon_deg)


def _where(claim: Claim) -> str:
    """The place, and how old it was."""
    found = place(claim)
    if found is None:
        return UNKNOWN
    before_s = [abs(at_s) for at_s, _ in claim.way if at_s <= 0]
    told = f"by the receiver {before_s[-1]:.1f} s before" if before_s else "as the event has it"
    return f"{found[0]:.6f}, {found[1]:.6f} (WGS 84), {told}"


def _braking(claim: Claim) -> Iterator[str]:
    """By the brake signal, and by the speed, in the 5 s before."""
    before = (claim.dossier.table or {}).get("before", {})
    yield _pedal(before.get("brake", []), before.get("step_us", 0) / 1e6)
    speeds = before.get("speed_mps", [])
    first = next((i for i, cell in enumerate(speeds) if cell is not None), len(speeds))
    if first < len(speeds) - 1 and speeds[-1] is not None:
        span_s = (len(speeds) - 1 - first) * before["step_us"] / 1e6
        yield f"speed went from {speeds[first] * 3.6:.0f} to {speeds[-1] * 3.6:.0f} km/h in the {span_s:g} s before"


def _pedal(brake: list[float | None], step_s: float) -> str:
    """How long it was pressed up to the blow."""
    if not any(cell is not None for cell in brake):
        return "the brake pedal was not told"
    if brake[-1] is None:
        return "the brake pedal was not told at the blow"
    off = next((i for i, cell in enumerate(reversed(brake)) if cell != 1), len(brake))
    if off > 1:
        return f"pedal pressed for the last {(off - 1) * step_s:.1f} s"
    pressed_s = (sum(1 for cell in brake if cell == 1) - off) * step_s
    words = "the pedal was pressed at the blow, not before" if off else "the pedal was not pressed at the blow"
    return words + (f" ({pressed_s:.1f} s of the 5 s)" if pressed_s else "")


def _others(claim: Claim) -> Iterator[str]:
    """Other blows that were felt; the figures are of this one."""
    for one in claim.again[:AGAIN_MAX]:
        when = f"{abs(one.at_s):.1f} s {'after' if one.at_s > 0 else 'before'} this one"
        yield f"up to {one.mps2 / G_MPS2:.1f} g, {when}: the figures here do not tell of it"
    if len(claim.again) > AGAIN_MAX:
        yield f"and {len(claim.again) - AGAIN_MAX} more"
