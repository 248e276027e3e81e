"""What a scenario says that cannot be, though each of its parts is well formed. Pure."""

from collections.abc import Iterator

from agent.codec import KINDS as RECORDS
from hil.scenes.scenario_table import ASKED_FAULTS, FRAME_FAULTS, LIVE_FAULTS, Scenario
from hil.wires.tls import BROKER_NAME

KINDS = {
    "error_frames": ("", "warning", "passive", "arbitration"),
    "certificate_wrong": ("name", "authority"),
    "dns_failure": ("", "silent"),
}
"""What `what` may say to a fault that has several kinds."""


def contradictions(scenario: Scenario) -> Iterator[str]:
    """Each in a sentence."""
    yield from _recorded(scenario)
    for number, leg in enumerate(scenario.drive):
        if bool(leg.trace) == bool(leg.lasts_s):
            yield f"drive[{number}] ({leg.label}): give either lasts_s or a trace"
    if scenario.feed == "rows" and set(scenario.places) != {"process"}:
        yield 'places: rows can only be replayed; write places = ["process"], or feed = "frames"'
    if scenario.feed == "frames" and any(leg.step_s for leg in scenario.drive):
        yield 'step_s: frames come every 10 ms; leave it out, or write feed = "rows"'
    if scenario.ecus != "none" and "process" in scenario.places:
        yield 'ecus: a recording is asked nothing; take "process" out of places'
    if scenario.adapter != "none" and scenario.ecus == "none":
        yield 'adapter: an adapter asks units; write ecus = "narrow" or "wide"'
    if (scenario.link != "up" or scenario.expect.link) and set(scenario.places) - {"qemu", "wired"}:
        yield 'link: only a real controller is set up; write places = ["qemu"]'
    expected = {event.kind for event in scenario.expect.event}
    for kind in sorted(expected & set(scenario.expect.never)):
        yield f"expect: {kind} stands in event and in never; take one out"
    yield from _misplaced(scenario)
    yield from _unequipped(scenario)


def _recorded(scenario: Scenario) -> Iterator[str]:
    """A drive or a recording, and what only one of them can have."""
    if bool(scenario.drive) == bool(scenario.recording):
        yield "drive: give either a drive or a recording"
    for number, part in enumerate(scenario.recording):
        yield from (f"recording[{number}].{fault}" for fault in part.faults())
        if part.is_rows and set(scenario.places) != {"process"}:
            yield f'recording[{number}]: rows are on no bus; write places = ["process"]'
    if scenario.recording and (scenario.bump or scenario.expect.distance_share):
        yield "recording: its true way is not known, nothing is felt on top of it: leave out bump and distance_share"
    if scenario.recording and (scenario.ecus != "none" or scenario.feed == "rows"):
        yield "recording: nobody answers in it, and its kind is its own: leave out ecus and feed"
    if scenario.expect.same_as_replay and not scenario.recording and set(scenario.places) != {"process"}:
        yield 'expect.same_as_replay: a drive is never twice the same on a bus; write places = ["process"]'
    if scenario.vehicle and not scenario.recording:
        yield "vehicle: the simulated car has its own map; leave it out"
    for number, fault in enumerate(scenario.fault):
        if scenario.recording and fault.name not in LIVE_FAULTS:
            yield f"fault[{number}] ({fault.name}): is one of the simulated car; a recording has what it has"


def _misplaced(scenario: Scenario) -> Iterator[str]:
    """Faults that this drive cannot have."""
    for number, fault in enumerate(scenario.fault):
        if fault.name in LIVE_FAULTS and "process" in scenario.places:
            yield f'fault[{number}] ({fault.name}): needs a running terminal; take "process" out of places'
        if scenario.ecus == "none" and fault.name in ASKED_FAULTS:
            yield f'fault[{number}] ({fault.name}): there are no units that answer; write ecus = "narrow"'
        if scenario.adapter == "none" and fault.name == "adapter_gone":
            yield f'fault[{number}] (adapter_gone): there is none; write adapter = "genuine"'
        if scenario.feed == "rows" and fault.name in FRAME_FAULTS:
            yield f'fault[{number}] ({fault.name}): is one of frames; write feed = "frames"'


def _unequipped(scenario: Scenario) -> Iterator[str]:
    """Faults of what this terminal has not, and kinds that a fault has not."""
    if scenario.recording and scenario.receiver:
        yield "receiver: it needs the simulated car to tell where it is; leave it out"
    for number, fault in enumerate(scenario.fault):
        at = f"fault[{number}] ({fault.name})"
        if fault.name.startswith("certificate_") and not scenario.tls:
            yield f"{at}: nobody shows one; write tls = true"
        if fault.name == "gnss_week" and not scenario.receiver:
            yield f"{at}: there is no receiver; write receiver = true"
        if fault.name == "dns_failure" and scenario.settings.get("mqtt.host") != BROKER_NAME:
            yield f'{at}: the broker has no name; write settings = {{ "mqtt.host" = "{BROKER_NAME}" }}'
        if fault.after and (fault.name not in LIVE_FAULTS or fault.after not in RECORDS):
            yield f"{at}: after is for a fault around the terminal, and a kind of record: {', '.join(RECORDS)}"
        kinds = KINDS.get(fault.name, (fault.what,))
        if fault.what not in kinds:
            yield f"{at}: what is one of {', '.join(kind or 'nothing' for kind in kinds)}"
